-- Reserve, commit, release. A reservation is one row: what is held, against which budgets and windows, until when. Locks
-- are taken in one order everywhere: price book (whoever changes it), tenant (a re-rating, whoever makes, renames or moves
-- accounts), accounts, idempotency key, reservation, balances by (budget_id, window_start): rows, or locks on budgets and then
-- the partitions of shared memory, which nobody waits in.

CREATE FUNCTION tokbudget._check_reservation(
    state text, budget_ids bigint[], window_starts timestamp with time zone[], held_units bigint[]
) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '_check_reservation_wrapper';
COMMENT ON FUNCTION tokbudget._check_reservation(text, bigint[], timestamp with time zone[], bigint[]) IS
    'internal: whether the state is held, committed, released or expired, and the arrays are as long as each other';

-- PostgreSQL reads a check anew for every statement, so that of a table which every call writes is one call of a function.
CREATE TABLE tokbudget.reservation (
    tenant_id integer NOT NULL,
    reservation_id uuid NOT NULL,
    account_id bigint NOT NULL,
    account_ids bigint[] NOT NULL,
    budget_ids bigint[] NOT NULL,
    window_starts timestamp with time zone[] NOT NULL,
    held_units bigint[] NOT NULL,
    held jsonb NOT NULL,
    model text,
    input_tokens bigint NOT NULL,
    max_output_tokens bigint NOT NULL,
    cost_center text,
    currency text NOT NULL,
    fallback_unit_prices jsonb,
    state text NOT NULL DEFAULT 'held',
    created_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    settled_at timestamp with time zone,
    settle_hash bytea,
    settlement jsonb,
    reason text,
    attributes jsonb NOT NULL DEFAULT '{}',
    flags text[] NOT NULL DEFAULT '{}',
    count_basis text,
    counted_tokens bigint,
    count_encoding text,
    actor text NOT NULL,
    CONSTRAINT reservation_pkey PRIMARY KEY (tenant_id, reservation_id),
    CONSTRAINT reservation_state_check CHECK (tokbudget._check_reservation(state, budget_ids, window_starts, held_units))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX reservation_held_idx ON tokbudget.reservation (tenant_id, expires_at)
    WHERE state OPERATOR(pg_catalog.=) 'held';
-- What is held of a budget. A short pending list, because every look reads all of it.
CREATE INDEX reservation_budget_ids_idx ON tokbudget.reservation USING gin (budget_ids)
    WITH (gin_pending_list_limit = 256) WHERE state OPERATOR(pg_catalog.=) 'held';
COMMENT ON TABLE tokbudget.reservation IS 'holds: what is set aside for a call until it is committed, released or expires';
COMMENT ON COLUMN tokbudget.reservation.tenant_id IS 'tenant that wants to spend';
COMMENT ON COLUMN tokbudget.reservation.reservation_id IS 'id, a UUIDv8 of time, tenant and random bits';
COMMENT ON COLUMN tokbudget.reservation.account_id IS 'account that wants to spend';
COMMENT ON COLUMN tokbudget.reservation.account_ids IS 'every account that the call draws on, those above included';
COMMENT ON COLUMN tokbudget.reservation.budget_ids IS 'every budget that it counts against, and every grant that bears a part of it';
COMMENT ON COLUMN tokbudget.reservation.window_starts IS 'window of each of budget_ids; -infinity for a grant';
COMMENT ON COLUMN tokbudget.reservation.flags IS 'what is special about it: burst';
COMMENT ON COLUMN tokbudget.reservation.model IS 'model that is asked for';
COMMENT ON COLUMN tokbudget.reservation.input_tokens IS 'input tokens, counted (and calibrated) or given';
COMMENT ON COLUMN tokbudget.reservation.count_basis IS 'how the extension counted the input: exact, estimated (with an encoding that stands in for one that is not public) or calibrated (such an estimate times its factor); NULL where the caller gave the count';
COMMENT ON COLUMN tokbudget.reservation.counted_tokens IS 'input tokens as the encoding counted them, before any factor; NULL where the caller gave the count';
COMMENT ON COLUMN tokbudget.reservation.count_encoding IS 'encoding that counted; NULL where the caller gave the count';
COMMENT ON COLUMN tokbudget.reservation.max_output_tokens IS 'most output tokens that the call may bring';
COMMENT ON COLUMN tokbudget.reservation.cost_center IS 'where the spend will be charged';
COMMENT ON COLUMN tokbudget.reservation.currency IS 'currency of the cost, ISO 4217';
COMMENT ON COLUMN tokbudget.reservation.fallback_unit_prices IS 'the account records usage without a price, and counts it at these prices against budgets in cost; NULL where it refuses it';
COMMENT ON COLUMN tokbudget.reservation.created_at IS 'when it was made; decides windows and price';
COMMENT ON COLUMN tokbudget.reservation.expires_at IS 'from this instant it counts against nobody';
COMMENT ON COLUMN tokbudget.reservation.settled_at IS 'when it was committed, released or swept';
COMMENT ON COLUMN tokbudget.reservation.reason IS 'why it was released';
COMMENT ON COLUMN tokbudget.reservation.attributes IS 'attributes of the call';
COMMENT ON COLUMN tokbudget.reservation.actor IS 'database role of the session that made it';
COMMENT ON COLUMN tokbudget.reservation.held_units IS 'what is held of each of budget_ids in each of window_starts: nano-units for cost, counts otherwise';
COMMENT ON COLUMN tokbudget.reservation.held IS 'amount held per meter, cost in currency units';
COMMENT ON COLUMN tokbudget.reservation.state IS 'held (also after its expiry, until swept), committed, released or expired';
COMMENT ON COLUMN tokbudget.reservation.settle_hash IS 'SHA-256 of the usage it was committed with';
COMMENT ON COLUMN tokbudget.reservation.settlement IS 'the answer that its commit gave, given again when the same commit comes again';

CREATE TABLE tokbudget.idempotency (
    tenant_id integer NOT NULL,
    operation text NOT NULL,
    idempotency_key text NOT NULL,
    payload_hash bytea NOT NULL,
    answer jsonb,
    created_at timestamp with time zone NOT NULL,
    CONSTRAINT idempotency_pkey PRIMARY KEY (tenant_id, operation, idempotency_key)
);
COMMENT ON TABLE tokbudget.idempotency IS 'idempotency keys: the payload they came with and the answer they got';
COMMENT ON COLUMN tokbudget.idempotency.operation IS 'what it was for, in which the key is unique: reserve, commit, release, charge, adjust, refund';

COMMENT ON COLUMN tokbudget.idempotency.tenant_id IS 'tenant in which the key is unique';
COMMENT ON COLUMN tokbudget.idempotency.idempotency_key IS 'key that the caller chose';
COMMENT ON COLUMN tokbudget.idempotency.payload_hash IS 'SHA-256 of the arguments';
COMMENT ON COLUMN tokbudget.idempotency.answer IS 'what the first call was told';
COMMENT ON COLUMN tokbudget.idempotency.created_at IS 'when the key was first used';

CREATE TYPE tokbudget.reservation_result AS (
    reservation uuid,
    state text,
    input_tokens bigint,
    max_output_tokens bigint,
    held jsonb,
    remaining jsonb,
    expires_at timestamp with time zone,
    count_basis text,
    flags text[]
);
COMMENT ON TYPE tokbudget.reservation_result IS
    'what tb_reserve holds: count_basis says how input_tokens came about (given, exact, estimated with an encoding that stands in for one that is not public, or calibrated: such an estimate times the factor that tb_calibrate or tb_set_calibration set); held and remaining map meters to amounts, cost in currency units; remaining is at the tightest budget, and at least so much: it may still leave out what holds that have expired and not been swept give back, which tb_remaining counts';

CREATE TYPE tokbudget.decision AS (
    allowed boolean,
    code text,
    reason text,
    detail jsonb,
    hint text,
    reservation uuid,
    held jsonb,
    remaining jsonb,
    expires_at timestamp with time zone,
    input_tokens bigint,
    max_output_tokens bigint,
    count_basis text,
    flags text[]
);
COMMENT ON TYPE tokbudget.decision IS
    'what tb_try_reserve decided: when not allowed, the SQLSTATE that tb_reserve would raise, its message, detail and hint';

CREATE TYPE tokbudget.commit_result AS (
    entry uuid,
    cost numeric,
    currency text,
    tokens bigint,
    overrun boolean,
    released jsonb,
    remaining jsonb,
    internal_cost numeric,
    flags text[]
);
COMMENT ON TYPE tokbudget.commit_result IS
    'what a commit booked: cost in currency units (NULL when recorded without a price), tokens as input plus output, internal_cost after the account''s internal rate, flags for what was odd; released and remaining map meters to amounts';

CREATE FUNCTION @extschema@.tb_try_reserve(
    account text,
    model text DEFAULT NULL,
    input_tokens bigint DEFAULT NULL,
    prompt text DEFAULT NULL,
    messages jsonb DEFAULT NULL,
    max_output_tokens bigint DEFAULT NULL,
    meters jsonb DEFAULT '{}',
    also text[] DEFAULT '{}',
    idempotency_key text DEFAULT NULL,
    ttl interval DEFAULT '10 minutes',
    attributes jsonb DEFAULT '{}'
) RETURNS tokbudget.decision
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', '_try_reserve_wrapper';
COMMENT ON FUNCTION @extschema@.tb_try_reserve(text, text, bigint, text, jsonb, bigint, jsonb, text[], text, interval, jsonb) IS
    'tb_reserve that answers with a row instead of an error: allowed, or the code, reason, detail and hint of the refusal. Never raises for a refusal. An account that a refused call made on first use stays, with its quotas and nothing spent';

CREATE FUNCTION @extschema@.tb_reserve(
    account text,
    model text DEFAULT NULL,
    input_tokens bigint DEFAULT NULL,
    prompt text DEFAULT NULL,
    messages jsonb DEFAULT NULL,
    max_output_tokens bigint DEFAULT NULL,
    meters jsonb DEFAULT '{}',
    also text[] DEFAULT '{}',
    idempotency_key text DEFAULT NULL,
    ttl interval DEFAULT '10 minutes',
    attributes jsonb DEFAULT '{}'
) RETURNS tokbudget.reservation_result
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'tb_reserve';
COMMENT ON FUNCTION @extschema@.tb_reserve(text, text, bigint, text, jsonb, bigint, jsonb, text[], text, interval, jsonb) IS
    'holds what a model call may use, against every budget of the account, of the accounts in also and of all above them, in one atomic step. Input is counted from prompt or messages in the same statement, or given as input_tokens; ttl is how long the hold lives. Raises TB001 when a budget lacks room, TB002 unknown account, TB006 idempotency key reused, TB007 unknown model or no price, TB008 invalid argument, TB009 frozen or closed';

CREATE FUNCTION @extschema@.tb_extend(reservation uuid, add_output_tokens bigint DEFAULT 0, ttl interval DEFAULT NULL) RETURNS tokbudget.reservation_result
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'tb_extend';
COMMENT ON FUNCTION @extschema@.tb_extend(uuid, bigint, interval) IS
    'holds add_output_tokens more for a call that is under way, at the price and in the windows of its reservation, and lets it live for ttl from now (NULL leaves its expiry). Raises TB001 when a budget lacks room (the hold stays as it was), TB003 unknown reservation, TB004 expired, TB005 settled, TB008 invalid argument, TB009 frozen or closed when more is asked for';

CREATE FUNCTION @extschema@.tb_commit(
    reservation uuid,
    usage jsonb,
    attributes jsonb DEFAULT '{}',
    provider text DEFAULT NULL,
    usage_source text DEFAULT 'provider',
    without_usage text DEFAULT 'held',
    idempotency_key text DEFAULT NULL
) RETURNS tokbudget.commit_result
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'tb_commit';
COMMENT ON FUNCTION @extschema@.tb_commit(uuid, jsonb, jsonb, text, text, text, text) IS
    'settles a reservation with the provider''s own usage object (or the whole response, or the events of its stream): books what was used, returns the rest. The object is recognised by its shape, or read as that of the named provider; usage_source says whether the counts are the provider''s, partial (a call cut short) or estimated. Where the provider told nothing (usage NULL), without_usage decides: held charges all that was held, input only the input tokens, both as estimated. attributes may name the service_tier and region that the object does not. More than was held is booked in full and flagged overrun. After expiry it is booked too: with flag grace within the tenant''s commit_grace, flagged late after that. The same commit again gives the same answer. Raises TB003 unknown reservation, TB005 already settled otherwise, TB006 idempotency key reused, TB007 no price, TB008 unusable usage object';

CREATE FUNCTION @extschema@.tb_release(reservation uuid, reason text DEFAULT NULL, idempotency_key text DEFAULT NULL) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'tb_release';
COMMENT ON FUNCTION @extschema@.tb_release(uuid, text, text) IS
    'gives a reservation back unused: true when it gave something back, false when the reservation had been released or had expired already, swept or not. Raises TB003 unknown reservation, TB005 already committed, TB006 idempotency key reused';

CREATE FUNCTION tokbudget._expire(batch_size integer) RETURNS integer
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_expire_wrapper';
COMMENT ON FUNCTION tokbudget._expire(integer) IS 'internal: tb_expire';

CREATE FUNCTION @extschema@.tb_expire(batch_size integer DEFAULT 1000) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF batch_size IS NULL OR batch_size NOT BETWEEN 1 AND 1000000 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid batch size',
            DETAIL = jsonb_build_object('batch_size', batch_size)::text, HINT = 'A batch is 1 to 1000000 reservations.';
    END IF;
    RETURN tokbudget._expire(batch_size);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_expire(integer) IS
    'closes up to batch_size expired reservations, each with an entry of kind expire, and says how many; several at once share the work, and none waits for another. Housekeeping only, because expired holds never count against anybody. Raises TB008 for an invalid batch size';
