#!/usr/bin/env bash
# FOCUS: its rules as queries over the views, and where a Python of 3.12 or later is there, its own validator over an export.
exec "$(dirname "$0")/../focus.sh" "$@"
