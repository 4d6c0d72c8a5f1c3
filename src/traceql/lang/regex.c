/*
 * regex.c
 *	  RE2 patterns rewritten for PCRE2; see regex.h. The reader below follows RE2's own, in the Perl
 *	  flavour: what it refuses is refused here, with the exception of size limits, which are PCRE2's.
 */
#include "traceql/lang/regex.h"

#include <stdio.h>

#include "traceql/lang/utf8.h"

#define MAX_GROUPS   200  /* nesting; below PCRE2's own limit of 250, as every assertion is wrapped in one */
#define MAX_REPEAT   1000 /* RE2's */
#define FOLD_LIMIT   5000
#define MAX_CODE     0x10ffff
#define NOT_A_REPEAT (-1)

typedef struct Reader
{
	Str s;
	uint32_t pos;
	Buf *out;
	uint32_t depth;
	bool atom;     /* something stands before pos that may be repeated */
	bool repeated; /* and it has been */
	const char *why;
	uint32_t why_pos;
} Reader;

static bool
fail(Reader *r, uint32_t pos, const char *why)
{
	r->why = why;
	r->why_pos = pos;
	return false;
}

static void
put(Reader *r, const char *z)
{
	buf_put(r->out, z, strlen(z));
}

static void
put_code(Reader *r, uint32_t code)
{
	char text[16];

	snprintf(text, sizeof(text), "\\x{%x}", code);
	put(r, text);
}

static int
peek(const Reader *r, uint32_t ahead)
{
	return r->pos + ahead < r->s.len ? (unsigned char) r->s.p[r->pos + ahead] : -1;
}

static bool
looking_at(const Reader *r, const char *z)
{
	size_t n = strlen(z);

	return r->s.len - r->pos >= n && memcmp(r->s.p + r->pos, z, n) == 0;
}

static bool
is_alnum(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The character at pos, which is advanced; false at the end or when it is not UTF-8. */
static bool
next_code(Reader *r, uint32_t *code)
{
	uint32_t n = utf8_decode(r->s, r->pos, code);

	if (n == 0)
		return fail(r, r->pos, r->pos == r->s.len ? "unexpected end" : "invalid UTF-8");
	r->pos += n;
	return true;
}

static void
atom_done(Reader *r)
{
	r->atom = true;
	r->repeated = false;
}

/* PCRE2 does not let an assertion be repeated, RE2 does; in a group of its own it may. */
static bool
put_assertion(Reader *r, const char *z)
{
	put(r, "(?:");
	put(r, z);
	put(r, ")");
	atom_done(r);
	return true;
}

/* ---- repeats ---- */

/* A count without leading zeros, capped above the limit; NOT_A_REPEAT when there is none. */
static int
read_count(const Reader *r, uint32_t *ahead)
{
	int v = 0;
	uint32_t begin = *ahead;

	while (peek(r, *ahead) >= '0' && peek(r, *ahead) <= '9')
	{
		if (v <= MAX_REPEAT)
			v = v * 10 + (peek(r, *ahead) - '0');
		(*ahead)++;
	}
	if (*ahead == begin || (*ahead - begin > 1 && peek(r, begin) == '0'))
		return NOT_A_REPEAT;
	return v;
}

/* Length of "{n}", "{n,}" or "{n,m}" at pos; 0 when it is none of them and so literal. */
static uint32_t
counted_repeat(const Reader *r, int *min, int *max)
{
	uint32_t ahead = 1;

	*min = *max = read_count(r, &ahead);
	if (*min == NOT_A_REPEAT)
		return 0;
	if (peek(r, ahead) == ',')
	{
		ahead++;
		*max = NOT_A_REPEAT;
		if (peek(r, ahead) != '}' && (*max = read_count(r, &ahead)) == NOT_A_REPEAT)
			return 0;
	}
	return peek(r, ahead) == '}' ? ahead + 1 : 0;
}

/* The operator of n bytes at pos, with the "?" that makes it prefer less. */
static bool
put_repeat(Reader *r, uint32_t n)
{
	if (!r->atom)
		return fail(r, r->pos, "nothing to repeat");
	if (r->repeated)
		return fail(r, r->pos, "a repeat cannot be repeated, nor be possessive");
	if (peek(r, n) == '?')
		n++;
	buf_put(r->out, r->s.p + r->pos, n);
	r->pos += n;
	r->repeated = true;
	return true;
}

static bool
read_brace(Reader *r)
{
	int min;
	int max;
	uint32_t n = counted_repeat(r, &min, &max);

	if (n == 0)
	{
		put(r, "\\{");
		r->pos++;
		atom_done(r);
		return true;
	}
	if (min > MAX_REPEAT || max > MAX_REPEAT || (max != NOT_A_REPEAT && max < min))
		return fail(r, r->pos, "invalid repeat count");
	return put_repeat(r, n);
}

/* ---- groups ---- */

static const char *
why_not_group(const Reader *r)
{
	if (looking_at(r, "(?=") || looking_at(r, "(?!"))
		return "look-ahead is not supported";
	if (looking_at(r, "(?<=") || looking_at(r, "(?<!"))
		return "look-behind is not supported";
	if (looking_at(r, "(?>"))
		return "atomic groups are not supported";
	if (looking_at(r, "(?("))
		return "conditionals are not supported";
	if (looking_at(r, "(?P=") || looking_at(r, "(?P>") || looking_at(r, "(?R") || looking_at(r, "(?&"))
		return "back references and recursion are not supported";
	return "invalid or unsupported group syntax";
}

/* (?P<name> and (?<name>: the name has no use here. */
static bool
read_group_name(Reader *r)
{
	uint32_t begin = r->pos;

	if (peek(r, 2) != 'P' && (peek(r, 3) == '=' || peek(r, 3) == '!'))
		return fail(r, begin, why_not_group(r));
	r->pos += peek(r, 2) == 'P' ? 4 : 3;
	begin = r->pos;
	while (is_alnum(peek(r, 0)) || peek(r, 0) == '_')
		r->pos++;
	if (r->pos == begin || peek(r, 0) != '>')
		return fail(r, begin, "invalid group name");
	r->pos++;
	put(r, "(?:");
	r->depth++;
	r->atom = false;
	return true;
}

/* (?i) or (?i-s: with the flags i, m, s, U. */
static bool
read_flags(Reader *r)
{
	uint32_t begin = r->pos;
	bool minus = false;
	bool any = false;

	for (r->pos += 2;; r->pos++)
	{
		int c = peek(r, 0);

		if (c == 'i' || c == 'm' || c == 's' || c == 'U')
			any = true;
		else if (c == '-' && !minus)
		{
			minus = true;
			any = false;
		}
		else if ((c == ':' || c == ')') && (any || !minus))
			break;
		else
		{
			r->pos = begin;
			return fail(r, begin, why_not_group(r));
		}
	}
	if (peek(r, 0) == ':')
		r->depth++;
	r->pos++;
	buf_put(r->out, r->s.p + begin, r->pos - begin);
	r->atom = false;
	return true;
}

static bool
read_group(Reader *r)
{
	if (r->depth >= MAX_GROUPS)
		return fail(r, r->pos, "groups are nested too deeply");
	if (looking_at(r, "(?P<") || looking_at(r, "(?<"))
		return read_group_name(r);
	if (looking_at(r, "(?"))
		return read_flags(r);
	put(r, "(?:");
	r->pos++;
	r->depth++;
	r->atom = false;
	return true;
}

static bool
close_group(Reader *r)
{
	if (r->depth == 0)
		return fail(r, r->pos, "unexpected )");
	r->depth--;
	put(r, ")");
	r->pos++;
	atom_done(r);
	return true;
}

/* ---- escapes ---- */

static int
hex_value(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind \x: two digits, or any number of them in braces. */
static bool
read_hex(Reader *r, uint32_t *code)
{
	uint32_t begin = r->pos;
	bool braces = peek(r, 0) == '{';
	uint32_t v = 0;
	uint32_t n = 0;

	r->pos += braces;
	for (; hex_value(peek(r, 0)) >= 0 && peek(r, 0) >= 0 && (braces || n < 2); n++, r->pos++)
	{
		v = v * 16 + hex_value(peek(r, 0));
		if (v > MAX_CODE)
			return fail(r, begin, "character code out of range");
	}
	if (n == 0 || (!braces && n < 2) || (braces && peek(r, 0) != '}'))
		return fail(r, begin, "invalid escape: \\x takes two hexadecimal digits, or some in braces");
	r->pos += braces;
	*code = v;
	return true;
}

/* One character written with a backslash; pos stands behind the backslash. */
static bool
read_escaped_code(Reader *r, uint32_t *code)
{
	static const char names[] = "afnrtv";
	static const char values[] = "\a\f\n\r\t\v";
	uint32_t begin = r->pos - 1;
	int c = peek(r, 0);
	const char *simple = c > 0 ? strchr(names, c) : NULL;

	if (c < 0)
		return fail(r, begin, "backslash at the end");
	r->pos++;
	if (simple)
		*code = values[simple - names];
	else if (c == 'x')
		return read_hex(r, code);
	else if (c == '0' || (c >= '1' && c <= '7' && peek(r, 0) >= '0' && peek(r, 0) <= '7'))
	{
		*code = c - '0';
		for (int i = 0; i < 2 && peek(r, 0) >= '0' && peek(r, 0) <= '7'; i++, r->pos++)
			*code = *code * 8 + (peek(r, 0) - '0');
	}
	else if (c >= '1' && c <= '9')
		return fail(r, begin, "back references are not supported");
	else if (c >= 0x80 || is_alnum(c))
		return fail(r, begin, "unknown escape");
	else
		*code = c;
	return true;
}

/* \pN or \p{Greek}; scripts are named so that PCRE2 does not take script extensions. */
static bool
read_property(Reader *r)
{
	uint32_t begin = r->pos - 1;
	bool braces = peek(r, 1) == '{';
	uint32_t name = r->pos + 1 + braces;
	uint32_t end = name;

	if (!braces)
		end += is_alnum(peek(r, 1));
	else
		while (end < r->s.len &&
			   (is_alnum(r->s.p[end]) || r->s.p[end] == '_' || (end == name && r->s.p[end] == '^')))
			end++;
	if (end == name || (braces && (end == r->s.len || r->s.p[end] != '}')))
		return fail(r, begin, "invalid character class");
	put(r, peek(r, 0) == 'p' ? "\\p{" : "\\P{");
	if (r->s.p[name] == '^')
	{
		put(r, "^");
		name++;
	}
	if (end - name > 2 && !(end - name == 3 && memcmp(r->s.p + name, "Any", 3) == 0))
		put(r, "sc:");
	buf_put(r->out, r->s.p + name, end - name);
	put(r, "}");
	r->pos = end + braces;
	return true;
}

/* Classes that are one escape; pos at the letter. RE2's \s has no vertical tab. */
static bool
read_perl_class(Reader *r, bool in_class)
{
	char text[3] = {'\\', (char) peek(r, 0), 0};

	if (text[1] == 's')
		put(r, in_class ? "\\t\\n\\f\\r\\x20" : "[\\t\\n\\f\\r\\x20]");
	else if (text[1] == 'S')
		put(r, in_class ? "\\x00-\\x08\\x0b\\x0e-\\x1f\\x21-\\x{10ffff}" : "[^\\t\\n\\f\\r\\x20]");
	else
		put(r, text);
	r->pos++;
	return true;
}

/* \Q...\E: everything between is literal; without \E to the end. */
static bool
read_quoted(Reader *r)
{
	for (r->pos++; r->pos < r->s.len && !looking_at(r, "\\E");)
	{
		uint32_t code;

		if (!next_code(r, &code))
			return false;
		put_code(r, code);
		atom_done(r);
	}
	r->pos += r->pos < r->s.len ? 2 : 0;
	return true;
}

/* pos at the backslash. Sets *done false when what follows is one character, left to the caller. */
static bool
read_class_escape(Reader *r, bool in_class, bool *done)
{
	int c = peek(r, 1);

	*done = true;
	if (c > 0 && strchr("dDsSwW", c))
	{
		r->pos++;
		return read_perl_class(r, in_class);
	}
	if (c == 'p' || c == 'P')
	{
		r->pos++;
		return read_property(r);
	}
	*done = false;
	return true;
}

static bool
read_escape(Reader *r)
{
	int c = peek(r, 1);
	bool done;
	uint32_t code;

	switch (c)
	{
		case 'A': r->pos += 2; return put_assertion(r, "\\A");
		case 'z': r->pos += 2; return put_assertion(r, "\\z");
		case 'b': r->pos += 2; return put_assertion(r, "\\b");
		case 'B': r->pos += 2; return put_assertion(r, "\\B");
		case 'Q': r->pos++; return read_quoted(r);
		default: break;
	}
	if (!read_class_escape(r, false, &done))
		return false;
	if (!done)
	{
		r->pos++;
		if (!read_escaped_code(r, &code))
			return false;
		put_code(r, code);
	}
	atom_done(r);
	return true;
}

/* ---- bracketed classes ---- */

static const char *const posix_names[] = {"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph",
										  "lower", "print", "punct", "space", "upper", "word",  "xdigit"};

/* [:alpha:] at pos: *done false when it is not closed by ":]" and so ordinary characters. */
static bool
read_posix(Reader *r, bool *done)
{
	uint32_t name = r->pos + 2;
	uint32_t end = name;

	while (end + 1 < r->s.len && !(r->s.p[end] == ':' && r->s.p[end + 1] == ']'))
		end++;
	*done = end + 1 < r->s.len;
	if (!*done)
		return true;
	if (end > name && r->s.p[name] == '^')
		name++;
	for (size_t i = 0; i < sizeof(posix_names) / sizeof(posix_names[0]); i++)
		if (str_eq(str_of(r->s.p + name, end - name), str_lit(posix_names[i])))
		{
			buf_put(r->out, r->s.p + r->pos, end + 2 - r->pos);
			r->pos = end + 2;
			return true;
		}
	return fail(r, r->pos, "invalid character class");
}

static bool
read_class_code(Reader *r, uint32_t *code)
{
	if (peek(r, 0) != '\\')
		return next_code(r, code);
	r->pos++;
	return read_escaped_code(r, code);
}

static bool
read_range(Reader *r)
{
	uint32_t begin = r->pos;
	uint32_t lo;
	uint32_t hi;

	if (!read_class_code(r, &lo))
		return false;
	put_code(r, lo);
	if (peek(r, 0) != '-' || peek(r, 1) == ']' || peek(r, 1) < 0)
		return true;
	r->pos++;
	if (!read_class_code(r, &hi))
		return false;
	if (hi < lo)
		return fail(r, begin, "invalid character range");
	put(r, "-");
	put_code(r, hi);
	return true;
}

static bool
read_class(Reader *r)
{
	uint32_t begin = r->pos;
	bool first = true;

	put(r, "[");
	r->pos++;
	if (peek(r, 0) == '^')
	{
		put(r, "^");
		r->pos++;
	}
	for (; peek(r, 0) != ']' || first; first = false)
	{
		bool done = false;

		if (peek(r, 0) < 0)
			return fail(r, begin, "missing closing ]");
		if (looking_at(r, "[:") && !read_posix(r, &done))
			return false;
		if (!done && peek(r, 0) == '\\' && !read_class_escape(r, true, &done))
			return false;
		if (!done && !read_range(r))
			return false;
	}
	put(r, "]");
	r->pos++;
	atom_done(r);
	return true;
}

/* ---- the pattern ---- */

static bool
read_literal(Reader *r)
{
	uint32_t code;

	if (!next_code(r, &code))
		return false;
	if (is_alnum((int) code))
		buf_put_u8(r->out, code);
	else
		put_code(r, code);
	atom_done(r);
	return true;
}

static bool
read_item(Reader *r)
{
	switch (peek(r, 0))
	{
		case '(': return read_group(r);
		case ')': return close_group(r);
		case '[': return read_class(r);
		case '{': return read_brace(r);
		case '\\': return read_escape(r);
		case '*':
		case '+':
		case '?': return put_repeat(r, 1);
		case '^': r->pos++; return put_assertion(r, "^");
		case '$': r->pos++; return put_assertion(r, "$");
		case '.':
			r->pos++;
			put(r, ".");
			atom_done(r);
			return true;
		case '|':
			r->pos++;
			put(r, "|");
			r->atom = false;
			return true;
		default: return read_literal(r);
	}
}

static bool
translate(Reader *r)
{
	while (r->pos < r->s.len)
		if (!read_item(r))
			return false;
	return r->depth == 0 || fail(r, r->s.len, "missing closing )");
}

static void
report(TraceqlRegexError *err, const char *why, uint32_t offset)
{
	if (err == NULL)
		return;
	snprintf(err->message, sizeof(err->message), "%s", why);
	err->offset = offset;
}

pcre2_code *
traceql_regex_compile(Arena *scratch, Str pattern, pcre2_general_context *memory, TraceqlRegexError *err)
{
	const uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY |
							 PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C |
							 PCRE2_NO_AUTO_CAPTURE;
	Buf out;
	Reader r = {.s = pattern, .out = &out};
	pcre2_compile_context *context;
	pcre2_code *code;
	int number;
	PCRE2_SIZE at;

	buf_init(&out, scratch, pattern.len * 2 + 16);
	if (!translate(&r))
	{
		report(err, r.why, r.why_pos);
		return NULL;
	}
	context = pcre2_compile_context_create(memory);
	if (context == NULL)
	{
		report(err, "out of memory", pattern.len);
		return NULL;
	}
	/* a lone \n is the line end that (?m) knows */
	pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	code = pcre2_compile((PCRE2_SPTR) out.p, out.len, options, &number, &at, context);
	pcre2_compile_context_free(context);
	if (code == NULL && err)
	{
		pcre2_get_error_message(number, (PCRE2_UCHAR *) err->message, sizeof(err->message));
		err->offset = pattern.len;
	}
	return code;
}

bool
traceql_regex_valid(Arena *scratch, Str pattern, TraceqlRegexError *err)
{
	pcre2_code *code = traceql_regex_compile(scratch, pattern, NULL, err);

	pcre2_code_free(code);
	return code != NULL;
}

int
traceql_regex_matches(Arena *scratch, Str pattern, Str subject)
{
	pcre2_code *code = traceql_regex_compile(scratch, pattern, NULL, NULL);
	pcre2_match_data *data = code ? pcre2_match_data_create_from_pattern(code, NULL) : NULL;
	pcre2_match_context *context = data ? pcre2_match_context_create(NULL) : NULL;
	int rc = PCRE2_ERROR_NOMEMORY;

	if (context)
	{
		pcre2_set_match_limit(context, FOLD_LIMIT);
		rc = pcre2_match(code, (PCRE2_SPTR) subject.p, subject.len, 0, 0, data, context);
	}
	pcre2_match_context_free(context);
	pcre2_match_data_free(data);
	pcre2_code_free(code);
	return rc >= 0 ? 1 : rc == PCRE2_ERROR_NOMATCH ? 0 : -1;
}
