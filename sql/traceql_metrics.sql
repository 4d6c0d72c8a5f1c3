-- traceql_metrics(): columns, arguments, errors. A trace of tenant m-shop across midnight, another of tenant m-other.
SET TIME ZONE 'UTC';
SET datestyle = ISO;
SELECT tempo.init();
SELECT tempo.create_partitions('2021-09-01', '2021-09-02') >= 0 AS made;
INSERT INTO tempo.spans (tenant, trace_id, span_id, parent_span_id, name, kind, status, start_time, start_ns,
                         duration_ns, service, attributes, resource_attributes, events, trace_state) VALUES
 ('m-shop', 'abc', '1', NULL, 'GET /shop', 'server', 'unset', '2021-09-01 23:59:50', 0, 1000000000, 'front',
  '{"http.status_code": 200, "beta": true}', '{"service.name": "front", "cluster": "eu"}', '[]', 'ot=th:8'),
 ('m-shop', 'abc', '2', '1', 'POST /cart', 'client', 'error', '2021-09-01 23:59:50', 1, 200000000, 'front',
  '{"http.status_code": 500, "cluster": "us", "size": 1.5}', '{"service.name": "front", "cluster": "eu"}',
  '[{"time": 1630540800200000000, "name": "exception", "attributes": {"type": "Timeout"}}]', ''),
 ('m-shop', 'abc', '3', '2', 'SELECT', 'client', 'unset', '2021-09-02 00:00:05', 0, 50000000, 'db',
  '{"rows": 10}', '{"service.name": "db"}', '[]', 'x=y,ot=rv:1;th:c'),
 ('m-shop', 'def', '4', '99', 'orphan', 'consumer', 'ok', '2021-09-02 00:00:10', 0, 1, 'api',
  '{"http.status_code": "500"}', '{"service.name": "api"}', '[]', ''),
 ('m-other', 'abc', '5', NULL, 'GET /other', 'server', 'error', '2021-09-02 00:00', 0, 5, 'front', '{}',
  '{"service.name": "front"}', '[]', '');

-- the start does not belong to an interval, the end does; the range is rounded, and one interval more
SELECT * FROM traceql_metrics('{} | count_over_time()', '2021-09-01 23:59:50', '2021-09-02 00:00:07', '10 s', 'm-shop');
SELECT * FROM traceql_metrics('{} | count_over_time()', '2021-09-01 23:59:55', '2021-09-02 00:00:10', '10 s', 'm-shop') WHERE value > 0;
-- all of time, and the default step; another tenant, all tenants
SELECT min(time), max(time), count(*), sum(value) FROM traceql_metrics('{} | count_over_time()', tenant => 'm-shop');
SELECT * FROM traceql_metrics_instant('{} | count_over_time()', tenant => 'm-shop');
SELECT * FROM traceql_metrics_instant('{} | count_over_time()', '2021-09-01', '2021-09-03');
SELECT * FROM traceql_metrics_instant('{} | count_over_time()', '2021-09-01 23:59:50', '2021-09-02 00:00:10', 'm-shop');
SELECT * FROM traceql_metrics_instant('{} | rate()', '2021-09-01 23:59:50', '2021-09-02 00:00:10', 'm-shop');
SELECT count(*) FROM traceql_metrics('{} | count_over_time()', tenant => 'nobody');
SELECT count(*) FROM traceql_metrics(NULL), traceql_metrics_instant(NULL);

-- every function, before and after a merge
CREATE TEMP TABLE q (n int, query text);
INSERT INTO q VALUES
 (1, '{} | rate() by (resource.service.name)'), (2, '{} | count_over_time() by (span.http.status_code, kind)'),
 (3, '{} | sum_over_time(duration) by (.cluster)'), (4, '{} | avg_over_time(span.size)'), (5, '{} | min_over_time(duration)'),
 (6, '{} | quantile_over_time(duration, .5, .9) by (status)'), (7, '{} | histogram_over_time(span.rows)'),
 (8, '{} > {} | count_over_time()'), (9, '{} | count() > 2 | count_over_time() by (rootName)'),
 (10, '({ status = error } | rate()) / ({} | rate())'), (11, '{} | max_over_time(event:timeSinceStart)'),
 (12, '{} | count_over_time() by (name) | topk(1)'), (13, '{} | count_over_time() by (span.beta) = 1'),
 (14, '{} | count_over_time() with(extrapolate=true)'), (15, '{ kind = client } | compare({ status = error }, 1)'),
 (16, '{} | count_over_time() by (traceDuration)');
CREATE VIEW answers AS SELECT n, time, labels, series, value FROM q,
 traceql_metrics(query, '2021-09-01 23:59:50', '2021-09-02 00:00:10', '20 s', 'm-shop');
SELECT n, to_char(time, 'HH24:MI:SS') AS time, labels, series, round(value::numeric, 9) AS value FROM answers WHERE n < 15 ORDER BY n, series, labels, time;
SELECT series, value FROM answers WHERE n >= 15 AND value > 0 ORDER BY n, series;
CREATE TEMP TABLE before AS SELECT * FROM answers;
SELECT tempo_merge() > 0 AS merged;
TABLE before EXCEPT TABLE answers;
TABLE answers EXCEPT TABLE before;

-- only what is complete
SELECT tempo.create_partitions(current_date, current_date + 1) >= 0 AS made;
INSERT INTO tempo.spans (tenant, trace_id, span_id, name, start_time, duration_ns, service, attributes, resource_attributes)
 VALUES ('m-now', 'fff', '1', 'a', now(), 1, '', '{}', '{}');
SELECT count(*), sum(value) FROM traceql_metrics('{} | count_over_time()', now(), now() + interval '1 ms', '1 day', 'm-now');
SELECT count(*), coalesce(sum(value), 0) AS sum FROM traceql_metrics('{} | count_over_time()', now(), now() + interval '1 ms', '1 day', 'm-now', true);

-- errors
SELECT * FROM traceql_metrics('{ status = error }');
SELECT * FROM traceql_metrics('{} | rate() by (.a = 1)');
SELECT * FROM traceql_metrics('{} | rate()', '2021-09-02', '2021-09-01');
SELECT * FROM traceql_metrics('{} | rate()', step => '0 s');
SELECT * FROM traceql_metrics('{} | rate()', step => '1 month');
SELECT * FROM traceql_metrics('{} | rate()', '2021-01-01', '2021-09-01', '1 s');
SET tempo.query_memory = '64kB';
SELECT * FROM traceql_metrics('{} | rate() by (name)', '2021-09-01', '2021-09-02', '100 ms');
RESET tempo.query_memory;
-- rights and policies
CREATE ROLE regress_metrics;
SET ROLE regress_metrics;
SELECT count(*) FROM traceql_metrics('{} | rate()');
RESET ROLE;
GRANT SELECT ON tempo.spans TO regress_metrics;
ALTER TABLE tempo.spans ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON tempo.spans TO regress_metrics USING (tenant = 'm-shop' AND name <> 'GET /shop');
SET ROLE regress_metrics;
SELECT * FROM traceql_metrics_instant('{} | count_over_time() by (rootName)');
SELECT * FROM traceql_metrics_instant('{} | count_over_time() by (name)');
SELECT min(time), max(time) FROM traceql_metrics('{} | rate()', step => '1 s');
RESET ROLE;
ALTER TABLE tempo.spans DISABLE ROW LEVEL SECURITY;
DROP POLICY mine ON tempo.spans;
REVOKE ALL ON tempo.spans FROM regress_metrics;
DROP ROLE regress_metrics;
DROP VIEW answers;
