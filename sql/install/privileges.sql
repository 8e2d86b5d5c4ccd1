-- A net under the REVOKE that follows each function: nothing in schema triage is open to PUBLIC, whatever the default
-- privileges of the database say.  Nothing is granted here; which role may do what is the administrator's decision.

REVOKE ALL ON ALL ROUTINES IN SCHEMA triage FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA triage FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA triage FROM PUBLIC;
