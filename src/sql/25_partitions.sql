-- tempo.create_partitions(first, last): makes the partitions of tempo.spans that are missing for the days
-- (UTC) from first to last. Ingest makes its own; this is for spans that come by INSERT or COPY.
-- Returns how many were made. Only the owner of tempo.spans may call it; 53400 beyond tempo.max_partitions.
CREATE FUNCTION tempo.create_partitions(first date, last date) RETURNS integer
    AS 'MODULE_PATHNAME', 'tempo_create_partitions' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

-- tempo.drop_before(time): drops the partitions of tempo.spans that hold nothing from that time on, in the
-- caller's transaction: everybody else waits for its end before they can read or write spans, and a ROLLBACK
-- brings them back. Returns how many. Only the owner of tempo.spans may; 55P03 when a lock could not be had within
-- the caller's lock_timeout. The maintenance worker does this for tempo.retention without anybody waiting.
CREATE FUNCTION tempo.drop_before("time" timestamptz) RETURNS integer
    AS 'MODULE_PATHNAME', 'tempo_drop_before' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 100000;
REVOKE ALL ON FUNCTION tempo.drop_before(timestamptz) FROM PUBLIC;

-- CALL tempo.merge_days(month): merges the partitions of the calendar month (UTC) that holds the date into one,
-- tempo.spans_YYYYMM, which covers the month. A notice says so when there are not two or more that lie within it. Copies
-- all segments, in many transactions; readers and writers wait at the very end only, for tempo.lock_timeout at most.
-- Before that it waits for transactions older than the copy. Only the owner of tempo.spans may, outside of a
-- transaction block (25001). 55P03 when locks could not be had: what was copied stays, and the next CALL goes on with
-- it. 0A000 when columns of tempo.spans were added or dropped after one of the partitions was made.
CREATE PROCEDURE tempo.merge_days(month date)
    AS 'MODULE_PATHNAME', 'tempo_merge_days' LANGUAGE C;
REVOKE ALL ON PROCEDURE tempo.merge_days(date) FROM PUBLIC;

-- CALL tempo.move_partition(partition, tablespace): moves a partition of tempo.spans to another tablespace, in the
-- same way and with the same errors; ALTER TABLE ... SET TABLESPACE would lock everybody out while it copies. 42809
-- when it is not a partition, 42704 when there is no such tablespace. Needs CREATE on the tablespace.
CREATE PROCEDURE tempo.move_partition(partition regclass, tablespace name)
    AS 'MODULE_PATHNAME', 'tempo_move_partition' LANGUAGE C;
REVOKE ALL ON PROCEDURE tempo.move_partition(regclass, name) FROM PUBLIC;
