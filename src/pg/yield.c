/*
 * yield.c
 *	  Whom a worker makes room for: statements that want its database for themselves, and other databases.
 *
 * DROP DATABASE, ALTER DATABASE ... RENAME or SET TABLESPACE, and CREATE DATABASE with it as the template lock the
 * database's object first, and then wait up to five seconds for everybody to leave; the server asks autovacuum to, and
 * nobody else.  So a worker looks twice a second whether such a lock is held, gives its jobs back and leaves.  Its
 * successor waits for the same lock before it counts as connected, so it may be started at any time.  That needs no
 * hook, and so works without preload too.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pg/shmem.h"
#include "pg/yield.h"
#include "storage/lock.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* While databases wait for a slot: an idle worker leaves after the first of these, a busy one after the second. */
#define IDLE_TURN_MS 3000
#define BUSY_TURN_MS 30000

bool
yield_database_taken(Oid database)
{
	LOCKTAG		tag;
	VirtualTransactionId *holders;
	int			count;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, database, 0);
	/* what a session that connects takes; only asked for here, since a look must not be in the way either */
	holders = GetLockConflicts(&tag, RowExclusiveLock, &count);
	pfree(holders);
	return count > 0;
}

static bool
database_is_closed(void)
{
	HeapTuple	tuple;
	bool		closed = true;

	StartTransactionCommand();
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
	if (HeapTupleIsValid(tuple))
	{
		closed = !((Form_pg_database) GETSTRUCT(tuple))->datallowconn;
		ReleaseSysCache(tuple);
	}
	CommitTransactionCommand();
	return closed;
}

/* Whoever locks the catalog for longer than lock_timeout, or tells the worker to end meanwhile, leaves the question open. */
bool
yield_database_closed(void)
{
	MemoryContext outer = CurrentMemoryContext;
	volatile bool closed = false;

	PG_TRY();
	{
		closed = database_is_closed();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(outer);
		FlushErrorState();
		AbortCurrentTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(outer);
	return closed;
}

bool
yield_turn_over(TimestampTz since, TimestampTz now, bool idle)
{
	if (triage_shared == NULL || pg_atomic_read_u32(&triage_shared->waiting) == 0)
		return false;
	return now >= TimestampTzPlusMilliseconds(since, idle ? IDLE_TURN_MS : BUSY_TURN_MS);
}
