CREATE EXTENSION tokbudget;

SELECT tb_create_account('acme', kind => 'organization') IS NOT NULL AS acme,
       tb_create_account('acme/search', kind => 'team', cost_center => 'CC-4711') IS NOT NULL AS team,
       tb_create_account('acme/search/bot-7', kind => 'agent') IS NOT NULL AS agent;

SELECT tb_create_budget('acme', 'cost', 50, every => 'month', time_zone => 'Europe/Berlin') IS NOT NULL AS cost_per_month,
       tb_create_budget('acme/search', 'tokens', 20000, every => 'day') IS NOT NULL AS tokens_per_day;
