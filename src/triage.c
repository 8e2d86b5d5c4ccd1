/*
 * triage.c
 *	  Module magic and _PG_init: settings, shared memory and the launcher.
 *
 * Loaded by a backend at its first call of a C function, or by the postmaster when listed in
 * shared_preload_libraries.  Everything in SQL works either way.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "pg/guc.h"
#include "pg/launcher.h"
#include "pg/shmem.h"

COMPAT_MODULE_MAGIC("triage", "1.0");

void		_PG_init(void);

void
_PG_init(void)
{
	guc_define();
	/* pg_upgrade starts the server to copy catalogs: no worker may call a model then */
	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	shmem_request();
	launcher_register();
}
