-- What of the roll-ups can be summed again, and what cannot, because it has left the ledger.

CREATE FUNCTION tokbudget._forget_usage() RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    DELETE FROM tokbudget.facet_usage WHERE NOT is_departed;
    DELETE FROM tokbudget.subtree_usage WHERE NOT is_departed;
$$;
COMMENT ON FUNCTION tokbudget._forget_usage() IS 'internal: takes out of the roll-ups all that is in the ledger';

CREATE FUNCTION tokbudget._depart_usage(month date) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    measure CONSTANT record := tokbudget._usage_measures();
    month_start CONSTANT timestamp with time zone := timezone('UTC', month::timestamp);
    month_end CONSTANT timestamp with time zone := timezone('UTC', month + interval '1 month');
    roll_up record;
BEGIN
    FOR roll_up IN
        VALUES ('facet_usage', 'tenant_id, facet, grain, bucket_start, account_id, series_id, account_ids, currency, cost_center, provider, model, operation, service_tier, workflow, step, outcome, agent, end_user'),
            ('subtree_usage', 'tenant_id, account_id, grain, bucket_start, currency')
    LOOP
        -- Added, because a month can leave more than once.
        EXECUTE format($sql$
            WITH gone AS (
                DELETE FROM tokbudget.%1$I WHERE bucket_start >= $1 AND bucket_start < $2 AND NOT is_departed RETURNING *
            )
            INSERT INTO tokbudget.%1$I AS u (%2$s, %3$s, is_departed) SELECT %2$s, %3$s, true FROM gone
            ON CONFLICT ON CONSTRAINT %4$I DO UPDATE SET %5$s
            $sql$, roll_up.column1, roll_up.column2, measure.names, roll_up.column1 || '_pkey', measure.additions)
        USING month_start, month_end;
    END LOOP;
    INSERT INTO tokbudget.departed_month (month, departed_at) VALUES (_depart_usage.month, tokbudget._now())
    ON CONFLICT ON CONSTRAINT departed_month_pkey DO UPDATE SET departed_at = EXCLUDED.departed_at;
END;
$$;
COMMENT ON FUNCTION tokbudget._depart_usage(date) IS 'internal: notes that what the roll-ups sum of a month leaves the ledger';
