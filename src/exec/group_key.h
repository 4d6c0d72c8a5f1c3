/*
 * group_key.h
 *	  One key of GROUP BY: gives each row of a vector the number of its distinct key value, counted from 0
 *	  over all tables scanned. Distinct values of dictionaries and time bins are looked up once, not by row.
 */
#ifndef TEMPO_GROUP_KEY_H
#define TEMPO_GROUP_KEY_H

#include "postgres.h"
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "plan/aggregate_spec.h"
#include "store/cursor.h"

typedef struct GroupKey GroupKey;

extern GroupKey *group_key_create(PlanState *parent, const KeySpec *spec, MemoryContext context);
/* Its expression context; the rest goes with the memory context. */
extern void group_key_free(GroupKey *k);
/* What follows is about this table; series live in context. */
extern void group_key_table(GroupKey *k, Relation rel, const ClauseTable *table, MemoryContext context);
/* Key numbers of the rows given (n of them; rows NULL: the first n) of the open vector. */
extern void group_key_load(GroupKey *k, Cursor *cur, const uint32 *rows, uint32 n, uint32 *out);
/* Do all rows of the open vector have one number, and is that known without reading them? */
extern bool group_key_one(GroupKey *k, Cursor *cur, uint32 *number);
/*
 * Of keys that are entries: code of each row of the open vector, below *ncodes, and the number of a code
 * that a row has. NULL for other keys.
 */
extern const uint32 *group_key_codes(GroupKey *k, Cursor *cur, uint32 *ncodes);
extern uint32 group_key_of_code(GroupKey *k, uint32 code);
/*
 * Of keys that are bins of time: for each row of the open vector, which of a few bins it is in; numbers gets
 * the number of each of them. NULL when they are many, or not told by the times of traces and some spans.
 */
#define GROUP_KEY_FEW_BINS 8
extern const uint32 *group_key_bins(GroupKey *k, Cursor *cur, uint32 *numbers, uint32 *nbins);
extern uint32 group_key_count(const GroupKey *k);
/* Hand all values to another process; there, read them and give the number of one of them among its own. */
extern void group_key_write(const GroupKey *k, StringInfo out);
typedef struct KeyMessage
{
	uint32 n;
	uint32 null;         /* number of the null value */
	const uint32 *hash;  /* of each value, the same in every process */
	const Datum *values; /* types passed by value */
	const uint64 *at;    /* others: where in bytes */
	const char *bytes;
} KeyMessage;
extern void group_key_read(const GroupKey *k, const char **message, KeyMessage *m);
extern uint32 group_key_take(GroupKey *k, const KeyMessage *m, uint32 number);
extern Datum group_key_value(const GroupKey *k, uint32 number, bool *isnull);

#endif
