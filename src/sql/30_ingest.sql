-- tempo_ingest(request [, tenant]): stores the spans of an OTLP ExportTraceServiceRequest in protobuf, in
-- this transaction, by the same code as the receivers. Makes the partitions they need. Returns the number
-- of spans stored; NULL for a NULL argument. Spans outside tempo.retention and tempo.max_future are left
-- out with a WARNING.
-- Needs INSERT on tempo.spans (42501 otherwise), and that no row-level security applies to the caller
-- (0A000). A malformed request is 22P03 and stores nothing; too deep or too large 54000; more partitions
-- than tempo.max_partitions 53400.
CREATE FUNCTION @extschema@.tempo_ingest(request bytea, tenant text DEFAULT 'single-tenant') RETURNS bigint
    AS 'MODULE_PATHNAME', 'tempo_ingest' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;

-- The same for a request in OTLP/JSON, as text or as its bytes. A malformed request is 22P02.
CREATE FUNCTION @extschema@.tempo_ingest_json(request text, tenant text DEFAULT 'single-tenant') RETURNS bigint
    AS 'MODULE_PATHNAME', 'tempo_ingest_json' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;
CREATE FUNCTION @extschema@.tempo_ingest_json(request bytea, tenant text DEFAULT 'single-tenant') RETURNS bigint
    AS 'MODULE_PATHNAME', 'tempo_ingest_json' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;
