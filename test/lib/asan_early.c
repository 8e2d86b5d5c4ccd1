/*
 * asan_early.c
 *	  Preloaded beside AddressSanitizer's runtime into a server that was not built for it.
 *
 * Debian's postgres is linked with libgpg-error (by way of libldap), whose constructor runs before any other and calls
 * bindtextdomain().  That takes the C library's lock on message catalogs and then calls malloc(), which is what starts
 * AddressSanitizer: its start looks for swift_demangle(), and when there is none it fetches the loader's error message,
 * which asks for that lock again.  The lock is broken from then on, and main() waits for it for ever.  So there is one.
 */
#include <stddef.h>

extern char *swift_demangle(const char *name, size_t len, char *out, size_t *out_len, unsigned flags);

char *
swift_demangle(const char *name, size_t len, char *out, size_t *out_len, unsigned flags)
{
	(void) name;
	(void) len;
	(void) out;
	(void) out_len;
	(void) flags;
	return NULL;
}
