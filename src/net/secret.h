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
#include <stdint.h>

#define SECRET_MAX 8192

/* Tells one state of a file from another: it was replaced, written, or its mode or owner changed.  Zeroed: no such file. */
typedef struct SecretStamp
{
	uint64_t	device;
	uint64_t	inode;
	uint64_t	owner_and_mode;	/* a change soon after the file was made leaves its coarse times as they were */
	int64_t		size;
	int64_t		modified_ns;
	int64_t		changed_ns;
} SecretStamp;

/* value: SECRET_MAX + 1 bytes; wiped on failure.  why: message for people that never holds the contents. */
extern bool secret_read(const char *directory, const char *name, char *value, char *why, size_t why_size);
/* What the file looks like now, found as secret_read() finds it and not read. */
extern void secret_look(const char *directory, const char *name, SecretStamp *stamp);
extern void secret_wipe(char *value, size_t size);

#endif
