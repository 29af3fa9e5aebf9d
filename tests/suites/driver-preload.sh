#!/usr/bin/env bash
# As driver, with the library in shared_preload_libraries. TB_SUITE keeps their names apart.
TB_SUITE=driver-preload exec "$(dirname "$0")/driver.sh" --preload
