-- tempo.unix_nano(time, below [, plus]): unix nanoseconds of a timestamp and the nanoseconds below its
-- microsecond, plus a number of nanoseconds. Before 1970 it is 0, past 2262-04-11 the largest bigint, so
-- that no stored time can make a query over many spans fail.
CREATE FUNCTION tempo.unix_nano("time" timestamptz, below smallint, plus bigint DEFAULT 0) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tempo_unix_nano' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

-- tempo.init(): makes tempo.spans and the views over it, as the caller, who owns them: they are dumped
-- with their policies and are not part of the extension. May be called again: what is there stays.
-- Returns tempo.spans. Error: 42P16 when there is another relation of that name.
CREATE FUNCTION tempo.init() RETURNS regclass
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $init$
DECLARE
    spans regclass := to_regclass('tempo.spans');
BEGIN
    IF spans IS NULL THEN
        CREATE TABLE tempo.spans (
            tenant text NOT NULL DEFAULT 'single-tenant',
            trace_id @extschema@.trace_id NOT NULL,
            span_id @extschema@.span_id NOT NULL,
            parent_span_id @extschema@.span_id,
            name text NOT NULL DEFAULT '',
            kind tempo.span_kind NOT NULL DEFAULT 'unspecified',
            status tempo.status_code NOT NULL DEFAULT 'unset',
            status_message text NOT NULL DEFAULT '',
            start_time timestamptz NOT NULL,
            start_ns smallint NOT NULL DEFAULT 0 CONSTRAINT spans_start_ns_check CHECK (start_ns BETWEEN 0 AND 999),
            duration_ns bigint NOT NULL DEFAULT 0,
            service text NOT NULL DEFAULT '',
            attributes tempo.attributes NOT NULL DEFAULT '{}',
            resource_attributes tempo.attributes NOT NULL DEFAULT '{}',
            scope_attributes tempo.attributes NOT NULL DEFAULT '{}',
            scope_name text NOT NULL DEFAULT '',
            scope_version text NOT NULL DEFAULT '',
            trace_state text NOT NULL DEFAULT '',
            events tempo.events NOT NULL DEFAULT '[]',
            links tempo.links NOT NULL DEFAULT '[]',
            flags bigint NOT NULL DEFAULT 0,
            dropped_attributes_count bigint NOT NULL DEFAULT 0,
            dropped_events_count bigint NOT NULL DEFAULT 0,
            dropped_links_count bigint NOT NULL DEFAULT 0,
            resource_dropped_attributes_count bigint NOT NULL DEFAULT 0,
            scope_dropped_attributes_count bigint NOT NULL DEFAULT 0,
            resource_schema_url text NOT NULL DEFAULT '',
            scope_schema_url text NOT NULL DEFAULT ''
        ) PARTITION BY RANGE (start_time);
        spans := 'tempo.spans'::regclass;
        COMMENT ON TABLE tempo.spans IS
            'One row a span. Partitions by day (UTC) are made as spans come; grant nothing on them.';
        COMMENT ON COLUMN tempo.spans.start_ns IS 'nanoseconds below the microsecond of start_time, 0 to 999';
        COMMENT ON COLUMN tempo.spans.duration_ns IS 'end minus start in nanoseconds';
        COMMENT ON COLUMN tempo.spans.service IS
            'service.name of the resource; empty when it is absent or not a string';
    ELSIF NOT EXISTS (SELECT FROM pg_partitioned_table p
                        JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
                       WHERE p.partrelid = spans AND p.partstrat = 'r' AND p.partnatts = 1
                         AND a.attname = 'start_time') THEN
        RAISE invalid_table_definition USING
            MESSAGE = 'tempo.spans exists and is not a table partitioned by range of start_time';
    END IF;

    IF to_regclass('tempo.traces') IS NULL THEN
        -- One row a trace. The root is the earliest span without a parent. The policies on tempo.spans are
        -- those of whoever asks.
        CREATE VIEW tempo.traces WITH (security_invoker = true) AS
        SELECT tenant,
               trace_id,
               min(start_time) AS start_time,
               max(tempo.unix_nano(start_time, start_ns, duration_ns)) - min(tempo.unix_nano(start_time, start_ns))
                   AS duration_ns,
               (array_agg(service ORDER BY start_time DESC, start_ns DESC) FILTER (WHERE parent_span_id IS NULL))[1]
                   AS root_service,
               (array_agg(name ORDER BY start_time DESC, start_ns DESC) FILTER (WHERE parent_span_id IS NULL))[1]
                   AS root_name,
               count(*) AS spans,
               count(*) FILTER (WHERE status OPERATOR(@extschema@.=) 'error') AS errors,
               array_agg(DISTINCT service) AS services
          FROM tempo.spans
         GROUP BY tenant, trace_id;
        COMMENT ON VIEW tempo.traces IS 'One row a trace; of several root spans the last one counts, as in TraceQL; root_service and root_name are NULL without one';
    END IF;

    IF to_regclass('tempo.services') IS NULL THEN
        CREATE VIEW tempo.services WITH (security_invoker = true) AS
        SELECT tenant,
               service,
               count(*) AS spans,
               count(*) FILTER (WHERE status OPERATOR(@extschema@.=) 'error') AS errors,
               min(start_time) AS first_start,
               max(start_time) AS last_start
          FROM tempo.spans
         GROUP BY tenant, service;
        COMMENT ON VIEW tempo.services IS 'One row a service, with its spans, errors, and when it was seen';
    END IF;
    RETURN spans;
END
$init$;
