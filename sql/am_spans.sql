-- Spans: a table with the columns of tempo.spans, and more, against the same rows in a heap.
SET client_min_messages = warning;
SELECT tempo.init() IS NOT NULL AS made;
RESET client_min_messages;
SET TIME ZONE 'UTC';
CREATE TABLE spans_h (LIKE tempo.spans INCLUDING DEFAULTS, note text, score double precision, where_ point, seen interval);
INSERT INTO spans_h
SELECT 'tenant ' || i % 3, lpad(to_hex((i % 37) * 7919), 32, '0')::trace_id, lpad(to_hex(i), 16, '0')::span_id,
       CASE WHEN i % 5 <> 0 THEN lpad(to_hex(i - i % 5 + 7), 16, '0')::span_id END,
       'op ' || i % 11, (i % 7)::tempo.span_kind, (i % 4)::tempo.status_code, CASE i % 4 WHEN 2 THEN 'failed ' || i ELSE '' END,
       '2026-03-01 23:59:59.5'::timestamptz + (i % 400) * interval '7 ms', (i * 37) % 1000, (i - 50) * 12345678::bigint, 'svc ' || i % 6,
       format('{"n": %s, "s": "v%s", "f": %s.5, "b": %s%s}', i, i % 13, i % 17, CASE i % 2 WHEN 0 THEN 'true' ELSE 'false' END,
              CASE i % 9 WHEN 0 THEN ', "n": "twice", "list": [1, "x", null, {"k": x"00ff"}]' WHEN 1 THEN ', "nan": NaN, "none": null' ELSE '' END)::tempo.attributes,
       format('{"service.name": "svc %s", "host": "h%s"}', i % 6, i % 4)::tempo.attributes, '{"lib": true}', 'scope ' || i % 2, 'v' || i % 3, CASE i % 10 WHEN 0 THEN 'a=b' ELSE '' END,
       CASE i % 3 WHEN 0 THEN format('[{"time": %s, "name": "e%s", "dropped": %s, "attributes": {"i": %s}}, {"time": 5, "name": "", "dropped": 0, "attributes": {}}]', 1772409600000000000 + i, i % 4, i % 2, i)
                   ELSE '[]' END::tempo.events,
       CASE i % 4 WHEN 0 THEN format('[{"trace_id": "%s", "span_id": "%s", "trace_state": "t", "flags": 1, "dropped": 2, "attributes": {"why": "%s"}}]', lpad(to_hex(i), 32, '0'), lpad(to_hex(i), 16, '0'), i % 3)
                   ELSE '[]' END::tempo.links,
       i % 300, i % 2, i % 3, i % 5, i % 7, i % 2, CASE i % 8 WHEN 0 THEN 'https://schema/r' ELSE '' END, CASE i % 8 WHEN 1 THEN 'https://schema/s' ELSE '' END,
       CASE WHEN i % 3 > 0 THEN 'note ' || i END, CASE WHEN i % 4 > 0 THEN i / 3.0 END, CASE WHEN i % 5 > 0 THEN point(i, i) END, CASE WHEN i % 6 > 0 THEN i * interval '1 h' END
  FROM generate_series(1, 900) i;

CREATE TABLE spans_t (LIKE spans_h INCLUDING DEFAULTS) PARTITION BY RANGE (start_time);
CREATE TABLE spans_t1 PARTITION OF spans_t FOR VALUES FROM ('2026-03-01') TO ('2026-03-02') USING tempo;
CREATE TABLE spans_t2 PARTITION OF spans_t FOR VALUES FROM ('2026-03-02') TO ('2026-03-03') USING tempo;
CREATE FUNCTION differences() RETURNS TABLE (custom_scan text, rows bigint, differ bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOREACH custom_scan IN ARRAY '{on,off}'::text[] LOOP
        PERFORM set_config('tempo.enable_customscan', custom_scan, true);
        rows := (SELECT count(*) FROM spans_t);
        differ := (SELECT count(*) FROM ((TABLE spans_h EXCEPT ALL TABLE spans_t) UNION ALL (TABLE spans_t EXCEPT ALL TABLE spans_h)) d);
        RETURN NEXT;
    END LOOP;
END $$;
-- point has no equality that EXCEPT could use
ALTER TABLE spans_h ALTER COLUMN where_ TYPE text;
ALTER TABLE spans_t ALTER COLUMN where_ TYPE text;

-- in three parts: row by row, by INSERT of many, by COPY; merging in between
INSERT INTO spans_t SELECT * FROM spans_h WHERE score < 60;
SELECT tempo_merge('spans_t') > 0 AS merged;
COPY (SELECT * FROM spans_h WHERE score >= 60 AND note IS NOT NULL) TO '/tmp/tempo_am_spans' (FORMAT binary);
COPY spans_t FROM '/tmp/tempo_am_spans' (FORMAT binary);
COPY (SELECT) TO PROGRAM 'cat >/dev/null; rm /tmp/tempo_am_spans';
INSERT INTO spans_t SELECT * FROM spans_h WHERE score IS NULL OR score >= 60 AND note IS NULL;
SELECT * FROM differences();
SELECT tempo_merge('spans_t') > 0 AS merged;
SELECT * FROM differences();
SELECT relation, level, has_split, sum(rows) AS rows, count(*) AS segments FROM tempo.units('spans_t') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT tempo_check('spans_t');
-- by column and by condition
SELECT service, status, count(*), sum(duration_ns), min(start_time), max(start_ns) FROM spans_t GROUP BY 1, 2
EXCEPT SELECT service, status, count(*), sum(duration_ns), min(start_time), max(start_ns) FROM spans_h GROUP BY 1, 2;
SELECT (SELECT count(*) FROM spans_h h WHERE attributes ->> 's' = 'v5'), (SELECT count(*) FROM spans_t t WHERE attributes ->> 's' = 'v5');
SELECT span_id, attributes, events, links, note, score FROM spans_t WHERE trace_id = '1eef' AND span_id IN ('1', '24', '120', '12c') ORDER BY span_id;

-- NULLs: kept where a column holds them, refused where a list or an id, a time or a list would be missing
CREATE TABLE spans_n (LIKE tempo.spans) USING tempo;
SELECT string_agg(format('ALTER COLUMN %I DROP NOT NULL', attname), ', ') AS drops FROM pg_attribute WHERE attrelid = 'spans_n'::regclass AND attnotnull AND attnum > 0 \gset
ALTER TABLE spans_n :drops;
INSERT INTO spans_n (trace_id, span_id, start_time, start_ns, attributes, events, links) VALUES ('1', '2', '2026-01-01', 1, '{}', '[]', '[]');
INSERT INTO spans_n (trace_id, parent_span_id, start_time, start_ns, attributes, events, links) VALUES ('3', '0', '2026-01-01', 1, '{}', '[]', '[]');
SELECT num_nulls(tenant, name, kind, status, status_message, service, duration_ns, resource_attributes, scope_attributes, scope_name, trace_state, flags, dropped_links_count, scope_schema_url) AS nulls, trace_id, span_id, parent_span_id FROM spans_n;
SELECT tempo_merge('spans_n');
SELECT num_nulls(tenant, name, kind, status, status_message, service, duration_ns, resource_attributes, scope_attributes, scope_name, trace_state, flags, dropped_links_count, scope_schema_url) AS nulls, trace_id, span_id, parent_span_id FROM spans_n ORDER BY 2;
\set VERBOSITY terse
INSERT INTO spans_n (trace_id, start_time, start_ns, attributes, events) VALUES ('1', '2026-01-01', 1, '{}', '[]');
INSERT INTO spans_n (trace_id, start_time, start_ns, attributes, links) VALUES ('1', '2026-01-01', 1, '{}', '[]');
INSERT INTO spans_n (trace_id, start_time, start_ns, events, links) VALUES ('1', '2026-01-01', 1, '[]', '[]');
INSERT INTO spans_n (start_time, start_ns, attributes, events, links) VALUES ('2026-01-01', 1, '{}', '[]', '[]');
INSERT INTO spans_n (trace_id, start_time) VALUES ('1', '2026-01-01');
INSERT INTO spans_n (trace_id, start_ns) VALUES ('1', 1);
-- times and counts that the columns cannot hold
ALTER TABLE spans_n ALTER COLUMN attributes SET DEFAULT '{}', ALTER COLUMN events SET DEFAULT '[]', ALTER COLUMN links SET DEFAULT '[]';
INSERT INTO spans_n (trace_id, start_time, start_ns) VALUES ('1', '1969-12-31', 1);
INSERT INTO spans_n (trace_id, start_time, start_ns) VALUES ('1', 'infinity', 1);
INSERT INTO spans_n (trace_id, start_time, start_ns) VALUES ('1', '2600-01-01', 1);
INSERT INTO spans_n (trace_id, start_time, start_ns) VALUES ('1', '2026-01-01', 1000);
INSERT INTO spans_n (trace_id, start_time, start_ns, events) VALUES ('1', '2026-01-01', 1, '[{"name": "e", "dropped": 4294967296}]');
-- columns that are gone
ALTER TABLE spans_n DROP COLUMN trace_state, DROP COLUMN events;
INSERT INTO spans_n (trace_id, start_time, start_ns) VALUES ('5', '2026-01-01', 1);
SELECT count(*) FROM spans_n;
SELECT tempo_check('spans_n');
SET client_min_messages = warning;
DROP TABLE tempo.spans, spans_h, spans_t, spans_n CASCADE;
DROP FUNCTION differences;
