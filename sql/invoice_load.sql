-- Loading exports, taking them away again, listing them.

CREATE FUNCTION tokbudget._read_invoice(document text, provider text, format text) RETURNS jsonb
    LANGUAGE c STABLE PARALLEL UNSAFE AS 'MODULE_PATHNAME', '_read_invoice_wrapper';
COMMENT ON FUNCTION tokbudget._read_invoice(text, text, text) IS
    'internal: an export as format, feed, starts_at, ends_at, lines and skipped; NULL when refused';

CREATE TYPE tokbudget.loaded_invoice AS (
    invoice bigint,
    is_new boolean,
    format text,
    feed text,
    lines bigint,
    starts_at timestamp with time zone,
    ends_at timestamp with time zone,
    costs jsonb,
    replaced_lines bigint,
    skipped jsonb
);
COMMENT ON TYPE tokbudget.loaded_invoice IS 'what a load took from a document';
COMMENT ON COLUMN tokbudget.loaded_invoice.invoice IS 'id of the document';
COMMENT ON COLUMN tokbudget.loaded_invoice.is_new IS 'false where the same document had been loaded before, and nothing was done';
COMMENT ON COLUMN tokbudget.loaded_invoice.format IS 'shape: openai_usage, openai_costs, anthropic_usage, anthropic_cost, csv or focus';
COMMENT ON COLUMN tokbudget.loaded_invoice.feed IS 'which of several exports of the format: completions, embeddings and the like; empty where there is one';
COMMENT ON COLUMN tokbudget.loaded_invoice.lines IS 'lines that it has';
COMMENT ON COLUMN tokbudget.loaded_invoice.starts_at IS 'first instant that it covers';
COMMENT ON COLUMN tokbudget.loaded_invoice.ends_at IS 'first instant that it no longer covers';
COMMENT ON COLUMN tokbudget.loaded_invoice.costs IS 'object from currency to the sum of the costs, in currency units; empty for an export of usage';
COMMENT ON COLUMN tokbudget.loaded_invoice.replaced_lines IS 'lines of earlier exports that no longer count';
COMMENT ON COLUMN tokbudget.loaded_invoice.skipped IS 'what the document has and no line: array of objects with at and reason';

CREATE FUNCTION tokbudget._loaded_invoice(tenant_id integer, invoice_id bigint, is_new boolean) RETURNS tokbudget.loaded_invoice
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT invoice.invoice_id, _loaded_invoice.is_new, invoice.format, invoice.feed, line.lines, invoice.starts_at, invoice.ends_at,
        line.costs, line.replaced_lines, invoice.skipped
    FROM tokbudget.invoice
    CROSS JOIN LATERAL (
        SELECT COALESCE(sum(own.lines), 0)::bigint AS lines, COALESCE(jsonb_object_agg(own.currency, own.cost) FILTER (WHERE own.cost IS NOT NULL), '{}') AS costs,
            (SELECT count(*) FROM tokbudget.invoice_line AS old
             WHERE old.tenant_id = invoice.tenant_id AND old.replaced_by_invoice_id = invoice.invoice_id) AS replaced_lines
        FROM (
            SELECT COALESCE(invoice_line.currency, '') AS currency, count(*) AS lines, sum(invoice_line.cost) AS cost
            FROM tokbudget.invoice_line
            WHERE invoice_line.tenant_id = invoice.tenant_id AND invoice_line.invoice_id = invoice.invoice_id
            GROUP BY 1
        ) AS own
    ) AS line
    WHERE invoice.tenant_id = _loaded_invoice.tenant_id AND invoice.invoice_id = _loaded_invoice.invoice_id
$$;
COMMENT ON FUNCTION tokbudget._loaded_invoice(integer, bigint, boolean) IS 'internal: what a loaded document has';

CREATE FUNCTION @extschema@.tb_load_invoice(
    account text,
    document text,
    provider text DEFAULT NULL,
    format text DEFAULT NULL,
    source text DEFAULT NULL,
    if_loaded text DEFAULT 'refuse'
) RETURNS tokbudget.loaded_invoice
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account CONSTANT tokbudget.account := tokbudget._find_account(tb_load_invoice.account);
    digest CONSTANT bytea := sha256(convert_to(tb_load_invoice.document, 'UTF8'));
    read jsonb;
    found_id bigint;
    earlier bigint[];
    is_beyond boolean;
    result tokbudget.loaded_invoice;
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    IF tb_load_invoice.if_loaded IS NULL OR NOT tb_load_invoice.if_loaded = ANY (ARRAY['refuse', 'replace', 'add'])
        OR btrim(tb_load_invoice.provider) = ''
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invalid load',
            DETAIL = jsonb_build_object('provider', tb_load_invoice.provider, 'if_loaded', tb_load_invoice.if_loaded)::text,
            HINT = 'if_loaded is refuse, replace or add; a provider is a name, or null for what the document says.';
    END IF;
    -- Two that load exports of the same period at once would both count.
    LOCK TABLE tokbudget.invoice IN SHARE ROW EXCLUSIVE MODE;
    SELECT invoice.invoice_id INTO found_id FROM tokbudget.invoice
    WHERE invoice.tenant_id = found_account.tenant_id AND invoice.account_id = found_account.account_id
        AND invoice.document_sha256 = digest;
    IF FOUND THEN
        RETURN tokbudget._loaded_invoice(found_account.tenant_id, found_id, false);
    END IF;
    read := tokbudget._read_invoice(tb_load_invoice.document, tb_load_invoice.provider, tb_load_invoice.format);
    IF read IS NULL THEN
        PERFORM tokbudget._raise_refusal();
    END IF;
    found_id := tokbudget._new_id();
    INSERT INTO tokbudget.invoice (tenant_id, invoice_id, account_id, format, feed, content, starts_at, ends_at, source,
        document_sha256, skipped, loaded_at, actor)
    VALUES (found_account.tenant_id, found_id, found_account.account_id, read ->> 'format', read ->> 'feed',
        CASE WHEN EXISTS (SELECT FROM jsonb_array_elements(read -> 'lines') AS line WHERE line ->> 'cost' IS NOT NULL)
            THEN 'cost' ELSE 'usage' END,
        (read ->> 'starts_at')::timestamptz, (read ->> 'ends_at')::timestamptz, NULLIF(btrim(tb_load_invoice.source), ''), digest,
        read -> 'skipped', tokbudget._now(), SESSION_USER);
    INSERT INTO tokbudget.invoice_line (tenant_id, invoice_id, line_number, position_in_document, starts_at, ends_at, provider, model,
        api_key, project, workspace, end_user, charge, requests, input_tokens, cache_read_input_tokens, cache_write_input_tokens,
        output_tokens, meters, cost, currency, service_tier, region, description)
    SELECT found_account.tenant_id, found_id, line.number, line.at, line.starts_at, line.ends_at, tokbudget._canonical_provider(line.provider),
        line.model, line.api_key, line.project, line.workspace, line.end_user, line.charge, line.requests, line.input_tokens,
        line.cache_read_input_tokens, line.cache_write_input_tokens, line.output_tokens, line.meters, line.cost, line.currency,
        line.service_tier, line.region, line.description
    FROM ROWS FROM (jsonb_to_recordset(read -> 'lines') AS (at text, starts_at timestamptz, ends_at timestamptz, provider text, model text,
        api_key text, project text, workspace text, end_user text, charge text, requests bigint, input_tokens bigint,
        cache_read_input_tokens bigint, cache_write_input_tokens bigint, output_tokens bigint, meters jsonb, cost numeric, currency text,
        service_tier text, region text, description text)) WITH ORDINALITY AS line (at, starts_at, ends_at, provider, model, api_key, project,
        workspace, end_user, charge, requests, input_tokens, cache_read_input_tokens, cache_write_input_tokens, output_tokens, meters, cost,
        currency, service_tier, region, description, number);
    IF tb_load_invoice.if_loaded <> 'add' THEN
        -- Two exports of usage are different ones where they are of different endpoints; costs are costs.
        WITH new AS (
            SELECT invoice.*, (SELECT array_agg(DISTINCT line.provider) FROM tokbudget.invoice_line AS line
                WHERE line.tenant_id = invoice.tenant_id AND line.invoice_id = invoice.invoice_id) AS providers
            FROM tokbudget.invoice WHERE invoice.tenant_id = found_account.tenant_id AND invoice.invoice_id = found_id
        ), replaced AS (
            UPDATE tokbudget.invoice_line SET replaced_by_invoice_id = found_id
            FROM new, tokbudget.invoice AS old
            WHERE old.tenant_id = new.tenant_id AND old.account_id = new.account_id AND old.invoice_id <> new.invoice_id
                AND old.content = new.content AND (new.content = 'cost' OR (old.format, old.feed) = (new.format, new.feed))
                AND invoice_line.tenant_id = old.tenant_id AND invoice_line.invoice_id = old.invoice_id
                AND invoice_line.replaced_by_invoice_id IS NULL
                AND invoice_line.provider = ANY (new.providers)
                AND invoice_line.starts_at < new.ends_at AND invoice_line.ends_at > new.starts_at
            RETURNING invoice_line.invoice_id,
                invoice_line.starts_at < new.starts_at OR invoice_line.ends_at > new.ends_at AS is_beyond
        )
        SELECT array_agg(DISTINCT replaced.invoice_id), bool_or(replaced.is_beyond) INTO earlier, is_beyond FROM replaced;
        IF earlier IS NOT NULL AND (tb_load_invoice.if_loaded = 'refuse' OR is_beyond) THEN
            RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'invoice overlaps',
                DETAIL = jsonb_build_object('account', tb_load_invoice.account, 'starts_at', read ->> 'starts_at',
                    'ends_at', read ->> 'ends_at', 'invoices', earlier)::text,
                HINT = CASE WHEN is_beyond
                    THEN 'A line of an export that is loaded already begins before this one or ends after it, so that this one cannot replace it: unload that, or count both with if_loaded => ''add''.'
                    ELSE 'An export of this period is loaded already: if_loaded => ''replace'' takes this one instead, ''add'' counts both.' END;
        END IF;
    END IF;
    result := tokbudget._loaded_invoice(found_account.tenant_id, found_id, true);
    PERFORM tokbudget._log_change(found_account.tenant_id, found_account.account_id, 'invoice', found_id, 'create', NULL,
        jsonb_strip_nulls(jsonb_build_object('format', result.format, 'lines', result.lines, 'costs', result.costs,
            'source', tb_load_invoice.source, 'replaced_lines', NULLIF(result.replaced_lines, 0))), NULL);
    RETURN result;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_load_invoice(text, text, text, text, text, text) IS
    'loads a provider''s usage or cost export for tb_reconcile: OpenAI organization usage and costs, Anthropic usage and cost reports (a page, or an array of pages), FOCUS 1.0 to 1.4 as CSV, or a plain CSV file; the shape decides unless format names it. The account is the one whose spend the export covers. provider says whom every line is from, whatever the document says. The same document again changes nothing. Lines of an earlier export of the same provider that cover a part of the period: if_loaded refuse refuses, replace lets the new ones count instead, add counts both. Raises TB002 for an unknown account, TB008 with the place for what cannot be read, 42501 for a role that does not administer the account';

CREATE FUNCTION @extschema@.tb_unload_invoice(account text, invoice bigint, reason text DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account CONSTANT tokbudget.account := tokbudget._find_account(tb_unload_invoice.account);
    removed bigint;
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'administer');
    DELETE FROM tokbudget.invoice
    WHERE invoice.tenant_id = found_account.tenant_id AND invoice.account_id = found_account.account_id
        AND invoice.invoice_id = tb_unload_invoice.invoice;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TB008', MESSAGE = 'no such invoice',
            DETAIL = jsonb_build_object('account', tb_unload_invoice.account, 'invoice', tb_unload_invoice.invoice)::text,
            HINT = 'tb_invoices() lists what is loaded for the account, with ids.';
    END IF;
    DELETE FROM tokbudget.invoice_line
    WHERE invoice_line.tenant_id = found_account.tenant_id AND invoice_line.invoice_id = tb_unload_invoice.invoice;
    GET DIAGNOSTICS removed = ROW_COUNT;
    UPDATE tokbudget.invoice_line SET replaced_by_invoice_id = NULL
    WHERE invoice_line.tenant_id = found_account.tenant_id AND invoice_line.replaced_by_invoice_id = tb_unload_invoice.invoice;
    PERFORM tokbudget._log_change(found_account.tenant_id, found_account.account_id, 'invoice', tb_unload_invoice.invoice, 'delete', NULL,
        jsonb_build_object('lines', removed), tb_unload_invoice.reason);
    RETURN removed;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_unload_invoice(text, bigint, text) IS
    'takes a loaded export away again; what it had replaced counts again. Returns how many lines it had. Raises TB002 for an unknown account, TB008 for an invoice that is not the account''s, 42501 for a role that does not administer the account';

CREATE FUNCTION @extschema@.tb_invoices(account text) RETURNS SETOF tokbudget.loaded_invoice
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    found_account CONSTANT tokbudget.account := tokbudget._find_account(tb_invoices.account);
BEGIN
    PERFORM tokbudget._require_access(found_account.tenant_id, found_account.ancestor_ids || found_account.account_id, 'read');
    RETURN QUERY
        SELECT loaded.* FROM tokbudget.invoice
        JOIN tokbudget.account AS holder ON holder.tenant_id = invoice.tenant_id AND holder.account_id = invoice.account_id
        CROSS JOIN LATERAL tokbudget._loaded_invoice(invoice.tenant_id, invoice.invoice_id, false) AS loaded
        WHERE invoice.tenant_id = found_account.tenant_id
            AND found_account.account_id = ANY (holder.ancestor_ids || holder.account_id)
        ORDER BY invoice.starts_at, invoice.invoice_id;
END;
$$;
COMMENT ON FUNCTION @extschema@.tb_invoices(text) IS
    'the exports that are loaded for the account and all below it, by period. Raises TB002 for an unknown account, 42501 for a role that may not read the account';
