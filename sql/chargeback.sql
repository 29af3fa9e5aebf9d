-- The read side for analysts: who spent what on what, by calendar month.

CREATE VIEW tokbudget.chargeback WITH (security_barrier) AS
WITH shown AS MATERIALIZED (
    SELECT present_access.tenant_id, present_access.account_id FROM tokbudget.present_access
    WHERE present_access.privilege OPERATOR(pg_catalog.=) ANY (ARRAY['read', 'audit', 'administer'])
)
SELECT
    pg_catalog.date_trunc('month', pg_catalog.timezone('UTC', entry.recorded_at))::pg_catalog.date AS period,
    tenant.name AS tenant,
    account.path AS account,
    entry.cost_center,
    entry.provider,
    entry.request_model AS model,
    entry.operation,
    pg_catalog.sum(entry.requests) AS requests,
    pg_catalog.sum(entry.input_tokens) AS input_tokens,
    pg_catalog.sum(entry.cache_read_input_tokens) AS cache_read_input_tokens,
    pg_catalog.sum(entry.cache_write_input_tokens) AS cache_write_input_tokens,
    pg_catalog.sum(entry.output_tokens) AS output_tokens,
    pg_catalog.sum(entry.reasoning_output_tokens) AS reasoning_output_tokens,
    pg_catalog.sum(entry.cost) AS cost,
    entry.currency,
    pg_catalog.count(*) FILTER (
        WHERE entry.cost IS NULL AND NOT EXISTS (
            SELECT FROM tokbudget.entry AS correction
            WHERE correction.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
                AND correction.corrects_entry_id OPERATOR(pg_catalog.=) entry.entry_id
        )
    ) AS unpriced_entries,
    pg_catalog.sum(entry.internal_cost) AS internal_cost,
    pg_catalog.sum(entry.reported_cost) AS reported_cost
-- LEFT, so that no spend ever vanishes from a report, whatever somebody did to the tables by hand.
FROM tokbudget.entry
LEFT JOIN tokbudget.account
    ON account.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
    AND account.account_id OPERATOR(pg_catalog.=) entry.account_id
LEFT JOIN tokbudget.tenant ON tenant.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
-- Who does not see everything sees what accounts spent that were below one of theirs when they spent it.
WHERE ((SELECT tokbudget._is_owner()) OR EXISTS (
    SELECT FROM shown
    WHERE shown.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
        AND pg_catalog.array_position(entry.account_ids, shown.account_id)
            OPERATOR(pg_catalog.<=) pg_catalog.array_position(entry.account_ids, entry.account_id)
))
-- Those two spend nothing and only move or return what was counted.
AND NOT entry.kind OPERATOR(pg_catalog.=) ANY (ARRAY['expire', 'transfer'])
GROUP BY 1, 2, 3, 4, 5, 6, 7, entry.currency;
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
