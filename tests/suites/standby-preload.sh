#!/usr/bin/env bash
# As standby, with the library in shared_preload_libraries. TB_SUITE keeps their names apart.
TB_SUITE=standby-preload exec "$(dirname "$0")/../standby.sh" --preload
