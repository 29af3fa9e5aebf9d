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

SELECT pg_catalog.pg_extension_config_dump('tokbudget.invoice', '');
SELECT pg_catalog.pg_extension_config_dump('tokbudget.invoice_line', '');
