#!/usr/bin/env bash
# As isolation, with the library in shared_preload_libraries. TB_SUITE keeps their names apart.
TB_SUITE=isolation-preload exec "$(dirname "$0")/isolation.sh" --preload
