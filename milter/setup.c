/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/setup.h"

#include <stdlib.h>

#include "common/base/bug.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/config/program.h"
#include "common/config/same.h"
#include "common/net/session_client.h"

#define SESSION_ASK_MS 1000 /* for the ingress to say whose connection it is */

/* With one user: who made it. */
static struct setup *setup_new(struct config *config)
{
    struct setup *setup = x_calloc(1, sizeof *setup);
    struct config_errors errors = {0};

    setup->config = config;
    origin_rules_init(&setup->rules, config);
    setup->sessions = session_client_of(config, SESSION_ASK_MS);
    setup->rules.sessions = setup->sessions;
    setup->sign_keys = sign_keys_new(config, &errors);
    if (setup->sign_keys == NULL)
        BUG("the keys were checked with the file");
    atomic_init(&setup->users, 1);
    return setup;
}

void setup_release(struct setup **setup)
{
    struct setup *old = *setup;

    *setup = NULL;
    if (old == NULL || atomic_fetch_sub(&old->users, 1) > 1)
        return;
    origin_rules_fini(&old->rules);
    session_client_free(&old->sessions);
    sign_keys_free(&old->sign_keys);
    config_free(&old->config);
    free(old);
}

static void equip(struct setup *setup, const struct workbench *tools)
{
    setup->bench = *tools;
    setup->bench.config = setup->config;
    setup->bench.engine =
        spf_engine_find(setup->config->spf.engine == CONFIG_SPF_LIBSPF2 ? "libspf2" : "rfc7208");
    setup->bench.rules = &setup->rules;
    setup->bench.sign_keys = setup->sign_keys;
}

void setups_init(struct setups *setups, struct config *config)
{
    pthread_mutex_init(&setups->lock, NULL);
    setups->current = setup_new(config);
    setups->started = setups_take(setups);
}

void setups_fini(struct setups *setups)
{
    setup_release(&setups->current);
    setup_release(&setups->started);
    pthread_mutex_destroy(&setups->lock);
}

void setups_equip(struct setups *setups, const struct workbench *tools)
{
    equip(setups->current, tools);
}

struct setup *setups_take(struct setups *setups)
{
    pthread_mutex_lock(&setups->lock);
    struct setup *setup = setups->current;
    atomic_fetch_add(&setup->users, 1);
    pthread_mutex_unlock(&setups->lock);
    return setup;
}

static void swap(struct setups *setups, struct setup *setup)
{
    pthread_mutex_lock(&setups->lock);
    struct setup *old = setups->current;
    setups->current = setup;
    pthread_mutex_unlock(&setups->lock);
    setup_release(&old);
}

static void name_what_stays(const struct config *was, const struct config *is, struct buf *names)
{
    const struct {
        const char *name;
        bool same;
    } options[] = {
        {"user", same_text(was->user, is->user)},
        {"resolver", same_strings(&was->resolver, &is->resolver)},
        {"dnssec", was->dnssec == is->dnssec},
        {"milter.listen", same_text(was->milter.listen, is->milter.listen)},
        {"milter.group", same_text(was->milter.group, is->milter.group)},
        {"milter.idle_timeout", was->milter.idle_timeout_sec == is->milter.idle_timeout_sec},
        {"milter.report", same_text(was->milter.report, is->milter.report)},
        {"http", same_https(was, is, CONFIG_MILTER)},
    };

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (!options[i].same)
            buf_printf(names, "%s%s", names->len == 0 ? "" : ", ", options[i].name);
}

int setups_reload(struct setups *setups, const char *path)
{
    struct config *config = program_reload(path, sign_keys_check);
    struct buf names;

    if (config == NULL)
        return -1;
    buf_init(&names);
    name_what_stays(setups->started->config, config, &names);
    struct setup *setup = setup_new(config);
    equip(setup, &setups->started->bench);
    swap(setups, setup);
    /* Said when the next session has it: reading the keys takes its time. */
    log_info(NULL, "reloaded", LOG_STR("enforce", config->milter.enforce ? "yes" : "no"));
    if (names.len > 0)
        log_warning(NULL, "restart-needed", LOG_STR("changed", buf_str(&names)));
    buf_fini(&names);
    return 0;
}
