-- traceql(): columns, arguments, errors. A trace of tenant shop, another with the same id of tenant other.
SET TIME ZONE 'UTC';
SET datestyle = ISO;
SELECT tempo.init();
SELECT tempo.create_partitions('2021-07-01', '2021-07-02') >= 0 AS made;
INSERT INTO tempo.spans (tenant, trace_id, span_id, parent_span_id, name, kind, status, start_time, start_ns,
                         duration_ns, service, attributes, resource_attributes, events) VALUES
 ('shop', 'abc', '1', NULL, 'GET /shop', 'server', 'unset', '2021-07-01 23:59:59.5', 7, 1000000000, 'front',
  '{"http.status_code": 200, "beta": true}', '{"service.name": "front", "cluster": "eu"}', '[]'),
 ('shop', 'abc', '2', '1', 'POST /cart', 'client', 'error', '2021-07-02 00:00:00.1', 0, 200000000, 'front',
  '{"http.status_code": 500, "cluster": "us", "tags": ["a", "b"]}', '{"service.name": "front", "cluster": "eu"}',
  '[{"time": 1625184000200000000, "name": "exception", "attributes": {"type": "Timeout"}}]'),
 ('shop', 'abc', '3', '2', 'SELECT', 'client', 'unset', '2021-07-02 00:00:00.15', 0, 50000000, 'db',
  '{"rows": 10}', '{"service.name": "db"}', '[]'),
 ('shop', 'def', '4', '99', 'orphan', 'consumer', 'ok', '2021-07-02 12:00', 0, 1, 'api',
  '{"http.status_code": "500", "raw": "bytes:00ff"}', '{"service.name": "api"}', '[]'),
 ('other', 'abc', '5', NULL, 'GET /other', 'server', 'error', '2021-07-02 00:00', 0, 5, 'front', '{}',
  '{"service.name": "front"}', '[]');

-- every column
\x on
SELECT * FROM traceql('{ status = error && kind = client }', tenant => 'shop');
\x off
-- a root that is not there; attributes asked for, with their scope where two have one key
SELECT span_id, root_service, root_name, name, attributes FROM traceql('{ .http.status_code != nil } | select(.cluster)', tenant => 'shop') ORDER BY 1;
SELECT span_id, attributes FROM traceql('{ event:name = "exception" } | select(event.type, span.tags, event:timeSinceStart)', tenant => 'shop');
-- structure across a partition boundary, before and after a merge; tenants apart
CREATE TEMP TABLE q (n int, query text);
INSERT INTO q VALUES
 (1, '{ name = "GET /shop" } >> { }'), (2, '{ } > { kind = client }'), (3, '{ } !< { }'), (4, '{ status = error }'),
 (5, '{ nestedSetParent < 0 }'), (6, '{ } | count() > 2'), (7, '{ rootName = "GET /shop" }'), (8, '{ traceDuration > 1s }'),
 (9, '{ span.http.status_code = 500 }'), (10, '{ span.http.status_code = "500" }'), (11, '{ trace:id = "0abc" }');
CREATE VIEW answers AS SELECT n, query, string_agg(span_id::text, ' ' ORDER BY span_id) AS spans FROM q, traceql(query) WHERE trace_start BETWEEN '2021-07-01' AND '2021-07-03' GROUP BY 1, 2;
SELECT n, query, regexp_replace(spans, '0{15}', '', 'g') AS spans FROM answers ORDER BY n;
CREATE TEMP TABLE before AS SELECT * FROM answers;
SELECT tempo_merge() > 0 AS merged;
TABLE before EXCEPT TABLE answers;
TABLE answers EXCEPT TABLE before;
SELECT span_id, trace_duration_ns FROM traceql('{ }', tenant => 'other');
SELECT count(*) FROM traceql('{ }', tenant => 'nobody');

-- grouping and aggregates
SELECT spanset, spanset_attributes, count(*) FROM traceql('{ } | by(resource.service.name) | count() > 0', tenant => 'shop')
 WHERE trace_id = 'abc' GROUP BY 1, 2 ORDER BY 1;
SELECT DISTINCT spanset_attributes FROM traceql('{ } | avg(duration) > 1ms | max(span.rows) > 1', tenant => 'shop');
SELECT spanset_attributes -> 'by(span.rows)' AS v, count(*) FROM traceql('{ } | by(span.rows)', tenant => 'shop') GROUP BY 1 ORDER BY 1 NULLS FIRST;

-- the range is the trace's, not the span's, and its bounds count; newest first
SELECT span_id FROM traceql('{ name = "SELECT" }', '2021-07-01', '2021-07-01 23:59:59.6', tenant => 'shop');
SELECT count(*) FROM traceql('{ }', '2021-07-02 00:00:00.5', '2021-07-02 00:00:01', tenant => 'shop');
SELECT count(*) FROM traceql('{ }', '2021-07-02 00:00:00.500001', '2021-07-02 00:00:01', tenant => 'shop');
SELECT count(*) FROM traceql('{ }', '2021-06-30', '2021-07-01 23:59:59.499999', tenant => 'shop');
SELECT count(*) FROM traceql('{ }', '-infinity', 'infinity', tenant => 'shop');
SELECT count(*) FROM traceql('{ }', 'infinity', NULL, tenant => 'shop');
SELECT count(*) FROM traceql('{ }', NULL, '1960-01-01', tenant => 'shop');
SELECT trace_id, count(*) FROM traceql('{ }', max_traces => 1, tenant => 'shop') GROUP BY 1;
SELECT trace_id, span_id FROM traceql('{ }', max_traces => 2, tenant => 'shop');

-- nothing, and errors
SELECT count(*) FROM traceql(NULL);
SELECT count(*) FROM traceql('{ false }');
SELECT * FROM traceql('{ status = 2 }');
SELECT * FROM traceql('{ name = "x" ');
SELECT * FROM traceql('{ } | rate()');
SELECT * FROM traceql('{ }', max_traces => 0);
SELECT count(*) FROM traceql('({ } | by(status)) > ({ })', tenant => 'shop');

SET tempo.max_trace_spans = 2;
SELECT count(*) FROM traceql('{ } > { }', tenant => 'shop');
SELECT count(*) FROM traceql('{ }', tenant => 'shop');
RESET tempo.max_trace_spans;
SET tempo.query_memory = '64kB';
SELECT count(*) FROM traceql('{ }', tenant => 'shop');
RESET tempo.query_memory;

-- rights and policies
CREATE ROLE regress_traceql;
SET ROLE regress_traceql;
SELECT count(*) FROM traceql('{ }');
RESET ROLE;
GRANT SELECT ON tempo.spans TO regress_traceql;
SET ROLE regress_traceql;
SELECT count(*) FROM traceql('{ }', tenant => 'shop');
RESET ROLE;
CREATE POLICY p ON tempo.spans USING (tenant = 'shop');
ALTER TABLE tempo.spans ENABLE ROW LEVEL SECURITY;
SET ROLE regress_traceql;
SELECT trace_id, span_id, root_name, trace_duration_ns FROM traceql('{ } !< { }') ORDER BY 1, 2;
SELECT count(*) FROM traceql('{ }', tenant => 'other');
RESET ROLE;
ALTER POLICY p ON tempo.spans USING (tenant = 'shop' AND name <> 'GET /shop');
SET ROLE regress_traceql;
SELECT trace_id, span_id, root_name, trace_duration_ns FROM traceql('{ } !< { }') ORDER BY 1, 2;
SELECT span_id FROM traceql('{ rootName != "" } || { nestedSetLeft > 0 }');
SET tempo.enable_traceql_scan = off;
SELECT count(*) FROM traceql('{ }');
RESET tempo.enable_traceql_scan;
RESET ROLE;
INSERT INTO tempo.spans (tenant, trace_id, span_id, parent_span_id, name, start_time) VALUES
 ('shop', 'abc', '6', NULL, 'late', '2021-07-02 00:00:02'), ('other', 'abc', '7', NULL, 'late', '2021-07-02 00:00:02');
SET ROLE regress_traceql;
SELECT span_id, root_name, trace_duration_ns FROM traceql('{ trace:id = "abc" }') ORDER BY 1;
PREPARE p AS SELECT count(*) FROM traceql('{ }');
EXECUTE p;
RESET ROLE;
SELECT count(*) FROM traceql('{ trace:id = "abc" }');
SET ROLE regress_traceql;
SET row_security = off;
EXECUTE p;
RESET row_security;
RESET ROLE;
DEALLOCATE p;
ALTER TABLE tempo.spans DISABLE ROW LEVEL SECURITY;
DROP POLICY p ON tempo.spans;
REVOKE ALL ON tempo.spans FROM regress_traceql;
DROP ROLE regress_traceql;

-- in larger queries
SELECT q.n, count(t.*) FROM q LEFT JOIN LATERAL traceql(q.query, tenant => 'shop') t ON true WHERE n < 5 GROUP BY 1 ORDER BY 1;
SELECT (traceql('{ kind = consumer }', tenant => 'shop')).name;
SELECT s.status_message IS NOT NULL AS joined, t.name FROM traceql('{ kind = client }', tenant => 'shop') t JOIN tempo.spans s USING (trace_id, span_id) ORDER BY 2;
DROP VIEW answers;
SELECT * FROM tempo_check();
