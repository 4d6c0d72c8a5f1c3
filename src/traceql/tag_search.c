/*
 * tag_search.c
 *	  Reading for names and values of tags; see tag_search.h.
 */
#include "traceql/tag_search.h"

#include "traceql/lang/tolerant.h"
#include "traceql/query.h"
#include "traceql/reader.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* Images that can be answered as a whole come first: then the others may have nothing new. */
typedef enum Pass
{
	PASS_ALL,   /* none can */
	PASS_WHOLE, /* those that can */
	PASS_REST
} Pass;

typedef struct TagSearch
{
	MemoryContext answer;  /* what is returned, and below it: */
	MemoryContext context; /* all the rest */
	Arena *arena;          /* of the rest */
	const TagRequest *request;
	TagNames *names; /* one of these two */
	TagValues *values;
	const TraceqlExpr *filter; /* NULL: none */
	TraceqlPlan *plan;
	uint32 value; /* of traceql_plan_value(): a tag that is a trace's */
	TraceqlRun *run;
	bool traces; /* units of whole traces */
	Source *source;
	bool inside; /* the image at hand lies in the range */
	Pass pass;
	bool rest;
	Arena *scratch;
} TagSearch;

/* ---- which rows ---- */

static bool
range_wanted(void *ctx, uint64 start_min, uint64 start_max, uint64 end_max)
{
	const TagRequest *r = ((const TagSearch *) ctx)->request;

	if (r->has_to && start_min > (uint64) r->to)
		return false;
	return !r->has_from || end_max >= (uint64) r->from || start_max >= (uint64) r->from;
}

/* Do all spans that start in a range count? */
static bool
range_inside(const TagRequest *r, uint64 start_min, uint64 start_max)
{
	return (!r->has_to || start_max <= (uint64) r->to) && (!r->has_from || start_min >= (uint64) r->from);
}

static void
drop_outside(const TagRequest *r, Batch *batch, uint8 *rows)
{
	const int64 *start = batch_column(batch, LEVEL_SPAN, SC_START)->i64;
	const int64 *duration = batch_column(batch, LEVEL_SPAN, SC_DURATION)->i64;

	for (uint32 i = 0; i < batch_nrows(batch); i++)
	{
		uint64 from = (uint64) start[i];
		uint64 to = from + (uint64) duration[i];

		if ((r->has_to && from > (uint64) r->to) ||
			(r->has_from && from < (uint64) r->from && to < (uint64) r->from))
			rows[i] = 0;
	}
}

static void
drop_skipped(const ReaderUnit *unit, uint8 *rows)
{
	const uint32 *first = unit->batch->trace_first;

	for (uint32 t = 0; t < unit->batch->level[LEVEL_TRACE].nrows; t++)
		if (unit->skip[t])
			memset(rows + first[t], 0, first[t + 1] - first[t]);
}

/* A byte a row, or NULL: all count. false: none does. */
static bool
rows_counted(TagSearch *search, const ReaderUnit *unit, uint8 **counted)
{
	uint32 n = batch_nrows(unit->batch);
	uint8 *rows;

	*counted = NULL;
	if (search->inside && !unit->rows && !unit->skip && !search->filter)
		return true;
	rows = arena_alloc(search->scratch, (size_t) n + 1);
	if (unit->rows)
		memcpy(rows, unit->rows, n);
	else
		memset(rows, 1, n);
	if (unit->skip)
		drop_skipped(unit, rows);
	if (!search->inside)
		drop_outside(search->request, unit->batch, rows);
	*counted = rows;
	if (search->filter)
		return traceql_unit_filter(search->run, rows) > 0;
	return memchr(rows, 1, n) != NULL;
}

/* ---- units ---- */

static bool
one_tenant(const Source *source, const SourceUnit *unit, Image *image)
{
	const Str *tenants;
	uint32 n;

	/* Segments have one, and are not opened when it is another. */
	if (!source->tenant || unit->unit.kind == UNIT_SEGMENT)
		return true;
	tenants = image_strings(image, LEVEL_SPAN, LOAD_COLUMN, SC_TENANT, &n);
	return tenants && n == 1 && str_eq(tenants[0], str_lit(source->tenant));
}

/* May the image be answered as a whole? */
static bool
whole_image(const TagSearch *search, const SourceUnit *unit, Image *image)
{
	return search->inside && !search->filter && !search->traces && !unit->partial &&
		   one_tenant(search->source, unit, image);
}

static bool
take_image(void *ctx, const SourceUnit *unit, Image *image)
{
	TagSearch *search = ctx;
	const ImageSummary *s = image_summary(image);

	query_check_memory(search->answer);
	search->inside = range_inside(search->request, s->start_min, s->start_max);
	if (whole_image(search, unit, image))
	{
		if (search->pass == PASS_REST ||
			(search->names ? tag_names_image(search->names, image) : tag_values_image(search->values, image)))
			return true;
	}
	else if (search->pass == PASS_WHOLE)
	{
		search->rest = true;
		return true;
	}
	/* What other images brought may be all that this one has. */
	return !search->traces && (search->names ? tag_names_covered(search->names, image)
											 : tag_values_covered(search->values, image));
}

/* The value of a tag that is a trace's, of each trace with a row that counts. */
static void
add_of_traces(TagSearch *search, const Batch *batch, const uint8 *rows)
{
	for (uint32 t = 0; t < batch->level[LEVEL_TRACE].nrows; t++)
	{
		uint32 first = batch->trace_first[t];
		EvalValue v;

		if (rows && !memchr(rows + first, 1, batch->trace_first[t + 1] - first))
			continue;
		v = traceql_unit_value(search->run, search->value, first);
		if (v.type == EVAL_STRING && v.s.len > 0)
			tag_values_add(search->values, &v);
	}
}

static void
take_unit(TagSearch *search, const ReaderUnit *unit)
{
	uint8 *rows;

	query_check_memory(search->answer);
	if (search->names ? tag_names_exhausted(search->names, unit->source)
					  : tag_values_exhausted(search->values, unit->source))
		return;
	if (search->run)
		traceql_unit_begin(search->run, unit->batch, unit->source, search->scratch);
	if (!rows_counted(search, unit, &rows))
		return;
	if (search->names)
		tag_names_batch(search->names, unit->batch, unit->source, rows, search->scratch);
	else if (tag_values_of_traces(search->values))
		add_of_traces(search, unit->batch, rows);
	else
		tag_values_batch(search->values, unit->batch, unit->source, rows, search->scratch);
}

/* ---- the whole ---- */

static void
read_filter(TagSearch *search)
{
	uint32 groups;

	search->filter = search->request->filter.len
						 ? traceql_tolerant_filter(search->arena, search->request->filter, &groups)
						 : NULL;
	if (search->filter && groups > TRACEQL_MAX_GROUPS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the filter has more than %d alternatives joined by ||; reduce the number of OR "
						"conditions in the query",
						TRACEQL_MAX_GROUPS)));
}

static void
free_plan(void *plan)
{
	traceql_plan_free(plan);
}

static void
begin_run(TagSearch *search, const TraceqlAttr *attr)
{
	TraceqlOptions options = {.max_trace = query_max_trace_spans()};
	bool of_trace = search->values && tag_values_of_traces(search->values);
	MemoryContextCallback *callback;

	if (!search->filter && !of_trace)
		return;
	search->plan = traceql_plan_filter(search->arena, search->filter);
	if (of_trace)
		search->value = traceql_plan_value(search->plan, attr);
	/* Compiled patterns are outside of memory contexts. */
	callback = palloc0(sizeof(MemoryContextCallback));
	callback->func = free_plan;
	callback->arg = search->plan;
	MemoryContextRegisterResetCallback(search->context, callback);
	search->traces = traceql_plan_of_traces(search->plan);
	search->run = traceql_run_begin(search->plan, &options, &query_hooks, search->arena);
}

/* Read everything once. */
static void
read_all(TagSearch *search)
{
	const TagRequest *r = search->request;
	ReaderRequest request = {.spans = !search->traces,
							 .has_from = r->has_from,
							 .has_to = r->has_to,
							 .from = r->from,
							 .to = r->to,
							 .wanted = range_wanted,
							 .image = take_image,
							 .ctx = search};
	Reader *reader = reader_begin(search->source, &request);
	ReaderUnit unit;

	while (reader_next(reader, &unit))
	{
		take_unit(search, &unit);
		arena_reset(search->scratch);
	}
	reader_end(reader);
}

static void
read_source(TagSearch *search, TagCounters *counters)
{
	Snapshot snapshot = RegisterSnapshot(GetActiveSnapshot());

	search->source = source_open(search->context, snapshot, search->request->tenant);
	if (search->filter || search->traces || search->source->policies)
		read_all(search);
	else
	{
		search->pass = PASS_WHOLE;
		read_all(search);
		search->pass = PASS_REST;
		if (search->rest)
			read_all(search);
	}
	counters->units = search->source->nsegments + search->source->nrecent;
	counters->bytes_read = search->source->bytes_read;
	source_close(search->source);
	UnregisterSnapshot(snapshot);
}

static void
run_search(TagSearch *search, const TraceqlAttr *attr, TagCounters *counters)
{
	begin_run(search, attr);
	search->scratch = store_arena(search->context);
	if (search->plan && traceql_plan_facts(search->plan)->nothing)
		source_check_access();
	else
		read_source(search, counters);
}

static TagSearch *
begin_search(const TagRequest *request, TagCounters *counters)
{
	MemoryContext answer =
		AllocSetContextCreate(CurrentMemoryContext, "traceql tags", ALLOCSET_DEFAULT_SIZES);
	MemoryContext context = AllocSetContextCreate(answer, "traceql tags, reading", ALLOCSET_DEFAULT_SIZES);
	TagSearch *search = MemoryContextAllocZero(context, sizeof(TagSearch));

	memset(counters, 0, sizeof(*counters));
	search->answer = answer;
	search->context = context;
	search->arena = store_arena(context);
	search->request = request;
	read_filter(search);
	return search;
}

TagNames *
tag_search_names(const TagRequest *request, uint32 scopes, TagCounters *counters)
{
	TagSearch *search = begin_search(request, counters);
	TagNames *names = tag_names_create(store_arena(search->answer), scopes, request->limit);
	MemoryContext old = MemoryContextSwitchTo(search->context);

	search->names = names;
	if (scopes & ~(1u << TAGS_INTRINSIC))
		run_search(search, NULL, counters);
	else
		source_check_access();
	MemoryContextSwitchTo(old);
	MemoryContextDelete(search->context);
	for (TagScope scope = 0; scope < TAGS_NSCOPES; scope++)
		if (tag_names_set(names, scope))
			tag_set_sort(tag_names_set(names, scope));
	return names;
}

/* What a filter that says the tag equals something leaves of its values. */
static bool
add_pinned(TagSearch *search, const TraceqlAttr *attr)
{
	const TraceqlStatic *pinned = traceql_pinned(search->filter, attr);
	EvalValue v = {.type = EVAL_NIL};

	if (!pinned)
		return false;
	v.type = (uint8) pinned->type;
	switch (pinned->type)
	{
		case TQL_TYPE_FLOAT: v.d = pinned->f; break;
		case TQL_TYPE_STRING: v.s = pinned->s; break;
		case TQL_TYPE_BOOL: v.b = pinned->b; break;
		default: v.i = pinned->i; break;
	}
	tag_values_add(search->values, &v);
	return true;
}

TagSet *
tag_search_values(const TagRequest *request, const TraceqlAttr *attr, TagCounters *counters)
{
	TagSearch *search = begin_search(request, counters);
	TagValues *values =
		tag_values_create(store_arena(search->answer), attr, request->limit, request->max_bytes);
	MemoryContext old = MemoryContextSwitchTo(search->context);

	search->values = values;
	if (tag_values_fixed(values, search->filter != NULL) || add_pinned(search, attr))
		source_check_access();
	else
		run_search(search, attr, counters);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(search->context);
	tag_set_sort(tag_values_set(values));
	return tag_values_set(values);
}
