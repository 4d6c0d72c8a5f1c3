-- trace_id: 16 bytes. Reads 1 to 32 hexadecimal digits of any case, fewer are padded with zeros on the
-- left; prints 32 in lower case. Sorted as bytes. Stored as a uuid is, so core's functions serve.
CREATE TYPE @extschema@.trace_id;

CREATE FUNCTION @extschema@.trace_id_in(cstring) RETURNS @extschema@.trace_id
    AS 'MODULE_PATHNAME', 'tempo_trace_id_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION @extschema@.trace_id_out(@extschema@.trace_id) RETURNS cstring
    AS 'MODULE_PATHNAME', 'tempo_trace_id_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION @extschema@.trace_id_recv(internal) RETURNS @extschema@.trace_id
    AS 'uuid_recv' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION @extschema@.trace_id_send(@extschema@.trace_id) RETURNS bytea
    AS 'uuid_send' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE @extschema@.trace_id (
    INPUT = @extschema@.trace_id_in,
    OUTPUT = @extschema@.trace_id_out,
    RECEIVE = @extschema@.trace_id_recv,
    SEND = @extschema@.trace_id_send,
    INTERNALLENGTH = 16,
    ALIGNMENT = char
);
COMMENT ON TYPE @extschema@.trace_id IS 'OpenTelemetry trace id: 16 bytes, printed as 32 hexadecimal digits';

CREATE FUNCTION @extschema@.trace_id_lt(@extschema@.trace_id, @extschema@.trace_id) RETURNS boolean
    AS 'uuid_lt' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION @extschema@.trace_id_le(@extschema@.trace_id, @extschema@.trace_id) RETURNS boolean
    AS 'uuid_le' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION @extschema@.trace_id_eq(@extschema@.trace_id, @extschema@.trace_id) RETURNS boolean
    AS 'uuid_eq' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION @extschema@.trace_id_ne(@extschema@.trace_id, @extschema@.trace_id) RETURNS boolean
    AS 'uuid_ne' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION @extschema@.trace_id_ge(@extschema@.trace_id, @extschema@.trace_id) RETURNS boolean
    AS 'uuid_ge' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION @extschema@.trace_id_gt(@extschema@.trace_id, @extschema@.trace_id) RETURNS boolean
    AS 'uuid_gt' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION @extschema@.trace_id_cmp(@extschema@.trace_id, @extschema@.trace_id) RETURNS integer
    AS 'uuid_cmp' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION @extschema@.trace_id_sortsupport(internal) RETURNS void
    AS 'uuid_sortsupport' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION @extschema@.trace_id_hash(@extschema@.trace_id) RETURNS integer
    AS 'uuid_hash' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION @extschema@.trace_id_hash_extended(@extschema@.trace_id, bigint) RETURNS bigint
    AS 'uuid_hash_extended' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;

CREATE OPERATOR @extschema@.< (
    LEFTARG = @extschema@.trace_id, RIGHTARG = @extschema@.trace_id, FUNCTION = @extschema@.trace_id_lt,
    COMMUTATOR = OPERATOR(@extschema@.>), NEGATOR = OPERATOR(@extschema@.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR @extschema@.<= (
    LEFTARG = @extschema@.trace_id, RIGHTARG = @extschema@.trace_id, FUNCTION = @extschema@.trace_id_le,
    COMMUTATOR = OPERATOR(@extschema@.>=), NEGATOR = OPERATOR(@extschema@.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR @extschema@.= (
    LEFTARG = @extschema@.trace_id, RIGHTARG = @extschema@.trace_id, FUNCTION = @extschema@.trace_id_eq,
    COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR @extschema@.<> (
    LEFTARG = @extschema@.trace_id, RIGHTARG = @extschema@.trace_id, FUNCTION = @extschema@.trace_id_ne,
    COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
    RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR @extschema@.>= (
    LEFTARG = @extschema@.trace_id, RIGHTARG = @extschema@.trace_id, FUNCTION = @extschema@.trace_id_ge,
    COMMUTATOR = OPERATOR(@extschema@.<=), NEGATOR = OPERATOR(@extschema@.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel);
CREATE OPERATOR @extschema@.> (
    LEFTARG = @extschema@.trace_id, RIGHTARG = @extschema@.trace_id, FUNCTION = @extschema@.trace_id_gt,
    COMMUTATOR = OPERATOR(@extschema@.<), NEGATOR = OPERATOR(@extschema@.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel);

CREATE OPERATOR CLASS @extschema@.trace_id_ops DEFAULT FOR TYPE @extschema@.trace_id USING btree AS
    OPERATOR 1 @extschema@.<, OPERATOR 2 @extschema@.<=, OPERATOR 3 @extschema@.=,
    OPERATOR 4 @extschema@.>=, OPERATOR 5 @extschema@.>,
    FUNCTION 1 @extschema@.trace_id_cmp(@extschema@.trace_id, @extschema@.trace_id),
    FUNCTION 2 @extschema@.trace_id_sortsupport(internal),
    FUNCTION 4 btequalimage(oid);
CREATE OPERATOR CLASS @extschema@.trace_id_ops DEFAULT FOR TYPE @extschema@.trace_id USING hash AS
    OPERATOR 1 @extschema@.=,
    FUNCTION 1 @extschema@.trace_id_hash(@extschema@.trace_id),
    FUNCTION 2 @extschema@.trace_id_hash_extended(@extschema@.trace_id, bigint);

-- bytea must be exactly 16 bytes.
CREATE FUNCTION @extschema@.trace_id(bytea) RETURNS @extschema@.trace_id
    AS 'MODULE_PATHNAME', 'tempo_trace_id_from_bytea' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE CAST (bytea AS @extschema@.trace_id) WITH FUNCTION @extschema@.trace_id(bytea);
CREATE CAST (@extschema@.trace_id AS bytea) WITH FUNCTION @extschema@.trace_id_send(@extschema@.trace_id);
CREATE CAST (@extschema@.trace_id AS uuid) WITHOUT FUNCTION;
CREATE CAST (uuid AS @extschema@.trace_id) WITHOUT FUNCTION;
CREATE CAST (@extschema@.trace_id AS text) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS @extschema@.trace_id) WITH INOUT AS ASSIGNMENT;

-- span_id: 8 bytes. Reads 1 to 16 hexadecimal digits, prints 16. Stored as the big-endian number.
CREATE TYPE @extschema@.span_id;

CREATE FUNCTION @extschema@.span_id_in(cstring) RETURNS @extschema@.span_id
    AS 'MODULE_PATHNAME', 'tempo_span_id_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION @extschema@.span_id_out(@extschema@.span_id) RETURNS cstring
    AS 'MODULE_PATHNAME', 'tempo_span_id_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION @extschema@.span_id_recv(internal) RETURNS @extschema@.span_id
    AS 'int8recv' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION @extschema@.span_id_send(@extschema@.span_id) RETURNS bytea
    AS 'int8send' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE @extschema@.span_id (
    INPUT = @extschema@.span_id_in,
    OUTPUT = @extschema@.span_id_out,
    RECEIVE = @extschema@.span_id_recv,
    SEND = @extschema@.span_id_send,
    INTERNALLENGTH = 8,
    PASSEDBYVALUE,
    ALIGNMENT = double
);
COMMENT ON TYPE @extschema@.span_id IS 'OpenTelemetry span id: 8 bytes, printed as 16 hexadecimal digits';

CREATE FUNCTION @extschema@.span_id_lt(@extschema@.span_id, @extschema@.span_id) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_span_id_lt' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION @extschema@.span_id_le(@extschema@.span_id, @extschema@.span_id) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_span_id_le' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION @extschema@.span_id_eq(@extschema@.span_id, @extschema@.span_id) RETURNS boolean
    AS 'int8eq' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION @extschema@.span_id_ne(@extschema@.span_id, @extschema@.span_id) RETURNS boolean
    AS 'int8ne' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION @extschema@.span_id_ge(@extschema@.span_id, @extschema@.span_id) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_span_id_ge' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION @extschema@.span_id_gt(@extschema@.span_id, @extschema@.span_id) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_span_id_gt' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION @extschema@.span_id_cmp(@extschema@.span_id, @extschema@.span_id) RETURNS integer
    AS 'MODULE_PATHNAME', 'tempo_span_id_cmp' LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION @extschema@.span_id_sortsupport(internal) RETURNS void
    AS 'MODULE_PATHNAME', 'tempo_span_id_sortsupport' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION @extschema@.span_id_hash(@extschema@.span_id) RETURNS integer
    AS 'hashint8' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION @extschema@.span_id_hash_extended(@extschema@.span_id, bigint) RETURNS bigint
    AS 'hashint8extended' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;

CREATE OPERATOR @extschema@.< (
    LEFTARG = @extschema@.span_id, RIGHTARG = @extschema@.span_id, FUNCTION = @extschema@.span_id_lt,
    COMMUTATOR = OPERATOR(@extschema@.>), NEGATOR = OPERATOR(@extschema@.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR @extschema@.<= (
    LEFTARG = @extschema@.span_id, RIGHTARG = @extschema@.span_id, FUNCTION = @extschema@.span_id_le,
    COMMUTATOR = OPERATOR(@extschema@.>=), NEGATOR = OPERATOR(@extschema@.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR @extschema@.= (
    LEFTARG = @extschema@.span_id, RIGHTARG = @extschema@.span_id, FUNCTION = @extschema@.span_id_eq,
    COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR @extschema@.<> (
    LEFTARG = @extschema@.span_id, RIGHTARG = @extschema@.span_id, FUNCTION = @extschema@.span_id_ne,
    COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
    RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR @extschema@.>= (
    LEFTARG = @extschema@.span_id, RIGHTARG = @extschema@.span_id, FUNCTION = @extschema@.span_id_ge,
    COMMUTATOR = OPERATOR(@extschema@.<=), NEGATOR = OPERATOR(@extschema@.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel);
CREATE OPERATOR @extschema@.> (
    LEFTARG = @extschema@.span_id, RIGHTARG = @extschema@.span_id, FUNCTION = @extschema@.span_id_gt,
    COMMUTATOR = OPERATOR(@extschema@.<), NEGATOR = OPERATOR(@extschema@.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel);

CREATE OPERATOR CLASS @extschema@.span_id_ops DEFAULT FOR TYPE @extschema@.span_id USING btree AS
    OPERATOR 1 @extschema@.<, OPERATOR 2 @extschema@.<=, OPERATOR 3 @extschema@.=,
    OPERATOR 4 @extschema@.>=, OPERATOR 5 @extschema@.>,
    FUNCTION 1 @extschema@.span_id_cmp(@extschema@.span_id, @extschema@.span_id),
    FUNCTION 2 @extschema@.span_id_sortsupport(internal),
    FUNCTION 4 btequalimage(oid);
CREATE OPERATOR CLASS @extschema@.span_id_ops DEFAULT FOR TYPE @extschema@.span_id USING hash AS
    OPERATOR 1 @extschema@.=,
    FUNCTION 1 @extschema@.span_id_hash(@extschema@.span_id),
    FUNCTION 2 @extschema@.span_id_hash_extended(@extschema@.span_id, bigint);

-- bytea must be exactly 8 bytes. bigint is the same 64 bits, read as a signed number.
CREATE FUNCTION @extschema@.span_id(bytea) RETURNS @extschema@.span_id
    AS 'MODULE_PATHNAME', 'tempo_span_id_from_bytea' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE CAST (bytea AS @extschema@.span_id) WITH FUNCTION @extschema@.span_id(bytea);
CREATE CAST (@extschema@.span_id AS bytea) WITH FUNCTION @extschema@.span_id_send(@extschema@.span_id);
CREATE CAST (@extschema@.span_id AS bigint) WITHOUT FUNCTION;
CREATE CAST (bigint AS @extschema@.span_id) WITHOUT FUNCTION;
CREATE CAST (@extschema@.span_id AS text) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS @extschema@.span_id) WITH INOUT AS ASSIGNMENT;
