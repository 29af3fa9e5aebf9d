-- Renaming and moving: the paths of a whole subtree change in one step, the ids never. Entries and open reservations keep the
-- ids of the chain in which they were made, so they stay where they are and settle against the budgets they were held on;
-- whatever comes later has the new chain.
--
-- Locks are taken in one order: tenant, then accounts. Whoever renames or moves locks the tenant's row FOR UPDATE, whoever
-- creates FOR KEY SHARE (tokbudget._make_accounts), so neither sees the tree while the other changes it. The row is changed
-- too: who creates with a snapshot from before the change fails with 40001 instead of adding to a place that is no more.

CREATE FUNCTION tokbudget._lock_tree(account text) RETURNS tokbudget.account
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    chain text[] := tokbudget._account_chain(_lock_tree.account);
    root_id integer;
BEGIN
    IF chain IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    -- With an older snapshot it would leave behind what others have created below since.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION USING ERRCODE = 'TB011', MESSAGE = 'isolation level is not supported',
            DETAIL = jsonb_build_object('transaction_isolation', current_setting('transaction_isolation'),
                'supported', jsonb_build_array('read committed'))::text,
            HINT = 'Rename and move accounts in a transaction of their own.';
    END IF;
    SELECT tenant.tenant_id INTO root_id FROM tokbudget.tenant WHERE tenant.name = chain[1] FOR UPDATE;
    UPDATE tokbudget.tenant SET tree_changed_at = tokbudget._now() WHERE tenant.tenant_id = root_id;
    RETURN tokbudget._find_account(_lock_tree.account);
END;
$$;
COMMENT ON FUNCTION tokbudget._lock_tree(text) IS
    'internal: the account of that path, with the shape of its tenant''s tree locked; raises TB002 for an unknown one, TB008 for a malformed path, TB011 above READ COMMITTED';

CREATE FUNCTION tokbudget._relocate_account(account tokbudget.account, parent tokbudget.account, path text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    old_path CONSTANT text := (_relocate_account.account).path;
    depth CONSTANT integer := cardinality((_relocate_account.account).ancestor_ids);
    new_ancestor_ids bigint[] := '{}';
    below text;
BEGIN
    IF (_relocate_account.parent).account_id IS NOT NULL THEN
        new_ancestor_ids := (_relocate_account.parent).ancestor_ids || (_relocate_account.parent).account_id;
    END IF;
    IF EXISTS (SELECT FROM tokbudget.account
               WHERE account.tenant_id = (_relocate_account.account).tenant_id AND account.path = _relocate_account.path)
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'account exists',
            DETAIL = jsonb_build_object('account', old_path, 'path', _relocate_account.path)::text,
            HINT = 'Choose another name, or rename the account that has it.';
    END IF;
    -- A slash is followed by 0 in byte order.
    FOR below IN
        SELECT account.path FROM tokbudget.account
        WHERE account.tenant_id = (_relocate_account.account).tenant_id
            AND (account.path = old_path OR account.path >= old_path || '/' AND account.path < old_path || '0')
    LOOP
        IF tokbudget._account_chain(_relocate_account.path || substr(below, char_length(old_path) + 1)) IS NULL THEN
            PERFORM tokbudget._raise_refusal();
        END IF;
    END LOOP;
    UPDATE tokbudget.account SET
        path = _relocate_account.path || substr(account.path, char_length(old_path) + 1),
        parent_id = CASE WHEN account.account_id = (_relocate_account.account).account_id
                         THEN (_relocate_account.parent).account_id ELSE account.parent_id END,
        ancestor_ids = new_ancestor_ids || account.ancestor_ids[depth + 1:]
    WHERE account.tenant_id = (_relocate_account.account).tenant_id
        AND (account.path = old_path OR account.path >= old_path || '/' AND account.path < old_path || '0');
END;
$$;
COMMENT ON FUNCTION tokbudget._relocate_account(tokbudget.account, tokbudget.account, text) IS
    'internal: gives an account a new path and all below it with it; raises TB008 if the path is taken or one of them would be malformed';

CREATE FUNCTION @extschema@.tb_rename_account(account text, name text, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    names text[] := tokbudget._account_chain(tb_rename_account.name);
    found_account tokbudget.account;
    parent_account tokbudget.account;
    new_path text := tb_rename_account.name;
BEGIN
    IF names IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    IF cardinality(names) <> 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid account name',
            DETAIL = jsonb_build_object('account', tb_rename_account.account, 'name', tb_rename_account.name)::text,
            HINT = 'A name has no slash; tb_move_account() puts an account elsewhere.';
    END IF;
    PERFORM tokbudget._check_reason(tb_rename_account.account, tb_rename_account.reason);
    found_account := tokbudget._lock_tree(tb_rename_account.account);
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    IF found_account.parent_id IS NOT NULL THEN
        SELECT account.* INTO STRICT parent_account FROM tokbudget.account
        WHERE account.tenant_id = found_account.tenant_id AND account.account_id = found_account.parent_id;
        new_path := parent_account.path || '/' || tb_rename_account.name;
    END IF;
    IF new_path = found_account.path THEN
        RETURN;
    END IF;
    IF found_account.parent_id IS NULL THEN
        -- The names of tenants belong to nobody's tree.
        PERFORM tokbudget._require_creation(names);
        -- Only the key knows what another session is naming its tenant at the same time.
        BEGIN
            UPDATE tokbudget.tenant SET name = new_path WHERE tenant.tenant_id = found_account.tenant_id;
        EXCEPTION WHEN unique_violation THEN
            RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'account exists',
                DETAIL = jsonb_build_object('account', found_account.path, 'path', new_path)::text,
                HINT = 'Choose another name, or rename the account that has it.';
        END;
    END IF;
    PERFORM tokbudget._relocate_account(found_account, parent_account, new_path);
    PERFORM tokbudget._log_change(found_account.tenant_id, found_account.account_id, 'account', found_account.account_id,
        'rename', jsonb_build_object('path', found_account.path), jsonb_build_object('path', new_path), tb_rename_account.reason);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_rename_account(text, text, text) IS
    'gives an account another name, the last of its path; the paths of all below it follow, ids and history stay. Renaming the root renames the tenant. A closed account can be renamed too, which frees its name. Waits for whoever is creating accounts in the tenant. Raises TB002 for an unknown account, TB008 for a malformed name, one that is taken or without a reason, TB011 above READ COMMITTED, 42501 for a role that does not administer the account or, for a root, may not create one';

CREATE FUNCTION @extschema@.tb_move_account(account text, parent text, reason text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    parent_chain text[] := tokbudget._account_chain(tb_move_account.parent);
    chain text[];
    found_account tokbudget.account;
    parent_account tokbudget.account;
    inactive_account tokbudget.account;
    new_path text;
BEGIN
    IF parent_chain IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    chain := tokbudget._account_chain(tb_move_account.account);
    IF chain IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    PERFORM tokbudget._check_reason(tb_move_account.account, tb_move_account.reason);
    IF chain[1] <> parent_chain[1] OR cardinality(chain) = 1 OR tb_move_account.account = ANY (parent_chain) THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'account cannot be moved there',
            DETAIL = jsonb_build_object('account', tb_move_account.account, 'parent', tb_move_account.parent,
                'why', CASE WHEN chain[1] <> parent_chain[1] THEN 'another tenant'
                            WHEN cardinality(chain) = 1 THEN 'it is a root'
                            ELSE 'it would be below itself' END)::text,
            HINT = 'The new parent is an account of the same tenant that is not the account itself nor below it.';
    END IF;
    found_account := tokbudget._lock_tree(tb_move_account.account);
    parent_account := tokbudget._find_account(tb_move_account.parent);
    -- On both places: whoever administers the account alone could take it out from under the budgets above it.
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids, 'administer');
    PERFORM tokbudget._require_access(parent_account.tenant_id, parent_account.ancestor_ids || parent_account.account_id, 'administer');
    IF found_account.parent_id = parent_account.account_id THEN
        RETURN;
    END IF;
    PERFORM tokbudget._check_open(found_account);
    PERFORM tokbudget._check_open(parent_account);
    -- Or whoever may move it could walk out of a freeze.
    SELECT account.* INTO inactive_account FROM tokbudget.account
    WHERE account.tenant_id = found_account.tenant_id AND account.account_id = ANY (found_account.ancestor_ids)
        AND account.status <> 'active' AND NOT account.account_id = ANY (parent_account.ancestor_ids || parent_account.account_id)
    ORDER BY cardinality(account.ancestor_ids)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TB009',
            MESSAGE = format('account "%s" is %s', inactive_account.path, inactive_account.status),
            DETAIL = jsonb_build_object('account', inactive_account.path, 'status', inactive_account.status,
                'why', inactive_account.status_reason)::text,
            HINT = 'Nothing is moved out of a frozen account; tb_thaw() ends a freeze.';
    END IF;
    new_path := parent_account.path || '/' || substr(found_account.path, char_length(chain[cardinality(chain) - 1]) + 2);
    PERFORM tokbudget._relocate_account(found_account, parent_account, new_path);
    PERFORM tokbudget._log_change(found_account.tenant_id, found_account.account_id, 'account', found_account.account_id,
        'move', jsonb_build_object('path', found_account.path), jsonb_build_object('path', new_path), tb_move_account.reason);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_move_account(text, text, text) IS
    'puts an account with all below it under another parent of the same tenant. Entries and open reservations stay with the budgets of the chain in which they were made; new calls count against those of the new one. Waits for whoever is creating accounts in the tenant. Raises TB002 for an unknown account, TB008 for a root, another tenant, a place below itself, a path that is taken, too long or too deep, or without a reason, TB009 out of a frozen account or out of or into a closed one, TB011 above READ COMMITTED, 42501 for a role that does not administer both the present and the new parent';
