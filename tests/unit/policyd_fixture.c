/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tests/unit/policyd_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/log.h"
#include "policyd/policy.h"
#include "policyd/replay_events.h"

static struct fixture *fixture_of_clock(const struct clock *clock)
{
    return (struct fixture *)(void *)((char *)(uintptr_t)clock - offsetof(struct fixture, clock));
}

static int64_t fixture_wall_ms(const struct clock *clock)
{
    return fixture_of_clock(clock)->wall_ms;
}

static int64_t fixture_mono_ms(const struct clock *clock)
{
    return fixture_of_clock(clock)->mono_ms;
}

static struct fixture *fixture_of_store(struct store *store)
{
    return (struct fixture *)(void *)((char *)store - offsetof(struct fixture, store));
}

static int fixture_load(struct store *store, store_load_fn fn, void *ctx, struct error *error_r)
{
    struct fixture *fixture = fixture_of_store(store);

    if (fixture->store_fault)
        return error_set(error_r, ERROR_SYSTEM, "%s", fixture->store_fault);
    for (size_t i = 0; i < fixture->record_count; i++)
        fn(&fixture->records[i], ctx);
    return 0;
}

static void fixture_expect_answer(struct fixture *fixture, store_done_fn done, void *ctx)
{
    if (fixture->due_count == FIXTURE_DUE_MAX)
        abort();
    fixture->due[fixture->due_count].done = done;
    fixture->due[fixture->due_count++].ctx = ctx;
}

static void fixture_drop_record(struct fixture *fixture, const struct prefix *prefix)
{
    for (size_t i = 0; i < fixture->record_count; i++) {
        if (prefix_eq(&fixture->records[i].prefix, prefix))
            fixture->records[i--] = fixture->records[--fixture->record_count];
    }
}

static void fixture_put_ban(struct store *store, const struct store_ban *ban, store_done_fn done,
                            void *ctx)
{
    struct fixture *fixture = fixture_of_store(store);

    if (!fixture->store_fault) {
        fixture_drop_record(fixture, &ban->prefix);
        fixture->records[fixture->record_count++] = *ban;
    }
    fixture_expect_answer(fixture, done, ctx);
}

static void fixture_delete_ban(struct store *store, const struct prefix *prefix, store_done_fn done,
                               void *ctx)
{
    struct fixture *fixture = fixture_of_store(store);

    if (!fixture->store_fault)
        fixture_drop_record(fixture, prefix);
    fixture_expect_answer(fixture, done, ctx);
}

void fixture_commit(struct fixture *fixture)
{
    struct error error = {0};
    size_t count = fixture->due_count;

    if (fixture->store_fault)
        error_set(&error, ERROR_SYSTEM, "%s", fixture->store_fault);
    for (size_t i = 0; i < count; i++) {
        if (fixture->due[i].done)
            fixture->due[i].done(fixture->store_fault ? &error : NULL, fixture->due[i].ctx);
    }
    fixture->due_count = 0;
}

static void fixture_log(enum log_level level, const char *line, void *ctx)
{
    struct fixture *fixture = ctx;
    size_t used = strlen(fixture->log);

    (void)level;
    snprintf(fixture->log + used, sizeof(fixture->log) - used, "%s\n", line);
}

static void fixture_configure(struct fixture *fixture)
{
    static char jail_name[] = "logins", gateway_name[] = "vps1";

    fixture->gateway.name = gateway_name;
    fixture->jail = (struct config_jail){
        .acts = CONFIG_ACTS_ALL,
        .name = jail_name,
        .events = CONFIG_EVENT_AUTH_FAIL,
        .distinct_password = true,
        .maxretry = 5,
        .findtime_sec = 600,
        .bantime_sec = 3600,
        .prefix4 = 32,
        .prefix6 = 64,
    };
    fixture->config.enforce = true;
    fixture->config.policyd.max_keys = 1000;
    fixture->config.gateways = &fixture->gateway;
    fixture->config.jails = &fixture->jail;
    fixture->config.gateway_count = fixture->config.jail_count = 1;
    fixture->config.relays = fixture->relays;
    fixture->config.routes = fixture->routes;
}

void fixture_start(struct fixture *fixture)
{
    fixture->engine = engine_new(&(struct engine_options){
        .config = &fixture->config,
        .rules = &fixture->rules,
        .clock = &fixture->clock,
        .store = &fixture->store,
    });
}

struct fixture *fixture_new(void)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));

    if (!fixture || prefix_parse("10.8.0.1", &fixture->tunnel))
        abort();
    fixture->clock = (struct clock){fixture_wall_ms, fixture_mono_ms};
    fixture->wall_ms = INT64_C(1790000000000);
    fixture->mono_ms = 5000;
    fixture->store = (struct store){
        .load = fixture_load, .put_ban = fixture_put_ban, .delete_ban = fixture_delete_ban};
    fixture_configure(fixture);
    fixture->gateway.tunnel_addresses = (struct prefixlist){&fixture->tunnel, 1};
    fixture->rules.config = &fixture->config;
    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_DEBUG);
    log_capture(fixture_log, fixture);
    fixture_start(fixture);
    return fixture;
}

void fixture_free(struct fixture *fixture)
{
    fixture_commit(fixture);
    engine_free(&fixture->engine);
    log_capture(NULL, NULL);
    free(fixture);
}

void fixture_restart(struct fixture *fixture, int64_t away_ms)
{
    struct error error;

    fixture_commit(fixture);
    engine_free(&fixture->engine);
    fixture->wall_ms += away_ms;
    fixture->mono_ms = 100;
    fixture_start(fixture);
    if (engine_restore(fixture->engine, &error))
        abort();
}

void fixture_pass(struct fixture *fixture, int64_t ms)
{
    fixture->wall_ms += ms;
    fixture->mono_ms += ms;
}

struct origin_peer fixture_peer(const char *text)
{
    struct origin_peer peer = {0};

    if (addr_parse(text, &peer.addr))
        abort();
    return peer;
}

struct prefix fixture_prefix(const char *text)
{
    struct prefix prefix;

    if (prefix_parse(text, &prefix))
        abort();
    return prefix;
}

void fixture_told(enum engine_status status, const char *reason, void *ctx)
{
    struct told *told = ctx;

    told->times++;
    told->status = status;
    snprintf(told->reason, sizeof(told->reason), "%s", reason);
}

struct told *fixture_fail(struct fixture *fixture, const char *client, const char *fingerprint,
                          struct told *told)
{
    struct origin_peer peer = fixture_peer(client);
    struct event event = {.kind = CONFIG_EVENT_AUTH_FAIL,
                          .login = "alice",
                          .fingerprint = fingerprint,
                          .weight = 1,
                          .session = "S1"};

    *told = (struct told){0};
    engine_report(fixture->engine, &peer, &event, fixture_told, told);
    return told;
}

enum verdict fixture_verdict(struct fixture *fixture, const char *client)
{
    struct origin_peer peer = fixture_peer(client);
    return engine_judge(fixture->engine, &peer, "", CONFIG_ACTS_SMTP).verdict;
}

bool fixture_logged(const struct fixture *fixture, const char *part)
{
    return strstr(fixture->log, part) != NULL;
}

const struct attr_list *fixture_list(const char *name, ...)
{
    static struct attr_list list;
    struct buf bytes = {0};
    size_t consumed;
    va_list ap;

    va_start(ap, name);
    for (; name; name = va_arg(ap, const char *))
        attr_put(&bytes, name, va_arg(ap, const char *));
    va_end(ap);
    attr_end(&bytes);
    if (attr_parse(bytes.data, bytes.len, &list, &consumed) != ATTR_OK)
        abort();
    buf_fini(&bytes);
    return &list;
}

void fixture_add_routes(struct fixture *fixture)
{
    static char one[] = "one", two[] = "two", smtps[] = "smtps", plain[] = "plain", smtp[] = "smtp";
    static char host[] = "relay.example.net", other[] = "other.example.net";
    static char login[] = "me@example.net", password[] = "pass:word=1",
                login2[] = "you@example.net";
    static char all[] = "*", domain[] = "@example.com", user[] = "bob@example.com";
    const struct config_relay relays[4] = {
        {.name = one,
         .host = host,
         .port = 587,
         .transport = smtp,
         .login = login,
         .password = password},
        {.name = two,
         .host = other,
         .port = 2525,
         .transport = smtp,
         .login = login2,
         .password = password},
        {.name = smtps,
         .host = host,
         .port = 465,
         .transport = smtps,
         .login = login,
         .password = password},
        {.name = plain, .host = other, .port = 587, .transport = smtp},
    };

    memcpy(fixture->relays, relays, sizeof(relays));
    fixture->config.relay_count = 4;
    for (size_t i = 0; i < 4; i++)
        fixture->order[i] = &fixture->relays[i];
    fixture->routes[0] = (struct config_route){all, fixture->order, 3};
    fixture->routes[1] = (struct config_route){domain, fixture->order + 1, 1};
    fixture->routes[2] = (struct config_route){user, fixture->order + 2, 2};
    fixture->config.route_count = 3;
}

const char *fixture_answer(struct fixture *fixture, const struct attr_list *list)
{
    static char text[512];
    struct told told = {0};
    struct origin origin;
    struct buf out = {0};

    if (policy_answer(fixture->engine, list, fixture_told, &told, &origin, &out) == POLICY_LATER) {
        assert_int_equal(out.len, 0);
        fixture_commit(fixture);
        assert_int_equal(told.times, 1);
        policy_conclude(fixture->engine, list, &origin, &out);
    }
    snprintf(text, sizeof(text), "%s", buf_str(&out));
    buf_fini(&out);
    return text;
}

char *fixture_replay(struct fixture *fixture, const char *events, const char *want_error)
{
    char *text = NULL;
    size_t len;
    FILE *from = fmemopen((void *)(uintptr_t)events, strlen(events), "r");
    FILE *to = open_memstream(&text, &len);
    struct error error = {0};

    assert_true(from && to);
    int rc = replay_events(&fixture->config, &fixture->rules, from, to, &error);
    assert_int_equal(rc, want_error ? -1 : 0);
    if (want_error)
        assert_string_equal(error.text, want_error);
    fclose(from);
    fclose(to);
    return text;
}
