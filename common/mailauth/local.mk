# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libmailauth.a
libmailauth_a_SOURCES = \
	common/mailauth/author.c common/mailauth/author.h \
	common/mailauth/authres.c common/mailauth/authres.h \
	common/mailauth/dkim.c common/mailauth/dkim.h \
	common/mailauth/dkim_body.c common/mailauth/dkim_body.h \
	common/mailauth/dkim_canon.c common/mailauth/dkim_canon.h \
	common/mailauth/dkim_fields.c common/mailauth/dkim_fields.h \
	common/mailauth/dkim_hash.c common/mailauth/dkim_hash.h \
	common/mailauth/dkim_key.c common/mailauth/dkim_key.h \
	common/mailauth/dkim_own.c common/mailauth/dkim_own.h \
	common/mailauth/dkim_sign.c common/mailauth/dkim_sign.h \
	common/mailauth/dkim_signature.c common/mailauth/dkim_signature.h \
	common/mailauth/dkim_signed.c common/mailauth/dkim_signed.h \
	common/mailauth/dkim_signkey.c common/mailauth/dkim_signkey.h \
	common/mailauth/dmarc.c common/mailauth/dmarc.h \
	common/mailauth/dmarc_findings.c common/mailauth/dmarc_findings.h \
	common/mailauth/dmarc_record.c common/mailauth/dmarc_record.h \
	common/mailauth/dmarc_walk.c common/mailauth/dmarc_walk.h \
	common/mailauth/domain.c common/mailauth/domain.h \
	common/mailauth/iprev.c common/mailauth/iprev.h \
	common/mailauth/result.c common/mailauth/result.h \
	common/mailauth/sign_keys.c common/mailauth/sign_keys.h \
	common/mailauth/spf.c common/mailauth/spf.h \
	common/mailauth/spf_engines.c common/mailauth/spf_engines.h \
	common/mailauth/spf_macro.c common/mailauth/spf_macro.h \
	common/mailauth/spf_record.c common/mailauth/spf_record.h \
	common/mailauth/spf_rfc7208.c \
	common/mailauth/spf_walk.c common/mailauth/spf_walk.h
if LIBSPF2
libmailauth_a_SOURCES += common/mailauth/spf_libspf2.c
endif
libmailauth_a_CPPFLAGS = $(AM_CPPFLAGS) $(OPENDKIM_CFLAGS) $(CRYPTO_CFLAGS) $(IDN2_CFLAGS)

if TESTS_BUILT
# A DNS that answers from a table.
check_LIBRARIES += libfakedns.a
libfakedns_a_SOURCES = tests/unit/fake_dns.c tests/unit/fake_dns.h

dkim_tests = \
	tests/unit/test_dkim tests/unit/test_dkim_body tests/unit/test_dkim_canon \
	tests/unit/test_dkim_choice tests/unit/test_dkim_key tests/unit/test_dkim_memory \
	tests/unit/test_dkim_own tests/unit/test_dkim_samples tests/unit/test_dkim_sign tests/unit/test_dkim_signed \
	tests/unit/test_dkim_signkey tests/unit/test_dkim_tags
mailauth_tests = \
	tests/unit/test_author tests/unit/test_authres $(dkim_tests) \
	tests/unit/test_dmarc tests/unit/test_dmarc_dns tests/unit/test_dmarc_findings \
	tests/unit/test_dmarc_record tests/unit/test_dmarc_walk \
	tests/unit/test_domain tests/unit/test_iprev tests/unit/test_sign_keys tests/unit/test_spf \
	tests/unit/test_spf_hostile tests/unit/test_spf_macro tests/unit/test_spf_record
if LIBSPF2
mailauth_tests += tests/unit/test_spf_libspf2 tests/unit/test_spf_hostile_libspf2
endif
check_PROGRAMS += $(mailauth_tests) tests/spf/check_cases
TESTS += $(mailauth_tests) tests/dkim/interop.py tests/dkim/verify.py tests/spf/rfc7208.py
dist_check_SCRIPTS += tests/dkim/interop.py tests/dkim/verify.py tests/spf/rfc7208.py
dkim_fixture = tests/unit/dkim_fixture.c tests/unit/dkim_fixture.h
mailauth_test_libs = libfakedns.a $(mailauth_libs) $(CMOCKA_LIBS)
tests_unit_test_author_SOURCES = tests/unit/test_author.c
tests_unit_test_author_LDADD = $(mailauth_test_libs)
tests_unit_test_authres_SOURCES = tests/unit/test_authres.c
tests_unit_test_authres_LDADD = $(mailauth_test_libs)
tests_unit_test_dkim_SOURCES = tests/unit/test_dkim.c
tests_unit_test_dkim_CPPFLAGS = $(AM_CPPFLAGS) $(OPENDKIM_CFLAGS)
tests_unit_test_dkim_LDADD = $(mailauth_test_libs)
tests_unit_test_dkim_body_SOURCES = tests/unit/test_dkim_body.c
tests_unit_test_dkim_body_LDADD = $(mailauth_test_libs)
tests_unit_test_dkim_choice_SOURCES = tests/unit/test_dkim_choice.c
tests_unit_test_dkim_choice_LDADD = $(mailauth_test_libs)
tests_unit_test_dkim_canon_SOURCES = tests/unit/test_dkim_canon.c
tests_unit_test_dkim_canon_LDADD = $(mailauth_test_libs)
tests_unit_test_dkim_key_SOURCES = tests/unit/test_dkim_key.c
tests_unit_test_dkim_key_LDADD = $(mailauth_test_libs)
tests_unit_test_dkim_memory_SOURCES = tests/unit/test_dkim_memory.c
tests_unit_test_dkim_memory_LDADD = $(mailauth_test_libs)
tests_unit_test_dkim_samples_SOURCES = tests/unit/test_dkim_samples.c
tests_unit_test_dkim_samples_LDADD = $(mailauth_test_libs)
tests_unit_test_dkim_own_SOURCES = tests/unit/test_dkim_own.c $(dkim_fixture)
tests_unit_test_dkim_own_LDADD = $(mailauth_test_libs)
tests_unit_test_dkim_sign_SOURCES = tests/unit/test_dkim_sign.c $(dkim_fixture)
tests_unit_test_dkim_sign_LDADD = $(mailauth_test_libs)
tests_unit_test_dkim_signkey_SOURCES = tests/unit/test_dkim_signkey.c
tests_unit_test_dkim_signkey_LDADD = $(mailauth_test_libs)
dmarc_fixture = tests/unit/dmarc_fixture.c tests/unit/dmarc_fixture.h
tests_unit_test_dmarc_SOURCES = tests/unit/test_dmarc.c $(dmarc_fixture)
tests_unit_test_dmarc_LDADD = $(mailauth_test_libs)
tests_unit_test_dmarc_dns_SOURCES = tests/unit/test_dmarc_dns.c $(dmarc_fixture)
tests_unit_test_dmarc_dns_LDADD = $(mailauth_test_libs)
tests_unit_test_dmarc_findings_SOURCES = tests/unit/test_dmarc_findings.c
tests_unit_test_dmarc_findings_LDADD = $(mailauth_test_libs)
tests_unit_test_dmarc_record_SOURCES = tests/unit/test_dmarc_record.c
tests_unit_test_dmarc_record_LDADD = $(mailauth_test_libs)
tests_unit_test_dmarc_walk_SOURCES = tests/unit/test_dmarc_walk.c $(dmarc_fixture)
tests_unit_test_dmarc_walk_LDADD = $(mailauth_test_libs)
tests_unit_test_domain_SOURCES = tests/unit/test_domain.c
tests_unit_test_domain_LDADD = $(mailauth_test_libs)
tests_unit_test_dkim_signed_SOURCES = tests/unit/test_dkim_signed.c
tests_unit_test_dkim_signed_LDADD = $(mailauth_test_libs)
tests_unit_test_dkim_tags_SOURCES = tests/unit/test_dkim_tags.c
tests_unit_test_dkim_tags_LDADD = $(mailauth_test_libs)
tests_unit_test_iprev_SOURCES = tests/unit/test_iprev.c
tests_unit_test_iprev_LDADD = $(mailauth_test_libs)
tests_unit_test_sign_keys_SOURCES = tests/unit/test_sign_keys.c
tests_unit_test_sign_keys_LDADD = $(mailauth_test_libs)
tests_unit_test_spf_SOURCES = tests/unit/test_spf.c
tests_unit_test_spf_LDADD = $(mailauth_test_libs)
tests_unit_test_spf_libspf2_SOURCES = tests/unit/test_spf.c
tests_unit_test_spf_libspf2_CPPFLAGS = $(AM_CPPFLAGS) -DENGINE='"libspf2"'
tests_unit_test_spf_libspf2_LDADD = $(mailauth_test_libs)
tests_unit_test_spf_hostile_SOURCES = tests/unit/test_spf_hostile.c
tests_unit_test_spf_hostile_LDADD = $(mailauth_test_libs)
tests_unit_test_spf_hostile_libspf2_SOURCES = tests/unit/test_spf_hostile.c
tests_unit_test_spf_hostile_libspf2_CPPFLAGS = $(AM_CPPFLAGS) -DENGINE='"libspf2"'
tests_unit_test_spf_hostile_libspf2_LDADD = $(mailauth_test_libs)
tests_unit_test_spf_macro_SOURCES = tests/unit/test_spf_macro.c
tests_unit_test_spf_macro_LDADD = $(mailauth_test_libs)
tests_unit_test_spf_record_SOURCES = tests/unit/test_spf_record.c
tests_unit_test_spf_record_LDADD = $(mailauth_test_libs)
tests_spf_check_cases_SOURCES = tests/spf/check_cases.c
tests_spf_check_cases_LDADD = $(mailauth_test_libs)
endif

fuzz_targets += tests/fuzz/fuzz_author tests/fuzz/fuzz_authres tests/fuzz/fuzz_domain \
	tests/fuzz/fuzz_dkim_tags tests/fuzz/fuzz_spf_record
tests_fuzz_fuzz_dkim_tags_LDADD = $(fuzz_main) $(mailauth_libs)
tests_fuzz_fuzz_dkim_tags_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_author_LDADD = $(fuzz_main) $(mailauth_libs)
tests_fuzz_fuzz_author_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_authres_LDADD = $(fuzz_main) $(mailauth_libs)
tests_fuzz_fuzz_authres_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_domain_LDADD = $(fuzz_main) $(mailauth_libs)
tests_fuzz_fuzz_domain_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_spf_record_LDADD = $(fuzz_main) $(mailauth_libs)
tests_fuzz_fuzz_spf_record_LDFLAGS = $(fuzz_ldflags)
fuzz_targets += tests/fuzz/fuzz_dkim_sign
tests_fuzz_fuzz_dkim_sign_LDADD = $(fuzz_main) $(mailauth_libs)
tests_fuzz_fuzz_dkim_sign_LDFLAGS = $(fuzz_ldflags)
if TESTS_BUILT
fuzz_targets += tests/fuzz/fuzz_dkim tests/fuzz/fuzz_dmarc tests/fuzz/fuzz_spf
tests_fuzz_fuzz_dkim_LDADD = $(fuzz_main) libfakedns.a $(mailauth_libs)
tests_fuzz_fuzz_dkim_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_dmarc_LDADD = $(fuzz_main) libfakedns.a $(mailauth_libs)
tests_fuzz_fuzz_dmarc_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_spf_LDADD = $(fuzz_main) libfakedns.a $(mailauth_libs)
tests_fuzz_fuzz_spf_LDFLAGS = $(fuzz_ldflags)
endif
