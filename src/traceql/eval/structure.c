/*
 * structure.c
 *	  Structural operators between two sets of spans of one trace, on nested-set numbers; on parents as rows
 *	  (family.c) where storage knows them. The result is
 *	  always a part of the right side, for the union forms of both. Every relation is a sort and a binary
 *	  search a span, whatever the size of the trace.
 *
 *	  With l of the left side A and r of the right side B, numbers 0 meaning not connected:
 *	    l >  r   r.parent = l.left                 l <  r   l.parent = r.left
 *	    l >> r   l.left < r.left < l.right         l << r   r.left < l.left < r.right
 *	    l ~  r   l.parent = r.parent, l is not r
 */
#include "traceql/eval/internal.h"

#include <stdlib.h>

/* A number of a span of A; for >> also the largest right number so far, in order of left numbers. */
typedef struct Key
{
	int32_t number;
	int32_t reach;
} Key;

static int
key_cmp(const void *a, const void *b)
{
	const Key *x = a;
	const Key *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* Index of the first key not below number. */
static uint32_t
lower_bound(const Key *keys, uint32_t n, int32_t number)
{
	uint32_t lo = 0;

	while (n > 0)
	{
		uint32_t half = n / 2;

		if (keys[lo + half].number < number)
		{
			lo += half + 1;
			n -= half + 1;
		}
		else
			n = half;
	}
	return lo;
}

static bool
has_key(const Key *keys, uint32_t n, int32_t number)
{
	uint32_t at = lower_bound(keys, n, number);

	return number != 0 && at < n && keys[at].number == number;
}

/* The numbers of A that op looks for, sorted; unconnected spans relate to nothing and are left out. */
static uint32_t
make_keys(TraceqlOp op, const Tree *tree, const uint32_t *a, uint32_t na, Key *keys)
{
	const int32_t *from = op == TQL_OP_PARENT || op == TQL_OP_SIBLING ? tree->parent : tree->left;
	uint32_t n = 0;

	for (uint32_t i = 0; i < na; i++)
	{
		if (from[a[i]] != 0)
			keys[n++] = (Key){from[a[i]], tree->right[a[i]]};
	}
	qsort(keys, n, sizeof(Key), key_cmp);
	for (uint32_t i = 1; i < n; i++)
	{
		if (keys[i].reach < keys[i - 1].reach)
			keys[i].reach = keys[i - 1].reach;
	}
	return n;
}

static bool
related(TraceqlOp op, const Tree *tree, const Key *keys, uint32_t n, uint32_t row, bool in_a)
{
	int32_t left = tree->left[row];
	int32_t parent = tree->parent[row];
	uint32_t at;

	if (left == 0)
		return false;
	switch (op)
	{
		case TQL_OP_CHILD: return parent > 0 && has_key(keys, n, parent);
		case TQL_OP_PARENT: return has_key(keys, n, left);
		case TQL_OP_DESCENDANT: at = lower_bound(keys, n, left); return at > 0 && keys[at - 1].reach > left;
		case TQL_OP_ANCESTOR:
			at = lower_bound(keys, n, left + 1);
			return at < n && keys[at].number < tree->right[row];
		case TQL_OP_SIBLING: /* another one than itself */
			at = lower_bound(keys, n, parent);
			at += in_a ? 1 : 0;
			return at < n && keys[at].number == parent;
		default: return false;
	}
}

typedef struct Form
{
	TraceqlOp relation;
	TraceqlOp inverse;
	bool negated;
	bool both;
} Form;

static Form
form_of(TraceqlOp op)
{
	switch (op)
	{
		case TQL_OP_CHILD: return (Form){TQL_OP_CHILD, TQL_OP_PARENT, false, false};
		case TQL_OP_DESCENDANT: return (Form){TQL_OP_DESCENDANT, TQL_OP_ANCESTOR, false, false};
		case TQL_OP_PARENT: return (Form){TQL_OP_PARENT, TQL_OP_CHILD, false, false};
		case TQL_OP_ANCESTOR: return (Form){TQL_OP_ANCESTOR, TQL_OP_DESCENDANT, false, false};
		case TQL_OP_SIBLING: return (Form){TQL_OP_SIBLING, TQL_OP_SIBLING, false, false};
		case TQL_OP_NOT_CHILD: return (Form){TQL_OP_CHILD, TQL_OP_PARENT, true, false};
		case TQL_OP_NOT_DESCENDANT: return (Form){TQL_OP_DESCENDANT, TQL_OP_ANCESTOR, true, false};
		case TQL_OP_NOT_PARENT: return (Form){TQL_OP_PARENT, TQL_OP_CHILD, true, false};
		case TQL_OP_NOT_ANCESTOR: return (Form){TQL_OP_ANCESTOR, TQL_OP_DESCENDANT, true, false};
		case TQL_OP_NOT_SIBLING: return (Form){TQL_OP_SIBLING, TQL_OP_SIBLING, true, false};
		case TQL_OP_UNION_CHILD: return (Form){TQL_OP_CHILD, TQL_OP_PARENT, false, true};
		case TQL_OP_UNION_DESCENDANT: return (Form){TQL_OP_DESCENDANT, TQL_OP_ANCESTOR, false, true};
		case TQL_OP_UNION_PARENT: return (Form){TQL_OP_PARENT, TQL_OP_CHILD, false, true};
		case TQL_OP_UNION_ANCESTOR: return (Form){TQL_OP_ANCESTOR, TQL_OP_DESCENDANT, false, true};
		default: return (Form){TQL_OP_SIBLING, TQL_OP_SIBLING, false, true};
	}
}

/* Rows of b that stand in the relation to some row of a, or to none when negated. Both ascend. */
static uint32_t
relate(TraceqlRun *run, TraceqlOp op, bool negated, uint32_t trace, const uint32_t *a, uint32_t na,
	   const uint32_t *b, uint32_t nb, uint32_t *out)
{
	const Tree *tree;
	Key *keys;
	uint32_t nkeys;
	uint32_t n = 0;
	uint32_t i = 0;

	if (batch_parent_rows(run->unit.batch) && !run->options.rowwise)
		return family_relate(run, op, negated, trace, a, na, b, nb, out);
	tree = tree_of(run, trace);
	keys = arena_alloc(run->scratch, (na + 1) * sizeof(Key));
	nkeys = make_keys(op, tree, a, na, keys);

	for (uint32_t j = 0; j < nb; j++)
	{
		while (i < na && a[i] < b[j])
			i++;
		if (related(op, tree, keys, nkeys, b[j], i < na && a[i] == b[j]) != negated)
			out[n++] = b[j];
	}
	return n;
}

uint32_t
rows_union(const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb, uint32_t *out)
{
	uint32_t i = 0;
	uint32_t j = 0;
	uint32_t n = 0;

	while (i < na || j < nb)
	{
		if (j == nb || (i < na && a[i] < b[j]))
			out[n++] = a[i++];
		else
		{
			i += i < na && a[i] == b[j];
			out[n++] = b[j++];
		}
	}
	return n;
}

uint32_t
structure_rows(TraceqlRun *run, TraceqlOp op, uint32_t trace, const uint32_t *a, uint32_t na,
			   const uint32_t *b, uint32_t nb, uint32_t *out)
{
	Form form = form_of(op);
	uint32_t *right;
	uint32_t *left;
	uint32_t nright;
	uint32_t nleft;

	run_tick(run);
	tree_check_size(run, trace);
	if (!form.both)
		return relate(run, form.relation, form.negated, trace, a, na, b, nb, out);
	right = arena_alloc(run->scratch, (nb + 1) * sizeof(uint32_t));
	left = arena_alloc(run->scratch, (na + 1) * sizeof(uint32_t));
	nright = relate(run, form.relation, false, trace, a, na, b, nb, right);
	nleft = relate(run, form.inverse, false, trace, b, nb, a, na, left);
	return rows_union(left, nleft, right, nright, out);
}
