-- What people make of the model's answers: a verdict on the draft, corrections of the labels, and what follows from both.

CREATE TYPE triage.feedback_verdict AS ENUM ('accepted', 'edited', 'rejected');
COMMENT ON TYPE triage.feedback_verdict IS
	'what became of a draft: accepted (sent as it was), edited (sent with another wording), rejected (not sent)';

CREATE FUNCTION triage.install_review_tables() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	CREATE TABLE IF NOT EXISTS triage.ai_feedback (
		tenant_id   text NOT NULL,
		id          bigint GENERATED ALWAYS AS IDENTITY,
		result_id   bigint NOT NULL,
		person_id   text NOT NULL,
		verdict     triage.feedback_verdict,
		comment_id  bigint,
		similarity  numeric(4,3),
		corrections jsonb NOT NULL DEFAULT '{}',
		reason      text,
		created_at  timestamptz NOT NULL DEFAULT now(),
		updated_at  timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT ai_feedback_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT ai_feedback_person_key UNIQUE (tenant_id, result_id, person_id),
		CONSTRAINT ai_feedback_result_fkey FOREIGN KEY (tenant_id, result_id)
			REFERENCES triage.ticket_ai_results (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT ai_feedback_person_fkey FOREIGN KEY (tenant_id, person_id) REFERENCES triage.people (tenant_id, id),
		CONSTRAINT ai_feedback_comment_fkey FOREIGN KEY (tenant_id, comment_id)
			REFERENCES triage.ticket_comments (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT ai_feedback_sent CHECK (coalesce(verdict IN ('accepted', 'edited'), false) = (comment_id IS NOT NULL)
			AND (comment_id IS NULL) = (similarity IS NULL)),
		CONSTRAINT ai_feedback_similarity CHECK (similarity BETWEEN 0 AND 1),
		CONSTRAINT ai_feedback_corrections CHECK (jsonb_typeof(corrections) = 'object'),
		CONSTRAINT ai_feedback_reason_length CHECK (length(reason) <= 2000));
	-- a draft is sent once, whoever sends it
	CREATE UNIQUE INDEX IF NOT EXISTS ai_feedback_sent_key ON triage.ai_feedback (tenant_id, result_id)
		WHERE comment_id IS NOT NULL;
	CREATE INDEX IF NOT EXISTS ai_feedback_person ON triage.ai_feedback (tenant_id, person_id);
	CREATE INDEX IF NOT EXISTS ai_feedback_comment ON triage.ai_feedback (tenant_id, comment_id) WHERE comment_id IS NOT NULL;

	COMMENT ON TABLE triage.ai_feedback IS
		'what people made of results, one row a result and person; accept_draft(), edit_draft(), reject_draft() and correct_result() write it';
	COMMENT ON COLUMN triage.ai_feedback.id IS 'grows in the order of writing';
	COMMENT ON COLUMN triage.ai_feedback.result_id IS 'the result that was looked at';
	COMMENT ON COLUMN triage.ai_feedback.person_id IS 'who looked at it';
	COMMENT ON COLUMN triage.ai_feedback.verdict IS 'on the draft; NULL: nothing was said of it';
	COMMENT ON COLUMN triage.ai_feedback.comment_id IS 'the comment that the draft became';
	COMMENT ON COLUMN triage.ai_feedback.similarity IS 'of draft and comment, 0 to 1, see text_similarity()';
	COMMENT ON COLUMN triage.ai_feedback.corrections IS
		'the labels that were wrong, and what is right: a JSON object of category, urgency, sentiment_score; empty: none was wrong, or none was looked at';
	COMMENT ON COLUMN triage.ai_feedback.reason IS 'why it was rejected, in the person''s words';
	COMMENT ON COLUMN triage.ai_feedback.created_at IS 'when the person first said something';
	COMMENT ON COLUMN triage.ai_feedback.updated_at IS 'when the person last said something';
END
$install$;
COMMENT ON FUNCTION triage.install_review_tables() IS
	'part of install(): creates the table of feedback if it is not there yet, and comments it; takes nothing, returns nothing; raises what CREATE TABLE raises';
REVOKE ALL ON FUNCTION triage.install_review_tables() FROM PUBLIC;

CREATE FUNCTION triage.install_review_triggers() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $install$
BEGIN
	CREATE OR REPLACE TRIGGER ai_feedback_event
		AFTER INSERT OR UPDATE ON triage.ai_feedback
		FOR EACH ROW EXECUTE FUNCTION triage.ai_feedback_event();
END
$install$;
COMMENT ON FUNCTION triage.install_review_triggers() IS
	'part of install(): creates or replaces the trigger of the table of feedback; takes nothing, returns nothing';
REVOKE ALL ON FUNCTION triage.install_review_triggers() FROM PUBLIC;

CREATE FUNCTION triage.install_review_views() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
DECLARE
	-- Answers, the results they became, and what people made of these; a result whose run is purged has no model here.
	reviewed CONSTANT text := $sql$
		(SELECT coalesce(u.tenant_id, r.tenant_id) AS tenant_id, coalesce(u.kind, 'triage') AS kind, u.provider, u.model,
				u.prompt_version, u.id AS run_id, u.outcome, u.error, u.job_id, u.fence,
				coalesce(u.finished_at, r.processed_at) AS at, r.id AS result_id, r.confidence, f.verdict, f.similarity, f.corrections
			FROM (SELECT * FROM triage.ai_runs x WHERE x.outcome IN ('succeeded', 'refused', 'unusable_answer')) u
			FULL JOIN triage.ticket_ai_results r ON r.tenant_id = u.tenant_id AND r.run_id = u.id
			LEFT JOIN (
				-- of several persons: who sent it decides on the draft, and what one of them found wrong is wrong
				SELECT y.tenant_id, y.result_id, min(y.verdict) AS verdict, max(y.similarity) AS similarity,
						ARRAY (SELECT jsonb_object_keys(jsonb_object_agg(c.key, c.value) FILTER (WHERE c.key IS NOT NULL))) AS corrections
					FROM triage.ai_feedback y
					LEFT JOIN LATERAL jsonb_each(y.corrections) c ON true
					GROUP BY y.tenant_id, y.result_id) f ON f.tenant_id = r.tenant_id AND f.result_id = r.id) a
	$sql$;
BEGIN
	-- NULL and not 0 where nobody can review: a 0 would say that nobody had
	EXECUTE format($view$
		CREATE OR REPLACE VIEW triage.ai_quality WITH (security_invoker = true) AS
			SELECT a.tenant_id, a.kind, a.provider, a.model, a.prompt_version,
					count(a.run_id) AS answers,
					count(*) FILTER (WHERE a.outcome = 'refused') AS refused,
					count(*) FILTER (WHERE a.outcome = 'unusable_answer') AS unusable_answers,
					count(d.id) AS given_up,
					CASE a.kind WHEN 'triage' THEN count(a.result_id) END AS results,
					CASE a.kind WHEN 'triage' THEN count(*) FILTER (WHERE a.verdict = 'accepted') END AS accepted,
					CASE a.kind WHEN 'triage' THEN count(*) FILTER (WHERE a.verdict = 'edited') END AS edited,
					CASE a.kind WHEN 'triage' THEN count(*) FILTER (WHERE a.verdict = 'rejected') END AS rejected,
					round(count(*) FILTER (WHERE a.verdict = 'accepted') / nullif(count(a.result_id), 0)::numeric, 4) AS accepted_share,
					round(count(*) FILTER (WHERE a.verdict = 'edited') / nullif(count(a.result_id), 0)::numeric, 4) AS edited_share,
					round(count(*) FILTER (WHERE a.verdict = 'rejected') / nullif(count(a.result_id), 0)::numeric, 4) AS rejected_share,
					round(count(*) FILTER (WHERE a.result_id IS NOT NULL AND a.verdict IS NULL) / nullif(count(a.result_id), 0)::numeric, 4)
						AS unreviewed_share,
					round(avg(a.similarity), 3) AS mean_similarity,
					CASE a.kind WHEN 'triage' THEN count(a.corrections) END AS looked_at,
					round(count(*) FILTER (WHERE 'category' = ANY (a.corrections)) / nullif(count(a.corrections), 0)::numeric, 4)
						AS category_corrected,
					round(count(*) FILTER (WHERE 'urgency' = ANY (a.corrections)) / nullif(count(a.corrections), 0)::numeric, 4)
						AS urgency_corrected,
					round(count(*) FILTER (WHERE 'sentiment_score' = ANY (a.corrections)) / nullif(count(a.corrections), 0)::numeric, 4)
						AS sentiment_corrected,
					min(a.at) AS first_at, max(a.at) AS last_at,
					(array_agg(a.error ORDER BY a.run_id DESC) FILTER (WHERE a.outcome <> 'succeeded'))[1] AS last_error
				FROM %s
				LEFT JOIN triage.ai_dead_letters d
					ON d.tenant_id = a.tenant_id AND d.id = a.job_id AND d.fence = a.fence AND d.class = a.outcome
				GROUP BY a.tenant_id, a.kind, a.provider, a.model, a.prompt_version
	$view$, reviewed);

	EXECUTE format($view$
		CREATE OR REPLACE VIEW triage.ai_calibration WITH (security_invoker = true) AS
			SELECT a.tenant_id, a.kind, a.provider, a.model, a.prompt_version,
					round(b.tenth / 10.0, 1) AS confidence_from, round((b.tenth + 1) / 10.0, 1) AS confidence_to,
					count(*) AS results,
					count(a.corrections) AS looked_at,
					count(*) FILTER (WHERE a.corrections = '{}') AS uncorrected,
					round(count(*) FILTER (WHERE a.corrections = '{}') / nullif(count(a.corrections), 0)::numeric, 4) AS uncorrected_share
				FROM %s
				CROSS JOIN LATERAL (SELECT least(floor(a.confidence * 10), 9)::int AS tenth) b
				WHERE a.confidence IS NOT NULL
				GROUP BY a.tenant_id, a.kind, a.provider, a.model, a.prompt_version, b.tenth
	$view$, reviewed);

	COMMENT ON VIEW triage.ai_quality IS
		'what became of the answers of each model and version of a prompt, by kind: refused, unusable or stored, and what people made of what was stored';
	COMMENT ON COLUMN triage.ai_quality.kind IS 'what was asked of the model; only what triage gives is reviewed: of other kinds, columns from results to sentiment_corrected are NULL';
	COMMENT ON COLUMN triage.ai_quality.provider IS 'who was asked; NULL: the run is purged';
	COMMENT ON COLUMN triage.ai_quality.model IS 'the model that answered';
	COMMENT ON COLUMN triage.ai_quality.prompt_version IS 'version of the tenant''s prompt';
	COMMENT ON COLUMN triage.ai_quality.answers IS 'calls that were answered: stored, refused or unusable';
	COMMENT ON COLUMN triage.ai_quality.refused IS 'answers in which the model, or a filter, refused';
	COMMENT ON COLUMN triage.ai_quality.unusable_answers IS 'answers that were not what was asked for';
	COMMENT ON COLUMN triage.ai_quality.given_up IS 'jobs that are given up with a refused or unusable answer as their last try; retry_failed() takes them away again';
	COMMENT ON COLUMN triage.ai_quality.results IS 'answers that were stored as results';
	COMMENT ON COLUMN triage.ai_quality.accepted IS 'results whose draft was sent as it was';
	COMMENT ON COLUMN triage.ai_quality.edited IS 'results whose draft was sent with another wording';
	COMMENT ON COLUMN triage.ai_quality.rejected IS 'results whose draft was rejected, and sent by nobody';
	COMMENT ON COLUMN triage.ai_quality.accepted_share IS 'of the results, 0 to 1';
	COMMENT ON COLUMN triage.ai_quality.edited_share IS 'of the results, 0 to 1';
	COMMENT ON COLUMN triage.ai_quality.rejected_share IS 'of the results, 0 to 1';
	COMMENT ON COLUMN triage.ai_quality.unreviewed_share IS 'of the results, 0 to 1: those without a verdict on their draft';
	COMMENT ON COLUMN triage.ai_quality.mean_similarity IS 'of drafts and what was sent, 0 to 1';
	COMMENT ON COLUMN triage.ai_quality.looked_at IS 'results of which anybody said anything: a verdict, or corrections';
	COMMENT ON COLUMN triage.ai_quality.category_corrected IS 'of those looked at, 0 to 1';
	COMMENT ON COLUMN triage.ai_quality.urgency_corrected IS 'of those looked at, 0 to 1';
	COMMENT ON COLUMN triage.ai_quality.sentiment_corrected IS 'of those looked at, 0 to 1';
	COMMENT ON COLUMN triage.ai_quality.first_at IS 'when the first of them was written';
	COMMENT ON COLUMN triage.ai_quality.last_at IS 'when the last of them was written';
	COMMENT ON COLUMN triage.ai_quality.last_error IS 'what the last refused or unusable one said';

	COMMENT ON VIEW triage.ai_calibration IS
		'whether a model''s confidence can be believed: of the results with a confidence in each tenth, how many nobody had to correct';
	COMMENT ON COLUMN triage.ai_calibration.kind IS 'what was asked of the model';
	COMMENT ON COLUMN triage.ai_calibration.provider IS 'who was asked; NULL: the run is purged';
	COMMENT ON COLUMN triage.ai_calibration.model IS 'the model that answered';
	COMMENT ON COLUMN triage.ai_calibration.prompt_version IS 'version of the tenant''s prompt';
	COMMENT ON COLUMN triage.ai_calibration.confidence_from IS 'the tenth begins here';
	COMMENT ON COLUMN triage.ai_calibration.confidence_to IS 'and ends before this; the last one includes 1';
	COMMENT ON COLUMN triage.ai_calibration.results IS 'results with such a confidence';
	COMMENT ON COLUMN triage.ai_calibration.looked_at IS 'those of which anybody said anything: a verdict, or corrections';
	COMMENT ON COLUMN triage.ai_calibration.uncorrected IS 'those of them in which nobody corrected a label';
	COMMENT ON COLUMN triage.ai_calibration.uncorrected_share IS 'of those looked at, 0 to 1; near the tenth''s middle when the model knows itself';
END
$install$;
COMMENT ON FUNCTION triage.install_review_views() IS
	'part of install(): creates the views of what people made of results, or replaces them; takes nothing, returns nothing; raises what CREATE VIEW raises';
REVOKE ALL ON FUNCTION triage.install_review_views() FROM PUBLIC;
