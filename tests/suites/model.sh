#!/usr/bin/env bash
# tests/model: random calls with injected time, each compared with a model of what must happen. The seeds are the same in every
# run, so that one that fails has to do with what was changed: eight, and those that have found something once.
# TB_MODEL_SEED adds a seed, or with the value random one that nobody has tried; TB_MODEL_STEPS says how many steps each
# takes. Options go to the scratch cluster.
set -euo pipefail
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/suites/python.sh
. "$(dirname "$0")/python.sh"

seeds=()
for seed in 1 2 3 4 5 6 7 8 1016 1028 1029 2045 177914277 560484057; do seeds+=(--seed "$seed"); done
case ${TB_MODEL_SEED:-} in
    '') ;;
    random) seeds+=(--random) ;;
    *) seeds+=(--seed "$TB_MODEL_SEED") ;;
esac
scratch_cluster "$@"
python_test model tests/model/model.py "${seeds[@]}" --steps "${TB_MODEL_STEPS:-300}"
report
