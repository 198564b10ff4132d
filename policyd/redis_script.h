/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_REDIS_SCRIPT_H
#define PN_POLICYD_REDIS_SCRIPT_H

#include <stddef.h>

/* A Lua script, and what Redis calls it by. */
#define REDIS_SHA1_LEN 40

struct redis_script {
    const char *text; /* borrowed for the life of the script */
    size_t len;
    char sha1[REDIS_SHA1_LEN + 1];
};

void redis_script_init(struct redis_script *script, const char *text, size_t len);

#endif
