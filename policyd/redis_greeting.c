/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis_greeting.h"

#include <stdio.h>

#define TEXT_SHOWN 160 /* of a server's error */

static struct redis_command *auth(const struct redis_login *login)
{
    const char *const with_user[] = {"AUTH", login->user, login->password};
    const char *const alone[] = {"AUTH", login->password};
    struct redis_command *command;

    if (!login->password)
        return NULL;
    command =
        login->user ? redis_command_new(3, with_user, NULL) : redis_command_new(2, alone, NULL);
    command->is_secret = true;
    return command;
}

static struct redis_command *select_database(unsigned database)
{
    char number[16];

    if (database == 0)
        return NULL;
    snprintf(number, sizeof(number), "%u", database);
    return redis_command_new(2, (const char *const[]){"SELECT", number}, NULL);
}

struct redis_command *redis_greeting_command(const struct redis_login *login, const char *channel,
                                             enum redis_step step)
{
    const char *const subscribe[] = {"SUBSCRIBE", channel};

    switch (step) {
    case REDIS_STEP_AUTH:
        return auth(login);
    case REDIS_STEP_SELECT:
        return select_database(login->database);
    case REDIS_STEP_ROLE:
        return login->role != REDIS_ROLE_ANY
                   ? redis_command_new(1, (const char *const[]){"ROLE"}, NULL)
                   : NULL;
    case REDIS_STEP_PING:
        return redis_command_new(1, (const char *const[]){"PING"}, NULL);
    case REDIS_STEP_SUBSCRIBE:
        return channel ? redis_command_new(2, subscribe, NULL) : NULL;
    case REDIS_STEP_COUNT:
        break;
    }
    return NULL;
}

static bool is_right(const struct redis_login *login, enum redis_step step,
                     const struct redis_value *value)
{
    const struct redis_value *first = redis_item(value, 0);

    switch (step) {
    case REDIS_STEP_AUTH:
    case REDIS_STEP_SELECT:
        return redis_string_is(value, "OK");
    case REDIS_STEP_ROLE:
        return redis_string_is(first, "master") ||
               (login->role == REDIS_ROLE_NO_REPLICA && redis_kind(value) == REDIS_ERROR);
    case REDIS_STEP_PING: /* of a list once something is subscribed to */
        return redis_string_is(value, "PONG") || redis_string_is(first, "pong");
    case REDIS_STEP_SUBSCRIBE:
        return redis_string_is(first, "subscribe");
    case REDIS_STEP_COUNT:
        break;
    }
    return false;
}

/* NULL: none of ours. */
static const char *known_reason(const struct redis_login *login, enum redis_step step,
                                const struct redis_value *value)
{
    if (redis_error_is(value, "WRONGPASS"))
        return "WRONGPASS: user or password is wrong (section redis)";
    if (redis_error_is(value, "NOAUTH"))
        return login->needs;
    if (redis_error_is(value, "LOADING"))
        return "LOADING: it is still reading its data";
    if (step == REDIS_STEP_ROLE && redis_kind(value) == REDIS_ARRAY)
        return "it is not the master";
    return NULL;
}

static const char *words_of(enum redis_step step)
{
    switch (step) {
    case REDIS_STEP_AUTH:
        return "the login was refused";
    case REDIS_STEP_SELECT:
        return "the database was refused";
    case REDIS_STEP_ROLE:
        return "its role was not told";
    case REDIS_STEP_SUBSCRIBE:
        return "the channel was refused";
    case REDIS_STEP_PING:
    case REDIS_STEP_COUNT:
        break;
    }
    return "it does not answer as Redis does";
}

/* Of AUTH never the server's text, which can hold what it was sent. */
int redis_greeting_check(const struct redis_login *login, enum redis_step step,
                         const struct redis_value *value, char *why_r, size_t size)
{
    const char *known = known_reason(login, step, value);
    size_t len;
    const char *text = redis_string(value, &len);

    if (is_right(login, step, value))
        return 0;
    if (known)
        snprintf(why_r, size, "%s", known);
    else if (step == REDIS_STEP_AUTH || redis_kind(value) != REDIS_ERROR)
        snprintf(why_r, size, "%s", words_of(step));
    else
        snprintf(why_r, size, "%s: %.*s", words_of(step),
                 (int)(len < TEXT_SHOWN ? len : TEXT_SHOWN), text);
    return -1;
}
