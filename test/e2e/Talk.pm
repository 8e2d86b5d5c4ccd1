# Talk.pm: conversations of the simplest kind, for tests of the worker: who said what, and whether a person took over
#
# The functions that the worker reads and writes conversations with are replaced by some over a table of this test's own, so
# that what is tested is the worker alone.
package Talk;

use strict;
use warnings;
use Exporter 'import';
use Triage;

our @EXPORT = qw(prepare_talk sessions say say_sql ask_summary said runs_of_session);

sub prepare_talk
{
	my ($node) = @_;
	return sql($node, <<'SQL');
CREATE TABLE talk (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id text NOT NULL DEFAULT 'default', session_id bigint,
	ticket_id bigint, speaker text NOT NULL DEFAULT 'customer', text text NOT NULL, run_id bigint, provider text, model text, answer jsonb);
CREATE TABLE taken_over (session_id bigint PRIMARY KEY);
CREATE TABLE summaries (ticket_id bigint, session_id bigint, run_id bigint, version bigint, answer jsonb);
CREATE TABLE given_up (ticket_id bigint, session_id bigint, class triage.run_outcome, message text, actor text);
INSERT INTO triage.prompts (tenant_id, kind, version, system_text)
	VALUES ('default', 'chat_reply', 1, 'Answer.'), ('default', 'summarize', 1, 'Summarise.') ON CONFLICT DO NOTHING;

CREATE OR REPLACE FUNCTION triage.read_chat_reply(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint)
	RETURNS TABLE (version bigint, heading text, speakers text[], texts text[])
	LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT max(t.id), '', array_agg(t.speaker ORDER BY t.id), array_agg(t.text ORDER BY t.id)
		FROM public.talk t
		WHERE t.tenant_id = $1 AND t.session_id = $3 AND NOT EXISTS (SELECT FROM public.taken_over o WHERE o.session_id = $3)
		HAVING (array_agg(t.speaker ORDER BY t.id DESC))[1] = 'customer' $$;
CREATE OR REPLACE FUNCTION triage.read_summarize(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint)
	RETURNS TABLE (version bigint, heading text, speakers text[], texts text[])
	LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	SELECT max(t.id), 'About all this', array_agg(t.speaker ORDER BY t.id), array_agg(t.text ORDER BY t.id)
		FROM public.talk t WHERE t.tenant_id = $1 AND (t.session_id = $3 OR t.ticket_id = $2) HAVING count(*) > 0 $$;

CREATE OR REPLACE FUNCTION triage.lock_chat_reply(tenant_ids text[], ticket_ids bigint[], session_ids bigint[], cluster_ids bigint[],
	versions bigint[])
	RETURNS TABLE (n int, state text)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	item record;
BEGIN
	FOR item IN SELECT * FROM unnest($1, $3, $5) WITH ORDINALITY AS u (tenant, session, version, i) ORDER BY u.session LOOP
		n := item.i;
		IF NOT EXISTS (SELECT FROM triage.chat_sessions s WHERE s.tenant_id = item.tenant AND s.id = item.session) THEN
			state := 'gone';
			RETURN NEXT;
			CONTINUE;
		END IF;
		PERFORM FROM triage.chat_sessions s WHERE s.tenant_id = item.tenant AND s.id = item.session FOR NO KEY UPDATE SKIP LOCKED;
		CONTINUE WHEN NOT FOUND;
		state := CASE WHEN EXISTS (SELECT FROM public.taken_over o WHERE o.session_id = item.session)
				OR EXISTS (SELECT FROM public.talk t WHERE t.session_id = item.session AND t.id > item.version) THEN 'stale' ELSE 'current' END;
		RETURN NEXT;
	END LOOP;
END $$;
CREATE OR REPLACE FUNCTION triage.lock_summarize(tenant_ids text[], ticket_ids bigint[], session_ids bigint[], cluster_ids bigint[],
	versions bigint[])
	RETURNS TABLE (n int, state text)
	LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT i, 'current' FROM generate_subscripts($1, 1) i $$;

CREATE OR REPLACE FUNCTION triage.store_chat_reply(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint, run_id bigint,
	version bigint, provider text, model text, answer jsonb) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF $9->>'cause' = 'policy' THEN
		RAISE EXCEPTION 'this reply is not to be stored';
	END IF;
	INSERT INTO public.talk (tenant_id, session_id, speaker, text, run_id, provider, model, answer)
		VALUES ($1, $3, 'assistant', $9->>'reply', $5, $7, $8, $9);
END $$;
CREATE OR REPLACE FUNCTION triage.store_summarize(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint, run_id bigint,
	version bigint, provider text, model text, answer jsonb) RETURNS void
	LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	INSERT INTO public.summaries VALUES ($2, $3, $5, $6, $9) $$;
CREATE OR REPLACE FUNCTION triage.give_up_chat_reply(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint,
	class triage.run_outcome, message text) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO public.given_up VALUES ($2, $3, $5, $6, current_setting('triage.actor'));
	IF EXISTS (SELECT FROM public.talk t WHERE t.session_id = $3 AND t.text LIKE '%nobody to tell%') THEN
		RAISE EXCEPTION 'there is nobody to tell';
	END IF;
END $$;
CREATE OR REPLACE FUNCTION triage.give_up_summarize(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint,
	class triage.run_outcome, message text) RETURNS void
	LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
	INSERT INTO public.given_up VALUES ($2, $3, $5, $6, current_setting('triage.actor')) $$;
SQL
}

# The ids of so many new sessions.
sub sessions
{
	my ($node, $count) = @_;
	return split /\n/, sql($node, "INSERT INTO triage.chat_sessions (metadata) SELECT '{}' FROM generate_series(1, $count) RETURNING id");
}

sub say_sql
{
	my ($session, $token, $directives) = @_;
	my $text = "I ask about TOKEN-$token." . ($directives ? " [[fake $directives]]" : '');

	return "INSERT INTO talk (session_id, text) VALUES ($session, '$text');\n" . <<SQL;
INSERT INTO triage.ai_jobs AS j (tenant_id, session_id, kind, priority) VALUES ('default', $session, 'chat_reply', 'urgent')
	ON CONFLICT (tenant_id, session_id, kind) WHERE session_id IS NOT NULL DO UPDATE
	SET fence = j.fence + 1, lease_until = NULL, slot = NULL, attempts = 0, run_at = excluded.run_at;
SELECT triage.wake_worker();
SQL
}

# say(NODE, [session, token, directives], ...): in one transaction.
sub say
{
	my ($node, @messages) = @_;
	return sql($node, "BEGIN;\n" . join('', map { say_sql(@$_) } @messages) . 'COMMIT;');
}

# ask_summary(NODE, 'session_id' or 'ticket_id', ID)
sub ask_summary
{
	my ($node, $subject, $id) = @_;
	return sql($node, "INSERT INTO triage.ai_jobs (tenant_id, $subject, kind, priority) VALUES ('default', $id, 'summarize', 'high');"
		. 'SELECT triage.wake_worker()');
}

# What the AI said in a session, one a line.
sub said
{
	my ($node, $session) = @_;
	return sql($node, "SELECT text FROM talk WHERE session_id = $session AND speaker = 'assistant' ORDER BY id");
}

sub runs_of_session
{
	my ($node, $session) = @_;
	return sql($node, "SELECT string_agg(outcome::text, ' ' ORDER BY id) FROM triage.ai_runs WHERE session_id = $session");
}

1;
