#!/bin/bash
# Every error has an SQLSTATE: applications decide by it.
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
# Not those that a function of ours catches, those of a trigger hung elsewhere, and what nobody can do anything about; kinds.c
# speaks of what functions of ours return.
statements 'ereport\(ERROR' 'errhint|ERRCODE_(OUT_OF_MEMORY|INTERNAL_ERROR|UNDEFINED_TABLE|E_R_I_E_TRIGGER_PROTOCOL_VIOLATED)' \
	$(find src -name '*.c' ! -name kinds.c) | none 'every ereport(ERROR) about what somebody did has a hint'
statements 'RAISE\s+EXCEPTION\b' "HINT|'TG001'|'not_null_violation'" sql/install/*.sql | none 'every RAISE EXCEPTION has a hint'
grep -nE 'errmsg\("[A-Z][a-z]+ |errmsg\("[^"]*\."\)' -r src --include='*.c' | none 'messages begin in lower case and have no full stop'
lint_end
