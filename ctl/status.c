/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "ctl/ctl.h"
#include "ctl/daemon.h"
#include "ctl/output.h"

/* A section: lines of a name and what is said of it, indented by an empty first column. */
#define SECTION_COLUMNS 3

static void add_line(struct table *table, const char *name, struct buf *text)
{
    table_add(table, "");
    table_add(table, name);
    table_add(table, buf_str(text));
    buf_fini(text);
}

static void print_section(const char *title, struct table *table)
{
    if (table->count) {
        printf("\n%s\n", title);
        table_print(table);
    }
    table_fini(table);
}

/* --- at a glance -------------------------------------------------------------------- */

static void print_head(const struct attr_list *status)
{
    const char *program = attr_get(status, "program"), *uptime = attr_get(status, "uptime");
    char duration[STR_DURATION_MAX];
    uint64_t sec;

    printf("%s %s", program ? program : "postern-policyd", attr_get_or_empty(status, "version"));
    if (uptime && str_parse_u64(uptime, 0, UINT64_MAX, &sec) == 0)
        printf(", up for %s", str_format_duration(sec, duration));
    putchar('\n');
}

static void add_enforce(struct table *table, const struct attr_list *status)
{
    bool enforces = !str_eq(attr_get_or_empty(status, "enforce"), "no");
    struct buf text = {0};

    buf_puts(&text, enforces ? "yes: bans are acted on"
                             : "no: it logs what it would do, and acts on nothing");
    add_line(table, "enforce", &text);
}

static void add_store(struct table *table, const struct attr_list *status)
{
    const char *error = attr_get(status, "store_error");
    struct buf text = {0};

    buf_puts(&text, attr_get_or_empty(status, "store"));
    if (error)
        buf_printf(&text, ": memory decides until it is back: %s", error);
    else if (str_eq(attr_get_or_empty(status, "store_reading"), "yes"))
        buf_puts(&text, ", still reading its bans");
    add_line(table, "store", &text);
}

static void add_last_ban(struct table *table, const struct attr_list *status)
{
    const char *ban = attr_get(status, "last_ban");
    char duration[STR_DURATION_MAX];
    struct buf text = {0};
    uint64_t sec = 0;

    if (!ban)
        return;
    buf_printf(&text, "%s by %s, ", ban, attr_get_or_empty(status, "last_ban_jail"));
    if (str_parse_u64(attr_get_or_empty(status, "last_ban_seconds"), 1, UINT64_MAX, &sec) == 0)
        buf_printf(&text, "%s left", str_format_duration(sec, duration));
    else
        buf_puts(&text, "over");
    add_line(table, "last ban", &text);
}

static void print_glance(const struct attr_list *status)
{
    static const struct {
        const char *name, *title;
    } counts[] = {{"bans", "bans"}, {"keys", "keys counted"}, {"connections", "connections"}};
    struct table table;

    table_init(&table, SECTION_COLUMNS);
    add_enforce(&table, status);
    add_store(&table, status);
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        struct buf text = {0};
        buf_puts(&text, attr_get_or_empty(status, counts[i].name));
        add_line(&table, counts[i].title, &text);
    }
    add_last_ban(&table, status);
    table_print(&table);
    table_fini(&table);
}

/* --- listeners ------------------------------------------------------------------------ */

static void add_listener(struct table *table, const char *value)
{
    char *copy = x_strdup(value);
    struct status_listener listener;

    if (status_parse_listener(copy, &listener) == 0) {
        struct buf text = {0};
        buf_printf(&text, "%s, %llu open", listener.address, (unsigned long long)listener.open);
        if (listener.closed)
            buf_printf(&text, ", %llu closed for what came", (unsigned long long)listener.closed);
        add_line(table, listener.serves, &text);
    }
    free(copy);
}

static void print_listeners(const struct attr_list *status)
{
    struct table table;

    table_init(&table, SECTION_COLUMNS);
    for (size_t i = 0; i < status->count; i++) {
        if (str_eq(status->items[i].name, STATUS_LISTENER))
            add_listener(&table, status->items[i].value);
    }
    print_section("listeners", &table);
}

/* --- counters: those of one kind that are not 0, "policy_go_on" and kin, in one line
 * ------------------------- */

static const char *const counter_kinds[] = {"policy", "auth", "socketmap", "control",
                                            "event",  "ban",  "reload"};

static void add_counters(struct table *table, const struct attr_list *status, const char *kind)
{
    struct buf text = {0};
    size_t len = strlen(kind);
    bool known = false;

    for (size_t i = 0; i < status->count; i++) {
        const struct attr *attr = &status->items[i];
        if (strncmp(attr->name, kind, len) != 0 || attr->name[len] != '_')
            continue;
        known = true;
        if (str_eq(attr->value, "0"))
            continue;
        buf_printf(&text, "%s%s ", text.len ? ", " : "", attr->value);
        for (const char *p = attr->name + len + 1; *p; p++)
            buf_putc(&text, *p == '_' ? ' ' : *p);
    }
    if (!text.len)
        buf_puts(&text, "nothing");
    if (known)
        add_line(table, kind, &text);
    else
        buf_fini(&text);
}

static void print_counters(const struct attr_list *status)
{
    struct table table;

    table_init(&table, SECTION_COLUMNS);
    for (size_t i = 0; i < sizeof(counter_kinds) / sizeof(*counter_kinds); i++)
        add_counters(&table, status, counter_kinds[i]);
    print_section("since the start", &table);
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
    print_head(&status);
    print_glance(&status);
    print_listeners(&status);
    print_counters(&status);
    return how;
}
