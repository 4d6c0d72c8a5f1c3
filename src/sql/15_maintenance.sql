-- tempo_merge(table): merges at once all that waits in a table of access method tempo, or in the leaves of
-- a partitioned one; NULL means tempo.spans. Returns rows merged, those of small segments merged again
-- included. Only the owner may; 42809 for other tables. One merge runs in a database at a time.
CREATE FUNCTION @extschema@.tempo_merge("table" regclass DEFAULT NULL) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tempo_merge' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE COST 100000;

-- tempo.merge_step(): what the merge worker does: one round of merging of one table, if the settings
-- tempo.segment_rows and tempo.merge_delay say that one is due. Returns whether one was.
CREATE FUNCTION tempo.merge_step() RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_merge_step' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000;
REVOKE ALL ON FUNCTION tempo.merge_step() FROM PUBLIC;

-- tempo_check(table): verifies everything a reader relies on: metapage, directory, every byte of every
-- segment and recent batch, the companion heap and its index (by extension amcheck too, when it is installed
-- and the caller may execute its functions), and reads every row. Returns one line a problem: no rows means
-- that all is well. NULL means tempo.spans with all its partitions. Needs SELECT on the table. Works on a
-- standby. Reads the whole table.
CREATE FUNCTION @extschema@.tempo_check("table" regclass DEFAULT NULL) RETURNS SETOF text
    AS 'MODULE_PATHNAME', 'tempo_check' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE COST 1000000;
