/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REDIS_GUIDE_H
#define PN_POLICYD_REDIS_GUIDE_H

#include "policyd/redis_map.h"

/*
 * Who tells where the masters are: a sentinel, or a node of a Cluster, one after the other
 * when they fail. It is asked again and again, and at once when a sentinel tells of another
 * master (+switch-master): a failover needs no other notice.
 */
struct redis_guide;

struct redis_guide_options {
    struct loop *loop;
    const struct clock *clock;
    const struct redis_login *login;      /* borrowed, with its texts */
    const struct config_strings *servers; /* of the file; borrowed */
    const char *master;                   /* of Sentinel; NULL: a Cluster */
    /* Another that can be asked, besides servers; NULL: i is too great. */
    const char *(*other)(size_t i, void *ctx);
    /* The answer to each question: whether it helps, all that it names being there. */
    bool (*learned)(const struct redis_map *map, void *ctx);
    void (*down)(const char *why, void *ctx); /* after each attempt that failed */
    void *ctx;
};

struct redis_guide *redis_guide_new(const struct redis_guide_options *options);
void redis_guide_free(struct redis_guide **guide);

/* What is known is not so any more: ask soon. */
void redis_guide_hurry(struct redis_guide *guide);

#endif
