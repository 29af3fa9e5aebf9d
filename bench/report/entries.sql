-- Entries number $first up to but not $end. What a correction says of its call is what the call itself said, made anew from the
-- same hashes. OFFSET 0 has each layer computed once.
INSERT INTO tokbudget.entry (tenant_id, entry_id, recorded_at, reserved_at, kind, reservation_id, corrects_entry_id, account_id, account_ids,
    budget_ids, window_starts, spent_units, cost_center, provider, request_model, response_model, operation, requests, input_tokens,
    cache_read_input_tokens, cache_write_input_tokens, output_tokens, reasoning_output_tokens, buckets, meters, cost, currency, internal_cost,
    reported_cost, price_id, rate_id, service_tier, usage_source, flags, workflow, step, session, task, end_user, agent, outcome, trace_id,
    labels, retry_count, reason, actor)
SELECT tenant_id, generator.id(tenant_id, recorded_us, n), generator.instant(recorded_us), generator.instant(reserved_us),
    CASE WHEN kind <> 'call' THEN kind WHEN is_held THEN 'commit' ELSE 'charge' END,
    CASE WHEN is_held THEN generator.id(tenant_id, reserved_us, call + 1073741824) END,
    CASE WHEN kind IN ('adjust', 'refund', 'correction') THEN generator.id(tenant_id, called_us, call) END,
    account_id, account_ids, budget_ids,
    array_fill(date_trunc('month', generator.instant(reserved_us), 'UTC'), ARRAY[budgets]),
    array_fill((COALESCE(own_cost, 0) * 1000000000)::bigint, ARRAY[budgets]),
    spent_cost_center, provider, model, response_model, operation,
    CASE WHEN is_call THEN 1 ELSE 0 END,
    CASE WHEN is_call THEN uncached + cache_read + cache_write ELSE 0 END,
    CASE WHEN is_call THEN cache_read ELSE 0 END,
    CASE WHEN is_call THEN cache_write ELSE 0 END,
    CASE WHEN is_call THEN output ELSE 0 END,
    CASE WHEN is_call THEN reasoning ELSE 0 END,
    CASE WHEN NOT is_call OR is_tool THEN '{}' ELSE jsonb_strip_nulls(jsonb_build_object('uncached_input', NULLIF(uncached, 0),
        'cache_read', NULLIF(cache_read, 0), 'cache_write', NULLIF(cache_write, 0), 'output_text', NULLIF(output - reasoning, 0),
        'reasoning', NULLIF(reasoning, 0))) END,
    CASE WHEN is_call AND is_tool THEN '{"tool_calls": 1}' ELSE '{}' END::jsonb,
    own_cost, currency, round(own_cost * factor, 9),
    CASE WHEN is_call AND generator.random(call, 118) < 0.03 THEN round(own_cost * 1.01, 9) END,
    CASE WHEN NOT is_unpriced OR kind = 'correction' THEN price_id END,
    CASE WHEN own_cost IS NOT NULL THEN rate_id END, service_tier,
    CASE WHEN generator.random(call, 119) < 0.97 THEN 'provider' WHEN generator.random(call, 119) < 0.985 THEN 'partial' ELSE 'estimated' END,
    CASE WHEN is_call AND is_unpriced THEN '{unpriced}' WHEN is_call AND is_tool THEN '{unpriced_meters}' ELSE '{}' END::text[],
    workflow, step_name, 'session-' || session, 'task-' || session / 3, end_user, agent,
    CASE WHEN step = steps THEN outcome END,
    CASE WHEN generator.random(session, 120) < 0.5 THEN to_hex(hashint8extended(session, 121)) || to_hex(hashint8extended(session, 122)) END,
    labels,
    CASE WHEN generator.random(call, 123) < 0.04 THEN 1 + (generator.random(call, 123) * 75)::bigint % 3 END,
    CASE WHEN kind IN ('adjust', 'refund', 'transfer') THEN 'agreed' END, 'application'
FROM (
    SELECT priced.*,
        -- What the entry itself costs: a call its cost, unless it has none yet, a correction the difference.
        CASE
            WHEN kind = 'call' THEN CASE WHEN NOT is_unpriced THEN cost END
            WHEN kind = 'adjust' THEN round(cost * -0.15, 9)
            WHEN kind = 'refund' THEN round(cost * -0.5, 9)
            WHEN kind = 'correction' THEN cost
            ELSE 0
        END AS own_cost
    FROM (
        SELECT used.*,
            CASE WHEN is_tool THEN 0 ELSE round(uncached * price_input + cache_read * price_cache_read + cache_write * price_cache_write
                + output * price_output, 9) END AS cost
        FROM (
            SELECT chosen.n, chosen.call, chosen.kind, chosen.kind = 'call' AS is_call, chosen.session, chosen.step, chosen.steps,
                chosen.is_unpriced, chosen.is_tool, chosen.is_held, chosen.called_us, chosen.recorded_us, chosen.reserved_us, chosen.end_user,
                chosen.agent, chosen.outcome, chosen.workflow, chosen.step_name, chosen.labels, chosen.tenant_id, chosen.account_id,
                chosen.account_ids, chosen.spent_cost_center, chosen.budget_ids, chosen.budgets, chosen.rate_id, chosen.factor, chosen.currency,
                CASE WHEN NOT is_tool THEN offer.service_tier END AS service_tier,
                CASE WHEN is_tool THEN NULL WHEN is_unpriced THEN 'in-house' ELSE offer.provider END AS provider,
                CASE WHEN is_tool THEN NULL WHEN is_unpriced THEN 'in-house-' || chosen.session % 3 ELSE offer.name END AS model,
                CASE WHEN NOT is_tool AND NOT is_unpriced THEN offer.name END AS response_model,
                CASE WHEN is_tool THEN 'execute_tool' WHEN step_name = 'retrieve' THEN 'embeddings' ELSE 'chat' END AS operation,
                CASE WHEN NOT is_tool THEN offer.price_id END AS price_id,
                offer.input AS price_input, offer.cache_read AS price_cache_read, offer.cache_write AS price_cache_write,
                offer.output AS price_output,
                CASE WHEN is_tool THEN 0 ELSE context - CASE WHEN offer.has_cache AND (step > 1 OR offer.has_cache_write) THEN cached ELSE 0 END
                    END AS uncached,
                CASE WHEN NOT is_tool AND offer.has_cache AND step > 1 THEN cached ELSE 0 END AS cache_read,
                CASE WHEN NOT is_tool AND offer.has_cache AND offer.has_cache_write AND step = 1 THEN cached ELSE 0 END AS cache_write,
                CASE WHEN is_tool OR step_name = 'retrieve' THEN 0 ELSE answer END AS output,
                CASE WHEN is_tool OR step_name = 'retrieve' OR chosen.model % 3 <> 0 THEN 0 ELSE answer / 3 END AS reasoning
            FROM (
                SELECT timed.*, spender.tenant_id, spender.account_id, spender.account_ids, spender.spent_cost_center, spender.budget_ids,
                    spender.budgets, spender.rate_id, spender.factor, spender.currency,
                    -- A workflow has its agents, and a team its users.
                    'agent-' || workflow.workflow * 3 + timed.agent_number AS agent,
                    'user-' || spender.team || '-' || timed.user_number AS end_user,
                    workflow.name AS workflow, workflow.step_names[1 + (timed.step - 1) % workflow.steps] AS step_name,
                    -- Now and then another model is tried.
                    CASE WHEN generator.random(timed.call, 112) < 0.9 THEN workflow.models[1 + (timed.step - 1) % workflow.steps]
                        ELSE generator.zipf(generator.random(timed.call, 113), $models) END AS model,
                    CASE WHEN generator.random(timed.call, 114) < 0.9 THEN 0 ELSE 1 + generator.zipf(generator.random(timed.call, 115), 3) END AS tier,
                    -- The session's context grows from step to step.
                    200 + 350 * timed.step + (400 * exp(3 * generator.random(timed.call, 116) - 1.5))::bigint AS context,
                    (150 * timed.step * generator.random(timed.session, 117))::bigint AS cached,
                    10 + (250 * exp(4 * generator.random(timed.call, 118) - 2))::bigint AS answer
                FROM (
                    SELECT session.*,
                        CASE WHEN session.is_held THEN session.called_us - 300000 - (generator.random(session.call, 125) * 20000000)::bigint
                            ELSE session.called_us END AS reserved_us,
                        least(session.called_us + CASE session.kind WHEN 'call' THEN 0
                            ELSE 60000000 + (generator.random(session.n, 111) * 864000000000)::bigint END, $until_us - 1) AS recorded_us
                    FROM (
                        SELECT numbered.*, tenant.tenant,
                            generator.zipf(generator.random(numbered.session, 101), tenant.spenders) AS rank,
                            least(quantile.start_us
                                + (quantile.width_us * (numbered.session * 8192.0::double precision / $sessions - quantile.quantile))::bigint
                                + (numbered.step - 1) * (3000000 + (generator.random(numbered.session, 102) * 20000000)::bigint)
                                + (generator.random(numbered.call, 103) * 2000000)::bigint, $until_us - 1) AS called_us,
                            generator.random(numbered.session, 104) < 0.7 AND NOT numbered.kind = 'transfer' AS is_held,
                            CASE WHEN generator.random(numbered.session, 105) < 0.7
                                THEN generator.zipf(generator.random(numbered.session, 106), tenant.team_users) END AS user_number,
                            generator.zipf(generator.random(numbered.session, 107), 3) AS agent_number,
                            CASE WHEN generator.random(numbered.session, 108) < 0.75 THEN 'success'
                                WHEN generator.random(numbered.session, 108) < 0.85 THEN 'failure'
                                WHEN generator.random(numbered.session, 108) < 0.90 THEN 'escalated' END AS outcome,
                            numbered.step > 1 AND generator.random(numbered.call, 109) < 0.06 AND NOT numbered.is_unpriced AS is_tool,
                            CASE WHEN generator.random(numbered.session, 110) < 0.2 THEN '{"environment": "staging"}' ELSE '{}' END::jsonb AS labels
                        FROM (
                            SELECT given.n, given.n / 1000 * 1000 + deck.target AS call, given.n / 1000 * $sessions_per_deck + deck.session AS session,
                                deck.step, deck.steps, deck.kind, deck.is_unpriced
                            FROM (SELECT generate_series($first::bigint, $end - 1) AS n) AS given
                            JOIN generator.deck ON deck.position = given.n % 1000
                            OFFSET 0
                        ) AS numbered
                        JOIN generator.quantile ON quantile.quantile = numbered.session * 8192 / $sessions
                        JOIN generator.tenant ON tenant.tenant = CASE
                            WHEN generator.random(numbered.session, 100) < 0.85 THEN 0 WHEN generator.random(numbered.session, 100) < 0.95 THEN 1 ELSE 2 END
                        OFFSET 0
                    ) AS session
                    OFFSET 0
                ) AS timed
                JOIN generator.spender ON spender.tenant = timed.tenant AND spender.rank = timed.rank
                JOIN generator.workflow ON workflow.workflow = (spender.team * 7 + generator.zipf(generator.random(timed.session, 124), 4) * 11) % 40
                OFFSET 0
            ) AS chosen
            JOIN generator.offer ON offer.tenant = chosen.tenant AND offer.model = chosen.model AND offer.tier = chosen.tier
            OFFSET 0
        ) AS used
        OFFSET 0
    ) AS priced
    OFFSET 0
) AS said
