# SPDX-License-Identifier: MIT
bin_PROGRAMS += posternctl
posternctl_SOURCES = \
	ctl/bans.c \
	ctl/counters.c ctl/jails_test.c \
	ctl/ctl.h \
	ctl/daemon.c ctl/daemon.h \
	ctl/keyfile.c ctl/keyfile.h \
	ctl/keygen.c \
	ctl/list.c ctl/list.h \
	ctl/lookup.c ctl/lookup.h \
	ctl/main.c \
	ctl/message.c ctl/message.h \
	ctl/options.c ctl/options.h \
	ctl/output.c ctl/output.h \
	ctl/policyd.c \
	ctl/proxy.c \
	ctl/show.c \
	ctl/sign.c \
	ctl/signing.c ctl/signing.h \
	ctl/spf.c \
	ctl/status.c \
	ctl/verify.c \
	ctl/watch.c \
	ctl/why.c
posternctl_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
posternctl_LDADD = $(mailauth_libs)
dist_man_MANS += doc/posternctl.1

if TESTS_BUILT
ctl_tests = \
	tests/unit/test_ctl_message tests/unit/test_ctl_options tests/unit/test_ctl_output
check_PROGRAMS += $(ctl_tests)
TESTS += $(ctl_tests)
tests_unit_test_ctl_message_SOURCES = tests/unit/test_ctl_message.c ctl/message.c
tests_unit_test_ctl_message_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_ctl_options_SOURCES = tests/unit/test_ctl_options.c ctl/options.c
tests_unit_test_ctl_options_LDADD = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_ctl_output_SOURCES = tests/unit/test_ctl_output.c ctl/output.c
tests_unit_test_ctl_output_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_ctl_output_LDADD = $(base_libs) $(JANSSON_LIBS) $(CMOCKA_LIBS)
endif

fuzz_targets += tests/fuzz/fuzz_message
tests_fuzz_fuzz_message_SOURCES = tests/fuzz/fuzz_message.c ctl/message.c
tests_fuzz_fuzz_message_LDADD = $(fuzz_main) $(base_libs)
tests_fuzz_fuzz_message_LDFLAGS = $(fuzz_ldflags)

EXTRA_DIST += tests/ctl/ctlkit.py tests/ctl/fake_policyd.py
dist_check_SCRIPTS += \
	tests/ctl/check-ctl tests/ctl/check-ctl-daemon tests/ctl/check-ctl-proxy \
	tests/ctl/check-ctl-sign
TESTS += tests/ctl/check-ctl tests/ctl/check-ctl-daemon tests/ctl/check-ctl-proxy \
	tests/ctl/check-ctl-sign
