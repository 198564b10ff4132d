# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libwire.a
libwire_a_SOURCES = \
	common/wire/attr.c common/wire/attr.h \
	common/wire/crc32c.c common/wire/crc32c.h \
	common/wire/metric.c common/wire/metric.h \
	common/wire/netstring.c common/wire/netstring.h \
	common/wire/pp.c common/wire/pp.h \
	common/wire/pp_tlv.c common/wire/pp_tlv.h \
	common/wire/pp_v1.c common/wire/pp_v1.h \
	common/wire/pp_write.c common/wire/pp_write.h \
	common/wire/received.c common/wire/received.h \
	common/wire/taglist.c common/wire/taglist.h
libwire_a_CFLAGS = $(AM_CFLAGS) -Wconversion

if TESTS_BUILT
wire_tests = \
	tests/unit/test_attr tests/unit/test_crc32c tests/unit/test_metric tests/unit/test_netstring \
	tests/unit/test_pp tests/unit/test_pp_tlv tests/unit/test_pp_vectors tests/unit/test_pp_write \
	tests/unit/test_received tests/unit/test_taglist
check_PROGRAMS += $(wire_tests)
TESTS += $(wire_tests)
wire_test_libs = $(wire_libs) $(CMOCKA_LIBS)
tests_unit_test_attr_SOURCES = tests/unit/test_attr.c
tests_unit_test_attr_LDADD = $(wire_test_libs)
tests_unit_test_crc32c_SOURCES = tests/unit/test_crc32c.c
tests_unit_test_crc32c_LDADD = $(wire_test_libs)
tests_unit_test_metric_SOURCES = tests/unit/test_metric.c
tests_unit_test_metric_LDADD = $(wire_test_libs)
tests_unit_test_netstring_SOURCES = tests/unit/test_netstring.c
tests_unit_test_netstring_LDADD = $(wire_test_libs)
pp_laws = tests/unit/pp_laws.c tests/unit/pp_laws.h
tests_unit_test_pp_SOURCES = tests/unit/test_pp.c $(pp_laws)
tests_unit_test_pp_LDADD = $(wire_test_libs)
tests_unit_test_pp_tlv_SOURCES = tests/unit/test_pp_tlv.c $(pp_laws)
tests_unit_test_pp_tlv_LDADD = $(wire_test_libs)
tests_unit_test_pp_vectors_SOURCES = tests/unit/test_pp_vectors.c $(pp_laws)
tests_unit_test_pp_vectors_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_pp_vectors_LDADD = $(wire_test_libs) $(JANSSON_LIBS)
tests_unit_test_pp_write_SOURCES = tests/unit/test_pp_write.c $(pp_laws)
tests_unit_test_pp_write_LDADD = $(wire_test_libs)
tests_unit_test_received_SOURCES = tests/unit/test_received.c
tests_unit_test_received_LDADD = $(wire_test_libs)
tests_unit_test_taglist_SOURCES = tests/unit/test_taglist.c
tests_unit_test_taglist_LDADD = $(wire_test_libs)
endif

fuzz_targets += tests/fuzz/fuzz_attr tests/fuzz/fuzz_netstring tests/fuzz/fuzz_pp \
	tests/fuzz/fuzz_received tests/fuzz/fuzz_taglist
tests_fuzz_fuzz_attr_LDADD = $(fuzz_main) $(wire_libs)
tests_fuzz_fuzz_attr_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_netstring_LDADD = $(fuzz_main) $(wire_libs)
tests_fuzz_fuzz_netstring_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_pp_SOURCES = tests/fuzz/fuzz_pp.c tests/unit/pp_laws.c tests/unit/pp_laws.h
tests_fuzz_fuzz_pp_LDADD = $(fuzz_main) $(wire_libs)
tests_fuzz_fuzz_pp_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_received_LDADD = $(fuzz_main) $(wire_libs)
tests_fuzz_fuzz_received_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_taglist_LDADD = $(fuzz_main) $(wire_libs)
tests_fuzz_fuzz_taglist_LDFLAGS = $(fuzz_ldflags)
