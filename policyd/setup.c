/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/setup.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/config/program.h"
#include "common/net/session_client.h"

/* For the ingress to say whose connection it is: the loop stands still meanwhile. */
#define SESSION_ASK_MS 20

static void init_rules(struct setup *setup)
{
    origin_rules_init(&setup->rules, setup->config);
    setup->rules.sessions = setup->sessions;
}

struct setup *setup_new(struct config *config)
{
    struct setup *setup = x_calloc(1, sizeof(*setup));

    setup->config = config;
    setup->sessions = session_client_of(config, SESSION_ASK_MS);
    init_rules(setup);
    return setup;
}

void setup_free(struct setup **setup)
{
    if (!*setup)
        return;
    origin_rules_fini(&(*setup)->rules);
    session_client_free(&(*setup)->sessions);
    config_free(&(*setup)->config);
    free(*setup);
    *setup = NULL;
}

void setup_refresh(struct setup *setup)
{
    origin_rules_fini(&setup->rules);
    init_rules(setup);
}

struct setup *setup_reload(const char *path)
{
    struct config *config = program_reload(path, NULL);

    return config ? setup_new(config) : NULL;
}
