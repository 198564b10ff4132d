/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/setup.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"

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
    struct config_errors errors = {0};
    struct config *config;

    if (config_load(path, &config, &errors) == 0)
        return setup_new(config);
    for (size_t i = 0; i < errors.count; i++)
        log_error(NULL, "reload-failed", LOG_STR("file", path),
                  LOG_UINT("line", errors.items[i].line), LOG_STR("error", errors.items[i].text));
    config_errors_fini(&errors);
    return NULL;
}
