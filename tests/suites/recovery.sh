#!/usr/bin/env bash
# Point-in-time recovery and pg_upgrade.
exec "$(dirname "$0")/../recovery.sh" "$@"
