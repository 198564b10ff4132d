/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/pulls.h"

#include <stdlib.h>

#include "common/base/mem.h"

void pulls_fini(struct pulls *pulls)
{
    free(pulls->changes);
    *pulls = (struct pulls){0};
}

void pulls_begin(struct pulls *pulls)
{
    if (!pulls->changes)
        pulls->changes = x_calloc(PULLS_CHANGES_MAX, sizeof(*pulls->changes));
}

void pulls_add(struct pulls *pulls, const struct prefix *prefix)
{
    if (pulls->changes)
        pulls->changes[pulls->next++ % PULLS_CHANGES_MAX] = *prefix;
}

const struct prefix *pulls_change(const struct pulls *pulls, uint64_t number)
{
    if (number >= pulls->next || pulls->next - number > PULLS_CHANGES_MAX)
        return NULL;
    return &pulls->changes[number % PULLS_CHANGES_MAX];
}

/* Its index, or the count of readers. */
static size_t index_of(const struct pulls *pulls, const struct pulls_reader *reader)
{
    size_t i = 0;

    while (i < pulls->reader_count && (!addr_eq(&pulls->readers[i].reader.peer, &reader->peer) ||
                                       pulls->readers[i].reader.agent != reader->agent))
        i++;
    return i;
}

const struct pulls_mark *pulls_find(const struct pulls *pulls, const struct pulls_reader *reader)
{
    size_t i = index_of(pulls, reader);

    return i < pulls->reader_count ? &pulls->readers[i].mark : NULL;
}

static size_t oldest(const struct pulls *pulls)
{
    size_t found = 0;

    for (size_t i = 1; i < pulls->reader_count; i++) {
        if (pulls->readers[i].used < pulls->readers[found].used)
            found = i;
    }
    return found;
}

void pulls_set(struct pulls *pulls, const struct pulls_reader *reader,
               const struct pulls_mark *mark)
{
    size_t i = index_of(pulls, reader);

    if (i == PULLS_READERS_MAX)
        i = oldest(pulls);
    else if (i == pulls->reader_count)
        pulls->reader_count++;
    pulls->readers[i].reader = *reader;
    pulls->readers[i].mark = *mark;
    pulls->readers[i].used = pulls->uses++;
}

void pulls_forget(struct pulls *pulls, const struct pulls_reader *reader)
{
    size_t i = index_of(pulls, reader);

    if (i < pulls->reader_count)
        pulls->readers[i] = pulls->readers[--pulls->reader_count];
}
