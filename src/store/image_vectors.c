/*
 * image_vectors.c
 *	  Where an image is cut in vectors: after a number of rows, sooner where rows are heavy, never inside a
 *	  trace when the spans are sorted.
 */
#include "store/image_write.h"

/* Batches whose distinct strings take less than this are cut by rows alone. */
#define HEAVY_BATCH ((uint64_t) 64 << 20)
/* String bytes of a vector of heavy rows. */
#define HEAVY_VECTOR ((uint64_t) 64 << 20)

static uint64_t
dictionary_bytes(const Column *c)
{
	uint64_t bytes = 0;

	if (c->kind == COL_BYTES && c->loaded)
		for (uint32_t k = 0; k < c->ndict; k++)
			bytes += c->dict[k].len;
	return bytes;
}

static uint64_t
distinct_bytes(Batch *b, Level level)
{
	RowSet *rows = &b->level[level];
	uint64_t bytes = 0;

	for (uint32_t col = 0; col < rows->ncolumns; col++)
		bytes += dictionary_bytes(batch_column(b, level, col));
	for (uint32_t k = 0; rows->attrs != NULL && k < rows->attrs->ncolumns; k++)
		bytes += dictionary_bytes(&batch_attr_column(b, level, k)->values);
	return bytes;
}

/* Add the string bytes of a column to the rows that own them. rows NULL: one value a row. */
static void
weigh(const Column *c, const uint32_t *rows, const uint32_t *owner, uint64_t *weight)
{
	if (c->kind != COL_BYTES)
		return;
	for (uint32_t i = 0; i < c->n; i++)
	{
		uint32_t row = rows ? rows[i] : i;

		weight[owner ? owner[row] : row] += c->dict[c->codes[i]].len;
	}
}

static void
weigh_level(Batch *b, Level level, const uint32_t *owner, uint64_t *weight)
{
	RowSet *rows = &b->level[level];

	for (uint32_t col = 0; col < rows->ncolumns; col++)
		weigh(batch_column(b, level, col), NULL, owner, weight);
	for (uint32_t k = 0; rows->attrs != NULL && k < rows->attrs->ncolumns; k++)
	{
		AttrColumn *a = batch_attr_rows(b, level, k);

		weigh(&a->values, a->rows, owner, weight);
	}
}

/* The span that each event or link belongs to. */
static uint32_t *
owners(Writer *w, const uint32_t *first, uint32_t n)
{
	uint32_t *owner = arena_alloc(w->arena, ((size_t) n + 1) * sizeof(uint32_t));

	for (uint32_t row = 0; row < batch_nrows(w->b); row++)
		for (uint32_t i = first[row]; i < first[row + 1]; i++)
			owner[i] = row;
	return owner;
}

/* String bytes of each row with its events and links; NULL when rows are light. */
static uint64_t *
row_weights(Writer *w)
{
	Batch *b = w->b;
	uint64_t total = 0, *weight;

	for (Level level = LEVEL_SPAN; level <= LEVEL_LINK; level++)
		total += distinct_bytes(b, level);
	if (total < HEAVY_BATCH)
		return NULL;
	weight = arena_alloc0(w->arena, ((size_t) batch_nrows(b) + 1) * sizeof(uint64_t));
	weigh_level(b, LEVEL_SPAN, NULL, weight);
	if (b->spans)
	{
		weigh_level(b, LEVEL_EVENT, owners(w, batch_event_first(b), b->level[LEVEL_EVENT].nrows), weight);
		weigh_level(b, LEVEL_LINK, owners(w, batch_link_first(b), b->level[LEVEL_LINK].nrows), weight);
	}
	return weight;
}

/* Bounds of the vectors: rows between traces, or any. */
static uint32_t *
cut_vectors(Writer *w)
{
	Batch *b = w->b;
	bool traces = b->sorted;
	uint32_t n = batch_nrows(b), ncuts = traces ? b->level[LEVEL_TRACE].nrows : n, k = 1;
	uint32_t *first = arena_alloc(w->arena, ((size_t) ncuts + 2) * sizeof(uint32_t));
	const uint64_t *weight = w->effort == CODEC_SMALL ? row_weights(w) : NULL;
	uint64_t heavy = 0;

	first[0] = 0;
	for (uint32_t i = 0; i + 1 < ncuts && w->effort == CODEC_SMALL; i++)
	{
		uint32_t end = traces ? b->trace_first[i + 1] : i + 1;

		for (uint32_t row = traces ? b->trace_first[i] : i; weight != NULL && row < end; row++)
			heavy += weight[row];
		if (end - first[k - 1] >= w->vector_rows || heavy >= HEAVY_VECTOR)
		{
			first[k++] = end;
			heavy = 0;
		}
	}
	first[k] = n;
	w->nvectors = k;
	return first;
}

/* First row of each vector in a level whose rows hang off the spans, child_first by span. */
static uint32_t *
level_vectors(Writer *w, const uint32_t *child_first)
{
	uint32_t *first = arena_alloc(w->arena, ((size_t) w->nvectors + 1) * sizeof(uint32_t));

	for (uint32_t v = 0; v <= w->nvectors; v++)
		first[v] = child_first[w->first[LEVEL_SPAN][v]];
	return first;
}

static uint32_t *
trace_vectors(Writer *w)
{
	uint32_t *first = arena_alloc(w->arena, ((size_t) w->nvectors + 1) * sizeof(uint32_t));
	uint32_t t = 0;

	for (uint32_t v = 0; v <= w->nvectors; v++)
	{
		while (t < w->b->level[LEVEL_TRACE].nrows && w->b->trace_first[t] < w->first[LEVEL_SPAN][v])
			t++;
		first[v] = t;
	}
	return first;
}

void
image_make_vectors(Writer *w)
{
	w->first[LEVEL_SPAN] = cut_vectors(w);
	if (!w->b->spans)
		return;
	w->first[LEVEL_EVENT] = level_vectors(w, batch_event_first(w->b));
	w->first[LEVEL_LINK] = level_vectors(w, batch_link_first(w->b));
	if (w->b->sorted)
		w->first[LEVEL_TRACE] = trace_vectors(w);
}
