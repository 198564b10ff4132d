/* SPDX-License-Identifier: MIT */
#ifndef PN_TESTS_BENCH_ASK_H
#define PN_TESTS_BENCH_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What policy_load asks, in whose protocol. */
struct ask {
    const char *name;
    /* The request number `number`, about this client, in at most ASK_MAX bytes; their count. */
    size_t (*put)(char *out, const char *client, uint32_t number);
    /* The length of the answer at the start of these bytes; 0: more are to come. */
    size_t (*answer_len)(const char *bytes, size_t len);
    /* Whether a whole answer lets its client go on. */
    bool (*is_go_on)(const char *answer, size_t len);
};

#define ASK_MAX 1024

/* "policy": Postfix, that a client has connected; "allow", "report": Dovecot, of a wrong
 * password, with ASK_TOKEN. NULL for any other name. */
const struct ask *ask_find(const char *name);

#define ASK_TOKEN "0123456789abcdef0123456789abcdef"

#endif
