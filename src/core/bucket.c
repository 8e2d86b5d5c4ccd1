/*
 * bucket.c
 *	  How many requests or tokens may still be sent: a limit per minute of our own, and what the provider says is left.
 *
 * Pure: no clock, no lock, no allocation.  Knows nothing of providers and replies.
 */
#include "core/bucket.h"

#include <stddef.h>

#include "core/classify.h"
#include "core/clock.h"

#define MINUTE_MS 60000.0
#define ROUNDING 1e-9
#define LEFT_MAX INT64_C(1000000000000)

static double
burst(int limit)
{
	double		most = (double) limit * BUCKET_BURST_SECONDS / 60;

	return most > 1 ? most : 1;
}

/* A clock that was set back adds nothing. */
static double
level_at(const Bucket *bucket, int limit, int64_t now)
{
	double		elapsed = now > bucket->filled_at ? (double) (now - bucket->filled_at) : 0;
	double		level = bucket->level + elapsed * limit / MINUTE_MS;

	return bucket->filled_at != 0 && level < burst(limit) ? level : burst(limit);
}

int64_t
bucket_wait_ms(const Bucket *bucket, int limit, double amount, int64_t now)
{
	int64_t		wait = 0;

	if (limit > 0)
	{
		double		needed = (amount < burst(limit) ? amount : burst(limit)) - level_at(bucket, limit, now);

		/* upwards: a wait cut short by a fraction is another wait */
		if (needed > ROUNDING)
			wait = (int64_t) (needed * MINUTE_MS / limit) + 1;
	}
	/* a request larger than what is left is the provider's to judge; with nothing left there is nothing to ask */
	if (now < bucket->left_until && bucket->left <= 0 && bucket->left_until - now > wait)
		wait = bucket->left_until - now;
	return wait;
}

int64_t
bucket_room(const Bucket *bucket, int limit, int64_t now)
{
	int64_t		room = LEFT_MAX;

	if (limit > 0)
		room = (int64_t) (level_at(bucket, limit, now) + ROUNDING);
	if (now < bucket->left_until && bucket->left < room)
		room = bucket->left;
	return room > 0 ? room : 0;
}

void
bucket_take(Bucket *bucket, int limit, double amount, int64_t now)
{
	if (limit > 0)
	{
		bucket->level = level_at(bucket, limit, now) - amount;
		bucket->filled_at = now;
	}
	if (now < bucket->left_until)
		bucket->left -= (int64_t) amount;
}

/* Elapsed time is counted from filled_at: while that lies ahead nothing would flow in, for as long as the jump was. */
void
bucket_notice_clock(Bucket *bucket, int64_t now)
{
	if (bucket->filled_at > now + CLOCK_JUMP_MS)
		bucket->filled_at = now;
}

void
bucket_refund(Bucket *bucket, int limit, double amount)
{
	if (limit == 0)
		return;
	bucket->level += amount;
	if (bucket->level > burst(limit))
		bucket->level = burst(limit);
}

void
bucket_narrow(Bucket *bucket, int64_t left, int64_t reset_ms, int64_t now)
{
	if (left < 0 || reset_ms <= 0)
		return;
	/* the latest reply knows best: what is left grows again while calls are under way */
	bucket->left = left;
	bucket->left_until = now + reset_ms;
}

void
bucket_widen(Bucket *bucket)
{
	bucket->left = 0;
	bucket->left_until = 0;
}

bool
bucket_read_headers(const char *remaining, const char *reset, int64_t now_ms, int64_t *left, int64_t *reset_ms)
{
	int64_t		value = 0;

	if (remaining == NULL || reset == NULL || *remaining == '\0')
		return false;
	for (const char *p = remaining; *p != '\0'; p++)
	{
		if (*p < '0' || *p > '9')
			return false;
		if (value < LEFT_MAX)
			value = value * 10 + (*p - '0');
	}
	*left = value < LEFT_MAX ? value : LEFT_MAX;
	*reset_ms = hint_parse(reset, now_ms);
	return *reset_ms > 0;
}
