/* SPDX-License-Identifier: MIT */
#ifndef PN_CTL_LIST_H
#define PN_CTL_LIST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/wire/attr.h"
#include "ctl/output.h"

/* Records of postern-policyd, postern-control(7): a table under its heads, and as JSON. */
struct list {
    struct table table;
    json_t *json;
};

void list_init(struct list *list, const char *const *heads, size_t count);
void list_fini(struct list *list);
bool list_is_empty(const struct list *list);
/* Without columns in which nothing stands. */
void list_print(struct list *list);

/* What a jail does: "ban for 1h". */
void list_add_action(struct list *list, const struct attr_list *record);

/* Of request=counters and request=why; ctx is the list. */
void list_init_counters(struct list *list);
void list_take_counter(const struct attr_list *record, void *ctx);
/* By the last list: others share the store, and what they have counted is not among them. */
bool list_is_of_one_host(const struct attr_list *last);

/* Of request=why and request=watch. */
void list_init_events(struct list *list);
void list_take_event(const struct attr_list *record, struct list *list);
json_t *list_event_json(const struct attr_list *record);

#endif
