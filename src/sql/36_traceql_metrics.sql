-- traceql_metrics(query [, start_time, end_time, step, tenant, complete_only]): the samples of a TraceQL
-- metrics query, one row each, series by series, in order of time; doc/traceql.md says what the language
-- means.
--   start_time, end_time: a span counts by its start time, when start_time < start <= end_time, both rounded
--   to steps as below. NULL: from the first, to the last span there is.
--   step: length of an interval; NULL: a round one that makes about 240 of the range. Intervals end at
--   multiples of step since the Unix epoch. start_time is rounded down and end_time up to one, and one interval
--   more is put in front, so the first sample stands at start_time rounded down.
--   tenant: only this tenant's spans; NULL: those of all.
--   complete_only: leave out intervals that end after the statement began, which can still grow.
-- time is the end of the interval, which belongs to it; the start does not. labels has a member for each
-- attribute of by() that is there: durations, status and kind as words, null for a value that is missing
-- where it is the only label. series is the labels for people. Without by() the one label is __name__, the
-- function. An interval without spans is 0 for rate(), count_over_time(), histogram_over_time() and
-- quantile_over_time(), and has no row for the others. Nothing is sampled, and nothing before now is cut off.
-- A NULL query has no rows.
-- Errors: 42601 the query is refused or is a search, 0A000 it has a meaning that is not supported, 22023
-- end_time not after start_time, a step of months, below 1 us, or so short that there are more than a million
-- intervals; 42501 no SELECT on tempo.spans; 53400 more memory than tempo.query_memory. Row-level security
-- holds.
CREATE FUNCTION @extschema@.traceql_metrics(
    query text,
    start_time timestamptz DEFAULT NULL,
    end_time timestamptz DEFAULT NULL,
    step interval DEFAULT NULL,
    tenant text DEFAULT NULL,
    complete_only boolean DEFAULT false)
RETURNS TABLE (
    "time" timestamptz,
    labels jsonb,
    series text,
    value double precision)
    AS 'MODULE_PATHNAME', 'tempo_traceql_metrics' LANGUAGE C STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED
    COST 100000 ROWS 1000 SUPPORT tempo.traceql_support;

-- traceql_metrics_instant(query [, start_time, end_time, tenant]): the same over one interval from start_time,
-- which does not belong to it, to end_time, which does: one row a series. rate() is per second of it.
CREATE FUNCTION @extschema@.traceql_metrics_instant(
    query text,
    start_time timestamptz DEFAULT NULL,
    end_time timestamptz DEFAULT NULL,
    tenant text DEFAULT NULL)
RETURNS TABLE (
    labels jsonb,
    series text,
    value double precision)
    AS 'MODULE_PATHNAME', 'tempo_traceql_metrics_instant' LANGUAGE C STABLE CALLED ON NULL INPUT
    PARALLEL RESTRICTED COST 100000 ROWS 100 SUPPORT tempo.traceql_support;
