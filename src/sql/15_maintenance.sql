-- tempo_merge(table): merges at once all that waits in a table of access method tempo, or in the leaves of
-- a partitioned one, and writes segments with deleted rows again without those; NULL means tempo.spans. Waits for
-- DELETE statements that are running; leaves out what transactions not finished have deleted from. Returns rows
-- merged, those of segments merged again included. Only the owner may; 42809 for other tables; 0A000 in a transaction whose snapshot is older than the
-- statement (repeatable read, serializable). One merge runs in a database at a time.
CREATE FUNCTION @extschema@.tempo_merge("table" regclass DEFAULT NULL) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tempo_merge' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE COST 100000;

-- tempo_rewrite(table): puts a table of access method tempo into new files, without deleted rows and without the space
-- that merges left; the old files go with the commit. Returns by how many bytes it shrank. Locks the table exclusively,
-- readers too. Only the owner may; 42809 for other tables and for partitioned ones; 55006, and nothing is done, when
-- transactions that began before rows were deleted have not ended.
CREATE FUNCTION @extschema@.tempo_rewrite("table" regclass) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tempo_rewrite' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000;

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

-- tempo.units(table): the segments and recent batches of a table of access method tempo, or of the leaves of a
-- partitioned one, that the caller's snapshot sees. bytes: of the image; blocks: of the main fork for segments,
-- tuples of the companion heap for recent batches. Start and end times and trace ids, of spans only, are the
-- least and the greatest. has_split: some of its traces have spans in other segments. deleted: how many of its rows
-- were deleted; all else counts them. folded: spans that came twice and were left out when it, or what it was made of,
-- was merged. Needs SELECT on the table.
CREATE FUNCTION tempo.units("table" regclass, OUT relation regclass, OUT kind text, OUT id bigint, OUT level integer,
                            OUT rows bigint, OUT traces bigint, OUT vectors bigint, OUT bytes bigint,
                            OUT first_block bigint, OUT blocks bigint, OUT start_min timestamptz,
                            OUT start_max timestamptz, OUT end_max timestamptz, OUT trace_min @extschema@.trace_id,
                            OUT trace_max @extschema@.trace_id, OUT has_split boolean, OUT made_at timestamptz,
                            OUT deleted bigint, OUT folded bigint)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tempo_units' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 100;

-- tempo.segments: the segments of all tables of access method tempo that the asking role may read. dead_bytes: the share
-- of deleted rows in bytes; dead space between segments is in tempo.storage.
CREATE VIEW tempo.segments AS
    SELECT u.relation, u.id, u.level, u.rows, u.traces, u.vectors, u.bytes, u.first_block, u.blocks, u.start_min,
           u.start_max, u.end_max, u.trace_min, u.trace_max, u.has_split, u.made_at, u.deleted, u.folded, u.bytes * u.deleted / u.rows AS dead_bytes
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_am a ON a.oid = c.relam
     CROSS JOIN LATERAL tempo.units(c.oid) u
     WHERE a.amname = 'tempo' AND c.reltoastrelid <> 0 AND u.kind = 'segment'
       AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
       AND (c.relpersistence <> 't' OR pg_catalog.pg_table_is_visible(c.oid));
GRANT SELECT ON tempo.segments TO PUBLIC;

-- tempo.leaves(table): for every segment and recent batch, what each column (and each attribute key and type)
-- takes: how it is encoded, values, bytes. Needs SELECT on the table.
CREATE FUNCTION tempo.leaves("table" regclass, OUT relation regclass, OUT level text, OUT name text,
                             OUT encoding text, OUT count bigint, OUT bytes bigint)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tempo_leaves' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000 ROWS 1000;

-- tempo.storage: what tables of access method tempo that the asking role may read take, in bytes: segments, recent
-- batches that wait to be merged, and dead space in the main fork, which merges that were rolled back or segments
-- merged again left. Dead space goes with the table: drop the partition. deleted_rows: rows of both that were
-- deleted, which the next merge of their segment or batch drops. folded_rows: spans that came twice, of which merges
-- left one.
CREATE VIEW tempo.storage AS
    SELECT c.oid::regclass AS relation,
           count(*) FILTER (WHERE u.kind = 'segment') AS segments,
           coalesce(sum(u.rows) FILTER (WHERE u.kind = 'segment'), 0)::bigint AS segment_rows,
           coalesce(sum(u.bytes) FILTER (WHERE u.kind = 'segment'), 0)::bigint AS segment_bytes,
           count(*) FILTER (WHERE u.kind <> 'segment') AS waiting_batches,
           coalesce(sum(u.rows) FILTER (WHERE u.kind <> 'segment'), 0)::bigint AS waiting_rows,
           coalesce(sum(u.bytes) FILTER (WHERE u.kind <> 'segment'), 0)::bigint AS waiting_bytes,
           coalesce(sum(u.deleted), 0)::bigint AS deleted_rows,
           coalesce(sum(u.folded), 0)::bigint AS folded_rows,
           (pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint - 1
            - coalesce(sum(u.blocks) FILTER (WHERE u.kind = 'segment'), 0))::bigint
               * pg_catalog.current_setting('block_size')::bigint AS dead_bytes,
           pg_catalog.pg_total_relation_size(c.oid) AS total_bytes
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_am a ON a.oid = c.relam
      LEFT JOIN LATERAL tempo.units(c.oid) u ON true
     WHERE a.amname = 'tempo' AND c.reltoastrelid <> 0 AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
       AND (c.relpersistence <> 't' OR pg_catalog.pg_table_is_visible(c.oid))
     GROUP BY c.oid;
GRANT SELECT ON tempo.storage TO PUBLIC;
