/*
 * prune.c
 *	  What an image tells without reading blocks: which conditions of a query some row of a vector may
 *	  satisfy. Told by the keys an image has, its dictionaries, zone maps and filters.
 *
 *	  A condition is taken apart down to comparisons of an attribute with a literal; whatever is not known to
 *	  be false may be true. What holds for all of an image is worked out once and kept with the node.
 */
#include "traceql/eval/internal.h"

/* Larger dictionaries are not gone through. */
#define MAX_DICTIONARY 4096

enum
{
	MAY_NEVER,
	MAY_BE,
	MAY_BY_VECTOR /* ask for each vector */
};

struct NodeMay
{
	uint64_t source; /* the image it was worked out for */
	uint8_t state;
	uint32_t ncolumns; /* attribute columns to ask about; intrinsics: 0 */
	uint32_t cap_columns;
	uint32_t *columns;
};

struct NodeMay *
prune_nodes(Arena *arena, uint32_t n)
{
	return arena_alloc0(arena, ((size_t) n + 1) * sizeof(struct NodeMay));
}

typedef struct Asking
{
	TraceqlRun *run;
	Image *image;
	uint64_t source;
	uint32_t v;
} Asking;

/* ---- numbers ---- */

static bool
range_may(TraceqlOp op, int64_t k, int64_t min, int64_t max)
{
	switch (op)
	{
		case TQL_OP_EQ: return min <= k && k <= max;
		case TQL_OP_NE: return min != k || max != k;
		case TQL_OP_LT: return min < k;
		case TQL_OP_LE: return min <= k;
		case TQL_OP_GT: return max > k;
		case TQL_OP_GE: return max >= k;
		default: return true;
	}
}

static bool
number_may(const Asking *a, const Node *node, LoadWhat what, uint32_t which)
{
	int64_t min, max;

	return !image_zone(a->image, LEVEL_SPAN, what, which, a->v, &min, &max) ||
		   range_may(node->op, node->right->value.i, min, max);
}

/* status and kind; what is outside of the enumeration reads as its zero. */
static bool
enum_may(const Asking *a, const Node *node, SpanCol col, EvalType type, int64_t last)
{
	int64_t min, max;

	if (!image_zone(a->image, LEVEL_SPAN, LOAD_COLUMN, col, a->v, &min, &max) || min < 0 || max > last)
		return true;
	for (EvalValue v = {.type = type, .i = min}; v.i <= max; v.i++)
		if (leaf_decide(node, &v) == TRI_TRUE)
			return true;
	return false;
}

/* ---- strings ---- */

static bool
string_may(const Asking *a, const Node *node, LoadWhat what, uint32_t which)
{
	Str s = node->right->value.s;

	return image_maybe_string(a->image, LEVEL_SPAN, what, which, a->v, s, codec_hash64(s.p, s.len));
}

static bool
equals_string(const Node *node)
{
	return node->kind == NODE_COMPARE && node->op == TQL_OP_EQ && node->right->value.type == EVAL_STRING;
}

/* Nulls read as empty. */
static bool
dictionary_may(const Asking *a, const Node *node, LoadWhat what, uint32_t which)
{
	EvalValue v = {.type = EVAL_STRING, .s = {"", 0}};
	DictCache *cache = &a->run->decisions[node->id];
	uint32_t n;
	const Str *dict = image_strings(a->image, LEVEL_SPAN, what, which, &n);

	if (!dict || n > MAX_DICTIONARY || leaf_decide(node, &v) == TRI_TRUE)
		return true;
	dict_cache_for(a->run, cache, a->source, dict, n, false);
	for (uint32_t i = 0; i < n; i++)
	{
		if (!cache->state[i])
		{
			v.s = dict[i];
			cache->state[i] = leaf_decide(node, &v) + 1;
		}
		if (cache->state[i] == TRI_TRUE + 1)
			return true;
	}
	return false;
}

/* Resources and scopes: whole attribute sets are entries. */
static bool
entries_may(const Asking *a, const Node *node, const Slot *slot)
{
	SpanCol col = slot->kind == SLOT_SCOPE ? SC_SCOPE : SC_RESOURCE;
	uint32_t n;
	const Str *dict = image_strings(a->image, LEVEL_SPAN, LOAD_COLUMN, col, &n);
	EvalValue v = slot_entry_parse(slot, str_of("", 0));

	if (!dict || n > MAX_DICTIONARY || leaf_decide(node, &v) == TRI_TRUE)
		return true;
	for (uint32_t i = 0; i < n; i++)
	{
		v = slot_entry_parse(slot, dict[i]);
		if (leaf_decide(node, &v) == TRI_TRUE)
			return true;
	}
	return false;
}

static uint8_t
string_column_state(const Asking *a, const Node *node, LoadWhat what, uint32_t which)
{
	if (equals_string(node) && image_has_filter(a->image, LEVEL_SPAN, what, which))
		return MAY_BY_VECTOR;
	return dictionary_may(a, node, what, which) ? MAY_BE : MAY_NEVER;
}

/* ---- attributes ---- */

static void
ask_column(TraceqlRun *run, struct NodeMay *may, uint32_t column)
{
	if (may->ncolumns == may->cap_columns)
	{
		uint32_t cap = may->cap_columns ? may->cap_columns * 2 : 4;

		may->columns =
			arena_grow(run->arena, may->columns, may->cap_columns * sizeof(uint32_t), cap * sizeof(uint32_t));
		may->cap_columns = cap;
	}
	may->columns[may->ncolumns++] = column;
}

static uint8_t
attr_column_state(const Asking *a, const Node *node, const AttrColumn *column, uint32_t index)
{
	if (node->kind == NODE_NOT_NIL)
		return MAY_BE;
	if (node->kind != NODE_COMPARE || !node->strict)
		return MAY_BE;
	if (!leaf_type_seen(column->type, node->right->value.type))
		return MAY_NEVER;
	if (column->type == VALUE_STRING)
		return string_column_state(a, node, LOAD_ATTR, index);
	return column->type == VALUE_INT ? MAY_BY_VECTOR : MAY_BE;
}

static uint8_t
attr_state(const Asking *a, const Node *node, const Slot *slot, struct NodeMay *may)
{
	uint8_t state = MAY_NEVER;
	uint32_t n;
	const AttrColumn *columns = image_attrs(a->image, LEVEL_SPAN, &n);

	if (node->kind == NODE_IS_NIL || (node->kind == NODE_COMPARE && !node->strict))
		return MAY_BE;
	may->ncolumns = 0;
	for (uint32_t i = 0; i < n; i++)
	{
		uint8_t of_column;

		if (!str_eq(columns[i].key, slot->key))
			continue;
		of_column = attr_column_state(a, node, &columns[i], i);
		if (of_column == MAY_BE)
			return MAY_BE;
		if (of_column == MAY_BY_VECTOR)
		{
			state = MAY_BY_VECTOR;
			ask_column(a->run, may, i);
		}
	}
	if (slot->kind == SLOT_ANY && entries_may(a, node, slot))
		return MAY_BE;
	return state;
}

static bool
attr_may(const Asking *a, const Node *node, const struct NodeMay *may)
{
	uint32_t n;
	const AttrColumn *columns = image_attrs(a->image, LEVEL_SPAN, &n);

	for (uint32_t i = 0; i < may->ncolumns; i++)
	{
		uint32_t k = may->columns[i];

		if (columns[k].type == VALUE_INT ? number_may(a, node, LOAD_ATTR, k)
										 : string_may(a, node, LOAD_ATTR, k))
			return true;
	}
	return false;
}

/* ---- intrinsics ---- */

/* The string column of an intrinsic, or -1. */
static int
string_intrinsic(TraceqlIntrinsic intrinsic)
{
	switch (intrinsic)
	{
		case TQL_NAME: return SC_NAME;
		case TQL_STATUS_MESSAGE: return SC_STATUS_MESSAGE;
		case TQL_INSTRUMENTATION_NAME: return SC_SCOPE_NAME;
		case TQL_INSTRUMENTATION_VERSION: return SC_SCOPE_VERSION;
		default: return -1;
	}
}

static uint8_t
intrinsic_state(const Asking *a, const Node *node, const Slot *slot)
{
	EvalType type = node->kind == NODE_COMPARE ? node->right->value.type : EVAL_NIL;

	if (node->kind != NODE_COMPARE)
		return MAY_BE;
	if (string_intrinsic(slot->intrinsic) >= 0)
		return string_column_state(a, node, LOAD_COLUMN, (uint32_t) string_intrinsic(slot->intrinsic));
	switch (slot->intrinsic)
	{
		case TQL_DURATION: return type == EVAL_INT || type == EVAL_DURATION ? MAY_BY_VECTOR : MAY_BE;
		case TQL_STATUS:
		case TQL_KIND: return MAY_BY_VECTOR;
		default: return MAY_BE;
	}
}

static bool
intrinsic_may(const Asking *a, const Node *node, const Slot *slot)
{
	switch (slot->intrinsic)
	{
		case TQL_DURATION: return number_may(a, node, LOAD_COLUMN, SC_DURATION);
		case TQL_STATUS: return enum_may(a, node, SC_STATUS, EVAL_STATUS, 2);
		case TQL_KIND: return enum_may(a, node, SC_KIND, EVAL_KIND, 5);
		default: return string_may(a, node, LOAD_COLUMN, (uint32_t) string_intrinsic(slot->intrinsic));
	}
}

/* ---- conditions ---- */

static uint8_t
leaf_state(const Asking *a, const Node *node, const Slot *slot, struct NodeMay *may)
{
	switch (slot->kind)
	{
		case SLOT_SPAN:
		case SLOT_ANY: return attr_state(a, node, slot, may);
		case SLOT_RESOURCE:
		case SLOT_SCOPE: return entries_may(a, node, slot) ? MAY_BE : MAY_NEVER;
		case SLOT_INTRINSIC: return intrinsic_state(a, node, slot);
		default: return MAY_BE;
	}
}

static bool
leaf_may(const Asking *a, const Node *node)
{
	const Slot *slot = node->left->slot;
	struct NodeMay *may = &a->run->may[node->id];

	if (may->source != a->source)
	{
		may->state = leaf_state(a, node, slot, may);
		may->source = a->source;
	}
	if (may->state != MAY_BY_VECTOR)
		return may->state == MAY_BE;
	return slot->kind == SLOT_INTRINSIC ? intrinsic_may(a, node, slot) : attr_may(a, node, may);
}

static bool
is_leaf(const Node *node)
{
	if (!node->left || node->left->kind != NODE_SLOT)
		return false;
	return node->kind == NODE_IS_NIL || node->kind == NODE_NOT_NIL ||
		   (node->kind == NODE_COMPARE && node->right->kind == NODE_CONST);
}

static bool
node_may(const Asking *a, const Node *node)
{
	bool may;

	if (is_leaf(node))
		return leaf_may(a, node);
	if (node->kind != NODE_LOGIC)
		return true;
	may = node_may(a, node->items[0]);
	for (uint32_t i = 1; i < node->nitems; i++)
	{
		if (node->ops[i] == TQL_OP_AND)
			may = may && node_may(a, node->items[i]);
		else
			may = may || node_may(a, node->items[i]);
	}
	return may;
}

static bool
filter_may(const Asking *a, const Filter *filter)
{
	for (uint32_t i = 0; i < filter->nsimple; i++)
		if (!node_may(a, filter->simple[i]))
			return false;
	return true;
}

uint32_t
traceql_run_may(TraceqlRun *run, Image *image, uint64_t source, uint32_t v)
{
	Asking a = {run, image, source, v};
	uint32_t bits = 0;

	for (uint32_t c = 0; c < run->plan->nneed; c++)
		for (uint32_t f = 0; f < run->plan->need[c].n; f++)
			if (filter_may(&a, run->plan->need[c].filters[f]))
			{
				bits |= 1u << c;
				break;
			}
	return bits;
}
