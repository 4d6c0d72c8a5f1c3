/*
 * image_impl.h
 *	  What the writer and the reader of images share. doc/format.md has the bytes; here are their names.
 *
 * A leaf is one stored series of values: a column, an attribute column, or one of the series that hold the
 * levels together (shapes, counts, parents outside the trace). Leaves are written in the order in which
 * they can be read: a leaf may lean only on leaves before it.
 *
 * Area of a leaf in the body: dictionary | table | block of vector 0 | block of vector 1 ... | index |
 * filter. Each part that is there ends in its CRC-32C, except in compact images, where one CRC covers
 *everything.
 */
#ifndef TEMPO_IMAGE_IMPL_H
#define TEMPO_IMAGE_IMPL_H

#include "codec/codec_impl.h"
#include "store/image.h"

#define IMAGE_MAGIC        0x474D4954u /* "TIMG" */
#define IMAGE_HEADER_BYTES 28
#define IMAGE_CRC_BYTES    4

/* Header flags. */
#define IMAGE_SPANS   1
#define IMAGE_SORTED  2
#define IMAGE_COMPACT 4 /* no CRC in the parts: header.crc covers body and footer */
#define IMAGE_PLAIN   8 /* span ids are plain, see batch.h */
#define IMAGE_FLAGS   15

/* Batches up to this many rows become compact images: read in one piece. */
#define IMAGE_COMPACT_ROWS 256

/* More values than this in one level of one vector are taken for damage. */
#define IMAGE_MAX_ROWS (UINT32_C(1) << 26)
/* More string bytes than this in one block or dictionary are taken for damage. */
#define IMAGE_MAX_BYTES CODEC_MAX_BLOCK_BYTES
/* More vectors than this, and one more for each byte of the footer, are taken for damage. */
#define IMAGE_MAX_VECTORS (UINT32_C(1) << 16)
/* Attribute columns of a level that get leaves of their own; the rarer ones share the overflow leaf. */
#define IMAGE_MAX_ATTR_LEAVES 1000

#define IMAGE_BLOOM_BITS      10

/* Traces in a bucket of the index of traces, on average: what a lookup decodes. */
#define IMAGE_BUCKET_TRACES 256

typedef struct TraceIndex
{
	uint32_t nbuckets;    /* 0: there is none */
	uint64_t len;         /* of the area: buckets, then the part with their lengths */
	uint64_t lengths_len; /* of that part */
} TraceIndex;

/* Bucket of a trace in the index, by the hash of its id, and what is kept of the hash there. */
static inline uint32_t
image_bucket(uint64_t hash, uint32_t nbuckets)
{
	return (uint32_t) ((hash >> 32) * nbuckets >> 32);
}

static inline uint32_t
image_fingerprint(uint64_t hash)
{
	return (uint32_t) (hash & 0xFFFF);
}

typedef enum LeafWhat
{
	LEAF_COLUMN,
	LEAF_ATTR,
	LEAF_SHAPES,       /* shape code of each row; its dictionary is the table of shapes */
	LEAF_ORDERS,       /* which permutation of its shape a row has, see image_shape.c */
	LEAF_EVENT_COUNTS, /* of each span */
	LEAF_LINK_COUNTS,
	LEAF_TRACE_ROWS, /* spans of each trace */
	LEAF_PARENTS,    /* parents that are not in the trace, one for each row that says so */
	LEAF_OVERFLOW    /* values of the attribute columns without leaves, in row and shape order */
} LeafWhat;

typedef enum LeafMode
{
	LEAF_ZERO = 0,        /* all values 0 or empty */
	LEAF_CONST = 1,       /* all the same; the value is in the leaf table */
	LEAF_BLOCKS = 2,      /* values, encoded by vector */
	LEAF_DICT = 3,        /* dictionary of the image, codes by vector */
	LEAF_COND = 4,        /* dictionary; table of the codes that go with each code of another leaf; by vector,
							 which of them. No blocks: the first, always (a function of the other leaf) */
	LEAF_SHARED = 5,      /* attribute column held in the overflow leaf */
	LEAF_FROM_TRACES = 6, /* trace ids, from LEVEL_TRACE */
	LEAF_WORDS = 7,       /* strings by vector; the dictionary is the uuids they have in common */
	LEAF_NMODES
} LeafMode;

/* Flags beside the mode. */
#define LEAF_MODE_MASK 0x0F
#define LEAF_NULLS     0x10 /* each block starts with the nulls */
#define LEAF_ZONES     0x20 /* the index has minimum and maximum by vector */
#define LEAF_RELATIVE  0x40 /* a byte follows: how values are expressed */
#define LEAF_FILTER    0x80 /* behind the index: what strings each vector may have */

typedef enum Relative
{
	REL_NONE = 0,
	REL_PREVIOUS = 1, /* to the row before in the same trace or span; the first: to its start */
	REL_TRACE = 2,    /* starts: to the start of the trace */
	REL_PARENT = 3,   /* starts: to the parent's start, zigzag; no parent before: to the trace's start */
	REL_END = 4,      /* event times: span's duration - offset */
	REL_ROWS = 5,     /* parents: 0 none, 1 see LEAF_PARENTS, else 1 + zigzag(row - row of the parent) */
	REL_NKINDS
} Relative;

/* The codes that go with one code of another leaf. */
typedef struct CondRange
{
	uint32_t first;
	uint32_t n;
} CondRange;

typedef struct Leaf
{
	Level level;
	LeafWhat what;
	uint32_t index; /* of the column or attribute column */
	ColKind kind;
	uint16_t width;
	/* the leaf table's entry */
	uint8_t mode;
	uint8_t flags;
	uint8_t relative;
	uint32_t base; /* LEAF_COND: leaf number */
	uint32_t ndict;
	uint64_t dict_len, table_len, blocks_len, index_len, filter_len;
	Str constant; /* COL_FIXED, COL_BYTES */
	int64_t number;
	/* the reader's */
	uint64_t offset; /* of the area in the image */
	uint64_t *block; /* nvectors + 1 offsets; NULL until the index is read */
	int64_t *zone_min, *zone_max;
	Str *dict;            /* COL_BYTES */
	CodecWords *words;    /* LEAF_WORDS */
	int64_t *numbers;     /* COL_I64 */
	CondRange *cond;      /* by code of the base */
	uint32_t *cond_codes; /* theirs, one after the other */
	uint32_t *cond_only;  /* by code of the base: the first of its codes, or UINT32_MAX */
	uint32_t *cond_grid;  /* by code of the base and place in its list; UINT32_MAX where that ends; or NULL */
	unsigned cond_bits;   /* of a place in the grid */
	uint32_t *filter_first; /* by vector: its first block of 32 bytes in filter, nvectors + 1 */
	const uint8_t *filter;  /* NULL until read */
} Leaf;

/* Bytes of the area in front of the filter. */
static inline uint64_t
leaf_body_len(const Leaf *l)
{
	return l->dict_len + l->table_len + l->blocks_len + l->index_len;
}

static inline bool
leaf_has_dict(const Leaf *l)
{
	return l->mode == LEAF_DICT || l->mode == LEAF_COND;
}

static inline bool
leaf_has_blocks(const Leaf *l)
{
	return l->mode == LEAF_BLOCKS || l->mode == LEAF_WORDS || leaf_has_dict(l) || (l->flags & LEAF_NULLS);
}

/* image_encode with the vector size and the compact form chosen by the caller: for tests. */
extern void image_encode_as(Batch *batch, CodecEffort effort, uint32_t vector_rows, bool compact, Buf *out,
							ImageSummary *summary);

/* Order in which the columns of a level are written: those that others lean on first. */
extern uint32_t image_column_at(bool spans, Level level, uint32_t i);
/* Kind of a column under the span profile; width of COL_FIXED is 16. */
extern ColKind image_column_kind(Level level, uint32_t col);
extern uint32_t image_level_columns(Level level);
/* How many of them come before the shapes. */
extern uint32_t image_root_columns(Level level);
extern ColKind image_attr_kind(uint8_t type);

/* ---- dictionaries of an image (image_dict.c) ---- */

/* A series as codes into the distinct values that it has. */
typedef struct Coded
{
	uint32_t n;
	uint32_t *codes;
	uint32_t ndict;
	Str *dict;        /* COL_BYTES, or NULL */
	int64_t *numbers; /* COL_I64, or NULL */
	uint32_t *kept;   /* COL_BYTES: entry of the input's dictionary */
	uint64_t bytes;   /* of the dictionary's strings */
} Coded;

/*
 * Codes without gaps, the most frequent first when by_use. dict may be NULL (shapes). Equal strings get
 * one code when there are so many entries that nobody can have looked.
 */
extern void image_code_bytes(const uint32_t *codes, uint32_t n, const Str *dict, uint32_t ndict, bool by_use,
							 Arena *arena, Coded *c);
/* false when there are more than max distinct numbers. Codes are in order of the numbers. */
extern bool image_code_numbers(const int64_t *v, uint32_t n, uint32_t max, Arena *arena, Coded *c);
/* Bits that codes take by their frequencies alone. */
extern uint64_t image_code_entropy(const Coded *c, Arena *arena);

/* ---- codes given the codes of another leaf (image_cond.c) ---- */

typedef struct CondBase
{
	uint32_t leaf;
	const uint32_t *codes; /* by row of the level */
	uint32_t ncodes;
} CondBase;

typedef struct Cond
{
	uint32_t base; /* index into the bases offered */
	uint64_t bits; /* estimate, table included */
	uint32_t npairs;
	uint32_t *count; /* by code of the base: how many codes go with it */
	uint32_t *codes; /* those, most frequent first */
	uint32_t *ranks; /* by value: which of them */
	bool function;   /* all ranks are 0 */
} Cond;

/* Best of the bases; false when none takes fewer than limit bits. rows: row of each value, NULL: its own. */
extern bool image_cond_choose(const CondBase *bases, uint32_t nbases, const Coded *c, const uint32_t *rows,
							  uint64_t limit, Arena *arena, Cond *best);

/* ---- permuted shapes (image_shape.c) ---- */

/* Shapes of more columns are not permuted: 20! still fits a number. */
#define IMAGE_MAX_PERMUTED 20

/* Number of the permutation that makes order out of set; both have the same n columns, each once. */
extern int64_t image_permutation_rank(const uint32_t *set, const uint32_t *order, uint32_t n);
/* false: there is no such permutation. */
extern bool image_permutation_apply(const uint32_t *set, int64_t rank, uint32_t n, uint32_t *order);

/* ---- parent references (image_trace.c) ---- */

#define PARENT_NONE    0
#define PARENT_LITERAL 1

/*
 * The parents of a vector's or a batch's rows as LEAF_PARENTS and REL_ROWS have them. refs has nrows
 * entries; literals has room for nrows; returns how many were used.
 */
extern uint32_t image_parent_refs(const uint32_t *trace_first, uint32_t ntraces, const int64_t *ids,
								  const int64_t *parents, int64_t *refs, int64_t *literals, Arena *arena);
/* Row of the parent that a reference means, or -1: none, or not in the trace. */
static inline int64_t
image_parent_row(uint32_t row, int64_t ref)
{
	return ref > PARENT_LITERAL ? (int64_t) row - unzigzag((uint64_t) ref - 1) : -1;
}

#endif
