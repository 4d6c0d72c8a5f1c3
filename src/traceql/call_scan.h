/*
 * call_scan.h
 *	  What the scan nodes that run traceql() and traceql_metrics() in FROM have in common: they take the place
 *	  of the function scan, so that rows are made as they are asked for and EXPLAIN tells what happened.
 *
 * The hook acts on a single call without ORDINALITY; everything else runs the functions themselves. Both use
 * the same code. Arguments stand in custom_exprs and are evaluated after every rescan. custom_private is a
 *list of two: OIDs (the function's), and the names of its columns, which a whole-row reference carries. The
 *scan tuple is the columns of the function, then the whole row.
 */
#ifndef TEMPO_TRACEQL_CALL_SCAN_H
#define TEMPO_TRACEQL_CALL_SCAN_H

#include "postgres.h"
#include "fmgr.h"
#include "nodes/execnodes.h"
#include "nodes/extensible.h"
#include "nodes/pathnodes.h"

/* ---- planning (paths.c) ---- */

/* A function that has a node: its C function is how it is known, whatever it is called. */
typedef struct CallNode
{
	PGFunction function;
	int ncolumns;
	CustomPathMethods *path;
	CustomScanMethods *scan;
} CallNode;

/* ---- executing (call_scan.c) ---- */

#define CALL_SCAN_ARGS 6

/* At the start of a node's state. */
typedef struct CallScan
{
	CustomScanState css;
	int ncolumns; /* without the whole row */
	int nargs;
	ExprState *args[CALL_SCAN_ARGS];
	ExprContext *arg_context;
	Bitmapset *needed;  /* columns of the scan tuple, from 0 */
	TupleDesc row_desc; /* of a whole row */
	TupleTableSlot *mark_slot;
	Index rti;
} CallScan;

/* Checks the right to call the function and to read tempo.spans, unless it is only explained. */
extern void call_scan_begin(CallScan *scan, EState *estate, int eflags);
/* The present arguments; they live until the next call. */
extern void call_scan_args(CallScan *scan, NullableDatum *values);
/* The slot's values make a row; the whole row is added when it is asked for. */
extern TupleTableSlot *call_scan_store(CallScan *scan, TupleTableSlot *slot);
/*
 * EvalPlanQual asks for the row it is about: the copy that the row mark carries. ExecScan leaves fetching
 * it to us because the node stands for no relation.
 */
extern bool call_scan_recheck(CallScan *scan, TupleTableSlot *slot);
/* The first argument, when it is known without running. */
extern bool call_scan_query(const CallScan *scan, const char **text, int *len);

#endif
