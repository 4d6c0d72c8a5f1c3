/*
 * compile.c
 *	  From the syntax tree to a plan: attributes become slots, literals values, patterns compiled
 *	  expressions; && chains become conjuncts, the cheap ones first.
 */
#include "traceql/eval/internal.h"

#include <stdlib.h>

static Node *compile_expr(TraceqlPlan *plan, const TraceqlExpr *expr);
static SetExpr *compile_spanset(TraceqlPlan *plan, const TraceqlSpanset *spanset);
static Pipeline *compile_pipeline(TraceqlPlan *plan, const TraceqlPipeline *pipeline);

/* ---- slots and mentions ---- */

static void *
grow(Arena *arena, void *old, uint32_t n, uint32_t *cap, size_t size)
{
	uint32_t more = *cap ? *cap * 2 : 8;

	if (n < *cap)
		return old;
	old = arena_grow(arena, old, *cap * size, more * size);
	*cap = more;
	return old;
}

static SlotKind
slot_kind(const TraceqlAttr *attr)
{
	if (attr->intrinsic == TQL_PARENT)
		return SLOT_NOWHERE;
	if (attr->intrinsic != TQL_NOT_INTRINSIC)
		return SLOT_INTRINSIC;
	switch (attr->scope)
	{
		case TQL_SCOPE_NONE: return SLOT_ANY;
		case TQL_SCOPE_SPAN: return SLOT_SPAN;
		case TQL_SCOPE_RESOURCE: return SLOT_RESOURCE;
		case TQL_SCOPE_EVENT: return SLOT_EVENT;
		case TQL_SCOPE_LINK: return SLOT_LINK;
		case TQL_SCOPE_INSTRUMENTATION: return SLOT_SCOPE;
		default: return SLOT_NOWHERE;
	}
}

static Slot *
slot_of(TraceqlPlan *plan, const TraceqlAttr *attr)
{
	SlotKind kind = slot_kind(attr);
	Slot *slot;

	for (uint32_t i = 0; i < plan->nslots; i++)
	{
		slot = plan->slots[i];
		if (slot->kind == kind && slot->intrinsic == attr->intrinsic && str_eq(slot->key, attr->key))
			return slot;
	}
	slot = arena_alloc0(plan->arena, sizeof(Slot));
	slot->kind = kind;
	slot->intrinsic = attr->intrinsic;
	slot->key = attr->key;
	slot->attr = attr;
	slot->index = plan->nslots;
	slot->event = kind == SLOT_EVENT || attr->intrinsic == TQL_EVENT_NAME ||
				  attr->intrinsic == TQL_EVENT_TIME_SINCE_START;
	slot->link =
		kind == SLOT_LINK || attr->intrinsic == TQL_LINK_TRACE_ID || attr->intrinsic == TQL_LINK_SPAN_ID;
	plan->slots = grow(plan->arena, plan->slots, plan->nslots, &plan->cap_slots, sizeof(Slot *));
	plan->slots[plan->nslots++] = slot;
	return slot;
}

/* What answers never list among the attributes: they have fields of their own. */
static bool
never_listed(TraceqlIntrinsic intrinsic)
{
	switch (intrinsic)
	{
		case TQL_NAME:
		case TQL_DURATION:
		case TQL_TRACE_DURATION:
		case TQL_ROOT_NAME:
		case TQL_ROOT_SERVICE_NAME:
		case TQL_TRACE_ID:
		case TQL_SPAN_ID: return true;
		default: return false;
	}
}

static void
mention(TraceqlPlan *plan, const TraceqlAttr *attr, bool asked)
{
	Slot *slot = slot_of(plan, attr);

	plan->facts.name_known |= slot->intrinsic == TQL_NAME;
	if (slot->kind == SLOT_NOWHERE || never_listed(slot->intrinsic))
		return;
	for (uint32_t i = 0; i < plan->nmentions; i++)
	{
		if (plan->mentions[i].slot == slot)
		{
			plan->mentions[i].asked |= asked;
			return;
		}
	}
	plan->mentions = grow(plan->arena, plan->mentions, plan->nmentions, &plan->cap_mentions, sizeof(Mention));
	plan->mentions[plan->nmentions++] = (Mention){slot, asked};
}

static void
mention_filter(const TraceqlAttr *attr, void *ctx)
{
	mention(ctx, attr, false);
}

static void
mention_asked(const TraceqlAttr *attr, void *ctx)
{
	mention(ctx, attr, true);
}

/* ---- expressions ---- */

static EvalValue
literal(const TraceqlStatic *v)
{
	EvalValue out = {.type = (uint8_t) v->type};

	switch (v->type)
	{
		case TQL_TYPE_FLOAT: out.d = v->f; break;
		case TQL_TYPE_STRING: out.s = v->s; break;
		case TQL_TYPE_BOOL: out.b = v->b; break;
		default: out.i = v->i; break;
	}
	return out;
}

static Node *
new_node(TraceqlPlan *plan, NodeKind kind)
{
	Node *node = arena_alloc0(plan->arena, sizeof(Node));

	node->kind = kind;
	node->id = plan->nnodes++;
	return node;
}

/* Takes over from a child what it speaks about, and its cost. */
static void
inherit(Node *node, const Node *child)
{
	node->event |= child->event;
	node->link |= child->link;
	if (child->cost > node->cost)
		node->cost = child->cost;
}

static uint8_t
slot_cost(const Slot *slot)
{
	switch (slot->kind)
	{
		case SLOT_RESOURCE:
		case SLOT_SCOPE: return 2;
		case SLOT_SPAN: return 4;
		case SLOT_ANY: return 5;
		case SLOT_INTRINSIC: break;
		default: return 6;
	}
	switch (slot->intrinsic)
	{
		case TQL_DURATION:
		case TQL_STATUS:
		case TQL_KIND: return 1;
		case TQL_NESTED_SET_LEFT:
		case TQL_NESTED_SET_RIGHT:
		case TQL_NESTED_SET_PARENT:
		case TQL_CHILD_COUNT: return 8;
		case TQL_ROOT_NAME:
		case TQL_ROOT_SERVICE_NAME: return 4;
		default: return 2;
	}
}

static Node *
compile_attr(TraceqlPlan *plan, const TraceqlAttr *attr)
{
	Node *node = new_node(plan, NODE_SLOT);

	node->slot = slot_of(plan, attr);
	node->event = node->slot->event;
	node->link = node->slot->link;
	node->cost = slot_cost(node->slot);
	return node;
}

static void
add_item(TraceqlPlan *plan, Node *node, uint32_t *cap, TraceqlOp op, Node *item)
{
	uint32_t cap_ops = *cap;

	node->ops = grow(plan->arena, node->ops, node->nitems, &cap_ops, sizeof(TraceqlOp));
	node->items = grow(plan->arena, node->items, node->nitems, cap, sizeof(Node *));
	node->ops[node->nitems] = op;
	node->items[node->nitems++] = item;
	inherit(node, item);
}

/* a && b || c ... associates to the left whatever the operators: the left spine becomes one list. */
static Node *
compile_logic(TraceqlPlan *plan, const TraceqlExpr *expr)
{
	Node *node = new_node(plan, NODE_LOGIC);
	const TraceqlExpr **spine = arena_alloc(plan->arena, (expr->depth + 1) * sizeof(TraceqlExpr *));
	uint32_t depth = 0;
	uint32_t cap = 0;

	for (; expr->kind == TQL_BINARY && (expr->op == TQL_OP_AND || expr->op == TQL_OP_OR); expr = expr->left)
		spine[depth++] = expr;
	add_item(plan, node, &cap, TQL_OP_NONE, compile_expr(plan, expr));
	while (depth-- > 0)
		add_item(plan, node, &cap, spine[depth]->op, compile_expr(plan, spine[depth]->right));
	return node;
}

static TraceqlOp
turned_round(TraceqlOp op)
{
	switch (op)
	{
		case TQL_OP_LT: return TQL_OP_GT;
		case TQL_OP_LE: return TQL_OP_GE;
		case TQL_OP_GT: return TQL_OP_LT;
		case TQL_OP_GE: return TQL_OP_LE;
		default: return op;
	}
}

static bool
custom_attr(const Node *node)
{
	return node->kind == NODE_SLOT && node->slot->kind != SLOT_INTRINSIC;
}

static void
add_regex(TraceqlPlan *plan, Node *node)
{
	node->regex = regex_make(plan->arena, node->right->value.s);
	plan->regexes = grow(plan->arena, plan->regexes, plan->nregexes, &plan->cap_regexes, sizeof(Regex *));
	plan->regexes[plan->nregexes++] = node->regex;
	node->cost++;
}

static Node *
compile_compare(TraceqlPlan *plan, const TraceqlExpr *expr)
{
	Node *node = new_node(plan, NODE_COMPARE);

	node->op = expr->op;
	node->left = compile_expr(plan, expr->left);
	node->right = compile_expr(plan, expr->right);
	if (node->left->kind == NODE_CONST && node->right->kind != NODE_CONST)
	{
		Node *swap = node->left;

		node->left = node->right;
		node->right = swap;
		node->op = turned_round(node->op);
	}
	inherit(node, node->left);
	inherit(node, node->right);
	node->strict = custom_attr(node->left) && node->right->kind == NODE_CONST;
	if (node->left->kind != NODE_SLOT || node->right->kind != NODE_CONST)
		node->cost += 3;
	if (node->op == TQL_OP_RE || node->op == TQL_OP_NRE)
		add_regex(plan, node);
	return node;
}

static Node *
compile_unary(TraceqlPlan *plan, const TraceqlExpr *expr, NodeKind kind)
{
	Node *node = new_node(plan, kind);

	node->left = compile_expr(plan, expr->left);
	inherit(node, node->left);
	return node;
}

static Node *
compile_binary(TraceqlPlan *plan, const TraceqlExpr *expr)
{
	Node *node;

	if (expr->op == TQL_OP_AND || expr->op == TQL_OP_OR)
		return compile_logic(plan, expr);
	if (expr->op >= TQL_OP_EQ && expr->op <= TQL_OP_NRE)
		return compile_compare(plan, expr);
	node = new_node(plan, NODE_ARITH);
	node->op = expr->op;
	node->left = compile_expr(plan, expr->left);
	node->right = compile_expr(plan, expr->right);
	inherit(node, node->left);
	inherit(node, node->right);
	return node;
}

static Node *
compile_expr(TraceqlPlan *plan, const TraceqlExpr *expr)
{
	Node *node;

	switch (expr->kind)
	{
		case TQL_STATIC:
			node = new_node(plan, NODE_CONST);
			node->value = literal(&expr->value);
			return node;
		case TQL_ATTR: return compile_attr(plan, &expr->attr);
		case TQL_UNARY: return compile_unary(plan, expr, expr->op == TQL_OP_NOT ? NODE_NOT : NODE_NEG);
		case TQL_IS_NIL: return compile_unary(plan, expr, NODE_IS_NIL);
		case TQL_NOT_NIL: return compile_unary(plan, expr, NODE_NOT_NIL);
		default: return compile_binary(plan, expr);
	}
}

/* ---- filters ---- */

static bool
is_const(const Node *node, bool value)
{
	return node->kind == NODE_CONST && node->value.type == EVAL_BOOL && node->value.b == value;
}

static bool
is_conjunction(const Node *node)
{
	if (node->kind != NODE_LOGIC)
		return false;
	for (uint32_t i = 1; i < node->nitems; i++)
	{
		if (node->ops[i] != TQL_OP_AND)
			return false;
	}
	return true;
}

static void
add_conjunct(TraceqlPlan *plan, Filter *filter, Node *node, uint32_t caps[2])
{
	if (is_conjunction(node))
	{
		for (uint32_t i = 0; i < node->nitems; i++)
			add_conjunct(plan, filter, node->items[i], caps);
		return;
	}
	if (is_const(node, true))
		return;
	if (node->event || node->link)
	{
		filter->bound = grow(plan->arena, filter->bound, filter->nbound, &caps[1], sizeof(Node *));
		filter->bound[filter->nbound++] = node;
		filter->event |= node->event;
		filter->link |= node->link;
	}
	else
	{
		filter->simple = grow(plan->arena, filter->simple, filter->nsimple, &caps[0], sizeof(Node *));
		filter->simple[filter->nsimple++] = node;
	}
}

static int
by_cost(const void *a, const void *b)
{
	const Node *x = *(Node *const *) a;
	const Node *y = *(Node *const *) b;

	if (x->cost != y->cost)
		return x->cost < y->cost ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

static Filter *
compile_filter(TraceqlPlan *plan, const TraceqlExpr *expr)
{
	Filter *filter = arena_alloc0(plan->arena, sizeof(Filter));
	uint32_t caps[2] = {0, 0};

	filter->id = plan->nfilters++;

	traceql_visit_attrs(expr, mention_filter, plan);
	add_conjunct(plan, filter, compile_expr(plan, expr), caps);
	if (filter->nsimple)
		qsort(filter->simple, filter->nsimple, sizeof(Node *), by_cost);
	return filter;
}

/* ---- spansets and stages ---- */

static SetExpr *
compile_spanset(TraceqlPlan *plan, const TraceqlSpanset *spanset)
{
	SetExpr *set = arena_alloc0(plan->arena, sizeof(SetExpr));

	set->op = spanset->op;
	if (spanset->op == TQL_OP_NONE)
		set->filter = compile_filter(plan, spanset->filter);
	else
	{
		set->left = compile_spanset(plan, spanset->left);
		set->right = compile_spanset(plan, spanset->right);
	}
	return set;
}

static SetExpr *
compile_root(TraceqlPlan *plan, const TraceqlPipelineExpr *expr)
{
	SetExpr *set = arena_alloc0(plan->arena, sizeof(SetExpr));

	set->op = expr->op;
	if (expr->op == TQL_OP_NONE)
		set->pipeline = compile_pipeline(plan, expr->pipeline);
	else
	{
		set->left = compile_root(plan, expr->left);
		set->right = compile_root(plan, expr->right);
	}
	return set;
}

static void
compile_scalar(TraceqlPlan *plan, const TraceqlStage *from, Stage *stage)
{
	const TraceqlAggregate *aggregate = &from->scalar.lhs->aggregate;
	Buf label;

	stage->fn = aggregate->fn;
	stage->cmp = from->scalar.cmp;
	stage->literal = literal(&from->scalar.rhs->literal);
	if (aggregate->arg)
	{
		traceql_visit_attrs(aggregate->arg, mention_asked, plan);
		stage->expr = compile_expr(plan, aggregate->arg);
	}
	buf_init(&label, plan->arena, 32);
	traceql_print_aggregate(aggregate, &label);
	stage->label = str_of((char *) label.p, label.len);
}

static void
compile_by(TraceqlPlan *plan, const TraceqlStage *from, Stage *stage)
{
	Buf label;

	traceql_visit_attrs(from->by, mention_asked, plan);
	stage->expr = compile_expr(plan, from->by);
	buf_init(&label, plan->arena, 32);
	buf_put(&label, "by(", 3);
	traceql_print_expr(from->by, &label);
	buf_put(&label, ")", 1);
	stage->label = str_of((char *) label.p, label.len);
}

static Pipeline *
compile_pipeline(TraceqlPlan *plan, const TraceqlPipeline *from)
{
	Pipeline *pipeline = arena_alloc0(plan->arena, sizeof(Pipeline));

	pipeline->stages = arena_alloc0(plan->arena, (from->nstages + 1) * sizeof(Stage));
	for (const TraceqlStage *s = from->first; s; s = s->next)
	{
		Stage *stage = &pipeline->stages[pipeline->nstages++];

		stage->kind = s->kind;
		switch (s->kind)
		{
			case TQL_STAGE_SPANSET: stage->set = compile_spanset(plan, s->spanset); break;
			case TQL_STAGE_SCALAR: compile_scalar(plan, s, stage); break;
			case TQL_STAGE_BY: compile_by(plan, s, stage); break;
			case TQL_STAGE_COALESCE: break;
			case TQL_STAGE_SELECT:
				for (uint32_t i = 0; i < s->select.n; i++)
					mention(plan, &s->select.attrs[i], true);
				break;
		}
	}
	return pipeline;
}

/* ---- queries that can match nothing ---- */

static bool
filter_empty(const Filter *filter)
{
	for (uint32_t i = 0; i < filter->nsimple; i++)
	{
		if (is_const(filter->simple[i], false))
			return true;
	}
	return false;
}

static bool
expr_empty(const SetExpr *expr)
{
	if (expr->filter)
		return filter_empty(expr->filter);
	if (expr->pipeline)
	{
		for (uint32_t i = 0; i < expr->pipeline->nstages; i++)
		{
			const Stage *stage = &expr->pipeline->stages[i];

			if (stage->kind == TQL_STAGE_SPANSET && expr_empty(stage->set))
				return true;
		}
		return false;
	}
	if (expr->op == TQL_OP_OR)
		return expr_empty(expr->left) && expr_empty(expr->right);
	if (expr->op >= TQL_OP_NOT_CHILD && expr->op <= TQL_OP_NOT_SIBLING)
		return expr_empty(expr->right);
	return expr_empty(expr->left) || expr_empty(expr->right);
}

/* ---- plans ---- */

static TraceqlPlan *
new_plan(Arena *arena)
{
	TraceqlPlan *plan = arena_alloc0(arena, sizeof(TraceqlPlan));

	plan->arena = arena;
	return plan;
}

TraceqlPlan *
traceql_plan(Arena *arena, const TraceqlQuery *query, const char **why)
{
	const TraceqlStatic *recent = traceql_hint(query, "most_recent");
	TraceqlPlan *plan;

	if (!query->search)
	{
		*why = "a metrics query is not a search";
		return NULL;
	}
	plan = new_plan(arena);
	plan->root = compile_root(plan, query->search);
	need_compile(plan);
	plan->facts.nothing = expr_empty(plan->root);
	plan->facts.most_recent = recent && recent->type == TQL_TYPE_BOOL && recent->b;
	return plan;
}

TraceqlPlan *
traceql_plan_pipeline(Arena *arena, const TraceqlPipeline *pipeline)
{
	TraceqlPlan *plan = new_plan(arena);

	plan->root = arena_alloc0(arena, sizeof(SetExpr));
	plan->root->pipeline = compile_pipeline(plan, pipeline);
	need_compile(plan);
	plan->facts.nothing = expr_empty(plan->root);
	return plan;
}

TraceqlPlan *
traceql_plan_filter(Arena *arena, const TraceqlExpr *filter)
{
	TraceqlPlan *plan = new_plan(arena);

	plan->root = arena_alloc0(arena, sizeof(SetExpr));
	plan->root->filter = filter ? compile_filter(plan, filter) : arena_alloc0(arena, sizeof(Filter));
	plan->facts.nothing = expr_empty(plan->root);
	return plan;
}

uint32_t
traceql_plan_value(TraceqlPlan *plan, const TraceqlAttr *attr)
{
	return slot_of(plan, attr)->index;
}

bool
traceql_plan_of_traces(const TraceqlPlan *plan)
{
	for (uint32_t i = 0; i < plan->nslots; i++)
	{
		switch (plan->slots[i]->intrinsic)
		{
			case TQL_TRACE_DURATION:
			case TQL_ROOT_NAME:
			case TQL_ROOT_SERVICE_NAME:
			case TQL_NESTED_SET_LEFT:
			case TQL_NESTED_SET_RIGHT:
			case TQL_NESTED_SET_PARENT:
			case TQL_CHILD_COUNT:
			case TQL_TRACE_ID: return true;
			default: break;
		}
	}
	return false;
}

Slot *
plan_slot(TraceqlPlan *plan, const TraceqlAttr *attr)
{
	return slot_of(plan, attr);
}

Filter *
plan_filter(TraceqlPlan *plan, const TraceqlExpr *expr)
{
	return compile_filter(plan, expr);
}

const TraceqlFacts *
traceql_plan_facts(const TraceqlPlan *plan)
{
	return &plan->facts;
}

const TraceqlAttr *
traceql_plan_attribute(const TraceqlPlan *plan, uint32_t i)
{
	return i < plan->nslots ? plan->slots[i]->attr : NULL;
}

void
traceql_plan_free(TraceqlPlan *plan)
{
	for (uint32_t i = 0; i < plan->nregexes; i++)
		regex_free(plan->regexes[i]);
	plan->nregexes = 0;
}
