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
