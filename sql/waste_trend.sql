-- Whether a change helped: the same waste before it and after it.

CREATE TYPE tokbudget.waste_trend AS (
    kind text,
    count_before bigint,
    count_after bigint,
    tokens_before numeric,
    tokens_after numeric,
    cost_before numeric,
    cost_after numeric,
    currency text,
    cost_change numeric,
    cost_change_percent numeric,
    share_before_percent numeric,
    share_after_percent numeric,
    is_after_complete boolean
);
COMMENT ON TYPE tokbudget.waste_trend IS 'one kind of waste before and after a change, as tb_waste_trend shows it; costs in currency units';
COMMENT ON COLUMN tokbudget.waste_trend.kind IS 'as in tokbudget.waste';
COMMENT ON COLUMN tokbudget.waste_trend.count_before IS 'calls, tool calls, sessions or holds in the span before';
COMMENT ON COLUMN tokbudget.waste_trend.count_after IS 'calls, tool calls, sessions or holds in the span after';
COMMENT ON COLUMN tokbudget.waste_trend.tokens_before IS 'tokens that went into it before; of expired holds those held';
COMMENT ON COLUMN tokbudget.waste_trend.tokens_after IS 'tokens that went into it after; of expired holds those held';
COMMENT ON COLUMN tokbudget.waste_trend.cost_before IS 'what it cost before';
COMMENT ON COLUMN tokbudget.waste_trend.cost_after IS 'what it cost after';
COMMENT ON COLUMN tokbudget.waste_trend.currency IS 'currency of the costs, ISO 4217';
COMMENT ON COLUMN tokbudget.waste_trend.cost_change IS 'cost after less cost before: negative where less was wasted';
COMMENT ON COLUMN tokbudget.waste_trend.cost_change_percent IS 'that in per cent of the cost before; NULL where that was nothing';
COMMENT ON COLUMN tokbudget.waste_trend.share_before_percent IS 'in per cent of all cost before, which growing or falling traffic does not change';
COMMENT ON COLUMN tokbudget.waste_trend.share_after_percent IS 'in per cent of all cost after';
COMMENT ON COLUMN tokbudget.waste_trend.is_after_complete IS 'whether the span after is over; if not, compare shares';

CREATE FUNCTION @extschema@.tb_waste_trend(
    account text,
    change_at timestamp with time zone,
    span interval DEFAULT '7 days',
    idle interval DEFAULT '1 day',
    cache_lifetime interval DEFAULT '5 minutes'
) RETURNS SETOF tokbudget.waste_trend
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_waste_trend.account);
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    IF (tb_waste_trend.change_at BETWEEN '1970-01-01 UTC' AND '9999-12-31 UTC') IS NOT TRUE
        OR (tb_waste_trend.span > interval '0' AND tb_waste_trend.span <= interval '100 years') IS NOT TRUE
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid span',
            DETAIL = jsonb_build_object('change_at', tb_waste_trend.change_at, 'span', tb_waste_trend.span)::text,
            HINT = 'Give the instant of the change and how long to look before and after it, such as ''7 days''.';
    END IF;
    PERFORM tokbudget._require_waste_options(tb_waste_trend.idle, tb_waste_trend.cache_lifetime);
    RETURN QUERY
    SELECT b.kind, b.count, a.count, COALESCE(b.held_tokens, b.tokens), COALESCE(a.held_tokens, a.tokens), b.cost, a.cost, b.currency,
        a.cost - b.cost, tokbudget._percent_of(a.cost - b.cost, b.cost), b.share_percent, a.share_percent,
        tb_waste_trend.change_at + tb_waste_trend.span <= tokbudget._now()
    FROM tokbudget._waste(found_account.tenant_id, found_account.account_id, tb_waste_trend.change_at - tb_waste_trend.span,
        tb_waste_trend.change_at, tb_waste_trend.idle, tb_waste_trend.cache_lifetime) WITH ORDINALITY AS b
    JOIN tokbudget._waste(found_account.tenant_id, found_account.account_id, tb_waste_trend.change_at,
        tb_waste_trend.change_at + tb_waste_trend.span, tb_waste_trend.idle, tb_waste_trend.cache_lifetime) AS a ON a.kind = b.kind
    ORDER BY b.ordinality;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_waste_trend(text, timestamp with time zone, interval, interval, interval) IS
    'tb_waste for the span before an instant and for the span after it, side by side, with the difference. A session belongs to the span in which it started. Raises TB002 for an unknown account, TB008 for an invalid instant or interval, 42501 for a role that may not read the account';
