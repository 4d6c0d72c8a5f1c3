/*
 * parse.c
 *	  traceql_parse(): text to a validated tree, and the making of messages.
 */
#include <stdarg.h>
#include <stdio.h>

#include "traceql/lang/parser.h"
#include "traceql/lang/utf8.h"

#define EXCERPT_BYTES 120

/* ---- messages ---- */

/* Line and column (in characters) of a byte offset. */
static void
locate(Str text, TraceqlError *err)
{
	uint32_t code;

	err->line = 1;
	err->column = 1;
	for (uint32_t i = 0, n; i < err->offset; i += n)
	{
		n = utf8_decode(text, i, &code);
		if (n == 0)
			n = 1;
		else if (code == '\n')
		{
			err->line++;
			err->column = 0;
		}
		err->column++;
	}
}

static const char *
error_prefix(TraceqlErrorKind kind)
{
	switch (kind)
	{
		case TQL_ERROR_VALIDATION: return "invalid query";
		case TQL_ERROR_UNSUPPORTED: return "unsupported query";
		default: return "parse error";
	}
}

void
traceql_fail(TraceqlParser *st, TraceqlErrorKind kind, uint32_t pos, const char *fmt, ...)
{
	TraceqlError *err = st->err;
	char message[1024];
	va_list args;
	int n;

	if (err->kind != TQL_ERROR_NONE)
		return;
	err->kind = kind;
	err->offset = pos < st->text.len ? pos : st->text.len;
	locate(st->text, err);
	n = snprintf(message, sizeof(message), "%s at line %u, col %u: ", error_prefix(kind), err->line,
				 err->column);
	va_start(args, fmt);
	vsnprintf(message + n, sizeof(message) - n, fmt, args);
	va_end(args);
	err->message = arena_dup(st->arena, message, strlen(message) + 1);
}

/* A copy that ends at a character's end within max bytes, with "..." where it was cut; one line. */
static const char *
cut_text(Arena *arena, Str s, uint32_t max)
{
	char *z = arena_alloc(arena, max + 4);
	uint32_t code;
	uint32_t i = 0;

	for (uint32_t n; i < s.len; i += n)
	{
		n = utf8_decode(s, i, &code);
		if (i + (n ? n : 1) > max)
		{
			memcpy(z + i, "...", 4);
			return z;
		}
		if (n == 0 || code < ' ' || code == 0x7f)
			z[i] = n == 0 ? '?' : ' ';
		else
			memcpy(z + i, s.p + i, n);
		n = n ? n : 1;
	}
	z[i] = '\0';
	return z;
}

const char *
traceql_excerpt(TraceqlParser *st, const TraceqlExpr *expr)
{
	Buf buf;

	buf_init(&buf, st->arena, 64);
	traceql_print_expr(expr, &buf);
	return cut_text(st->arena, str_of((char *) buf.p, buf.len), EXCERPT_BYTES);
}

const char *
traceql_quote_source(TraceqlParser *st, uint32_t from, uint32_t to)
{
	const char *text = cut_text(st->arena, str_of(st->text.p + from, to - from), 40);
	Buf buf;

	buf_init(&buf, st->arena, 64);
	buf_put_u8(&buf, '`');
	buf_put(&buf, text, strlen(text));
	buf_put(&buf, "`", 2);
	return (char *) buf.p;
}

/* ---- parsing ---- */

static bool
text_is_clean(TraceqlParser *st)
{
	uint32_t code = 0;

	if (st->text.len > TRACEQL_MAX_TEXT)
	{
		traceql_fail(st, TQL_ERROR_PARSE, 0, "the query has %u bytes; at most %d are allowed", st->text.len,
					 TRACEQL_MAX_TEXT);
		return false;
	}
	for (uint32_t i = 0, n; i < st->text.len; i += n)
	{
		n = utf8_decode(st->text, i, &code);
		if (n == 0 || code == 0)
		{
			traceql_fail(st, TQL_ERROR_PARSE, i,
						 n == 0 ? "invalid UTF-8" : "a NUL character cannot be part of a query");
			return false;
		}
	}
	return true;
}

TraceqlQuery *
traceql_parse(Arena *arena, Str text, TraceqlError *err)
{
	TraceqlParser st = {.arena = arena, .text = text, .err = err};

	memset(err, 0, sizeof(*err));
	if (!text_is_clean(&st))
		return NULL;
	traceql_lexer_begin(&st);
	if (tqlyyparse(&st) != 0)
		traceql_fail(&st, TQL_ERROR_PARSE, st.start, "syntax error");
	if (err->kind == TQL_ERROR_NONE)
		traceql_validate(&st, st.query);
	return err->kind == TQL_ERROR_NONE ? st.query : NULL;
}

const TraceqlStatic *
traceql_hint(const TraceqlQuery *query, const char *name)
{
	const TraceqlStatic *found = NULL;

	for (const TraceqlHint *h = query->hints; h; h = h->next)
		if (str_eq(h->name, str_lit(name)))
			found = &h->value;
	return found;
}
