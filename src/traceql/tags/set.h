/*
 * set.h
 *	  A set of distinct tag names or typed values, bounded: it holds the least of what was added, in the
 *	  order of tag_set_sort(), so what is left out does not depend on the order of adding.
 */
#ifndef TRACEQL_TAGS_SET_H
#define TRACEQL_TAGS_SET_H

#include "span/arena.h"

/* In the order of answers. */
typedef enum TagType
{
	TAG_STRING,
	TAG_INT,
	TAG_FLOAT,
	TAG_BOOL,
	TAG_DURATION,
	TAG_KEYWORD,
	TAG_NTYPES
} TagType;

typedef struct TagValue
{
	TagType type;
	union
	{
		Str s;     /* STRING, KEYWORD; any bytes */
		int64_t i; /* DURATION in ns */
		double d;
		bool b;
	};
} TagValue;

typedef struct TagSet TagSet;

/*
 * At most so many values, and so many bytes of them as text; 0: no bound. The set has arenas of its own,
 * which take blocks where the given one does and are not freed with it: memory contexts free them.
 */
extern TagSet *tag_set_create(Arena *arena, uint32_t max_values, uint64_t max_bytes);
/* Strings are copied. */
extern void tag_set_add(TagSet *set, const TagValue *value);
extern void tag_set_add_string(TagSet *set, Str s);
/* Would adding it change nothing? */
extern bool tag_set_has(const TagSet *set, const TagValue *value);
/* Sort it and cut it to its bounds. */
extern void tag_set_sort(TagSet *set);
extern uint64_t tag_set_count(const TagSet *set);
/* Of a sorted set. */
extern TagValue tag_set_value(const TagSet *set, uint64_t i);

/* "string", "int", "float", "bool", "duration", "keyword" */
extern const char *tag_type_name(TagType type);
extern void tag_value_print(const TagValue *value, Buf *out);

#endif
