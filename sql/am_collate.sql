-- Comparisons and orders of text go by collation, nondeterministic ones included, wherever they are evaluated.
SET jit = off;
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION de (provider = icu, locale = 'de-u-kn-true');
CREATE TABLE kh (id int, c text COLLATE ci, d text COLLATE de, e text COLLATE "C", f text COLLATE "POSIX", g varchar(10) COLLATE ci, h char(6) COLLATE ci);
INSERT INTO kh
SELECT i, v, v, v, v, v, v
  FROM generate_series(1, 40) i, LATERAL (SELECT (array['abc', 'ABC', 'Abc', 'äb', 'ab10', 'ab9', 'AB9', 'z', 'Z', ''])[1 + i % 10] v) x;
INSERT INTO kh (id) VALUES (99);
CREATE TABLE kt (LIKE kh) USING tempo;
INSERT INTO kt SELECT * FROM kh WHERE id < 20;
SELECT tempo_merge('kt');
INSERT INTO kt SELECT * FROM kh WHERE id >= 20;

-- each question of the heap and of the other table, for each column (X), by columns and by rows
CREATE PROCEDURE compare() LANGUAGE plpgsql AS $$
DECLARE
    q text;
    x text;
    a text;
    b text;
    switch text;
    asked int := 0;
BEGIN
    FOREACH switch IN ARRAY '{on,off}'::text[] LOOP
        PERFORM set_config(s, switch, false) FROM unnest('{tempo.enable_customscan,tempo.enable_aggregate,tempo.enable_vector_filter}'::text[]) s;
        FOREACH q IN ARRAY array[
            'ids WHERE X = ''abc''', 'ids WHERE X <> ''abc''', 'ids WHERE X IN (''abc'', ''z'')', 'ids WHERE X < ''ab9''', 'ids WHERE X >= ''ABC''',
            'ids WHERE X = ''abc'' COLLATE "C"', 'ids WHERE X COLLATE ci = ''abc''', 'ids WHERE lower(X) = ''abc''',
            'SELECT string_agg(id::text, '','' ORDER BY X, id) FROM %1$s', 'SELECT upper(min(X) || max(X)) FROM %1$s', 'SELECT count(DISTINCT X)::text FROM %1$s',
            'groups GROUP BY X', 'groups WHERE X > ''ab'' GROUP BY X', 'groups GROUP BY X COLLATE "C"', 'groups GROUP BY X COLLATE ci'] LOOP
            q := regexp_replace(q, '^ids', 'SELECT string_agg(id::text, '','' ORDER BY id) FROM %1$s');
            q := regexp_replace(q, '^groups(.*)', 'SELECT string_agg(n::text, '','' ORDER BY n) FROM (SELECT count(*) AS n FROM %1$s \1) s');
            FOREACH x IN ARRAY '{c,d,e,f,g,h}'::text[] LOOP
                EXECUTE format(replace(q, 'X', x), 'kh') INTO a;
                EXECUTE format(replace(q, 'X', x), 'kt') INTO b;
                asked := asked + 1;
                IF a IS DISTINCT FROM b THEN
                    RAISE NOTICE 'column scan %, column %: %: % but %', switch, x, q, a, b;
                END IF;
            END LOOP;
        END LOOP;
    END LOOP;
    RAISE NOTICE '% asked', asked;
END $$;
CALL compare();
SELECT tempo_merge('kt');
CALL compare();
CREATE INDEX ON kt (c);
CREATE INDEX ON kt (d);
CREATE INDEX ON kt USING hash (c);
SET enable_seqscan = off;
CALL compare();
RESET ALL;
DROP PROCEDURE compare;
DROP TABLE kh, kt;
DROP COLLATION ci, de;
