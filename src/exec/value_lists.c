/*
 * value_lists.c
 *	  Values by group, and selection by rank.
 *
 * Selection counts values by magnitude first, so that only those near a rank asked for are looked at one by
 * one.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "exec/partial.h"
#include "exec/value_lists.h"

#define FIRST_SLAB  (64 * 1024)
#define MAX_SLAB    (1024 * 1024)
#define SLAB_HEADER 16 /* the slab before */

/* Values of the first chunk of a list, and of its largest ones. */
#define FIRST_CHUNK 16
#define MAX_CHUNK   4096

typedef struct Chunk
{
	uint64 next; /* handle, 0: the last one */
	uint32 n;
	uint32 max;
} Chunk;

/* Values of one width of a group. */
typedef struct List
{
	char *at; /* free place in the open chunk */
	char *end;
	Chunk *open;
	uint64 first; /* chunk; the open one comes first */
	uint64 n;     /* values of the chunks that are not open */
} List;

enum
{
	NARROW, /* 31 bits, not negative */
	WIDE,   /* everything else */
	NWIDTHS
};

struct ValueLists
{
	SlabSource *source;
	MemoryContext context;
	List (*list)[NWIDTHS]; /* by group */
	uint32 max;
	/* of the group being looked at */
	uint32 *narrow;
	uint32 *scratch; /* as long as narrow */
	uint64 max_narrow;
	int64 *wide;
	uint64 max_wide;
};

static const Size widths[NWIDTHS] = {sizeof(uint32), sizeof(int64)};

/* ---- slabs ---- */

SlabSource *
slab_source_create(dsa_area *area, MemoryContext context)
{
	SlabSource *s = MemoryContextAllocZero(context, sizeof(SlabSource));

	s->area = area;
	s->context = context;
	s->size = FIRST_SLAB;
	return s;
}

static void
new_slab(SlabSource *s)
{
	if (s->area)
	{
		dsa_pointer slab = dsa_allocate(s->area, s->size);

		s->at = dsa_get_address(s->area, slab);
		s->handle = slab;
		memcpy(s->at, &s->last, sizeof(dsa_pointer));
		s->last = slab;
	}
	else
	{
		s->at = MemoryContextAlloc(s->context, s->size);
		s->handle = (uint64) (uintptr_t) s->at;
	}
	s->end = s->at + s->size;
	s->at += SLAB_HEADER;
	s->handle += SLAB_HEADER;
	s->size = Min(s->size * 2, MAX_SLAB);
}

void
slab_free_shared(dsa_area *area, dsa_pointer last)
{
	while (DsaPointerIsValid(last))
	{
		dsa_pointer before;

		memcpy(&before, dsa_get_address(area, last), sizeof(before));
		dsa_free(area, last);
		last = before;
	}
}

static void *
slab_take(SlabSource *s, Size size, uint64 *handle)
{
	char *p;

	if ((Size) (s->end - s->at) < size)
		new_slab(s);
	p = s->at;
	*handle = s->handle;
	s->at += size;
	s->handle += size;
	return p;
}

static Chunk *
chunk_at(const SlabSource *s, uint64 handle)
{
	return s->area ? dsa_get_address(s->area, handle) : (Chunk *) (uintptr_t) handle;
}

/* ---- taking in values ---- */

ValueLists *
value_lists_create(SlabSource *source, MemoryContext context)
{
	ValueLists *l = MemoryContextAllocZero(context, sizeof(ValueLists));

	l->source = source;
	l->context = context;
	return l;
}

void
value_lists_reserve(ValueLists *l, uint32 ngroups)
{
	uint32 max = Max(ngroups, Max(l->max * 2, 64));
	Size width = sizeof(l->list[0]);

	if (ngroups <= l->max)
		return;
	l->list = l->list ? repalloc_huge(l->list, max * width) : MemoryContextAllocHuge(l->context, max * width);
	memset(l->list + l->max, 0, (max - l->max) * width);
	l->max = max;
}

/* The open chunk is full, or there is none. */
static void
open_chunk(ValueLists *l, List *list, int width)
{
	uint32 max = list->open ? Min(list->open->max * 2, MAX_CHUNK) : FIRST_CHUNK;
	uint64 handle;
	Chunk *c = slab_take(l->source, sizeof(Chunk) + max * widths[width], &handle);

	if (list->open)
	{
		list->open->n = list->open->max;
		list->n += list->open->n;
	}
	c->next = list->first;
	c->n = 0;
	c->max = max;
	list->first = handle;
	list->open = c;
	list->at = (char *) (c + 1);
	list->end = list->at + max * widths[width];
}

static inline void
add_value(ValueLists *l, uint32 group, int64 v)
{
	int width = (uint64) v <= PG_INT32_MAX ? NARROW : WIDE;
	List *list = &l->list[group][width];

	if (unlikely(list->at == list->end))
		open_chunk(l, list, width);
	if (likely(width == NARROW))
	{
		*(uint32 *) list->at = (uint32) v;
		list->at += sizeof(uint32);
		return;
	}
	*(int64 *) list->at = v;
	list->at += sizeof(int64);
}

void
value_lists_add(ValueLists *l, const int64 *values, const uint32 *rows, uint32 n, const uint32 *groups,
				uint32 ngroups)
{
	value_lists_reserve(l, ngroups);
	if (rows)
		for (uint32 i = 0; i < n; i++)
			add_value(l, groups[i], values[rows[i]]);
	else
		for (uint32 i = 0; i < n; i++)
			add_value(l, groups[i], values[i]);
}

/* Values in the open chunk. */
static uint32
open_values(const List *list, int width)
{
	return list->open ? (uint32) ((list->at - (char *) (list->open + 1)) / widths[width]) : 0;
}

static uint64
list_count(const List *list, int width)
{
	return list->n + open_values(list, width);
}

uint64
value_lists_count(const ValueLists *l, uint32 group)
{
	if (group >= l->max)
		return 0;
	return list_count(&l->list[group][NARROW], NARROW) + list_count(&l->list[group][WIDE], WIDE);
}

/* ---- other processes ---- */

/* A list as it is published: its chunks are chained, last has no next. */
typedef struct Published
{
	uint64 first;
	uint64 n;
} Published;

static Published
publish(List *list, int width)
{
	Published p = {list->first, list_count(list, width)};

	if (list->open)
		list->open->n = open_values(list, width);
	return p;
}

void
value_lists_write(ValueLists *l, uint32 ngroups, StringInfo out)
{
	Published *p = MemoryContextAllocHuge(l->context, ((Size) ngroups + 1) * NWIDTHS * sizeof(Published));

	value_lists_reserve(l, ngroups);
	for (uint32 g = 0; g < ngroups; g++)
		for (int w = 0; w < NWIDTHS; w++)
			p[(Size) g * NWIDTHS + w] = publish(&l->list[g][w], w);
	partial_put(out, p, (Size) ngroups * NWIDTHS * sizeof(Published));
	pfree(p);
}

/* Lists that came from others have no open chunk. */
static void
link_published(ValueLists *l, List *list, const Published *p)
{
	Chunk *last;

	if (p->n == 0)
		return;
	last = chunk_at(l->source, p->first);
	while (last->next)
		last = chunk_at(l->source, last->next);
	last->next = list->first;
	list->first = p->first;
	list->n += p->n;
}

void
value_lists_merge(ValueLists *l, const char **message, uint32 ngroups, const uint32 *map)
{
	const Published *p = partial_get(message, (Size) ngroups * NWIDTHS * sizeof(Published));

	for (uint32 g = 0; g < ngroups; g++)
	{
		if (map[g] == VALUE_LISTS_NONE)
			continue;
		value_lists_reserve(l, map[g] + 1);
		for (int w = 0; w < NWIDTHS; w++)
			link_published(l, &l->list[map[g]][w], &p[(Size) g * NWIDTHS + w]);
	}
}

/* ---- selection ---- */

/* Room for n values; what was in it is gone. */
static void *
reserve_array(ValueLists *l, void *array, uint64 max, Size width)
{
	if (array)
		pfree(array);
	return MemoryContextAllocHuge(l->context, max * width);
}

static void
reserve_narrow(ValueLists *l, uint64 n)
{
	if (n <= l->max_narrow)
		return;
	l->max_narrow = n + n / 4 + 1024;
	l->narrow = reserve_array(l, l->narrow, l->max_narrow, sizeof(uint32));
	l->scratch = reserve_array(l, l->scratch, l->max_narrow, sizeof(uint32));
}

static void
reserve_wide(ValueLists *l, uint64 n)
{
	if (n <= l->max_wide)
		return;
	l->max_wide = n + n / 4 + 256;
	l->wide = reserve_array(l, l->wide, l->max_wide, sizeof(int64));
}

/* All values of a list. */
static void
collect(ValueLists *l, const List *list, int width, void *out)
{
	char *to = out;

	for (uint64 h = list->first; h;)
	{
		const Chunk *c = chunk_at(l->source, h);
		Size bytes = (c == list->open ? open_values(list, width) : c->n) * widths[width];

		memcpy(to, c + 1, bytes);
		to += bytes;
		h = c->next;
	}
}

/* Magnitude of a number: exponent and four bits of mantissa of it as a float, which grow with it. */
#define MAGNITUDES ((127 + 32) * 16)

static inline uint32
magnitude(uint32 v)
{
	union
	{
		float f;
		uint32 u;
	} x = {.f = (float) (int32) v};

	return x.u >> 19;
}

/* So many are worked out together, which takes a fraction of one by one. */
#define SOME 64

static void
count_magnitudes(const uint32 *v, uint64 n, uint32 *count)
{
	uint64 i = 0;

	for (; i + SOME <= n; i += SOME)
	{
		uint32 m[SOME];

		for (int k = 0; k < SOME; k++)
			m[k] = magnitude(v[i + k]);
		for (int k = 0; k < SOME; k++)
			count[m[k]]++;
	}
	for (; i < n; i++)
		count[magnitude(v[i])]++;
}

/* Bring the values of magnitudes that are wanted to out; returns how many. No branch depends on a value. */
static uint64
filter_magnitudes(const uint32 *v, uint64 n, const uint8 *wanted, uint32 *out)
{
	uint64 found = 0, i = 0;

	for (; i + SOME <= n; i += SOME)
	{
		uint32 m[SOME];

		for (int k = 0; k < SOME; k++)
			m[k] = magnitude(v[i + k]);
		for (int k = 0; k < SOME; k++)
		{
			out[found] = v[i + k];
			found += wanted[m[k]];
		}
	}
	for (; i < n; i++)
	{
		out[found] = v[i];
		found += wanted[magnitude(v[i])];
	}
	return found;
}

static int
compare_u32(const void *a, const void *b)
{
	uint32 x = *(const uint32 *) a, y = *(const uint32 *) b;

	return (x > y) - (x < y);
}

static int
compare_i64(const void *a, const void *b)
{
	int64 x = *(const int64 *) a, y = *(const int64 *) b;

	return (x > y) - (x < y);
}

static uint32
median_of_three(uint32 a, uint32 b, uint32 c)
{
	return a < b ? (b < c ? b : Max(a, c)) : (a < c ? a : Max(b, c));
}

/* Bring the values less than the pivot to the front; returns how many. */
static uint64
partition_values(uint32 *v, uint64 n, uint64 pivot)
{
	uint64 less = 0;

	for (uint64 i = 0; i < n; i++)
	{
		uint32 x = v[i];

		v[i] = v[less];
		v[less] = x;
		less += x < pivot;
	}
	return less;
}

/* The k-th value in order; the values are moved, none is lost. */
static uint32
select_value(uint32 *v, uint64 n, uint64 k)
{
	while (n > 32)
	{
		uint32 pivot = median_of_three(v[0], v[n / 2], v[n - 1]);
		uint64 less = partition_values(v, n, pivot);
		uint64 equal;

		CHECK_FOR_INTERRUPTS();
		if (k < less)
		{
			n = less;
			continue;
		}
		/* The pivot is the least of the rest: those equal to it come next. */
		equal = partition_values(v + less, n - less, (uint64) pivot + 1);
		if (k < less + equal)
			return pivot;
		v += less + equal;
		n -= less + equal;
		k -= less + equal;
	}
	qsort(v, n, sizeof(uint32), compare_u32);
	return v[k];
}

/* Fewer values than this are sorted, not counted. */
#define SORT_VALUES 64

/* Where values of the magnitude of each rank begin in order: filled, with the magnitudes, by
 * find_magnitudes(). */
typedef struct RankPlace
{
	uint32 magnitude;
	uint64 before; /* values of lesser magnitudes */
} RankPlace;

/* Ranks are ascending. */
static void
find_magnitudes(const uint32 *count, const uint64 *ranks, int nranks, RankPlace *places, uint8 *wanted)
{
	uint32 m = 0;
	uint64 before = 0;

	for (int r = 0; r < nranks; r++)
	{
		while (ranks[r] >= before + count[m])
			before += count[m++];
		places[r] = (RankPlace){m, before};
		wanted[m] = 1;
	}
}

/* scratch: room for n values. */
static void
select_narrow(uint32 *v, uint64 n, const uint64 *ranks, int nranks, int64 *out, uint32 *scratch)
{
	uint32 count[MAGNITUDES] = {0};
	uint8 wanted[MAGNITUDES] = {0};
	RankPlace *places;
	uint64 found;

	if (n <= SORT_VALUES)
	{
		qsort(v, n, sizeof(uint32), compare_u32);
		for (int r = 0; r < nranks; r++)
			out[r] = v[ranks[r]];
		return;
	}
	places = palloc(nranks * sizeof(RankPlace));
	count_magnitudes(v, n, count);
	find_magnitudes(count, ranks, nranks, places, wanted);
	found = filter_magnitudes(v, n, wanted, scratch);
	memset(wanted, 0, sizeof(wanted));
	for (int r = 0; r < nranks;)
	{
		RankPlace p = places[r];
		uint64 same;

		wanted[p.magnitude] = 1;
		same = filter_magnitudes(scratch, found, wanted, v);
		wanted[p.magnitude] = 0;
		for (; r < nranks && places[r].magnitude == p.magnitude; r++)
			out[r] = select_value(v, same, ranks[r] - p.before);
	}
	pfree(places);
}

/* Negative values and those of more than 32 bits, in order; returns how many are negative. */
static uint64
sort_wide(ValueLists *l, const List *list, uint64 n)
{
	uint64 negative = 0;

	if (n == 0)
		return 0;
	reserve_wide(l, n);
	collect(l, list, WIDE, l->wide);
	qsort(l->wide, n, sizeof(int64), compare_i64);
	while (negative < n && l->wide[negative] < 0)
		negative++;
	return negative;
}

void
value_lists_select(ValueLists *l, uint32 group, const uint64 *ranks, int nranks, int64 *out)
{
	const List *lists = l->list[group];
	uint64 nnarrow = list_count(&lists[NARROW], NARROW);
	uint64 negative = sort_wide(l, &lists[WIDE], list_count(&lists[WIDE], WIDE));
	uint64 *within = palloc(nranks * sizeof(uint64));
	int n = 0;
	int r = 0;

	CHECK_FOR_INTERRUPTS();
	for (; r < nranks && ranks[r] < negative; r++)
		out[r] = l->wide[ranks[r]];
	while (r + n < nranks && ranks[r + n] < negative + nnarrow)
	{
		within[n] = ranks[r + n] - negative;
		n++;
	}
	if (n > 0)
	{
		reserve_narrow(l, nnarrow);
		collect(l, &lists[NARROW], NARROW, l->narrow);
		select_narrow(l->narrow, nnarrow, within, n, out + r, l->scratch);
	}
	for (r += n; r < nranks; r++)
		out[r] = l->wide[ranks[r] - nnarrow];
	pfree(within);
}
