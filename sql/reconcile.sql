-- What a provider says beside what the ledger says, and what the difference is made of.
--
-- The parts follow the variance analysis of standard costing (C. T. Horngren, Cost Accounting, chapter on flexible budgets
-- and variances): a difference of quantities is valued at the standard price, which here is the ledger's, and what is left
-- at equal quantities is a difference of price.

CREATE TYPE tokbudget.reconciliation AS (
    is_total boolean,
    day date,
    model text,
    key text,
    currency text,
    invoice_requests numeric,
    ledger_requests numeric,
    invoice_input_tokens numeric,
    ledger_input_tokens numeric,
    invoice_cache_read_input_tokens numeric,
    ledger_cache_read_input_tokens numeric,
    invoice_cache_write_input_tokens numeric,
    ledger_cache_write_input_tokens numeric,
    invoice_output_tokens numeric,
    ledger_output_tokens numeric,
    unpriced_entries bigint,
    invoice_cost numeric,
    ledger_cost numeric,
    difference numeric,
    price_difference numeric,
    not_in_ledger numeric,
    not_invoiced numeric,
    unpriced numeric,
    day_boundary numeric,
    corrections numeric,
    other_charges numeric,
    rounding numeric,
    explained numeric,
    unexplained numeric,
    price_ratio numeric,
    reason text
);
COMMENT ON TYPE tokbudget.reconciliation IS 'invoice beside ledger; the eight parts from price_difference to rounding add up to explained, and explained and unexplained to difference, exactly';
COMMENT ON COLUMN tokbudget.reconciliation.is_total IS 'whether the row is the sum of the rows before it of its currency';
COMMENT ON COLUMN tokbudget.reconciliation.day IS 'UTC day; NULL unless asked for';
COMMENT ON COLUMN tokbudget.reconciliation.model IS 'model as the price book files it, else as it is called; NULL unless asked for, and for what is charged without a model';
COMMENT ON COLUMN tokbudget.reconciliation.key IS 'key, project, workspace or user; NULL unless asked for, and where a side does not say it';
COMMENT ON COLUMN tokbudget.reconciliation.currency IS 'currency of the costs; nothing is converted';
COMMENT ON COLUMN tokbudget.reconciliation.invoice_requests IS 'calls that the provider states; NULL where it states none';
COMMENT ON COLUMN tokbudget.reconciliation.ledger_requests IS 'calls in the ledger';
COMMENT ON COLUMN tokbudget.reconciliation.invoice_input_tokens IS 'input tokens that the provider states, cached ones included; NULL where it states no tokens';
COMMENT ON COLUMN tokbudget.reconciliation.ledger_input_tokens IS 'input tokens in the ledger, cached ones included';
COMMENT ON COLUMN tokbudget.reconciliation.invoice_cache_read_input_tokens IS 'input tokens read from a cache that the provider states';
COMMENT ON COLUMN tokbudget.reconciliation.ledger_cache_read_input_tokens IS 'input tokens read from a cache in the ledger';
COMMENT ON COLUMN tokbudget.reconciliation.invoice_cache_write_input_tokens IS 'input tokens written to a cache that the provider states';
COMMENT ON COLUMN tokbudget.reconciliation.ledger_cache_write_input_tokens IS 'input tokens written to a cache in the ledger';
COMMENT ON COLUMN tokbudget.reconciliation.invoice_output_tokens IS 'output tokens that the provider states';
COMMENT ON COLUMN tokbudget.reconciliation.ledger_output_tokens IS 'output tokens in the ledger';
COMMENT ON COLUMN tokbudget.reconciliation.unpriced_entries IS 'entries of the ledger without a cost';
COMMENT ON COLUMN tokbudget.reconciliation.invoice_cost IS 'what the provider charges, in currency units; NULL, with all that follows from it, where only usage was loaded';
COMMENT ON COLUMN tokbudget.reconciliation.ledger_cost IS 'provider''s cost in the ledger with every correction of it, in currency units; a correction counts with the entry that it corrects';
COMMENT ON COLUMN tokbudget.reconciliation.difference IS 'invoice_cost less ledger_cost, in currency units';
COMMENT ON COLUMN tokbudget.reconciliation.price_difference IS 'the same quantities at another unit price, in currency units; only where the provider states quantities and the ledger has prices';
COMMENT ON COLUMN tokbudget.reconciliation.not_in_ledger IS 'charged and not in the ledger: calls that went past it, in currency units, at the ledger''s price where it has one';
COMMENT ON COLUMN tokbudget.reconciliation.not_invoiced IS 'in the ledger and not charged, in currency units; zero or negative where costs are positive';
COMMENT ON COLUMN tokbudget.reconciliation.unpriced IS 'charged for calls that the ledger has without a cost, in currency units';
COMMENT ON COLUMN tokbudget.reconciliation.day_boundary IS 'at most what calls can account for that began before the period and were recorded in it (negative), or began in it and were recorded after it, in currency units; over all days those within cancel out';
COMMENT ON COLUMN tokbudget.reconciliation.corrections IS 'adjustments and refunds in the ledger that the provider does not share, in currency units';
COMMENT ON COLUMN tokbudget.reconciliation.other_charges IS 'tax, credits, adjustments, purchases, and usage that is charged without a model, in currency units';
COMMENT ON COLUMN tokbudget.reconciliation.rounding IS 'what is left and no more than half a unit of the last digit of every line and of every entry, in currency units';
COMMENT ON COLUMN tokbudget.reconciliation.explained IS 'sum of the eight parts, in currency units';
COMMENT ON COLUMN tokbudget.reconciliation.unexplained IS 'difference less explained, in currency units';
COMMENT ON COLUMN tokbudget.reconciliation.price_ratio IS 'what the provider charges over what the ledger''s prices give for the same quantities: 0.9 is ten per cent less; NULL where either is unknown';
COMMENT ON COLUMN tokbudget.reconciliation.reason IS 'the part that is largest, none where nothing differs';

CREATE FUNCTION tokbudget._canonical_model(model text, provider text, currency text) RETURNS text
    LANGUAGE c STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_canonical_model_wrapper';
COMMENT ON FUNCTION tokbudget._canonical_model(text, text, text) IS
    'internal: the name under which the price book files the model of the provider; NULL where it has no price of it in the currency';

CREATE FUNCTION tokbudget._invoice_sums(
    tenant_id integer, account_id bigint, provider text, since timestamp with time zone, until timestamp with time zone,
    by_columns text[], invoice_key text, currency text
) RETURNS TABLE (
    group_key jsonb, lines bigint, requests numeric, tokens numeric[], has_tokens boolean, cost numeric, other_cost numeric,
    tolerance numeric
)
    LANGUAGE sql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH line AS MATERIALIZED (
        SELECT (invoice_line.starts_at AT TIME ZONE 'UTC')::date AS day, invoice_line.model, invoice_line.charge, invoice.content,
            CASE _invoice_sums.invoice_key WHEN 'api_key' THEN invoice_line.api_key WHEN 'project' THEN invoice_line.project
                WHEN 'workspace' THEN invoice_line.workspace WHEN 'end_user' THEN invoice_line.end_user END AS key,
            COALESCE(invoice_line.currency, _invoice_sums.currency) AS currency, invoice_line.requests, invoice_line.cost,
            COALESCE(invoice_line.input_tokens, 0) - COALESCE(invoice_line.cache_read_input_tokens, 0)
                - COALESCE(invoice_line.cache_write_input_tokens, 0) AS uncached_tokens,
            COALESCE(invoice_line.cache_read_input_tokens, 0) AS read_tokens,
            COALESCE(invoice_line.cache_write_input_tokens, 0) AS written_tokens,
            COALESCE(invoice_line.output_tokens, 0) AS output_tokens,
            invoice_line.input_tokens IS NOT NULL OR invoice_line.output_tokens IS NOT NULL AS has_tokens
        FROM tokbudget.invoice_line
        JOIN tokbudget.invoice ON invoice.tenant_id = invoice_line.tenant_id AND invoice.invoice_id = invoice_line.invoice_id
        JOIN tokbudget.account ON account.tenant_id = invoice.tenant_id AND account.account_id = invoice.account_id
        WHERE invoice_line.tenant_id = _invoice_sums.tenant_id AND invoice_line.provider = _invoice_sums.provider
            AND invoice_line.starts_at >= _invoice_sums.since AND invoice_line.starts_at < _invoice_sums.until
            AND invoice_line.replaced_by_invoice_id IS NULL
            AND _invoice_sums.account_id = ANY (account.ancestor_ids || account.account_id)
    ), name AS MATERIALIZED (
        -- Once for every name and not for every line: what the book does not have takes long to look for.
        SELECT named.model, named.currency,
            COALESCE(tokbudget._canonical_model(named.model, _invoice_sums.provider, named.currency), named.model) AS canonical
        FROM (SELECT DISTINCT line.model, line.currency FROM line WHERE line.model IS NOT NULL) AS named
    ), counted AS (
        -- An export of costs may state tokens as well as one of usage; only one of them counts on a day.
        SELECT line.*, name.canonical,
            line.content = 'usage' OR NOT bool_or(line.content = 'usage' AND line.has_tokens) OVER (PARTITION BY line.day) AS is_counted
        FROM line LEFT JOIN name ON name.model = line.model AND name.currency = line.currency
    )
    SELECT jsonb_build_array(
            CASE WHEN 'day' = ANY (_invoice_sums.by_columns) THEN counted.day END,
            CASE WHEN 'model' = ANY (_invoice_sums.by_columns) THEN counted.canonical END,
            CASE WHEN 'key' = ANY (_invoice_sums.by_columns) THEN counted.key END, counted.currency),
        count(*) FILTER (WHERE counted.charge = 'usage'),
        sum(counted.requests) FILTER (WHERE counted.is_counted),
        ARRAY[COALESCE(sum(counted.uncached_tokens) FILTER (WHERE counted.is_counted), 0),
            COALESCE(sum(counted.read_tokens) FILTER (WHERE counted.is_counted), 0),
            COALESCE(sum(counted.written_tokens) FILTER (WHERE counted.is_counted), 0),
            COALESCE(sum(counted.output_tokens) FILTER (WHERE counted.is_counted), 0)],
        COALESCE(bool_or(counted.has_tokens AND counted.is_counted), false),
        COALESCE(sum(counted.cost) FILTER (WHERE counted.charge = 'usage'), 0),
        COALESCE(sum(counted.cost) FILTER (WHERE counted.charge <> 'usage'), 0),
        -- An amount of no decimals or one is still meant to the hundredth.
        COALESCE(sum(('5e-' || (GREATEST(scale(counted.cost), 2) + 1))::numeric) FILTER (WHERE counted.charge = 'usage' AND counted.cost IS NOT NULL), 0)
    FROM counted
    GROUP BY 1
$$;
COMMENT ON FUNCTION tokbudget._invoice_sums(integer, bigint, text, timestamp with time zone, timestamp with time zone, text[], text, text) IS
    'internal: the provider''s side of tb_reconcile; tokens are uncached input, cache reads, cache writes, output';

CREATE FUNCTION tokbudget._ledger_sums(
    tenant_id integer, account_id bigint, provider text, since timestamp with time zone, until timestamp with time zone,
    by_columns text[], ledger_key text, models text[]
) RETURNS TABLE (
    group_key jsonb, entries bigint, unpriced_entries bigint, requests numeric, tokens numeric[], priced_tokens numeric[],
    unpriced_tokens numeric[], tokens_begun_before numeric[], tokens_recorded_after numeric[], unit_prices numeric[],
    cost numeric, adjusted numeric, cost_begun_before numeric, cost_recorded_after numeric
)
    LANGUAGE sql STABLE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH correction AS (
        -- A new rating says what the entry costs; an adjustment or refund is a decision of one's own.
        SELECT entry.corrects_entry_id AS entry_id,
            sum(entry.cost) FILTER (WHERE entry.kind = 'correction') AS rerated,
            sum(entry.cost) FILTER (WHERE entry.kind <> 'correction') AS adjusted,
            (array_agg(entry.price_id ORDER BY entry.recorded_at DESC, entry.entry_id DESC) FILTER (WHERE entry.kind = 'correction'))[1] AS price_id
        FROM tokbudget.entry
        WHERE entry.tenant_id = _ledger_sums.tenant_id AND entry.corrects_entry_id IS NOT NULL AND entry.recorded_at >= _ledger_sums.since
        GROUP BY 1
    ), spent AS MATERIALIZED (
        SELECT entry.request_model, entry.response_model, entry.currency,
            CASE WHEN entry.recorded_at < _ledger_sums.until THEN CASE WHEN 'day' = ANY (_ledger_sums.by_columns)
                THEN (entry.recorded_at AT TIME ZONE 'UTC')::date ELSE (_ledger_sums.since AT TIME ZONE 'UTC')::date END END AS recorded_on,
            CASE WHEN entry.reserved_at >= _ledger_sums.since AND entry.reserved_at < _ledger_sums.until
                THEN CASE WHEN 'day' = ANY (_ledger_sums.by_columns)
                THEN (entry.reserved_at AT TIME ZONE 'UTC')::date ELSE (_ledger_sums.since AT TIME ZONE 'UTC')::date END END AS begun_on,
            CASE _ledger_sums.ledger_key WHEN 'account' THEN account.path WHEN 'cost_center' THEN entry.cost_center
                WHEN 'workflow' THEN entry.workflow WHEN 'session' THEN entry.session WHEN 'task' THEN entry.task
                WHEN 'end_user' THEN entry.end_user WHEN 'agent' THEN entry.agent
                ELSE entry.labels ->> _ledger_sums.ledger_key END AS key,
            COALESCE(correction.price_id, entry.price_id) AS price_id,
            entry.cost IS NULL AND correction.rerated IS NULL AND correction.adjusted IS NULL AS is_unpriced,
            count(*) AS entries, sum(entry.requests) AS requests,
            sum(entry.input_tokens - entry.cache_read_input_tokens - entry.cache_write_input_tokens) AS uncached,
            sum(entry.cache_read_input_tokens) AS read, sum(entry.cache_write_input_tokens) AS written, sum(entry.output_tokens) AS output,
            COALESCE(sum(entry.cost), 0) + COALESCE(sum(correction.rerated), 0) AS cost, COALESCE(sum(correction.adjusted), 0) AS adjusted
        FROM tokbudget.entry
        LEFT JOIN correction ON correction.entry_id = entry.entry_id
        LEFT JOIN tokbudget.account ON account.tenant_id = entry.tenant_id AND account.account_id = entry.account_id
        -- A call may be recorded well after it began: what began in the period is looked for up to a week later.
        WHERE entry.tenant_id = _ledger_sums.tenant_id AND entry.recorded_at >= _ledger_sums.since
            AND entry.recorded_at < _ledger_sums.until + interval '7 days'
            AND (entry.recorded_at < _ledger_sums.until OR entry.reserved_at < _ledger_sums.until)
            AND entry.corrects_entry_id IS NULL AND NOT entry.kind = ANY (ARRAY['expire', 'transfer'])
            AND array_position(entry.account_ids, _ledger_sums.account_id) <= array_position(entry.account_ids, entry.account_id)
            -- Without a price nobody knows who sold it, except by the name.
            AND (entry.provider = _ledger_sums.provider OR (entry.provider IS NULL AND entry.request_model = ANY (_ledger_sums.models)))
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
    ), name AS MATERIALIZED (
        SELECT named.request_model, named.response_model, named.currency,
            COALESCE(tokbudget._canonical_model(named.response_model, _ledger_sums.provider, named.currency),
                tokbudget._canonical_model(named.request_model, _ledger_sums.provider, named.currency),
                named.response_model, named.request_model) AS canonical
        FROM (SELECT DISTINCT spent.request_model, spent.response_model, spent.currency FROM spent) AS named
    ), priced AS (
        SELECT spent.*, name.canonical, unit.*, spent.uncached + spent.read + spent.written + spent.output AS all_tokens,
            spent.begun_on IS DISTINCT FROM spent.recorded_on AS is_across
        FROM spent
        JOIN name ON name.request_model IS NOT DISTINCT FROM spent.request_model
            AND name.response_model IS NOT DISTINCT FROM spent.response_model AND name.currency = spent.currency
        LEFT JOIN tokbudget.price ON price.price_id = spent.price_id
        CROSS JOIN LATERAL (
            SELECT (price.unit_prices ->> 'input')::numeric * 0.000001 AS uncached_price,
                COALESCE(price.unit_prices ->> 'cache_read', price.unit_prices ->> 'input')::numeric * 0.000001 AS read_price,
                COALESCE(price.unit_prices ->> 'cache_write', price.unit_prices ->> 'cache_write_5m', price.unit_prices ->> 'input')::numeric
                    * 0.000001 AS written_price,
                (price.unit_prices ->> 'output')::numeric * 0.000001 AS output_price
        ) AS unit
    ), placed AS (
        SELECT priced.*, priced.recorded_on AS day, true AS is_recorded FROM priced WHERE priced.recorded_on IS NOT NULL
        UNION ALL
        SELECT priced.*, priced.begun_on, false FROM priced WHERE priced.begun_on IS NOT NULL AND priced.is_across
    )
    SELECT jsonb_build_array(
            CASE WHEN 'day' = ANY (_ledger_sums.by_columns) THEN placed.day END,
            CASE WHEN 'model' = ANY (_ledger_sums.by_columns) THEN placed.canonical END,
            CASE WHEN 'key' = ANY (_ledger_sums.by_columns) THEN placed.key END, placed.currency),
        COALESCE(sum(placed.entries) FILTER (WHERE placed.is_recorded), 0)::bigint,
        COALESCE(sum(placed.entries) FILTER (WHERE placed.is_recorded AND placed.is_unpriced), 0)::bigint,
        COALESCE(sum(placed.requests) FILTER (WHERE placed.is_recorded), 0),
        ARRAY[COALESCE(sum(placed.uncached) FILTER (WHERE placed.is_recorded), 0), COALESCE(sum(placed.read) FILTER (WHERE placed.is_recorded), 0),
            COALESCE(sum(placed.written) FILTER (WHERE placed.is_recorded), 0), COALESCE(sum(placed.output) FILTER (WHERE placed.is_recorded), 0)],
        ARRAY[COALESCE(sum(placed.uncached) FILTER (WHERE placed.is_recorded AND NOT placed.is_unpriced), 0),
            COALESCE(sum(placed.read) FILTER (WHERE placed.is_recorded AND NOT placed.is_unpriced), 0),
            COALESCE(sum(placed.written) FILTER (WHERE placed.is_recorded AND NOT placed.is_unpriced), 0),
            COALESCE(sum(placed.output) FILTER (WHERE placed.is_recorded AND NOT placed.is_unpriced), 0)],
        ARRAY[COALESCE(sum(placed.uncached) FILTER (WHERE placed.is_recorded AND placed.is_unpriced), 0),
            COALESCE(sum(placed.read) FILTER (WHERE placed.is_recorded AND placed.is_unpriced), 0),
            COALESCE(sum(placed.written) FILTER (WHERE placed.is_recorded AND placed.is_unpriced), 0),
            COALESCE(sum(placed.output) FILTER (WHERE placed.is_recorded AND placed.is_unpriced), 0)],
        ARRAY[COALESCE(sum(placed.uncached) FILTER (WHERE placed.is_recorded AND placed.is_across AND NOT placed.is_unpriced), 0),
            COALESCE(sum(placed.read) FILTER (WHERE placed.is_recorded AND placed.is_across AND NOT placed.is_unpriced), 0),
            COALESCE(sum(placed.written) FILTER (WHERE placed.is_recorded AND placed.is_across AND NOT placed.is_unpriced), 0),
            COALESCE(sum(placed.output) FILTER (WHERE placed.is_recorded AND placed.is_across AND NOT placed.is_unpriced), 0)],
        ARRAY[COALESCE(sum(placed.uncached) FILTER (WHERE NOT placed.is_recorded AND NOT placed.is_unpriced), 0),
            COALESCE(sum(placed.read) FILTER (WHERE NOT placed.is_recorded AND NOT placed.is_unpriced), 0),
            COALESCE(sum(placed.written) FILTER (WHERE NOT placed.is_recorded AND NOT placed.is_unpriced), 0),
            COALESCE(sum(placed.output) FILTER (WHERE NOT placed.is_recorded AND NOT placed.is_unpriced), 0)],
        ARRAY[
            COALESCE(sum(placed.uncached_price * placed.uncached) / NULLIF(sum(placed.uncached) FILTER (WHERE placed.uncached_price IS NOT NULL), 0),
                sum(placed.uncached_price * placed.all_tokens) / NULLIF(sum(placed.all_tokens) FILTER (WHERE placed.uncached_price IS NOT NULL), 0)),
            COALESCE(sum(placed.read_price * placed.read) / NULLIF(sum(placed.read) FILTER (WHERE placed.read_price IS NOT NULL), 0),
                sum(placed.read_price * placed.all_tokens) / NULLIF(sum(placed.all_tokens) FILTER (WHERE placed.read_price IS NOT NULL), 0)),
            COALESCE(sum(placed.written_price * placed.written) / NULLIF(sum(placed.written) FILTER (WHERE placed.written_price IS NOT NULL), 0),
                sum(placed.written_price * placed.all_tokens) / NULLIF(sum(placed.all_tokens) FILTER (WHERE placed.written_price IS NOT NULL), 0)),
            COALESCE(sum(placed.output_price * placed.output) / NULLIF(sum(placed.output) FILTER (WHERE placed.output_price IS NOT NULL), 0),
                sum(placed.output_price * placed.all_tokens) / NULLIF(sum(placed.all_tokens) FILTER (WHERE placed.output_price IS NOT NULL), 0))],
        COALESCE(sum(placed.cost) FILTER (WHERE placed.is_recorded), 0), COALESCE(sum(placed.adjusted) FILTER (WHERE placed.is_recorded), 0),
        COALESCE(sum(placed.cost) FILTER (WHERE placed.is_recorded AND placed.is_across), 0),
        COALESCE(sum(placed.cost) FILTER (WHERE NOT placed.is_recorded), 0)
    FROM placed
    GROUP BY 1
$$;
COMMENT ON FUNCTION tokbudget._ledger_sums(integer, bigint, text, timestamp with time zone, timestamp with time zone, text[], text, text[]) IS
    'internal: the ledger''s side of tb_reconcile; arrays are by kind: uncached input, cache reads, cache writes, output; unit_prices are per token';
