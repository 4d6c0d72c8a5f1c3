/*
 * group.c
 *	  Stages that group and measure: by(), coalesce(), and aggregates compared with a literal.
 */
#include "traceql/eval/internal.h"

static Binding
whole_span(uint32_t row)
{
	return (Binding){row, ROW_FIRST, ROW_FIRST};
}

static void
attach(TraceqlRun *run, Set *set, Str label, EvalValue value)
{
	MatchAttr *attrs = arena_alloc(run->scratch, (set->nattrs + 1) * sizeof(MatchAttr));

	if (set->nattrs)
		memcpy(attrs, set->attrs, set->nattrs * sizeof(MatchAttr));
	attrs[set->nattrs] = (MatchAttr){.from = MATCH_FROM_INTRINSIC, .key = label, .value = value};
	set->attrs = attrs;
	set->nattrs++;
}

/* ---- by() ---- */

typedef struct Groups
{
	uint32_t n;
	uint32_t cap;
	EvalValue *values;
	uint32_t *sizes;
	uint32_t mask;
	uint32_t *table; /* group + 1 */
} Groups;

static void
groups_rehash(TraceqlRun *run, Groups *g)
{
	uint32_t size = g->mask ? (g->mask + 1) * 2 : 16;

	g->table = arena_alloc0(run->scratch, size * sizeof(uint32_t));
	g->mask = size - 1;
	for (uint32_t i = 0; i < g->n; i++)
	{
		uint32_t h = (uint32_t) eval_hash(&g->values[i]) & g->mask;

		while (g->table[h])
			h = (h + 1) & g->mask;
		g->table[h] = i + 1;
	}
}

static uint32_t
group_of(TraceqlRun *run, Groups *g, const EvalValue *value)
{
	uint32_t h;

	if (g->n * 2 >= g->mask)
		groups_rehash(run, g);
	h = (uint32_t) eval_hash(value) & g->mask;
	for (; g->table[h]; h = (h + 1) & g->mask)
	{
		if (eval_same(&g->values[g->table[h] - 1], value))
			return g->table[h] - 1;
	}
	if (g->n == g->cap)
	{
		uint32_t cap = g->cap ? g->cap * 2 : 8;

		g->values = arena_grow(run->scratch, g->values, g->cap * sizeof(EvalValue), cap * sizeof(EvalValue));
		g->sizes = arena_grow(run->scratch, g->sizes, g->cap * sizeof(uint32_t), cap * sizeof(uint32_t));
		g->cap = cap;
	}
	g->values[g->n] = *value;
	g->sizes[g->n] = 0;
	g->table[h] = ++g->n;
	return g->n - 1;
}

/* Spans whose expression raises are in no group; what has no type groups with what is missing. */
static uint32_t *
assign_groups(TraceqlRun *run, const Stage *stage, const uint32_t *rows, uint32_t n, Groups *g)
{
	uint32_t *group = arena_alloc(run->scratch, (n + 1) * sizeof(uint32_t));

	for (uint32_t i = 0; i < n; i++)
	{
		EvalValue v = node_value(run, stage->expr, whole_span(rows[i]));

		run_tick(run);
		group[i] = UINT32_MAX;
		if (v.type == EVAL_ERROR)
			continue;
		if (v.type == EVAL_OPAQUE)
			v.type = EVAL_NIL;
		group[i] = group_of(run, g, &v);
		g->sizes[group[i]]++;
	}
	return group;
}

static void
split_set(TraceqlRun *run, const Stage *stage, Set *set, SetList *out)
{
	const uint32_t *rows = set_rows(run, set);
	Groups g = {0};
	uint32_t *group = assign_groups(run, stage, rows, set->n, &g);
	uint32_t **to = arena_alloc(run->scratch, (g.n + 1) * sizeof(uint32_t *));

	for (uint32_t i = 0; i < g.n; i++)
	{
		Set *made = set_append(run, out, set);

		made->n = g.sizes[i];
		made->rows = to[i] = arena_alloc(run->scratch, made->n * sizeof(uint32_t));
		attach(run, made, stage->label, g.values[i]);
	}
	for (uint32_t i = 0; i < set->n; i++)
	{
		if (group[i] != UINT32_MAX)
			*to[group[i]]++ = rows[i];
	}
}

SetList
stage_by(TraceqlRun *run, const Stage *stage, SetList in)
{
	SetList out = {0};

	for (uint32_t s = 0; s < in.n; s++)
		split_set(run, stage, &in.sets[s], &out);
	return out;
}

/* ---- coalesce() ---- */

SetList
stage_coalesce(TraceqlRun *run, SetList in)
{
	SetList out = {0};
	Set *into = NULL;

	for (uint32_t s = 0; s < in.n; s++)
	{
		Set *set = &in.sets[s];

		if (into && into->trace == set->trace && into->origin == set->origin)
		{
			const uint32_t *a = set_rows(run, into);
			const uint32_t *b = set_rows(run, set);
			uint32_t *both = arena_alloc(run->scratch, ((size_t) into->n + set->n + 1) * sizeof(uint32_t));

			into->n = rows_union(a, into->n, b, set->n, both);
			into->rows = both;
			continue;
		}
		into = set_append(run, &out, set);
		into->nattrs = 0;
		into->attrs = NULL;
	}
	return out;
}

/* ---- aggregates ---- */

/* Numbers only: the rest is skipped like a missing value. Mixed types are summed as floats. */
typedef struct Totals
{
	uint64_t n;
	bool mixed;
	uint8_t type;
	uint64_t isum;
	double fsum;
	EvalValue min;
	EvalValue max;
} Totals;

static bool
below(const EvalValue *a, const EvalValue *b)
{
	return eval_compare(TQL_OP_LT, a, b, NULL, false) == TRI_TRUE;
}

static bool
is_nan(const EvalValue *v)
{
	return v->type == EVAL_FLOAT && v->d != v->d;
}

static void
add_value(Totals *t, const EvalValue *v)
{
	if (t->n++ == 0)
	{
		t->type = v->type;
		t->min = t->max = *v;
	}
	t->mixed |= v->type != t->type;
	if (v->type != EVAL_FLOAT)
		t->isum += (uint64_t) v->i;
	t->fsum += eval_number(v);
	if (below(v, &t->min) || is_nan(&t->min))
		t->min = *v;
	if (below(&t->max, v) || is_nan(&t->max))
		t->max = *v;
}

static EvalValue
sum_of(const Totals *t)
{
	EvalValue out = {.type = t->mixed ? EVAL_FLOAT : t->type};

	if (out.type == EVAL_FLOAT)
		out.d = t->fsum;
	else
		out.i = (int64_t) t->isum;
	return out;
}

static EvalValue
average_of(const Totals *t)
{
	EvalValue out = {.type = EVAL_FLOAT};

	if (!t->mixed && t->type == EVAL_DURATION)
	{
		out.type = EVAL_DURATION;
		out.i = (int64_t) t->isum / (int64_t) t->n;
	}
	else if (!t->mixed && t->type == EVAL_INT)
		out.d = (double) (int64_t) t->isum / (double) t->n;
	else
		out.d = t->fsum / (double) t->n;
	return out;
}

/* false: no span of the set has a value. */
static bool
aggregate(TraceqlRun *run, const Stage *stage, Set *set, EvalValue *out)
{
	const uint32_t *rows;
	Totals t = {0};

	if (stage->fn == TQL_COUNT)
	{
		*out = (EvalValue){.type = EVAL_INT, .i = set->n};
		return true;
	}
	rows = set_rows(run, set);
	for (uint32_t i = 0; i < set->n; i++)
	{
		EvalValue v = node_value(run, stage->expr, whole_span(rows[i]));

		run_tick(run);
		if (eval_is_number(&v))
			add_value(&t, &v);
	}
	switch (stage->fn)
	{
		case TQL_SUM: *out = sum_of(&t); break;
		case TQL_AVG: *out = t.n ? average_of(&t) : t.min; break;
		case TQL_MIN: *out = t.min; break;
		default: *out = t.max; break;
	}
	return t.n > 0;
}

SetList
stage_scalar(TraceqlRun *run, const Stage *stage, SetList in)
{
	SetList out = {0};

	for (uint32_t s = 0; s < in.n; s++)
	{
		Set *kept;
		EvalValue value;

		if (!aggregate(run, stage, &in.sets[s], &value) ||
			eval_compare(stage->cmp, &value, &stage->literal, NULL, false) != TRI_TRUE)
			continue;
		kept = set_append(run, &out, &in.sets[s]);
		attach(run, kept, stage->label, value);
	}
	return out;
}
