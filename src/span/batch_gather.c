/*
 * batch_gather.c
 *	  A new batch of chosen rows of other batches.
 *
 * Column by column. Dictionary entries, shapes and attribute columns are mapped through per-input tables
 * that are filled when an entry is first met, so hashing is per distinct entry and what no chosen row uses
 * is left behind. Attribute values are found without searching: one pass over the rows of an input tells
 * the position of every value, and a counting sort brings the values of a column together.
 *
 * Relies on every attribute column having one value for each row whose shape names it; a lazy batch's
 * load has to see to that.
 */
#include "span/column_build.h"

#define NONE UINT32_MAX

typedef struct Gather
{
	Arena *arena;   /* of the result */
	Arena *scratch; /* for the whole call */
	Arena *brief;   /* emptied after every column */
	Batch **inputs;
	uint32_t ninputs;
	bool *used; /* inputs that any row is from */
	Level level;
	const RowRef *rows; /* of this level */
	uint32_t nrows;
	uint64_t seed;
} Gather;

/* ---- columns ---- */

/* Where the values of a column come from: value i is value at[i].row of column cols[at[i].batch]. */
typedef struct Picks
{
	Column **cols; /* NULL where no pick goes */
	uint32_t ncols;
	const RowRef *at;
	uint32_t n;
} Picks;

static void
pick_i64(const Picks *p, Column *out)
{
	for (uint32_t i = 0; i < p->n; i++)
		out->i64[i] = p->cols[p->at[i].batch]->i64[p->at[i].row];
}

static void
pick_fixed(const Picks *p, Column *out)
{
	size_t w = out->width;

	for (uint32_t i = 0; i < p->n; i++)
		memcpy(out->fixed + i * w, p->cols[p->at[i].batch]->fixed + p->at[i].row * w, w);
}

static uint32_t *
code_map(const Gather *g, uint32_t n)
{
	uint32_t *map = arena_alloc(g->brief, sizeof(uint32_t) * ((size_t) n + 1));

	memset(map, 0xff, sizeof(uint32_t) * (size_t) n);
	return map;
}

static void
pick_bytes(const Gather *g, const Picks *p, ColumnBuild *cb)
{
	uint32_t **maps = arena_alloc0(g->brief, sizeof(uint32_t *) * ((size_t) p->ncols + 1));

	for (uint32_t i = 0; i < p->n; i++)
	{
		uint32_t b = p->at[i].batch;
		const Column *in = p->cols[b];
		uint32_t code = in->codes[p->at[i].row];

		if (maps[b] == NULL)
			maps[b] = code_map(g, in->ndict);
		if (maps[b][code] == NONE)
		{
			cb->c.n = i;
			maps[b][code] = column_build_code(cb, g->arena, in->dict[code], false, g->seed);
		}
		cb->c.codes[i] = maps[b][code];
	}
}

static void
pick_nulls(const Gather *g, const Picks *p, Column *out)
{
	bool any = false;

	for (uint32_t i = 0; i < p->ncols; i++)
		any |= p->cols[i] != NULL && p->cols[i]->nulls != NULL;
	if (!any)
		return;
	out->nulls = arena_alloc(g->arena, (size_t) p->n + 1);
	for (uint32_t i = 0; i < p->n; i++)
	{
		const uint8_t *nulls = p->cols[p->at[i].batch]->nulls;

		out->nulls[i] = nulls != NULL && nulls[p->at[i].row];
	}
}

static Column
pick_column(const Gather *g, const Picks *p, ColKind kind, uint16_t width)
{
	ColumnBuild cb;

	column_build_init(&cb, kind, width);
	column_build_reserve(&cb, g->arena, p->n);
	switch (kind)
	{
		case COL_VOID: break;
		case COL_I64: pick_i64(p, &cb.c); break;
		case COL_FIXED: pick_fixed(p, &cb.c); break;
		case COL_BYTES: pick_bytes(g, p, &cb); break;
	}
	pick_nulls(g, p, &cb.c);
	cb.c.n = p->n;
	arena_reset(g->brief);
	return cb.c;
}

static void
gather_columns(const Gather *g, RowSet *out)
{
	const RowSet *like = &g->inputs[0]->level[g->level];
	Picks p = {.ncols = g->ninputs, .at = g->rows, .n = g->nrows};

	p.cols = arena_alloc(g->scratch, sizeof(Column *) * g->ninputs);
	out->nrows = g->nrows;
	out->ncolumns = like->ncolumns;
	out->columns = arena_alloc(g->arena, sizeof(Column) * ((size_t) like->ncolumns + 1));
	for (uint32_t c = 0; c < like->ncolumns; c++)
	{
		for (uint32_t i = 0; i < g->ninputs; i++)
			p.cols[i] = g->used[i] ? batch_column(g->inputs[i], g->level, c) : NULL;
		out->columns[c] = pick_column(g, &p, like->columns[c].kind, like->columns[c].width);
	}
}

/* ---- attributes ---- */

/* An attribute column of the result, and the input columns that feed it. */
typedef struct OutAttr
{
	const AttrColumn *like;
	uint32_t n;
	uint32_t start; /* of its values in AttrGather.picks */
	uint32_t nsources;
	uint32_t cap_sources;
	uint64_t *sources; /* input << 32 | column */
} OutAttr;

/* What is known of one input. */
typedef struct InAttrs
{
	const AttrSet *set;
	const uint32_t *shape;
	uint32_t *shape_map;  /* to shapes of the result */
	uint32_t *column_map; /* to OutAttr */
	uint32_t *source;     /* which of the OutAttr's sources the column is */
	uint32_t *first;      /* of row's values in position */
	uint32_t *position;   /* of each value in its column, row by row */
} InAttrs;

typedef struct AttrGather
{
	const Gather *g;
	InAttrs *in;
	OutAttr *out;
	uint32_t nout;
	uint32_t cap_out;
	Interner names; /* type, occurrence and key of out */
	Str *name;
	uint32_t cap_name;
	Interner shape_index;
	Str *shape_bytes;
	AttrShape *shapes;
	uint32_t nshapes;
	uint32_t cap_shapes;
	uint32_t *shape_uses; /* rows by shape of the result */
	uint32_t *shape;      /* of the result's rows */
	uint32_t nvalues;
	RowRef *picks;
} AttrGather;

static void *
make_room(Arena *arena, void *array, uint32_t n, uint32_t *cap, size_t width)
{
	uint32_t more = *cap ? *cap * 2 : 8;

	if (n < *cap)
		return array;
	array = arena_grow(arena, array, *cap * width, more * width);
	*cap = more;
	return array;
}

static void
open_input(const Gather *g, InAttrs *in, Batch *b)
{
	in->set = b->level[g->level].attrs;
	in->shape = batch_shapes(b, g->level);
	in->shape_map = arena_alloc(g->scratch, sizeof(uint32_t) * ((size_t) in->set->nshapes + 1));
	in->column_map = arena_alloc(g->scratch, sizeof(uint32_t) * ((size_t) in->set->ncolumns + 1));
	in->source = arena_alloc(g->scratch, sizeof(uint32_t) * ((size_t) in->set->ncolumns + 1));
	memset(in->shape_map, 0xff, sizeof(uint32_t) * (size_t) in->set->nshapes);
	memset(in->column_map, 0xff, sizeof(uint32_t) * (size_t) in->set->ncolumns);
}

/* Where the values of each row of an input are. */
static void
find_positions(const Gather *g, InAttrs *in)
{
	in->first = in->set->value_first;
	in->position = in->set->value_at;
	if (in->position == NULL)
		attr_find_values(g->scratch, in->set, in->shape, &in->first, &in->position);
}

/* The result's column of the same key, type and occurrence. */
static uint32_t
out_attr(AttrGather *ag, const AttrColumn *like)
{
	const Gather *g = ag->g;
	char head[3] = {(char) like->type, (char) (like->occurrence & 255), (char) (like->occurrence >> 8)};
	char *p = arena_alloc(g->scratch, like->key.len + sizeof(head));
	Str name = str_of(p, like->key.len + sizeof(head));
	uint32_t at;

	memcpy(p, head, sizeof(head));
	memcpy(p + sizeof(head), like->key.p, like->key.len);
	at = intern_lookup(&ag->names, g->scratch, name, intern_hash(name, g->seed), ag->name, ag->nout);
	if (at != INTERN_NONE)
		return at;
	ag->name = make_room(g->scratch, ag->name, ag->nout, &ag->cap_name, sizeof(Str));
	ag->out = make_room(g->scratch, ag->out, ag->nout, &ag->cap_out, sizeof(OutAttr));
	at = ag->nout++;
	ag->name[at] = name;
	memset(&ag->out[at], 0, sizeof(OutAttr));
	ag->out[at].like = like;
	return at;
}

static uint32_t
map_column(AttrGather *ag, uint32_t input, uint32_t column)
{
	InAttrs *in = &ag->in[input];
	OutAttr *o;

	if (in->column_map[column] != NONE)
		return in->column_map[column];
	in->column_map[column] = out_attr(ag, &in->set->columns[column]);
	o = &ag->out[in->column_map[column]];
	o->sources = make_room(ag->g->scratch, o->sources, o->nsources, &o->cap_sources, sizeof(uint64_t));
	in->source[column] = o->nsources;
	o->sources[o->nsources++] = (uint64_t) input << 32 | column;
	return in->column_map[column];
}

static uint32_t
map_shape(AttrGather *ag, uint32_t input, uint32_t shape)
{
	const Gather *g = ag->g;
	const AttrShape *s = &ag->in[input].set->shapes[shape];
	uint32_t *columns = arena_alloc(g->arena, sizeof(uint32_t) * ((size_t) s->n + 1));
	Str bytes = str_of((const char *) columns, sizeof(uint32_t) * (size_t) s->n);
	uint32_t cap = ag->cap_shapes;
	uint32_t cap_uses = ag->cap_shapes;
	uint32_t at;

	for (uint32_t k = 0; k < s->n; k++)
		columns[k] = map_column(ag, input, s->columns[k]);
	at = intern_lookup(&ag->shape_index, g->scratch, bytes, intern_hash(bytes, g->seed), ag->shape_bytes,
					   ag->nshapes);
	if (at != INTERN_NONE)
		return at;
	ag->shape_bytes = make_room(g->scratch, ag->shape_bytes, ag->nshapes, &cap, sizeof(Str));
	ag->shape_uses = make_room(g->scratch, ag->shape_uses, ag->nshapes, &cap_uses, sizeof(uint32_t));
	ag->shapes = make_room(g->arena, ag->shapes, ag->nshapes, &ag->cap_shapes, sizeof(AttrShape));
	at = ag->nshapes++;
	ag->shape_bytes[at] = bytes;
	ag->shape_uses[at] = 0;
	ag->shapes[at].n = s->n;
	ag->shapes[at].columns = columns;
	return at;
}

static void
map_rows(AttrGather *ag)
{
	const Gather *g = ag->g;

	ag->shape = arena_alloc(g->arena, sizeof(uint32_t) * ((size_t) g->nrows + 1));
	for (uint32_t i = 0; i < g->nrows; i++)
	{
		InAttrs *in = &ag->in[g->rows[i].batch];
		uint32_t shape = in->shape[g->rows[i].row];

		if (in->shape_map[shape] == NONE)
			in->shape_map[shape] = map_shape(ag, g->rows[i].batch, shape);
		ag->shape[i] = in->shape_map[shape];
		ag->shape_uses[ag->shape[i]]++;
	}
}

/* How many values each column of the result has, and where their picks start. */
static uint32_t
count_values(AttrGather *ag)
{
	uint32_t total = 0;

	for (uint32_t s = 0; s < ag->nshapes; s++)
		for (uint32_t k = 0; k < ag->shapes[s].n; k++)
			ag->out[ag->shapes[s].columns[k]].n += ag->shape_uses[s];
	for (uint32_t c = 0; c < ag->nout; c++)
	{
		ag->out[c].start = total;
		total += ag->out[c].n;
	}
	return total;
}

static void
fill_picks(AttrGather *ag)
{
	const Gather *g = ag->g;
	uint32_t *next = arena_alloc(g->scratch, sizeof(uint32_t) * ((size_t) ag->nout + 1));

	ag->picks = arena_alloc(g->scratch, sizeof(RowRef) * ((size_t) ag->nvalues + 1));
	for (uint32_t c = 0; c < ag->nout; c++)
		next[c] = ag->out[c].start;
	for (uint32_t i = 0; i < g->nrows; i++)
	{
		const InAttrs *in = &ag->in[g->rows[i].batch];
		uint32_t row = g->rows[i].row;
		const AttrShape *from = &in->set->shapes[in->shape[row]];
		const AttrShape *to = &ag->shapes[ag->shape[i]];
		const uint32_t *position = in->position + in->first[row];

		for (uint32_t k = 0; k < to->n; k++)
		{
			RowRef *pick = &ag->picks[next[to->columns[k]]++];

			pick->batch = in->source[from->columns[k]];
			pick->row = position[k];
		}
	}
}

static Column
gather_attr(AttrGather *ag, const OutAttr *o)
{
	const Gather *g = ag->g;
	Picks p = {.ncols = o->nsources, .at = ag->picks + o->start, .n = o->n};

	p.cols = arena_alloc(g->scratch, sizeof(Column *) * o->nsources);
	for (uint32_t i = 0; i < o->nsources; i++)
		p.cols[i] =
			&batch_attr_column(g->inputs[o->sources[i] >> 32], g->level, (uint32_t) o->sources[i])->values;
	return pick_column(g, &p, p.cols[0]->kind, 0);
}

/* Keys and shapes of the result; its values are not loaded yet. */
static AttrSet *
gather_keys(AttrGather *ag)
{
	const Gather *g = ag->g;
	AttrSet *set = arena_alloc0(g->arena, sizeof(AttrSet));

	ag->in = arena_alloc(g->scratch, sizeof(InAttrs) * g->ninputs);
	for (uint32_t i = 0; i < g->ninputs; i++)
		if (g->used[i])
			open_input(g, &ag->in[i], g->inputs[i]);
	map_rows(ag);
	ag->nvalues = count_values(ag);
	set->ncolumns = ag->nout;
	set->columns = arena_alloc0(g->arena, sizeof(AttrColumn) * ((size_t) ag->nout + 1));
	for (uint32_t c = 0; c < ag->nout; c++)
	{
		set->columns[c].key = ag->out[c].like->key;
		set->columns[c].type = ag->out[c].like->type;
		set->columns[c].occurrence = ag->out[c].like->occurrence;
		set->columns[c].values.kind = ag->out[c].like->values.kind;
		set->columns[c].values.n = ag->out[c].n;
	}
	set->nshapes = ag->nshapes;
	set->shapes = ag->shapes;
	set->shape = ag->shape;
	set->nrows = g->nrows;
	return set;
}

/* Which values of the inputs go where in the columns of the result. */
static void
find_picks(AttrGather *ag)
{
	const Gather *g = ag->g;

	for (uint32_t i = 0; i < g->ninputs; i++)
		if (g->used[i])
			find_positions(g, &ag->in[i]);
	fill_picks(ag);
}

static AttrSet *
gather_attrs(const Gather *g)
{
	AttrGather ag = {.g = g};
	AttrSet *set = gather_keys(&ag);

	find_picks(&ag);
	for (uint32_t c = 0; c < ag.nout; c++)
		set->columns[c].values = gather_attr(&ag, &ag.out[c]);
	return set;
}

static void
gather_level(Gather *g, Level level, const RowRef *rows, uint32_t nrows, RowSet *out)
{
	g->level = level;
	g->rows = rows;
	g->nrows = nrows;
	gather_columns(g, out);
	if (g->inputs[0]->level[level].attrs != NULL)
		out->attrs = gather_attrs(g);
	arena_reset(g->scratch);
}

/* ---- events and links ---- */

typedef const uint32_t *(*FirstFunc)(Batch *b);

/* The events (or links) of the chosen spans: where each span's begin, and a reference to each. */
static RowRef *
children_of(const Gather *g, const RowRef *spans, uint32_t nspans, FirstFunc first_of, uint32_t *first)
{
	const uint32_t **from = arena_alloc(g->brief, sizeof(uint32_t *) * g->ninputs);
	RowRef *refs;
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->ninputs; i++)
		from[i] = g->used[i] ? first_of(g->inputs[i]) : NULL;
	for (uint32_t i = 0; i < nspans; i++)
	{
		const uint32_t *f = from[spans[i].batch] + spans[i].row;

		first[i] = n;
		n += f[1] - f[0];
	}
	first[nspans] = n;
	refs = arena_alloc(g->brief, sizeof(RowRef) * ((size_t) n + 1));
	for (uint32_t i = 0; i < nspans; i++)
		for (uint32_t k = first[i]; k < first[i + 1]; k++)
		{
			refs[k].batch = spans[i].batch;
			refs[k].row = from[spans[i].batch][spans[i].row] + k - first[i];
		}
	return refs;
}

static void
gather_children(Gather *g, Level level, const RowRef *spans, uint32_t nspans, FirstFunc first_of, Batch *out,
				uint32_t **first)
{
	Arena *held = arena_create_like(g->arena, 0);
	Gather own = *g;
	RowRef *refs;

	*first = arena_alloc(g->arena, sizeof(uint32_t) * ((size_t) nspans + 1));
	own.brief = held;
	refs = children_of(&own, spans, nspans, first_of, *first);
	gather_level(g, level, refs, (*first)[nspans], &out->level[level]);
	arena_destroy(held);
}

Batch *
batch_gather(Arena *arena, Batch **inputs, uint32_t ninputs, const RowRef *rows, uint32_t nrows)
{
	Gather g = {.arena = arena, .inputs = inputs, .ninputs = ninputs, .seed = intern_seed()};
	Batch *out = arena_alloc0(arena, sizeof(Batch));

	out->arena = arena;
	out->spans = inputs[0]->spans;
	g.used = arena_alloc0(arena, ninputs);
	for (uint32_t i = 0; i < nrows; i++)
		g.used[rows[i].batch] = true;
	g.scratch = arena_create_like(arena, 0);
	g.brief = arena_create_like(arena, 0);
	gather_level(&g, LEVEL_SPAN, rows, nrows, &out->level[LEVEL_SPAN]);
	if (out->spans)
	{
		gather_children(&g, LEVEL_EVENT, rows, nrows, batch_event_first, out, &out->event_first);
		gather_children(&g, LEVEL_LINK, rows, nrows, batch_link_first, out, &out->link_first);
	}
	arena_destroy(g.brief);
	arena_destroy(g.scratch);
	return out;
}

/* ---- on demand ---- */

typedef struct LazyLevel
{
	Gather g; /* scratch is the result's arena; brief is made for each load */
	AttrGather ag;
} LazyLevel;

/* What of a level has to be there from the start: numbers of rows, kinds of columns, keys and shapes. */
static void
lazy_level(LazyLevel *l, const Gather *like, Level level, const RowRef *rows, uint32_t nrows, RowSet *out)
{
	const RowSet *in = &like->inputs[0]->level[level];

	l->g = *like;
	l->g.level = level;
	l->g.rows = rows;
	l->g.nrows = nrows;
	l->g.scratch = like->arena;
	l->ag.g = &l->g;
	out->nrows = nrows;
	out->ncolumns = in->ncolumns;
	out->columns = arena_alloc0(like->arena, sizeof(Column) * ((size_t) in->ncolumns + 1));
	for (uint32_t c = 0; c < in->ncolumns; c++)
	{
		out->columns[c].kind = in->columns[c].kind;
		out->columns[c].width = in->columns[c].width;
		out->columns[c].n = nrows;
	}
	if (in->attrs != NULL)
		out->attrs = gather_keys(&l->ag);
}

/* Events or links: nothing of them is there before it is asked which belong to which span. */
static void
lazy_children(Batch *out, Level level, FirstFunc first_of, uint32_t **first)
{
	LazyLevel *levels = out->source;
	Gather g = levels[LEVEL_SPAN].g;
	uint32_t *begin = arena_alloc(g.arena, sizeof(uint32_t) * ((size_t) g.nrows + 1));
	RowRef *refs;

	g.brief = g.arena;
	refs = children_of(&g, g.rows, g.nrows, first_of, begin);
	lazy_level(&levels[level], &g, level, refs, begin[g.nrows], &out->level[level]);
	*first = begin;
}

static void
lazy_load(Batch *b, Level level, LoadWhat what, uint32_t which)
{
	LazyLevel *l = &((LazyLevel *) b->source)[level];
	RowSet *rows = &b->level[level];
	Arena *brief;

	if (what == LOAD_ROWS)
		return;
	brief = arena_create_like(b->arena, 0);
	l->g.brief = brief;
	if (what == LOAD_EVENTS)
		lazy_children(b, LEVEL_EVENT, batch_event_first, &b->event_first);
	else if (what == LOAD_LINKS)
		lazy_children(b, LEVEL_LINK, batch_link_first, &b->link_first);
	else if (what == LOAD_COLUMN)
	{
		Picks p = {.ncols = l->g.ninputs, .at = l->g.rows, .n = l->g.nrows};
		Column *c = &rows->columns[which];

		p.cols = arena_alloc(l->g.scratch, sizeof(Column *) * l->g.ninputs);
		for (uint32_t i = 0; i < l->g.ninputs; i++)
			p.cols[i] = l->g.used[i] ? batch_column(l->g.inputs[i], level, which) : NULL;
		*c = pick_column(&l->g, &p, c->kind, c->width);
	}
	else if (what == LOAD_ATTR)
	{
		if (l->ag.picks == NULL)
			find_picks(&l->ag);
		rows->attrs->columns[which].values = gather_attr(&l->ag, &l->ag.out[which]);
	}
	l->g.brief = NULL;
	arena_destroy(brief);
}

Batch *
batch_gather_lazy(Arena *arena, Batch **inputs, uint32_t ninputs, const RowRef *rows, uint32_t nrows)
{
	Gather g = {.arena = arena, .inputs = inputs, .ninputs = ninputs, .seed = intern_seed()};
	Batch *out = arena_alloc0(arena, sizeof(Batch));
	LazyLevel *levels = arena_alloc0(arena, sizeof(LazyLevel) * NLEVELS);

	out->arena = arena;
	out->spans = inputs[0]->spans;
	out->load = lazy_load;
	out->source = levels;
	g.rows = rows;
	g.nrows = nrows;
	g.used = arena_alloc0(arena, ninputs);
	for (uint32_t i = 0; i < nrows; i++)
		g.used[rows[i].batch] = true;
	lazy_level(&levels[LEVEL_SPAN], &g, LEVEL_SPAN, rows, nrows, &out->level[LEVEL_SPAN]);
	return out;
}
