/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/once.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/map.h"
#include "common/base/mem.h"

/* A place is a line of the processor's cache, the newest first; 0 is none. */
#define PLACE_FACTS 8
#define PLACE_COUNT (ONCE_MAX / PLACE_FACTS)

struct place {
    uint64_t facts[PLACE_FACTS];
};

struct once {
    struct place places[PLACE_COUNT];
};

struct once *once_new(void)
{
    return x_calloc(1, sizeof(struct once));
}

void once_free(struct once **once)
{
    free(*once);
    *once = NULL;
}

static uint64_t fact_of(const char *instance, unsigned kind, const char *what)
{
    const uint64_t parts[] = {map_hash(instance, strlen(instance)), kind,
                              map_hash(what, strlen(what))};
    uint64_t fact = map_hash(parts, sizeof(parts));

    return fact ? fact : 1;
}

bool once_is_noted(const struct once *once, const char *instance, unsigned kind, const char *what)
{
    uint64_t fact = fact_of(instance, kind, what);
    const struct place *place = &once->places[fact % PLACE_COUNT];

    for (size_t i = 0; i < PLACE_FACTS; i++) {
        if (place->facts[i] == fact)
            return true;
    }
    return false;
}

void once_note(struct once *once, const char *instance, unsigned kind, const char *what)
{
    uint64_t fact = fact_of(instance, kind, what);
    struct place *place = &once->places[fact % PLACE_COUNT];

    memmove(place->facts + 1, place->facts, sizeof(place->facts) - sizeof(fact));
    place->facts[0] = fact;
}
