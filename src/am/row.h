/*
 * row.h
 *	  SQL rows to batches and back, for tables with and without the span profile.
 *
 * Reading decodes only attributes asked for, when first asked for; a value lives until the next
 * row_reader_begin_row or row_reader_attach. Attributes added after a batch was written have the missing
 * value of the catalog; dropped ones are null.
 *
 * NULLs: any column of its own keeps them. Under the span profile a NULL parent_span_id and one of all
 * zeroes are the same and read as NULL; trace_id, start_time, start_ns, attributes, events and links cannot
 * be NULL.
 */
#ifndef TEMPO_ROW_H
#define TEMPO_ROW_H

#include "postgres.h"
#include "executor/tuptable.h"
#include "store/store.h"

/* A batch of these rows. Strings may point into detoasted copies in the current memory context. */
extern Batch *row_write_batch(Relation rel, TupleTableSlot **slots, int nslots, Arena *arena);

typedef struct RowReader RowReader;

/*
 * desc: of the slots to fill. Not always the relation's: while ALTER TABLE rewrites a table, its catalog
 * entries already say what it will be.
 */
extern RowReader *row_reader_create(Relation rel, TupleDesc desc, MemoryContext context);
extern void row_reader_free(RowReader *r);
/* Read from this vector from now on. */
extern void row_reader_attach(RowReader *r, Batch *vector);
/* Forget the values of the row before. */
extern void row_reader_begin_row(RowReader *r);
extern Datum row_reader_value(RowReader *r, AttrNumber attno, uint32 row, bool *isnull);
/*
 * Span attributes (tempo.attributes) of a row, of these keys only, all of their values in order: what
 * attributes -> 'key' and the like need to know. The keys must stay.
 */
extern Datum row_reader_keys(RowReader *r, uint32 row, const Str *keys, int nkeys);

#endif
