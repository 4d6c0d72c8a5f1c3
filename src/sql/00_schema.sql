-- tempo: the extension script, concatenated from src/sql/*.sql.
\echo Use "CREATE EXTENSION tempo" to load this file. \quit

-- trace_id, span_id and the functions people type are in the schema of CREATE EXTENSION; the rest is here.
CREATE SCHEMA tempo;
GRANT USAGE ON SCHEMA tempo TO PUBLIC;
