/*
 * timeline_shares.c
 *	  Dealing the attributes of compare() out: the dearest first, each to who has least so far.
 *
 *	  What an attribute costs is guessed from a segment: its values are looked at one by one, and bytes stand
 *for how different they are. A wrong guess makes a query slower, not wrong.
 */
#include "traceql/timeline_impl.h"

#include "utils/memutils.h"

/* Work on a row, and on its tree, as multiples of the work on a value. */
#define COLUMNS_COST 4
#define TRACES_COST  4
#define BYTE_COST    3

typedef struct Costly
{
	Str key;
	uint64 cost;
} Costly;

static int
dearest_first(const void *a, const void *b)
{
	const Costly *x = a;
	const Costly *y = b;

	if (x->cost != y->cost)
		return x->cost > y->cost ? -1 : 1;
	return str_cmp(x->key, y->key);
}

/* The keys of a segment; columns of one key together. */
static Costly *
list_keys(Image *image, Arena *arena, uint32 *n)
{
	uint32 ncolumns;
	const AttrColumn *columns = image_attrs(image, LEVEL_SPAN, &ncolumns);
	Costly *keys = arena_alloc(arena, (ncolumns + 1) * sizeof(Costly));

	*n = 0;
	for (uint32 c = 0; c < ncolumns; c++)
	{
		uint64 cost =
			image_attr_values(image, LEVEL_SPAN, c) + BYTE_COST * image_attr_bytes(image, LEVEL_SPAN, c);
		uint32 k = 0;

		while (k < *n && !str_eq(keys[k].key, columns[c].key))
			k++;
		if (k == *n)
			keys[(*n)++] = (Costly){
				str_of(arena_dup(arena, columns[c].key.p, columns[c].key.len), columns[c].key.len), 0};
		keys[k].cost += cost;
	}
	qsort(keys, *n, sizeof(Costly), dearest_first);
	return keys;
}

static uint32
least_loaded(const uint64 *load, uint32 n)
{
	uint32 least = 0;

	for (uint32 i = 1; i < n; i++)
		if (load[i] < load[least])
			least = i;
	return least;
}

/* More keys than this are few spans each, and go by a hash. */
#define MAX_KEYS 500

static void
deal_keys(MetricsShares *shares, const Costly *keys, uint32 n, uint64 rows, Arena *arena)
{
	uint64 *load = arena_alloc0(arena, shares->nshares * sizeof(uint64));

	load[0] = TRACES_COST * rows;
	shares->columns = shares->nshares - 1;
	load[shares->columns] += COLUMNS_COST * rows;
	shares->nkeys = Min(n, MAX_KEYS);
	shares->keys = arena_alloc(arena, (shares->nkeys + 1) * sizeof(Str));
	shares->share_of = arena_alloc(arena, (shares->nkeys + 1) * sizeof(uint32_t));
	for (uint32 i = 0; i < shares->nkeys; i++)
	{
		uint32 to = least_loaded(load, shares->nshares);

		shares->keys[i] = keys[i].key;
		shares->share_of[i] = to;
		load[to] += keys[i].cost;
	}
}

MetricsShares *
timeline_make_shares(Source *source, uint32 nshares, Arena *arena)
{
	MetricsShares *shares = arena_alloc0(arena, sizeof(MetricsShares));
	MemoryContext context;
	Costly *keys = NULL;
	uint32 n = 0;

	shares->nshares = nshares;
	if (source->nsegments == 0)
	{
		deal_keys(shares, keys, 0, 1, arena);
		return shares;
	}
	context = AllocSetContextCreate(CurrentMemoryContext, "traceql shares", ALLOCSET_DEFAULT_SIZES);
	keys = list_keys(store_open(source->segments[0].rel, source->snapshot, &source->segments[0].unit,
								store_arena(context)),
					 arena, &n);
	deal_keys(shares, keys, n, source->segments[0].unit.nrows, arena);
	MemoryContextDelete(context);
	return shares;
}

/* ---- as bytes ---- */

void
timeline_put_shares(const MetricsShares *shares, Buf *out)
{
	buf_put_varint(out, shares->nshares);
	buf_put_varint(out, shares->columns);
	buf_put_varint(out, shares->nkeys);
	for (uint32 i = 0; i < shares->nkeys; i++)
	{
		buf_put_varint(out, shares->share_of[i]);
		buf_put_varint(out, shares->keys[i].len);
		buf_put(out, shares->keys[i].p, shares->keys[i].len);
	}
}

static uint32
take_number(const uint8_t **p, const uint8_t *end)
{
	uint64_t v;

	if (!read_varint(p, end, &v) || v > PG_UINT32_MAX)
		elog(ERROR, "malformed shares of a metrics query");
	return (uint32) v;
}

MetricsShares *
timeline_take_shares(Str bytes, Arena *arena)
{
	MetricsShares *shares = arena_alloc0(arena, sizeof(MetricsShares));
	const uint8_t *p = (const uint8_t *) bytes.p;
	const uint8_t *end = p + bytes.len;

	shares->nshares = take_number(&p, end);
	shares->columns = take_number(&p, end);
	shares->nkeys = take_number(&p, end);
	if (shares->nshares == 0 || shares->nkeys > bytes.len)
		elog(ERROR, "malformed shares of a metrics query");
	shares->keys = arena_alloc0(arena, (shares->nkeys + 1) * sizeof(Str));
	shares->share_of = arena_alloc0(arena, (shares->nkeys + 1) * sizeof(uint32_t));
	for (uint32 i = 0; i < shares->nkeys; i++)
	{
		uint32 len;

		shares->share_of[i] = take_number(&p, end);
		len = take_number(&p, end);
		if (len > (size_t) (end - p))
			elog(ERROR, "malformed shares of a metrics query");
		shares->keys[i] = str_of((const char *) p, len);
		p += len;
	}
	return shares;
}
