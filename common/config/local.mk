# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libconfig_pn.a
libconfig_pn_a_SOURCES = \
	common/config/config.c common/config/config.h \
	common/config/draft.c common/config/draft.h \
	common/config/errors.c common/config/errors.h \
	common/config/form.c common/config/form.h \
	common/config/lex.c common/config/lex.h \
	common/config/near.c common/config/near.h \
	common/config/print.c \
	common/config/program.c common/config/program.h \
	common/config/rules.c common/config/rules.h \
	common/config/rules_gateway.c common/config/rules_gateway.h \
	common/config/rules_ingress.c common/config/rules_ingress.h \
	common/config/rules_jail.c common/config/rules_jail.h \
	common/config/rules_milter.c common/config/rules_milter.h \
	common/config/rules_sign.c common/config/rules_sign.h \
	common/config/rules_store.c common/config/rules_store.h \
	common/config/same.c common/config/same.h \
	common/config/schema.c common/config/schema.h \
	common/config/secret.c common/config/secret.h \
	common/config/syntax.c common/config/syntax.h \
	common/config/value.c common/config/value.h
libconfig_pn_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
# What links libconfig_pn.a also links libbase.a and $(JANSSON_LIBS).

if TESTS_BUILT
config_tests = \
	tests/unit/test_config tests/unit/test_config_ingress tests/unit/test_config_milter \
	tests/unit/test_config_store tests/unit/test_config_values tests/unit/test_options \
	tests/unit/test_program \
	tests/unit/test_schema tests/unit/test_secret
check_PROGRAMS += $(config_tests)
TESTS += $(config_tests)
config_test_libs = $(config_libs) $(CMOCKA_LIBS)
config_fixture = tests/unit/config_fixture.c tests/unit/config_fixture.h
tests_unit_test_config_SOURCES = tests/unit/test_config.c $(config_fixture)
tests_unit_test_config_LDADD = $(config_test_libs)
tests_unit_test_config_ingress_SOURCES = tests/unit/test_config_ingress.c $(config_fixture)
tests_unit_test_config_ingress_LDADD = $(config_test_libs)
tests_unit_test_config_milter_SOURCES = tests/unit/test_config_milter.c $(config_fixture)
tests_unit_test_config_milter_LDADD = $(config_test_libs)
tests_unit_test_config_store_SOURCES = tests/unit/test_config_store.c $(config_fixture)
tests_unit_test_config_store_LDADD = $(config_test_libs)
tests_unit_test_config_values_SOURCES = tests/unit/test_config_values.c $(config_fixture)
tests_unit_test_config_values_LDADD = $(config_test_libs)
tests_unit_test_options_SOURCES = tests/unit/test_options.c
tests_unit_test_options_LDADD = $(config_test_libs)
tests_unit_test_program_SOURCES = tests/unit/test_program.c
tests_unit_test_program_LDADD = $(config_test_libs)
tests_unit_test_schema_SOURCES = tests/unit/test_schema.c
tests_unit_test_schema_LDADD = $(config_test_libs)
tests_unit_test_secret_SOURCES = tests/unit/test_secret.c
tests_unit_test_secret_LDADD = $(config_test_libs)
endif

fuzz_targets += tests/fuzz/fuzz_config
tests_fuzz_fuzz_config_LDADD = $(fuzz_main) $(config_libs)
tests_fuzz_fuzz_config_LDFLAGS = $(fuzz_ldflags)
