-- traceql_tags(), traceql_tag_values(): scopes, types, filters, ranges, tenants, rights; before and after merging.
SET TIME ZONE 'UTC';
SET datestyle = ISO;
SELECT tempo.init();
SELECT tempo.create_partitions('2021-08-01', '2021-08-02') >= 0 AS made;
INSERT INTO tempo.spans (tenant, trace_id, span_id, parent_span_id, name, kind, status, status_message, start_time,
                         duration_ns, service, attributes, resource_attributes, scope_name, scope_version,
                         scope_attributes, events, links) VALUES
 ('tags', '7a95', '1', NULL, 'GET /tags', 'server', 'unset', '', '2021-08-01 23:59:59.5', 1000000000, 'front',
  '{"http.status_code": 200, "beta": true, "a b": "spaced"}', '{"service.name": "front", "cluster": "eu"}', 'lib', '1.2',
  '{"loaded": true}', '[]', '[]'),
 ('tags', '7a95', '2', '1', 'POST /cart', 'client', 'error', 'boom', '2021-08-02 00:00:00.1', 200000000, 'front',
  '{"http.status_code": 500, "cluster": "us", "tags": ["a", "b"], "ratio": 0.5, "http.status_code": 501}',
  '{"service.name": "front", "cluster": "eu"}', 'lib', '1.2', '{}',
  '[{"time": 1627862400200000000, "name": "exception", "attributes": {"type": "Timeout"}}]', '[]'),
 ('tags', '7a95', '3', '2', 'SELECT', 'client', 'unset', '', '2021-08-02 00:00:00.15', 50000000, 'db',
  '{"rows": 10, "raw": x"00ff", "odd": "a\u0000\xff", "mixed": [1, "a"], "one": [7], "empty": ""}', '{"service.name": "db"}', '', '', '{}', '[]', '[]'),
 ('tags', '7a96', '4', '99', 'orphan', 'consumer', 'ok', '', '2021-08-02 12:00', 1, 'api',
  '{"http.status_code": "500"}', '{"service.name": "api"}', '', '', '{}', '[]',
  '[{"trace_id": "00000000000000000000000000007a95", "span_id": "0000000000000002", "attributes": {"why": "after"}}]'),
 ('other', '7a95', '5', NULL, 'GET /other', 'server', 'error', '', '2021-08-02 00:00', 5, 'hidden', '{"secret": 1}',
  '{"service.name": "hidden"}', '', '', '{}', '[]', '[]');

CREATE VIEW names AS
 SELECT n, scope, string_agg(tag, ' ' ORDER BY ord) AS tags FROM (VALUES
  (1, NULL, NULL), (2, NULL, '{ status = error }'), (3, NULL, '{ kind = client && .x'), (4, NULL, '{ rootName = "GET /tags" }'),
  (5, NULL, '{ event:name = "exception" || link.why != nil }'), (6, 'resource', '{ traceDuration >= 1s }'), (7, 'span', '{ false }'),
  (8, 'span', '{ .x = 1 } >> { }'), (9, 'event', '{ .rows = 10 }')) q (n, s, f),
  LATERAL traceql_tags(s, f, '2021-08-01', '2021-08-03', 'tags') WITH ORDINALITY t (scope, tag, ord) WHERE scope <> 'intrinsic' GROUP BY 1, 2;
CREATE VIEW vals AS
 SELECT tag, filter, string_agg(type || ':' || value, ' ' ORDER BY ord) AS vals FROM (VALUES
  ('span.http.status_code', NULL), ('.http.status_code', '{ status = error }'), ('.cluster', NULL), ('span.cluster', NULL), ('resource.cluster', NULL),
  ('span."a b"', NULL), ('span.beta', NULL), ('span.ratio', NULL), ('span.tags', NULL), ('span.one', NULL), ('span.mixed', NULL), ('span.raw', NULL), ('span.odd', NULL),
  ('span.empty', NULL), ('event.type', NULL), ('link.why', NULL), ('instrumentation.loaded', NULL), ('name', NULL), ('name', '{ kind = client }'),
  ('name', '{ nestedSetParent = -1 }'), ('name', '{ name = "new" && .a = }'), ('name', '{ .http.status_code = "500" || status = error }'),
  ('status', NULL), ('status', '{ kind = client }'), ('kind', '{ status = ok }'), ('statusMessage', NULL), ('rootName', NULL), ('rootServiceName', '{ span.rows = 10 }'),
  ('event:name', NULL), ('link:traceID', NULL), ('link:spanID', NULL), ('instrumentation:name', NULL), ('instrumentation:version', '{ name = "SELECT" }'),
  ('trace:id', NULL), ('span:id', '{ .cluster = "eu" }'), ('span:parentID', NULL), ('duration', NULL), ('span:childCount', NULL), ('resource.service.name', '{')) q (t, f),
  LATERAL (SELECT t AS tag, f AS filter) n, LATERAL traceql_tag_values(t, f, tenant => 'tags') WITH ORDINALITY v (type, value, ord) GROUP BY 1, 2;
SELECT * FROM names ORDER BY 1, 2;
SELECT * FROM vals ORDER BY 1, 2;
CREATE TEMP TABLE names_before AS SELECT * FROM names;
CREATE TEMP TABLE vals_before AS SELECT * FROM vals;
SELECT tempo_merge() > 0 AS merged;
(TABLE names EXCEPT TABLE names_before) UNION ALL (TABLE names_before EXCEPT TABLE names);
(TABLE vals EXCEPT TABLE vals_before) UNION ALL (TABLE vals_before EXCEPT TABLE vals);
SELECT count(*), min(tag), max(tag) FROM traceql_tags('intrinsic');

-- a span counts when it overlaps the range
CREATE VIEW ranged AS SELECT n, (SELECT string_agg(value, ' ') FROM traceql_tag_values('name', NULL, s, e, 'tags')) AS values FROM (VALUES
 (1, NULL::timestamptz, '2021-08-01 23:59:59.5'::timestamptz), (2, '2021-08-02 00:00:00.5', NULL), (3, '2021-08-02 00:00:00.500001', NULL),
 (4, '2021-08-02 00:00:00.16', '2021-08-02 00:00:00.17'), (5, NULL, '2021-08-01 23:59:59.499999'), (6, 'infinity', NULL), (7, '-infinity', 'infinity')) q (n, s, e);
SELECT * FROM ranged ORDER BY 1;

-- errors, and no rows
SELECT * FROM traceql_tags('parent');
SELECT * FROM traceql_tag_values('nothing');
SELECT * FROM traceql_tag_values('.a) | rate(');
SELECT * FROM traceql_tags(filter => '{ ' || repeat('.a = 1 || ', 100) || '.a = 1 }');
SELECT count(*) FROM traceql_tags('span', filter => '{ ' || repeat('.a = 1 || ', 99) || '.a = 1 }');
SELECT * FROM traceql_tag_values(NULL);
SELECT * FROM traceql_tag_values('.none');
SELECT * FROM traceql_tag_values('name', tenant => 'nobody');
SET tempo.query_memory = '64kB';
SELECT count(*) FROM traceql_tag_values('name', tenant => 'tags');
RESET tempo.query_memory;
SELECT * FROM traceql_tag_values('name', '{ name =~ "(a*)*b" && false }');

-- rights and policies
CREATE ROLE regress_tags;
SET ROLE regress_tags;
SELECT * FROM traceql_tags();
SELECT * FROM traceql_tag_values('status');
SELECT * FROM traceql_tags('intrinsic');
RESET ROLE;
GRANT SELECT ON tempo.spans TO regress_tags;
CREATE POLICY p ON tempo.spans USING (tenant = 'tags' AND name <> 'orphan');
ALTER TABLE tempo.spans ENABLE ROW LEVEL SECURITY;
SET ROLE regress_tags;
SELECT string_agg(tag, ' ') FROM traceql_tags('span');
SELECT string_agg(value, ' ') FROM traceql_tag_values('resource.service.name');
SELECT string_agg(value, ' ') FROM traceql_tag_values('resource.service.name', '{ traceDuration >= 1s }');
SELECT string_agg(value, ' ') FROM traceql_tag_values('link.why');
RESET ROLE;
ALTER TABLE tempo.spans DISABLE ROW LEVEL SECURITY;
DROP POLICY p ON tempo.spans;
REVOKE ALL ON tempo.spans FROM regress_tags;
DROP ROLE regress_tags;
DROP VIEW names, vals, ranged;
SELECT * FROM tempo_check();
