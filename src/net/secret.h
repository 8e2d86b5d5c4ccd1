/*
 * secret.h
 *	  Reads a provider's key from a file beneath one directory.
 *
 * Opened with openat2(RESOLVE_BENEATH), so that a name cannot lead out of the directory while the symbolic links
 * that Kubernetes itself makes inside it work; non-blocking, regular files only, at most 8 kB, mode 0600 or stricter
 * when owned by this user, 0640 or stricter when owned by root.  Trailing white space is dropped; what remains must
 * be printable ASCII without spaces, because it goes into a header.
 */
#ifndef TRIAGE_NET_SECRET_H
#define TRIAGE_NET_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#define SECRET_MAX 8192

/* value: SECRET_MAX + 1 bytes; wiped on failure.  why: message for people that never holds the contents. */
extern bool secret_read(const char *directory, const char *name, char *value, char *why, size_t why_size);
extern void secret_wipe(char *value, size_t size);

#endif
