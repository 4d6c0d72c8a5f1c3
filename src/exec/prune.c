/*
 * prune.c
 *	  Values of pruning conditions, and comparing them with ranges.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "exec/prune.h"
#include "plan/plan.h"
#include "types/types.h"

Pruner *
pruner_create(PlanState *parent, List *exprs, List *codes)
{
	Pruner *p = palloc0(sizeof(Pruner));

	p->parent = parent;
	p->econtext = CreateExprContext(parent->state);
	p->n = list_length(codes); /* exprs has others behind these */
	p->kinds = palloc(Max(p->n, 1) * sizeof(int));
	p->strategies = palloc(Max(p->n, 1) * sizeof(int));
	p->exprs = palloc(Max(p->n, 1) * sizeof(ExprState *));
	for (int i = 0; i < p->n; i++)
	{
		p->kinds[i] = list_nth_int(codes, i) / 8;
		p->strategies[i] = list_nth_int(codes, i) % 8;
		p->exprs[i] = ExecInitExpr(list_nth(exprs, i), parent);
	}
	return p;
}

static void
narrow_time(Pruner *p, int strategy, TimestampTz t)
{
	if (strategy == BTLessStrategyNumber || strategy == BTLessEqualStrategyNumber ||
		strategy == BTEqualStrategyNumber)
		p->hi = Min(p->hi, t);
	if (strategy == BTGreaterStrategyNumber || strategy == BTGreaterEqualStrategyNumber ||
		strategy == BTEqualStrategyNumber)
		p->lo = Max(p->lo, t);
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, TRACE_ID_BYTES);
}

/* Keep the ids that all conditions on the trace id allow; ids is sorted. */
static void
narrow_traces(Pruner *p, uint8 *ids, int n)
{
	int kept = 0;

	if (p->by_trace)
	{
		for (int i = 0; i < n; i++)
			if (bsearch(ids + i * TRACE_ID_BYTES, p->traces, p->ntraces, TRACE_ID_BYTES, compare_ids))
				memmove(ids + kept++ * TRACE_ID_BYTES, ids + i * TRACE_ID_BYTES, TRACE_ID_BYTES);
		n = kept;
	}
	p->by_trace = true;
	p->traces = ids;
	p->ntraces = n;
	if (n == 0)
		p->nothing = true;
}

static void
narrow_to_array(Pruner *p, Datum value)
{
	ArrayType *array = DatumGetArrayTypeP(value);
	Oid type = ARR_ELEMTYPE(array);
	int16 len;
	bool byval;
	char align;
	Datum *elements;
	bool *nulls;
	int n;
	int kept = 0;
	uint8 *ids;

	get_typlenbyvalalign(type, &len, &byval, &align);
	deconstruct_array(array, type, len, byval, align, &elements, &nulls, &n);
	ids = palloc(Max(n, 1) * TRACE_ID_BYTES);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			memcpy(ids + kept++ * TRACE_ID_BYTES, DatumGetTraceId(elements[i])->b, TRACE_ID_BYTES);
	qsort(ids, kept, TRACE_ID_BYTES, compare_ids);
	narrow_traces(p, ids, kept);
}

static void
apply(Pruner *p, int i, Datum value)
{
	switch ((PruneKind) p->kinds[i])
	{
		case PRUNE_START: narrow_time(p, p->strategies[i], DatumGetTimestampTz(value)); break;
		case PRUNE_TRACE:
		{
			uint8 *id = palloc(TRACE_ID_BYTES);

			memcpy(id, DatumGetTraceId(value)->b, TRACE_ID_BYTES);
			narrow_traces(p, id, 1);
		}
		break;
		case PRUNE_TRACE_ANY: narrow_to_array(p, value); break;
	}
}

void
pruner_evaluate(Pruner *p)
{
	MemoryContext old;

	ResetExprContext(p->econtext);
	p->nothing = p->by_trace = false;
	p->lo = DT_NOBEGIN;
	p->hi = DT_NOEND;
	old = MemoryContextSwitchTo(p->econtext->ecxt_per_tuple_memory);
	for (int i = 0; i < p->n && !p->nothing; i++)
	{
		bool isnull;
		Datum value = ExecEvalExpr(p->exprs[i], p->econtext, &isnull);

		/* The operators are strict. */
		if (isnull)
			p->nothing = true;
		else
			apply(p, i, value);
	}
	if (p->lo > p->hi)
		p->nothing = true;
	MemoryContextSwitchTo(old);
}

static bool
time_meets(const Pruner *p, uint64 start_min, uint64 start_max)
{
	int16 below;

	return types_unix_ns_time(start_min, &below) <= p->hi && types_unix_ns_time(start_max, &below) >= p->lo;
}

static bool
traces_meet(const Pruner *p, const uint8 *first, const uint8 *last)
{
	if (!p->by_trace)
		return true;
	for (int i = 0; i < p->ntraces; i++)
		if (memcmp(p->traces + i * TRACE_ID_BYTES, first, TRACE_ID_BYTES) >= 0 &&
			memcmp(p->traces + i * TRACE_ID_BYTES, last, TRACE_ID_BYTES) <= 0)
			return true;
	return false;
}

bool
pruner_keeps_unit(const Pruner *p, const StoreUnit *unit)
{
	const ImageSummary *s = &unit->summary;

	if (p->nothing)
		return false;
	return !unit->has_range ||
		   (time_meets(p, s->start_min, s->start_max) && traces_meet(p, s->trace_min, s->trace_max));
}

/* More ids than this are not worth a probe each: the vectors' ranges remain. */
#define MAX_BLOOM_PROBES 1000

/* Vectors that may hold one of the traces; NULL: none does. */
static Bitmapset *
trace_vectors(const Pruner *p, Image *image)
{
	Bitmapset *vectors = NULL;

	for (int i = 0; i < p->ntraces; i++)
	{
		const uint8 *id = p->traces + i * TRACE_ID_BYTES;
		int64 v = image_maybe_trace(image, id) ? image_find_trace(image, id, 0) : -1;

		for (; v >= 0; v = image_find_trace(image, id, (uint32) v + 1))
			vectors = bms_add_member(vectors, (int) v);
	}
	return vectors;
}

bool
pruner_keeps_image(Pruner *p, Image *image)
{
	MemoryContext old;

	bms_free(p->vectors);
	p->vectors = NULL;
	p->by_vector = p->by_trace && p->ntraces <= MAX_BLOOM_PROBES;
	if (!p->by_vector)
		return true;
	old = MemoryContextSwitchTo(p->econtext->ecxt_per_query_memory);
	p->vectors = trace_vectors(p, image);
	MemoryContextSwitchTo(old);
	return p->vectors != NULL;
}

bool
pruner_keeps_vector(const Pruner *p, const ImageVector *info, uint32 v)
{
	return time_meets(p, (uint64) info->start_min, (uint64) info->start_max) &&
		   (p->by_vector ? bms_is_member((int) v, p->vectors)
						 : traces_meet(p, info->trace_min, info->trace_max));
}
