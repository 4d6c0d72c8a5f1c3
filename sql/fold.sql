-- Spans that came twice are one: same tenant, trace, span id, kind, start and duration. Merges leave the first;
-- searches and traces see one before that, too.
SET TIME ZONE 'UTC';
SELECT tempo.init();
SELECT tempo.create_partitions('2021-10-01', '2021-10-01') >= 0 AS made;
CREATE TABLE sent (LIKE tempo.spans INCLUDING DEFAULTS);
INSERT INTO sent (tenant, trace_id, span_id, parent_span_id, name, kind, start_time, duration_ns, attributes)
SELECT 'fold', lpad(to_hex(t), 32, '0')::trace_id, (t * 10 + s)::bigint::span_id, CASE WHEN s > 1 THEN (t * 10 + s / 2)::bigint::span_id END,
       'op ' || s, (s % 5)::tempo.span_kind, '2021-10-01'::timestamptz + t * interval '1 minute' + s / 3 * interval '1 ms', s * 1000, format('{"n": %s}', t)::tempo.attributes
  FROM generate_series(1, 30) t, generate_series(1, 12) s;
CREATE VIEW stored AS SELECT count(*) AS spans, count(DISTINCT (tenant, trace_id, span_id, kind, start_time, duration_ns)) AS different FROM tempo.spans;
CREATE VIEW seen AS SELECT (SELECT count(*) FROM traceql('{ }')) AS found, (SELECT count(*) FROM traceql('{ } | count() = 12')) AS "whole",
       (SELECT count(*) FROM traceql('{ name = "op 2" } > { }')) AS children, (SELECT count(*) FROM tempo_trace_tree('05'::trace_id)) AS tree;

-- within a request, and in requests that wait together
INSERT INTO tempo.spans SELECT * FROM sent;
INSERT INTO tempo.spans SELECT * FROM sent WHERE trace_id < '08'::trace_id;
SELECT * FROM stored;
SELECT * FROM seen;
SELECT tempo_merge();
SELECT * FROM stored;
SELECT * FROM seen;
SELECT rows, folded FROM tempo.segments WHERE relation::text ~ 'spans_202110' ORDER BY id;

-- what came before is in a segment: all of a request, a part of one with new spans, later than a part of it was deleted
INSERT INTO tempo.spans SELECT * FROM sent WHERE trace_id = '14'::trace_id;
SELECT * FROM seen;
SELECT tempo_merge();
SELECT * FROM stored;
SELECT count(*) AS segments, sum(folded) AS folded FROM tempo.segments WHERE relation::text ~ 'spans_202110';
INSERT INTO tempo.spans SELECT * FROM sent WHERE trace_id IN ('15'::trace_id, '16'::trace_id);
INSERT INTO tempo.spans (tenant, trace_id, span_id, name, kind, start_time, duration_ns)
SELECT tenant, trace_id, span_id, name, kind, start_time, duration_ns + 1 FROM sent WHERE trace_id = '16'::trace_id UNION ALL
SELECT tenant, trace_id, span_id, name, 'unspecified', start_time, duration_ns FROM sent WHERE trace_id = '16'::trace_id AND kind = 'server' UNION ALL
SELECT 'other', trace_id, span_id, name, kind, start_time, duration_ns FROM sent WHERE trace_id = '16'::trace_id;
SELECT tempo_merge();
SELECT * FROM stored;
SELECT rows, folded, has_split FROM tempo.segments WHERE relation::text ~ 'spans_202110' ORDER BY id;
DELETE FROM tempo.spans WHERE trace_id = '17'::trace_id;
INSERT INTO tempo.spans SELECT * FROM sent WHERE trace_id IN ('17'::trace_id, '18'::trace_id);
SELECT tempo_merge();
SELECT count(*) FROM tempo.spans WHERE trace_id IN ('17'::trace_id, '18'::trace_id);
SELECT * FROM stored;
SELECT folded_rows, deleted_rows FROM tempo.storage WHERE relation::text ~ 'spans_202110';
SELECT * FROM tempo_check();

-- other tables have no such rule
CREATE TABLE plain (a int, t text) USING tempo;
INSERT INTO plain VALUES (1, 'x'), (1, 'x');
SELECT tempo_merge('plain');
SELECT * FROM plain;
DROP TABLE plain, sent, tempo.spans CASCADE;
