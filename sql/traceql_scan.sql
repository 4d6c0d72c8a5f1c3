-- TraceQLScan: EXPLAIN, whole rows, row marks, rescans, cursors; the same rows as the function scan
SET TIME ZONE 'UTC';
SELECT tempo.init();
SELECT tempo.create_partitions('2021-08-01', '2021-08-01') >= 0 AS made;
INSERT INTO tempo.spans (tenant, trace_id, span_id, parent_span_id, name, kind, status, start_time, duration_ns, service,
                         attributes, resource_attributes)
SELECT 'scan', lpad(to_hex(t), 32, '0')::trace_id, (t * 10 + s)::bigint::span_id, CASE WHEN s > 0 THEN (t * 10)::bigint::span_id END,
       'op' || s, CASE WHEN s = 0 THEN 'server' ELSE 'client' END::tempo.span_kind,
       CASE WHEN t % 5 = 0 AND s = 2 THEN 'error' ELSE 'unset' END::tempo.status_code,
       '2021-08-01'::timestamptz + t * interval '1 minute' + s * interval '1 second', (t * 1000 + s) * 1000000::bigint,
       's' || s % 2, format('{"n": %s}', t * s)::tempo.attributes, format('{"service.name": "s%s"}', s % 2)::tempo.attributes
  FROM generate_series(1, 40) t, generate_series(0, 3) s;
SELECT tempo_merge() > 0 AS merged;
CREATE FUNCTION shape(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) ' || query LOOP
        CONTINUE WHEN line ~ 'Planning|Buffers';
        RETURN NEXT regexp_replace(regexp_replace(line, '(Bytes Read|Segments|Segments Read|Vectors|Vectors Read|Recent Batches|Memory): \d+', '\1: n'), 'loops=\d+', 'loops=n');
    END LOOP;
END $$;

EXPLAIN (COSTS off) SELECT name FROM traceql('{ status = error } >> {.n>3 } | by(resource.service.name) | count()>1');
SELECT shape($$SELECT trace_id FROM traceql('{ status = error && span.n > 10 } | select(name)', tenant => 'scan')$$);
SELECT shape($$SELECT count(*) FROM traceql('{ }', '2021-08-01 00:10', '2021-08-01 00:11', tenant => 'scan') WHERE name = 'op1'$$);
SET tempo.enable_traceql_scan = off;
EXPLAIN (COSTS off) SELECT name FROM traceql('{ }');
RESET tempo.enable_traceql_scan;
-- not a single call without ordinality: the function scan
EXPLAIN (COSTS off) SELECT name FROM traceql('{ }') WITH ORDINALITY;
EXPLAIN (COSTS off) SELECT 1 FROM ROWS FROM (traceql('{ }'), generate_series(1, 2));

-- the same rows both ways
CREATE TEMP TABLE q AS SELECT * FROM unnest(ARRAY['{ }', '{ status = error } < { }', '{ } | by(status)', '{ span.n > 50 }',
    '{ duration > 20s } | select(span.n)', '{ nestedSetParent < 0 } ~ { }', '{ .n = nil }']) WITH ORDINALITY AS q(text, n);
CREATE TEMP TABLE by_node AS SELECT n, t::text FROM q, traceql(q.text, tenant => 'scan') t;
SET tempo.enable_traceql_scan = off;
CREATE TEMP TABLE by_function AS SELECT n, t::text FROM q, traceql(q.text, tenant => 'scan') t;
RESET tempo.enable_traceql_scan;
SELECT n, count(*) FROM by_node GROUP BY n ORDER BY n;
SELECT count(*) FROM (TABLE by_node EXCEPT ALL TABLE by_function) x;
SELECT count(*) FROM (TABLE by_function EXCEPT ALL TABLE by_node) x;

-- whole rows and their column names
SELECT t FROM traceql('{ span.n = 30 && name = "op3" }', tenant => 'scan') t;
SELECT to_jsonb(t) - 'trace_id' -> 'name' AS name, (t).duration_ns FROM traceql('{ span.n = 30 && name = "op3" }', tenant => 'scan') t;
SELECT row_to_json(t)::text ~ '"id":"0+a".*"b":' AS renamed FROM traceql('{ span.n = 30 && name = "op3" }', tenant => 'scan') t(id, b);

-- laterals, subqueries, parameters, NULLs, joins of every kind, LIMIT
SELECT i, (SELECT count(*) FROM traceql(format('{ span.n = %s }', i), tenant => 'scan')) FROM generate_series(0, 6) i;
SELECT sum(c) FROM generate_series(1, 200) i, LATERAL (SELECT count(*) c FROM traceql('{ name = "op' || i % 4 || '" }', tenant => 'scan')) x;
SELECT count(*) FROM (VALUES ('{ status = error }'), (NULL), ('{ span.n = 3 }')) v(text), traceql(v.text, tenant => 'scan');
PREPARE p(text, int) AS SELECT count(*), count(DISTINCT trace_id) FROM traceql($1, NULL, NULL, $2, 'scan');
SET plan_cache_mode = force_generic_plan;
EXECUTE p('{ }', 3);
EXECUTE p('{ }', NULL);
EXECUTE p(NULL, NULL);
DEALLOCATE p;
RESET plan_cache_mode;
SET enable_nestloop = off; SET enable_hashjoin = off;
SELECT count(*) FROM traceql('{ }', tenant => 'scan') t JOIN tempo.spans s USING (span_id) WHERE s.tenant = 'scan';
SET enable_mergejoin = off; RESET enable_hashjoin;
SELECT count(*) FROM traceql('{ }', tenant => 'scan') t JOIN tempo.spans s USING (span_id) WHERE s.tenant = 'scan';
RESET enable_nestloop; RESET enable_mergejoin;
SELECT count(*) FROM (SELECT FROM traceql('{ }', tenant => 'scan') LIMIT 7) x;

-- cursors
BEGIN;
DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT span_id FROM traceql('{ span.n < 4 }', max_traces => 2, tenant => 'scan') ORDER BY 1;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
COMMIT;
FETCH 1 FROM c;
CLOSE c;

-- row marks and writes driven by it
CREATE TABLE orders (id int PRIMARY KEY, note text);
INSERT INTO orders SELECT n, '' FROM generate_series(1, 130) n;
UPDATE orders o SET note = t.name FROM traceql('{ status = error }', tenant => 'scan') t WHERE o.id = (t.duration_ns / 1000000000);
SELECT count(*) FROM orders WHERE note <> '';
SELECT o.id FROM orders o JOIN traceql('{ name = "op2" && status = error } | select(span.n)', tenant => 'scan') t
    ON o.id = (t.attributes ->> 'n')::int ORDER BY 1 LIMIT 3 FOR UPDATE;
DROP TABLE orders;
DROP FUNCTION shape;
