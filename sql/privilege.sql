-- Nothing for PUBLIC but counting, which is a pure function of its arguments. Everything else is granted: what belongs to an
-- account by tb_grant_access, the rest by name. Closed is the default, so that nothing new is open because it was forgotten.
CREATE FUNCTION tokbudget._close_to_public() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    counting CONSTANT name[] := '{tb_count_tokens, tb_count_messages, tb_encode, tb_decode, tb_truncate, tb_fits, tb_split}';
    member record;
BEGIN
    FOR member IN SELECT * FROM tokbudget._members() AS members WHERE members.kind <> 'ROUTINE' OR members.name <> ALL (counting) LOOP
        EXECUTE format('REVOKE ALL ON %s %s FROM PUBLIC', member.kind, member.identity);
    END LOOP;
END;
$$;
COMMENT ON FUNCTION tokbudget._close_to_public() IS 'internal: takes everything of the extension but the counting functions from PUBLIC; the last step of an installation and of an upgrade';
SELECT tokbudget._close_to_public();

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
