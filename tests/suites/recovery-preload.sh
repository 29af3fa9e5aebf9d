#!/usr/bin/env bash
# As recovery, with the library in shared_preload_libraries. TB_SUITE keeps their names apart.
TB_SUITE=recovery-preload exec "$(dirname "$0")/recovery.sh" --preload
