-- Estimates rows for the planner.
CREATE FUNCTION tempo.traceql_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'tempo_traceql_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
REVOKE ALL ON FUNCTION tempo.traceql_support(internal) FROM PUBLIC;

-- traceql(query [, start, "end", max_traces, tenant]): the spans a TraceQL search matches, one row
-- each; doc/traceql.md says what the language means.
--   start, end: only traces that overlap this range, bounds included; NULL: no bound.
--   max_traces: only the newest so many traces by start, rows newest trace first; NULL: all, in no order.
--   tenant: only this tenant's spans; NULL: those of all, and traces of different tenants are different
--   even with the same id.
-- root_service and root_name are NULL when the root span is not there. spanset counts from 1 within a
-- trace. attributes are those the query mentions or selects and the span has: keys without scope, with it
-- (span.k, resource.k ...) where two have the same key; status and kind as words, durations as
-- nanoseconds. spanset_attributes are what by() and aggregates attach, e.g. count(); a missing by() value
-- is an empty one. A NULL query has no rows.
-- Errors: 42601 the query is refused or is a metrics query, 0A000 it has a meaning that is not supported,
-- 42501 no SELECT on tempo.spans, 22023 max_traces below 1.
CREATE FUNCTION @extschema@.traceql(
    query text,
    start timestamptz DEFAULT NULL,
    "end" timestamptz DEFAULT NULL,
    max_traces integer DEFAULT NULL,
    tenant text DEFAULT NULL)
RETURNS TABLE (
    trace_id @extschema@.trace_id,
    span_id @extschema@.span_id,
    root_service text,
    root_name text,
    trace_start timestamptz,
    trace_duration_ns bigint,
    name text,
    service text,
    kind tempo.span_kind,
    status tempo.status_code,
    start_time timestamptz,
    start_ns smallint,
    duration_ns bigint,
    attributes tempo.attributes,
    spanset integer,
    spanset_attributes tempo.attributes)
    AS 'MODULE_PATHNAME', 'tempo_traceql' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
    COST 100000 ROWS 1000 SUPPORT tempo.traceql_support;

-- traceql_explain(query [, start, "end", max_traces, tenant, run]): what a TraceQL query, a search or a
-- metrics query, does: a line for each operator, last one first, what feeds it below, with what it reads; then
-- what tempo.spans has for it: segments and recent batches whose times meet the range, with their spans,
-- vectors and bytes, nothing of which is read. Arguments as traceql().
--   run: also run the query, and say what was read and how long that took. It is run as it stands here;
--   EXPLAIN of a statement with traceql() in FROM shows what that statement needs.
-- A NULL query has no rows. Errors: as traceql(), but metrics queries are fine.
CREATE FUNCTION @extschema@.traceql_explain(
    query text,
    start timestamptz DEFAULT NULL,
    "end" timestamptz DEFAULT NULL,
    max_traces integer DEFAULT NULL,
    tenant text DEFAULT NULL,
    run boolean DEFAULT false)
RETURNS SETOF text
    AS 'MODULE_PATHNAME', 'tempo_traceql_explain' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
    COST 100000 ROWS 20;
