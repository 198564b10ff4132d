# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libmilter_pn.a
libmilter_pn_a_SOURCES = \
	milter/action.c milter/action.h \
	milter/envelope.c milter/envelope.h \
	milter/event.c milter/event.h \
	milter/fields.c milter/fields.h \
	milter/gate.c milter/gate.h \
	milter/judge.c milter/judge.h \
	milter/limit.c milter/limit.h \
	milter/message.c milter/message.h \
	milter/monitor.c milter/monitor.h \
	milter/outbound.c milter/outbound.h \
	milter/session.c milter/session.h \
	milter/setup.c milter/setup.h \
	milter/socket.c milter/socket.h \
	milter/tally.c milter/tally.h

sbin_PROGRAMS += postern-milter
postern_milter_SOURCES = \
	milter/callbacks.c milter/callbacks.h \
	milter/main.c \
	milter/server.c milter/server.h
postern_milter_LDADD = libmilter_pn.a $(mailauth_libs) $(MILTER_LIBS)
EXTRA_DIST += tests/milter/dnsd.py tests/milter/fake_policyd.py \
	tests/milter/harness.py tests/milter/mta.py \
	tests/milter/session.lua tests/milter/signer.py
milter_scripts = \
	tests/milter/check-milter tests/milter/check-milter-acts tests/milter/check-milter-dns \
	tests/milter/check-milter-hard tests/milter/check-milter-http \
	tests/milter/check-milter-reports tests/milter/check-milter-server
dist_check_SCRIPTS += $(milter_scripts)
TESTS += $(milter_scripts)

if TESTS_BUILT
milter_tests = \
	tests/unit/test_milter_action \
	tests/unit/test_milter_envelope tests/unit/test_milter_event tests/unit/test_milter_fields \
	tests/unit/test_milter_limits tests/unit/test_milter_message tests/unit/test_milter_outbound \
	tests/unit/test_milter_setup tests/unit/test_milter_socket
check_PROGRAMS += $(milter_tests)
TESTS += $(milter_tests)
milter_test_libs = libmilter_pn.a $(mailauth_libs) $(MILTER_LIBS) $(CMOCKA_LIBS)
tests_unit_test_milter_envelope_SOURCES = tests/unit/test_milter_envelope.c
tests_unit_test_milter_envelope_LDADD = $(milter_test_libs)
tests_unit_test_milter_action_SOURCES = tests/unit/test_milter_action.c
tests_unit_test_milter_action_LDADD = $(milter_test_libs)
tests_unit_test_milter_event_SOURCES = tests/unit/test_milter_event.c
tests_unit_test_milter_event_LDADD = $(milter_test_libs)
tests_unit_test_milter_fields_SOURCES = tests/unit/test_milter_fields.c
tests_unit_test_milter_fields_LDADD = $(milter_test_libs)
tests_unit_test_milter_limits_SOURCES = tests/unit/test_milter_limits.c
tests_unit_test_milter_limits_LDADD = $(milter_test_libs)
tests_unit_test_milter_message_SOURCES = tests/unit/test_milter_message.c
tests_unit_test_milter_message_LDADD = $(milter_test_libs)
tests_unit_test_milter_outbound_SOURCES = tests/unit/test_milter_outbound.c
tests_unit_test_milter_outbound_LDADD = libfakedns.a $(milter_test_libs)
tests_unit_test_milter_setup_SOURCES = tests/unit/test_milter_setup.c
tests_unit_test_milter_setup_LDADD = $(milter_test_libs)
tests_unit_test_milter_socket_SOURCES = tests/unit/test_milter_socket.c
tests_unit_test_milter_socket_LDADD = $(milter_test_libs)
endif

fuzz_targets += tests/fuzz/fuzz_envelope
tests_fuzz_fuzz_envelope_LDADD = $(fuzz_main) libmilter_pn.a $(mailauth_libs) $(MILTER_LIBS)
tests_fuzz_fuzz_envelope_LDFLAGS = $(fuzz_ldflags)
