/*
 * foreign_keys.c
 *	  Looks at other tables that the executor need not make, because their answer is known.
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "pg/foreign_keys.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
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

static bool
is_by(const ForeignKeyCacheInfo *key, const char *column)
{
	bool		tenant = false;
	bool		other = false;

	for (int i = 0; i < key->nkeys; i++)
	{
		char	   *name = get_attname(key->conrelid, key->conkey[i], false);

		tenant = tenant || strcmp(name, "tenant_id") == 0;
		other = other || strcmp(name, column) == 0;
	}
	return key->nkeys == 2 && tenant && other;
}

static Oid
find_key(Relation rel, const char *column, Oid parent)
{
	ListCell   *lc;

	foreach(lc, RelationGetFKeyList(rel))
	{
		ForeignKeyCacheInfo *key = lfirst(lc);

		if (key->confrelid == parent && is_by(key, column))
			return key->conoid;
	}
	return InvalidOid;
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

/* Leaves out what the key checks, and with unchanged what others check of (tenant_id, id). */
static void
leave_out(ResultRelInfo *info, Oid key, bool unchanged)
{
	TriggerDesc *triggers = info->ri_TrigDesc;
	int			kept = 0;

	triggers->trig_insert_after_row = triggers->trig_update_after_row = false;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if ((OidIsValid(key) && trigger->tgconstraint == key) ||
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

void
foreign_keys_are_held(ResultRelInfo *info, const char *column, Oid parent)
{
	Oid			key = find_key(info->ri_RelationDesc, column, parent);

	if (OidIsValid(key) && info->ri_TrigDesc != NULL)
		leave_out(info, key, false);
}

void
foreign_keys_stay(ResultRelInfo *info)
{
	if (info->ri_TrigDesc != NULL)
		leave_out(info, InvalidOid, true);
}
