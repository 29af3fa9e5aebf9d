#!/usr/bin/env bash
# tests/model: random calls with injected time, each compared with a model of what must happen. TB_MODEL_SEED adds a seed,
# TB_MODEL_STEPS says how many steps each takes. Options go to the scratch cluster.
set -euo pipefail
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/suites/python.sh
. "$(dirname "$0")/python.sh"

seeds=(--seed 1 --seed 2 --seed 3 --seed 4 --seed 5 --seed 6 --seed 7 --seed 8)
[ -z "${TB_MODEL_SEED:-}" ] || seeds+=(--seed "$TB_MODEL_SEED")
scratch_cluster "$@"
python_test model tests/model/model.py "${seeds[@]}" --random --steps "${TB_MODEL_STEPS:-300}"
report
