#!/usr/bin/env bash
# As dump-restore, with the library in shared_preload_libraries. TB_SUITE keeps their names apart.
TB_SUITE=dump-restore-preload exec "$(dirname "$0")/../dump_restore.sh" --preload
