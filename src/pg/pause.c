/*
 * pause.c
 *	  Whether this database's AI work is held: pause() and triage.enabled.
 *
 * pause() is a row, so it holds with and without preload, over restarts and for external workers; triage.enabled holds
 * for the whole server.  What is in the air is finished and written in either case: it is paid for.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "mb/pg_wchar.h"
#include "pg/guc.h"
#include "pg/pause.h"
#include "pg/spi_util.h"
#include "pg/tables.h"
#include "utils/builtins.h"

static bool
read_pause(char *why, size_t size)
{
	static SPIPlanPtr plan;
	bool		null;
	char	   *found;

	spi_prepare(&plan, "SELECT 'paused' || coalesce(': ' || c.pause_reason, '') FROM triage.worker_control c "
				"WHERE c.paused_at IS NOT NULL", 0);
	if (spi_execute(plan, NULL, NULL, 1) == 0)
		return false;
	found = TextDatumGetCString(spi_value(0, 1, &null));
	found[pg_mbcliplen(found, strlen(found), size - 1)] = '\0';
	strlcpy(why, found, size);
	return true;
}

bool
pause_in_force(char *why, size_t size)
{
	Oid			owner;
	Identity	caller;
	bool		paused;

	if (!triage_enabled)
	{
		strlcpy(why, "setting triage.enabled is off", size);
		return true;
	}
	owner = tables_owner(tables_find("worker_control"));
	if (!OidIsValid(owner))
		return false;
	caller = tables_become(owner);
	paused = read_pause(why, size);
	tables_give_back(caller);
	return paused;
}

void
pause_refuse(void)
{
	char		why[PAUSE_TEXT_MAX];

	if (!pause_in_force(why, sizeof(why)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("AI work is held: %s", why),
			 triage_enabled ? errhint("Run SELECT triage.resume() to let it go on.")
			 : errhint("Set triage.enabled to on with ALTER SYSTEM, then run SELECT pg_reload_conf().")));
}
