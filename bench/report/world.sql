-- Who spends, on what and when, as tables that entries.sql reads; Python's string.Template fills in what begins with a dollar.
-- Whatever looks random is a hash of a number and the seed, so that a seed always makes the same ledger.

CREATE SCHEMA generator;

-- From 0 up to but not 1.
CREATE FUNCTION generator.random(n bigint, salt bigint) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (hashint8extended(n, salt + $seed * 1000) & 9007199254740991) / 9007199254740992.0::double precision;

-- A rank from 0 up to but not ranks; as by Zipf's law, the one of rank k comes about 1 / (k + 1) as often as the first.
CREATE FUNCTION generator.zipf(random double precision, ranks bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN floor(power(ranks + 1, random))::bigint - 1;

CREATE FUNCTION generator.instant(us bigint) RETURNS timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN '1970-01-01 00:00:00+00'::timestamp with time zone + us * interval '1 microsecond';

-- As src/id.rs makes it, with a hash and the number of an entry for the random bits.
CREATE FUNCTION generator.id(tenant_id integer, us bigint, n bigint) RETURNS uuid
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (lpad(to_hex(us >> 4), 12, '0') || '8' || to_hex(us & 15) || lpad(to_hex(hashint8(n) & 255), 2, '0')
        || to_hex('-9223372036854775808'::bigint | (tenant_id::bigint << 31) | (n & 2147483647)))::uuid;

CREATE TABLE generator.tenant AS
SELECT given.*, NULL::integer AS tenant_id
FROM (VALUES
    (0, 'acme', 'USD', 0.85, 1.0),
    (1, 'globex', 'EUR', 0.10, 0.92),
    (2, 'initech', 'CREDITS', 0.05, 100.0)
) AS given (tenant, name, currency, share, currency_per_dollar);
SELECT tb_create_account(name, kind => 'organization', cost_center => 'CC-1000') FROM generator.tenant ORDER BY tenant;
SELECT tb_set_tenant(name, currency => currency) FROM generator.tenant ORDER BY tenant;
UPDATE generator.tenant SET tenant_id = made.tenant_id FROM tokbudget.tenant AS made WHERE made.name = tenant.name;

-- How many accounts of each level a tenant has; what is left are bots.
CREATE TABLE generator.size AS
SELECT tenant, tenant_id, name, accounts,
    greatest(2, round(power(accounts, 0.27)))::integer AS departments,
    greatest(4, round(power(accounts, 0.55)))::integer AS teams,
    greatest(6, round(power(accounts, 0.77)))::integer AS projects
FROM (SELECT *, greatest(20, round($accounts * share))::integer AS accounts FROM generator.tenant) AS sized;

-- Numbers of a tenant's accounts: 0 is the root, then come the departments, the teams, the projects and the bots.
CREATE TABLE generator.account AS
SELECT size.tenant, size.tenant_id, number, level, in_level,
    CASE level
        WHEN 0 THEN NULL
        WHEN 1 THEN 0
        -- Every department has a team and every team a project, and some have many.
        WHEN 2 THEN 1 + CASE WHEN in_level < departments THEN in_level ELSE generator.zipf(generator.random(number, 1), departments) END
        WHEN 3 THEN 1 + departments + CASE WHEN in_level < teams THEN in_level ELSE generator.zipf(generator.random(number, 2), teams) END
        -- Some bots belong to a team or a department itself.
        ELSE CASE
            WHEN generator.random(number, 3) < 0.80 THEN 1 + departments + teams + generator.zipf(generator.random(number, 4), projects)
            WHEN generator.random(number, 3) < 0.95 THEN 1 + departments + generator.zipf(generator.random(number, 4), teams)
            ELSE 1 + generator.zipf(generator.random(number, 4), departments)
        END
    END::integer AS parent,
    CASE level
        WHEN 0 THEN size.name
        WHEN 1 THEN (ARRAY['search', 'support', 'sales', 'finance', 'legal', 'research', 'platform', 'people', 'marketing', 'security'])[1 + in_level % 10]
            || CASE WHEN in_level < 10 THEN '' ELSE '-' || in_level / 10 + 1 END
        WHEN 2 THEN 'team-' || in_level
        WHEN 3 THEN 'project-' || in_level
        ELSE 'bot-' || in_level
    END AS name,
    (ARRAY['organization', 'department', 'team', 'project', 'agent'])[1 + level] AS kind,
    CASE
        WHEN level = 0 THEN 'CC-1000'
        WHEN level = 1 THEN 'CC-1' || in_level + 1
        WHEN level = 2 AND in_level % 3 = 0 THEN 'CC-2' || in_level
    END AS cost_center,
    NULL::bigint AS account_id, NULL::text AS path, NULL::bigint[] AS account_ids, NULL::text AS spent_cost_center,
    NULL::integer AS team
FROM generator.size
CROSS JOIN LATERAL generate_series(0, accounts - 1) AS number
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN number = 0 THEN 0
        WHEN number <= departments THEN 1
        WHEN number <= departments + teams THEN 2
        WHEN number <= departments + teams + projects THEN 3
        ELSE 4
    END
) AS on_level (level)
CROSS JOIN LATERAL (
    SELECT number - CASE level
        WHEN 0 THEN 0
        WHEN 1 THEN 1
        WHEN 2 THEN 1 + departments
        WHEN 3 THEN 1 + departments + teams
        ELSE 1 + departments + teams + projects
    END
) AS at (in_level);
ALTER TABLE generator.account ADD PRIMARY KEY (tenant, number);
ANALYZE generator.account;

UPDATE generator.account SET account_id = root.account_id, path = root.path, account_ids = ARRAY[root.account_id], spent_cost_center = account.cost_center
FROM tokbudget.account AS root
WHERE root.tenant_id = account.tenant_id AND root.parent_id IS NULL AND account.level = 0;
-- A parent's number is smaller than its children's, and its level too.
$levels
INSERT INTO tokbudget.account (tenant_id, account_id, path, parent_id, ancestor_ids, kind, cost_center)
SELECT account.tenant_id, account.account_id, account.path, parent.account_id, parent.account_ids, account.kind, account.cost_center
FROM generator.account JOIN generator.account AS parent ON parent.tenant = account.tenant AND parent.number = account.parent
ORDER BY account.tenant, account.number;

-- Departments and teams have a budget a month beside the whole company, all in cost. None refuses.
INSERT INTO tokbudget.budget (tenant_id, budget_id, account_id, meter, amount, every, hard, thresholds_percent)
SELECT account.tenant_id, ($since_us << 11) + account.tenant * 16777216 + account.number, account.account_id, 'cost',
    round(greatest(1, $entries * 0.006 * tenant.share * tenant.currency_per_dollar
        / CASE account.level WHEN 0 THEN 1 WHEN 1 THEN 0.5 * size.departments ELSE 0.3 * size.teams END))::numeric,
    'month', false, '{80, 100}'
FROM generator.account JOIN generator.tenant USING (tenant) JOIN generator.size USING (tenant)
WHERE account.level <= 2;

-- What the departments are charged: some at a discount, some with a markup.
SELECT tb_set_rate(path, factor => 0.9 + 0.1 * (in_level % 3), effective_at => to_timestamp($since_us / 1000000.0) - interval '1 day')
FROM generator.account WHERE level = 1 AND in_level % 3 <> 1 ORDER BY tenant, number;

ANALYZE tokbudget.account, tokbudget.budget, tokbudget.rate;

-- Who spends: bots and some projects and teams, but nobody in one team of 25.
CREATE TABLE generator.spender AS
WITH chosen AS (
    SELECT account.*, row_number() OVER (PARTITION BY account.tenant ORDER BY generator.random(account.number, 10), account.number) - 1 AS rank
    FROM generator.account
    WHERE (account.level = 4 OR account.level IN (2, 3) AND account.number % 10 = 0) AND COALESCE(account.team, 0) % 25 <> 24
),
drawing AS (
    -- Some draw on the team of another account too, whose path stands behind their own.
    SELECT chosen.*, chosen.account_ids
        || CASE WHEN chosen.rank % 37 = 5 THEN ARRAY(
            SELECT id FROM unnest(also.account_ids) WITH ORDINALITY AS chain (id, place)
            WHERE id <> ALL (chosen.account_ids) ORDER BY place
        ) ELSE '{}' END AS all_ids
    FROM chosen
    JOIN generator.size USING (tenant)
    JOIN generator.account AS also ON also.tenant = chosen.tenant AND also.number = 1 + size.departments + chosen.rank % size.teams
)
SELECT drawing.tenant, drawing.rank, drawing.tenant_id, drawing.account_id, drawing.path, drawing.all_ids AS account_ids, drawing.spent_cost_center,
    COALESCE(drawing.team, 0) AS team, budget.ids AS budget_ids, cardinality(budget.ids) AS budgets, rate.rate_id, COALESCE(rate.factor, 1) AS factor,
    tenant.currency
FROM drawing
JOIN generator.tenant USING (tenant)
CROSS JOIN LATERAL (
    SELECT COALESCE(array_agg(budget_id ORDER BY budget_id), '{}') FROM tokbudget.budget
    WHERE budget.tenant_id = drawing.tenant_id AND budget.account_id = ANY (drawing.all_ids)
) AS budget (ids)
LEFT JOIN tokbudget.rate ON rate.tenant_id = drawing.tenant_id AND rate.account_id = drawing.account_ids[2];
ALTER TABLE generator.spender ADD PRIMARY KEY (tenant, rank);
ALTER TABLE generator.tenant ADD COLUMN spenders bigint, ADD COLUMN team_users bigint;
UPDATE generator.tenant SET
    spenders = (SELECT count(*) FROM generator.spender WHERE spender.tenant = tenant.tenant),
    team_users = greatest(8, least(50000, $entries / 400) * share / (SELECT teams FROM generator.size WHERE size.tenant = tenant.tenant))::bigint;

-- Models of the shipped book: in turn one of each provider, the larger providers first.
CREATE TABLE generator.model AS
SELECT row_number() OVER (ORDER BY in_provider, listed DESC, provider) - 1 AS model, provider, name, price_id, unit_prices
FROM (
    SELECT price.provider, price.model AS name, price.price_id, price.unit_prices,
        row_number() OVER (PARTITION BY price.provider ORDER BY generator.random(hashtext(price.model), 20), price.model) AS in_provider,
        count(*) OVER (PARTITION BY price.provider) AS listed
    FROM tokbudget.price
    WHERE price.origin = 'book' AND price.currency = 'USD' AND price.region = 'any' AND price.service_tier = 'standard' AND price.above_input_tokens = 0
        AND price.ends_at IS NULL AND price.superseded_at IS NULL
        AND jsonb_typeof(price.unit_prices -> 'input') = 'number' AND jsonb_typeof(price.unit_prices -> 'output') = 'number'
) AS listed
ORDER BY 1
LIMIT $models;

-- What a model costs in a tenant's currency and a tier: standard, batch, priority, flex. Only prices in US dollars have a version
-- in the book.
CREATE TABLE generator.offer AS
SELECT tenant.tenant, model.model, tier.number AS tier, tier.name AS service_tier, model.provider, model.name,
    CASE WHEN tenant.currency = 'USD' THEN COALESCE(special.price_id, model.price_id) END AS price_id,
    (prices.unit ->> 'input')::numeric * currency_per_dollar * 0.000001 AS input,
    COALESCE(prices.unit ->> 'cache_read', prices.unit ->> 'input')::numeric * currency_per_dollar * 0.000001 AS cache_read,
    COALESCE(prices.unit ->> 'cache_write', prices.unit ->> 'input')::numeric * currency_per_dollar * 0.000001 AS cache_write,
    (prices.unit ->> 'output')::numeric * currency_per_dollar * 0.000001 AS output,
    prices.unit ? 'cache_read' AS has_cache, prices.unit ? 'cache_write' AS has_cache_write
FROM generator.tenant
CROSS JOIN generator.model
CROSS JOIN (VALUES (0, NULL), (1, 'batch'), (2, 'priority'), (3, 'flex')) AS tier (number, name)
LEFT JOIN LATERAL (
    SELECT price.price_id, price.unit_prices FROM tokbudget.price
    WHERE price.provider = model.provider AND price.model = model.name AND price.service_tier = tier.name AND price.origin = 'book'
        AND price.currency = 'USD' AND price.region = 'any' AND price.above_input_tokens = 0 AND price.ends_at IS NULL AND price.superseded_at IS NULL
        AND jsonb_typeof(price.unit_prices -> 'input') = 'number' AND jsonb_typeof(price.unit_prices -> 'output') = 'number'
    ORDER BY price.effective_at DESC LIMIT 1
) AS special ON true
CROSS JOIN LATERAL (SELECT COALESCE(special.unit_prices, model.unit_prices)) AS prices (unit);
ALTER TABLE generator.offer ADD PRIMARY KEY (tenant, model, tier);

-- A workflow has steps, each with a model of its own; every team has four of these.
CREATE TABLE generator.workflow AS
SELECT workflow,
    (ARRAY['support', 'coding', 'research', 'invoicing', 'onboarding', 'review', 'translation', 'outreach'])[1 + workflow % 8]
        || (ARRAY['-triage', '-assistant', '-digest', '-pipeline', '-audit'])[1 + workflow / 8] AS name,
    4 + workflow % 4 AS steps,
    (ARRAY['plan', 'retrieve', 'use_tool', 'draft', 'review', 'answer', 'summarize'])[1:4 + workflow % 4] AS step_names,
    ARRAY(SELECT generator.zipf(generator.random(workflow * 10 + place, 30), (SELECT count(*) FROM generator.model)) FROM generate_series(1, 7) AS place) AS models
FROM generate_series(0, 39) AS workflow;
ALTER TABLE generator.workflow ADD PRIMARY KEY (workflow);

-- Every 1,000 entries are alike in this: which belong to one session, which have no price, which correct another or spend nothing.
CREATE TABLE generator.deck AS
WITH length AS (
    SELECT session, least(40, 1 + floor(-4 * ln(1 - generator.random(session, 40))))::integer AS steps FROM generate_series(0, 999) AS session
),
ends AS (
    SELECT session, steps, sum(steps) OVER (ORDER BY session) - steps AS first FROM length
),
call AS (
    SELECT first + step - 1 AS position, session, step, least(steps, 988 - first)::integer AS steps
    FROM ends CROSS JOIN LATERAL generate_series(1, steps) AS step
    WHERE first + step - 1 < 988
)
SELECT position::integer, session, step, steps, 'call' AS kind, position IN (101, 502, 903) AS is_unpriced, position::integer AS target FROM call
UNION ALL
SELECT special.position, call.session, call.step, call.steps, special.kind, special.target IN (101, 502, 903), special.target
FROM (VALUES
    (988, 'adjust', 30), (989, 'adjust', 222), (990, 'adjust', 414), (991, 'adjust', 606), (992, 'refund', 318), (993, 'refund', 777),
    (994, 'refund', 30), (995, 'correction', 101), (996, 'correction', 502), (997, 'expire', 555), (998, 'expire', 880), (999, 'transfer', 1)
) AS special (position, kind, target)
JOIN call ON call.position = special.target;
ALTER TABLE generator.deck ADD PRIMARY KEY (position);

-- 8,192 instants between which equally many sessions begin, in microseconds since 1970: busy in the daytime and on weekdays, and
-- a little more every week.
CREATE TABLE generator.quantile AS
WITH hour AS (
    SELECT hour_us,
        CASE WHEN extract(isodow FROM at) >= 6 THEN 0.3 ELSE 1.0 END
            * (0.12 + exp(-power(extract(hour FROM at) - 14, 2) / 18)) * (1 + 0.5 * (hour_us - $since_us) / ($until_us - $since_us)) AS weight
    FROM generate_series($since_us, $until_us - 1, 3600000000) AS hour_us
    CROSS JOIN LATERAL (SELECT timezone('UTC', to_timestamp(hour_us / 1000000.0))) AS local (at)
),
ends AS (
    SELECT hour_us, weight, sum(weight) OVER (ORDER BY hour_us) - weight AS before, sum(weight) OVER () AS whole FROM hour
),
start AS (
    SELECT quantile, hour_us + (least(3600000000, $until_us - hour_us) * (quantile / 8192.0 * whole - before) / weight)::bigint AS start_us
    FROM ends
    CROSS JOIN LATERAL generate_series(ceil(before / whole * 8192)::bigint, ceil((before + weight) / whole * 8192)::bigint - 1) AS quantile
)
SELECT quantile, start_us, COALESCE(lead(start_us) OVER (ORDER BY quantile), $until_us) - start_us AS width_us FROM start WHERE quantile < 8192;
ALTER TABLE generator.quantile ADD PRIMARY KEY (quantile);

ANALYZE generator.tenant, generator.spender, generator.offer, generator.workflow, generator.deck, generator.quantile;
