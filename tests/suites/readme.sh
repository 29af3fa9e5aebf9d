#!/usr/bin/env bash
# Every SQL block of the documentation does what it says.
exec "$(dirname "$0")/../readme.sh" "$@"
