/*
 * metrics_params.c
 *	  Times and steps of the metrics endpoints; see metrics.h.
 */
#include "api/metrics.h"

#define SECOND UINT64_C(1000000000)
#define MS     UINT64_C(1000000)

/* Digits of a decimal number before and behind its point. */
typedef struct Decimal
{
	uint64_t whole;
	uint64_t nano; /* the first nine digits behind the point */
	uint32_t digits;
	bool point;
} Decimal;

/* The whole text; false: something else, or too many digits. */
static bool
read_decimal(Str text, Decimal *d)
{
	uint64_t unit = SECOND;

	*d = (Decimal){0};
	for (uint32_t i = 0; i < text.len; i++)
	{
		char c = text.p[i];
		uint64_t digit = (uint64_t) (c - '0');

		if (c == '.' && !d->point)
		{
			d->point = true;
			continue;
		}
		if (c < '0' || c > '9')
			return false;
		d->digits++;
		if (d->point)
			d->nano += digit * (unit /= 10);
		else if (d->whole > (UINT64_MAX - digit) / 10)
			return false;
		else
			d->whole = d->whole * 10 + digit;
	}
	return d->digits > 0;
}

/* ---- RFC 3339 ---- */

typedef struct Scan
{
	const char *p;
	const char *end;
} Scan;

static bool
take_number(Scan *s, int width, int64_t max, int64_t *v)
{
	*v = 0;
	if (s->end - s->p < width)
		return false;
	for (int i = 0; i < width; i++, s->p++)
	{
		if (*s->p < '0' || *s->p > '9')
			return false;
		*v = *v * 10 + (*s->p - '0');
	}
	return *v <= max;
}

static bool
take_char(Scan *s, char c)
{
	if (s->p == s->end || (*s->p | 0x20) != (c | 0x20))
		return false;
	s->p++;
	return true;
}

/* Days from 1970-01-01 in the Gregorian calendar. */
static int64_t
days_from_epoch(int64_t year, int64_t month, int64_t day)
{
	static const int before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	int64_t y = year - 1;

	return 365 * (year - 1970) + (y / 4 - y / 100 + y / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400) +
		   before[month - 1] + (leap && month > 2) + day - 1;
}

static bool
take_date(Scan *s, int64_t *seconds)
{
	int64_t year, month, day, hour, minute, second;

	if (!take_number(s, 4, 9999, &year) || !take_char(s, '-') || !take_number(s, 2, 12, &month) ||
		!take_char(s, '-') || !take_number(s, 2, 31, &day) || !take_char(s, 'T') ||
		!take_number(s, 2, 23, &hour) || !take_char(s, ':') || !take_number(s, 2, 59, &minute) ||
		!take_char(s, ':') || !take_number(s, 2, 59, &second) || month == 0 || day == 0)
		return false;
	*seconds = days_from_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	return true;
}

static void
take_fraction(Scan *s, uint64_t *nano)
{
	uint64_t unit = SECOND;

	*nano = 0;
	if (!take_char(s, '.'))
		return;
	for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++)
		*nano += (uint64_t) (*s->p - '0') * (unit /= 10);
}

static bool
take_zone(Scan *s, int64_t *seconds)
{
	int64_t hours, minutes;
	int sign = 1;

	*seconds = 0;
	if (take_char(s, 'Z'))
		return true;
	if (s->p == s->end || (*s->p != '+' && *s->p != '-'))
		return false;
	sign = *s->p++ == '-' ? -1 : 1;
	if (!take_number(s, 2, 23, &hours) || !take_char(s, ':') || !take_number(s, 2, 59, &minutes))
		return false;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool
read_rfc3339(Str text, uint64_t *ns)
{
	Scan s = {text.p, text.p + text.len};
	int64_t seconds, zone;
	uint64_t nano;

	if (!take_date(&s, &seconds))
		return false;
	take_fraction(&s, &nano);
	if (!take_zone(&s, &zone) || s.p != s.end)
		return false;
	seconds -= zone;
	if (seconds < 0 || (uint64_t) seconds > UINT64_MAX / SECOND - 1)
		return false;
	*ns = (uint64_t) seconds * SECOND + nano;
	return true;
}

/* ---- both ---- */

bool
metrics_read_time(Str text, uint64_t *ns)
{
	Decimal d;

	if (!read_decimal(text, &d))
		return read_rfc3339(text, ns);
	if (!d.point && d.digits > 10)
	{
		*ns = d.whole;
		return true;
	}
	if (d.whole > UINT64_MAX / SECOND - 1)
		return false;
	*ns = d.whole * SECOND + d.nano / MS * MS;
	return true;
}

bool
metrics_read_step(Str text, int64_t *ns)
{
	bool negative = text.len > 0 && text.p[0] == '-';
	Decimal d;

	if (negative)
		text = str_of(text.p + 1, text.len - 1);
	if (read_decimal(text, &d))
	{
		if (d.whole > INT64_MAX / SECOND - 1)
			return false;
		*ns = (int64_t) (d.whole * SECOND + d.nano);
	}
	else if (!traceql_read_duration(text, ns))
		return false;
	if (negative)
		*ns = -*ns;
	return true;
}
