-- What remains, for a caller that plans within its means. Nothing here changes anything, so it works on a standby too.

CREATE TYPE tokbudget.remaining AS (
    budget bigint,
    account text,
    meter text,
    amount numeric,
    spent numeric,
    held numeric,
    remaining numeric,
    window_start timestamp with time zone,
    resets_at timestamp with time zone,
    hard boolean,
    granted numeric,
    burst numeric
);
COMMENT ON TYPE tokbudget.remaining IS
    'one budget as tb_remaining shows it: amounts in currency units for cost and in counts otherwise; held leaves out what has expired; remaining is negative after an overrun or within the burst';

COMMENT ON COLUMN tokbudget.remaining.budget IS 'id of the budget; NULL for a quota that the first call will be given';
COMMENT ON COLUMN tokbudget.remaining.account IS 'path of the account that it limits';
COMMENT ON COLUMN tokbudget.remaining.meter IS 'what it limits';
COMMENT ON COLUMN tokbudget.remaining.amount IS 'limit of the present window, with what was carried over into it';
COMMENT ON COLUMN tokbudget.remaining.spent IS 'used in the present window';
COMMENT ON COLUMN tokbudget.remaining.held IS 'set aside for calls that have not settled nor expired';
COMMENT ON COLUMN tokbudget.remaining.remaining IS 'amount and granted less spent and held; a burst comes on top';
COMMENT ON COLUMN tokbudget.remaining.window_start IS 'start of the present window; NULL where there is but one';
COMMENT ON COLUMN tokbudget.remaining.resets_at IS 'end of the present window; NULL where there is but one';
COMMENT ON COLUMN tokbudget.remaining.hard IS 'whether it refuses';
COMMENT ON COLUMN tokbudget.remaining.granted IS 'what grants have borne in the present window, and what is left of them';
COMMENT ON COLUMN tokbudget.remaining.burst IS 'how far below zero remaining may go';

CREATE FUNCTION tokbudget._remaining(account text, also text[]) RETURNS SETOF tokbudget.remaining
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_remaining_wrapper';
COMMENT ON FUNCTION tokbudget._remaining(text, text[]) IS 'internal: tb_remaining, no row and a refusal put aside when refused';

CREATE FUNCTION @extschema@.tb_remaining(account text, also text[] DEFAULT '{}') RETURNS SETOF tokbudget.remaining
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY SELECT * FROM tokbudget._remaining(account, also);
    IF NOT FOUND AND tokbudget._is_refused() THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_remaining(text, text[]) IS
    'every budget that a reservation on the account (and on the accounts in also) would count against, tightest first; changes nothing. Raises TB002 for an unknown account, TB008 for a malformed path';

CREATE FUNCTION tokbudget._affordable(account text, model text, input_tokens bigint, also text[]) RETURNS bigint
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_affordable_wrapper';
COMMENT ON FUNCTION tokbudget._affordable(text, text, bigint, text[]) IS 'internal: tb_affordable, NULL and a refusal put aside when refused';

CREATE FUNCTION @extschema@.tb_affordable(account text, model text, input_tokens bigint DEFAULT 0, also text[] DEFAULT '{}') RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    affordable bigint := tokbudget._affordable(account, model, input_tokens, also);
BEGIN
    IF affordable IS NULL AND tokbudget._is_refused() THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    RETURN affordable;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_affordable(text, text, bigint, text[]) IS
    'the most output tokens that a call of the model with so many input tokens may ask for now and be given, at the price of now and without a burst: 0 when nothing fits, at most what the model gives, NULL when nothing bounds it. Raises TB002 for an unknown account, TB007 for an unknown model or no price, TB008 for an invalid argument, TB009 for a frozen or closed account';
