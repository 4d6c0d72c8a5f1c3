/*
 * tempo.c
 *	  Start of the library: settings, hooks and workers of each part, nothing else.
 */
#include "postgres.h"

#include "fmgr.h"
#include "am/am.h"
#include "merge/ingest.h"
#include "merge/merge.h"
#include "merge/partition.h"
#include "plan/plan.h"
#include "miscadmin.h"
#include "retain/retain.h"
#include "store/kept.h"
#include "traceql/plan.h"
#include "worker/worker.h"

PG_MODULE_MAGIC;

void _PG_init(void);

void
_PG_init(void)
{
	store_init();
	kept_define_settings();
	am_init();
	merge_define_settings();
	plan_init();
	traceql_init();
	partition_define_settings();
	ingest_define_settings();
	retain_define_settings();
	tempo_define_worker_settings();

	/* Workers are a matter of the whole server; pg_upgrade wants nobody but itself in it. */
	if (process_shared_preload_libraries_in_progress && !IsBinaryUpgrade)
	{
		tempo_request_shared_memory();
		tempo_register_launcher();
	}
}
