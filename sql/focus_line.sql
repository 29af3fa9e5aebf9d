-- The charges of a part of the ledger. Whoever calls this has checked the access to it.

CREATE FUNCTION tokbudget._focus_lines(tenant_id integer, account_ids bigint[], since timestamp with time zone, until timestamp with time zone)
    RETURNS SETOF tokbudget.focus_line
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    -- The planner expects a hundred rows of every jsonb object, and would compile for seconds what runs for milliseconds.
    SET jit = off
    AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    -- One scan gives the quantities by item and, as the item NULL, the requests and the cost of the whole group.
    WITH used AS (
        SELECT entry.account_id, entry.cost_center, entry.provider, entry.request_model, entry.service_tier, entry.operation, entry.workflow,
            entry.agent, entry.currency, entry.price_id, entry.rate_id, entry.cost IS NULL AS is_unpriced,
            CASE WHEN entry.corrects_entry_id IS NOT NULL THEN entry.kind END AS correction_kind,
            date_trunc('month', entry.recorded_at, 'UTC') AS month,
            date_trunc('day', COALESCE(tokbudget._recorded_at(entry.corrects_entry_id), entry.recorded_at), 'UTC') AS day,
            part.item, part.is_meter, part.model AS part_model, part.price_id AS item_price_id,
            sum(part.quantity) AS quantity, sum(part.cost) AS cost, sum(part.internal_cost) AS internal_cost, count(*) AS entries
        FROM tokbudget.entry
        CROSS JOIN LATERAL (
            SELECT NULL::text AS item, false AS is_meter, NULL::text AS model, entry.price_id, entry.requests::numeric AS quantity,
                entry.cost, entry.internal_cost
            UNION ALL
            SELECT bucket.key, false, NULL, entry.price_id, bucket.value::numeric, 0, 0 FROM jsonb_each_text(entry.buckets) AS bucket
            UNION ALL
            SELECT meter.key, true, NULL, COALESCE((entry.usage_details #>> ARRAY['other_prices', meter.key])::bigint, entry.price_id),
                meter.value::numeric, 0, 0
            FROM jsonb_each_text(entry.meters) AS meter
            WHERE meter.value <> '0'
            UNION ALL
            SELECT bucket.key, false, other.value ->> 'model', found.price_id, bucket.value::numeric, 0, 0
            FROM jsonb_array_elements(entry.usage_details -> 'parts') AS other
            CROSS JOIN LATERAL jsonb_each_text(other.value -> 'buckets') AS bucket
            LEFT JOIN LATERAL (
                -- The versions are filed under canonical names, the part has the one that the provider stated.
                SELECT price.price_id
                FROM jsonb_each_text(entry.usage_details -> 'other_prices') AS version
                JOIN tokbudget.price ON price.price_id = version.value::bigint AND price.provider <> 'meter'
                WHERE starts_with(other.value ->> 'model', price.model)
                    OR jsonb_array_length(entry.usage_details -> 'parts') = 1
                ORDER BY starts_with(other.value ->> 'model', price.model) DESC, length(price.model) DESC
                LIMIT 1
            ) AS found ON true
        ) AS part
        WHERE entry.tenant_id = _focus_lines.tenant_id
            AND entry.recorded_at >= _focus_lines.since AND entry.recorded_at < _focus_lines.until
            AND entry.kind <> ALL (ARRAY['expire', 'transfer'])
            AND (_focus_lines.account_ids IS NULL OR EXISTS (
                SELECT FROM unnest(_focus_lines.account_ids) AS shown (account_id)
                WHERE array_position(entry.account_ids, shown.account_id) <= array_position(entry.account_ids, entry.account_id)
            ))
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19
    ),
    unit AS (
        SELECT asked.item_price_id, asked.item, asked.is_meter, asked.day, price.provider, price.model, price.region, price.service_tier,
            price.above_input_tokens, price.minimum_charge,
            tokbudget._unit_price(price.unit_prices, COALESCE(asked.item, 'requests'), asked.is_meter, false) AS unit_price,
            tokbudget._unit_price(listed.unit_prices, COALESCE(asked.item, 'requests'), asked.is_meter, false) AS list_unit_price
        FROM (SELECT DISTINCT used.item_price_id, used.item, used.is_meter, used.day FROM used) AS asked
        JOIN tokbudget.price ON price.price_id = asked.item_price_id
        LEFT JOIN LATERAL (
            SELECT public_price.unit_prices FROM tokbudget.price AS public_price
            WHERE price.origin = 'user' AND public_price.origin <> 'user' AND public_price.superseded_at IS NULL
                AND public_price.model = price.model AND public_price.provider = price.provider
                AND public_price.currency = price.currency AND public_price.region = price.region
                AND public_price.service_tier = price.service_tier AND public_price.above_input_tokens = price.above_input_tokens
                AND public_price.effective_at <= GREATEST(price.effective_at, asked.day)
                AND (public_price.ends_at IS NULL OR public_price.ends_at > GREATEST(price.effective_at, asked.day))
            ORDER BY public_price.origin DESC
            LIMIT 1
        ) AS listed ON true
    ),
    priced AS (
        SELECT used.*, used.item IS NULL AS is_whole, unit.provider AS price_provider, unit.model AS price_model, unit.region,
            unit.service_tier AS price_tier, unit.above_input_tokens, unit.minimum_charge, unit.unit_price,
            COALESCE(unit.list_unit_price, unit.unit_price) AS list_unit_price,
            COALESCE(item.sku_meter, initcap(replace(used.item, '_', ' '))) AS sku_meter, item.token_type,
            COALESCE(item.unit, initcap(replace(used.item, '_', ' '))) AS unit, COALESCE(item.per, 1) AS per,
            used.quantity * CASE WHEN item.per = 1000000 THEN 0.000001 ELSE 1 END AS pricing_quantity, COALESCE(rate.factor, 1) AS factor,
            -- What has no price costs nothing internally either.
            CASE WHEN used.is_meter OR used.item_price_id IS NOT NULL THEN COALESCE(
                tokbudget._unit_price(rate.unit_prices, COALESCE(used.item, 'requests'), used.is_meter, true), 0) ELSE 0 END AS internal_unit_price
        FROM used
        LEFT JOIN unit ON unit.item_price_id = used.item_price_id AND unit.item IS NOT DISTINCT FROM used.item
            AND unit.is_meter = used.is_meter AND unit.day = used.day
        LEFT JOIN tokbudget._focus_items() AS item ON item.item = COALESCE(used.item, 'requests')
        LEFT JOIN tokbudget.rate ON rate.tenant_id = _focus_lines.tenant_id AND rate.rate_id = used.rate_id
    ),
    exact AS (
        SELECT priced.*, cost.exact_cost, priced.factor * cost.exact_cost + priced.internal_unit_price * priced.pricing_quantity AS exact_internal
        FROM priced
        -- A correction has the price that it should have been, and no quantities.
        CROSS JOIN LATERAL (
            SELECT CASE WHEN priced.correction_kind IS NULL THEN COALESCE(priced.unit_price, 0) * priced.pricing_quantity ELSE 0 END
        ) AS cost (exact_cost)
    ),
    summed AS (
        SELECT exact.*,
            COALESCE(sum(exact.cost) OVER whole, 0) AS total_cost, sum(exact.exact_cost) OVER whole AS exact_total,
            sum(exact.exact_cost) OVER running AS exact_until,
            COALESCE(sum(exact.internal_cost) OVER whole, 0) AS total_internal, sum(exact.exact_internal) OVER whole AS exact_internal_total,
            sum(exact.exact_internal) OVER running AS exact_internal_until,
            sum(exact.entries) FILTER (WHERE exact.is_whole) OVER whole * 0.0000000005 AS rounding_max,
            count(*) OVER whole AS lines
        FROM exact
        WINDOW whole AS (PARTITION BY exact.account_id, exact.cost_center, exact.provider, exact.request_model, exact.service_tier,
                exact.operation, exact.workflow, exact.agent, exact.currency, exact.price_id, exact.rate_id, exact.is_unpriced,
                exact.correction_kind, exact.month, exact.day),
            running AS (whole ORDER BY exact.is_whole, exact.item, exact.is_meter, exact.part_model, exact.item_price_id
                ROWS UNBOUNDED PRECEDING)
    ),
    -- What the rounding of each entry adds or takes is spread over its items in proportion to their cost. What goes beyond
    -- that, a minimum charge for instance, is no cost of an item.
    shared AS (
        SELECT summed.*,
            CASE WHEN summed.exact_total = 0 THEN 0
                WHEN abs(summed.total_cost - summed.exact_total) <= summed.rounding_max THEN summed.total_cost
                ELSE round(summed.exact_total, 9) END AS item_cost,
            CASE WHEN summed.exact_internal_total = 0 THEN 0
                WHEN abs(summed.total_internal - summed.exact_internal_total) <= summed.rounding_max THEN summed.total_internal
                ELSE round(summed.exact_internal_total, 9) END AS item_internal
        FROM summed
    ),
    line AS (
        SELECT shared.*, false AS is_rest,
            COALESCE(round(shared.item_cost * shared.exact_until / NULLIF(shared.exact_total, 0), 9)
                - round(shared.item_cost * (shared.exact_until - shared.exact_cost) / NULLIF(shared.exact_total, 0), 9), 0) AS line_cost,
            COALESCE(round(shared.item_internal * shared.exact_internal_until / NULLIF(shared.exact_internal_total, 0), 9)
                - round(shared.item_internal * (shared.exact_internal_until - shared.exact_internal)
                    / NULLIF(shared.exact_internal_total, 0), 9), 0) AS line_internal
        FROM shared
        WHERE shared.correction_kind IS NULL
            -- Requests as such are shown where they cost something, or where nothing else is known of the calls.
            AND (NOT shared.is_whole OR shared.exact_cost <> 0 OR shared.exact_internal <> 0 OR shared.lines = 1)
        UNION ALL
        SELECT shared.*, true, shared.total_cost - shared.item_cost, shared.total_internal - shared.item_internal
        FROM shared
        WHERE shared.is_whole AND (
            shared.correction_kind IS NOT NULL OR shared.total_cost <> shared.item_cost OR shared.total_internal <> shared.item_internal)
    ),
    named AS (
        SELECT line.*,
            CASE WHEN NOT line.is_rest THEN COALESCE(line.item, 'requests')
                WHEN line.correction_kind IS NOT NULL THEN NULL
                WHEN line.minimum_charge IS NOT NULL THEN 'minimum_charge'
                ELSE 'other'
            END AS line_item,
            CASE WHEN NOT line.is_rest THEN COALESCE(line.sku_meter, 'Requests')
                WHEN line.correction_kind = 'refund' THEN 'Refund'
                WHEN line.correction_kind = 'adjust' THEN 'Adjustment'
                WHEN line.correction_kind IS NOT NULL THEN 'Correction of the price'
                WHEN line.minimum_charge IS NOT NULL THEN 'Minimum charge'
                ELSE 'Other cost'
            END AS description,
            -- A meter that the model does not price has a price of its own, or none.
            line.is_meter AND (line.unit_price IS NULL OR line.price_provider = 'meter') AS is_own_meter
        FROM line
    ),
    sku AS (
        SELECT named.*,
            CASE WHEN named.is_own_meter THEN 'meter'
                ELSE COALESCE(named.price_provider, CASE WHEN named.part_model IS NULL THEN named.provider END, 'unknown')
            END AS sku_provider,
            CASE WHEN NOT named.is_own_meter THEN COALESCE(named.price_model, named.part_model, named.request_model) END AS sku_model
        FROM named
    )
    SELECT _focus_lines.tenant_id, tenant.name, sku.account_id, account.path::text, COALESCE(account.kind, 'account'), sku.cost_center,
        sku.month, sku.day,
        CASE WHEN sku.is_rest AND (sku.correction_kind IS NULL OR sku.day >= sku.month) THEN 'Adjustment' ELSE 'Usage' END,
        CASE WHEN sku.correction_kind IS NOT NULL AND sku.day < sku.month THEN 'Correction' END,
        concat_ws(', ', sku.description, sku.sku_model, NULLIF(sku.service_tier, 'standard')),
        sku.correction_kind, sku.sku_provider, sku.sku_model, sku.line_item,
        CASE WHEN NOT sku.is_rest THEN sku.description END,
        CASE WHEN NOT sku.is_rest THEN sku.token_type END,
        sku.service_tier,
        CASE WHEN NOT sku.is_rest THEN concat_ws('/', sku.sku_provider, sku.sku_model, sku.line_item) END,
        CASE WHEN NOT sku.is_rest THEN concat_ws('/', COALESCE(CASE WHEN sku.unit_price IS NOT NULL THEN sku.item_price_id::text END,
            concat_ws('/', sku.sku_provider, sku.sku_model)), sku.line_item) END,
        CASE WHEN NOT sku.is_rest AND sku.unit_price IS NOT NULL AND NOT sku.is_own_meter THEN jsonb_strip_nulls(jsonb_build_object('x_ServiceTier', sku.price_tier,
            'x_Region', NULLIF(sku.region, 'any'), 'x_AboveInputTokens', NULLIF(sku.above_input_tokens, 0))) END,
        CASE WHEN NOT sku.is_rest THEN sku.quantity END,
        CASE WHEN NOT sku.is_rest THEN sku.unit END,
        CASE WHEN NOT sku.is_rest THEN sku.pricing_quantity END,
        CASE WHEN NOT sku.is_rest THEN CASE WHEN sku.per = 1 THEN sku.unit ELSE sku.per || ' ' || sku.unit END END,
        CASE WHEN NOT sku.is_rest THEN COALESCE(sku.list_unit_price, 0) END,
        CASE WHEN NOT sku.is_rest THEN COALESCE(sku.unit_price, 0) END,
        CASE WHEN sku.is_rest THEN sku.line_cost ELSE COALESCE(sku.list_unit_price, 0) * sku.pricing_quantity END,
        CASE WHEN sku.is_rest THEN sku.line_cost ELSE sku.exact_cost END,
        sku.line_cost, sku.line_internal, sku.currency, sku.operation, sku.workflow, sku.agent,
        COALESCE(label.tags, '{}') || jsonb_strip_nulls(jsonb_build_object('cost_center', sku.cost_center, 'operation', sku.operation,
            'workflow', sku.workflow, 'agent', sku.agent)),
        sku.entries,
        NOT sku.is_rest AND sku.unit_price IS NULL AND (sku.is_unpriced OR NOT sku.is_whole)
    FROM sku
    -- LEFT, so that no spend ever vanishes from a report, whatever somebody did to the tables by hand.
    LEFT JOIN tokbudget.tenant ON tenant.tenant_id = _focus_lines.tenant_id
    LEFT JOIN tokbudget.account ON account.tenant_id = _focus_lines.tenant_id AND account.account_id = sku.account_id
    LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(label.key, CASE WHEN jsonb_typeof(label.value) IN ('array', 'object') THEN to_jsonb(label.value::text)
            ELSE label.value END) AS tags
        FROM jsonb_each(account.labels) AS label
    ) AS label ON true;
END;
$$;
COMMENT ON FUNCTION tokbudget._focus_lines(integer, bigint[], timestamp with time zone, timestamp with time zone) IS
    'internal: the charges of what accounts below account_ids spent, of the whole tenant for NULL, by entries recorded from since until before until';
