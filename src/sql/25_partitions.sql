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
