-- tempo.spans and what tempo.init() makes around it.
BEGIN;
SELECT plan(57);

SELECT is(tempo.init(), 'tempo.spans'::regclass, 'init() may be called again');
SELECT is((SELECT relkind FROM pg_class WHERE oid = 'tempo.spans'::regclass), 'p', 'spans is partitioned');
SELECT columns_are('tempo', 'spans', ARRAY[
    'tenant', 'trace_id', 'span_id', 'parent_span_id', 'name', 'kind', 'status', 'status_message', 'start_time',
    'start_ns', 'duration_ns', 'service', 'attributes', 'resource_attributes', 'scope_attributes', 'scope_name',
    'scope_version', 'trace_state', 'events', 'links', 'flags', 'dropped_attributes_count', 'dropped_events_count',
    'dropped_links_count', 'resource_dropped_attributes_count', 'scope_dropped_attributes_count',
    'resource_schema_url', 'scope_schema_url']);
SELECT is((SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = 'tempo.spans'::regclass AND attnum > 0 AND NOT attnotnull),
          'parent_span_id', 'only the parent may be null');
SELECT is((SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = 'tempo.spans'::regclass AND attnum > 0 AND attnotnull AND NOT atthasdef),
          'trace_id,span_id,start_time', 'all but the ids and the start have a default');
SELECT col_type_is('tempo', 'spans', c::name, t, format('%s is %s', c, t))
  FROM (VALUES ('tenant', 'text'), ('trace_id', 'trace_id'), ('span_id', 'span_id'), ('parent_span_id', 'span_id'),
               ('name', 'text'), ('kind', 'tempo.span_kind'), ('status', 'tempo.status_code'),
               ('status_message', 'text'), ('start_time', 'timestamp with time zone'), ('start_ns', 'smallint'),
               ('duration_ns', 'bigint'), ('service', 'text'), ('attributes', 'tempo.attributes'),
               ('resource_attributes', 'tempo.attributes'), ('scope_attributes', 'tempo.attributes'),
               ('scope_name', 'text'), ('scope_version', 'text'), ('trace_state', 'text'),
               ('events', 'tempo.events'), ('links', 'tempo.links'), ('flags', 'bigint'),
               ('dropped_attributes_count', 'bigint'), ('dropped_events_count', 'bigint'),
               ('dropped_links_count', 'bigint'), ('resource_dropped_attributes_count', 'bigint'),
               ('scope_dropped_attributes_count', 'bigint'), ('resource_schema_url', 'text'),
               ('scope_schema_url', 'text')) c(c, t);

SELECT has_view('tempo', 'traces', 'view tempo.traces');
SELECT has_view('tempo', 'services', 'view tempo.services');
SELECT columns_are('tempo', 'traces', ARRAY['tenant', 'trace_id', 'start_time', 'duration_ns', 'root_service',
    'root_name', 'spans', 'errors', 'services']);
SELECT columns_are('tempo', 'services', ARRAY['tenant', 'service', 'spans', 'errors', 'first_start', 'last_start']);
SELECT is_empty($$SELECT FROM pg_depend WHERE deptype = 'e' AND objid IN
    ('tempo.spans'::regclass, 'tempo.traces'::regclass, 'tempo.services'::regclass)$$,
    'tables and views belong to the user, not to the extension');

-- partitions
SELECT is(tempo.create_partitions('2001-02-28', '2001-03-01'), 2, 'two days made');
SELECT is(tempo.create_partitions('2001-02-28', '2001-03-02'), 1, 'only the missing day made');
SELECT is(tempo.create_partitions('2001-03-02', '2001-02-28'), 0, 'no days, nothing made');
SELECT is(tempo.create_partitions(NULL, '2001-02-28'), NULL, 'NULL in, NULL out');
SELECT partitions_are('tempo', 'spans', ARRAY['tempo.spans_20010228', 'tempo.spans_20010301', 'tempo.spans_20010302']);
SELECT is((SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE c.oid = 'tempo.spans_20010301'::regclass),
          'tempo', 'a partition uses the access method');
SELECT is((SELECT count(*) FROM pg_constraint WHERE conrelid = 'tempo.spans_20010301'::regclass AND conname = 'tempo_day'),
          0::bigint, 'the CHECK needed for attaching is gone');
SELECT throws_ok($$SELECT tempo.create_partitions('1969-12-31', '1969-12-31')$$, '22008', NULL, 'no day before 1970');
SELECT throws_ok($$SELECT tempo.create_partitions('1971-01-01', '1980-01-01')$$, '53400', NULL, 'tempo.max_partitions holds');
SELECT lives_ok($$INSERT INTO tempo.spans (trace_id, span_id, start_time) VALUES ('1', '1', '2001-03-01 00:00+00')$$,
                'a row of its first moment fits');
SELECT throws_ok($$INSERT INTO tempo.spans_20010301 (trace_id, span_id, start_time) VALUES ('1', '1', '2001-03-02 00:00+00')$$,
                 '23514', NULL, 'a row of the next day does not');

-- the largest day, and a partition of many days
SELECT is(tempo.create_partitions('2554-07-21', '2554-07-21'), 1, 'the last day that fits 64 bits of nanoseconds');
SELECT lives_ok($$CREATE TABLE tempo.spans_1999 PARTITION OF tempo.spans FOR VALUES FROM ('1999-01-01+00') TO ('2000-01-01+00') USING tempo$$,
                'a partition of a year');
SELECT is(tempo.create_partitions('1999-05-01', '1999-05-31'), 0, 'its days are found in it');
SELECT lives_ok($$CREATE TABLE tempo.spans_noon PARTITION OF tempo.spans FOR VALUES FROM ('1998-01-01 12:00+00') TO ('1998-01-02+00') USING tempo$$,
                'a partition of half a day');
SELECT throws_ok($$SELECT tempo.create_partitions('1998-01-01', '1998-01-01')$$, '42P16', NULL, 'half a day is refused');

-- columns and constraints of the user's own come along
SELECT lives_ok($$ALTER TABLE tempo.spans ADD COLUMN note text DEFAULT 'x', ADD CONSTRAINT short CHECK (length(name) < 1000)$$,
                'a column and a constraint more');
SELECT is(tempo.create_partitions('2002-01-01', '2002-01-01'), 1, 'a day after that');
SELECT has_column('tempo', 'spans_20020101', 'note', 'has the column');

SELECT * FROM finish();
ROLLBACK;
