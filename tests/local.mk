# SPDX-License-Identifier: MIT
noinst_HEADERS += tests/unit/unit.h tests/fuzz/fuzz.h

EXTRA_DIST += \
	tests/check tests/demo tests/packages-build tests/packages-check tests/lab tests/tap-run \
	tests/lib/build.sh tests/lib/cases.py tests/lib/launch.py tests/lib/metrics.py tests/lib/own_network.py \
	tests/lib/setup.sh tests/lib/steps.sh tests/lib/story.py tests/lib/story_redis.py tests/lib/telling.py \
	tests/lib/tsan.supp tests/soak tests/soak-ingress tests/soak-milter
dist_check_SCRIPTS += tests/lib/test_steps
TESTS += tests/lib/test_steps

# The sources judged as text: they need no building.
source_tests = \
	tests/unit/test_events tests/unit/test_headers tests/unit/test_layers tests/unit/test_format \
	tests/ratchet
dist_check_SCRIPTS += $(source_tests)
TESTS += $(source_tests)
EXTRA_DIST += tests/ratchet.list tests/unused.list

# Judged by what was built, besides the text.
built_tests = tests/unit/test_pages tests/unit/test_unused
dist_check_SCRIPTS += $(built_tests)
TESTS += $(built_tests)

# A fuzz target is tests/fuzz/fuzz_NAME.c with seeds in tests/fuzz/corpus/NAME. The folder
# whose parser it feeds adds it:
#     fuzz_targets += tests/fuzz/fuzz_NAME
#     tests_fuzz_fuzz_NAME_LDADD = $(fuzz_main) $(wire_libs)
#     tests_fuzz_fuzz_NAME_LDFLAGS = $(fuzz_ldflags)
# With --enable-fuzzing it is a libFuzzer program; otherwise it replays its seeds.
check_PROGRAMS += $(fuzz_targets)
EXTRA_DIST += tests/fuzz/corpus
fuzz_ldflags = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_SECONDS = 600

fuzz-programs: $(fuzz_targets)
if FUZZING
fuzz_main =
# What a run finds stays in the build tree; add to the corpus what is worth it.
fuzz: $(fuzz_targets)
	@for target in $(fuzz_targets); do \
	    name=$${target#tests/fuzz/fuzz_}; \
	    found=tests/fuzz/found/$$name; \
	    $(MKDIR_P) $$found && \
	    echo "$$target: $(FUZZ_SECONDS) s" && \
	    ./$$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024 \
	        -print_final_stats=1 -artifact_prefix=$$found. \
	        $$found $(srcdir)/tests/fuzz/corpus/$$name || exit 1; \
	done
else
check_LIBRARIES += libreplay.a
libreplay_a_SOURCES = tests/fuzz/replay.c
fuzz_main = libreplay.a
TESTS += $(fuzz_targets)
fuzz:
	@echo "make fuzz needs a build with libFuzzer: configure --enable-fuzzing CC=clang" >&2
	@exit 1
endif

# What reads the sources harder than a compiler does. cppcheck 2.10 knows no __VA_OPT__: its
# macro stands in for the comma that ends the fields of a log line; and its ctuuninitvar
# takes an output that is handed on for a value that is read.
LINT = *.c
lint_sources = cd $(srcdir) && \
	find common milter policyd ingress webhook ctl -name '$(LINT)' 2>/dev/null
lint_flags = -std=gnu11 $(DEFS) -I. $(AM_CPPFLAGS) $(OPENDKIM_CFLAGS)
lint: lint-cppcheck lint-tidy
lint-cppcheck: config.h
	@build=$$PWD; $(lint_sources) | xargs cppcheck --quiet --std=c11 --error-exitcode=1 \
	    --enable=warning,performance,portability --suppress=ctuuninitvar --inline-suppr \
	    '-D__VA_OPT__(...)=&' -DHAVE_CONFIG_H -I. -I"$$build"
lint-tidy: config.h
	@build=$$PWD; $(lint_sources) | xargs -P "$$(nproc)" -I FILE \
	    clang-tidy --quiet FILE -- $(lint_flags) -I"$$build"

# The lab, with the tunnel down for ten minutes:
#     POSTERN_LAB_TUNNEL_DOWN=600 tests/lab/run test_load.py

# Steady load for as long as its word is worth, with reloads: memory and descriptors stay.
SOAK_SECONDS = 600
soak-load: postern-policyd postern-milter
	POSTERN_SRCDIR='$(abs_top_srcdir)' POSTERN_BUILDDIR='$(abs_builddir)' \
	    SOAK_SECONDS=$(SOAK_SECONDS) $(srcdir)/tests/soak
# 9000 connections through a restart of policyd and a hand-over of the ingress.
soak-ingress: postern-policyd postern-ingress posternctl
	POSTERN_SRCDIR='$(abs_top_srcdir)' POSTERN_BUILDDIR='$(abs_builddir)' \
	    SOAK_SECONDS=$(SOAK_SECONDS) $(srcdir)/tests/soak-ingress
# A million messages, which takes as long as it takes: five minutes or ten.
SOAK_MESSAGES = 1000000
soak-milter: postern-milter tests/bench/milter_load
	POSTERN_BUILDDIR='$(abs_builddir)' PYTHONDONTWRITEBYTECODE=1 \
	    SOAK_MESSAGES=$(SOAK_MESSAGES) $(srcdir)/tests/soak-milter
soak: soak-load soak-ingress soak-milter

format:
	cd $(srcdir) && find common milter policyd ingress webhook ctl tests -name '*.[ch]' \
	    2>/dev/null | xargs clang-format-14 -i

clean-local: clean-fuzz
clean-fuzz:
	rm -rf tests/fuzz/found

.PHONY: fuzz fuzz-programs format lint lint-cppcheck lint-tidy soak soak-ingress soak-load \
	soak-milter clean-fuzz
