# SPDX-License-Identifier: MIT
# All but main.c is a library, so that the tests link what the program runs.
noinst_LIBRARIES += libpolicyd.a
libpolicyd_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS) $(LMDB_CFLAGS)
libpolicyd_a_SOURCES = \
	policyd/auth.c policyd/auth.h \
	policyd/bans.c policyd/bans.h \
	policyd/control.c policyd/control.h \
	policyd/counters.c policyd/counters.h \
	policyd/engine.c policyd/engine.h \
	policyd/jail.c policyd/jail.h \
	policyd/policy.c policyd/policy.h \
	policyd/route.c policyd/route.h \
	policyd/server.c policyd/server.h \
	policyd/service.c policyd/service.h \
	policyd/socketmap.c policyd/socketmap.h \
	policyd/stats.c policyd/stats.h \
	policyd/store.h \
	policyd/store_file.c policyd/store_file.h \
	policyd/window.c policyd/window.h

policyd_libs = libpolicyd.a $(net_libs) $(LMDB_LIBS)

sbin_PROGRAMS += postern-policyd
postern_policyd_SOURCES = policyd/main.c
postern_policyd_LDADD = $(policyd_libs)
dist_check_SCRIPTS += tests/policyd/check-policyd
EXTRA_DIST += tests/policyd/daemon.py
TESTS += tests/policyd/check-policyd
