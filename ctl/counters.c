/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>

#include "common/base/str.h"
#include "ctl/ctl.h"
#include "ctl/daemon.h"
#include "ctl/list.h"
#include "ctl/output.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void print_counters(struct list *list, const struct attr_list *last)
{
    if (list_is_empty(list))
        puts("no jail counts anything of it now");
    else
        list_print(list);
    if (list_is_of_one_host(last))
        puts("this host alone has counted this; others may have counted more");
}

static json_t *counters_json(const char *key, const struct list *list, const struct attr_list *last)
{
    static const struct daemon_field fields[] = {{"hosts", DAEMON_TEXT}};
    json_t *json = daemon_json(last, fields, COUNT(fields));

    json_object_set_new(json, "key", output_json_text(key));
    json_object_set(json, "counters", list->json);
    return json;
}

enum ctl_exit ctl_run_counters(const struct ctl *ctl)
{
    struct list list;
    struct buf request = {0};
    struct attr_list last;
    struct error error = {0};

    list_init_counters(&list);
    attr_put(&request, "request", "counters");
    attr_put(&request, "key", ctl->args[0]);
    attr_end(&request);
    int rc = daemon_ask(ctl, &request, list_take_counter, &list, &last, &error);
    enum ctl_exit how = list_is_empty(&list) ? CTL_NO : CTL_YES;
    if (rc < 0)
        how = ctl_fail(ctl, &error);
    else if (ctl->json)
        output_json(counters_json(ctl->args[0], &list, &last), how);
    else
        print_counters(&list, &last);
    buf_fini(&request);
    list_fini(&list);
    return how;
}

static const struct daemon_field jail_fields[] = {
    {"jail", DAEMON_TEXT},       {"events", DAEMON_TEXT},     {"count_by", DAEMON_TEXT},
    {"prefix4", DAEMON_NUMBER},  {"prefix6", DAEMON_NUMBER},  {"distinct", DAEMON_TEXT},
    {"maxretry", DAEMON_NUMBER}, {"findtime", DAEMON_NUMBER}, {"action", DAEMON_TEXT},
    {"bantime", DAEMON_NUMBER},  {"acts", DAEMON_TEXT},       {"delay", DAEMON_NUMBER},
    {"keys", DAEMON_NUMBER},     {"bans", DAEMON_NUMBER},
};

/* --- jails --------------------------------------------------------------------------- */

/* "client /32, /64", "login". */
static void add_counts_by(struct table *table, const struct attr_list *record)
{
    const char *prefix4 = attr_get(record, "prefix4"), *prefix6 = attr_get(record, "prefix6");
    struct buf text = {0};

    buf_puts(&text, attr_get_or_empty(record, "count_by"));
    if (prefix4 && prefix6)
        buf_printf(&text, " /%s, /%s", prefix4, prefix6);
    table_add(table, buf_str(&text));
    buf_fini(&text);
}

/* "5 in 10m", "5 different passwords in 10m". */
static void add_limit(struct table *table, const struct attr_list *record)
{
    bool is_distinct = str_eq(attr_get_or_empty(record, "distinct"), "password");
    char duration[STR_DURATION_MAX];
    struct buf text = {0};
    uint64_t sec = 0;

    if (str_parse_u64(attr_get_or_empty(record, "findtime"), 0, UINT64_MAX, &sec) < 0)
        sec = 0;
    buf_printf(&text, "%s%s in %s", attr_get_or_empty(record, "maxretry"),
               is_distinct ? " different passwords" : "", str_format_duration(sec, duration));
    table_add(table, buf_str(&text));
    buf_fini(&text);
}

static void take_jail(const struct attr_list *record, void *ctx)
{
    struct list *list = ctx;

    json_array_append_new(list->json, daemon_json(record, jail_fields, COUNT(jail_fields)));
    table_add(&list->table, attr_get_or_empty(record, "jail"));
    table_add(&list->table, attr_get_or_empty(record, "events"));
    add_counts_by(&list->table, record);
    add_limit(&list->table, record);
    list_add_action(list, record);
    table_add(&list->table, attr_get_or_empty(record, "keys"));
    table_add(&list->table, attr_get_or_empty(record, "bans"));
}

enum ctl_exit ctl_run_jails(const struct ctl *ctl)
{
    static const char *const heads[] = {"jail", "counts", "by", "limit", "then", "keys", "bans"};
    struct list list;
    struct buf request = {0};
    struct attr_list last;
    struct error error = {0};
    enum ctl_exit how = CTL_YES;

    if (ctl->arg_count)
        return ctl_run_jails_test(ctl);
    list_init(&list, heads, COUNT(heads));
    attr_put(&request, "request", "jails");
    attr_end(&request);
    int rc = daemon_ask(ctl, &request, take_jail, &list, &last, &error);
    if (rc < 0)
        how = ctl_fail(ctl, &error);
    else if (ctl->json)
        output_json(json_pack("{s:O}", "jails", list.json), how);
    else if (list_is_empty(&list))
        puts("there are no jails: nobody is banned but by hand");
    else
        list_print(&list);
    buf_fini(&request);
    list_fini(&list);
    return how;
}
