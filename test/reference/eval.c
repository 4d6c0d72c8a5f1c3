/*
 * eval.c
 *	  The value of an expression at a span, and whether a filter keeps one. Left to right, stopping early.
 */
#include "ref.h"

#include <stdio.h>

static Val
nil(void)
{
	return (Val){.type = T_NIL};
}

static Val
string(Text s)
{
	return (Val){.type = T_STRING, .s = s};
}

static Val
number(Type type, int64_t i)
{
	return (Val){.type = type, .i = i};
}

static Val
hex(uint64_t id)
{
	Out out = {0};

	out_fmt(&out, "%016llx", (unsigned long long) id);
	return string(out_done(&out));
}

static Val
stripped(Text hex)
{
	while (hex.n && *hex.p == '0')
		hex = (Text){hex.p + 1, hex.n - 1};
	return string(hex);
}

/* ---- attributes ---- */

static Val
found(const Attrs *attrs, Text key)
{
	const Val *v = attrs_find(attrs, key);

	return v ? *v : nil();
}

/* Every resource has a service name. */
static Val
resource_value(const Span *span, Text key)
{
	Val v = found(span->resource, key);

	return v.type == T_NIL && text_is(key, "service.name") ? string(text_of("")) : v;
}

/* Where one value a span is wanted, the first that is there; a condition where there is none is false. */
static Val
event_attribute(const Field *f, At at)
{
	if (at.event == AT_NONE)
		return number(T_OPAQUE, 0);
	if (at.event >= 0)
		return found(&at.span->events[at.event].attrs, f->key);
	for (int i = 0; i < at.span->nevents; i++)
		if (attrs_find(&at.span->events[i].attrs, f->key))
			return found(&at.span->events[i].attrs, f->key);
	return nil();
}

static Val
link_attribute(const Field *f, At at)
{
	if (at.link == AT_NONE)
		return number(T_OPAQUE, 0);
	if (at.link >= 0)
		return found(&at.span->links[at.link].attrs, f->key);
	for (int i = 0; i < at.span->nlinks; i++)
		if (attrs_find(&at.span->links[i].attrs, f->key))
			return found(&at.span->links[i].attrs, f->key);
	return nil();
}

/* ---- intrinsics ---- */

static Val
event_intrinsic(Intrinsic i, At at)
{
	int e = at.event == AT_FIRST ? 0 : at.event;

	if (at.event == AT_NONE)
		return number(T_OPAQUE, 0);
	if (e >= at.span->nevents)
		return i == I_EVENT_NAME ? string(text_of("")) : nil();
	if (i == I_EVENT_NAME)
		return string(at.span->events[e].name);
	return number(T_DURATION, at.span->events[e].since);
}

static Val
link_intrinsic(Intrinsic i, At at)
{
	int l = at.link == AT_FIRST ? 0 : at.link;

	if (at.link == AT_NONE)
		return number(T_OPAQUE, 0);
	if (l >= at.span->nlinks)
		return nil();
	return i == I_LINK_TRACE ? stripped(at.span->links[l].trace_id) : string(at.span->links[l].span_id);
}

static Val
intrinsic(Intrinsic i, At at)
{
	const Span *s = at.span;
	const Span *root = s->trace->root;
	Val service;

	switch (i)
	{
		case I_DURATION: return number(T_DURATION, s->duration);
		case I_NAME: return string(s->name);
		case I_STATUS: return number(T_STATUS, s->status);
		case I_STATUS_MESSAGE: return string(s->message);
		case I_KIND: return number(T_KIND, s->kind);
		case I_TRACE_DURATION: return number(T_DURATION, s->trace->duration);
		case I_ROOT_NAME: return string(root ? root->name : text_of(""));
		case I_ROOT_SERVICE:
			service = root ? resource_value(root, text_of("service.name")) : nil();
			return string(service.type == T_STRING ? service.s : text_of(""));
		case I_LEFT: return number(T_INT, s->left);
		case I_RIGHT: return number(T_INT, s->right);
		case I_UP: return number(T_INT, s->up);
		case I_TRACE_ID: return stripped(s->trace->id);
		case I_SPAN_ID: return hex(s->id);
		case I_PARENT_ID: return hex(s->parent_id);
		case I_CHILDREN: return number(T_INT, s->children);
		case I_EVENT_NAME:
		case I_EVENT_SINCE: return event_intrinsic(i, at);
		case I_LINK_TRACE:
		case I_LINK_SPAN: return link_intrinsic(i, at);
		case I_SCOPE_NAME: return string(s->scope_name);
		case I_SCOPE_VERSION: return string(s->scope_version);
		default: return nil();
	}
}

Val
eval_field(const Field *f, At at)
{
	Val v;

	switch (f->scope)
	{
		case S_ANY:
			v = found(&at.span->attrs, f->key);
			return v.type == T_NIL ? resource_value(at.span, f->key) : v;
		case S_SPAN: return found(&at.span->attrs, f->key);
		case S_RESOURCE: return resource_value(at.span, f->key);
		case S_EVENT: return event_attribute(f, at);
		case S_LINK: return link_attribute(f, at);
		case S_INSTRUMENTATION: return found(at.span->scope, f->key);
		case S_INTRINSIC: return intrinsic(f->intrinsic, at);
		default: return nil();
	}
}

/* ---- expressions ---- */

static Val
boolean(bool b)
{
	return number(T_BOOL, b);
}

/* What is no boolean makes either of them false. */
static Val
eval_logic(const Expr *e, At at)
{
	Val left = eval_expr(e->left, at);
	Val right;

	if (left.type == T_ERROR)
		return left;
	if (left.type != T_BOOL)
		return boolean(false);
	if (left.i == (e->op == OP_OR))
		return left;
	right = eval_expr(e->right, at);
	if (right.type == T_ERROR || right.type == T_BOOL)
		return right;
	return boolean(false);
}

static Val
eval_unary(const Expr *e, At at)
{
	Val v = eval_expr(e->left, at);

	if (v.type == T_ERROR)
		return v;
	switch (e->op)
	{
		case OP_NEG: return value_negated(&v);
		case OP_NOT: return v.type == T_BOOL ? boolean(!v.i) : number(T_ERROR, 0);
		default: break;
	}
	if (v.type == T_OPAQUE)
		return boolean(false);
	return boolean((v.type == T_NIL) == (e->op == OP_IS_NIL));
}

static bool
is_custom(const Expr *e)
{
	return e->kind == X_FIELD && e->field.scope != S_INTRINSIC;
}

static Val
eval_binary(const Expr *e, At at)
{
	bool strict = (is_custom(e->left) && e->right->kind == X_VALUE) ||
				  (e->left->kind == X_VALUE && is_custom(e->right));
	Val left, right;

	if (e->op == OP_AND || e->op == OP_OR)
		return eval_logic(e, at);
	left = eval_expr(e->left, at);
	right = eval_expr(e->right, at);
	if (e->op <= OP_POW)
		return value_arith(e->op, &left, &right);
	return value_compare(e->op, &left, &right, e->regex, strict);
}

Val
eval_expr(const Expr *e, At at)
{
	switch (e->kind)
	{
		case X_VALUE: return e->value;
		case X_FIELD: return eval_field(&e->field, at);
		case X_UNARY: return eval_unary(e, at);
		default: return eval_binary(e, at);
	}
}

Val
eval_span(const Expr *e, const Span *span)
{
	return eval_expr(e, (At){span, AT_FIRST, AT_FIRST});
}

/* Some choice of one event and one link has to make it true. */
bool
filter_keeps(const Expr *filter, const Span *span)
{
	bool events = span->nevents > 0 && expr_mentions(filter, S_EVENT);
	bool links = span->nlinks > 0 && expr_mentions(filter, S_LINK);

	for (int e = events ? 0 : AT_NONE; e < (events ? span->nevents : 0); e++)
		for (int l = links ? 0 : AT_NONE; l < (links ? span->nlinks : 0); l++)
		{
			Val v = eval_expr(filter, (At){span, e, l});

			if (v.type == T_BOOL && v.i)
				return true;
		}
	return false;
}
