-- TABLESAMPLE: about as many rows as asked for, each row as likely as any other, the same ones for the same seed.
CREATE TABLE sa (id int, t text) USING tempo;
COPY sa FROM PROGRAM 'seq -f "%.0f,row" 1 20000' (FORMAT csv);
SELECT tempo_merge('sa');
COPY sa FROM PROGRAM 'seq -f "%.0f,row" 20001 25000' (FORMAT csv);
INSERT INTO sa VALUES (25001, 'one more');
SELECT count(*), count(DISTINCT id) FROM sa TABLESAMPLE SYSTEM (100);
SELECT count(*), count(DISTINCT id) FROM sa TABLESAMPLE BERNOULLI (100);
SELECT count(*) FROM sa TABLESAMPLE SYSTEM (0);
SELECT count(*) FROM sa TABLESAMPLE BERNOULLI (0);
-- over many seeds: the mean of what comes, its spread, and whether the two ends are there as often
CREATE FUNCTION samples(method text, share float8) RETURNS TABLE (mean bool, merged bool, recent bool, many bool) LANGUAGE plpgsql AS $$
DECLARE
    n float8[] := '{}';
    low float8 := 0;
    high float8 := 0;
    c float8;
    a float8;
    b float8;
BEGIN
    FOR seed IN 1..60 LOOP
        EXECUTE format('SELECT count(*), count(*) FILTER (WHERE id <= 5000), count(*) FILTER (WHERE id > 20000) FROM sa TABLESAMPLE %s (%s) REPEATABLE (%s)', method, share, seed) INTO c, a, b;
        n := n || c;
        low := low + a;
        high := high + b;
    END LOOP;
    RETURN QUERY SELECT avg(x) / 25001 * 100 / share BETWEEN 0.93 AND 1.07, low / 60 / 5000 * 100 / share BETWEEN 0.85 AND 1.15,
                        high / 60 / 5000 * 100 / share BETWEEN 0.85 AND 1.15, count(DISTINCT x) > 5 FROM unnest(n) x;
END $$;
SELECT * FROM samples('SYSTEM', 20);
SELECT * FROM samples('BERNOULLI', 20);
SELECT * FROM samples('BERNOULLI', 2);
-- the same seed, the same rows; another one, others
WITH a AS (SELECT id FROM sa TABLESAMPLE BERNOULLI (5) REPEATABLE (7)), b AS (SELECT id FROM sa TABLESAMPLE BERNOULLI (5) REPEATABLE (7)),
     c AS (SELECT id FROM sa TABLESAMPLE BERNOULLI (5) REPEATABLE (8))
SELECT (SELECT count(*) FROM (SELECT * FROM a EXCEPT SELECT * FROM b) x) AS same, (SELECT count(*) FROM (SELECT * FROM a EXCEPT SELECT * FROM c) x) > 500 AS others;
-- conditions, rescans, cursors, deleted rows, partitions
EXPLAIN (COSTS off) SELECT * FROM sa TABLESAMPLE SYSTEM (10) WHERE id < 100;
SELECT count(*), sum(c) FROM generate_series(1, 3) i, LATERAL (SELECT count(*) AS c FROM sa TABLESAMPLE SYSTEM (100) WHERE id <= i * 10) s;
SELECT s, count(*) = 2 * 25001 AS whole FROM (VALUES (100.0::real), (100.0)) v(s), LATERAL (SELECT id FROM sa TABLESAMPLE BERNOULLI (v.s)) x GROUP BY 1;
DELETE FROM sa WHERE id % 2 = 0;
SELECT count(*), sum(id % 2) FROM sa TABLESAMPLE SYSTEM (100);
SELECT count(*), sum(id % 2) FROM sa TABLESAMPLE BERNOULLI (100);
SELECT tempo_merge('sa') > 0 AS merged;
SELECT count(*), sum(id % 2) FROM sa TABLESAMPLE SYSTEM (100);
CREATE TABLE sp (id int, t text) PARTITION BY RANGE (id);
ALTER TABLE sp ATTACH PARTITION sa FOR VALUES FROM (0) TO (30000);
CREATE TABLE sp2 PARTITION OF sp FOR VALUES FROM (30000) TO (40000) USING tempo;
INSERT INTO sp VALUES (30000, 'x');
SELECT count(*) FROM sp TABLESAMPLE BERNOULLI (100);
TRUNCATE sp;
SELECT count(*) FROM sp TABLESAMPLE SYSTEM (50);
DROP TABLE sp;
DROP FUNCTION samples;
