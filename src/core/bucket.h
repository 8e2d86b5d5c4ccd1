/*
 * bucket.h
 *	  How many requests or tokens may still be sent: a limit per minute of our own, and what the provider says is left.
 *
 * A bucket fills with the clock up to its burst.  The limit, a minute, comes with each call, since those who share a bucket
 * may have been given different ones; 0 is no limit of our own.  Times are milliseconds of any one clock.
 */
#ifndef TRIAGE_CORE_BUCKET_H
#define TRIAGE_CORE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Bucket
{
	double		level;			/* may be negative: what was taken turned out to be more */
	int64_t		filled_at;		/* 0: never used, so full */
	int64_t		left;			/* by the provider's own count ... */
	int64_t		left_until;		/* ... which counts until this time; 0: it said nothing */
} Bucket;

/*
 * The bucket holds five seconds' worth, at least one: in any minute at most the limit and that leave.  Enough to answer a
 * handful of tickets at once after a quiet moment; providers enforce a minute's limit over a few seconds too.
 */
#define BUCKET_BURST_SECONDS 5

/* How long until amount may be taken; 0: now.  More than the burst is let through when the bucket is full. */
extern int64_t bucket_wait_ms(const Bucket *bucket, int limit, double amount, int64_t now);
/* How many ones may be taken now. */
extern int64_t bucket_room(const Bucket *bucket, int limit, int64_t now);
extern void bucket_take(Bucket *bucket, int limit, double amount, int64_t now);
/* Before the bucket is asked: a clock that was set back must not stop the flow until it has caught up. */
extern void bucket_notice_clock(Bucket *bucket, int64_t now);
/* Gives back what was taken too much; negative: takes what was too little. */
extern void bucket_refund(Bucket *bucket, int limit, double amount);
/* The provider says that so many are left until reset_ms from now. */
extern void bucket_narrow(Bucket *bucket, int64_t left, int64_t reset_ms, int64_t now);
/* Forgets what the provider said. */
extern void bucket_widen(Bucket *bucket);
/*
 * A pair of headers such as x-ratelimit-remaining-requests and -reset-requests; false unless both are there and make
 * sense.  now_ms: the provider's clock, since the Unix epoch.
 */
extern bool bucket_read_headers(const char *remaining, const char *reset, int64_t now_ms, int64_t *left, int64_t *reset_ms);

#endif
