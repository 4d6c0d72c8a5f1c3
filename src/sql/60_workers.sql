-- The background workers: what they do, and how to stop and start them.

-- One row for each worker that has run since the server started; none when the library is not preloaded.
CREATE FUNCTION tempo.worker_status(
    OUT worker text, OUT number integer, OUT pid integer, OUT state text, OUT listeners text,
    OUT started timestamptz, OUT requests bigint, OUT refused bigint, OUT bytes bigint, OUT spans bigint,
    OUT rejected_spans bigint, OUT last_commit timestamptz, OUT last_error text, OUT last_error_at timestamptz,
    OUT caught_up timestamptz)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tempo_worker_status' LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 8;
REVOKE ALL ON FUNCTION tempo.worker_status() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tempo.worker_status() TO pg_monitor;

-- Whether the library is in shared_preload_libraries, so that there can be workers.
CREATE FUNCTION tempo.preloaded() RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_preloaded' LANGUAGE C STABLE STRICT PARALLEL SAFE;

-- Batches of tempo.spans that were committed and not merged into segments yet; NULL without tempo.spans.
CREATE FUNCTION tempo.waiting_batches() RETURNS bigint
    AS 'MODULE_PATHNAME', 'tempo_waiting_batches' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
REVOKE ALL ON FUNCTION tempo.waiting_batches() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tempo.waiting_batches() TO pg_monitor;

-- Transactions of this database that keep VACUUM from removing batches that were merged since, the oldest first, and
-- those that merges go around because they have deleted rows and not ended. pid is NULL for prepared ones.
CREATE VIEW tempo.open_transactions AS
    SELECT a.pid, NULL::text AS prepared, a.xact_start AS since, a.backend_xmin IS NOT NULL AS holds_vacuum,
           EXISTS (SELECT FROM pg_catalog.pg_locks l
                    WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.objsubid = 29798 AND l.granted) AS holds_merges
      FROM pg_catalog.pg_stat_activity a
     WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
       AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
    UNION ALL
    SELECT NULL, p.gid, p.prepared, true,
           EXISTS (SELECT FROM pg_catalog.pg_locks l
                    WHERE l.pid IS NULL AND l.virtualtransaction = '-1/' || p.transaction::text AND l.locktype = 'advisory'
                      AND l.objsubid = 29798)
      FROM pg_catalog.pg_prepared_xacts p
     WHERE p.database = pg_catalog.current_database()
     ORDER BY since;
REVOKE ALL ON tempo.open_transactions FROM PUBLIC;
GRANT SELECT ON tempo.open_transactions TO pg_monitor;

-- worker: launcher, query server, merger, maintenance, receiver, query executor. state: running, busy (an executor with a
-- request) or stopped. requests were answered, refused of them with an error; bytes as they came in; spans
-- are committed ones, rejected_spans those refused by partial success. Only the merger has waiting_batches
-- and merge_lag, the time since it last found nothing left to merge; its requests are merges; those of maintenance are partitions
-- dropped, bytes what that gave back, refused what was put off. oldest_transaction, also of the merger only: how long the oldest
-- of tempo.open_transactions has been open; merges go on beside it, but what they took stays on disk, and indexes keep
-- entries for it, until it ends. Only for superusers and pg_monitor.
CREATE VIEW tempo.status AS
    SELECT worker, number, pid, state, listeners, started, requests, refused, bytes, spans, rejected_spans,
           last_commit,
           CASE WHEN worker = 'merger' THEN tempo.waiting_batches() END AS waiting_batches,
           CASE WHEN worker = 'merger' THEN clock_timestamp() - coalesce(caught_up, started) END AS merge_lag,
           CASE WHEN worker = 'merger' THEN (SELECT clock_timestamp() - min(since) FROM tempo.open_transactions) END
               AS oldest_transaction,
           last_error, last_error_at
    FROM tempo.worker_status();
COMMENT ON VIEW tempo.status IS 'background workers of tempo: listeners, counters, last commit and last error';
REVOKE ALL ON tempo.status FROM PUBLIC;
GRANT SELECT ON tempo.status TO pg_monitor;

-- tempo.stop_workers(): disconnects all workers from tempo.database and returns when they are gone, so that
-- the database can be dropped, renamed or used as a template. They stay away until tempo.start_workers() or
-- a restart of the server. Error 55000 when the library is not preloaded.
CREATE FUNCTION tempo.stop_workers() RETURNS void
    AS 'MODULE_PATHNAME', 'tempo_stop_workers' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
REVOKE ALL ON FUNCTION tempo.stop_workers() FROM PUBLIC;

-- tempo.start_workers(): lets them come back; returns at once.
CREATE FUNCTION tempo.start_workers() RETURNS void
    AS 'MODULE_PATHNAME', 'tempo_start_workers' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
REVOKE ALL ON FUNCTION tempo.start_workers() FROM PUBLIC;

-- A warning, because CREATE EXTENSION keeps notices of its script to itself.
DO $$
BEGIN
    IF NOT tempo.preloaded() THEN
        RAISE WARNING 'tables and functions of tempo work, but its receivers and query server are not running'
            USING HINT = 'Add tempo to shared_preload_libraries and restart the server.';
    END IF;
END $$;
