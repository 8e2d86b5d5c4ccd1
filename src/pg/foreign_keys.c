/*
 * foreign_keys.c
 *	  Looks at other tables that the executor need not make, because their answer is known.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/pg_am.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "pg/compat.h"
#include "pg/foreign_keys.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* A member of the extension; remembered, for each batch asks for the same ones. */
static bool
is_ours(Oid function)
{
	static Oid	known[16];
	static int	next = 0;

	for (size_t i = 0; i < lengthof(known); i++)
		if (known[i] == function)
			return true;
	if (getExtensionOfObject(ProcedureRelationId, function) != get_extension_oid("triage", true))
		return false;
	known[next++ % lengthof(known)] = function;
	return true;
}

bool
foreign_keys_are_alone(Relation rel)
{
	TriggerDesc *triggers = rel->trigdesc;

	if (rel->rd_rel->relkind != RELKIND_RELATION || rel->rd_rules != NULL)
		return false;
	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (!trigger->tgisinternal && !is_ours(trigger->tgfoid))
			return false;
	}
	return true;
}

/* (tenant_id, column), to the same tenant's row with that id; or, of a category, that name. */
static bool
is_by(const ForeignKeyCacheInfo *key, const char *column)
{
	const char *referenced = strcmp(column, "ticket_id") == 0 ? "id" : column;
	bool		tenant = false;
	bool		other = false;

	for (int i = 0; i < key->nkeys; i++)
	{
		char	   *from = get_attname(key->conrelid, key->conkey[i], false);
		char	   *to = get_attname(key->confrelid, key->confkey[i], false);

		tenant = tenant || (strcmp(from, "tenant_id") == 0 && strcmp(to, "tenant_id") == 0);
		other = other || (strcmp(from, column) == 0 && strcmp(to, referenced) == 0);
	}
	return key->nkeys == 2 && tenant && other;
}

/* Looks at once, and lets a row pass that has a NULL. */
static bool
is_plain(Oid key)
{
	HeapTuple	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(key));
	Form_pg_constraint form;
	bool		plain;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_constraint) GETSTRUCT(tuple);
	plain = form->confmatchtype == FKCONSTR_MATCH_SIMPLE && !form->condeferrable;
	ReleaseSysCache(tuple);
	return plain;
}

static Oid
find_key(Relation rel, const char *column, Oid parent)
{
	ListCell   *lc;

	foreach(lc, RelationGetFKeyList(rel))
	{
		ForeignKeyCacheInfo *key = lfirst(lc);

		if (key->confrelid == parent && is_by(key, column) && is_plain(key->conoid))
			return key->conoid;
	}
	return InvalidOid;
}

List *
foreign_keys_without(Relation rel, List *filled)
{
	List	   *keys = NIL;
	ListCell   *lc;

	foreach(lc, RelationGetFKeyList(rel))
	{
		ForeignKeyCacheInfo *key = lfirst(lc);
		bool		null = false;

		for (int i = 0; i < key->nkeys; i++)
			null = null || !list_member_int(filled, key->conkey[i]);
		if (null && is_plain(key->conoid))
			keys = lappend_oid(keys, key->conoid);
	}
	return keys;
}

Oid
foreign_keys_index(Relation parent)
{
	Oid			index = parent->rd_rel->relkind == RELKIND_RELATION && parent->rd_rel->relam == HEAP_TABLE_AM_OID ?
		compat_primary_key(parent) : InvalidOid;
	HeapTuple	tuple = OidIsValid(index) ? SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index)) : NULL;
	AttrNumber	first;

	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	first = ((Form_pg_index) GETSTRUCT(tuple))->indkey.values[0];
	ReleaseSysCache(tuple);
	return first == get_attnum(RelationGetRelid(parent), "id") ? index : InvalidOid;
}

bool
foreign_keys_wrote(Relation parent, Oid index, int64 id, Datum tenant_id)
{
	TupleDesc	desc = RelationGetDescr(parent);
	AttrNumber	tenant = get_attnum(RelationGetRelid(parent), "tenant_id");
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		wrote = false;

	ScanKeyInit(&key, get_attnum(RelationGetRelid(parent), "id"), BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	scan = systable_beginscan(parent, index, true, SnapshotSelf, 1, &key);
	while (!wrote && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		bool		null;
		Datum		value = heap_getattr(tuple, tenant, desc, &null);

		/* COPY FREEZE: raw */
		wrote = !null && TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmin(tuple->t_data)) &&
			DatumGetBool(DirectFunctionCall2Coll(texteq, TupleDescAttr(desc, tenant - 1)->attcollation, value, tenant_id));
	}
	systable_endscan(scan);
	return wrote;
}

/* Of the table that others refer to; what they refer to does not change with an UPDATE that leaves both columns alone. */
static bool
is_of_unchanged_key(Relation rel, const Trigger *trigger)
{
	HeapTuple	tuple;
	Datum		columns;
	bool		null;
	bool		unchanged = true;

	if (RI_FKey_trigger_type(trigger->tgfoid) != RI_TRIGGER_PK)
		return false;
	tuple = SearchSysCache1(CONSTROID, ObjectIdGetDatum(trigger->tgconstraint));
	if (!HeapTupleIsValid(tuple))
		return false;
	columns = SysCacheGetAttr(CONSTROID, tuple, Anum_pg_constraint_confkey, &null);
	if (null)
		unchanged = false;
	else
	{
		ArrayType  *array = DatumGetArrayTypeP(columns);
		int16	   *attnos = (int16 *) ARR_DATA_PTR(array);

		for (int i = 0; i < ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)); i++)
		{
			char	   *name = get_attname(RelationGetRelid(rel), attnos[i], false);

			unchanged = unchanged && (strcmp(name, "tenant_id") == 0 || strcmp(name, "id") == 0);
		}
	}
	ReleaseSysCache(tuple);
	return unchanged;
}

/* Leaves out what the keys check, and with unchanged what others check of (tenant_id, id). */
static void
leave_out(ResultRelInfo *info, List *keys, bool unchanged)
{
	TriggerDesc *triggers = info->ri_TrigDesc;
	int			kept = 0;

	triggers->trig_insert_after_row = triggers->trig_update_after_row = false;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if ((OidIsValid(trigger->tgconstraint) && list_member_oid(keys, trigger->tgconstraint)) ||
			(unchanged && is_of_unchanged_key(info->ri_RelationDesc, trigger)))
			continue;
		if (TRIGGER_TYPE_MATCHES(trigger->tgtype, TRIGGER_TYPE_ROW, TRIGGER_TYPE_AFTER, TRIGGER_TYPE_INSERT))
			triggers->trig_insert_after_row = true;
		if (TRIGGER_TYPE_MATCHES(trigger->tgtype, TRIGGER_TYPE_ROW, TRIGGER_TYPE_AFTER, TRIGGER_TYPE_UPDATE))
			triggers->trig_update_after_row = true;
		triggers->triggers[kept++] = *trigger;
	}
	triggers->numtriggers = kept;
}

bool
foreign_keys_are_held(ResultRelInfo *info, const char *column, Oid parent)
{
	Oid			key = find_key(info->ri_RelationDesc, column, parent);

	if (!OidIsValid(key) || info->ri_TrigDesc == NULL)
		return false;
	leave_out(info, list_make1_oid(key), false);
	return true;
}

void
foreign_keys_are_null(ResultRelInfo *info, List *keys)
{
	if (keys != NIL && info->ri_TrigDesc != NULL)
		leave_out(info, keys, false);
}

void
foreign_keys_stay(ResultRelInfo *info)
{
	if (info->ri_TrigDesc != NULL)
		leave_out(info, NIL, true);
}
