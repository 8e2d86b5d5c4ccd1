/*
 * foreign_keys.h
 *	  Looks at other tables that the executor need not make, because their answer is known.
 *
 * For a foreign key the server makes a query of its own for each row: the five of a ticket cost a sixth of all that its
 * triage did.  The keys stay as they are; what is left out is the look of one statement.  The executor looks for what a
 * row sets off in a copy of its table's triggers, which ends with the statement, and there the look is missing.
 */
#ifndef TRIAGE_PG_FOREIGN_KEYS_H
#define TRIAGE_PG_FOREIGN_KEYS_H

#include "postgres.h"

#include "nodes/execnodes.h"
#include "nodes/pg_list.h"

/*
 * Nobody's code but ours runs when rows of the table are written: a trigger of somebody else could delete what is held
 * to be there.
 */
extern bool foreign_keys_are_alone(Relation rel);
/* The keys of rel that have a column which is not in filled, a list of attribute numbers: for all others are NULL. */
extern List *foreign_keys_without(Relation rel, List *filled);
extern void foreign_keys_are_null(ResultRelInfo *info, List *keys);
/* The primary key, by whose id foreign_keys_wrote() finds rows; InvalidOid: it cannot tell of this table. */
extern Oid	foreign_keys_index(Relation parent);
/* This transaction has written that row, which was not deleted since. */
extern bool foreign_keys_wrote(Relation parent, Oid index, int64 id, Datum tenant_id);
/*
 * This transaction has locked or written all rows of parent that the new rows refer to by (tenant_id, column), and nobody
 * else's code comes between.  False: no look is left out, for there is no such key, or it looks later.
 */
extern bool foreign_keys_are_held(ResultRelInfo *info, const char *column, Oid parent);
/* An UPDATE changes neither tenant_id nor id, and nobody else's code comes between. */
extern void foreign_keys_stay(ResultRelInfo *info);

#endif
