-- Changing budgets. What has been spent stays spent: a new amount holds at once in the present window, and a new schedule
-- opens its present window with what the ledger says was spent within it.

CREATE FUNCTION tokbudget._transfer(budget tokbudget.budget, window_start timestamp with time zone, spent_units bigint, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    IF tokbudget._add_spend(_transfer.budget.tenant_id, _transfer.budget.budget_id, _transfer.window_start, _transfer.spent_units) IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    INSERT INTO tokbudget.entry (tenant_id, entry_id, recorded_at, reserved_at, kind, account_id, account_ids, budget_ids,
        window_starts, spent_units, cost, internal_cost, currency, usage_source, reason, actor)
    SELECT account.tenant_id, tokbudget._new_entry_id(account.tenant_id), tokbudget._now(), tokbudget._now(), 'transfer', account.account_id,
        account.ancestor_ids || account.account_id, ARRAY[_transfer.budget.budget_id], ARRAY[_transfer.window_start],
        ARRAY[_transfer.spent_units], 0, 0, tenant.currency, 'estimated', _transfer.reason, SESSION_USER
    FROM tokbudget.account JOIN tokbudget.tenant ON tenant.tenant_id = account.tenant_id
    WHERE account.tenant_id = _transfer.budget.tenant_id AND account.account_id = _transfer.budget.account_id;
END;
$$;
COMMENT ON FUNCTION tokbudget._transfer(tokbudget.budget, timestamp with time zone, bigint, text) IS
    'internal: makes a window of the budget count so much more, with an entry that says so';

CREATE FUNCTION tokbudget._new_entry_id(tenant_id integer) RETURNS uuid
    LANGUAGE c VOLATILE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', '_new_entry_id_wrapper';
COMMENT ON FUNCTION tokbudget._new_entry_id(integer) IS 'internal: id of an entry of the tenant that is recorded now';

CREATE FUNCTION tokbudget._rewindow(budget tokbudget.budget, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    present tokbudget.budget_window;
    starts_at timestamp with time zone;
    latest timestamp with time zone;
    spent_in_entries numeric;
    spent_in_balance bigint;
    borne_in_balance numeric;
BEGIN
    IF _rewindow.budget.every IS NOT NULL THEN
        present := tokbudget._window(_rewindow.budget.every, tokbudget._now(), _rewindow.budget.time_zone,
            _rewindow.budget.week_start, _rewindow.budget.anchor);
    END IF;
    starts_at := COALESCE(present.window_start, '-infinity');
    -- Whoever holds or settles against the present window waits, so that nothing is counted in between. Windows that only
    -- the engine's memory knows of get a row with what they got when they were opened, and are marked below like the others.
    INSERT INTO tokbudget.balance AS b (tenant_id, budget_id, window_start, carried_units)
    SELECT _rewindow.budget.tenant_id, _rewindow.budget.budget_id, closed.window_start, closed.carried_units
    FROM tokbudget._close_windows(_rewindow.budget.tenant_id, _rewindow.budget.budget_id) AS closed
    ORDER BY closed.window_start
    ON CONFLICT (tenant_id, budget_id, window_start) DO UPDATE SET carried_units = EXCLUDED.carried_units
    WHERE EXCLUDED.carried_units IS NOT NULL;
    INSERT INTO tokbudget.balance (tenant_id, budget_id, window_start)
    VALUES (_rewindow.budget.tenant_id, _rewindow.budget.budget_id, starts_at)
    ON CONFLICT (tenant_id, budget_id, window_start) DO NOTHING;
    -- Calls that are under way in windows of the old schedule, the last of which may have begun before, are waited for. The
    -- rows are marked, so that one that has read the old schedule and comes after this fails instead of spending by it. The
    -- present window is opened, where it is not open yet, with nothing carried over: those before it were of another schedule.
    latest := COALESCE((
        SELECT max(b.window_start) FROM tokbudget.balance AS b
        WHERE b.tenant_id = _rewindow.budget.tenant_id AND b.budget_id = _rewindow.budget.budget_id AND b.window_start < starts_at
    ), starts_at);
    PERFORM FROM tokbudget.balance AS b
    WHERE b.tenant_id = _rewindow.budget.tenant_id AND b.budget_id = _rewindow.budget.budget_id AND b.window_start >= latest
    ORDER BY b.window_start FOR NO KEY UPDATE;
    UPDATE tokbudget.balance AS b SET superseded = b.window_start <> starts_at,
        carried_units = CASE WHEN b.window_start = starts_at THEN COALESCE(b.carried_units, 0) ELSE b.carried_units END
    WHERE b.tenant_id = _rewindow.budget.tenant_id AND b.budget_id = _rewindow.budget.budget_id AND b.window_start >= latest;
    SELECT b.spent_units INTO spent_in_balance FROM tokbudget._balances() AS b
    WHERE b.tenant_id = _rewindow.budget.tenant_id AND b.budget_id = _rewindow.budget.budget_id AND b.window_start = starts_at;
    -- Where the schedule had this window before, what grants bore in it is in its balance too.
    SELECT sum(borne.units) INTO borne_in_balance
    FROM tokbudget.entry, LATERAL unnest(entry.budget_ids, entry.window_starts) AS own (id, window_start),
        LATERAL unnest(entry.budget_ids, entry.spent_units) AS borne (id, units)
    JOIN tokbudget.budget_grant ON budget_grant.grant_id = borne.id
    WHERE entry.tenant_id = _rewindow.budget.tenant_id AND entry.budget_ids @> ARRAY[_rewindow.budget.budget_id]
        AND own.id = _rewindow.budget.budget_id AND own.window_start = starts_at
        AND budget_grant.tenant_id = _rewindow.budget.tenant_id AND budget_grant.budget_id = _rewindow.budget.budget_id;
    SELECT spent_in_balance - COALESCE(borne_in_balance, 0) - COALESCE(sum(carried.granted_units), 0) INTO spent_in_balance
    FROM tokbudget.carried
    WHERE carried.tenant_id = _rewindow.budget.tenant_id AND carried.budget_id = _rewindow.budget.budget_id
        AND carried.window_start = starts_at;
    -- What grants bore stays borne by them, so only the window's own part comes along.
    SELECT sum(slot.units * CASE WHEN slot.id = _rewindow.budget.budget_id THEN 1 ELSE -1 END) INTO spent_in_entries
    FROM tokbudget.entry, LATERAL unnest(entry.budget_ids, entry.spent_units) AS slot (id, units)
    WHERE entry.tenant_id = _rewindow.budget.tenant_id AND entry.reserved_at >= starts_at
        AND entry.kind <> 'transfer' AND entry.budget_ids @> ARRAY[_rewindow.budget.budget_id]
        AND (slot.id = _rewindow.budget.budget_id OR slot.id IN (
            SELECT budget_grant.grant_id FROM tokbudget.budget_grant
            WHERE budget_grant.tenant_id = _rewindow.budget.tenant_id AND budget_grant.budget_id = _rewindow.budget.budget_id));
    -- Months that have left the ledger have left their sums, in which what a transfer brought stands twice.
    SELECT COALESCE(spent_in_entries, 0) + COALESCE(sum(carried.spent_units - carried.granted_units - carried.transferred_units), 0)
    INTO spent_in_entries
    FROM tokbudget.carried
    WHERE carried.tenant_id = _rewindow.budget.tenant_id AND carried.budget_id = _rewindow.budget.budget_id
        AND carried.reserved_from >= starts_at;
    IF spent_in_entries <> spent_in_balance THEN
        PERFORM tokbudget._transfer(_rewindow.budget, starts_at, spent_in_entries::bigint - spent_in_balance, _rewindow.reason);
    END IF;
END;
$$;
COMMENT ON FUNCTION tokbudget._rewindow(tokbudget.budget, text) IS
    'internal: makes the present window of a budget whose schedule has changed count what the ledger says was spent within it';

CREATE FUNCTION tokbudget._review_budget(tenant_id integer, budget_id bigint) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_review_budget_wrapper';
COMMENT ON FUNCTION tokbudget._review_budget(integer, bigint) IS
    'internal: writes the alerts of the marks that the present window of a changed budget stands above, and freezes its account where that is asked for';

CREATE FUNCTION @extschema@.tb_change_budget(
    budget bigint,
    amount numeric DEFAULT NULL,
    every text DEFAULT NULL,
    hard boolean DEFAULT NULL,
    time_zone text DEFAULT NULL,
    valid_until timestamp with time zone DEFAULT NULL,
    week_start text DEFAULT NULL,
    anchor timestamp with time zone DEFAULT NULL,
    burst numeric DEFAULT NULL,
    thresholds integer[] DEFAULT NULL,
    freeze_at integer DEFAULT NULL,
    rollover text DEFAULT NULL,
    rollover_cap numeric DEFAULT NULL,
    reason text DEFAULT NULL
) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    old_budget tokbudget.budget := tokbudget._find_budget(tb_change_budget.budget);
    wanted record;
    new_budget tokbudget.budget;
BEGIN
    PERFORM tokbudget._require_budget_access(old_budget, 'administer');
    SELECT b.* INTO STRICT old_budget FROM tokbudget.budget AS b
    WHERE b.tenant_id = old_budget.tenant_id AND b.budget_id = old_budget.budget_id FOR NO KEY UPDATE;
    IF old_budget.status = 'closed' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB009', MESSAGE = 'budget is closed',
            DETAIL = jsonb_build_object('budget', tb_change_budget.budget)::text,
            HINT = 'Make a new one with tb_create_budget().';
    END IF;
    wanted := old_budget;
    wanted.amount := trim_scale(COALESCE(tb_change_budget.amount, old_budget.amount));
    wanted.hard := COALESCE(tb_change_budget.hard, old_budget.hard);
    wanted.time_zone := COALESCE(tb_change_budget.time_zone, old_budget.time_zone);
    wanted.week_start := COALESCE(tb_change_budget.week_start, old_budget.week_start);
    wanted.valid_until := COALESCE(tb_change_budget.valid_until, old_budget.valid_until);
    wanted.burst := trim_scale(COALESCE(tb_change_budget.burst, old_budget.burst));
    wanted.thresholds_percent := COALESCE(tb_change_budget.thresholds, old_budget.thresholds_percent);
    wanted.freeze_at_percent := NULLIF(COALESCE(tb_change_budget.freeze_at, old_budget.freeze_at_percent), 0);
    wanted.rollover := COALESCE(tb_change_budget.rollover, old_budget.rollover);
    wanted.rollover_cap := CASE WHEN wanted.rollover = 'capped' THEN COALESCE(tb_change_budget.rollover_cap, old_budget.rollover_cap) ELSE tb_change_budget.rollover_cap END;
    IF tb_change_budget.every IS NOT NULL THEN
        wanted.every := NULLIF(tb_change_budget.every, 'once');
        wanted.anchor := tb_change_budget.anchor;
    ELSE
        wanted.anchor := COALESCE(tb_change_budget.anchor, old_budget.anchor);
    END IF;
    PERFORM tokbudget._check_budget(wanted.meter, wanted.amount, wanted.every, wanted.time_zone,
        wanted.week_start, wanted.anchor, wanted.hard, wanted.burst, wanted.thresholds_percent,
        wanted.freeze_at_percent, wanted.rollover, wanted.rollover_cap);
    IF wanted.valid_from >= wanted.valid_until THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'budget would never be valid',
            DETAIL = jsonb_build_object('valid_from', wanted.valid_from, 'valid_until', wanted.valid_until)::text,
            HINT = 'valid_from must be before valid_until.';
    END IF;
    UPDATE tokbudget.budget AS b SET amount = wanted.amount, every = wanted.every, hard = wanted.hard,
        time_zone = wanted.time_zone, week_start = wanted.week_start, anchor = wanted.anchor,
        valid_until = wanted.valid_until, burst = wanted.burst, thresholds_percent = wanted.thresholds_percent,
        freeze_at_percent = wanted.freeze_at_percent, rollover = wanted.rollover, rollover_cap = wanted.rollover_cap
    WHERE b.tenant_id = old_budget.tenant_id AND b.budget_id = old_budget.budget_id
    RETURNING b.* INTO new_budget;
    PERFORM tokbudget._log_change(new_budget.tenant_id, new_budget.account_id, 'budget', new_budget.budget_id, 'change',
        to_jsonb(old_budget), to_jsonb(new_budget), tb_change_budget.reason);
    IF (new_budget.every, new_budget.time_zone, new_budget.week_start, new_budget.anchor)
        IS DISTINCT FROM (old_budget.every, old_budget.time_zone, old_budget.week_start, old_budget.anchor)
    THEN
        -- Whoever still goes by the old schedule meets a row that says so, also where nobody has used the window yet.
        INSERT INTO tokbudget.balance (tenant_id, budget_id, window_start)
        SELECT old_budget.tenant_id, old_budget.budget_id, COALESCE(present.window_start, '-infinity')
        FROM (SELECT 1) AS one LEFT JOIN tokbudget._window(old_budget.every, tokbudget._now(), old_budget.time_zone,
            old_budget.week_start, old_budget.anchor) AS present ON old_budget.every IS NOT NULL
        ON CONFLICT (tenant_id, budget_id, window_start) DO NOTHING;
        PERFORM tokbudget._rewindow(new_budget, tb_change_budget.reason);
    END IF;
    PERFORM tokbudget._review_budget(new_budget.tenant_id, new_budget.budget_id);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_change_budget(bigint, numeric, text, boolean, text, timestamp with time zone, text, timestamp with time zone, numeric, integer[], integer, text, numeric, text) IS
    'changes what is given of a budget and leaves the rest (every => ''once'' for one window without end, freeze_at => 0 and thresholds => ''{}'' for none; a new every forgets the anchor). A new amount holds at once in the present window, also for what is held already. With a new schedule the present window counts what the ledger says was spent within it; open reservations settle in the windows in which they were made, and closed windows stay as they were. A threshold or freeze_at that the present window then stands above is noticed at once. Logged. Raises TB002 for an unknown budget, TB008 for an invalid value, TB009 for a closed budget';

CREATE FUNCTION @extschema@.tb_close_budget(budget bigint, reason text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_budget tokbudget.budget := tokbudget._find_budget(tb_close_budget.budget);
BEGIN
    PERFORM tokbudget._require_budget_access(found_budget, 'administer');
    UPDATE tokbudget.budget AS b SET status = 'closed'
    WHERE b.tenant_id = found_budget.tenant_id AND b.budget_id = found_budget.budget_id AND b.status <> 'closed';
    IF FOUND THEN
        PERFORM tokbudget._log_change(found_budget.tenant_id, found_budget.account_id, 'budget', found_budget.budget_id, 'close',
            to_jsonb(found_budget), NULL, tb_close_budget.reason);
    END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_close_budget(bigint, text) IS
    'ends a budget: it refuses and counts nothing new, what it counted stays readable. Closing a closed one does nothing. Raises TB002 for an unknown budget';
