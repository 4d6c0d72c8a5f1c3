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
