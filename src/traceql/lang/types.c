/*
 * types.c
 *	  Names of things, types of attributes and expressions, and which operators go with which types.
 */
#include "traceql/lang/parser.h"
#include "traceql/lang/regex.h"

typedef struct IntrinsicInfo
{
	const char *name;
	TraceqlType type;
} IntrinsicInfo;

static const IntrinsicInfo intrinsics[TQL_NINTRINSICS] = {
	[TQL_NOT_INTRINSIC] = {"", TQL_TYPE_DYNAMIC},
	[TQL_DURATION] = {"duration", TQL_TYPE_DURATION},
	[TQL_NAME] = {"name", TQL_TYPE_STRING},
	[TQL_STATUS] = {"status", TQL_TYPE_STATUS},
	[TQL_STATUS_MESSAGE] = {"statusMessage", TQL_TYPE_STRING},
	[TQL_KIND] = {"kind", TQL_TYPE_KIND},
	[TQL_TRACE_DURATION] = {"traceDuration", TQL_TYPE_DURATION},
	[TQL_ROOT_NAME] = {"rootName", TQL_TYPE_STRING},
	[TQL_ROOT_SERVICE_NAME] = {"rootServiceName", TQL_TYPE_STRING},
	[TQL_NESTED_SET_LEFT] = {"nestedSetLeft", TQL_TYPE_INT},
	[TQL_NESTED_SET_RIGHT] = {"nestedSetRight", TQL_TYPE_INT},
	[TQL_NESTED_SET_PARENT] = {"nestedSetParent", TQL_TYPE_INT},
	[TQL_PARENT] = {"parent", TQL_TYPE_NIL},
	[TQL_TRACE_ID] = {"trace:id", TQL_TYPE_STRING},
	[TQL_SPAN_ID] = {"span:id", TQL_TYPE_STRING},
	[TQL_PARENT_ID] = {"span:parentID", TQL_TYPE_STRING},
	[TQL_CHILD_COUNT] = {"span:childCount", TQL_TYPE_INT},
	[TQL_EVENT_NAME] = {"event:name", TQL_TYPE_STRING},
	[TQL_EVENT_TIME_SINCE_START] = {"event:timeSinceStart", TQL_TYPE_DURATION},
	[TQL_LINK_TRACE_ID] = {"link:traceID", TQL_TYPE_STRING},
	[TQL_LINK_SPAN_ID] = {"link:spanID", TQL_TYPE_STRING},
	/* always strings, yet compared with anything: as Tempo has it */
	[TQL_INSTRUMENTATION_NAME] = {"instrumentation:name", TQL_TYPE_DYNAMIC},
	[TQL_INSTRUMENTATION_VERSION] = {"instrumentation:version", TQL_TYPE_DYNAMIC},
};

static const char *const op_texts[] = {
	[TQL_OP_NONE] = "",
	[TQL_OP_ADD] = "+",
	[TQL_OP_SUB] = "-",
	[TQL_OP_MUL] = "*",
	[TQL_OP_DIV] = "/",
	[TQL_OP_MOD] = "%",
	[TQL_OP_POW] = "^",
	[TQL_OP_EQ] = "=",
	[TQL_OP_NE] = "!=",
	[TQL_OP_LT] = "<",
	[TQL_OP_LE] = "<=",
	[TQL_OP_GT] = ">",
	[TQL_OP_GE] = ">=",
	[TQL_OP_RE] = "=~",
	[TQL_OP_NRE] = "!~",
	[TQL_OP_AND] = "&&",
	[TQL_OP_OR] = "||",
	[TQL_OP_NOT] = "!",
	[TQL_OP_CHILD] = ">",
	[TQL_OP_DESCENDANT] = ">>",
	[TQL_OP_PARENT] = "<",
	[TQL_OP_ANCESTOR] = "<<",
	[TQL_OP_SIBLING] = "~",
	[TQL_OP_NOT_CHILD] = "!>",
	[TQL_OP_NOT_DESCENDANT] = "!>>",
	[TQL_OP_NOT_PARENT] = "!<",
	[TQL_OP_NOT_ANCESTOR] = "!<<",
	[TQL_OP_NOT_SIBLING] = "!~",
	[TQL_OP_UNION_CHILD] = "&>",
	[TQL_OP_UNION_DESCENDANT] = "&>>",
	[TQL_OP_UNION_PARENT] = "&<",
	[TQL_OP_UNION_ANCESTOR] = "&<<",
	[TQL_OP_UNION_SIBLING] = "&~",
};

static const char *const type_names[] = {"nil",      "int",    "float", "string",   "bool",
										 "duration", "status", "kind",  "attribute"};
static const char *const status_names[] = {"unset", "ok", "error"};
static const char *const kind_names[] = {"unspecified", "internal", "server",
										 "client",      "producer", "consumer"};
static const char *const aggregate_names[] = {"count", "max", "min", "avg", "sum"};
static const char *const metric_names[] = {
	"rate",          "count_over_time",    "min_over_time",       "max_over_time", "avg_over_time",
	"sum_over_time", "quantile_over_time", "histogram_over_time", "compare"};

const char *
traceql_intrinsic_name(TraceqlIntrinsic intrinsic)
{
	return intrinsics[intrinsic].name;
}

const char *
traceql_type_name(TraceqlType type)
{
	return type_names[type];
}

const char *
traceql_status_name(int64_t status)
{
	return status >= 0 && status <= 2 ? status_names[status] : NULL;
}

const char *
traceql_kind_name(int64_t kind)
{
	return kind >= 0 && kind <= 5 ? kind_names[kind] : NULL;
}

const char *
traceql_op_text(TraceqlOp op)
{
	return op_texts[op];
}

const char *
traceql_aggregate_name(TraceqlAggregateFn fn)
{
	return aggregate_names[fn];
}

const char *
traceql_metric_name(TraceqlMetricFn fn)
{
	return metric_names[fn];
}

bool
traceql_attr_eq(const TraceqlAttr *a, const TraceqlAttr *b)
{
	return a->intrinsic == b->intrinsic && a->scope == b->scope && str_eq(a->key, b->key);
}

bool
traceql_static_eq(const TraceqlStatic *a, const TraceqlStatic *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type)
	{
		case TQL_TYPE_NIL: return true;
		case TQL_TYPE_STRING: return str_eq(a->s, b->s);
		case TQL_TYPE_BOOL: return a->b == b->b;
		default: return a->i == b->i; /* a float's bits too */
	}
}

TraceqlType
traceql_attr_type(const TraceqlAttr *attr)
{
	return intrinsics[attr->intrinsic].type;
}

bool
traceql_op_is_arith(TraceqlOp op)
{
	return op >= TQL_OP_ADD && op <= TQL_OP_POW;
}

bool
traceql_op_is_cmp(TraceqlOp op)
{
	return op >= TQL_OP_EQ && op <= TQL_OP_GE;
}

bool
traceql_type_is_number(TraceqlType type)
{
	return type == TQL_TYPE_INT || type == TQL_TYPE_FLOAT || type == TQL_TYPE_DURATION;
}

static TraceqlType
binary_type(const TraceqlExpr *e)
{
	TraceqlType type;

	if (!traceql_op_is_arith(e->op))
		return TQL_TYPE_BOOL;
	type = traceql_expr_type(e->left);
	return type == TQL_TYPE_DYNAMIC ? traceql_expr_type(e->right) : type;
}

TraceqlType
traceql_expr_type(const TraceqlExpr *expr)
{
	switch (expr->kind)
	{
		case TQL_STATIC: return expr->value.type;
		case TQL_ATTR: return traceql_attr_type(&expr->attr);
		case TQL_UNARY: return traceql_expr_type(expr->left);
		case TQL_BINARY: return binary_type(expr);
		default: return TQL_TYPE_BOOL;
	}
}

static bool
types_go_together(TraceqlType a, TraceqlType b)
{
	return a == b || a == TQL_TYPE_DYNAMIC || b == TQL_TYPE_DYNAMIC || a == TQL_TYPE_NIL ||
		   b == TQL_TYPE_NIL || (traceql_type_is_number(a) && traceql_type_is_number(b));
}

static bool
type_knows_op(TraceqlType type, TraceqlOp op)
{
	bool equality = op == TQL_OP_EQ || op == TQL_OP_NE;

	switch (type)
	{
		case TQL_TYPE_DYNAMIC: return true;
		case TQL_TYPE_INT:
		case TQL_TYPE_FLOAT:
		case TQL_TYPE_DURATION: return traceql_op_is_arith(op) || traceql_op_is_cmp(op);
		case TQL_TYPE_STRING: return traceql_op_is_cmp(op) || op == TQL_OP_RE || op == TQL_OP_NRE;
		case TQL_TYPE_BOOL: return equality || op == TQL_OP_AND || op == TQL_OP_OR;
		default: return equality;
	}
}

TraceqlTypeFault
traceql_check_binary(Arena *scratch, TraceqlOp op, const TraceqlExpr *left, const TraceqlExpr *right)
{
	TraceqlType l = traceql_expr_type(left);
	TraceqlType r = traceql_expr_type(right);

	if (!types_go_together(l, r))
		return TQL_FAULT_MISMATCH;
	if (op == TQL_OP_RE || op == TQL_OP_NRE)
	{
		if (right->kind != TQL_STATIC || r != TQL_TYPE_STRING)
			return TQL_FAULT_REGEX_ARG;
		if (!traceql_regex_valid(scratch, right->value.s, NULL))
			return TQL_FAULT_REGEX;
	}
	return type_knows_op(l, op) && type_knows_op(r, op) ? TQL_FAULT_NONE : TQL_FAULT_OPERATION;
}

bool
traceql_check_unary(TraceqlOp op, TraceqlType type)
{
	if (type == TQL_TYPE_DYNAMIC)
		return true;
	return op == TQL_OP_NOT ? type == TQL_TYPE_BOOL : traceql_type_is_number(type);
}

void
traceql_visit_attrs(const TraceqlExpr *expr, TraceqlAttrVisitor visit, void *ctx)
{
	switch (expr->kind)
	{
		case TQL_STATIC: break;
		case TQL_ATTR: visit(&expr->attr, ctx); break;
		case TQL_BINARY:
			traceql_visit_attrs(expr->left, visit, ctx);
			traceql_visit_attrs(expr->right, visit, ctx);
			break;
		default: traceql_visit_attrs(expr->left, visit, ctx); break;
	}
}
