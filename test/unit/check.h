/*
 * check.h
 *	  The smallest test harness that speaks TAP: named tests in a table, CHECK() inside them.
 *
 * A program has one source file, includes this once, lists its tests in a CheckTest table and returns
 * check_run_all(tests) from main().  A failed CHECK is reported where it stands and the test goes on, so that one run
 * shows everything that is wrong with it.
 */
#ifndef TRIAGE_TEST_CHECK_H
#define TRIAGE_TEST_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef struct CheckTest
{
	const char *name;			/* the behaviour, e.g. "expired_lease_is_reclaimed" */
	void		(*run) (void);
} CheckTest;

/* an entry whose function carries the name of the behaviour */
#define CHECK_TEST(function) {#function, function}

static int	check_failures;		/* of the test that is running */

static inline bool
check_that(bool condition, const char *text, const char *file, int line)
{
	if (!condition)
	{
		check_failures++;
		printf("# %s:%d: not true: %s\n", file, line, text);
	}
	return condition;
}

static inline bool
check_str(const char *got, const char *want, const char *file, int line)
{
	bool		same = (got == NULL || want == NULL) ? got == want : strcmp(got, want) == 0;

	if (!same)
	{
		check_failures++;
		printf("# %s:%d: got \"%s\", want \"%s\"\n", file, line, got ? got : "(null)", want ? want : "(null)");
	}
	return same;
}

static inline bool
check_int(long long got, long long want, const char *text, const char *file, int line)
{
	if (got != want)
	{
		check_failures++;
		printf("# %s:%d: %s is %lld, want %lld\n", file, line, text, got, want);
	}
	return got == want;
}

static inline bool
check_contains(const char *text, const char *part, bool want, const char *file, int line)
{
	bool		found = text != NULL && strstr(text, part) != NULL;

	if (found != want)
	{
		check_failures++;
		printf("# %s:%d: \"%s\" %s in \"%s\"\n", file, line, part, want ? "is not" : "is", text ? text : "(null)");
	}
	return found == want;
}

/* Each returns whether it held, so that a test can stop where going on would make no sense. */
#define CHECK(condition) check_that((condition), #condition, __FILE__, __LINE__)
#define CHECK_STR(got, want) check_str((got), (want), __FILE__, __LINE__)
#define CHECK_INT(got, want) check_int((got), (want), #got, __FILE__, __LINE__)
#define CHECK_CONTAINS(text, part) check_contains((text), (part), true, __FILE__, __LINE__)
#define CHECK_LACKS(text, part) check_contains((text), (part), false, __FILE__, __LINE__)
/* Says which row of a table a failure belongs to, once per row that failed. */
#define CHECK_ROW(failures_before, ...) \
	do { \
		if (check_failures != (failures_before)) \
		{ \
			printf("#   in row: "); \
			printf(__VA_ARGS__); \
			printf("\n"); \
		} \
	} while (0)

#define check_run_all(tests) check_run((tests), sizeof(tests) / sizeof((tests)[0]))

static inline int
check_run(const CheckTest *tests, size_t count)
{
	size_t		failed = 0;

	printf("1..%zu\n", count);
	for (size_t i = 0; i < count; i++)
	{
		check_failures = 0;
		tests[i].run();
		printf("%sok %zu - %s\n", check_failures > 0 ? "not " : "", i + 1, tests[i].name);
		fflush(stdout);			/* a crash in the next test must not swallow this line */
		failed += check_failures > 0;
	}
	if (failed > 0)
		printf("# %zu of %zu tests failed\n", failed, count);
	return failed > 0 ? 1 : 0;
}

#endif
