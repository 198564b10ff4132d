# SPDX-License-Identifier: MIT
noinst_LIBRARIES += libnet.a
libnet_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(MHD_CFLAGS) $(JANSSON_CFLAGS)
libnet_a_SOURCES = \
	common/net/control.c common/net/control.h \
	common/net/dns.c common/net/dns.h \
	common/net/dns_cache.c common/net/dns_cache.h \
	common/net/dns_memo.c common/net/dns_memo.h \
	common/net/dns_packet.c common/net/dns_packet.h \
	common/net/http.c common/net/http.h \
	common/net/http_conn.c common/net/http_conn.h \
	common/net/http_refusal.c common/net/http_refusal.h \
	common/net/http_route.c common/net/http_route.h \
	common/net/http_sections.c common/net/http_sections.h \
	common/net/http_stream.c common/net/http_stream.h \
	common/net/http_token.c common/net/http_token.h \
	common/net/listener.c common/net/listener.h \
	common/net/loop.c common/net/loop.h \
	common/net/by_gateway.c common/net/by_gateway.h \
	common/net/origin.c common/net/origin.h \
	common/net/report.c common/net/report.h \
	common/net/report_link.c common/net/report_link.h \
	common/net/report_queue.c common/net/report_queue.h \
	common/net/reporter.c common/net/reporter.h \
	common/net/resolver.c common/net/resolver.h \
	common/net/service.c common/net/service.h \
	common/net/session.c common/net/session.h \
	common/net/session_client.c common/net/session_client.h \
	common/net/status.c common/net/status.h \
	common/net/stream.c common/net/stream.h

noinst_HEADERS += tests/unit/http_fixture.h tests/unit/net_fixture.h

if TESTS_BUILT
net_tests = \
	tests/unit/test_control tests/unit/test_dns tests/unit/test_dns_cache tests/unit/test_dns_memo \
	tests/unit/test_http tests/unit/test_http_life tests/unit/test_http_stream \
	tests/unit/test_by_gateway \
	tests/unit/test_listener tests/unit/test_loop tests/unit/test_origin \
	tests/unit/test_report tests/unit/test_report_link tests/unit/test_resolver \
	tests/unit/test_service tests/unit/test_status tests/unit/test_stream
check_PROGRAMS += $(net_tests)
TESTS += $(net_tests)
net_test_libs = $(net_libs) $(CMOCKA_LIBS)
tests_unit_test_control_SOURCES = tests/unit/test_control.c
tests_unit_test_control_LDADD = $(net_test_libs)
tests_unit_test_http_SOURCES = tests/unit/test_http.c
tests_unit_test_http_LDADD = $(net_test_libs)
tests_unit_test_http_life_SOURCES = tests/unit/test_http_life.c
tests_unit_test_http_life_LDADD = $(net_test_libs)
tests_unit_test_http_stream_SOURCES = tests/unit/test_http_stream.c
tests_unit_test_http_stream_LDADD = $(net_test_libs)
tests_unit_test_listener_SOURCES = tests/unit/test_listener.c
tests_unit_test_listener_LDADD = $(net_test_libs)
tests_unit_test_loop_SOURCES = tests/unit/test_loop.c
tests_unit_test_loop_LDADD = $(net_test_libs)
tests_unit_test_service_SOURCES = tests/unit/test_service.c
tests_unit_test_service_LDADD = $(net_test_libs)
tests_unit_test_status_SOURCES = tests/unit/test_status.c
tests_unit_test_status_LDADD = $(net_test_libs)
tests_unit_test_stream_SOURCES = tests/unit/test_stream.c
tests_unit_test_stream_LDADD = $(net_test_libs)
tests_unit_test_dns_SOURCES = tests/unit/test_dns.c
tests_unit_test_dns_LDADD = $(net_test_libs)
tests_unit_test_dns_cache_SOURCES = tests/unit/test_dns_cache.c
tests_unit_test_dns_cache_LDADD = $(net_test_libs)
tests_unit_test_dns_memo_SOURCES = tests/unit/test_dns_memo.c
tests_unit_test_dns_memo_LDADD = $(net_test_libs)
tests_unit_test_report_SOURCES = tests/unit/test_report.c
tests_unit_test_report_LDADD = $(net_test_libs)
tests_unit_test_report_link_SOURCES = tests/unit/test_report_link.c
tests_unit_test_report_link_LDADD = $(net_test_libs)
tests_unit_test_resolver_SOURCES = tests/unit/test_resolver.c
tests_unit_test_resolver_LDADD = $(net_test_libs)
tests_unit_test_by_gateway_SOURCES = tests/unit/test_by_gateway.c
tests_unit_test_by_gateway_LDADD = $(net_test_libs)
tests_unit_test_origin_SOURCES = tests/unit/test_origin.c
tests_unit_test_origin_LDADD = $(net_test_libs)
endif

fuzz_targets += tests/fuzz/fuzz_dns_packet
tests_fuzz_fuzz_dns_packet_LDADD = $(fuzz_main) $(net_libs)
tests_fuzz_fuzz_dns_packet_LDFLAGS = $(fuzz_ldflags)
