/*
 * tempo.c
 *	  Start of the library: settings, hooks and workers of each part, nothing else.
 */
#include "postgres.h"

#include "fmgr.h"
#include "am/am.h"
#include "merge/partition.h"
#include "store/ingest.h"

PG_MODULE_MAGIC;

void _PG_init(void);

void
_PG_init(void)
{
	am_init();
	partition_define_settings();
	ingest_define_settings();
}
