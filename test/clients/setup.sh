#!/bin/bash
# setup.sh DIRECTORY: makes DIRECTORY ready to run the programs of test/clients.
#
# Needs the server of libpq's environment, with the extension in the current database.  Installs what package.json
# names, exactly and with its hashes (npm ci), generates what the clients generate, and starts a pooler.  Whatever
# cannot be had is an error.  Prints assignments for the programs' environment.
set -euo pipefail
from=$(cd "$(dirname "$0")" && pwd)
to=$1
exec 3>&1 >&2

cp -R "$from" "$to"
cp "$from/../../doc/clients.md" "$to/"
cd "$to"
psql -Xqv ON_ERROR_STOP=1 -f setup.sql

python=
for candidate in "${PYTHON:-/usr/bin/python3}" python3; do
	"$candidate" -c 'import sqlalchemy, alembic, asyncpg, psycopg, psycopg2' && python=$candidate && break
done
[ -n "$python" ] || { echo "no Python with sqlalchemy, alembic, asyncpg, psycopg and psycopg2" >&2; exit 1; }

# no script of any package is run; the only one that matters would download Prisma's engines
npm ci --ignore-scripts --no-fund --no-audit --no-update-notifier

# The generator and the client do without these two programs, as long as the variables name some file.
export PRISMA_SCHEMA_ENGINE_BINARY=/bin/true PRISMA_QUERY_ENGINE_LIBRARY=/bin/true
export PRISMA_HIDE_UPDATE_MESSAGE=1 CHECKPOINT_DISABLE=1
export DATABASE_URL="postgresql://app@/$PGDATABASE?host=$PGHOST&port=$PGPORT"
export DMMF=$to/dmmf.json
npx --no-install prisma generate --schema prisma/schema.prisma
sed '/^generator client/,/^}/c generator dmmf {\n  provider        = "node prisma/dmmf.mjs"\n  previewFeatures = ["views"]\n}' \
	prisma/schema.prisma >dmmf.prisma
npx --no-install prisma generate --schema dmmf.prisma

# as the owner: information_schema shows others the keys of those tables only that they may write
DATABASE_URL="postgresql://$PGUSER@/$PGDATABASE?host=$PGHOST&port=$PGPORT" npx --no-install drizzle-kit pull --config drizzle/drizzle.config.mjs
node drizzle/mend.mjs drizzle/triage
npx --no-install esbuild drizzle/triage/schema.ts drizzle/triage/relations.ts --outdir=drizzle/triage --bundle --splitting \
	--format=esm --packages=external --log-level=warning

# A pooler of its own: the sandbox ends what was started out of it, so the program is copied there.
bouncer=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v pgbouncer) || { echo "pgbouncer not found" >&2; exit 1; }
cp "$bouncer" pgbouncer
printf '"%s" ""\n' app acme_app >users.txt
cat >pgbouncer.ini <<-INI
	[databases]
	$PGDATABASE = host=$PGHOST port=$PGPORT pool_size=2
	one = host=$PGHOST port=$PGPORT dbname=$PGDATABASE pool_size=1
	[pgbouncer]
	listen_addr =
	listen_port = 6432
	unix_socket_dir = $PGHOST
	auth_type = trust
	auth_file = $to/users.txt
	pool_mode = transaction
	logfile = $to/pgbouncer.log
	pidfile = $to/pgbouncer.pid
INI
./pgbouncer -d pgbouncer.ini

cat >&3 <<-ENV
	PYTHON=$python
	DATABASE_URL=$DATABASE_URL
	POOLED_URL=postgresql://app@/$PGDATABASE?host=$PGHOST&port=6432
	DMMF=$DMMF
ENV
