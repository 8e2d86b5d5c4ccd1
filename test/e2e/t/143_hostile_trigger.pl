# Code that somebody hangs on a table which the worker writes runs with no more rights than the role whose session or whose
# table it is: at once, at commit, and whatever it sets for later.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

# Tries everything that would help mallory, and notes what became of it and as whom it ran.
my $ATTACK = <<'SQL';
CREATE TABLE mallory.tried (what text, role text, session_role text, outcome text);
GRANT INSERT ON mallory.tried TO PUBLIC;
CREATE FUNCTION mallory.attack(place text) RETURNS void LANGUAGE plpgsql AS $f$
DECLARE
	command text;
	outcome text;
BEGIN
	FOREACH command IN ARRAY ARRAY [
		'ALTER ROLE mallory SUPERUSER',
		'RESET SESSION AUTHORIZATION; ALTER ROLE mallory SUPERUSER',
		'SET SESSION AUTHORIZATION postgres; ALTER ROLE mallory SUPERUSER',
		'RESET ROLE; ALTER ROLE mallory SUPERUSER',
		'SET ROLE postgres; ALTER ROLE mallory SUPERUSER',
		'SET ROLE none; ALTER ROLE mallory SUPERUSER',
		'GRANT pg_execute_server_program TO mallory',
		'COPY mallory.tried TO PROGRAM ''true''',
		'ALTER SYSTEM SET triage.allowed_origins = ''http://127.0.0.1:1''',
		'SELECT pg_read_file(''PG_VERSION'')'] LOOP
		BEGIN
			EXECUTE command;
			outcome := 'succeeded';
		EXCEPTION WHEN OTHERS THEN
			outcome := SQLSTATE;
		END;
		INSERT INTO mallory.tried VALUES (place || ': ' || command, current_user, session_user, outcome);
	END LOOP;
	-- for the statements that come after it in this session
	PERFORM set_config('search_path', 'mallory, pg_catalog', false);
	IF place LIKE '%deferred' THEN
		PERFORM set_config('row_security', 'off', false);
	END IF;
END
$f$;
CREATE FUNCTION mallory.fired() RETURNS trigger LANGUAGE plpgsql AS $f$
BEGIN
	IF pg_backend_pid() IN (SELECT pid FROM pg_stat_get_activity(NULL) WHERE backend_type LIKE 'triage%') OR current_setting('triage.actor') = 'triage' THEN
		PERFORM mallory.attack(TG_ARGV[0]);
	END IF;
	RETURN coalesce(NEW, OLD);
END
$f$;
-- in front of pg_catalog for who has this search_path
CREATE FUNCTION mallory.stolen(text, text) RETURNS boolean LANGUAGE plpgsql AS $f$
BEGIN
	INSERT INTO mallory.tried VALUES ('operator', current_user, session_user, 'ran');
	RETURN texteq($1, $2);
END
$f$;
CREATE OPERATOR mallory.= (FUNCTION = mallory.stolen, LEFTARG = text, RIGHTARG = text);
SQL
my $TRIGGERS = <<'SQL';
CREATE TRIGGER now BEFORE UPDATE ON triage.tickets FOR EACH ROW EXECUTE FUNCTION mallory.fired('before');
CREATE TRIGGER then_too AFTER UPDATE ON triage.tickets FOR EACH ROW EXECUTE FUNCTION mallory.fired('after');
CREATE CONSTRAINT TRIGGER later AFTER UPDATE ON triage.tickets DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mallory.fired('deferred');
CREATE TRIGGER run BEFORE INSERT ON triage.ai_runs FOR EACH ROW EXECUTE FUNCTION mallory.fired('run');
CREATE CONSTRAINT TRIGGER run_later AFTER INSERT ON triage.ai_runs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mallory.fired('run, deferred');
SQL

sub nothing_gained
{
	my ($node, $name) = @_;
	is(sql($node, q(SELECT rolsuper::text || pg_has_role('mallory', 'pg_execute_server_program', 'MEMBER') FROM pg_roles WHERE rolname = 'mallory')),
		'falsefalse', "$name: mallory is what she was");
	is(sql($node, q(SELECT string_agg(DISTINCT what, ', ') FROM mallory.tried WHERE outcome = 'succeeded')), '', "$name: nothing that she tried succeeded");
	is(sql($node, q(SELECT string_agg(DISTINCT setting, '') FROM pg_file_settings WHERE name = 'triage.allowed_origins' AND sourcefile ~ 'auto.conf')), '',
		"$name: the list of origins was not touched");
	is(sql($node, q(SELECT string_agg(DISTINCT role, ', ') FROM mallory.tried WHERE role NOT IN ('mallory', 'worker'))), '',
		"$name: none of her code, operators included, ran as anybody else");
	return;
}

my $model = start_model();

################ triage.worker_role: mallory got TRIGGER, by an incautious GRANT ALL ################

my $node = start_server('as_role', preload => 1, model => $model);
sql($node, <<'SQL');
CREATE ROLE worker LOGIN; CREATE ROLE mallory LOGIN;
SELECT triage.grant_access('worker', 'worker'), triage.grant_access('mallory', 'agent');
GRANT ALL ON triage.tickets, triage.ai_runs TO mallory;
CREATE SCHEMA mallory AUTHORIZATION mallory;
GRANT USAGE ON SCHEMA mallory TO PUBLIC;
SQL
$node->append_conf('postgresql.conf', q(triage.worker_role = 'worker'));
$node->reload;
wait_for($node, q(SELECT DISTINCT usename FROM pg_stat_activity WHERE backend_type = 'triage worker'), 'worker', 'the worker runs as its role');
is($node->psql('postgres', $ATTACK . $TRIGGERS, extra_params => [ '-U', 'mallory' ]), 0, 'mallory sets her traps');
add_tickets($node, map { "t$_" } 1 .. 5);
all_done($node, what => 'with a worker_role');
add_tickets($node, map { "u$_" } 1 .. 5);
all_done($node, what => 'and again, in a session that she has changed');
for my $place ('before', 'after', 'deferred', 'run', 'run, deferred')
{
	is(sql($node, "SELECT string_agg(DISTINCT role || ' ' || session_role, ', ') FROM mallory.tried WHERE what ~ '^$place: '"), 'worker worker',
		"worker_role: trigger \"$place\" ran, as the worker's role");
}
nothing_gained($node, 'worker_role');
ledger_is_sound($node, 'worker_role');
$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal/, 'worker_role: nothing crashed');

################ unset: the tables' owner is mallory's own role ################

$node = start_server('as_owner', preload => 1, model => $model);
sql($node, <<'SQL');
CREATE ROLE mallory LOGIN;
CREATE SCHEMA mallory AUTHORIZATION mallory;
GRANT USAGE, CREATE ON SCHEMA triage TO mallory;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA triage TO mallory;
DO $$
DECLARE
	item record;
BEGIN
	FOR item IN SELECT c.oid::regclass AS name FROM pg_class c WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'v') LOOP
		EXECUTE format('ALTER TABLE %s OWNER TO mallory', item.name);
	END LOOP;
END
$$;
SELECT triage.worker_stop();
SQL
wait_for_worker($node, 0);
sql($node, 'GRANT ALL ON ALL TABLES IN SCHEMA triage TO postgres; SELECT triage.worker_start()');
wait_for_worker($node, 1);
my ($immediate, $deferred) = ('', '');
/deferred/ ? $deferred .= "$_\n" : ($immediate .= "$_\n") for split /\n/, $TRIGGERS;
is($node->psql('postgres', $ATTACK . $immediate . <<'SQL', extra_params => [ '-U', 'mallory' ]), 0, 'mallory, the owner, sets her traps');
-- everything an owner can hang on a table
CREATE FUNCTION mallory.value() RETURNS text LANGUAGE plpgsql AS $f$ BEGIN PERFORM mallory.attack('default'); RETURN 'x'; END $f$;
ALTER TABLE triage.ai_runs ADD COLUMN trap text DEFAULT mallory.value();
CREATE FUNCTION mallory.fine(text) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN PERFORM mallory.attack('check'); RETURN true; END $f$;
ALTER TABLE triage.ticket_ai_results ADD CONSTRAINT trap CHECK (mallory.fine(draft_reply));
CREATE RULE trap AS ON INSERT TO triage.ai_runs DO ALSO SELECT mallory.attack('rule');
CREATE FUNCTION mallory.mine(text) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN PERFORM mallory.attack('policy'); RETURN true; END $f$;
CREATE POLICY trap ON triage.ticket_ai_results USING (mallory.mine(tenant_id)) WITH CHECK (mallory.mine(tenant_id));
ALTER TABLE triage.ticket_ai_results FORCE ROW LEVEL SECURITY;
CREATE FUNCTION mallory.indexed(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $f$ BEGIN PERFORM mallory.attack('index'); RETURN 'x'; END $f$;
CREATE INDEX trap ON triage.ticket_ai_results (mallory.indexed(tenant_id));
SQL
add_tickets($node, (map { "t$_" } 1 .. 5), [ 'dead', 'status=400' ]);
all_done($node, what => 'as the owner');
add_tickets($node, map { "u$_" } 1 .. 5);
all_done($node, what => 'and again, in a session that she has changed');
for my $place (qw(before after run default check rule policy index))
{
	is(sql($node, "SELECT string_agg(DISTINCT role, ', ') FROM mallory.tried WHERE what ~ '^$place: '"), 'mallory', "owner: $place ran, as the owner");
}
nothing_gained($node, 'owner');
is(sql($node, q(SELECT string_agg(DISTINCT outcome, ' ') FROM mallory.tried WHERE what ~ 'SESSION AUTHORIZATION|ROLE (postgres|none)|RESET ROLE')), '42501',
	'owner: the restricted operation lets nobody change roles');
ledger_is_sound($node, 'owner');

# a deferred trigger is refused, with the batch that would fire it: it must not run after the owner's rights have ended
my $position = log_position($node);
is($node->psql('postgres', $deferred, extra_params => [ '-U', 'mallory' ]), 0, 'mallory adds deferred triggers');
add_tickets($node, 'deferred');
wait_until(sub { return log_since($node, $position) =~ /cannot fire deferred trigger within security-restricted operation/ }, 'the refusal');
nothing_gained($node, 'owner, deferred');
is(sql($node, q(SELECT count(*) FROM mallory.tried WHERE what ~ 'deferred')), 0, 'owner: a deferred trigger does not run at all');
$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal/, 'owner: nothing crashed');
done_testing();
