# SPDX-License-Identifier: MIT
# Speed and size beside the neighbours': make bench. Never part of make check.
bench_programs = tests/bench/milter_load tests/bench/milter_null tests/bench/policy_load \
	tests/bench/policy_null tests/bench/proxy_load tests/bench/proxy_sink
EXTRA_PROGRAMS += $(bench_programs)
CLEANFILES += $(bench_programs)
bench_common = tests/bench/bench.c tests/bench/bench.h
tests_bench_milter_load_SOURCES = tests/bench/milter_load.c $(bench_common)
tests_bench_milter_load_LDADD = -lpthread
tests_bench_milter_null_SOURCES = tests/bench/milter_null.c $(bench_common)
tests_bench_milter_null_CPPFLAGS = $(AM_CPPFLAGS) $(OPENDKIM_CFLAGS)
tests_bench_milter_null_LDADD = $(MILTER_LIBS) $(OPENDKIM_LIBS) -lpthread
tests_bench_policy_load_SOURCES = tests/bench/policy_load.c tests/bench/ask.c tests/bench/ask.h \
	$(bench_common)
tests_bench_proxy_load_SOURCES = tests/bench/proxy_load.c $(bench_common)
tests_bench_proxy_sink_SOURCES = tests/bench/proxy_sink.c $(bench_common)
tests_bench_policy_null_SOURCES = tests/bench/policy_null.c $(bench_common)
EXTRA_DIST += \
	tests/bench/run tests/bench/auth.py tests/bench/bans.py tests/bench/benchkit.py tests/bench/ingress.py tests/bench/milter.py \
	tests/bench/milter_servers.py \
	tests/bench/policy.py tests/bench/shared.py tests/bench/packages

bench: $(bench_programs) $(sbin_PROGRAMS)
	POSTERN_BUILDDIR='$(abs_top_builddir)' PYTHONDONTWRITEBYTECODE=1 \
	    $(srcdir)/tests/bench/run $(BENCH_ARGUMENTS)

.PHONY: bench
