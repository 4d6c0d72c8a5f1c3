/*
 * collect.h
 *	  Names of tags, and values of one tag, out of images and batches: as far as possible out of what an
 *	  image knows as a whole, otherwise by vector, where distinct codes are marked before anything is looked
 *	  at, so a value costs something once an image and not once a span.
 *
 * Sources are numbered as those of eval.h: batches of one number share attribute columns and, where
 * Column.dict_shared says so, dictionaries. rows has a byte a row, 1: counts, 0: does not; NULL: all do.
 */
#ifndef TRACEQL_TAGS_COLLECT_H
#define TRACEQL_TAGS_COLLECT_H

#include "store/image.h"
#include "traceql/eval/eval.h"
#include "traceql/tags/set.h"

typedef enum TagScope
{
	TAGS_SPAN,
	TAGS_RESOURCE,
	TAGS_EVENT,
	TAGS_LINK,
	TAGS_INSTRUMENTATION,
	TAGS_NSCOPES,
	TAGS_INTRINSIC = TAGS_NSCOPES /* not collected: a list */
} TagScope;

#define TAGS_ALL ((1u << (TAGS_NSCOPES + 1)) - 1)

extern const char *tag_scope_name(TagScope scope);
/* false: there is no such scope. */
extern bool tag_scope_read(Str name, TagScope *scope);
/* What is listed as intrinsics; NULL past the last. */
extern const char *tag_intrinsic(uint32_t i);

/* ---- names ---- */

typedef struct TagNames TagNames;

/* scopes: bits by TagScope. At most max_names a scope; 0: no bound. */
extern TagNames *tag_names_create(Arena *arena, uint32_t scopes, uint32_t max_names);
/* All rows of an image. false: something of it cannot be told as a whole, go by vector. */
extern bool tag_names_image(TagNames *names, Image *image);
extern void tag_names_batch(TagNames *names, Batch *batch, uint64_t source, const uint8_t *rows,
							Arena *scratch);
/* Can nothing new come from an image, or from more batches of a source? */
extern bool tag_names_covered(const TagNames *names, Image *image);
extern bool tag_names_exhausted(const TagNames *names, uint64_t source);
/* Names of a scope asked for, TAGS_INTRINSIC not among them. */
extern TagSet *tag_names_set(const TagNames *names, TagScope scope);

/* ---- values ---- */

typedef struct TagValues TagValues;

extern TagValues *tag_values_create(Arena *arena, const TraceqlAttr *attr, uint32_t max_values,
									uint64_t max_bytes);
/*
 * true: the values do not depend on what is stored, and have been added: none for durations and numbers of
 * the tree, all there are for status and kind unless a filter asks for some.
 */
extern bool tag_values_fixed(TagValues *values, bool filtered);
/* Is it a property of whole traces? Its values then come by tag_values_add() only. */
extern bool tag_values_of_traces(const TagValues *values);
/* All rows of an image. false: something of it cannot be told as a whole, go by vector. */
extern bool tag_values_image(TagValues *values, Image *image);
extern void tag_values_batch(TagValues *values, Batch *batch, uint64_t source, const uint8_t *rows,
							 Arena *scratch);
/* Can nothing new come from an image, or from more batches of a source? */
extern bool tag_values_covered(TagValues *values, Image *image);
extern bool tag_values_exhausted(const TagValues *values, uint64_t source);
extern void tag_values_add(TagValues *values, const EvalValue *value);
extern TagSet *tag_values_set(const TagValues *values);

#endif
