#!/usr/bin/env bash
# What survives a dump and restore, and crashes.
exec "$(dirname "$0")/../dump_restore.sh"
