/*
 * append.c
 *	  Rows for the tables to which each ticket adds some, inserted without a statement.
 *
 * Knows what an INSERT does for a row, and no table: columns are found by name, for users add columns of their own.  No code
 * of users but their CHECKs and index expressions runs here: who has more gets an INSERT.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "pg/append.h"
#include "pg/compat.h"
#include "pg/foreign_keys.h"
#include "pg/spi_util.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

/* Rows that an INSERT takes at a time: bounds the memory of a bulk change. */
#define INSERT_ROWS 1000

/* A column that the caller does not fill. */
typedef struct Default
{
	AttrNumber	attno;
	Expr	   *expr;
} Default;

struct Appender
{
	Rows		rows;
	AppendTable table;			/* as it was known when this began */
	MemoryContext context;
	Relation	rel;
	int64	   *ids;			/* of the next row */
	/* NULL where the rows go through an INSERT, like all that follows */
	EState	   *estate;
	ResultRelInfo *info;
	List	   *arbiters;		/* indexes where rows may be in the way */
	TupleTableSlot *slot;
	bool		begun;
	int			default_count;
	AttrNumber *default_attno;
	ExprState **default_state;
};

static AppendTable *known_tables = NULL;

static void
forget_table(Datum arg, Oid relation)
{
	(void) arg;
	for (AppendTable *table = known_tables; table != NULL; table = table->next)
		if (relation == InvalidOid || table->relation == relation)
			table->relation = InvalidOid;
}

static void
remember_table(AppendTable *table)
{
	static bool registered = false;

	if (table->context != NULL)
		return;
	table->context = AllocSetContextCreate(CacheMemoryContext, "triage append", ALLOCSET_SMALL_SIZES);
	table->next = known_tables;
	known_tables = table;
	if (!registered)
		CacheRegisterRelcacheCallback(forget_table, (Datum) 0);
	registered = true;
}

static bool
is_filled(const AppendTable *table, AttrNumber attno)
{
	for (int i = 0; i < table->count; i++)
		if (table->attno[i] == attno)
			return true;
	return false;
}

/* No code but the server's runs for a row of the table, apart from what is asked of each value. */
static bool
takes_rows(Relation rel)
{
	TriggerDesc *triggers = rel->trigdesc;

	if (rel->rd_rel->relkind != RELKIND_RELATION || rel->rd_rel->relispartition || rel->rd_rules != NULL)
		return false;
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_INSERT(trigger->tgtype) && RI_FKey_trigger_type(trigger->tgfoid) != RI_TRIGGER_FK)
			return false;
	}
	return true;
}

/* The only column of ours that is declared more narrowly than its type: a confidence, numeric (3,2). */
static bool
has_no_limit(Form_pg_attribute attr)
{
	return attr->atttypmod == -1 || (attr->atttypid == NUMERICOID && attr->atttypmod == ((3 << 16) | 2) + (int32) VARHDRSZ);
}

static void
learn_columns(AppendTable *table, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);

	table->as_made = takes_rows(rel);
	for (int i = 0; i < table->count; i++)
	{
		const RowColumn *column = &table->columns[i];
		int			attno = SPI_fnumber(desc, column->name);
		Form_pg_attribute attr;

		if (attno <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("table \"%s\" has no column \"%s\"", table->name, column->name),
					 errhint("SELECT triage.install() brings the tables up to date.")));
		attr = TupleDescAttr(desc, attno - 1);
		table->attno[i] = attno;
		table->type[i] = column->type;
		if (column->type == ROWS_LABEL)
			table->type[i] = type_is_enum(attr->atttypid) ? attr->atttypid : TEXTOID;
		table->as_made = table->as_made && attr->atttypid == table->type[i] && has_no_limit(attr) &&
			!attr->attgenerated && (column->type != ROWS_LABEL || attr->atttypid != TEXTOID);
	}
	table->id_attno = SPI_fnumber(desc, "id");
	table->as_made = table->as_made && table->id_attno > 0 &&
		TupleDescAttr(desc, table->id_attno - 1)->atttypid == INT8OID;
}

/* For check_functions_in_node(). */
static bool
is_users_function(Oid function, void *arg)
{
	(void) arg;
	return function >= FirstNormalObjectId;
}

static bool
calls_users(Node *node, void *arg)
{
	if (node == NULL)
		return false;
	return check_functions_in_node(node, is_users_function, arg) || IsA(node, CoerceToDomain) ||
		expression_tree_walker(node, calls_users, arg);
}

/* Of the columns that the caller does not fill; such a column may be a user's. */
static void
learn_defaults(AppendTable *table, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *filled = NIL;

	table->defaults = NIL;
	for (int i = 0; i < table->count; i++)
		filled = lappend_int(filled, table->attno[i]);
	for (AttrNumber attno = 1; attno <= desc->natts; attno++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, attno - 1);
		Node	   *expr;
		Default    *other;

		if (attr->attisdropped || is_filled(table, attno))
			continue;
		expr = build_column_default(rel, attno);
		if (attr->attgenerated || get_typtype(attr->atttypid) == TYPTYPE_DOMAIN || calls_users(expr, NULL))
			table->as_made = false;
		else if (expr != NULL)
		{
			other = palloc(sizeof(Default));
			other->attno = attno;
			other->expr = expression_planner((Expr *) expr);
			table->defaults = lappend(table->defaults, other);
			filled = lappend_int(filled, attno);
		}
	}
	table->null_keys = foreign_keys_without(rel, filled);
}

static void
learn_table(AppendTable *table, Relation rel)
{
	MemoryContext outer;

	if (table->relation == RelationGetRelid(rel))
		return;
	remember_table(table);
	MemoryContextReset(table->context);
	outer = MemoryContextSwitchTo(table->context);
	learn_columns(table, rel);
	learn_defaults(table, rel);
	MemoryContextSwitchTo(outer);
	table->relation = RelationGetRelid(rel);
}

static void
check_privilege(Relation rel)
{
	AclResult	result = pg_class_aclcheck(RelationGetRelid(rel), GetUserId(), ACL_INSERT);

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_TABLE, RelationGetRelationName(rel));
}

static void
start_defaults(Appender *append)
{
	int			count = list_length(append->table.defaults) + 1;
	ListCell   *lc;

	append->default_attno = palloc(count * sizeof(AttrNumber));
	append->default_state = palloc(count * sizeof(ExprState *));
	foreach(lc, append->table.defaults)
	{
		Default    *other = lfirst(lc);

		append->default_attno[append->default_count] = other->attno;
		/* a copy: the table may be looked at anew meanwhile */
		append->default_state[append->default_count++] = ExecInitExpr(copyObject(other->expr), NULL);
	}
}

static void
start_executor(Appender *append)
{
	EState	   *estate = CreateExecutorState();
	MemoryContext outer = MemoryContextSwitchTo(estate->es_query_cxt);

	append->estate = estate;
	compat_init_range_table(estate, append->rel);
	append->info = makeNode(ResultRelInfo);
	InitResultRelInfo(append->info, append->rel, 1, NULL, 0);
	foreign_keys_are_null(append->info, append->table.null_keys);
	estate->es_opened_result_relations = list_make1(append->info);
	ExecOpenIndices(append->info, append->table.unique != NULL);
	if (append->table.unique)
		append->arbiters = list_make1_oid(get_relname_relid(append->table.unique, RelationGetNamespace(append->rel)));
	append->slot = ExecInitExtraTupleSlot(estate, RelationGetDescr(append->rel), &TTSOpsVirtual);
	start_defaults(append);
	MemoryContextSwitchTo(outer);
	/* as for a statement: constraints see what was done before */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	estate->es_output_cid = GetCurrentCommandId(true);
}

static void
insert_row(Appender *append)
{
	ExprContext *econtext = GetPerTupleExprContext(append->estate);
	TupleTableSlot *slot = append->slot;

	if (!append->begun)
		AfterTriggerBeginQuery();
	append->begun = true;
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	memset(slot->tts_values, 0, slot->tts_tupleDescriptor->natts * sizeof(Datum));
	for (int i = 0; i < append->table.count; i++)
	{
		slot->tts_values[append->table.attno[i] - 1] = append->rows.values[i];
		slot->tts_isnull[append->table.attno[i] - 1] = append->rows.nulls[i];
	}
	for (int i = 0; i < append->default_count; i++)
	{
		int			att = append->default_attno[i] - 1;

		slot->tts_values[att] = ExecEvalExprSwitchContext(append->default_state[i], econtext, &slot->tts_isnull[att]);
	}
	ExecStoreVirtualTuple(slot);
	if (append->arbiters != NIL && !compat_check_index_constraints(append->info, slot, append->estate, append->arbiters))
		rows_store(&append->rows);
	else
		ExecSimpleRelationInsert(append->info, append->estate, slot);
	if (append->ids)
		*append->ids++ = DatumGetInt64(slot->tts_values[append->table.id_attno - 1]);
	ResetPerTupleExprContext(append->estate);
}

static char *
insert_statement(const Appender *append)
{
	const AppendTable *table = &append->table;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "INSERT INTO triage.%s AS t (", table->name);
	for (int i = 0; i < table->count; i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "", table->columns[i].name);
	appendStringInfo(&sql, ") SELECT u.* FROM u %s%s", table->on_conflict ? table->on_conflict : "",
					 append->ids ? "RETURNING id" : "");
	return sql.data;
}

static void
insert_gathered(Appender *append)
{
	MemoryContext outer = MemoryContextSwitchTo(append->context);
	uint64		count;
	bool		null;

	if (append->rows.count > 0)
	{
		if (append->table.give_way)
			rows_execute_fresh(&append->rows, append->table.give_way, NULL, 0);
		count = rows_execute_fresh(&append->rows, insert_statement(append), NULL, 0);
		/* where some were left out, nobody knows whose the others are */
		for (uint64 row = 0; row < count && count == append->rows.count && append->ids; row++)
			append->ids[row] = DatumGetInt64(spi_value(row, 1, &null));
		if (append->ids)
			append->ids += append->rows.count;
	}
	rows_clear(&append->rows);
	MemoryContextSwitchTo(outer);
}

static void
take_row(Rows *rows)
{
	Appender   *append = (Appender *) rows;

	if (append->estate != NULL)
		insert_row(append);
	else
	{
		rows_store(rows);
		if (rows->count == INSERT_ROWS)
			insert_gathered(append);
	}
}

Appender *
append_begin(AppendTable *table, int64 *ids)
{
	Appender   *append = palloc0(sizeof(Appender));
	RowColumn	columns[ROWS_MAX_COLUMNS];

	append->context = CurrentMemoryContext;
	append->ids = ids;
	append->rel = table_openrv(makeRangeVar("triage", (char *) table->name, -1), RowExclusiveLock);
	check_privilege(append->rel);
	learn_table(table, append->rel);
	append->table = *table;
	for (int i = 0; i < table->count; i++)
		columns[i] = (RowColumn) {table->columns[i].name, table->type[i]};
	rows_init(&append->rows, columns, table->count);
	append->rows.take = take_row;
	if (table->as_made && check_enable_rls(RelationGetRelid(append->rel), InvalidOid, true) != RLS_ENABLED)
		start_executor(append);
	return append;
}

bool
append_holds(Appender *append, const char *column, Oid parent)
{
	return append->estate != NULL && foreign_keys_are_held(append->info, column, parent);
}

Rows *
append_rows(Appender *append)
{
	return &append->rows;
}

void
append_end(Appender *append)
{
	if (append->estate != NULL)
	{
		if (append->begun)
			AfterTriggerEndQuery(append->estate);
		ExecResetTupleTable(append->estate->es_tupleTable, false);
		ExecCloseResultRelations(append->estate);
		FreeExecutorState(append->estate);
		PopActiveSnapshot();
		CommandCounterIncrement();
	}
	insert_gathered(append);
	table_close(append->rel, NoLock);
}
