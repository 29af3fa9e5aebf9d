#!/usr/bin/env bash
# What counting costs a session in time and memory: builds the extension and runs the suite `memory`.
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/run.sh" memory
