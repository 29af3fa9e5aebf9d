#!/usr/bin/env bash
# What works on a physical standby, and after its promotion.
exec "$(dirname "$0")/../standby.sh"
