#!/usr/bin/env bash
# As model, with the library in shared_preload_libraries. TB_SUITE keeps their names apart.
TB_SUITE=model-preload exec "$(dirname "$0")/model.sh" --preload
