/*
 * codec_text.c
 *	  Strings made of few patterns with numbers in them: addresses, paths with ids, SQL with literals,
 *	  session ids, uuids. Each string is cut in literal text and numbers; the text with the numbers taken
 *	  out is its template, and the numbers of one place of one template are a block of numbers.
 *
 * A template is literal text in which these bytes stand for numbers (so text with bytes below 4 is left
 * as it is, as an escape):
 *	  0         a decimal number of at most 18 digits, no leading zero
 *	  1, len    len lower-case hexadecimal digits, 16 at most
 *	  2, len    same, upper case
 *	  3         a lower-case uuid: 8-4-4-4-12 digits, two numbers of 16 digits
 *
 * Block: varint templates, block of templates, block of codes (0: escape, k: template k - 1), block of
 * escaped strings, then one block of numbers for each place of each template, in order; each behind its
 * length.
 *
 * With words (BYTES_WORDS) a uuid is three blocks: numbers of words, 0 where it is none of them, and the two
 * numbers of those, one block each.
 */
#include "codec/codec_impl.h"

#define MAX_TOTAL      (8u << 20)
#define MIN_STRINGS    16
#define MAX_TEMPLATES  512
#define MIN_USES       3
#define MAX_TOKENS     64           /* numbers in a string */
#define MAX_TEMPLATE   4096         /* bytes of a template */
#define MAX_COLLECTED  (256u << 10) /* of all templates */
#define DECIMAL_DIGITS 18
#define HEX_MIN        8
#define HEX_MAX        16
#define TEMPLATE_SLOTS 2048

enum
{
	TOKEN_DECIMAL = 0,
	TOKEN_HEX = 1,
	TOKEN_HEX_UPPER = 2,
	TOKEN_UUID = 3,
	FIRST_LITERAL = 4
};

/* ---- cutting a string ---- */

typedef struct Cut
{
	uint8_t text[MAX_TEMPLATE];
	uint32_t len;
	uint64_t number[MAX_TOKENS + 2];
	uint32_t n;
} Cut;

static inline bool
is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Value of a hexadecimal digit whose letters start at a; 16 when it is none. */
static inline unsigned
hex_value(uint8_t c, uint8_t a)
{
	return is_digit(c) ? c - '0' : c >= a && c <= a + 5 ? c - a + 10u : 16;
}

static bool
take_uuid(const uint8_t **p, const uint8_t *end, Cut *cut)
{
	if (!uuid_read(*p, end, &cut->number[cut->n]))
		return false;
	cut->text[cut->len++] = TOKEN_UUID;
	cut->n += 2;
	*p += UUID_TEXT;
	return true;
}

/* A run of at least 8 hexadecimal digits with a digit and a letter among them; 16 of them are taken. */
static bool
take_hex(const uint8_t **p, const uint8_t *end, uint8_t letter, Cut *cut)
{
	const uint8_t *q = *p;
	uint64_t v = 0;
	bool digit = false, alpha = false;
	unsigned h;

	while (q < end && q - *p < HEX_MAX && (h = hex_value(*q, letter)) < 16)
	{
		v = v << 4 | h;
		digit |= h < 10;
		alpha |= h >= 10;
		q++;
	}
	if (q - *p < HEX_MIN || !digit || !alpha)
		return false;
	cut->text[cut->len++] = letter == 'a' ? TOKEN_HEX : TOKEN_HEX_UPPER;
	cut->text[cut->len++] = (uint8_t) (q - *p);
	cut->number[cut->n++] = v;
	*p = q;
	return true;
}

static void
take_decimal(const uint8_t **p, const uint8_t *end, Cut *cut)
{
	const uint8_t *q = *p;
	uint64_t v = 0;

	while (q < end && is_digit(*q) && q - *p < DECIMAL_DIGITS)
		v = v * 10 + (*q++ - '0');
	cut->text[cut->len++] = TOKEN_DECIMAL;
	cut->number[cut->n++] = v;
	*p = q;
}

/* false: not a string for templates */
static bool
cut_string(Str s, Cut *cut)
{
	const uint8_t *p = (const uint8_t *) s.p, *end = p + s.len;
	bool fresh = true; /* not in the middle of a word */

	cut->len = cut->n = 0;
	while (p < end)
	{
		uint8_t c = *p;

		if (c < FIRST_LITERAL || cut->len > MAX_TEMPLATE - 4 || cut->n > MAX_TOKENS - 2)
			return false;
		if (fresh && ((hex_value(c, 'a') < 16 && (take_uuid(&p, end, cut) || take_hex(&p, end, 'a', cut))) ||
					  (hex_value(c, 'A') < 16 && take_hex(&p, end, 'A', cut))))
			continue;
		if (is_digit(c) && !(c == '0' && p + 1 < end && is_digit(p[1])))
			take_decimal(&p, end, cut);
		else
		{
			cut->text[cut->len++] = c;
			p++;
		}
		fresh = !((c | 32) >= 'a' && (c | 32) <= 'z') && !is_digit(c);
	}
	return true;
}

/* ---- collecting templates ---- */

typedef struct Template
{
	uint32_t at, len; /* in the collector's text */
	uint32_t uses;
	uint32_t ntokens;
	uint32_t code; /* when written: 0 escape, or number + 1 */
} Template;

typedef struct Collector
{
	uint8_t text[MAX_COLLECTED];
	uint32_t text_len;
	Template t[MAX_TEMPLATES];
	uint32_t n;
	uint16_t slots[TEMPLATE_SLOTS]; /* number + 1 */
	Cut cut;
} Collector;

/* Number of the template of the current cut, or -1 when there are too many. */
static int
collect(Collector *c)
{
	uint32_t s = (uint32_t) codec_hash64(c->cut.text, c->cut.len) % TEMPLATE_SLOTS;
	Template *t;

	for (; c->slots[s]; s = (s + 1) % TEMPLATE_SLOTS)
	{
		t = &c->t[c->slots[s] - 1];
		if (t->len == c->cut.len && memcmp(c->text + t->at, c->cut.text, t->len) == 0)
			return c->slots[s] - 1;
	}
	if (c->n == MAX_TEMPLATES || c->cut.len > MAX_COLLECTED - c->text_len)
		return -1;
	t = &c->t[c->n];
	*t = (Template){c->text_len, c->cut.len, 0, c->cut.n, 0};
	memcpy(c->text + t->at, c->cut.text, t->len);
	c->text_len += t->len;
	c->slots[s] = (uint16_t) ++c->n;
	return (int) c->n - 1;
}

/* Template of each string (-1: escape) and its numbers, one string after the other. */
static void
collect_all(Collector *c, const Str *v, uint32_t n, int32_t *which, uint64_t *numbers)
{
	c->text_len = c->n = 0;
	memset(c->slots, 0, sizeof(c->slots));
	for (uint32_t i = 0; i < n; i++)
	{
		which[i] = cut_string(v[i], &c->cut) ? collect(c) : -1;
		if (which[i] < 0)
			continue;
		c->t[which[i]].uses++;
		memcpy(numbers, c->cut.number, c->cut.n * sizeof(uint64_t));
		numbers += c->cut.n;
	}
}

/* Numbers templates in use; returns how many, and how many strings they cover. */
static uint32_t
number_templates(Collector *c, uint32_t *covered)
{
	uint32_t used = 0;

	*covered = 0;
	for (uint32_t k = 0; k < c->n; k++)
		if (c->t[k].uses >= MIN_USES)
		{
			c->t[k].code = ++used;
			*covered += c->t[k].uses;
		}
	return used;
}

/* ---- writing ---- */

static void
put_templates(const Collector *c, const Str *v, uint32_t n, const int32_t *which, uint32_t used, Buf *out)
{
	Str *strs = codec_scratch(SCRATCH_STRS, ((size_t) n + used) * sizeof(Str));
	uint64_t *codes = codec_scratch(SCRATCH_CODES, (size_t) n * 8);
	uint32_t k = 0, escapes = 0;

	buf_put_varint(out, used);
	for (uint32_t i = 0; i < c->n; i++)
		if (c->t[i].code)
			strs[k++] = str_of((const char *) c->text + c->t[i].at, c->t[i].len);
	bytes_put_nested(strs, used, out);
	for (uint32_t i = 0; i < n; i++)
	{
		codes[i] = which[i] < 0 ? 0 : c->t[which[i]].code;
		if (codes[i] == 0)
			strs[used + escapes++] = v[i];
	}
	int_put_nested(codes, n, CODEC_SMALL, out);
	bytes_put_nested(strs + used, escapes, out);
}

/* One place of a template: whether it and the next are the halves of a uuid. */
static void
mark_uuids(Str t, bool uuid[MAX_TOKENS + 2])
{
	uint32_t place = 0;

	for (uint32_t i = 0; i < t.len; i++)
		switch (t.p[i])
		{
			case TOKEN_UUID:
				uuid[place] = true;
				uuid[place + 1] = false;
				place += 2;
				break;
			case TOKEN_HEX:
			case TOKEN_HEX_UPPER: i++; /* fall through */
			case TOKEN_DECIMAL: uuid[place++] = false; break;
			default: break;
		}
}

/* Uuids of one place: words by number, the others behind. The halves of n are n apart; both are overwritten.
 */
static void
put_uuids(uint64_t *half, uint32_t n, const CodecWords *words, Buf *out)
{
	uint64_t *codes = codec_scratch(SCRATCH_WORDS, (size_t) n * 8);
	uint32_t others = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		uint64_t pair[2] = {half[i], half[n + i]};

		codes[i] = words_find(words, pair);
		if (codes[i] != 0)
			continue;
		half[others] = pair[0];
		half[n + others++] = pair[1];
	}
	int_put_nested(codes, n, CODEC_SMALL, out);
	int_put_nested(half, others, CODEC_SMALL, out);
	int_put_nested(half + n, others, CODEC_SMALL, out);
}

/* The numbers of every place of template k; numbers holds all strings' numbers in row order. */
static void
put_numbers(const Collector *c, uint32_t k, uint32_t n, const int32_t *which, const uint64_t *numbers,
			const CodecWords *words, Buf *out)
{
	const Template *t = &c->t[k];
	uint64_t *place = codec_scratch(SCRATCH_CODES, (size_t) t->uses * t->ntokens * 8);
	uint32_t row = 0;
	bool uuid[MAX_TOKENS + 2] = {false};

	for (uint32_t i = 0; i < n; i++)
	{
		if (which[i] < 0)
			continue;
		if ((uint32_t) which[i] == k)
		{
			for (uint32_t j = 0; j < t->ntokens; j++)
				place[(size_t) j * t->uses + row] = numbers[j];
			row++;
		}
		numbers += c->t[which[i]].ntokens;
	}
	if (words != NULL)
		mark_uuids(str_of((const char *) c->text + t->at, t->len), uuid);
	for (uint32_t j = 0; j < t->ntokens; j++)
		if (uuid[j])
		{
			put_uuids(place + (size_t) j * t->uses, t->uses, words, out);
			j++;
		}
		else
			int_put_nested(place + (size_t) j * t->uses, t->uses, CODEC_SMALL, out);
}

/* Is there a number worth taking out in every second string or so? */
static bool
promising(const Str *v, uint32_t n)
{
	uint32_t step = n / 32 + 1, seen = 0, digits = 0;

	for (uint32_t i = 0; i < n; i += step, seen++)
		for (uint32_t j = 0; j < v[i].len && j < 256; j++)
			digits += is_digit((uint8_t) v[i].p[j]);
	return digits > seen;
}

/* Numbers that strings of so many bytes can have: two in three characters, and so many in each at most. */
static size_t
max_numbers(uint64_t total, uint32_t n)
{
	uint64_t by_bytes = total / 2 + n, by_strings = (uint64_t) n * (MAX_TOKENS + 2);

	return by_bytes < by_strings ? by_bytes : by_strings;
}

bool
text_encode(const Str *v, uint32_t n, const CodecWords *words, Buf *out)
{
	size_t start = out->len, raw_len, room;
	uint64_t total = 0;
	Collector *c;
	int32_t *which;
	uint64_t *numbers;
	uint32_t used, covered;

	for (uint32_t i = 0; i < n; i++)
		total += v[i].len;
	if (n < MIN_STRINGS || total > MAX_TOTAL || !promising(v, n))
		return false;
	room = max_numbers(total, n);
	c = codec_scratch(SCRATCH_TEXT_COLLECT, sizeof(Collector) + (size_t) n * 4 + room * 8);
	numbers = (uint64_t *) (c + 1);
	which = (int32_t *) (numbers + room);
	collect_all(c, v, n, which, numbers);
	used = number_templates(c, &covered);
	if (covered < n / 2)
		return false;
	bytes_put_raw(v, n, CODEC_SMALL, out);
	raw_len = out->len - start;
	buf_put_u8(out, words ? BYTES_WORDS : BYTES_TEXT);
	put_templates(c, v, n, which, used, out);
	for (uint32_t k = 0; k < c->n; k++)
		if (c->t[k].code)
			put_numbers(c, k, n, which, numbers, words, out);
	if (out->len - start - raw_len < raw_len - raw_len / 20)
	{
		memmove(out->p + start, out->p + start + raw_len, out->len - start - raw_len);
		out->len -= raw_len;
	}
	else
		out->len = start + raw_len;
	return true;
}

/* ---- reading ---- */

typedef struct Reader
{
	const uint8_t *p, *end;
	const CodecWords *words;
	uint32_t ntemplates;
	Str *templates;
	uint32_t *codes;
	Str *escapes;
	uint32_t *uses;
	uint64_t **numbers; /* per template: next numbers, place by place */
	uint32_t *next;     /* per template: row reached */
} Reader;

/* Places of a template, or -1 when it is malformed. */
static int
count_places(Str t)
{
	int places = 0;

	for (uint32_t i = 0; i < t.len; i++)
		switch (t.p[i])
		{
			case TOKEN_DECIMAL: places++; break;
			case TOKEN_UUID: places += 2; break;
			case TOKEN_HEX:
			case TOKEN_HEX_UPPER:
				if (++i == t.len || t.p[i] < 1 || t.p[i] > HEX_MAX)
					return -1;
				places++;
				break;
			default: break;
		}
	return places <= MAX_TOKENS + 2 ? places : -1;
}

static bool
read_place(Reader *r, uint64_t *v, uint32_t n)
{
	const uint8_t *part;
	size_t len;

	return read_part(&r->p, r->end, &part, &len) && int_decode_u64(part, len, v, n, 0);
}

/* Uuids of one place, some of them words: their first halves, and behind the second ones. */
static bool
read_uuids(Reader *r, uint64_t *half, uint32_t n)
{
	uint64_t *other = codec_scratch(SCRATCH_WORDS, (size_t) n * 16);
	uint32_t others = 0, at = 0;

	if (!read_place(r, half, n))
		return false;
	for (uint32_t i = 0; i < n; i++)
	{
		if (half[i] > r->words->n)
			return false;
		others += half[i] == 0;
	}
	if (!read_place(r, other, others) || !read_place(r, other + n, others))
		return false;
	for (uint32_t i = 0; i < n; i++)
	{
		uint64_t word = half[i];

		half[i] = word ? r->words->pairs[word - 1][0] : other[at];
		half[n + i] = word ? r->words->pairs[word - 1][1] : other[n + at];
		at += word == 0;
	}
	return true;
}

static bool
read_numbers(Reader *r, uint32_t k, Arena *arena)
{
	int places = count_places(r->templates[k]);
	uint32_t uses = r->uses[k];
	bool uuid[MAX_TOKENS + 2] = {false};

	if (places < 0)
		return false;
	r->numbers[k] = arena_alloc(arena, (size_t) places * uses * 8);
	if (r->words != NULL)
		mark_uuids(r->templates[k], uuid);
	for (int j = 0; j < places; j++)
	{
		uint64_t *v = r->numbers[k] + (size_t) j * uses;

		if (uuid[j] ? !read_uuids(r, v, uses) : !read_place(r, v, uses))
			return false;
		j += uuid[j];
	}
	return true;
}

static bool
read_tables(Reader *r, uint32_t n, size_t max_bytes, Arena *arena)
{
	const uint8_t *part;
	size_t len;
	uint32_t escapes = 0;

	if (!read_u32(&r->p, r->end, &r->ntemplates) || r->ntemplates > MAX_TEMPLATES ||
		!read_part(&r->p, r->end, &part, &len))
		return false;
	r->templates = arena_alloc(arena, (r->ntemplates + 1) * sizeof(Str));
	r->uses = arena_alloc0(arena, (r->ntemplates + 1) * sizeof(uint32_t));
	r->next = arena_alloc0(arena, (r->ntemplates + 1) * sizeof(uint32_t));
	r->numbers = arena_alloc0(arena, (r->ntemplates + 1) * sizeof(uint64_t *));
	r->codes = arena_alloc(arena, (size_t) n * sizeof(uint32_t));
	if (!bytes_decode_raw(part, len, r->templates, r->ntemplates, max_bytes, arena) ||
		!read_part(&r->p, r->end, &part, &len) || !int_decode_u32(part, len, r->codes, n, 0))
		return false;
	for (uint32_t i = 0; i < n; i++)
	{
		if (r->codes[i] > r->ntemplates)
			return false;
		if (r->codes[i])
			r->uses[r->codes[i] - 1]++;
		else
			escapes++;
	}
	r->escapes = arena_alloc(arena, (size_t) escapes * sizeof(Str));
	return read_part(&r->p, r->end, &part, &len) &&
		   bytes_decode_raw(part, len, r->escapes, escapes, max_bytes, arena);
}

static char *
write_decimal(char *dst, uint64_t v)
{
	char tmp[20];
	int n = 0;

	do
		tmp[n++] = (char) ('0' + v % 10);
	while (v /= 10);
	while (n)
		*dst++ = tmp[--n];
	return dst;
}

static char *
write_hex(char *dst, uint64_t v, unsigned digits, char letter)
{
	for (unsigned i = digits; i-- > 0;)
	{
		unsigned h = (unsigned) (v >> (4 * i)) & 15;

		*dst++ = (char) (h < 10 ? '0' + h : letter + h - 10);
	}
	return dst;
}

/* The digits of eight bytes, most significant first. */
static inline void
write_digits(char *dst, uint64_t v)
{
	uint64_t half[2] = {v >> 32, v & 0xFFFFFFFF};

	for (int i = 0; i < 2; i++)
	{
		/* a digit a byte, the first of them in the lowest */
		uint64_t x = __builtin_bswap64(half[i]) >> 32;

		x = (x | x << 16) & UINT64_C(0x0000FFFF0000FFFF);
		x = (x | x << 8) & UINT64_C(0x00FF00FF00FF00FF);
		x = (x >> 4 | x << 8) & UINT64_C(0x0F0F0F0F0F0F0F0F);
		x += UINT64_C(0x3030303030303030) +
			 ((x + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101)) * ('a' - '0' - 10);
		memcpy(dst + 8 * i, &x, 8);
	}
}

static char *
write_uuid(char *dst, uint64_t high, uint64_t low)
{
	char digits[32];

	write_digits(digits, high);
	write_digits(digits + 16, low);
	memcpy(dst, digits, 8);
	dst[8] = dst[13] = dst[18] = dst[23] = '-';
	memcpy(dst + 9, digits + 8, 4);
	memcpy(dst + 14, digits + 12, 4);
	memcpy(dst + 19, digits + 16, 4);
	memcpy(dst + 24, digits + 20, 12);
	return dst + UUID_TEXT;
}

/* dst has room for the template and 36 bytes a place. */
static char *
expand(Reader *r, uint32_t k, char *dst)
{
	Str t = r->templates[k];
	const uint64_t *number = r->numbers[k] + r->next[k]++;

	for (uint32_t i = 0; i < t.len; i++)
		switch (t.p[i])
		{
			case TOKEN_DECIMAL:
				dst = write_decimal(dst, *number);
				number += r->uses[k];
				break;
			case TOKEN_HEX:
			case TOKEN_HEX_UPPER:
				dst = write_hex(dst, *number, (unsigned) t.p[i + 1], t.p[i] == TOKEN_HEX ? 'a' : 'A');
				number += r->uses[k];
				i++;
				break;
			case TOKEN_UUID:
				dst = write_uuid(dst, number[0], number[r->uses[k]]);
				number += 2 * (size_t) r->uses[k];
				break;
			default: *dst++ = t.p[i]; break;
		}
	return dst;
}

bool
text_decode(const uint8_t *p, const uint8_t *end, const CodecWords *words, Str *v, uint32_t n,
			size_t max_bytes, Arena *arena)
{
	Reader r = {.p = p, .end = end, .words = words};
	size_t total = 0;
	uint32_t escape = 0;

	if (!read_tables(&r, n, max_bytes, arena))
		return false;
	for (uint32_t k = 0; k < r.ntemplates; k++)
		if (!read_numbers(&r, k, arena))
			return false;
	for (uint32_t i = 0; i < n; i++)
	{
		char text[MAX_TEMPLATE + (MAX_TOKENS + 2) * 36];
		uint32_t k = r.codes[i];

		if (k == 0)
			v[i] = r.escapes[escape++];
		else if (r.templates[k - 1].len > MAX_TEMPLATE)
			return false;
		else
		{
			size_t len = (size_t) (expand(&r, k - 1, text) - text);

			v[i] = str_of(arena_dup(arena, text, len), len);
		}
		total += v[i].len;
		if (total > max_bytes)
			return false;
	}
	return true;
}
