/*
 * image_read.h
 *	  The reader's side of an image. Image and everything decoded once for all vectors live in the arena
 *	  given to image_open; what belongs to one vector lives in that vector's.
 *
 * Nothing read is believed: image_corrupt() raises and does not return. Once image_open is done, these hold
 * and are relied on: leaf areas tile the body; a leaf's base is an earlier leaf of its level with a
 * dictionary, at most MAX_BASE_DEPTH steps from one without; rows of the vectors sum up to the level's.
 * Codes are below their dictionary's length and shapes name existing columns once they have been loaded.
 */
#ifndef TEMPO_IMAGE_READ_H
#define TEMPO_IMAGE_READ_H

#include "store/image_impl.h"

#define MAX_BASE_DEPTH 8
#define NO_LEAF        UINT32_MAX

/* Per level: which leaf holds what. */
typedef struct LevelLeaves
{
	uint32_t total; /* rows of all vectors */
	uint32_t *rows; /* by vector */
	uint32_t ncolumns;
	uint32_t *column; /* leaf of each column, or NO_LEAF: the level has no rows */
	uint32_t nattrs;
	uint32_t *attr;
	AttrColumn *attrs; /* keys and types, no values */
	uint32_t *values;  /* values of each attribute column, as the writer counted */
	uint32_t shapes;   /* leaf */
	uint32_t orders;
	uint32_t overflow;
	uint32_t nshapes;
	AttrShape *shape; /* NULL until loaded */
	uint8_t **naming; /* by attribute column: by shape, does it name the column? NULL until asked for */
	uint32_t named_alone;
	uint32_t *naming_first, *naming_list; /* shapes of each column: places in the list; NULL until many ask */
} LevelLeaves;

struct Image
{
	ImageSource source;
	Arena *arena;
	uint8_t version;
	uint8_t flags;
	const uint8_t *whole; /* compact images: all bytes */
	uint64_t footer_off;
	ImageSummary summary;
	ImageVector *vectors;
	LevelLeaves level[NLEVELS];
	uint32_t event_counts, link_counts, trace_rows, parents; /* leaves, or NO_LEAF */
	Leaf *leaves;
	uint32_t nleaves, max_leaves;
	uint32_t nblocks; /* of the bloom filter */
	uint64_t bloom_off;
	TraceIndex index;
	uint64_t index_off;
	uint32_t *bucket; /* nbuckets + 1 offsets; NULL until asked for */
	ImageCounters counters;
};

/* The source of a vector's batch. */
typedef struct Vector
{
	Image *image;
	uint32_t v;
	Arena *arena;
	Arena *scratch;            /* of what nothing points to once a load is done */
	uint32_t *attr_n[NLEVELS]; /* values of each attribute column in this vector; with the shapes */
	uint32_t attrs_counted[NLEVELS];
	uint32_t *sets[NLEVELS]; /* shape of each row in the image's table, whatever its order */
	int64_t *parent_refs;
	bool overflow_done[NLEVELS];
} Vector;

extern void image_corrupt(Image *image, const char *what) __attribute__((noreturn));

/* Bytes [off, off + len), in arena or in place. */
extern const uint8_t *image_fetch(Image *image, uint64_t off, uint64_t len, Arena *arena);
/* Same for a part with its CRC, which is checked and not returned. */
extern Str image_fetch_part(Image *image, uint64_t off, uint64_t len, Arena *arena);

/* NULL: the image has nothing of it (image_info.c). */
extern Leaf *image_find_leaf(Image *image, Level level, LoadWhat what, uint32_t which);

/* Parts of a leaf (image_leaf_read.c). */
extern Str image_block(Image *image, Leaf *leaf, uint32_t v, Arena *arena);
extern void image_need_index(Image *image, Leaf *leaf);
extern void image_need_dict(Image *image, Leaf *leaf);
extern void image_need_table(Image *image, Leaf *leaf);
extern void image_need_shapes(Image *image, Level level);
extern const uint8_t *image_shapes_naming(Image *image, Level level, uint32_t attr);

/*
 * The n values of a leaf in a vector as a loaded column (image_leaf_read.c). base: code of the base leaf by
 * value, when the mode asks for one.
 */
extern void image_decode_leaf(Vector *vec, Leaf *leaf, uint32_t n, const uint32_t *base, Column *c);
/* Numbers of a leaf of blocks without nulls, those in some ranges at least. */
extern int64_t *image_decode_ranges(Vector *vec, Leaf *leaf, uint32_t n, const CodecRange *ranges,
									uint32_t nranges);
/* Codes of a leaf with a dictionary and without nulls, in the same way, in scratch. */
extern uint32_t *image_decode_codes(Vector *vec, Leaf *leaf, uint32_t n, const uint32_t *base);

#endif
