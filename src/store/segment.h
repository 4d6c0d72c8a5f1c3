/*
 * segment.h
 *	  Segment images in the main fork: a run of whole pages each, written once, never changed or reused.
 */
#ifndef TEMPO_SEGMENT_H
#define TEMPO_SEGMENT_H

#include "postgres.h"
#include "store/store.h"

/* Appends the image on new pages, WAL-logged; returns its first block. Only a merge calls this. */
extern BlockNumber segment_write(Relation rel, const uint8 *image, uint64 bytes);
/* Appends a copy of a segment of another file; returns its first block. */
extern BlockNumber segment_copy(Relation from, const StoreUnit *unit, Relation to);
/* Reads one segment; everything is allocated in arena. rel stays open while it is used. */
typedef struct SegmentReader SegmentReader;
extern SegmentReader *segment_reader(Relation rel, const StoreUnit *unit, Arena *arena);
/* Go on with another opening of the same table. */
extern void segment_reader_bind(SegmentReader *r, Relation rel);
/* Copies [off, off + len) of the image; raises when the pages are not what the directory says. */
extern void segment_read(SegmentReader *r, uint64 off, uint32 len, uint8 *dst);
extern BlockNumber segment_nblocks(uint64 bytes);

#endif
