/*
 * origin.c
 *	  Which URLs may be called, and which addresses a name may lead to.
 *
 * The reader is stricter than any URL grammar: where two readers of a URL could disagree about its host, this one
 * refuses, so that the host that was allowed is the host that libcurl connects to.  Knows text and bytes only;
 * nothing is resolved.
 */
#include "core/origin.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "core/utf8.h"

#define HOST_NAME_MAX_LEN 253
#define LABEL_MAX_LEN 63

/* A piece of a text that does not end in NUL. */
typedef struct Span
{
	const char *start;
	size_t		len;
} Span;

static bool
refuse(const char **why, const char *words)
{
	if (why != NULL)
		*why = words;
	return false;
}

static bool
allow(const char **why)
{
	if (why != NULL)
		*why = NULL;
	return true;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool
is_name_byte(char c)
{
	/* the underscore is no host name by the letter, but container networks are full of it */
	return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char) (c + ('a' - 'A')) : c;
}

/* Would anybody read this label as a number?  "1", "0x7f", "0x". */
static bool
is_number_label(const char *label, size_t len)
{
	size_t		i = 0;
	bool		hex = len >= 2 && label[0] == '0' && label[1] == 'x';

	if (hex)
		i = 2;
	for (; i < len; i++)
		if (hex ? !is_hex(label[i]) : !is_digit(label[i]))
			return false;
	return len > 0;
}

/* Four decimal numbers without leading zeros: 010.0.0.1 is 8.0.0.1 to one reader and 10.0.0.1 to the next. */
static bool
is_dotted_quad(const char *host)
{
	int			parts = 0;

	while (parts < 4)
	{
		int			value = 0;
		int			digits = 0;

		for (; is_digit(host[digits]); digits++)
		{
			if (digits == 3)
				return false;
			value = value * 10 + (host[digits] - '0');
		}
		if (digits == 0 || value > 255 || (digits > 1 && host[0] == '0'))
			return false;
		host += digits;
		if (++parts < 4 && *host++ != '.')
			return false;
	}
	return *host == '\0';
}

/* host: lower case, no trailing dot. */
static bool
check_name(const char *host, bool had_dot, const char **why)
{
	const char *label = host;
	size_t		len;

	for (;;)
	{
		len = strcspn(label, ".");
		if (len == 0)
			return refuse(why, "the host has an empty part");
		if (len > LABEL_MAX_LEN)
			return refuse(why, "a part of the host is longer than 63 characters");
		if (label[0] == '-' || label[len - 1] == '-')
			return refuse(why, "a part of the host begins or ends with a hyphen");
		for (size_t i = 0; i < len; i++)
			if (!is_name_byte(label[i]))
				return refuse(why, "the host holds a character that host names do not have");
		if (label[len] == '\0')
			break;
		label += len + 1;
	}
	/* whatever ends in a number is read as an IPv4 address by somebody */
	if (is_number_label(label, len) && (had_dot || !is_dotted_quad(host)))
		return refuse(why, "an IPv4 address must be four decimal numbers");
	return true;
}

static bool
read_name(Span text, Origin *origin, const char **why)
{
	bool		had_dot = text.len > 0 && text.start[text.len - 1] == '.';

	if (had_dot)
		text.len--;
	if (text.len == 0)
		return refuse(why, "the host is empty");
	if (text.len > HOST_NAME_MAX_LEN)
		return refuse(why, "the host is longer than 253 characters");
	for (size_t i = 0; i < text.len; i++)
		origin->host[i] = lower(text.start[i]);
	origin->host[text.len] = '\0';
	return check_name(origin->host, had_dot, why);
}

/* text is what stands between the brackets; the host gets its canonical spelling. */
static bool
read_ipv6(Span text, Origin *origin, const char **why)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
	char		literal[INET6_ADDRSTRLEN];
	uint8_t		address[16];

	if (text.len >= sizeof(literal))
		return refuse(why, "the IPv6 address is malformed");
	memcpy(literal, text.start, text.len);
	literal[text.len] = '\0';
	/* a zone such as %eth0 is refused here: it means another network on every machine */
	if (inet_pton(AF_INET6, literal, address) != 1)
		return refuse(why, "the IPv6 address is malformed");
	if (memcmp(address, mapped, sizeof(mapped)) == 0)
		return refuse(why, "an IPv4 address must be four decimal numbers");
	/* cannot fail: the host has room for any name, and that is more than any address needs */
	return inet_ntop(AF_INET6, address, origin->host, sizeof(origin->host)) != NULL;
}

/* ":8080" or nothing. */
static bool
read_port(Span text, Origin *origin, const char **why)
{
	int			port = 0;

	origin->port = origin->https ? 443 : 80;
	if (text.len == 0)
		return true;
	if (text.start[0] != ':')
		return refuse(why, "the host is malformed");
	if (text.len < 2 || text.len > 6 || text.start[1] == '0')
		return refuse(why, "the port must be a number from 1 to 65535");
	for (size_t i = 1; i < text.len; i++)
	{
		if (!is_digit(text.start[i]))
			return refuse(why, "the port must be a number from 1 to 65535");
		port = port * 10 + (text.start[i] - '0');
	}
	if (port > 65535)
		return refuse(why, "the port must be a number from 1 to 65535");
	origin->port = port;
	return true;
}

static bool
read_scheme(const char *url, Origin *origin, size_t *len)
{
	origin->https = strncasecmp(url, "https://", 8) == 0;
	*len = origin->https ? 8 : 7;
	return origin->https || strncasecmp(url, "http://", 7) == 0;
}

/* What may stand nowhere in a URL that is handed on, and what may not stand before its path. */
static bool
check_bytes(const char *url, Span authority, const char **why)
{
	for (const char *p = url; *p != '\0'; p++)
	{
		if ((unsigned char) *p <= ' ' || *p == 0x7F)
			return refuse(why, "the URL holds white space or control characters");
		if (*p == '\\')
			return refuse(why, "the URL holds a backslash");
	}
	for (size_t i = 0; i < authority.len; i++)
	{
		char		c = authority.start[i];

		if (c == '@')
			return refuse(why, "the URL holds a user name or password");
		if (c == '%')
			return refuse(why, "the host holds a percent sign");
		if (c == '?' || c == '#')
			return refuse(why, "the host must be followed by a port, a slash or nothing");
		if ((unsigned char) c >= 0x80)
			return refuse(why, "the host must be written in ASCII");
	}
	return true;
}

/* rest: what follows the origin. */
static bool
read_origin(const char *url, Origin *origin, const char **rest, const char **why)
{
	Span		authority;
	Span		host;
	size_t		scheme_len;
	bool		bracket;

	memset(origin, 0, sizeof(*origin));
	if (!read_scheme(url, origin, &scheme_len))
		return refuse(why, "the URL must begin with https:// or http://");
	authority.start = url + scheme_len;
	/* only a slash ends it: some readers go on over ? and #, so these are refused before the path */
	authority.len = strcspn(authority.start, "/");
	if (!check_bytes(url, authority, why))
		return false;
	*rest = authority.start + authority.len;

	bracket = authority.len > 0 && authority.start[0] == '[';
	host.start = authority.start + bracket;
	host.len = 0;
	while (host.start + host.len < *rest && host.start[host.len] != (bracket ? ']' : ':'))
		host.len++;
	if (bracket && host.start + host.len == *rest)
		return refuse(why, "the IPv6 address is malformed");
	if (!(bracket ? read_ipv6(host, origin, why) : read_name(host, origin, why)))
		return false;

	host.start += host.len + bracket;
	host.len = (size_t) (*rest - host.start);
	return read_port(host, origin, why);
}

bool
origin_parse(const char *url, Origin *origin, const char **why)
{
	const char *rest;

	return read_origin(url, origin, &rest, why) && allow(why);
}

bool
origin_parse_exact(const char *text, Origin *origin, const char **why)
{
	const char *rest;

	if (!read_origin(text, origin, &rest, why))
		return false;
	if (rest[0] != '\0' && strcmp(rest, "/") != 0)
		return refuse(why, "an origin has no path");
	return allow(why);
}

bool
origin_equal(const Origin *a, const Origin *b)
{
	return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool
origin_is_loopback(const Origin *origin)
{
	static const uint8_t loopback[16] = {[15] = 1};
	uint8_t		bytes[16];

	if (inet_pton(AF_INET, origin->host, bytes) == 1)
		return bytes[0] == 127;
	if (inet_pton(AF_INET6, origin->host, bytes) == 1)
		return memcmp(bytes, loopback, sizeof(loopback)) == 0;
	return strcmp(origin->host, "localhost") == 0;
}

/* The entry at the front of a list, trimmed; returns what follows its comma, NULL after the last entry. */
static const char *
next_entry(const char *list, Span *entry)
{
	static const char blanks[] = " \t\r\n";
	size_t		len = strcspn(list, ",");
	const char *rest = list[len] == ',' ? list + len + 1 : NULL;
	size_t		skip = strspn(list, blanks);

	entry->start = list + skip;
	entry->len = len - skip;
	while (entry->len > 0 && strchr(blanks, entry->start[entry->len - 1]) != NULL)
		entry->len--;
	return rest;
}

static bool
read_entry(Span entry, Origin *origin, const char **why)
{
	char		text[ORIGIN_MAX + 1];

	if (entry.len == 0)
		return refuse(why, "the entry is empty");
	if (entry.len > ORIGIN_MAX)
		return refuse(why, "the entry is too long");
	memcpy(text, entry.start, entry.len);
	text[entry.len] = '\0';
	return origin_parse_exact(text, origin, why);
}

static bool
is_blank_list(const char *list)
{
	return list == NULL || list[strspn(list, " \t\r\n")] == '\0';
}

bool
origin_listed(const char *list, const char *url, const char **why)
{
	Origin		wanted;

	if (!origin_parse(url, &wanted, why))
		return false;
	if (is_blank_list(list))
		return refuse(why, "the list of allowed origins is empty");
	while (list != NULL)
	{
		Span		entry;
		Origin		allowed;

		list = next_entry(list, &entry);
		if (read_entry(entry, &allowed, NULL) && origin_equal(&allowed, &wanted))
			return allow(why);
	}
	return refuse(why, "the URL's origin is not among the allowed origins");
}

bool
origin_list_valid(const char *list, char *bad, size_t bad_size, const char **why)
{
	if (bad_size > 0)
		bad[0] = '\0';
	if (is_blank_list(list))
		return allow(why);
	while (list != NULL)
	{
		Span		entry;
		Origin		origin;

		list = next_entry(list, &entry);
		if (read_entry(entry, &origin, why))
			continue;
		if (bad_size > 0)
		{
			size_t		len = utf8_clip(entry.start, entry.len, bad_size - 1);

			memcpy(bad, entry.start, len);
			bad[len] = '\0';
		}
		return false;
	}
	return allow(why);
}

/* ---- addresses ---- */

typedef enum Reach
{
	REACH_ANYWHERE,
	REACH_PRIVATE,				/* loopback and private networks */
	REACH_NEVER
} Reach;

typedef struct Range
{
	uint8_t		prefix[16];
	int			bits;
	Reach		reach;
	const char *why;			/* for REACH_NEVER */
} Range;

static const Range ipv4_ranges[] = {
	{{0}, 8, REACH_NEVER, "the address is unspecified"},
	{{169, 254}, 16, REACH_NEVER, "the address is link-local"},
	{{224}, 4, REACH_NEVER, "the address is multicast"},
	{{255, 255, 255, 255}, 32, REACH_NEVER, "the address is broadcast"},
	{{127}, 8, REACH_PRIVATE, NULL},
	{{10}, 8, REACH_PRIVATE, NULL},
	{{172, 16}, 12, REACH_PRIVATE, NULL},
	{{192, 168}, 16, REACH_PRIVATE, NULL},
};

static const Range ipv6_ranges[] = {
	{{0}, 128, REACH_NEVER, "the address is unspecified"},
	{{0xFE, 0x80}, 10, REACH_NEVER, "the address is link-local"},
	{{0xFF}, 8, REACH_NEVER, "the address is multicast"},
	/* the clouds' instance metadata hides among the private addresses and hands out credentials over plain http */
	{{0xFD, 0x00, 0x0E, 0xC2, [14] = 0x02, [15] = 0x54}, 128, REACH_NEVER, "the address serves cloud metadata"},
	{{0xFD, 0x20, 0x00, 0xCE, [14] = 0x02, [15] = 0x54}, 128, REACH_NEVER, "the address serves cloud metadata"},
	{{[15] = 1}, 128, REACH_PRIVATE, NULL},
	{{0xFC}, 7, REACH_PRIVATE, NULL},
};

/* Where in an IPv6 address the IPv4 address stands that it leads to. */
static const struct
{
	uint8_t		prefix[12];
	int			bits;
	int			at;
}			embeddings[] = {
	{{[10] = 0xFF, [11] = 0xFF}, 96, 12},	/* mapped */
	{{[8] = 0xFF, [9] = 0xFF}, 96, 12}, /* translated */
	{{0x00, 0x64, 0xFF, 0x9B}, 96, 12}, /* NAT64 */
	{{0x00, 0x64, 0xFF, 0x9B, 0x00, 0x01}, 48, 12}, /* NAT64 of one's own network, in its usual /96 form */
	{{0x20, 0x02}, 16, 2},		/* 6to4 */
	{{0}, 96, 12},				/* compatible; :: and ::1 were looked at before */
};

static bool
has_prefix(const uint8_t *address, const uint8_t *prefix, int bits)
{
	int			whole = bits / 8;
	int			rest = bits % 8;

	if (memcmp(address, prefix, (size_t) whole) != 0)
		return false;
	return rest == 0 || ((address[whole] ^ prefix[whole]) >> (8 - rest)) == 0;
}

static const Range *
find_range(const uint8_t *address, const Range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (has_prefix(address, ranges[i].prefix, ranges[i].bits))
			return &ranges[i];
	return NULL;
}

static bool
judge_range(const Range *range, bool https, const char **why)
{
	if (range != NULL && range->reach == REACH_NEVER)
		return refuse(why, range->why);
	if (https || (range != NULL && range->reach == REACH_PRIVATE))
		return allow(why);
	return refuse(why, "without TLS only loopback and private addresses are allowed");
}

bool
origin_address_allowed(const uint8_t *address, size_t len, bool https, const char **why)
{
	const Range *range;

	if (len == 16)
	{
		range = find_range(address, ipv6_ranges, sizeof(ipv6_ranges) / sizeof(ipv6_ranges[0]));
		if (range != NULL)
			return judge_range(range, https, why);
		for (size_t i = 0; len == 16 && i < sizeof(embeddings) / sizeof(embeddings[0]); i++)
		{
			if (!has_prefix(address, embeddings[i].prefix, embeddings[i].bits))
				continue;
			address += embeddings[i].at;
			len = 4;
		}
		if (len == 16)
			return judge_range(NULL, https, why);
	}
	if (len != 4)
		return refuse(why, "the address is neither IPv4 nor IPv6");
	range = find_range(address, ipv4_ranges, sizeof(ipv4_ranges) / sizeof(ipv4_ranges[0]));
	return judge_range(range, https, why);
}
