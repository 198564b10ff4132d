/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/addr.h"
#include "common/base/str.h"
#include "ctl/ctl.h"
#include "ctl/daemon.h"
#include "ctl/output.h"

#define BAN_DEFAULT_SEC 3600
#define BAN_MAX_SEC     315360000 /* ten years; postern-control(7) */

static const struct daemon_field ban_fields[] = {
    {"ban", DAEMON_TEXT},    {"ban_login", DAEMON_TEXT}, {"seconds", DAEMON_NUMBER},
    {"jail", DAEMON_TEXT},   {"acts", DAEMON_TEXT},      {"since", DAEMON_NUMBER},
    {"stored", DAEMON_FLAG},
};
static const struct daemon_field change_fields[] = {
    {"stored", DAEMON_FLAG},
    {"enforce", DAEMON_FLAG},
    {"warning", DAEMON_TEXT},
};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct ban_list {
    struct table table;
    json_t *json;
};

static void take_ban(const struct attr_list *record, void *ctx)
{
    struct ban_list *list = ctx;
    struct table *table = &list->table;

    json_array_append_new(list->json, daemon_json(record, ban_fields, COUNT(ban_fields)));
    const char *login = attr_get(record, "ban_login");
    table_add(table, login ? login : attr_get_or_empty(record, "ban"));
    table_add_duration(table, attr_get_or_empty(record, "seconds"));
    table_add(table, attr_get_or_empty(record, "jail"));
    table_add_time(table, attr_get_or_empty(record, "since"));
    table_add(table, str_eq(attr_get_or_empty(record, "stored"), "no") ? "in memory only" : "");
}

enum ctl_exit ctl_run_bans(const struct ctl *ctl)
{
    static const char *const heads[] = {"who", "left", "jail", "since", ""};
    struct ban_list list = {.json = json_array()};
    struct buf request = {0};
    struct attr_list last;
    struct error error = {0};

    table_init(&list.table, COUNT(heads));
    for (size_t i = 0; i < COUNT(heads); i++)
        table_add(&list.table, heads[i]);
    attr_put(&request, "request", "bans");
    attr_end(&request);
    int rc = daemon_ask(ctl, &request, take_ban, &list, &last, &error);
    buf_fini(&request);
    size_t count = json_array_size(list.json);
    if (rc == 0 && !ctl->json && count)
        table_print(&list.table);
    table_fini(&list.table);
    if (rc == 0 && ctl->json)
        return output_json(json_pack("{s:o}", "bans", list.json), CTL_YES);
    json_decref(list.json);
    if (rc < 0)
        return ctl_fail(ctl, &error);
    if (!count)
        puts("nobody is banned");
    return CTL_YES;
}

static void tell_reservations(const struct attr_list *answer)
{
    const char *warning = attr_get(answer, "warning");

    if (warning)
        fprintf(stderr, "posternctl: %s\n", warning);
    if (str_eq(attr_get_or_empty(answer, "enforce"), "no"))
        fputs("posternctl: enforce is false: the daemon acts on no ban at present\n", stderr);
}

/* Ask for a change of one ban (seconds 0: none to send) and tell that it is `done`. */
static enum ctl_exit change(const struct ctl *ctl, const char *request_name, uint64_t seconds,
                            const char *done)
{
    struct buf request = {0};
    struct attr_list answer;
    struct error error = {0};
    char text[PREFIX_TEXT_MAX], duration[STR_DURATION_MAX];
    const char *who;

    attr_put(&request, "request", request_name);
    int rc = daemon_put_who(ctl, &request, text, &who, &error);
    if (seconds)
        attr_put_uint(&request, "seconds", seconds);
    attr_end(&request);
    if (rc == 0)
        rc = daemon_ask(ctl, &request, NULL, NULL, &answer, &error);
    buf_fini(&request);
    if (rc < 0)
        return ctl_fail(ctl, &error);
    tell_reservations(&answer);
    if (ctl->json) {
        json_t *json = daemon_json(&answer, change_fields, COUNT(change_fields));
        json_object_set_new(json, who == text ? "ban" : "ban_login", output_json_text(who));
        if (seconds)
            json_object_set_new(json, "seconds", json_integer((json_int_t)seconds));
        return output_json(json, CTL_YES);
    }
    printf("%s %s%s%s\n", done, who, seconds ? " for " : "",
           seconds ? str_format_duration(seconds, duration) : "");
    return CTL_YES;
}

enum ctl_exit ctl_run_ban(const struct ctl *ctl)
{
    const char *how_long = ctl_value(ctl, "for");
    uint64_t seconds = BAN_DEFAULT_SEC;
    struct error error = {0};

    if (how_long &&
        (str_parse_duration(how_long, &seconds) < 0 || !seconds || seconds > BAN_MAX_SEC)) {
        error_set(&error, ERROR_CONFIG, "--for %s: not a time such as 600, 10m, 1h, 2d or 1w",
                  how_long);
        return ctl_fail(ctl, &error);
    }
    return change(ctl, "ban", seconds, "banned");
}

enum ctl_exit ctl_run_unban(const struct ctl *ctl)
{
    return change(ctl, "unban", 0, "unbanned");
}
