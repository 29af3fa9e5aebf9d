#!/usr/bin/env bash
# Writes the reference to standard output, from a database of the scratch cluster that libpq's variables point at.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

database=reference_$$
trap 'psql -Xqd postgres -c "DROP DATABASE IF EXISTS $database"' EXIT
psql -Xqd postgres -v ON_ERROR_STOP=1 -c "CREATE DATABASE $database"
psql -Xqd "$database" -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION tokbudget' -f "$here/reference.sql"
