/*
 * attrs.c
 *	  Lists of attributes while a span is made.
 */
#include "gen.h"

#include <stdlib.h>

static Attr *
attr_next(AttrList *l, Text key, ValueType type)
{
	Attr *a;

	if (l->n == MAX_ATTRS)
		abort();
	a = &l->at[l->n++];
	a->key = key;
	a->type = type;
	return a;
}

void
attr_text(AttrList *l, Text key, Text value)
{
	attr_next(l, key, VALUE_TEXT)->text = value;
}

void
attr_int(AttrList *l, Text key, int64_t value)
{
	attr_next(l, key, VALUE_INT)->number = value;
}

void
attr_double(AttrList *l, Text key, double value)
{
	attr_next(l, key, VALUE_DOUBLE)->real = value;
}

void
attr_bool(AttrList *l, Text key, bool value)
{
	attr_next(l, key, VALUE_BOOL)->number = value;
}
