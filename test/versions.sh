#!/bin/bash
# versions.sh: the tests against every supported PostgreSQL that Debian has packages of, on a Debian machine, as root.
#
# Each major version gets a Debian of its own in a temporary directory: of the releases at the mirror that this machine's
# apt uses, the first one that has the version.  There test/lib/deps.sh installs what the tests need, and test/run.sh runs
# them.  All of it happens in a mount and a process namespace of its own, which end with this script however it ends: no
# mount and no process is left behind.  About 3 GB in TMPDIR (/var/tmp), one version after the other.
#
# VERSIONS="17 18": only these, and it is a failure if one cannot be had; without it, what cannot be had is named.
# SUITES="pgtap e2e", TESTS="name ...": as for test/run.sh.  KEEP=1 keeps the directory.
# The last line is "N passed, N failed".
set -euo pipefail

SUPPORTED="15 16 17 18"
SUITES=${SUITES:-unit regress pgtap isolation e2e}
RELEASES="stable oldstable oldoldstable testing unstable"
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

################################################ outside ################################################

# Nothing but a directory and the namespaces.
enter_namespaces()
{
	local status=0 base=${TMPDIR:-/var/tmp}
	if [ "$(id -u)" -ne 0 ]; then
		echo "only root can set up another Debian in a directory" >&2
		exit 1
	fi
	if ! unshare --mount --pid --fork true 2>/dev/null; then
		echo "this root may not make namespaces (in a container, it needs the right to mount)" >&2
		exit 1
	fi
	versions_dir=$(mktemp -d "$base/triage-versions.XXXXXX")
	namespaces=
	trap clean_up EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	chmod 755 "$versions_dir"		# apt fetches as a user of its own
	set -m
	unshare --mount --pid --fork --kill-child --mount-proc env VERSIONS_DIR="$versions_dir" test/versions.sh </dev/null &
	namespaces=$!
	set +m
	wait "$namespaces" || status=$?
	exit "$status"
}

clean_up()
{
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	# the first process of a namespace takes all others with it
	[ -z "$namespaces" ] || kill -KILL "$namespaces" 2>/dev/null || true
	wait 2>/dev/null || true
	if [ -n "${KEEP:-}" ]; then
		echo "kept: $versions_dir" >&2
	else
		rm -rf --one-file-system "$versions_dir" 2>/dev/null || { sleep 1; rm -rf --one-file-system "$versions_dir"; }
	fi
	exit "$status"
}

################################################ what there is ################################################

# The mirror of Debian itself among apt's sources; debootstrap asks apt for no proxy.
find_mirror()
{
	mirror=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' | sed -n 's/^Debian|Debian|//p' | head -1)
	if [ -z "$mirror" ]; then
		echo "apt's sources name no mirror of Debian, or its lists are missing: apt-get update" >&2
		exit 1
	fi
	eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
	[ -z "${http_proxy:-}" ] || export http_proxy
	[ -z "${https_proxy:-}" ] || export https_proxy
}

# apt with lists of its own: what the mirror has, whatever this machine's release is.  Of this machine's settings only those
# of fetching hold: what else is to be done after an update is none of our business.
other_apt()						# other_apt PROGRAM ARGUMENT...
{
	APT_CONFIG=$VERSIONS_DIR/apt/apt.conf "$@"
}

fetch_lists()
{
	local release
	mkdir -p "$VERSIONS_DIR"/apt/{lists,cache/archives}/partial
	apt-config dump Acquire::http Acquire::https Acquire::Retries Acquire::Check-Valid-Until >"$VERSIONS_DIR/apt/fetching.conf"
	cat "$VERSIONS_DIR/apt/fetching.conf" - >"$VERSIONS_DIR/apt/apt.conf" <<-CONF
		Dir::Etc::Parts "$VERSIONS_DIR/apt/none";
		Dir::Etc::Main "$VERSIONS_DIR/apt/none";
		Dir::Etc::SourceParts "$VERSIONS_DIR/apt/none";
		Dir::Etc::SourceList "$VERSIONS_DIR/apt/sources.list";
		Dir::State::Lists "$VERSIONS_DIR/apt/lists";
		Dir::Cache "$VERSIONS_DIR/apt/cache";
		Acquire::Languages "none";
	CONF
	for release in $RELEASES; do
		echo "deb [signed-by=$KEYRING] $mirror $release main"
	done >"$VERSIONS_DIR/apt/sources.list"
	# a mirror need not have the oldest of them
	other_apt apt-get update >"$VERSIONS_DIR/apt/log" 2>&1 || true
	other_apt apt-cache madison postgresql-common >"$VERSIONS_DIR/apt/found" 2>>"$VERSIONS_DIR/apt/log"
	if [ ! -s "$VERSIONS_DIR/apt/found" ]; then
		cat "$VERSIONS_DIR/apt/log" >&2
		echo "the lists of $mirror cannot be read" >&2
		exit 1
	fi
}

release_with()					# release_with MAJOR: the first release that has that server
{
	local found release
	found=$(other_apt apt-cache madison "postgresql-$1" 2>/dev/null || true)
	for release in $RELEASES; do
		! grep -q " $release/main " <<<"$found" || { echo "$release"; return; }
	done
	return 1
}

################################################ one version ################################################

# A Debian of that release in $root, with a copy of the checkout in /triage.  Its apt fetches as this machine's does.
make_root()
{
	debootstrap --variant=minbase --include=ca-certificates --keyring="$KEYRING" "$1" "$root" "$mirror" &&
		cp "$VERSIONS_DIR/apt/fetching.conf" "$root/etc/apt/apt.conf.d/90-as-outside" &&
		mkdir -p "$root/dev/shm" "$root/triage" &&
		mount -t proc proc "$root/proc" &&
		mount -t tmpfs tmpfs "$root/dev/shm" &&
		sandbox_copy "$PWD" "$root/triage"
}

in_root()
{
	chroot "$root" env -C /triage -u VERSIONS_DIR TMPDIR=/tmp PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		PG_MAJOR="$major" PG_CONFIG="/usr/lib/postgresql/$major/bin/pg_config" "$@"
}

fail()							# fail WHAT FILE
{
	tail -40 "$2" | sed 's/^/    | /'
	echo "    FAILED: $1"
	total_failed=$((total_failed + 1))
}

test_version()					# test_version RELEASE: PostgreSQL $major of that release
{
	local root=$VERSIONS_DIR/$major counts
	echo "== PostgreSQL $major, Debian $1"
	if ! make_root "$1" >"$root.log" 2>&1; then
		fail "Debian $1 cannot be set up in a directory" "$root.log"
	elif ! in_root test/lib/deps.sh tests >"$root.log" 2>&1; then
		fail "the packages cannot be installed" "$root.log"
	else
		in_root test/run.sh $SUITES 2>&1 | tee "$root.log" | sed -u 's/^/    /' || true
		counts=$(tail -1 "$root.log" | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p')
		if [ -n "$counts" ]; then
			total_passed=$((total_passed + ${counts% *})) total_failed=$((total_failed + ${counts#* }))
		else
			fail "the tests did not get to their end" "$root.log"
		fi
	fi
	umount "$root/dev/shm" "$root/proc" 2>/dev/null || true
	[ -n "${KEEP:-}" ] || rm -rf --one-file-system "$root" || true
}

################################################ all of them ################################################

cd "$(dirname "$0")/.."
. test/lib/sandbox.sh
[ -n "${VERSIONS_DIR:-}" ] || enter_namespaces

# the first process of a namespace hears no signal that it does not ask for
trap 'exit 130' INT
trap 'exit 143' TERM
total_passed=0 total_failed=0 not_there=()
find_mirror
fetch_lists
for major in ${VERSIONS:-$SUPPORTED}; do
	if release=$(release_with "$major"); then
		test_version "$release"
	else
		not_there+=("$major")
	fi
done
for major in "${not_there[@]}"; do
	echo "NOT TESTED: PostgreSQL $major: no release of Debian at this machine's mirror has it; with a server from elsewhere:"
	echo "            make check PG_CONFIG=/path/to/pg_config"
	[ -z "${VERSIONS:-}" ] || total_failed=$((total_failed + 1))
done
if [ $((total_passed + total_failed)) -eq 0 ]; then
	echo "nothing was tested"
	total_failed=1
fi
echo "$SECONDS seconds"
echo "$total_passed passed, $total_failed failed"
[ "$total_failed" -eq 0 ]
