/*
 * origin.h
 *	  Which URLs may be called, and which addresses a name may lead to.
 *
 * Pure text and bytes: nothing is resolved here.  The network layer asks origin_address_allowed() about the address it
 * is about to connect to, so a name that changes its mind gains nothing.
 */
#ifndef TRIAGE_CORE_ORIGIN_H
#define TRIAGE_CORE_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORIGIN_MAX 300

typedef struct Origin
{
	bool		https;
	char		host[256];		/* lower case; IPv6 without brackets; a name without its trailing dot */
	int			port;
} Origin;

/*
 * Reads scheme://host[:port] from the front of an http(s) URL.  Refuses user info, control characters, white space,
 * an empty host, a port out of range, and host spellings that are numbers in disguise (decimal, octal, hex,
 * short forms): only dotted-quad IPv4, bracketed IPv6 and DNS names pass.  why: static text for people.
 */
extern bool origin_parse(const char *url, Origin *origin, const char **why);
/* As origin_parse, but the text must be an origin and nothing more (an optional single trailing slash is allowed). */
extern bool origin_parse_exact(const char *text, Origin *origin, const char **why);
extern bool origin_equal(const Origin *a, const Origin *b);
/* By its spelling: 127.0.0.0/8, ::1, or the name localhost.  Another name may lead there too. */
extern bool origin_is_loopback(const Origin *origin);
/* Is url's origin one of a comma separated list?  Malformed entries match nothing. */
extern bool origin_listed(const char *list, const char *url, const char **why);
/* First malformed entry of the list into bad (clipped); true when all are well formed.  For the setting's check hook. */
extern bool origin_list_valid(const char *list, char *bad, size_t bad_size, const char **why);

/*
 * address: 4 or 16 bytes in network order.  https: everything but link-local, multicast, unspecified and broadcast
 * (the certificate is verified).  http: loopback and private only (127/8, 10/8, 172.16/12, 192.168/16, 100.64/10 is
 * NOT private; ::1, fc00::/7).  IPv4 inside IPv6 (mapped, NAT64, 6to4, compatible) is judged as the IPv4 it reaches.
 */
extern bool origin_address_allowed(const uint8_t *address, size_t len, bool https, const char **why);

#endif
