CREATE TYPE tempo.tag_name AS (scope text, tag text);

-- traceql_tags([scope, filter, start_time, end_time, tenant]): names of tags, one row each, sorted within
-- their scope, scopes in the order span, resource, event, link, instrumentation, intrinsic.
--   scope: one of these; NULL: all. The intrinsics are a fixed list.
--   filter: only tags of spans (and of their events and links) that a TraceQL filter { ... } holds for. It
--   may be half typed: what cannot be used of it counts as true; NULL or empty: all spans.
--   start_time, end_time: only spans that overlap this range, bounds included; NULL: no bound.
--   tenant: only this tenant's spans; NULL: those of all.
-- Errors: 22023 an unknown scope, or a filter with more than 100 alternatives joined by ||; 42501 no SELECT
-- on tempo.spans; 53400 more memory than tempo.query_memory. Row-level security holds.
CREATE FUNCTION @extschema@.traceql_tags(
    scope text DEFAULT NULL,
    filter text DEFAULT NULL,
    start_time timestamptz DEFAULT NULL,
    end_time timestamptz DEFAULT NULL,
    tenant text DEFAULT NULL)
RETURNS SETOF tempo.tag_name
    AS 'MODULE_PATHNAME', 'tempo_traceql_tags' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
    COST 10000 ROWS 100;

-- traceql_tag_values(tag [, filter, start_time, end_time, tenant]): the distinct values of one tag, sorted by
-- type and value.
--   tag: as TraceQL spells it: span.foo, resource.foo, event.foo, link.foo, instrumentation.foo, .foo for the
--   values of span.foo and those of resource.foo, or an intrinsic such as name. NULL has no rows.
--   filter and the others: as traceql_tags(). A filter that says tag = v, whatever else it says, answers v.
-- type is string, int, float, bool, duration or keyword; value is as TraceQL prints it. Elements of an array
-- are values each. status and kind have all their keywords, with a filter those that occur. Durations, nested set
-- numbers and child counts have none, nor have byte strings, maps and arrays of mixed types.
-- Errors: 22023 not a tag; otherwise as traceql_tags().
CREATE FUNCTION @extschema@.traceql_tag_values(
    tag text,
    filter text DEFAULT NULL,
    start_time timestamptz DEFAULT NULL,
    end_time timestamptz DEFAULT NULL,
    tenant text DEFAULT NULL)
RETURNS TABLE (
    type text,
    value text)
    AS 'MODULE_PATHNAME', 'tempo_traceql_tag_values' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
    COST 10000 ROWS 100;
