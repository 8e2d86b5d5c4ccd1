/*
 * reason.c
 *	  Words of a stranger -> one line that may be stored, logged and shown.
 *
 * Decides what is blank, what is too long and what looks like a key; knows nothing of who said it or why.  When in
 * doubt a word is a key: a model's name lost from a message is a nuisance, a key in a table is an incident.
 */
#include "core/reason.h"

#include <string.h>
#include <strings.h>

#include "core/utf8.h"

#define REDACTED "[redacted]"
/* A run of letters and digits this long is taken for a key; a shorter one only behind a word that announces a key. */
#define KEY_LENGTH_MIN 20

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_token(char c)
{
	return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '*';
}

/* Line breaks, controls and what reorders a line on a screen: a message must not forge a log. */
static bool
is_blank_sequence(const char *text, size_t len)
{
	const unsigned char *b = (const unsigned char *) text;

	if (len == 1)
		return b[0] <= ' ' || b[0] == 0x7F;
	if (len == 2)
		return b[0] == 0xC2 && b[1] < 0xA0; /* C1 controls */
	if (len == 3 && b[0] == 0xE2)
		return (b[1] == 0x80 && b[2] >= 0xA8 && b[2] <= 0xAE) ||	/* separators, U+202A..2E */
			(b[1] == 0x81 && b[2] >= 0xA6 && b[2] <= 0xA9); /* U+2066..2069 */
	return false;
}

void
reason_clean(char *out, size_t size, const char *text, size_t len)
{
	size_t		used = 0;

	while (len > 0)
	{
		size_t		step = utf8_sequence(text, len);
		bool		blank = step > 0 && is_blank_sequence(text, step);
		const char *from = step == 0 ? "\xEF\xBF\xBD" : blank ? " " : text;
		size_t		need = step == 0 ? 3 : blank ? 1 : step;

		if (step == 0)
			step = 1;
		text += step;
		len -= step;
		if (blank && (used == 0 || out[used - 1] == ' '))
			continue;
		if (used + need >= size)
		{
			while (used > 0 && (is_token(out[used - 1]) || strchr("./+=~", out[used - 1]) != NULL))
				used--;
			break;
		}
		memcpy(out + used, from, need);
		used += need;
	}
	while (used > 0 && out[used - 1] == ' ')
		used--;
	out[used] = '\0';
}

bool
reason_append(char *out, const char *text, size_t len)
{
	size_t		used = strlen(out);
	size_t		part = utf8_clip(text, len, REASON_MAX - 1 - used);

	memcpy(out + used, text, part);
	out[used + part] = '\0';
	return part == len;
}

static size_t
run_length(const char *p)
{
	size_t		len = 0;

	while (is_token(p[len]))
		len++;
	return len;
}

static bool
run_ends_with(const char *run, size_t len, const char *word)
{
	size_t		word_len = strlen(word);

	return len >= word_len && strncasecmp(run + len - word_len, word, word_len) == 0;
}

/* A key goes on over the characters that join its parts: header.payload.signature, base64. */
static size_t
key_length(const char *p)
{
	size_t		len = strcspn(p, " \"'`,;()<>{}[]");

	while (len > 1 && strchr(".:!?", p[len - 1]) != NULL)
		len--;
	return len;
}

static const char *
skip_word(const char *p, const char *word)
{
	return strncasecmp(p, word, strlen(word)) == 0 ? p + strlen(word) : p;
}

/*
 * Where the value begins that a word announces: X-Api-Key: v, "api_key":"v", API key provided: v, Bearer v.
 * NULL when the run announces nothing.
 */
static const char *
announced_value(const char *run, size_t len)
{
	static const char *const words[] = {"key", "authorization", "secret", "token", "password"};
	static const char quotes[] = " '\"`\\";
	const char *p = run + len;
	bool		bearer = run_ends_with(run, len, "bearer");
	bool		known = bearer;

	for (size_t i = 0; !known && i < sizeof(words) / sizeof(words[0]); i++)
		known = run_ends_with(run, len, words[i]);
	if (!known)
		return NULL;
	p = skip_word(p, " provided");
	p += strspn(p, quotes);
	if (*p == ':' || *p == '=')
		p += 1 + strspn(p + 1, quotes);
	else if (!bearer)
		return NULL;
	p = skip_word(skip_word(p, "bearer "), "basic ");
	return key_length(p) > 0 ? p : NULL;
}

/* sk-..., also behind a mark: **sk-...** */
static bool
has_key_prefix(const char *run, size_t len)
{
	static const char *const prefixes[] = {"sk-", "sk_", "gsk_", "pk-", "xai-", "hf_", "AIza", "nvapi-"};

	for (size_t at = 0; at < len; at++)
	{
		if (at > 0 && (is_letter(run[at - 1]) || is_digit(run[at - 1])))
			continue;
		for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
			if (strncmp(run + at, prefixes[i], strlen(prefixes[i])) == 0)
				return true;
	}
	return false;
}

static bool
looks_like_key(const char *run, size_t len)
{
	bool		letter = false;
	bool		digit = false;
	bool		masked = false;

	for (size_t i = 0; i < len; i++)
	{
		letter = letter || is_letter(run[i]);
		digit = digit || is_digit(run[i]);
		/* a masked key still shows its ends */
		masked = masked || (i >= 2 && run[i] == '*' && run[i - 1] == '*' && run[i - 2] == '*');
	}
	return masked || (len >= KEY_LENGTH_MIN && letter && digit) || has_key_prefix(run, len);
}

static bool
append_run(char *out, const char *run, size_t len)
{
	if (looks_like_key(run, len))
		return reason_append(out, REDACTED, strlen(REDACTED));
	return reason_append(out, run, len);
}

void
reason_append_redacted(char *out, const char *text)
{
	bool		fits = true;

	while (fits && *text != '\0')
	{
		size_t		run = run_length(text);
		const char *value = announced_value(text, run);
		size_t		step = run;

		if (run == 0)
		{
			step = utf8_sequence(text, strlen(text));
			fits = reason_append(out, text, step);
		}
		else
		{
			fits = append_run(out, text, run);
			if (value == NULL && looks_like_key(text, run))
				step = key_length(text);
		}
		if (fits && value != NULL)
		{
			step = (size_t) (value - text) + key_length(value);
			fits = reason_append(out, text + run, (size_t) (value - text) - run) &&
				reason_append(out, REDACTED, strlen(REDACTED));
		}
		text += step;
	}
}
