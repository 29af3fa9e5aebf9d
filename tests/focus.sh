#!/usr/bin/env bash
# Charges in the columns of FOCUS: rules as queries, and the validator of the FinOps Foundation over an export. Through
# tests/run.sh focus, or by itself. Options go to the scratch cluster.
set -euo pipefail
export TB_RUN=${TB_RUN:-$$} TB_RESULT=${TB_RESULT:-/dev/stdout}
# shellcheck source=tests/suites/lib.sh
. "$(dirname "$0")/suites/lib.sh"
# shellcheck source=tests/suites/python.sh
. "$(dirname "$0")/suites/python.sh"

mandatory=BilledCost,BillingAccountId,BillingAccountName,BillingCurrency,BillingPeriodEnd,BillingPeriodStart,ChargeCategory,ChargeDescription
mandatory+=,ChargeFrequency,ChargePeriodEnd,ChargePeriodStart,ContractedCost,EffectiveCost,InvoiceIssuerName,ListCost,PricingCurrency
mandatory+=,ServiceCategory,ServiceName,ServiceSubcategory,SubAccountId,SubAccountName,SubAccountType

# rules VIEW MANDATORY: each line of rules.sql is a test; broken by nothing, it says 0.
rules() {
    local name broken count=0
    while IFS='|' read -r name broken; do
        count=$((count + 1))
        if [ "$broken" = 0 ] || [ "$broken" = f ]; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "FAILED: $1: $name: broken $broken times"
        fi
    done < <(psql -Xq -d focus -v view="tokbudget.$1" -v mandatory="{$2}" -f tests/focus/rules.sql 2>&1)
    echo "$1: $count rules"
}

# The validator needs a newer Python than Debian's. pyenv's links to versions that are not chosen do not run.
find_python() {
    local candidate
    for candidate in python3.12 python3.13 python3.14 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9].*/bin/python3 python3; do
        if "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# A newer pyarrow wants another NumPy than the validator. Its wheels say which versions of Python it runs on.
packages=('focus-validator==2.2.1' 'pyarrow<20')
criteria=USAGE_MEASUREMENT_SUPPORTED,UNIT_PRICING_SUPPORTED,PUBLIC_PRICE_LIST_SUPPORTED,NEGOTIATED_PRICING_SUPPORTED,SUB_ACCOUNT_SUPPORTED
criteria+=,TAGGING_SUPPORTED,MULTIPLE_PRICING_CATEGORIES_SUPPORTED,ACCOUNT_NAMING_SUPPORTED,PRICING_BILLING_CURRENCY_DIFFERENCES_SUPPORTED
criteria+=,VIRTUAL_CURRENCY_SUPPORTED

validate() {
    local interpreter venv=$TB_TARGET/venv/focus export=$work/focus.csv verdict=$work/focus.xml output alone=()
    if ! interpreter=$(find_python); then
        echo "no Python of 3.12 or later: the validator is left out"
        return
    fi
    if [ "$(cat "$venv/packages" 2>/dev/null)" != "$interpreter ${packages[*]}" ]; then
        "$interpreter" -m venv --clear "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"
        echo "$interpreter ${packages[*]}" >"$venv/packages"
    fi
    psql -Xq -d focus -c "\\copy (SELECT * FROM tokbudget.focus_1_2) TO '$export' WITH (FORMAT csv, HEADER)"
    # It looks for its own files from where it is installed. Its exit code says nothing.
    ! unshare --map-root-user --net true 2>/dev/null || alone=(unshare --map-root-user --net)
    (cd "$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" &&
        "${alone[@]}" "$venv/bin/focus-validator" --data-file "$export" --validate-version 1.2 --block-download \
            --applicability-criteria "$criteria" --output-type unittest --output-destination "$verdict") >"$work/focus.log" 2>&1 ||
        cat "$work/focus.log"
    output=$("$python" tests/focus/verdict.py "$verdict" 2>&1) || true
    printf '%s\n' "$output"
    if [[ ${output##*$'\n'} =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    else
        failed=$((failed + 1))
    fi
}

scratch_cluster "$@"
# Not the cluster's own directory: the validator runs as a user that has no rights of root's there.
work=$TB_TARGET/focus
rm -rf "$work"
mkdir -p "$work"
createdb focus
psql -Xq -d focus -c 'CREATE EXTENSION tokbudget'
check 'a ledger of three months' env PGDATABASE=focus "$python" tests/focus/ledger.py
rules focus_1_2 "$mandatory,ProviderName,PublisherName"
rules focus_1_4 "$mandatory,ServiceProviderName,HostProviderName"
check 'the balances fold' test "$(psql -XAtq -d focus -c 'SELECT count(*) FROM tb_verify()')" = 0
validate
report
