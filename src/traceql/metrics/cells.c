/*
 * cells.c
 *	  Adding up: one row of numbers a series (and bucket), one number an interval.
 *
 *	  Sums carry what rounding lost (Neumaier), so that the order spans come in does not show.
 */
#include "traceql/metrics/internal.h"

#include <math.h>

double *
cells_row(MetricsRun *run, Cells *cells, uint32_t i)
{
	uint32_t n = run->options.range.n;

	if (i >= cells->cap)
	{
		uint32_t cap = cells->cap ? cells->cap : 64;

		while (cap <= i)
			cap = cap > UINT32_MAX / 2 ? UINT32_MAX : cap * 2;
		metrics_room(run, (size_t) cap * sizeof(double *));
		cells->rows = arena_grow(run->arena, cells->rows, cells->cap * sizeof(double *),
								 (size_t) cap * sizeof(double *));
		memset(cells->rows + cells->cap, 0, (size_t) (cap - cells->cap) * sizeof(double *));
		cells->cap = cap;
	}
	if (!cells->rows[i])
	{
		metrics_room(run, n * sizeof(double));
		cells->rows[i] = arena_alloc(run->arena, n * sizeof(double));
		for (uint32_t k = 0; k < n; k++)
			cells->rows[i][k] = cells->empty;
	}
	return cells->rows[i];
}

/* The row, from the table when it is there. */
static inline double *
row_of(Leaf *leaf, Cells *cells, uint32_t i)
{
	if (i < cells->cap && cells->rows[i])
		return cells->rows[i];
	return cells_row(leaf->metrics, cells, i);
}

static void
count(Leaf *leaf, const Picked *p, const uint32_t *series)
{
	Cells *cells = &leaf->cells[0];

	if (p->weights)
	{
		for (uint32_t i = 0; i < p->n; i++)
			row_of(leaf, cells, series[i])[p->interval[i]] += p->weights[i];
	}
	else
	{
		for (uint32_t i = 0; i < p->n; i++)
			row_of(leaf, cells, series[i])[p->interval[i]] += 1;
	}
}

static void
extreme(Leaf *leaf, const Picked *p, const uint32_t *series, const Measured *m)
{
	bool least = leaf->plan->fold == FOLD_MIN;

	for (uint32_t i = 0; i < p->n; i++)
	{
		double v = measured_number(m, i);
		double *cell;

		if (m->type[i] == EVAL_NIL)
			continue;
		cell = row_of(leaf, &leaf->cells[0], series[i]) + p->interval[i];
		if (isnan(*cell) || (least ? v < *cell : v > *cell))
			*cell = v;
	}
}

void
cells_add_exactly(double *sum, double *lost, double v)
{
	double t = *sum + v;

	/* An infinity stays one. */
	if (!isfinite(t))
		;
	else if (fabs(*sum) >= fabs(v))
		*lost += (*sum - t) + v;
	else
		*lost += (v - t) + *sum;
	*sum = t;
}

static void
sum(Leaf *leaf, const Picked *p, const uint32_t *series, const Measured *m)
{
	for (uint32_t i = 0; i < p->n; i++)
	{
		double weight = p->weights ? p->weights[i] : 1;
		uint32_t k = p->interval[i];

		if (m->type[i] == EVAL_NIL)
			continue;
		cells_add_exactly(row_of(leaf, &leaf->cells[0], series[i]) + k,
						  row_of(leaf, &leaf->cells[1], series[i]) + k, measured_number(m, i) * weight);
		row_of(leaf, &leaf->cells[2], series[i])[k] += weight;
	}
}

/* Only whole numbers fall into buckets. */
static void
buckets(Leaf *leaf, const Picked *p, const uint32_t *series, const Measured *m)
{
	for (uint32_t i = 0; i < p->n; i++)
	{
		uint32_t bucket = bucket_of(m->raw[i]);

		if (m->type[i] == EVAL_NIL || m->type[i] == EVAL_FLOAT || bucket == 0)
			continue;
		row_of(leaf, &leaf->cells[0], series[i] * NBUCKETS + bucket)[p->interval[i]] +=
			p->weights ? p->weights[i] : 1;
	}
}

void
fold_picked(Leaf *leaf, Picked *p)
{
	uint32_t *series;
	Measured m = {NULL, NULL};

	if (fold_dense(leaf, p))
		return;
	if (leaf->plan->measured)
		m = measure(leaf, p);
	else
		picked_list(leaf, p);
	if (p->n == 0)
		return;
	series = group_series(leaf, p);
	switch (leaf->plan->fold)
	{
		case FOLD_COUNT: count(leaf, p, series); break;
		case FOLD_MIN:
		case FOLD_MAX: extreme(leaf, p, series, &m); break;
		case FOLD_SUM: sum(leaf, p, series, &m); break;
		case FOLD_BUCKETS: buckets(leaf, p, series, &m); break;
		case FOLD_COMPARE: break;
	}
	if (leaf->exemplars.budget && (!p->one || exemplars_want(leaf, p)))
		exemplars_offer(leaf, p, series, &m);
}
