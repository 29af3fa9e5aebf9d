# shellcheck shell=bash
# For suites in Python that need drivers. To be sourced after lib.sh; sets `python`.

packages=('psycopg[binary]==3.2.9' 'asyncpg==0.30.0')
venv=$TB_TARGET/venv/driver
if [ "$(cat "$venv/packages" 2>/dev/null)" != "${packages[*]}" ]; then
    # Debian's Python, which setup.sh gives the venv module.
    /usr/bin/python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
    echo "${packages[*]}" >"$venv/packages"
fi
python=$venv/bin/python

# python_test DATABASE SCRIPT OPTION...: a script in a new database. Its last line is "12 passed, 0 failed"; one that ends
# before that has failed once.
python_test() {
    local output
    output=$(mktemp)
    createdb "$1"
    psql -Xq -d "$1" -c 'CREATE EXTENSION tokbudget'
    echo "> $2"
    PGDATABASE=$1 "$python" -u "${@:2}" 2>&1 | tee "$output" || true
    if [[ $(tail -n 1 "$output") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    else
        failed=$((failed + 1))
    fi
    rm -f "$output"
}
