-- The difference between invoice and ledger, and its parts.

CREATE FUNCTION @extschema@.tb_reconcile(
    account text,
    provider text,
    since timestamp with time zone,
    until timestamp with time zone,
    by text[] DEFAULT '{day,model}',
    invoice_key text DEFAULT 'api_key',
    ledger_key text DEFAULT 'api_key_id'
) RETURNS SETOF tokbudget.reconciliation
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account CONSTANT tokbudget.account := tokbudget._find_account(tb_reconcile.account);
    seller CONSTANT text := tokbudget._canonical_provider(tb_reconcile.provider);
    tenant_currency text;
    invoiced_models text[];
    is_invoiced boolean;
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    IF COALESCE(seller, '') = '' OR tb_reconcile.since IS NULL OR tb_reconcile.until IS NULL
        OR NOT tb_reconcile.since BETWEEN '1970-01-01 UTC' AND '9999-12-31 UTC'
        OR NOT tb_reconcile.until BETWEEN '1970-01-01 UTC' AND '9999-12-31 UTC' OR tb_reconcile.since >= tb_reconcile.until
        OR date_trunc('day', tb_reconcile.since, 'UTC') <> tb_reconcile.since OR date_trunc('day', tb_reconcile.until, 'UTC') <> tb_reconcile.until
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid period or provider',
            DETAIL = jsonb_build_object('provider', tb_reconcile.provider, 'since', tb_reconcile.since, 'until', tb_reconcile.until)::text,
            HINT = 'Name the provider, and a period from midnight UTC to a later midnight UTC between 1970 and 9999: providers invoice by UTC days.';
    END IF;
    IF tb_reconcile.by IS NULL OR NOT tb_reconcile.by <@ ARRAY['day', 'model', 'key'] OR array_ndims(tb_reconcile.by) > 1
        OR tb_reconcile.invoice_key IS NULL OR NOT tb_reconcile.invoice_key = ANY (ARRAY['api_key', 'project', 'workspace', 'end_user'])
        OR COALESCE(btrim(tb_reconcile.ledger_key), '') = ''
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid grouping',
            DETAIL = jsonb_build_object('by', tb_reconcile.by, 'invoice_key', tb_reconcile.invoice_key, 'ledger_key', tb_reconcile.ledger_key)::text,
            HINT = 'by has day, model and key; invoice_key is api_key, project, workspace or end_user; ledger_key is account, cost_center, workflow, session, task, end_user, agent or the name of another attribute.';
    END IF;
    SELECT tenant.currency INTO tenant_currency FROM tokbudget.tenant WHERE tenant.tenant_id = found_account.tenant_id;
    SELECT array_agg(DISTINCT invoice_line.model), COALESCE(bool_or(invoice_line.cost IS NOT NULL), false)
    INTO invoiced_models, is_invoiced
    FROM tokbudget.invoice_line
    JOIN tokbudget.invoice ON invoice.tenant_id = invoice_line.tenant_id AND invoice.invoice_id = invoice_line.invoice_id
    JOIN tokbudget.account AS holder ON holder.tenant_id = invoice.tenant_id AND holder.account_id = invoice.account_id
    WHERE invoice_line.tenant_id = found_account.tenant_id AND invoice_line.provider = seller
        AND invoice_line.starts_at >= tb_reconcile.since AND invoice_line.starts_at < tb_reconcile.until
        AND invoice_line.replaced_by_invoice_id IS NULL AND found_account.account_id = ANY (holder.ancestor_ids || holder.account_id);
    RETURN QUERY
    -- Materialized step by step: inlined, every step would be written out as often as the next one names it.
    WITH side AS MATERIALIZED (
        SELECT COALESCE(invoice_side.group_key, ledger_side.group_key) AS group_key,
            invoice_side.requests AS invoice_requests, ledger_side.requests AS ledger_requests,
            CASE WHEN invoice_side.has_tokens THEN invoice_side.tokens END AS invoice_tokens, ledger_side.tokens AS ledger_tokens,
            COALESCE(invoice_side.lines, 0) > 0 AS is_charged, COALESCE(ledger_side.entries, 0) > 0 AS is_spent,
            COALESCE(invoice_side.has_tokens, false) AS has_tokens,
            COALESCE(invoice_side.cost, 0) AS invoice_cost, COALESCE(invoice_side.other_cost, 0) AS other_charges,
            COALESCE(ledger_side.unpriced_entries, 0) AS unpriced_entries,
            COALESCE(ledger_side.cost, 0) AS spent_cost, COALESCE(ledger_side.adjusted, 0) AS adjusted,
            COALESCE(ledger_side.cost_begun_before, 0) AS cost_before, COALESCE(ledger_side.cost_recorded_after, 0) AS cost_after,
            COALESCE(invoice_side.tolerance, 0) + COALESCE(ledger_side.entries, 0) * 0.0000000005 AS tolerance,
            by_kind.*
        FROM tokbudget._invoice_sums(found_account.tenant_id, found_account.account_id, seller, tb_reconcile.since, tb_reconcile.until,
            tb_reconcile.by, tb_reconcile.invoice_key, tenant_currency) AS invoice_side
        FULL JOIN tokbudget._ledger_sums(found_account.tenant_id, found_account.account_id, seller, tb_reconcile.since, tb_reconcile.until,
            tb_reconcile.by, tb_reconcile.ledger_key, invoiced_models) AS ledger_side ON ledger_side.group_key = invoice_side.group_key
        CROSS JOIN LATERAL (
            -- What the provider has more (or less) of each kind: first the calls without a price, then those across the boundary.
            SELECT COALESCE(bool_or(kind.price IS NULL AND step.more <> 0), false) AS lacks_price,
                COALESCE(bool_or(kind.price IS NOT NULL), false) AS has_price,
                COALESCE(sum(kind.unpriced), 0) AS unpriced_tokens, COALESCE(sum(kind.invoiced), 0) AS invoiced_tokens,
                CASE WHEN NOT bool_or(kind.price IS NULL AND kind.unpriced > 0) THEN sum(kind.price * kind.unpriced) END AS unpriced_value,
                round(COALESCE(sum(kind.price * step.more), 0), 12) AS quantity_value,
                round(COALESCE(sum(kind.price * step.from_unpriced), 0), 12) AS kind_unpriced,
                round(COALESCE(sum(kind.price * across.tokens), 0), 12) AS kind_boundary,
                round(COALESCE(sum(kind.price * GREATEST(step.more - step.from_unpriced - across.tokens, 0)), 0), 12) AS kind_not_in_ledger,
                round(COALESCE(sum(kind.price * LEAST(step.more - step.from_unpriced - across.tokens, 0)), 0), 12) AS kind_not_invoiced
            FROM unnest(invoice_side.tokens, ledger_side.priced_tokens, ledger_side.unpriced_tokens, ledger_side.tokens_begun_before,
                ledger_side.tokens_recorded_after, ledger_side.unit_prices) AS kind (invoiced, priced, unpriced, before, after, price)
            CROSS JOIN LATERAL (
                SELECT kind.invoiced - kind.priced AS more, LEAST(kind.unpriced, GREATEST(kind.invoiced - kind.priced, 0)) AS from_unpriced
            ) AS step
            CROSS JOIN LATERAL (
                SELECT CASE WHEN step.more > 0 THEN LEAST(step.more - step.from_unpriced, kind.after)
                    ELSE -LEAST(-step.more, kind.before) END AS tokens
            ) AS across
        ) AS by_kind
    ), found AS MATERIALIZED (
        SELECT side.*, side.invoice_cost + side.other_charges - side.spent_cost - side.adjusted AS difference,
            side.is_charged AND side.is_spent AND side.has_tokens AND side.has_price AND NOT side.lacks_price AS is_comparable,
            side.invoice_cost - side.spent_cost AS gap
        FROM side
    ), parted AS MATERIALIZED (
        SELECT found.*, part.unpriced, part.not_in_ledger, part.not_invoiced,
            CASE
                WHEN found.is_comparable THEN found.kind_boundary
                WHEN found.is_charged AND found.is_spent AND part.is_all_unpriced THEN 0
                WHEN found.gap - part.unpriced > 0 THEN LEAST(found.gap - part.unpriced, found.cost_after)
                ELSE -LEAST(part.unpriced - found.gap, found.cost_before)
            END AS day_boundary,
            CASE
                WHEN found.is_comparable THEN 'price_difference'
                WHEN found.is_charged AND found.is_spent THEN CASE WHEN part.is_all_unpriced THEN 'not_in_ledger' ELSE 'unexplained' END
                WHEN found.is_spent THEN 'not_invoiced'
                WHEN 'model' = ANY (tb_reconcile.by) AND found.group_key -> 1 = 'null' THEN 'other_charges'
                ELSE 'not_in_ledger'
            END AS rest_is
        FROM found
        CROSS JOIN LATERAL (
            SELECT found.has_tokens AND found.spent_cost = 0 AND found.unpriced_entries > 0 AND found.invoiced_tokens > 0 AS is_all_unpriced
        ) AS state
        CROSS JOIN LATERAL (
            SELECT state.is_all_unpriced,
                CASE
                    WHEN found.is_comparable THEN found.kind_unpriced
                    WHEN NOT (found.is_charged AND found.is_spent) OR found.unpriced_entries = 0 OR found.gap <= 0 THEN 0
                    WHEN state.is_all_unpriced
                        THEN LEAST(found.gap, round(found.gap * found.unpriced_tokens / found.invoiced_tokens, 12))
                    ELSE LEAST(found.gap, COALESCE(NULLIF(found.unpriced_value, 0), found.gap))
                END AS unpriced,
                CASE WHEN found.is_comparable THEN found.kind_not_in_ledger ELSE 0 END AS not_in_ledger,
                CASE WHEN found.is_comparable THEN found.kind_not_invoiced ELSE 0 END AS not_invoiced
        ) AS part
    ), gross AS MATERIALIZED (
        SELECT parted.*, -parted.adjusted AS all_corrections, parted.difference - parted.other_charges + parted.adjusted - parted.unpriced
            - parted.not_in_ledger - parted.not_invoiced - parted.day_boundary AS all_rest
        FROM parted
    ), cancelled AS MATERIALIZED (
        -- A correction that the provider shares needs no explanation: it and what is left cancel out.
        SELECT gross.*,
            CASE WHEN sign(gross.all_corrections) * sign(gross.all_rest) >= 0 THEN 0
                ELSE sign(gross.all_rest) * LEAST(abs(gross.all_corrections), abs(gross.all_rest)) END AS shared
        FROM gross
    ), netted AS MATERIALIZED (
        SELECT cancelled.*, cancelled.all_corrections + cancelled.shared AS corrections,
            CASE WHEN net.is_rounding THEN 0 ELSE cancelled.all_rest - cancelled.shared END AS rest,
            CASE WHEN net.is_rounding THEN cancelled.all_rest - cancelled.shared ELSE 0 END AS rounding
        FROM cancelled
        CROSS JOIN LATERAL (
            SELECT cancelled.rest_is IN ('price_difference', 'unexplained')
                AND abs(cancelled.all_rest - cancelled.shared) <= cancelled.tolerance AS is_rounding
        ) AS net
    ), detail AS MATERIALIZED (
        SELECT false AS is_total, (netted.group_key ->> 0)::date AS day, netted.group_key ->> 1 AS model, netted.group_key ->> 2 AS key,
            netted.group_key ->> 3 AS currency, netted.invoice_requests, COALESCE(netted.ledger_requests, 0) AS ledger_requests,
            netted.invoice_tokens[1] + netted.invoice_tokens[2] + netted.invoice_tokens[3] AS invoice_input,
            COALESCE(netted.ledger_tokens[1] + netted.ledger_tokens[2] + netted.ledger_tokens[3], 0) AS ledger_input,
            netted.invoice_tokens[2] AS invoice_read, COALESCE(netted.ledger_tokens[2], 0) AS ledger_read,
            netted.invoice_tokens[3] AS invoice_written, COALESCE(netted.ledger_tokens[3], 0) AS ledger_written,
            netted.invoice_tokens[4] AS invoice_output, COALESCE(netted.ledger_tokens[4], 0) AS ledger_output,
            netted.unpriced_entries, CASE WHEN is_invoiced THEN netted.invoice_cost + netted.other_charges END AS invoice_cost,
            netted.spent_cost + netted.adjusted AS ledger_cost,
            CASE WHEN is_invoiced THEN netted.difference END AS difference,
            CASE WHEN is_invoiced THEN CASE netted.rest_is WHEN 'price_difference' THEN netted.rest ELSE 0 END END AS price_difference,
            CASE WHEN is_invoiced THEN netted.not_in_ledger + CASE netted.rest_is WHEN 'not_in_ledger' THEN netted.rest ELSE 0 END END AS not_in_ledger,
            CASE WHEN is_invoiced THEN netted.not_invoiced + CASE netted.rest_is WHEN 'not_invoiced' THEN netted.rest ELSE 0 END END AS not_invoiced,
            CASE WHEN is_invoiced THEN netted.unpriced END AS unpriced,
            CASE WHEN is_invoiced THEN netted.day_boundary END AS day_boundary,
            CASE WHEN is_invoiced THEN netted.corrections END AS corrections,
            CASE WHEN is_invoiced THEN netted.other_charges + CASE netted.rest_is WHEN 'other_charges' THEN netted.rest ELSE 0 END END AS other_charges,
            CASE WHEN is_invoiced THEN netted.rounding END AS rounding,
            CASE WHEN is_invoiced THEN CASE netted.rest_is WHEN 'unexplained' THEN netted.rest ELSE 0 END END AS unexplained,
            CASE WHEN is_invoiced AND netted.is_comparable
                THEN round(netted.invoice_cost / NULLIF(netted.spent_cost + netted.quantity_value, 0), 6) END AS price_ratio
        FROM netted
    ), shown AS (
        SELECT * FROM detail
        UNION ALL
        SELECT true, NULL, NULL, NULL, detail.currency, sum(detail.invoice_requests), sum(detail.ledger_requests), sum(detail.invoice_input),
            sum(detail.ledger_input), sum(detail.invoice_read), sum(detail.ledger_read), sum(detail.invoice_written), sum(detail.ledger_written),
            sum(detail.invoice_output), sum(detail.ledger_output), sum(detail.unpriced_entries)::bigint, sum(detail.invoice_cost),
            sum(detail.ledger_cost), sum(detail.difference), sum(detail.price_difference), sum(detail.not_in_ledger), sum(detail.not_invoiced),
            sum(detail.unpriced), sum(detail.day_boundary), sum(detail.corrections), sum(detail.other_charges), sum(detail.rounding),
            sum(detail.unexplained), NULL
        FROM detail GROUP BY detail.currency
    )
    SELECT shown.is_total, shown.day, shown.model, shown.key, shown.currency, shown.invoice_requests, shown.ledger_requests, shown.invoice_input,
        shown.ledger_input, shown.invoice_read, shown.ledger_read, shown.invoice_written, shown.ledger_written, shown.invoice_output,
        shown.ledger_output, shown.unpriced_entries, trim_scale(shown.invoice_cost), trim_scale(shown.ledger_cost), trim_scale(shown.difference),
        trim_scale(shown.price_difference), trim_scale(shown.not_in_ledger), trim_scale(shown.not_invoiced), trim_scale(shown.unpriced),
        trim_scale(shown.day_boundary), trim_scale(shown.corrections), trim_scale(shown.other_charges), trim_scale(shown.rounding),
        trim_scale(shown.difference - shown.unexplained), trim_scale(shown.unexplained), trim_scale(shown.price_ratio), largest.name
    FROM shown
    CROSS JOIN LATERAL (
        SELECT CASE WHEN part.amount <> 0 THEN part.name WHEN part.amount = 0 THEN 'none' END AS name
        FROM (VALUES (1, 'price_difference', shown.price_difference), (2, 'not_in_ledger', shown.not_in_ledger), (3, 'not_invoiced', shown.not_invoiced),
            (4, 'unpriced', shown.unpriced), (5, 'day_boundary', shown.day_boundary), (6, 'corrections', shown.corrections),
            (7, 'other_charges', shown.other_charges), (8, 'rounding', shown.rounding), (9, 'unexplained', shown.unexplained)
        ) AS part (place, name, amount)
        ORDER BY abs(part.amount) DESC, part.place LIMIT 1
    ) AS largest
    ORDER BY shown.is_total, shown.day, shown.model, shown.key, shown.currency;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_reconcile(text, text, timestamp with time zone, timestamp with time zone, text[], text, text) IS
    'what the loaded exports of a provider say beside what the ledger says, for the account and all below it, from midnight UTC to midnight UTC: by day, model and key as asked, with a total per currency, and what the difference is made of. A line counts on the day on which it begins, an entry on the day on which it was recorded; names of models are those of the price book. key is invoice_key of a line (api_key, project, workspace or end_user) and ledger_key of an entry: account, cost_center, workflow, session, task, end_user, agent or any other attribute. Raises TB002 for an unknown account, TB008 for an invalid period, provider or grouping, 42501 for a role that may not read the account';
