#!/usr/bin/env bash
# As concurrency, with the library in shared_preload_libraries. TB_SUITE keeps their names apart.
TB_SUITE=concurrency-preload exec "$(dirname "$0")/concurrency.sh" --preload
