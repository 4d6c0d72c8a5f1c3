/*
 * random_layout.c
 *	  Spans stored in a random state: merged or not, partly deleted, partly hidden, read by one process or
 *	  several.
 */
#include "random_layout.h"
#include "ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- conditions on spans, in both languages ---- */

static bool
of_name(const Span *s)
{
	return text_is(s->name, "GET /");
}

static bool
of_kind(const Span *s)
{
	return s->kind == 3;
}

static bool
of_id(const Span *s)
{
	return (s->id & 15) < 4;
}

static bool
of_service(const Span *s)
{
	const Val *v = attrs_find(s->resource, text_of("service.name"));

	return v && text_is(v->s, "db");
}

static bool
of_duration(const Span *s)
{
	return s->duration >= 1000000000;
}

static const struct
{
	const char *sql;
	bool (*holds)(const Span *);
} conditions[] = {{"false", NULL},
				  {"name = 'GET /'", of_name},
				  {"kind = 'client'", of_kind},
				  {"right(span_id::text, 1) IN ('0', '1', '2', '3')", of_id},
				  {"service = 'db'", of_service},
				  {"duration_ns >= 1000000000", of_duration}};

/* ---- layouts ---- */

void
layout_prepare(void)
{
	command("DO $$ BEGIN CREATE ROLE random_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
	command("GRANT USAGE ON SCHEMA tempo TO random_reader");
	command("GRANT SELECT ON tempo.spans TO random_reader");
	command("ALTER TABLE tempo.spans ENABLE ROW LEVEL SECURITY");
}

Layout
random_layout(void)
{
	return (Layout){.merges = rnd(4),
					.every = 1 + rnd(4),
					.deleted = chance(15) ? 1 + rnd(5) : 0,
					.settled = chance(50),
					.hidden = chance(12) ? 1 + rnd(5) : 0,
					.tenants = chance(12),
					.parallel = chance(15),
					.leader = chance(30),
					.plain = chance(10)};
}

static const char *
tenant_of(const Layout *layout, int request)
{
	return layout->tenants && request % 3 == 1 ? "other" : RANDOM_TENANT;
}

static void
store(const Layout *layout, const Requests *requests)
{
	Out sql = {0};

	command("TRUNCATE tempo.spans");
	for (int i = 0; i < requests->n; i++)
	{
		ingest(requests->json[i], tenant_of(layout, i));
		if (layout->merges >= 2 && i % layout->every == layout->every - 1)
			command("SELECT tempo_merge()");
	}
	if (layout->merges == 1 || layout->merges == 2)
		command("SELECT tempo_merge()");
	if (!layout->deleted)
		return;
	out_fmt(&sql, "DELETE FROM tempo.spans WHERE %s", conditions[layout->deleted].sql);
	command(out_done(&sql).p);
	if (layout->settled)
		command("SELECT tempo_merge()");
}

static void
settings(const Layout *layout)
{
	Out sql = {0};

	out_fmt(&sql, "SET max_parallel_workers_per_gather = %d; ", layout->parallel ? 2 : 0);
	out_fmt(
		&sql,
		"SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; ");
	out_fmt(&sql, "SET parallel_leader_participation = %s; ", layout->leader ? "on" : "off");
	out_fmt(&sql, "SET tempo.enable_traceql_scan = %s; ", layout->plain ? "off" : "on");
	out_fmt(&sql, "DROP POLICY IF EXISTS random_policy ON tempo.spans; ");
	if (layout->hidden)
		out_fmt(&sql,
				"CREATE POLICY random_policy ON tempo.spans FOR SELECT TO random_reader USING (NOT (%s)); "
				"SET ROLE random_reader",
				conditions[layout->hidden].sql);
	command(out_done(&sql).p);
}

void
layout_make(const Layout *layout, const Requests *requests, Data *data)
{
	command("RESET ROLE");
	store(layout, requests);
	settings(layout);
	ask_tenant(layout->tenants ? RANDOM_TENANT : NULL);
	for (int i = 0; i < requests->n; i++)
		if (strcmp(tenant_of(layout, i), RANDOM_TENANT) == 0 &&
			!data_add_request(data, requests->json[i].p, requests->json[i].n))
			die("reference", "cannot read its own data");
	if (layout->deleted)
		data_remove(data, conditions[layout->deleted].holds);
	if (layout->hidden)
		data_remove(data, conditions[layout->hidden].holds);
	data_finish(data);
}

void
layout_print(const Layout *layout)
{
	static const char *const merges[] = {"recent batches", "one segment", "segments", "segments and batches"};

	printf("  layout: %s%s%s%s%s%s\n", merges[layout->merges],
		   layout->deleted ? layout->settled ? ", some deleted and merged again" : ", some deleted" : "",
		   layout->hidden ? ", some hidden" : "", layout->tenants ? ", two tenants" : "",
		   layout->parallel ? layout->leader ? ", parallel" : ", parallel without leader" : "",
		   layout->plain ? ", as a function" : "");
}
