-- Charges: calls that were not held for, booked in one step.

CREATE FUNCTION @extschema@.tb_charge(
    account text,
    model text,
    usage jsonb,
    meters jsonb DEFAULT '{}',
    also text[] DEFAULT '{}',
    attributes jsonb DEFAULT '{}',
    provider text DEFAULT NULL,
    usage_source text DEFAULT 'provider',
    idempotency_key text DEFAULT NULL,
    enforce boolean DEFAULT false
) RETURNS tokbudget.commit_result
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'tb_charge';
COMMENT ON FUNCTION @extschema@.tb_charge(text, text, jsonb, jsonb, text[], jsonb, text, text, text, boolean) IS
    'books a call that was not held for, in one step: usage is the provider''s own object as for tb_commit, or ''{}'' without a model, meters what stands beside it. The call has happened, so it is booked in full and flagged overrun where it does not fit, on a frozen account too (flag inactive_account); enforce => true refuses it instead, for what has not happened yet. Raises TB001 and TB009 when enforced, TB002 unknown account, TB006 idempotency key reused, TB007 no price, TB008 invalid argument or usage';
