-- set_provider and drop_provider.
\set ECHO none
\set tenant providers
\getenv source PG_ABS_SRCDIR
\set prepare :source '/test/regress/prepare.sql'
\i :prepare
\set ECHO all

CREATE VIEW pg_temp.mine AS
	SELECT p.name, p.api, p.base_url, p.model, p.secret, p.max_in_flight, p.timeout_ms, p.rank, p.enabled
		FROM triage.providers p
		WHERE p.name LIKE 'regress%'
		ORDER BY p.name;
SELECT triage.set_provider('regress.a', 'openai', 'http://127.0.0.1:11434/v1//', 'llama3.1');
SELECT triage.set_provider('regress.b', 'builtin', rank => 900, enabled => false);
SELECT * FROM pg_temp.mine;
-- again: replaces all of it
SELECT triage.set_provider('regress.a', 'openai', base_url => 'https://api.example.org/v1', model => 'small',
	secret => 'example_key', max_in_flight => 8, timeout_ms => 5000, rank => 1);
SELECT * FROM pg_temp.mine;

SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('regress.c', 'openai', 'https://api.example.org/v1/chat/completions/', 'm')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('regress.c', 'openai', 'https://api.example.org/v1')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('regress.c', 'openai', model => 'm')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('regress.c', 'builtin', model => 'm')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('regress.c', 'openai', 'https://user:password@api.example.org/v1', 'm')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('regress.c', 'openai', 'https://api.example.org/v1?key=1', 'm')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('regress.c', 'openai', 'file:///etc/passwd', 'm')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('regress.c', 'openai', 'https://api.example.org/v1', 'm', secret => '../key')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('regress.c', 'openai', 'https://api.example.org/v1', 'm', secret => 'sk-0123456789')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('regress.c', 'openai', 'https://api.example.org/v1', '')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('', 'builtin')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('regress.c', NULL)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('regress.c', 'azure')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('regress.c', 'builtin', max_in_flight => 0)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('regress.c', 'builtin', timeout_ms => 1)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('regress.c', 'builtin', requests_per_minute => 0)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('regress.c', 'builtin', tokens_per_minute => -1)$$);
SELECT count(*) FROM pg_temp.mine;

-- limits, and a pause that outlasts set_provider
SELECT triage.set_provider('regress.a', 'openai', 'http://127.0.0.1:11434/v1', 'llama3.1', requests_per_minute => 60,
	tokens_per_minute => 30000);
SELECT triage.pause_provider('regress.a', 'too dear');
SELECT triage.set_provider('regress.a', 'openai', 'http://127.0.0.1:11434/v1', 'llama3.1', requests_per_minute => 90,
	enabled => true);
SELECT p.requests_per_minute, p.tokens_per_minute, p.paused_at <= now() AS paused, p.paused_by = triage.current_actor() AS by_me,
		p.pause_reason
	FROM triage.providers p WHERE p.name = 'regress.a';
SELECT s.name, s.state, s.reason, s.requests_per_minute, s.since <= now() AS since, s.closed_until, s.in_flight, s.calls
	FROM triage.provider_status s WHERE s.name LIKE 'regress%' ORDER BY s.name;
SELECT triage.pause_provider('regress.a');
SELECT s.name, s.state, s.reason FROM triage.provider_status s WHERE s.name = 'regress.a';
SELECT triage.resume_provider('regress.a');
SELECT triage.resume_provider('regress.a');
SELECT s.name, s.state, s.reason FROM triage.provider_status s WHERE s.name LIKE 'regress%' ORDER BY s.name;
SELECT p.paused_at, p.paused_by, p.pause_reason FROM triage.providers p WHERE p.name = 'regress.a';
SELECT * FROM pg_temp.outcome($$SELECT triage.pause_provider('regress.none')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.pause_provider(NULL)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.pause_provider('regress.a', repeat('x', 501))$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.resume_provider('regress.none')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.resume_provider(NULL)$$);

SELECT triage.drop_provider('regress.a');
SELECT triage.drop_provider('regress.b');
SELECT * FROM pg_temp.outcome($$SELECT triage.drop_provider('regress.a')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.drop_provider(NULL)$$);
SELECT count(*) FROM pg_temp.mine;
