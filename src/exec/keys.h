/*
 * keys.h
 *	  Span attributes that expressions look at by key. A list of only those keys gives such an expression the
 *	  same answer, and costs a fraction of the whole list, whose every key is a column of its own.
 */
#ifndef TEMPO_KEYS_H
#define TEMPO_KEYS_H

#include "postgres.h"
#include "nodes/nodes.h"
#include "utils/rel.h"
#include "span/arena.h"

typedef struct SpanKeys
{
	AttrNumber attno;
	int n;
	Str *keys;
} SpanKeys;

/* The table's column of span attributes, or InvalidAttrNumber. */
extern AttrNumber span_keys_attribute(Relation rel);

/*
 * The keys of column attno of relation varno that expressions look at: by ->, ->> and ? with a constant key,
 * and by @> with a constant list. NULL when they look at the list in any other way.
 */
extern SpanKeys *span_keys_find(Node *expressions, Index varno, AttrNumber attno);

#endif
