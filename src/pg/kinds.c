/*
 * kinds.c
 *	  The kinds of job beside triage: what they are about is read, locked and written by SQL functions.
 *
 * A kind is a row of the table below: its statements, over arguments that are the same for all.  Whether the AI may still
 * speak, what it is told and what its answer does is decided in those functions, under their locks; when to call which is
 * store.c's.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "core/kinds.h"
#include "core/labels.h"
#include "pg/guc.h"
#include "pg/kinds.h"
#include "pg/spi_util.h"
#include "pg/tickets.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/resowner.h"

typedef struct KindCalls
{
	const char *read;
	const char *read_jsonb;
	const char *lock;
	const char *store;
	const char *give_up;
} KindCalls;

#define FROM_READ(kind) "FROM triage.read_" kind "($1, $2, $3, $4) AS r"
#define READ(kind, labels, notes) \
	"SELECT r.version, r.heading, r.speakers, r.texts, " labels ", " notes " " FROM_READ(kind)
/* In the places of READ: what the check of an answer needs to know. */
#define READ_JSONB(kind, labels, notes, more) "SELECT r.version, jsonb_build_object('version', r.version, 'heading', r.heading, " \
	"'speakers', to_jsonb(r.speakers), 'texts', to_jsonb(r.texts)" more "), NULL, r.texts, " labels ", " notes " " FROM_READ(kind)
#define LOCK(kind) "SELECT l.n, l.state FROM triage.lock_" kind "($1, $2, $3, $4, $5) AS l"
#define STORE(kind) "SELECT triage.store_" kind "($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb)"
#define GIVE_UP(kind) "SELECT triage.give_up_" kind "($1, $2, $3, $4, $5::triage.run_outcome, $6)"
#define CALLS(kind) {READ(kind, "NULL::text[]", "NULL::text[]"), READ_JSONB(kind, "NULL::text[]", "NULL::text[]", ""), \
	LOCK(kind), STORE(kind), GIVE_UP(kind)}
#define LABELLED_CALLS(kind) {READ(kind, "r.labels", "r.label_notes"), READ_JSONB(kind, "r.labels", "r.label_notes", \
	", 'labels', to_jsonb(r.labels), 'label_notes', to_jsonb(r.label_notes)"), LOCK(kind), STORE(kind), GIVE_UP(kind)}

static const KindCalls calls[KIND_COUNT] = {
	[KIND_CHAT_REPLY] = CALLS("chat_reply"),
	[KIND_SUMMARIZE] = CALLS("summarize"),
	[KIND_EXTRACT_ISSUES] = LABELLED_CALLS("extract_issues"),
	[KIND_MATCH_ISSUES] = LABELLED_CALLS("match_issues"),
	[KIND_NAME_CLUSTER] = LABELLED_CALLS("name_cluster"),
};

/* The first arguments of all but lock: tenant, ticket, session, cluster. */
#define SUBJECT_ARGUMENTS 4

static void
set_subject(const Job *job, Datum *values, char *nulls)
{
	values[0] = CStringGetTextDatum(job->tenant_id);
	values[1] = Int64GetDatum(job->ticket_id);
	values[2] = Int64GetDatum(job->session_id);
	nulls[1] = job->ticket_id == 0 ? 'n' : ' ';
	values[3] = Int64GetDatum(job->cluster_id);
	nulls[2] = job->session_id == 0 ? 'n' : ' ';
	nulls[3] = job->cluster_id == 0 ? 'n' : ' ';
}

static int
text_elements(Datum array, Datum **elements)
{
	int			count;
	bool	   *nulls;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, elements, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("a conversation must not hold nulls")));
	return count;
}

static void
take_speeches(Conversation *conversation, Datum speakers, Datum texts)
{
	Datum	   *names;
	Datum	   *contents;
	int			count = text_elements(texts, &contents);
	Speech	   *speeches = palloc((count + 1) * sizeof(Speech));

	if (text_elements(speakers, &names) != count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("a conversation must have a speaker for each text")));
	for (int i = 0; i < count; i++)
	{
		char	   *name = TextDatumGetCString(names[i]);

		if (!speaker_parse(name, &speeches[i].speaker))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a conversation has no speaker \"%s\"", name)));
		speeches[i].text = spi_utf8(contents[i], &speeches[i].len);
	}
	conversation->speeches = speeches;
	conversation->count = count;
}

const char *
kinds_topic(const Job *job)
{
	int64		id;

	return is_talk(job) ? "conversation" : job_subject(job, &id);
}

/* The job is to go, without a call or a dead letter. */
static void
drop(Job *job)
{
	job->unwanted = true;
	job->outcome = OUTCOME_STALE;
	strlcpy(job->reason, "nobody waits for the answer any more", sizeof(job->reason));
	job->decision = (RetryDecision) {.action = RETRY_DONE};
	job->state = JOB_ANSWERED;
}

/* No model can be asked: that is no call, and no other try would end better. */
static void
give_up_unasked(Job *job, const char *why)
{
	job->outcome = OUTCOME_BAD_REQUEST;
	snprintf(job->reason, sizeof(job->reason), "not asked: %s", why);
	job->decision = (RetryDecision) {.action = RETRY_GIVE_UP};
	job->state = JOB_ANSWERED;
}

/* They outlive the transaction, until the answer is checked.  A label without a note has an empty one. */
static void
take_labels(Job *job, Datum labels, Datum notes)
{
	Datum	   *names;
	Datum	   *texts;
	int			count = text_elements(labels, &names);

	if (notes == (Datum) 0 || text_elements(notes, &texts) != count)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("a job must have a note for each of its labels")));
	if (count == 0)
		return;
	job->labels = calloc(count, sizeof(Category));
	if (job->labels == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	for (int i = 0; i < count; i++)
	{
		job->labels[i].name = spi_strdup(spi_utf8(names[i], NULL));
		job->label_count = i + 1;
		job->labels[i].description = spi_strdup(spi_utf8(texts[i], NULL));
	}
}

/* Columns 4 to 6: texts, labels, notes.  False: there is nothing to choose from, or to choose for. */
static bool
take_offer(Job *job)
{
	bool		no_texts;
	bool		no_labels;
	bool		null;
	Datum		texts = spi_value(0, 4, &no_texts);
	Datum		labels = spi_value(0, 5, &no_labels);
	Datum		notes = spi_value(0, 6, &null);
	Datum	   *unused;
	Offer		offer;
	const char *problem;

	job->text_count = no_texts ? 0 : text_elements(texts, &unused);
	if (!no_labels)
		take_labels(job, labels, null ? (Datum) 0 : notes);
	offer = job_offer(job);
	problem = kind_offer_problem(job->kind, &offer);
	if (problem != NULL)
		give_up_unasked(job, problem);
	else if (job->text_count == 0 && kind_form(job->kind)->cut == CUT_EACH)
		drop(job);
	else
		return true;
	return false;
}

static bool
read_row(Job *job, SPIPlanPtr *plan, const char *sql)
{
	Datum		values[SUBJECT_ARGUMENTS];
	char		nulls[] = "    ";

	set_subject(job, values, nulls);
	spi_prepare(plan, sql, SUBJECT_ARGUMENTS, TEXTOID, INT8OID, INT8OID, INT8OID);
	if (spi_execute(*plan, values, nulls, 1) == 0)
	{
		drop(job);
		return false;
	}
	job->version = spi_int8(0, 1);
	job->is_read = true;
	return take_offer(job);
}

bool
kinds_read(Job *job, Conversation *conversation)
{
	static SPIPlanPtr plans[KIND_COUNT];
	Datum		heading;
	Datum		speakers;
	Datum		texts;
	bool		no_heading;
	bool		null;

	if (!read_row(job, &plans[job->kind], calls[job->kind].read))
		return false;
	heading = spi_value(0, 2, &no_heading);
	speakers = spi_value(0, 3, &null);
	texts = null ? (Datum) 0 : spi_value(0, 4, &null);
	memset(conversation, 0, sizeof(*conversation));
	conversation->heading = no_heading ? "" : spi_utf8(heading, &conversation->heading_len);
	if (!null)
		take_speeches(conversation, speakers, texts);
	return true;
}

bool
kinds_read_jsonb(Job *job, Datum *request)
{
	static SPIPlanPtr plans[KIND_COUNT];
	bool		null;

	if (!read_row(job, &plans[job->kind], calls[job->kind].read_jsonb))
		return false;
	*request = spi_value(0, 2, &null);
	return true;
}

/*
 * Something was said, or done, since the conversation was read.  Whether anything is owed still will be found out by reading
 * it again; a job that is overtaken each time has its tries counted like any other.
 */
static void
set_overtaken(Job *job)
{
	/* what was never read cannot have been overtaken: whoever is told of its failure looks again */
	if (!job->is_read || (job->outcome != OUTCOME_SUCCEEDED && job->decision.action == RETRY_LATER))
		return;
	if (job->outcome == OUTCOME_SUCCEEDED)
	{
		job->outcome = OUTCOME_STALE;
		snprintf(job->reason, sizeof(job->reason), "the %s moved on while the call was in the air", kinds_topic(job));
	}
	job->decision = (RetryDecision) {.action = job->attempts < triage_max_attempts ? RETRY_LATER : RETRY_GIVE_UP,
	.attempt_spent = true};
}

#define LOCK_ARGUMENTS (SUBJECT_ARGUMENTS + 1)

static void
lock_kind(JobKind kind, Job **jobs, int count)
{
	static SPIPlanPtr plans[KIND_COUNT];
	ArrayBuildState *columns[LOCK_ARGUMENTS] = {0};
	static const Oid types[LOCK_ARGUMENTS] = {TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID};
	Datum		values[LOCK_ARGUMENTS];
	uint64		rows;

	for (int i = 0; i < count; i++)
	{
		char		nulls[] = "     ";

		set_subject(jobs[i], values, nulls);
		values[SUBJECT_ARGUMENTS] = Int64GetDatum(jobs[i]->version);
		for (int k = 0; k < LOCK_ARGUMENTS; k++)
			columns[k] = accumArrayResult(columns[k], values[k], nulls[k] == 'n', types[k], CurrentMemoryContext);
	}
	for (int k = 0; k < LOCK_ARGUMENTS; k++)
		values[k] = makeArrayResult(columns[k], CurrentMemoryContext);
	spi_prepare(&plans[kind], calls[kind].lock, LOCK_ARGUMENTS, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
				INT8ARRAYOID);
	rows = spi_execute(plans[kind], values, NULL, 0);
	for (uint64 row = 0; row < rows; row++)
	{
		bool		null;
		int			n = spi_int4(row, 1);
		char	   *state = TextDatumGetCString(spi_value(row, 2, &null));

		if (n < 1 || n > count)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("job %d of %d was not to be locked", n, count)));
		jobs[n - 1]->stored = STORE_STALE;
		if (strcmp(state, "stale") == 0)
			set_overtaken(jobs[n - 1]);
	}
}

void
kinds_lock(Job **jobs, int count)
{
	Job		  **of_kind = palloc((count + 1) * sizeof(Job *));

	for (int kind = 0; kind < KIND_COUNT; kind++)
	{
		int			n = 0;

		for (int i = 0; i < count; i++)
			if ((int) jobs[i]->kind == kind && is_conversation(jobs[i]) && !jobs[i]->unwanted)
			{
				/* until a row says otherwise */
				jobs[i]->stored = STORE_LOCKED;
				of_kind[n++] = jobs[i];
			}
		if (n > 0)
			lock_kind((JobKind) kind, of_kind, n);
	}
}

/* What a model's answer changes is its doing, not that of whoever reported it. */
static void
execute_as_triage(SPIPlanPtr plan, Datum *values, const char *nulls)
{
	int			nest = NewGUCNestLevel();

	(void) set_config_option("triage.actor", ACTOR_TRIAGE, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	spi_execute(plan, values, nulls, 0);
	AtEOXact_GUC(true, nest);
}

void
kinds_store(const Job *job, int64 run_id)
{
	static SPIPlanPtr plans[KIND_COUNT];
	Datum		values[9];
	char		nulls[] = "         ";

	set_subject(job, values, nulls);
	values[4] = Int64GetDatum(run_id);
	values[5] = Int64GetDatum(job->version);
	values[6] = spi_text(job->provider);
	values[7] = spi_text(job->model);
	nulls[7] = job->model[0] == '\0' ? 'n' : ' ';
	values[8] = spi_text(job->verdict.object);
	spi_prepare(&plans[job->kind], calls[job->kind].store, 9, TEXTOID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID,
				TEXTOID, TEXTOID);
	execute_as_triage(plans[job->kind], values, nulls);
}

static void
call_give_up(const Job *job)
{
	static SPIPlanPtr plans[KIND_COUNT];
	Datum		values[6];
	char		nulls[] = "      ";

	set_subject(job, values, nulls);
	values[4] = CStringGetTextDatum(outcome_name(job->outcome));
	values[5] = spi_text(job->reason);
	spi_prepare(&plans[job->kind], calls[job->kind].give_up, 6, TEXTOID, INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID);
	execute_as_triage(plans[job->kind], values, nulls);
}

static bool
will_pass(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category == ERRCODE_TRANSACTION_ROLLBACK || category == ERRCODE_INSUFFICIENT_RESOURCES ||
		category == ERRCODE_OPERATOR_INTERVENTION || sqlstate == ERRCODE_LOCK_NOT_AVAILABLE;
}

/*
 * In a subtransaction: leases that ended are given up in batches, and one that nobody can be told of must not keep the
 * others from it for ever.  Its dead letter stays.
 */
void
kinds_give_up(const Job *job)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner resources = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		call_give_up(job);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		/* before anything else is thrown: an abort ends one level only, and would leave the transaction and its locks */
		RollbackAndReleaseCurrentSubTransaction();
		if (will_pass(error->sqlerrcode))
		{
			MemoryContextSwitchTo(context);
			CurrentResourceOwner = resources;
			ReThrowError(error);
		}
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("%s job %lld was given up, but nobody could be told: %s", kind_name(job->kind), (long long) job->id,
						error->message)));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = resources;
}

void
kinds_escalate_unanswered(void)
{
	static SPIPlanPtr plan;

	spi_prepare(&plan, "SELECT triage.escalate_unanswered()", 0);
	execute_as_triage(plan, NULL, NULL);
}
