-- Corrections by hand: the ledger is never changed, an entry that names the wrong one is added.

CREATE FUNCTION tokbudget._adjust(entry uuid, cost numeric, reason text, idempotency_key text) RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_adjust_wrapper';
COMMENT ON FUNCTION tokbudget._adjust(uuid, numeric, text, text) IS 'internal: tb_adjust, NULL when refused';

CREATE FUNCTION @extschema@.tb_adjust(entry uuid, cost numeric, reason text, idempotency_key text DEFAULT NULL) RETURNS uuid
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    adjustment uuid := tokbudget._adjust(entry, cost, reason, idempotency_key);
BEGIN
    IF adjustment IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    RETURN adjustment;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_adjust(uuid, numeric, text, text) IS
    'corrects what a commit or charge cost: cost is what it should have cost in all, in currency units. Adds an entry of kind adjust with the difference and returns its id; budgets in cost follow in the windows of the call, and the internal cost keeps its proportion. Raises TB002 unknown entry, TB006 idempotency key reused, TB008 invalid cost, no reason, or an entry that is a correction itself';

CREATE FUNCTION tokbudget._refund(entry uuid, cost numeric, reason text, idempotency_key text) RETURNS uuid
    LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_refund_wrapper';
COMMENT ON FUNCTION tokbudget._refund(uuid, numeric, text, text) IS 'internal: tb_refund, NULL when refused';

CREATE FUNCTION @extschema@.tb_refund(entry uuid, reason text, cost numeric DEFAULT NULL, idempotency_key text DEFAULT NULL) RETURNS uuid
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    refund uuid := tokbudget._refund(entry, cost, reason, idempotency_key);
BEGIN
    IF refund IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    RETURN refund;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_refund(uuid, text, numeric, text) IS
    'gives back cost of a commit or charge, in currency units, or all that it still costs when NULL. Adds an entry of kind refund and returns its id; budgets in cost follow in the windows of the call, grants first. Raises TB002 unknown entry, TB006 idempotency key reused, TB008 more than it costs, no reason, or an entry that is a correction itself';
