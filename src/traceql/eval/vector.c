/*
 * vector.c
 *	  Evaluation of a condition over all rows of the unit at once: a byte of truth a row. Comparisons of an
 *	  attribute with a literal go to leaf.c; what neither knows is evaluated row by row.
 */
#include "traceql/eval/internal.h"

static bool
any(const uint8_t *mask, uint32_t n)
{
	return memchr(mask, 1, n) != NULL;
}

static void
rowwise(TraceqlRun *run, const Node *node, const uint8_t *mask, uint8_t *out)
{
	for (uint32_t r = 0; r < run->unit.nrows; r++)
	{
		Binding at = {r, ROW_NONE, ROW_NONE};

		if (!mask[r])
			continue;
		run_tick(run);
		out[r] = node_truth(run, node, at);
	}
}

/* What the next operand decides: rows where what came before left the question open. */
static void
open_rows(const uint8_t *mask, const uint8_t *acc, uint8_t open, uint8_t *out, uint32_t n)
{
	for (uint32_t r = 0; r < n; r++)
		out[r] = mask[r] && acc[r] == open;
}

static void
close_rows(const uint8_t *asked, const uint8_t *answer, uint8_t *acc, uint32_t n)
{
	for (uint32_t r = 0; r < n; r++)
	{
		uint8_t v = asked[r] ? answer[r] : acc[r];

		acc[r] = v == TRI_OTHER ? TRI_FALSE : v;
	}
}

static void
vector_logic(TraceqlRun *run, const Node *node, const uint8_t *mask, uint8_t *out)
{
	uint32_t n = run->unit.nrows;
	uint8_t *asked = run_get_bytes(run);
	uint8_t *answer = run_get_bytes(run);

	vector_truth(run, node->items[0], mask, out);
	for (uint32_t i = 1; i < node->nitems; i++)
	{
		open_rows(mask, out, node->ops[i] == TQL_OP_AND ? TRI_TRUE : TRI_FALSE, asked, n);
		if (any(asked, n))
			vector_truth(run, node->items[i], asked, answer);
		close_rows(asked, answer, out, n);
	}
	run_put_bytes(run, answer);
	run_put_bytes(run, asked);
}

static void
vector_not(TraceqlRun *run, const Node *node, const uint8_t *mask, uint8_t *out)
{
	static const uint8_t negated[4] = {TRI_TRUE, TRI_FALSE, TRI_ERROR, TRI_ERROR};

	vector_truth(run, node->left, mask, out);
	for (uint32_t r = 0; r < run->unit.nrows; r++)
		out[r] = negated[out[r] & 3];
}

void
vector_truth(TraceqlRun *run, const Node *node, const uint8_t *mask, uint8_t *out)
{
	run_tick(run);
	if (run->options.rowwise)
		rowwise(run, node, mask, out);
	else if (node->kind == NODE_CONST)
		memset(out, eval_truth(&node->value), run->unit.nrows);
	else if (node->kind == NODE_LOGIC)
		vector_logic(run, node, mask, out);
	else if (node->kind == NODE_NOT)
		vector_not(run, node, mask, out);
	else if (!leaf_truth(run, node, mask, out))
		rowwise(run, node, mask, out);
}
