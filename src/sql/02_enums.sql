-- tempo.span_kind and tempo.status_code: OTLP's numbers, printed as words. Input takes the word, OTLP's
-- name for it, or a number; numbers that OTLP has no word for are kept. Sorted by number.
--
-- Operators are where CREATE EXTENSION put them, so that they are found without schema tempo in the path.

CREATE TYPE tempo.span_kind;

CREATE FUNCTION tempo.span_kind_in(cstring) RETURNS tempo.span_kind
    AS 'MODULE_PATHNAME', 'tempo_span_kind_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.span_kind_out(tempo.span_kind) RETURNS cstring
    AS 'MODULE_PATHNAME', 'tempo_span_kind_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.span_kind_recv(internal) RETURNS tempo.span_kind
    AS 'int4recv' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.span_kind_send(tempo.span_kind) RETURNS bytea
    AS 'int4send' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE tempo.span_kind (
    INPUT = tempo.span_kind_in,
    OUTPUT = tempo.span_kind_out,
    RECEIVE = tempo.span_kind_recv,
    SEND = tempo.span_kind_send,
    LIKE = integer
);
COMMENT ON TYPE tempo.span_kind IS 'OpenTelemetry span kind: unspecified, internal, server, client, producer, consumer, or a number';

CREATE FUNCTION tempo.span_kind_lt(tempo.span_kind, tempo.span_kind) RETURNS boolean
    AS 'int4lt' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION tempo.span_kind_le(tempo.span_kind, tempo.span_kind) RETURNS boolean
    AS 'int4le' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION tempo.span_kind_eq(tempo.span_kind, tempo.span_kind) RETURNS boolean
    AS 'int4eq' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION tempo.span_kind_ne(tempo.span_kind, tempo.span_kind) RETURNS boolean
    AS 'int4ne' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION tempo.span_kind_ge(tempo.span_kind, tempo.span_kind) RETURNS boolean
    AS 'int4ge' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION tempo.span_kind_gt(tempo.span_kind, tempo.span_kind) RETURNS boolean
    AS 'int4gt' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION tempo.span_kind_cmp(tempo.span_kind, tempo.span_kind) RETURNS integer
    AS 'btint4cmp' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION tempo.span_kind_sortsupport(internal) RETURNS void
    AS 'btint4sortsupport' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.span_kind_hash(tempo.span_kind) RETURNS integer
    AS 'hashint4' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION tempo.span_kind_hash_extended(tempo.span_kind, bigint) RETURNS bigint
    AS 'hashint4extended' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;

CREATE OPERATOR @extschema@.< (
    LEFTARG = tempo.span_kind, RIGHTARG = tempo.span_kind, FUNCTION = tempo.span_kind_lt,
    COMMUTATOR = OPERATOR(@extschema@.>), NEGATOR = OPERATOR(@extschema@.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR @extschema@.<= (
    LEFTARG = tempo.span_kind, RIGHTARG = tempo.span_kind, FUNCTION = tempo.span_kind_le,
    COMMUTATOR = OPERATOR(@extschema@.>=), NEGATOR = OPERATOR(@extschema@.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR @extschema@.= (
    LEFTARG = tempo.span_kind, RIGHTARG = tempo.span_kind, FUNCTION = tempo.span_kind_eq,
    COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR @extschema@.<> (
    LEFTARG = tempo.span_kind, RIGHTARG = tempo.span_kind, FUNCTION = tempo.span_kind_ne,
    COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
    RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR @extschema@.>= (
    LEFTARG = tempo.span_kind, RIGHTARG = tempo.span_kind, FUNCTION = tempo.span_kind_ge,
    COMMUTATOR = OPERATOR(@extschema@.<=), NEGATOR = OPERATOR(@extschema@.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel);
CREATE OPERATOR @extschema@.> (
    LEFTARG = tempo.span_kind, RIGHTARG = tempo.span_kind, FUNCTION = tempo.span_kind_gt,
    COMMUTATOR = OPERATOR(@extschema@.<), NEGATOR = OPERATOR(@extschema@.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel);

CREATE OPERATOR CLASS tempo.span_kind_ops DEFAULT FOR TYPE tempo.span_kind USING btree AS
    OPERATOR 1 @extschema@.<, OPERATOR 2 @extschema@.<=, OPERATOR 3 @extschema@.=,
    OPERATOR 4 @extschema@.>=, OPERATOR 5 @extschema@.>,
    FUNCTION 1 tempo.span_kind_cmp(tempo.span_kind, tempo.span_kind),
    FUNCTION 2 tempo.span_kind_sortsupport(internal),
    FUNCTION 4 btequalimage(oid);
CREATE OPERATOR CLASS tempo.span_kind_ops DEFAULT FOR TYPE tempo.span_kind USING hash AS
    OPERATOR 1 @extschema@.=,
    FUNCTION 1 tempo.span_kind_hash(tempo.span_kind),
    FUNCTION 2 tempo.span_kind_hash_extended(tempo.span_kind, bigint);

CREATE CAST (tempo.span_kind AS integer) WITHOUT FUNCTION;
CREATE CAST (integer AS tempo.span_kind) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (tempo.span_kind AS text) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS tempo.span_kind) WITH INOUT AS ASSIGNMENT;

CREATE TYPE tempo.status_code;

CREATE FUNCTION tempo.status_code_in(cstring) RETURNS tempo.status_code
    AS 'MODULE_PATHNAME', 'tempo_status_code_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.status_code_out(tempo.status_code) RETURNS cstring
    AS 'MODULE_PATHNAME', 'tempo_status_code_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.status_code_recv(internal) RETURNS tempo.status_code
    AS 'int4recv' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.status_code_send(tempo.status_code) RETURNS bytea
    AS 'int4send' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE tempo.status_code (
    INPUT = tempo.status_code_in,
    OUTPUT = tempo.status_code_out,
    RECEIVE = tempo.status_code_recv,
    SEND = tempo.status_code_send,
    LIKE = integer
);
COMMENT ON TYPE tempo.status_code IS 'OpenTelemetry span status: unset, ok, error, or a number';

CREATE FUNCTION tempo.status_code_lt(tempo.status_code, tempo.status_code) RETURNS boolean
    AS 'int4lt' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION tempo.status_code_le(tempo.status_code, tempo.status_code) RETURNS boolean
    AS 'int4le' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION tempo.status_code_eq(tempo.status_code, tempo.status_code) RETURNS boolean
    AS 'int4eq' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION tempo.status_code_ne(tempo.status_code, tempo.status_code) RETURNS boolean
    AS 'int4ne' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION tempo.status_code_ge(tempo.status_code, tempo.status_code) RETURNS boolean
    AS 'int4ge' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION tempo.status_code_gt(tempo.status_code, tempo.status_code) RETURNS boolean
    AS 'int4gt' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION tempo.status_code_cmp(tempo.status_code, tempo.status_code) RETURNS integer
    AS 'btint4cmp' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION tempo.status_code_sortsupport(internal) RETURNS void
    AS 'btint4sortsupport' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.status_code_hash(tempo.status_code) RETURNS integer
    AS 'hashint4' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
CREATE FUNCTION tempo.status_code_hash_extended(tempo.status_code, bigint) RETURNS bigint
    AS 'hashint4extended' LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;

CREATE OPERATOR @extschema@.< (
    LEFTARG = tempo.status_code, RIGHTARG = tempo.status_code, FUNCTION = tempo.status_code_lt,
    COMMUTATOR = OPERATOR(@extschema@.>), NEGATOR = OPERATOR(@extschema@.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR @extschema@.<= (
    LEFTARG = tempo.status_code, RIGHTARG = tempo.status_code, FUNCTION = tempo.status_code_le,
    COMMUTATOR = OPERATOR(@extschema@.>=), NEGATOR = OPERATOR(@extschema@.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR @extschema@.= (
    LEFTARG = tempo.status_code, RIGHTARG = tempo.status_code, FUNCTION = tempo.status_code_eq,
    COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR @extschema@.<> (
    LEFTARG = tempo.status_code, RIGHTARG = tempo.status_code, FUNCTION = tempo.status_code_ne,
    COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
    RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR @extschema@.>= (
    LEFTARG = tempo.status_code, RIGHTARG = tempo.status_code, FUNCTION = tempo.status_code_ge,
    COMMUTATOR = OPERATOR(@extschema@.<=), NEGATOR = OPERATOR(@extschema@.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel);
CREATE OPERATOR @extschema@.> (
    LEFTARG = tempo.status_code, RIGHTARG = tempo.status_code, FUNCTION = tempo.status_code_gt,
    COMMUTATOR = OPERATOR(@extschema@.<), NEGATOR = OPERATOR(@extschema@.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel);

CREATE OPERATOR CLASS tempo.status_code_ops DEFAULT FOR TYPE tempo.status_code USING btree AS
    OPERATOR 1 @extschema@.<, OPERATOR 2 @extschema@.<=, OPERATOR 3 @extschema@.=,
    OPERATOR 4 @extschema@.>=, OPERATOR 5 @extschema@.>,
    FUNCTION 1 tempo.status_code_cmp(tempo.status_code, tempo.status_code),
    FUNCTION 2 tempo.status_code_sortsupport(internal),
    FUNCTION 4 btequalimage(oid);
CREATE OPERATOR CLASS tempo.status_code_ops DEFAULT FOR TYPE tempo.status_code USING hash AS
    OPERATOR 1 @extschema@.=,
    FUNCTION 1 tempo.status_code_hash(tempo.status_code),
    FUNCTION 2 tempo.status_code_hash_extended(tempo.status_code, bigint);

CREATE CAST (tempo.status_code AS integer) WITHOUT FUNCTION;
CREATE CAST (integer AS tempo.status_code) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (tempo.status_code AS text) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS tempo.status_code) WITH INOUT AS ASSIGNMENT;
