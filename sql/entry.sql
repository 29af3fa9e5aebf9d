-- The ledger. Entries are only ever added: a correction is a new entry that names the one it corrects. Every entry says
-- which budgets and windows it counts against and by how much, so that each balance is a plain sum over this table.

CREATE FUNCTION tokbudget._check_entry(
    kind text, usage_source text, budget_ids bigint[], window_starts timestamp with time zone[], spent_units bigint[],
    cost numeric, internal_cost numeric
) RETURNS boolean
    LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', '_check_entry_wrapper';
COMMENT ON FUNCTION tokbudget._check_entry(text, text, bigint[], timestamp with time zone[], bigint[], numeric, numeric) IS
    'internal: whether kind and usage_source are ones that there are, the arrays are as long as each other, and costs have at most nine decimals';

CREATE FUNCTION tokbudget._recorded_at(entry_id uuid) RETURNS timestamp with time zone
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '_recorded_at_wrapper';
COMMENT ON FUNCTION tokbudget._recorded_at(uuid) IS 'internal: when the entry of that id was recorded, which the id tells';

-- PostgreSQL reads a check anew for every statement, so that of a table which every call writes is one call of a function.
CREATE TABLE tokbudget.entry (
    tenant_id integer NOT NULL,
    entry_id uuid NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    reserved_at timestamp with time zone NOT NULL,
    kind text NOT NULL,
    reservation_id uuid,
    corrects_entry_id uuid,
    account_id bigint NOT NULL,
    account_ids bigint[] NOT NULL,
    budget_ids bigint[] NOT NULL,
    window_starts timestamp with time zone[] NOT NULL,
    spent_units bigint[] NOT NULL,
    cost_center text,
    provider text,
    request_model text,
    response_model text,
    operation text,
    requests bigint NOT NULL DEFAULT 0,
    input_tokens bigint NOT NULL DEFAULT 0,
    cache_read_input_tokens bigint NOT NULL DEFAULT 0,
    cache_write_input_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    reasoning_output_tokens bigint NOT NULL DEFAULT 0,
    buckets jsonb NOT NULL DEFAULT '{}',
    meters jsonb NOT NULL DEFAULT '{}',
    cost numeric,
    currency text NOT NULL,
    internal_cost numeric,
    reported_cost numeric,
    price_id bigint,
    rate_id bigint,
    service_tier text,
    region text,
    usage_source text NOT NULL DEFAULT 'provider',
    usage_details jsonb NOT NULL DEFAULT '{}',
    overrun boolean NOT NULL DEFAULT false,
    late boolean NOT NULL DEFAULT false,
    flags text[] NOT NULL DEFAULT '{}',
    workflow text,
    step text,
    session text,
    task text,
    end_user text,
    agent text,
    outcome text,
    trace_id text,
    labels jsonb NOT NULL DEFAULT '{}',
    retry_count bigint,
    reason text,
    actor text NOT NULL,
    written_by xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    CONSTRAINT entry_kind_check CHECK (
        tokbudget._check_entry(kind, usage_source, budget_ids, window_starts, spent_units, cost, internal_cost)
    )
) PARTITION BY RANGE (recorded_at);
CREATE TABLE tokbudget.entry_default PARTITION OF tokbudget.entry DEFAULT;
-- Keys and indexes belong to the partitions, and those by month take theirs from this one. On the table itself they would
-- break the restore of a dump: it attaches the months to the table that CREATE EXTENSION has made, which would give them
-- all indexes at once, and then makes the same indexes again.
ALTER TABLE tokbudget.entry_default ADD CONSTRAINT entry_default_pkey PRIMARY KEY (tenant_id, recorded_at, entry_id);
CREATE INDEX entry_default_reservation_idx ON tokbudget.entry_default (tenant_id, reservation_id);
CREATE INDEX entry_default_corrects_idx ON tokbudget.entry_default (tenant_id, corrects_entry_id) WHERE corrects_entry_id IS NOT NULL;
-- What has come since a checkpoint.
CREATE INDEX entry_default_written_by_idx ON tokbudget.entry_default (written_by);
-- Usage without its full price; all but empty where every call has one.
CREATE INDEX entry_default_unpriced_idx ON tokbudget.entry_default (tenant_id, recorded_at)
    WHERE cost IS NULL OR flags OPERATOR(pg_catalog.&&) ARRAY['unpriced_meters'];
COMMENT ON TABLE tokbudget.entry IS 'the ledger, append-only: what was spent, by whom, on what, against which budgets';
COMMENT ON TABLE tokbudget.entry_default IS 'entries that no monthly partition takes';
COMMENT ON COLUMN tokbudget.entry.tenant_id IS 'tenant that spent';
COMMENT ON COLUMN tokbudget.entry.entry_id IS 'id, a UUIDv8 of time, tenant and random bits';
COMMENT ON COLUMN tokbudget.entry.reservation_id IS 'reservation that it settles';
COMMENT ON COLUMN tokbudget.entry.corrects_entry_id IS 'entry that it corrects';
COMMENT ON COLUMN tokbudget.entry.account_id IS 'account that spent';
COMMENT ON COLUMN tokbudget.entry.account_ids IS 'every account that the call drew on, those above included';
COMMENT ON COLUMN tokbudget.entry.budget_ids IS 'every budget that it counts against, and every grant that bears a part of it';
COMMENT ON COLUMN tokbudget.entry.window_starts IS 'window of each of budget_ids; -infinity for a grant';
COMMENT ON COLUMN tokbudget.entry.cost_center IS 'where the spend is charged, as it was when the reservation was made';
COMMENT ON COLUMN tokbudget.entry.provider IS 'who sold the tokens';
COMMENT ON COLUMN tokbudget.entry.request_model IS 'model that was asked for and priced';
COMMENT ON COLUMN tokbudget.entry.response_model IS 'model that answered, where the response says so';
COMMENT ON COLUMN tokbudget.entry.operation IS 'attribute operation: chat, embeddings, execute_tool and the like';
COMMENT ON COLUMN tokbudget.entry.requests IS 'calls; 0 for a correction';
COMMENT ON COLUMN tokbudget.entry.cache_read_input_tokens IS 'input tokens read from a cache';
COMMENT ON COLUMN tokbudget.entry.cache_write_input_tokens IS 'input tokens written to a cache';
COMMENT ON COLUMN tokbudget.entry.reasoning_output_tokens IS 'output tokens spent on reasoning';
COMMENT ON COLUMN tokbudget.entry.currency IS 'currency of the cost, ISO 4217';
COMMENT ON COLUMN tokbudget.entry.price_id IS 'version of the price that the cost was computed with';
COMMENT ON COLUMN tokbudget.entry.internal_cost IS 'what the account is charged: the cost at its internal rate, in currency units; the cost itself where there is no rate';
COMMENT ON COLUMN tokbudget.entry.reported_cost IS 'cost that the provider itself stated, rounded to 1e-9';
COMMENT ON COLUMN tokbudget.entry.rate_id IS 'internal rate that internal_cost was computed with';
COMMENT ON COLUMN tokbudget.entry.service_tier IS 'tier served; NULL for the standard one';
COMMENT ON COLUMN tokbudget.entry.region IS 'place where it was processed, where that may change the price';
COMMENT ON COLUMN tokbudget.entry.usage_source IS 'where the counts come from: provider, partial (a call cut short), estimated';
COMMENT ON COLUMN tokbudget.entry.usage_details IS 'what else is known of the usage: what was held (held, of an expire), the provider''s own totals (stated), other models'' parts, surcharges, fields that were not understood (unknown_fields)';
COMMENT ON COLUMN tokbudget.entry.workflow IS 'attribute workflow';
COMMENT ON COLUMN tokbudget.entry.step IS 'attribute step';
COMMENT ON COLUMN tokbudget.entry.session IS 'attribute session';
COMMENT ON COLUMN tokbudget.entry.task IS 'attribute task';
COMMENT ON COLUMN tokbudget.entry.end_user IS 'attribute end_user';
COMMENT ON COLUMN tokbudget.entry.agent IS 'attribute agent';
COMMENT ON COLUMN tokbudget.entry.outcome IS 'attribute outcome';
COMMENT ON COLUMN tokbudget.entry.trace_id IS 'attribute trace_id';
COMMENT ON COLUMN tokbudget.entry.labels IS 'every other attribute';
COMMENT ON COLUMN tokbudget.entry.recorded_at IS 'when the entry was written, by the database clock';
COMMENT ON COLUMN tokbudget.entry.reserved_at IS 'when its reservation was made; decides the windows in which it counts';
COMMENT ON COLUMN tokbudget.entry.kind IS 'commit; charge; adjust, refund and correction of another entry; expire of a hold that nobody settled; transfer into the window of a budget whose schedule changed';
COMMENT ON COLUMN tokbudget.entry.retry_count IS 'attribute retry_count: how often the same call had been tried before';
COMMENT ON COLUMN tokbudget.entry.reason IS 'why it was adjusted, refunded or transferred';
COMMENT ON COLUMN tokbudget.entry.spent_units IS 'what the entry adds to spent of each of budget_ids in each of window_starts: nano-units for cost, counts otherwise';
COMMENT ON COLUMN tokbudget.entry.input_tokens IS 'all input tokens, those read from or written to a cache included';
COMMENT ON COLUMN tokbudget.entry.output_tokens IS 'all output tokens, reasoning included';
COMMENT ON COLUMN tokbudget.entry.buckets IS 'disjoint token counts by kind, the ones that were priced';
COMMENT ON COLUMN tokbudget.entry.meters IS 'metered resources besides tokens and requests';
COMMENT ON COLUMN tokbudget.entry.cost IS 'cost in currency units, rounded half-even once to 1e-9; of a correction the difference; NULL when there was no price';
COMMENT ON COLUMN tokbudget.entry.overrun IS 'more was used than was held';
COMMENT ON COLUMN tokbudget.entry.late IS 'committed after its reservation had expired, and after the tenant''s period of grace';
COMMENT ON COLUMN tokbudget.entry.flags IS 'what was odd about the usage, for example clamped_input';
COMMENT ON COLUMN tokbudget.entry.actor IS 'database role of the session that wrote the entry';
COMMENT ON COLUMN tokbudget.entry.written_by IS 'transaction that wrote the row into this database: a checkpoint covers those that its snapshot sees';

-- ENABLE ALWAYS, or session_replication_role = replica would walk past them.
CREATE TRIGGER entry_immutable BEFORE UPDATE OR DELETE ON tokbudget.entry
    FOR EACH ROW EXECUTE FUNCTION tokbudget._refuse_change();
ALTER TABLE tokbudget.entry ENABLE ALWAYS TRIGGER entry_immutable;
ALTER TABLE tokbudget.entry_default ENABLE ALWAYS TRIGGER entry_immutable;
CREATE TRIGGER entry_no_truncate BEFORE TRUNCATE ON tokbudget.entry
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._refuse_change();
ALTER TABLE tokbudget.entry ENABLE ALWAYS TRIGGER entry_no_truncate;
CREATE TRIGGER entry_default_no_truncate BEFORE TRUNCATE ON tokbudget.entry_default
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._refuse_change();
ALTER TABLE tokbudget.entry_default ENABLE ALWAYS TRIGGER entry_default_no_truncate;

-- A row that comes from another database, by a dump or a copy, brings a transaction id that means nothing here.
CREATE FUNCTION tokbudget._write_as_present() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    NEW.written_by := pg_current_xact_id();
    RETURN NEW;
END;
$$;
COMMENT ON FUNCTION tokbudget._write_as_present() IS 'internal: notes the transaction that writes an entry';
CREATE TRIGGER entry_written_by BEFORE INSERT ON tokbudget.entry
    FOR EACH ROW WHEN (NEW.written_by OPERATOR(pg_catalog.<>) pg_catalog.pg_current_xact_id())
    EXECUTE FUNCTION tokbudget._write_as_present();
ALTER TABLE tokbudget.entry ENABLE ALWAYS TRIGGER entry_written_by;
ALTER TABLE tokbudget.entry_default ENABLE ALWAYS TRIGGER entry_written_by;
