/*
 * test_codec.c
 *	  Column encodings: every shape of data comes back bit by bit, published vectors of the hashes hold, and
 *	  damaged blocks are refused or decode to something, but never read or write out of bounds (the
 *	  sanitizers watch).
 */
#include "unit.h"

#include "codec/codec_impl.h"

#define MAXN 5000

static Arena *arena;
static uint64_t seed = 42;

static uint64_t
rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* A copy that ends exactly at the end of an allocation, so that any read beyond is caught. */
static uint8_t *
exact_copy(const uint8_t *p, size_t len)
{
	uint8_t *q = malloc(len ? len : 1);

	memcpy(q, p, len);
	return q;
}

/* ---- numbers ---- */

typedef int64_t (*Generator)(uint32_t i);

static int64_t
gen_zero(uint32_t i)
{
	return 0;
}
static int64_t
gen_const(uint32_t i)
{
	return -77777777777;
}
static int64_t
gen_min(uint32_t i)
{
	return INT64_MIN;
}
static int64_t
gen_extremes(uint32_t i)
{
	return i % 3 == 0 ? INT64_MIN : i % 3 == 1 ? INT64_MAX : 0;
}
static int64_t
gen_random(uint32_t i)
{
	return (int64_t) rnd();
}
static int64_t
gen_small(uint32_t i)
{
	return (int64_t) (rnd() % 40);
}
static int64_t
gen_skewed(uint32_t i)
{
	return rnd() % 100 ? 3 : (int64_t) (rnd() % 200);
}
static int64_t
gen_negative(uint32_t i)
{
	return -(int64_t) (rnd() % 100000);
}
static int64_t
gen_serial(uint32_t i)
{
	return 1793491200000000000 + (int64_t) i * 1000;
}
static int64_t
gen_down(uint32_t i)
{
	return -(int64_t) i * 123456789;
}
static int64_t
gen_outlier(uint32_t i)
{
	return i % 500 == 7 ? (int64_t) (rnd() >> 3) : (int64_t) (rnd() % 256);
}
static int64_t
gen_runs(uint32_t i)
{
	return (int64_t) (i / 100) * 1000003 + i / 100 % 7 * 11;
}
static int64_t
gen_few_wide(uint32_t i)
{
	return (int64_t) ((rnd() % 5) * UINT64_C(0x123456789abcdef));
}
static int64_t
gen_log(uint32_t i)
{
	return (int64_t) (rnd() >> (20 + rnd() % 40));
}
static int64_t
gen_double(uint32_t i)
{
	double d = i % 10 == 9 ? 0.0 / 0.0 : i % 10 == 8 ? -0.0 : (double) i / 3;
	int64_t v;

	memcpy(&v, &d, 8);
	return v;
}
static int64_t
gen_wrap(uint32_t i)
{
	return (int64_t) (i % 2 ? UINT64_MAX / 2 + i : UINT64_MAX / 2 - i);
}
static int64_t
gen_one_late(uint32_t i)
{
	return i == 4095 ? 1 : 0;
}

static int64_t
gen_micros(uint32_t i)
{
	return INT64_C(1793491200000000123) + (int64_t) (rnd() % 1000000000) * 1000;
}
static int64_t
gen_decimal(uint32_t i)
{
	double d = i % 100 == 99 ? 0.0 / 0.0 : i % 100 == 98 ? -0.0 : ((double) (rnd() % 2000) - 1000) / 1000;
	int64_t v;

	memcpy(&v, &d, 8);
	return v;
}
static int64_t
gen_extreme_factor(uint32_t i)
{
	return i % 2 ? INT64_MAX : INT64_MIN + 1;
}

static int64_t
gen_few_wide_prime(uint32_t i)
{
	static const int64_t some[] = {3, 1793491200000000123, -5, INT64_C(0x123456789abcdef), 77};

	return some[rnd() % 5];
}

static const struct
{
	const char *name;
	Generator gen;
} generators[] = {{"zero", gen_zero},
				  {"constant", gen_const},
				  {"smallest", gen_min},
				  {"extremes", gen_extremes},
				  {"random", gen_random},
				  {"small", gen_small},
				  {"skewed", gen_skewed},
				  {"negative", gen_negative},
				  {"serial", gen_serial},
				  {"descending", gen_down},
				  {"outliers", gen_outlier},
				  {"runs", gen_runs},
				  {"few wide values", gen_few_wide},
				  {"log-distributed", gen_log},
				  {"doubles with NaN and -0", gen_double},
				  {"around the sign bit", gen_wrap},
				  {"one late value", gen_one_late},
				  {"microseconds", gen_micros},
				  {"decimals", gen_decimal},
				  {"far apart", gen_extreme_factor}};

static const uint32_t sizes[] = {0, 1, 2, 3, 7, 8, 9, 23, 24, 25, 63, 64, 65, 100, 1000, 4096, MAXN};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Some values alone are what they are among all. */
static bool
same_ranges(const uint8_t *p, size_t len, const int64_t *v, uint32_t n)
{
	CodecRange ranges[] = {{n / 7, n / 5}, {n / 3, n / 2}, {n - n / 9, n}};
	int64_t *back = malloc(n * 8 + 8);
	bool same = codec_decode_i64_ranges(p, len, back, n, ranges, 3) &&
				codec_decode_i64_ranges(p, len, back, n, NULL, 0);

	same = same && codec_decode_i64_ranges(p, len, back, n, ranges, 3);
	for (int k = 0; k < 3; k++)
		for (uint32_t i = ranges[k].from; i < ranges[k].to && same; i++)
			same = back[i] == v[i];
	free(back);
	return same;
}

static bool
round_trip_i64(const int64_t *v, uint32_t n, CodecEffort effort, size_t *size)
{
	Buf out;
	uint8_t *copy;
	int64_t *back = malloc(n * 8 + 8);
	bool same;

	buf_init(&out, arena, 0);
	codec_encode_i64(v, n, effort, &out);
	copy = exact_copy(out.p, out.len);
	memset(back, 0xAA, n * 8 + 8);
	same = codec_decode_i64(copy, out.len, back, n) && memcmp(back, v, n * 8) == 0 &&
		   same_ranges(copy, out.len, v, n);
	*size = out.len;
	free(copy);
	free(back);
	return same;
}

static bool
round_trip_u32(const int64_t *v, uint32_t n, CodecEffort effort)
{
	Buf out;
	uint8_t *copy;
	uint32_t *narrow = malloc(n * 4 + 4), *back = malloc(n * 4 + 4);
	bool same;

	for (uint32_t i = 0; i < n; i++)
		narrow[i] = (uint32_t) v[i];
	buf_init(&out, arena, 0);
	codec_encode_u32(narrow, n, effort, &out);
	copy = exact_copy(out.p, out.len);
	same = codec_decode_u32(copy, out.len, back, n) && memcmp(back, narrow, n * 4) == 0;
	free(copy);
	free(back);
	free(narrow);
	return same;
}

static void
test_numbers(void)
{
	static int64_t v[MAXN];

	for (size_t g = 0; g < COUNT(generators); g++)
		for (CodecEffort effort = CODEC_FAST; effort <= CODEC_SMALL; effort++)
		{
			bool same = true, same32 = true;
			size_t size = 0, worst = 0;

			for (size_t s = 0; s < COUNT(sizes); s++)
			{
				for (uint32_t i = 0; i < sizes[s]; i++)
					v[i] = generators[g].gen(i);
				same &= round_trip_i64(v, sizes[s], effort, &size);
				same32 &= round_trip_u32(v, sizes[s], effort);
				if (size > sizes[s] * 8 + 16)
					worst = size;
			}
			ok(same && same32, "%s, effort %d: numbers come back", generators[g].name, effort);
			ok(worst == 0, "%s, effort %d: never much larger than plain (%zu bytes for %d values)",
			   generators[g].name, effort, size, MAXN);
			arena_reset(arena);
		}
}

static void
test_widths(void)
{
	static uint64_t v[200], back[200];
	static uint32_t back32[200];
	bool same = true, same32 = true;

	for (unsigned w = 0; w <= 64; w++)
		for (uint32_t n = 0; n < 200; n += 1 + n / 20)
		{
			uint64_t mask = w == 64 ? UINT64_MAX : (UINT64_C(1) << w) - 1;
			size_t bytes = bitpack_bytes(n, w);
			uint8_t *packed = malloc(bytes + 1);

			for (uint32_t i = 0; i < n; i++)
				v[i] = 1000 + (i % 7 ? rnd() & mask : mask);
			bitpack_u64(v, n, w, 1000, packed);
			packed = realloc(packed, bytes ? bytes : 1);
			bitunpack_u64(packed, n, w, 1000, back);
			same &= memcmp(v, back, n * 8) == 0;
			if (w <= 32)
			{
				bitunpack_u32(packed, n, w, 1000, back32);
				for (uint32_t i = 0; i < n; i++)
					same32 &= back32[i] == (uint32_t) v[i];
			}
			free(packed);
		}
	ok(same, "every width packs and unpacks to 64 bits");
	ok(same32, "every width to 32 unpacks to 32 bits");
}

static void
test_choices(void)
{
	static const struct
	{
		Generator gen;
		const char *want;
		size_t most;
	} cases[] = {{gen_zero, "zero", 1},
				 {gen_const, "constant", 8},
				 {gen_serial, "delta", 24},
				 {gen_runs, "run length", 200},
				 {gen_outlier, "exceptions", 4400},
				 {gen_micros, "scaled", 15500},
				 {gen_decimal, "decimal", 6500},
				 {gen_few_wide_prime, "dictionary", 1700}};
	static int64_t v[4096];

	for (size_t c = 0; c < COUNT(cases); c++)
	{
		Buf out;

		for (uint32_t i = 0; i < 4096; i++)
			v[i] = cases[c].gen(i);
		buf_init(&out, arena, 0);
		codec_encode_i64(v, 4096, CODEC_SMALL, &out);
		is_str(codec_name(out.p, out.len), cases[c].want, "the encoding fits the data");
		ok(out.len <= cases[c].most, "%s: %zu bytes, at most %zu", cases[c].want, out.len, cases[c].most);
	}
}

static void
test_narrow_overflow(void)
{
	int64_t wide[40];
	uint32_t back[40];
	Buf out;

	for (int i = 0; i < 40; i++)
		wide[i] = (int64_t) UINT32_MAX - 20 + i;
	buf_init(&out, arena, 0);
	codec_encode_i64(wide, 40, CODEC_FAST, &out);
	ok(!codec_decode_u32(out.p, out.len, back, 40), "values beyond 32 bits are not read as 32-bit numbers");
}

/* ---- fixed width ---- */

static void
fill_fixed(uint8_t *v, uint32_t n, uint16_t width, int kind)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint16_t b = 0; b < width; b++)
			switch (kind)
			{
				case 0: v[i * width + b] = 0; break;
				case 1: v[i * width + b] = 'x'; break;
				case 2: v[i * width + b] = (uint8_t) rnd(); break;
				case 3: v[i * width + b] = b == 0 ? i * 16 / (n + 1) : (uint8_t) rnd(); break;
				case 4: v[i * width + b] = (uint8_t) (i % 5 * 40 + b); break;
				default: v[i * width + b] = b < 8 ? 0 : (uint8_t) rnd(); break;
			}
}

static void
test_fixed(void)
{
	static uint8_t v[MAXN * 20];
	static const uint16_t widths[] = {1, 2, 3, 6, 8, 12, 16, 20};

	for (int kind = 0; kind < 6; kind++)
	{
		bool same = true;

		for (size_t w = 0; w < COUNT(widths); w++)
			for (size_t s = 0; s < COUNT(sizes); s++)
				for (CodecEffort effort = CODEC_FAST; effort <= CODEC_SMALL; effort++)
				{
					size_t bytes = (size_t) sizes[s] * widths[w];
					uint8_t *copy, *back = malloc(bytes + 1);
					Buf out;

					fill_fixed(v, sizes[s], widths[w], kind);
					buf_init(&out, arena, 0);
					codec_encode_fixed(v, sizes[s], widths[w], effort, &out);
					copy = exact_copy(out.p, out.len);
					same &= codec_decode_fixed(copy, out.len, back, sizes[s], widths[w]) &&
							memcmp(back, v, bytes) == 0 && out.len <= bytes + 16;
					free(copy);
					free(back);
				}
		ok(same, "fixed width, kind %d: values come back", kind);
		arena_reset(arena);
	}
}

/* ---- strings ---- */

static Str
gen_string(int kind, uint32_t i)
{
	char *p = arena_alloc(arena, 256);
	int n = 0;

	switch (kind)
	{
		case 0: break;
		case 1: n = snprintf(p, 256, "always the same"); break;
		case 2:
			n = snprintf(p, 256, "10.%d.%d.%d", (int) (rnd() % 4), (int) (rnd() % 256), (int) (rnd() % 256));
			break;
		case 3:
			n = snprintf(p, 256, "SELECT id, name FROM products WHERE id = '%010" PRIX64 "'", rnd() >> 24);
			break;
		case 4: n = snprintf(p, 256, "%016" PRIx64, rnd()); break;
		case 5:
			n = snprintf(p, 256, "%08x-%04x-%04x-%04x-%012" PRIx64, (uint32_t) rnd(),
						 (unsigned) rnd() & 0xffff, (unsigned) rnd() & 0xffff, (unsigned) rnd() & 0xffff,
						 rnd() >> 16);
			break;
		case 6:
			n = (int) (rnd() % 40);
			for (int k = 0; k < n; k++)
				p[k] = (char) rnd();
			break;
		case 7: n = snprintf(p, 256, "word%d", (int) (rnd() % 9)); break;
		case 8:
			n = i % 4 ? snprintf(p, 256, "0%d.00%d-%019" PRIu64, (int) (rnd() % 99), (int) i, rnd()) : 0;
			break;
		case 9:
			n = snprintf(p, 256, "%.*s", (int) (i % 200),
						 "1234567890123456789012345678901234567890,1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,0,1,2,"
						 "3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8,9");
			break;
		default:
			n = snprintf(p, 256, "/api/user/%d/cart?page=%d", (int) (rnd() % 50000), (int) (rnd() % 9));
			break;
	}
	return str_of(p, (size_t) n);
}

static void
test_strings(void)
{
	static Str v[MAXN], back[MAXN];

	for (int kind = 0; kind <= 10; kind++)
		for (CodecEffort effort = CODEC_FAST; effort <= CODEC_SMALL; effort++)
		{
			bool same = true;
			Buf out = {0};
			size_t total = 0;

			for (size_t s = 0; s < COUNT(sizes); s++)
			{
				uint8_t *copy;

				total = 0;
				for (uint32_t i = 0; i < sizes[s]; i++)
				{
					v[i] = gen_string(kind, i);
					total += v[i].len;
				}
				buf_init(&out, arena, 0);
				codec_encode_bytes(v, sizes[s], effort, &out);
				copy = exact_copy(out.p, out.len);
				same &= codec_decode_bytes(copy, out.len, back, sizes[s], total, arena);
				for (uint32_t i = 0; same && i < sizes[s]; i++)
					same = str_eq(v[i], back[i]);
				if (total > 8)
					same &= !codec_decode_bytes(copy, out.len, back, sizes[s], total - 1, arena) ||
							*out.p == BYTES_CONST || *out.p == BYTES_DICT;
				free(copy);
			}
			ok(same, "strings, kind %d, effort %d (%s, %zu of %zu bytes)", kind, effort,
			   codec_name(out.p, out.len), out.len, total);
			arena_reset(arena);
		}
}

/* ---- words ---- */

#define POOL 40

/* Strings around uuids: of a pool, of their own, in lists of any length, broken ones, and in capitals. */
static Str
gen_uuid_string(int kind, char pool[POOL][40], uint32_t i)
{
	Str own = gen_string(5, i);
	const char *a = pool[rnd() % POOL], *b = pool[rnd() % POOL];
	char *p = arena_alloc(arena, 2048);
	int n = 0;

	switch (kind)
	{
		case 0:
			n = snprintf(p, 2048, "/v2/tenants/%s/objects/%.36s?page=%d", a, own.p, (int) (rnd() % 30));
			break;
		case 1:
			n = snprintf(p, 2048, "SELECT %0600d FROM t WHERE id IN (", 1);
			for (uint32_t k = 0; k <= i % 7; k++)
				n += snprintf(p + n, 2048 - (size_t) n, "'%s', ", pool[rnd() % POOL]);
			n += snprintf(p + n, 2048 - (size_t) n, "NULL) LIMIT %d", (int) (rnd() % 100));
			break;
		case 2: n = snprintf(p, 2048, "%s%s%u", a, b, i); break;
		case 3: n = snprintf(p, 2048, "%u-%.35s-%s %.20s", i, a, b, b); break;
		default:
			n = snprintf(p, 2048, "%s/%u", a, i);
			for (int k = 0; i % 3 == 0 && k < n; k++)
				p[k] = (char) (p[k] >= 'a' && p[k] <= 'f' ? p[k] - 32 : p[k]);
			break;
	}
	return str_of(p, (size_t) n);
}

static void
gen_pool(char pool[POOL][40])
{
	for (int i = 0; i < POOL; i++)
		snprintf(pool[i], 40, "%.36s", gen_string(5, 0).p);
}

/* Blocks of 200 with the words of all; bytes with words and without. */
static bool
words_round_trip(const Str *v, uint32_t n, const CodecWords *words, size_t *with, size_t *without)
{
	static Str back[200];
	CodecWords fewer = {.n = words->n / 2, .pairs = words->pairs};
	bool same = true, refused = false;

	*with = *without = 0;
	for (uint32_t from = 0; from < n; from += 200)
	{
		Buf out, plain;
		uint8_t *copy;

		buf_init(&out, arena, 0);
		buf_init(&plain, arena, 0);
		codec_encode_bytes_words(v + from, 200, words, &out);
		codec_encode_bytes(v + from, 200, CODEC_SMALL, &plain);
		*with += out.len;
		*without += plain.len;
		copy = exact_copy(out.p, out.len);
		same &= codec_decode_bytes_words(copy, out.len, words, back, 200, 1 << 20, arena);
		for (uint32_t i = 0; same && i < 200; i++)
			same = str_eq(v[from + i], back[i]);
		if (*out.p == BYTES_WORDS)
		{
			same &= !codec_decode_bytes(copy, out.len, back, 200, 1 << 20, arena);
			refused |= !codec_decode_bytes_words(copy, out.len, &fewer, back, 200, 1 << 20, arena);
		}
		free(copy);
	}
	return same && refused == (*with < *without);
}

/* Every byte at every place of a uuid: only digits in lower case are taken, and read for what they are. */
static void
test_uuid_read(void)
{
	static const char uuid[] = "0f3a9b7c-1234-4abc-9def-00ff11ee22dd";
	char text[UUID_TEXT], back[40];
	uint32_t wrong = 0;

	for (int at = 0; at < UUID_TEXT; at++)
		for (int c = 0; c < 256; c++)
		{
			uint64_t half[2];
			bool dash = uuid[at] == '-';
			bool want = dash ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
			uint8_t *p;

			memcpy(text, uuid, UUID_TEXT);
			text[at] = (char) c;
			p = exact_copy((const uint8_t *) text, UUID_TEXT);
			wrong += uuid_read(p, p + UUID_TEXT, half) != want;
			free(p);
			if (!want)
				continue;
			snprintf(back, sizeof(back), "%08x-%04x-%04x-%04x-%012" PRIx64, (unsigned) (half[0] >> 32),
					 (unsigned) (half[0] >> 16 & 0xffff), (unsigned) (half[0] & 0xffff),
					 (unsigned) (half[1] >> 48), half[1] & UINT64_C(0xffffffffffff));
			wrong += memcmp(back, text, UUID_TEXT) != 0;
		}
	is_i64(wrong, 0, "uuids are read, and nothing else is");
}

static void
test_words(void)
{
	static Str v[2000];
	static uint32_t codes[2000];
	static char pool[POOL][40];
	CodecWords words;
	size_t with, without;
	bool same;

	gen_pool(pool);
	for (int kind = 0; kind <= 4; kind++)
	{
		for (uint32_t i = 0; i < 2000; i++)
		{
			v[i] = gen_uuid_string(kind, pool, i);
			codes[i] = i;
		}
		ok(codec_words_collect(v, codes, 2000, 1000, arena, &words) && words.n == POOL,
		   "strings of kind %d have %u words in common", kind, words.n);
		same = words_round_trip(v, 2000, &words, &with, &without);
		/* strings of kind 3 are of too many templates */
		ok(same && (kind == 3 ? with == without : with < without),
		   "kind %d: they come back, %zu bytes with words, %zu without", kind, with, without);
		arena_reset(arena);
	}
	for (uint32_t i = 0; i < 2000; i++)
		v[i] = gen_string(5, i);
	ok(!codec_words_collect(v, codes, 2000, 1000, arena, &words), "uuids that occur once are no words");
	for (uint32_t i = 0; i < 2000; i++)
		v[i] = gen_uuid_string(0, pool, i);
	ok(codec_words_collect(v, codes, 2000, 7, arena, &words) && words.n == 7, "no more words than asked for");
	ok(!codec_words_collect(v, codes, 0, 7, arena, &words), "no strings have no words");
	arena_reset(arena);
}

/* ---- damage ---- */

/* What damaged blocks are decoded with. */
static CodecWords damage_words;

static void
damage(uint8_t *block, size_t len, uint32_t n, int kind)
{
	static int64_t i64[300];
	static uint32_t u32[300];
	static uint8_t fixed[300 * 16];
	static Str strs[300];
	uint8_t *copy = exact_copy(block, len);

	for (int way = 0; way < 5; way++)
		switch (way)
		{
			case 0: codec_decode_i64(copy, len, i64, n); break;
			case 1: codec_decode_u32(copy, len, u32, n); break;
			case 2: codec_decode_fixed(copy, len, fixed, n, 16); break;
			default:
				if (codec_decode_bytes_words(copy, len, way == 3 ? NULL : &damage_words, strs, n, 100000,
											 arena))
					for (uint32_t i = 0; i < n; i++)
						kind += strs[i].len ? strs[i].p[strs[i].len - 1] : 0;
		}
	free(copy);
	arena_reset(arena);
}

/* Every byte changed in several ways, and every shorter length. */
static void
damage_all(const Buf *out, uint32_t n)
{
	static const uint8_t masks[] = {1, 2, 128, 255, 64};
	uint8_t *block = malloc(out->len);
	size_t len = out->len;

	memcpy(block, out->p, len);
	for (size_t at = 0; at < len; at++)
	{
		for (size_t m = 0; m < COUNT(masks); m++)
		{
			block[at] ^= masks[m];
			damage(block, len, n, 0);
			block[at] ^= masks[m];
		}
		damage(block, at, n, 0);
	}
	free(block);
}

static void
damage_all_words(void)
{
	static char pool[POOL][40];
	static Str v[200];
	static uint32_t codes[200];
	Arena *own = arena_create(NULL, 0);
	Buf out;

	gen_pool(pool);
	for (uint32_t i = 0; i < 200; i++)
	{
		v[i] = gen_uuid_string(0, pool, i);
		codes[i] = i;
	}
	ok(codec_words_collect(v, codes, 200, 200, own, &damage_words), "words for damaged blocks");
	buf_init(&out, own, 0);
	codec_encode_bytes_words(v, 40, &damage_words, &out);
	damage_all(&out, 40);
	arena_destroy(own);
}

static void
test_damage(void)
{
	static int64_t v[300];
	static uint8_t fixed[300 * 16];
	Buf out;

	for (size_t g = 0; g < COUNT(generators); g++)
	{
		for (uint32_t i = 0; i < 300; i++)
			v[i] = generators[g].gen(i);
		buf_init(&out, arena, 0);
		codec_encode_i64(v, 300, CODEC_SMALL, &out);
		damage_all(&out, 300);
	}
	for (int kind = 0; kind < 6; kind++)
	{
		fill_fixed(fixed, 100, 16, kind);
		buf_init(&out, arena, 0);
		codec_encode_fixed(fixed, 100, 16, CODEC_SMALL, &out);
		damage_all(&out, 100);
	}
	for (int kind = 0; kind <= 10; kind++)
	{
		Str s[60];

		for (uint32_t i = 0; i < 60; i++)
			s[i] = gen_string(kind, i);
		buf_init(&out, arena, 0);
		codec_encode_bytes(s, 60, CODEC_SMALL, &out);
		damage_all(&out, 60);
	}
	damage_all_words();
	ok(true, "damaged blocks are refused or decode within bounds");
}

/* ---- hashes and bloom ---- */

static void
test_hashes(void)
{
	uint8_t zero[32] = {0}, up[32];
	bool same = true;

	for (int i = 0; i < 32; i++)
		up[i] = (uint8_t) i;
	/* RFC 3720, B.4 */
	is_i64(codec_crc32c(zero, 32), 0x8A9136AA, "crc32c of zeros");
	is_i64(codec_crc32c(up, 32), 0x46DD794E, "crc32c of 0..31");
	is_i64(codec_crc32c("123456789", 9), 0xE3069283, "crc32c check value");
	for (size_t n = 0; n <= 32; n++)
		same &= codec_crc32c(up, n) == codec_crc32c_portable(up, n);
	ok(same, "instruction and tables agree");
	/* published XXH64 vectors, seed 0 */
	ok(codec_hash64("", 0) == UINT64_C(0xEF46DB3751D8E999), "hash of nothing");
	ok(codec_hash64("a", 1) == UINT64_C(0xD24EC4F1A98C6E5B), "hash of a");
	ok(codec_hash64("abc", 3) == UINT64_C(0x44BC2CF5AD770999), "hash of abc");
	ok(codec_hash64("Nobody inspects the spammish repetition", 39) == UINT64_C(0xFBCEA83C8A378BF1),
	   "hash of more than a stripe");
}

static void
test_bloom(void)
{
	uint32_t n = 20000, blocks = bloom_blocks(n, 10), found = 0, wrong = 0;
	uint8_t *bloom = arena_alloc0(arena, (size_t) blocks * 32);
	bool within = true;

	for (uint64_t i = 0; i < n; i++)
		bloom_add(bloom, blocks, codec_hash64(&i, 8));
	for (uint64_t i = 0; i < 2 * n; i++)
	{
		uint64_t h = codec_hash64(&i, 8);
		bool maybe = bloom_maybe(bloom, blocks, h);

		within &= bloom_offset(blocks, h) <= (blocks - 1) * 32;
		if (i < n)
			found += maybe;
		else
			wrong += maybe;
	}
	is_i64(found, n, "every key is found");
	ok(wrong < n / 50, "10 bits a key: %.2f%% false positives", 100.0 * wrong / n);
	ok(within, "blocks lie within the filter");
	is_i64(bloom_blocks(0, 10), 1, "an empty filter has a block");
	ok((uint64_t) bloom_blocks(100000, 10) * 256 < 1001000, "no more than the bits asked for");
}

/* A part gets its length in front, however full the buffer is just then. */
static void
test_prefix_length(void)
{
	int wrong = 0;

	for (size_t cap = 64; cap <= 128; cap += 64)
	{
		for (size_t before = 0; before < cap; before++)
		{
			for (size_t len = 0; before + len <= cap && len < 128; len++)
			{
				Buf out;

				buf_init(&out, arena, cap);
				for (size_t i = 0; i < before + len; i++)
					buf_put_u8(&out, (uint8_t) (i * 7 + 1));
				/* so that growing is a copy, and what is not copied shows */
				memset(arena_alloc(arena, 256), 0xEE, 256);
				buf_prefix_length(&out, before);
				wrong += out.len != before + 1 + len || out.p[before] != len;
				for (size_t i = 0; i < before + len; i++)
					wrong += out.p[i < before ? i : i + 1] != (uint8_t) (i * 7 + 1);
			}
		}
		arena_reset(arena);
	}
	is_i64(wrong, 0, "a length goes in front of a part wherever the buffer ends");
}

int
main(void)
{
	arena = arena_create(NULL, 1 << 20);
	test_widths();
	test_numbers();
	test_choices();
	test_narrow_overflow();
	test_fixed();
	test_strings();
	test_uuid_read();
	test_words();
	test_damage();
	test_hashes();
	test_bloom();
	test_prefix_length();
	codec_release();
	return unit_done();
}
