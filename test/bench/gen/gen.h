/*
 * gen.h
 *	  The benchmark's workload: traces of a shop, made anew from a seed, written for each system.
 *
 * A window of spans is made in memory (shop.c; wide.c adds the attributes of the wide variant), sorted by end
 * time as a gateway collector batches them, and written by one writer a system (write_*.c), so that all
 *systems hold the same spans and their answers can be compared. Nothing here shares code with src/: a mistake
 *of the decoder cannot hide behind the same mistake in the data.
 *
 * Strings and attributes live in the window's arena and are gone when the window is written. Everything
 *follows from the seed: the same seed, size, variant and days give the same bytes.
 */
#ifndef GEN_H
#define GEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SERVICES  16
#define REPLICAS  3
#define INSTANCES (SERVICES * REPLICAS)
#define MAX_ATTRS 64
#define SECOND    UINT64_C(1000000000)

typedef struct Text
{
	const char *p;
	uint32_t len;
} Text;

#define TEXT(literal) ((Text){literal, sizeof(literal) - 1})

typedef enum ValueType
{
	VALUE_TEXT,
	VALUE_INT,
	VALUE_DOUBLE,
	VALUE_BOOL
} ValueType;

typedef struct Attr
{
	Text key;
	ValueType type;
	union
	{
		Text text;
		int64_t number; /* also bool */
		double real;
	};
} Attr;

typedef struct AttrList
{
	uint32_t n;
	Attr at[MAX_ATTRS];
} AttrList;

/* As OTLP numbers them. */
typedef enum Kind
{
	KIND_INTERNAL = 1,
	KIND_SERVER,
	KIND_CLIENT,
	KIND_PRODUCER,
	KIND_CONSUMER
} Kind;

typedef enum Status
{
	STATUS_UNSET,
	STATUS_OK,
	STATUS_ERROR
} Status;

typedef struct Span
{
	uint8_t trace[16];
	uint8_t id[8];
	uint8_t parent[8];
	bool has_parent;
	uint8_t instance;
	uint8_t kind;
	uint8_t status;
	Text name;
	Text message; /* with STATUS_ERROR; also the type of its exception event */
	uint64_t start;
	uint64_t duration;
	uint32_t n_attrs;
	const Attr *attrs;
} Span;

typedef struct Instance
{
	Text service;
	Text scope;
	AttrList resource;
} Instance;

typedef struct Random
{
	uint64_t s[4];
} Random;

typedef struct Chunk Chunk;

typedef struct Gen
{
	Random random;
	bool wide;
	Instance instances[INSTANCES];
	struct Wide *wide_state;
	Text products[400];
	uint64_t traces;
	Span *spans; /* the window */
	uint32_t n_spans;
	uint32_t max_spans;
	Chunk *chunks;  /* of the window's arena, newest first */
	Chunk *forever; /* of what outlives windows */
} Gen;

/* random.c */
extern void random_seed(Random *r, uint64_t seed);
extern uint64_t random_u64(Random *r);
extern uint64_t random_range(Random *r, uint64_t low, uint64_t high); /* both included */
extern double random_unit(Random *r);                                 /* [0, 1) */
extern double random_normal(Random *r);

/* memory.c: text of the window; forever_* outlives it. */
extern void *gen_alloc(Gen *g, size_t size);
extern Text gen_text(Gen *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
extern Text gen_text_forever(Gen *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
extern Text gen_uuid(Gen *g, bool forever);
extern void gen_reset_window(Gen *g);

/* attrs.c */
extern void attr_text(AttrList *l, Text key, Text value);
extern void attr_int(AttrList *l, Text key, int64_t value);
extern void attr_double(AttrList *l, Text key, double value);
extern void attr_bool(AttrList *l, Text key, bool value);

/* shop.c: gen_init makes services and products; gen_trace appends one trace that starts near `start`. */
extern void gen_init(Gen *g, uint64_t seed, bool wide);
extern void gen_trace(Gen *g, uint64_t start);

/* exception.c: attributes of the event that a span with an error carries at its end. */
extern void exception_attrs(Gen *g, const Span *s, AttrList *attrs);

/* What is the same for all spans of a trace. */
typedef struct Trace
{
	uint8_t id[16];
	Text session;
	Text user;
	Text request; /* a UUID; wide only */
	Text order;   /* a UUID; wide only */
} Trace;

/* wide.c: more attributes for a span of this operation, and a statement with literals instead of the short
 * one. */
extern void wide_init(Gen *g);
extern void wide_trace(Gen *g, Trace *trace);
extern void wide_attrs(Gen *g, const Trace *trace, Text operation, AttrList *attrs);
extern Text wide_statement(Gen *g, const Trace *trace, Text table);

/* buffer.c: bytes on their way out. */
typedef struct Buffer
{
	char *p;
	size_t len;
	size_t size;
} Buffer;

extern void buffer_bytes(Buffer *b, const void *p, size_t len);
extern void buffer_byte(Buffer *b, uint8_t c);
extern void buffer_varint(Buffer *b, uint64_t n);
extern void buffer_hex(Buffer *b, const uint8_t *p, size_t len);
extern void buffer_number(Buffer *b, int64_t n);
extern void buffer_double(Buffer *b, double d);

/* json.c: an object of attributes. */
extern void json_attrs(Buffer *b, const Attr *attrs, uint32_t n);

/* write_*.c: n spans in the order given. OTLP writes one length-prefixed request, the others a row a span. */
typedef void (*Writer)(Gen *g, Span *const *spans, uint32_t n, Buffer *out);

extern void write_otlp(Gen *g, Span *const *spans, uint32_t n, Buffer *out);
extern void write_copy(Gen *g, Span *const *spans, uint32_t n, Buffer *out);
extern void write_clickhouse_map(Gen *g, Span *const *spans, uint32_t n, Buffer *out);
extern void write_clickhouse_json(Gen *g, Span *const *spans, uint32_t n, Buffer *out);

#endif
