/*
 * leaf.c
 *	  Comparisons of an attribute or intrinsic with a literal over all rows of a unit: numbers by column,
 *	  strings and attribute sets once per dictionary entry, attributes on the dense column of their type.
 */
#include "traceql/eval/internal.h"

/* ---- numbers ---- */

#define COMPARE_LOOP(OP)                                                                                     \
	for (uint32_t i = 0; i < n; i++)                                                                         \
		out[i] = v[i] OP k;                                                                                  \
	break

static void
compare_i64(TraceqlOp op, const int64_t *v, uint32_t n, int64_t k, uint8_t *out)
{
	switch (op)
	{
		case TQL_OP_EQ: COMPARE_LOOP(==);
		case TQL_OP_NE: COMPARE_LOOP(!=);
		case TQL_OP_LT: COMPARE_LOOP(<);
		case TQL_OP_LE: COMPARE_LOOP(<=);
		case TQL_OP_GT: COMPARE_LOOP(>);
		case TQL_OP_GE: COMPARE_LOOP(>=);
		default: memset(out, TRI_FALSE, n); break;
	}
}

static void
compare_f64(TraceqlOp op, const double *v, uint32_t n, double k, uint8_t *out)
{
	switch (op)
	{
		case TQL_OP_EQ: COMPARE_LOOP(==);
		case TQL_OP_NE: COMPARE_LOOP(!=);
		case TQL_OP_LT: COMPARE_LOOP(<);
		case TQL_OP_LE: COMPARE_LOOP(<=);
		case TQL_OP_GT: COMPARE_LOOP(>);
		case TQL_OP_GE: COMPARE_LOOP(>=);
		default: memset(out, TRI_FALSE, n); break;
	}
}

uint8_t
leaf_decide(const Node *node, const EvalValue *v)
{
	if (node->kind == NODE_COMPARE)
		return eval_compare(node->op, v, &node->right->value, node->regex, node->strict);
	if (v->type == EVAL_OPAQUE)
		return TRI_FALSE;
	return (v->type == EVAL_NIL) == (node->kind == NODE_IS_NIL);
}

static bool
leaf_duration(TraceqlRun *run, const Node *node, const uint8_t *mask, uint8_t *out)
{
	const EvalValue *k = &node->right->value;

	if (node->kind != NODE_COMPARE || (k->type != EVAL_INT && k->type != EVAL_DURATION))
		return false;
	compare_i64(node->op, batch_column(run->unit.batch, LEVEL_SPAN, SC_DURATION)->i64, run->unit.nrows, k->i,
				out);
	return true;
}

/* status and kind: decide each of their few values, then look up. */
static void
leaf_enum(TraceqlRun *run, const Node *node, SpanCol col, EvalType type, int64_t last, uint8_t *out)
{
	const int64_t *v = batch_column(run->unit.batch, LEVEL_SPAN, col)->i64;
	uint8_t table[8];

	for (int64_t i = 0; i <= last; i++)
	{
		EvalValue value = {.type = type, .i = i};

		table[i] = leaf_decide(node, &value);
	}
	for (uint32_t r = 0; r < run->unit.nrows; r++)
		out[r] = table[v[r] < 0 || v[r] > last ? 0 : v[r]];
}

/* ---- dictionaries ---- */

static void
leaf_strings(TraceqlRun *run, const Node *node, SpanCol col, const uint8_t *mask, uint8_t *out)
{
	Column *column = batch_column(run->unit.batch, LEVEL_SPAN, col);
	DictCache *cache = &run->decisions[node->id];
	EvalValue empty = {.type = EVAL_STRING, .s = {"", 0}};
	uint8_t of_null = leaf_decide(node, &empty);

	dict_cache_use(run, cache, column, false);
	for (uint32_t r = 0; r < run->unit.nrows; r++)
	{
		uint32_t code = column->codes[r];

		if (!mask[r])
			continue;
		if (column->nulls && column->nulls[r])
			out[r] = of_null;
		else
		{
			if (!cache->state[code])
			{
				EvalValue v = {.type = EVAL_STRING, .s = column->dict[code]};

				cache->state[code] = leaf_decide(node, &v) + 1;
			}
			out[r] = cache->state[code] - 1;
		}
	}
}

/* A predicate on a resource or scope attribute: once per distinct resource, scope. */
static void
leaf_entries(TraceqlRun *run, const Node *node, const Slot *slot, const uint8_t *mask, uint8_t *out)
{
	Column *column = slot_entries(run, slot);
	DictCache *cache = &run->decisions[node->id];

	dict_cache_use(run, cache, column, false);
	for (uint32_t r = 0; r < run->unit.nrows; r++)
	{
		uint32_t code = column->codes[r];
		bool null = column->nulls && column->nulls[r];

		if (!mask[r])
			continue;
		if (null || !cache->state[code])
		{
			EvalValue v = slot_entry_value(run, slot, column, r);

			out[r] = leaf_decide(node, &v);
			if (!null)
				cache->state[code] = out[r] + 1;
		}
		else
			out[r] = cache->state[code] - 1;
	}
}

/* ---- attributes of spans ---- */

/* Decide the values of one dense column; truth[i] belongs to values row i. */
static void
decide_values(TraceqlRun *run, const Node *node, const AttrColumn *column, uint8_t *truth)
{
	const EvalValue *k = &node->right->value;
	uint32_t n = column->values.n;

	if (column->type == VALUE_INT && k->type == EVAL_INT)
		compare_i64(node->op, column->values.i64, n, k->i, truth);
	else if (column->type == VALUE_DOUBLE && k->type == EVAL_FLOAT)
		compare_f64(node->op, (const double *) column->values.i64, n, k->d, truth);
	else if (column->values.kind == COL_BYTES)
	{
		DictCache *cache = &run->decisions[node->id];

		dict_cache_use(run, cache, &column->values, false);
		for (uint32_t i = 0; i < n; i++)
		{
			uint32_t code = column->values.codes[i];

			if (!cache->state[code])
			{
				Value v = attr_value(column, i);
				EvalValue value = eval_from_value(&v);

				cache->state[code] = leaf_decide(node, &value) + 1;
			}
			truth[i] = cache->state[code] - 1;
		}
	}
	else
	{
		for (uint32_t i = 0; i < n; i++)
		{
			Value v = attr_value(column, i);
			EvalValue value = eval_from_value(&v);

			truth[i] = leaf_decide(node, &value);
		}
	}
}

bool
leaf_type_seen(uint8_t column, uint8_t literal)
{
	switch (literal)
	{
		case EVAL_INT: return column == VALUE_INT || column == VALUE_ARRAY;
		case EVAL_FLOAT: return column == VALUE_DOUBLE || column == VALUE_ARRAY;
		case EVAL_STRING: return column == VALUE_STRING || column == VALUE_ARRAY;
		case EVAL_BOOL: return column == VALUE_BOOL || column == VALUE_ARRAY;
		default: return false;
	}
}

/* Put the truth of the k-th column's values at their rows, where the first value of a key counts. */
static void
scatter(TraceqlRun *run, const Slot *slot, uint32_t k, const uint8_t *truth, uint32_t n, uint8_t *out)
{
	const KeyMap *map = slot_keys(run, slot)->map;
	const uint32_t *shape = slot_shapes(run, slot);
	const uint8_t *named = map->named + k;
	uint32_t at = 0;

	for (uint32_t r = 0; r < run->unit.nrows && at < n; r++)
	{
		if (!named[shape[r] * map->ncolumns])
			continue;
		if (map->ncolumns == 1 || map->first[shape[r]] == (int32_t) k)
			out[r] = truth[at];
		at++;
	}
}

/* Overwrites out at the rows where a value compares true; they read false so far. */
static void
attr_compare(TraceqlRun *run, const Node *node, const Slot *slot, uint8_t *out)
{
	const KeyMap *map = slot_keys(run, slot)->map;
	const AttrSet *set = run->unit.batch->level[LEVEL_SPAN].attrs;

	for (uint32_t k = 0; k < map->ncolumns; k++)
	{
		uint32_t index = map->columns[k];
		AttrColumn *column;
		uint8_t *truth;

		if (!leaf_type_seen(set->columns[index].type, node->right->value.type))
			continue;
		column = batch_attr_column(run->unit.batch, LEVEL_SPAN, index);
		truth = arena_alloc(run->scratch, column->values.n + 1);
		decide_values(run, node, column, truth);
		/* A strict comparison with a literal does not raise: true is all there is to tell. */
		if (column->values.n && memchr(truth, TRI_TRUE, column->values.n))
			scatter(run, slot, k, truth, column->values.n, out);
	}
}

/* Rows whose shape has the key read false: their own value, of whatever type, hides the resource's. */
static void
hide_resource(TraceqlRun *run, const Slot *slot, uint8_t *out)
{
	const int32_t *first = slot_keys(run, slot)->map->first;
	const uint32_t *shape;

	if (!memchr(out, TRI_TRUE, run->unit.nrows) || !(shape = slot_shapes(run, slot)))
		return;
	for (uint32_t r = 0; r < run->unit.nrows; r++)
	{
		if (first[shape[r]] >= 0)
			out[r] = TRI_FALSE;
	}
}

static bool
leaf_attr(TraceqlRun *run, const Node *node, const Slot *slot, const uint8_t *mask, uint8_t *out)
{
	if (!node->strict)
		return false;
	memset(out, TRI_FALSE, run->unit.nrows);
	if (slot->kind == SLOT_ANY)
	{
		leaf_entries(run, node, slot, mask, out);
		hide_resource(run, slot, out);
	}
	attr_compare(run, node, slot, out);
	return true;
}

/* = nil and != nil follow from the shapes, but for arrays, which may be opaque. */
static void
leaf_nil(TraceqlRun *run, const Node *node, const Slot *slot, const uint8_t *mask, uint8_t *out)
{
	const AttrSet *set = run->unit.batch->level[LEVEL_SPAN].attrs;
	SlotState *state = slot_keys(run, slot);

	if (slot->kind == SLOT_ANY)
		leaf_entries(run, node, slot, mask, out);
	else
		memset(out, node->kind == NODE_IS_NIL, run->unit.nrows);
	if (!slot_shapes(run, slot))
		return;
	for (uint32_t r = 0; r < run->unit.nrows; r++)
	{
		int32_t k = state->map->first[state->shape[r]];
		uint8_t type;

		if (!mask[r] || k < 0)
			continue;
		type = set->columns[state->map->columns[k]].type;
		if (type == VALUE_ARRAY)
		{
			EvalValue v = slot_level_value(run, slot, r);

			out[r] = leaf_decide(node, &v);
		}
		else
			out[r] = node->kind == NODE_NOT_NIL && type != VALUE_EMPTY && type != VALUE_BYTES &&
					 type != VALUE_KVLIST;
	}
}

/* ---- intrinsics ---- */

static void
leaf_trace(TraceqlRun *run, const Node *node, const Slot *slot, const uint8_t *mask, uint8_t *out)
{
	const Unit *unit = &run->unit;

	for (uint32_t t = 0; t < unit->ntraces; t++)
	{
		uint32_t n = unit->first[t + 1] - unit->first[t];
		EvalValue v;

		if (!memchr(mask + unit->first[t], 1, n))
			continue;
		run_tick(run);
		v = slot_trace_value(run, slot, t);
		memset(out + unit->first[t], leaf_decide(node, &v), n);
	}
}

/* Span and parent ids compared for equality with a literal: as numbers. */
static bool
leaf_id(TraceqlRun *run, const Node *node, SpanCol col, uint8_t *out)
{
	const EvalValue *k = &node->right->value;
	uint64_t id = 0;
	bool valid;

	if (node->kind != NODE_COMPARE || k->type != EVAL_STRING ||
		(node->op != TQL_OP_EQ && node->op != TQL_OP_NE))
		return false;
	valid = k->s.len == 16;
	for (uint32_t i = 0; valid && i < 16; i++)
	{
		const char *digits = "0123456789abcdef";
		const char *d = memchr(digits, k->s.p[i], 16);

		valid = d != NULL;
		id = id << 4 | (valid ? (uint64_t) (d - digits) : 0);
	}
	if (valid)
		compare_i64(node->op, batch_column(run->unit.batch, LEVEL_SPAN, col)->i64, run->unit.nrows,
					(int64_t) id, out);
	else
		memset(out, node->op == TQL_OP_NE, run->unit.nrows);
	return true;
}

static bool
leaf_intrinsic(TraceqlRun *run, const Node *node, const Slot *slot, const uint8_t *mask, uint8_t *out)
{
	if (slot_of_trace(slot))
	{
		leaf_trace(run, node, slot, mask, out);
		return true;
	}
	switch (slot->intrinsic)
	{
		case TQL_DURATION: return leaf_duration(run, node, mask, out);
		case TQL_STATUS: leaf_enum(run, node, SC_STATUS, EVAL_STATUS, 2, out); return true;
		case TQL_KIND: leaf_enum(run, node, SC_KIND, EVAL_KIND, 5, out); return true;
		case TQL_NAME: leaf_strings(run, node, SC_NAME, mask, out); return true;
		case TQL_STATUS_MESSAGE: leaf_strings(run, node, SC_STATUS_MESSAGE, mask, out); return true;
		case TQL_INSTRUMENTATION_NAME: leaf_strings(run, node, SC_SCOPE_NAME, mask, out); return true;
		case TQL_INSTRUMENTATION_VERSION: leaf_strings(run, node, SC_SCOPE_VERSION, mask, out); return true;
		case TQL_SPAN_ID: return leaf_id(run, node, SC_SPAN_ID, out);
		case TQL_PARENT_ID: return leaf_id(run, node, SC_PARENT_ID, out);
		default: return false;
	}
}

bool
leaf_truth(TraceqlRun *run, const Node *node, const uint8_t *mask, uint8_t *out)
{
	const Slot *slot = node->left && node->left->kind == NODE_SLOT ? node->left->slot : NULL;
	bool compare = node->kind == NODE_COMPARE && node->right->kind == NODE_CONST;
	bool nil = node->kind == NODE_IS_NIL || node->kind == NODE_NOT_NIL;

	if (!slot || (!compare && !nil))
		return false;
	switch (slot->kind)
	{
		case SLOT_INTRINSIC: return leaf_intrinsic(run, node, slot, mask, out);
		case SLOT_RESOURCE:
		case SLOT_SCOPE: leaf_entries(run, node, slot, mask, out); return true;
		case SLOT_SPAN:
		case SLOT_ANY:
			if (compare)
				return leaf_attr(run, node, slot, mask, out);
			leaf_nil(run, node, slot, mask, out);
			return true;
		default: return false;
	}
}
