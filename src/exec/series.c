/*
 * series.c
 *	  Loading series of columns and of attributes.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "exec/series.h"
#include "types/types.h"

/* One attribute value of the key. Entry 0 is null: the row has none. */
typedef struct SeriesEntry
{
	Value v;
} SeriesEntry;

/* One attribute column of the key. */
struct SeriesPart
{
	uint32 column;
	uint8 type;
	int64 base;     /* first entry of its shared dictionary; -1: not there yet */
	bool known;     /* the image knows all of its values */
	uint32 *number; /* numbers to entries, + 1; 0 free */
	uint32 mask;
	uint32 nnumbers;
};

Series *
series_create(Relation rel, const ClauseTable *table, const ClauseSeries *spec, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Series *s = palloc0(sizeof(Series));

	s->rel = rel;
	s->spec = *spec;
	s->column = table->columns[spec->attno - 1];
	if (s->column.attno <= 0)
		elog(ERROR, "column %d is not there in table \"%s\"", spec->attno, RelationGetRelationName(rel));
	s->stored = store_profile(rel)->column[s->column.attno - 1];
	if (spec->key)
		s->key = str_of(pnstrdup(spec->key, spec->key_len), spec->key_len);
	s->vector = -1;
	s->context = context;
	s->image_context = AllocSetContextCreate(context, "tempo series", ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(old);
	return s;
}

/* ---- columns ---- */

static void
damaged_column(const Series *s)
{
	ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
					errmsg("column %d of a batch of table \"%s\" is not of the kind the table has", s->stored,
						   RelationGetRelationName(s->rel))));
}

/* The vector is older than the column. */
static void
load_missing(Series *s)
{
	bool isnull;
	Datum d = getmissingattr(RelationGetDescr(s->rel), s->column.attno, &isnull);

	s->missing = true;
	s->constant_null = isnull;
	if (s->column.byval)
	{
		int64 *v = arena_alloc0(s->batch->arena, ((size_t) s->n + 1) * sizeof(int64));
		uint8 *nulls = arena_alloc0(s->batch->arena, (size_t) s->n + 1);

		for (uint32 i = 0; i < s->n; i++)
			v[i] = (int64) d;
		if (isnull)
			memset(nulls, 1, s->n);
		s->value = v;
		s->nulls = isnull ? nulls : NULL;
		return;
	}
	s->codes = arena_alloc0(s->batch->arena, ((size_t) s->n + 1) * sizeof(uint32));
	s->nentries = 1;
	s->constant = isnull ? (Str){"", 0} : str_of(VARDATA_ANY(d), VARSIZE_ANY_EXHDR(d));
}

/* Parents that are not there are stored as 0. */
static const uint8 *
zeros_as_nulls(Series *s)
{
	uint8 *nulls = arena_alloc(s->batch->arena, (size_t) s->n + 1);

	for (uint32 i = 0; i < s->n; i++)
		nulls[i] = s->value[i] == 0;
	return nulls;
}

static void
load_numbers(Series *s, Column *c)
{
	if (c->kind != COL_I64)
		damaged_column(s);
	s->value = c->i64;
	s->nulls = c->nulls;
	if (s->column.role == SC_PARENT_ID)
		s->nulls = zeros_as_nulls(s);
}

/* Nulls become an entry behind the others. */
static void
load_strings(Series *s, Column *c, bool same_image)
{
	uint32 *codes;

	if (c->kind != COL_BYTES)
		damaged_column(s);
	s->kept = same_image && c->dict_shared && s->dict == c->dict ? c->ndict : 0;
	s->dict = c->dict;
	s->ndict = c->ndict;
	s->codes = c->codes;
	s->nentries = c->ndict;
	if (c->nulls == NULL)
		return;
	codes = arena_alloc(s->batch->arena, ((size_t) s->n + 1) * sizeof(uint32));
	for (uint32 i = 0; i < s->n; i++)
		codes[i] = c->nulls[i] ? c->ndict : c->codes[i];
	s->codes = codes;
	s->nentries = c->ndict + 1;
}

static void
load_column(Series *s, bool same_image)
{
	RowSet *rows = &s->batch->level[LEVEL_SPAN];
	Column *c;

	if ((uint32) s->stored >= rows->ncolumns)
	{
		load_missing(s);
		return;
	}
	c = batch_column(s->batch, LEVEL_SPAN, s->stored);
	if (s->column.byval)
		load_numbers(s, c);
	else
		load_strings(s, c, same_image);
}

/* ---- attributes ---- */

static void
find_parts(Series *s, Cursor *cur)
{
	MemoryContext old = MemoryContextSwitchTo(s->image_context);
	uint32 n;
	const AttrColumn *columns = image_attrs(cur->image, LEVEL_SPAN, &n);

	s->parts = palloc0(VALUE_NTYPES * sizeof(SeriesPart));
	s->nparts = 0;
	/* Of several values the first counts, and before the second of a type there is a first. */
	for (uint32 i = 0; columns && i < n; i++)
		if (columns[i].occurrence == 0 && str_eq(columns[i].key, s->key) && s->nparts < VALUE_NTYPES)
			s->parts[s->nparts++] = (SeriesPart){.column = i, .type = columns[i].type, .base = -1};
	/* Of several, which one counts has to be asked row by row. */
	if (s->nparts == 1)
		s->parts[0].known = true;
	s->max_entries = 64;
	s->entries = palloc0(s->max_entries * sizeof(SeriesEntry));
	s->npersistent = s->nentries = 1;
	MemoryContextSwitchTo(old);
}

/* Room for n more. */
static uint32
add_entries(Series *s, uint32 n)
{
	uint32 first = s->nentries;
	uint64 wanted = (uint64) first + n;

	if (wanted > s->max_entries)
	{
		wanted = Max(wanted, (uint64) s->max_entries * 2);
		if (wanted > PG_INT32_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("too many distinct values of attribute \"%.*s\"", (int) s->key.len, s->key.p)));
		s->entries = repalloc_huge(s->entries, wanted * sizeof(SeriesEntry));
		s->max_entries = (uint32) wanted;
	}
	s->nentries = first + n;
	return first;
}

static void
add_strings(Series *s, const SeriesPart *part, const Column *c)
{
	uint32 first = add_entries(s, c->ndict);

	for (uint32 k = 0; k < c->ndict; k++)
	{
		s->entries[first + k].v.type = part->type;
		s->entries[first + k].v.s = c->dict[k];
	}
}

static uint32
number_slot(const SeriesPart *part, const Series *s, int64 v)
{
	uint32 slot = (uint32) (((uint64) v * UINT64CONST(0x9E3779B97F4A7C15)) >> 32) & part->mask;

	while (part->number[slot] && s->entries[part->number[slot] - 1].v.i != v)
		slot = (slot + 1) & part->mask;
	return slot;
}

static void
grow_numbers(Series *s, SeriesPart *part)
{
	uint32 *old = part->number;
	uint32 size = old ? part->mask + 1 : 0;

	part->mask = old ? size * 2 - 1 : 255;
	part->number = MemoryContextAllocExtended(s->image_context, ((Size) part->mask + 1) * sizeof(uint32),
											  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < size; i++)
		if (old[i])
			part->number[number_slot(part, s, s->entries[old[i] - 1].v.i)] = old[i];
	if (old)
		pfree(old);
}

static Value
number_value(uint8 type, int64 v)
{
	Value value = {.type = type, .i = v};

	if (type == VALUE_BOOL)
		value.i = v != 0;
	return value;
}

/* Entry of a number. Entries of numbers hold all 8 bytes of the value, so they can be compared as such. */
static inline uint32
number_entry(Series *s, SeriesPart *part, int64 v)
{
	uint32 slot;

	if (part->type == VALUE_BOOL)
		v = v != 0;
	slot = number_slot(part, s, v);
	if (part->number[slot] == 0)
	{
		uint32 entry = add_entries(s, 1);

		s->entries[entry].v = number_value(part->type, v);
		part->number[slot] = entry + 1;
		if (++part->nnumbers > part->mask / 2)
		{
			grow_numbers(s, part);
			return entry;
		}
	}
	return part->number[slot] - 1;
}

/* Which part each shape has first, or none; NULL: all that have a part have only that one. */
static int8 *
first_parts(Series *s)
{
	AttrSet *set;
	int8 *first;

	if (s->nparts < 2)
		return NULL;
	set = batch_shape_table(s->batch, LEVEL_SPAN);
	first = arena_alloc(s->batch->arena, (size_t) set->nshapes + 1);
	memset(first, -1, (size_t) set->nshapes + 1);
	for (uint32 shape = 0; shape < set->nshapes; shape++)
		for (uint32 k = 0; k < set->shapes[shape].n && first[shape] < 0; k++)
			for (uint32 p = 0; p < s->nparts; p++)
				if (s->parts[p].column == set->shapes[shape].columns[k])
					first[shape] = (int8) p;
	return first;
}

static void
put_codes(Series *s, uint32 p, AttrColumn *a, const int8 *first, uint32 base, uint32 *codes)
{
	SeriesPart *part = &s->parts[p];
	const uint32 *shape = first ? batch_shapes(s->batch, LEVEL_SPAN) : NULL;
	ColKind kind = a->values.kind;

	if (kind == COL_I64 && part->number == NULL)
		grow_numbers(s, part);
	for (uint32 j = 0; j < a->values.n; j++)
	{
		uint32 row = a->rows[j];

		if (first && first[shape[row]] != (int8) p)
			continue;
		if (kind == COL_BYTES)
			codes[row] = base + a->values.codes[j];
		else if (kind == COL_I64)
			codes[row] = number_entry(s, part, a->values.i64[j]);
	}
}

/* All values of a part as entries. */
static bool
add_known(Series *s, Image *image, SeriesPart *part)
{
	uint32 n;
	const Str *strings = image_strings(image, LEVEL_SPAN, LOAD_ATTR, part->column, &n);
	const int64 *numbers =
		strings ? NULL : (const int64 *) image_numbers(image, LEVEL_SPAN, LOAD_ATTR, part->column, &n);
	uint32 first;

	if (strings == NULL && numbers == NULL)
		return false;
	first = add_entries(s, n);
	for (uint32 k = 0; k < n; k++)
		if (strings)
			s->entries[first + k].v = (Value){.type = part->type, .s = strings[k]};
		else
			s->entries[first + k].v = number_value(part->type, numbers[k]);
	part->base = first;
	return true;
}

/* The only part, when the image knows its values: no look at single values. */
static bool
load_known(Series *s, Cursor *cur, uint32 *codes)
{
	SeriesPart *part = &s->parts[0];

	if (s->nparts != 1 || !part->known)
		return false;
	part->known = (part->base >= 0 || add_known(s, cur->image, part)) &&
				  image_attr_codes(s->batch, LEVEL_SPAN, part->column, (uint32) part->base, codes);
	s->npersistent = s->nentries;
	s->codes = codes;
	return part->known;
}

/* Entries of this vector alone come last, so that others can stay. */
static void
load_attribute(Series *s, Cursor *cur, bool same_image)
{
	uint32 *codes = arena_alloc0(s->batch->arena, ((size_t) s->n + 1) * sizeof(uint32));
	AttrColumn *columns[VALUE_NTYPES];
	const int8 *first;

	if (!same_image)
		find_parts(s, cur);
	s->kept = same_image ? s->npersistent : 0;
	s->nentries = s->npersistent;
	if (load_known(s, cur, codes))
		return;
	batch_shapes(s->batch, LEVEL_SPAN);
	first = first_parts(s);
	for (uint32 p = 0; p < s->nparts; p++)
		columns[p] = batch_attr_rows(s->batch, LEVEL_SPAN, s->parts[p].column);
	for (uint32 p = 0; p < s->nparts; p++)
	{
		Column *c = &columns[p]->values;

		if (c->kind == COL_I64)
			put_codes(s, p, columns[p], first, 0, codes);
		if (c->kind != COL_BYTES || !c->dict_shared)
			continue;
		if (s->parts[p].base < 0)
		{
			s->parts[p].base = s->nentries;
			add_strings(s, &s->parts[p], c);
		}
		put_codes(s, p, columns[p], first, (uint32) s->parts[p].base, codes);
	}
	s->npersistent = s->nentries;
	for (uint32 p = 0; p < s->nparts; p++)
	{
		Column *c = &columns[p]->values;
		uint32 base = s->nentries;

		if (c->kind != COL_BYTES || c->dict_shared)
			continue;
		add_strings(s, &s->parts[p], c);
		put_codes(s, p, columns[p], first, base, codes);
	}
	s->codes = codes;
}

void
series_load(Series *s, Cursor *cur)
{
	bool same_image = s->image_opens == cur->image_opens;

	if (same_image && s->vector == cur->vector)
		return;
	if (!same_image)
	{
		MemoryContextReset(s->image_context);
		s->dict = NULL;
	}
	s->image_opens = cur->image_opens;
	s->vector = cur->vector;
	s->batch = cur->batch;
	s->n = cur->batch_rows;
	s->kept = 0;
	s->missing = false;
	if (s->key.p)
		load_attribute(s, cur, same_image);
	else
		load_column(s, same_image);
}

/* ---- entries ---- */

static Datum
make_text(Str s)
{
	return PointerGetDatum(cstring_to_text_with_len(s.p, (int) s.len));
}

static Datum
attribute_text(const Value *v, bool *isnull)
{
	StringInfoData buf;
	Datum d;

	*isnull = v->type == VALUE_EMPTY;
	if (*isnull)
		return (Datum) 0;
	initStringInfo(&buf);
	types_print_bare(&buf, v);
	d = PointerGetDatum(cstring_to_text_with_len(buf.data, buf.len));
	pfree(buf.data);
	return d;
}

bool
series_entry_null(const Series *s, uint32 code)
{
	if (s->key.p)
		return s->entries[code].v.type == VALUE_EMPTY;
	return s->missing ? s->constant_null : code >= s->ndict;
}

Datum
series_entry(const Series *s, uint32 code, bool *isnull)
{
	if (s->key.p)
		return attribute_text(&s->entries[code].v, isnull);
	*isnull = series_entry_null(s, code);
	if (*isnull)
		return (Datum) 0;
	return make_text(s->missing ? s->constant : s->dict[code]);
}

bool
series_entry_bytes(const Series *s, uint32 code, Str *bytes)
{
	if (s->key.p)
	{
		*bytes = s->entries[code].v.s;
		return s->entries[code].v.type == VALUE_STRING;
	}
	if (series_entry_null(s, code))
		return false;
	*bytes = s->missing ? s->constant : s->dict[code];
	return true;
}

bool
series_entry_int(const Series *s, uint32 code, int64 *number)
{
	if (s->key.p == NULL || s->entries[code].v.type != VALUE_INT)
		return false;
	*number = s->entries[code].v.i;
	return true;
}

int
series_dictionaries(const Series *s, Image *image, SeriesDictionary *dicts, int max)
{
	uint32 n = 0;
	int found = 0;
	const AttrColumn *columns;

	if (s->key.p == NULL)
	{
		if (max < 1 || s->column.byval)
			return -1;
		dicts->entries = image_dictionary(image, LEVEL_SPAN, LOAD_COLUMN, s->stored, &dicts->n);
		return dicts->entries ? 1 : -1;
	}
	columns = image_attrs(image, LEVEL_SPAN, &n);
	for (uint32 i = 0; columns && i < n; i++)
	{
		if (columns[i].occurrence > 0 || !str_eq(columns[i].key, s->key))
			continue;
		if (columns[i].type == VALUE_EMPTY)
			continue;
		if (columns[i].type != VALUE_STRING || found == max)
			return -1;
		dicts[found].entries = image_dictionary(image, LEVEL_SPAN, LOAD_ATTR, i, &dicts[found].n);
		if (dicts[found++].entries == NULL)
			return -1;
	}
	return found;
}
