/*
 * ticket.h
 *	  What crosses the layers: the ticket a model reads, the verdict it returns, how a call ended.
 *
 * Plain C, no pointers into anybody's arena: whoever fills a struct says who frees it.  All text is UTF-8.
 */
#ifndef TRIAGE_CORE_TICKET_H
#define TRIAGE_CORE_TICKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Order and names are those of the SQL enums; labels.c has the texts, sql/enum_labels.sql compares them. */
typedef enum Priority
{
	PRIORITY_LOW,
	PRIORITY_MEDIUM,
	PRIORITY_HIGH,
	PRIORITY_URGENT
} Priority;
#define PRIORITY_COUNT 4

typedef enum RunOutcome
{
	OUTCOME_SUCCEEDED,
	OUTCOME_THROTTLED,
	OUTCOME_ACCOUNT,
	OUTCOME_MISCONFIGURED,
	OUTCOME_BAD_REQUEST,
	OUTCOME_REFUSED,
	OUTCOME_TRANSIENT,
	OUTCOME_UNUSABLE_ANSWER,
	OUTCOME_STALE,
	OUTCOME_LOST
} RunOutcome;
#define OUTCOME_COUNT 10

/* What a job asks of the model. */
typedef enum JobKind
{
	KIND_TRIAGE,
	KIND_CHAT_REPLY,
	KIND_SUMMARIZE,
	KIND_EXTRACT_ISSUES,
	KIND_MATCH_ISSUES,
	KIND_NAME_CLUSTER
} JobKind;
#define KIND_COUNT 6

/* Who wrote a text of a conversation. */
typedef enum Speaker
{
	SPEAKER_CUSTOMER,
	SPEAKER_ASSISTANT,
	SPEAKER_AGENT,
	SPEAKER_NOTE,				/* of agents among themselves */
	SPEAKER_SYSTEM,				/* the application */
	SPEAKER_SUMMARY,			/* of what went before, by the model */
	SPEAKER_ISSUE				/* no speech: a product issue, known by its number */
} Speaker;
#define SPEAKER_COUNT 7

#define SENTIMENT_MIN 1			/* calm */
#define SENTIMENT_MAX 10		/* furious */

/* limits of the stored columns, in characters */
#define DRAFT_REPLY_MAX 20000
#define SUMMARY_MAX 4000
#define LANGUAGE_MAX 35			/* RFC 5646, 4.4.1 */
#define CHAT_REPLY_MAX 4000
#define CHAT_REASON_MAX 500
#define CUSTOMER_REQUEST_MAX 1000
#define QUESTION_MAX 500
#define QUESTIONS_MAX 10
#define ISSUES_MAX 10
#define ISSUE_SUMMARY_MAX 500
#define ISSUE_DETAIL_MAX 4000
#define ISSUE_QUOTE_MAX 2000
#define MATCH_REASON_MAX 300
#define CLUSTER_NAME_MAX 200
#define CLUSTER_NAME_ASKED 80	/* so much is asked for */
#define CLUSTER_SUMMARY_MAX 1000

/* One row of ticket_categories, or another label that the model is to choose from. */
typedef struct Category
{
	const char *name;
	const char *description;	/* may be "" */
} Category;

/* What an answer may name. */
typedef struct Offer
{
	const Category *labels;
	int			label_count;
	int			text_count;		/* texts known by their numbers, from 1 */
} Offer;

/* So many labels at most, and so many bytes of their names: providers take longer lists only under conditions. */
#define OFFER_LABELS_MAX 250
#define OFFER_NAMES_MAX 12000

/* What a triage request is made of; the caller owns the strings. */
typedef struct TicketInput
{
	const char *subject;
	size_t		subject_len;
	const char *description;
	size_t		description_len;
} TicketInput;

typedef struct Speech
{
	Speaker		speaker;
	const char *text;
	size_t		len;
} Speech;

/* What a request of any other kind is made of: texts, oldest first; the caller owns them. */
typedef struct Conversation
{
	const char *heading;		/* may be "" */
	size_t		heading_len;
	const Speech *speeches;
	int			count;
} Conversation;

/* The accepted answer.  Strings are malloc'd; verdict_free() frees them. */
typedef struct Verdict
{
	int			category;		/* index into the labels that were offered */
	Priority	urgency;
	int			sentiment_score;
	char	   *draft_reply;
	char	   *summary;		/* NULL: the model left it out */
	char	   *language;		/* likewise */
	double		confidence;		/* 0..1; negative: left out */
	int			needs_human;	/* 0, 1; negative: left out */
	char	   *object;			/* of another kind than triage all of the answer, a JSON object; the rest is unset */
} Verdict;

/* What the provider says the call took; negative: it did not say. */
typedef struct Usage
{
	int			input_tokens;
	int			cached_tokens;
	int			output_tokens;
	int			cache_write_tokens; /* of input_tokens, like cached_tokens */
} Usage;

#define USAGE_UNKNOWN ((Usage) {-1, -1, -1, -1})

#endif
