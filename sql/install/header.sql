-- triage--1.0.sql is built from the parts in sql/install, in the order the Makefile gives them.
\echo Use "CREATE EXTENSION triage" to load this file. \quit

-- A function body may name a table that install() creates only later (on a restore: that the archive creates).
SET LOCAL check_function_bodies = off;
