/*
 * ask.h
 *	  One query to the server and to the reference.
 */
#ifndef TEMPO_REF_ASK_H
#define TEMPO_REF_ASK_H

#include "ref.h"

#define STATE_LENGTH 5

/* Both answers in canonical form, or an SQLSTATE. */
typedef struct Answers
{
	Text sql;
	Text want;
	Text got;
} Answers;

/* The range of a metrics query; step 0: the default one. */
typedef struct Window
{
	int64_t from;
	int64_t to;
	int64_t step;
	bool instant;
	bool open_from; /* given as NULL: from the first span on */
	bool open_to;
} Window;

extern void die(const char *what, const char *why) __attribute__((noreturn));
extern void ask_connect(const char *conninfo);
extern void ask_end(void);
extern void command(const char *sql);
extern void ingest(Text json, const char *tenant);
/* Whose spans are asked for; NULL: of all. */
extern void ask_tenant(const char *tenant);
extern Answers ask_search(const Data *data, Text query, Range range);
extern Answers ask_metrics(const Data *data, Text query, Window window);
/* The same over HTTP, of one tenant. */
extern Answers ask_api_search(const Data *data, Text query, Range range, int port, const char *tenant);
extern Answers ask_api_metrics(const Data *data, Text query, Window window, int port, const char *tenant);
/* http.c: returns the status. */
extern int http_get(int port, Text path, const char *tenant, Text *body);
extern Text url_escaped(Text t);
/* The first line on either side that is not the same. */
extern void print_first_difference(const Answers *answers);

#endif
