# triage: build (PGXS), tests, demo.   `make help` lists the targets.
#
# PGXS owns `check` and needs pg_config while this file is being read.  The targets that install packages, test or
# demonstrate must work before there is a pg_config, so they are a separate half of this file: naming one of them
# keeps PGXS out.

OWN_TARGETS = check check-all demo bench lint unitcheck fuzz regresscheck pgtapcheck isolationcheck e2echeck \
	valgrindcheck soak eval-builtin reference deps help \
	clientscheck prisma-schema seedscheck
OWN_TARGETS += bench-data
OWN_TARGETS += report-screenshot
OWN_TARGETS += eval
OWN_TARGETS += check-versions

# Another server: PG_MAJOR=17 (Debian's place for it) or PG_CONFIG=/path/to/pg_config.
PG_CONFIG ?= $(if $(PG_MAJOR),/usr/lib/postgresql/$(PG_MAJOR)/bin/pg_config,pg_config)

# Parts of sql/triage--1.0.sql, in the order in which they are joined.
INSTALL_PARTS = header types functions builtin vocabulary \
	html report \
	tables_chat tables_comments tables_events tables_handoff tables_mining \
	tables_records tables_review tables_sync tables_trends tables triggers views_tickets trends views_sync views comments policies \
	api_tickets api_comments api_details api_integrity api_chat chat_rules chat_reply api_handoff api_events api_review api_jobs api_admin api_prices \
	issue_candidates \
	api_budgets api_control api_maintenance taxonomy extract_issues api_health api_doctor api_lifecycle api_import api_records demo \
	tables_clusters clusters match_issues name_cluster api_clusters api_sync sync_store api_access install privileges

# pg_regress tests (sql/X.sql, expected/X.out) and isolation specs (test/isolation/specs/X.spec), in running order.
REGRESS = extension enum_labels same_ids ticket_lifecycle assignments comments audit_trail search paging views tenancy providers queue_api budgets control retention outbox \
	bad_input
ISOLATION = category_delete claim_claim budget_claim budget_reap claim_edit claim_delete store_locked sync_store lease_expiry create_idempotent version_conflict assign_assign \
	comment_external_id comment_edit link_link close_complete role_tenants grant_grant install_write erase_store erase_write import_import purge_restore \
	events_out_of_order consumer_added extract_edit accept_accept chat_post chat_reply chat_locks handoff \
	cluster_new_topic cluster_merge cluster_not_this trends_hot extract_batch

ifneq (,$(filter $(OWN_TARGETS),$(MAKECMDGOALS)))
################################################ packages, tests, demo ################################################

SHELL = /bin/bash
unexport MAKEFLAGS MFLAGS MAKEOVERRIDES
export PG_MAJOR PG_CONFIG
RUN = @test/run.sh

.PHONY: $(OWN_TARGETS) $(filter-out $(OWN_TARGETS),$(MAKECMDGOALS))

check:          ; @test/lib/deps.sh check
	$(RUN)
check-all:      ; @test/lib/deps.sh check-all
	$(RUN) --all
check-versions: ; @test/lib/deps.sh versions
	@VERSIONS='$(VERSIONS)' SUITES='$(SUITES)' test/versions.sh
lint:           ; $(RUN) lint
unitcheck:      ; $(RUN) unit
fuzz:           ; $(RUN) fuzz
regresscheck:   ; $(RUN) regress
pgtapcheck:     ; $(RUN) pgtap
isolationcheck: ; $(RUN) isolation
e2echeck:       ; $(RUN) e2e
valgrindcheck:  ; $(RUN) valgrind
seedscheck:     ; $(RUN) pgtap e2e seeds
clientscheck:   ; @test/lib/deps.sh check-all
	$(RUN) clients
soak:           ; @test/lib/deps.sh check
	@SOAK_SECONDS=$$(( $(or $(MINUTES),1) * 60 )) SEED='$(SEED)' test/run.sh soak
deps:           ; @test/lib/deps.sh check

demo:           ; @test/lib/deps.sh demo
	@PROVIDER_URL='$(PROVIDER_URL)' MODEL='$(MODEL)' SECRET_FILE='$(SECRET_FILE)' KEEP='$(KEEP)' test/demo/demo.sh

bench:          ; @test/lib/deps.sh demo
	@test/lib/with_server.sh --no-server test/bench/run.sh
bench-data:     ; @test/lib/deps.sh demo
	@ROWS='$(ROWS)' BACKLOG='$(BACKLOG)' PGURI='$(PGURI)' KEEP='$(KEEP)' test/bench/data.sh
eval-builtin:   ; @test/lib/deps.sh demo
	@test/lib/with_server.sh test/eval/builtin.sh
report-screenshot: ; @test/lib/deps.sh check
	@test/lib/with_server.sh --quiet test/demo/report_screenshot.sh >doc/report.png.new
	@mv doc/report.png.new doc/report.png
eval:           ; @test/lib/deps.sh demo
	@EVAL_TUNE='$(EVAL_TUNE)' test/lib/with_server.sh test/eval/clusters.sh
reference:      ; @test/lib/deps.sh demo
	@test/lib/with_server.sh --quiet test/lib/reference.sh >doc/reference.md.new
	@mv doc/reference.md.new doc/reference.md
prisma-schema:  ; @test/lib/deps.sh demo
	@test/lib/with_server.sh --quiet test/clients/prisma/schema.sh >test/clients/prisma/schema.prisma.new
	@mv test/clients/prisma/schema.prisma.new test/clients/prisma/schema.prisma

help:
	@echo 'make                 build the extension'
	@echo 'make install         install it where PG_CONFIG points (default: pg_config on the PATH)'
	@echo 'make installcheck    run the regression tests against a running server'
	@echo 'make clean           remove what was built'
	@echo
	@echo 'make demo            a throw-away server, a dozen tickets, triaged before your eyes'
	@echo '                     PROVIDER_URL=http://127.0.0.1:11434/v1 MODEL=name SECRET_FILE=file: with a real model'
	@echo '                     KEEP=1: leave the server running'
	@echo 'make check           all tests but the slow ones; installs missing Debian packages when run as root'
	@echo 'make check-all       also real clients, valgrind, long fuzzing, ten minutes of soak, the server under sanitizers, the benchmark'
	@echo 'make check-versions  unit, regression, pgTAP, isolation and end-to-end tests against each supported PostgreSQL that Debian has,'
	@echo '                     in directories made by debootstrap (as root; 3 GB); VERSIONS="17 18" SUITES="pgtap": only those'
	@echo 'make lint unitcheck fuzz regresscheck pgtapcheck isolationcheck e2echeck valgrindcheck   one suite'
	@echo 'make clientscheck    ORMs, drivers and a pooler against the extension; installs them from npm and Debian'
	@echo '                     TESTS="a b": only those files of the suite;  KEEP=1: keep the directory with the logs'
	@echo 'make seedscheck      the pgTAP and end-to-end tests, and what was asked for, item by item, with the tests that prove it'
	@echo 'make soak            everything goes wrong at once, then the ledger must balance; MINUTES=10; SEED=n repeats a run'
	@echo 'make bench           measure throughput, latency, WAL, memory'
	@echo 'make bench-data      load ROWS=1000000 tickets into a throw-away server (KEEP=1 leaves it running) or into PGURI=...'
	@echo 'make eval-builtin    accuracy of the builtin provider on the labelled set'
	@echo 'make eval            how well issues are put into clusters, on a labelled set; EVAL_TUNE=1: under thresholds, on its training part'
	@echo 'make reference       write doc/reference.md from the catalogs'
	@echo 'make report-screenshot   draw doc/report.png, the report over the demonstration data'
	@echo 'make prisma-schema   write test/clients/prisma/schema.prisma from the catalogs'
	@echo 'make deps            only install what the tests need'
	@echo
	@echo 'PG_MAJOR=15..18 or PG_CONFIG=/path choose the server; WERROR=1 makes warnings errors.'

# "make clean check" and the like: each remaining goal goes to the other half, in the order given.
$(filter-out $(OWN_TARGETS),$(MAKECMDGOALS)):
	@$(MAKE) --no-print-directory $@

.NOTPARALLEL:

else
######################################################## build ########################################################

MODULE_big = triage
EXTENSION = triage
DATA_built = sql/triage--1.0.sql

CORE = breaker bucket buf builtin builtin_issues builtin_talk classify conversation fields hint json_read kinds labels lexicon origin price prompt quote reason \
	redact retry similarity states untrusted utf8 verdict zendesk zendesk_page
NET = authorization loop pool secret transfer transport
PG = append budget builtin_provider calls chat_events claims config control dispatch dispatch_state encoding endpoint erase events events_notify foreign_keys gate gate_status guc home \
	inspect jobs kinds launcher pause plans prices queue rows shmem spi_util stats store sync sync_queue syncing tables tenant texts ticket_events tickets_extract tickets_handler tickets_log \
	tickets_row \
	tickets_shape wake withdrawals worker worker_role writes yield

CORE_OBJS = $(CORE:%=src/core/%.o)
NET_OBJS = $(NET:%=src/net/%.o)
PG_OBJS = src/triage.o $(PG:%=src/pg/%.o)
OBJS = $(CORE_OBJS) $(NET_OBJS) $(PG_OBJS)

REGRESS_OPTS = --inputdir=.
ISOLATION_OPTS = --inputdir=test/isolation
EXTRA_CLEAN = sql/triage--1.0.sql.new results regression.diffs regression.out output_iso

# No bitcode: it doubles the build, and a function that calls a model gains nothing from being inlined.
override with_llvm = no

PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq (,$(wildcard $(PGXS)))
$(error $(PG_CONFIG) does not lead to the build files of a PostgreSQL server. \
Install them (Debian: apt-get install postgresql-server-dev-15), or say PG_CONFIG=/path/to/pg_config. \
`make deps` as root installs what is needed)
endif

LIBRARIES = 'libcurl >= 7.85' 'json-c >= 0.15'
PKG_CONFIG ?= pkg-config
ifneq (clean,$(MAKECMDGOALS))
ifneq (found,$(shell $(PKG_CONFIG) --exists $(LIBRARIES) 2>/dev/null && echo found))
$(error libcurl 7.85 or newer and json-c 0.15 or newer are needed, and pkg-config does not find them \
(Debian: apt-get install pkg-config libcurl4-openssl-dev libjson-c-dev))
endif
endif
LIB_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIBRARIES) 2>/dev/null)

# -Bsymbolic: the server loads modules with RTLD_GLOBAL; another module's worker_main must not become ours.
SHLIB_LINK = -Wl,-Bsymbolic $(shell $(PKG_CONFIG) --libs $(LIBRARIES) 2>/dev/null)
PG_CPPFLAGS = -Isrc

include $(PGXS)

override CFLAGS += -std=gnu11 -Wno-declaration-after-statement
STRICT = $(if $(WERROR),-Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Werror)

# The layers, enforced by the compiler: core and net do not find a server header.
PORTABLE_CPPFLAGS := -Isrc $(filter-out -I%,$(CPPFLAGS)) $(LIB_CFLAGS)
$(CORE_OBJS) $(NET_OBJS): override CPPFLAGS = $(PORTABLE_CPPFLAGS)
$(CORE_OBJS) $(NET_OBJS): override CFLAGS += -fvisibility=hidden $(STRICT)
# The server's headers as system headers: their warnings are not ours to fix.
$(PG_OBJS): override CPPFLAGS := $(if $(WERROR),$(patsubst -I/%,-isystem /%,$(CPPFLAGS)),$(CPPFLAGS))
$(PG_OBJS): override CFLAGS += $(STRICT)

# Any header: small enough a project to compile again.
$(OBJS): $(wildcard src/*/*.h)

INSTALL_FILES = $(INSTALL_PARTS:%=sql/install/%.sql)
sql/triage--1.0.sql: $(INSTALL_FILES) Makefile
	cat $(INSTALL_FILES) >$@.new
	mv $@.new $@

# reached only by a file that does not exist
$(INSTALL_FILES):
	@echo '$@ is missing: INSTALL_PARTS in the Makefile names it' >&2; exit 1
$(PG_OBJS:.o=.c) $(CORE_OBJS:.o=.c) $(NET_OBJS:.o=.c):
	@echo '$@ is missing: CORE, NET or PG in the Makefile names it' >&2; exit 1

# The value of a variable, for the test scripts: make -s print-REGRESS
print-%: ; @echo '$($*)'

endif
