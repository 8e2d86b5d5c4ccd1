/*
 * compat.h
 *	  The only place that knows which major version of the server it is compiled for (15 to 18).
 */
#ifndef TRIAGE_PG_COMPAT_H
#define TRIAGE_PG_COMPAT_H

#include "storage/latch.h"
#if PG_VERSION_NUM >= 180000
#include "storage/waiteventset.h"
#endif
#include "storage/proc.h"
#include "utils/memutils.h"

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

#ifdef PG_MODULE_MAGIC_EXT
#define COMPAT_MODULE_MAGIC(module, version) PG_MODULE_MAGIC_EXT(.name = module, .version = version)
#else
#define COMPAT_MODULE_MAGIC(module, version) PG_MODULE_MAGIC
#endif

#endif
