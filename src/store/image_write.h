/*
 * image_write.h
 *	  The writer's side of an image: a Writer collects leaves; each leaf's area goes to the output at once,
 *	  its entry is kept for the footer.
 *
 * Two arenas of its own: one for the whole image, one emptied after each leaf.
 */
#ifndef TEMPO_IMAGE_WRITE_H
#define TEMPO_IMAGE_WRITE_H

#include "store/image_impl.h"

#define MAX_BASES 8

typedef struct Writer
{
	Batch *b;
	CodecEffort effort;
	Buf *out;
	size_t start; /* of the image in out */
	bool compact;
	uint32_t vector_rows;
	Arena *arena;
	Arena *tmp;
	uint32_t nvectors;
	uint32_t *first[NLEVELS]; /* first row of each vector, nvectors + 1 */
	Leaf *leaves;
	uint32_t nleaves, max_leaves;
	CondBase bases[NLEVELS][MAX_BASES];
	uint32_t nbases[NLEVELS];
	uint32_t nattrs[NLEVELS];
	uint32_t *attr_order[NLEVELS]; /* attribute column of the image -> of the batch */
	uint32_t *attr_map[NLEVELS];   /* and back; UINT32_MAX: no row has one */
	Coded shapes[NLEVELS];
	int64_t *parent_refs; /* by row, once image_write_parents has run */
	bool plain_ids;       /* found then */
} Writer;

/* The values of a leaf, of all vectors. */
typedef struct Series
{
	ColKind kind;
	uint16_t width;
	uint32_t n;
	const int64_t *i64;
	const uint8_t *fixed;
	const uint32_t *codes;
	const Str *dict; /* NULL with codes: what the codes mean is the caller's; see image_write_coded */
	uint32_t ndict;
	const uint8_t *nulls;
	const uint32_t *first; /* position of each vector's first value, nvectors + 1 */
	const uint32_t *rows;  /* row of each value; NULL: position and row are the same */
} Series;

/* Cuts the batch; fills nvectors and first (image_vectors.c). */
extern void image_make_vectors(Writer *w);

/* What was written since start is a part: seal it. Returns its length; an empty part stays empty. */
extern uint64_t image_seal(Writer *w, size_t start);
/* A new leaf, to be filled by one of the functions below. */
extern Leaf *image_new_leaf(Writer *w, Level level, LeafWhat what, uint32_t index);
/* Chooses how the values are stored and writes them. keep_codes: codes of the leaf by value, for a base. */
extern void image_write_leaf(Writer *w, Leaf *leaf, const Series *s, const uint32_t **keep_codes);
/* Same for codes whose dictionary part has been made by the caller. */
extern void image_write_coded(Writer *w, Leaf *leaf, const Series *s, Coded *coded, const Buf *dict_part);
/* Offer codes (by row) as base to the leaves of a level that follow. */
extern void image_add_base(Writer *w, Level level, const Leaf *leaf, const uint32_t *codes, uint32_t ncodes);

/* Behind everything else of a leaf: what strings its vectors have, if that helps (image_write_filter.c). */
extern void image_write_filter(Writer *w, Leaf *leaf, const Series *s);

/* Parents and starts of sorted spans (image_write_trace.c). */
extern void image_write_parents(Writer *w, const uint32_t *first);
/* In their place, when parents are stored as they are. */
extern void image_no_parents(Writer *w);
extern void image_write_starts(Writer *w, const uint32_t *first);
extern void image_write_event_times(Writer *w, const uint32_t *first);

/* Attributes, shapes and overflow of a level (image_write_attrs.c). */
extern void image_write_shapes(Writer *w, Level level);
extern void image_write_attrs(Writer *w, Level level);

/*
 * Bloom filter of the hashes of n trace ids; returns its blocks. Index of the traces of a sorted batch, in
 * their order; one vector needs none. (image_write_index.c)
 */
extern uint32_t image_write_bloom(Writer *w, const uint64_t *hashes, uint32_t n);
extern void image_write_trace_index(Writer *w, const uint64_t *hashes, uint32_t n, TraceIndex *index);

/* Footer (image_write_footer.c). */
extern void image_write_footer(Writer *w, const ImageVector *vectors, const ImageSummary *summary,
							   uint32_t nblocks, const TraceIndex *index, Buf *footer);

#endif
