-- operators, casts and functions of tempo.attributes
CREATE TABLE t (a tempo.attributes);
INSERT INTO t VALUES
 ('{"s": "x", "i": 1, "d": 1.0, "b": true, "n": null, "a": [1, "x", {"k": 1.5}], "m": {"n": {"o": 1}}, "by": x"00ff", "nan": NaN, "inf": -Infinity, "s": "second", "nul": "a\u0000b\xff", "nz": -0.0, "big": 1e22}');
SELECT k, a ->> k AS text, a -> k AS jsonb, a ? k AS has FROM t, tempo.keys(a) k;
SELECT a -> 'absent', a ->> 'absent', a ? 'absent' FROM t;
SELECT e.* FROM t, tempo.each(a) e;
SELECT jsonb_pretty(a::jsonb), tempo.length(a) FROM t;
SELECT a -> 'm' #>> '{n,o}', a -> 'a' -> 2 ->> 'k' FROM t;

-- what comes from jsonb: ints and doubles by their digits
SELECT '{"i": 1, "d": 1.0, "e": 1e3, "big": 9223372036854775808, "s": "\u00e9", "n": null, "a": [1, [], {}, [true, {"x": [0.5]}]], "m": {"b": 2, "a": 1}}'::jsonb::tempo.attributes;
SELECT '[1]'::jsonb::tempo.attributes;
SELECT '1'::jsonb::tempo.attributes;
SELECT '{"a": 1e400}'::jsonb::tempo.attributes;
-- there and back, where jsonb can hold it
SELECT j = j::tempo.attributes::jsonb
  FROM (SELECT '{"a": [1, 2.5, "x", null, true, {"b": []}], "c": {}}'::jsonb) s(j);

-- containment: as for jsonb, but types agree exactly
SELECT l, r, l::tempo.attributes @> r::tempo.attributes AS contains, r::tempo.attributes <@ l::tempo.attributes AS contained
  FROM (VALUES ('{"a": 1}', '{}'), ('{}', '{"a": 1}'), ('{"a": 1, "b": 2}', '{"b": 2}'),
               ('{"a": 1}', '{"a": 1.0}'), ('{"a": 1.0}', '{"a": 1}'), ('{"a": "1"}', '{"a": 1}'),
               ('{"a": null}', '{"a": null}'), ('{"a": false}', '{"a": null}'),
               ('{"a": 1, "a": 2}', '{"a": 2}'), ('{"a": 2}', '{"a": 2, "a": 2}'),
               ('{"a": NaN}', '{"a": NaN}'), ('{"a": -0.0}', '{"a": 0.0}'),
               ('{"a": [1, 2, 3]}', '{"a": [3, 1]}'), ('{"a": [1, 2]}', '{"a": [1, 1]}'),
               ('{"a": [1, 2]}', '{"a": 1}'), ('{"a": [[1, 2], {"x": 1, "y": 2}]}', '{"a": [{"y": 2}, [2]]}'),
               ('{"a": {"b": {"c": 1, "d": 2}}}', '{"a": {"b": {"d": 2}}}'),
               ('{"a": {"b": 1}}', '{"a": {"b": 2}}'), ('{"a": x"00"}', '{"a": x"00"}'),
               ('{"a": "x\u0000"}', '{"a": "x"}')) v(l, r);

-- equality is exact, and grouping follows it
SELECT '{"a": 1}'::tempo.attributes = '{"a": 1.0}', '{"a": 1, "b": 2}'::tempo.attributes = '{"b": 2, "a": 1}',
       '{"a": 1}'::tempo.attributes <> '{"a": 1}', '{"d": 0.0}'::tempo.attributes = '{"d": -0.0}';
SELECT v::tempo.attributes AS a, count(*)
  FROM unnest('{"{\"a\": 1}","{\"a\":1}","{\"a\": 1.0}","{}","{ }"}'::text[]) v GROUP BY 1 ORDER BY 1;
SELECT count(DISTINCT a) FROM (SELECT format('{"n": %s}', n % 100)::tempo.attributes a FROM generate_series(1, 1000) n) s;
SET enable_hashagg = off;
SELECT count(*) FROM (SELECT DISTINCT format('{"n": %s}', n % 100)::tempo.attributes FROM generate_series(1, 1000) n) s;
RESET enable_hashagg;

-- large values go through TOAST
CREATE TABLE large (a tempo.attributes);
INSERT INTO large SELECT format('{"k": "%s", "n": [%s]}', repeat(md5('x'), 5000), string_agg(n::text, ','))::tempo.attributes
  FROM generate_series(1, 20000) n;
SELECT length(a ->> 'k'), a @> '{"n": [19999]}', a = a::text::tempo.attributes, pg_column_size(a) > 8192 FROM large;

-- events and links
SELECT '[{"time": 1700000000123456789, "name": "e\u0000", "dropped": 3, "attributes": {"a": 1.0}}, {}]'::tempo.events AS e,
       '[{"trace_id": "0102", "span_id": "00000000000000ff", "trace_state": "a=b", "flags": 257, "dropped": 1, "attributes": {"x": x"00"}}, {}]'::tempo.links AS l \gset
SELECT :'e'::tempo.events, :'l'::tempo.links;
SELECT :'e'::tempo.events = :'e'::tempo.events::text::tempo.events, :'l'::tempo.links = :'l'::tempo.links::text::tempo.links;
SELECT :'e'::tempo.events::jsonb, :'l'::tempo.links::jsonb, tempo.length(:'e'::tempo.events), tempo.length(:'l'::tempo.links);
SET TIME ZONE 'UTC';
SET datestyle = ISO;
SELECT * FROM tempo.each_event(:'e');
SELECT * FROM tempo.each_link(:'l');
SELECT * FROM tempo.each_event('[{"time": 18446744073709551615}]');
SELECT '[]'::tempo.events, tempo.length('[]'::tempo.links);
SELECT '[{"time": 18446744073709551616}]'::tempo.events;
SELECT '[{"time": -1}]'::tempo.events;
SELECT '[{"time": 1, "time": 2}]'::tempo.events;
SELECT '[{"timestamp": 1}]'::tempo.events;
SELECT '{}'::tempo.events;
SELECT '[{}'::tempo.events;
SELECT '[{"trace_id": "012"}]'::tempo.links;
SELECT '[{"trace_id": "zz"}]'::tempo.links;
CREATE TABLE el (e tempo.events, l tempo.links);
INSERT INTO el VALUES (:'e', :'l'), ('[]', '[]');
SELECT current_setting('data_directory') || '/events.bin' AS file \gset
COPY el TO :'file' (FORMAT binary);
CREATE TABLE el_back (LIKE el);
COPY el_back FROM :'file' (FORMAT binary);
SELECT count(*) FROM (TABLE el EXCEPT ALL TABLE el_back) d;
COPY (SELECT '\x01'::bytea, '\x00'::bytea) TO :'file' (FORMAT binary);
COPY el_back FROM :'file' (FORMAT binary);
COPY (SELECT '\x00'::bytea, '\x010000000000020000'::bytea) TO :'file' (FORMAT binary);
COPY el_back FROM :'file' (FORMAT binary);
DROP TABLE t, large, el, el_back;
