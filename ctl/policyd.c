/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>

#include "common/base/str.h"
#include "ctl/ctl.h"
#include "ctl/daemon.h"
#include "ctl/output.h"

static const struct daemon_field relay_fields[] = {
    {"relay", DAEMON_TEXT},     {"host", DAEMON_TEXT},  {"port", DAEMON_NUMBER},
    {"transport", DAEMON_TEXT}, {"login", DAEMON_TEXT}, {"used", DAEMON_FLAG},
};
static const struct daemon_field route_fields[] = {
    {"route", DAEMON_TEXT},
    {"nexthop", DAEMON_TEXT},
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Attributes of a status that are words; every other is a number where it looks like one. */
static enum daemon_kind status_kind(const char *name)
{
    static const struct daemon_field words[] = {
        {"version", DAEMON_TEXT},
        {"store", DAEMON_TEXT},
        {"store_error", DAEMON_TEXT},
        {"enforce", DAEMON_FLAG},
    };
    for (size_t i = 0; i < COUNT(words); i++) {
        if (str_eq(words[i].name, name))
            return words[i].kind;
    }
    return DAEMON_NUMBER;
}

static json_t *status_json(const struct attr_list *status)
{
    json_t *object = json_object();

    for (size_t i = 0; i < status->count; i++) {
        const char *name = status->items[i].name;
        if (str_eq(name, "status") || !str_is_utf8(name))
            continue;
        json_object_set_new(object, name,
                            daemon_value_json(status->items[i].value, status_kind(name)));
    }
    return object;
}

static void status_print(const struct attr_list *status)
{
    struct table table;
    char duration[STR_DURATION_MAX];
    uint64_t sec;

    table_init(&table, 2);
    for (size_t i = 0; i < status->count; i++) {
        const char *name = status->items[i].name, *value = status->items[i].value;
        if (str_eq(name, "status"))
            continue;
        table_add(&table, name);
        if (str_eq(name, "uptime") && str_parse_u64(value, 0, UINT64_MAX, &sec) == 0)
            value = str_format_duration(sec, duration);
        table_add(&table, value);
    }
    table_print(&table);
    table_fini(&table);
}

enum ctl_exit ctl_run_status(const struct ctl *ctl)
{
    struct buf request = {0};
    struct attr_list status;
    struct error error = {0};

    attr_put(&request, "request", "status");
    attr_end(&request);
    int rc = daemon_ask(ctl, &request, NULL, NULL, &status, &error);
    buf_fini(&request);
    if (rc < 0)
        return ctl_fail(ctl, &error);
    enum ctl_exit how = str_eq(attr_get_or_empty(&status, "store"), "ok") ? CTL_YES : CTL_NO;
    if (ctl->json)
        return output_json(status_json(&status), how);
    status_print(&status);
    return how;
}

struct relay_list {
    struct table table;
    json_t *json;
};

static void take_relay(const struct attr_list *record, void *ctx)
{
    struct relay_list *list = ctx;
    const char *login = attr_get(record, "login");
    struct buf host = {0};

    json_array_append_new(list->json, daemon_json(record, relay_fields, COUNT(relay_fields)));
    table_add(&list->table, attr_get_or_empty(record, "relay"));
    buf_printf(&host, "%s:%s", attr_get_or_empty(record, "host"),
               attr_get_or_empty(record, "port"));
    table_add(&list->table, buf_str(&host));
    table_add(&list->table, attr_get_or_empty(record, "transport"));
    table_add(&list->table, login ? login : "-");
    table_add(&list->table, str_eq(attr_get_or_empty(record, "used"), "no")
                                ? "not used: its transport differs from the first one's"
                                : "");
    buf_fini(&host);
}

static int ask_route(const struct ctl *ctl, struct relay_list *list, struct attr_list *last_r,
                     struct error *error_r)
{
    static const char *const heads[] = {"relay", "host", "transport", "login", ""};
    struct buf request = {0};

    table_init(&list->table, COUNT(heads));
    for (size_t i = 0; i < COUNT(heads); i++)
        table_add(&list->table, heads[i]);
    attr_put(&request, "request", "route");
    attr_put(&request, "sender", *ctl->args[0] ? ctl->args[0] : "<>");
    if (ctl->arg_count > 1)
        attr_put(&request, "recipient", ctl->args[1]);
    attr_end(&request);
    int rc = daemon_ask(ctl, &request, take_relay, list, last_r, error_r);
    buf_fini(&request);
    return rc;
}

static json_t *route_json(const struct ctl *ctl, const struct attr_list *last, json_t *relays)
{
    json_t *json = json_pack("{s:o}", "sender", output_json_text(ctl->args[0]));

    for (size_t i = 0; i < COUNT(route_fields); i++) {
        const char *value = attr_get(last, route_fields[i].name);
        json_object_set_new(json, route_fields[i].name,
                            value ? output_json_text(value) : json_null());
    }
    json_object_set(json, "relays", relays);
    return json;
}

enum ctl_exit ctl_run_route(const struct ctl *ctl)
{
    struct relay_list list = {.json = json_array()};
    struct attr_list last;
    struct error error = {0};

    int rc = ask_route(ctl, &list, &last, &error);
    const char *route = rc == 0 ? attr_get(&last, "route") : NULL;
    enum ctl_exit how = route ? CTL_YES : CTL_NO;
    if (rc < 0) {
        how = ctl_fail(ctl, &error);
    } else if (ctl->json) {
        output_json(route_json(ctl, &last, list.json), how);
    } else if (!route) {
        printf("no route for %s: Postfix goes its own way\n", ctl->args[0]);
    } else {
        printf("%s leaves by route %s, the first relay that takes it:\n\n", ctl->args[0], route);
        table_print(&list.table);
        printf("\nPostfix is told: %s\n", attr_get_or_empty(&last, "nexthop"));
    }
    table_fini(&list.table);
    json_decref(list.json);
    return how;
}
