# report_html() in a browser: what is shown equals what the tables say, in both colour schemes and on a phone; what came
# from outside is text; nothing runs and nothing is loaded.
#
# The browser reads the page for us: probe.html holds it in a frame and writes down what it finds, as JSON.  The page's own
# policy forbids scripts, so the probe stands beside it.
use strict;
use warnings;
use Compress::Zlib qw(uncompress);
use IO::Socket::INET;
use IPC::Run ();
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $TIMEOUT = $PostgreSQL::Test::Utils::timeout_default;
my $dir = $PostgreSQL::Test::Utils::tmp_check;
my ($browser) = grep { -x } map { my $p = $_; map { "$_/$p" } split /:/, $ENV{PATH} } qw(chromium-headless-shell chromium chromium-browser google-chrome);
die "a headless browser is needed, and neither chromium-headless-shell nor chromium is on the PATH (Debian: apt-get install chromium-headless-shell)\n"
  unless $browser;

# nobody works on the queue: what is in it stays for the page to show
my $node = start_server('report', conf => 'triage.autostart = off');
mkdir $dir;

################################################ the browser ################################################

# What the browser prints.  It finds no host, whatever a page asks for, and only our own address gets an answer.
sub browse
{
	my ($file, @options) = @_;
	my ($out, $err) = ('', '');
	local %ENV = (%ENV, HOME => $dir);

	IPC::Run::run([ $browser, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars', '--no-first-run', '--allow-file-access-from-files',
			"--user-data-dir=$dir/browser", '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', @options, "file://$dir/$file" ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout($TIMEOUT)) or die "$browser: $err\n";
	return $out;
}

sub write_file
{
	my ($name, $content) = @_;
	open(my $file, '>:raw', "$dir/$name") or die "$dir/$name: $!\n";
	print $file $content;
	close($file) or die "$dir/$name: $!\n";
	return $name;
}

# psql hands the page over as it is, in UTF-8.
sub page
{
	my ($name, $settings, $since) = @_;
	return write_file($name, sql($node, "$settings SELECT triage.report_html(" . ($since // '') . ')') . "\n");
}

# What the browser made of pages: probe([FILE, ...], WIDTH, OPTION...), a hash for each.
sub probe
{
	my ($files, $width, @options) = @_;
	my $frames = join('', map { qq(<iframe src="$_" width="$width" height="900"></iframe>) } @$files);
	my $probe = write_file('probe.html', <<HTML);
<!DOCTYPE html><meta charset="utf-8"><pre id="found"></pre>$frames<script>
const light = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(x => (x /= 255) <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4); return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
const look = frame => {
	const d = frame.contentDocument, view = d.defaultView, all = [...d.querySelectorAll('*')], css = e => view.getComputedStyle(e);
	const text = q => [...d.querySelectorAll(q)].map(e => e.textContent.trim()), ground = css(d.body).backgroundColor;
	const contrast = e => { const a = light(css(e).color), b = light(ground); return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05); };
	const worded = all.filter(e => d.body.contains(e) && e.namespaceURI.endsWith('xhtml') && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
	return {
		title: d.title, ground, mode: d.compatMode, charset: d.characterSet, elements: [...new Set(all.map(e => e.localName))].sort(),
		attributes: [...new Set(all.flatMap(e => e.getAttributeNames()))].sort(), addresses: all.flatMap(e => ['src', 'href'].filter(a => e.hasAttribute(a))).length,
		first: d.head.firstElementChild.outerHTML, wide: d.documentElement.scrollWidth, room: d.documentElement.clientWidth, tall: d.documentElement.scrollHeight,
		contrast: Math.min(...worded.map(contrast)), small: Math.min(...worded.map(e => parseFloat(css(e).fontSize))),
		keys: Object.fromEntries([...d.querySelectorAll('dl div')].map(e => [e.children[0].textContent, [e.children[1].textContent, e.children[2].textContent]])),
		tables: Object.fromEntries([...d.querySelectorAll('table')].map(t => [t.id, [...t.tBodies[0].rows].map(r => [...r.cells].map(c => c.textContent.trim()))])),
		unnamed: [...d.querySelectorAll('table')].filter(t => !t.caption || !t.caption.textContent).length + [...d.querySelectorAll('svg:not([aria-hidden])')].filter(s => !s.querySelector('title') || s.getAttribute('role') !== 'img').length,
		headings: [...d.querySelectorAll('h1, h2, h3')].map(h => h.localName).join(' '), h1: text('h1'), sections: text('h2'), clusters: text('h3'), quotes: text('blockquote'), facts: text('.facts'), queue: text('#outcomes-section > p'), curves: [...d.querySelectorAll('.curve')].map(e => [...e.childNodes].filter(n => n.localName !== 'svg').map(n => n.textContent).join('')), none: text('.none'),
		tips: text('#volume-section g title'), sparks: [...d.querySelectorAll('.spark')].map(s => [s.getAttribute('aria-label'), s.querySelectorAll('rect').length]),
		bars: [...d.querySelectorAll('#volume-section svg g')].map(g => [...g.querySelectorAll('rect:not(.hit)')].map(r => r.getBoundingClientRect().height)),
		labels: [...d.querySelectorAll('[aria-labelledby]')].flatMap(e => e.getAttribute('aria-labelledby').split(' ')).filter(i => d.querySelectorAll('#' + CSS.escape(i)).length !== 1) };
};
window.onload = () => { document.getElementById('found').textContent = JSON.stringify([...document.querySelectorAll('iframe')].map(look)); };
</script>
HTML
	my $dom = browse($probe, '--dump-dom', @options);
	my ($found) = $dom =~ m{<pre id="found">(.+?)</pre>}s or die "the probe found nothing: $dom\n";
	$found =~ s/&lt;/</g;
	$found =~ s/&gt;/>/g;
	$found =~ s/&nbsp;/\xc2\xa0/g;
	$found =~ s/&amp;/&/g;
	return @{ JSON::PP->new->utf8->decode($found) };
}

# Each pixel of a picture, as 'rrggbb' => how many; and its size.
sub picture
{
	my ($file, $width, $height, @options) = @_;
	browse($file, "--window-size=$width,$height", "--screenshot=$dir/picture.png", @options);
	my $png = slurp_file("$dir/picture.png");
	my ($at, $data, $wide, $high, $kind) = (8, '');
	while ($at < length $png)
	{
		my ($length, $type) = unpack('Na4', substr($png, $at, 8));
		my $chunk = substr($png, $at + 8, $length);
		($wide, $high, undef, $kind) = unpack('NNCC', $chunk) if $type eq 'IHDR';
		$data .= $chunk if $type eq 'IDAT';
		$at += $length + 12;
	}
	my $bytes = $kind == 6 ? 4 : 3;
	my @rows = unpack("(a" . ($wide * $bytes + 1) . ")*", uncompress($data));
	my (%count, @above);
	@above = (0) x ($wide * $bytes);
	for my $row (@rows)
	{
		my ($filter, @now) = unpack('C*', $row);
		if ($filter == 1) { $now[$_] = ($now[$_] + $now[ $_ - $bytes ]) & 255 for $bytes .. $#now; }
		elsif ($filter == 2) { $now[$_] = ($now[$_] + $above[$_]) & 255 for 0 .. $#now; }
		elsif ($filter == 3) { $now[$_] = ($now[$_] + ((($_ < $bytes ? 0 : $now[ $_ - $bytes ]) + $above[$_]) >> 1)) & 255 for 0 .. $#now; }
		elsif ($filter == 4)
		{
			for my $i (0 .. $#now)
			{
				my ($left, $up, $corner) = ($i < $bytes ? 0 : $now[ $i - $bytes ], $above[$i], $i < $bytes ? 0 : $above[ $i - $bytes ]);
				my ($a, $b, $c) = (abs($up - $corner), abs($left - $corner), abs($left + $up - 2 * $corner));
				$now[$i] = ($now[$i] + ($a <= $b && $a <= $c ? $left : $b <= $c ? $up : $corner)) & 255;
			}
		}
		@above = @now;
		$count{$_}++ for map { unpack('H6', $_) } unpack("(a$bytes)*", pack('C*', @now));
	}
	return ($wide, $high, \%count);
}

# What the tables say, one row a line, as the probe would give it.
sub expected { return [ map { [ split /\|/, $_, -1 ] } split /\n/, sql($node, $_[0]) ]; }

my $LIGHT = '--blink-settings=preferredColorScheme=1';
my $DARK = '--blink-settings=preferredColorScheme=0';

################################################ a helpdesk as usual ################################################

sql($node, <<'SQL');
SELECT triage.load_demo();
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, outcome, latency_ms, cost, currency, started_at, finished_at)
	SELECT t.tenant_id, t.id, t.id, 'triage', 1, CASE WHEN t.id % 9 = 0 THEN 'throttled' ELSE 'succeeded' END::triage.run_outcome, 500 + 7 * t.id % 2000,
			CASE WHEN t.id % 9 <> 0 THEN 0.001 * t.id END, CASE WHEN t.id % 9 = 0 THEN NULL WHEN t.id % 2 = 0 THEN 'EUR' ELSE 'USD' END, t.created_at, t.created_at
		FROM triage.tickets t;
SELECT triage.delete_ticket(t.id) FROM triage.tickets t WHERE t.id % 40 = 0;
SELECT triage.request_triage(min(t.id)) FROM triage.tickets t WHERE t.status = 'open' AND t.deleted_at IS NULL;
SQL
page('report.html', '');
my ($found) = probe([ 'report.html' ], 1200, $LIGHT);

is($found->{mode}, 'CSS1Compat', 'the browser reads the page in standards mode');
is($found->{charset}, 'UTF-8', 'as UTF-8');
is($found->{first}, q(<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">), 'whose policy comes first');
is($found->{title}, 'Support report: Default tenant', 'its title names the tenant');
is_deeply($found->{sections}, [ 'Volume', 'Backlog', 'What tickets are about', 'Product issues', 'AI outcomes', 'Latency and cost' ], 'all sections are there');
like($found->{headings}, qr/^h1( h2(?: h3)*)+$/, 'headings follow each other by level');
is($found->{unnamed}, 0, 'tables have captions, pictures titles');
is_deeply($found->{labels}, [], 'what names something is there, once');
is($found->{addresses}, 0, 'no element has an address to load or to go to');
is_deeply($found->{none}, [], 'nothing is said to be missing');

my $from = "(now() - interval '29 days')::date";
my $tickets = "FROM triage.tickets t WHERE t.tenant_id = 'default' AND t.deleted_at IS NULL";
my $open = "$tickets AND t.status NOT IN ('resolved', 'closed')";
my $runs = "FROM triage.ai_runs r WHERE r.tenant_id = 'default' AND r.finished_at >= $from";
is_deeply($found->{keys}{'Tickets created'}, expected("SELECT count(*), 'in this period' $tickets AND t.created_at >= $from")->[0], 'tickets created');
is_deeply($found->{keys}{'Open now'}, expected("SELECT count(*), count(t.waiting_since) || ' waiting for an answer' $open")->[0], 'the backlog');
is_deeply($found->{keys}{'AI answered'}, expected("SELECT round(100.0 * count(*) FILTER (WHERE r.outcome = 'succeeded') / count(*), 1) || ' %', 'of ' || count(*) || ' calls' $runs")->[0], 'the share of answers');
is(join(' ', @{ $found->{tables}{'volume-table'}[-1] }),
	sql($node, "SELECT to_char(now(), 'FMDD Mon YYYY') || ' ' || count(*) || ' ' || count(*) FILTER (WHERE t.status NOT IN ('resolved', 'closed')) $tickets AND t.created_at::date = now()::date"), 'today is the last day');
is_deeply($found->{tables}{'volume-table'}, expected(<<SQL), 'each day has its tickets');
SELECT to_char(d, 'FMDD Mon YYYY'), count(t.id), count(t.id) FILTER (WHERE t.status NOT IN ('resolved', 'closed'))
	FROM generate_series($from, now()::date, '1 day') d LEFT JOIN triage.tickets t ON t.tenant_id = 'default' AND t.created_at::date = d::date AND t.deleted_at IS NULL
	GROUP BY d ORDER BY d
SQL
is_deeply([ map { [ map { $_ > 1 ? 1 : 0 } @$_ ] } @{ $found->{bars} } ], [ map { [ (1) x (($_->[1] > 0) + ($_->[2] > 0)) ] } @{ $found->{tables}{'volume-table'} } ], 'and its bars');
my ($most) = sort { $b->[1] <=> $a->[1] } map { [ $_, $found->{tables}{'volume-table'}[$_][1] ] } 0 .. 29;
my ($other) = grep { $_->[1] > 0 && $_->[1] < $most->[1] / 2 } map { [ $_, $found->{tables}{'volume-table'}[$_][1] ] } 0 .. 29;
cmp_ok(abs($found->{bars}[ $most->[0] ][0] / $found->{bars}[ $other->[0] ][0] - $most->[1] / $other->[1]), '<', 0.5, 'as high as its number') if $other;
is($found->{tips}[-1], join(' ', sql($node, "SELECT to_char(now(), 'FMDD Mon YYYY')") . ':', $found->{tables}{'volume-table'}[-1][1], 'created,', $found->{tables}{'volume-table'}[-1][2], 'still open'), 'and says so');
is_deeply([ map { [ @$_[ 0, 1 ] ] } @{ $found->{tables}{outcomes} } ], expected("SELECT r.outcome, count(*) $runs GROUP BY 1 ORDER BY 2 DESC"), 'outcomes of calls');
is($found->{queue}[0], 'In the queue now: 1 waiting, 0 running, 0 to be tried later. Given up: 0.', 'the queue');
is_deeply([ map { [ @$_[ 0, 1 ] ] } @{ $found->{tables}{urgency} } ], expected(<<SQL), 'urgency');
SELECT coalesce(u.urgency::text, 'not rated'), u.n
	FROM (SELECT r.urgency, count(*) AS n FROM triage.tickets t LEFT JOIN triage.ticket_ai_results r ON r.ticket_id = t.id AND r.superseded_at IS NULL
		WHERE t.deleted_at IS NULL AND t.created_at >= $from GROUP BY 1) u ORDER BY u.urgency DESC NULLS LAST
SQL
is_deeply([ sort { $a->[0] cmp $b->[0] } map { [ @$_[ 0, 1 ] ] } @{ $found->{tables}{categories} } ], expected(<<SQL), 'categories');
SELECT * FROM (SELECT coalesce(replace(coalesce(t.category, r.category), '_', ' '), 'none yet') AS category, count(*) FROM triage.tickets t
	LEFT JOIN triage.ticket_ai_results r ON r.ticket_id = t.id AND r.superseded_at IS NULL WHERE t.deleted_at IS NULL AND t.created_at >= $from GROUP BY 1) c ORDER BY category COLLATE "C"
SQL
is_deeply([ map { [ $_->[0], $_->[1] ] } @{ $found->{tables}{oldest} } ], expected("SELECT '#' || t.id, t.subject $open AND t.waiting_since IS NOT NULL ORDER BY t.waiting_since, t.id LIMIT 5"), 'who waits longest');
for my $currency (qw(EUR USD))
{
	my $sum = sql($node, "SELECT to_char(round(sum(r.cost), 2), 'FM990.00') $runs AND r.currency = '$currency'");
	like("@{ $found->{keys}{'AI cost'} }", qr/\b\Q$currency $sum\E( |$)/, "what was spent in $currency");
}
is_deeply([ sort @{ $found->{clusters} } ], [ map { $_->[0] } @{ expected(<<'SQL') } ], 'the clusters, those that came back marked');
SELECT * FROM (SELECT c.cluster_name || CASE WHEN c.is_regressed THEN ' came back' ELSE '' END AS name FROM triage.cluster_trends c WHERE c.is_visible AND c.is_active) n ORDER BY name COLLATE "C"
SQL
is_deeply([ sort @{ $found->{curves} } ], [ map { $_->[0] } @{ expected(<<'SQL') } ], 'with the trend that cluster_trends gives');
SELECT * FROM (SELECT count_7d || ' in 7 days, ' || count_prior_7d || ' in the 7 before' || CASE WHEN count_7d = count_prior_7d THEN 'steady' WHEN count_prior_7d = 0 THEN 'new'
		WHEN trend_pct >= 1000 THEN 'more than tenfold' ELSE CASE WHEN trend_pct > 0 THEN 'up ' ELSE 'down ' END || round(abs(trend_pct)) || ' %' END AS trend
	FROM triage.cluster_trends c WHERE c.is_visible AND c.is_active) n ORDER BY trend COLLATE "C"
SQL
is(join(' ', map { $_->[1] > 0 ? 'some' : 'none' } @{ $found->{sparks} }), join(' ', ('some') x @{ $found->{clusters} }), 'each with a sparkline');
is(scalar(grep { my $quote = s/ ticket \d+, .*//sr; my ($id) = /ticket (\d+),/; sql($node, "SELECT strpos(t.description, \$q\$$quote\$q\$) > 0 FROM triage.tickets t WHERE t.id = $id") ne 't' } @{ $found->{quotes} }),
	0, 'and quotes that stand in their tickets');
cmp_ok(scalar(@{ $found->{quotes} }), '>=', 8, '(there are such)');

################################################ light and dark, wide and narrow ################################################

is($found->{ground}, 'rgb(252, 252, 250)', 'light on a light desktop');
my ($dark) = probe([ 'report.html' ], 360, $DARK);
is($dark->{ground}, 'rgb(19, 21, 24)', 'dark on a dark phone');
cmp_ok($_->[1]{contrast}, '>=', 4.5, "$_->[0]: text stands out from its ground") for [ light => $found ], [ dark => $dark ];
cmp_ok($_->[1]{wide}, '<=', $_->[1]{room}, "$_->[0]: nothing is wider than the screen") for [ desktop => $found ], [ phone => $dark ];
cmp_ok($_->[1]{small}, '>=', 11.5, "$_->[0]: no text is too small") for [ desktop => $found ], [ phone => $dark ];
for my $case ([ 'light', $LIGHT, 'fcfcfa', '2b5bc7' ], [ 'dark', $DARK, '131518', '82a8ff' ])
{
	my ($name, $option, $ground, $accent) = @$case;
	my ($wide, $high, $colours) = picture('report.html', 700, 600, $option);
	is("$wide x $high", '700 x 600', "$name: a picture of the page");
	cmp_ok($colours->{$ground} // 0, '>', 700 * 600 / 2, "$name: on its ground");
	cmp_ok($colours->{$accent} // 0, '>', 500, "$name: with bars in it");
	cmp_ok(scalar(keys %$colours), '>', 30, "$name: and words");
}

################################################ hostile text, and none ################################################

# Answers whoever asks, and notes it.
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 20, ReuseAddr => 1) or die "listen: $!\n";
my $here = '127.0.0.1:' . $listener->sockport;
my $visits = "$dir/visits";
my $server = fork() // die "fork: $!\n";
if ($server == 0)
{
	while (my $client = $listener->accept)
	{
		my $line = <$client> // next;
		append_to_file($visits, $line);
		print $client "HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n";
		close($client);
	}
	exec('true');
}
close($listener);
sub visits { return -e $visits ? slurp_file($visits) : ''; }

my %hostile = (
	tenant => "</title><script>document.title='pwned'</script><img src=\"http://$here/tenant\">",
	subject => "<img src=\"http://$here/subject\" onerror=\"document.title='pwned'\"><iframe src=\"//$here\">",
	agent => '"><svg onload=alert(1)>',
	category => '<b onclick="alert(1)">',
	area => "'\"><a href=\"javascript:alert(1)\">",
	cluster => "</title></svg><script src=\"http://$here/cluster\"></script>\" onload=\"alert(1)\" x=\"",
	summary => "<!-- --!> <![CDATA[ ]]> <base href=\"http://$here/\">",
	quote => "</blockquote></style><style>body{display:none;background:url(http://$here/quote)}</style><link rel=\"stylesheet\" href=\"http://$here/css\">",
	currency => '<i>"&');
my %sql = map { $_ => "\$hostile\$$hostile{$_}\$hostile\$" } keys %hostile;
sql($node, <<SQL);
SELECT triage.create_tenant('hostile');
SET triage.tenant = 'hostile';
SET triage.auto_triage = off;
UPDATE triage.tenants SET name = $sql{tenant} WHERE id = 'hostile';
ALTER TABLE triage.ticket_categories DROP CONSTRAINT ticket_categories_name;
ALTER TABLE triage.issue_taxonomy DROP CONSTRAINT issue_taxonomy_category;
INSERT INTO triage.ticket_categories (category) VALUES ($sql{category});
INSERT INTO triage.issue_taxonomy (category, subcategory) VALUES ($sql{area}, 'x');
SELECT triage.create_ticket($sql{subject}, 'x', 'carl', request_triage => false);
INSERT INTO triage.people (id, role) VALUES ($sql{agent}, 'agent');
UPDATE triage.tickets SET category = $sql{category}, assignee_id = $sql{agent} WHERE tenant_id = 'hostile';
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, outcome, latency_ms, cost, currency)
	SELECT 'hostile', 1, t.id, 'triage', 1, 'succeeded', 10, 1, $sql{currency} FROM triage.tickets t WHERE t.tenant_id = 'hostile';
INSERT INTO triage.issue_clusters (category, subcategory, cluster_name, cluster_summary) VALUES ($sql{area}, 'x', $sql{cluster}, $sql{summary});
INSERT INTO triage.extracted_issues (ticket_id, cluster_id, category, subcategory, issue_type, severity, summary, representative_quote, quote_verified, customer, fingerprint, assigned_by, reported_at)
	SELECT t.id, c.id, c.category, 'x', 'bug', 'low', 'x', $sql{quote}, true, 'p' || n, sha256(n::text::bytea), 'human', now() - interval '1 minute'
		FROM triage.tickets t, triage.issue_clusters c, generate_series(1, 3) n WHERE t.tenant_id = 'hostile' AND c.tenant_id = 'hostile';
SQL
page('hostile.html', "SET triage.tenant = 'hostile'; SET timezone = '<img>-3';");
sql($node, "SELECT triage.create_tenant('empty')");
page('empty.html', "SET triage.tenant = 'empty';", "'1 year'");
my ($attacked, $empty) = probe([ 'hostile.html', 'empty.html' ], 1200, $LIGHT);
is($attacked->{title}, "Support report: $hostile{tenant}", 'a tenant\'s name is shown as text, in the title');
is($attacked->{h1}[0], "Support report: $hostile{tenant}", 'and in the heading');
is(index($attacked->{tables}{oldest}[0][1], substr($hostile{subject}, 0, 80)), 0, 'a subject is shown as text');
is($attacked->{tables}{oldest}[0][3], $hostile{agent}, 'an assignee, too');
is($attacked->{tables}{categories}[0][0], $hostile{category}, 'a category, too');
is(index($attacked->{clusters}[0], substr($hostile{cluster}, 0, 99)), 0, 'the name of a cluster, too');
is(index($attacked->{sparks}[0][0], substr($hostile{cluster}, 0, 99)), 0, 'also in an attribute and in a picture');
is(index($attacked->{quotes}[0], $hostile{quote}), 0, 'a quote, too');
like($attacked->{facts}[0], qr/^\Q$hostile{area}\E/, 'a place in the taxonomy, too');
is($attacked->{keys}{'AI cost'}[0], "$hostile{currency} 1.00", 'a currency, too');
is_deeply($attacked->{elements}, $found->{elements}, 'no element came in from outside');
is_deeply([ grep { my $name = $_; !grep { $_ eq $name } @{ $found->{attributes} } } @{ $attacked->{attributes} } ], [], 'and no attribute');
is($attacked->{ground}, $found->{ground}, 'and no style');
is(visits(), '', 'and nothing was asked for over the network');

is(scalar(@{ $empty->{none} }), 7, 'where there is nothing, each section says so, and the last of both its parts');

# Would it be seen?  The same text, not escaped: with the policy nothing is loaded either, without it all of it.
my $policy = '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src \'unsafe-inline\'">';
my $raw = "<meta charset=\"utf-8\"></head><body><img src=\"http://$here/raw\"><script src=\"http://$here/script\"></script></body>";
write_file('guarded.html', "<!DOCTYPE html><html><head>$policy$raw</html>");
write_file('open.html', "<!DOCTYPE html><html><head>$raw</html>");
browse('guarded.html', '--dump-dom');
is(visits(), '', 'the policy alone holds back what the page would ask for');
browse('open.html', '--dump-dom');
like(visits(), qr{GET /(raw|script) }, 'and without it the request is seen');
kill 'KILL', $server;
waitpid($server, 0);

################################################ well-formed ################################################

for my $file (qw(report.html empty.html hostile.html))
{
	my ($out, $err) = ('', '');
	ok(IPC::Run::run([ 'xmllint', '--noout', '--nonet', "$dir/$file" ], '<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout($TIMEOUT)), "$file is well-formed XML") or diag($err);
}

$node->stop;
done_testing();
