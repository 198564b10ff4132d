/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REDIS_COMMAND_H
#define PN_POLICYD_REDIS_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policyd/redis.h"

/*
 * One command on its way: who has it owns it. Its text is kept until the reply, since a
 * node may refuse it and another take it.
 */
struct redis_command;
struct redis_link;

/* value NULL: lost. From here on the command is owned by who is called. */
typedef void (*redis_done_fn)(struct redis_command *command, const struct redis_value *value);

struct redis_command {
    struct redis_command *next;
    redis_done_fn done;
    void *owner;       /* of done */
    unsigned step;     /* for owner, who has several on their way */
    redis_reply_fn fn; /* whom owner calls in the end, or NULL */
    void *ctx;
    const struct redis_script *script; /* of an EVALSHA */
    bool is_asked;                     /* ASKING goes before it */
    bool is_pinned;                    /* to the node it was sent to */
    bool is_secret;
    unsigned slot;
    unsigned tries; /* after the first */
    int64_t called_mono_ms;
    int64_t sent_mono_ms;
    struct redis_link *link; /* it was sent on; good while done has a value */
    char *text;              /* as it goes over the wire */
    size_t len;
};

/* argc is 1 at least; lens NULL: C strings. */
struct redis_command *redis_command_new(size_t argc, const char *const *argv, const size_t *lens);
struct redis_command *redis_command_eval(const struct redis_script *script, const char *key,
                                         size_t key_len, size_t argc, const char *const *argv,
                                         const size_t *lens);
/* An EVALSHA becomes the EVAL that says the same. */
void redis_command_spell_out(struct redis_command *command);
/* Wipes a secret one. */
void redis_command_free(struct redis_command **command);

/* In the order in which they were put there. */
struct redis_queue {
    struct redis_command *first, **end; /* end NULL: empty, before its first use */
    size_t count;
};

void redis_queue_put(struct redis_queue *queue, struct redis_command *command);
struct redis_command *redis_queue_take(struct redis_queue *queue); /* NULL: empty */

#endif
