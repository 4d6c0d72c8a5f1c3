-- tempo_structure(), tempo_trace_diff(), traceql_explain(): against plain SQL over the same spans; odd traces,
-- tenants, NULLs, rights.
SET TIME ZONE 'UTC';
SELECT tempo.init();
SELECT tempo.create_partitions('2021-09-01', '2021-09-02') >= 0 AS made;
-- 40 traces of 31 spans, a binary tree each, three services, two names; every fifth trace lacks span 2
INSERT INTO tempo.spans (tenant, trace_id, span_id, parent_span_id, name, kind, status, start_time, duration_ns, service)
 SELECT 'calls', to_hex(4096 + t)::trace_id, to_hex(s)::span_id, CASE WHEN s > 1 THEN to_hex(s / 2)::span_id END,
        CASE WHEN (s * t) % 7 < 3 THEN 'read' ELSE 'write' END, 'internal', CASE WHEN (s * 3 + t) % 11 = 0 THEN 'error' ELSE 'ok' END::tempo.status_code,
        '2021-09-01 23:59:30'::timestamptz + t * interval '1 s' + s * interval '1 ms', (s * 7919 + t * 104729) % 1000003, 'svc' || (s + t) % 3
   FROM generate_series(1, 40) t, generate_series(1, 31) s WHERE NOT (t % 5 = 0 AND s = 2);
CREATE FUNCTION structure_by_sql(OUT path text[], OUT traces bigint, OUT spans bigint, OUT errors bigint, OUT p50_ms numeric, OUT max_ms numeric, OUT total_ms numeric)
 RETURNS SETOF record LANGUAGE sql AS $$
 WITH RECURSIVE t AS (
   SELECT trace_id, span_id, status, duration_ns, ARRAY[service || '/' || name] AS path FROM tempo.spans WHERE tenant = 'calls' AND parent_span_id IS NULL
   UNION ALL
   SELECT s.trace_id, s.span_id, s.status, s.duration_ns, t.path || (s.service || '/' || s.name)
     FROM t JOIN tempo.spans s ON s.tenant = 'calls' AND s.trace_id = t.trace_id AND s.parent_span_id = t.span_id)
 SELECT path, count(DISTINCT trace_id), count(*), count(*) FILTER (WHERE status = 'error'),
        percentile_disc(0.5) WITHIN GROUP (ORDER BY duration_ns) / 1e6, max(duration_ns) / 1e6, sum(duration_ns) / 1e6
   FROM t GROUP BY path $$;
-- the same paths from the rows of tempo_structure(): the last row above of each smaller depth
CREATE FUNCTION structure_paths(query text, OUT path text[], OUT traces bigint, OUT spans bigint, OUT errors bigint, OUT p50_ms numeric, OUT max_ms numeric, OUT total_ms numeric)
 RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
  path := '{}';
  FOR r IN SELECT * FROM tempo_structure(query, tenant => 'calls') LOOP
    path := path[1:r.depth] || (r.service || '/' || ltrim(r.name));
    traces := r.traces; spans := r.spans; errors := r.errors; p50_ms := r.p50_ms; max_ms := r.max_ms; total_ms := r.total_ms;
    IF path[1] IS NOT NULL THEN RETURN NEXT; END IF;
  END LOOP;
END $$;
CREATE FUNCTION differences() RETURNS bigint LANGUAGE sql AS $$
 SELECT (SELECT count(*) FROM (SELECT * FROM structure_by_sql() EXCEPT SELECT * FROM structure_paths('{}')) a)
      + (SELECT count(*) FROM (SELECT * FROM structure_paths('{}') EXCEPT SELECT * FROM structure_by_sql()) b) $$;
SELECT count(*) > 100 AS many FROM structure_by_sql();
SELECT differences();
SELECT tempo_merge() > 0 AS merged;
SELECT differences();
-- below span 2 of the traces that lack it
SELECT depth, name, traces, spans, service FROM tempo_structure('{}', tenant => 'calls') WHERE name LIKE '(%';
SELECT sum(spans) = (SELECT count(*) FROM tempo.spans WHERE tenant = 'calls') AS every_span FROM tempo_structure('{}', tenant => 'calls');
-- whole traces, of those that match, in the range
SELECT sum(spans), max(traces) FROM tempo_structure('{ trace:id = "' || repeat('0', 28) || '1001" }');
SELECT max(traces), sum(spans) FROM tempo_structure('{}', '2021-09-02', NULL, 'calls');
SELECT count(*) FROM tempo_structure('{ name = "none" }');
SELECT count(*) FROM tempo_structure(NULL);
SELECT * FROM tempo_structure('{} | rate()');
SELECT * FROM tempo_structure('{');

-- differences of two traces
INSERT INTO tempo.spans (tenant, trace_id, span_id, parent_span_id, name, kind, status, start_time, duration_ns, service) VALUES
 ('diff', 'a', '1', NULL, 'GET /', 'server', 'ok', '2021-09-01 10:00:00', 50000000, 'front'),
 ('diff', 'a', '2', '1', 'load', 'client', 'ok', '2021-09-01 10:00:00.001', 20000000, 'front'),
 ('diff', 'a', '3', '1', 'load', 'client', 'ok', '2021-09-01 10:00:00.030', 10000000, 'front'),
 ('diff', 'a', '4', '1', 'log', 'internal', 'ok', '2021-09-01 10:00:00.045', 1000, 'front'),
 ('diff', 'a', '5', '9', 'stray', 'internal', 'ok', '2021-09-01 10:00:00.046', 1000, 'front'),
 ('diff', 'b', '1', NULL, 'GET /', 'server', 'ok', '2021-09-01 11:00:00', 80000000, 'front'),
 ('diff', 'b', '2', '1', 'load', 'client', 'error', '2021-09-01 11:00:00.001', 60000000, 'front'),
 ('diff', 'b', '3', '2', 'retry', 'client', 'ok', '2021-09-01 11:00:00.002', 30000000, 'front');
SELECT * FROM tempo_trace_diff('a', 'b', 'diff');
SELECT count(*), count(change), sum(delta_ms) FROM tempo_trace_diff('a', 'a', 'diff');
SELECT DISTINCT change FROM tempo_trace_diff('a', NULL, 'diff');
SELECT count(*) FROM tempo_trace_diff('c', 'd', 'diff');

-- what a query does
SELECT * FROM traceql_explain('({ .a = 1 } >> { name = "x" || duration > 1s }) && { status = error } | by(resource.service.name) | avg(span.n) > 2.5 | select(span.k)', max_traces => 3) AS e WHERE e !~ 'Partitions|Segments|batches';
SELECT * FROM traceql_explain('({ kind = server } | rate() by (name) | topk(2)) / ({} | rate() by (name))') AS e WHERE e !~ 'Partitions|Segments|batches';
SELECT count(*) FILTER (WHERE e ~ '^ *Inspected: 31 spans of 1 traces'), count(*) FILTER (WHERE e ~ 'Execution Time') FROM traceql_explain('{ trace:id = "' || repeat('0', 28) || '1001" }', '2021-09-01 23:59:31', '2021-09-01 23:59:31.5', run => true) AS e;
SELECT count(*) FILTER (WHERE e ~ 'Execution Time') FROM traceql_explain('{} | count_over_time()', run => true) AS e;
SELECT * FROM traceql_explain('{ .a = }');
SELECT count(*) FROM traceql_explain(NULL);
CREATE ROLE regress_calls;
SET ROLE regress_calls;
SELECT * FROM tempo_structure('{}');
SELECT * FROM traceql_explain('{}');
SELECT * FROM tempo_trace_diff('a', 'b');
RESET ROLE;
DROP ROLE regress_calls;
DROP FUNCTION differences, structure_by_sql, structure_paths;
DELETE FROM tempo.spans WHERE tenant IN ('calls', 'diff');
