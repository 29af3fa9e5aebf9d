-- How fast an account burns a meter. Everything that extrapolates does so from hourly use.

CREATE FUNCTION tokbudget._history_start(present timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT date_trunc('hour', present, 'UTC') - 8 * 7 * 24 * interval '1 hour'
$$;
COMMENT ON FUNCTION tokbudget._history_start(timestamp with time zone) IS
    'internal: the first hour that is looked at: history of more than eight weeks says more about the past than about the present';

CREATE FUNCTION tokbudget._account_by_hour(tenant_id integer, account_id bigint, meter text, since timestamp with time zone, until timestamp with time zone)
    RETURNS TABLE (hour timestamp with time zone, amount numeric)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF meter IN ('cost', 'internal_cost', 'tokens', 'input_tokens', 'output_tokens', 'requests') THEN
        RETURN QUERY
        SELECT used.hour, COALESCE(CASE meter
            WHEN 'cost' THEN used.cost
            WHEN 'internal_cost' THEN used.internal_cost
            WHEN 'tokens' THEN used.input_tokens + used.output_tokens
            WHEN 'input_tokens' THEN used.input_tokens
            WHEN 'output_tokens' THEN used.output_tokens
            WHEN 'requests' THEN used.requests
        END, 0)
        FROM tokbudget._usage_by_hour(_account_by_hour.tenant_id, _account_by_hour.account_id, since, until) AS used;
    ELSE
        RETURN QUERY
        SELECT date_trunc('hour', entry.recorded_at, 'UTC'), sum((entry.meters ->> meter)::numeric)
        FROM tokbudget.entry
        WHERE entry.tenant_id = _account_by_hour.tenant_id AND entry.recorded_at >= since AND entry.recorded_at < until
            AND entry.kind <> ALL (ARRAY['expire', 'transfer']) AND entry.meters ? meter
            AND array_position(entry.account_ids, _account_by_hour.account_id) <= array_position(entry.account_ids, entry.account_id)
        GROUP BY 1;
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._account_by_hour(integer, bigint, text, timestamp with time zone, timestamp with time zone) IS
    'internal: what the account and all below it used of the meter in each hour, UTC, from since until before until: from roll-ups, or for a declared meter from the ledger; hours without use may be missing';

CREATE FUNCTION tokbudget._budget_by_hour(
    tenant_id integer, account_id bigint, budget tokbudget.remaining, since timestamp with time zone, until timestamp with time zone
) RETURNS TABLE (hour timestamp with time zone, amount numeric)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    -- What the use of the account itself must come to.
    counted CONSTANT numeric := CASE WHEN budget.window_start >= since THEN 0.99 * budget.spent ELSE 0 END;
    accounted numeric;
    used_hours timestamp with time zone[];
    used_amounts numeric[];
BEGIN
    IF budget.meter IN ('cost', 'internal_cost', 'tokens', 'input_tokens', 'output_tokens', 'requests') OR budget.budget IS NULL THEN
        SELECT array_agg(used.hour), array_agg(used.amount),
            sum(used.amount) FILTER (WHERE used.hour >= date_trunc('hour', COALESCE(budget.window_start, since), 'UTC'))
        INTO used_hours, used_amounts, accounted
        FROM tokbudget._account_by_hour(_budget_by_hour.tenant_id, _budget_by_hour.account_id, budget.meter, since, until) AS used;
        -- Calls of other accounts that named this one in also count against its budgets, and not in its own use.
        IF budget.budget IS NULL OR budget.spent = 0 OR accounted >= counted AND accounted <> 0 THEN
            RETURN QUERY SELECT used.hour, used.amount FROM unnest(used_hours, used_amounts) AS used (hour, amount);
            RETURN;
        END IF;
    END IF;
    RETURN QUERY
    SELECT date_trunc('hour', entry.recorded_at, 'UTC'), sum(tokbudget._amount(budget.meter, slot.units))
    FROM tokbudget.entry
    CROSS JOIN LATERAL unnest(entry.budget_ids, entry.spent_units) AS slot (budget_id, units)
    WHERE entry.tenant_id = _budget_by_hour.tenant_id AND entry.recorded_at >= since AND entry.recorded_at < until
        AND entry.kind <> ALL (ARRAY['expire', 'transfer']) AND slot.budget_id = budget.budget
    GROUP BY 1;
END;
$$;
COMMENT ON FUNCTION tokbudget._budget_by_hour(integer, bigint, tokbudget.remaining, timestamp with time zone, timestamp with time zone) IS
    'internal: what counted against the budget in each hour, UTC: the use of its account, or what the ledger says for a declared meter and where other accounts draw on it';

CREATE FUNCTION tokbudget._burn(
    hours timestamp with time zone[], amounts numeric[], look_back_hours integer, present timestamp with time zone,
    OUT since timestamp with time zone, OUT observed_hours numeric, OUT amount numeric, OUT per_hour numeric
)
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    first_hour timestamp with time zone;
BEGIN
    SELECT min(used.hour) FILTER (WHERE used.amount <> 0) INTO first_hour FROM unnest(hours, amounts) AS used (hour, amount);
    -- Whole hours, and the present one as far as it has come. What was before the first use is no history.
    since := GREATEST(date_trunc('hour', present, 'UTC') - look_back_hours * interval '1 hour', first_hour);
    observed_hours := EXTRACT(epoch FROM present - since) / 3600;
    SELECT COALESCE(sum(used.amount), 0) INTO amount FROM unnest(hours, amounts) AS used (hour, amount) WHERE used.hour >= since;
    per_hour := CASE WHEN first_hour IS NOT NULL AND observed_hours >= 1 THEN amount / observed_hours END;
END;
$$;
COMMENT ON FUNCTION tokbudget._burn(timestamp with time zone[], numeric[], integer, timestamp with time zone) IS
    'internal: what was used in the last so many whole hours and the present one, and per hour; NULL with less than an hour since the first use';

CREATE FUNCTION tokbudget._require_meter(meter text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF meter IS NULL OR meter !~ '^[a-z][a-z0-9_]{0,62}$' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid meter name',
            DETAIL = jsonb_build_object('meter', meter)::text,
            HINT = 'Use tokens, input_tokens, output_tokens, cost, internal_cost, requests, tool_calls or a name of lower-case letters, digits and underscores.';
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._require_meter(text) IS 'internal: raises TB008 for what cannot be the name of a meter';

CREATE TYPE tokbudget.burn_rate AS (
    look_back text,
    since timestamp with time zone,
    hours numeric,
    amount numeric,
    per_hour numeric,
    per_day numeric,
    trend_percent numeric,
    reason text
);
COMMENT ON TYPE tokbudget.burn_rate IS 'how fast a meter is used, as tb_burn_rate shows it; amounts in currency units for cost, in counts otherwise';
COMMENT ON COLUMN tokbudget.burn_rate.look_back IS '1 hour, 24 hours or 7 days';
COMMENT ON COLUMN tokbudget.burn_rate.since IS 'first instant looked at: that many whole hours, UTC, before the present one, or the hour of the first use where that is later';
COMMENT ON COLUMN tokbudget.burn_rate.hours IS 'hours from then until now, two decimals';
COMMENT ON COLUMN tokbudget.burn_rate.amount IS 'used since then';
COMMENT ON COLUMN tokbudget.burn_rate.per_hour IS 'amount over hours, at most nine decimals; NULL where data is thin';
COMMENT ON COLUMN tokbudget.burn_rate.per_day IS 'the same for 24 hours';
COMMENT ON COLUMN tokbudget.burn_rate.trend_percent IS 'per_hour above (or below) that of the look-back before it, per cent, one decimal; NULL where that was not observed in full or had no use';
COMMENT ON COLUMN tokbudget.burn_rate.reason IS 'why there is no rate, in words';

CREATE FUNCTION @extschema@.tb_burn_rate(account text, meter text DEFAULT 'cost') RETURNS SETOF tokbudget.burn_rate
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_burn_rate.account);
    present CONSTANT timestamp with time zone := tokbudget._now();
    used_hours timestamp with time zone[];
    used_amounts numeric[];
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    PERFORM tokbudget._require_meter(tb_burn_rate.meter);
    SELECT array_agg(used.hour), array_agg(used.amount) INTO used_hours, used_amounts
    FROM tokbudget._account_by_hour(found_account.tenant_id, found_account.account_id, tb_burn_rate.meter,
        tokbudget._history_start(present), present) AS used;
    RETURN QUERY
    SELECT look_back.name, burn.since, round(burn.observed_hours, 2), trim_scale(burn.amount), trim_scale(round(burn.per_hour, 9)),
        trim_scale(round(24 * burn.per_hour, 9)),
        CASE WHEN earlier.since = burn.since - look_back.hours * interval '1 hour' AND earlier.amount > burn.amount
            THEN round(100 * (burn.per_hour / ((earlier.amount - burn.amount) / look_back.hours) - 1), 1) END,
        CASE WHEN burn.per_hour IS NOT NULL THEN NULL
            WHEN 0 <> ANY (used_amounts) THEN 'less than an hour of history'
            ELSE 'no use in the last 8 weeks' END
    FROM (VALUES ('1 hour', 1), ('24 hours', 24), ('7 days', 168)) AS look_back (name, hours)
    CROSS JOIN LATERAL tokbudget._burn(used_hours, used_amounts, look_back.hours, present) AS burn
    CROSS JOIN LATERAL tokbudget._burn(used_hours, used_amounts, 2 * look_back.hours, present) AS earlier
    ORDER BY look_back.hours;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_burn_rate(text, text) IS
    'how fast the account and all below it use a meter (cost, internal_cost, tokens, input_tokens, output_tokens, requests, or any declared meter): over the last hour, 24 hours and 7 days, in whole hours and the present one as far as it has come. A correction counts in the hour in which it was made. Raises TB002 for an unknown account, TB008 for a malformed path or meter, 42501 for a role that may not read the account';
