/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/replay_line.h"

#include <string.h>

#include "common/base/str.h"

#define WORDS                                                                                      \
    "a word is none of client=, login=, fingerprint=, recipient=, weight=, instance=, recipients="
#define TIME_MAX INT64_C(253402300799) /* the end of the year 9999 */

/* The next word, or NULL. */
static char *cut_word(char **rest)
{
    char *word = *rest + strspn(*rest, " \t\r\n");

    if (*word == '\0' || *word == '#')
        return NULL;
    *rest = word + strcspn(word, " \t\r\n");
    if (**rest)
        *(*rest)++ = '\0';
    return word;
}

static const char *take_time(const char *word, int64_t before_ms, int64_t *at_ms_r)
{
    uint64_t sec;

    if (*word == '+' && str_parse_duration(word + 1, &sec) == 0 && sec <= (uint64_t)TIME_MAX)
        *at_ms_r = before_ms + (int64_t)sec * 1000;
    else if (str_parse_u64(word, 1, (uint64_t)TIME_MAX, &sec) == 0)
        *at_ms_r = (int64_t)sec * 1000;
    else
        return "the time is neither seconds since 1970 nor, as +10m, since the line before";
    if (*at_ms_r > TIME_MAX * 1000)
        return "the time is behind the year 9999";
    return *at_ms_r < before_ms ? "the time is before that of the line before" : NULL;
}

static const char *take_number(const char *name, const char *value, struct replay_line *line)
{
    uint64_t number;

    if (str_eq(name, "weight")) {
        if (str_parse_u64(value, 0, EVENT_WEIGHT_MAX, &number))
            return "weight is not a number from 0 to 100";
        line->event.weight = (unsigned)number;
    } else if (str_eq(name, "recipients")) {
        if (str_parse_u64(value, 1, JAIL_HIT_MAX, &number))
            return "recipients is not a number from 1 to 10000";
        line->recipient_count = (unsigned)number;
    } else {
        return WORDS;
    }
    return NULL;
}

static const char *take_value(const char *name, const char *value, struct replay_line *line)
{
    if (str_eq(name, "client"))
        return addr_parse(value, &line->peer.addr) ? "client is not an address" : NULL;
    if (str_eq(name, "login"))
        line->event.login = value;
    else if (str_eq(name, "fingerprint"))
        line->event.fingerprint = value;
    else if (str_eq(name, "recipient"))
        line->event.recipient = value;
    else if (str_eq(name, "instance"))
        line->event.session = *value ? value : NULL;
    else
        return take_number(name, value, line);
    return NULL;
}

static const char *take_event(const char *word, struct replay_line *line)
{
    line->event =
        (struct event){.kind = event_kind(word), .login = "", .fingerprint = "", .weight = 1};
    line->is_auth_ok = str_eq(word, "auth_ok");
    return line->event.kind || line->is_auth_ok ? NULL : "there is no such event";
}

/* What belongs to other events would say nothing here. */
static const char *misplaced(const struct replay_line *line)
{
    if (line->event.weight != 1 && line->event.kind & REPLAY_BY_POSTFIX)
        return "connect, recipient and message have no weight";
    if (line->recipient_count && line->event.kind != CONFIG_EVENT_MESSAGE)
        return "recipients= is for message";
    return NULL;
}

static const char *take_values(char **rest, struct replay_line *line)
{
    const char *wrong = NULL;
    char *word;

    while (!wrong && (word = cut_word(rest))) {
        char *sign = strchr(word, '=');
        if (!sign)
            return WORDS;
        *sign = '\0';
        wrong = take_value(word, sign + 1, line);
    }
    line->event.is_of_mail = line->event.recipient != NULL;
    if (!wrong && line->peer.addr.family == ADDR_NONE)
        wrong = "client is missing";
    return wrong ? wrong : misplaced(line);
}

const char *replay_line_parse(char *text, int64_t before_ms, struct replay_line *line_r)
{
    char *word = cut_word(&text);

    *line_r = (struct replay_line){.is_empty = word == NULL, .at_ms = before_ms};
    if (!word)
        return NULL;
    const char *wrong = take_time(word, before_ms, &line_r->at_ms);
    if (wrong)
        return wrong;
    word = cut_word(&text);
    if (!word)
        return "the event is missing";
    wrong = take_event(word, line_r);
    return wrong ? wrong : take_values(&text, line_r);
}
