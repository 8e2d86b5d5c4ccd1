#!/bin/bash
# One version: the control file, META.json, the change log and the file name of the install script agree.
. "$(dirname "$0")/../lib/lint.sh"

version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" triage.control)
perl -MJSON::PP -0777 -ne 'my $m = decode_json($_);
	print "META.json says $m->{version}\n" if $m->{version} ne "'"$version"'.0" or $m->{provides}{triage}{version} ne $m->{version};
	print "META.json lacks $_\n" for grep { !$m->{$_} } qw(name version abstract maintainer license provides meta-spec)' META.json 2>&1 |
	none 'META.json has the version of triage.control and what PGXN asks for'
make_list DATA_built | grep -vx "sql/triage--$version.sql" | none 'the install script is named after the version'
{ grep -qE "^## .*\b${version//./\\.}\b" CHANGELOG.md || echo "no heading for $version"; } 2>&1 |
	none 'CHANGELOG.md has a heading for the version'
lint_end
