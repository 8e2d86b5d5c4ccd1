/*
 * guc.h
 *	  The settings.
 */
#ifndef TRIAGE_PG_GUC_H
#define TRIAGE_PG_GUC_H

#include "postgres.h"

extern char *triage_actor;
extern char *triage_allowed_origins;
extern bool triage_auto_triage;
extern bool triage_autostart;
extern char *triage_databases;
extern bool triage_enabled;
extern int	triage_max_attempts;
extern int	triage_max_in_flight;
extern int	triage_notify_interval;
extern int	triage_poll_interval;
extern char *triage_secrets_directory;
extern char *triage_tenant;
extern char *triage_worker_role;

extern void guc_define(void);

/* The actor of this session, after its default; the tenant is tenant.c's business. */
extern const char *guc_actor(void);

#endif
