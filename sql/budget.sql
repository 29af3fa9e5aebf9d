-- A budget limits one meter of an account and of everything below it, per window. A balance is the fold of the ledger and
-- of the open reservations for one (budget, window): derived, kept so that a decision costs no scan, changed by the
-- engine alone and never by a trigger, because a trigger would count twice when a dump is restored.

CREATE FUNCTION tokbudget._units(meter text, amount numeric) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE WHEN meter OPERATOR(pg_catalog.=) ANY (ARRAY['cost', 'internal_cost'])
        THEN (amount OPERATOR(pg_catalog.*) 1000000000::numeric)::bigint
        ELSE amount::bigint
    END
$$;
COMMENT ON FUNCTION tokbudget._units(text, numeric) IS 'internal: an amount of a meter in the units of the engine: nano-units for cost, counts otherwise';

CREATE FUNCTION tokbudget._amount(meter text, units bigint) RETURNS numeric
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE WHEN meter OPERATOR(pg_catalog.=) ANY (ARRAY['cost', 'internal_cost'])
        THEN pg_catalog.trim_scale(units::numeric OPERATOR(pg_catalog./) 1000000000::numeric)
        ELSE units::numeric
    END
$$;
COMMENT ON FUNCTION tokbudget._amount(text, bigint) IS 'internal: units of the engine as an amount of the meter: currency units for cost, counts otherwise';

CREATE TABLE tokbudget.budget (
    tenant_id integer NOT NULL,
    budget_id bigint NOT NULL,
    account_id bigint NOT NULL,
    meter text NOT NULL,
    amount numeric NOT NULL,
    every text,
    time_zone text NOT NULL DEFAULT 'UTC',
    week_start text NOT NULL DEFAULT 'monday',
    anchor timestamp with time zone,
    hard boolean NOT NULL DEFAULT true,
    burst numeric NOT NULL DEFAULT 0,
    thresholds_percent integer[] NOT NULL DEFAULT '{}',
    freeze_at_percent integer,
    rollover text NOT NULL DEFAULT 'none',
    rollover_cap numeric,
    quota_id bigint,
    has_grants boolean NOT NULL DEFAULT false,
    status text NOT NULL DEFAULT 'active',
    valid_from timestamp with time zone,
    valid_until timestamp with time zone,
    created_at timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    -- What the engine compares: nano-units of the currency for cost, plain counts for every other meter.
    limit_units bigint NOT NULL GENERATED ALWAYS AS (tokbudget._units(meter, amount)) STORED,
    burst_units bigint NOT NULL GENERATED ALWAYS AS (tokbudget._units(meter, burst)) STORED,
    rollover_cap_units bigint GENERATED ALWAYS AS (
        CASE
            WHEN rollover OPERATOR(pg_catalog.=) 'all' THEN 9223372036854775807
            WHEN rollover OPERATOR(pg_catalog.=) 'capped' THEN tokbudget._units(meter, rollover_cap)
        END
    ) STORED,
    CONSTRAINT budget_pkey PRIMARY KEY (tenant_id, budget_id),
    -- An account is given a quota once.
    CONSTRAINT budget_quota_key UNIQUE (tenant_id, account_id, quota_id),
    CONSTRAINT budget_meter_check CHECK (meter OPERATOR(pg_catalog.~) '^[a-z][a-z0-9_]{0,62}$'),
    CONSTRAINT budget_amount_check CHECK (amount OPERATOR(pg_catalog.>=) 0::numeric AND burst OPERATOR(pg_catalog.>=) 0::numeric),
    CONSTRAINT budget_every_check CHECK (tokbudget._check_schedule(every, time_zone, week_start, anchor) IS NULL),
    CONSTRAINT budget_thresholds_check CHECK (
        0 OPERATOR(pg_catalog.<) ALL (thresholds_percent) AND freeze_at_percent OPERATOR(pg_catalog.>) 0
    ),
    CONSTRAINT budget_rollover_check CHECK (
        rollover OPERATOR(pg_catalog.=) ANY (ARRAY['none', 'all', 'capped'])
        AND (rollover OPERATOR(pg_catalog.=) 'capped') OPERATOR(pg_catalog.=) (rollover_cap IS NOT NULL)
    ),
    CONSTRAINT budget_status_check CHECK (status OPERATOR(pg_catalog.=) ANY (ARRAY['active', 'closed'])),
    CONSTRAINT budget_valid_check CHECK (valid_from OPERATOR(pg_catalog.<) valid_until)
);
CREATE INDEX budget_tenant_id_account_id_idx ON tokbudget.budget (tenant_id, account_id);
-- Users name a budget without its tenant.
CREATE INDEX budget_budget_id_idx ON tokbudget.budget (budget_id);
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
COMMENT ON COLUMN tokbudget.budget.every IS 'window: minute, hour, day, week, month, quarter, year on the calendar, or an interval such as 5 hours; NULL for one window without end';
COMMENT ON COLUMN tokbudget.budget.week_start IS 'weekday on which a week begins';
COMMENT ON COLUMN tokbudget.budget.anchor IS 'instant from which intervals are counted; NULL for 1970-01-01 in the zone';
COMMENT ON COLUMN tokbudget.budget.burst IS 'how far above the limit a window may go, in the unit of amount';
COMMENT ON COLUMN tokbudget.budget.thresholds_percent IS 'per cents of the limit at which an alert is written once a window';
COMMENT ON COLUMN tokbudget.budget.freeze_at_percent IS 'per cent of the limit at which the account is frozen; NULL for never';
COMMENT ON COLUMN tokbudget.budget.rollover IS 'what a window gets of what the one before left: none, all or capped';
COMMENT ON COLUMN tokbudget.budget.rollover_cap IS 'most that is carried over, in the unit of amount, where rollover is capped';
COMMENT ON COLUMN tokbudget.budget.quota_id IS 'quota that it was given by; NULL for a budget of its own';
COMMENT ON COLUMN tokbudget.budget.has_grants IS 'whether it ever had a grant';
COMMENT ON COLUMN tokbudget.budget.burst_units IS 'burst as the engine compares it: nano-units for cost, counts otherwise';
COMMENT ON COLUMN tokbudget.budget.rollover_cap_units IS 'most that is carried over, as the engine compares it; NULL where nothing is';
COMMENT ON COLUMN tokbudget.budget.time_zone IS 'IANA zone in which the calendar is read';
COMMENT ON COLUMN tokbudget.budget.hard IS 'a hard budget refuses, a soft one only counts';
COMMENT ON COLUMN tokbudget.budget.limit_units IS 'amount as the engine compares it: nano-units for cost, counts otherwise';

-- Where a quota is missing a call looks for it in the table, so nobody need be told that one has been given.
CREATE TRIGGER budget_added AFTER INSERT ON tokbudget.budget
    FOR EACH ROW WHEN (NEW.quota_id IS NULL) EXECUTE FUNCTION tokbudget._notice_change();
ALTER TABLE tokbudget.budget ENABLE ALWAYS TRIGGER budget_added;
CREATE TRIGGER budget_changed AFTER UPDATE OR DELETE OR TRUNCATE ON tokbudget.budget
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._notice_change();
ALTER TABLE tokbudget.budget ENABLE ALWAYS TRIGGER budget_changed;

CREATE TABLE tokbudget.balance (
    tenant_id integer NOT NULL,
    budget_id bigint NOT NULL,
    window_start timestamp with time zone NOT NULL,
    spent_units bigint NOT NULL DEFAULT 0,
    held_units bigint NOT NULL DEFAULT 0,
    granted_units bigint NOT NULL DEFAULT 0,
    carried_units bigint DEFAULT 0,
    superseded boolean NOT NULL DEFAULT false,
    CONSTRAINT balance_pkey PRIMARY KEY (tenant_id, budget_id, window_start),
    CONSTRAINT balance_held_check CHECK (held_units OPERATOR(pg_catalog.>=) 0::bigint)
) WITH (fillfactor = 50);
COMMENT ON TABLE tokbudget.balance IS 'what is spent and held per budget and window, where the rows engine keeps it; the sums at the last checkpoint where the escrow engine does. Derived from entry and reservation, tb_verify() compares';
COMMENT ON COLUMN tokbudget.balance.tenant_id IS 'tenant of the budget';
COMMENT ON COLUMN tokbudget.balance.budget_id IS 'budget, or grant';
COMMENT ON COLUMN tokbudget.balance.window_start IS 'start of the window; -infinity for a budget without windows and for a grant';
COMMENT ON COLUMN tokbudget.balance.granted_units IS 'the part of spent and held that grants bear: nano-units for cost, counts otherwise';
COMMENT ON COLUMN tokbudget.balance.superseded IS 'the budget has another schedule now, by which new calls are counted';
COMMENT ON COLUMN tokbudget.balance.carried_units IS 'what the window got from the one before when it was opened: nano-units for cost, counts otherwise; NULL where that is not known yet';
COMMENT ON COLUMN tokbudget.balance.spent_units IS 'sum of the ledger: nano-units for cost, counts otherwise';
COMMENT ON COLUMN tokbudget.balance.held_units IS 'sum of the reservations in state held, expired or not: nano-units for cost, counts otherwise';

CREATE FUNCTION tokbudget._check_time_zone(time_zone text) RETURNS boolean
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '_check_time_zone_wrapper';
COMMENT ON FUNCTION tokbudget._check_time_zone(text) IS 'internal: whether time_zone is the name of an IANA zone';

CREATE FUNCTION tokbudget._check_amount(name text, meter text, amount numeric) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    is_money CONSTANT boolean := _check_amount.meter = ANY (ARRAY['cost', 'internal_cost']);
    units_max CONSTANT numeric := CASE WHEN is_money THEN 9223372036.854775807 ELSE 9223372036854775807 END;
BEGIN
    -- NaN and Infinity have no scale; both would pass a plain comparison with zero.
    IF _check_amount.amount IS NULL OR _check_amount.amount < 0 OR _check_amount.amount > units_max
        OR scale(trim_scale(_check_amount.amount)) > (CASE WHEN is_money THEN 9 ELSE 0 END)
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = format('invalid budget %s', _check_amount.name),
            DETAIL = jsonb_build_object('meter', _check_amount.meter, _check_amount.name, _check_amount.amount::text)::text,
            HINT = 'A cost has at most nine decimals, any other amount none; neither is negative.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._check_amount(text, text, numeric) IS 'internal: raises TB008 for what is no amount of the meter';

CREATE FUNCTION tokbudget._check_budget(
    meter text, amount numeric, every text, time_zone text, week_start text, anchor timestamp with time zone, hard boolean,
    burst numeric, thresholds integer[], freeze_at integer, rollover text, rollover_cap numeric
) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    why text;
BEGIN
    IF meter IS NULL OR meter !~ '^[a-z][a-z0-9_]{0,62}$' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid meter name',
            DETAIL = jsonb_build_object('meter', meter)::text,
            HINT = 'Use tokens, input_tokens, output_tokens, cost, internal_cost, requests, tool_calls or a name of lower-case letters, digits and underscores.';
    END IF;
    PERFORM tokbudget._check_amount('amount', meter, amount);
    PERFORM tokbudget._check_amount('burst', meter, burst);
    why := tokbudget._check_schedule(every, time_zone, week_start, anchor);
    IF why IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid schedule',
            DETAIL = jsonb_build_object('every', every, 'time_zone', time_zone, 'week_start', week_start, 'anchor', anchor, 'why', why)::text,
            HINT = 'every is minute, hour, day, week, month, quarter, year, an interval such as ''5 hours'', or NULL; time_zone an IANA name such as ''Europe/Berlin''.';
    END IF;
    IF hard IS NULL OR thresholds IS NULL OR array_position(thresholds, NULL) IS NOT NULL
        OR NOT (1 <= ALL (thresholds) AND 1000 >= ALL (thresholds)) OR NOT COALESCE(freeze_at, 1) BETWEEN 1 AND 1000
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid budget option',
            DETAIL = jsonb_build_object('hard', hard, 'thresholds', thresholds, 'freeze_at', freeze_at)::text,
            HINT = 'hard is true or false; thresholds and freeze_at are per cents of the limit, from 1 to 1000.';
    END IF;
    IF rollover IS NULL OR NOT rollover = ANY (ARRAY['none', 'all', 'capped']) OR (rollover = 'capped') <> (rollover_cap IS NOT NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid rollover',
            DETAIL = jsonb_build_object('rollover', rollover, 'rollover_cap', rollover_cap)::text,
            HINT = 'rollover is none, all, or capped together with a rollover_cap.';
    END IF;
    IF rollover_cap IS NOT NULL THEN
        PERFORM tokbudget._check_amount('rollover_cap', meter, rollover_cap);
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._check_budget(text, numeric, text, text, text, timestamp with time zone, boolean, numeric, integer[], integer, text, numeric) IS
    'internal: raises TB008 for what no budget or quota can be';

CREATE FUNCTION tokbudget._find_budget(budget bigint) RETURNS tokbudget.budget
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_budget tokbudget.budget;
    others bigint;
BEGIN
    SELECT (count(*) OVER ()) - 1 INTO others FROM tokbudget.budget AS b WHERE b.budget_id = _find_budget.budget LIMIT 1;
    IF others IS NULL OR others > 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB002', MESSAGE = 'no such budget',
            DETAIL = jsonb_build_object('budget', _find_budget.budget)::text,
            HINT = 'Pass the id that tb_create_budget() returned or tb_remaining() shows.';
    END IF;
    SELECT b.* INTO STRICT found_budget FROM tokbudget.budget AS b WHERE b.budget_id = _find_budget.budget;
    RETURN found_budget;
END;
$$;
COMMENT ON FUNCTION tokbudget._find_budget(bigint) IS 'internal: the budget with that id; raises TB002 for an unknown one';

CREATE FUNCTION tokbudget._require_budget_access(budget tokbudget.budget, privilege text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    account_ids bigint[];
BEGIN
    SELECT account.ancestor_ids || account.account_id INTO account_ids FROM tokbudget.account
    WHERE account.tenant_id = budget.tenant_id AND account.account_id = budget.account_id;
    PERFORM tokbudget._require_access(budget.tenant_id, account_ids, privilege);
END;
$$;
COMMENT ON FUNCTION tokbudget._require_budget_access(tokbudget.budget, text) IS 'internal: raises 42501 unless the present role has the privilege on the account of the budget';

CREATE FUNCTION @extschema@.tb_create_budget(
    account text,
    meter text,
    amount numeric,
    every text DEFAULT NULL,
    hard boolean DEFAULT true,
    time_zone text DEFAULT 'UTC',
    valid_from timestamp with time zone DEFAULT NULL,
    valid_until timestamp with time zone DEFAULT NULL,
    week_start text DEFAULT 'monday',
    anchor timestamp with time zone DEFAULT NULL,
    burst numeric DEFAULT 0,
    thresholds integer[] DEFAULT '{}',
    freeze_at integer DEFAULT NULL,
    rollover text DEFAULT 'none',
    rollover_cap numeric DEFAULT NULL,
    reason text DEFAULT NULL
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account;
    new_budget tokbudget.budget;
BEGIN
    PERFORM tokbudget._check_budget(tb_create_budget.meter, tb_create_budget.amount, tb_create_budget.every,
        tb_create_budget.time_zone, tb_create_budget.week_start, tb_create_budget.anchor, tb_create_budget.hard,
        tb_create_budget.burst, tb_create_budget.thresholds, tb_create_budget.freeze_at, tb_create_budget.rollover,
        tb_create_budget.rollover_cap);
    IF tb_create_budget.valid_from >= tb_create_budget.valid_until THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'budget would never be valid',
            DETAIL = jsonb_build_object('valid_from', tb_create_budget.valid_from, 'valid_until', tb_create_budget.valid_until)::text,
            HINT = 'valid_from must be before valid_until.';
    END IF;
    found_account := tokbudget._find_account(tb_create_budget.account);
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    PERFORM tokbudget._check_open(found_account);
    INSERT INTO tokbudget.budget (tenant_id, budget_id, account_id, meter, amount, every, time_zone, hard, valid_from, valid_until,
        week_start, anchor, burst, thresholds_percent, freeze_at_percent, rollover, rollover_cap, created_at)
    VALUES (found_account.tenant_id, tokbudget._new_id(), found_account.account_id, tb_create_budget.meter,
        trim_scale(tb_create_budget.amount), tb_create_budget.every, tb_create_budget.time_zone, tb_create_budget.hard,
        tb_create_budget.valid_from, tb_create_budget.valid_until, tb_create_budget.week_start, tb_create_budget.anchor,
        trim_scale(tb_create_budget.burst), tb_create_budget.thresholds, tb_create_budget.freeze_at, tb_create_budget.rollover,
        trim_scale(tb_create_budget.rollover_cap), tokbudget._now())
    RETURNING budget.* INTO new_budget;
    PERFORM tokbudget._log_change(new_budget.tenant_id, new_budget.account_id, 'budget', new_budget.budget_id, 'create',
        NULL, to_jsonb(new_budget), tb_create_budget.reason);
    RETURN new_budget.budget_id;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_create_budget(text, text, numeric, text, boolean, text, timestamp with time zone, timestamp with time zone, text, timestamp with time zone, numeric, integer[], integer, text, numeric, text) IS
    'limits a meter of the account and of all below it to amount per window: cost in currency units, every other meter in counts. every is minute, hour, day, week, month, quarter, year on the calendar of time_zone, an interval such as 5 hours counted from anchor, or NULL for one window without end. burst is extra headroom, flagged when used; thresholds (per cent of the limit) write an alert once a window, freeze_at freezes the account; rollover (none, all, capped at rollover_cap) carries over what a window leaves. Raises TB002 for an unknown account, TB008 for an invalid amount, schedule or option, TB009 for a closed account';
