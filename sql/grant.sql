-- Grants: extra amounts on a budget, for a time or until used up. A grant has a balance like a window has (its window has
-- no beginning), so what is left of it is a fold of the ledger too.

CREATE TABLE tokbudget.budget_grant (
    tenant_id integer NOT NULL,
    grant_id bigint NOT NULL,
    budget_id bigint NOT NULL,
    amount numeric NOT NULL,
    amount_units bigint NOT NULL,
    priority integer NOT NULL DEFAULT 0,
    valid_from timestamp with time zone NOT NULL,
    valid_until timestamp with time zone,
    reason text NOT NULL,
    approver text,
    created_at timestamp with time zone NOT NULL,
    revoked_at timestamp with time zone,
    actor text NOT NULL,
    CONSTRAINT budget_grant_pkey PRIMARY KEY (tenant_id, grant_id),
    CONSTRAINT budget_grant_valid_check CHECK (valid_from OPERATOR(pg_catalog.<) valid_until),
    CONSTRAINT budget_grant_amount_check CHECK (amount_units OPERATOR(pg_catalog.>) 0::bigint)
);
CREATE INDEX budget_grant_budget_idx ON tokbudget.budget_grant (tenant_id, budget_id);
-- Users name a grant without its tenant.
CREATE INDEX budget_grant_grant_id_idx ON tokbudget.budget_grant (grant_id);
COMMENT ON TABLE tokbudget.budget_grant IS 'extra amounts on budgets: top-ups and temporary boosts';
COMMENT ON COLUMN tokbudget.budget_grant.tenant_id IS 'tenant of the budget';
COMMENT ON COLUMN tokbudget.budget_grant.grant_id IS 'id, unique within the tenant, also among its budgets';
COMMENT ON COLUMN tokbudget.budget_grant.budget_id IS 'budget that it is for';
COMMENT ON COLUMN tokbudget.budget_grant.amount IS 'extra amount in all, in the unit of the budget';
COMMENT ON COLUMN tokbudget.budget_grant.amount_units IS 'amount as the engine compares it: nano-units for cost, counts otherwise';
COMMENT ON COLUMN tokbudget.budget_grant.priority IS 'lower ones are drawn on first; then those that end first, then those made first';
COMMENT ON COLUMN tokbudget.budget_grant.valid_from IS 'first instant at which a hold may draw on it';
COMMENT ON COLUMN tokbudget.budget_grant.valid_until IS 'first instant at which none may any more; NULL for never';
COMMENT ON COLUMN tokbudget.budget_grant.reason IS 'why it was given';
COMMENT ON COLUMN tokbudget.budget_grant.approver IS 'who approved it';
COMMENT ON COLUMN tokbudget.budget_grant.created_at IS 'when it was given';
COMMENT ON COLUMN tokbudget.budget_grant.revoked_at IS 'from when on nothing new draws on it; NULL while it stands';
COMMENT ON COLUMN tokbudget.budget_grant.actor IS 'database role of the session that gave it';

CREATE TRIGGER budget_grant_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tokbudget.budget_grant
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._notice_change();
ALTER TABLE tokbudget.budget_grant ENABLE ALWAYS TRIGGER budget_grant_changed;

CREATE FUNCTION @extschema@.tb_grant(
    budget bigint,
    amount numeric,
    until timestamp with time zone,
    reason text,
    starts_at timestamp with time zone DEFAULT NULL,
    approver text DEFAULT NULL,
    priority integer DEFAULT 0
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_budget tokbudget.budget := tokbudget._find_budget(tb_grant.budget);
    new_grant tokbudget.budget_grant;
BEGIN
    PERFORM tokbudget._require_budget_access(found_budget, 'administer');
    PERFORM tokbudget._check_amount('amount', found_budget.meter, tb_grant.amount);
    IF tb_grant.amount = 0 OR tb_grant.priority IS NULL OR tb_grant.reason IS NULL OR btrim(tb_grant.reason) = ''
        OR COALESCE(tb_grant.starts_at, tokbudget._now()) >= tb_grant.until OR NOT isfinite(COALESCE(tb_grant.starts_at, now()))
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid grant',
            DETAIL = jsonb_build_object('budget', tb_grant.budget, 'amount', tb_grant.amount, 'starts_at', tb_grant.starts_at,
                'until', tb_grant.until, 'reason', tb_grant.reason, 'priority', tb_grant.priority)::text,
            HINT = 'A grant is more than nothing, begins before it ends (until NULL for never), and has a reason.';
    END IF;
    IF found_budget.status = 'closed' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB009', MESSAGE = 'budget is closed',
            DETAIL = jsonb_build_object('budget', tb_grant.budget)::text,
            HINT = 'Grant on a budget that is checked.';
    END IF;
    INSERT INTO tokbudget.budget_grant (tenant_id, grant_id, budget_id, amount, amount_units, priority, valid_from, valid_until,
        reason, approver, created_at, actor)
    VALUES (found_budget.tenant_id, tokbudget._new_id(), found_budget.budget_id, trim_scale(tb_grant.amount),
        tokbudget._units(found_budget.meter, tb_grant.amount), tb_grant.priority, COALESCE(tb_grant.starts_at, tokbudget._now()),
        NULLIF(tb_grant.until, 'infinity'), tb_grant.reason, tb_grant.approver, tokbudget._now(), SESSION_USER)
    RETURNING budget_grant.* INTO new_grant;
    UPDATE tokbudget.budget AS b SET has_grants = true
    WHERE b.tenant_id = found_budget.tenant_id AND b.budget_id = found_budget.budget_id AND NOT b.has_grants;
    PERFORM tokbudget._log_change(found_budget.tenant_id, found_budget.account_id, 'grant', new_grant.grant_id, 'create',
        NULL, to_jsonb(new_grant), tb_grant.reason);
    RETURN new_grant.grant_id;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_grant(bigint, numeric, timestamp with time zone, text, timestamp with time zone, text, integer) IS
    'adds an extra amount to a budget, in its unit, from starts_at (now) until until (NULL for never). It is one amount for all that time, drawn on where a window has used up its own: the lowest priority first, then what ends first, then what was given first. A hold that drew on it settles against it also after its end. Returns its id. Raises TB002 for an unknown budget, TB008 for an invalid grant, TB009 for a closed budget';

CREATE FUNCTION @extschema@.tb_revoke_grant(budget_grant bigint, reason text) RETURNS numeric
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    old_grant tokbudget.budget_grant;
    found_budget tokbudget.budget;
    used_units bigint;
BEGIN
    SELECT g.* INTO old_grant FROM tokbudget.budget_grant AS g WHERE g.grant_id = tb_revoke_grant.budget_grant;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TB002', MESSAGE = 'no such grant',
            DETAIL = jsonb_build_object('grant', tb_revoke_grant.budget_grant)::text,
            HINT = 'Pass the id that tb_grant() returned or tb_grants() shows.';
    END IF;
    IF tb_revoke_grant.reason IS NULL OR btrim(tb_revoke_grant.reason) = '' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'a reason is needed',
            DETAIL = jsonb_build_object('grant', tb_revoke_grant.budget_grant)::text, HINT = 'Say why, for whoever counted on it.';
    END IF;
    SELECT b.* INTO STRICT found_budget FROM tokbudget.budget AS b
    WHERE b.tenant_id = old_grant.tenant_id AND b.budget_id = old_grant.budget_id;
    PERFORM tokbudget._require_budget_access(found_budget, 'administer');
    UPDATE tokbudget.budget_grant AS g SET revoked_at = tokbudget._now()
    WHERE g.tenant_id = old_grant.tenant_id AND g.grant_id = old_grant.grant_id AND g.revoked_at IS NULL;
    IF FOUND THEN
        PERFORM tokbudget._log_change(old_grant.tenant_id, found_budget.account_id, 'grant', old_grant.grant_id, 'revoke',
            to_jsonb(old_grant), NULL, tb_revoke_grant.reason);
    END IF;
    SELECT b.spent_units + b.held_units INTO used_units FROM tokbudget._balances() AS b
    WHERE b.tenant_id = old_grant.tenant_id AND b.budget_id = old_grant.grant_id;
    RETURN tokbudget._amount(found_budget.meter, old_grant.amount_units - COALESCE(used_units, 0));
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_revoke_grant(bigint, text) IS
    'ends a grant: nothing new draws on it, what was drawn stays drawn. Returns what was left of it, in the unit of its budget; revoking again does nothing more. Raises TB002 for an unknown grant, TB008 without a reason';

CREATE TYPE tokbudget.grant_row AS (
    budget_grant bigint,
    budget bigint,
    account text,
    meter text,
    amount numeric,
    spent numeric,
    held numeric,
    remaining numeric,
    priority integer,
    valid_from timestamp with time zone,
    valid_until timestamp with time zone,
    revoked_at timestamp with time zone,
    reason text,
    approver text
);
COMMENT ON TYPE tokbudget.grant_row IS 'a grant as tb_grants shows it; amounts in currency units for cost, in counts otherwise';
COMMENT ON COLUMN tokbudget.grant_row.budget_grant IS 'id of the grant';
COMMENT ON COLUMN tokbudget.grant_row.budget IS 'budget that it is for';
COMMENT ON COLUMN tokbudget.grant_row.account IS 'path of the budget''s account';
COMMENT ON COLUMN tokbudget.grant_row.meter IS 'what the budget limits';
COMMENT ON COLUMN tokbudget.grant_row.amount IS 'extra amount in all';
COMMENT ON COLUMN tokbudget.grant_row.spent IS 'what was spent of it';
COMMENT ON COLUMN tokbudget.grant_row.held IS 'what is held of it, by holds that have expired and not been swept too';
COMMENT ON COLUMN tokbudget.grant_row.remaining IS 'what is left of it';
COMMENT ON COLUMN tokbudget.grant_row.priority IS 'lower ones are drawn on first';
COMMENT ON COLUMN tokbudget.grant_row.valid_from IS 'first instant at which a hold may draw on it';
COMMENT ON COLUMN tokbudget.grant_row.valid_until IS 'first instant at which none may any more; NULL for never';
COMMENT ON COLUMN tokbudget.grant_row.revoked_at IS 'when it was revoked';
COMMENT ON COLUMN tokbudget.grant_row.reason IS 'why it was given';
COMMENT ON COLUMN tokbudget.grant_row.approver IS 'who approved it';

CREATE FUNCTION @extschema@.tb_grants(account text) RETURNS SETOF tokbudget.grant_row
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_grants.account);
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    RETURN QUERY
        SELECT g.grant_id, g.budget_id, below.path, budget.meter, g.amount,
            tokbudget._amount(budget.meter, COALESCE(b.spent_units, 0)), tokbudget._amount(budget.meter, COALESCE(b.held_units, 0)),
            tokbudget._amount(budget.meter, g.amount_units - COALESCE(b.spent_units, 0) - COALESCE(b.held_units, 0)),
            g.priority, g.valid_from, g.valid_until, g.revoked_at, g.reason, g.approver
        FROM tokbudget.budget_grant AS g
        JOIN tokbudget.budget ON budget.tenant_id = g.tenant_id AND budget.budget_id = g.budget_id
        JOIN tokbudget.account AS below ON below.tenant_id = g.tenant_id AND below.account_id = budget.account_id
        LEFT JOIN tokbudget._balances() AS b ON b.tenant_id = g.tenant_id AND b.budget_id = g.grant_id
        WHERE g.tenant_id = found_account.tenant_id
            AND (below.account_id = found_account.account_id OR below.ancestor_ids @> ARRAY[found_account.account_id])
        ORDER BY g.budget_id, g.priority, g.valid_until NULLS LAST, g.created_at, g.grant_id;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_grants(text) IS
    'grants on the budgets of the account and of all below it, those of a budget in the order in which they are drawn on, with what is left of each. Raises TB002 for an unknown account, TB008 for a malformed path';

SELECT pg_catalog.pg_extension_config_dump('tokbudget.budget_grant', '');
