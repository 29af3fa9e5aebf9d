-- A budget limits one meter of an account and of everything below it, per window. A balance is the fold of the ledger and
-- of the open reservations for one (budget, window): derived, kept so that a decision costs no scan, changed by the
-- engine alone and never by a trigger, because a trigger would count twice when a dump is restored.

CREATE TABLE tokbudget.budget (
    tenant_id integer NOT NULL,
    budget_id bigint NOT NULL,
    account_id bigint NOT NULL,
    meter text NOT NULL,
    amount numeric NOT NULL,
    every text,
    time_zone text NOT NULL DEFAULT 'UTC',
    hard boolean NOT NULL DEFAULT true,
    status text NOT NULL DEFAULT 'active',
    valid_from timestamp with time zone,
    valid_until timestamp with time zone,
    created_at timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    -- What the engine compares: nano-units of the currency for cost, plain counts for every other meter.
    limit_units bigint NOT NULL GENERATED ALWAYS AS (
        CASE WHEN meter OPERATOR(pg_catalog.=) ANY (ARRAY['cost', 'internal_cost'])
            THEN (amount OPERATOR(pg_catalog.*) 1000000000::numeric)::bigint
            ELSE amount::bigint
        END
    ) STORED,
    CONSTRAINT budget_pkey PRIMARY KEY (tenant_id, budget_id),
    CONSTRAINT budget_meter_check CHECK (meter OPERATOR(pg_catalog.~) '^[a-z][a-z0-9_]{0,62}$'),
    CONSTRAINT budget_amount_check CHECK (
        amount OPERATOR(pg_catalog.>=) 0::numeric
        AND pg_catalog.scale(pg_catalog.trim_scale(amount)) OPERATOR(pg_catalog.<=)
            CASE WHEN meter OPERATOR(pg_catalog.=) ANY (ARRAY['cost', 'internal_cost']) THEN 9 ELSE 0 END
    ),
    CONSTRAINT budget_every_check CHECK (
        every OPERATOR(pg_catalog.=) ANY (ARRAY['minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'])
    ),
    CONSTRAINT budget_status_check CHECK (status OPERATOR(pg_catalog.=) ANY (ARRAY['active', 'closed'])),
    CONSTRAINT budget_valid_check CHECK (valid_from OPERATOR(pg_catalog.<) valid_until)
);
CREATE INDEX budget_tenant_id_account_id_idx ON tokbudget.budget (tenant_id, account_id);
COMMENT ON TABLE tokbudget.budget IS 'limits: how much of a meter an account and all below it may use per window';
COMMENT ON COLUMN tokbudget.budget.tenant_id IS 'tenant of the account';
COMMENT ON COLUMN tokbudget.budget.budget_id IS 'id, unique within the tenant, ordered by time';
COMMENT ON COLUMN tokbudget.budget.account_id IS 'account that it limits, with everything below';
COMMENT ON COLUMN tokbudget.budget.status IS 'active, or closed and no longer checked';
COMMENT ON COLUMN tokbudget.budget.valid_from IS 'first instant at which it is checked; NULL for always';
COMMENT ON COLUMN tokbudget.budget.valid_until IS 'first instant at which it is no longer checked; NULL for never';
COMMENT ON COLUMN tokbudget.budget.created_at IS 'when it was made';
COMMENT ON COLUMN tokbudget.budget.meter IS 'tokens, input_tokens, output_tokens, cost, internal_cost, requests, tool_calls or any declared meter';
COMMENT ON COLUMN tokbudget.budget.amount IS 'limit per window, in currency units for cost and internal_cost and in counts for every other meter';
COMMENT ON COLUMN tokbudget.budget.every IS 'calendar window: minute, hour, day, week (from Monday), month, quarter, year; NULL for one window without end';
COMMENT ON COLUMN tokbudget.budget.time_zone IS 'IANA zone in which the calendar is read';
COMMENT ON COLUMN tokbudget.budget.hard IS 'a hard budget refuses, a soft one only counts';
COMMENT ON COLUMN tokbudget.budget.limit_units IS 'amount as the engine compares it: nano-units for cost, counts otherwise';

CREATE TABLE tokbudget.balance (
    tenant_id integer NOT NULL,
    budget_id bigint NOT NULL,
    window_start timestamp with time zone NOT NULL,
    spent_units bigint NOT NULL DEFAULT 0,
    held_units bigint NOT NULL DEFAULT 0,
    CONSTRAINT balance_pkey PRIMARY KEY (tenant_id, budget_id, window_start),
    CONSTRAINT balance_held_check CHECK (held_units OPERATOR(pg_catalog.>=) 0::bigint)
) WITH (fillfactor = 50);
COMMENT ON TABLE tokbudget.balance IS 'what is spent and held per budget and window; derived from entry and reservation, tb_verify() compares';
COMMENT ON COLUMN tokbudget.balance.tenant_id IS 'tenant of the budget';
COMMENT ON COLUMN tokbudget.balance.budget_id IS 'budget';
COMMENT ON COLUMN tokbudget.balance.window_start IS 'start of the window; -infinity for a budget without windows';
COMMENT ON COLUMN tokbudget.balance.spent_units IS 'sum of the ledger: nano-units for cost, counts otherwise';
COMMENT ON COLUMN tokbudget.balance.held_units IS 'sum of the reservations in state held, expired or not: nano-units for cost, counts otherwise';

CREATE FUNCTION tokbudget._check_time_zone(time_zone text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '_check_time_zone_wrapper';
COMMENT ON FUNCTION tokbudget._check_time_zone(text) IS 'internal: whether time_zone is the name of an IANA zone';

CREATE FUNCTION @extschema@.tb_create_budget(
    account text,
    meter text,
    amount numeric,
    every text DEFAULT NULL,
    hard boolean DEFAULT true,
    time_zone text DEFAULT 'UTC',
    valid_from timestamp with time zone DEFAULT NULL,
    valid_until timestamp with time zone DEFAULT NULL
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    calendar CONSTANT text[] := ARRAY['minute', 'hour', 'day', 'week', 'month', 'quarter', 'year'];
    scale_max CONSTANT integer := CASE WHEN tb_create_budget.meter = ANY (ARRAY['cost', 'internal_cost']) THEN 9 ELSE 0 END;
    units_max CONSTANT numeric := CASE WHEN tb_create_budget.meter = ANY (ARRAY['cost', 'internal_cost']) THEN 9223372036.854775807 ELSE 9223372036854775807 END;
    found_account tokbudget.account;
    new_id bigint;
BEGIN
    IF tb_create_budget.meter IS NULL OR tb_create_budget.meter !~ '^[a-z][a-z0-9_]{0,62}$' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid meter name',
            DETAIL = jsonb_build_object('meter', tb_create_budget.meter)::text,
            HINT = 'Use tokens, input_tokens, output_tokens, cost, internal_cost, requests, tool_calls or a name of lower-case letters, digits and underscores.';
    END IF;
    -- NaN and Infinity have no scale; both would pass a plain comparison with zero.
    IF tb_create_budget.amount IS NULL OR tb_create_budget.amount < 0 OR tb_create_budget.amount > units_max
        OR scale(trim_scale(tb_create_budget.amount)) > scale_max
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid budget amount',
            DETAIL = jsonb_build_object('meter', tb_create_budget.meter, 'amount', tb_create_budget.amount::text)::text,
            HINT = 'A cost has at most nine decimals, any other amount none; neither is negative.';
    END IF;
    IF tb_create_budget.every IS NOT NULL AND NOT tb_create_budget.every = ANY (calendar) THEN
        RAISE EXCEPTION USING ERRCODE = 'TB011', MESSAGE = 'window is not supported',
            DETAIL = jsonb_build_object('every', tb_create_budget.every, 'supported', calendar)::text,
            HINT = 'Use one of the calendar windows, or NULL for one window without end.';
    END IF;
    IF tb_create_budget.hard IS NULL OR tb_create_budget.time_zone IS NULL OR NOT tokbudget._check_time_zone(tb_create_budget.time_zone) THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid budget option',
            DETAIL = jsonb_build_object('hard', tb_create_budget.hard, 'time_zone', tb_create_budget.time_zone)::text,
            HINT = 'hard is true or false, time_zone an IANA name such as ''Europe/Berlin''.';
    END IF;
    IF tb_create_budget.valid_from >= tb_create_budget.valid_until THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'budget would never be valid',
            DETAIL = jsonb_build_object('valid_from', tb_create_budget.valid_from, 'valid_until', tb_create_budget.valid_until)::text,
            HINT = 'valid_from must be before valid_until.';
    END IF;
    found_account := tokbudget._find_account(tb_create_budget.account);
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    IF found_account.status = 'closed' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB009', MESSAGE = 'account is closed',
            DETAIL = jsonb_build_object('account', found_account.path)::text,
            HINT = 'Budgets belong on accounts that can spend.';
    END IF;
    INSERT INTO tokbudget.budget (tenant_id, budget_id, account_id, meter, amount, every, time_zone, hard, valid_from, valid_until)
    VALUES (found_account.tenant_id, tokbudget._new_id(), found_account.account_id, tb_create_budget.meter,
            trim_scale(tb_create_budget.amount), tb_create_budget.every, tb_create_budget.time_zone, tb_create_budget.hard,
            tb_create_budget.valid_from, tb_create_budget.valid_until)
    RETURNING budget.budget_id INTO new_id;
    RETURN new_id;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_create_budget(text, text, numeric, text, boolean, text, timestamp with time zone, timestamp with time zone) IS
    'limits a meter of the account and of all below it to amount per window: cost in currency units, every other meter in counts. every is minute, hour, day, week, month, quarter, year, or NULL for one window without end. Raises TB002 for an unknown account, TB008 for an invalid amount or option, TB011 for an unsupported window';

CREATE TYPE tokbudget.remaining AS (
    budget bigint,
    account text,
    meter text,
    amount numeric,
    spent numeric,
    held numeric,
    remaining numeric,
    window_start timestamp with time zone,
    resets_at timestamp with time zone,
    hard boolean
);
COMMENT ON TYPE tokbudget.remaining IS
    'one budget as tb_remaining shows it: amounts in currency units for cost and in counts otherwise; held leaves out what has expired; remaining is negative after an overrun';

COMMENT ON COLUMN tokbudget.remaining.budget IS 'id of the budget';
COMMENT ON COLUMN tokbudget.remaining.account IS 'path of the account that it limits';
COMMENT ON COLUMN tokbudget.remaining.meter IS 'what it limits';
COMMENT ON COLUMN tokbudget.remaining.amount IS 'limit per window';
COMMENT ON COLUMN tokbudget.remaining.spent IS 'used in the present window';
COMMENT ON COLUMN tokbudget.remaining.held IS 'set aside for calls that have not settled nor expired';
COMMENT ON COLUMN tokbudget.remaining.remaining IS 'amount less spent and held';
COMMENT ON COLUMN tokbudget.remaining.window_start IS 'start of the present window; NULL where there is but one';
COMMENT ON COLUMN tokbudget.remaining.resets_at IS 'end of the present window; NULL where there is but one';
COMMENT ON COLUMN tokbudget.remaining.hard IS 'whether it refuses';

CREATE FUNCTION tokbudget._remaining(account text, also text[]) RETURNS SETOF tokbudget.remaining
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_remaining_wrapper';
COMMENT ON FUNCTION tokbudget._remaining(text, text[]) IS 'internal: tb_remaining, no row and a refusal put aside when refused';

CREATE FUNCTION @extschema@.tb_remaining(account text, also text[] DEFAULT '{}') RETURNS SETOF tokbudget.remaining
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT * FROM tokbudget._remaining(account, also);
    IF NOT FOUND AND tokbudget._is_refused() THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_remaining(text, text[]) IS
    'every budget that a reservation on the account (and on the accounts in also) would count against, tightest first; changes nothing. Raises TB002 for an unknown account, TB008 for a malformed path';
