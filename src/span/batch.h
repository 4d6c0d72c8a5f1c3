/*
 * batch.h
 *	  A batch of rows in memory, by column: what receivers fill, what recent batches and segments are
 *	  encoded from and decoded to, what merge sorts, and what TraceQL reads.
 *
 * A batch has up to four levels of rows. LEVEL_SPAN rows are the table's rows. Under the span profile
 * each span also has LEVEL_EVENT and LEVEL_LINK rows (a contiguous run each, see event_first and
 * link_first), and a batch whose traces are sorted has LEVEL_TRACE rows (trace_first). A
 * table without the profile has LEVEL_SPAN only, one column per attribute number.
 *
 * Columns are positional: value i belongs to row i. Attributes of spans, events and links are different:
 * one dense column per (key, type, occurrence), and per row a code into the table of shapes. A shape is
 * the ordered list of columns that a row has a value in, so order, duplicates and presence all follow
 * from it: the values of a column are in row order, one for each row whose shape names it.
 *
 * Ownership: everything hangs off batch->arena, except strings, which may point into whatever the
 * producer had (a request body, a pinned copy of pages) and live as long as that.
 *
 * Lazy batches: a batch opened from an image has NULL values in columns that were not asked for. Always
 * go through batch_column() and its relatives; they call batch->load. After load a column never moves.
 */
#ifndef TEMPO_BATCH_H
#define TEMPO_BATCH_H

#include "span/arena.h"
#include "span/value.h"

typedef enum Level
{
	LEVEL_SPAN = 0,
	LEVEL_EVENT = 1,
	LEVEL_LINK = 2,
	LEVEL_TRACE = 3
} Level;

#define NLEVELS 4

/* Columns of LEVEL_SPAN under the span profile. Extra user columns follow SC_COUNT. */
typedef enum SpanCol
{
	SC_TENANT,              /* BYTES */
	SC_TRACE_ID,            /* FIXED, 16 bytes as on the wire */
	SC_SPAN_ID,             /* I64: the 8 bytes read as a big-endian number */
	SC_PARENT_ID,           /* I64: same, 0 = no parent */
	SC_START,               /* I64: unix ns, unsigned bits */
	SC_DURATION,            /* I64: end - start, wrapping; end = start + duration, wrapping */
	SC_NAME,                /* BYTES */
	SC_KIND,                /* I64: OTLP numbers, unspecified 0 .. consumer 5; others kept */
	SC_STATUS,              /* I64: OTLP numbers, unset 0, ok 1, error 2; others kept */
	SC_STATUS_MESSAGE,      /* BYTES */
	SC_SERVICE,             /* BYTES: service.name of the resource when it is a string, else empty */
	SC_RESOURCE,            /* BYTES: attributes in the format of value.h */
	SC_RESOURCE_DROPPED,    /* I64 */
	SC_RESOURCE_SCHEMA_URL, /* BYTES */
	SC_SCOPE,               /* BYTES: attributes in the format of value.h */
	SC_SCOPE_NAME,          /* BYTES */
	SC_SCOPE_VERSION,       /* BYTES */
	SC_SCOPE_DROPPED,       /* I64 */
	SC_SCOPE_SCHEMA_URL,    /* BYTES */
	SC_TRACE_STATE,         /* BYTES */
	SC_FLAGS,               /* I64 */
	SC_DROPPED_ATTRIBUTES,  /* I64 */
	SC_DROPPED_EVENTS,      /* I64 */
	SC_DROPPED_LINKS,       /* I64 */
	SC_COUNT
} SpanCol;

typedef enum EventCol
{
	EC_TIME,    /* I64: event time - span start, wrapping ns */
	EC_NAME,    /* BYTES */
	EC_DROPPED, /* I64 */
	EC_COUNT
} EventCol;

typedef enum LinkCol
{
	LC_TRACE_ID, /* BYTES: 16 bytes, or whatever was sent */
	LC_SPAN_ID,  /* BYTES: 8 bytes, or whatever was sent */
	LC_TRACE_STATE,
	LC_FLAGS,   /* I64 */
	LC_DROPPED, /* I64 */
	LC_COUNT
} LinkCol;

typedef enum TraceCol
{
	TC_ID,       /* FIXED 16 */
	TC_START,    /* I64: earliest span start, unix ns */
	TC_DURATION, /* I64: latest span end - earliest span start */
	TC_ROOT,     /* I64: row of the root within the trace + 1, 0 = no root among these spans, or unknown */
	TC_SPLIT,    /* I64: 1 = other spans of this trace are known to be stored elsewhere */
	TC_COUNT
} TraceCol;

/* TC_ROOT of traces that nobody looked for the root of; never stored. */
#define TRACE_ROOT_UNKNOWN (-1)

typedef enum ColKind
{
	COL_VOID,  /* the column has no values of its own (e.g. attributes, held as an AttrSet) */
	COL_I64,   /* any pass-by-value type up to 8 bytes, sign or bits as the type has them */
	COL_FIXED, /* width bytes a value */
	COL_BYTES  /* dictionary codes; a dictionary may hold a string twice and be as long as the column */
} ColKind;

typedef struct Column
{
	ColKind kind;
	uint16_t width; /* COL_FIXED */
	bool loaded;
	uint32_t n;
	uint8_t *nulls; /* one byte a value, 1 = null; NULL: no nulls. Null values are 0 / code 0 / empty */
	union
	{
		int64_t *i64;
		uint8_t *fixed;
		uint32_t *codes; /* < ndict */
	};
	Str *dict; /* COL_BYTES */
	uint32_t ndict;
	bool dict_shared; /* dict is the same one in all batches of an image, and lives as long as that */
} Column;

static inline Str
column_str(const Column *c, uint32_t i)
{
	return c->dict[c->codes[i]];
}

/* One attribute column: values of one type under one key. */
typedef struct AttrColumn
{
	Str key;
	uint8_t type;        /* ValueType. STRING, BYTES, ARRAY, KVLIST: COL_BYTES (ARRAY/KVLIST: Value.s);
							BOOL, INT: COL_I64; DOUBLE: COL_I64 holding the bits; EMPTY: COL_VOID */
	uint16_t occurrence; /* 0 for the first use of (key, type) in a row, 1 for the second ... */
	Column values;       /* dense: values.n rows have one */
	uint32_t *rows;      /* row of each value, ascending; NULL until batch_attr_rows() */
	uint32_t nrows;      /* how many those are; whoever sets rows sets both */
} AttrColumn;

typedef struct AttrShape
{
	uint32_t n;
	uint32_t *columns; /* indexes into AttrSet.columns, in the order sent */
} AttrShape;

typedef struct AttrSet
{
	uint32_t ncolumns;
	AttrColumn *columns;
	uint32_t nshapes;
	AttrShape *shapes;
	bool shapes_shared; /* shapes is the same one in all batches of an image, and lives as long as that */
	bool shapes_later;  /* nshapes and shapes are not there yet: batch_shape_table() */
	uint32_t *shape;    /* code per row; NULL until loaded */
	uint32_t nrows;
	uint32_t nfound; /* columns whose rows were asked for one by one */
	/* NULL until batch_attributes() needs them: the k-th value of row r is at position
	 * value_at[value_first[r] + k] of its column. */
	uint32_t *value_first;
	uint32_t *value_at;
} AttrSet;

typedef struct RowSet
{
	uint32_t nrows;
	uint32_t ncolumns;
	Column *columns;
	AttrSet *attrs; /* NULL: this level has none (LEVEL_TRACE, tables without the profile) */
} RowSet;

typedef struct Batch Batch;

/* What to load; which < ncolumns for LOAD_COLUMN, an AttrSet column for LOAD_ATTR, unused otherwise. */
typedef enum LoadWhat
{
	LOAD_COLUMN,
	LOAD_ATTR,
	LOAD_ROWS,        /* AttrColumn.rows and nrows; may leave them to the caller */
	LOAD_SHAPES,      /* AttrSet.shape of the level */
	LOAD_SHAPE_TABLE, /* AttrSet.shapes, where they are read later */
	LOAD_EVENTS,      /* event_first */
	LOAD_LINKS,       /* link_first */
	LOAD_PARENTS      /* parent_row; only asked for when plain_ids */
} LoadWhat;

struct Batch
{
	Arena *arena;
	bool spans;  /* has the span profile */
	bool sorted; /* spans of a trace together, by start; traces mostly by start. LEVEL_TRACE is there */
	RowSet level[NLEVELS];
	uint32_t *event_first; /* nrows + 1 */
	uint32_t *link_first;  /* nrows + 1 */
	uint32_t *trace_first; /* ntraces + 1; always loaded when sorted */
	/*
	 * Row of each span's parent, or PARENT_ROW_*. Only of batches whose span ids are plain: no two of a trace
	 * are the same, but 0, and no parent is there that is not said to be. NULL: not plain, or not loaded.
	 */
	int32_t *parent_row;
	bool plain_ids;
	/* Lazy batches only. Fills the thing asked for; raises (does not return) on corrupt bytes. */
	void (*load)(Batch *batch, Level level, LoadWhat what, uint32_t which);
	void *source;
};

/* ---- reading (batch_read.c) ---- */

static inline uint32_t
batch_nrows(const Batch *b)
{
	return b->level[LEVEL_SPAN].nrows;
}

static inline Column *
batch_column(Batch *b, Level level, uint32_t col)
{
	Column *c = &b->level[level].columns[col];

	if (!c->loaded)
		b->load(b, level, LOAD_COLUMN, col);
	return c;
}

/* The shape of each row; and the level's set with the table of shapes read, which this does as well. */
extern const uint32_t *batch_shapes(Batch *b, Level level);
extern AttrSet *batch_shape_table(Batch *b, Level level);
extern const uint32_t *batch_event_first(Batch *b);
/* Row of the parent of each span, or PARENT_ROW_*; NULL when span ids are not plain. */
extern const int32_t *batch_parent_rows(Batch *b);
#define PARENT_ROW_NONE      (-1) /* it has no parent */
#define PARENT_ROW_ELSEWHERE (-2) /* none of the trace's spans here */
extern const uint32_t *batch_link_first(Batch *b);
/* Values loaded; index into the level's AttrSet.columns. */
extern AttrColumn *batch_attr_column(Batch *b, Level level, uint32_t index);
/* Also fills ->rows. */
extern AttrColumn *batch_attr_rows(Batch *b, Level level, uint32_t index);
/*
 * Index of (key, type, occurrence), or -1. With type < 0: the first column of that key, whatever its type
 * and occurrence, at index `occurrence` or after it.
 */
extern int batch_attr_find(const Batch *b, Level level, Str key, int type, uint32_t occurrence);
/* Position of row in a dense column whose rows are filled, or -1 (binary search). */
extern int64_t attr_position(const AttrColumn *c, uint32_t row);
/* The value at a position of a dense column. */
extern Value attr_value(const AttrColumn *c, uint32_t position);
/* All attributes of one row, in order, in the format of value.h, appended to out. */
extern void batch_attributes(Batch *b, Level level, uint32_t row, Buf *out);
/* The same of those columns of the AttrSet that are wanted: one byte a column, 0 or 1. */
extern void batch_some_attributes(Batch *b, Level level, uint32_t row, const uint8_t *wanted, Buf *out);
/* Do rows x and y of LEVEL_SPAN have equal values in columns first to last? None may be COL_FIXED. */
extern bool batch_same_values(Batch *b, uint32_t first, uint32_t last, uint32_t x, uint32_t y);
/* Position of a trace in LEVEL_TRACE, -1: it is not there. Sorted batches only. */
extern int64_t batch_find_trace(Batch *b, const uint8_t trace_id[16]);
/* Load everything (tests, check). */
extern void batch_load_all(Batch *b);

/* ---- batches of plain columns (batch_read.c) ---- */

/*
 * A batch without the span profile: nrows rows of ncolumns columns whose kind and width are those of
 * kinds[]. The caller fills batch->level[LEVEL_SPAN].columns[c]: i64[row], fixed + row * width, or, of a
 * COL_BYTES column, dict[row] (codes[row] is row already); values start out 0 / empty. Strings are not
 * copied.
 */
extern Batch *batch_create_plain(Arena *arena, uint32_t ncolumns, const Column *kinds, uint32_t nrows);
/* What batch_create_plain does for one column. */
extern void column_allocate(Arena *arena, Column *c, ColKind kind, uint16_t width, uint32_t n);
/* Value i is null; its value stays 0 / empty. */
extern void column_set_null(Arena *arena, Column *c, uint32_t i);

/* ---- building (batch_build.c) ---- */

typedef struct BatchBuilder BatchBuilder;

/*
 * Builds an unsorted batch of spans row by row. Strings handed in are not copied: they must outlive the
 * batch, unless the builder was made with copy = true. Strings are interned per column, and keys per
 * level, so repeated values cost a hash probe and no memory.
 */
extern BatchBuilder *builder_create(Arena *arena, bool copy, uint32_t extra_columns,
									const Column *extra_kinds);
extern void builder_begin_span(BatchBuilder *bb);
extern void builder_set_i64(BatchBuilder *bb, uint32_t col, int64_t v);
extern void builder_set_bytes(BatchBuilder *bb, uint32_t col, Str v);
extern void builder_set_trace_id(BatchBuilder *bb, const uint8_t id[16]);
/* A COL_FIXED extra column: width bytes. */
extern void builder_set_fixed(BatchBuilder *bb, uint32_t col, const uint8_t *v);
extern void builder_set_null(BatchBuilder *bb, uint32_t col);
/*
 * Resource or scope columns change rarely: set once, used for every following span until set again. The
 * attributes (value.h format, at least the one byte of an empty list) are copied when new.
 */
extern void builder_set_resource(BatchBuilder *bb, Str attributes, Str service, uint32_t dropped,
								 Str schema_url);
extern void builder_set_scope(BatchBuilder *bb, Str attributes, Str name, Str version, uint32_t dropped,
							  Str schema_url);
extern void builder_set_tenant(BatchBuilder *bb, Str tenant);
/*
 * An attribute of the span, or of the event or link begun last. The bytes of ARRAY and KVLIST are copied
 * when new. false, and nothing is added, when the batch would have more than BUILDER_MAX_ATTR_COLUMNS
 * attribute columns: the batch must be finished before that row, or the row refused.
 */
extern bool builder_attr(BatchBuilder *bb, Level level, Str key, const Value *v);
/* All of a list in the format of value.h, which must be valid. */
extern bool builder_attributes(BatchBuilder *bb, Level level, Str attributes);
#define BUILDER_MAX_ATTR_COLUMNS 65536
extern void builder_begin_event(BatchBuilder *bb, int64_t offset_ns, Str name, uint32_t dropped);
extern void builder_end_event(BatchBuilder *bb);
extern void builder_begin_link(BatchBuilder *bb, Str trace_id, Str span_id, Str trace_state, uint32_t flags,
							   uint32_t dropped);
extern void builder_end_link(BatchBuilder *bb);
/* Move the events of the span by delta: for a start time that came after them. */
extern void builder_shift_events(BatchBuilder *bb, int64_t delta_ns);
/* Unset columns of the row are 0 / empty, unset extra columns null. */
extern void builder_end_span(BatchBuilder *bb);
/*
 * Undo everything since builder_mark: a refused request leaves nothing behind. There is one mark at a time;
 * the next builder_mark takes its place.
 */
typedef struct BuilderMark BuilderMark;
extern BuilderMark *builder_mark(BatchBuilder *bb);
extern void builder_rollback(BatchBuilder *bb, const BuilderMark *mark);
extern uint32_t builder_nrows(const BatchBuilder *bb);
/* Where the batch lives; scratch space for whoever feeds the builder. */
extern Arena *builder_arena(BatchBuilder *bb);
/* Was it made with copy = true? */
extern bool builder_copies(const BatchBuilder *bb);
/* The builder must not be used afterwards. */
extern Batch *builder_finish(BatchBuilder *bb);

/* ---- rearranging (batch_gather.c) ---- */

/* One row of one input. */
typedef struct RowRef
{
	uint32_t batch;
	uint32_t row;
} RowRef;

/*
 * A new batch of the given rows of the inputs, in that order, dictionaries, keys and shapes merged. All
 * inputs (at least one) have the same profile and columns. Strings keep pointing where they pointed. Column
 * by column, so inputs may be lazy; nothing that is not needed stays loaded twice.
 */
extern Batch *batch_gather(Arena *arena, Batch **inputs, uint32_t ninputs, const RowRef *rows,
						   uint32_t nrows);
/*
 * The same, but columns and attributes are gathered when asked for: rows and inputs stay until then. Of
 * LEVEL_EVENT and LEVEL_LINK nothing, not even keys, is there before batch_event_first and _link_first.
 */
extern Batch *batch_gather_lazy(Arena *arena, Batch **inputs, uint32_t ninputs, const RowRef *rows,
								uint32_t nrows);
/*
 * Row references sorted by trace, then by (start, input, row); traces by (start of the earliest span, id).
 * Span profile only.
 */
extern RowRef *batch_sort(Arena *arena, Batch **inputs, uint32_t ninputs, uint32_t *nrows);
/*
 * Of spans that came twice (batch_fold.c has the rule), leave the first. rows are in batch_sort order, or of
 * one trace by start. Returns how many are left.
 */
extern uint32_t batch_fold(Arena *scratch, Batch **inputs, RowRef *rows, uint32_t nrows);
/* Are two rows one span by that rule? */
extern bool batch_same_span(Batch *x, uint32_t row_x, Batch *y, uint32_t row_y);
/* Make LEVEL_TRACE of a batch whose rows are in batch_sort order; sets sorted. TC_SPLIT is left 0. */
extern void batch_make_traces(Batch *b);

#endif
