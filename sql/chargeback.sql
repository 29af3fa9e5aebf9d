-- The read side for analysts: who spent what on what, by calendar month.

-- Who reads a view calls the functions in it himself: this one shows him no more than the view does.
CREATE FUNCTION tokbudget._shown_tail() RETURNS SETOF tokbudget.usage_fact
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY
    SELECT fact.* FROM tokbudget._usage_tail(NULL) AS fact
    WHERE tokbudget._is_owner() OR EXISTS (
        SELECT FROM tokbudget.present_access
        WHERE present_access.tenant_id = fact.tenant_id AND present_access.account_id = ANY (fact.account_ids)
            AND present_access.privilege = ANY (ARRAY['read', 'audit', 'administer'])
    );
END;
$$;
COMMENT ON FUNCTION tokbudget._shown_tail() IS 'internal: what the roll-ups do not cover yet, as far as the present role may read it';

CREATE VIEW tokbudget.chargeback WITH (security_barrier) AS
WITH shown AS MATERIALIZED (
    SELECT present_access.tenant_id, present_access.account_id FROM tokbudget.present_access
    WHERE present_access.privilege OPERATOR(pg_catalog.=) ANY (ARRAY['read', 'audit', 'administer'])
)
SELECT
    pg_catalog.timezone('UTC', spent.bucket_start)::pg_catalog.date AS period,
    tenant.name AS tenant,
    account.path AS account,
    spent.cost_center,
    spent.provider,
    spent.model,
    spent.operation,
    pg_catalog.sum(spent.requests) AS requests,
    pg_catalog.sum(spent.input_tokens) AS input_tokens,
    pg_catalog.sum(spent.cache_read_input_tokens) AS cache_read_input_tokens,
    pg_catalog.sum(spent.cache_write_input_tokens) AS cache_write_input_tokens,
    pg_catalog.sum(spent.output_tokens) AS output_tokens,
    pg_catalog.sum(spent.reasoning_output_tokens) AS reasoning_output_tokens,
    pg_catalog.sum(spent.cost) AS cost,
    spent.currency,
    pg_catalog.sum(spent.unpriced_entries)::pg_catalog.int8 AS unpriced_entries,
    pg_catalog.sum(spent.internal_cost) AS internal_cost,
    pg_catalog.sum(spent.reported_cost) AS reported_cost
FROM (
    SELECT usage.tenant_id, usage.bucket_start, usage.account_ids, usage.cost_center, usage.currency, usage.provider,
        usage.model, usage.operation, usage.requests, usage.input_tokens, usage.cache_read_input_tokens,
        usage.cache_write_input_tokens, usage.output_tokens, usage.reasoning_output_tokens, usage.cost, usage.internal_cost,
        usage.reported_cost, usage.unpriced_entries
    FROM tokbudget.facet_usage AS usage
    WHERE usage.facet OPERATOR(pg_catalog.=) 'model' AND usage.grain OPERATOR(pg_catalog.=) 'month'
    UNION ALL
    SELECT tail.tenant_id, pg_catalog.date_trunc('month', tail.hour, 'UTC'), tail.account_ids, tail.cost_center, tail.currency,
        tail.provider, tail.model, tail.operation, tail.requests, tail.input_tokens, tail.cache_read_input_tokens,
        tail.cache_write_input_tokens, tail.output_tokens, tail.reasoning_output_tokens, tail.cost, tail.internal_cost,
        tail.reported_cost, tail.unpriced_entries
    FROM tokbudget._shown_tail() AS tail
) AS spent
-- LEFT, so that no spend ever vanishes from a report, whatever somebody did to the tables by hand.
LEFT JOIN tokbudget.account
    ON account.tenant_id OPERATOR(pg_catalog.=) spent.tenant_id
    AND account.account_id OPERATOR(pg_catalog.=) spent.account_ids[pg_catalog.cardinality(spent.account_ids)]
LEFT JOIN tokbudget.tenant ON tenant.tenant_id OPERATOR(pg_catalog.=) spent.tenant_id
-- Who does not see everything sees what accounts spent that were below one of theirs when they spent it.
WHERE (SELECT tokbudget._is_owner()) OR EXISTS (
    SELECT FROM shown
    WHERE shown.tenant_id OPERATOR(pg_catalog.=) spent.tenant_id
        AND shown.account_id OPERATOR(pg_catalog.=) ANY (spent.account_ids)
)
GROUP BY 1, 2, 3, 4, 5, 6, 7, spent.currency;
COMMENT ON VIEW tokbudget.chargeback IS 'spend by month (UTC), account, cost center, provider, model and operation; a role that is neither superuser nor owner of the extension sees what was spent below the accounts that it may read, audit or administer';
COMMENT ON COLUMN tokbudget.chargeback.period IS 'first day of the calendar month, UTC, in which the entry was recorded';
COMMENT ON COLUMN tokbudget.chargeback.tenant IS 'root account';
COMMENT ON COLUMN tokbudget.chargeback.cost_center IS 'where the spend is charged';
COMMENT ON COLUMN tokbudget.chargeback.provider IS 'who sold the tokens';
COMMENT ON COLUMN tokbudget.chargeback.model IS 'model that was asked for';
COMMENT ON COLUMN tokbudget.chargeback.operation IS 'chat, embeddings and the like, where the caller said so';
COMMENT ON COLUMN tokbudget.chargeback.requests IS 'calls';
COMMENT ON COLUMN tokbudget.chargeback.cache_read_input_tokens IS 'input tokens read from a cache';
COMMENT ON COLUMN tokbudget.chargeback.cache_write_input_tokens IS 'input tokens written to a cache';
COMMENT ON COLUMN tokbudget.chargeback.reasoning_output_tokens IS 'output tokens spent on reasoning';
COMMENT ON COLUMN tokbudget.chargeback.currency IS 'currency of the cost, ISO 4217';
COMMENT ON COLUMN tokbudget.chargeback.account IS 'account that spent; an account above it is not counted again';
COMMENT ON COLUMN tokbudget.chargeback.input_tokens IS 'all input tokens, those read from or written to a cache included';
COMMENT ON COLUMN tokbudget.chargeback.output_tokens IS 'all output tokens, reasoning included';
COMMENT ON COLUMN tokbudget.chargeback.cost IS 'sum of the entries'' costs in currency units; NULL when none is priced';
COMMENT ON COLUMN tokbudget.chargeback.unpriced_entries IS 'entries without a cost and not re-rated since, which the sum leaves out';
COMMENT ON COLUMN tokbudget.chargeback.internal_cost IS 'sum of what the accounts are charged at their internal rates';
COMMENT ON COLUMN tokbudget.chargeback.reported_cost IS 'sum of the costs that providers stated themselves; NULL when none did';
