/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ctl/list.h"

#include <stdbool.h>

#include "common/base/buf.h"
#include "common/base/str.h"
#include "ctl/daemon.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void list_init(struct list *list, const char *const *heads, size_t count)
{
    table_init(&list->table, count);
    list->json = json_array();
    for (size_t i = 0; i < count; i++)
        table_add(&list->table, heads[i]);
}

void list_fini(struct list *list)
{
    table_fini(&list->table);
    json_decref(list->json);
}

bool list_is_empty(const struct list *list)
{
    return json_array_size(list->json) == 0;
}

void list_print(struct list *list)
{
    table_omit_empty(&list->table);
    table_print(&list->table);
}

/* --- counters ---------------------------------------------------------------------- */

static const struct daemon_field counter_fields[] = {
    {"jail", DAEMON_TEXT},      {"key", DAEMON_TEXT},        {"count_by", DAEMON_TEXT},
    {"count", DAEMON_NUMBER},   {"maxretry", DAEMON_NUMBER}, {"findtime", DAEMON_NUMBER},
    {"seconds", DAEMON_NUMBER}, {"action", DAEMON_TEXT},     {"bantime", DAEMON_NUMBER},
    {"acts", DAEMON_TEXT},      {"delay", DAEMON_NUMBER},
};
void list_add_action(struct list *list, const struct attr_list *record)
{
    const char *action = attr_get_or_empty(record, "action");
    const char *seconds = attr_get(record, str_eq(action, "ban") ? "bantime" : "delay");
    const char *acts = attr_get(record, "acts");
    struct buf text = {0};
    char duration[STR_DURATION_MAX];
    uint64_t sec;

    buf_puts(&text, action);
    if (seconds && str_parse_u64(seconds, 0, UINT64_MAX, &sec) == 0)
        buf_printf(&text, " %s %s", str_eq(action, "ban") ? "for" : "of",
                   str_format_duration(sec, duration));
    if (acts && !str_eq(acts, "all"))
        buf_printf(&text, " at %s", acts);
    table_add(&list->table, buf_str(&text));
    buf_fini(&text);
}

void list_init_counters(struct list *list)
{
    static const char *const heads[] = {"jail", "key", "counted", "for at most", "then"};

    list_init(list, heads, COUNT(heads));
}

void list_take_counter(const struct attr_list *record, void *ctx)
{
    struct list *list = ctx;
    struct buf text = {0};

    json_array_append_new(list->json, daemon_json(record, counter_fields, COUNT(counter_fields)));
    table_add(&list->table, attr_get_or_empty(record, "jail"));
    table_add(&list->table, attr_get_or_empty(record, "key"));
    buf_printf(&text, "%s of %s", attr_get_or_empty(record, "count"),
               attr_get_or_empty(record, "maxretry"));
    table_add(&list->table, buf_str(&text));
    table_add_duration(&list->table, attr_get_or_empty(record, "seconds"));
    list_add_action(list, record);
    buf_fini(&text);
}

bool list_is_of_one_host(const struct attr_list *last)
{
    return str_eq(attr_get_or_empty(last, "hosts"), "this");
}

/* --- events ------------------------------------------------------------------------ */

static const struct daemon_field event_fields[] = {
    {"event", DAEMON_TEXT},    {"at", DAEMON_NUMBER},     {"client_address", DAEMON_TEXT},
    {"protocol", DAEMON_TEXT}, {"login", DAEMON_TEXT},    {"recipient", DAEMON_TEXT},
    {"session", DAEMON_TEXT},  {"weight", DAEMON_NUMBER}, {"jails", DAEMON_TEXT},
    {"led_to", DAEMON_TEXT},   {"missed", DAEMON_NUMBER},
};

json_t *list_event_json(const struct attr_list *record)
{
    return daemon_json(record, event_fields, COUNT(event_fields));
}

void list_init_events(struct list *list)
{
    static const char *const heads[] = {"when",      "event",   "client", "protocol",   "login",
                                        "recipient", "session", "weight", "counted by", "led to"};

    list_init(list, heads, COUNT(heads));
}

void list_take_event(const struct attr_list *record, struct list *list)
{
    static const char *const columns[] = {"client_address", "protocol", "login", "recipient",
                                          "session"};
    const char *weight = attr_get_or_empty(record, "weight");

    json_array_append_new(list->json, list_event_json(record));
    table_add_time(&list->table, attr_get_or_empty(record, "at"));
    table_add(&list->table, attr_get_or_empty(record, "event"));
    for (size_t i = 0; i < COUNT(columns); i++)
        table_add(&list->table, attr_get_or_empty(record, columns[i]));
    table_add(&list->table, str_eq(weight, "1") ? "" : weight);
    const char *jails = attr_get_or_empty(record, "jails");
    table_add(&list->table, *jails ? jails : "no jail");
    table_add(&list->table, attr_get_or_empty(record, "led_to"));
}
