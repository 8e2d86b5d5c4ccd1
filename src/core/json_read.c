/*
 * json_read.c
 *	  Reading JSON that a stranger wrote, and saying what is wrong with it.
 *
 * Decides what counts as JSON at all: json-c's strict mode lets more through than the standard does.  Knows neither replies
 * nor answers; what must stand in them is verdict.c's and fields.c's.
 */
#include "core/json_read.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/reason.h"

/* Replies stay under 12 levels; more is an attack on somebody's stack. */
#define JSON_DEPTH 32

/*
 * What json-c makes of a value, in bytes: as measured, rounded up.  An object has room for 16 members from the beginning,
 * and twice as much when it is two thirds full.
 */
#define OBJECT_BYTES 800
#define ARRAY_BYTES 400
#define MEMBER_BYTES 160
#define VALUE_BYTES 104

/* A longer text may have had a long string: the memory that it grew to is not kept. */
#define KEPT_TEXT 65536

#define unusable(ending, ...) json_end((ending), OUTCOME_UNUSABLE_ANSWER, __VA_ARGS__)

bool
json_end(Ending ending, RunOutcome outcome, const char *format,...)
{
	char		raw[2 * REASON_MAX];
	char		line[REASON_MAX];
	va_list		args;

	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	*ending.outcome = outcome;
	reason_clean(line, sizeof(line), raw, strlen(raw));
	ending.reason[0] = '\0';
	/* a model repeats what it was told, and people paste keys into tickets */
	reason_append_redacted(ending.reason, line);
	return false;
}

bool
json_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

Text
json_trimmed(const char *data, size_t len)
{
	while (len > 0 && json_is_space(data[0]))
	{
		data++;
		len--;
	}
	while (len > 0 && json_is_space(data[len - 1]))
		len--;
	return (Text) {data, len};
}

size_t
json_weight(const char *data, size_t len)
{
	size_t		weight = len;
	bool		in_string = false;

	for (size_t i = 0; i < len; i++)
	{
		char		c = data[i];

		if (c == '"')
			in_string = !in_string;
		else if (in_string)
			i += c == '\\';
		else if (c == '{')
			weight += OBJECT_BYTES;
		else if (c == '[')
			weight += ARRAY_BYTES;
		else if (c == ':')
			weight += MEMBER_BYTES;
		else if (c == ',')
			weight += VALUE_BYTES;
	}
	return weight;
}

/* Where a byte is special to read_laxity(). */
enum
{
	INSIDE = 1,					/* a string */
	OUTSIDE = 2
};

#define EIGHT(places) places, places, places, places, places, places, places, places

static const unsigned char special[UCHAR_MAX + 1] = {
	EIGHT(INSIDE), EIGHT(INSIDE), EIGHT(INSIDE), EIGHT(INSIDE), /* control characters */
	['"'] = INSIDE | OUTSIDE, ['\\'] = INSIDE,
	['\''] = OUTSIDE, ['N'] = OUTSIDE, ['I'] = OUTSIDE,
	['0'] = EIGHT(OUTSIDE), OUTSIDE, OUTSIDE,
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* An integer that 64 bits do not hold. */
static bool
is_too_long(const char *digits, size_t count, bool negative)
{
	if (negative && count == 19)
		return memcmp(digits, "9223372036854775808", 19) > 0;
	return count > 19;
}

/* Where the number ends whose first digit is at at; whether it is an integer that is too long. */
static size_t
number_end(const char *data, size_t len, size_t at, bool *too_long)
{
	size_t		end = at;

	while (end < len && is_digit(data[end]))
		end++;
	*too_long = false;
	if (end == len || (data[end] != '.' && data[end] != 'e' && data[end] != 'E'))
		*too_long = is_too_long(data + at, end - at, at > 0 && data[at - 1] == '-');
	else
		while (end < len && (is_digit(data[end]) || (data[end] != '\0' && strchr(".eE+-", data[end]) != NULL)))
			end++;
	return end;
}

/* What json-c takes though it is no JSON, or that only some of its versions take. */
typedef struct Laxity
{
	size_t		at;				/* of the first single quote, NaN, Infinity, raw control character in a string; or len */
	bool		long_integer;
} Laxity;

/*
 * For one integer that is too long, some versions of json-c refuse the whole text, and others take the nearest that is
 * not.  In copy, unless it is NULL, each becomes a double of the same size, in as many bytes: an exponent takes the place
 * of its last two digits.
 *
 * Every byte of every reply goes through this loop, and nearly all leave it by the first test.
 */
static Laxity
read_laxity(const char *data, size_t len, char *copy)
{
	Laxity		laxity = {.at = len};
	unsigned	place = OUTSIDE;

	for (size_t i = 0; i < len; i++)
	{
		if ((special[(unsigned char) data[i]] & place) == 0)
			continue;
		if (data[i] == '"')
			place ^= INSIDE | OUTSIDE;
		else if (data[i] == '\\')
			i++;
		else if (is_digit(data[i]))
		{
			bool		too_long;
			size_t		end = number_end(data, len, i, &too_long);

			laxity.long_integer |= too_long;
			if (too_long && copy != NULL)
				memcpy(copy + end - 2, "e2", 2);
			i = end - 1;
		}
		else if (laxity.at == len)
			laxity.at = i;
	}
	return laxity;
}

typedef struct Parsed
{
	json_object *object;
	enum json_tokener_error error;
	size_t		end;
} Parsed;

struct JsonReader
{
	json_tokener *tokener;		/* NULL: to be made */
};

JsonReader *
json_reader_create(void)
{
	return calloc(1, sizeof(JsonReader));
}

static void
forget_tokener(JsonReader *reader)
{
	if (reader->tokener != NULL)
		json_tokener_free(reader->tokener);
	reader->tokener = NULL;
}

void
json_reader_free(JsonReader *reader)
{
	if (reader == NULL)
		return;
	forget_tokener(reader);
	free(reader);
}

/* False: out of memory. */
static bool
tokenize_with(JsonReader *reader, const char *data, size_t len, int flags, Parsed *parsed)
{
	if (reader->tokener == NULL)
		reader->tokener = json_tokener_new_ex(JSON_DEPTH);
	if (reader->tokener == NULL)
		return false;
	json_tokener_set_flags(reader->tokener, flags);
	parsed->object = json_tokener_parse_ex(reader->tokener, data, (int) len);
	parsed->error = json_tokener_get_error(reader->tokener);
	parsed->end = json_tokener_get_parse_end(reader->tokener);
	/* what ended in the middle may have left half of a character in it, which json-c gives to the next text */
	if (parsed->error != json_tokener_success || len > KEPT_TEXT)
		forget_tokener(reader);
	else
		json_tokener_reset(reader->tokener);
	return true;
}

static bool
tokenize(JsonReader *reader, const char *data, size_t len, int flags, Parsed *parsed)
{
	JsonReader	own = {NULL};
	bool		done = tokenize_with(reader != NULL ? reader : &own, data, len, flags, parsed);

	forget_tokener(&own);
	return done;
}

/*
 * The strict mode of json-c 0.18 takes every character outside ASCII for a control character.  So what it refuses is
 * judged once more with another letter in the place of each such byte, and read without the strict mode if it is fine.
 */
static bool
tokenize_strictly(JsonReader *reader, const char *data, size_t len, int flags, Parsed *parsed)
{
	bool		ascii = true;
	bool		done;
	char	   *masked;

	if (!tokenize(reader, data, len, JSON_TOKENER_STRICT | flags, parsed))
		return false;
	if (parsed->error == json_tokener_success)
		return true;
	for (size_t i = 0; i < len && ascii; i++)
		ascii = (unsigned char) data[i] < 0x80;
	if (ascii)
		return true;
	masked = malloc(len);
	if (masked == NULL)
		return false;
	for (size_t i = 0; i < len; i++)
		masked[i] = (unsigned char) data[i] < 0x80 ? data[i] : 'x';
	done = tokenize(reader, masked, len, JSON_TOKENER_STRICT, parsed);
	free(masked);
	if (!done || parsed->error != json_tokener_success)
		return done;
	json_object_put(parsed->object);
	return tokenize(reader, data, len, flags, parsed);
}

static json_object *
parse_text(JsonReader *reader, const Text *json, size_t lax_at, int flags, const char *what, Ending ending)
{
	Parsed		parsed;

	if (json->len == 0)
		unusable(ending, "the %s is empty", what);
	else if (json->data[0] != '{')
		unusable(ending, "the %s is not a JSON object", what);
	else if (json->len > INT_MAX)
		unusable(ending, "the %s is too large", what);
	if (ending.reason[0] != '\0')
		return NULL;

	if (!tokenize_strictly(reader, json->data, json->len, flags, &parsed))
	{
		json_end(ending, OUTCOME_TRANSIENT, "out of memory while reading the %s", what);
		return NULL;
	}
	if (parsed.error == json_tokener_continue)
		unusable(ending, "the %s is cut off: its JSON ends too early", what);
	else if (parsed.error == json_tokener_error_depth)
		unusable(ending, "the %s is nested too deeply", what);
	else if (parsed.error != json_tokener_success || parsed.end != json->len)
		unusable(ending, "the %s is not valid JSON, near byte %zu", what, parsed.end);
	else if (lax_at != json->len)
		unusable(ending, "the %s is not valid JSON, near byte %zu", what, lax_at);
	if (ending.reason[0] == '\0')
		return parsed.object;
	json_object_put(parsed.object);
	return NULL;
}

static json_object *
parse_object(JsonReader *reader, const char *data, size_t len, int flags, const char *what, Ending ending)
{
	Text		json = json_trimmed(data, len);
	Laxity		laxity = read_laxity(json.data, json.len, NULL);
	char	   *copy = NULL;
	json_object *object;

	if (laxity.long_integer)
	{
		copy = malloc(json.len);
		if (copy == NULL)
		{
			json_end(ending, OUTCOME_TRANSIENT, "out of memory while reading the %s", what);
			return NULL;
		}
		memcpy(copy, json.data, json.len);
		(void) read_laxity(json.data, json.len, copy);
		json.data = copy;
	}
	object = parse_text(reader, &json, laxity.at, flags, what, ending);
	free(copy);
	return object;
}

json_object *
json_parse_object(JsonReader *reader, const char *data, size_t len, const char *what, Ending ending)
{
	return parse_object(reader, data, len, JSON_TOKENER_VALIDATE_UTF8, what, ending);
}

json_object *
json_parse_object_unclean(const char *data, size_t len, const char *what, Ending ending)
{
	return parse_object(NULL, data, len, 0, what, ending);
}

json_object *
json_member(json_object *object, const char *key)
{
	json_object *value = NULL;

	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, key, &value);
	return value;
}

bool
json_is_text(json_object *value)
{
	return json_object_is_type(value, json_type_string);
}

Text
json_text_of(json_object *value)
{
	return (Text) {json_object_get_string(value), (size_t) json_object_get_string_len(value)};
}

bool
json_number_of(json_object *value, double *number)
{
	if (!json_object_is_type(value, json_type_int) && !json_object_is_type(value, json_type_double))
		return false;
	*number = json_object_get_double(value);
	return true;
}
