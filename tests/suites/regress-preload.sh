#!/usr/bin/env bash
# As regress, with the library in shared_preload_libraries. TB_SUITE keeps their names apart.
TB_SUITE=regress-preload exec "$(dirname "$0")/regress.sh" --preload
