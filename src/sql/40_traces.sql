-- tempo_trace_tree(trace_id [, tenant]): the spans of one trace as a tree, each below its parent, siblings by
-- start. No such trace, or a NULL id: no rows.
--   tenant: whose trace; NULL: whoever's it is, 22023 when several tenants have one of this id.
-- name is indented by depth. start_ms counts from the start of the trace. bar draws when the span was within
-- the trace. Spans whose parent is not here stand below a heading "(parent not received)", whose span_id is
-- the parent they name; spans that would be their own ancestors below "(parents form a circle)". Of a
-- heading the other columns are NULL. Of a server and a client span that share an id, the client is the
-- parent of the server.
-- Errors: 42501 no SELECT on tempo.spans. Row-level security holds.
CREATE FUNCTION @extschema@.tempo_trace_tree(
    trace_id @extschema@.trace_id,
    tenant text DEFAULT NULL)
RETURNS TABLE (
    depth integer,
    name text,
    service text,
    start_ms numeric,
    duration_ms numeric,
    bar text,
    status tempo.status_code,
    span_id @extschema@.span_id)
    AS 'MODULE_PATHNAME', 'tempo_trace_tree' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
    COST 10000 ROWS 50;

-- tempo_critical_path(trace_id [, tenant]): the spans that the duration of a trace is made of, in the order in
-- which they come into play, with the time that each contributes: critical_ms, which adds up to the duration
-- of the trace, and percent of it. Arguments and errors as tempo_trace_tree().
-- From the end of a span, the child that finishes last is what it waited for; before the start of that one,
-- the child that had finished last by then, and so on; what lies between is the span's own time. Children
-- count as far as they lie within their parent; one that ends a little (less than 1 ms) after the start of
-- the next had finished. Roots, spans without parent, and spans that outlive theirs,
-- from its end on, are children of the trace, whose own time is a row "(no span)". (The rule is that of
-- CRISP, USENIX ATC 2022, and of Jaeger's trace view.)
CREATE FUNCTION @extschema@.tempo_critical_path(
    trace_id @extschema@.trace_id,
    tenant text DEFAULT NULL)
RETURNS TABLE (
    name text,
    service text,
    start_ms numeric,
    duration_ms numeric,
    critical_ms numeric,
    percent numeric,
    status tempo.status_code,
    span_id @extschema@.span_id)
    AS 'MODULE_PATHNAME', 'tempo_critical_path' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
    COST 10000 ROWS 20;

-- tempo_trace_diff(a, b [, tenant]): two traces laid over each other, call by call: one row for each service
-- and name below the same chain of callers, in the order of calls, indented as in tempo_trace_tree().
--   change: 'added' is in b only, 'removed' in a only, 'changed' has another number of spans or errors; NULL:
--   neither. ms_a, ms_b: durations of the node's spans added up, NULL where it has none; delta_ms is what b
--   has more. Headings over spans without parents have only change, depth and name.
-- A NULL id, or one that nobody has, is a trace without spans. tenant and errors as tempo_trace_tree().
CREATE FUNCTION @extschema@.tempo_trace_diff(
    a @extschema@.trace_id,
    b @extschema@.trace_id,
    tenant text DEFAULT NULL)
RETURNS TABLE (
    change text,
    depth integer,
    name text,
    service text,
    spans_a bigint,
    spans_b bigint,
    errors_a bigint,
    errors_b bigint,
    ms_a numeric,
    ms_b numeric,
    delta_ms numeric)
    AS 'MODULE_PATHNAME', 'tempo_trace_diff' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
    COST 20000 ROWS 50;

-- tempo_structure(query [, start, "end", tenant]): all traces that a TraceQL search matches as one tree of
-- calls: one row for each service and name below the same chain of callers, children by when they start on
-- average. Whole traces are merged, not only the spans that match.
--   traces: how many traces have the node; spans, errors: of them all. p50_ms .. max_ms: durations of its
--   spans (nearest rank, exact); total_ms: added up. Headings over spans whose parent is missing have only
--   depth, name and traces. start, "end", tenant: as traceql(). A NULL query has no rows.
-- Errors: as traceql(); 53400 when the tree takes more than tempo.query_memory.
CREATE FUNCTION @extschema@.tempo_structure(
    query text,
    start timestamptz DEFAULT NULL,
    "end" timestamptz DEFAULT NULL,
    tenant text DEFAULT NULL)
RETURNS TABLE (
    depth integer,
    name text,
    service text,
    traces bigint,
    spans bigint,
    errors bigint,
    p50_ms numeric,
    p90_ms numeric,
    p99_ms numeric,
    max_ms numeric,
    total_ms numeric)
    AS 'MODULE_PATHNAME', 'tempo_structure' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
    COST 100000 ROWS 100;
