/*
 * set.c
 *	  Distinct values by type, interned as their bytes.
 *
 * A bounded set grows to twice its bounds, is then sorted and cut, and from then on takes nothing greater
 * than the greatest value kept.
 */
#include "traceql/tags/set.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "span/intern.h"
#include "traceql/lang/ast.h"

/* How far beyond twice its bounds a set may grow before it is cut. */
#define SLACK_VALUES 1024
#define SLACK_BYTES  65536

typedef struct Table
{
	Interner index;
	Str *entries; /* bytes of the values */
	uint32_t n;
	uint32_t cap;
} Table;

struct TagSet
{
	Arena *parent;
	Arena *arena; /* what the set holds; made anew when it is cut */
	uint64_t seed;
	Table tables[TAG_NTYPES];
	uint64_t n;
	uint64_t bytes;
	uint32_t max_values;
	uint64_t max_bytes;
	uint64_t cut_values; /* to be cut beyond these */
	uint64_t cut_bytes;
	bool full; /* values have been cut off; what is greater than ceiling is not taken */
	TagType ceiling_type;
	Str ceiling;
};

TagSet *
tag_set_create(Arena *arena, uint32_t max_values, uint64_t max_bytes)
{
	TagSet *set = arena_alloc0(arena, sizeof(TagSet));

	set->parent = arena;
	set->arena = arena_create_like(arena, 0);
	set->seed = intern_seed();
	set->max_values = max_values;
	set->max_bytes = max_bytes;
	set->cut_values = max_values ? 2 * (uint64_t) max_values + SLACK_VALUES : UINT64_MAX;
	set->cut_bytes = max_bytes ? 2 * max_bytes + SLACK_BYTES : UINT64_MAX;
	return set;
}

/* ---- order ---- */

static int64_t
as_int(Str s)
{
	int64_t i;

	memcpy(&i, s.p, sizeof(i));
	return i;
}

static double
as_float(Str s)
{
	double d;

	memcpy(&d, s.p, sizeof(d));
	return d;
}

static int
compare_strings(const void *a, const void *b)
{
	return str_cmp(*(const Str *) a, *(const Str *) b);
}

static int
compare_ints(const void *a, const void *b)
{
	int64_t x = as_int(*(const Str *) a);
	int64_t y = as_int(*(const Str *) b);

	return (x > y) - (x < y);
}

/* NaN behind all numbers; what compares equal by its bits, so that the order is total. */
static int
compare_floats(const void *a, const void *b)
{
	double x = as_float(*(const Str *) a);
	double y = as_float(*(const Str *) b);
	bool xnan = x != x;
	bool ynan = y != y;

	if (xnan != ynan)
		return xnan ? 1 : -1;
	if (!xnan && x != y)
		return x < y ? -1 : 1;
	return compare_ints(a, b);
}

typedef int (*Comparison)(const void *a, const void *b);

static Comparison
comparison(TagType type)
{
	switch (type)
	{
		case TAG_INT:
		case TAG_DURATION: return compare_ints;
		case TAG_FLOAT: return compare_floats;
		default: return compare_strings;
	}
}

/* Is it greater than what a full set takes? */
static bool
refused(const TagSet *set, TagType type, Str bytes)
{
	if (!set->full || set->n == 0)
		return set->full;
	if (type != set->ceiling_type)
		return type > set->ceiling_type;
	return comparison(type)(&bytes, &set->ceiling) > 0;
}

/* ---- adding ---- */

static void
insert(TagSet *set, TagType type, Str bytes)
{
	Table *t = &set->tables[type];
	uint32_t hash = intern_hash(bytes, set->seed);

	if (intern_lookup(&t->index, set->arena, bytes, hash, t->entries, t->n) != INTERN_NONE)
		return;
	if (t->n == t->cap)
	{
		uint32_t cap = t->cap ? t->cap * 2 : 64;

		t->entries = arena_grow(set->arena, t->entries, t->cap * sizeof(Str), (size_t) cap * sizeof(Str));
		t->cap = cap;
	}
	t->entries[t->n++] = str_of(arena_dup(set->arena, bytes.p, bytes.len), bytes.len);
	set->n++;
	set->bytes += bytes.len;
}

/* Move the first n of the sorted values to memory of their own. */
static void
keep_first(TagSet *set, uint64_t n)
{
	TagSet old = *set;

	set->arena = arena_create_like(set->parent, 0);
	memset(set->tables, 0, sizeof(set->tables));
	set->n = 0;
	set->bytes = 0;
	for (TagType type = 0; type < TAG_NTYPES; type++)
		for (uint32_t i = 0; i < old.tables[type].n && set->n < n; i++)
		{
			insert(set, type, old.tables[type].entries[i]);
			set->ceiling_type = type;
			set->ceiling = set->tables[type].entries[set->tables[type].n - 1];
		}
	set->full = n < old.n;
	arena_destroy(old.arena);
}

/* How many of the sorted values fit the bounds. */
static uint64_t
fitting(TagSet *set)
{
	uint64_t limit = set->max_values && set->n > set->max_values ? set->max_values : set->n;
	uint64_t bytes = 0;
	Buf text;

	if (!set->max_bytes)
		return limit;
	buf_init(&text, set->arena, 64);
	for (uint64_t i = 0; i < limit; i++)
	{
		TagValue v = tag_set_value(set, i);

		text.len = 0;
		if (v.type != TAG_STRING && v.type != TAG_KEYWORD)
			tag_value_print(&v, &text);
		bytes += v.type == TAG_STRING || v.type == TAG_KEYWORD ? v.s.len : text.len;
		if (bytes > set->max_bytes)
			return i;
	}
	return limit;
}

void
tag_set_sort(TagSet *set)
{
	for (TagType type = 0; type < TAG_NTYPES; type++)
		if (set->tables[type].n)
			qsort(set->tables[type].entries, set->tables[type].n, sizeof(Str), comparison(type));
	/* always moved: codes of the index would name other values now */
	keep_first(set, fitting(set));
}

static void
cut(TagSet *set)
{
	bool full = set->full;

	/* What was cut off once stays cut off; nothing comes back above the ceiling. */
	tag_set_sort(set);
	set->full |= full;
	/* Numbers take other space as text: when nothing went, look again later. */
	if (set->cut_bytes < 2 * set->bytes)
		set->cut_bytes = 2 * set->bytes;
}

static void
add_bytes(TagSet *set, TagType type, Str bytes)
{
	if (refused(set, type, bytes))
		return;
	insert(set, type, bytes);
	if (set->n > set->cut_values || set->bytes > set->cut_bytes)
		cut(set);
}

static Str
bytes_of(const TagValue *v)
{
	switch (v->type)
	{
		case TAG_INT:
		case TAG_DURATION: return str_of((const char *) &v->i, sizeof(v->i));
		case TAG_FLOAT: return str_of((const char *) &v->d, sizeof(v->d));
		case TAG_BOOL: return str_of((const char *) &v->b, sizeof(v->b));
		default: return v->s;
	}
}

void
tag_set_add(TagSet *set, const TagValue *v)
{
	add_bytes(set, v->type, bytes_of(v));
}

void
tag_set_add_string(TagSet *set, Str s)
{
	add_bytes(set, TAG_STRING, s);
}

/* ---- reading ---- */

bool
tag_set_has(const TagSet *set, const TagValue *v)
{
	const Table *t = &set->tables[v->type];
	Str bytes = bytes_of(v);
	uint32_t hash = intern_hash(bytes, set->seed);

	if (refused(set, v->type, bytes))
		return true;
	for (uint32_t i = hash & t->index.mask; t->n && t->index.slots[i]; i = (i + 1) & t->index.mask)
	{
		uint64_t slot = t->index.slots[i];

		if ((uint32_t) (slot >> 32) == hash && intern_eq(t->entries[(uint32_t) slot - 1], bytes))
			return true;
	}
	return false;
}

uint64_t
tag_set_count(const TagSet *set)
{
	return set->n;
}

TagValue
tag_set_value(const TagSet *set, uint64_t i)
{
	TagValue v = {.type = 0};
	Str bytes;

	while (i >= set->tables[v.type].n)
		i -= set->tables[v.type++].n;
	bytes = set->tables[v.type].entries[i];
	switch (v.type)
	{
		case TAG_INT:
		case TAG_DURATION: v.i = as_int(bytes); break;
		case TAG_FLOAT: v.d = as_float(bytes); break;
		case TAG_BOOL: v.b = bytes.p[0] != 0; break;
		default: v.s = bytes; break;
	}
	return v;
}

const char *
tag_type_name(TagType type)
{
	static const char *const names[TAG_NTYPES] = {"string", "int", "float", "bool", "duration", "keyword"};

	return names[type];
}

void
tag_value_print(const TagValue *v, Buf *out)
{
	char text[32];

	switch (v->type)
	{
		case TAG_INT: buf_put(out, text, (size_t) snprintf(text, sizeof(text), "%" PRId64, v->i)); break;
		case TAG_FLOAT: traceql_print_float(v->d, out); break;
		case TAG_DURATION: traceql_print_duration(v->i, out); break;
		case TAG_BOOL: buf_put(out, v->b ? "true" : "false", v->b ? 4 : 5); break;
		default: buf_put(out, v->s.p, v->s.len); break;
	}
}
