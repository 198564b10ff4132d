/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/limit.h"

#include <stdio.h>
#include <string.h>

#include "common/base/str.h"
#include "policyd/jail.h"

static const char *events_of(const struct config_jail *jail)
{
    if (!jail_wants(jail, CONFIG_EVENT_MESSAGE))
        return "recipients";
    return jail_wants(jail, CONFIG_EVENT_RECIPIENT) ? "messages and recipients" : "messages";
}

static const char *per(const struct config_jail *jail, char text[STR_DURATION_MAX + 3])
{
    static const struct {
        unsigned sec;
        const char *words;
    } spans[] = {{60, "a minute"}, {3600, "an hour"}, {86400, "a day"}, {604800, "a week"}};
    char duration[STR_DURATION_MAX];

    for (size_t i = 0; i < sizeof(spans) / sizeof(*spans); i++) {
        if (spans[i].sec == jail->findtime_sec)
            return spans[i].words;
    }
    snprintf(text, STR_DURATION_MAX + 3, "in %s",
             str_format_duration(jail->findtime_sec, duration));
    return text;
}

static bool is_fit_to_show(const char *text)
{
    size_t len = strlen(text);

    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    }
    return len && len <= LIMIT_LOGIN_MAX && str_is_utf8(text);
}

const char *limit_login(const char *login)
{
    return is_fit_to_show(login) ? login : "this login";
}

static const char *who(const struct config_jail *jail, const char *login)
{
    const char *counted = jail_login(jail, login);

    return limit_login(*counted == '@' ? counted + 1 : counted);
}

/* To the smaller of the two units that are written. */
static uint64_t round_up(uint64_t seconds)
{
    static const uint64_t units[][2] = {{604800, 86400}, {86400, 3600}, {3600, 60}};

    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (seconds > units[i][0])
            return (seconds + units[i][1] - 1) / units[i][1] * units[i][1];
    }
    return seconds;
}

void limit_put_text(const struct config_jail *jail, const char *login, uint64_t seconds,
                    struct buf *out)
{
    char span[STR_DURATION_MAX + 3], left[STR_DURATION_MAX];

    buf_printf(out, "more than %u %s %s from %s; try again in %s", jail->maxretry, events_of(jail),
               per(jail, span), who(jail, login), str_format_duration(round_up(seconds), left));
}
