-- Internal rates: what an organisation charges its own parts. A rate holds for an account and everything below it, until the
-- next one for the same account, provider and model begins; so two can never hold at once.

CREATE TABLE tokbudget.rate (
    tenant_id integer NOT NULL,
    rate_id bigint NOT NULL,
    account_id bigint NOT NULL,
    provider text NOT NULL DEFAULT '',
    model text NOT NULL DEFAULT '',
    effective_at timestamp with time zone NOT NULL,
    factor numeric NOT NULL,
    unit_prices jsonb NOT NULL DEFAULT '{}',
    reason text,
    created_at timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    actor text NOT NULL,
    CONSTRAINT rate_pkey PRIMARY KEY (tenant_id, rate_id),
    CONSTRAINT rate_period_key UNIQUE (tenant_id, account_id, provider, model, effective_at),
    CONSTRAINT rate_factor_check CHECK (
        factor OPERATOR(pg_catalog.<@) pg_catalog.numrange(0, 1000, '[]')
        AND pg_catalog.scale(factor) OPERATOR(pg_catalog.<=) 6
    ),
    CONSTRAINT rate_unit_prices_check CHECK (tokbudget._check_unit_prices(unit_prices))
);
COMMENT ON TABLE tokbudget.rate IS 'internal rates: what an account and all below it are charged for what the provider charges';
COMMENT ON COLUMN tokbudget.rate.tenant_id IS 'tenant of the account';
COMMENT ON COLUMN tokbudget.rate.rate_id IS 'id that entries name';
COMMENT ON COLUMN tokbudget.rate.account_id IS 'account for which it holds, with everything below';
COMMENT ON COLUMN tokbudget.rate.provider IS 'provider for which it holds; empty for every one';
COMMENT ON COLUMN tokbudget.rate.model IS 'canonical model for which it holds; empty for every one';
COMMENT ON COLUMN tokbudget.rate.effective_at IS 'first instant at which it holds, until the next of the same account, provider and model';
COMMENT ON COLUMN tokbudget.rate.factor IS 'what the provider''s cost is multiplied by: 0.9 is a discount of ten per cent';
COMMENT ON COLUMN tokbudget.rate.unit_prices IS 'what is added: object from kind to price, as in tokbudget.price';
COMMENT ON COLUMN tokbudget.rate.reason IS 'why it was set';
COMMENT ON COLUMN tokbudget.rate.created_at IS 'when it was set';
COMMENT ON COLUMN tokbudget.rate.actor IS 'database role of the session that set it';

CREATE TRIGGER rate_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tokbudget.rate
    FOR EACH STATEMENT EXECUTE FUNCTION tokbudget._notice_change();
ALTER TABLE tokbudget.rate ENABLE ALWAYS TRIGGER rate_changed;

CREATE FUNCTION @extschema@.tb_set_rate(
    account text,
    factor numeric DEFAULT 1,
    unit_prices jsonb DEFAULT '{}',
    provider text DEFAULT NULL,
    model text DEFAULT NULL,
    effective_at timestamp with time zone DEFAULT pg_catalog.now(),
    reason text DEFAULT NULL
) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    prices jsonb;
    found_account tokbudget.account;
    new_id bigint;
BEGIN
    IF tb_set_rate.factor IS NULL OR tb_set_rate.factor < 0 OR tb_set_rate.factor > 1000 OR scale(trim_scale(tb_set_rate.factor)) > 6
        OR tb_set_rate.factor = 'NaN' OR tb_set_rate.unit_prices IS NULL OR btrim(tb_set_rate.provider) = '' OR btrim(tb_set_rate.model) = ''
        OR tb_set_rate.effective_at IS NULL OR NOT tb_set_rate.effective_at BETWEEN '1970-01-01 UTC' AND '9999-12-31 UTC'
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid rate',
            DETAIL = jsonb_build_object('account', tb_set_rate.account, 'factor', tb_set_rate.factor::text,
                'effective_at', tb_set_rate.effective_at)::text,
            HINT = 'A factor is between 0 and 1000 with at most six decimals: 0.9 is a discount of ten per cent, 1.2 a markup of twenty.';
    END IF;
    prices := tokbudget._normal_unit_prices(tb_set_rate.unit_prices::text);
    IF prices IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    found_account := tokbudget._find_account(tb_set_rate.account);
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    INSERT INTO tokbudget.rate (tenant_id, rate_id, account_id, provider, model, effective_at, factor, unit_prices, reason, actor)
    VALUES (found_account.tenant_id, tokbudget._new_id(), found_account.account_id, COALESCE(tokbudget._canonical_provider(tb_set_rate.provider), ''),
        COALESCE(tb_set_rate.model, ''), tb_set_rate.effective_at, trim_scale(tb_set_rate.factor), prices, tb_set_rate.reason, SESSION_USER)
    ON CONFLICT ON CONSTRAINT rate_period_key DO NOTHING
    RETURNING rate.rate_id INTO new_id;
    IF new_id IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'rate exists',
            DETAIL = jsonb_build_object('account', tb_set_rate.account, 'provider', tb_set_rate.provider, 'model', tb_set_rate.model,
                'effective_at', tb_set_rate.effective_at)::text,
            HINT = 'Entries name the rate they used, so a rate is never changed; set a new one with a later effective_at.';
    END IF;
    PERFORM tokbudget._log_change(found_account.tenant_id, found_account.account_id, 'rate', new_id, 'create', NULL,
        jsonb_strip_nulls(jsonb_build_object('provider', tb_set_rate.provider, 'model', tb_set_rate.model,
            'effective_at', tb_set_rate.effective_at, 'factor', trim_scale(tb_set_rate.factor),
            'unit_prices', NULLIF(prices, '{}'))),
        tb_set_rate.reason);
    RETURN new_id;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_set_rate(text, numeric, jsonb, text, text, timestamp with time zone, text) IS
    'charges the account and all below it the provider''s cost times factor, plus unit_prices (per 1,000,000 tokens or characters, per 1 of anything else), from effective_at until the next rate of the same account, provider and model (its canonical name, as tb_price shows it). The deepest account wins, then a rate for the model, then one for the provider; factor 1 ends a rate. Raises TB002 for an unknown account, TB008 for an invalid or repeated rate, 42501 for a role that does not administer the account';
