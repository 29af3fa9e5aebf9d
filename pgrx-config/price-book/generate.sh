#!/usr/bin/env bash
# Writes sql/price_book.sql from two published price lists, and differences.tsv beside this script.
#
#   generate.sh [--genai-wheel FILE] [--litellm-wheel FILE]
#
# A price gets in only where both lists state the same one: each has errors of its own, and an agreement of two independent
# ones is the best check there is without a bill. Both are read by tb_import_prices itself, in a scratch cluster, under a
# currency of their own. Needs the extension installed there (pgrx-config/install-private.sh).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=pgrx-config/lib.sh
. "$here/../lib.sh"
cd "$TB_ROOT"

work=$(mktemp -d)
cluster=price-book-$$
trap 'trap "" INT TERM HUP; pgrx-config/cluster.sh stop $cluster; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
/usr/bin/python3 "$here/documents.py" "$work" "$@"
of() { /usr/bin/python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]][sys.argv[3]])' "$work/sources.json" "$@"; }

pgrx-config/cluster.sh start "$cluster"
eval "$(pgrx-config/cluster.sh env "$cluster")"
# The catalogue of litellm knows more, so it comes last.
psql -XqAt -v ON_ERROR_STOP=1 -v day="$(of genai date)" -v genai="$(of genai source)" -v litellm="$(of litellm source)" \
    -v genai_file="$work/genai.json" -v litellm_file="$work/litellm.json" <<'SQL'
CREATE EXTENSION tokbudget;
DELETE FROM tokbudget.price; DELETE FROM tokbudget.model; DELETE FROM tokbudget.model_alias;
\set genai_document `cat :'genai_file'`
\set litellm_document `cat :'litellm_file'`
SELECT 'genai-prices: ' || change || ' ' || count(*) FROM tb_import_prices(:'genai_document'::jsonb, :'genai', :'day', 'GEN') GROUP BY change;
SELECT 'litellm: ' || change || ' ' || count(*) FROM tb_import_prices(:'litellm_document'::jsonb, :'litellm', :'day', 'LIT') GROUP BY change;
SQL
psql -Xq -v day="$(of genai date)" -v source="$(of genai source)" -v model_source="$(of litellm source)" \
    -v rows_file="$work/price_book.sql" -v differences_file="$work/differences.tsv" -f "$here/compare.sql"
cp "$work/price_book.sql" sql/price_book.sql
cp "$work/differences.tsv" "$here/differences.tsv"
