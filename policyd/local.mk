# SPDX-License-Identifier: MIT
# All but main.c is a library, so that the tests link what the program runs.
noinst_LIBRARIES += libpolicyd.a
libpolicyd_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS) $(LMDB_CFLAGS) \
	$(HIREDIS_CFLAGS) $(CRYPTO_CFLAGS)
libpolicyd_a_SOURCES = \
	policyd/aggregate.c policyd/aggregate.h \
	policyd/auth.c policyd/auth.h \
	policyd/ban_rate.c policyd/ban_rate.h \
	policyd/bans.c policyd/bans.h \
	policyd/control.c policyd/control.h \
	policyd/counters.c policyd/counters.h \
	policyd/crowdsec.c policyd/crowdsec.h \
	policyd/decision.c policyd/decision.h \
	policyd/event_log.c policyd/event_log.h \
	policyd/jails.c policyd/jails.h \
	policyd/engine.c policyd/engine.h policyd/engine_internal.h \
	policyd/engine_bans.c policyd/engine_events.c policyd/engine_mail.c policyd/engine_shared.c \
	policyd/export.c policyd/export.h \
	policyd/feed.c policyd/feed.h \
	policyd/history.c policyd/history.h \
	policyd/jail.c policyd/jail.h \
	policyd/keeper.c policyd/keeper.h policyd/keeper_internal.h policyd/keeper_shared.c \
	policyd/lifts.c policyd/lifts.h \
	policyd/limit.c policyd/limit.h \
	policyd/metrics.c policyd/metrics.h \
	policyd/names.c policyd/names.h \
	policyd/nft.c policyd/nft.h \
	policyd/once.c policyd/once.h \
	policyd/origins.c policyd/origins.h \
	policyd/owed.c policyd/owed.h \
	policyd/policy.c policyd/policy.h \
	policyd/redis.c policyd/redis.h \
	policyd/redis_command.c policyd/redis_command.h \
	policyd/redis_greeting.c policyd/redis_greeting.h \
	policyd/redis_internal.h policyd/redis_reply.c \
	policyd/redis_reader.c policyd/redis_reader.h \
	policyd/redis_guide.c policyd/redis_guide.h \
	policyd/redis_link.c policyd/redis_link.h \
	policyd/redis_lookup.c policyd/redis_lookup.h \
	policyd/redis_map.c policyd/redis_map.h \
	policyd/redis_nodes.c policyd/redis_nodes.h \
	policyd/redis_server.c policyd/redis_server.h \
	policyd/redis_script.c policyd/redis_script.h \
	policyd/redis_value.c policyd/redis_value.h \
	policyd/pulls.c policyd/pulls.h \
	policyd/replay_asker.c policyd/replay_asker.h \
	policyd/replay_events.c policyd/replay_events.h \
	policyd/replay_line.c policyd/replay_line.h \
	policyd/replay_tally.c policyd/replay_tally.h \
	policyd/route.c policyd/route.h \
	policyd/saver.c policyd/saver.h \
	policyd/server.c policyd/server.h \
	policyd/setup.c policyd/setup.h \
	policyd/show.c policyd/show.h \
	policyd/socketmap.c policyd/socketmap.h \
	policyd/stats.c policyd/stats.h \
	policyd/status.c policyd/status.h \
	policyd/store.h \
	policyd/store_file.c policyd/store_file.h \
	policyd/store_file_counters.c policyd/store_file_counters.h \
	policyd/store_record.c policyd/store_record.h \
	policyd/store_redis.c policyd/store_redis.h policyd/store_redis_internal.h \
	policyd/store_redis_ban.c policyd/store_redis_hit.c policyd/store_redis_sync.c \
	policyd/store_redis_text.c policyd/store_redis_text.h \
	policyd/watch.c policyd/watch.h \
	policyd/window.c policyd/window.h

# The scripts that Redis runs, as C.
policyd_lua = policyd/redis_ban.lua policyd/redis_hit.lua
nodist_libpolicyd_a_SOURCES = policyd/redis_scripts.h
BUILT_SOURCES += policyd/redis_scripts.h
CLEANFILES += policyd/redis_scripts.h
EXTRA_DIST += $(policyd_lua)
policyd/libpolicyd_a-store_redis.$(OBJEXT): policyd/redis_scripts.h
policyd/redis_scripts.h: $(policyd_lua)
	$(AM_V_at)$(MKDIR_P) policyd
	$(AM_V_GEN)for script in $(policyd_lua); do \
	    name=`basename $$script .lua`; \
	    echo "static const char $${name}_lua[] ="; \
	    sed -e 's/[\\"]/\\&/g' -e 's/.*/    "&\\n"/' $(srcdir)/$$script; \
	    echo '    ;'; \
	done >$@.new && mv $@.new $@

policyd_libs = libpolicyd.a $(net_libs) $(LMDB_LIBS) $(HIREDIS_LIBS) $(CRYPTO_LIBS)

sbin_PROGRAMS += postern-policyd
postern_policyd_SOURCES = policyd/main.c
postern_policyd_LDADD = $(policyd_libs)
policyd_scripts = \
	tests/policyd/check-policyd tests/policyd/check-policyd-bans \
	tests/policyd/check-policyd-control tests/policyd/check-policyd-crowdsec \
	tests/policyd/check-policyd-disk tests/policyd/check-policyd-dovecot \
	tests/policyd/check-policyd-hard \
	tests/policyd/check-policyd-http tests/policyd/check-policyd-life \
	tests/policyd/check-policyd-limits tests/policyd/check-policyd-redis \
	tests/policyd/check-policyd-socketmap \
	tests/policyd/check-policyd-submission \
	tests/policyd/check-crash
dist_check_SCRIPTS += $(policyd_scripts)
EXTRA_DIST += tests/policyd/daemon.py tests/policyd/harness.py tests/policyd/held_disk.c \
	tests/policyd/peers.py tests/policyd/power_cut.c tests/policyd/set_back.c
TESTS += $(policyd_scripts)

# The same crash test as in make check, for as long as its word is worth.
CRASH_ROUNDS = 1000
crash: postern-policyd
	POSTERN_SRCDIR='$(abs_top_srcdir)' POSTERN_BUILDDIR='$(abs_top_builddir)' \
	    POSTERN_CRASH_ROUNDS=$(CRASH_ROUNDS) $(srcdir)/tests/policyd/check-crash
soak: crash
.PHONY: crash soak

if TESTS_BUILT
policyd_tests = \
	tests/unit/test_redis tests/unit/test_redis_cluster tests/unit/test_redis_hostile \
	tests/unit/test_redis_lookup tests/unit/test_redis_map \
	tests/unit/test_redis_sentinel tests/unit/test_shared_events \
	tests/unit/test_auth tests/unit/test_bans tests/unit/test_policyd_control \
	tests/unit/test_counters tests/unit/test_decision tests/unit/test_engine \
	tests/unit/test_engine_bans \
	tests/unit/test_fairness tests/unit/test_history tests/unit/test_hours tests/unit/test_jail \
	tests/unit/test_keeper tests/unit/test_limit tests/unit/test_login_bans tests/unit/test_once \
	tests/unit/test_names tests/unit/test_nft tests/unit/test_origins \
	tests/unit/test_policy tests/unit/test_policyd_server tests/unit/test_pulls \
	tests/unit/test_replay tests/unit/test_replay_answers \
	tests/unit/test_route tests/unit/test_socketmap \
	tests/unit/test_saver tests/unit/test_show tests/unit/test_store_counters \
	tests/unit/test_store_file tests/unit/test_store_record tests/unit/test_two_stores \
	tests/unit/test_one_answer \
	tests/unit/test_store_redis_text tests/unit/test_lifts tests/unit/test_submission \
	tests/unit/test_window
check_PROGRAMS += $(policyd_tests)
TESTS += $(policyd_tests)
check_LIBRARIES += libpolicydtest.a
libpolicydtest_a_SOURCES = tests/unit/policyd_fixture.c tests/unit/policyd_fixture.h
policyd_test_libs = libpolicydtest.a $(policyd_libs) $(CMOCKA_LIBS)
tests_unit_test_auth_SOURCES = tests/unit/test_auth.c
tests_unit_test_auth_LDADD = $(policyd_test_libs)
tests_unit_test_bans_SOURCES = tests/unit/test_bans.c
tests_unit_test_bans_LDADD = $(policyd_test_libs)
tests_unit_test_policyd_control_SOURCES = tests/unit/test_policyd_control.c
tests_unit_test_policyd_control_LDADD = $(policyd_test_libs)
tests_unit_test_policyd_server_SOURCES = tests/unit/test_policyd_server.c $(config_fixture)
tests_unit_test_policyd_server_LDADD = $(policyd_libs) $(CMOCKA_LIBS)
tests_unit_test_counters_SOURCES = tests/unit/test_counters.c
tests_unit_test_counters_LDADD = $(policyd_test_libs)
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c
tests_unit_test_engine_LDADD = $(policyd_test_libs)
tests_unit_test_decision_SOURCES = tests/unit/test_decision.c
tests_unit_test_decision_LDADD = $(policyd_test_libs)
tests_unit_test_pulls_SOURCES = tests/unit/test_pulls.c
tests_unit_test_pulls_LDADD = $(policyd_test_libs)
tests_unit_test_names_SOURCES = tests/unit/test_names.c
tests_unit_test_names_LDADD = $(policyd_test_libs)
tests_unit_test_history_SOURCES = tests/unit/test_history.c
tests_unit_test_history_LDADD = $(policyd_test_libs)
tests_unit_test_engine_bans_SOURCES = tests/unit/test_engine_bans.c
tests_unit_test_engine_bans_LDADD = $(policyd_test_libs)
tests_unit_test_fairness_SOURCES = tests/unit/test_fairness.c $(config_fixture)
tests_unit_test_fairness_LDADD = $(policyd_test_libs)
tests_unit_test_hours_SOURCES = tests/unit/test_hours.c
tests_unit_test_hours_LDADD = $(policyd_test_libs)
tests_unit_test_jail_SOURCES = tests/unit/test_jail.c
tests_unit_test_jail_LDADD = $(policyd_test_libs)
tests_unit_test_keeper_SOURCES = tests/unit/test_keeper.c
tests_unit_test_keeper_LDADD = $(policyd_test_libs)
tests_unit_test_limit_SOURCES = tests/unit/test_limit.c
tests_unit_test_limit_LDADD = $(policyd_test_libs)
tests_unit_test_nft_SOURCES = tests/unit/test_nft.c
tests_unit_test_nft_LDADD = $(policyd_test_libs)
tests_unit_test_login_bans_SOURCES = tests/unit/test_login_bans.c
tests_unit_test_login_bans_LDADD = $(policyd_test_libs)
tests_unit_test_once_SOURCES = tests/unit/test_once.c
tests_unit_test_once_LDADD = $(policyd_test_libs)
tests_unit_test_origins_SOURCES = tests/unit/test_origins.c
tests_unit_test_origins_LDADD = $(policyd_test_libs)
tests_unit_test_policy_SOURCES = tests/unit/test_policy.c
tests_unit_test_policy_LDADD = $(policyd_test_libs)
redis_fixture = tests/unit/redis_fixture.c tests/unit/redis_fixture.h
tests_unit_test_redis_SOURCES = tests/unit/test_redis.c $(redis_fixture)
tests_unit_test_redis_LDADD = $(policyd_libs) $(CMOCKA_LIBS)
tests_unit_test_redis_cluster_SOURCES = tests/unit/test_redis_cluster.c $(redis_fixture)
tests_unit_test_redis_cluster_LDADD = $(policyd_libs) $(CMOCKA_LIBS)
tests_unit_test_redis_hostile_SOURCES = tests/unit/test_redis_hostile.c $(redis_fixture)
tests_unit_test_redis_hostile_LDADD = $(policyd_libs) $(CMOCKA_LIBS)
tests_unit_test_redis_lookup_SOURCES = tests/unit/test_redis_lookup.c
tests_unit_test_redis_lookup_LDADD = $(policyd_libs) $(CMOCKA_LIBS)
tests_unit_test_redis_map_SOURCES = tests/unit/test_redis_map.c
tests_unit_test_redis_map_LDADD = $(policyd_libs) $(CMOCKA_LIBS)
tests_unit_test_redis_sentinel_SOURCES = tests/unit/test_redis_sentinel.c $(redis_fixture)
tests_unit_test_redis_sentinel_LDADD = $(policyd_libs) $(CMOCKA_LIBS)
tests_unit_test_replay_SOURCES = tests/unit/test_replay.c
tests_unit_test_replay_LDADD = $(policyd_test_libs)
tests_unit_test_replay_answers_SOURCES = tests/unit/test_replay_answers.c
tests_unit_test_replay_answers_LDADD = $(policyd_test_libs)
tests_unit_test_route_SOURCES = tests/unit/test_route.c
tests_unit_test_route_LDADD = $(policyd_test_libs)
tests_unit_test_socketmap_SOURCES = tests/unit/test_socketmap.c
tests_unit_test_socketmap_LDADD = $(policyd_test_libs)
tests_unit_test_saver_SOURCES = tests/unit/test_saver.c
tests_unit_test_saver_LDADD = $(policyd_test_libs)
tests_unit_test_show_SOURCES = tests/unit/test_show.c
tests_unit_test_show_LDADD = $(policyd_test_libs)
tests_unit_test_store_counters_SOURCES = tests/unit/test_store_counters.c
tests_unit_test_store_counters_LDADD = $(policyd_test_libs)
tests_unit_test_store_file_SOURCES = tests/unit/test_store_file.c
tests_unit_test_store_file_LDADD = $(policyd_test_libs)
tests_unit_test_store_record_SOURCES = tests/unit/test_store_record.c
tests_unit_test_store_record_LDADD = $(policyd_test_libs)
tests_unit_test_store_redis_text_SOURCES = tests/unit/test_store_redis_text.c
tests_unit_test_store_redis_text_LDADD = $(policyd_test_libs)
tests_unit_test_lifts_SOURCES = tests/unit/test_lifts.c
tests_unit_test_lifts_LDADD = $(policyd_test_libs)
stores_fixture = tests/unit/stores_fixture.c tests/unit/stores_fixture.h $(config_fixture) \
	$(redis_fixture)
tests_unit_test_one_answer_SOURCES = tests/unit/test_one_answer.c $(stores_fixture)
tests_unit_test_one_answer_LDADD = $(policyd_test_libs)
tests_unit_test_two_stores_SOURCES = tests/unit/test_two_stores.c $(stores_fixture)
tests_unit_test_two_stores_LDADD = $(policyd_test_libs)
tests_unit_test_shared_events_SOURCES = tests/unit/test_shared_events.c $(config_fixture) \
	tests/unit/redis_fixture.c tests/unit/redis_fixture.h
tests_unit_test_shared_events_LDADD = $(policyd_test_libs)
tests_unit_test_submission_SOURCES = tests/unit/test_submission.c
tests_unit_test_submission_LDADD = $(policyd_test_libs)
tests_unit_test_window_SOURCES = tests/unit/test_window.c
tests_unit_test_window_LDADD = $(policyd_test_libs)
endif

fuzz_targets += \
	tests/fuzz/fuzz_auth tests/fuzz/fuzz_control tests/fuzz/fuzz_socketmap \
	tests/fuzz/fuzz_store_record tests/fuzz/fuzz_redis tests/fuzz/fuzz_store_redis
tests_fuzz_fuzz_redis_LDADD = $(fuzz_main) $(policyd_libs)
tests_fuzz_fuzz_redis_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_auth_LDADD = $(fuzz_main) $(policyd_libs)
tests_fuzz_fuzz_auth_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_socketmap_LDADD = $(fuzz_main) $(policyd_libs)
tests_fuzz_fuzz_socketmap_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_control_LDADD = $(fuzz_main) $(policyd_libs)
tests_fuzz_fuzz_control_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_store_record_LDADD = $(fuzz_main) $(policyd_libs)
tests_fuzz_fuzz_store_record_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_store_redis_LDADD = $(fuzz_main) $(policyd_libs)
tests_fuzz_fuzz_store_redis_LDFLAGS = $(fuzz_ldflags)
