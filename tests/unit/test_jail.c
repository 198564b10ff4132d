/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/jail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/unit.h"

static const struct config_jail logins = {
    .events = CONFIG_EVENT_AUTH_FAIL,
    .distinct_password = true,
    .maxretry = 5,
    .findtime_sec = 600,
    .prefix4 = 32,
    .prefix6 = 64,
};

static enum jail_decision hit(const struct config_jail *jail, struct window *window,
                              const char *login, const char *fingerprint, int64_t now_ms)
{
    struct event event = {
        .kind = CONFIG_EVENT_AUTH_FAIL, .login = login, .fingerprint = fingerprint, .weight = 1};
    return jail_hit(jail, window, &event, now_ms);
}

static void keys_are_the_prefixes_of_the_client(void **state)
{
    static const struct {
        const char *client;
        unsigned prefix4, prefix6;
        const char *key;
    } cases[] = {
        {"203.0.113.7", 32, 64, "203.0.113.7"},
        {"203.0.113.7", 24, 64, "203.0.113.0/24"},
        {"2001:db8:1:2:3::4", 32, 64, "2001:db8:1:2::/64"},
        {"2001:db8:1:2:3::4", 24, 128, "2001:db8:1:2:3::4"},
        {"2001:db8:1:2:3::4", 24, 48, "2001:db8:1::/48"},
    };
    char text[PREFIX_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config_jail jail = {.prefix4 = cases[i].prefix4, .prefix6 = cases[i].prefix6};
        struct event event = {.login = "alice"};
        assert_int_equal(addr_parse(cases[i].client, &event.client), 0);
        struct prefix key = jail_key(&jail, &event);
        assert_string_equal(prefix_format(&key, text), cases[i].key);
    }
}

static struct prefix key_of_login(const char *login)
{
    const struct config_jail jail = {.count_by = COUNT_BY_LOGIN, .prefix4 = 32, .prefix6 = 64};
    struct event event = {.login = login};

    assert_int_equal(addr_parse("203.0.113.7", &event.client), 0);
    return jail_key(&jail, &event);
}

static void keys_by_login_are_no_addresses(void **state)
{
    /* The same in each program and on each machine: it is on disk. */
    static const uint8_t alice[] = {0x67, 0x02, 0x3f, 0xc4, 0xa7, 0xff, 0x2a, 0x46};
    struct prefix key = key_of_login("alice@example.com");
    struct prefix same = key_of_login("Alice@EXAMPLE.com");
    struct prefix other = key_of_login("bob@example.com");
    struct prefix all;

    (void)state;
    assert_int_equal(key.addr.family, JAIL_KEY_LOGIN);
    assert_memory_equal(key.addr.bytes, alice, sizeof(alice));
    assert_true(prefix_eq(&key, &same));
    assert_false(prefix_eq(&key, &other));
    assert_int_equal(prefix_parse("0.0.0.0/0", &all), 0);
    assert_false(prefix_overlaps(&all, &key));
    assert_int_equal(prefix_parse("::/0", &all), 0);
    assert_false(prefix_overlaps(&all, &key));
}

static void keys_by_client_and_login_are_of_both(void **state)
{
    struct config_jail jail = {.count_by = COUNT_BY_CLIENT_LOGIN, .prefix4 = 24, .prefix6 = 64};
    struct event event = {.login = "alice"};
    struct prefix all;

    (void)state;
    assert_int_equal(addr_parse("203.0.113.7", &event.client), 0);
    struct prefix key = jail_key(&jail, &event);
    assert_int_equal(key.addr.family, JAIL_KEY_CLIENT_LOGIN);
    assert_int_equal(prefix_parse("0.0.0.0/0", &all), 0);
    assert_false(prefix_overlaps(&all, &key));
    assert_int_equal(addr_parse("203.0.113.200", &event.client), 0);
    event.login = "ALICE";
    struct prefix same = jail_key(&jail, &event);
    assert_true(prefix_eq(&key, &same));
    event.login = "bob";
    struct prefix other = jail_key(&jail, &event);
    assert_false(prefix_eq(&key, &other));
    event.login = "alice";
    assert_int_equal(addr_parse("203.0.114.7", &event.client), 0);
    other = jail_key(&jail, &event);
    assert_false(prefix_eq(&key, &other));
}

static void each_ban_is_longer_up_to_a_limit(void **state)
{
    static const struct {
        unsigned factor, max_sec, jitter_sec;
        uint64_t before;
        uint32_t chance;
        uint64_t seconds;
    } cases[] = {
        {0, 0, 0, 5, 9, 3600},
        {1, 86400, 0, 5, 9, 3600},
        {2, 86400, 0, 0, 9, 3600},
        {2, 86400, 0, 1, 0, 7200},
        {2, 86400, 0, 4, 0, 57600},
        {2, 86400, 0, 5, 0, 86400},
        {2, 86400, 0, 2000000, 0, 86400},
        {100, 31536000, 0, 2000000, 0, 31536000},
        {1, 0, 60, 0, 60, 3660},
        {1, 0, 60, 0, 61, 3600},
        {2, 3600, 10, 7, 4, 3604},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config_jail jail = {.bantime_sec = 3600,
                                   .bantime_factor = cases[i].factor,
                                   .bantime_max_sec = cases[i].max_sec,
                                   .bantime_jitter_sec = cases[i].jitter_sec};
        if (jail_bantime(&jail, cases[i].before, cases[i].chance) != cases[i].seconds)
            fail_msg("case %zu", i);
    }
}

static void a_jail_by_login_counts_masked_clients_too(void **state)
{
    static const struct {
        enum config_count_by by;
        enum origin_kind origin;
        const char *login;
        bool applies, applies_to_mail;
    } cases[] = {
        {COUNT_BY_CLIENT, ORIGIN_KNOWN, "", true, true},
        {COUNT_BY_CLIENT, ORIGIN_MASKED, "a", false, false},
        {COUNT_BY_CLIENT, ORIGIN_LOCAL, "a", false, false},
        {COUNT_BY_CLIENT, ORIGIN_REFUSED, "a", false, false},
        {COUNT_BY_LOGIN, ORIGIN_KNOWN, "a", true, true},
        {COUNT_BY_LOGIN, ORIGIN_MASKED, "a", true, true},
        {COUNT_BY_LOGIN, ORIGIN_MASKED, "", false, false},
        {COUNT_BY_LOGIN, ORIGIN_LOCAL, "a", false, true},
        {COUNT_BY_LOGIN, ORIGIN_REFUSED, "a", false, false},
        {COUNT_BY_CLIENT_LOGIN, ORIGIN_KNOWN, "a", true, true},
        {COUNT_BY_CLIENT_LOGIN, ORIGIN_KNOWN, "", false, false},
        {COUNT_BY_CLIENT_LOGIN, ORIGIN_MASKED, "a", false, false},
        {COUNT_BY_DOMAIN, ORIGIN_KNOWN, "a@b", true, true},
        {COUNT_BY_DOMAIN, ORIGIN_LOCAL, "a@b", false, true},
        {COUNT_BY_DOMAIN, ORIGIN_MASKED, "", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct config_jail jail = {.count_by = cases[i].by};
        const char *login = cases[i].login;
        unsigned mail = CONFIG_EVENT_RECIPIENT, auth = CONFIG_EVENT_AUTH_FAIL;
        if (jail_applies(&jail, cases[i].origin, auth, login) != cases[i].applies ||
            jail_applies(&jail, cases[i].origin, mail, login) != cases[i].applies_to_mail)
            fail_msg("case %zu", i);
    }
}

static void the_identity_is_what_it_counts(void **state)
{
    static char name[] = "logins", other_name[] = "login";
    struct config_jail jail = logins, other;

    (void)state;
    jail.name = name;
    uint64_t identity = jail_identity(&jail);
    /* The same in each program and on each machine: it is on disk. */
    assert_true(identity == UINT64_C(0x8e118bd14204bbfc));
    /* What it asks for and how many are too many do not change what was counted. */
    other = jail, other.bantime_sec++, other.maxretry++, other.events++;
    assert_true(jail_identity(&other) == identity);
    other = jail, other.name = other_name;
    assert_true(jail_identity(&other) != identity);
    other = jail, other.distinct_password = false;
    assert_true(jail_identity(&other) != identity);
    other = jail, other.count_by++;
    assert_true(jail_identity(&other) != identity);
    other = jail, other.findtime_sec++;
    assert_true(jail_identity(&other) != identity);
    other = jail, other.prefix4--;
    assert_true(jail_identity(&other) != identity);
    other = jail, other.prefix6--;
    assert_true(jail_identity(&other) != identity);
}

static void the_fifth_different_password_is_the_one_too_many(void **state)
{
    struct window window = {0};
    char fingerprint[16];

    (void)state;
    for (int i = 1; i <= 5; i++) {
        snprintf(fingerprint, sizeof(fingerprint), "%d", i);
        assert_int_equal(hit(&logins, &window, "alice", fingerprint, i),
                         i < 5 ? JAIL_COUNTED : JAIL_REACHED);
    }
    window_fini(&window);
}

static void the_same_password_is_one_event(void **state)
{
    struct window window = {0};

    (void)state;
    assert_int_equal(hit(&logins, &window, "alice", "0abc", 1), JAIL_COUNTED);
    for (int i = 0; i < 20; i++)
        assert_int_equal(hit(&logins, &window, "alice", "0abc", i), JAIL_IGNORED);
    /* The same fingerprint for another login is another password. */
    assert_int_equal(hit(&logins, &window, "bob", "0abc", 21), JAIL_COUNTED);
    window_fini(&window);
}

static void login_and_fingerprint_do_not_run_together(void **state)
{
    struct window window = {0};

    (void)state;
    assert_int_equal(hit(&logins, &window, "ab", "c", 1), JAIL_COUNTED);
    assert_int_equal(hit(&logins, &window, "a", "bc", 1), JAIL_COUNTED);
    window_fini(&window);
}

static void without_a_fingerprint_each_event_counts(void **state)
{
    struct window window = {0};

    (void)state;
    for (int i = 1; i <= 5; i++)
        assert_int_equal(hit(&logins, &window, "alice", "", i),
                         i < 5 ? JAIL_COUNTED : JAIL_REACHED);
    window_fini(&window);
}

static void without_distinct_each_event_counts(void **state)
{
    struct config_jail jail = logins;
    struct window window = {0};

    (void)state;
    jail.distinct_password = false;
    for (int i = 1; i <= 5; i++)
        assert_int_equal(hit(&jail, &window, "alice", "0abc", i),
                         i < 5 ? JAIL_COUNTED : JAIL_REACHED);
    window_fini(&window);
}

static void a_slow_guesser_stays_below(void **state)
{
    struct window window = {0};
    char fingerprint[16];

    (void)state;
    for (int i = 0; i < 200; i++) {
        snprintf(fingerprint, sizeof(fingerprint), "%d", i);
        /* Every 200 s are 3 in 600 s. */
        assert_int_equal(hit(&logins, &window, "alice", fingerprint, i * 200000), JAIL_COUNTED);
    }
    window_fini(&window);
}

static void maxretry_1_bans_at_once(void **state)
{
    struct config_jail jail = logins;
    struct window window = {0};

    (void)state;
    jail.maxretry = 1;
    assert_int_equal(hit(&jail, &window, "alice", "1", 0), JAIL_REACHED);
    window_fini(&window);
}

static void no_maxretry_makes_a_window_large(void **state)
{
    struct config_jail jail = logins;
    struct window window = {0};
    char fingerprint[16];

    (void)state;
    jail.maxretry = 1000000;
    for (int i = 0; i < 2 * JAIL_HASHES_MAX; i++) {
        snprintf(fingerprint, sizeof(fingerprint), "%d", i);
        assert_int_equal(hit(&jail, &window, "alice", fingerprint, i), JAIL_COUNTED);
    }
    assert_int_equal(window.hashes->count, JAIL_HASHES_MAX);
    assert_int_equal(window.current, 2 * JAIL_HASHES_MAX);
    window_fini(&window);
}

static void other_events_are_not_its_business(void **state)
{
    struct config_jail jail = logins;
    struct window window = {0};

    (void)state;
    jail.events = 0;
    assert_int_equal(hit(&jail, &window, "alice", "1", 0), JAIL_IGNORED);
    assert_int_equal(window.current, 0);
}

static void an_event_counts_as_its_weight(void **state)
{
    static const struct {
        unsigned weight;
        const char *fingerprint;
        enum jail_decision decision;
        uint64_t count;
    } cases[] = {
        {0, "", JAIL_IGNORED, 0},  {0, "1", JAIL_IGNORED, 0}, {1, "2", JAIL_COUNTED, 1},
        {2, "3", JAIL_COUNTED, 3}, {2, "3", JAIL_IGNORED, 3}, {1, "", JAIL_COUNTED, 4},
        {3, "", JAIL_REACHED, 7},
    };
    struct window window = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct event event = {.kind = CONFIG_EVENT_AUTH_FAIL,
                              .login = "alice",
                              .fingerprint = cases[i].fingerprint,
                              .weight = cases[i].weight};
        assert_int_equal(jail_hit(&logins, &window, &event, 0), cases[i].decision);
        assert_int_equal(window_count(&window, 600000, 0), cases[i].count);
    }
    window_fini(&window);
}

static void an_event_counts_as_often_as_the_jail_says(void **state)
{
    struct config_jail jail = logins;
    struct event event = {.kind = CONFIG_EVENT_RELAY_DENIED, .login = "", .fingerprint = ""};
    struct window window = {0};

    (void)state;
    jail.events |= CONFIG_EVENT_RELAY_DENIED;
    jail.weights[__builtin_ctz(CONFIG_EVENT_RELAY_DENIED)] = 2;
    assert_int_equal(jail_hit(&jail, &window, &event, 0), JAIL_IGNORED);
    event.weight = 1;
    assert_int_equal(jail_hit(&jail, &window, &event, 0), JAIL_COUNTED);
    assert_int_equal(window_count(&window, 600000, 0), 2);
    assert_int_equal(hit(&jail, &window, "alice", "1", 0), JAIL_COUNTED);
    assert_int_equal(window_count(&window, 600000, 0), 3);
    assert_int_equal(jail_hit(&jail, &window, &event, 0), JAIL_REACHED);
    window_fini(&window);
}

static void events_have_names(void **state)
{
    static const struct {
        unsigned kind;
        const char *name;
    } cases[] = {
        {CONFIG_EVENT_AUTH_FAIL, "auth_fail"},       {CONFIG_EVENT_RCPT_UNKNOWN, "rcpt_unknown"},
        {CONFIG_EVENT_RELAY_DENIED, "relay_denied"}, {CONFIG_EVENT_RCPT_REJECTED, "rcpt_rejected"},
        {CONFIG_EVENT_SPF_FAIL, "spf_fail"},         {CONFIG_EVENT_DKIM_FAIL, "dkim_fail"},
        {CONFIG_EVENT_DMARC_FAIL, "dmarc_fail"},     {CONFIG_EVENT_CONNECT, "connect"},
        {CONFIG_EVENT_HONEYPOT, "honeypot"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_string_equal(event_name(cases[i].kind), cases[i].name);
        assert_int_equal(event_kind(cases[i].name), cases[i].kind);
    }
    assert_int_equal(event_kind(""), 0);
    assert_int_equal(event_kind("AUTH_FAIL"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_the_prefixes_of_the_client),
        cmocka_unit_test(keys_by_login_are_no_addresses),
        cmocka_unit_test(a_jail_by_login_counts_masked_clients_too),
        cmocka_unit_test(keys_by_client_and_login_are_of_both),
        cmocka_unit_test(each_ban_is_longer_up_to_a_limit),
        cmocka_unit_test(the_identity_is_what_it_counts),
        cmocka_unit_test(the_fifth_different_password_is_the_one_too_many),
        cmocka_unit_test(the_same_password_is_one_event),
        cmocka_unit_test(login_and_fingerprint_do_not_run_together),
        cmocka_unit_test(without_a_fingerprint_each_event_counts),
        cmocka_unit_test(without_distinct_each_event_counts),
        cmocka_unit_test(a_slow_guesser_stays_below),
        cmocka_unit_test(maxretry_1_bans_at_once),
        cmocka_unit_test(no_maxretry_makes_a_window_large),
        cmocka_unit_test(other_events_are_not_its_business),
        cmocka_unit_test(an_event_counts_as_its_weight),
        cmocka_unit_test(an_event_counts_as_often_as_the_jail_says),
        cmocka_unit_test(events_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
