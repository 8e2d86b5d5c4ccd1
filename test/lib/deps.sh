#!/bin/bash
# deps.sh demo|tests|check|check-all|versions
#
# Makes sure that what the target needs is there.  Looks for the thing itself, not for a package, so that a server
# built from source is as good as Debian's.  As root on Debian what is missing is installed; anybody else is told how.
# tests: all tests of make check but fuzzing.  versions: what test/versions.sh itself needs.
set -euo pipefail

target=${1:?usage: deps.sh demo|tests|check|check-all|versions}
pg_config=${PG_CONFIG:-pg_config}
missing=()						# packages
lacking=()						# the same for people without apt

need()							# need PACKAGE DESCRIPTION COMMAND...: COMMAND succeeds when it is there
{
	local package=$1 description=$2
	shift 2
	if ! "$@" >/dev/null 2>&1; then
		missing+=("$package")
		lacking+=("$description")
	fi
}

command_exists() { command -v "$1"; }
compiles() { echo '#include <stdio.h>' | gcc -E -; }
has_certificates() { ls /etc/ssl/certs/ca-certificates.crt || ls /etc/pki/tls/certs/ca-bundle.crt || ls /etc/ssl/cert.pem; }
pg_file() { test -e "$("$pg_config" "$1")$2"; }

node_18() { node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 18 || (a == 18 && b >= 18) ? 0 : 1)'; }
has_python() { /usr/bin/python3 -c "import $1" || python3 -c "import $1"; }
has_pgbouncer() { PATH=$PATH:/usr/sbin:/usr/local/sbin command -v pgbouncer; }

# A compiler with a fuzzing runtime: the newest that is there, else the one that this Debian calls its default.
clang_major()
{
	local major
	major=$(ls /usr/bin/clang-[0-9]* 2>/dev/null | sed 's/.*-//' | sort -n | tail -1)
	[ -n "$major" ] || major=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -1)
	echo "${major:-14}"
}
has_browser() { command -v chromium-headless-shell || command -v chromium || command -v chromium-browser || command -v google-chrome; }
has_fuzzer()
{
	local clang=clang-$1
	ls "$("$clang" -print-resource-dir)"/lib/*/libclang_rt.fuzzer*.a
}

# The server's major version: asked for, already there, or the oldest supported one that the system has packages of.
pg_major()
{
	local major
	if [ -n "${PG_MAJOR:-}" ]; then
		echo "$PG_MAJOR"
	elif [[ $pg_config =~ ^/usr/lib/postgresql/([0-9]+)/ ]]; then
		echo "${BASH_REMATCH[1]}"
	elif major=$("$pg_config" --version 2>/dev/null | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p') && [ -n "$major" ]; then
		echo "$major"
	else
		for major in 15 16 17 18; do
			apt-cache show "postgresql-server-dev-$major" >/dev/null 2>&1 && break
		done
		echo "$major"
	fi
}

look()
{
	local major clang
	major=$(pg_major)
	missing=()
	lacking=()
	if [ "$target" = versions ]; then
		need debootstrap debootstrap command_exists debootstrap
		need debian-archive-keyring "the keys of Debian's archive" ls /usr/share/keyrings/debian-archive-keyring.gpg
		return
	fi
	need gcc 'a C compiler (gcc)' command_exists gcc
	need libc6-dev 'the C library'"'"'s headers' compiles
	need make make command_exists make
	need pkg-config pkg-config command_exists pkg-config
	need "postgresql-$major" 'the PostgreSQL server (postgres, initdb)' pg_file --bindir /initdb
	need "postgresql-server-dev-$major" 'its headers and build files (postgres.h, pgxs.mk)' pg_file --includedir-server /postgres.h
	need "postgresql-server-dev-$major" 'its build files (pgxs.mk)' pg_file --pgxs ''
	need libcurl4-openssl-dev 'libcurl 7.85 or newer' pkg-config --exists 'libcurl >= 7.85'
	need libjson-c-dev 'json-c 0.15 or newer' pkg-config --exists 'json-c >= 0.15'
	need ca-certificates 'root certificates' has_certificates
	[ "$target" = demo ] && return

	need perl 'perl with Test::More' perl -MTest::More -e1
	need libipc-run-perl 'perl module IPC::Run' perl -MIPC::Run -e1
	need "postgresql-$major-pgtap" pgTAP pg_file --sharedir /extension/pgtap.control
	need "postgresql-$major-cron" pg_cron pg_file --sharedir /extension/pg_cron.control
	need chromium-headless-shell 'headless Chromium' has_browser
	need libxml2-utils xmllint command_exists xmllint
	[ "$target" = tests ] && return

	clang=$(clang_major)
	need "clang-$clang" 'clang' command_exists "clang-$clang"
	need "libclang-rt-$clang-dev" "clang's fuzzing runtime" has_fuzzer "$clang"
	[ "$target" = check ] && return

	need valgrind valgrind command_exists valgrind
	need nodejs 'Node.js 18.18 or newer' node_18
	need npm npm command_exists npm
	need python3-sqlalchemy SQLAlchemy has_python sqlalchemy
	need python3-alembic Alembic has_python alembic
	need python3-asyncpg asyncpg has_python asyncpg
	need python3-psycopg 'psycopg 3' has_python psycopg
	need python3-psycopg2 'psycopg 2' has_python psycopg2
	need pgbouncer pgbouncer has_pgbouncer
}

unique() { printf '%s\n' "$@" | awk '!seen[$0]++' | paste -sd' '; }

# A place that no package fills: nothing to install for it.
if [[ $pg_config == */* && ! $pg_config =~ ^/usr/(lib/postgresql/[0-9]+/)?bin/ && ! -x $pg_config ]]; then
	echo "PG_CONFIG=$pg_config: there is no such program" >&2
	exit 1
fi
look
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
	echo "Needed and not found:" >&2
	printf '  %s\n' "${lacking[@]}" >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "Some packages are missing.  As root:" >&2
	echo "  apt-get update && apt-get install $(unique "${missing[@]}")" >&2
	exit 1
fi

log=$(mktemp)
dropin=/etc/postgresql-common/createcluster.d/zz-triage-tests.conf
made_directory=
clean_up()
{
	rm -f "$log" "$dropin"
	[ -z "$made_directory" ] || rmdir --ignore-fail-on-non-empty "${dropin%/*}" || true
}
trap clean_up EXIT

# Debian makes and starts a cluster with a freshly installed server.  Not for our sake, and not afterwards either:
# the setting goes when we are done.
[ -d "${dropin%/*}" ] || made_directory=yes
mkdir -p "${dropin%/*}"
echo 'create_main_cluster = false' >"$dropin"

apt()
{
	echo "+ apt-get $*"
	DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@" >"$log" 2>&1 </dev/null && return
	tail -30 "$log" >&2
	echo "apt-get $1 failed" >&2
	exit 1
}

apt update
look							# the package lists may tell the right major version only now
echo "Installing $(unique "${missing[@]}") ..."
apt install --yes --no-install-recommends $(unique "${missing[@]}")
hash -r
look
if [ ${#missing[@]} -gt 0 ]; then
	echo "Still not found after the installation:" >&2
	printf '  %s\n' "${lacking[@]}" >&2
	exit 1
fi
