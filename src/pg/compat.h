/*
 * compat.h
 *	  The only place that knows which major version of the server it is compiled for (15 to 18).
 */
#ifndef TRIAGE_PG_COMPAT_H
#define TRIAGE_PG_COMPAT_H

#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "executor/executor.h"
#include "miscadmin.h"
#if PG_VERSION_NUM >= 160000
#include "parser/parse_relation.h"
#endif
#include "storage/latch.h"
#if PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#endif
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* The set lives as long as the process. */
static inline WaitEventSet *
compat_create_wait_event_set(int nevents)
{
#if PG_VERSION_NUM >= 170000
	return CreateWaitEventSet(NULL, nevents);
#else
	return CreateWaitEventSet(TopMemoryContext, nevents);
#endif
}

static inline bool
compat_is_background_worker(const PGPROC *proc)
{
#if PG_VERSION_NUM >= 180000
	return !proc->isRegularBackend;
#else
	return proc->isBackgroundWorker;
#endif
}

/* A background worker's session as a role known by name; BackgroundWorkerInitializeConnection() wants the database's too. */
#if PG_VERSION_NUM >= 170000
#define COMPAT_WORKER_NEEDS_LOGIN false
#define COMPAT_WORKER_NEEDS "CONNECT"
#define COMPAT_INIT_FLAGS INIT_PG_OVERRIDE_ROLE_LOGIN
#else
#define COMPAT_WORKER_NEEDS_LOGIN true
#define COMPAT_WORKER_NEEDS "LOGIN, CONNECT"
#define COMPAT_INIT_FLAGS false, false
#endif

static inline void
compat_connect_worker(Oid database, const char *role)
{
	InitPostgres(NULL, database, role, InvalidOid, COMPAT_INIT_FLAGS, NULL);
	SetProcessingMode(NormalProcessing);
}

static inline Oid
compat_primary_key(Relation rel)
{
#if PG_VERSION_NUM >= 180000
	return RelationGetPrimaryKeyIndex(rel, false);
#else
	return RelationGetPrimaryKeyIndex(rel);
#endif
}

static inline bool
compat_may_connect(Oid database, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(DatabaseRelationId, database, role, ACL_CONNECT) == ACLCHECK_OK;
#else
	return pg_database_aclcheck(database, role, ACL_CONNECT) == ACLCHECK_OK;
#endif
}

static inline bool
compat_may_use_schema(Oid schema, Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(NamespaceRelationId, schema, role, ACL_USAGE) == ACLCHECK_OK;
#else
	return pg_namespace_aclcheck(schema, role, ACL_USAGE) == ACLCHECK_OK;
#endif
}

/* One table, open, as what an executor's statement would be about. */
static inline void
compat_init_range_table(EState *estate, Relation rel)
{
	RangeTblEntry *rte = makeNode(RangeTblEntry);
#if PG_VERSION_NUM >= 160000
	List	   *permissions = NIL;
#endif

	rte->rtekind = RTE_RELATION;
	rte->relid = RelationGetRelid(rel);
	rte->relkind = rel->rd_rel->relkind;
	rte->rellockmode = RowExclusiveLock;
#if PG_VERSION_NUM >= 180000
	addRTEPermissionInfo(&permissions, rte);
	ExecInitRangeTable(estate, list_make1(rte), permissions, bms_make_singleton(1));
#elif PG_VERSION_NUM >= 160000
	addRTEPermissionInfo(&permissions, rte);
	ExecInitRangeTable(estate, list_make1(rte), permissions);
#else
	ExecInitRangeTable(estate, list_make1(rte));
#endif
}

/* All rows, once. */
static inline void
compat_executor_run(QueryDesc *query)
{
#if PG_VERSION_NUM >= 180000
	ExecutorRun(query, ForwardScanDirection, 0);
#else
	ExecutorRun(query, ForwardScanDirection, 0, true);
#endif
}

/* False: a row is in the way of the slot's in one of the indexes. */
static inline bool
compat_check_index_constraints(ResultRelInfo *info, TupleTableSlot *slot, EState *estate, List *indexes)
{
	ItemPointerData conflict;
#if PG_VERSION_NUM >= 180000
	ItemPointerData none;

	ItemPointerSetInvalid(&none);
	return ExecCheckIndexConstraints(info, slot, estate, &conflict, &none, indexes);
#else
	return ExecCheckIndexConstraints(info, slot, estate, &conflict, indexes);
#endif
}

#ifdef PG_MODULE_MAGIC_EXT
#define COMPAT_MODULE_MAGIC(module_name, its_version) PG_MODULE_MAGIC_EXT(.name = module_name, .version = its_version)
#else
#define COMPAT_MODULE_MAGIC(module_name, its_version) PG_MODULE_MAGIC
#endif

#endif
