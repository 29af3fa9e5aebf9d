#!/usr/bin/env bash
# As readme, with the library in shared_preload_libraries. TB_SUITE keeps their names apart.
TB_SUITE=readme-preload exec "$(dirname "$0")/readme.sh" --preload
