/*
 * tempo.c
 *	  Start of the library: settings, hooks and workers of each part, nothing else.
 */
#include "postgres.h"

#include "fmgr.h"

PG_MODULE_MAGIC;
