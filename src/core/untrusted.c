/*
 * untrusted.c
 *	  A stranger's text on its way into a request: nothing in it ends the place where it stands or changes the speaker.
 *
 * Knows neither tickets nor conversations; what is around the text is the caller's.
 */
#include "core/untrusted.h"

#include <limits.h>

#include "core/utf8.h"

/*
 * What chat templates use to tell one speaker from the next.  "<|" begins a whole family ("<|im_start|>", ...), and
 * so does its look-alike with a full-width bar.
 */
static const char *const control_tokens[] = {
	"<|", "<\xEF\xBD\x9C",
	"[INST]", "[/INST]", "<<SYS>>", "<</SYS>>",
	"<s>", "</s>", "<bos>", "<eos>",
	"<start_of_turn>", "<end_of_turn>",
	"[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]",
	"[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]",
	"<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>",
};

#define CONTROL_TOKEN_COUNT (sizeof(control_tokens) / sizeof(control_tokens[0]))

/* Of ASCII only: a server's locale must not change what a token is. */
static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c;
}

/* token has at least one character */
static bool
starts_with(const char *text, size_t len, const char *token)
{
	size_t		i = 0;

	while (token[i] != '\0' && i < len && lower(text[i]) == lower(token[i]))
		i++;
	return token[i] == '\0';
}

static bool
starts_token(const char *text, size_t len, const char *boundary)
{
	if (lower(*text) == lower(*boundary) && starts_with(text, len, boundary))
		return true;
	if (*text != '<' && *text != '[')
		return false;
	for (size_t i = 0; i < CONTROL_TOKEN_COUNT; i++)
		if (starts_with(text, len, control_tokens[i]))
			return true;
	return false;
}

/*
 * No token holds a space, so none can come about by putting one in; and the scan goes on with the token's second
 * character, so none can hide in another.
 */
void
untrusted_add(Buf *out, const char *text, size_t len, const char *boundary)
{
	/* what a token may begin with: nearly every character of a ticket does not */
	bool		begins[UCHAR_MAX + 1] = {['<'] = true, ['['] = true};
	size_t		done = 0;

	begins[(unsigned char) lower(*boundary)] = true;
	begins[(unsigned char) upper(*boundary)] = true;
	for (size_t i = 0; i < len; i++)
	{
		if (!begins[(unsigned char) text[i]] || !starts_token(text + i, len - i, boundary))
			continue;
		buf_add(out, text + done, i + 1 - done);
		buf_puts(out, " ");
		done = i + 1;
	}
	buf_add(out, text + done, len - done);
}

/* First byte at or after at that starts a character. */
static size_t
next_character(const char *text, size_t len, size_t at)
{
	while (at < len && ((unsigned char) text[at] & 0xC0) == 0x80)
		at++;
	return at;
}

void
untrusted_add_clipped(Buf *out, const char *text, size_t len, size_t max, const char *boundary)
{
	/* the last message of a thread often stands at the end */
	size_t		wanted_tail = max / 3;
	size_t		head;
	size_t		tail;

	if (len <= max)
	{
		untrusted_add(out, text, len, boundary);
		return;
	}
	head = utf8_clip(text, len, max - wanted_tail);
	tail = next_character(text, len, len - wanted_tail);
	untrusted_add(out, text, head, boundary);
	buf_printf(out, "\n[... %zu characters left out here ...]\n", utf8_length(text + head, tail - head));
	untrusted_add(out, text + tail, len - tail, boundary);
}
