/*
 * test_bucket.c
 *	  Token buckets: what a minute lets through, debts, clocks that jump, and what response headers say.
 */
#include "core/bucket.h"

#include "check.h"

#define S INT64_C(1000)
#define T0 INT64_C(1000000)

/* Takes ones as fast as allowed from `from` until `to`; returns how many. */
static int
drain(Bucket *bucket, int limit, int64_t from, int64_t to)
{
	int			taken = 0;

	for (int64_t now = from; now < to;)
	{
		int64_t		wait = bucket_wait_ms(bucket, limit, 1, now);

		if (wait > 0)
		{
			now += wait;
			continue;
		}
		bucket_take(bucket, limit, 1, now);
		taken++;
	}
	return taken;
}

typedef struct LimitRow
{
	int			limit;
	int			burst;
} LimitRow;

static const LimitRow limit_rows[] = {{1, 1}, {6, 1}, {12, 1}, {24, 2}, {60, 5}, {600, 50}, {6000, 500}};

static void
no_minute_sees_more_than_the_limit_and_the_burst(void)
{
	for (size_t i = 0; i < sizeof(limit_rows) / sizeof(limit_rows[0]); i++)
	{
		Bucket		bucket = {0};
		int			before = check_failures;

		CHECK_INT(bucket_room(&bucket, limit_rows[i].limit, T0), limit_rows[i].burst);
		CHECK_INT(drain(&bucket, limit_rows[i].limit, T0, T0 + 1), limit_rows[i].burst);
		CHECK_INT(bucket_room(&bucket, limit_rows[i].limit, T0), 0);
		/* nothing lost either: what a whole minute lets through after the burst is the limit, but for the last */
		CHECK(drain(&bucket, limit_rows[i].limit, T0 + 1, T0 + 60 * S) >= limit_rows[i].limit * 99 / 100 - 1);
		CHECK(drain(&bucket, limit_rows[i].limit, T0 + 60 * S, T0 + 120 * S) <= limit_rows[i].limit);
		/* an hour's rest fills it to the burst and no further */
		CHECK_INT(drain(&bucket, limit_rows[i].limit, T0 + 4000 * S, T0 + 4000 * S + 1), limit_rows[i].burst);
		CHECK_ROW(before, "limit %d", limit_rows[i].limit);
	}
}

static void
no_limit_never_waits(void)
{
	Bucket		bucket = {0};

	for (int i = 0; i < 1000; i++)
	{
		CHECK_INT(bucket_wait_ms(&bucket, 0, 1000000, T0), 0);
		bucket_take(&bucket, 0, 1000000, T0);
	}
	CHECK(bucket_room(&bucket, 0, T0) > 1000000000);
	bucket_refund(&bucket, 0, 5);
	/* and has taken nothing from those who have one */
	CHECK_INT(bucket_room(&bucket, 60, T0), 5);
}

static void
the_wait_is_long_enough_and_not_longer(void)
{
	Bucket		bucket = {0};
	int64_t		wait;

	drain(&bucket, 60, T0, T0 + 1);
	wait = bucket_wait_ms(&bucket, 60, 1, T0);
	CHECK(wait >= 1000 && wait <= 1001);
	CHECK(bucket_wait_ms(&bucket, 60, 1, T0 + wait - 2) > 0);
	CHECK_INT(bucket_wait_ms(&bucket, 60, 1, T0 + wait), 0);
}

static void
what_is_larger_than_the_burst_goes_when_it_is_full_and_is_paid_back(void)
{
	Bucket		bucket = {0};

	/* 6000 a minute: a burst of 500 */
	CHECK_INT(bucket_wait_ms(&bucket, 6000, 800, T0), 0);
	bucket_take(&bucket, 6000, 800, T0);
	CHECK_INT(bucket_room(&bucket, 6000, T0), 0);
	/* from -300 to 500, a hundred a second */
	CHECK(bucket_wait_ms(&bucket, 6000, 800, T0) >= 8000);
	CHECK(bucket_wait_ms(&bucket, 6000, 800, T0) <= 8001);
	CHECK(bucket_wait_ms(&bucket, 6000, 100, T0) <= 4001);
}

static void
what_was_taken_too_much_is_given_back(void)
{
	Bucket		bucket = {0};

	bucket_take(&bucket, 6000, 400, T0);
	CHECK_INT(bucket_room(&bucket, 6000, T0), 100);
	bucket_refund(&bucket, 6000, 300);
	CHECK_INT(bucket_room(&bucket, 6000, T0), 400);
	bucket_refund(&bucket, 6000, -450);
	CHECK_INT(bucket_room(&bucket, 6000, T0), 0);
	CHECK(bucket_wait_ms(&bucket, 6000, 1, T0) > 0);
	bucket_refund(&bucket, 6000, 100000);
	CHECK_INT(bucket_room(&bucket, 6000, T0), 500);
}

static void
a_clock_that_is_set_back_grants_nothing(void)
{
	Bucket		bucket = {0};

	drain(&bucket, 60, T0, T0 + 1);
	CHECK_INT(bucket_room(&bucket, 60, T0 - 500 * S), 0);
	bucket_take(&bucket, 60, 1, T0 - 500 * S);
	CHECK(bucket_wait_ms(&bucket, 60, 1, T0 - 500 * S) > 1000);
	CHECK_INT(bucket_wait_ms(&bucket, 60, 1, T0 - 497 * S), 0);
}

/* An hour back: the wait must be over when it said, not an hour later. */
static void
a_clock_that_is_set_back_stops_nothing(void)
{
	Bucket		bucket = {0};
	int64_t		back = T0 + 4000 * S - 3600 * S;

	drain(&bucket, 60, T0 + 4000 * S, T0 + 4000 * S + 1);
	bucket_notice_clock(&bucket, back);
	CHECK_INT(bucket_room(&bucket, 60, back), 0);
	CHECK_INT(bucket_wait_ms(&bucket, 60, 1, back), 1001);
	CHECK_INT(bucket_wait_ms(&bucket, 60, 1, back + 1001), 0);
	CHECK_INT(bucket_room(&bucket, 60, back + 3 * S), 3);
	/* who only looked at the clock a little earlier is no jump, and gains nothing */
	bucket_take(&bucket, 60, 3, back + 3 * S);
	bucket_notice_clock(&bucket, back + 2 * S);
	CHECK_INT(bucket_room(&bucket, 60, back + 3 * S), 0);
}

static void
a_changed_limit_grants_nothing_at_once(void)
{
	Bucket		bucket = {0};

	drain(&bucket, 60, T0, T0 + 1);
	CHECK_INT(bucket_room(&bucket, 6000, T0), 0);
	CHECK_INT(bucket_room(&bucket, 6000, T0 + S), 100);
	/* a smaller one has a smaller burst */
	CHECK_INT(bucket_room(&bucket, 12, T0 + 3600 * S), 1);
}

static void
what_the_provider_says_is_left_counts_down(void)
{
	for (int limit = 0; limit <= 6000; limit += 6000)
	{
		Bucket		bucket = {0};

		bucket_narrow(&bucket, 2, 10 * S, T0);
		CHECK_INT(bucket_room(&bucket, limit, T0), 2);
		CHECK_INT(bucket_wait_ms(&bucket, limit, 1, T0), 0);
		bucket_take(&bucket, limit, 1, T0);
		CHECK_INT(bucket_wait_ms(&bucket, limit, 1, T0), 0);
		bucket_take(&bucket, limit, 1, T0);
		CHECK_INT(bucket_room(&bucket, limit, T0), 0);
		CHECK_INT(bucket_wait_ms(&bucket, limit, 1, T0), 10 * S);
		CHECK_INT(bucket_wait_ms(&bucket, limit, 1, T0 + 4 * S), 6 * S);
		CHECK_INT(bucket_wait_ms(&bucket, limit, 1, T0 + 10 * S), 0);
		CHECK(bucket_room(&bucket, limit, T0 + 10 * S) >= 500);
		/* a later reply knows better */
		bucket_narrow(&bucket, 0, 10 * S, T0);
		bucket_narrow(&bucket, 7, 5 * S, T0);
		CHECK_INT(bucket_room(&bucket, limit, T0), 7);
		bucket_narrow(&bucket, 0, 10 * S, T0);
		bucket_narrow(&bucket, 7, 0, T0);
		bucket_narrow(&bucket, 7, -1, T0);
		bucket_narrow(&bucket, -1, 9, T0);
		CHECK_INT(bucket_room(&bucket, limit, T0), 0);
		bucket_widen(&bucket);
		CHECK_INT(bucket_wait_ms(&bucket, limit, 1, T0), 0);
	}
}

static void
the_longer_wait_counts(void)
{
	Bucket		bucket = {0};

	drain(&bucket, 6, T0, T0 + 1);
	bucket_narrow(&bucket, 0, 2 * S, T0);
	CHECK(bucket_wait_ms(&bucket, 6, 1, T0) >= 10 * S);
	bucket_narrow(&bucket, 0, 30 * S, T0);
	CHECK_INT(bucket_wait_ms(&bucket, 6, 1, T0), 30 * S);
	/* and the smaller number */
	bucket_narrow(&bucket, 700, 3600 * S, T0);
	CHECK_INT(bucket_room(&bucket, 60, T0 + 60 * S), 5);
}

typedef struct HeaderRow
{
	const char *remaining;
	const char *reset;
	bool		good;
	int64_t		left;
	int64_t		reset_ms;
} HeaderRow;

/* 2025-08-21T12:40:00Z */
#define NOW_MS INT64_C(1755780000000)

static const HeaderRow header_rows[] = {
	{"59", "1s", true, 59, 1000},
	{"0", "6m0s", true, 0, 360000},
	{"149984", "120ms", true, 149984, 120},
	{"0", "12", true, 0, 12000},
	{"0", "2025-08-21T12:41:00Z", true, 0, 60000},
	{"0", "2m59.56s", true, 0, 179560},
	{"0", "1755780005000", true, 0, 5000},
	{"99999999999999999999999999", "1s", true, INT64_C(1000000000000), 1000},
	{"0", "0", false, 0, 0},
	{"0", "-1", false, 0, 0},
	{"0", "soon", false, 0, 0},
	{"0", NULL, false, 0, 0},
	{NULL, "1s", false, 0, 0},
	{"", "1s", false, 0, 0},
	{"-1", "1s", false, 0, 0},
	{"1.5", "1s", false, 0, 0},
	{"many", "1s", false, 0, 0},
	{"0", "2025-08-21T12:39:00Z", false, 0, 0},
};

static void
headers_are_read_in_every_notation(void)
{
	for (size_t i = 0; i < sizeof(header_rows) / sizeof(header_rows[0]); i++)
	{
		const HeaderRow *row = &header_rows[i];
		int			before = check_failures;
		int64_t		left = -7;
		int64_t		reset_ms = -7;

		if (CHECK_INT(bucket_read_headers(row->remaining, row->reset, NOW_MS, &left, &reset_ms), row->good) && row->good)
		{
			CHECK_INT(left, row->left);
			CHECK_INT(reset_ms, row->reset_ms);
		}
		CHECK_ROW(before, "%s, %s", row->remaining ? row->remaining : "(none)", row->reset ? row->reset : "(none)");
	}
}

static const CheckTest tests[] = {
	CHECK_TEST(no_minute_sees_more_than_the_limit_and_the_burst),
	CHECK_TEST(no_limit_never_waits),
	CHECK_TEST(the_wait_is_long_enough_and_not_longer),
	CHECK_TEST(what_is_larger_than_the_burst_goes_when_it_is_full_and_is_paid_back),
	CHECK_TEST(what_was_taken_too_much_is_given_back),
	CHECK_TEST(a_clock_that_is_set_back_grants_nothing),
	CHECK_TEST(a_clock_that_is_set_back_stops_nothing),
	CHECK_TEST(a_changed_limit_grants_nothing_at_once),
	CHECK_TEST(what_the_provider_says_is_left_counts_down),
	CHECK_TEST(the_longer_wait_counts),
	CHECK_TEST(headers_are_read_in_every_notation),
};

int
main(void)
{
	return check_run_all(tests);
}
