-- A helpdesk of any size, the same in every run: CALL bench.bulk(rows, backlog).
--
-- What a helpdesk has after some years: three tenants (7 : 2 : 1), finished tickets by the hundred thousand, and a
-- backlog that does not grow with them, because it is as long as people let it become.  Texts are made of sentences by
-- category with words of a vocabulary whose frequencies fall off as those of a language do; a few sentences as a rule,
-- sometimes pages.  Everything follows from the row's number, by hashing.
--
-- Without triggers and without indexes, which are built at the end: needs a superuser and an empty helpdesk.
SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS bench;

-- 0 <= draw < 1, the same for the same row and purpose
CREATE OR REPLACE FUNCTION bench.draw(i bigint, purpose int) RETURNS float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN (hashint8extended(i, purpose) & 2147483647) / 2147483648.0::float8;

-- the n-th of a list of labels that stand there as often as they are wanted
CREATE OR REPLACE FUNCTION bench.pick(labels text[], i bigint, purpose int) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN labels[1 + floor(bench.draw(i, purpose) * cardinality(labels))::int];

-- word n of the vocabulary; the first ones are drawn most
CREATE OR REPLACE FUNCTION bench.word(i bigint, purpose int) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN (SELECT s[1 + n % 24] || s[1 + n / 24 % 24] || s[1 + n / 576 % 24] || s[1 + n / 13824 % 24]
		FROM (SELECT '{ba,ko,ri,mu,len,tor,vi,sa,dan,pe,gul,fi,nor,ha,zel,cy,wim,bo,ra,tu,quo,jas,el,mi}'::text[] AS s,
			floor(60000 ^ bench.draw(i, purpose))::int AS n) AS w);

-- the word that twelve tickets have, however many there are
CREATE OR REPLACE FUNCTION bench.rare_word(i bigint, rows bigint) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN 'lot' || i % greatest(rows / 12, 1) || 'x';

CREATE TABLE IF NOT EXISTS bench.parts (category text PRIMARY KEY, subjects text[], sentences text[]);
TRUNCATE bench.parts;
INSERT INTO bench.parts VALUES
	('technical', '{Cannot sign in to %,Setup of % fails,Connection to % drops,% is slow since this morning,Printer % offline,Import into % stops,VPN and %,Certificate of % expired}', '{
		"We cannot connect to % since the network was changed on Monday.",
		"The client reports a timeout after thirty seconds, whatever server we choose.",
		"I reset my password twice and the login page still says that the account is locked.",
		"Could somebody look at the configuration of % and tell us which port has to be open?",
		"It works from home, it does not work from the office, the laptop is the same.",
		"The log says: connection refused by peer, error %.",
		"Our administrator has restarted the server and cleared the cache without success.",
		"Two-factor codes for % arrive ten minutes late, when they are no longer valid.",
		"The backup of last night ended with a warning that nobody here understands.",
		"Synchronisation between % and the calendar stops after a few hundred entries.",
		"All of us are affected, about forty people on three floors.",
		"Is there an outage, or is it only our line?"}'),
	('billing', '{Invoice % is wrong,Charged twice for %,Refund for order %,Question about the price of %,Please cancel %,VAT on invoice %,Payment for % declined}', '{
		"The invoice for % shows an amount that we did not agree on.",
		"My card was charged twice on the same day for one order.",
		"Please send the refund to the account that the payment came from.",
		"The discount for % that your colleague promised is not on the invoice.",
		"We need the order number and our VAT id on every invoice, otherwise accounting sends it back.",
		"I cancelled the subscription in time and have the confirmation in front of me.",
		"What would the yearly plan cost for % and twelve colleagues?",
		"The bank declined the payment although there is enough money on the account.",
		"Our purchase order % has been closed; the rest has to go on a new one.",
		"You have raised the price for the second time this year, and I learn of it from my statement.",
		"Could you spread the payment over three months?"}'),
	('general', '{Where is my order %?,Opening hours around %,A question about %,Return of %,Partnership with %,Thank you for %,Data protection at %}', '{
		"I ordered % two weeks ago and have heard nothing since.",
		"The parcel was left with a neighbour whom I do not know.",
		"Are you open on the Friday after the holiday?",
		"We would like to visit your office in % with a group of students.",
		"Who is responsible for data protection, and how long do you keep our order history?",
		"I want to return % unopened; the order arrived on Tuesday.",
		"A short word of thanks to the lady on the phone, who was patient with me.",
		"Is there a printed catalogue, or only the web site?",
		"We are a school with little money: is there a special offer for %?",
		"Please take me off the newsletter, I have asked for it before."}'),
	('feature_request', '{Wish: export of %,Dark mode for %,Please add % to the menu,Idea for the dashboard of %,Shortcut for %,% in other languages}', '{
		"It would help us very much if % could be exported as a table.",
		"A keyboard shortcut for the next order would save our team hours each week.",
		"At present every entry has to be opened, changed and saved one by one.",
		"Other products let me filter the list by % and keep the filter.",
		"Do you plan an integration with %, and roughly when?",
		"My colleagues in % would translate the interface if you let them.",
		"Please let us choose which columns of the dashboard are shown.",
		"An undo for archived orders would be a relief.",
		"We would gladly test it before everybody else gets it."}'),
	('bug_report', '{% crashes when saving,Wrong total in report %,Button % does nothing,Error % after the update,Duplicate entries in %,Page % stays blank}', '{
		"Since version % the report shows another total than the file.",
		"Steps: open the order, choose %, click on save; the page stays blank.",
		"The application crashes as soon as the second monitor is switched on.",
		"Expected: the entries in the order in which they came; actual: the other way round.",
		"The console shows: cannot read property % of undefined.",
		"It happened to three colleagues, on different computers, in different browsers.",
		"Before the update of last week it worked.",
		"The button moves under the footer when the window is narrow.",
		"After the import every customer of % is there twice.",
		"I attach a picture of the error and the file it happens with."}');
-- what anybody writes
UPDATE bench.parts SET sentences = sentences || '{
	"Please answer soon, our own customers are waiting.",
	"There is no hurry, whenever somebody has a minute.",
	"I have written about this before and got no answer.",
	"You can reach me on the phone until five o''clock.",
	"Thank you for your help.",
	"Our contract is the one of %.",
	"Kind regards from %.",
	"If you need more, tell me what, and how I get it.",
	"I am not a technical person, so please be patient with me.",
	"This is the third time in a month."}'::text[];

-- A table's indexes other than those of its constraints: put away, to be made again when it is full.
CREATE TABLE IF NOT EXISTS bench.put_away (definition text);
CREATE OR REPLACE PROCEDURE bench.drop_indexes()
	LANGUAGE plpgsql
AS $$
DECLARE
	item record;
BEGIN
	TRUNCATE bench.put_away;
	FOR item IN
		SELECT i.indexrelid::regclass AS name, pg_get_indexdef(i.indexrelid) AS definition
			FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
			WHERE c.relnamespace = 'triage'::regnamespace AND c.relname ~ '^(tickets|ticket_|chat_)'
				AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
	LOOP
		INSERT INTO bench.put_away VALUES (item.definition);
		EXECUTE format('DROP INDEX %s', item.name);
	END LOOP;
END
$$;
CREATE OR REPLACE PROCEDURE bench.create_indexes()
	LANGUAGE plpgsql
AS $$
DECLARE
	item record;
BEGIN
	FOR item IN SELECT p.definition FROM bench.put_away p ORDER BY p.definition LOOP
		EXECUTE item.definition;
	END LOOP;
	TRUNCATE bench.put_away;
END
$$;

CREATE OR REPLACE PROCEDURE bench.bulk_tickets(from_row bigint, to_row bigint, rows bigint, backlog bigint)
	LANGUAGE sql
AS $$
	INSERT INTO triage.tickets (tenant_id, id, public_id, source, external_id, requester_id, requester_email, language, subject,
			description, tags, search, created_at, status, resolution, handler, priority, category, assignee_id,
			waiting_since, first_response_at, resolved_at, closed_at, deleted_at, updated_at, version)
		OVERRIDING SYSTEM VALUE
		SELECT s.tenant, i, md5('ticket' || i)::uuid, bench.pick('{email,email,email,web,web,chat,api,phone}', i, 1), 'm' || i,
				'customer' || s.customer, 'customer' || s.customer || '@example.com', 'en', x.subject, x.description,
				CASE WHEN bench.draw(i, 2) < 0.2 THEN ARRAY[bench.pick('{vip,renewal,beta,partner,school}', i, 3)] ELSE '{}' END,
				setweight(to_tsvector('english', x.subject), 'A') || setweight(to_tsvector('english', x.description), 'B'),
				s.created_at, f.status, CASE WHEN f.finished THEN bench.pick('{resolved,resolved,resolved,resolved,resolved,
					resolved,closed_by_client,deflected,abandoned,spam}', i, 4)::triage.ticket_resolution END,
				CASE WHEN f.by_ai THEN 'ai' ELSE 'human' END::triage.ticket_handler,
				bench.pick('{low,low,low,low,low,medium,medium,medium,medium,medium,medium,medium,medium,medium,high,high,high,
					high,urgent,low}', i, 6)::triage.ticket_priority,
				CASE WHEN bench.draw(i, 7) > 0.03 THEN s.category END,
				CASE WHEN f.status <> 'open' AND NOT f.by_ai THEN 'agent' || floor(40 * bench.draw(i, 8) ^ 2)::int END,
				CASE WHEN NOT f.finished AND bench.draw(i, 9) < 0.6 THEN s.created_at END,
				CASE WHEN f.status <> 'open' AND NOT f.by_ai THEN s.created_at + interval '40 minutes' END,
				CASE WHEN f.finished THEN s.created_at + interval '9 hours' END,
				CASE WHEN f.status = 'closed' THEN s.created_at + interval '9 days' END,
				CASE WHEN f.finished AND bench.draw(i, 10) < 0.005 THEN s.created_at + interval '10 days' END,
				s.created_at + interval '9 days', 3 + (i % 4)::int
			FROM generate_series(from_row, to_row) AS i
			CROSS JOIN LATERAL (
				SELECT ('{default,default,default,default,default,default,default,harbour,harbour,valley}'::text[])[1 + i % 10] AS tenant,
						floor(greatest(rows / 20, 1) * bench.draw(i, 11) ^ 2)::int AS customer,
						bench.pick('{technical,technical,technical,technical,technical,technical,technical,billing,billing,billing,
							billing,billing,general,general,general,feature_request,feature_request,bug_report,bug_report,bug_report}', i, 12) AS category,
						-- most of the backlog is new, some of it is old
						bench.draw(i, 13) < CASE WHEN rows - i < backlog / 2 THEN 0.8 ELSE 0.6 * backlog / rows END AS unfinished,
						timestamptz '2026-01-01 00:00:00+00' - (rows - i) * interval '3 years' / rows AS created_at,
						1 + least(floor(-9 * ln(1 - bench.draw(i, 14))), 80)::int AS sentences) AS s
			CROSS JOIN LATERAL (
				SELECT NOT s.unfinished AS finished, w.status, bench.draw(i, 5) < 0.15 AND (NOT s.unfinished OR w.status = 'open') AS by_ai
					FROM (SELECT CASE WHEN s.unfinished
						THEN bench.pick('{open,open,open,open,in_progress,in_progress,in_progress,pending,on_hold,review}', i, 15)
						ELSE bench.pick('{closed,closed,closed,closed,closed,resolved}', i, 16) END::triage.ticket_status AS status) AS w) AS f
			JOIN bench.parts p ON p.category = s.category
			CROSS JOIN LATERAL (
				SELECT replace(bench.pick(p.subjects, i, 17), '%', bench.word(i, 18)) AS subject,
						string_agg(replace(bench.pick(p.sentences, i, 100 + k), '%', bench.word(i, 300 + k)), ' ') || ' '
							|| bench.rare_word(i, rows) AS description
					FROM generate_series(1, s.sentences) AS k) AS x
$$;

-- What hangs on these tickets.
CREATE OR REPLACE PROCEDURE bench.bulk_children(from_row bigint, to_row bigint)
	LANGUAGE sql
AS $$
	INSERT INTO triage.ticket_comments (tenant_id, ticket_id, author_id, author_role, visibility, content, created_at)
		SELECT t.tenant_id, t.id, CASE WHEN k % 2 = 1 THEN 'agent' || t.id % 40 ELSE t.requester_id END,
				CASE WHEN k % 2 = 1 THEN 'agent' ELSE 'customer' END::triage.person_role,
				CASE WHEN k % 2 = 1 AND bench.draw(t.id, 40 + k) < 0.2 THEN 'internal' ELSE 'public' END::triage.comment_visibility,
				replace(bench.pick(p.sentences, t.id, 500 + k), '%', bench.word(t.id, 600 + k)) || ' '
					|| replace(bench.pick(p.sentences, t.id, 700 + k), '%', bench.word(t.id, 800 + k)),
				t.created_at + k * interval '40 minutes'
			FROM triage.tickets t
			JOIN bench.parts p ON p.category = coalesce(t.category, 'general')
			CROSS JOIN generate_series(1, floor(-1.6 * ln(1 - bench.draw(t.id, 19)) + 0.5)::int) AS k
			WHERE t.id BETWEEN from_row AND to_row;
	INSERT INTO triage.ticket_history (tenant_id, ticket_id, field, old_value, new_value, changed_by, session_role, created_at)
		SELECT t.tenant_id, t.id, h.field, h.old, h.new, h.by, 'app', t.created_at + h.after
			FROM triage.tickets t
			CROSS JOIN LATERAL (VALUES
				('category', NULL::jsonb, to_jsonb(t.category), 'triage', interval '3 seconds'),
				('assignee_id', NULL, to_jsonb(t.assignee_id), 'lead', interval '20 minutes'),
				('status', '"open"'::jsonb, to_jsonb(t.status), 'lead', interval '9 hours')) AS h (field, old, new, by, after)
			WHERE t.id BETWEEN from_row AND to_row AND h.new IS NOT NULL AND h.new <> '"open"';
	INSERT INTO triage.ticket_assignments (tenant_id, ticket_id, agent_id, assigned_by, assigned_at)
		SELECT t.tenant_id, t.id, t.assignee_id, 'lead', t.created_at + interval '20 minutes'
			FROM triage.tickets t
			WHERE t.id BETWEEN from_row AND to_row AND t.assignee_id IS NOT NULL;
	INSERT INTO triage.ticket_ai_results (tenant_id, ticket_id, ticket_version, category, urgency, sentiment_score, needs_human,
			confidence, language, summary, draft_reply, processed_at)
		SELECT t.tenant_id, t.id, 1, t.category, t.priority, 1 + floor(10 * bench.draw(t.id, 20))::int, bench.draw(t.id, 21) < 0.2,
				round(bench.draw(t.id, 22)::numeric, 2), 'en', left(t.description, 120),
				'Thank you for writing to us. ' || left(t.description, 300) || ' We look into it and come back to you.',
				t.created_at + interval '3 seconds'
			FROM triage.tickets t
			WHERE t.id BETWEEN from_row AND to_row AND t.category IS NOT NULL
$$;

-- Conversations, of the tickets that came by chat: what the customer said, the bot's answer, and so on in turns.
CREATE OR REPLACE PROCEDURE bench.bulk_chats(from_row bigint, to_row bigint)
	LANGUAGE plpgsql
AS $$
BEGIN
	IF to_regclass('triage.chat_sessions') IS NULL THEN
		RETURN;
	END IF;
	-- a session's id is its ticket's: both are new
	INSERT INTO triage.chat_sessions (tenant_id, id, customer_id, language, status, created_at, updated_at, ended_at)
		OVERRIDING SYSTEM VALUE
		SELECT t.tenant_id, t.id, t.requester_id, 'en', CASE WHEN t.status IN ('resolved', 'closed') THEN 'resolved' ELSE 'active' END::triage.session_status,
				t.created_at, t.created_at + interval '20 minutes', CASE WHEN t.status IN ('resolved', 'closed') THEN t.resolved_at END
			FROM triage.tickets t
			WHERE t.id BETWEEN from_row AND to_row AND t.source = 'chat';
	INSERT INTO triage.chat_tickets (tenant_id, session_id, ticket_id, created_at)
		SELECT t.tenant_id, t.id, t.id, t.created_at
			FROM triage.tickets t
			WHERE t.id BETWEEN from_row AND to_row AND t.source = 'chat';
	INSERT INTO triage.chat_messages (tenant_id, session_id, role, author_id, content, language, created_at)
		SELECT t.tenant_id, t.id, CASE WHEN k % 2 = 1 THEN 'user' ELSE 'assistant' END::triage.message_role,
				CASE WHEN k % 2 = 1 THEN t.requester_id END,
				CASE WHEN k = 1 THEN t.description ELSE replace(bench.pick(p.sentences, t.id, 900 + k), '%', bench.word(t.id, 950 + k)) END,
				'en', t.created_at + k * interval '1 minute'
			FROM triage.tickets t
			JOIN bench.parts p ON p.category = coalesce(t.category, 'general')
			CROSS JOIN generate_series(1, 2 + floor(-4 * ln(1 - bench.draw(t.id, 23)))::int) AS k
			WHERE t.id BETWEEN from_row AND to_row AND t.source = 'chat';
END
$$;

CREATE OR REPLACE PROCEDURE bench.bulk_people(rows bigint)
	LANGUAGE sql
AS $$
	INSERT INTO triage.people (tenant_id, id, role, display_name)
		SELECT n.id, p.id, p.role, initcap(p.name)
			FROM triage.tenants n
			CROSS JOIN (
				SELECT 'agent' || i, CASE WHEN i < 3 THEN 'admin' ELSE 'agent' END::triage.person_role, bench.word(i, 30) || ' ' || bench.word(i, 31)
					FROM generate_series(0, 39) AS i
				UNION ALL
				SELECT 'customer' || i, 'customer', bench.word(i, 32) || ' ' || bench.word(i, 33)
					FROM generate_series(0, greatest(rows / 20, 1)) AS i) AS p (id, role, name)
$$;

CREATE OR REPLACE PROCEDURE bench.bulk(rows bigint, backlog bigint DEFAULT 5000)
	LANGUAGE plpgsql
AS $$
DECLARE
	chunk CONSTANT bigint := 50000;
	began timestamptz := clock_timestamp();
BEGIN
	IF EXISTS (SELECT FROM triage.tickets) THEN
		RAISE EXCEPTION 'there are tickets in this database' USING ERRCODE = 'object_not_in_prerequisite_state';
	END IF;
	PERFORM triage.create_tenant(v.id) FROM (VALUES ('harbour'), ('valley')) AS v (id)
		WHERE NOT EXISTS (SELECT FROM triage.tenants t WHERE t.id = v.id);
	SET session_replication_role = replica;
	SET maintenance_work_mem = '1GB';
	SET synchronous_commit = off;
	CALL bench.drop_indexes();
	CALL bench.bulk_people(rows);
	COMMIT;
	FOR from_row IN 1 .. rows BY chunk LOOP
		CALL bench.bulk_tickets(from_row, least(from_row + chunk - 1, rows), rows, backlog);
		CALL bench.bulk_children(from_row, least(from_row + chunk - 1, rows));
		CALL bench.bulk_chats(from_row, least(from_row + chunk - 1, rows));
		COMMIT;
		RAISE NOTICE '% tickets, % s', least(from_row + chunk - 1, rows), round(extract(epoch FROM clock_timestamp() - began));
	END LOOP;
	PERFORM setval(pg_get_serial_sequence('triage.tickets', 'id'), rows);
	IF to_regclass('triage.chat_sessions') IS NOT NULL THEN
		PERFORM setval(pg_get_serial_sequence('triage.chat_sessions', 'id'), rows);
	END IF;
	CALL bench.create_indexes();
	RESET session_replication_role;
	COMMIT;
	RAISE NOTICE 'indexes, % s', round(extract(epoch FROM clock_timestamp() - began));
END
$$;
RESET client_min_messages;
