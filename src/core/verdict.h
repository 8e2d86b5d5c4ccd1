/*
 * verdict.h
 *	  Response body -> verdict, or why it is unusable.
 *
 * The answer is untrusted input.  HTTP 200 is not success: the body may carry an error object, a refusal, a truncated
 * or empty message.  Never raises.  offer: what an answer of the kind may name, NULL for nothing.
 */
#ifndef TRIAGE_CORE_VERDICT_H
#define TRIAGE_CORE_VERDICT_H

#include "core/ticket.h"

#define REASON_MAX 512
#define CHARGED_SIZE 40

typedef struct VerdictResult
{
	RunOutcome	outcome;		/* SUCCEEDED, UNUSABLE_ANSWER, REFUSED; or what classify.c makes of the call */
	Verdict		verdict;		/* set when SUCCEEDED */
	Usage		usage;			/* whatever could be read, also of an unusable answer: it was billed */
	bool		truncated;		/* UNUSABLE_ANSWER because the model ran out of room */
	int64_t		retry_after_ms; /* what an error asked for; negative: nothing */
	char		model[201];		/* the model that answered; "" when not said */
	char		charged[CHARGED_SIZE];	/* what the reply says it cost in USD (OpenRouter), a decimal number; "" when not said */
	char		reason[REASON_MAX]; /* for people; "" when SUCCEEDED; valid UTF-8, one line */
} VerdictResult;

struct CallReply;
struct JsonReader;

/*
 * The whole of what a finished call means, from what the network and the HTTP status say down to the fields of the
 * answer.  now_ms: milliseconds since the Unix epoch.  reader: kept for the next call, or NULL.
 */
extern void verdict_of_call(struct JsonReader *reader, const struct CallReply *reply, int64_t now_ms, JobKind kind,
							const Offer *offer, VerdictResult *result);
/* Reads a chat completions response (status 200) and the JSON answer inside it. */
extern void verdict_parse(const char *body, size_t len, JobKind kind, const Offer *offer, VerdictResult *result);
/* Reads the bare answer object, as an external worker hands it to complete_job(). */
extern void verdict_parse_answer(const char *answer, size_t len, JobKind kind, const Offer *offer,
								 VerdictResult *result);
extern void verdict_free(Verdict *verdict);

#endif
