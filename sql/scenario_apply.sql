-- A scenario made into budgets.

CREATE TYPE tokbudget.scenario_budget AS (
    budget bigint,
    action text,
    meter text,
    every text,
    amount numeric,
    hard boolean,
    freeze_at integer
);
COMMENT ON TYPE tokbudget.scenario_budget IS 'a budget that tb_apply_scenario made or changed';
COMMENT ON COLUMN tokbudget.scenario_budget.budget IS 'id of the budget';
COMMENT ON COLUMN tokbudget.scenario_budget.action IS 'created or changed';
COMMENT ON COLUMN tokbudget.scenario_budget.meter IS 'what it limits';
COMMENT ON COLUMN tokbudget.scenario_budget.every IS 'month or day';
COMMENT ON COLUMN tokbudget.scenario_budget.amount IS 'limit, in currency units for cost and internal_cost, in counts otherwise';
COMMENT ON COLUMN tokbudget.scenario_budget.hard IS 'whether it refuses; the one of the day only counts, and freezes the account at freeze_at';
COMMENT ON COLUMN tokbudget.scenario_budget.freeze_at IS 'per cent of amount at which the account is frozen; NULL for the one of the month';

CREATE FUNCTION tokbudget._apply_limit(
    account tokbudget.account, wanted tokbudget.scenario_budget, time_zone text, thresholds integer[], reason text
) RETURNS tokbudget.scenario_budget
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_ids bigint[];
    budget record;
BEGIN
    budget := wanted;
    SELECT array_agg(b.budget_id) INTO found_ids FROM tokbudget.budget AS b
    WHERE b.tenant_id = _apply_limit.account.tenant_id AND b.account_id = _apply_limit.account.account_id AND b.status = 'active'
        AND b.quota_id IS NULL AND b.meter = wanted.meter AND b.every = wanted.every;
    IF cardinality(found_ids) > 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'several budgets of this kind',
            DETAIL = jsonb_build_object('account', _apply_limit.account.path, 'meter', wanted.meter, 'every', wanted.every, 'budgets', found_ids)::text,
            HINT = 'Close those that are not wanted with tb_close_budget(), or change the right one with tb_change_budget().';
    ELSIF cardinality(found_ids) = 1 THEN
        budget.budget := found_ids[1];
        budget.action := 'changed';
        PERFORM @extschema@.tb_change_budget(found_ids[1], amount => wanted.amount, hard => wanted.hard, time_zone => _apply_limit.time_zone,
            thresholds => _apply_limit.thresholds, freeze_at => wanted.freeze_at, reason => _apply_limit.reason);
    ELSE
        budget.action := 'created';
        budget.budget := @extschema@.tb_create_budget(_apply_limit.account.path, wanted.meter, wanted.amount, every => wanted.every, hard => wanted.hard,
            time_zone => _apply_limit.time_zone, thresholds => _apply_limit.thresholds, freeze_at => wanted.freeze_at, reason => _apply_limit.reason);
    END IF;
    RETURN budget;
END;
$$;
COMMENT ON FUNCTION tokbudget._apply_limit(tokbudget.account, tokbudget.scenario_budget, text, integer[], text) IS
    'internal: makes the account''s own budget of this meter and window be as wanted; raises TB008 where it has several';

CREATE FUNCTION @extschema@.tb_apply_scenario(
    account text,
    profile text,
    meter text DEFAULT 'cost',
    growth_percent numeric DEFAULT 10,
    stress_factor numeric DEFAULT 3,
    margin_percent numeric DEFAULT 20,
    stop_percent integer DEFAULT 200,
    horizon_months integer DEFAULT 3,
    look_back_days integer DEFAULT 30,
    time_zone text DEFAULT 'UTC',
    hard boolean DEFAULT true,
    reason text DEFAULT NULL
) RETURNS SETOF tokbudget.scenario_budget
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_apply_scenario.account);
    scenario tokbudget.scenario;
    said text;
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    IF tb_apply_scenario.hard IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid budget option',
            DETAIL = jsonb_build_object('hard', NULL)::text, HINT = 'hard is true or false.';
    END IF;
    SELECT s.* INTO scenario FROM @extschema@.tb_scenarios(tb_apply_scenario.account, tb_apply_scenario.meter,
        tb_apply_scenario.growth_percent, tb_apply_scenario.stress_factor, tb_apply_scenario.margin_percent,
        tb_apply_scenario.stop_percent, tb_apply_scenario.horizon_months, tb_apply_scenario.look_back_days,
        tb_apply_scenario.time_zone) AS s
    WHERE s.profile = tb_apply_scenario.profile;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid profile',
            DETAIL = jsonb_build_object('profile', tb_apply_scenario.profile)::text,
            HINT = 'A profile is baseline, growth or stress.';
    END IF;
    IF scenario.monthly_budget IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'too little history for a scenario',
            DETAIL = jsonb_build_object('account', scenario.account, 'meter', scenario.meter, 'days', scenario.days, 'why', scenario.reason)::text,
            HINT = 'Wait until there are more days, or set the budgets by hand with tb_create_budget().';
    END IF;
    said := COALESCE(tb_apply_scenario.reason, format('scenario %s: %s; %s', scenario.profile, scenario.basis, scenario.reason));
    RETURN QUERY SELECT budget.* FROM tokbudget._apply_limit(found_account,
        ROW(NULL, NULL, scenario.meter, 'month', scenario.monthly_budget, tb_apply_scenario.hard, NULL)::tokbudget.scenario_budget,
        tb_apply_scenario.time_zone, '{50,80,100}', said) AS budget;
    RETURN QUERY SELECT budget.* FROM tokbudget._apply_limit(found_account,
        ROW(NULL, NULL, scenario.meter, 'day', scenario.daily_burn_limit, false, scenario.freeze_at)::tokbudget.scenario_budget,
        tb_apply_scenario.time_zone, '{80,100}', said) AS budget;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_apply_scenario(text, text, text, numeric, numeric, numeric, integer, integer, integer, text, boolean, text) IS
    'makes the budgets of a profile of tb_scenarios with the same arguments: one of the month over monthly_budget (hard unless said otherwise, alerts at 50, 80 and 100 per cent) and one of the day over daily_burn_limit that only counts (alerts at 80 and 100 per cent) and freezes the account at emergency_stop. Where the account has one budget of its own of the meter and window already, that one is changed, so it may be applied again. Raises TB002 for an unknown account, TB008 for an invalid argument, too little history or several budgets of the kind, TB009 for a closed account, 42501 for a role that does not administer the account';
