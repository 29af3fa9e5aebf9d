#!/usr/bin/env bash
# What real drivers see: psycopg and asyncpg.
exec "$(dirname "$0")/../driver.sh" "$@"
