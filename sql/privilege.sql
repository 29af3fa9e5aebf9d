-- Nothing for PUBLIC but counting, which is a pure function of its arguments. Everything else is granted by name.

REVOKE ALL ON ALL TABLES IN SCHEMA tokbudget FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tokbudget FROM PUBLIC;

REVOKE ALL ON FUNCTION
    @extschema@.tb_create_account(text, text, text, text, jsonb),
    @extschema@.tb_freeze(text, text),
    @extschema@.tb_thaw(text, text),
    @extschema@.tb_create_budget(text, text, numeric, text, boolean, text, timestamp with time zone, timestamp with time zone),
    @extschema@.tb_remaining(text, text[]),
    @extschema@.tb_set_price(text, text, numeric, numeric, numeric, numeric, numeric, jsonb, text, text, bigint, numeric, bigint, text[], text, timestamp with time zone, timestamp with time zone, text, boolean),
    @extschema@.tb_set_meter_price(text, numeric, text, timestamp with time zone, text, boolean),
    @extschema@.tb_set_model(text, text, text[], jsonb, text, text, text, bigint, bigint, date, boolean, integer, text),
    @extschema@.tb_set_rate(text, numeric, jsonb, text, text, timestamp with time zone, text),
    @extschema@.tb_usage(jsonb, text),
    @extschema@.tb_price(text, timestamp with time zone, text, text, bigint, text),
    @extschema@.tb_cost(text, jsonb, timestamp with time zone, text, text, text, text),
    @extschema@.tb_import_prices(jsonb, text, timestamp with time zone, text, boolean),
    @extschema@.tb_set_unpriced(text, text, jsonb),
    @extschema@.tb_rerate(text, text, timestamp with time zone, timestamp with time zone, integer, boolean, boolean),
    @extschema@.tb_try_reserve(text, text, bigint, text, jsonb, bigint, jsonb, text[], text, interval, jsonb),
    @extschema@.tb_reserve(text, text, bigint, text, jsonb, bigint, jsonb, text[], text, interval, jsonb),
    @extschema@.tb_commit(uuid, jsonb, jsonb, text, text),
    @extschema@.tb_release(uuid, text),
    @extschema@.tb_expire(),
    @extschema@.tb_verify()
FROM PUBLIC;

-- Without these a dump would carry the tables' definitions and none of their rows. The shipped price book is left out: the
-- restoring CREATE EXTENSION loads it.
SELECT pg_catalog.pg_extension_config_dump('tokbudget.tenant', '');
SELECT pg_catalog.pg_extension_config_dump('tokbudget.account', '');
SELECT pg_catalog.pg_extension_config_dump('tokbudget.budget', '');
SELECT pg_catalog.pg_extension_config_dump('tokbudget.balance', '');
SELECT pg_catalog.pg_extension_config_dump('tokbudget.reservation', '');
SELECT pg_catalog.pg_extension_config_dump('tokbudget.idempotency', '');
SELECT pg_catalog.pg_extension_config_dump('tokbudget.entry_default', '');
SELECT pg_catalog.pg_extension_config_dump('tokbudget.rate', '');
SELECT pg_catalog.pg_extension_config_dump('tokbudget.price', $filter$WHERE origin <> 'book'$filter$);
SELECT pg_catalog.pg_extension_config_dump('tokbudget.model', $filter$WHERE origin <> 'book'$filter$);
SELECT pg_catalog.pg_extension_config_dump('tokbudget.model_alias', $filter$WHERE origin <> 'book'$filter$);
