/*
 * profile.h
 *	  What the columns of a table mean to the storage: derived from names and types when the file is made,
 *	  kept in the metapage, and completed with columns added since.
 */
#ifndef TEMPO_PROFILE_H
#define TEMPO_PROFILE_H

#include "postgres.h"
#include "access/tupdesc.h"
#include "store/format.h"
#include "store/store.h"

/* The profile of a new file for rows of this description. */
extern TableProfile *profile_detect(TupleDesc desc);
/* The profile of an existing file, columns added later included. */
extern TableProfile *profile_restore(const MetaPage *meta, TupleDesc desc);

/* Batch columns of LEVEL_SPAN that rows written now have, and their kinds (values not allocated). */
extern uint32 profile_ncolumns(const TableProfile *p, TupleDesc desc);
extern Column *profile_columns(const TableProfile *p, TupleDesc desc);
/* Kind and width of values of an attribute kept as it is: extra columns and tables without the profile. */
extern Column profile_plain_column(Form_pg_attribute att);

/* A value of such a column: by-value types sign-extended, whatever their upper bits were in the datum. */
extern int64 profile_datum_i64(Datum d, Form_pg_attribute att);
/* The bytes of a variable-length value, detoasted in the current memory context if need be. */
extern Str profile_datum_bytes(Datum d, Form_pg_attribute att);

#endif
