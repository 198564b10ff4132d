/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_SETUP_H
#define PN_MILTER_SETUP_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/net/origin.h"
#include "milter/message.h"

/*
 * A configuration with what follows from it. A reload swaps it whole; a session keeps
 * the one that it began with, and the last to let go of an old one frees it.
 */
struct setup {
    struct config *config;
    struct origin_rules rules;
    struct session_client *sessions; /* of rules */
    struct sign_keys *sign_keys;
    struct workbench bench;
    atomic_uint users;
};

/* The one in force, and the one of the start, which says what a reload cannot change. */
struct setups {
    pthread_mutex_t lock;
    struct setup *current;
    struct setup *started;
};

/* Takes config over. */
void setups_init(struct setups *setups, struct config *config);
/* Nobody may hold one any more. */
void setups_fini(struct setups *setups);

/* What all of them work with, but for the configuration: before the first is taken. */
void setups_equip(struct setups *setups, const struct workbench *tools);

/* The one in force, to be released later. Any thread. */
struct setup *setups_take(struct setups *setups);
/* *setup may be NULL. Any thread. */
void setup_release(struct setup **setup);

/*
 * Read the file again. 0: its configuration is in force, and the log names what of it needs
 * a restart; -1: it has errors, which the log names, and nothing has changed. One
 * thread.
 */
int setups_reload(struct setups *setups, const char *path) __attribute__((warn_unused_result));

#endif
