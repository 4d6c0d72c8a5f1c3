-- tempo.attributes: an OTLP list of keys and values, exact. Text is a superset of a JSON object:
--   {"string": "x", "int": 1, "double": 1.0, "bool": true, "empty": null, "array": [1, "x"],
--    "map": {"n": 1}, "bytes": x"00ff"}
-- Ints have neither point nor exponent, doubles one of them; also NaN, NaN(0x<16 hex digits>), Infinity,
-- -Infinity. Order and duplicate keys are kept; \u0000 is allowed in strings; \xhh is a byte that is not
-- UTF-8. At most 64 levels. An int beyond 64 bits is an error (22003).

CREATE TYPE tempo.attributes;

CREATE FUNCTION tempo.attributes_in(cstring) RETURNS tempo.attributes
    AS 'MODULE_PATHNAME', 'tempo_attributes_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.attributes_out(tempo.attributes) RETURNS cstring
    AS 'MODULE_PATHNAME', 'tempo_attributes_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.attributes_recv(internal) RETURNS tempo.attributes
    AS 'MODULE_PATHNAME', 'tempo_attributes_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.attributes_send(tempo.attributes) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tempo_payload_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE TYPE tempo.attributes (
    INPUT = tempo.attributes_in,
    OUTPUT = tempo.attributes_out,
    RECEIVE = tempo.attributes_recv,
    SEND = tempo.attributes_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = int4,
    STORAGE = extended
);
COMMENT ON TYPE tempo.attributes IS 'OpenTelemetry attributes, exact: int and double apart, bytes, NaN, order and duplicate keys kept';

-- Equality and order are those of the stored bytes.
CREATE FUNCTION tempo.attributes_lt(tempo.attributes, tempo.attributes) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.attributes_le(tempo.attributes, tempo.attributes) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.attributes_eq(tempo.attributes, tempo.attributes) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.attributes_ne(tempo.attributes, tempo.attributes) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.attributes_ge(tempo.attributes, tempo.attributes) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.attributes_gt(tempo.attributes, tempo.attributes) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_payload_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.attributes_cmp(tempo.attributes, tempo.attributes) RETURNS integer
    AS 'MODULE_PATHNAME', 'tempo_payload_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.attributes_hash(tempo.attributes) RETURNS integer
    AS 'MODULE_PATHNAME', 'tempo_payload_hash' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.attributes_hash_extended(tempo.attributes, bigint) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tempo_payload_hash_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE OPERATOR @extschema@.< (
    LEFTARG = tempo.attributes, RIGHTARG = tempo.attributes, FUNCTION = tempo.attributes_lt,
    COMMUTATOR = OPERATOR(@extschema@.>), NEGATOR = OPERATOR(@extschema@.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR @extschema@.<= (
    LEFTARG = tempo.attributes, RIGHTARG = tempo.attributes, FUNCTION = tempo.attributes_le,
    COMMUTATOR = OPERATOR(@extschema@.>=), NEGATOR = OPERATOR(@extschema@.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR @extschema@.= (
    LEFTARG = tempo.attributes, RIGHTARG = tempo.attributes, FUNCTION = tempo.attributes_eq,
    COMMUTATOR = OPERATOR(@extschema@.=), NEGATOR = OPERATOR(@extschema@.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR @extschema@.<> (
    LEFTARG = tempo.attributes, RIGHTARG = tempo.attributes, FUNCTION = tempo.attributes_ne,
    COMMUTATOR = OPERATOR(@extschema@.<>), NEGATOR = OPERATOR(@extschema@.=),
    RESTRICT = neqsel, JOIN = neqjoinsel);
CREATE OPERATOR @extschema@.>= (
    LEFTARG = tempo.attributes, RIGHTARG = tempo.attributes, FUNCTION = tempo.attributes_ge,
    COMMUTATOR = OPERATOR(@extschema@.<=), NEGATOR = OPERATOR(@extschema@.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel);
CREATE OPERATOR @extschema@.> (
    LEFTARG = tempo.attributes, RIGHTARG = tempo.attributes, FUNCTION = tempo.attributes_gt,
    COMMUTATOR = OPERATOR(@extschema@.<), NEGATOR = OPERATOR(@extschema@.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel);

CREATE OPERATOR CLASS tempo.attributes_ops DEFAULT FOR TYPE tempo.attributes USING btree AS
    OPERATOR 1 @extschema@.<, OPERATOR 2 @extschema@.<=, OPERATOR 3 @extschema@.=,
    OPERATOR 4 @extschema@.>=, OPERATOR 5 @extschema@.>,
    FUNCTION 1 tempo.attributes_cmp(tempo.attributes, tempo.attributes),
    FUNCTION 4 btequalimage(oid);
CREATE OPERATOR CLASS tempo.attributes_ops DEFAULT FOR TYPE tempo.attributes USING hash AS
    OPERATOR 1 @extschema@.=,
    FUNCTION 1 tempo.attributes_hash(tempo.attributes),
    FUNCTION 2 tempo.attributes_hash_extended(tempo.attributes, bigint);

-- First value of the key as jsonb; NULL when the key is absent, jsonb null when it has no value.
CREATE FUNCTION tempo.get(attributes tempo.attributes, key text) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'tempo_attributes_get' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
-- First value of the key as text: strings bare, other values as in the text form of the type; NULL when
-- absent or empty. NUL appears as \u0000 and a byte that is not UTF-8 as \xhh.
CREATE FUNCTION tempo.get_text(attributes tempo.attributes, key text) RETURNS text
    AS 'MODULE_PATHNAME', 'tempo_attributes_get_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
-- Is the key there, whatever its value?
CREATE FUNCTION tempo.has_key(attributes tempo.attributes, key text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_attributes_exists' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
-- Is every key of b in a with a value that contains b's? As for jsonb, but types agree exactly.
CREATE FUNCTION tempo.contains(a tempo.attributes, b tempo.attributes) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_attributes_contains' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.contained(a tempo.attributes, b tempo.attributes) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tempo_attributes_contained' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE OPERATOR @extschema@.-> (
    LEFTARG = tempo.attributes, RIGHTARG = text, FUNCTION = tempo.get);
CREATE OPERATOR @extschema@.->> (
    LEFTARG = tempo.attributes, RIGHTARG = text, FUNCTION = tempo.get_text);
CREATE OPERATOR @extschema@.? (
    LEFTARG = tempo.attributes, RIGHTARG = text, FUNCTION = tempo.has_key,
    RESTRICT = matchingsel, JOIN = matchingjoinsel);
CREATE OPERATOR @extschema@.@> (
    LEFTARG = tempo.attributes, RIGHTARG = tempo.attributes, FUNCTION = tempo.contains,
    COMMUTATOR = OPERATOR(@extschema@.<@), RESTRICT = matchingsel, JOIN = matchingjoinsel);
CREATE OPERATOR @extschema@.<@ (
    LEFTARG = tempo.attributes, RIGHTARG = tempo.attributes, FUNCTION = tempo.contained,
    COMMUTATOR = OPERATOR(@extschema@.@>), RESTRICT = matchingsel, JOIN = matchingjoinsel);

-- Keys in order, one row for every use of a key.
CREATE FUNCTION tempo.keys(attributes tempo.attributes) RETURNS SETOF text
    AS 'MODULE_PATHNAME', 'tempo_attributes_keys' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 10;
-- Keys and values in order. type is empty, string, bool, int, double, array, kvlist or bytes.
CREATE FUNCTION tempo.each(attributes tempo.attributes, OUT key text, OUT type text, OUT value jsonb)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tempo_attributes_each' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE ROWS 10;
-- Number of keys and values.
CREATE FUNCTION tempo.length(attributes tempo.attributes) RETURNS integer
    AS 'MODULE_PATHNAME', 'tempo_attributes_length' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

-- To jsonb something is lost: bytes become base64 strings, NaN and infinities strings; of duplicate keys
-- the first stays; order goes; NUL and bytes that are not UTF-8 appear as \u0000 and \xhh.
-- From jsonb: numbers without fraction digits that fit are ints, other numbers doubles; objects only.
CREATE FUNCTION tempo.attributes_to_jsonb(tempo.attributes) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'tempo_attributes_to_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION tempo.attributes_from_jsonb(jsonb) RETURNS tempo.attributes
    AS 'MODULE_PATHNAME', 'tempo_attributes_from_jsonb' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
CREATE CAST (tempo.attributes AS jsonb) WITH FUNCTION tempo.attributes_to_jsonb(tempo.attributes);
CREATE CAST (jsonb AS tempo.attributes) WITH FUNCTION tempo.attributes_from_jsonb(jsonb);
