/*
 * encoding.c
 *	  From UTF-8, which core and net speak, to the server's encoding, and back.
 *
 * Nobody here wrote what a model answers or a source sends: one dash that the server has no character for must not
 * refuse an answer that was paid for, or stop a stream for good.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "core/utf8.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "pg/encoding.h"

/* Bytes converted at a time: all of a page would take four times its size. */
#define CONVERSION_PART 65536

/* What typography has beside ASCII, and models and our own drafts like; in characters that end no string of JSON. */
static const struct
{
	pg_wchar	character;
	const char *plain;
}			typography[] = {
	{0x2013, "-"}, {0x2014, "-"}, {0x2018, "'"}, {0x2019, "'"}, {0x201C, "'"}, {0x201D, "'"}, {0x201E, "'"}, {0x2026, "..."},
};

static const char *
in_ascii(const char *utf8, int len)
{
	pg_wchar	character = pg_utf_mblen((const unsigned char *) utf8) <= len ? utf8_to_unicode((const unsigned char *) utf8) : 0;

	for (int i = 0; i < (int) lengthof(typography); i++)
		if (typography[i].character == character)
			return typography[i].plain;
	return "?";
}

/* As much as the server's encoding has characters for; returns how many bytes of it that was. */
static int
convert_front(Oid proc, const char *utf8, int len, StringInfo out)
{
	int			part = Min(len, CONVERSION_PART);
	int			done;

	enlargeStringInfo(out, part * MAX_CONVERSION_GROWTH + 1);
	done = pg_do_encoding_conversion_buf(proc, PG_UTF8, GetDatabaseEncoding(), (unsigned char *) utf8, part,
										 (unsigned char *) out->data + out->len, part * MAX_CONVERSION_GROWTH + 1, true);
	out->len += (int) strlen(out->data + out->len);
	return done;
}

char *
encoding_from_utf8(const char *utf8, size_t length)
{
	int			len = (int) length;
	int			encoding = GetDatabaseEncoding();
	StringInfoData out;
	Oid			proc;

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return pg_any_to_server(utf8, len, PG_UTF8);
	proc = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(proc))
		return pg_any_to_server(utf8, len, PG_UTF8);
	initStringInfo(&out);
	while (len > 0)
	{
		int			done = convert_front(proc, utf8, len, &out);

		if (done == 0)
		{
			appendStringInfoString(&out, in_ascii(utf8, len));
			done = Min(pg_utf_mblen((const unsigned char *) utf8), len);
		}
		utf8 += done;
		len -= done;
	}
	return out.data;
}

/* A database in SQL_ASCII takes any bytes; one ticket with some that are no text must not stop who claims it with others. */
char *
encoding_to_utf8(char *text)
{
	size_t		len = strlen(text);
	size_t		taken;

	if (GetDatabaseEncoding() != PG_SQL_ASCII)
		return pg_server_to_any(text, (int) len, PG_UTF8);
	for (size_t at = 0; at < len; at += Max(taken, 1))
	{
		taken = utf8_sequence(text + at, len - at);
		if (taken == 0)
			text[at] = '?';
	}
	return text;
}

void
encoding_keep_ascii(char *text)
{
	for (; *text; text++)
		if (IS_HIGHBIT_SET(*text))
			*text = '?';
}
