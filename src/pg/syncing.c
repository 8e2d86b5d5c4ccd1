/*
 * syncing.c
 *	  Setting triage.syncing: the current transaction brings in what happened elsewhere, such as in the application's
 *	  own table of tickets (import_tickets) or at a service whose tickets are copied here.
 *
 * What is copied has had its consequences where it came from.  So while the setting is on, any status may follow any
 * other, taking a ticket does not move it to in_progress, updated_at is what the writer says, an assignment counts from
 * the ticket's updated_at, a comment neither reopens its ticket nor answers it, and the outbox says that a row was
 * copied and nothing more.  History is written as ever, and whether the model is asked is triage.auto_triage's business,
 * as ever.
 *
 * Who may: the setting is internal, so neither SET, ALTER ROLE nor postgresql.conf can turn it on.  set_syncing() does,
 * and the right to execute that is the whole of the check: level admin has it, agents have not.  It is local to the
 * transaction, and a subtransaction that fails takes it back.
 *
 * An import also asks here whether it can commit as it goes, since the server's own error does not say what to do.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "pg/syncing.h"
#include "utils/guc.h"

PG_FUNCTION_INFO_V1(triage_set_syncing);
PG_FUNCTION_INFO_V1(triage_is_syncing);
PG_FUNCTION_INFO_V1(triage_check_commit);

bool		triage_syncing = false;

Datum
triage_set_syncing(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("on must not be null"),
				 errhint("Say true where a copy begins, and false where it ends.")));
	set_config_option("triage.syncing", PG_GETARG_BOOL(0) ? "on" : "off", PGC_INTERNAL, PGC_S_SESSION,
					  GUC_ACTION_LOCAL, true, 0, false);
	PG_RETURN_VOID();
}

Datum
triage_is_syncing(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(triage_syncing);
}

Datum
triage_check_commit(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	if (IsTransactionBlock())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("an import cannot commit its batches inside a transaction block"),
				 errhint("CALL it outside of BEGIN and COMMIT, or with commit_batches => false.")));
	PG_RETURN_VOID();
}
