-- Access method tempo: CREATE TABLE ... USING tempo. Columns for any types; rows are written once. What it
-- does not do is refused when the statement starts (0A000): doc/limits.md.
DO $$
BEGIN
    IF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE feature_not_supported USING
            MESSAGE = format('tempo needs a database with encoding UTF8, this one has %s',
                             current_setting('server_encoding')),
            HINT = 'CREATE DATABASE ... ENCODING ''UTF8'' TEMPLATE template0';
    END IF;
END
$$;

CREATE FUNCTION tempo.tableam_handler(internal) RETURNS table_am_handler
    AS 'MODULE_PATHNAME', 'tempo_tableam_handler' LANGUAGE C STRICT;
CREATE ACCESS METHOD tempo TYPE TABLE HANDLER tempo.tableam_handler;
COMMENT ON ACCESS METHOD tempo IS 'columnar tables of spans, and of anything else';
