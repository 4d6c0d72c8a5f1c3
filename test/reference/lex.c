/*
 * lex.c
 *	  A query into tokens: words, literals, punctuation, and attribute references, whose names run to the next
 *	  white space or one of a few characters.
 */
#include "ref.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Lexer
{
	const char *p;
	const char *end;
	Token *tokens;
	int n;
	int cap;
	bool bad;
} Lexer;

/* ---- characters ---- */

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Bytes of letters beyond ASCII count as letters: tests write no other characters there. */
static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char) c >= 0x80;
}

static bool
ahead(const Lexer *l, const char *z)
{
	size_t n = strlen(z);

	return (size_t) (l->end - l->p) >= n && memcmp(l->p, z, n) == 0;
}

static Token *
push(Lexer *l, TokenKind kind, const char *from)
{
	Token *t;

	if (l->n == l->cap)
	{
		Token *more = ref_alloc((size_t) (2 * l->cap + 16) * sizeof(Token));

		if (l->n)
			memcpy(more, l->tokens, (size_t) l->n * sizeof(Token));
		l->tokens = more;
		l->cap = 2 * l->cap + 16;
	}
	t = &l->tokens[l->n++];
	*t = (Token){.kind = kind, .text = {from, (size_t) (l->p - from)}};
	return t;
}

static void
skip_blank(Lexer *l)
{
	for (;;)
	{
		while (l->p < l->end && is_space(*l->p))
			l->p++;
		if (ahead(l, "//"))
			while (l->p < l->end && *l->p != '\n')
				l->p++;
		else if (ahead(l, "/*"))
		{
			l->p += 2;
			while (l->p < l->end && !ahead(l, "*/"))
				l->p++;
			if (l->p == l->end)
				l->bad = true;
			else
				l->p += 2;
		}
		else
			return;
	}
}

/* ---- literals ---- */

static const struct
{
	const char *name;
	double ns;
	int rank; /* in the notation of whole units; 0: not there */
} units[] = {{"ns", 1, 0},   {"us", 1e3, 0},   {"µs", 1e3, 0},    {"ms", 1e6, 1},     {"s", 1e9, 2},
			 {"m", 60e9, 3}, {"h", 3600e9, 4}, {"d", 86400e9, 5}, {"w", 604800e9, 6}, {"y", 31536000e9, 7}};

#define NUNITS (int) (sizeof(units) / sizeof(units[0]))

static int
unit_at(const char *p, const char *end)
{
	int best = -1;

	for (int u = 0; u < NUNITS; u++)
	{
		size_t n = strlen(units[u].name);

		if ((size_t) (end - p) >= n && memcmp(p, units[u].name, n) == 0 &&
			(best < 0 || n > strlen(units[best].name)))
			best = u;
	}
	return best;
}

/* whole: integers with units in descending order, each once; otherwise decimals with ns .. h in any order. */
static bool
duration_of(const char *p, const char *end, bool whole, int64_t *ns)
{
	int64_t total = 0;
	int rank = 8;

	while (p < end)
	{
		int64_t count = 0, fraction = 0, scale = 1;
		const char *digits = p;
		int u;

		for (; p < end && is_digit(*p); p++)
			if (__builtin_mul_overflow(count, 10, &count) || __builtin_add_overflow(count, *p - '0', &count))
				return false;
		if (p < end && *p == '.' && !whole)
			for (p++; p < end && is_digit(*p); p++)
				if (scale < 1000000000000)
				{
					fraction = fraction * 10 + *p - '0';
					scale *= 10;
				}
		if (p == digits || (p == digits + 1 && *digits == '.') || (u = unit_at(p, end)) < 0)
			return false;
		if (whole ? (units[u].rank == 0 || units[u].rank >= rank) : units[u].rank > 4)
			return false;
		rank = units[u].rank;
		p += strlen(units[u].name);
		if (__builtin_mul_overflow(count, (int64_t) units[u].ns, &count) ||
			__builtin_add_overflow(total, count, &total) ||
			__builtin_add_overflow(total, (int64_t) ((double) fraction * units[u].ns / (double) scale),
								   &total))
			return false;
	}
	*ns = total;
	return true;
}

static void
lex_number(Lexer *l)
{
	const char *from = l->p;
	const char *end = NULL;
	char text[64];
	Token *t;
	int64_t ns;

	while (l->p < l->end && (is_digit(*l->p) || *l->p == '.'))
		l->p++;
	if (l->p < l->end && (*l->p == 'e' || *l->p == 'E'))
	{
		const char *e = l->p + 1 + (l->p + 1 < l->end && strchr("+-", l->p[1]) && l->p[1]);

		if (e < l->end && is_digit(*e))
			for (l->p = e; l->p < l->end && is_digit(*l->p);)
				l->p++;
	}
	for (end = l->p; end < l->end;)
	{
		if (end + 1 < l->end && memcmp(end, "µ", 2) == 0)
			end += 2;
		else if (is_digit(*end) || (*end && strchr(".nsumhdwy", *end)))
			end++;
		else
			break;
	}
	if (end > l->p && (duration_of(from, end, true, &ns) || duration_of(from, end, false, &ns)))
	{
		l->p = end;
		push(l, TK_VALUE, from)->value = (Val){.type = T_DURATION, .i = ns};
		return;
	}
	if (l->p - from >= (long) sizeof(text))
	{
		l->bad = true;
		return;
	}
	memcpy(text, from, (size_t) (l->p - from));
	text[l->p - from] = 0;
	t = push(l, TK_VALUE, from);
	if (strpbrk(text, ".eE"))
	{
		char *rest;

		t->value = (Val){.type = T_FLOAT, .d = strtod(text, &rest)};
		l->bad |= *rest != 0 || isinf(t->value.d);
	}
	else
	{
		t->value.type = T_INT;
		for (const char *p = text; *p; p++)
			l->bad |= __builtin_mul_overflow(t->value.i, 10, &t->value.i) ||
					  __builtin_add_overflow(t->value.i, *p - '0', &t->value.i);
		l->bad |= text[0] == '0' && strpbrk(text, "89");
	}
}

/* n digits of a base as one byte or, when code, as a character. */
static bool
numbered_escape(Lexer *l, Out *out, int n, int base, bool code)
{
	char digits[9] = {0};
	char *rest;
	unsigned long v;

	if (l->end - l->p < n)
		return false;
	memcpy(digits, l->p, (size_t) n);
	v = strtoul(digits, &rest, base);
	if (rest != digits + n || (!code && v > 255) || (v >= 0xd800 && v < 0xe000) || v > 0x10ffff)
		return false;
	l->p += n;
	if (code)
		out_utf8(out, (uint32_t) v);
	else
		out_bytes(out, &(char){(char) v}, 1);
	return true;
}

static bool
lex_escape(Lexer *l, Out *out)
{
	static const char escapes[] = "abfnrtv\\\"";
	static const char meant[] = "\a\b\f\n\r\t\v\\\"";
	char c = *l->p++;
	const char *at = c ? strchr(escapes, c) : NULL;

	if (at)
	{
		out_bytes(out, meant + (at - escapes), 1);
		return true;
	}
	if (c >= '0' && c <= '7')
	{
		l->p--;
		return numbered_escape(l, out, 3, 8, false);
	}
	return (c == 'x' && numbered_escape(l, out, 2, 16, false)) ||
		   (c == 'u' && numbered_escape(l, out, 4, 16, true)) ||
		   (c == 'U' && numbered_escape(l, out, 8, 16, true));
}

static void
lex_string(Lexer *l)
{
	const char *from = l->p++;
	Out out = {0};

	while (!l->bad && l->p < l->end && *l->p != '"' && *l->p != '\n')
	{
		if (*l->p != '\\')
			out_bytes(&out, l->p++, 1);
		else
			l->bad = ++l->p == l->end || !lex_escape(l, &out);
	}
	if (l->bad || l->p == l->end || *l->p != '"')
	{
		l->bad = true;
		return;
	}
	l->p++;
	push(l, TK_VALUE, from)->value = (Val){.type = T_STRING, .s = out_done(&out)};
}

static void
lex_raw(Lexer *l)
{
	const char *from = l->p++;
	Out out = {0};

	for (; l->p < l->end && *l->p != '`'; l->p++)
		if (*l->p != '\r')
			out_bytes(&out, l->p, 1);
	if (l->p == l->end)
	{
		l->bad = true;
		return;
	}
	l->p++;
	push(l, TK_VALUE, from)->value = (Val){.type = T_STRING, .s = out_done(&out)};
}

/* ---- attributes ---- */

static const struct
{
	const char *prefix;
	Scope scope;
} prefixes[] = {{"span.", S_SPAN},
				{"resource.", S_RESOURCE},
				{"event.", S_EVENT},
				{"link.", S_LINK},
				{"instrumentation.", S_INSTRUMENTATION},
				{"parent.span.", S_PARENT},
				{"parent.resource.", S_PARENT},
				{"parent.", S_PARENT},
				{".", S_ANY}};

static void
quoted_part(Lexer *l, Out *key)
{
	for (l->p++; l->p < l->end && *l->p != '"'; l->p++)
	{
		if (*l->p == '\\' && (++l->p == l->end || (*l->p != '"' && *l->p != '\\')))
		{
			l->bad = true;
			return;
		}
		out_bytes(key, l->p, 1);
	}
	if (l->p == l->end)
		l->bad = true;
	else
		l->p++;
}

static void
lex_field(Lexer *l, const char *prefix, Scope scope)
{
	const char *from = l->p;
	const char *name;
	Out key = {0};

	l->p += strlen(prefix);
	name = l->p;
	while (!l->bad && l->p < l->end && !is_space(*l->p) && !(*l->p && strchr("{}()=~!<>&|^,", *l->p)))
	{
		if (*l->p == '"')
			quoted_part(l, &key);
		else
			out_bytes(&key, l->p++, 1);
	}
	if (l->p == name)
		l->bad = true;
	else
		push(l, TK_FIELD, from)->field = (Field){.scope = scope, .key = out_done(&key)};
}

/* ---- the rest ---- */

static bool
lex_prefix(Lexer *l)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
	{
		if (ahead(l, prefixes[i].prefix))
		{
			lex_field(l, prefixes[i].prefix, prefixes[i].scope);
			return true;
		}
	}
	return false;
}

/* trace: and its like are one token. */
static bool
lex_colon_prefix(Lexer *l)
{
	static const char *const words[] = {"trace:", "span:", "event:", "link:", "instrumentation:"};

	for (int i = 0; i < 5; i++)
	{
		const char *from = l->p;

		if (ahead(l, words[i]))
		{
			l->p += strlen(words[i]);
			push(l, TK_WORD, from);
			return true;
		}
	}
	return false;
}

static void
lex_punct(Lexer *l)
{
	static const char *const list[] = {
		"!>>", "!<<", "&>>", "&<<", ">>", "<<", "!>", "!<", "!~", "&>", "&<", "&~",
		"&&",  "||",  "=~",  "!=",  "<=", ">=", "{",  "}",  "(",  ")",  ",",  "|",
		"+",   "-",   "*",   "/",   "%",  "^",  "=",  "<",  ">",  "!",  "~"};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
	{
		const char *from = l->p;

		if (ahead(l, list[i]))
		{
			l->p += strlen(list[i]);
			push(l, TK_PUNCT, from);
			return;
		}
	}
	l->bad = true;
}

static void
lex_one(Lexer *l)
{
	const char *from = l->p;

	if (is_digit(*l->p) || (*l->p == '.' && l->p + 1 < l->end && is_digit(l->p[1])))
		lex_number(l);
	else if (*l->p == '"')
		lex_string(l);
	else if (*l->p == '`')
		lex_raw(l);
	else if (lex_prefix(l) || lex_colon_prefix(l))
		;
	else if (is_letter(*l->p))
	{
		while (l->p < l->end && (is_letter(*l->p) || is_digit(*l->p)))
			l->p++;
		push(l, TK_WORD, from);
	}
	else
		lex_punct(l);
}

/* As UTF-8 has it: no stray bytes, nothing longer than needed, no surrogates. */
static bool
is_utf8(Text t)
{
	for (size_t i = 0; i < t.n;)
	{
		unsigned char c = (unsigned char) t.p[i];
		int n = c < 0x80                ? 1
				: c >= 0xc2 && c < 0xe0 ? 2
				: c >= 0xe0 && c < 0xf0 ? 3
				: c >= 0xf0 && c < 0xf5 ? 4
										: 0;

		if (n == 0 || i + (size_t) n > t.n)
			return false;
		for (int k = 1; k < n; k++)
			if (((unsigned char) t.p[i + (size_t) k] & 0xc0) != 0x80)
				return false;
		if (n > 2 && ((c == 0xe0 && (unsigned char) t.p[i + 1] < 0xa0) ||
					  (c == 0xed && (unsigned char) t.p[i + 1] >= 0xa0) ||
					  (c == 0xf0 && (unsigned char) t.p[i + 1] < 0x90) ||
					  (c == 0xf4 && (unsigned char) t.p[i + 1] >= 0x90)))
			return false;
		i += (size_t) n;
	}
	return true;
}

Token *
lex(Text query)
{
	Lexer l = {.p = query.p, .end = query.p + query.n, .bad = !is_utf8(query)};

	for (skip_blank(&l); !l.bad && l.p < l.end; skip_blank(&l))
		lex_one(&l);
	if (l.bad)
		return NULL;
	push(&l, TK_END, l.p);
	return l.tokens;
}

/* ---- words ---- */

bool
is_reserved(Text word)
{
	static const char *const words[] = {"true",
										"false",
										"nil",
										"ok",
										"error",
										"unset",
										"unspecified",
										"internal",
										"server",
										"client",
										"producer",
										"consumer",
										"duration",
										"childCount",
										"name",
										"status",
										"statusMessage",
										"kind",
										"rootName",
										"rootServiceName",
										"rootService",
										"traceDuration",
										"nestedSetLeft",
										"nestedSetRight",
										"nestedSetParent",
										"parent",
										"id",
										"traceID",
										"spanID",
										"parentID",
										"timeSinceStart",
										"version",
										"count",
										"avg",
										"max",
										"min",
										"sum",
										"by",
										"coalesce",
										"select",
										"rate",
										"count_over_time",
										"min_over_time",
										"max_over_time",
										"avg_over_time",
										"sum_over_time",
										"quantile_over_time",
										"histogram_over_time",
										"compare",
										"topk",
										"bottomk",
										"with"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (text_is(word, words[i]))
			return true;
	return false;
}

int
word_kind(Text word, Val *value)
{
	static const struct
	{
		const char *word;
		Type type;
		int64_t i;
	} words[] = {{"true", T_BOOL, 1},         {"false", T_BOOL, 0},    {"unset", T_STATUS, 0},
				 {"ok", T_STATUS, 1},         {"error", T_STATUS, 2},  {"unspecified", T_KIND, 0},
				 {"internal", T_KIND, 1},     {"server", T_KIND, 2},   {"client", T_KIND, 3},
				 {"producer", T_KIND, 4},     {"consumer", T_KIND, 5}, {"minInt", T_INT, INT64_MIN},
				 {"maxInt", T_INT, INT64_MAX}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		if (text_is(word, words[i].word))
		{
			*value = (Val){.type = words[i].type, .i = words[i].i};
			return 1;
		}
	}
	return 0;
}

bool
intrinsic_word(Text word, Intrinsic *out)
{
	static const struct
	{
		const char *word;
		Intrinsic intrinsic;
	} words[] = {{"duration", I_DURATION},
				 {"name", I_NAME},
				 {"status", I_STATUS},
				 {"statusMessage", I_STATUS_MESSAGE},
				 {"kind", I_KIND},
				 {"traceDuration", I_TRACE_DURATION},
				 {"rootName", I_ROOT_NAME},
				 {"rootServiceName", I_ROOT_SERVICE},
				 {"nestedSetLeft", I_LEFT},
				 {"nestedSetRight", I_RIGHT},
				 {"nestedSetParent", I_UP},
				 {"parent", I_PARENT},
				 {"span: duration", I_DURATION},
				 {"span: name", I_NAME},
				 {"span: status", I_STATUS},
				 {"span: statusMessage", I_STATUS_MESSAGE},
				 {"span: kind", I_KIND},
				 {"span: id", I_SPAN_ID},
				 {"span: parentID", I_PARENT_ID},
				 {"span: childCount", I_CHILDREN},
				 {"trace: duration", I_TRACE_DURATION},
				 {"trace: rootName", I_ROOT_NAME},
				 {"trace: rootService", I_ROOT_SERVICE},
				 {"trace: id", I_TRACE_ID},
				 {"event: name", I_EVENT_NAME},
				 {"event: timeSinceStart", I_EVENT_SINCE},
				 {"link: traceID", I_LINK_TRACE},
				 {"link: spanID", I_LINK_SPAN},
				 {"instrumentation: name", I_SCOPE_NAME},
				 {"instrumentation: version", I_SCOPE_VERSION}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		if (text_is(word, words[i].word))
		{
			*out = words[i].intrinsic;
			return true;
		}
	}
	return false;
}
