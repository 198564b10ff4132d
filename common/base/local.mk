# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libbase.a
# A program that uses process.h also links $(SYSTEMD_LIBS).
libbase_a_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
libbase_a_SOURCES = \
	common/base/addr.c common/base/addr.h \
	common/base/buf.c common/base/buf.h \
	common/base/bug.c common/base/bug.h \
	common/base/clock.c common/base/clock.h \
	common/base/endpoint.c common/base/endpoint.h \
	common/base/error.c common/base/error.h \
	common/base/histogram.c common/base/histogram.h \
	common/base/log.c common/base/log.h \
	common/base/log_limit.c common/base/log_limit.h \
	common/base/map.c common/base/map.h \
	common/base/mem.c common/base/mem.h \
	common/base/prefixset.c common/base/prefixset.h \
	common/base/random.c common/base/random.h \
	common/base/process.c common/base/process.h \
	common/base/str.c common/base/str.h

if TESTS_BUILT
base_tests = \
	tests/unit/test_addr tests/unit/test_buf tests/unit/test_endpoint tests/unit/test_log \
	tests/unit/test_map \
	tests/unit/test_prefixset tests/unit/test_process tests/unit/test_str
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)
base_test_libs = $(base_libs) $(CMOCKA_LIBS)
tests_unit_test_addr_SOURCES = tests/unit/test_addr.c
tests_unit_test_addr_LDADD = $(base_test_libs)
tests_unit_test_buf_SOURCES = tests/unit/test_buf.c
tests_unit_test_buf_LDADD = $(base_test_libs)
tests_unit_test_endpoint_SOURCES = tests/unit/test_endpoint.c
tests_unit_test_endpoint_LDADD = $(base_test_libs)
tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_LDADD = $(base_test_libs)
tests_unit_test_map_SOURCES = tests/unit/test_map.c
tests_unit_test_map_LDADD = $(base_test_libs)
tests_unit_test_prefixset_SOURCES = tests/unit/test_prefixset.c
tests_unit_test_prefixset_LDADD = $(base_test_libs)
tests_unit_test_process_SOURCES = tests/unit/test_process.c
tests_unit_test_process_LDADD = $(base_test_libs) $(SYSTEMD_LIBS)
tests_unit_test_str_SOURCES = tests/unit/test_str.c
tests_unit_test_str_LDADD = $(base_test_libs)
endif

fuzz_targets += tests/fuzz/fuzz_text
tests_fuzz_fuzz_text_LDADD = $(fuzz_main) $(base_libs)
tests_fuzz_fuzz_text_LDFLAGS = $(fuzz_ldflags)
