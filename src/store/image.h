/*
 * image.h
 *	  A batch of rows as one run of bytes: what a recent batch is in the companion heap and what a
 *	  segment is in the main fork. Plain C; doc/format.md specifies every byte.
 *
 * An image is cut in vectors: runs of rows that are decoded together. Under the span profile, when the
 * batch is sorted, a vector never ends inside a trace, so a vector is a small batch of whole traces (as
 * far as this image has them). Every leaf (a column, an attribute column, the shape codes, event and
 * link counts) has one block per vector, and its blocks stand one after the other: reading one column
 * touches only its own bytes. Blocks carry a CRC-32C. Dictionaries, keys and shapes are shared by the
 * vectors of the image.
 *
 * Layout: fixed header | blocks and dictionaries | footer (leaf table, block index, vector table, zone
 * maps, trace-id bloom, index of traces). The header has magic, format version, lengths of all areas, and a
 *CRC.
 */
#ifndef TEMPO_IMAGE_H
#define TEMPO_IMAGE_H

#include "codec/codec.h"
#include "span/batch.h"

/* Written. Version 1, whose traces are sorted by id and which has no index of them, is read too. */
#define IMAGE_FORMAT_VERSION 2

/* Target rows in a vector of a segment; a larger trace makes a larger vector. */
#define IMAGE_VECTOR_ROWS 4096

/* Where an image's bytes are. read copies [off, off+len) to dst and raises on failure. */
typedef struct ImageSource
{
	void (*read)(void *ctx, uint64_t off, uint32_t len, uint8_t *dst);
	/* Raises data corruption; does not return. */
	void (*corrupt)(void *ctx, const char *what);
	void *ctx;
	uint64_t len;
} ImageSource;

typedef struct ImageVector
{
	uint32_t first_row;
	uint32_t nrows;
	uint32_t ntraces;  /* 0 when not sorted */
	int64_t start_min; /* zone map of SC_START, unsigned compare */
	int64_t start_max;
	int64_t end_max; /* latest span end */
	uint8_t trace_min[16];
	uint8_t trace_max[16];
} ImageVector;

/* Facts the directory keeps and pruning needs, computed while encoding. Span profile; else only nrows. */
typedef struct ImageSummary
{
	uint32_t nrows;
	uint32_t ntraces;
	uint32_t nvectors;
	uint64_t start_min;
	uint64_t start_max;
	uint64_t end_max;
	uint8_t trace_min[16];
	uint8_t trace_max[16];
} ImageSummary;

typedef struct Image Image;

/* Encode a whole batch (not lazy, or lazy with everything loadable) and append it to out. */
extern void image_encode(Batch *batch, CodecEffort effort, Buf *out, ImageSummary *summary);

/* Reads and checks header and footer; everything else on demand. Never returns NULL: raises. */
extern Image *image_open(const ImageSource *source, Arena *arena);
extern const ImageSummary *image_summary(const Image *image);
extern const ImageVector *image_vector_info(const Image *image, uint32_t v);
/* Does the image hold spans of this trace? false is certain. Reads 32 bytes of bloom. */
extern bool image_maybe_trace(Image *image, const uint8_t trace_id[16]);
/*
 * First vector from v on that may hold the trace, by the index of traces or the vector table, or -1. A vector
 * not named does not hold it; one in some hundreds that is named does not either.
 */
extern int64_t image_find_trace(Image *image, const uint8_t trace_id[16], uint32_t v);
/* A lazy batch over one vector; its columns, dictionaries included, are read when asked for. */
extern Batch *image_vector(Image *image, uint32_t v, Arena *arena);

/*
 * Starts by row of a vector of sorted spans, where only some traces are looked at: those of which wanted has
 * a byte that is not 0. Rows of other traces may have anything.
 */
extern const int64_t *image_trace_starts(Batch *b, const uint8_t *wanted);

/*
 * What loads of the batch leave behind that nothing points to goes to scratch from now on, which must live
 * until it is told otherwise; NULL: to the batch's own arena, as in the beginning.
 */
extern void image_vector_scratch(Batch *batch, Arena *scratch);

/* Bytes read so far (blocks, dictionaries, footer) and blocks decoded: for EXPLAIN ANALYZE. */
typedef struct ImageCounters
{
	uint64_t bytes_read;
	uint64_t blocks_read;
	uint64_t dicts_read;
} ImageCounters;
extern ImageCounters image_counters(const Image *image);

/* Per leaf: what it is, how it is encoded, how many bytes; for tempo.columns and measurements. */
typedef struct LeafInfo
{
	Level level;
	char name[96]; /* column name, or key and type of an attribute */
	char encoding[48];
	uint64_t values;
	uint64_t bytes;
} LeafInfo;
extern uint32_t image_nleaves(const Image *image);
extern void image_leaf_info(Image *image, uint32_t leaf, LeafInfo *info);

/*
 * Least and greatest number of a COL_I64 column (LOAD_COLUMN) or attribute column (LOAD_ATTR) in a vector,
 * nulls as 0, compared signed. false: not known. Reads the leaf's index or dictionary, no blocks.
 */
extern bool image_zone(Image *image, Level level, LoadWhat what, uint32_t which, uint32_t v, int64_t *min,
					   int64_t *max);

/*
 * Distinct values of a COL_BYTES column or attribute column in the whole image; NULL when it has no
 * dictionary. Codes of a loaded Column of any vector index the same array. Lives as long as the image.
 */
extern const Str *image_dictionary(Image *image, Level level, LoadWhat what, uint32_t which, uint32_t *n);

/*
 * What values there are in the whole image of a COL_BYTES (COL_I64) column or attribute column, each once at
 * least, nulls aside; NULL when blocks would have to be read to tell. Lives as long as the image.
 */
extern const Str *image_strings(Image *image, Level level, LoadWhat what, uint32_t which, uint32_t *n);
extern const int64_t *image_numbers(Image *image, Level level, LoadWhat what, uint32_t which, uint32_t *n);

/*
 * May a vector have the string among the values of a column or attribute column, nulls being empty? false is
 * certain. hash is its codec_hash64. Reads the leaf's filter, if it has one, and no blocks.
 */
extern bool image_maybe_string(Image *image, Level level, LoadWhat what, uint32_t which, uint32_t v,
							   Str value, uint64_t hash);
extern bool image_has_filter(Image *image, Level level, LoadWhat what, uint32_t which);

/* Attribute columns of a level, without their values; the same in every vector. NULL when there are none. */
extern const AttrColumn *image_attrs(const Image *image, Level level, uint32_t *n);
/*
 * Where all values of an attribute column are known to image_strings() or image_numbers(): the place there of
 * the value of each row of a vector's batch, + first; 0 for rows without one. false: they are not known.
 */
extern bool image_attr_codes(Batch *b, Level level, uint32_t which, uint32_t first, uint32_t *codes);
/* How many rows of the image have a value in an attribute column. */
extern uint32_t image_attr_values(const Image *image, Level level, uint32_t which);
/* And how many bytes that takes; none of its own when it is too rare. */
extern uint64_t image_attr_bytes(const Image *image, Level level, uint32_t which);

/* At most so many distinct values are in it: exact with a dictionary. */
extern uint32_t image_attr_distinct(const Image *image, Level level, uint32_t which);

/* Decodes everything and verifies what readers rely on; raises on the first thing wrong. */
extern void image_check(Image *image, Arena *arena);

#endif
