/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REDIS_MAP_H
#define PN_POLICYD_REDIS_MAP_H

#include "common/config/config.h"
#include "policyd/redis_link.h"

/*
 * Where keys are, as Sentinel or a node of a Cluster tells it: masters, and in a Cluster
 * which of them has each slot (Redis Cluster specification). Pure.
 */
#define REDIS_SLOTS     16384
#define REDIS_NODES_MAX 1024
#define REDIS_NOBODY    UINT16_MAX

struct redis_map {
    struct config_strings masters; /* their addresses, each once */
    uint16_t slots[REDIS_SLOTS];   /* which of them has it, or REDIS_NOBODY */
};

struct redis_map *redis_map_new(void);
void redis_map_free(struct redis_map **map);

/*
 * Of a fresh map. The answer to SENTINEL get-master-addr-by-name, and to CLUSTER SLOTS:
 * asked is the address of who gave it, for a host that it leaves out. 0, or -1 when it is
 * none; what of a Cluster's is none is left out.
 */
int redis_map_read_sentinel(struct redis_map *map, const struct redis_value *value)
    __attribute__((warn_unused_result));
int redis_map_read_cluster(struct redis_map *map, const struct redis_value *value,
                           const char *asked) __attribute__((warn_unused_result));

/* "MOVED 3999 192.0.2.1:6381" and the same with ASK. 0 or -1. */
int redis_map_read_redirect(const struct redis_value *value, const char *asked, unsigned *slot_r,
                            char address_r[REDIS_ADDRESS_MAX]) __attribute__((warn_unused_result));

/* Of a key: what is between its first "{" and the next "}", where there is something, counts. */
unsigned redis_map_slot(const char *key, size_t len);

#endif
