-- The queue's protocol and the worker's control.  In C, shared with the worker; for operators' roles.

CREATE FUNCTION triage.claim_jobs(max_jobs int DEFAULT 1, lease interval DEFAULT '2 minutes', provider text DEFAULT 'external',
		kinds text[] DEFAULT '{triage}')
	RETURNS TABLE (job_id bigint, fence int, tenant_id text, ticket_id bigint, attempts int, lease_until timestamptz,
		ticket_version int, subject text, description text, kind triage.job_kind, session_id bigint, request jsonb,
		cluster_id bigint)
	LANGUAGE c SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_claim_jobs';
COMMENT ON FUNCTION triage.claim_jobs(int, interval, text, text[]) IS
	'claims up to max_jobs (1 to 128) due jobs of all tenants that are of one of kinds (labels of job_kind), in order of priority and age, for lease (1 second to 1 day), under the name provider; commit before you call the model; returns each job with the fence that complete_job() and fail_job() ask for; a triage job has ticket_version, subject and description, null when the ticket is gone; a job of another kind has ticket_id, session_id or cluster_id and request, an object with heading, speakers (each customer, assistant, agent, note, system, summary or issue) and texts, oldest first, and version, and of extract_issues and match_issues labels, one of which an area or a cluster must be, with label_notes, what is known of each; the prompt is the tenants active row of prompts of that kind; while pause() or triage.enabled = off holds the work it claims nothing and says so in a NOTICE; raises 22023 for an argument out of range or a kind that does not exist, 22004 for one that is null';

CREATE FUNCTION triage.complete_job(job_id bigint, fence int, answer jsonb, model text DEFAULT NULL,
		input_tokens int DEFAULT NULL, cached_tokens int DEFAULT NULL, output_tokens int DEFAULT NULL,
		cache_write_tokens int DEFAULT NULL)
	RETURNS boolean
	LANGUAGE c SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_complete_job';
COMMENT ON FUNCTION triage.complete_job(bigint, int, jsonb, text, int, int, int, int) IS
	'stores the answer of a claimed job: result, run, labels of the ticket, or what the kind of job does; answer is an object, of kind triage with category, urgency, sentiment_score (1 calm to 10 furious), draft_reply and, if known, summary, language, confidence (0 to 1), needs_human; of kind chat_reply with reply, action (answer, escalate, close) and, if known, cause (none, customer_request, missing_knowledge, policy, negative_sentiment), reason, confidence, sentiment_score; of kind summarize with summary and, if known, customer_request, open_questions (up to 10), sentiment_score, language; of kind extract_issues with issues, up to 10 objects with area (a label of the request), issue_type, severity, summary and, if known, detail, quote, confidence; of kind match_issues with version, that of the request, and matches, an object for each issue with issue (its place in texts, from 1), cluster (a label of the request, as it stands now) and, if known, confidence, reason; of kind name_cluster with name and summary; version in an answer of any kind but triage says which request it answers, without it the one that would be made now; model (without it, that of the provider the job was claimed for) and tokens (cached and cache-write ones are part of input_tokens) give the run its cost; returns false, and stores no result, when the claim is not the current one any more (under a budget the cost of its call is counted all the same); raises 22023 for an answer that is not usable, 55P03 when the ticket, session or cluster is locked';

CREATE FUNCTION triage.fail_job(job_id bigint, fence int, class triage.run_outcome, message text,
		retry_after interval DEFAULT NULL, model text DEFAULT NULL, input_tokens int DEFAULT NULL,
		cached_tokens int DEFAULT NULL, output_tokens int DEFAULT NULL, cache_write_tokens int DEFAULT NULL)
	RETURNS text
	LANGUAGE c SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_fail_job';
COMMENT ON FUNCTION triage.fail_job(bigint, int, triage.run_outcome, text, interval, text, int, int, int, int) IS
	'records that a claimed job''s call failed, with its class and a message for people; retry_after is the provider''s wish; model (without it, that of the provider the job was claimed for) and tokens, if the provider told them, give the run its cost; returns retry (it will be pending again), failed (it is a dead letter now) or stale (the claim is not the current one); raises 22023 for class succeeded or stale, 55P03 when the ticket, session or cluster is locked';

CREATE FUNCTION triage.reap_jobs() RETURNS bigint
	LANGUAGE c SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_reap_jobs';
COMMENT ON FUNCTION triage.reap_jobs() IS
	'returns the jobs whose lease has ended to the queue, or to the dead letters when their tries are spent, with a lost run for each; returns how many; the worker does this by itself';

CREATE FUNCTION triage.worker_start() RETURNS boolean
	LANGUAGE c SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_worker_start';
COMMENT ON FUNCTION triage.worker_start() IS
	'starts this database''s worker when the transaction commits, and undoes worker_stop(); returns whether none ran before; raises 25006 on a standby, 55000 in a copy, see adopt()';

CREATE FUNCTION triage.worker_stop() RETURNS boolean
	LANGUAGE c SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_worker_stop';
COMMENT ON FUNCTION triage.worker_stop() IS
	'stops this database''s worker when the transaction commits, and keeps it stopped until worker_start(); calls in the air are given up and their jobs go back to the queue; returns whether one ran';

CREATE FUNCTION triage.run_pending(max_jobs int, wait boolean DEFAULT false) RETURNS int
	LANGUAGE c
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_run_pending';
COMMENT ON FUNCTION triage.run_pending(int, boolean) IS
	'starts a one-shot worker that works off up to max_jobs due jobs and leaves, beside the resident worker if there is one; with wait returns, when it is done, the number of jobs whose fate was written, else 0 at once; raises 22023 unless max_jobs is positive, 22004 when it is null, 53400 when max_worker_processes is used up, 55000 while pause() or triage.enabled = off holds the work or in a copy, see adopt(), 25006 on a standby, 25001 when it is to wait for jobs in a transaction that has written or locked rows';

CREATE FUNCTION triage.worker_counters()
	RETURNS TABLE (pid int, slot int, started_at timestamptz, in_flight int, claimed bigint, written bigint,
		retried bigint, failed bigint, stale bigint,
		runs_succeeded bigint, runs_throttled bigint, runs_account bigint, runs_misconfigured bigint, runs_bad_request bigint,
		runs_refused bigint, runs_transient bigint, runs_unusable_answer bigint, runs_stale bigint, runs_lost bigint,
		bytes_sent bigint, bytes_received bigint, wakes bigint, wake_mean_ms float8, wake_max_ms float8)
	LANGUAGE c SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_worker_counters';
COMMENT ON FUNCTION triage.worker_counters() IS
	'what each worker of this database did since it started, from shared memory: no rows unless the library is preloaded';
