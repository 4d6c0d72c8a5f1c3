/*
 * directory.c
 *	  Segment directory entries.
 */
#include "postgres.h"

#include "port/pg_crc32c.h"
#include "utils/timestamp.h"
#include "store/directory.h"

void
unit_list_add(UnitList *list, const StoreUnit *unit)
{
	if (list->n == list->cap)
	{
		list->cap = list->cap ? list->cap * 2 : 16;
		list->units = list->units ? repalloc_huge(list->units, list->cap * sizeof(StoreUnit))
								  : palloc(list->cap * sizeof(StoreUnit));
	}
	list->units[list->n++] = *unit;
}

static uint32
entry_crc(SegmentEntry entry)
{
	pg_crc32c crc;

	entry.crc = 0;
	INIT_CRC32C(crc);
	COMP_CRC32C(crc, &entry, sizeof(entry));
	FIN_CRC32C(crc);
	return crc;
}

SegmentEntry
directory_form(const StoreUnit *unit, uint64 below)
{
	SegmentEntry e = {0};

	e.magic = STORE_SEGMENT_MAGIC;
	e.flags = (unit->has_range ? STORE_HAS_RANGE : 0) | (unit->has_split ? STORE_HAS_SPLIT : 0) |
			  (unit->marks_unknown ? STORE_MARKS_UNKNOWN : 0);
	e.id = unit->id;
	e.first_row = unit->first_row;
	e.bytes = unit->bytes;
	e.first_block = unit->block;
	e.nrows = unit->nrows;
	e.nvectors = unit->summary.nvectors;
	e.ntraces = unit->summary.ntraces;
	e.tenant = unit->tenant;
	e.below = below;
	e.made_at = unit->made_at;
	e.level = unit->level;
	e.folded = unit->folded;
	e.range.start_min = unit->summary.start_min;
	e.range.start_max = unit->summary.start_max;
	e.range.end_max = unit->summary.end_max;
	memcpy(e.range.trace_min, unit->summary.trace_min, 16);
	memcpy(e.range.trace_max, unit->summary.trace_max, 16);
	e.crc = entry_crc(e);
	return e;
}

void
directory_insert(Companion *c, const StoreUnit *unit, uint64 below, CommandId cid)
{
	SegmentEntry e = directory_form(unit, below);

	companion_insert(c, KIND_SEGMENT, e.id, &e, sizeof(e), NULL, 0, cid, PLACE_LOW, 0);
}

void
directory_parse(Companion *c, const CompanionTuple *t, StoreUnit *unit, uint64 *below)
{
	SegmentEntry e;

	if (t->len != sizeof(e))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED), errmsg("directory entry of segment %llu has a wrong length",
														 (unsigned long long) t->number)));
	memcpy(&e, t->data, sizeof(e));
	if (e.magic != STORE_SEGMENT_MAGIC || e.crc != entry_crc(e) || e.id != t->number)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("directory entry of segment %llu is damaged",
																(unsigned long long) t->number)));
	memset(unit, 0, sizeof(*unit));
	unit->kind = UNIT_SEGMENT;
	unit->id = e.id;
	unit->first_row = e.first_row;
	unit->nrows = e.nrows;
	unit->block = e.first_block;
	unit->bytes = e.bytes;
	unit->tenant = e.tenant;
	unit->level = e.level;
	unit->folded = e.folded;
	unit->entry_tid = t->tid;
	unit->has_range = (e.flags & STORE_HAS_RANGE) != 0;
	unit->marks_unknown = (e.flags & STORE_MARKS_UNKNOWN) != 0;
	unit->has_split = unit->marks_unknown || (e.flags & STORE_HAS_SPLIT) != 0;
	unit->made_at = e.made_at;
	unit->summary.nrows = e.nrows;
	unit->summary.ntraces = e.ntraces;
	unit->summary.nvectors = e.nvectors;
	unit->summary.start_min = e.range.start_min;
	unit->summary.start_max = e.range.start_max;
	unit->summary.end_max = e.range.end_max;
	memcpy(unit->summary.trace_min, e.range.trace_min, 16);
	memcpy(unit->summary.trace_max, e.range.trace_max, 16);
	*below = e.below;
}

/* Deleted rows come next in the index: to know that there are none costs nothing. */
bool
directory_read(Companion *c, Snapshot snapshot, UnitList *list, uint64 *below)
{
	bool deleted = false;
	CompanionScan scan;
	CompanionTuple t;

	*below = 1;
	companion_scan_begin_kinds(&scan, c, snapshot, KIND_SEGMENT, 0, KIND_DELETED);
	while (!deleted && companion_scan_next(&scan, &t))
	{
		StoreUnit unit;
		uint64 b;

		if (t.kind == KIND_DELETED)
		{
			deleted = true;
			continue;
		}
		directory_parse(c, &t, &unit, &b);
		unit_list_add(list, &unit);
		*below = Max(*below, b);
	}
	companion_scan_end(&scan);
	return deleted;
}
