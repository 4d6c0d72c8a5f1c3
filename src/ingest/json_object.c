/*
 * json_object.c
 *	  See json_object.h.
 */
#include "ingest/json_object.h"

#define UNKNOWN UINT32_MAX

static bool
is_name(Str s, const char *z)
{
	return str_eq(s, str_lit(z));
}

static uint32_t
find_field(const JsonTable *table, Str name)
{
	for (uint32_t i = 0; i < table->n && name.len > 0; i++)
		if (str_eq(name, table->fields[i].camel) || str_eq(name, table->fields[i].snake))
			return i;
	return UNKNOWN;
}

bool
jobj_open(Decoder *d, JsonObject *o, JsonCursor *c, const JsonTable *table)
{
	JsonType type = json_peek(c);

	if (type != JSON_OBJECT)
		return decode_fail(d, OTLP_MALFORMED, c->pos, NULL, "expected an object, got %s",
						   json_type_name(type));
	o->c = c;
	o->table = table;
	o->members = o->known = o->seen = 0;
	json_enter(c);
	return true;
}

bool
jobj_next(Decoder *d, JsonObject *o)
{
	while (json_more(o->c))
	{
		Str name;

		json_peek(o->c);
		o->at = o->c->pos;
		name = json_name(o->c, d->arena);
		o->type = json_peek(o->c);
		o->field = find_field(o->table, name);
		o->members++;
		o->known += o->field != UNKNOWN;
		if (o->field == UNKNOWN || o->type == JSON_NULL)
		{
			json_skip(o->c);
			continue;
		}
		o->name = o->table->fields[o->field].camel.p;
		if (o->seen & 1u << o->field)
			return decode_fail(d, OTLP_MALFORMED, o->at, o->name, "given twice");
		o->seen |= 1u << o->field;
		return true;
	}
	return false;
}

/* ---- scalars ---- */

bool
jobj_want(Decoder *d, JsonObject *o, JsonType type)
{
	if (o->type == type)
		return true;
	return decode_fail(d, OTLP_MALFORMED, o->c->pos, o->name, "expected %s, got %s", json_type_name(type),
					   json_type_name(o->type));
}

bool
jobj_string(Decoder *d, JsonObject *o, Str *s)
{
	if (!jobj_want(d, o, JSON_STRING))
		return false;
	*s = json_string(o->c, d->arena);
	return true;
}

bool
jobj_text(Decoder *d, JsonObject *o, Str *s)
{
	return jobj_string(d, o, s) && decode_text(d, s, o->name);
}

static bool
read_integer(Decoder *d, JsonObject *o, bool *negative, uint64_t *magnitude)
{
	const uint8_t *at = o->c->pos;
	Str text;

	if (o->type != JSON_NUMBER && o->type != JSON_STRING)
		return decode_fail(d, OTLP_MALFORMED, at, o->name, "expected an integer, got %s",
						   json_type_name(o->type));
	text = o->type == JSON_STRING ? json_string(o->c, d->arena) : json_word(o->c);
	if (json_integer(text, negative, magnitude))
		return true;
	return decode_fail(d, OTLP_MALFORMED, at, o->name, "not a 64-bit integer");
}

bool
jobj_u64(Decoder *d, JsonObject *o, uint64_t max, uint64_t *v)
{
	const uint8_t *at = o->c->pos;
	bool negative;

	if (!read_integer(d, o, &negative, v))
		return false;
	if (*v > max || (negative && *v != 0))
		return decode_fail(d, OTLP_MALFORMED, at, o->name, "integer out of range");
	return true;
}

bool
jobj_u32(Decoder *d, JsonObject *o, uint32_t *v)
{
	uint64_t u;

	if (!jobj_u64(d, o, UINT32_MAX, &u))
		return false;
	*v = (uint32_t) u;
	return true;
}

bool
jobj_i64(Decoder *d, JsonObject *o, int64_t *v)
{
	const uint8_t *at = o->c->pos;
	uint64_t magnitude;
	bool negative;

	if (!read_integer(d, o, &negative, &magnitude))
		return false;
	if (magnitude > (uint64_t) INT64_MAX + negative)
		return decode_fail(d, OTLP_MALFORMED, at, o->name, "integer out of range");
	*v = (int64_t) (negative ? 0 - magnitude : magnitude);
	return true;
}

bool
jobj_double(Decoder *d, JsonObject *o, double *v)
{
	const uint8_t *at = o->c->pos;
	Str text;

	if (o->type != JSON_NUMBER && o->type != JSON_STRING)
		return decode_fail(d, OTLP_MALFORMED, at, o->name, "expected a number, got %s",
						   json_type_name(o->type));
	text = o->type == JSON_STRING ? json_string(o->c, d->arena) : json_word(o->c);
	if (is_name(text, "NaN"))
		*v = __builtin_nan("");
	else if (is_name(text, "Infinity"))
		*v = __builtin_inf();
	else if (is_name(text, "-Infinity"))
		*v = -__builtin_inf();
	else if (!json_double(text, d->arena, v))
		return decode_fail(d, OTLP_MALFORMED, at, o->name, "not a double");
	return true;
}

bool
jobj_enum(Decoder *d, JsonObject *o, const char *const *names, int n, int32_t *v)
{
	const uint8_t *at = o->c->pos;
	int64_t i;
	Str s;

	if (o->type != JSON_STRING)
	{
		if (!jobj_i64(d, o, &i))
			return false;
		if (i != (int32_t) i)
			return decode_fail(d, OTLP_MALFORMED, at, o->name, "integer out of range");
		*v = (int32_t) i;
		return true;
	}
	s = json_string(o->c, d->arena);
	for (*v = 0; *v < n; (*v)++)
		if (is_name(s, names[*v]))
			return true;
	return decode_fail(d, OTLP_MALFORMED, at, o->name, "unknown name");
}

static bool
decode_base64(Decoder *d, Str s, Str *out)
{
	uint8_t *p = arena_alloc(d->arena, (size_t) s.len + 1);
	uint32_t n;

	if (!text_base64_decode(s, p, &n))
		return false;
	*out = str_of((const char *) p, n);
	return true;
}

static bool
decode_hex(Decoder *d, Str s, Str *out)
{
	uint8_t *p = arena_alloc(d->arena, (size_t) s.len + 1);
	uint32_t n;

	if (!text_hex_decode(s, p, &n))
		return false;
	*out = str_of((const char *) p, n);
	return true;
}

bool
jobj_id(Decoder *d, JsonObject *o, uint32_t len, Str *id)
{
	const uint8_t *at = o->c->pos;
	Str s;

	if (!jobj_string(d, o, &s))
		return false;
	if (s.len != 2 * len && decode_base64(d, s, id) && id->len == len)
		return true;
	if (decode_hex(d, s, id) || decode_base64(d, s, id))
		return true;
	return decode_fail(d, OTLP_MALFORMED, at, o->name, "neither hexadecimal nor base64 of %u bytes", len);
}

bool
jobj_base64(Decoder *d, JsonObject *o, Str *s)
{
	const uint8_t *at = o->c->pos;
	Str text;

	if (!jobj_string(d, o, &text))
		return false;
	if (!decode_base64(d, text, s))
		return decode_fail(d, OTLP_MALFORMED, at, o->name, "not base64");
	return true;
}

bool
jobj_each(Decoder *d, JsonObject *o, JsonElement f, void *arg)
{
	int64_t index = 0;

	if (!jobj_want(d, o, JSON_ARRAY))
		return false;
	json_enter(o->c);
	while (json_more(o->c))
	{
		decode_push(d, o->name, index);
		if (!f(d, o->c, index, arg))
			return false;
		decode_pop(d);
		index++;
	}
	return true;
}
