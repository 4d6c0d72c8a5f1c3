/*
 * family.c
 *	  Structural operators on parents that storage knows as rows, where span ids are plain (batch.h): no id is
 *	  looked up, and only rows on the way from the spans at hand to their roots are visited.
 *
 *	  The relations are those of structure.c, in terms of parents. A span is connected when its ancestors end
 *	  in a span without parent; all such roots of a trace are siblings. Spans that are not connected relate to
 *	  nothing.
 */
#include "traceql/eval/internal.h"

/* What is known of a row; of the trace at hand only, and cleared behind it. */
enum
{
	ROW_CONNECTED = 1,
	ROW_LOOSE = 2,
	ROW_ON_THE_WAY = 4,
	ROW_OF_A = 8,
	ROW_BELOW_A = 16, /* some ancestor is of A */
	ROW_NOT_BELOW_A = 32,
	ROW_ABOVE_A = 64 /* some descendant is of A */
};

typedef struct Family
{
	const int32_t *up;
	uint8_t *know;
	uint32_t *count; /* by parent: its children of A; roots count at the trace's first row */
	uint32_t first;
	uint32_t n;
} Family;

/* Does the way up end in a root? Ways that run in circles do not. */
static bool
connected(Family *f, uint32_t row)
{
	uint32_t r = row;
	uint8_t known;

	while (!(f->know[r] & (ROW_CONNECTED | ROW_LOOSE)))
	{
		if (f->know[r] & ROW_ON_THE_WAY || f->up[r] == PARENT_ROW_ELSEWHERE)
			f->know[r] |= ROW_LOOSE;
		else if (f->up[r] == PARENT_ROW_NONE)
			f->know[r] |= ROW_CONNECTED;
		else
		{
			f->know[r] |= ROW_ON_THE_WAY;
			r = (uint32_t) f->up[r];
		}
	}
	known = f->know[r] & (ROW_CONNECTED | ROW_LOOSE);
	for (r = row; !(f->know[r] & (ROW_CONNECTED | ROW_LOOSE)); r = (uint32_t) f->up[r])
		f->know[r] |= known;
	return known == ROW_CONNECTED;
}

/* Is some ancestor of a connected row of A? */
static bool
below_a(Family *f, uint32_t row)
{
	uint32_t r = row;
	uint8_t known;

	while (!(f->know[r] & (ROW_BELOW_A | ROW_NOT_BELOW_A)))
	{
		if (f->up[r] == PARENT_ROW_NONE)
			f->know[r] |= ROW_NOT_BELOW_A;
		else if (f->know[f->up[r]] & ROW_OF_A)
			f->know[r] |= ROW_BELOW_A;
		else
			r = (uint32_t) f->up[r];
	}
	known = f->know[r] & (ROW_BELOW_A | ROW_NOT_BELOW_A);
	for (r = row; !(f->know[r] & (ROW_BELOW_A | ROW_NOT_BELOW_A)); r = (uint32_t) f->up[r])
		f->know[r] |= known;
	return known == ROW_BELOW_A;
}

static void
mark_above(Family *f, uint32_t row)
{
	for (int32_t r = f->up[row]; r != PARENT_ROW_NONE && !(f->know[r] & ROW_ABOVE_A); r = f->up[r])
		f->know[r] |= ROW_ABOVE_A;
}

static uint32_t *
children_of_a(Family *f, uint32_t row)
{
	return &f->count[f->up[row] == PARENT_ROW_NONE ? 0 : (uint32_t) f->up[row] - f->first + 1];
}

/* What the spans of A mean for others. */
static void
prepare(Family *f, TraceqlOp op, const uint32_t *a, uint32_t na)
{
	for (uint32_t i = 0; i < na; i++)
	{
		if (!connected(f, a[i]))
			continue;
		f->know[a[i]] |= ROW_OF_A;
		if (op == TQL_OP_SIBLING)
			++*children_of_a(f, a[i]);
		else if (op == TQL_OP_ANCESTOR)
			mark_above(f, a[i]);
		else if (op == TQL_OP_PARENT && f->up[a[i]] != PARENT_ROW_NONE)
			f->know[f->up[a[i]]] |= ROW_ABOVE_A;
	}
}

static bool
related(Family *f, TraceqlOp op, uint32_t row)
{
	if (!connected(f, row))
		return false;
	switch (op)
	{
		case TQL_OP_CHILD: return f->up[row] != PARENT_ROW_NONE && (f->know[f->up[row]] & ROW_OF_A);
		case TQL_OP_PARENT:
		case TQL_OP_ANCESTOR: return f->know[row] & ROW_ABOVE_A;
		case TQL_OP_DESCENDANT: return below_a(f, row);
		case TQL_OP_SIBLING: /* another one than itself */
			return *children_of_a(f, row) > ((f->know[row] & ROW_OF_A) != 0);
		default: return false;
	}
}

uint32_t
family_relate(TraceqlRun *run, TraceqlOp op, bool negated, uint32_t trace, const uint32_t *a, uint32_t na,
			  const uint32_t *b, uint32_t nb, uint32_t *out)
{
	Unit *unit = &run->unit;
	Family f = {.up = batch_parent_rows(unit->batch), .first = unit->first[trace]};
	uint32_t n = 0;

	f.n = unit->first[trace + 1] - f.first;
	if (!unit->know)
		unit->know = arena_alloc(run->scratch, (size_t) unit->nrows + 1);
	f.know = unit->know;
	memset(f.know + f.first, 0, f.n);
	if (op == TQL_OP_SIBLING)
		f.count = arena_alloc0(run->scratch, ((size_t) f.n + 1) * sizeof(uint32_t));
	prepare(&f, op, a, na);
	for (uint32_t i = 0; i < nb; i++)
		if (related(&f, op, b[i]) != negated)
			out[n++] = b[i];
	return n;
}
