/*
 * unit.h
 *	  The least a plain-C test needs: checks that print TAP, and the plan at the end.
 *
 * A test is one program: main() calls ok() and its relatives and returns unit_done(). A failing check
 * prints where and what, and the program goes on; unit_done() returns 1 when anything failed.
 */
#ifndef TEMPO_UNIT_H
#define TEMPO_UNIT_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int unit_count;
static int unit_failed;

__attribute__((format(printf, 4, 5), unused)) static bool
unit_report(bool pass, const char *file, int line, const char *fmt, ...)
{
	va_list args;

	printf("%sok %d - ", pass ? "" : "not ", ++unit_count);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	if (!pass)
	{
		unit_failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	fflush(stdout);
	return pass;
}

__attribute__((unused)) static bool
unit_is_i64(int64_t got, int64_t want, const char *file, int line, const char *name)
{
	bool pass = unit_report(got == want, file, line, "%s", name);

	if (!pass)
		printf("# got %" PRId64 ", want %" PRId64 "\n", got, want);
	return pass;
}

__attribute__((unused)) static bool
unit_is_str(const char *got, const char *want, const char *file, int line, const char *name)
{
	bool pass = unit_report(strcmp(got, want) == 0, file, line, "%s", name);

	if (!pass)
		printf("# got  \"%s\"\n# want \"%s\"\n", got, want);
	return pass;
}

/* ok(condition, "name with %d", 1): one test. Evaluates to whether it passed. */
#define ok(cond, ...) unit_report((cond), __FILE__, __LINE__, __VA_ARGS__)
/* Equality that prints both sides when it fails. */
#define is_i64(got, want, name) unit_is_i64((int64_t) (got), (int64_t) (want), __FILE__, __LINE__, name)
#define is_str(got, want, name) unit_is_str((got), (want), __FILE__, __LINE__, name)

/* A test that cannot run here counts as skipped, with its reason. */
#define skip(reason) printf("ok %d # SKIP %s\n", ++unit_count, (reason))

__attribute__((unused)) static int
unit_done(void)
{
	printf("1..%d\n", unit_count);
	return unit_failed ? 1 : 0;
}

#endif
