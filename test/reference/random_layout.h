/*
 * random_layout.h
 *	  In what state a round's spans are stored, and by whom and how they are asked for.
 */
#ifndef TEMPO_REF_RANDOM_LAYOUT_H
#define TEMPO_REF_RANDOM_LAYOUT_H

#include "random.h"

/* Whose spans are asked for. */
#define RANDOM_TENANT "one"

typedef struct Layout
{
	int merges;   /* 0: recent batches, 1: one segment, 2: a segment a few requests, 3: and batches on top */
	int every;    /* so many requests a segment */
	int deleted;  /* number of a condition on the spans deleted; 0: none */
	bool settled; /* merged again after that */
	int hidden;   /* and on those that a policy hides from the role that asks; 0: none */
	bool tenants; /* two of them share the requests, and one is asked about */
	bool parallel;
	bool leader; /* takes part in what it has started workers for */
	bool plain;  /* traceql() as an ordinary function */
} Layout;

/* Once a run: the role that policies apply to. */
extern void layout_prepare(void);
extern Layout random_layout(void);
/* Stores the requests, and reads what is there to see of them. */
extern void layout_make(const Layout *layout, const Requests *requests, Data *data);
extern void layout_print(const Layout *layout);

#endif
