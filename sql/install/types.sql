-- Value sets that code branches on.  Vocabularies that differ by tenant (categories) are rows, see tables.sql.
-- src/core/labels.c holds the same lists for C; sql/enum_labels.sql checks that they agree.

CREATE TYPE triage.ticket_status AS ENUM
	('open', 'in_progress', 'pending', 'on_hold', 'review', 'resolved', 'closed');
COMMENT ON TYPE triage.ticket_status IS
	'where a ticket stands in people''s work; says nothing of the AI''s work, which is a row of ai_jobs';

CREATE TYPE triage.ticket_resolution AS ENUM
	('resolved', 'closed_by_client', 'merged', 'deflected', 'abandoned', 'spam');
COMMENT ON TYPE triage.ticket_resolution IS 'how a resolved or closed ticket ended';

CREATE TYPE triage.ticket_handler AS ENUM ('ai', 'human');
COMMENT ON TYPE triage.ticket_handler IS 'who answers the customer';

CREATE TYPE triage.ticket_priority AS ENUM ('low', 'medium', 'high', 'urgent');
COMMENT ON TYPE triage.ticket_priority IS
	'priority of a ticket or a job, and the scale of the model''s urgency; sorts by weight, urgent is the greatest';

CREATE TYPE triage.person_role AS ENUM ('customer', 'agent', 'admin', 'ai', 'system');
COMMENT ON TYPE triage.person_role IS 'what a person, or the author of a comment, is to the helpdesk';

CREATE TYPE triage.comment_visibility AS ENUM ('public', 'internal');
COMMENT ON TYPE triage.comment_visibility IS 'whether the customer sees a comment';

CREATE TYPE triage.job_kind AS ENUM ('triage', 'chat_reply', 'summarize', 'extract_issues', 'match_issues', 'name_cluster');
COMMENT ON TYPE triage.job_kind IS
	'what a job asks of the model: triage (category, urgency, sentiment and a draft for a ticket), chat_reply (the bot''s next message in a session), summarize (a summary of a session or a ticket for whoever takes it over), extract_issues (the product issues that a ticket reports), match_issues (which clusters a ticket''s issues belong to), name_cluster (name and summary of a cluster)';

CREATE TYPE triage.session_status AS ENUM ('active', 'resolved', 'archived');
COMMENT ON TYPE triage.session_status IS
	'where a chat session stands: active; resolved (ended, a user''s message makes it active again); archived (final)';

CREATE TYPE triage.message_role AS ENUM ('user', 'assistant', 'agent', 'system');
COMMENT ON TYPE triage.message_role IS
	'who speaks in a chat message: the customer (user), the AI (assistant), a person of the helpdesk (agent), or the application (system)';

CREATE TYPE triage.session_link AS ENUM ('origin', 'followup', 'related');
COMMENT ON TYPE triage.session_link IS
	'how a chat session belongs to a ticket: origin (the ticket was opened from it; one a session), followup, related';

CREATE TYPE triage.escalation_cause AS ENUM
	('customer_request', 'low_confidence', 'missing_knowledge', 'policy', 'negative_sentiment', 'repeated_failure',
	 'ai_failed', 'usage_limit', 'agent_takeover');
COMMENT ON TYPE triage.escalation_cause IS 'why a conversation went from the AI to a person';

CREATE TYPE triage.support_status AS ENUM
	('OPEN_AI_HANDLING', 'PENDING_HUMAN_ASSIGNMENT', 'ACTIVE_HUMAN_CHAT', 'CLOSED_RESOLVED', 'CLOSED_BY_CLIENT');
COMMENT ON TYPE triage.support_status IS
	'where a conversation''s ticket stands, in one word: the AI answers; escalated, and no agent has it yet; an agent has it; finished; finished because the customer ended it';
CREATE TYPE triage.ticket_link_kind AS ENUM ('duplicate_of', 'caused_by', 'followup_of', 'related');
COMMENT ON TYPE triage.ticket_link_kind IS 'what one ticket is to another';

CREATE TYPE triage.provider_api AS ENUM ('openai', 'builtin');
COMMENT ON TYPE triage.provider_api IS
	'openai: any endpoint that speaks the OpenAI chat completions protocol; builtin: text search and a lexicon, in process, no network';

CREATE TYPE triage.budget_period AS ENUM ('day', 'month');
COMMENT ON TYPE triage.budget_period IS 'for how long a budget''s limit is: a day or a month of the calendar, in UTC';
CREATE TYPE triage.health_level AS ENUM ('ok', 'warning', 'critical');
COMMENT ON TYPE triage.health_level IS
	'what a check of health() says: ok; warning: look at it today; critical: tickets are not triaged, or soon will not be; sorts by weight, so max(level) is the state of the whole';

CREATE TYPE triage.run_outcome AS ENUM
	('succeeded', 'throttled', 'account', 'misconfigured', 'bad_request', 'refused',
	 'transient', 'unusable_answer', 'stale', 'lost');
COMMENT ON TYPE triage.run_outcome IS
	'how a call to a model ended: succeeded; throttled (429); account (401, 402, 403, quota); misconfigured (URL, model, TLS, refused origin); bad_request (400, 413, 422); refused (by the model or a content filter); transient (5xx, time-out, cut connection); unusable_answer (not the JSON asked for); stale (answered after the ticket moved on); lost (no answer before the lease ended)';

CREATE TYPE triage.issue_type AS ENUM
	('bug', 'friction', 'ux_confusion', 'feature_request', 'documentation_gap', 'data_issue');
COMMENT ON TYPE triage.issue_type IS 'what kind of product issue a customer reports';

CREATE TYPE triage.issue_severity AS ENUM ('low', 'medium', 'high', 'critical');
COMMENT ON TYPE triage.issue_severity IS 'how bad an issue is for the customer; sorts by weight, critical is the greatest';

CREATE TYPE triage.pm_status AS ENUM ('new', 'reviewing', 'acknowledged', 'fixed', 'wont_fix');
COMMENT ON TYPE triage.pm_status IS 'what product management has decided of a cluster';

CREATE TYPE triage.issue_assigner AS ENUM ('exact', 'lexical', 'model', 'human');
COMMENT ON TYPE triage.issue_assigner IS
	'how an issue came to its cluster: exact (the same fingerprint), lexical (a score above join_score), model (chosen among candidates), human (a person said so; never overwritten)';

CREATE TYPE triage.cluster_event AS ENUM
	('created', 'joined', 'left', 'named', 'merged', 'unmerged', 'status_changed', 'regressed', 'archived', 'unarchived',
	 'noted', 'asked', 'unplaced');
COMMENT ON TYPE triage.cluster_event IS
	'what happened to a cluster, or to an issue on its way to one: created; joined, left (an issue); named; merged, unmerged (this cluster, into another one and out of it again); status_changed; regressed (reported again after it was fixed); archived, unarchived; noted (a person''s notes changed); asked (an issue was put before the model, with what it could choose from); unplaced (an issue was left without a cluster, and why)';

CREATE TYPE triage.sync_auth AS ENUM ('token', 'oauth');
COMMENT ON TYPE triage.sync_auth IS
	'how a source of sync is called: token (Basic, e-mail address and API token), oauth (Bearer)';

CREATE TYPE triage.sync_stream AS ENUM ('tickets', 'comments');
COMMENT ON TYPE triage.sync_stream IS 'what is copied: tickets (with users and organizations), comments (of the tickets copied)';
