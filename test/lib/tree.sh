#!/bin/bash
# tree.sh PG_CONFIG PREFIX [MAKE ARGUMENT...]
#
# Copies the PostgreSQL that PG_CONFIG speaks for below PREFIX, builds the extension in the current directory and
# installs it there.  PostgreSQL finds its own files relative to the program that runs, as long as the directories
# keep their places to each other: so the copy is a server of its own, and the system's extension directory is not
# touched.  Prints the copy's program directory.
set -euo pipefail

pg_config=$1 prefix=$2
shift 2
bindir=$("$pg_config" --bindir)
libdir=$("$pg_config" --pkglibdir)
sharedir=$("$pg_config" --sharedir)

mkdir -p "$prefix$bindir" "$prefix$libdir" "$prefix$sharedir"
# By name: where programs are kept in /usr/bin, they are not alone.
for program in clusterdb createdb createuser dropdb dropuser initdb pg_amcheck pg_archivecleanup pg_basebackup pg_checksums \
	pg_config pg_controldata pg_ctl pg_dump pg_dumpall pg_isready pg_receivewal pg_recvlogical pg_resetwal pg_restore pg_rewind \
	pg_upgrade pg_verifybackup pg_waldump pgbench postgres psql reindexdb vacuumdb; do
	[ ! -e "$bindir/$program" ] || cp --dereference "$bindir/$program" "$prefix$bindir/"
done
tar --create --dereference --directory="$libdir" --exclude=./bitcode --exclude=./pgxs --file=- . |
	tar --extract --directory="$prefix$libdir" --file=-
tar --create --dereference --directory="$sharedir" --exclude=./man --file=- . |
	tar --extract --directory="$prefix$sharedir" --file=-
# a triage that is installed system-wide must not answer for ours
rm -f "$prefix$libdir/triage.so" "$prefix$sharedir"/extension/triage{.control,--*.sql}

make -s -j2 install PG_CONFIG="$pg_config" DESTDIR="$prefix" "$@" >&2

# Does the copy look at itself?
for option in --pkglibdir --sharedir; do
	place=$("$prefix$bindir/pg_config" $option)
	case $place in
		"$prefix"/*) ;;
		*) echo "the copied server looks for its files in $place, not below $prefix" >&2; exit 1 ;;
	esac
done
for file in "$prefix$libdir/triage.so" "$prefix$sharedir/extension/triage.control" "$prefix$sharedir/extension/triage--1.0.sql"; do
	[ -r "$file" ] || { echo "make install did not install $file" >&2; exit 1; }
done
echo "$prefix$bindir"
