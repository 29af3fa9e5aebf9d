#!/usr/bin/env bash
# Builds the extension and tells what it does on a scratch cluster, which is gone afterwards.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)

"$here/install-private.sh"

cluster=demo-$$
trap 'trap "" INT TERM HUP; "$here/cluster.sh" stop $cluster' EXIT
trap 'exit 130' INT TERM HUP
"$here/cluster.sh" start $cluster --preload
eval "$("$here/cluster.sh" env $cluster)"
cd "$here/.."

# Shows each statement above its result; a refusal is part of the story, so the script goes on after one.
tell() { psql -X --echo-queries --set=VERBOSITY=default --set=SHOW_CONTEXT=never "$@" 2>&1; }
chapter() { printf '\n\n%s\n\n' "$1"; }

chapter '1. Install, and make a tree of accounts with two budgets'
tell -f "$here/demo/set_up.sql"

chapter '2. Count a real document: the licence of this project'
tell --set=document="$(cat LICENSE)" -f "$here/demo/count.sql"

chapter '3. Reserve before the call, commit after it with the response as the provider sent it'
tell --set=openai_response="$(cat tests/fixtures/usage/openai_chat.json)" \
    --set=anthropic_response="$(cat tests/fixtures/usage/anthropic_cache_lives.json)" -f "$here/demo/spend.sql"

chapter '4. A call that does not fit is refused, before it costs anything'
tell -f "$here/demo/refuse.sql"

chapter '5. Two clients want the last tokens at the same time: one waits for the other, and only one gets them'
tell -f "$here/demo/first_client.sql" >"$PGDATA/first_client.log" &
# The first client holds its budget open for two seconds; the second one comes in between.
sleep 1
echo '-- the second client, while the first has not committed yet'
tell -f "$here/demo/second_client.sql"
wait $!
printf '%s\n' '-- what the first client saw meanwhile'
cat "$PGDATA/first_client.log"

chapter '6. Release what is not needed, see what remains'
tell -f "$here/demo/release.sql"

chapter '7. What the analyst sees, and the proof that balances and ledger agree'
tell -f "$here/demo/report.sql"
