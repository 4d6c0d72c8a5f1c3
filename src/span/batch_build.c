/*
 * batch_build.c
 *	  Building a batch of spans row by row.
 *
 * Nothing is allocated per span: columns double, strings are interned. Neighbouring spans are alike, so
 * everything is guessed before it is hashed: a string is compared with the column's last one, the next
 * attribute's column is the one that followed the previous attribute last time, a row's shape is the last
 * row's. Guesses are always confirmed, so a rollback may leave them pointing anywhere.
 */
#include "span/column_build.h"

#define NONE         UINT32_MAX
#define FIRST_ROWS   64
#define FIRST_VALUES 8

/* One attribute column being built. */
typedef struct AttrBuild
{
	ColumnBuild values;
	uint32_t key; /* index into LevelAttrs.keys */
	uint8_t type;
	uint16_t occurrence;
	uint32_t base;    /* column of occurrence 0 */
	uint32_t next;    /* column of the next occurrence, a guess */
	uint32_t follows; /* column that came after this one last time, a guess */
	uint32_t current; /* in the base: the occurrence used last in row `serial` */
	uint64_t serial;
} AttrBuild;

typedef uint32_t KeyColumns[VALUE_NTYPES];

/* The attributes of one level. */
typedef struct LevelAttrs
{
	AttrBuild **columns; /* allocated one by one: pointers to them stay valid */
	uint32_t ncolumns;
	uint32_t cap_columns;
	Str *keys;
	KeyColumns *key_columns; /* column of occurrence 0 by type, a guess */
	uint32_t nkeys;
	uint32_t cap_keys;
	Interner key_index;
	AttrShape *shapes;
	uint32_t nshapes;
	uint32_t cap_shapes;
	Interner shape_index;
	Str *shape_bytes; /* the columns of each shape as bytes, for interning */
	uint32_t *shape;  /* code per row */
	uint32_t nrows;
	uint32_t cap_rows;
	uint32_t *row; /* columns of the row being built */
	uint32_t nrow;
	uint32_t cap_row;
	uint32_t last;  /* column added last in this row, NONE at its start */
	uint32_t first; /* column the last row began with */
	uint32_t last_shape;
	uint64_t serial; /* number of the row being built, never reused */
} LevelAttrs;

#define NATTR_LEVELS 3

/* How much there was of everything. */
typedef struct ColumnMark
{
	uint32_t n;
	uint32_t ndict;
} ColumnMark;

typedef struct LevelMark
{
	uint32_t ncolumns;
	uint32_t nkeys;
	uint32_t nshapes;
	uint32_t nrows;
	ColumnMark *columns;
	uint32_t cap_columns;
} LevelMark;

struct BuilderMark
{
	uint32_t nrows;
	ColumnMark *columns;
	int64_t *fallback;
	ColumnMark event[EC_COUNT];
	ColumnMark link[LC_COUNT];
	LevelMark attrs[NATTR_LEVELS];
};

struct BatchBuilder
{
	Arena *arena;
	bool copy;
	uint64_t seed;
	uint32_t ncolumns;
	uint32_t cap_rows;
	ColumnBuild *columns;
	int64_t *fallback; /* per column: value or code of a row that sets none; -1: code not known yet */
	uint8_t *set;      /* per column: set in the row being built */
	ColumnBuild event[EC_COUNT];
	ColumnBuild link[LC_COUNT];
	uint32_t cap_events;
	uint32_t cap_links;
	uint32_t nrows;
	uint32_t *event_first;
	uint32_t *link_first;
	LevelAttrs attrs[NATTR_LEVELS];
	BuilderMark mark;
};

static const uint8_t span_kinds[SC_COUNT] = {
	[SC_TENANT] = COL_BYTES,
	[SC_TRACE_ID] = COL_FIXED,
	[SC_SPAN_ID] = COL_I64,
	[SC_PARENT_ID] = COL_I64,
	[SC_START] = COL_I64,
	[SC_DURATION] = COL_I64,
	[SC_NAME] = COL_BYTES,
	[SC_KIND] = COL_I64,
	[SC_STATUS] = COL_I64,
	[SC_STATUS_MESSAGE] = COL_BYTES,
	[SC_SERVICE] = COL_BYTES,
	[SC_RESOURCE] = COL_BYTES,
	[SC_RESOURCE_DROPPED] = COL_I64,
	[SC_RESOURCE_SCHEMA_URL] = COL_BYTES,
	[SC_SCOPE] = COL_BYTES,
	[SC_SCOPE_NAME] = COL_BYTES,
	[SC_SCOPE_VERSION] = COL_BYTES,
	[SC_SCOPE_DROPPED] = COL_I64,
	[SC_SCOPE_SCHEMA_URL] = COL_BYTES,
	[SC_TRACE_STATE] = COL_BYTES,
	[SC_FLAGS] = COL_I64,
	[SC_DROPPED_ATTRIBUTES] = COL_I64,
	[SC_DROPPED_EVENTS] = COL_I64,
	[SC_DROPPED_LINKS] = COL_I64,
};

static const uint8_t event_kinds[EC_COUNT] = {
	[EC_TIME] = COL_I64,
	[EC_NAME] = COL_BYTES,
	[EC_DROPPED] = COL_I64,
};

static const uint8_t link_kinds[LC_COUNT] = {
	[LC_TRACE_ID] = COL_BYTES, [LC_SPAN_ID] = COL_BYTES, [LC_TRACE_STATE] = COL_BYTES,
	[LC_FLAGS] = COL_I64,      [LC_DROPPED] = COL_I64,
};

/* ---- making ---- */

static void
init_span_columns(BatchBuilder *bb, uint32_t extra, const Column *extra_kinds)
{
	bb->ncolumns = SC_COUNT + extra;
	bb->columns = arena_alloc(bb->arena, sizeof(ColumnBuild) * bb->ncolumns);
	bb->fallback = arena_alloc0(bb->arena, sizeof(int64_t) * bb->ncolumns);
	bb->set = arena_alloc0(bb->arena, bb->ncolumns);
	for (uint32_t i = 0; i < bb->ncolumns; i++)
	{
		if (i < SC_COUNT)
			column_build_init(&bb->columns[i], span_kinds[i], i == SC_TRACE_ID ? 16 : 0);
		else
			column_build_init(&bb->columns[i], extra_kinds[i - SC_COUNT].kind,
							  extra_kinds[i - SC_COUNT].width);
		if (bb->columns[i].c.kind == COL_BYTES)
			bb->fallback[i] = -1;
	}
}

BatchBuilder *
builder_create(Arena *arena, bool copy, uint32_t extra_columns, const Column *extra_kinds)
{
	BatchBuilder *bb = arena_alloc0(arena, sizeof(BatchBuilder));

	bb->arena = arena;
	bb->copy = copy;
	bb->seed = intern_seed();
	init_span_columns(bb, extra_columns, extra_kinds);
	for (int i = 0; i < EC_COUNT; i++)
		column_build_init(&bb->event[i], event_kinds[i], 0);
	for (int i = 0; i < LC_COUNT; i++)
		column_build_init(&bb->link[i], link_kinds[i], 0);
	for (int i = 0; i < NATTR_LEVELS; i++)
	{
		bb->attrs[i].last = bb->attrs[i].first = NONE;
		bb->attrs[i].last_shape = NONE;
	}
	return bb;
}

Arena *
builder_arena(BatchBuilder *bb)
{
	return bb->arena;
}

bool
builder_copies(const BatchBuilder *bb)
{
	return bb->copy;
}

uint32_t
builder_nrows(const BatchBuilder *bb)
{
	return bb->nrows;
}

static uint32_t
next_cap(uint32_t cap, uint32_t first)
{
	return cap ? cap * 2 : first;
}

/* Doubles *array, of n elements of width bytes, when n has reached *cap. */
static void *
make_room(Arena *arena, void *array, uint32_t n, uint32_t *cap, uint32_t first, size_t width)
{
	uint32_t more;

	if (n < *cap)
		return array;
	more = next_cap(*cap, first);
	array = arena_grow(arena, array, *cap * width, more * width);
	*cap = more;
	return array;
}

/* ---- attributes ---- */

static uint32_t
add_key(BatchBuilder *bb, LevelAttrs *la, Str key)
{
	uint32_t kid =
		intern_lookup(&la->key_index, bb->arena, key, intern_hash(key, bb->seed), la->keys, la->nkeys);
	uint32_t cap = la->cap_keys;

	if (kid != INTERN_NONE)
		return kid;
	la->key_columns =
		make_room(bb->arena, la->key_columns, la->nkeys, &cap, FIRST_VALUES, sizeof(KeyColumns));
	la->keys = make_room(bb->arena, la->keys, la->nkeys, &la->cap_keys, FIRST_VALUES, sizeof(Str));
	if (bb->copy && key.len)
		key.p = arena_dup(bb->arena, key.p, key.len);
	kid = la->nkeys++;
	la->keys[kid] = key;
	memset(la->key_columns[kid], 0xff, sizeof(KeyColumns));
	return kid;
}

static ColKind
kind_of_type(ValueType type)
{
	switch (type)
	{
		case VALUE_EMPTY: return COL_VOID;
		case VALUE_BOOL:
		case VALUE_INT:
		case VALUE_DOUBLE: return COL_I64;
		default: return COL_BYTES;
	}
}

static uint32_t
add_column(BatchBuilder *bb, LevelAttrs *la, uint32_t key, ValueType type, uint32_t occurrence)
{
	AttrBuild *a;

	if (la->ncolumns >= BUILDER_MAX_ATTR_COLUMNS || occurrence > UINT16_MAX)
		return NONE;
	la->columns =
		make_room(bb->arena, la->columns, la->ncolumns, &la->cap_columns, FIRST_VALUES, sizeof(AttrBuild *));
	a = arena_alloc0(bb->arena, sizeof(AttrBuild));
	column_build_init(&a->values, kind_of_type(type), 0);
	a->key = key;
	a->type = (uint8_t) type;
	a->occurrence = (uint16_t) occurrence;
	a->base = a->next = a->follows = NONE;
	la->columns[la->ncolumns] = a;
	return la->ncolumns++;
}

static bool
is_column(const LevelAttrs *la, uint32_t col, uint32_t key, ValueType type, uint32_t occurrence)
{
	return col < la->ncolumns && la->columns[col]->key == key && la->columns[col]->type == type &&
		   la->columns[col]->occurrence == occurrence;
}

/* Column of occurrence 0 of (key, type). */
static uint32_t
base_column(BatchBuilder *bb, LevelAttrs *la, Str key, ValueType type)
{
	uint32_t kid = add_key(bb, la, key);
	uint32_t col = la->key_columns[kid][type];

	if (is_column(la, col, kid, type, 0))
		return col;
	col = add_column(bb, la, kid, type, 0);
	if (col != NONE)
	{
		la->columns[col]->base = col;
		la->key_columns[kid][type] = col;
	}
	return col;
}

/* Column of the occurrence after the one used last in this row. */
static uint32_t
next_occurrence(BatchBuilder *bb, LevelAttrs *la, AttrBuild *base)
{
	AttrBuild *a = la->columns[base->current];
	uint32_t col = a->next;

	if (is_column(la, col, a->key, a->type, a->occurrence + 1u))
		return col;
	col = add_column(bb, la, a->key, a->type, a->occurrence + 1u);
	if (col != NONE)
	{
		la->columns[col]->base = base->base;
		a->next = col;
	}
	return col;
}

static uint32_t
guess_column(const LevelAttrs *la)
{
	return la->last == NONE ? la->first : la->columns[la->last]->follows;
}

/* The column for the row's next attribute, entered in the row; NONE when there are too many columns. */
static uint32_t
choose_column(BatchBuilder *bb, LevelAttrs *la, Str key, ValueType type)
{
	uint32_t col = guess_column(la);
	AttrBuild *base;

	if (!(col < la->ncolumns && la->columns[col]->type == type && la->columns[col]->occurrence == 0 &&
		  intern_eq(key, la->keys[la->columns[col]->key])))
		col = base_column(bb, la, key, type);
	if (col == NONE)
		return NONE;
	base = la->columns[col];
	if (base->serial == la->serial)
		col = next_occurrence(bb, la, base);
	if (col == NONE)
		return NONE;
	base->serial = la->serial;
	base->current = col;
	if (la->last == NONE)
		la->first = col;
	else
		la->columns[la->last]->follows = col;
	la->last = col;
	return col;
}

static void
append_value(BatchBuilder *bb, ColumnBuild *cb, const Value *v)
{
	uint32_t n = cb->c.n;

	if (n == cb->cap)
		column_build_reserve(cb, bb->arena, next_cap(cb->cap, FIRST_VALUES));
	switch (v->type)
	{
		case VALUE_EMPTY: break;
		case VALUE_BOOL: cb->c.i64[n] = v->b; break;
		case VALUE_INT:
		case VALUE_DOUBLE: cb->c.i64[n] = v->i; break;
		case VALUE_STRING:
		case VALUE_BYTES: cb->c.codes[n] = column_build_code(cb, bb->arena, v->s, bb->copy, bb->seed); break;
		case VALUE_ARRAY:
		case VALUE_KVLIST: cb->c.codes[n] = column_build_code(cb, bb->arena, v->s, true, bb->seed); break;
	}
	cb->c.n = n + 1;
}

bool
builder_attr(BatchBuilder *bb, Level level, Str key, const Value *v)
{
	LevelAttrs *la = &bb->attrs[level];
	uint32_t col = choose_column(bb, la, key, v->type);

	if (col == NONE)
		return false;
	append_value(bb, &la->columns[col]->values, v);
	la->row = make_room(bb->arena, la->row, la->nrow, &la->cap_row, FIRST_VALUES, sizeof(uint32_t));
	la->row[la->nrow++] = col;
	return true;
}

bool
builder_attributes(BatchBuilder *bb, Level level, Str attributes)
{
	ValueIter it;
	KeyValue kv;

	if (!value_iter_begin(&it, attributes))
		return false;
	while (value_iter_next_kv(&it, &kv))
		if (!builder_attr(bb, level, kv.key, &kv.value))
			return false;
	return it.left == 0;
}

static void
begin_row(LevelAttrs *la)
{
	la->nrow = 0;
	la->last = NONE;
	la->serial++;
}

static uint32_t
add_shape(BatchBuilder *bb, LevelAttrs *la, Str bytes)
{
	uint32_t code = intern_lookup(&la->shape_index, bb->arena, bytes, intern_hash(bytes, bb->seed),
								  la->shape_bytes, la->nshapes);
	uint32_t cap = la->cap_shapes;

	if (code != INTERN_NONE)
		return code;
	la->shape_bytes = make_room(bb->arena, la->shape_bytes, la->nshapes, &cap, FIRST_VALUES, sizeof(Str));
	la->shapes =
		make_room(bb->arena, la->shapes, la->nshapes, &la->cap_shapes, FIRST_VALUES, sizeof(AttrShape));
	bytes.p = arena_dup(bb->arena, bytes.p, bytes.len);
	code = la->nshapes++;
	la->shape_bytes[code] = bytes;
	la->shapes[code].n = la->nrow;
	la->shapes[code].columns = (uint32_t *) bytes.p;
	return code;
}

static void
end_row(BatchBuilder *bb, LevelAttrs *la)
{
	Str bytes = str_of((const char *) la->row, sizeof(uint32_t) * (size_t) la->nrow);

	if (la->last_shape >= la->nshapes || !str_eq(bytes, la->shape_bytes[la->last_shape]))
		la->last_shape = add_shape(bb, la, bytes);
	la->shape = make_room(bb->arena, la->shape, la->nrows, &la->cap_rows, FIRST_ROWS, sizeof(uint32_t));
	la->shape[la->nrows++] = la->last_shape;
}

/* ---- spans ---- */

static void
reserve_rows(BatchBuilder *bb)
{
	uint32_t old = bb->cap_rows ? bb->cap_rows + 1 : 0;
	uint32_t cap = next_cap(bb->cap_rows, FIRST_ROWS);

	for (uint32_t i = 0; i < bb->ncolumns; i++)
		column_build_reserve(&bb->columns[i], bb->arena, cap);
	bb->event_first = arena_grow(bb->arena, bb->event_first, sizeof(uint32_t) * (size_t) old,
								 sizeof(uint32_t) * ((size_t) cap + 1));
	bb->link_first = arena_grow(bb->arena, bb->link_first, sizeof(uint32_t) * (size_t) old,
								sizeof(uint32_t) * ((size_t) cap + 1));
	bb->cap_rows = cap;
}

void
builder_begin_span(BatchBuilder *bb)
{
	if (bb->nrows == bb->cap_rows)
		reserve_rows(bb);
	memset(bb->set, 0, bb->ncolumns);
	bb->event_first[bb->nrows] = bb->event[0].c.n;
	bb->link_first[bb->nrows] = bb->link[0].c.n;
	begin_row(&bb->attrs[LEVEL_SPAN]);
}

void
builder_set_i64(BatchBuilder *bb, uint32_t col, int64_t v)
{
	bb->columns[col].c.i64[bb->nrows] = v;
	bb->set[col] = 1;
}

void
builder_set_bytes(BatchBuilder *bb, uint32_t col, Str v)
{
	ColumnBuild *cb = &bb->columns[col];

	cb->c.n = bb->nrows;
	cb->c.codes[bb->nrows] = column_build_code(cb, bb->arena, v, bb->copy, bb->seed);
	bb->set[col] = 1;
}

void
builder_set_fixed(BatchBuilder *bb, uint32_t col, const uint8_t *v)
{
	ColumnBuild *cb = &bb->columns[col];

	memcpy(cb->c.fixed + (size_t) cb->c.width * bb->nrows, v, cb->c.width);
	bb->set[col] = 1;
}

void
builder_set_trace_id(BatchBuilder *bb, const uint8_t id[16])
{
	memcpy(bb->columns[SC_TRACE_ID].c.fixed + 16 * (size_t) bb->nrows, id, 16);
	bb->set[SC_TRACE_ID] = 1;
}

/* Code of the empty string, or of the empty list. */
static uint32_t
empty_code(BatchBuilder *bb, uint32_t col)
{
	static const char zeros[16];
	Str empty = str_of(zeros, col == SC_RESOURCE || col == SC_SCOPE ? 1 : 0);

	return column_build_code(&bb->columns[col], bb->arena, empty, false, bb->seed);
}

static void
set_empty(BatchBuilder *bb, uint32_t col)
{
	Column *c = &bb->columns[col].c;

	switch (c->kind)
	{
		case COL_VOID: break;
		case COL_I64: c->i64[bb->nrows] = 0; break;
		case COL_FIXED: memset(c->fixed + (size_t) c->width * bb->nrows, 0, c->width); break;
		case COL_BYTES: c->codes[bb->nrows] = empty_code(bb, col); break;
	}
}

/* The value of a row that says nothing. */
static void
set_fallback(BatchBuilder *bb, uint32_t col)
{
	Column *c = &bb->columns[col].c;

	if (c->kind == COL_I64)
		c->i64[bb->nrows] = bb->fallback[col];
	else if (c->kind == COL_BYTES)
	{
		if (bb->fallback[col] < 0)
			bb->fallback[col] = empty_code(bb, col);
		c->codes[bb->nrows] = (uint32_t) bb->fallback[col];
	}
	else
		set_empty(bb, col);
}

void
builder_set_null(BatchBuilder *bb, uint32_t col)
{
	ColumnBuild *cb = &bb->columns[col];

	if (cb->c.nulls == NULL)
		cb->c.nulls = arena_alloc0(bb->arena, cb->cap);
	cb->c.nulls[bb->nrows] = 1;
	set_empty(bb, col);
	bb->set[col] = 1;
}

static void
set_run_bytes(BatchBuilder *bb, uint32_t col, Str v, bool copy)
{
	ColumnBuild *cb = &bb->columns[col];

	cb->c.n = bb->nrows;
	bb->fallback[col] = column_build_code(cb, bb->arena, v, copy, bb->seed);
}

void
builder_set_resource(BatchBuilder *bb, Str attributes, Str service, uint32_t dropped, Str schema_url)
{
	set_run_bytes(bb, SC_RESOURCE, attributes, true);
	set_run_bytes(bb, SC_SERVICE, service, bb->copy);
	set_run_bytes(bb, SC_RESOURCE_SCHEMA_URL, schema_url, bb->copy);
	bb->fallback[SC_RESOURCE_DROPPED] = dropped;
}

void
builder_set_scope(BatchBuilder *bb, Str attributes, Str name, Str version, uint32_t dropped, Str schema_url)
{
	set_run_bytes(bb, SC_SCOPE, attributes, true);
	set_run_bytes(bb, SC_SCOPE_NAME, name, bb->copy);
	set_run_bytes(bb, SC_SCOPE_VERSION, version, bb->copy);
	set_run_bytes(bb, SC_SCOPE_SCHEMA_URL, schema_url, bb->copy);
	bb->fallback[SC_SCOPE_DROPPED] = dropped;
}

void
builder_set_tenant(BatchBuilder *bb, Str tenant)
{
	set_run_bytes(bb, SC_TENANT, tenant, true);
}

void
builder_end_span(BatchBuilder *bb)
{
	for (uint32_t i = 0; i < SC_COUNT; i++)
		if (!bb->set[i])
			set_fallback(bb, i);
	for (uint32_t i = SC_COUNT; i < bb->ncolumns; i++)
		if (!bb->set[i])
			builder_set_null(bb, i);
	end_row(bb, &bb->attrs[LEVEL_SPAN]);
	bb->nrows++;
}

/* ---- events and links ---- */

static void
reserve_values(BatchBuilder *bb, ColumnBuild *columns, int ncolumns, uint32_t *cap)
{
	if (columns[0].c.n < *cap)
		return;
	*cap = next_cap(*cap, FIRST_ROWS);
	for (int i = 0; i < ncolumns; i++)
		column_build_reserve(&columns[i], bb->arena, *cap);
}

static void
put_i64(ColumnBuild *cb, int64_t v)
{
	cb->c.i64[cb->c.n++] = v;
}

static void
put_bytes(BatchBuilder *bb, ColumnBuild *cb, Str v)
{
	cb->c.codes[cb->c.n] = column_build_code(cb, bb->arena, v, bb->copy, bb->seed);
	cb->c.n++;
}

void
builder_begin_event(BatchBuilder *bb, int64_t offset_ns, Str name, uint32_t dropped)
{
	reserve_values(bb, bb->event, EC_COUNT, &bb->cap_events);
	put_i64(&bb->event[EC_TIME], offset_ns);
	put_bytes(bb, &bb->event[EC_NAME], name);
	put_i64(&bb->event[EC_DROPPED], dropped);
	begin_row(&bb->attrs[LEVEL_EVENT]);
}

void
builder_end_event(BatchBuilder *bb)
{
	end_row(bb, &bb->attrs[LEVEL_EVENT]);
}

void
builder_shift_events(BatchBuilder *bb, int64_t delta_ns)
{
	Column *c = &bb->event[EC_TIME].c;

	for (uint32_t i = bb->event_first[bb->nrows]; i < c->n; i++)
		c->i64[i] = (int64_t) ((uint64_t) c->i64[i] + (uint64_t) delta_ns);
}

void
builder_begin_link(BatchBuilder *bb, Str trace_id, Str span_id, Str trace_state, uint32_t flags,
				   uint32_t dropped)
{
	reserve_values(bb, bb->link, LC_COUNT, &bb->cap_links);
	put_bytes(bb, &bb->link[LC_TRACE_ID], trace_id);
	put_bytes(bb, &bb->link[LC_SPAN_ID], span_id);
	put_bytes(bb, &bb->link[LC_TRACE_STATE], trace_state);
	put_i64(&bb->link[LC_FLAGS], flags);
	put_i64(&bb->link[LC_DROPPED], dropped);
	begin_row(&bb->attrs[LEVEL_LINK]);
}

void
builder_end_link(BatchBuilder *bb)
{
	end_row(bb, &bb->attrs[LEVEL_LINK]);
}

/* ---- undoing ---- */

static ColumnMark
mark_column(const ColumnBuild *cb)
{
	ColumnMark m = {cb->c.n, cb->c.ndict};

	return m;
}

static void
mark_level(Arena *arena, const LevelAttrs *la, LevelMark *m)
{
	m->ncolumns = la->ncolumns;
	m->nkeys = la->nkeys;
	m->nshapes = la->nshapes;
	m->nrows = la->nrows;
	if (la->ncolumns > m->cap_columns)
	{
		m->cap_columns = la->ncolumns * 2;
		m->columns = arena_alloc(arena, sizeof(ColumnMark) * (size_t) m->cap_columns);
	}
	for (uint32_t i = 0; i < la->ncolumns; i++)
		m->columns[i] = mark_column(&la->columns[i]->values);
}

BuilderMark *
builder_mark(BatchBuilder *bb)
{
	BuilderMark *m = &bb->mark;

	m->nrows = bb->nrows;
	if (m->columns == NULL)
	{
		m->columns = arena_alloc(bb->arena, sizeof(ColumnMark) * bb->ncolumns);
		m->fallback = arena_alloc(bb->arena, sizeof(int64_t) * bb->ncolumns);
	}
	for (uint32_t i = 0; i < bb->ncolumns; i++)
		m->columns[i] = mark_column(&bb->columns[i]);
	memcpy(m->fallback, bb->fallback, sizeof(int64_t) * bb->ncolumns);
	for (int i = 0; i < EC_COUNT; i++)
		m->event[i] = mark_column(&bb->event[i]);
	for (int i = 0; i < LC_COUNT; i++)
		m->link[i] = mark_column(&bb->link[i]);
	for (int i = 0; i < NATTR_LEVELS; i++)
		mark_level(bb->arena, &bb->attrs[i], &m->attrs[i]);
	return m;
}

static void
cut_column(ColumnBuild *cb, ColumnMark m)
{
	column_build_cut(cb, m.n, m.ndict);
}

static void
cut_level(LevelAttrs *la, const LevelMark *m)
{
	la->ncolumns = m->ncolumns;
	la->nkeys = m->nkeys;
	la->nshapes = m->nshapes;
	la->nrows = m->nrows;
	for (uint32_t i = 0; i < la->ncolumns; i++)
		cut_column(&la->columns[i]->values, m->columns[i]);
	begin_row(la);
}

void
builder_rollback(BatchBuilder *bb, const BuilderMark *m)
{
	bb->nrows = m->nrows;
	for (uint32_t i = 0; i < bb->ncolumns; i++)
	{
		ColumnMark cut = {m->nrows, m->columns[i].ndict};

		cut_column(&bb->columns[i], cut);
	}
	memcpy(bb->fallback, m->fallback, sizeof(int64_t) * bb->ncolumns);
	for (int i = 0; i < EC_COUNT; i++)
		cut_column(&bb->event[i], m->event[i]);
	for (int i = 0; i < LC_COUNT; i++)
		cut_column(&bb->link[i], m->link[i]);
	for (int i = 0; i < NATTR_LEVELS; i++)
		cut_level(&bb->attrs[i], &m->attrs[i]);
}

/* ---- finishing ---- */

static AttrSet *
finish_attrs(BatchBuilder *bb, LevelAttrs *la)
{
	AttrSet *set = arena_alloc0(bb->arena, sizeof(AttrSet));

	set->ncolumns = la->ncolumns;
	set->columns = arena_alloc0(bb->arena, sizeof(AttrColumn) * ((size_t) la->ncolumns + 1));
	for (uint32_t i = 0; i < la->ncolumns; i++)
	{
		set->columns[i].key = la->keys[la->columns[i]->key];
		set->columns[i].type = la->columns[i]->type;
		set->columns[i].occurrence = la->columns[i]->occurrence;
		set->columns[i].values = la->columns[i]->values.c;
	}
	set->nshapes = la->nshapes;
	set->shapes = la->shapes;
	set->shape = la->shape ? la->shape : arena_alloc(bb->arena, sizeof(uint32_t));
	set->nrows = la->nrows;
	return set;
}

static void
finish_level(BatchBuilder *bb, RowSet *rs, ColumnBuild *columns, uint32_t ncolumns, uint32_t nrows)
{
	rs->nrows = nrows;
	rs->ncolumns = ncolumns;
	rs->columns = arena_alloc(bb->arena, sizeof(Column) * ncolumns);
	for (uint32_t i = 0; i < ncolumns; i++)
	{
		rs->columns[i] = columns[i].c;
		rs->columns[i].n = nrows;
	}
}

Batch *
builder_finish(BatchBuilder *bb)
{
	Batch *b = arena_alloc0(bb->arena, sizeof(Batch));

	if (bb->cap_rows == 0)
		reserve_rows(bb);
	b->arena = bb->arena;
	b->spans = true;
	finish_level(bb, &b->level[LEVEL_SPAN], bb->columns, bb->ncolumns, bb->nrows);
	finish_level(bb, &b->level[LEVEL_EVENT], bb->event, EC_COUNT, bb->event[0].c.n);
	finish_level(bb, &b->level[LEVEL_LINK], bb->link, LC_COUNT, bb->link[0].c.n);
	for (int i = 0; i < NATTR_LEVELS; i++)
		b->level[i].attrs = finish_attrs(bb, &bb->attrs[i]);
	bb->event_first[bb->nrows] = bb->event[0].c.n;
	bb->link_first[bb->nrows] = bb->link[0].c.n;
	b->event_first = bb->event_first;
	b->link_first = bb->link_first;
	return b;
}
