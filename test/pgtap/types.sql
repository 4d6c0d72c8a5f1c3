-- The shape of the types: where they live, what they cast to, how their functions are declared.
BEGIN;
SELECT plan(53);

SELECT has_schema('tempo');
SELECT has_type('public', t, format('type %s is where the extension was created', t)) FROM unnest('{trace_id,span_id}'::name[]) t;
SELECT has_type('tempo', t, format('type tempo.%s exists', t))
  FROM unnest('{span_kind,status_code,attributes,events,links}'::name[]) t;

SELECT has_cast(s::name, t::name, format('cast from %s to %s', s, t))
  FROM (VALUES ('trace_id', 'text'), ('text', 'trace_id'), ('trace_id', 'bytea'), ('bytea', 'trace_id'),
               ('trace_id', 'uuid'), ('uuid', 'trace_id'),
               ('span_id', 'text'), ('text', 'span_id'), ('span_id', 'bytea'), ('bytea', 'span_id')) c(s, t);
SELECT ok(EXISTS (SELECT FROM pg_cast WHERE castsource = s::regtype AND casttarget = t::regtype),
          format('cast from %s to %s', s, t))
  FROM (VALUES ('tempo.span_kind', 'integer'), ('integer', 'tempo.span_kind'),
               ('tempo.status_code', 'integer'), ('integer', 'tempo.status_code'),
               ('tempo.attributes', 'jsonb'), ('jsonb', 'tempo.attributes'),
               ('tempo.events', 'jsonb'), ('tempo.links', 'jsonb')) c(s, t);
SELECT is((SELECT count(*) FROM pg_cast WHERE castcontext = 'i' AND EXISTS (
              SELECT FROM pg_depend WHERE classid = 'pg_cast'::regclass AND objid = pg_cast.oid AND deptype = 'e')),
          0::bigint, 'no cast is implicit');

SELECT ok(EXISTS (SELECT FROM pg_operator WHERE oprname = o AND oprleft = l::regtype AND oprright = r::regtype
                     AND oprresult = b::regtype), format('operator %s %s %s returns %s', l, o, r, b))
  FROM (VALUES ('->', 'tempo.attributes', 'text', 'jsonb'), ('->>', 'tempo.attributes', 'text', 'text'),
               ('?', 'tempo.attributes', 'text', 'boolean'),
               ('@>', 'tempo.attributes', 'tempo.attributes', 'boolean'),
               ('<@', 'tempo.attributes', 'tempo.attributes', 'boolean'),
               ('=', 'tempo.attributes', 'tempo.attributes', 'boolean'),
               ('<>', 'tempo.attributes', 'tempo.attributes', 'boolean')) o(o, l, r, b);

SELECT is((SELECT count(*) FROM pg_opclass WHERE opcdefault AND opcintype = t::regtype
              AND opcmethod IN (SELECT oid FROM pg_am WHERE amname IN ('btree', 'hash'))),
          2::bigint, format('%s sorts, hashes, and groups', t))
  FROM unnest('{trace_id,span_id,tempo.span_kind,tempo.status_code,tempo.attributes,tempo.events,tempo.links}'::text[]) t;

SELECT function_returns('tempo', f::name, r, format('tempo.%s() returns %s', f, r))
  FROM (VALUES ('each_event', 'setof record'), ('each_link', 'setof record'), ('each', 'setof record'),
               ('keys', 'setof text'), ('length', 'integer'), ('get', 'jsonb'), ('get_text', 'text')) f(f, r);

-- every function over nothing but our values is immutable, strict and parallel safe
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass
      JOIN pg_extension e ON e.oid = d.refobjid AND d.deptype = 'e' AND extname = 'tempo'
     WHERE p.proname ~ '^(trace_id|span_id|span_kind|status_code|attributes|events|links)_?'
       AND NOT (provolatile = 'i' AND proisstrict AND proparallel = 's')$$,
    'functions of the types are immutable, strict, parallel safe');
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass
      JOIN pg_extension e ON e.oid = d.refobjid AND d.deptype = 'e' AND extname = 'tempo'
     WHERE p.pronamespace NOT IN ('tempo'::regnamespace, 'public'::regnamespace)$$,
    'nothing of the extension is in other schemas');

-- how they look inside other types
SELECT is(to_jsonb('ff'::span_id), '"00000000000000ff"'::jsonb, 'a span id is a string in json');
SELECT is(to_jsonb('error'::tempo.status_code), '"error"'::jsonb, 'a status is a word in json');
SELECT is(format('%s', ARRAY['{"a": "b,c"}'::tempo.attributes]), '{"{\"a\": \"b,c\"}"}', 'attributes in an array');

SELECT * FROM finish();
ROLLBACK;
