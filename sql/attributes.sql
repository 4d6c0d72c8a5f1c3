-- tempo.attributes: exact text and binary, operators, casts
CREATE TABLE odd (id integer PRIMARY KEY, a tempo.attributes);
INSERT INTO odd VALUES
 (1, '{}'),
 (2, '{"s": "", "": "empty key", "i": 0, "d": 0.0, "b": false, "n": null, "a": [], "m": {}, "by": x""}'),
 (3, '{"max": 9223372036854775807, "min": -9223372036854775808, "zero": -0}'),
 (4, '{"nan": NaN, "nan2": NaN(0xfff8000000000001), "snan": NaN(0x7ff0000000000001), "inf": Infinity, "ninf": -Infinity, "nz": -0.0}'),
 (5, '{"tiny": 5e-324, "big": 1.7976931348623157e308, "third": 0.333333333333333314829616256247, "int-like": 1e17, "one": 1E0}'),
 (6, '{"k": 1, "k": 2, "k": "1", "z": 1, "a": 1}'),
 (7, '{"esc": "\"\\\/\b\f\n\r\t\u0000\u001f\u007f", "uni": "é\u00e9\ud83d\ude00😀", "raw": "\xff\xfe \xc3\xa9 \xc3("}'),
 (8, '{"\u0000key": [null, true, false, 1, 1.0, "1", [1, [2, [3]]], {"a": {"b": [{"c": x"DEADbeef"}]}}]}'),
 (9, E' {\t"ws" :\n[ 1 ,\r2 ] } ');
SELECT id, a FROM odd ORDER BY id;
SELECT id FROM odd WHERE a <> a::text::tempo.attributes;
SELECT current_setting('data_directory') || '/attributes.bin' AS file \gset
COPY odd TO :'file' (FORMAT binary);
CREATE TABLE back (LIKE odd);
COPY back FROM :'file' (FORMAT binary);
SELECT count(*) FROM (TABLE odd EXCEPT ALL TABLE back) d;
SELECT count(*) FROM (SELECT id, tempo.attributes_send(a) FROM odd EXCEPT SELECT id, tempo.attributes_send(a) FROM back) d;

-- every double with few or many digits, exact
SELECT count(*) FROM generate_series(1, 2000) n,
       LATERAL (SELECT (n * 1.0000000001::float8 ^ (n * 7) / 3)::text) d(t),
       LATERAL (SELECT CASE WHEN t ~ '[.e]' THEN t ELSE t || '.0' END) f(t2)
 WHERE (format('{"d": %s}', t2)::tempo.attributes ->> 'd')::float8 <> t::float8
    OR format('{"d": %s}', t2)::tempo.attributes::text <> format('{"d": %s}', t2);

-- nesting: 64 levels and no more
SELECT length(format('{"a": %s1%s}', repeat('[', 64), repeat(']', 64))::tempo.attributes::text);
SELECT format('{"a": %s1%s}', repeat('[', 65), repeat(']', 65))::tempo.attributes;
SELECT format('{"a": %s', repeat('{"a": ', 100000))::tempo.attributes;
SELECT (repeat('{"a":', 66) || '1' || repeat('}', 66))::jsonb::tempo.attributes;

-- refused, each with its place
SELECT '' ::tempo.attributes;
SELECT '[]'::tempo.attributes;
SELECT '{"a": 1} x'::tempo.attributes;
SELECT '{"a": 1,}'::tempo.attributes;
SELECT '{"a" 1}'::tempo.attributes;
SELECT '{a: 1}'::tempo.attributes;
SELECT '{"a": 01}'::tempo.attributes;
SELECT '{"a": 1.}'::tempo.attributes;
SELECT '{"a": +1}'::tempo.attributes;
SELECT '{"a": 9223372036854775808}'::tempo.attributes;
SELECT '{"a": 1e400}'::tempo.attributes;
SELECT '{"a": nul}'::tempo.attributes;
SELECT '{"a": "x'::tempo.attributes;
SELECT E'{"a": "\n"}'::tempo.attributes;
SELECT '{"a": "\q"}'::tempo.attributes;
SELECT '{"a": "\ud83d"}'::tempo.attributes;
SELECT '{"a": "\ude00"}'::tempo.attributes;
SELECT '{"a": x"0"}'::tempo.attributes;
SELECT '{"a": NaN(0x0000000000000001)}'::tempo.attributes;

-- binary input is checked whole, and spelt in one way only
CREATE FUNCTION recv(payload bytea) RETURNS tempo.attributes LANGUAGE plpgsql AS $$
DECLARE file text := current_setting('data_directory') || '/attributes.bin';
DECLARE result tempo.attributes;
BEGIN
    EXECUTE format('COPY (SELECT 0, %L::bytea) TO %L (FORMAT binary)', payload, file);
    DELETE FROM back;
    EXECUTE format('COPY back FROM %L (FORMAT binary)', file);
    SELECT a INTO result FROM back;
    RETURN result;
EXCEPTION WHEN invalid_binary_representation THEN RETURN NULL;
END $$;
SELECT bool_and(recv(tempo.attributes_send(a)) = a) FROM odd;
SELECT p, recv(p) FROM unnest('{"\\x","\\x00","\\x0000","\\x01","\\x0100","\\x010000","\\x01000102","\\x01000201","\\x0100020101","\\x010005020102","\\x01000502010300","\\x01000508","\\x0100010561","\\xff01","\\xffffffffffffffffff01","\\x01000603010000","\\x8100016101016a","\\x010000ff"}'::bytea[]) p;
SELECT recv('\x810081006103010000000000000000') IS NULL;
SELECT recv('\x8100810061030100000000000000') = '{"a": 1}';
SELECT recv('\x0101610585008100038180808080808000') IS NULL;
SELECT recv('\x010161058b0081000301000000000000008100') IS NULL;
SELECT recv('\x010161058b00810003010000000000000000') IS NULL, recv('\x010161058b008100030100000000000000') = '{"a": [1]}';

-- truncated anywhere, it is refused
SELECT count(*) FROM odd, LATERAL (SELECT tempo.attributes_send(a) s) x, generate_series(0, length(s) - 1) n
 WHERE recv(substr(s, 1, n)) IS NOT NULL;
-- texts and payloads with a byte or two changed: refused, or read back the same
DO $$
DECLARE
    r record;
    t text;
    a tempo.attributes;
    taken integer := 0;
    differ integer := 0;
BEGIN
    PERFORM setseed(0.5);
    FOR r IN SELECT odd.a, odd.a::text AS t FROM odd, generate_series(1, 300) LOOP
        t := overlay(r.t PLACING substr('{}[]",:0123456789-+.eExNnIult\ud8', 1 + floor(random() * 35)::integer, 1)
                     FROM 1 + floor(random() * length(r.t))::integer FOR floor(random() * 3)::integer);
        BEGIN
            a := t;
            taken := taken + 1;
            IF a::text::tempo.attributes <> a OR (a::jsonb)::tempo.attributes::jsonb <> a::jsonb THEN
                differ := differ + 1;
            END IF;
        EXCEPTION WHEN invalid_text_representation OR numeric_value_out_of_range THEN NULL;
        END;
    END LOOP;
    RAISE NOTICE 'some taken: %, read back differently: %', taken > 100, differ;
END $$;
DO $$
DECLARE
    r record;
    taken integer := 0;
    differ integer := 0;
BEGIN
    FOR r IN SELECT recv(set_byte(s, floor(random() * length(s))::integer, floor(random() * 256)::integer)) AS a
               FROM odd, LATERAL (SELECT tempo.attributes_send(odd.a) AS s) b, generate_series(1, 40) LOOP
        taken := taken + (r.a IS NOT NULL)::integer;
        IF r.a::text::tempo.attributes <> r.a THEN
            differ := differ + 1;
        END IF;
        PERFORM r.a::jsonb, tempo.length(r.a), count(k) FROM tempo.keys(r.a) k;
    END LOOP;
    RAISE NOTICE 'some taken: %, read back differently: %', taken > 100, differ;
END $$;

DROP TABLE odd, back;
DROP FUNCTION recv;
