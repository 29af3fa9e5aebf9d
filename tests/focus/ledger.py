"""Makes a ledger such as three months leave behind, through the functions that applications call. The connection is in the
environment."""

import datetime
import json
import random

import psycopg

SEED = 1
BEGIN = datetime.datetime(2026, 1, 5, tzinfo=datetime.timezone.utc)
DAYS = 75
CALLS_A_DAY = 6
ACCOUNTS = {
    "acme": ["acme/search/assistant", "acme/search/indexer", "acme/support/triage", "acme/support"],
    "globex": ["globex/lab"],
    "studio": ["studio/artist"],
}
CREDIT_MODEL = "studio-image"

chance = random.Random(SEED)


def openai(model: str) -> dict:
    prompt, completion = chance.randint(50, 8000), chance.randint(1, 2000)
    return {"model": model, "usage": {
        "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": chance.choice([0, prompt // 2])},
        "completion_tokens_details": {"reasoning_tokens": chance.choice([0, completion // 3])}}}


def anthropic(model: str) -> dict:
    return {"model": model, "type": "message", "usage": {
        "input_tokens": chance.randint(50, 4000), "output_tokens": chance.randint(1, 2000),
        "cache_read_input_tokens": chance.choice([0, 12000]), "cache_creation_input_tokens": chance.choice([0, 3000]),
        "cache_creation": None, "server_tool_use": {"web_search_requests": chance.choice([0, 0, 2])}}}


def gemini(model: str) -> dict:
    prompt = chance.choice([chance.randint(50, 5000), 250000])
    return {"modelVersion": model, "usageMetadata": {
        "promptTokenCount": prompt, "candidatesTokenCount": 300, "totalTokenCount": prompt + 300}}


def embedding(model: str) -> dict:
    tokens = chance.randint(10, 3000)
    return {"model": model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


MODELS = [("gpt-4o", openai), ("gpt-4o-mini", openai), ("claude-sonnet-4-5", anthropic), ("gemini-2.5-pro", gemini),
          ("text-embedding-3-small", embedding)]


def set_up(connection: psycopg.Connection) -> None:
    for tenant, paths in ACCOUNTS.items():
        for path in paths:
            connection.execute("SELECT tb_create_account(%s, kind => 'team', cost_center => %s, labels => %s)",
                               (path, path.split("/")[-1].upper(), json.dumps({"environment": "production", "tier": 1})))
        connection.execute("SELECT tb_set_unpriced(%s, 'record')", (tenant,))
    connection.execute("SELECT tb_set_tenant('globex', currency => 'EUR')")
    connection.execute("SELECT tb_set_tenant('studio', currency => 'CRD')")
    for model, _ in MODELS:
        connection.execute(
            "SELECT tb_set_price(%s, 'globex-gateway', 1.5, 6, currency => 'EUR', unit_prices => '{\"searches\": 0.01}',"
            " cache_read_price => 0.2, cache_write_price => 2, effective_at => '2025-01-01')", (model,))
    connection.execute(
        "SELECT tb_set_price(%s, 'studio', 40, 160, currency => 'CRD', unit_prices => '{\"requests\": 0.25}',"
        " effective_at => '2025-01-01')", (CREDIT_MODEL,))
    # Below the list price from February on, and a batch at half of it.
    connection.execute("SELECT tb_set_price('gpt-4o', 'openai', 2, 8, cache_read_price => 1, effective_at => '2026-02-01')")
    connection.execute("SELECT tb_set_price('gpt-4o', 'openai', 1, 4, service_tier => 'batch', effective_at => '2026-02-01')")
    connection.execute("SELECT tb_set_meter_price('tool_calls', 0.002, effective_at => '2025-01-01')")
    connection.execute("SELECT tb_set_rate('acme/support', 1.15, unit_prices => '{\"output\": 1}', effective_at => '2025-01-01')")


def charge(connection: psycopg.Connection, account: str, model: str | None, usage: dict, meters: dict, tier: str | None) -> str:
    attributes = {"workflow": chance.choice(["answer", "index"]), "operation": "chat", "session": str(chance.random())}
    if tier:
        attributes["service_tier"] = tier
    row = connection.execute("SELECT entry FROM tb_charge(%s, %s, %s, meters => %s, attributes => %s)",
                             (account, model, json.dumps(usage), json.dumps(meters), json.dumps(attributes)))
    return row.fetchone()[0]


def spend(connection: psycopg.Connection) -> None:
    spent = []
    for day in range(DAYS):
        for _ in range(CALLS_A_DAY):
            at = BEGIN + datetime.timedelta(days=day, seconds=chance.randrange(86400))
            connection.execute("SELECT set_config('tokbudget.clock', %s, false)", (at.isoformat(),))
            tenant = chance.choice(["acme", "acme", "acme", "globex", "studio"])
            account = chance.choice(ACCOUNTS[tenant])
            model, dialect = (CREDIT_MODEL, openai) if tenant == "studio" else chance.choice(MODELS)
            if chance.random() < 0.03:
                model, dialect = "not-in-any-book", openai
            tier = "batch" if model == "gpt-4o" and at.month > 1 and tenant == "acme" and chance.random() < 0.3 else None
            meters = {"tool_calls": 2} if tenant == "acme" and chance.random() < 0.2 else {}
            spent.append(charge(connection, account, model, dialect(model), meters, tier))
            if chance.random() < 0.03:
                charge(connection, account, None, {}, {"tool_calls": 1, "escalations": 1}, None)
            if chance.random() < 0.08:
                entry = chance.choice(spent)
                cost = connection.execute(
                    "SELECT sum(cost) FROM tokbudget.entry WHERE entry_id = %s OR corrects_entry_id = %s", (entry, entry)).fetchone()[0]
                if cost:
                    if chance.random() < 0.5:
                        connection.execute("SELECT tb_refund(%s, 'bad answer')", (entry,))
                    else:
                        connection.execute("SELECT tb_adjust(%s, %s, 'agreed')", (entry, cost / 2))
    connection.execute("SELECT tb_set_price('not-in-any-book', 'openai', 1, 2, effective_at => '2025-01-01')")
    connection.execute("SELECT tb_rerate('acme')")


with psycopg.connect(autocommit=True) as connection:
    set_up(connection)
    spend(connection)
    [kinds] = connection.execute("SELECT jsonb_object_agg(kind, n) FROM (SELECT kind, count(*) AS n FROM tokbudget.entry GROUP BY kind) x").fetchone()
    print(f"seed {SEED}: {kinds}")
