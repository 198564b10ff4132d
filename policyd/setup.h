/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_SETUP_H
#define PN_POLICYD_SETUP_H

#include "common/config/config.h"
#include "common/net/origin.h"

/* A configuration with what follows from it: swapped whole at a reload. */
struct setup {
    struct config *config;
    struct origin_rules rules;
    struct session_client *sessions; /* of rules */
};

/* Takes config over. */
struct setup *setup_new(struct config *config);
void setup_free(struct setup **setup);

/*
 * Read this host's addresses again: a tunnel or a lease may have come later than the
 * daemon. Who holds the rules goes on with them.
 */
void setup_refresh(struct setup *setup);

/* The file read again; NULL when there are errors in it, each of which is logged. */
struct setup *setup_reload(const char *path) __attribute__((warn_unused_result));

#endif
