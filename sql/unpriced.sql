-- Usage without a price: refused, unless a tree of accounts has opted in to have it recorded and re-rated later.

CREATE FUNCTION @extschema@.tb_set_unpriced(account text, unpriced text, fallback_unit_prices jsonb DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account tokbudget.account;
    prices jsonb;
BEGIN
    IF NOT COALESCE(tb_set_unpriced.unpriced, 'refuse') = ANY (ARRAY['refuse', 'record'])
        OR (tb_set_unpriced.unpriced IS DISTINCT FROM 'record' AND tb_set_unpriced.fallback_unit_prices IS NOT NULL)
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid unpriced policy',
            DETAIL = jsonb_build_object('account', tb_set_unpriced.account, 'unpriced', tb_set_unpriced.unpriced)::text,
            HINT = 'unpriced is refuse, record, or NULL to do as the account above does; fallback_unit_prices go with record.';
    END IF;
    IF tb_set_unpriced.fallback_unit_prices IS NOT NULL THEN
        prices := tokbudget._normal_unit_prices(tb_set_unpriced.fallback_unit_prices::text);
        IF prices IS NULL THEN
            PERFORM tokbudget._raise_refusal();
        END IF;
        IF NOT (prices ? 'input' AND prices ? 'output') THEN
            RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'incomplete price',
                DETAIL = jsonb_build_object('account', tb_set_unpriced.account, 'fallback_unit_prices', prices)::text,
                HINT = 'A fallback needs a price for input and one for output.';
        END IF;
    END IF;
    found_account := tokbudget._find_account(tb_set_unpriced.account);
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    UPDATE tokbudget.account SET unpriced = tb_set_unpriced.unpriced, fallback_unit_prices = prices
    WHERE account.tenant_id = found_account.tenant_id AND account.account_id = found_account.account_id;
    PERFORM tokbudget._log_change(found_account.tenant_id, found_account.account_id, 'account', found_account.account_id,
        'set_unpriced',
        jsonb_strip_nulls(jsonb_build_object('unpriced', found_account.unpriced,
            'fallback_unit_prices', found_account.fallback_unit_prices)),
        jsonb_strip_nulls(jsonb_build_object('unpriced', tb_set_unpriced.unpriced, 'fallback_unit_prices', prices)),
        NULL);
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_set_unpriced(text, text, jsonb) IS
    'says what happens to usage of the account and all below it that no price covers: refuse (the default) or record, which books it without a cost, to be re-rated once there is a price; NULL does as the account above. Budgets in cost count recorded usage at fallback_unit_prices, an object with input and output per 1,000,000 tokens, and refuse it without. Raises TB002 for an unknown account, TB008 for an invalid policy or price, 42501 for a role that does not administer the account';

CREATE VIEW tokbudget.unpriced WITH (security_barrier) AS
WITH shown AS MATERIALIZED (
    SELECT present_access.tenant_id, present_access.account_id FROM tokbudget.present_access
    WHERE present_access.privilege OPERATOR(pg_catalog.=) ANY (ARRAY['read', 'audit', 'administer'])
)
SELECT
    tenant.name AS tenant,
    account.path AS account,
    entry.provider,
    entry.request_model AS model,
    pg_catalog.count(*) AS entries,
    pg_catalog.sum(entry.input_tokens) AS input_tokens,
    pg_catalog.sum(entry.output_tokens) AS output_tokens,
    pg_catalog.min(entry.recorded_at) AS first_recorded_at,
    pg_catalog.max(entry.recorded_at) AS last_recorded_at,
    pg_catalog.bool_or(COALESCE(latest.flags, entry.flags) OPERATOR(pg_catalog.&&) ARRAY['unpriced']) AS is_cost_missing,
    pg_catalog.bool_or(COALESCE(latest.flags, entry.flags) OPERATOR(pg_catalog.&&) ARRAY['unpriced_meters']) AS is_meter_unpriced
FROM tokbudget.entry
LEFT JOIN tokbudget.account
    ON account.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
    AND account.account_id OPERATOR(pg_catalog.=) entry.account_id
LEFT JOIN tokbudget.tenant ON tenant.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
LEFT JOIN LATERAL (
    SELECT correction.flags FROM tokbudget.entry AS correction
    WHERE correction.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
        AND correction.corrects_entry_id OPERATOR(pg_catalog.=) entry.entry_id
    ORDER BY correction.recorded_at DESC, correction.entry_id DESC
    LIMIT 1
) AS latest ON true
WHERE entry.kind OPERATOR(pg_catalog.=) ANY (ARRAY['commit', 'charge'])
    AND COALESCE(latest.flags, entry.flags) OPERATOR(pg_catalog.&&) ARRAY['unpriced', 'unpriced_meters']
    AND ((SELECT tokbudget._is_owner()) OR EXISTS (
        SELECT FROM shown
        WHERE shown.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
            AND pg_catalog.array_position(entry.account_ids, shown.account_id)
                OPERATOR(pg_catalog.<=) pg_catalog.array_position(entry.account_ids, entry.account_id)
    ))
GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW tokbudget.unpriced IS 'usage that was recorded without its full cost and not re-rated since; as in chargeback, everyone sees what they may read';
COMMENT ON COLUMN tokbudget.unpriced.tenant IS 'root account';
COMMENT ON COLUMN tokbudget.unpriced.account IS 'account that spent';
COMMENT ON COLUMN tokbudget.unpriced.provider IS 'who sold it, as far as it is known';
COMMENT ON COLUMN tokbudget.unpriced.model IS 'model that was asked for';
COMMENT ON COLUMN tokbudget.unpriced.entries IS 'entries of the ledger';
COMMENT ON COLUMN tokbudget.unpriced.input_tokens IS 'all input tokens, those read from or written to a cache included';
COMMENT ON COLUMN tokbudget.unpriced.output_tokens IS 'all output tokens, reasoning included';
COMMENT ON COLUMN tokbudget.unpriced.first_recorded_at IS 'when the first of them was written';
COMMENT ON COLUMN tokbudget.unpriced.last_recorded_at IS 'when the last of them was written';
COMMENT ON COLUMN tokbudget.unpriced.is_cost_missing IS 'whether some of them have no cost at all';
COMMENT ON COLUMN tokbudget.unpriced.is_meter_unpriced IS 'whether some of them used a meter that has no price';

CREATE VIEW tokbudget.reported_cost WITH (security_barrier) AS
WITH shown AS MATERIALIZED (
    SELECT present_access.tenant_id, present_access.account_id FROM tokbudget.present_access
    WHERE present_access.privilege OPERATOR(pg_catalog.=) ANY (ARRAY['read', 'audit', 'administer'])
)
SELECT
    entry.recorded_at,
    tenant.name AS tenant,
    account.path AS account,
    entry.provider,
    entry.request_model AS model,
    entry.cost,
    entry.reported_cost,
    entry.reported_cost OPERATOR(pg_catalog.-) entry.cost AS difference,
    entry.currency,
    entry.price_id,
    entry.entry_id
FROM tokbudget.entry
LEFT JOIN tokbudget.account
    ON account.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
    AND account.account_id OPERATOR(pg_catalog.=) entry.account_id
LEFT JOIN tokbudget.tenant ON tenant.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
WHERE entry.reported_cost IS NOT NULL
    AND ((SELECT tokbudget._is_owner()) OR EXISTS (
        SELECT FROM shown
        WHERE shown.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
            AND pg_catalog.array_position(entry.account_ids, shown.account_id)
                OPERATOR(pg_catalog.<=) pg_catalog.array_position(entry.account_ids, entry.account_id)
    ));
COMMENT ON VIEW tokbudget.reported_cost IS 'entries for which the provider itself stated a cost, beside the one computed; as in chargeback, everyone sees what they may read';
COMMENT ON COLUMN tokbudget.reported_cost.recorded_at IS 'when the entry was written';
COMMENT ON COLUMN tokbudget.reported_cost.tenant IS 'root account';
COMMENT ON COLUMN tokbudget.reported_cost.account IS 'account that spent';
COMMENT ON COLUMN tokbudget.reported_cost.provider IS 'who sold it';
COMMENT ON COLUMN tokbudget.reported_cost.model IS 'model that was asked for';
COMMENT ON COLUMN tokbudget.reported_cost.cost IS 'cost computed from the price book, in currency units; NULL without a price';
COMMENT ON COLUMN tokbudget.reported_cost.reported_cost IS 'cost that the provider stated, in its own currency, US dollars for all that are known to state one';
COMMENT ON COLUMN tokbudget.reported_cost.difference IS 'reported less computed cost';
COMMENT ON COLUMN tokbudget.reported_cost.currency IS 'currency of the computed cost, ISO 4217';
COMMENT ON COLUMN tokbudget.reported_cost.price_id IS 'version of the price that the cost was computed with';
COMMENT ON COLUMN tokbudget.reported_cost.entry_id IS 'entry of the ledger';

CREATE TYPE tokbudget.rerated AS (
    entry uuid,
    account text,
    model text,
    old_cost numeric,
    new_cost numeric,
    currency text,
    correction uuid
);
COMMENT ON TYPE tokbudget.rerated IS 'an entry whose cost was corrected';
COMMENT ON COLUMN tokbudget.rerated.entry IS 'entry that was wrong';
COMMENT ON COLUMN tokbudget.rerated.account IS 'account that spent';
COMMENT ON COLUMN tokbudget.rerated.model IS 'model that was asked for';
COMMENT ON COLUMN tokbudget.rerated.old_cost IS 'cost with all corrections before; NULL for none';
COMMENT ON COLUMN tokbudget.rerated.new_cost IS 'cost with this correction';
COMMENT ON COLUMN tokbudget.rerated.currency IS 'currency of the cost, ISO 4217';
COMMENT ON COLUMN tokbudget.rerated.correction IS 'entry that was added; NULL in a dry run';

CREATE FUNCTION tokbudget._rerate(
    account text, model text, since timestamp with time zone, until timestamp with time zone, batch_size integer, dry_run boolean,
    include_priced boolean
) RETURNS SETOF tokbudget.rerated
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_rerate_wrapper';
COMMENT ON FUNCTION tokbudget._rerate(text, text, timestamp with time zone, timestamp with time zone, integer, boolean, boolean) IS
    'internal: tb_rerate, no row and a refusal put aside when refused';

CREATE FUNCTION @extschema@.tb_rerate(
    account text,
    model text DEFAULT NULL,
    since timestamp with time zone DEFAULT '-infinity',
    until timestamp with time zone DEFAULT 'infinity',
    batch_size integer DEFAULT 10000,
    dry_run boolean DEFAULT false,
    include_priced boolean DEFAULT false
) RETURNS SETOF tokbudget.rerated
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT * FROM tokbudget._rerate(account, model, since, until, batch_size, dry_run, include_priced);
    IF NOT FOUND AND tokbudget._is_refused() THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_rerate(text, text, timestamp with time zone, timestamp with time zone, integer, boolean, boolean) IS
    'adds a correction for every entry of the account and all below it that was recorded without a price, or with one that has been superseded or ended before the call since, as far as there is a price now that held when the call was made; budgets follow, in the windows of the call. include_priced => true looks at every other entry too, for a price or a rate that was set later and wins. Again it finds nothing more to do. Adds up to batch_size corrections, oldest entries first; dry_run only says what it would do. Raises TB002 for an unknown account, TB008 for an invalid argument, 42501 for a role that does not administer the account';
