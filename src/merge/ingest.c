/*
 * ingest.c
 *	  Checks the spans of a batch and routes them to the day partitions of tempo.spans.
 *
 * Nearly every batch is of one day and one tenant: it goes to its leaf as it is. Otherwise rows are
 * sorted by day and tenant and gathered into one batch each.
 */
#include "merge/ingest.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "am/am.h"
#include "merge/partition.h"
#include "store/store.h"
#include "types/types.h"

int ingest_retention = 0;
int ingest_max_future = MINS_PER_HOUR * HOURS_PER_DAY;

#define NS_PER_MINUTE UINT64CONST(60000000000)

/* Columns that are text in SQL, which holds neither NUL nor anything but UTF-8. */
static const SpanCol text_columns[] = {
	SC_TENANT,        SC_NAME,        SC_STATUS_MESSAGE,      SC_SERVICE,         SC_SCOPE_NAME,
	SC_SCOPE_VERSION, SC_TRACE_STATE, SC_RESOURCE_SCHEMA_URL, SC_SCOPE_SCHEMA_URL};

static const char *const text_column_names[] = {
	"tenant",        "name",        "status message",      "service name",    "scope name",
	"scope version", "trace state", "resource schema URL", "scope schema URL"};

/* Unix nanoseconds of the first and last start that is taken. */
typedef struct Window
{
	uint64 oldest;
	uint64 newest;
} Window;

/* Where a row goes. */
typedef struct Route
{
	UnixDay day;
	uint32 row;
	Str tenant;
} Route;

void
ingest_define_settings(void)
{
	DefineCustomIntVariable(
		"tempo.retention", "Age beyond which spans are not kept.",
		"Spans that start earlier than this before now are rejected, and partitions of nothing else are "
		"dropped. 0 keeps spans of any age.",
		&ingest_retention, 0, 0, INT_MAX, PGC_SIGHUP, GUC_UNIT_MIN, NULL, NULL, NULL);
	DefineCustomIntVariable("tempo.max_future", "How far ahead of now a span may start.",
							"Spans further ahead are rejected. -1 takes everything.", &ingest_max_future,
							MINS_PER_HOUR * HOURS_PER_DAY, -1, INT_MAX, PGC_SIGHUP, GUC_UNIT_MIN, NULL, NULL,
							NULL);
}

static Window
current_window(void)
{
	uint64 now = (uint64) (GetCurrentTimestamp() + UNIX_TO_PG_USECS) * NSECS_PER_USEC;
	uint64 past = (uint64) ingest_retention * NS_PER_MINUTE;
	uint64 future = (uint64) Max(ingest_max_future, 0) * NS_PER_MINUTE;
	Window w = {0, PG_UINT64_MAX};

	if (ingest_retention > 0 && past < now)
		w.oldest = now - past;
	if (ingest_max_future >= 0 && future < PG_UINT64_MAX - now)
		w.newest = now + future;
	return w;
}

static inline bool
in_window(const Window *w, uint64 start)
{
	return start >= w->oldest && start <= w->newest;
}

/* First and last start of the batch. */
static Window
batch_range(const Column *start)
{
	Window r = {PG_UINT64_MAX, 0};

	for (uint32 i = 0; i < start->n; i++)
	{
		uint64 v = (uint64) start->i64[i];

		r.oldest = Min(r.oldest, v);
		r.newest = Max(r.newest, v);
	}
	return r;
}

/* ---- partitions ahead of the rows ---- */

static int
compare_days(const void *a, const void *b)
{
	UnixDay x = *(const UnixDay *) a;
	UnixDay y = *(const UnixDay *) b;

	return (x > y) - (x < y);
}

/* The days of the spans that will be taken, sorted, each once. */
static UnixDay *
batch_days(const Column *start, int *ndays)
{
	Window w = current_window();
	UnixDay *days = MemoryContextAllocHuge(CurrentMemoryContext, (Size) start->n * sizeof(UnixDay) + 1);
	uint32 n = 0;
	uint32 kept = 0;

	for (uint32 i = 0; i < start->n; i++)
	{
		UnixDay day = partition_day((uint64) start->i64[i]);

		if (in_window(&w, (uint64) start->i64[i]) && (n == 0 || days[n - 1] != day))
			days[n++] = day;
	}
	qsort(days, n, sizeof(UnixDay), compare_days);
	for (uint32 i = 0; i < n; i++)
	{
		if (kept == 0 || days[kept - 1] != days[i])
			days[kept++] = days[i];
	}
	*ndays = (int) kept;
	return days;
}

void
tempo_prepare_partitions(Batch *batch)
{
	Column *start = batch_column(batch, LEVEL_SPAN, SC_START);
	bool own = !IsTransactionState();
	MemoryContext caller = CurrentMemoryContext;
	UnixDay *days;
	int ndays;
	int without;

	if (own)
	{
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
	}
	days = batch_days(start, &ndays);
	partition_create_missing(days, ndays, own ? &without : NULL);
	if (own)
	{
		PopActiveSnapshot();
		CommitTransactionCommand();
		MemoryContextSwitchTo(caller);
	}
}

/* ---- checks of the target ---- */

/* tempo.spans, open for writing by the current user. */
static Relation
open_target(void)
{
	Relation parent = partition_open_parent(RowExclusiveLock);
	Oid relid = RelationGetRelid(parent);
	AclResult acl = pg_class_aclcheck(relid, GetUserId(), ACL_INSERT);

	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, OBJECT_TABLE, RelationGetRelationName(parent));
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot ingest spans under row-level security"),
				 errdetail(
					 "The policies on \"tempo.spans\" apply to role \"%s\" and would have to be checked for "
					 "every span.",
					 GetUserNameFromId(GetUserId(), false)),
				 errhint("Ingest as the owner of the table or as a role with BYPASSRLS.")));
	return parent;
}

static void
insert_into_leaf(Oid leafid, Batch *batch)
{
	Relation leaf = table_open(leafid, RowExclusiveLock);
	Batch *whole;

	if (leaf->rd_rel->relam != get_table_am_oid("tempo", true) || !store_profile(leaf)->spans)
		ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
						errmsg("partition \"%s\" of \"tempo.spans\" does not store spans",
							   RelationGetRelationName(leaf)),
						errdetail("It has to use access method tempo and have the columns of tempo.spans.")));
	whole = ingest_add_columns(leaf, batch);
	am_index_batch(leaf, whole, store_insert_batch(leaf, whole));
	table_close(leaf, NoLock);
}

/* ---- checks of the rows ---- */

static inline bool
text_ok(Str s)
{
	return pg_verify_mbstr(PG_UTF8, s.p ? s.p : "", (int) s.len, true);
}

/* Does any string of a text column need a closer look? Strings no row uses may say so needlessly. */
static bool
all_text_ok(Batch *batch)
{
	for (int c = 0; c < lengthof(text_columns); c++)
	{
		Column *column = batch_column(batch, LEVEL_SPAN, text_columns[c]);

		for (uint32 i = 0; i < column->ndict; i++)
		{
			if (!text_ok(column->dict[i]))
				return false;
		}
	}
	return true;
}

/* -1, or the text column that a row cannot be stored for. */
static int
bad_text_column(Batch *batch, uint32 row)
{
	for (int c = 0; c < lengthof(text_columns); c++)
	{
		if (!text_ok(column_str(batch_column(batch, LEVEL_SPAN, text_columns[c]), row)))
			return c;
	}
	return -1;
}

static void reject(IngestResult *res, const char *fmt, ...) pg_attribute_printf(2, 3);

static void
reject(IngestResult *res, const char *fmt, ...)
{
	va_list args;

	if (res->rejected++ > 0)
		return;
	va_start(args, fmt);
	vsnprintf(res->reason, sizeof(res->reason), fmt, args);
	va_end(args);
}

static bool
check_row(Batch *batch, uint32 row, const Window *w, bool text_checked, IngestResult *res)
{
	uint64 start = (uint64) batch_column(batch, LEVEL_SPAN, SC_START)->i64[row];
	int16 below;
	int c;

	if (start < w->oldest)
		reject(res, "span starts at %s, before what tempo.retention keeps",
			   timestamptz_to_str(types_unix_ns_time(start, &below)));
	else if (start > w->newest)
		reject(res, "span starts at %s, further ahead than tempo.max_future allows",
			   timestamptz_to_str(types_unix_ns_time(start, &below)));
	else if (!text_checked && (c = bad_text_column(batch, row)) >= 0)
		reject(res, "%s of a span has a NUL byte or is not valid UTF-8", text_column_names[c]);
	else
		return true;
	return false;
}

/* ---- routing ---- */

static bool
one_tenant(const Column *tenant)
{
	for (uint32 i = 1; i < tenant->n; i++)
	{
		if (tenant->codes[i] != tenant->codes[0] && !str_eq(column_str(tenant, i), column_str(tenant, 0)))
			return false;
	}
	return true;
}

/* Is everything for one leaf, so that the batch can be stored as it is? */
static bool
goes_whole(Batch *batch, const Window *w, bool text_checked)
{
	Window range = batch_range(batch_column(batch, LEVEL_SPAN, SC_START));

	return text_checked && in_window(w, range.oldest) && in_window(w, range.newest) &&
		   partition_day(range.oldest) == partition_day(range.newest) &&
		   one_tenant(batch_column(batch, LEVEL_SPAN, SC_TENANT));
}

static int
compare_routes(const void *a, const void *b)
{
	const Route *x = a;
	const Route *y = b;
	int c;

	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	c = str_cmp(x->tenant, y->tenant);
	return c ? c : (x->row > y->row) - (x->row < y->row);
}

/* Store one day of one tenant, or reject it for lack of a partition. */
static void
store_group(Relation parent, Batch *batch, const Route *routes, uint32 n, IngestResult *res)
{
	Oid leaf = partition_find(parent, routes[0].day);

	if (!OidIsValid(leaf))
	{
		reject(res, "%s", partition_why_missing(parent, routes[0].day));
		res->rejected += n - 1;
		return;
	}
	if (n == batch_nrows(batch))
		insert_into_leaf(leaf, batch);
	else
	{
		Arena *arena = store_arena(CurrentMemoryContext);
		RowRef *rows = arena_alloc(arena, (size_t) n * sizeof(RowRef));

		for (uint32 i = 0; i < n; i++)
			rows[i] = (RowRef){0, routes[i].row};
		insert_into_leaf(leaf, batch_gather(arena, &batch, 1, rows, n));
		arena_destroy(arena);
	}
	res->accepted += n;
}

static void
store_by_group(Relation parent, Batch *batch, const Window *w, bool text_checked, IngestResult *res)
{
	uint32 nrows = batch_nrows(batch);
	Route *routes = MemoryContextAllocHuge(CurrentMemoryContext, (Size) nrows * sizeof(Route));
	Column *start = batch_column(batch, LEVEL_SPAN, SC_START);
	Column *tenant = batch_column(batch, LEVEL_SPAN, SC_TENANT);
	uint32 n = 0;

	for (uint32 i = 0; i < nrows; i++)
	{
		if (check_row(batch, i, w, text_checked, res))
			routes[n++] = (Route){partition_day((uint64) start->i64[i]), i, column_str(tenant, i)};
	}
	qsort(routes, n, sizeof(Route), compare_routes);
	for (uint32 first = 0, next; first < n; first = next)
	{
		CHECK_FOR_INTERRUPTS();
		for (next = first + 1; next < n; next++)
		{
			if (routes[next].day != routes[first].day || !str_eq(routes[next].tenant, routes[first].tenant))
				break;
		}
		store_group(parent, batch, routes + first, next - first, res);
	}
}

void
tempo_ingest_batch(Batch *batch, IngestResult *res)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "tempo ingest", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	Relation parent = open_target();
	Window w = current_window();
	bool text_checked;
	Oid leaf = InvalidOid;

	memset(res, 0, sizeof(*res));
	if (batch_nrows(batch) > 0)
	{
		text_checked = all_text_ok(batch);
		if (goes_whole(batch, &w, text_checked))
			leaf = partition_find(parent,
								  partition_day((uint64) batch_column(batch, LEVEL_SPAN, SC_START)->i64[0]));
		if (OidIsValid(leaf))
		{
			insert_into_leaf(leaf, batch);
			res->accepted = batch_nrows(batch);
		}
		else
			store_by_group(parent, batch, &w, text_checked, res);
	}
	/* the lock stays: the leaf must not be detached before we commit */
	table_close(parent, NoLock);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
}
