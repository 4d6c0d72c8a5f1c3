-- tempo_ingest(): what it stores, refuses and returns.
BEGIN;
SELECT plan(49);
SET LOCAL TIME ZONE 'UTC';
SET LOCAL client_min_messages = error;

CREATE FUNCTION pg_temp.le64(n bigint) RETURNS bytea LANGUAGE sql AS
    $$SELECT string_agg(substr(int8send(n), i, 1), ''::bytea ORDER BY i DESC) FROM generate_series(1, 8) i$$;
-- a field with a length below 128
CREATE FUNCTION pg_temp.field(tag integer, content bytea) RETURNS bytea LANGUAGE sql AS
    $$SELECT set_byte('\x00', 0, tag * 8 + 2) || set_byte('\x00', 0, length(content)) || content$$;
CREATE FUNCTION pg_temp.span(trace trace_id, span span_id, start_ns bigint, name bytea DEFAULT 'x') RETURNS bytea LANGUAGE sql AS
    $$SELECT pg_temp.field(1, trace::bytea) || pg_temp.field(2, span::bytea) || pg_temp.field(5, name)
          || '\x39' || pg_temp.le64(start_ns) || '\x41' || pg_temp.le64(start_ns + 5)$$;
-- a request is fields of its own kind one after the other, so requests can be concatenated
CREATE FUNCTION pg_temp.request(trace trace_id, span span_id, start_ns bigint, name bytea DEFAULT 'x') RETURNS bytea LANGUAGE sql AS
    $$SELECT pg_temp.field(1, pg_temp.field(2, pg_temp.field(2, pg_temp.span(trace, span, start_ns, name))))$$;

SELECT has_function('public', 'tempo_ingest', ARRAY['bytea', 'text']);
SELECT has_function('public', 'tempo_ingest_json', ARRAY['text', 'text']);
SELECT has_function('public', 'tempo_ingest_json', ARRAY['bytea', 'text']);
SELECT function_returns('public', 'tempo_ingest', ARRAY['bytea', 'text'], 'bigint');
SELECT volatility_is('public', 'tempo_ingest', ARRAY['bytea', 'text'], 'volatile');
SELECT is((SELECT proparallel FROM pg_proc WHERE proname = 'tempo_ingest'), 'u', 'not for parallel plans');

SELECT is(tempo_ingest(''), 0::bigint, 'an empty request has no spans');
SELECT is(tempo_ingest(NULL), NULL, 'NULL in, NULL out');
SELECT is(tempo_ingest(pg_temp.request('a1', 'b1', 1700000000123456789)), 1::bigint, 'one span');
SELECT results_eq($$SELECT tenant, trace_id, span_id, parent_span_id, name, kind, status, start_time, start_ns, duration_ns,
                           service, attributes, resource_attributes, scope_attributes, events, links
                      FROM tempo.spans WHERE trace_id = 'a1'$$,
    $$VALUES ('single-tenant', 'a1'::trace_id, 'b1'::span_id, NULL::span_id, 'x', 'unspecified'::tempo.span_kind,
              'unset'::tempo.status_code, '2023-11-14 22:13:20.123456+00'::timestamptz, 789::smallint, 5::bigint, '',
              '{}'::tempo.attributes, '{}'::tempo.attributes, '{}'::tempo.attributes, '[]'::tempo.events, '[]'::tempo.links)$$,
    'all its fields, in the next query');
SELECT has_table('tempo', 'spans_20231114', 'its day has been made');

-- several days and tenants
SELECT is(tempo_ingest(pg_temp.request('a2', '1', 0) || pg_temp.request('a2', '2', 86400000000000)
                       || pg_temp.request('a2', '3', 86399999999999) || pg_temp.request('a2', '4', 1609459200000000000), 'acme'),
          4::bigint, 'four spans of three days');
SELECT results_eq($$SELECT tableoid::regclass::text, span_id, start_time, start_ns FROM tempo.spans WHERE tenant = 'acme' ORDER BY span_id$$,
    $$VALUES ('tempo.spans_19700101', '1'::span_id, '1970-01-01'::timestamptz, 0::smallint),
             ('tempo.spans_19700102', '2', '1970-01-02', 0::smallint),
             ('tempo.spans_19700101', '3', '1970-01-01 23:59:59.999999', 999::smallint),
             ('tempo.spans_20210101', '4', '2021-01-01', 0::smallint)$$, 'each in the partition of its day');
SELECT is((SELECT count(*) FROM tempo.spans WHERE trace_id = 'a2' AND tenant = 'single-tenant'), 0::bigint, 'the tenant given is stored');

-- refused whole
SELECT throws_ok($$SELECT tempo_ingest('\x0a')$$, '22P03', 'invalid OTLP trace request', 'cut off');
SELECT throws_ok($$SELECT tempo_ingest('\xffffffffffffffffffffffff')$$, '22P03', 'invalid OTLP trace request', 'not protobuf');
SELECT throws_ok($$SELECT tempo_ingest(pg_temp.request('a3', '1', 0) || '\x0a05')$$, '22P03', 'invalid OTLP trace request', 'a good span before the bad end');
SELECT throws_ok($$SELECT tempo_ingest(pg_temp.request('0', '1', 0))$$, '22P03', 'invalid OTLP trace request', 'a trace id of zeros');
SELECT is((SELECT count(*) FROM tempo.spans WHERE trace_id = 'a3'), 0::bigint, 'nothing of it is stored');

-- times that are not taken
CREATE FUNCTION pg_temp.ns(t timestamptz) RETURNS bigint LANGUAGE sql AS $$SELECT tempo.unix_nano(t, 0::smallint)$$;
SELECT is(tempo_ingest(pg_temp.request('a4', '1', pg_temp.ns(now() + interval '23 hours'))), 1::bigint, 'tomorrow is taken');
SELECT is(tempo_ingest(pg_temp.request('a4', '2', pg_temp.ns(now() + interval '25 hours')) || pg_temp.request('a4', '3', pg_temp.ns(now()))),
          1::bigint, 'the day after is not, the span beside it is');
SELECT set_eq($$SELECT span_id::text FROM tempo.spans WHERE trace_id = 'a4'$$, ARRAY['0000000000000001', '0000000000000003']);

-- JSON, the same
SELECT is(tempo_ingest_json('{}'), 0::bigint, 'an empty request in JSON');
SELECT is(tempo_ingest_json('{"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
    "scopeSpans": [{"spans": [{"traceId": "000000000000000000000000000000a5", "spanId": "00000000000000b5", "parentSpanId": "00000000000000b4",
    "name": "json", "kind": 2, "startTimeUnixNano": "1700000000000000001", "endTimeUnixNano": "1700000000000001001",
    "attributes": [{"key": "n", "value": {"intValue": "3"}}, {"key": "d", "value": {"doubleValue": 3}}],
    "events": [{"timeUnixNano": "1700000000000000500", "name": "e"}], "status": {"code": 2, "message": "bad"}}]}]}]}', 'json'),
    1::bigint, 'one span in JSON');
SELECT results_eq($$SELECT service, parent_span_id, name, kind, status, status_message, start_ns, duration_ns, attributes, events
                      FROM tempo.spans WHERE tenant = 'json'$$,
    $$VALUES ('shop', 'b4'::span_id, 'json', 'server'::tempo.span_kind, 'error'::tempo.status_code, 'bad', 1::smallint, 1000::bigint,
              '{"n": 3, "d": 3.0}'::tempo.attributes, '[{"time": 1700000000000000500, "name": "e"}]'::tempo.events)$$, 'its fields');
SELECT is(tempo_ingest_json('{"resourceSpans": []}'::bytea), 0::bigint, 'JSON as bytes');
SELECT throws_ok($$SELECT tempo_ingest_json('{')$$, '22P02', 'invalid OTLP trace request', 'JSON cut off');
SELECT throws_ok($$SELECT tempo_ingest_json('[]')$$, '22P02', 'invalid OTLP trace request', 'JSON of another kind');

-- columns that a user added get their defaults, in old partitions and in new ones
CREATE SEQUENCE tempo.pgtap_seq;
CREATE SEQUENCE tempo.pgtap_seq2;
ALTER TABLE tempo.spans ADD COLUMN c text NOT NULL DEFAULT 'old', ADD COLUMN n integer, ADD COLUMN u uuid DEFAULT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    ADD COLUMN s bigint, ADD COLUMN v text, ADD COLUMN a tempo.attributes DEFAULT '{"d": 1.0}';
ALTER TABLE tempo.spans ALTER COLUMN c SET DEFAULT 'new', ALTER COLUMN s SET DEFAULT nextval('tempo.pgtap_seq'),
    ALTER COLUMN v SET DEFAULT 'v' || nextval('tempo.pgtap_seq2');
SELECT is(tempo_ingest(pg_temp.request('a7', '1', 1700000000000000000) || pg_temp.request('a7', '2', 1700000000000000001)
                       || pg_temp.request('a7', '3', 1500000000000000000)), 3::bigint, 'spans of an old and a new partition');
SELECT set_eq($$SELECT c, n, u::text, s, v, a FROM tempo.spans WHERE trace_id = 'a7'$$,
    $$SELECT 'new' AS c, NULL::integer AS n, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' AS u, s, 'v' || s AS v, '{"d": 1.0}'::tempo.attributes AS a
        FROM generate_series(1::bigint, 3) s$$, 'have the defaults, volatile ones row by row');
SELECT is((SELECT count(*) FROM tempo.spans WHERE c = 'old' AND s IS NULL AND trace_id = 'a1'), 1::bigint, 'older rows keep what they had');
SELECT lives_ok('ALTER TABLE tempo.spans DROP COLUMN u, DROP COLUMN s, DROP COLUMN v', 'columns dropped again');
SELECT is(tempo_ingest(pg_temp.request('a8', '1', 1700000000000000000) || pg_temp.request('a8', '2', 1400000000000000000)), 2::bigint, 'do not matter');
SAVEPOINT bad;
ALTER TABLE tempo.spans ALTER COLUMN c DROP DEFAULT;
SELECT throws_ok($$SELECT tempo_ingest(pg_temp.request('a8', '1', 1700000000000000000))$$, '23502', NULL, 'NOT NULL without a default is an error');
ROLLBACK TO bad;
ALTER TABLE tempo.spans ADD COLUMN g text GENERATED ALWAYS AS (lower(name)) STORED;
SELECT throws_ok($$SELECT tempo_ingest(pg_temp.request('a8', '1', 1700000000000000000))$$, '0A000', NULL, 'so is a generated column');
ROLLBACK TO bad;
SELECT is((SELECT count(*) FROM tempo.spans WHERE trace_id = 'a8'), 2::bigint, 'all rows read back');

-- who may: INSERT on tempo.spans, and no policy in the way
CREATE ROLE pgtap_writer;
CREATE ROLE pgtap_reader;
GRANT INSERT ON tempo.spans TO pgtap_writer;
GRANT SELECT ON tempo.spans TO pgtap_reader;
SET LOCAL ROLE pgtap_writer;
SELECT is(tempo_ingest(pg_temp.request('a6', '1', 1600000000000000000)), 1::bigint, 'INSERT is enough');
SELECT throws_ok('SELECT count(*) FROM tempo.spans', '42501', NULL, 'and does not let read');
SET LOCAL ROLE pgtap_reader;
SELECT throws_ok($$SELECT tempo_ingest('')$$, '42501', NULL, 'SELECT is not enough');
SELECT throws_ok($$SELECT tempo.create_partitions('2001-01-01', '2001-01-01')$$, '42501', NULL, 'partitions are made by the owner');
SELECT is((SELECT count(*) FROM tempo.spans WHERE trace_id = 'a6'), 1::bigint, 'reading through the parent');
SELECT throws_ok('SELECT count(*) FROM tempo.spans_20200913', '42501', NULL, 'not through the partition the writer made');
RESET ROLE;
SELECT is((SELECT relowner FROM pg_class WHERE oid = 'tempo.spans_20200913'::regclass),
          (SELECT relowner FROM pg_class WHERE oid = 'tempo.spans'::regclass), 'a partition belongs to the owner of the table');

ALTER TABLE tempo.spans ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tempo.spans USING (tenant = 'acme');
SET LOCAL ROLE pgtap_writer;
SELECT throws_ok($$SELECT tempo_ingest('')$$, '0A000', NULL, 'under row-level security ingest is refused');
SET LOCAL ROLE pgtap_reader;
SELECT is((SELECT count(*) FROM tempo.spans), 4::bigint, 'policies hold on the table');
RESET ROLE;
GRANT SELECT ON tempo.traces, tempo.services TO pgtap_reader;
SET LOCAL ROLE pgtap_reader;
SELECT is((SELECT count(*) FROM tempo.traces), 1::bigint, 'and in tempo.traces');
SELECT is((SELECT sum(spans) FROM tempo.services), 4::numeric, 'and in tempo.services');
RESET ROLE;

-- privileges that the schema grants by default do not reach partitions
ALTER DEFAULT PRIVILEGES IN SCHEMA tempo GRANT SELECT ON TABLES TO PUBLIC, pgtap_reader;
SELECT tempo.create_partitions('2005-05-05', '2005-05-05');
SELECT is_empty($$SELECT a.grantee FROM pg_class c, aclexplode(relacl) a WHERE c.oid = 'tempo.spans_20050505'::regclass AND a.grantee <> relowner$$,
                'a new partition is granted to nobody');
SET LOCAL transaction_read_only = on;
SELECT throws_ok($$SELECT tempo_ingest('')$$, '25006', NULL, 'not in a read-only transaction');

SELECT * FROM finish();
ROLLBACK;
