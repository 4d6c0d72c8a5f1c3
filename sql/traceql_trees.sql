-- tempo_trace_tree(), tempo_critical_path(): one trace with all that can be odd about one; tenants, rights.
SET TIME ZONE 'UTC';
SELECT tempo.init();
SELECT tempo.create_partitions('2021-08-11', '2021-08-12') >= 0 AS made;
INSERT INTO tempo.spans (tenant, trace_id, span_id, parent_span_id, name, kind, status, start_time, duration_ns, service) VALUES
 ('tree', '7ee', '1', NULL, 'GET /', 'server', 'unset', '2021-08-11 23:59:59.95', 100000000, 'front'),
 ('tree', '7ee', '2', '1', 'load', 'internal', 'unset', '2021-08-11 23:59:59.96', 20000000, 'front'),
 ('tree', '7ee', '3', '1', 'call', 'client', 'error', '2021-08-11 23:59:59.98', 60000000, 'front'),
 ('tree', '7ee', '3', '1', 'serve', 'server', 'error', '2021-08-11 23:59:59.985', 50000000, 'back'),
 ('tree', '7ee', '5', '3', 'SELECT', 'client', 'unset', '2021-08-11 23:59:59.99', 10000000, 'back'),
 ('tree', '7ee', '6', '3', 'SELECT', 'client', 'unset', '2021-08-11 23:59:59.995', 20000000, 'back');
SELECT tempo_merge() > 0 AS merged;
INSERT INTO tempo.spans (tenant, trace_id, span_id, parent_span_id, name, kind, status, start_time, start_ns, duration_ns, service) VALUES
 ('tree', '7ee', '7', '1', 'async', 'producer', 'unset', '2021-08-12 00:00:00.045', 0, 25000000, 'queue'),
 ('tree', '7ee', '8', 'ff', 'orphan', 'consumer', 'ok', '2021-08-12 00:00:00', 1, 1, 'queue'),
 ('tree', '7ee', 'a', 'b', 'hen', 'internal', 'unset', '2021-08-12 00:00:00.01', 0, 1000000, 'loop'),
 ('tree', '7ee', 'b', 'a', 'egg', 'internal', 'unset', '2021-08-12 00:00:00.011', 0, 1000000, 'loop'),
 ('tree', '7ef', '1', NULL, 'mine', 'internal', 'unset', '2021-08-12 01:00', 0, 0, 'x'),
 ('forest', '7ef', '1', NULL, 'theirs', 'internal', 'unset', '2021-08-12 02:00', 0, 5, 'x');
SELECT * FROM tempo_trace_tree('7ee');
SELECT * FROM tempo_critical_path('7ee');
SELECT sum(critical_ms), (SELECT max(start_ms + duration_ms) FROM tempo_trace_tree('7ee')) FROM tempo_critical_path('7ee', 'tree');
SELECT tempo_merge() > 0 AS merged;
SELECT count(*), max(depth), string_agg(DISTINCT service, ' ') FROM tempo_trace_tree('7ee');

-- tenants, none, NULL
SELECT * FROM tempo_trace_tree('7ef');
SELECT name, start_ms, duration_ms, bar FROM tempo_trace_tree('7ef', 'tree');
SELECT name, critical_ms, percent FROM tempo_critical_path('7ef', 'forest');
SELECT * FROM tempo_critical_path('7ef', 'tree');
SELECT count(*) FROM tempo_trace_tree('7ee', 'forest');
SELECT count(*) FROM tempo_trace_tree(NULL);
SELECT count(*) FROM tempo_critical_path('1234567');

-- rights and policies
CREATE ROLE regress_tree;
SET ROLE regress_tree;
SELECT * FROM tempo_trace_tree('7ee');
RESET ROLE;
GRANT SELECT ON tempo.spans TO regress_tree;
CREATE POLICY p ON tempo.spans USING (tenant = 'tree' AND service <> 'back');
ALTER TABLE tempo.spans ENABLE ROW LEVEL SECURITY;
SET ROLE regress_tree;
SELECT depth, name, duration_ms FROM tempo_trace_tree('7ee');
SELECT name, critical_ms FROM tempo_critical_path('7ee');
SELECT name FROM tempo_trace_tree('7ef');
RESET ROLE;
ALTER TABLE tempo.spans DISABLE ROW LEVEL SECURITY;
DROP POLICY p ON tempo.spans;
REVOKE ALL ON tempo.spans FROM regress_tree;
DROP ROLE regress_tree;
SELECT * FROM tempo_check();
