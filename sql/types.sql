-- trace_id, span_id, kind, status: text, binary, order, casts
SELECT '1'::trace_id, 'ABCDEF0123456789abcdef0123456789'::trace_id, 'Ff'::span_id;
SELECT ''::trace_id;
SELECT '0123456789abcdef0123456789abcdef0'::trace_id;
SELECT '12g4'::trace_id;
SELECT ' 12'::span_id;
SELECT ''::span_id;
SELECT '11112222333344445'::span_id;

-- every length reads as a left-padded number
SELECT bool_and(lpad(h, 32, '0') = h::trace_id::text)
  FROM (SELECT substr('9f8e7d6c5b4a39281706f5e4d3c2b1a0', 1, n) h FROM generate_series(1, 32) n) s;
SELECT bool_and(lpad(h, 16, '0') = h::span_id::text)
  FROM (SELECT substr('9f8e7d6c5b4a3928', 1, n) h FROM generate_series(1, 16) n) s;

-- casts
SELECT '1'::trace_id::bytea, '\x000102030405060708090a0b0c0d0e0f'::bytea::trace_id;
SELECT '\x0001'::bytea::trace_id;
SELECT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid::trace_id, 'ff'::trace_id::uuid;
SELECT 'fedcba9876543210'::span_id::bytea, '\xfedcba9876543210'::bytea::span_id;
SELECT '\xfedcba98765432'::bytea::span_id;
SELECT 'ffffffffffffffff'::span_id::bigint, (-2)::bigint::span_id;

-- order is that of the bytes: an id with the high bit comes last
SELECT id FROM unnest('{8000000000000000,7fffffffffffffff,ffffffffffffffff,0,1}'::span_id[]) id ORDER BY id;
SELECT id FROM unnest('{80000000000000000000000000000000,7fffffffffffffffffffffffffffffff,2,1}'::trace_id[]) id
 ORDER BY id DESC;
SELECT 'ff'::span_id < '1'::span_id, 'ff' <= 'ff'::span_id, 'ff' = '00ff'::span_id, 'ff' <> 'ff'::span_id,
       '8000000000000000' >= 'f'::span_id, '8000000000000000' > 'f'::span_id;
SELECT 'ff'::trace_id < '1'::trace_id, 'ff' <= 'ff'::trace_id, 'ff' = '00ff'::trace_id, 'ff' <> 'ff'::trace_id,
       '80000000000000000000000000000000' >= 'f'::trace_id, '80000000000000000000000000000000' > 'f'::trace_id;

-- hash, btree, merge and hash joins
CREATE TABLE ids AS
SELECT md5(n::text)::trace_id AS t, substr(md5(n::text), 1, 16)::span_id AS s FROM generate_series(1, 1000) n;
SELECT count(*), count(DISTINCT t), count(DISTINCT s) FROM (SELECT * FROM ids UNION ALL SELECT * FROM ids) u;
CREATE INDEX ON ids (t);
CREATE INDEX ON ids USING hash (s);
ANALYZE ids;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT FROM ids WHERE t = 'c4ca4238a0b923820dcc509a6f75849b';
SELECT count(*) FROM ids WHERE t = 'c4ca4238a0b923820dcc509a6f75849b';
SELECT count(*) FROM ids WHERE s = 'c4ca4238a0b92382';
SET enable_hashjoin = off;
SET enable_nestloop = off;
SELECT count(*) FROM ids a JOIN ids b USING (t);
SELECT count(*) FROM ids a JOIN ids b USING (s);
SET enable_hashjoin = on;
SET enable_mergejoin = off;
SELECT count(*) FROM ids a JOIN ids b USING (t);
SELECT count(*) FROM ids a JOIN ids b USING (s);
RESET enable_seqscan;
RESET enable_hashjoin;
RESET enable_nestloop;
RESET enable_mergejoin;
SELECT count(*) FROM (SELECT t, lag(t) OVER (ORDER BY t) AS before FROM ids) o WHERE before >= t;

-- kind and status: words, OTLP's names, numbers; unknown numbers are kept
SELECT 'server'::tempo.span_kind, 'SPAN_KIND_CONSUMER'::tempo.span_kind, 'Span_Kind_Client'::tempo.span_kind,
       '4'::tempo.span_kind, '77'::tempo.span_kind, '-1'::tempo.span_kind, 5::tempo.span_kind;
SELECT n::tempo.span_kind, n::tempo.span_kind::text::tempo.span_kind::integer = n AS same
  FROM unnest('{0,1,2,3,4,5,6,-1,2147483647,-2147483648}'::integer[]) n;
SELECT 'ok'::tempo.status_code, 'STATUS_CODE_ERROR'::tempo.status_code, '0'::tempo.status_code,
       3::tempo.status_code, 'error'::tempo.status_code::integer;
SELECT 'servers'::tempo.span_kind;
SELECT 'SPAN_KIND_'::tempo.span_kind;
SELECT '1x'::tempo.span_kind;
SELECT '2147483648'::tempo.status_code;
SELECT 'server'::tempo.span_kind > 'internal', 'error'::tempo.status_code = 'STATUS_CODE_ERROR';
SELECT k, count(*) FROM unnest('{server,client,2,9,unspecified}'::tempo.span_kind[]) k GROUP BY k ORDER BY k;

-- binary form of all four is read back the same
CREATE TABLE all_ids (t trace_id, s span_id, k tempo.span_kind, c tempo.status_code);
INSERT INTO all_ids SELECT t, s, n % 8, n % 5 FROM (SELECT *, (row_number() OVER ())::integer AS n FROM ids) i;
INSERT INTO all_ids VALUES ('0', 'ffffffffffffffff', -1, 2147483647), (NULL, NULL, NULL, NULL);
SELECT current_setting('data_directory') || '/types.bin' AS file \gset
COPY all_ids TO :'file' (FORMAT binary);
CREATE TABLE all_ids_back (LIKE all_ids);
COPY all_ids_back FROM :'file' (FORMAT binary);
SELECT count(*) FROM (TABLE all_ids EXCEPT ALL TABLE all_ids_back) d;
SELECT count(*) FROM (TABLE all_ids_back EXCEPT ALL TABLE all_ids) d;
COPY (SELECT '\x0011'::bytea, '\x11'::bytea, '\x00'::bytea, '\x00'::bytea) TO :'file' (FORMAT binary);
COPY all_ids_back FROM :'file' (FORMAT binary);

-- declared as they are stored
SELECT t::regtype, typlen, typbyval, typalign, typstorage FROM pg_type,
       LATERAL (SELECT pg_type.oid::regtype) t(t)
 WHERE pg_type.oid IN ('trace_id'::regtype, 'span_id'::regtype, 'tempo.span_kind'::regtype,
       'tempo.status_code'::regtype, 'tempo.attributes'::regtype, 'tempo.events'::regtype, 'tempo.links'::regtype)
 ORDER BY t::text;
SELECT amname, opcname, amvalidate(o.oid)
  FROM pg_opclass o JOIN pg_am a ON a.oid = opcmethod, LATERAL (SELECT pg_catalog.amvalidate(o.oid)) v
 WHERE opcname ~ '^(trace_id|span_id|span_kind|status_code|attributes|events|links)_ops$' ORDER BY 1, 2;
DROP TABLE ids, all_ids, all_ids_back;
