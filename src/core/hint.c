/*
 * hint.c
 *	  How long a provider asks us to wait, in every notation that providers use.
 *
 * Decides what a text means in milliseconds; knows nothing of headers, statuses or outcomes.  Own calendar arithmetic
 * and own number reading: strptime(), timegm() and strtod() depend on the locale or the time zone of the process.
 */
#include "core/classify.h"

#include <string.h>
#include <strings.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_SECOND INT64_C(1000000000)
#define HINT_MAX_NS (HINT_MAX_MS * NS_PER_MS)
#define MS_PER_DAY INT64_C(86400000)

/* Nobody means "wait 32 years": from here a bare number is a Unix time, first in seconds, then in milliseconds. */
#define UNIX_SECONDS_MIN INT64_C(1000000000)
#define UNIX_MS_MIN INT64_C(1000000000000)
#define UNIX_MS_END INT64_C(100000000000000)

/* A number with a decimal fraction, exactly. */
typedef struct Decimal
{
	int64_t		whole;			/* saturated at INT64_MAX */
	int64_t		fraction;		/* in 1e-9 */
} Decimal;

typedef struct Unit
{
	const char *name;
	int64_t		ns;
	bool		word;			/* only people write it so */
} Unit;

static const Unit units[] = {
	{"ns", 1, false},
	{"us", 1000, false},
	{"\xC2\xB5s", 1000, false}, /* micro sign */
	{"\xCE\xBCs", 1000, false}, /* Greek mu */
	{"ms", NS_PER_MS, false},
	{"s", NS_PER_SECOND, false},
	{"m", 60 * NS_PER_SECOND, false},
	{"h", 3600 * NS_PER_SECOND, false},
	{"millisecond", NS_PER_MS, true},
	{"milliseconds", NS_PER_MS, true},
	{"sec", NS_PER_SECOND, true},
	{"secs", NS_PER_SECOND, true},
	{"second", NS_PER_SECOND, true},
	{"seconds", NS_PER_SECOND, true},
	{"min", 60 * NS_PER_SECOND, true},
	{"mins", 60 * NS_PER_SECOND, true},
	{"minute", 60 * NS_PER_SECOND, true},
	{"minutes", 60 * NS_PER_SECOND, true},
	{"hour", 3600 * NS_PER_SECOND, true},
	{"hours", 3600 * NS_PER_SECOND, true},
};

static const char *const months[] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_unit_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char) c >= 0x80;
}

static const char *
skip_blanks(const char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

/* Returns where the number ends; NULL when there is none.  A full stop without a digit after it ends a sentence. */
static const char *
read_decimal(const char *p, Decimal *value)
{
	int64_t		weight = NS_PER_SECOND / 10;

	value->whole = 0;
	value->fraction = 0;
	if (!is_digit(*p))
		return NULL;
	for (; is_digit(*p); p++)
	{
		int			digit = *p - '0';

		if (value->whole > (INT64_MAX - digit) / 10)
			value->whole = INT64_MAX;
		else
			value->whole = value->whole * 10 + digit;
	}
	if (*p != '.' || !is_digit(p[1]))
		return p;
	for (p++; is_digit(*p); p++)
	{
		value->fraction += (*p - '0') * weight;
		weight /= 10;
	}
	return p;
}

static int64_t
add_scaled_ns(int64_t total_ns, const Decimal *value, int64_t unit_ns)
{
	if (value->whole > HINT_MAX_NS / unit_ns)
		return HINT_MAX_NS;
	/* the fraction is below 1e9 and the longest unit 3.6e12 ns, so divide before multiplying */
	total_ns += value->whole * unit_ns;
	if (unit_ns >= NS_PER_SECOND)
		total_ns += value->fraction * (unit_ns / NS_PER_SECOND);
	else
		total_ns += value->fraction / (NS_PER_SECOND / unit_ns);
	return total_ns < HINT_MAX_NS ? total_ns : HINT_MAX_NS;
}

/* Upwards: a wait cut short by a fraction is refused again. */
static int64_t
ns_to_ms(int64_t ns)
{
	return (ns + NS_PER_MS - 1) / NS_PER_MS;
}

static const char *
read_unit(const char *p, bool words, int64_t *unit_ns)
{
	size_t		len = 0;

	while (is_unit_byte(p[len]))
		len++;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
	{
		if (units[i].word && !words)
			continue;
		if (strlen(units[i].name) == len && strncasecmp(units[i].name, p, len) == 0)
		{
			*unit_ns = units[i].ns;
			return p + len;
		}
	}
	return NULL;
}

/*
 * "6m0s".  In a sentence there may be words for units and blanks before them, and it may go on afterwards.
 * Returns where the duration ends, NULL when this is none.
 */
static const char *
read_duration(const char *p, bool sentence, int64_t *ns)
{
	const char *end = NULL;
	int64_t		total = 0;
	Decimal		value;
	int64_t		unit_ns;

	while ((p = read_decimal(sentence ? skip_blanks(p) : p, &value)) != NULL)
	{
		const char *after = read_unit(sentence ? skip_blanks(p) : p, sentence, &unit_ns);

		if (after == NULL)
			break;
		total = add_scaled_ns(total, &value, unit_ns);
		end = p = after;
	}
	*ns = total;
	return end;
}

static bool
at_end(const char *p)
{
	while (is_blank(*p) || *p == '\r' || *p == '\n')
		p++;
	return *p == '\0';
}

static int64_t
until(int64_t epoch_ms, int64_t now_ms)
{
	int64_t		wait;

	/* overflow needs a clock that is wrong by millions of years; there is no hint in that */
	if (__builtin_sub_overflow(epoch_ms, now_ms, &wait) || wait < 0)
		return -1;
	return wait < HINT_MAX_MS ? wait : HINT_MAX_MS;
}

static int64_t
bare_number(const Decimal *value, int64_t now_ms)
{
	if (value->whole >= UNIX_MS_MIN && value->whole < UNIX_MS_END)
		return until(value->whole, now_ms);
	if (value->whole >= UNIX_SECONDS_MIN && value->whole < UNIX_MS_MIN)
		return until(value->whole * 1000, now_ms);
	return ns_to_ms(add_scaled_ns(0, value, NS_PER_SECOND));
}

int64_t
hint_parse(const char *text, int64_t now_ms)
{
	Decimal		value;
	const char *end;
	int64_t		ns;
	int64_t		epoch_ms;

	if (text == NULL)
		return -1;
	text = skip_blanks(text);
	end = read_decimal(text, &value);
	if (end != NULL && at_end(end))
		return bare_number(&value, now_ms);
	end = read_duration(text, false, &ns);
	if (end != NULL && at_end(end))
		return ns_to_ms(ns);
	if (hint_time(text, &epoch_ms))
		return until(epoch_ms, now_ms);
	return -1;
}

int64_t
hint_in_message(const char *message)
{
	static const char *const leads[] = {"try again in ", "try again after ", "retry after ", "retry in ", "please wait "};

	for (const char *p = message; *p != '\0'; p++)
	{
		for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++)
		{
			size_t		len = strlen(leads[i]);
			Decimal		value;
			int64_t		ns;

			if (strncasecmp(p, leads[i], len) != 0 || read_decimal(p + len, &value) == NULL)
				continue;
			/* without a unit that we know, seconds: "retry after 37" */
			if (read_duration(p + len, true, &ns) == NULL)
				ns = add_scaled_ns(0, &value, NS_PER_SECOND);
			return ns_to_ms(ns);
		}
	}
	return -1;
}

/* Exactly `count` digits; returns what follows, NULL when there are fewer. */
static const char *
read_digits(const char *p, int count, int *value)
{
	*value = 0;
	for (; count > 0; count--, p++)
	{
		if (!is_digit(*p))
			return NULL;
		*value = *value * 10 + (*p - '0');
	}
	return p;
}

static const char *
expect(const char *p, char c)
{
	return p != NULL && *p == c ? p + 1 : NULL;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar; the year starts in March, so that leap days come last. */
static int64_t
days_from_civil(int year, int month, int day)
{
	int			shifted = month > 2 ? year : year - 1;
	int			era = (shifted >= 0 ? shifted : shifted - 399) / 400;
	int			year_of_era = shifted - era * 400;
	int			day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int			day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return (int64_t) era * 146097 + day_of_era - 719468;
}

static int
days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool		leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool
civil_to_ms(int year, int month, int day, int64_t time_ms, int64_t *epoch_ms)
{
	if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
		return false;
	*epoch_ms = days_from_civil(year, month, day) * MS_PER_DAY + time_ms;
	return true;
}

/* "12:41:00"; a leap second is let through. */
static const char *
read_clock(const char *p, int64_t *time_ms)
{
	int			hour;
	int			minute;
	int			second;

	if (p == NULL || (p = expect(read_digits(p, 2, &hour), ':')) == NULL ||
		(p = expect(read_digits(p, 2, &minute), ':')) == NULL || (p = read_digits(p, 2, &second)) == NULL)
		return NULL;
	if (hour > 23 || minute > 59 || second > 60)
		return NULL;
	*time_ms = ((hour * 60 + minute) * 60 + second) * INT64_C(1000);
	return p;
}

/* "Z" or "+02:00", as what has to be taken off. */
static const char *
read_zone(const char *p, int64_t *offset_ms)
{
	int			sign = *p == '-' ? -1 : 1;
	int			hour;
	int			minute;

	*offset_ms = 0;
	if (*p == 'Z' || *p == 'z')
		return p + 1;
	if ((*p != '+' && *p != '-') || (p = expect(read_digits(p + 1, 2, &hour), ':')) == NULL ||
		(p = read_digits(p, 2, &minute)) == NULL || hour > 23 || minute > 59)
		return NULL;
	*offset_ms = sign * (hour * 60 + minute) * INT64_C(60000);
	return p;
}

/* 2025-08-21T12:41:00.25Z */
static bool
rfc3339(const char *p, int64_t *epoch_ms)
{
	int			year;
	int			month;
	int			day;
	int64_t		time_ms;
	int64_t		offset_ms;

	if ((p = expect(read_digits(p, 4, &year), '-')) == NULL ||
		(p = expect(read_digits(p, 2, &month), '-')) == NULL || (p = read_digits(p, 2, &day)) == NULL)
		return false;
	if (*p != 'T' && *p != 't' && *p != ' ')
		return false;
	if ((p = read_clock(p + 1, &time_ms)) == NULL)
		return false;
	if (*p == '.')
	{
		int			weight = 100;

		if (!is_digit(*++p))
			return false;
		for (; is_digit(*p); p++, weight /= 10)
			time_ms += (*p - '0') * weight;
	}
	if ((p = read_zone(p, &offset_ms)) == NULL || !at_end(p))
		return false;
	return civil_to_ms(year, month, day, time_ms - offset_ms, epoch_ms);
}

static const char *
read_month(const char *p, int *month)
{
	for (int i = 0; i < 12; i++)
	{
		if (strncmp(p, months[i], 3) == 0)
		{
			*month = i + 1;
			return p + 3;
		}
	}
	return NULL;
}

/* Sun, 06 Nov 1994 08:49:37 GMT, and the older Sunday, 06-Nov-94 08:49:37 GMT; p is behind the comma. */
static bool
http_date(const char *p, int64_t *epoch_ms)
{
	int			day;
	int			month;
	int			year;
	char		separator;
	const char *q;
	int64_t		time_ms;

	if ((p = read_digits(skip_blanks(p), 2, &day)) == NULL)
		return false;
	separator = *p;
	if ((separator != ' ' && separator != '-') || (p = expect(read_month(p + 1, &month), separator)) == NULL)
		return false;
	if ((q = read_digits(p, 4, &year)) == NULL)
	{
		if ((q = read_digits(p, 2, &year)) == NULL)
			return false;
		year += year < 70 ? 2000 : 1900;
	}
	if ((p = read_clock(expect(q, ' '), &time_ms)) == NULL || strncmp(p, " GMT", 4) != 0 || !at_end(p + 4))
		return false;
	return civil_to_ms(year, month, day, time_ms, epoch_ms);
}

/* Sun Nov  6 08:49:37 1994; p is at the month. */
static bool
asctime_date(const char *p, int64_t *epoch_ms)
{
	int			month;
	int			day;
	int			year;
	int64_t		time_ms;

	if ((p = expect(read_month(p, &month), ' ')) == NULL)
		return false;
	p = *p == ' ' ? read_digits(p + 1, 1, &day) : read_digits(p, 2, &day);
	if ((p = read_clock(expect(p, ' '), &time_ms)) == NULL ||
		(p = expect(p, ' ')) == NULL || (p = read_digits(p, 4, &year)) == NULL || !at_end(p))
		return false;
	return civil_to_ms(year, month, day, time_ms, epoch_ms);
}

bool
hint_time(const char *text, int64_t *epoch_ms)
{
	const char *comma;

	text = skip_blanks(text);
	if (is_digit(*text))
		return rfc3339(text, epoch_ms);
	/* a weekday; a sign before it, or before a number, is nonsense */
	if ((*text < 'A' || *text > 'Z') && (*text < 'a' || *text > 'z'))
		return false;
	comma = strchr(text, ',');
	if (comma != NULL)
		return http_date(comma + 1, epoch_ms);
	/* the weekday is not checked: it says nothing that the date does not */
	if (strlen(text) > 4 && text[3] == ' ')
		return asctime_date(text + 4, epoch_ms);
	return false;
}
