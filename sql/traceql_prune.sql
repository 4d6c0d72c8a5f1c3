-- Vectors that cannot match are not read, and everything that matches is found: by dictionaries, zone maps, filters and keys.
SET TIME ZONE 'UTC';
SET jit = off;
SET client_min_messages = warning;
SELECT tempo.init();
SELECT tempo.create_partitions('2021-12-01', '2021-12-01') >= 0 AS made;
RESET client_min_messages;
INSERT INTO tempo.spans (tenant, trace_id, span_id, parent_span_id, name, kind, status, start_time, duration_ns, service,
                         attributes, resource_attributes)
SELECT 'v-shop', to_hex(t + 4096)::trace_id, to_hex(t * 8 + s)::span_id, CASE WHEN s > 0 THEN to_hex(t * 8)::span_id END,
       'op ' || t / 1000, CASE WHEN t BETWEEN 2000 AND 2999 THEN 'server' ELSE 'client' END::tempo.span_kind, CASE WHEN t = 4321 THEN 'error' ELSE 'unset' END::tempo.status_code,
       '2021-12-01'::timestamptz + t * interval '1 s' + s * interval '1 ms', t * 1000 + s, 'svc ' || t / 3000,
       format('{"session": "s%s", "n": %s, "part": %s%s}', t / 2, t, s, CASE WHEN t > 4900 THEN ', "late": "yes"' END)::tempo.attributes,
       format('{"service.name": "svc %s"}', t / 3000)::tempo.attributes
FROM generate_series(1, 5000) t, generate_series(0, 3) s;
SELECT tempo_merge() > 0 AS merged;
SELECT vectors > 3 AS vectors FROM tempo.segments WHERE relation::text ~ '20211201';

-- what traceql() counts, whether a plain query counts the same, and how many vectors that took
CREATE TEMP TABLE q (n int, query text, plain text);
INSERT INTO q VALUES
 (1, '{ span.session = "s77" }', $$attributes ->> 'session' = 's77'$$), (2, '{ span.session = "nobody" }', 'false'), (3, '{ .session = "s2222" }', $$attributes ->> 'session' = 's2222'$$),
 (4, '{ duration > 4.999ms }', 'duration_ns > 4999000'), (5, '{ duration < 1us }', 'duration_ns < 1000'), (6, '{ span.n = 4000 && span.part = 1 }', $$attributes -> 'n' = '4000' AND attributes -> 'part' = '1'$$),
 (7, '{ span.n > 4998 }', $$(attributes ->> 'n')::int > 4998$$), (8, '{ status = error }', $$status = 'error'$$), (9, '{ kind = server }', $$kind = 'server'$$), (10, '{ name = "op 3" }', $$name = 'op 3'$$),
 (11, '{ span.late = "yes" }', $$attributes ? 'late'$$), (12, '{ span.nowhere = 1 }', 'false'), (13, '{ span.late != nil }', $$attributes ? 'late'$$), (14, '{ resource.service.name = "svc 9" }', 'false'),
 (15, '{ resource.service.name = "svc 1" && span.part = 3 }', $$service = 'svc 1' AND attributes -> 'part' = '3'$$), (16, '{ span.session = "s1" || span.session = "s2400" }', $$attributes ->> 'session' IN ('s1', 's2400')$$),
 (17, '{ span.session != "s1" }', $$attributes ->> 'session' <> 's1'$$), (18, '{ name =~ "op [45]" && span.part = 0 }', $$name ~ 'op [45]' AND attributes -> 'part' = '0'$$), (19, '{ span.n = 77 } >> { span.part = 2 }', $$attributes -> 'n' = '77' AND attributes -> 'part' = '2'$$),
 (20, '{ span.n = 77 } ~ { span.part = 2 }', $$attributes -> 'n' = '77' AND attributes -> 'part' = '2'$$), (21, '{ span.session = 1 }', 'false'), (22, '{ !(span.session = "s7") && span.n < 3 }', $$(attributes ->> 'n')::int < 3$$);
CREATE FUNCTION counted(query text, OUT spans bigint, OUT vectors int) LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	EXECUTE 'SELECT count(*) FROM traceql($1, tenant => ''v-shop'')' INTO spans USING query;
	FOR line IN EXECUTE format('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM traceql(%L, tenant => ''v-shop'')', query) LOOP
		IF line ~ 'Vectors Read' THEN vectors := substring(line FROM '\d+')::int; END IF;
	END LOOP;
END $$;
CREATE FUNCTION plain(condition text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
	EXECUTE 'SELECT count(*) FROM tempo.spans WHERE tenant = ''v-shop'' AND ' || condition INTO n;
	RETURN n;
END $$;
SELECT n, c.spans, c.spans = plain(plain) AS right, c.vectors FROM q, LATERAL counted(query) c ORDER BY n;

-- recent batches beside the segment, and traces split between them
INSERT INTO tempo.spans (tenant, trace_id, span_id, name, start_time, duration_ns, attributes)
SELECT 'v-shop', to_hex(t + 4096)::trace_id, to_hex(t * 8 + 5)::span_id, 'op 3', '2021-12-01 01:00'::timestamptz, 4999500, format('{"session": "s%s", "part": 1}', t)::tempo.attributes
FROM generate_series(1, 5000, 100) t;
SELECT n, c.spans, c.spans = plain(plain) AS right FROM q, LATERAL counted(query) c ORDER BY n;
SELECT count(*) FROM traceql('{ span.session = "s1301" } && { span.n = 1301 && span.part = 0 }', tenant => 'v-shop');
SELECT count(*) FROM traceql('{ span.session = "s650" && span.part = 0 } && { duration = 4999500ns }', tenant => 'v-shop');
TRUNCATE tempo.spans;
DROP FUNCTION counted, plain;
