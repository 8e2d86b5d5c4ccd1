/*
 * plans.c
 *	  When a worker's plans no longer fit its tables.
 *
 * The server plans anew after DDL and ANALYZE.  That a table grows, above all from empty, is nobody's news before
 * autovacuum comes by, and a plan made for no rows walks whole indexes meanwhile.  Planning all statements takes some
 * milliseconds: with a few tickets a second, more than the tickets.
 */
#include "postgres.h"

#include "access/table.h"
#include "pg/plans.h"
#include "pg/tables.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/plancache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* Whatever the sizes say: a user's rule or function may be in a plan. */
#define KEEP_MS 60000
/* Below twice as much a plan is no worse for being an old one. */
#define SMALL_BLOCKS 10

/* Each kind of work has one of these grow. */
static const char *const tables[] = {
	"tickets", "ai_jobs", "ai_runs", "ticket_ai_results", "ticket_comments", "chat_sessions", "chat_messages",
	"extracted_issues", "issue_clusters", "synced_tickets"
};

/* As before where somebody has the table for himself. */
static BlockNumber
blocks_of(const char *name, BlockNumber before)
{
	Oid			oid = tables_find(name);
	Relation	rel;
	BlockNumber blocks;

	if (!OidIsValid(oid) || !ConditionalLockRelationOid(oid, AccessShareLock))
		return before;
	rel = try_table_open(oid, NoLock);
	if (rel == NULL)
		return before;
	blocks = RELKIND_HAS_STORAGE(rel->rd_rel->relkind) ? RelationGetNumberOfBlocks(rel) : 0;
	table_close(rel, AccessShareLock);
	return blocks;
}

void
plans_review(TimestampTz now)
{
	static BlockNumber planned_for[lengthof(tables)];
	static TimestampTz keep_until;
	BlockNumber blocks[lengthof(tables)];
	/* or the clock was set back */
	bool		drop = now >= keep_until || keep_until > TimestampTzPlusMilliseconds(now, KEEP_MS);

	for (size_t i = 0; i < lengthof(tables); i++)
	{
		blocks[i] = blocks_of(tables[i], planned_for[i]);
		if (blocks[i] / 2 > Max(planned_for[i], SMALL_BLOCKS) || planned_for[i] / 2 > Max(blocks[i], SMALL_BLOCKS))
			drop = true;
	}
	if (!drop)
		return;
	ereport(DEBUG1, (errmsg_internal("triage worker makes its plans anew")));
	ResetPlanCache();
	memcpy(planned_for, blocks, sizeof(planned_for));
	keep_until = TimestampTzPlusMilliseconds(now, KEEP_MS);
}
