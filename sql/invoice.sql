-- What providers say was used and what they charge: their exports, as they were loaded. Nothing here changes the ledger.

CREATE TABLE tokbudget.invoice (
    tenant_id integer NOT NULL,
    invoice_id bigint NOT NULL,
    account_id bigint NOT NULL,
    format text NOT NULL,
    feed text NOT NULL,
    content text NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    source text,
    document_sha256 bytea NOT NULL,
    skipped jsonb NOT NULL DEFAULT '[]',
    loaded_at timestamp with time zone NOT NULL,
    actor text NOT NULL,
    CONSTRAINT invoice_pkey PRIMARY KEY (tenant_id, invoice_id),
    CONSTRAINT invoice_document_key UNIQUE (tenant_id, account_id, document_sha256),
    CONSTRAINT invoice_content_check CHECK (content OPERATOR(pg_catalog.=) ANY (ARRAY['usage', 'cost'])),
    CONSTRAINT invoice_period_check CHECK (starts_at OPERATOR(pg_catalog.<) ends_at)
);
COMMENT ON TABLE tokbudget.invoice IS 'exports of providers that were loaded, one row per document';
COMMENT ON COLUMN tokbudget.invoice.tenant_id IS 'tenant of the account';
COMMENT ON COLUMN tokbudget.invoice.invoice_id IS 'id';
COMMENT ON COLUMN tokbudget.invoice.account_id IS 'account whose spend it covers, with everything below';
COMMENT ON COLUMN tokbudget.invoice.format IS 'openai_usage, openai_costs, anthropic_usage, anthropic_cost, csv or focus';
COMMENT ON COLUMN tokbudget.invoice.feed IS 'which of several exports of the format: completions, embeddings and the like; empty where there is one';
COMMENT ON COLUMN tokbudget.invoice.content IS 'cost where any line has a cost, else usage';
COMMENT ON COLUMN tokbudget.invoice.starts_at IS 'first instant that it covers';
COMMENT ON COLUMN tokbudget.invoice.ends_at IS 'first instant that it no longer covers';
COMMENT ON COLUMN tokbudget.invoice.source IS 'where it came from, as the caller said';
COMMENT ON COLUMN tokbudget.invoice.document_sha256 IS 'SHA-256 of the document: the same one is not loaded twice';
COMMENT ON COLUMN tokbudget.invoice.skipped IS 'what the document has and no line: array of objects with at and reason';
COMMENT ON COLUMN tokbudget.invoice.loaded_at IS 'when it was loaded, by the database clock';
COMMENT ON COLUMN tokbudget.invoice.actor IS 'database role of the session that loaded it';

CREATE TABLE tokbudget.invoice_line (
    tenant_id integer NOT NULL,
    invoice_id bigint NOT NULL,
    line_number integer NOT NULL,
    position_in_document text NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    provider text NOT NULL,
    model text,
    api_key text,
    project text,
    workspace text,
    end_user text,
    charge text NOT NULL,
    requests bigint,
    input_tokens bigint,
    cache_read_input_tokens bigint,
    cache_write_input_tokens bigint,
    output_tokens bigint,
    meters jsonb NOT NULL DEFAULT '{}',
    cost numeric,
    currency text,
    service_tier text,
    region text,
    description text,
    replaced_by_invoice_id bigint,
    CONSTRAINT invoice_line_pkey PRIMARY KEY (tenant_id, invoice_id, line_number),
    CONSTRAINT invoice_line_charge_check CHECK (
        charge OPERATOR(pg_catalog.=) ANY (ARRAY['usage', 'tax', 'credit', 'adjustment', 'purchase'])
    ),
    CONSTRAINT invoice_line_cost_check CHECK (cost IS NULL OR currency IS NOT NULL)
);
CREATE INDEX invoice_line_period_idx ON tokbudget.invoice_line (tenant_id, provider, starts_at);
COMMENT ON TABLE tokbudget.invoice_line IS 'lines of the loaded exports; what a document does not say is NULL, which is not zero';
COMMENT ON COLUMN tokbudget.invoice_line.tenant_id IS 'tenant of the account';
COMMENT ON COLUMN tokbudget.invoice_line.invoice_id IS 'document that it is from';
COMMENT ON COLUMN tokbudget.invoice_line.line_number IS 'its place among the lines of the document, from 1';
COMMENT ON COLUMN tokbudget.invoice_line.position_in_document IS 'where it stands in the document: a path such as data[0].results[2], or the line of a file';
COMMENT ON COLUMN tokbudget.invoice_line.starts_at IS 'first instant that it covers; decides the day on which it counts (UTC)';
COMMENT ON COLUMN tokbudget.invoice_line.ends_at IS 'first instant that it no longer covers';
COMMENT ON COLUMN tokbudget.invoice_line.provider IS 'who charges, in the words of the price book';
COMMENT ON COLUMN tokbudget.invoice_line.model IS 'model, as the document names it';
COMMENT ON COLUMN tokbudget.invoice_line.api_key IS 'id of the key that was used, where the export is grouped by it';
COMMENT ON COLUMN tokbudget.invoice_line.project IS 'project, or sub-account of a FOCUS file';
COMMENT ON COLUMN tokbudget.invoice_line.workspace IS 'workspace';
COMMENT ON COLUMN tokbudget.invoice_line.end_user IS 'user whom the provider names';
COMMENT ON COLUMN tokbudget.invoice_line.charge IS 'usage, tax, credit, adjustment or purchase';
COMMENT ON COLUMN tokbudget.invoice_line.requests IS 'calls';
COMMENT ON COLUMN tokbudget.invoice_line.input_tokens IS 'input tokens, cached ones included; of a line for one kind of token those of that kind';
COMMENT ON COLUMN tokbudget.invoice_line.cache_read_input_tokens IS 'input tokens read from a cache';
COMMENT ON COLUMN tokbudget.invoice_line.cache_write_input_tokens IS 'input tokens written to a cache';
COMMENT ON COLUMN tokbudget.invoice_line.output_tokens IS 'output tokens, reasoning included';
COMMENT ON COLUMN tokbudget.invoice_line.meters IS 'other quantities, by what they count: searches, images, seconds, characters and the like';
COMMENT ON COLUMN tokbudget.invoice_line.cost IS 'what is charged, in currency units, with the digits of the document';
COMMENT ON COLUMN tokbudget.invoice_line.currency IS 'currency of the cost, ISO 4217';
COMMENT ON COLUMN tokbudget.invoice_line.service_tier IS 'tier, as the document names it';
COMMENT ON COLUMN tokbudget.invoice_line.region IS 'place, as the document names it';
COMMENT ON COLUMN tokbudget.invoice_line.description IS 'what the document says it is for';
COMMENT ON COLUMN tokbudget.invoice_line.replaced_by_invoice_id IS 'newer export of the same period that counts instead';

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

SELECT pg_catalog.pg_extension_config_dump('tokbudget.invoice', '');
SELECT pg_catalog.pg_extension_config_dump('tokbudget.invoice_line', '');
