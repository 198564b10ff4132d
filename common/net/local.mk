# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libnet.a
libnet_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(MHD_CFLAGS)
libnet_a_SOURCES = \
	common/net/listener.c common/net/listener.h \
	common/net/loop.c common/net/loop.h \
	common/net/stream.c common/net/stream.h

# DNS and the origin
libnet_a_SOURCES += \
	common/net/dns.c common/net/dns.h \
	common/net/dns_packet.c common/net/dns_packet.h \
	common/net/origin.c common/net/origin.h \
	common/net/resolver.c common/net/resolver.h

if TESTS_BUILT
dns_tests = tests/unit/test_dns tests/unit/test_resolver tests/unit/test_origin
check_PROGRAMS += $(dns_tests)
TESTS += $(dns_tests)
dns_test_libs = libnet.a libbase.a $(UNBOUND_LIBS) $(EVENT_LIBS) $(CMOCKA_LIBS) -lpthread
tests_unit_test_dns_SOURCES = tests/unit/test_dns.c
tests_unit_test_dns_LDADD = $(dns_test_libs)
tests_unit_test_resolver_SOURCES = tests/unit/test_resolver.c
tests_unit_test_resolver_LDADD = $(dns_test_libs)
tests_unit_test_origin_SOURCES = tests/unit/test_origin.c
tests_unit_test_origin_LDADD = $(dns_test_libs)
endif
