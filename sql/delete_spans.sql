-- Deleted spans are in no answer: scans, aggregates, TraceQL, tags, traces, metrics; the answers are those of a table
-- that never had them, and do not change when a merge drops them.
SET TIME ZONE 'UTC';
SELECT tempo.init();
SELECT tempo.create_partitions('2021-09-01', '2021-09-02') >= 0 AS made;
CREATE TABLE copy (LIKE tempo.spans INCLUDING DEFAULTS);
INSERT INTO copy (tenant, trace_id, span_id, parent_span_id, name, kind, status, start_time, duration_ns, service,
                  attributes, resource_attributes, events, links)
SELECT 'gone', lpad(to_hex(t), 32, '0')::trace_id, (t * 10 + s)::bigint::span_id, CASE WHEN s > 0 THEN (t * 10 + (s - 1) / 2)::bigint::span_id END,
       'op ' || s || CASE WHEN t = 7 THEN ' of seven' ELSE '' END, CASE s % 3 WHEN 0 THEN 'server' ELSE 'client' END::tempo.span_kind, CASE WHEN (t + s) % 5 = 0 THEN 'error' ELSE 'unset' END::tempo.status_code,
       '2021-09-01 20:00'::timestamptz + t * interval '3 minutes' + s * interval '1 second', (t * 100 + s) * 1000000::bigint,
       's' || s % 2, format('{"n": %s, "only": "%s"}', t * s, t)::tempo.attributes, format('{"service.name": "s%s", "host": "h%s"}', s % 2, t % 3)::tempo.attributes, '[]', '[]'
  FROM generate_series(1, 90) t, generate_series(0, 4) s;
-- half in segments, a part of it split, half in recent batches
INSERT INTO tempo.spans SELECT * FROM copy WHERE ('x' || right(trace_id::text, 2))::bit(8)::int <= 45 AND name !~ '4';
SELECT tempo_merge() > 0 AS merged;
INSERT INTO tempo.spans SELECT * FROM copy WHERE ('x' || right(trace_id::text, 2))::bit(8)::int <= 45 AND name ~ '4';
SELECT tempo_merge() > 0 AS merged;
INSERT INTO tempo.spans SELECT * FROM copy WHERE ('x' || right(trace_id::text, 2))::bit(8)::int > 45;

CREATE TABLE queries AS SELECT * FROM (VALUES
 ('SELECT count(*), sum(duration_ns), min(start_time), max(start_time) FROM %s'),
 ('SELECT md5(string_agg(s::text, '','' ORDER BY trace_id, span_id)) FROM %s s'),
 ('SELECT string_agg(x::text, '' '' ORDER BY x::text) FROM (SELECT service, status, count(*), avg(duration_ns) FROM %s GROUP BY 1, 2) x'),
 ('SELECT string_agg(x::text, '' '' ORDER BY x::text) FROM (SELECT date_trunc(''hour'', start_time), count(*) FILTER (WHERE status = ''error'') FROM %s GROUP BY 1) x'),
 ('SELECT count(*), count(DISTINCT trace_id) FROM %s WHERE name = ''op 2'' OR attributes ->> ''only'' = ''7'''),
 ('SELECT percentile_disc(0.9) WITHIN GROUP (ORDER BY duration_ns) FROM %s')) q (q);
CREATE FUNCTION wrong() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE r record; mine text; theirs text; scan text; agg text;
BEGIN
    FOREACH scan IN ARRAY '{on,off}'::text[] LOOP FOREACH agg IN ARRAY '{on,off}'::text[] LOOP
        PERFORM set_config('tempo.enable_customscan', scan, true), set_config('tempo.enable_aggregate', agg, true), set_config('tempo.enable_vector_filter', agg, true);
        FOR r IN SELECT * FROM queries LOOP
            EXECUTE 'SELECT row(x.*)::text FROM (' || format(r.q, 'tempo.spans') || ') x' INTO mine;
            EXECUTE 'SELECT row(x.*)::text FROM (' || format(r.q, 'copy') || ') x' INTO theirs;
            IF mine IS DISTINCT FROM theirs THEN
                RETURN NEXT format('%s, scan %s, aggregate %s: %s, not %s', r.q, scan, agg, mine, theirs);
            END IF;
        END LOOP;
    END LOOP; END LOOP;
END $$;
-- what TraceQL says, in one row
CREATE VIEW said AS
SELECT (SELECT string_agg(span_id::text || root_name, ' ' ORDER BY span_id) FROM traceql('{ }', tenant => 'gone')) AS "all",
       (SELECT count(*) FROM traceql('{ name =~ "op 1.*" } > { }')) AS children,
       (SELECT count(*) FROM traceql('{ .only = "7" } | count() > 3')) AS counted,
       (SELECT count(*) FROM traceql('{ nestedSetParent < 0 } >> { status = error }')) AS errors,
       (SELECT string_agg(trace_id || trace_start::text || trace_duration_ns, ' ' ORDER BY trace_id) FROM traceql('{ span.n = 0 }', max_traces => 5)) AS newest,
       (SELECT string_agg(value, ' ' ORDER BY value) FROM traceql_tag_values('span.only')) AS "values",
       (SELECT string_agg(value, ' ' ORDER BY value) FROM traceql_tag_values('name', '{ status = error }')) AS names,
       (SELECT string_agg(scope || '.' || tag, ' ' ORDER BY scope, tag) FROM traceql_tags() WHERE scope <> 'intrinsic') AS tags,
       (SELECT string_agg(series || value, ' ' ORDER BY series) FROM traceql_metrics_instant('{ } | count_over_time() by (resource.host, name)')) AS metrics,
       (SELECT count(*) FROM traceql_metrics('{ } | rate()', step => '1 minute')) AS intervals,
       (SELECT string_agg(span_id::text || depth, ' ' ORDER BY span_id) FROM tempo_trace_tree('07'::trace_id)) AS tree;
SELECT * FROM wrong();
SELECT "values" ~ '\m7\M' AS seven, names ~ 'seven' AS named, tree, counted, errors FROM said;

-- one trace, parts of others, a root, the first and the last
BEGIN;
DELETE FROM tempo.spans WHERE trace_id = '07'::trace_id;
DELETE FROM copy WHERE trace_id = '07'::trace_id;
SELECT * FROM wrong();
SELECT "values" ~ '\m7\M' AS seven, names ~ 'seven' AS named, tree, counted, errors FROM said;
ROLLBACK;
SELECT * FROM wrong();
SELECT "values" ~ '\m7\M' AS seven, names ~ 'seven' AS named, tree, counted, errors FROM said;
DELETE FROM tempo.spans WHERE trace_id IN ('07'::trace_id, '01'::trace_id, '5a'::trace_id) OR name = 'op 3' AND status = 'error' OR name = 'op 0' AND attributes ->> 'only' LIKE '%2';
DELETE FROM copy WHERE trace_id IN ('07'::trace_id, '01'::trace_id, '5a'::trace_id) OR name = 'op 3' AND status = 'error' OR name = 'op 0' AND attributes ->> 'only' LIKE '%2';
SELECT * FROM wrong();
SELECT "values" ~ '\m7\M' AS seven, names ~ 'seven' AS named, tree, counted, errors FROM said;
CREATE TABLE before AS SELECT * FROM said;
SELECT sum(deleted_rows) FROM tempo.storage WHERE relation::text ~ 'spans_202109';
SELECT * FROM tempo_check();
SELECT tempo_merge() > 0 AS merged;
SELECT * FROM wrong();
SELECT count(*) AS the_same FROM before b, said s WHERE b::text = s::text;
SELECT sum(deleted_rows) FROM tempo.storage WHERE relation::text ~ 'spans_202109';
SELECT * FROM tempo_check();
DROP TABLE tempo.spans, copy, before, queries CASCADE;
