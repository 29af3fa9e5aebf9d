#!/usr/bin/env bash
# The benchmarks, on scratch clusters with the library preloaded. A bar that is missed is said, and no failure; a count
# that is not tiktoken's is one.
#
#   run.sh               all of it, under fifteen minutes, building left out
#   run.sh --quick       a first look at the engines, under two minutes
#   run.sh --full        with a ledger of ten million entries, two minutes more
#   run.sh --engine      only the engines, on clusters of their own (bench/engine.py has a choice of its measurements)
#   run.sh --report      only the reports, on a generated ledger (bench/reports.py); --quick and --full as above
#   run.sh --installed   with what is installed in the private PostgreSQL, without building it again
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

quick=() full=() build=yes others=yes only=
for option; do
    case $option in
        --quick) quick=(--quick) others=no ;;
        --full) full=(--full) ;;
        --engine) others=no ;;
        --report) only=reports ;;
        --installed) build=no ;;
        *) sed -n 's/^#   //p' "$0" >&2; exit 2 ;;
    esac
done

[ $build = no ] || "$here/../pgrx-config/install-private.sh"
built_at=$SECONDS
# shellcheck source=pgrx-config/lib.sh
. "$here/../pgrx-config/lib.sh"
cd "$TB_ROOT"

# Debian's Python, which setup.sh installs; the scripts need nothing else.
python() { PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$@"; }

printf '%s, %s processors, load before %s\n' \
    "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)" "$(nproc)" "$(cut -d' ' -f1 /proc/loadavg)"
printf '%s, tokbudget %s\n' "$("$TB_BIN/postgres" --version)" \
    "$(sed -n "s/^default_version = '\(.*\)'/\1/p" "$TB_SHARE/extension/tokbudget.control")"

if [ "$only" = reports ]; then
    python bench/reports.py "${quick[@]}" "${full[@]}"
    exit
fi
python bench/engine.py "${quick[@]}" "${full[@]}"
[ $others = yes ] || exit 0

target=$TB_TARGET/bench
mkdir -p "$target"
cargo build --quiet --locked --release --manifest-path bench/tiktoken/Cargo.toml --target-dir "$target/cargo"
python bench/corpus.py "$target"

cluster=bench-$$
trap 'trap "" INT TERM HUP; pgrx-config/cluster.sh stop $cluster' EXIT
trap 'exit 130' INT TERM HUP
# All texts fit into shared buffers, and nothing else writes meanwhile.
pgrx-config/cluster.sh start $cluster --preload \
    --conf 'shared_buffers = 512MB' --conf 'autovacuum = off' --conf 'max_wal_size = 8GB'
eval "$(pgrx-config/cluster.sh env $cluster)"
psql -X -q -c 'CREATE EXTENSION tokbudget'

python bench/throughput.py "$target/text" "$target/cargo/release/tiktoken-bench"
python bench/worst_case.py "$target/text"
python bench/call_cost.py "$target/text"
python bench/batch.py
python bench/cost.py
[ -e "$target/prices/litellm.json" ] || python pgrx-config/price-book/documents.py "$target/prices"
python bench/price_import.py "$target/prices"
printf '\neverything in %d s, building left out\n' $((SECONDS - built_at))
