#!/usr/bin/env bash
# Compares costs with genai-prices and LiteLLM, each over its own price file. Through tests/run.sh cost-oracle, or by itself.
# TB_COST_ORACLE_SEED chooses the random usages, TB_COST_ORACLE_RANDOM how many of them each model gets. Options go to the
# scratch cluster.
set -euo pipefail
export TB_RUN=${TB_RUN:-$$} TB_RESULT=${TB_RESULT:-/dev/stdout}
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/suites/lib.sh"

# The wheels have the price files too. What they need is named here, not left to pip: litellm asks for boto3, which only its
# calls use, and for a newer certifi than every mirror has.
wheels=('genai-prices==0.2.3' 'litellm==1.109.1')
needed=(
    'psycopg[binary]==3.2.9' 'aiohttp==3.14.5' 'click==8.5.1' 'fastuuid==0.14.0' 'filelock==4.2.11' 'httpx[http2]==0.28.1'
    'httpx2==2.16.2' 'importlib-metadata<9' 'jinja2==3.1.6' 'jsonschema==4.26.0' 'openai==3.54.0' 'packaging==26.3' 'pydantic==2.14.3'
    'pydantic-settings==2.16.3' 'python-dotenv==1.2.4' 'pyyaml==6.0.3' 'tiktoken==0.14.0' 'tokenizers==0.23.3'
)
venv=$TB_TARGET/venv/cost-oracle
if [ "$(cat "$venv/packages" 2>/dev/null)" != "${wheels[*]} ${needed[*]}" ]; then
    # Debian's Python, which setup.sh gives the venv module.
    /usr/bin/python3 -m venv --clear "$venv"
    pip=("$venv/bin/pip" --quiet --disable-pip-version-check)
    "${pip[@]}" download --no-deps --dest "$venv/wheels" "${wheels[@]}"
    "${pip[@]}" install "${needed[@]}"
    "${pip[@]}" install --no-deps "$venv/wheels/"*.whl
    "$venv/bin/python" pgrx-config/price-book/documents.py "$venv/documents" \
        --genai-wheel "$venv/wheels/genai_prices"-*.whl --litellm-wheel "$venv/wheels/litellm"-*.whl
    echo "${wheels[*]} ${needed[*]}" >"$venv/packages"
fi

# compare CALCULATOR OPTION...: in a database of its own, because the aliases of a file hold in every currency.
compare() {
    createdb "$1"
    psql -Xq -d "$1" -c 'CREATE EXTENSION tokbudget'
    echo "> $1"
    output=$(PGDATABASE=$1 "$venv/bin/python" tests/cost_oracle/compare.py "$1" "$venv/documents/$1.json" "${@:2}" \
        --seed "${TB_COST_ORACLE_SEED:-1}" --random "${TB_COST_ORACLE_RANDOM:-10}" 2>&1) || true
    printf '%s\n' "$output"
    # Its last line is "12 passed, 0 failed"; a script that ends before that has failed once.
    if [[ ${output##*$'\n'} =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    else
        failed=$((failed + 1))
    fi
}

scratch_cluster "$@"
compare genai
compare litellm --other "$venv/documents/genai.json"
report
