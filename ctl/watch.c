/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/str.h"
#include "ctl/ctl.h"
#include "ctl/daemon.h"
#include "ctl/list.h"
#include "ctl/output.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* --- for programs --------------------------------------------------------------------- */

static json_t *change_json(const struct attr_list *record, const char *change, int64_t now_sec)
{
    static const struct daemon_field fields[] = {
        {"ban", DAEMON_TEXT},  {"ban_login", DAEMON_TEXT}, {"seconds", DAEMON_NUMBER},
        {"jail", DAEMON_TEXT}, {"bans", DAEMON_NUMBER},
    };
    json_t *json = daemon_json(record, fields, COUNT(fields));
    const char *unban = attr_get(record, "unban");
    const char *unban_login = attr_get(record, "unban_login");

    json_object_set_new(json, "change", json_string(change));
    json_object_set_new(json, "at", json_integer((json_int_t)now_sec));
    if (unban)
        json_object_set_new(json, "ban", output_json_text(unban));
    if (unban_login)
        json_object_set_new(json, "ban_login", output_json_text(unban_login));
    return json;
}

static json_t *changed_event_json(const struct attr_list *record)
{
    json_t *json = list_event_json(record);

    json_object_set_new(json, "change", json_string("event"));
    return json;
}

/* --- for people ------------------------------------------------------------------------ */

static void put_time(struct buf *line, const char *seconds, int64_t now_sec)
{
    uint64_t sec;
    time_t at = (time_t)now_sec;
    struct tm tm;
    char text[64];

    if (str_parse_u64(seconds, 0, INT32_MAX * (uint64_t)1000, &sec) == 0)
        at = (time_t)sec;
    if (localtime_r(&at, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
        buf_puts(line, text);
}

static const char *who_of(const struct attr_list *record, const char *name, const char *login_name)
{
    const char *login = attr_get(record, login_name);
    return login ? login : attr_get_or_empty(record, name);
}

static void put_ban(const struct attr_list *record, struct buf *line)
{
    char duration[STR_DURATION_MAX];
    uint64_t sec;

    buf_printf(line, "  ban    %s", who_of(record, "ban", "ban_login"));
    if (str_parse_u64(attr_get_or_empty(record, "seconds"), 0, UINT64_MAX, &sec) == 0)
        buf_printf(line, " for %s", str_format_duration(sec, duration));
    buf_printf(line, ", %s", attr_get_or_empty(record, "jail"));
}

static void put_event(const struct attr_list *record, struct buf *line)
{
    static const char *const names[] = {"protocol", "login",  "recipient",
                                        "session",  "weight", "missed"};
    const char *jails = attr_get_or_empty(record, "jails");

    buf_printf(line, "  event  %s %s", attr_get_or_empty(record, "event"),
               attr_get_or_empty(record, "client_address"));
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *value = attr_get(record, names[i]);
        if (value && !(str_eq(names[i], "weight") && str_eq(value, "1")))
            buf_printf(line, ", %s %s", names[i], value);
    }
    buf_printf(line, ", counted by %s", *jails ? jails : "no jail");
}

/* --- both ------------------------------------------------------------------------------ */

static const char *change_of(const struct attr_list *record)
{
    static const struct {
        const char *name, *change;
    } names[] = {{"event", "event"}, {"ban", "ban"},           {"ban_login", "ban"},
                 {"unban", "unban"}, {"unban_login", "unban"}, {"sync", "sync"}};

    for (size_t i = 0; i < COUNT(names); i++) {
        if (attr_get(record, names[i].name))
            return names[i].change;
    }
    return NULL; /* a ping, or news of a later version */
}

static void print_change(const struct attr_list *record, const char *change, int64_t now_sec)
{
    struct buf line = {0};

    put_time(&line, attr_get_or_empty(record, "at"), now_sec);
    if (str_eq(change, "event"))
        put_event(record, &line);
    else if (str_eq(change, "ban"))
        put_ban(record, &line);
    else if (str_eq(change, "unban"))
        buf_printf(&line, "  unban  %s, %s", who_of(record, "unban", "unban_login"),
                   attr_get_or_empty(record, "jail"));
    else
        buf_printf(&line, "  watching, bans that hold: %s", attr_get_or_empty(record, "bans"));
    output_line(buf_str(&line));
    buf_fini(&line);
}

/* Goes on until nobody reads what is printed. */
static bool take_change(const struct attr_list *record, void *ctx)
{
    const struct ctl *ctl = ctx;
    const char *change = change_of(record);
    int64_t now_sec = clock_wall_ms(&clock_system) / 1000;

    if (!change)
        return true;
    if (ctl->json)
        output_json_line(str_eq(change, "event") ? changed_event_json(record)
                                                 : change_json(record, change, now_sec));
    else
        print_change(record, change, now_sec);
    return !ferror(stdout);
}

/* Each line is out as soon as it is whole: there is nothing to end. */
static void on_interrupt(int signo)
{
    (void)signo;
    _exit(CTL_YES);
}

enum ctl_exit ctl_run_watch(const struct ctl *ctl)
{
    struct buf request = {0};
    struct error error = {0};

    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    attr_put(&request, "request", "watch");
    attr_put(&request, "bans", "no");
    if (ctl_value(ctl, "events"))
        attr_put(&request, "events", "yes");
    attr_end(&request);
    int rc = daemon_watch(ctl, &request, take_change, (void *)(uintptr_t)ctl, &error);
    buf_fini(&request);
    return rc < 0 ? ctl_fail(ctl, &error) : CTL_FAILED;
}
