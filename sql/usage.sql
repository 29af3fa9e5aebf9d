-- What was spent, summed by the hour, day and month: tokbudget.facet_usage by facets, which are sets of attributes that reports ask
-- for together, and tokbudget.subtree_usage for an account with all below it. An entry is added once to each facet. Who asks
-- for attributes of two facets at once is answered from the ledger.

CREATE TABLE tokbudget.facet_usage (
    tenant_id integer NOT NULL,
    facet text COLLATE pg_catalog."C" NOT NULL,
    grain text COLLATE pg_catalog."C" NOT NULL,
    bucket_start timestamp with time zone NOT NULL,
    account_id bigint NOT NULL,
    series_id uuid NOT NULL,
    is_departed boolean NOT NULL DEFAULT false,
    account_ids bigint[] NOT NULL,
    currency text NOT NULL,
    cost_center text,
    provider text,
    model text,
    operation text,
    service_tier text,
    workflow text,
    step text,
    outcome text,
    agent text,
    end_user text,
    entries bigint NOT NULL,
    requests numeric NOT NULL,
    input_tokens numeric NOT NULL,
    cache_read_input_tokens numeric NOT NULL,
    cache_write_input_tokens numeric NOT NULL,
    output_tokens numeric NOT NULL,
    reasoning_output_tokens numeric NOT NULL,
    cost numeric,
    internal_cost numeric,
    reported_cost numeric,
    unpriced_entries bigint NOT NULL,
    corrections bigint NOT NULL,
    retried_entries bigint NOT NULL,
    overrun_entries bigint NOT NULL,
    -- The account stands before the series, so that a subtree is found without a look at everybody else.
    CONSTRAINT facet_usage_pkey PRIMARY KEY (tenant_id, facet, grain, bucket_start, account_id, series_id, is_departed)
) WITH (fillfactor = 80);
-- For tokbudget.chargeback, which may be asked for a month of all tenants.
CREATE INDEX facet_usage_period_idx ON tokbudget.facet_usage ((pg_catalog.timezone('UTC', bucket_start)::pg_catalog.date))
    WHERE facet OPERATOR(pg_catalog.=) 'model' AND grain OPERATOR(pg_catalog.=) 'month';
COMMENT ON TABLE tokbudget.facet_usage IS 'roll-up of the ledger by facet and by hour, day or month, UTC; attributes that are not of the facet are NULL';
COMMENT ON COLUMN tokbudget.facet_usage.tenant_id IS 'tenant that spent';
COMMENT ON COLUMN tokbudget.facet_usage.facet IS 'account (cost center), model (provider, model, operation, service tier), work (workflow, step, outcome, agent), user (end user), each by account and cost center; tenant_model, tenant_user, tenant_work without the agent and tenant_workflow with the workflow alone are the same for the root with all below it';
COMMENT ON COLUMN tokbudget.facet_usage.grain IS 'hour, day or month';
COMMENT ON COLUMN tokbudget.facet_usage.bucket_start IS 'start of the hour, day or month in which the entries were recorded';
COMMENT ON COLUMN tokbudget.facet_usage.account_id IS 'account that spent; the root in facets of a tenant';
COMMENT ON COLUMN tokbudget.facet_usage.series_id IS 'id of all that the row is about: the first half of a SHA-256 of its accounts, currency and attributes';
COMMENT ON COLUMN tokbudget.facet_usage.is_departed IS 'sums entries of a month that has left the ledger, which nobody can sum again';
COMMENT ON COLUMN tokbudget.facet_usage.account_ids IS 'the account, last, below those above it, as they were when it spent';
COMMENT ON COLUMN tokbudget.facet_usage.currency IS 'currency of the costs, ISO 4217 or a unit of its own';
COMMENT ON COLUMN tokbudget.facet_usage.cost_center IS 'where the spend is charged';
COMMENT ON COLUMN tokbudget.facet_usage.provider IS 'who sold the tokens';
COMMENT ON COLUMN tokbudget.facet_usage.model IS 'model that was asked for';
COMMENT ON COLUMN tokbudget.facet_usage.operation IS 'attribute operation';
COMMENT ON COLUMN tokbudget.facet_usage.service_tier IS 'tier served; NULL for the standard one';
COMMENT ON COLUMN tokbudget.facet_usage.workflow IS 'attribute workflow';
COMMENT ON COLUMN tokbudget.facet_usage.step IS 'attribute step';
COMMENT ON COLUMN tokbudget.facet_usage.outcome IS 'attribute outcome';
COMMENT ON COLUMN tokbudget.facet_usage.agent IS 'attribute agent';
COMMENT ON COLUMN tokbudget.facet_usage.end_user IS 'attribute end_user';
COMMENT ON COLUMN tokbudget.facet_usage.entries IS 'entries of the ledger';
COMMENT ON COLUMN tokbudget.facet_usage.requests IS 'calls';
COMMENT ON COLUMN tokbudget.facet_usage.input_tokens IS 'all input tokens, those read from or written to a cache included';
COMMENT ON COLUMN tokbudget.facet_usage.cache_read_input_tokens IS 'input tokens read from a cache';
COMMENT ON COLUMN tokbudget.facet_usage.cache_write_input_tokens IS 'input tokens written to a cache';
COMMENT ON COLUMN tokbudget.facet_usage.output_tokens IS 'all output tokens, reasoning included';
COMMENT ON COLUMN tokbudget.facet_usage.reasoning_output_tokens IS 'output tokens spent on reasoning';
COMMENT ON COLUMN tokbudget.facet_usage.cost IS 'sum of the costs in currency units; NULL when none is priced';
COMMENT ON COLUMN tokbudget.facet_usage.internal_cost IS 'sum of what the account is charged at its internal rate; NULL when none is priced';
COMMENT ON COLUMN tokbudget.facet_usage.reported_cost IS 'sum of the costs that providers stated themselves; NULL when none did';
COMMENT ON COLUMN tokbudget.facet_usage.unpriced_entries IS 'entries without a cost and not re-rated since, which the sums of money leave out';
COMMENT ON COLUMN tokbudget.facet_usage.corrections IS 'entries that adjust, refund or re-rate an earlier one';
COMMENT ON COLUMN tokbudget.facet_usage.retried_entries IS 'calls that had been tried before (attribute retry_count)';
COMMENT ON COLUMN tokbudget.facet_usage.overrun_entries IS 'calls that used more than was held';

CREATE TABLE tokbudget.subtree_usage (
    tenant_id integer NOT NULL,
    account_id bigint NOT NULL,
    grain text COLLATE pg_catalog."C" NOT NULL,
    bucket_start timestamp with time zone NOT NULL,
    currency text COLLATE pg_catalog."C" NOT NULL,
    entries bigint NOT NULL,
    requests numeric NOT NULL,
    input_tokens numeric NOT NULL,
    cache_read_input_tokens numeric NOT NULL,
    cache_write_input_tokens numeric NOT NULL,
    output_tokens numeric NOT NULL,
    reasoning_output_tokens numeric NOT NULL,
    cost numeric,
    internal_cost numeric,
    reported_cost numeric,
    unpriced_entries bigint NOT NULL,
    corrections bigint NOT NULL,
    retried_entries bigint NOT NULL,
    overrun_entries bigint NOT NULL,
    is_departed boolean NOT NULL DEFAULT false,
    CONSTRAINT subtree_usage_pkey PRIMARY KEY (tenant_id, account_id, grain, bucket_start, currency, is_departed)
) WITH (fillfactor = 80);
COMMENT ON TABLE tokbudget.subtree_usage IS 'roll-up of the ledger by hour, day or month, UTC, for each account with all that was below it when it was spent';
COMMENT ON COLUMN tokbudget.subtree_usage.tenant_id IS 'tenant that spent';
COMMENT ON COLUMN tokbudget.subtree_usage.account_id IS 'account at the top of the subtree';
COMMENT ON COLUMN tokbudget.subtree_usage.grain IS 'hour, day or month';
COMMENT ON COLUMN tokbudget.subtree_usage.bucket_start IS 'start of the hour, day or month in which the entries were recorded';
COMMENT ON COLUMN tokbudget.subtree_usage.currency IS 'currency of the costs, ISO 4217 or a unit of its own';
COMMENT ON COLUMN tokbudget.subtree_usage.entries IS 'entries of the ledger';
COMMENT ON COLUMN tokbudget.subtree_usage.requests IS 'calls';
COMMENT ON COLUMN tokbudget.subtree_usage.input_tokens IS 'all input tokens, those read from or written to a cache included';
COMMENT ON COLUMN tokbudget.subtree_usage.cache_read_input_tokens IS 'input tokens read from a cache';
COMMENT ON COLUMN tokbudget.subtree_usage.cache_write_input_tokens IS 'input tokens written to a cache';
COMMENT ON COLUMN tokbudget.subtree_usage.output_tokens IS 'all output tokens, reasoning included';
COMMENT ON COLUMN tokbudget.subtree_usage.reasoning_output_tokens IS 'output tokens spent on reasoning';
COMMENT ON COLUMN tokbudget.subtree_usage.cost IS 'sum of the costs in currency units; NULL when none is priced';
COMMENT ON COLUMN tokbudget.subtree_usage.internal_cost IS 'sum of what the account is charged at its internal rate; NULL when none is priced';
COMMENT ON COLUMN tokbudget.subtree_usage.reported_cost IS 'sum of the costs that providers stated themselves; NULL when none did';
COMMENT ON COLUMN tokbudget.subtree_usage.unpriced_entries IS 'entries without a cost and not re-rated since, which the sums of money leave out';
COMMENT ON COLUMN tokbudget.subtree_usage.corrections IS 'entries that adjust, refund or re-rate an earlier one';
COMMENT ON COLUMN tokbudget.subtree_usage.retried_entries IS 'calls that had been tried before (attribute retry_count)';
COMMENT ON COLUMN tokbudget.subtree_usage.is_departed IS 'sums entries of a month that has left the ledger, which nobody can sum again';
COMMENT ON COLUMN tokbudget.subtree_usage.overrun_entries IS 'calls that used more than was held';

CREATE TYPE tokbudget.usage_fact AS (
    tenant_id integer,
    hour timestamp with time zone,
    account_ids bigint[],
    cost_center text,
    currency text,
    provider text,
    model text,
    operation text,
    service_tier text,
    workflow text,
    step text,
    outcome text,
    agent text,
    end_user text,
    entries bigint,
    requests bigint,
    input_tokens bigint,
    cache_read_input_tokens bigint,
    cache_write_input_tokens bigint,
    output_tokens bigint,
    reasoning_output_tokens bigint,
    cost numeric,
    internal_cost numeric,
    reported_cost numeric,
    unpriced_entries bigint,
    corrections bigint,
    retried_entries bigint,
    overrun_entries bigint
);
COMMENT ON TYPE tokbudget.usage_fact IS 'what an entry adds to the roll-ups';
COMMENT ON COLUMN tokbudget.usage_fact.tenant_id IS 'tenant that spent';
COMMENT ON COLUMN tokbudget.usage_fact.hour IS 'start of the hour in which it was recorded';
COMMENT ON COLUMN tokbudget.usage_fact.account_ids IS 'account that spent, last, below those above it';
COMMENT ON COLUMN tokbudget.usage_fact.cost_center IS 'where the spend is charged';
COMMENT ON COLUMN tokbudget.usage_fact.currency IS 'currency of the costs';
COMMENT ON COLUMN tokbudget.usage_fact.provider IS 'who sold the tokens';
COMMENT ON COLUMN tokbudget.usage_fact.model IS 'model that was asked for';
COMMENT ON COLUMN tokbudget.usage_fact.operation IS 'attribute operation';
COMMENT ON COLUMN tokbudget.usage_fact.service_tier IS 'tier served; NULL for the standard one';
COMMENT ON COLUMN tokbudget.usage_fact.workflow IS 'attribute workflow';
COMMENT ON COLUMN tokbudget.usage_fact.step IS 'attribute step';
COMMENT ON COLUMN tokbudget.usage_fact.outcome IS 'attribute outcome';
COMMENT ON COLUMN tokbudget.usage_fact.agent IS 'attribute agent';
COMMENT ON COLUMN tokbudget.usage_fact.end_user IS 'attribute end_user';
COMMENT ON COLUMN tokbudget.usage_fact.entries IS 'entries of the ledger';
COMMENT ON COLUMN tokbudget.usage_fact.requests IS 'calls';
COMMENT ON COLUMN tokbudget.usage_fact.input_tokens IS 'all input tokens, those read from or written to a cache included';
COMMENT ON COLUMN tokbudget.usage_fact.cache_read_input_tokens IS 'input tokens read from a cache';
COMMENT ON COLUMN tokbudget.usage_fact.cache_write_input_tokens IS 'input tokens written to a cache';
COMMENT ON COLUMN tokbudget.usage_fact.output_tokens IS 'all output tokens, reasoning included';
COMMENT ON COLUMN tokbudget.usage_fact.reasoning_output_tokens IS 'output tokens spent on reasoning';
COMMENT ON COLUMN tokbudget.usage_fact.cost IS 'sum of the costs in currency units; NULL when none is priced';
COMMENT ON COLUMN tokbudget.usage_fact.internal_cost IS 'sum of what the account is charged at its internal rate; NULL when none is priced';
COMMENT ON COLUMN tokbudget.usage_fact.reported_cost IS 'sum of the costs that providers stated themselves; NULL when none did';
COMMENT ON COLUMN tokbudget.usage_fact.unpriced_entries IS 'entries without a cost and not re-rated since, which the sums of money leave out';
COMMENT ON COLUMN tokbudget.usage_fact.corrections IS 'entries that adjust, refund or re-rate an earlier one';
COMMENT ON COLUMN tokbudget.usage_fact.retried_entries IS 'calls that had been tried before (attribute retry_count)';
COMMENT ON COLUMN tokbudget.usage_fact.overrun_entries IS 'calls that used more than was held';
SELECT pg_catalog.pg_extension_config_dump('tokbudget.departed_month', '');
-- What is still in the ledger is summed anew by the first refresh after a restore.
SELECT pg_catalog.pg_extension_config_dump('tokbudget.facet_usage', 'WHERE is_departed');
SELECT pg_catalog.pg_extension_config_dump('tokbudget.subtree_usage', 'WHERE is_departed');
