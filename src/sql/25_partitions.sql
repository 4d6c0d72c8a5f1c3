-- tempo.create_partitions(first, last): makes the partitions of tempo.spans that are missing for the days
-- (UTC) from first to last. Ingest makes its own; this is for spans that come by INSERT or COPY.
-- Returns how many were made. Only the owner of tempo.spans may call it; 53400 beyond tempo.max_partitions.
CREATE FUNCTION tempo.create_partitions(first date, last date) RETURNS integer
    AS 'MODULE_PATHNAME', 'tempo_create_partitions' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
