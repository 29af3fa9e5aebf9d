#!/usr/bin/env bash
# What real drivers see. Through tests/run.sh driver, or by itself. Options go to the scratch cluster.
set -euo pipefail
export TB_RUN=${TB_RUN:-$$} TB_RESULT=${TB_RESULT:-/dev/stdout}
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/suites/lib.sh"

packages=('psycopg[binary]==3.2.9' 'asyncpg==0.30.0')
venv=$TB_TARGET/venv/driver
if [ "$(cat "$venv/packages" 2>/dev/null)" != "${packages[*]}" ]; then
    # Debian's Python, which setup.sh gives the venv module.
    /usr/bin/python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
    echo "${packages[*]}" >"$venv/packages"
fi

scratch_cluster "$@"
for test in tests/driver/*_test.py; do
    database=$(basename "$test" _test.py)
    createdb "$database"
    psql -Xq -d "$database" -c 'CREATE EXTENSION tokbudget'
    echo "> $test"
    output=$(PGDATABASE=$database "$venv/bin/python" "$test" 2>&1) || true
    printf '%s\n' "$output"
    # Its last line is "12 passed, 0 failed"; a script that ends before that has failed once.
    if [[ ${output##*$'\n'} =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    else
        failed=$((failed + 1))
    fi
done
report
