/*
 * partial.c
 *	  What a run has observed, as bytes, and such bytes taken into another run of the same query and range.
 *
 *	  partial  := varint number of leaves, leaves
 *	  leaf     := varint number of series, series, varint number of exemplars, exemplars
 *	              of compare(): varint number of attributes, attributes
 *	  series   := value of each attribute of by(), varint number of rows, rows
 *	  row      := varint which cells, varint bucket (0 when there are none), cells
 *	  cells    := varint number, that many { varint interval, 8 bytes double }; those never touched are left
 *out attribute:= name, varint number of values, that many { value, cells } value    := 1 byte EvalType, 1
 *byte type of elements, then a string or 8 bytes string   := varint length, bytes
 *
 *	  The bytes come from a worker of ours, and still nothing outside of them is read, and no number in them
 *	  is believed to be in range.
 */
#include "traceql/metrics/compare.h"

#include <math.h>

/* ---- writing ---- */

static void
put_double(Buf *out, double v)
{
	buf_put(out, &v, sizeof(v));
}

static void
put_string(Buf *out, Str s)
{
	buf_put_varint(out, s.len);
	buf_put(out, s.p, s.len);
}

static void
put_value(Buf *out, const EvalValue *v)
{
	int64_t bits = v->type == EVAL_BOOL ? v->b : v->i;

	buf_put_u8(out, v->type);
	buf_put_u8(out, v->elem);
	if (v->type == EVAL_STRING || v->type == EVAL_ARRAY)
		put_string(out, v->s);
	else
		buf_put(out, &bits, sizeof(bits));
}

static bool
is_empty(double v, double empty)
{
	return isnan(empty) ? isnan(v) : v == empty;
}

static void
put_cells(Buf *out, const double *row, uint32_t n, double empty)
{
	uint32_t used = 0;

	for (uint32_t k = 0; k < n; k++)
		used += !is_empty(row[k], empty);
	buf_put_varint(out, used);
	for (uint32_t k = 0; k < n; k++)
	{
		if (is_empty(row[k], empty))
			continue;
		buf_put_varint(out, k);
		put_double(out, row[k]);
	}
}

static uint32_t
buckets_of(const Leaf *leaf)
{
	return leaf->plan->fold == FOLD_BUCKETS ? NBUCKETS : 1;
}

/* Rows of a series; out NULL: only count them. */
static uint32_t
put_rows(Buf *out, const Leaf *leaf, uint32_t series)
{
	uint32_t n = leaf->metrics->options.range.n;
	uint32_t nbuckets = buckets_of(leaf);
	uint32_t rows = 0;

	for (uint32_t c = 0; c < 3; c++)
		for (uint32_t b = 0; b < nbuckets; b++)
		{
			const double *row = cells_look(&leaf->cells[c], series * nbuckets + b);

			if (!row)
				continue;
			rows++;
			if (!out)
				continue;
			buf_put_varint(out, c);
			buf_put_varint(out, b);
			put_cells(out, row, n, leaf->cells[c].empty);
		}
	return rows;
}

static void
put_series(Buf *out, const Leaf *leaf, uint32_t series)
{
	const EvalValue *values[METRICS_MAX_BY];

	if (leaf->plan->nby)
		group_values(leaf, series, values);
	for (uint32_t i = 0; i < leaf->plan->nby; i++)
		put_value(out, values[i]);
}

static void
put_exemplar(Buf *out, const Leaf *leaf, const Kept *k)
{
	put_series(out, leaf, k->series);
	buf_put(out, &k->trace_start, 8);
	buf_put(out, &k->trace_rank, 8);
	buf_put(out, &k->span_rank, 8);
	buf_put(out, &k->time, 8);
	buf_put(out, k->trace_id, sizeof(k->trace_id));
	buf_put_varint(out, k->bucket);
	put_double(out, k->value);
	buf_put_varint(out, k->nlabels);
	for (uint32_t i = 0; i < k->nlabels; i++)
	{
		put_string(out, k->labels[i].name);
		put_value(out, &k->labels[i].value);
	}
}

static void
put_exemplars(Buf *out, const Leaf *leaf)
{
	const Exemplars *e = &leaf->exemplars;
	uint32_t n = 0;

	for (uint32_t part = 0; part < e->nparts; part++)
		n += e->n[part];
	buf_put_varint(out, n);
	for (uint32_t part = 0; part < e->nparts; part++)
		for (uint32_t i = 0; i < e->n[part]; i++)
			put_exemplar(out, leaf, &e->kept[part * KEPT_A_PART + i]);
}

static void
put_leaf(Buf *out, const Leaf *leaf)
{
	uint32_t nseries = leaf->cells[0].cap / buckets_of(leaf);
	uint32_t n = 0;

	for (uint32_t i = 0; i < nseries; i++)
		n += put_rows(NULL, leaf, i) > 0;
	buf_put_varint(out, n);
	for (uint32_t i = 0; i < nseries; i++)
	{
		uint32_t rows = put_rows(NULL, leaf, i);

		if (rows == 0)
			continue;
		put_series(out, leaf, i);
		buf_put_varint(out, rows);
		put_rows(out, leaf, i);
	}
	put_exemplars(out, leaf);
}

static void
put_tally(Buf *out, const Tally *t, uint32_t ncells)
{
	uint32_t at = 0;
	uint32_t used = 0;
	uint32_t cell;
	double count;

	while (tally_next(t, ncells, &at, &cell, &count))
		used++;
	buf_put_varint(out, used);
	at = 0;
	while (tally_next(t, ncells, &at, &cell, &count))
	{
		buf_put_varint(out, cell);
		put_double(out, count);
	}
}

static bool
is_used(const Tally *t, uint32_t ncells)
{
	uint32_t at = 0;
	uint32_t cell;
	double count;

	return tally_next(t, ncells, &at, &cell, &count);
}

static uint32_t
count_used(const CompareAttr *attr, uint32_t ncells)
{
	uint32_t used = 0;

	for (uint32_t v = 0; v < attr->values.n && v < attr->cap; v++)
		used += is_used(&attr->tallies[v], ncells);
	return used;
}

static void
put_compare(Buf *out, Leaf *leaf)
{
	const Compare *c = leaf->compare;

	if (leaf->metrics->shares)
		compare_cut(leaf);
	compare_settle(leaf);
	buf_put_varint(out, c->names.n - 1);
	for (uint32_t i = 1; i < c->names.n; i++)
	{
		const CompareAttr *attr = &c->attrs[i];

		put_string(out, c->names.values[i].s);
		buf_put_varint(out, count_used(attr, c->ncells));
		for (uint32_t v = 0; v < attr->values.n && v < attr->cap; v++)
		{
			if (!is_used(&attr->tallies[v], c->ncells))
				continue;
			put_value(out, &attr->values.values[v]);
			put_tally(out, &attr->tallies[v], c->ncells);
		}
	}
}

void
metrics_partial_write(MetricsRun *run, Buf *out)
{
	buf_put_varint(out, run->plan->nleaves);
	for (uint32_t i = 0; i < run->plan->nleaves; i++)
	{
		if (run->leaves[i].compare)
			put_compare(out, &run->leaves[i]);
		else
			put_leaf(out, &run->leaves[i]);
	}
}

/* ---- reading ---- */

typedef struct Partial
{
	const uint8_t *pos;
	const uint8_t *end;
} Partial;

static bool
take_bytes(Partial *p, void *to, size_t n)
{
	if ((size_t) (p->end - p->pos) < n)
		return false;
	memcpy(to, p->pos, n);
	p->pos += n;
	return true;
}

static bool
take_number(Partial *p, uint32_t max, uint32_t *v)
{
	uint64_t wide;

	if (!read_varint(&p->pos, p->end, &wide) || wide > max)
		return false;
	*v = (uint32_t) wide;
	return true;
}

static bool
take_string(Partial *p, Str *s)
{
	uint32_t len;

	if (!take_number(p, UINT32_MAX, &len) || (size_t) (p->end - p->pos) < len)
		return false;
	*s = str_of((const char *) p->pos, len);
	p->pos += len;
	return true;
}

static bool
take_value(Partial *p, EvalValue *v)
{
	int64_t bits;

	*v = (EvalValue){0};
	if (!take_bytes(p, &v->type, 1) || !take_bytes(p, &v->elem, 1) || v->type > EVAL_OPAQUE)
		return false;
	if (v->type == EVAL_STRING || v->type == EVAL_ARRAY)
		return take_string(p, &v->s);
	if (!take_bytes(p, &bits, sizeof(bits)))
		return false;
	if (v->type == EVAL_BOOL)
		v->b = bits != 0;
	else
		v->i = bits;
	return (v->type != EVAL_STATUS && v->type != EVAL_KIND) ||
		   (bits >= 0 && bits <= (v->type == EVAL_STATUS ? 2 : 5));
}

static void
merge_cell(const Leaf *leaf, double *cell, double v)
{
	switch (leaf->plan->fold)
	{
		case FOLD_MIN: *cell = isnan(*cell) || v < *cell ? v : *cell; break;
		case FOLD_MAX: *cell = isnan(*cell) || v > *cell ? v : *cell; break;
		default: *cell += v; break;
	}
}

/* Sums come before what they lost, so that what merging them loses is kept too. */
static bool
take_cells(Partial *p, Leaf *leaf, uint32_t which, uint32_t series, uint32_t bucket)
{
	uint32_t n = leaf->metrics->options.range.n;
	uint32_t at = series * buckets_of(leaf) + bucket;
	double *row = cells_row(leaf->metrics, &leaf->cells[which], at);
	double *lost =
		leaf->plan->fold == FOLD_SUM && which == 0 ? cells_row(leaf->metrics, &leaf->cells[1], at) : NULL;
	uint32_t used;
	uint32_t k;
	double v;

	if (!take_number(p, n, &used))
		return false;
	while (used-- > 0)
	{
		if (!take_number(p, n - 1, &k) || !take_bytes(p, &v, sizeof(v)))
			return false;
		if (lost)
			cells_add_exactly(&row[k], &lost[k], v);
		else
			merge_cell(leaf, &row[k], v);
	}
	return true;
}

static bool
take_series(Partial *p, Leaf *leaf, uint32_t *series)
{
	EvalValue values[METRICS_MAX_BY];

	for (uint32_t i = 0; i < leaf->plan->nby; i++)
		if (!take_value(p, &values[i]))
			return false;
	*series = group_series_of(leaf, values);
	return true;
}

static bool
take_rows(Partial *p, Leaf *leaf)
{
	uint32_t series;
	uint32_t nrows;
	uint32_t which;
	uint32_t bucket;

	if (!take_series(p, leaf, &series) || !take_number(p, 3 * NBUCKETS, &nrows))
		return false;
	while (nrows-- > 0)
		if (!take_number(p, 2, &which) || !take_number(p, buckets_of(leaf) - 1, &bucket) ||
			!take_cells(p, leaf, which, series, bucket))
			return false;
	return true;
}

static bool
take_labels(Partial *p, Leaf *leaf, Kept *k)
{
	Arena *arena = leaf->metrics->arena;

	if (!take_number(p, leaf->plan->spans->nslots, &k->nlabels))
		return false;
	k->labels = arena_alloc0(arena, (k->nlabels + 1) * sizeof(MetricsLabel));
	for (uint32_t i = 0; i < k->nlabels; i++)
	{
		MetricsLabel *l = &k->labels[i];

		if (!take_string(p, &l->name) || !take_value(p, &l->value))
			return false;
		l->name.p = arena_dup(arena, l->name.p, l->name.len);
		l->value = label_own_value(arena, l->value);
	}
	return true;
}

static bool
take_exemplar(Partial *p, Leaf *leaf)
{
	const MetricsRange *range = &leaf->metrics->options.range;
	Kept k = {0};

	if (!take_series(p, leaf, &k.series) || !take_bytes(p, &k.trace_start, 8) ||
		!take_bytes(p, &k.trace_rank, 8) || !take_bytes(p, &k.span_rank, 8) || !take_bytes(p, &k.time, 8) ||
		!take_bytes(p, k.trace_id, sizeof(k.trace_id)) || !take_number(p, NBUCKETS - 1, &k.bucket) ||
		!take_bytes(p, &k.value, sizeof(k.value)) || !take_labels(p, leaf, &k))
		return false;
	if (k.time <= range->from || k.time > metrics_time(range, range->n - 1))
		return false;
	if (leaf->exemplars.budget)
		exemplars_take(leaf, &k);
	return true;
}

static bool
take_leaf(Partial *p, Leaf *leaf)
{
	uint32_t n;

	if (!take_number(p, UINT32_MAX, &n))
		return false;
	while (n-- > 0)
		if (!take_rows(p, leaf))
			return false;
	if (!take_number(p, UINT32_MAX, &n))
		return false;
	while (n-- > 0)
		if (!take_exemplar(p, leaf))
			return false;
	return true;
}

static bool
take_tally(Partial *p, Leaf *leaf, uint32_t attr, const EvalValue *v)
{
	uint32_t number = compare_value(leaf, attr, v);
	uint32_t ncells = leaf->compare->ncells;
	uint32_t used;
	uint32_t cell;
	double count;

	if (!take_number(p, ncells, &used))
		return false;
	while (used-- > 0)
	{
		if (!take_number(p, ncells - 1, &cell) || !take_bytes(p, &count, sizeof(count)))
			return false;
		tally_add(leaf->metrics, &leaf->compare->attrs[attr].tallies[number], ncells, cell, count);
	}
	return true;
}

static bool
take_compare(Partial *p, Leaf *leaf)
{
	uint32_t nattrs;
	uint32_t nvalues;
	Str name;
	EvalValue v;

	if (!take_number(p, UINT32_MAX, &nattrs))
		return false;
	while (nattrs-- > 0)
	{
		uint32_t attr;

		if (!take_string(p, &name) || !take_number(p, UINT32_MAX, &nvalues))
			return false;
		attr = compare_attr(leaf, name);
		while (nvalues-- > 0)
			if (!take_value(p, &v) || !take_tally(p, leaf, attr, &v))
				return false;
	}
	return true;
}

bool
metrics_partial_merge(MetricsRun *run, Str bytes)
{
	Partial p = {(const uint8_t *) bytes.p, (const uint8_t *) bytes.p + bytes.len};
	uint32_t n;

	if (!take_number(&p, run->plan->nleaves, &n) || n != run->plan->nleaves)
		return false;
	for (uint32_t i = 0; i < n; i++)
	{
		Leaf *leaf = &run->leaves[i];

		if (!(leaf->compare ? take_compare(&p, leaf) : take_leaf(&p, leaf)))
			return false;
	}
	return p.pos == p.end;
}
