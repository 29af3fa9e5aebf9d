-- Back-test: what would have happened to the calls of the past under other limits, prices or models. Reads the ledger once and
-- writes nothing.

CREATE TYPE tokbudget.backtest_result AS (
    scope text,
    account text,
    budget bigint,
    policy_budget integer,
    meter text,
    every text,
    hard boolean,
    amount numeric,
    window_start timestamp with time zone,
    window_end timestamp with time zone,
    calls bigint,
    allowed bigint,
    refused bigint,
    spent numeric,
    refused_amount numeric,
    first_refusal_at timestamp with time zone,
    actual_cost numeric,
    policy_cost numeric,
    refused_cost numeric,
    currency text,
    repriced_calls bigint,
    unpriced_calls bigint,
    refused_retries bigint,
    basis text,
    judged_by_hold bigint,
    judged_by_use bigint
);
COMMENT ON TYPE tokbudget.backtest_result IS 'what a back-test finds: first one row for all calls, then one for each window of each budget; amounts in currency units for cost and internal_cost, in counts otherwise';
COMMENT ON COLUMN tokbudget.backtest_result.scope IS 'total: all calls of the account and of all below it; window: what came to one budget in one window';
COMMENT ON COLUMN tokbudget.backtest_result.account IS 'path of the account that was asked about, or of the account of the budget';
COMMENT ON COLUMN tokbudget.backtest_result.budget IS 'id of a budget that there is; NULL for one of the policy and in the total';
COMMENT ON COLUMN tokbudget.backtest_result.policy_budget IS 'place in the policy''s budgets, from 1; NULL for a budget that there is and in the total';
COMMENT ON COLUMN tokbudget.backtest_result.meter IS 'what the budget limits; NULL in the total, as is all that is of a budget';
COMMENT ON COLUMN tokbudget.backtest_result.every IS 'how it cuts time into windows; NULL for one window without end';
COMMENT ON COLUMN tokbudget.backtest_result.hard IS 'whether it refuses, or only counts';
COMMENT ON COLUMN tokbudget.backtest_result.amount IS 'limit of the window, with what was carried over, without grants and burst, in the unit of the meter';
COMMENT ON COLUMN tokbudget.backtest_result.window_start IS 'start of the window; NULL where there is but one';
COMMENT ON COLUMN tokbudget.backtest_result.window_end IS 'first instant after the window; NULL where there is but one';
COMMENT ON COLUMN tokbudget.backtest_result.calls IS 'calls since the beginning of the back-test; in a window those of others too that drew on the account';
COMMENT ON COLUMN tokbudget.backtest_result.allowed IS 'calls that are allowed';
COMMENT ON COLUMN tokbudget.backtest_result.refused IS 'calls that are refused; in a window those that this budget refuses, while other budgets may refuse more';
COMMENT ON COLUMN tokbudget.backtest_result.spent IS 'used in the window once all allowed calls are booked, what was used before the beginning of the back-test included, in the unit of the meter';
COMMENT ON COLUMN tokbudget.backtest_result.refused_amount IS 'what the calls that this budget refuses wanted of it, in the unit of the meter';
COMMENT ON COLUMN tokbudget.backtest_result.first_refusal_at IS 'when the first of the refused calls was made; NULL where none is';
COMMENT ON COLUMN tokbudget.backtest_result.actual_cost IS 'what all calls of the total cost, with their corrections, in currency units';
COMMENT ON COLUMN tokbudget.backtest_result.policy_cost IS 'what the allowed calls cost by the policy''s prices and models, in currency units';
COMMENT ON COLUMN tokbudget.backtest_result.refused_cost IS 'what the refused calls would have cost by the policy''s prices and models, in currency units';
COMMENT ON COLUMN tokbudget.backtest_result.currency IS 'currency of the costs, ISO 4217';
COMMENT ON COLUMN tokbudget.backtest_result.repriced_calls IS 'calls whose cost is that of the policy''s prices or models';
COMMENT ON COLUMN tokbudget.backtest_result.unpriced_calls IS 'calls that the policy''s prices and models do not cover and that keep the cost they had, and calls that had none; those count as 0 against budgets in cost';
COMMENT ON COLUMN tokbudget.backtest_result.refused_retries IS 'refused calls that had been tried before (retry_count above 0)';
COMMENT ON COLUMN tokbudget.backtest_result.basis IS 'what the calls were judged by: hold (what each had held), use (what each used, where no hold is known), hold and use (some by this, some by that); NULL without calls';
COMMENT ON COLUMN tokbudget.backtest_result.judged_by_hold IS 'calls that were judged by what they had held';
COMMENT ON COLUMN tokbudget.backtest_result.judged_by_use IS 'calls that were judged by what they used';

CREATE FUNCTION tokbudget._backtest(account text, policy jsonb, since timestamp with time zone, until timestamp with time zone)
    RETURNS SETOF tokbudget.backtest_result
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_backtest_wrapper';
COMMENT ON FUNCTION tokbudget._backtest(text, jsonb, timestamp with time zone, timestamp with time zone) IS
    'internal: tb_backtest, no row and a refusal put aside when refused';

CREATE FUNCTION @extschema@.tb_backtest(
    account text,
    policy jsonb,
    since timestamp with time zone,
    until timestamp with time zone DEFAULT NULL
) RETURNS SETOF tokbudget.backtest_result
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- Compiling the expressions for every partition takes longer than it saves.
    SET jit = off
    AS $$
BEGIN
    RETURN QUERY SELECT * FROM tokbudget._backtest(tb_backtest.account, tb_backtest.policy, tb_backtest.since, tb_backtest.until);
    IF NOT FOUND AND tokbudget._is_refused() THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_backtest(text, jsonb, timestamp with time zone, timestamp with time zone) IS
    'replays the calls of the account and of all below it that were made from since up to, and without, until (NULL for now) against a policy, and says what would have been refused and what it would have cost. The policy is an object: budgets, an array of limits with account (at or below the account; itself by default), meter, amount, every, time_zone, week_start, anchor, hard, burst, rollover, rollover_cap and freeze_at as tb_create_budget has them; keep_budgets, whether the budgets that there are hold too (by default only without budgets); models, an object from a model to the one that takes its place; prices, an object from a model (after models have taken their places; * for every other) to unit prices or to a discount_percent; basis, hold (default) or use. Windows that are open at since begin with what had been used in them, those of the policy''s budgets at its prices. A refused call spends nothing. Writes nothing. Raises TB002 for an unknown account, TB007 for a model without a price, TB008 for a malformed policy (with the JSON path in the detail) or period, 42501 for a role that may not read the account';

CREATE TYPE tokbudget.backtest_call AS (
    entry uuid,
    called_at timestamp with time zone,
    account text,
    model text,
    actual_cost numeric,
    policy_cost numeric,
    budget_account text,
    budget bigint,
    policy_budget integer,
    meter text,
    requested numeric,
    remaining numeric,
    reason text,
    basis text
);
COMMENT ON TYPE tokbudget.backtest_call IS 'a call that a back-test refuses; amounts in currency units for cost and internal_cost, in counts otherwise';
COMMENT ON COLUMN tokbudget.backtest_call.entry IS 'entry of the ledger';
COMMENT ON COLUMN tokbudget.backtest_call.called_at IS 'when the call was made';
COMMENT ON COLUMN tokbudget.backtest_call.account IS 'account that spent';
COMMENT ON COLUMN tokbudget.backtest_call.model IS 'model that was asked for';
COMMENT ON COLUMN tokbudget.backtest_call.actual_cost IS 'what it cost, with its corrections, in currency units; NULL without a price';
COMMENT ON COLUMN tokbudget.backtest_call.policy_cost IS 'what it would have cost by the policy, in currency units; NULL without a price';
COMMENT ON COLUMN tokbudget.backtest_call.budget_account IS 'account of the tightest budget that refuses it';
COMMENT ON COLUMN tokbudget.backtest_call.budget IS 'id of that budget; NULL for one of the policy';
COMMENT ON COLUMN tokbudget.backtest_call.policy_budget IS 'its place in the policy''s budgets, from 1; NULL for a budget that there is';
COMMENT ON COLUMN tokbudget.backtest_call.meter IS 'what that budget limits';
COMMENT ON COLUMN tokbudget.backtest_call.requested IS 'what the call wanted of it, in the unit of the meter';
COMMENT ON COLUMN tokbudget.backtest_call.remaining IS 'what the window had left, burst and grants included, in the unit of the meter';
COMMENT ON COLUMN tokbudget.backtest_call.reason IS 'the same in words';
COMMENT ON COLUMN tokbudget.backtest_call.basis IS 'what it was judged by: hold (what it had held) or use (what it used)';

CREATE FUNCTION tokbudget._backtest_calls(
    account text, policy jsonb, since timestamp with time zone, until timestamp with time zone, max_calls integer
) RETURNS SETOF tokbudget.backtest_call
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_backtest_calls_wrapper';
COMMENT ON FUNCTION tokbudget._backtest_calls(text, jsonb, timestamp with time zone, timestamp with time zone, integer) IS
    'internal: tb_backtest_calls, no row and a refusal put aside when refused';

CREATE FUNCTION @extschema@.tb_backtest_calls(
    account text,
    policy jsonb,
    since timestamp with time zone,
    until timestamp with time zone DEFAULT NULL,
    max_calls integer DEFAULT 1000
) RETURNS SETOF tokbudget.backtest_call
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    -- Compiling the expressions for every partition takes longer than it saves.
    SET jit = off
    AS $$
BEGIN
    RETURN QUERY SELECT * FROM tokbudget._backtest_calls(tb_backtest_calls.account, tb_backtest_calls.policy,
        tb_backtest_calls.since, tb_backtest_calls.until, tb_backtest_calls.max_calls);
    IF NOT FOUND AND tokbudget._is_refused() THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_backtest_calls(text, jsonb, timestamp with time zone, timestamp with time zone, integer) IS
    'the first max_calls calls that tb_backtest with the same arguments refuses, oldest first, each with the reason in words; those of accounts elsewhere that drew on the account too. max_calls is 1 to 1000000. Raises what tb_backtest raises';
