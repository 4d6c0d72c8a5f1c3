-- tempo.init(): what it makes, that it can be called again, and whose it is
SET TIME ZONE 'UTC';
SET datestyle = ISO;
SELECT tempo.init();
SELECT tempo.init();
\d tempo.spans
SELECT relname, relkind, reloptions FROM pg_class
 WHERE relnamespace = 'tempo'::regnamespace AND relkind IN ('p', 'r', 'v') AND relname IN ('spans', 'traces', 'services')
 ORDER BY relname;
-- none is a member of the extension
SELECT count(*) FROM pg_depend WHERE deptype = 'e' AND objid IN ('tempo.spans'::regclass, 'tempo.traces'::regclass, 'tempo.services'::regclass);

-- partitions
INSERT INTO tempo.spans (trace_id, span_id, start_time) VALUES ('1', '1', '2021-06-01 12:00');
SELECT tempo.create_partitions('2021-06-01', '2021-06-02');
SELECT tempo.create_partitions('2021-06-01', '2021-06-03');
SELECT tempo.create_partitions('1970-01-01', '1970-01-01');
SELECT c.relname, amname, pg_get_expr(relpartbound, c.oid)
  FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid LEFT JOIN pg_am a ON a.oid = relam
 WHERE inhparent = 'tempo.spans'::regclass ORDER BY 1;
SELECT conname FROM pg_constraint WHERE conrelid = 'tempo.spans_20210601'::regclass;
SELECT tempo.create_partitions('1969-12-31', '1970-01-01');
SELECT tempo.create_partitions('2554-07-21', 'infinity');
SELECT tempo.create_partitions('1980-01-01', '1985-01-01');

-- days of a larger partition are found in it, parts of a day are refused
CREATE TABLE tempo.spans_2020 PARTITION OF tempo.spans FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') USING tempo;
SELECT tempo.create_partitions('2020-03-01', '2020-03-31');
CREATE TABLE tempo.spans_hour PARTITION OF tempo.spans FOR VALUES FROM ('2019-01-01 10:00') TO ('2019-01-01 11:00') USING tempo;
SELECT tempo.create_partitions('2019-01-01', '2019-01-01');
DROP TABLE tempo.spans_2020, tempo.spans_hour;

-- rows and views
INSERT INTO tempo.spans (trace_id, span_id, parent_span_id, name, kind, status, start_time, start_ns, duration_ns, service, attributes) VALUES
 ('a1', '1', NULL, 'GET /', 'server', 'unset', '2021-06-01 12:00:00.000001', 5, 1500, 'front', '{"http.status_code": 200}'),
 ('a1', '2', '1', 'SELECT', 'client', 'error', '2021-06-01 12:00:00.000002', 0, 10000, 'db', '{"db.rows": 3}'),
 ('a2', '3', '9', 'orphan', 'server', 'ok', '2021-06-02 00:00:00', 0, 1, 'front', '{}');
SELECT trace_id, span_id, parent_span_id, kind, status, start_time, start_ns, duration_ns, attributes FROM tempo.spans ORDER BY span_id;
SELECT * FROM tempo.traces ORDER BY trace_id;
SELECT * FROM tempo.services ORDER BY service;
INSERT INTO tempo.spans (trace_id, span_id, start_time, start_ns) VALUES ('1', '1', '2021-06-01', 1000);

-- nanoseconds of a time: exact where bigint holds them, at the ends otherwise
SELECT tempo.unix_nano('1970-01-01 00:00:00+00', 1::smallint), tempo.unix_nano('2023-11-14 22:13:20.123456+00', 789::smallint, 11),
       tempo.unix_nano('1969-01-01', 0::smallint), tempo.unix_nano('-infinity', 0::smallint),
       tempo.unix_nano('2300-01-01', 0::smallint), tempo.unix_nano('infinity', 0::smallint),
       tempo.unix_nano('2100-01-01', 0::smallint, 9223372036854775807), tempo.unix_nano('2000-01-01', 0::smallint, -9223372036854775808);

-- the extension cannot go while tables use it
\set VERBOSITY terse
DROP EXTENSION tempo;
\set VERBOSITY default
SET client_min_messages = warning;
DROP TABLE tempo.spans CASCADE;
RESET client_min_messages;
-- a stranger under the name is not taken for ours
CREATE TABLE tempo.spans (a integer);
SELECT tempo.init();
SELECT tempo.create_partitions('2021-06-01', '2021-06-01');
DROP TABLE tempo.spans;
SELECT tempo.create_partitions('2021-06-01', '2021-06-01');
