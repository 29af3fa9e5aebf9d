#!/usr/bin/env bash
# Runs every ```sql block of README.md and of what is in docs, the blocks of one file in order in one new database. A block must
# succeed; one whose first line begins with `-- refused` must be refused instead, with the SQLSTATE that the line may name
# (`-- refused: TB001`). Through tests/run.sh readme, or by itself.
set -euo pipefail
export TB_RUN=${TB_RUN:-$$} TB_RESULT=${TB_RESULT:-/dev/stdout}
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/suites/lib.sh"

scratch_cluster "$@"
work=$TB_CLUSTERS/$suite-$TB_RUN

# Writes the blocks of a file as DIRECTORY/LINE.sql, LINE being where the block begins.
extract() {
    mkdir "$2"
    awk -v directory="$2" '
        open && /^ *```/ { close(file); open = 0; next }
        open { sub("^" indent, ""); print >file; next }
        /^ *```sql *$/ { indent = $0; sub(/```.*/, "", indent); file = sprintf("%s/%05d.sql", directory, NR); printf "" >file; open = 1 }
    ' "$1"
}

run_block() {
    local first said status=0 code=
    read -r first <"$2" || true
    said=$(psql -Xq -v ON_ERROR_STOP=1 -v VERBOSITY=verbose -d "$1" -f "$2" 2>&1) || status=$?
    if [[ $first =~ ^--\ refused(:\ *([A-Z0-9]{5}))? ]]; then
        code=${BASH_REMATCH[2]}
        [ "$status" != 0 ] || { echo 'was accepted'; return 1; }
        [[ $said = *"ERROR:  $code"* ]] || { printf '%s\n' "$said"; return 1; }
    elif [ "$status" != 0 ]; then
        printf '%s\n' "$said"
        return 1
    fi
}

for file in README.md docs/*.md docs/guide/*.md; do
    [ -e "$file" ] || continue
    database=$(basename "$file" .md)
    extract "$file" "$work/$database"
    blocks=("$work/$database"/*.sql)
    [ -e "${blocks[0]}" ] || continue
    createdb "$database"
    # A file that is about something else than installing begins with the extension in place.
    grep -qiE '^ *CREATE EXTENSION tokbudget' "${blocks[@]}" || psql -Xq -d "$database" -c 'CREATE EXTENSION tokbudget'
    for block in "${blocks[@]}"; do
        line=$(basename "$block" .sql)
        check "$file:$((10#$line))" run_block "$database" "$block"
    done
done
report
