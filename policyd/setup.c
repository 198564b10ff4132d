/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/setup.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/config/program.h"

struct setup *setup_new(struct config *config)
{
    struct setup *setup = x_calloc(1, sizeof(*setup));

    setup->config = config;
    origin_rules_init(&setup->rules, config);
    return setup;
}

void setup_free(struct setup **setup)
{
    if (!*setup)
        return;
    origin_rules_fini(&(*setup)->rules);
    config_free(&(*setup)->config);
    free(*setup);
    *setup = NULL;
}

void setup_refresh(struct setup *setup)
{
    origin_rules_fini(&setup->rules);
    origin_rules_init(&setup->rules, setup->config);
}

struct setup *setup_reload(const char *path)
{
    struct config *config = program_reload(path);

    return config ? setup_new(config) : NULL;
}
