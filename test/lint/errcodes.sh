#!/bin/bash
# Every error has an SQLSTATE: applications decide by it.  Those that people meet have a hint.
. "$(dirname "$0")/../lib/lint.sh"

# Offending statements, with the line they begin on; strings are skipped as a whole.
statements()					# statements START-REGEX FINE-REGEX FILE...
{
	perl -0777 -e '
		my ($start, $fine, @files) = @ARGV;
		for my $file (@files) {
			open my $in, "<", $file or die "$file: $!"; my $text = <$in>;
			while ($text =~ /($start(?:"(?:\\.|[^"\\])*"|\x27(?:\x27\x27|[^\x27])*\x27|[^;"\x27])*;)/g) {
				my ($statement, $line) = ($1, 1 + (substr($text, 0, $-[0]) =~ tr/\n//));
				next if $statement =~ /$fine/;
				print "$file:$line: ", (split /\n/, $statement)[0], "\n";
			}
		}' "$@"
}

statements 'ereport\((?:ERROR|FATAL|PANIC)' 'errcode(_for_\w+)?\(' $(find src -name '*.c') | none 'every ereport(ERROR) has an errcode'
statements 'RAISE\s+EXCEPTION\b' 'ERRCODE|RAISE\s+EXCEPTION\s+(SQLSTATE|[a-z_]+\s)' sql/install/*.sql | none 'every RAISE EXCEPTION has an ERRCODE'
# TG001 is caught where it is raised for
statements 'RAISE\s+EXCEPTION\b' 'HINT|TG001' sql/install/*.sql | none 'every RAISE EXCEPTION has a HINT'
statements 'ereport\(ERROR' 'errhint\(|ERRCODE_(?!INVALID_PARAMETER_VALUE)' src/pg/jobs.c src/pg/control.c src/pg/pause.c src/pg/guc.c | none 'every ereport(ERROR) about an argument has an errhint'
grep -nE 'errmsg\("[A-Z][a-z]+ |errmsg\("[^"]*\."\)' -r src --include='*.c' | none 'messages begin in lower case and have no full stop'
lint_end
