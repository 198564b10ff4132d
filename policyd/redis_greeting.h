/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REDIS_GREETING_H
#define PN_POLICYD_REDIS_GREETING_H

#include "policyd/redis_command.h"

/*
 * What is said to a server before anything else, and whether its answers are right. Pure.
 */
/* What a server must be. */
enum redis_role {
    REDIS_ROLE_ANY,
    REDIS_ROLE_NO_REPLICA, /* as far as it tells: its user may lack ROLE */
    REDIS_ROLE_MASTER,
};

struct redis_login {
    const char *user, *password; /* NULL: none */
    unsigned database;
    const char *needs; /* what to say when it asks for a password and there is none */
    enum redis_role role;
    int64_t timeout_ms;
};

/* In this order. */
enum redis_step {
    REDIS_STEP_AUTH,
    REDIS_STEP_SELECT,
    REDIS_STEP_ROLE,
    REDIS_STEP_PING, /* what a server that asks for a password, or reads its data, refuses */
    REDIS_STEP_SUBSCRIBE,
    REDIS_STEP_COUNT
};

/* channel NULL: none. NULL: this step is left out. */
struct redis_command *redis_greeting_command(const struct redis_login *login, const char *channel,
                                             enum redis_step step);
/* 0, or -1 and the reason. */
int redis_greeting_check(const struct redis_login *login, enum redis_step step,
                         const struct redis_value *value, char *why_r, size_t size)
    __attribute__((warn_unused_result));

#endif
