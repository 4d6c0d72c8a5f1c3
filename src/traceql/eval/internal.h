/*
 * internal.h
 *	  What the files of this folder share: the compiled plan, and the state of a run over one unit.
 *
 * A plan is immutable. Everything per unit hangs off Unit and lives in the scratch arena; everything that
 * lasts longer (decisions on dictionary entries) hangs off TraceqlRun and lives in its arena.
 *
 * Truth of a condition on a row is a byte, TRI_*. Vectors of them are indexed by the unit's rows; a mask
 * is the same with nonzero for rows that matter. Rows outside the mask may hold anything afterwards.
 */
#ifndef TEMPO_TRACEQL_EVAL_INTERNAL_H
#define TEMPO_TRACEQL_EVAL_INTERNAL_H

#include "traceql/eval/eval.h"

/* Only inside: evaluation raised, the span is dropped. */
#define EVAL_ERROR (EVAL_OPAQUE + 1)

enum
{
	TRI_FALSE = 0,
	TRI_TRUE = 1,
	TRI_OTHER = 2, /* not a boolean, nothing included */
	TRI_ERROR = 3
};

/* ---- the plan ---- */

typedef enum SlotKind
{
	SLOT_SPAN, /* custom attributes of five scopes, and of none */
	SLOT_RESOURCE,
	SLOT_SCOPE,
	SLOT_EVENT,
	SLOT_LINK,
	SLOT_ANY,       /* span's, else resource's */
	SLOT_INTRINSIC, /* attr.intrinsic */
	SLOT_NOWHERE    /* parent.x in select(): no value on any span */
} SlotKind;

/* One attribute or intrinsic that the query mentions. */
typedef struct Slot
{
	SlotKind kind;
	TraceqlIntrinsic intrinsic;
	Str key;
	const TraceqlAttr *attr;
	uint32_t index;
	bool event; /* has a value per event */
	bool link;  /* has a value per link */
} Slot;

/* An attribute that answers show. */
typedef struct Mention
{
	Slot *slot;
	bool asked; /* by select() or by(): shown as those see it, even on a span without events */
} Mention;

typedef struct Regex Regex;

typedef enum NodeKind
{
	NODE_CONST,   /* value */
	NODE_SLOT,    /* slot */
	NODE_NOT,     /* left */
	NODE_NEG,     /* left */
	NODE_LOGIC,   /* items joined by ops, left to right */
	NODE_ARITH,   /* left op right */
	NODE_COMPARE, /* left op right */
	NODE_IS_NIL,  /* left */
	NODE_NOT_NIL  /* left */
} NodeKind;

typedef struct Node Node;
struct Node
{
	NodeKind kind;
	TraceqlOp op;
	bool strict; /* COMPARE of a custom attribute with a literal: sees values of the literal's type only */
	bool event;  /* speaks about an event */
	bool link;   /* speaks about a link */
	uint8_t cost;
	uint32_t id; /* index into TraceqlRun.decisions */
	Node *left;
	Node *right;
	EvalValue value;
	Slot *slot;
	Regex *regex;
	uint32_t nitems;
	Node **items;
	TraceqlOp *ops; /* ops[i] stands before items[i], i > 0 */
};

/* { a && b && ... }: conjuncts may be decided in any order; those about events and links share a binding. */
typedef struct Filter
{
	uint32_t id; /* index into Unit.hits */
	uint32_t nsimple;
	Node **simple; /* cheap ones first */
	uint32_t nbound;
	Node **bound;
	bool event;
	bool link;
} Filter;

typedef struct Pipeline Pipeline;

/* A spanset expression: a filter, a pipeline in parentheses, or two of them joined. */
typedef struct SetExpr SetExpr;
struct SetExpr
{
	TraceqlOp op; /* NONE: filter or pipeline */
	Filter *filter;
	Pipeline *pipeline;
	SetExpr *left;
	SetExpr *right;
};

typedef struct Stage
{
	TraceqlStageKind kind; /* SPANSET, SCALAR, BY, COALESCE */
	SetExpr *set;
	Node *expr;            /* BY, and the argument of an aggregate */
	TraceqlAggregateFn fn; /* SCALAR */
	TraceqlOp cmp;
	EvalValue literal;
	Str label; /* name of the attribute attached */
} Stage;

struct Pipeline
{
	uint32_t nstages;
	Stage *stages;
};

/* One of the filters has to hold for some span of a trace that matches. */
#define NEED_FILTERS 16
#define NEED_CLAUSES 16
typedef struct Clause
{
	uint32_t n;
	Filter *filters[NEED_FILTERS];
} Clause;

struct TraceqlPlan
{
	Arena *arena;
	SetExpr *root;
	uint32_t nslots;
	uint32_t cap_slots;
	Slot **slots;
	uint32_t nmentions; /* of slots: those answers show, in the order mentioned */
	uint32_t cap_mentions;
	Mention *mentions;
	uint32_t nnodes;
	uint32_t nfilters;
	uint32_t nregexes;
	uint32_t cap_regexes;
	Regex **regexes;
	uint32_t nneed;
	Clause *need; /* the cheap ones first */
	TraceqlFacts facts;
};

/* ---- a run ---- */

/* What is known about the entries of one dictionary, kept as long as the dictionary is the same one. */
typedef struct DictCache
{
	uint64_t source;
	const Str *dict;
	uint32_t ndict;
	uint32_t cap;
	uint8_t *state; /* 0: not decided yet; otherwise what the user of the cache put there, not 0 */
	EvalValue *values;
} DictCache;

/*
 * Attributes under one key at one level. The shapes of all units of a source are the same, so this is kept
 * from unit to unit; columns and cursors are the unit's own.
 */
typedef struct KeyMap
{
	uint64_t source;
	const AttrShape *shapes;
	uint32_t nshapes;
	uint32_t cap_shapes;
	uint32_t ncolumns; /* columns of this key, any type and occurrence */
	uint32_t cap_columns;
	uint32_t *columns; /* indexes into AttrSet.columns */
	int32_t *first;    /* per shape: index into columns of the first value of the key, -1 none */
	uint8_t *named;    /* per shape, ncolumns each: does the shape name the column? */
	uint32_t cap_named;
} KeyMap;

typedef struct SlotState
{
	const KeyMap *map;     /* SPAN, ANY, EVENT, LINK; NULL until slot_keys() */
	const uint32_t *shape; /* per row; NULL until slot_shapes() */
	uint32_t *cursor;      /* last position used in each column of the map */
} SlotState;

typedef struct Tree
{
	uint8_t *ready; /* per trace */
	int32_t *left;  /* per row; 0 = not connected */
	int32_t *right;
	int32_t *parent;
	int32_t *children;
} Tree;

typedef struct Unit
{
	Batch *batch;
	uint64_t source;
	uint64_t number; /* counts units */
	uint32_t nrows;
	uint32_t ntraces;
	const uint32_t *first; /* trace_first */
	uint32_t *trace_of;    /* per row; NULL until unit_trace_of() */
	int64_t *root;         /* per trace: -2 not looked for, -1 none, else row */
	SlotState *slots;
	Tree tree;
	uint8_t *know;   /* per row; see family.c */
	uint8_t **hits;  /* by filter: of every row that is still looked at, does it hold? NULL: not known */
	uint8_t **spare; /* byte vectors not in use */
	uint32_t nspare;
	uint32_t cap_spare;
} Unit;

struct TraceqlRun
{
	TraceqlPlan *plan;
	TraceqlOptions options;
	TraceqlHooks hooks;
	Arena *arena;
	Arena *scratch;
	TraceqlCounters counters;
	DictCache *decisions; /* per node: TRI_* + 1 */
	DictCache *entries;   /* per slot: values of resource and scope attributes, state 1 */
	KeyMap *keys;         /* per slot */
	struct NodeMay *may;  /* per node; see prune.c */
	Unit unit;
	uint64_t units;
	uint32_t ticks;
};

/* Spans of one trace, ascending rows. */
typedef struct Set
{
	uint32_t trace;
	uint32_t origin; /* index of the set it was made from, where its pipeline or operand began */
	uint32_t n;
	uint32_t *rows; /* NULL: all rows of the trace */
	uint32_t nattrs;
	MatchAttr *attrs;
	bool several; /* was to be made by a structural operator from several sets, which is an error */
} Set;

typedef struct SetList
{
	uint32_t n;
	uint32_t cap;
	Set *sets;
} SetList;

/* Event and link rows of a unit; ROW_NONE: there is none; ROW_FIRST: the first that has the attribute. */
#define ROW_NONE  UINT32_MAX
#define ROW_FIRST (UINT32_MAX - 1)

typedef struct Binding
{
	uint32_t row;
	uint32_t event;
	uint32_t link;
} Binding;

/* ---- compile.c ---- */

/* The slot of an attribute that is asked for beside the pipeline; a condition beside it. */
extern Slot *plan_slot(TraceqlPlan *plan, const TraceqlAttr *attr);
extern Filter *plan_filter(TraceqlPlan *plan, const TraceqlExpr *expr);

/* ---- values.c ---- */

extern uint8_t eval_compare(TraceqlOp op, const EvalValue *l, const EvalValue *r, Regex *regex, bool strict);
extern EvalValue eval_arith(TraceqlOp op, const EvalValue *l, const EvalValue *r);
extern uint8_t eval_truth(const EvalValue *v);
extern bool eval_is_number(const EvalValue *v);
extern double eval_number(const EvalValue *v);
/* The same type and value: what by() groups on. */
extern bool eval_same(const EvalValue *a, const EvalValue *b);
extern uint64_t eval_hash(const EvalValue *v);

/* ---- regex.c ---- */

extern Regex *regex_make(Arena *arena, Str pattern);
extern void regex_free(Regex *regex);
extern bool regex_matches(Regex *regex, Str subject);
/* A match took more than the limits allow, or memory ran out: answers since then mean nothing. */
extern bool regex_exceeded(const Regex *regex);

/* ---- run.c ---- */

/* Hear cancel. Call in loops over rows, bindings, sets. */
extern void run_tick(TraceqlRun *run);
extern void run_fail(TraceqlRun *run, const char *message) __attribute__((noreturn));
/* Make batch the unit at hand. Without LEVEL_TRACE nothing of traces may be asked. */
extern void unit_begin(TraceqlRun *run, Batch *batch, uint64_t source);
extern void run_check_regexes(TraceqlRun *run);
/* A byte a row, not zeroed; give back with run_put_bytes. */
extern uint8_t *run_get_bytes(TraceqlRun *run);
extern void run_put_bytes(TraceqlRun *run, uint8_t *bytes);

/* Fails the query when a pattern took too many steps. */
extern void run_check_regexes(TraceqlRun *run);

/* ---- candidates.c ---- */

/* One set a trace that is to be looked at, all its spans in it. Counts them. */
extern SetList run_all_traces(TraceqlRun *run, const uint8_t *skip);
/* The same, without traces that lack a span for some condition of the query. */
extern SetList run_candidates(TraceqlRun *run, const TraceqlUnit *unit);

/* ---- select.c ---- */

/* Does each span pass or not whatever other spans there are? Counts all slots of the plan. */
extern bool plan_local(const TraceqlPlan *plan);
/*
 * kept[row] = 1 for the spans the pipeline leaves. local: what plan_local says; then rows, when not NULL,
 * are those to be looked at. Otherwise the unit holds whole traces and rows is not used.
 */
extern void select_rows(TraceqlRun *run, bool local, const uint8_t *skip, const uint8_t *rows, uint8_t *kept);

/* ---- access.c ---- */

extern const uint32_t *unit_trace_of(TraceqlRun *run);
/* A string cell; null reads as empty. */
extern Str cell_str(const Column *column, uint32_t i);
/* Ready the cache for a dictionary: what was known is kept when it is the same one. */
extern void dict_cache_use(TraceqlRun *run, DictCache *cache, const Column *column, bool values);
/* The same for a dictionary of an image that is not one of the unit at hand. */
extern void dict_cache_for(TraceqlRun *run, DictCache *cache, uint64_t source, const Str *dict,
						   uint32_t ndict, bool values);
/* The level a slot's custom attributes are at. */
extern Level slot_level(const Slot *slot);
extern SlotState *slot_keys(TraceqlRun *run, const Slot *slot);
/* The shape of each row, or NULL when the unit has no such key. */
extern const uint32_t *slot_shapes(TraceqlRun *run, const Slot *slot);
/* Value at a row of the slot's level, NIL when the row lacks the key. */
extern EvalValue slot_level_value(TraceqlRun *run, const Slot *slot, uint32_t row);
/* The column whose entries hold attributes for RESOURCE, ANY and SCOPE; SLOT_ANY's resource part. */
extern Column *slot_entries(TraceqlRun *run, const Slot *slot);
extern EvalValue slot_entry_value(TraceqlRun *run, const Slot *slot, const Column *column, uint32_t row);
/* The same by code of the column's dictionary. */
extern EvalValue slot_code_value(TraceqlRun *run, const Slot *slot, const Column *column, uint32_t code);
/* What an entry says of a slot's attribute. */
extern EvalValue slot_entry_parse(const Slot *slot, Str attributes);
/* traceDuration, rootName, rootServiceName, trace:id */
extern bool slot_of_trace(const Slot *slot);
extern EvalValue slot_trace_value(TraceqlRun *run, const Slot *slot, uint32_t trace);
extern EvalValue slot_value(TraceqlRun *run, const Slot *slot, Binding at);

/* ---- roots.c ---- */

/* Row of the root span, or -1. */
extern int64_t unit_root(TraceqlRun *run, uint32_t trace);
extern Str unit_root_service(TraceqlRun *run, uint32_t trace);
extern Str unit_root_name(TraceqlRun *run, uint32_t trace);

/* ---- tree.c ---- */

/* Fails the query when the trace is larger than options.max_trace. */
extern void tree_check_size(TraceqlRun *run, uint32_t trace);
extern const Tree *tree_of(TraceqlRun *run, uint32_t trace);

/* ---- family.c ---- */

/*
 * Rows of b that stand in a relation to some row of a, or to none when negated, for batches with
 * batch_parent_rows(). out has room.
 */
extern uint32_t family_relate(TraceqlRun *run, TraceqlOp op, bool negated, uint32_t trace, const uint32_t *a,
							  uint32_t na, const uint32_t *b, uint32_t nb, uint32_t *out);

/* ---- node.c ---- */

extern EvalValue node_value(TraceqlRun *run, const Node *node, Binding at);
extern uint8_t node_truth(TraceqlRun *run, const Node *node, Binding at);

/* ---- vector.c, leaf.c ---- */

/* out[row] = truth of node for all rows of mask. The node speaks of no event and no link. */
extern void vector_truth(TraceqlRun *run, const Node *node, const uint8_t *mask, uint8_t *out);
/* Same for a comparison of a slot with a literal, or = nil, != nil; false: not one of those it knows. */
extern bool leaf_truth(TraceqlRun *run, const Node *node, const uint8_t *mask, uint8_t *out);

/* Truth of a comparison of a slot with a literal, or = nil, != nil, for a value of the slot. */
extern uint8_t leaf_decide(const Node *node, const EvalValue *v);
/* Can a column of this type hold a value that a strict comparison with the literal sees? */
extern bool leaf_type_seen(uint8_t column, uint8_t literal);

/* ---- prune.c ---- */

/* Room for what is known of so many nodes. */
extern struct NodeMay *prune_nodes(Arena *arena, uint32_t n);

/* ---- filter.c ---- */

/* out[row] = 1 where mask and all of the filter hold, else 0. Returns the number of ones. */
extern uint32_t filter_rows(TraceqlRun *run, const Filter *filter, const uint8_t *mask, uint8_t *out);

/* ---- need.c ---- */

extern void need_compile(TraceqlPlan *plan);

/* ---- sets.c, structure.c, group.c, pipeline.c, result.c ---- */

extern Set *set_append(TraceqlRun *run, SetList *list, const Set *like);
extern const uint32_t *set_rows(TraceqlRun *run, Set *set);
/* mask[row] = 1 for rows in some set, else 0. */
extern void sets_mark_rows(TraceqlRun *run, SetList in, uint8_t *mask);
extern uint32_t rows_union(const uint32_t *a, uint32_t na, const uint32_t *b, uint32_t nb, uint32_t *out);
/* Rows of b that op relates to rows of a, as the table of structural operators says. out has room. */
extern uint32_t structure_rows(TraceqlRun *run, TraceqlOp op, uint32_t trace, const uint32_t *a, uint32_t na,
							   const uint32_t *b, uint32_t nb, uint32_t *out);
extern SetList stage_by(TraceqlRun *run, const Stage *stage, SetList in);
extern SetList stage_scalar(TraceqlRun *run, const Stage *stage, SetList in);
extern SetList stage_coalesce(TraceqlRun *run, SetList in);
extern SetList pipeline_run(TraceqlRun *run, const SetExpr *root, SetList in);
extern void result_emit(TraceqlRun *run, SetList sets, const MatchSink *sink);

#endif
