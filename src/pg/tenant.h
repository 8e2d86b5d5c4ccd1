/*
 * tenant.h
 *	  Which tenant a session works for.
 */
#ifndef TRIAGE_PG_TENANT_H
#define TRIAGE_PG_TENANT_H

#include "postgres.h"

/* triage.tenant after its defaults; raises 42501 when triage.role_tenants confines the session's role to others. */
extern const char *tenant_current(void);

#endif
