/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/replay_tally.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"

enum column { HITS, BANS, DEFERRALS, DELAYS, COLUMN_COUNT };

struct replay_tally {
    const struct config *config;
    uint64_t (*totals)[COLUMN_COUNT]; /* of each jail */
};

struct replay_tally *replay_tally_new(const struct config *config)
{
    struct replay_tally *tally = x_calloc(1, sizeof(*tally));

    tally->config = config;
    tally->totals = x_calloc(config->jail_count, sizeof(*tally->totals));
    return tally;
}

void replay_tally_free(struct replay_tally **tally)
{
    free((*tally)->totals);
    free(*tally);
    *tally = NULL;
}

/* The blank behind a word; what is in quotes does not end one. NULL: the last one. */
static const char *behind_word(const char *word)
{
    bool is_quoted = false;

    for (; *word && (is_quoted || *word != ' '); word++) {
        if (is_quoted && *word == '\\' && word[1])
            word++;
        else if (*word == '"')
            is_quoted = !is_quoted;
    }
    return *word ? word : NULL;
}

/* The field, by its " KEY=", and not where a value only holds that. */
static const char *find_field(const char *line, const char *key)
{
    const char *field = behind_word(line);

    while (field && !str_has_prefix(field, key))
        field = behind_word(field + 1);
    return field;
}

/* Behind the session. COLUMN_COUNT: nothing that a jail did. */
static enum column column_of(const char *line)
{
    static const struct {
        const char *event;
        enum column column;
    } rows[] = {
        {" event ", HITS},
        {" ban ", BANS},
        {" would ban ", BANS},
        {" defer ", DEFERRALS},
        {" would defer ", DEFERRALS},
        {" delay ", DELAYS},
        {" would delay ", DELAYS},
    };
    const char *event = behind_word(line);

    for (size_t i = 0; event && i < sizeof(rows) / sizeof(*rows); i++) {
        if (str_has_prefix(event, rows[i].event))
            return rows[i].column;
    }
    return COLUMN_COUNT;
}

/* Which jail the line names; the count of them: none. Names of jails are never quoted. */
static size_t jail_of(const struct config *config, const char *line)
{
    static const char key[] = " jail=";
    const char *name = find_field(line, key);
    size_t i = 0;

    if (!name)
        return config->jail_count;
    name += strlen(key);
    size_t len = strcspn(name, " ");
    while (i < config->jail_count &&
           !(strncmp(config->jails[i].name, name, len) == 0 && config->jails[i].name[len] == '\0'))
        i++;
    return i;
}

void replay_tally_take(struct replay_tally *tally, const char *line)
{
    enum column column = column_of(line);
    size_t index = jail_of(tally->config, line);

    if (column == COLUMN_COUNT || index == tally->config->jail_count ||
        (column == HITS && !find_field(line, " new=yes")))
        return;
    tally->totals[index][column]++;
}

void replay_tally_log(const struct replay_tally *tally)
{
    for (size_t i = 0; i < tally->config->jail_count; i++) {
        const uint64_t *total = tally->totals[i];
        log_info(NULL, "jail-total", LOG_STR("jail", tally->config->jails[i].name),
                 LOG_UINT("hits", total[HITS]), LOG_UINT("bans", total[BANS]),
                 LOG_UINT("deferrals", total[DEFERRALS]), LOG_UINT("delays", total[DELAYS]));
    }
}
