# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libingress.a
libingress_a_SOURCES = \
	ingress/bantable.c ingress/bantable.h \
	ingress/clients.c ingress/clients.h \
	ingress/conn.c ingress/conn.h \
	ingress/dial.c ingress/dial.h \
	ingress/door.c ingress/door.h \
	ingress/generation.c ingress/generation.h \
	ingress/handover.c ingress/handover.h \
	ingress/monitor.c ingress/monitor.h \
	ingress/pipes.c ingress/pipes.h \
	ingress/predecessor.c ingress/predecessor.h \
	ingress/pump.c ingress/pump.h \
	ingress/server.c ingress/server.h \
	ingress/sessions.c ingress/sessions.h \
	ingress/stats.c ingress/stats.h \
	ingress/successor.c ingress/successor.h \
	ingress/transparent.c ingress/transparent.h \
	ingress/watch.c ingress/watch.h

ingress_libs = libingress.a $(net_libs)
sbin_PROGRAMS += postern-ingress
postern_ingress_SOURCES = ingress/main.c
postern_ingress_LDADD = $(ingress_libs)

EXTRA_DIST += tests/ingress/chain.py tests/ingress/harness.py
ingress_scripts = tests/ingress/check-ingress tests/ingress/check-ingress-plain \
	tests/ingress/check-ingress-generations tests/ingress/check-ingress-handover \
	tests/ingress/check-ingress-transparent
dist_check_SCRIPTS += $(ingress_scripts)
TESTS += $(ingress_scripts)

if TESTS_BUILT
ingress_tests = tests/unit/test_bantable tests/unit/test_door tests/unit/test_predecessor \
	tests/unit/test_pump tests/unit/test_session
check_PROGRAMS += $(ingress_tests)
TESTS += $(ingress_tests)
tests_unit_test_bantable_SOURCES = tests/unit/test_bantable.c
tests_unit_test_bantable_LDADD = $(ingress_libs) $(CMOCKA_LIBS)
tests_unit_test_door_SOURCES = tests/unit/test_door.c
tests_unit_test_door_LDADD = $(ingress_libs) $(CMOCKA_LIBS)
tests_unit_test_predecessor_SOURCES = tests/unit/test_predecessor.c
tests_unit_test_predecessor_LDADD = $(ingress_libs) $(CMOCKA_LIBS)
tests_unit_test_pump_SOURCES = tests/unit/test_pump.c
tests_unit_test_pump_LDADD = $(ingress_libs) $(CMOCKA_LIBS)
tests_unit_test_session_SOURCES = tests/unit/test_session.c
tests_unit_test_session_LDADD = $(ingress_libs) $(CMOCKA_LIBS)
endif
