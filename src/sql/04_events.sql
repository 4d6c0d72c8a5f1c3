-- tempo.events and tempo.links: what happened within a span, and what it points to, in order and exact.
-- Text is an array of objects; "attributes" are written as tempo.attributes, times are unix nanoseconds:
--   [{"time": 1700000000000000001, "name": "retry", "dropped": 0, "attributes": {"n": 2}}]
--   [{"trace_id": "hex", "span_id": "hex", "trace_state": "", "flags": 0, "dropped": 0, "attributes": {}}]
-- Input takes fields in any order; what is missing is 0 or empty; an unknown or repeated field is an error.

CREATE TYPE tempo.events;

CREATE FUNCTION tempo.events_in(cstring) RETURNS tempo.events
    AS 'MODULE_PATHNAME', 'tempo_events_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.events_out(tempo.events) RETURNS cstring
    AS 'MODULE_PATHNAME', 'tempo_events_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.events_recv(internal) RETURNS tempo.events
    AS 'MODULE_PATHNAME', 'tempo_events_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.events_send(tempo.events) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tempo_payload_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE tempo.events (
    INPUT = tempo.events_in,
    OUTPUT = tempo.events_out,
    RECEIVE = tempo.events_recv,
    SEND = tempo.events_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = int4,
    STORAGE = extended
);
COMMENT ON TYPE tempo.events IS 'OpenTelemetry span events, exact';

-- Equality and order are those of the stored bytes.
CREATE FUNCTION tempo.events_lt(tempo.events, tempo.events) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.events_le(tempo.events, tempo.events) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.events_eq(tempo.events, tempo.events) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.events_ne(tempo.events, tempo.events) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.events_ge(tempo.events, tempo.events) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.events_gt(tempo.events, tempo.events) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.events_cmp(tempo.events, tempo.events) RETURNS integer
    AS 'MODULE_PATHNAME', 'tempo_payload_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.events_hash(tempo.events) RETURNS integer
    AS 'MODULE_PATHNAME', 'tempo_payload_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.events_hash_extended(tempo.events, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tempo_payload_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE OPERATOR @extschema@.< (
    LEFTARG = tempo.events, RIGHTARG = tempo.events, FUNCTION = tempo.events_lt,
    COMMUTATOR = OPERATOR(@extschema@.>), NEGATOR = OPERATOR(@extschema@.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR @extschema@.<= (
    LEFTARG = tempo.events, RIGHTARG = tempo.events, FUNCTION = tempo.events_le,
    COMMUTATOR = OPERATOR(@extschema@.>=), NEGATOR = OPERATOR(@extschema@.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR @extschema@.= (
    LEFTARG = tempo.events, RIGHTARG = tempo.events, FUNCTION = tempo.events_eq,
    COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR @extschema@.<> (
    LEFTARG = tempo.events, RIGHTARG = tempo.events, FUNCTION = tempo.events_ne,
    COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
    RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR @extschema@.>= (
    LEFTARG = tempo.events, RIGHTARG = tempo.events, FUNCTION = tempo.events_ge,
    COMMUTATOR = OPERATOR(@extschema@.<=), NEGATOR = OPERATOR(@extschema@.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel);
CREATE OPERATOR @extschema@.> (
    LEFTARG = tempo.events, RIGHTARG = tempo.events, FUNCTION = tempo.events_gt,
    COMMUTATOR = OPERATOR(@extschema@.<), NEGATOR = OPERATOR(@extschema@.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel);

CREATE OPERATOR CLASS tempo.events_ops DEFAULT FOR TYPE tempo.events USING btree AS
    OPERATOR 1 @extschema@.<, OPERATOR 2 @extschema@.<=, OPERATOR 3 @extschema@.=,
    OPERATOR 4 @extschema@.>=, OPERATOR 5 @extschema@.>,
    FUNCTION 1 tempo.events_cmp(tempo.events, tempo.events),
    FUNCTION 4 btequalimage(oid);
CREATE OPERATOR CLASS tempo.events_ops DEFAULT FOR TYPE tempo.events USING hash AS
    OPERATOR 1 @extschema@.=,
    FUNCTION 1 tempo.events_hash(tempo.events),
    FUNCTION 2 tempo.events_hash_extended(tempo.events, bigint);

-- Number of events.
CREATE FUNCTION tempo.length(events tempo.events) RETURNS integer
    AS 'MODULE_PATHNAME', 'tempo_records_length' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
-- One row an event, in order. time_ns: the nanoseconds below the microsecond of time, 0 to 999.
CREATE FUNCTION tempo.each_event(events tempo.events, OUT "time" timestamptz, OUT time_ns smallint,
                                 OUT name text, OUT attributes tempo.attributes, OUT dropped bigint)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tempo_each_event' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 5;
-- Loses what the cast of tempo.attributes loses.
CREATE FUNCTION tempo.events_to_jsonb(tempo.events) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'tempo_events_to_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE CAST (tempo.events AS jsonb) WITH FUNCTION tempo.events_to_jsonb(tempo.events);

CREATE TYPE tempo.links;

CREATE FUNCTION tempo.links_in(cstring) RETURNS tempo.links
    AS 'MODULE_PATHNAME', 'tempo_links_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.links_out(tempo.links) RETURNS cstring
    AS 'MODULE_PATHNAME', 'tempo_links_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.links_recv(internal) RETURNS tempo.links
    AS 'MODULE_PATHNAME', 'tempo_links_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.links_send(tempo.links) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tempo_payload_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE tempo.links (
    INPUT = tempo.links_in,
    OUTPUT = tempo.links_out,
    RECEIVE = tempo.links_recv,
    SEND = tempo.links_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = int4,
    STORAGE = extended
);
COMMENT ON TYPE tempo.links IS 'OpenTelemetry span links, exact';

-- Equality and order are those of the stored bytes.
CREATE FUNCTION tempo.links_lt(tempo.links, tempo.links) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.links_le(tempo.links, tempo.links) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.links_eq(tempo.links, tempo.links) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.links_ne(tempo.links, tempo.links) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.links_ge(tempo.links, tempo.links) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.links_gt(tempo.links, tempo.links) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.links_cmp(tempo.links, tempo.links) RETURNS integer
    AS 'MODULE_PATHNAME', 'tempo_payload_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.links_hash(tempo.links) RETURNS integer
    AS 'MODULE_PATHNAME', 'tempo_payload_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.links_hash_extended(tempo.links, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tempo_payload_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE OPERATOR @extschema@.< (
    LEFTARG = tempo.links, RIGHTARG = tempo.links, FUNCTION = tempo.links_lt,
    COMMUTATOR = OPERATOR(@extschema@.>), NEGATOR = OPERATOR(@extschema@.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR @extschema@.<= (
    LEFTARG = tempo.links, RIGHTARG = tempo.links, FUNCTION = tempo.links_le,
    COMMUTATOR = OPERATOR(@extschema@.>=), NEGATOR = OPERATOR(@extschema@.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR @extschema@.= (
    LEFTARG = tempo.links, RIGHTARG = tempo.links, FUNCTION = tempo.links_eq,
    COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR @extschema@.<> (
    LEFTARG = tempo.links, RIGHTARG = tempo.links, FUNCTION = tempo.links_ne,
    COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
    RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR @extschema@.>= (
    LEFTARG = tempo.links, RIGHTARG = tempo.links, FUNCTION = tempo.links_ge,
    COMMUTATOR = OPERATOR(@extschema@.<=), NEGATOR = OPERATOR(@extschema@.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel);
CREATE OPERATOR @extschema@.> (
    LEFTARG = tempo.links, RIGHTARG = tempo.links, FUNCTION = tempo.links_gt,
    COMMUTATOR = OPERATOR(@extschema@.<), NEGATOR = OPERATOR(@extschema@.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel);

CREATE OPERATOR CLASS tempo.links_ops DEFAULT FOR TYPE tempo.links USING btree AS
    OPERATOR 1 @extschema@.<, OPERATOR 2 @extschema@.<=, OPERATOR 3 @extschema@.=,
    OPERATOR 4 @extschema@.>=, OPERATOR 5 @extschema@.>,
    FUNCTION 1 tempo.links_cmp(tempo.links, tempo.links),
    FUNCTION 4 btequalimage(oid);
CREATE OPERATOR CLASS tempo.links_ops DEFAULT FOR TYPE tempo.links USING hash AS
    OPERATOR 1 @extschema@.=,
    FUNCTION 1 tempo.links_hash(tempo.links),
    FUNCTION 2 tempo.links_hash_extended(tempo.links, bigint);

-- Number of links.
CREATE FUNCTION tempo.length(links tempo.links) RETURNS integer
    AS 'MODULE_PATHNAME', 'tempo_records_length' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
-- One row a link, in order. An id that was not sent with 16 or 8 bytes is NULL.
CREATE FUNCTION tempo.each_link(links tempo.links, OUT trace_id @extschema@.trace_id,
                                OUT span_id @extschema@.span_id, OUT trace_state text,
                                OUT attributes tempo.attributes, OUT flags bigint, OUT dropped bigint)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tempo_each_link' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 5;
-- Loses what the cast of tempo.attributes loses.
CREATE FUNCTION tempo.links_to_jsonb(tempo.links) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'tempo_links_to_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE CAST (tempo.links AS jsonb) WITH FUNCTION tempo.links_to_jsonb(tempo.links);
