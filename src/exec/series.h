/*
 * series.h
 *	  The values that one expression has in the rows of a vector, without rows: numbers, or codes of
 *	  entries. An entry is a distinct value (of a dictionary) or just the value of one row; either way its
 *	  datum is made only when asked for.
 *
 * Codes below `kept` mean what they meant in the vector loaded before, so whatever was worked out for them
 * still holds; a new image keeps none.
 */
#ifndef TEMPO_SERIES_H
#define TEMPO_SERIES_H

#include "postgres.h"
#include "plan/clause.h"
#include "store/cursor.h"

typedef struct SeriesPart SeriesPart;

typedef struct Series
{
	/* of the vector loaded last */
	uint32 n;
	const int64 *value;  /* numbers: as stored; start_time in unix nanoseconds */
	const uint8 *nulls;  /* numbers: one byte a value, or NULL */
	const uint32 *codes; /* strings */
	uint32 nentries;
	uint32 kept;

	/* what it is */
	Relation rel;
	ClauseSeries spec;
	ClauseColumn column;
	int16 stored; /* column of the batch; -1: attributes */
	Str key;
	MemoryContext context;

	/* what is loaded */
	uint64 image_opens;
	int64 vector;
	Batch *batch;
	const Str *dict; /* of a column of strings */
	uint32 ndict;
	Str constant; /* missing value of a string */
	bool constant_null;
	bool missing;
	struct SeriesEntry *entries; /* attributes */
	uint32 max_entries;
	uint32 npersistent; /* of them are the same in all vectors of the image */
	SeriesPart *parts;  /* attribute columns of the key */
	uint32 nparts;
	MemoryContext image_context;
} Series;

/* table: of rel. Everything lives in context. */
extern Series *series_create(Relation rel, const ClauseTable *table, const ClauseSeries *spec,
							 MemoryContext context);
/* The open vector of cur. */
extern void series_load(Series *s, Cursor *cur);
/* Value of an entry, made in the current memory context. */
extern Datum series_entry(const Series *s, uint32 code, bool *isnull);
extern bool series_entry_null(const Series *s, uint32 code);
/* The bytes of an entry, when they are those of the value: false for null and for what is not a string. */
extern bool series_entry_bytes(const Series *s, uint32 code, Str *bytes);
/* The number of an entry, when it is an integer of attributes: its text depends on nothing else. */
extern bool series_entry_int(const Series *s, uint32 code, int64 *number);
/*
 * All strings that the series can have in the open image, before any vector is opened: up to max
 * dictionaries. Returns how many, or -1: not known.
 */
typedef struct SeriesDictionary
{
	const Str *entries;
	uint32 n;
} SeriesDictionary;
extern int series_dictionaries(const Series *s, Image *image, SeriesDictionary *dicts, int max);

#endif
