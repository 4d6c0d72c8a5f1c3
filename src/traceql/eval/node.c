/*
 * node.c
 *	  Row-at-a-time evaluation of an expression: the definition of what it means, used where nothing faster
 *	  applies and for conditions on events and links. Depth is bounded by the parser.
 */
#include "traceql/eval/internal.h"

static EvalValue
tri_value(uint8_t tri)
{
	EvalValue out = {.type = tri == TRI_ERROR ? EVAL_ERROR : EVAL_BOOL, .b = tri == TRI_TRUE};

	return out;
}

/* && and || need booleans on both sides; anything else makes them false. What decides comes first. */
static uint8_t
logic_truth(TraceqlRun *run, const Node *node, Binding at)
{
	uint8_t acc = node_truth(run, node->items[0], at);

	for (uint32_t i = 1; i < node->nitems && acc != TRI_ERROR; i++)
	{
		uint8_t open = node->ops[i] == TQL_OP_AND ? TRI_TRUE : TRI_FALSE;

		if (acc == open)
			acc = node_truth(run, node->items[i], at);
		if (acc == TRI_OTHER)
			acc = TRI_FALSE;
	}
	return acc;
}

static uint8_t
compare_truth(TraceqlRun *run, const Node *node, Binding at)
{
	EvalValue l = node_value(run, node->left, at);
	EvalValue r = node_value(run, node->right, at);

	return eval_compare(node->op, &l, &r, node->regex, node->strict);
}

static uint8_t
nil_truth(TraceqlRun *run, const Node *node, Binding at)
{
	EvalValue v = node_value(run, node->left, at);

	if (v.type == EVAL_ERROR)
		return TRI_ERROR;
	if (v.type == EVAL_OPAQUE)
		return TRI_FALSE;
	return (v.type == EVAL_NIL) == (node->kind == NODE_IS_NIL);
}

static uint8_t
not_truth(TraceqlRun *run, const Node *node, Binding at)
{
	uint8_t v = node_truth(run, node->left, at);

	if (v == TRI_TRUE)
		return TRI_FALSE;
	return v == TRI_FALSE ? TRI_TRUE : TRI_ERROR;
}

static EvalValue
negated(EvalValue v)
{
	switch (v.type)
	{
		case EVAL_INT:
		case EVAL_DURATION: v.i = (int64_t) - (uint64_t) v.i; break;
		case EVAL_FLOAT: v.d = -v.d; break;
		default: v.type = EVAL_ERROR; break;
	}
	return v;
}

static EvalValue
arith_value(TraceqlRun *run, const Node *node, Binding at)
{
	EvalValue l = node_value(run, node->left, at);
	EvalValue r = node_value(run, node->right, at);

	return eval_arith(node->op, &l, &r);
}

EvalValue
node_value(TraceqlRun *run, const Node *node, Binding at)
{
	switch (node->kind)
	{
		case NODE_CONST: return node->value;
		case NODE_SLOT: return slot_value(run, node->slot, at);
		case NODE_NEG: return negated(node_value(run, node->left, at));
		case NODE_ARITH: return arith_value(run, node, at);
		default: return tri_value(node_truth(run, node, at));
	}
}

uint8_t
node_truth(TraceqlRun *run, const Node *node, Binding at)
{
	EvalValue v;

	switch (node->kind)
	{
		case NODE_LOGIC: return logic_truth(run, node, at);
		case NODE_NOT: return not_truth(run, node, at);
		case NODE_COMPARE: return compare_truth(run, node, at);
		case NODE_IS_NIL:
		case NODE_NOT_NIL: return nil_truth(run, node, at);
		default: v = node_value(run, node, at); return eval_truth(&v);
	}
}
