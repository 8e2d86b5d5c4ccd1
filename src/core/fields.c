/*
 * fields.c
 *	  The fields of an answer, described once: for the request's JSON schema and for the check of what comes back.
 *
 * Knows no kind of job.  Lengths are in characters, since that is how the tables count.
 */
#include "core/fields.h"

#include <stdio.h>
#include <string.h>

#include "core/fields_read.h"
#include "core/utf8.h"

/* How much of a model's own words a reason quotes, in bytes. */
#define LABEL_SHOWN 80
/* "issues[12]." before the name of a field in a list */
#define PREFIX_MAX 80
/* Numbers are stored with four decimals: an exact decimal, whatever the locale. */
#define DECIMALS 4
#define DECIMAL_FACTOR 10000

#define unusable(ending, ...) json_end((ending), OUTCOME_UNUSABLE_ANSWER, __VA_ARGS__)

static const char *const type_names[FIELD_TYPES] = {
	[FIELD_TEXT] = "string",
	[FIELD_LABEL] = "string",
	[FIELD_SCALE] = "integer",
	[FIELD_NUMBER] = "number",
	[FIELD_FLAG] = "boolean",
	[FIELD_TEXTS] = "array",
	[FIELD_OBJECTS] = "array",
};

static const char *
field_label(const Field *field, int i)
{
	return *(const char *const *) ((const char *) field->labels + (size_t) i * field->label_stride);
}

static void
add_enum(Buf *out, const Field *field)
{
	buf_puts(out, ",\"enum\":[");
	if (field->type == FIELD_SCALE)
		for (int i = field->min; i <= field->max; i++)
			buf_printf(out, "%s%d", i > field->min ? "," : "", i);
	else
		for (int i = 0; i < field->label_count; i++)
		{
			const char *label = field_label(field, i);

			buf_puts(out, i > 0 ? "," : "");
			buf_json(out, label, strlen(label));
		}
	buf_puts(out, "]");
}

void
fields_schema(Buf *out, const Field *fields, int count)
{
	buf_puts(out, "{\"type\":\"object\",\"properties\":{");
	for (int i = 0; i < count; i++)
	{
		const Field *field = &fields[i];

		buf_printf(out, "%s\"%s\":{\"type\":\"%s\"", i > 0 ? "," : "", field->name, type_names[field->type]);
		if (field->type == FIELD_LABEL || field->type == FIELD_SCALE)
			add_enum(out, field);
		else if (field->type == FIELD_TEXTS)
			buf_puts(out, ",\"items\":{\"type\":\"string\"}");
		else if (field->type == FIELD_OBJECTS)
		{
			buf_puts(out, ",\"items\":");
			fields_schema(out, field->fields, field->field_count);
		}
		buf_puts(out, ",\"description\":");
		buf_json(out, field->description, strlen(field->description));
		buf_puts(out, "}");
	}
	buf_puts(out, "},\"required\":[");
	for (int i = 0; i < count; i++)
		buf_printf(out, "%s\"%s\"", i > 0 ? "," : "", fields[i].name);
	buf_puts(out, "],\"additionalProperties\":false}");
}

static bool
text_equals(const Text *text, const char *want)
{
	return text->len == strlen(want) && memcmp(text->data, want, text->len) == 0;
}

static bool
is_blank(const Text *text)
{
	return json_trimmed(text->data, text->len).len == 0;
}

/* A string that the server can store. */
static bool
read_text(json_object *value, const char *prefix, const char *name, Text *text, Ending ending)
{
	if (!json_is_text(value))
		return unusable(ending, "the answer's %s%s is not a string", prefix, name);
	*text = json_text_of(value);
	if (memchr(text->data, '\0', text->len) != NULL)
		return unusable(ending, "the answer's %s%s contains a NUL character", prefix, name);
	if (!utf8_valid(text->data, text->len))
		return unusable(ending, "the answer's %s%s is not valid UTF-8", prefix, name);
	return true;
}

static bool
check_length(const Text *text, const char *prefix, const char *name, int max, Ending ending)
{
	/* no text has more characters than bytes */
	if (text->len > (size_t) max && utf8_length(text->data, text->len) > (size_t) max)
		return unusable(ending, "the answer's %s%s is longer than %d characters", prefix, name, max);
	return true;
}

/* A text of nothing but white space is as good as none. */
static bool
read_prose(json_object *value, const char *prefix, const Field *field, FieldValue *read, Ending ending)
{
	if (!read_text(value, prefix, field->name, &read->text, ending) ||
		!check_length(&read->text, prefix, field->name, field->max, ending))
		return false;
	read->given = !is_blank(&read->text);
	if (field->required && !read->given)
		return unusable(ending, "the answer's %s%s is blank", prefix, field->name);
	return true;
}

static bool
read_label(json_object *value, const char *prefix, const Field *field, FieldValue *read, Ending ending)
{
	const Text *text = &read->text;

	if (!read_text(value, prefix, field->name, &read->text, ending))
		return false;
	for (int i = 0; i < field->label_count; i++)
	{
		if (!text_equals(text, field_label(field, i)))
			continue;
		read->label = i;
		read->given = true;
		return true;
	}
	if (!field->required && is_blank(text))
		return true;
	return unusable(ending, "the answer's %s%s is unknown: \"%.*s%s\"", prefix, field->name,
					(int) utf8_clip(text->data, text->len, LABEL_SHOWN), text->data,
					text->len > LABEL_SHOWN ? "..." : "");
}

static bool
read_number(json_object *value, const char *prefix, const Field *field, FieldValue *read, Ending ending)
{
	if (!json_number_of(value, &read->number))
		return unusable(ending, "the answer's %s%s is not a number", prefix, field->name);
	/* so put that NaN is outside, too */
	if (!(read->number >= field->min && read->number <= field->max))
		return unusable(ending, "the answer's %s%s is not from %d to %d", prefix, field->name, field->min, field->max);
	if (field->type == FIELD_SCALE && read->number != (int) read->number)
		return unusable(ending, "the answer's %s%s is not a whole number", prefix, field->name);
	read->given = true;
	return true;
}

static bool
read_flag(json_object *value, const char *prefix, const Field *field, FieldValue *read, Ending ending)
{
	if (!json_object_is_type(value, json_type_boolean))
		return unusable(ending, "the answer's %s%s is neither true nor false", prefix, field->name);
	read->flag = json_object_get_boolean(value);
	read->given = true;
	return true;
}

/* Of items with the same number the first counts; seen has a bit for each number of the few that there are. */
static bool
is_repeated(const Field *fields, int count, const FieldValue *values, uint64_t *seen)
{
	for (int i = 0; i < count; i++)
	{
		uint64_t	bit;

		if (!fields[i].distinct || !values[i].given)
			continue;
		bit = UINT64_C(1) << ((int) values[i].number - fields[i].min);
		if (*seen & bit)
			return true;
		*seen |= bit;
	}
	return false;
}

static bool read_object(json_object *object, const char *prefix, const Field *fields, int count, FieldValue *values,
						Ending ending);

static bool
read_items(json_object *list, const char *prefix, const Field *field, int *count, Ending ending)
{
	size_t		items = json_object_array_length(list);
	uint64_t	seen = 0;

	*count = 0;
	for (size_t i = 0; i < items; i++)
	{
		json_object *item = json_object_array_get_idx(list, i);
		char		name[PREFIX_MAX];
		FieldValue	values[FIELDS_MAX];
		Text		text = {NULL, 0};

		snprintf(name, sizeof(name), "%s[%zu]%s", field->name, i, field->type == FIELD_OBJECTS ? "." : "");
		if (field->type == FIELD_OBJECTS)
		{
			if (!json_object_is_type(item, json_type_object))
				return unusable(ending, "the answer's %s%s[%zu] is not an object", prefix, field->name, i);
			if (!read_object(item, name, field->fields, field->field_count, values, ending))
				return false;
			*count += !is_repeated(field->fields, field->field_count, values, &seen);
			continue;
		}
		if (!read_text(item, prefix, name, &text, ending) || !check_length(&text, prefix, name, field->max, ending))
			return false;
		*count += !is_blank(&text);
	}
	return true;
}

static bool
read_list(json_object *value, const char *prefix, const Field *field, FieldValue *read, Ending ending)
{
	int			count;

	if (!json_object_is_type(value, json_type_array))
		return unusable(ending, "the answer's %s%s is not an array", prefix, field->name);
	if (!read_items(value, prefix, field, &count, ending))
		return false;
	if (count > field->max_items)
		return unusable(ending, "the answer's %s%s has more than %d items", prefix, field->name, field->max_items);
	read->list = value;
	read->given = true;
	return true;
}

typedef bool (*ReadValue) (json_object *value, const char *prefix, const Field *field, FieldValue *read, Ending ending);

static const ReadValue readers[FIELD_TYPES] = {
	[FIELD_TEXT] = read_prose,
	[FIELD_LABEL] = read_label,
	[FIELD_SCALE] = read_number,
	[FIELD_NUMBER] = read_number,
	[FIELD_FLAG] = read_flag,
	[FIELD_TEXTS] = read_list,
	[FIELD_OBJECTS] = read_list,
};

static bool
read_object(json_object *object, const char *prefix, const Field *fields, int count, FieldValue *values, Ending ending)
{
	memset(values, 0, (size_t) count * sizeof(FieldValue));
	for (int i = 0; i < count; i++)
	{
		json_object *value = json_member(object, fields[i].name);

		if (value == NULL && fields[i].required)
			return unusable(ending, "the answer has no %s%s", prefix, fields[i].name);
		if (value != NULL && !readers[fields[i].type] (value, prefix, &fields[i], &values[i], ending))
			return false;
	}
	return true;
}

bool
fields_read(json_object *object, const Field *fields, int count, FieldValue *values, Ending ending)
{
	return read_object(object, "", fields, count, values, ending);
}

static void
add_number(Buf *out, double number)
{
	long long	scaled = (long long) (number * DECIMAL_FACTOR + (number < 0 ? -0.5 : 0.5));
	long long	size = scaled < 0 ? -scaled : scaled;
	char		digits[DECIMALS + 1];
	int			len = DECIMALS;

	snprintf(digits, sizeof(digits), "%0*d", DECIMALS, (int) (size % DECIMAL_FACTOR));
	while (len > 0 && digits[len - 1] == '0')
		len--;
	buf_printf(out, "%s%lld%s%.*s", scaled < 0 ? "-" : "", size / DECIMAL_FACTOR, len > 0 ? "." : "", len, digits);
}

static void add_object(Buf *out, const Field *fields, int count, const FieldValue *values);

static void
add_list(Buf *out, const Field *field, json_object *list)
{
	size_t		items = json_object_array_length(list);
	bool		first = true;
	uint64_t	seen = 0;

	buf_puts(out, "[");
	for (size_t i = 0; i < items; i++)
	{
		json_object *item = json_object_array_get_idx(list, i);
		FieldValue	values[FIELDS_MAX];
		char		unread[REASON_MAX];
		RunOutcome	outcome;
		Text		text = {NULL, 0};

		if (field->type == FIELD_TEXTS)
		{
			text = json_text_of(item);
			if (is_blank(&text))
				continue;
		}
		else if (!read_object(item, "", field->fields, field->field_count, values, (Ending) {&outcome, unread}) ||
				 is_repeated(field->fields, field->field_count, values, &seen))
			continue;
		buf_puts(out, first ? "" : ",");
		first = false;
		if (field->type == FIELD_TEXTS)
			buf_json(out, text.data, text.len);
		else
			add_object(out, field->fields, field->field_count, values);
	}
	buf_puts(out, "]");
}

static void
add_value(Buf *out, const Field *field, const FieldValue *value)
{
	switch (field->type)
	{
		case FIELD_TEXT:
		case FIELD_LABEL:
			buf_json(out, value->text.data, value->text.len);
			break;
		case FIELD_SCALE:
			buf_printf(out, "%d", (int) value->number);
			break;
		case FIELD_NUMBER:
			add_number(out, value->number);
			break;
		case FIELD_FLAG:
			buf_puts(out, value->flag ? "true" : "false");
			break;
		case FIELD_TEXTS:
		case FIELD_OBJECTS:
			add_list(out, field, value->list);
			break;
	}
}

static void
add_object(Buf *out, const Field *fields, int count, const FieldValue *values)
{
	bool		first = true;

	buf_puts(out, "{");
	for (int i = 0; i < count; i++)
	{
		if (!values[i].given)
			continue;
		buf_printf(out, "%s\"%s\":", first ? "" : ",", fields[i].name);
		add_value(out, &fields[i], &values[i]);
		first = false;
	}
	buf_puts(out, "}");
}

bool
fields_normalise(Buf *out, json_object *object, const Field *fields, int count, Ending ending)
{
	FieldValue	values[FIELDS_MAX];

	if (!fields_read(object, fields, count, values, ending))
		return false;
	add_object(out, fields, count, values);
	return !out->failed || json_end(ending, OUTCOME_TRANSIENT, "out of memory while reading the answer");
}
