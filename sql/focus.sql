-- Charges of the ledger for FinOps tools, by account or, for the views, by tenant and month.

CREATE FUNCTION tokbudget._focus_time(at timestamp with time zone) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT to_char(timezone('UTC', at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"') $$;
COMMENT ON FUNCTION tokbudget._focus_time(timestamp with time zone) IS 'internal: an instant as FOCUS writes it, ISO 8601 in UTC';

-- Which accounts of the tenant the present role may see the spend of, with all below them; NULL for all.
CREATE FUNCTION tokbudget._focus_accounts(tenant_id integer) RETURNS bigint[]
    LANGUAGE sql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE WHEN NOT tokbudget._is_owner() THEN ARRAY(
        SELECT DISTINCT present_access.account_id FROM tokbudget.present_access
        WHERE present_access.tenant_id = _focus_accounts.tenant_id AND present_access.privilege = ANY (ARRAY['read', 'audit', 'administer'])
    ) END
$$;
COMMENT ON FUNCTION tokbudget._focus_accounts(integer) IS
    'internal: accounts of the tenant that the present role may read, audit or administer; NULL for a role that sees everything';

-- From the index of the entries alone, so that a view asks for the months that there are and no others.
CREATE FUNCTION tokbudget._focus_months(tenant_id integer)
    RETURNS TABLE (starts_at timestamp with time zone, starts_text text, ends_text text)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    first_at timestamp with time zone;
    last_at timestamp with time zone;
BEGIN
    IF tokbudget._focus_accounts(_focus_months.tenant_id) = '{}' THEN
        RETURN;
    END IF;
    SELECT min(entry.recorded_at), max(entry.recorded_at) INTO first_at, last_at
    FROM tokbudget.entry WHERE entry.tenant_id = _focus_months.tenant_id;
    RETURN QUERY
    SELECT timezone('UTC', month.starts_at), tokbudget._focus_time(timezone('UTC', month.starts_at)),
        tokbudget._focus_time(timezone('UTC', month.starts_at + interval '1 month'))
    FROM generate_series(date_trunc('month', timezone('UTC', first_at)), timezone('UTC', last_at), interval '1 month') AS month (starts_at);
END;
$$;
COMMENT ON FUNCTION tokbudget._focus_months(integer) IS
    'internal: calendar months, UTC, from the first to the last entry of the tenant; none for a role that may see nothing of it';

CREATE FUNCTION tokbudget._focus_month(tenant_id integer, month timestamp with time zone) RETURNS SETOF tokbudget.focus_line
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT * FROM tokbudget._focus_lines(_focus_month.tenant_id, tokbudget._focus_accounts(_focus_month.tenant_id), month,
        timezone('UTC', timezone('UTC', month) + interval '1 month'));
END;
$$;
COMMENT ON FUNCTION tokbudget._focus_month(integer, timestamp with time zone) IS
    'internal: the charges of the month that begins then, as far as the present role may see them';

CREATE FUNCTION @extschema@.tb_focus(
    account text,
    since timestamp with time zone DEFAULT '-infinity',
    until timestamp with time zone DEFAULT 'infinity'
) RETURNS SETOF tokbudget.focus_line
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    found_account tokbudget.account := tokbudget._find_account(tb_focus.account);
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    PERFORM tokbudget._require_span(tb_focus.since, tb_focus.until);
    RETURN QUERY SELECT * FROM tokbudget._focus_lines(found_account.tenant_id, ARRAY[found_account.account_id], tb_focus.since, tb_focus.until);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_focus(text, timestamp with time zone, timestamp with time zone) IS
    'the charges of what the account and all below it spent, by entries recorded from since until before until: one row per account, price, kind of token and day; the same rows as the views focus_1_2 and focus_1_4, with instants and numbers as such. Raises TB002 for an unknown account, TB008 for a malformed path or an invalid period, 42501 for a role that may not read the account';
