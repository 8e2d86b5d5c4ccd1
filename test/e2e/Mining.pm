# Mining.pm: what the tests of issue mining with a worker share: tickets that say which issues they report
package Mining;

use strict;
use warnings;
use Exporter 'import';
use Triage;

our @EXPORT = qw(prepare_mining add_reports report_of issues_of job_runs);

# The taxonomy, and scores that leave all but what reads the same to the model.  Tickets are not triaged.
sub prepare_mining
{
	my ($node) = @_;
	sql($node, <<'SQL');
SELECT triage.load_taxonomy();
SELECT triage.set_mining_settings('{"join_score": 1, "candidate_score": 0.01}');
UPDATE triage.providers SET enabled = false WHERE name = 'builtin' AND (SELECT count(*) FROM triage.providers) > 1;
ALTER DATABASE postgres SET triage.auto_triage = off;
SQL
}

# What a ticket says, for the fake model to find: [SUMMARY, LABEL, QUOTE] of each issue.
sub report_of
{
	my ($directives, @issues) = @_;
	return join("\n", "I report this.", (map { "ISSUE " . ($_->[1] // 'PAYROLL/errors') . "|bug|high|$_->[0]|" . ($_->[2] // 'I report this.') } @issues),
		$directives ? "[[fake $directives]]" : ());
}

# add_reports($node, NAME => [DIRECTIVES, ISSUES], ...): a ticket each, extracted; returns their ids.
sub add_reports
{
	my ($node, @reports) = @_;
	my $statement = 'BEGIN;';

	while (my ($name, $report) = splice @reports, 0, 2)
	{
		my $text = report_of(@$report);
		$statement .= "INSERT INTO triage.tickets (subject, description, requester_email) VALUES ('About $name', \$text\$$text\$text\$, '$name\@example.com');"
		  . "SELECT triage.extract_issues((SELECT max(id) FROM triage.tickets)) IS NULL;";
	}
	sql($node, $statement . 'COMMIT');
}

# summary, cluster and who put it there, of each current issue of a ticket; clusters by the smallest id of their issues
sub issues_of
{
	my ($node, $ticket) = @_;
	return sql($node, "SELECT i.summary, i.assigned_by, c.cluster_name FROM triage.extracted_issues i
		LEFT JOIN triage.issue_clusters c ON c.tenant_id = i.tenant_id AND c.id = i.cluster_id
		WHERE i.ticket_id = $ticket AND i.superseded_at IS NULL ORDER BY i.id");
}

sub job_runs
{
	my ($node, $condition) = @_;
	return sql($node, "SELECT coalesce(string_agg(r.kind || ' ' || r.outcome, ', ' ORDER BY r.id), '') FROM triage.ai_runs r WHERE $condition");
}

1;
