/*
 * clock_offset.c
 *	  Preloaded into a server: its time of day is the real one and as many seconds as the file CLOCK_OFFSET holds.
 *
 * libfaketime cannot do it: what the postmaster starts from a signal handler, which interrupts its select(), keeps the
 * real time for good.  The file holds one int64_t, and is mapped, so that a change counts at once in every process.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

extern int	gettimeofday(struct timeval *restrict tv, void *restrict tz);

static const volatile int64_t *offset;
static int	(*real_gettimeofday) (struct timeval *, void *);

__attribute__((constructor)) static void
map_offset(void)
{
	const char *path = getenv("CLOCK_OFFSET");
	int			fd = path ? open(path, O_RDONLY) : -1;
	void	   *mapped = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*offset), PROT_READ, MAP_SHARED, fd, 0);

	if (fd >= 0)
		close(fd);
	*(void **) &real_gettimeofday = dlsym(RTLD_NEXT, "gettimeofday");
	if (mapped == MAP_FAILED || real_gettimeofday == NULL)
		abort();
	offset = mapped;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	int			rc = real_gettimeofday(tv, tz);

	tv->tv_sec += (time_t) *offset;
	return rc;
}

time_t
time(time_t *result)
{
	struct timeval tv;

	gettimeofday(&tv, NULL);
	if (result)
		*result = tv.tv_sec;
	return tv.tv_sec;
}
