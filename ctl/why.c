/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>

#include "common/base/str.h"
#include "ctl/ctl.h"
#include "ctl/daemon.h"
#include "ctl/list.h"
#include "ctl/output.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct known {
    struct list events;
    struct list counters;
};

static void take_known(const struct attr_list *record, void *ctx)
{
    struct known *known = ctx;

    if (attr_get(record, "event"))
        list_take_event(record, &known->events);
    else
        list_take_counter(record, &known->counters);
}

static void print_ban(const struct attr_list *last)
{
    const char *login = attr_get(last, "login");
    const char *prefix = login ? login : attr_get_or_empty(last, "prefix");
    const char *ban = login ? login : attr_get_or_empty(last, "ban");
    const char *jail = attr_get_or_empty(last, "jail");
    bool is_itself = str_eq(prefix, ban), by_hand = str_eq(jail, "operator");
    struct table line;

    table_init(&line, 6);
    table_add(&line, prefix);
    table_add(&line, ban);
    table_add(&line, jail);
    table_add_duration(&line, attr_get_or_empty(last, "seconds"));
    table_add_time(&line, attr_get_or_empty(last, "since"));
    const char *acts = attr_get(last, "acts");
    bool is_narrow = acts && !str_eq(acts, "all");
    table_add(&line, is_narrow ? acts : "");
    printf("%s is %s%s%s%s, %s%s, since %s, for %s more\n", line.cells[0],
           is_itself ? "banned" : "under the ban on ", is_itself ? "" : line.cells[1],
           is_narrow ? " at " : "", line.cells[5], by_hand ? "by hand" : "by jail ",
           by_hand ? "" : line.cells[2], line.cells[4], line.cells[3]);
    table_fini(&line);
}

static bool is_banned(const struct attr_list *last)
{
    return attr_get(last, "ban") || attr_get(last, "ban_login");
}

static void print_verdict(const struct attr_list *last)
{
    const char *protected = attr_get(last, "protected");
    struct table line;

    if (is_banned(last)) {
        print_ban(last);
    } else {
        const char *login = attr_get(last, "login");
        table_init(&line, 1);
        table_add(&line, login ? login : attr_get_or_empty(last, "prefix"));
        printf("%s is not banned\n", line.cells[0]);
        table_fini(&line);
    }
    if (protected) {
        table_init(&line, 1);
        table_add(&line, protected);
        printf("it never is: %s\n", line.cells[0]);
        table_fini(&line);
    }
    if (str_eq(attr_get_or_empty(last, "enforce"), "no"))
        puts("enforce is false: the daemon acts on no ban at present");
}

static bool is_older_than_start(const struct attr_list *last)
{
    uint64_t since, started;

    return str_parse_u64(attr_get_or_empty(last, "since"), 0, UINT64_MAX, &since) == 0 &&
           str_parse_u64(attr_get_or_empty(last, "started"), 0, UINT64_MAX, &started) == 0 &&
           since < started;
}

static void print_known(struct known *known, const struct attr_list *last)
{
    struct table line;

    print_verdict(last);
    if (!list_is_empty(&known->events)) {
        puts("\nevents, the newest first");
        list_print(&known->events);
    } else {
        table_init(&line, 1);
        table_add_time(&line, attr_get_or_empty(last, "started"));
        printf("\nno events are known since the daemon started, %s%s\n", line.cells[0],
               is_older_than_start(last) ? "; what led to the ban stands in its log" : "");
        table_fini(&line);
    }
    if (!list_is_empty(&known->counters)) {
        puts(list_is_of_one_host(last) ? "\ncounted now, by this host alone" : "\ncounted now");
        list_print(&known->counters);
    }
}

static json_t *known_json(const struct known *known, const struct attr_list *last)
{
    static const struct daemon_field ban_fields[] = {
        {"ban", DAEMON_TEXT},    {"ban_login", DAEMON_TEXT}, {"seconds", DAEMON_NUMBER},
        {"jail", DAEMON_TEXT},   {"acts", DAEMON_TEXT},      {"since", DAEMON_NUMBER},
        {"stored", DAEMON_FLAG},
    };
    static const struct daemon_field fields[] = {
        {"prefix", DAEMON_TEXT},    {"login", DAEMON_TEXT},   {"banned", DAEMON_FLAG},
        {"protected", DAEMON_TEXT}, {"enforce", DAEMON_FLAG}, {"started", DAEMON_NUMBER},
        {"hosts", DAEMON_TEXT},
    };
    json_t *json = daemon_json(last, fields, COUNT(fields));

    json_object_set_new(json, "ban",
                        is_banned(last) ? daemon_json(last, ban_fields, COUNT(ban_fields))
                                        : json_null());
    json_object_set(json, "events", known->events.json);
    json_object_set(json, "counters", known->counters.json);
    return json;
}

static int ask_why(const struct ctl *ctl, struct known *known, struct attr_list *last_r,
                   struct error *error_r)
{
    struct buf request = {0};
    char text[PREFIX_TEXT_MAX];
    const char *who;

    attr_put(&request, "request", "why");
    int rc = daemon_put_who(ctl, &request, text, &who, error_r);
    attr_end(&request);
    if (rc == 0)
        rc = daemon_ask(ctl, &request, take_known, known, last_r, error_r);
    buf_fini(&request);
    return rc;
}

enum ctl_exit ctl_run_why(const struct ctl *ctl)
{
    struct known known;
    struct attr_list last;
    struct error error = {0};

    list_init_events(&known.events);
    list_init_counters(&known.counters);
    int rc = ask_why(ctl, &known, &last, &error);
    enum ctl_exit how = rc < 0 ? ctl_fail(ctl, &error) : is_banned(&last) ? CTL_YES : CTL_NO;
    if (rc == 0 && ctl->json)
        output_json(known_json(&known, &last), how);
    else if (rc == 0)
        print_known(&known, &last);
    list_fini(&known.events);
    list_fini(&known.counters);
    return how;
}
