/* SPDX-License-Identifier: MIT */
#ifndef PN_MAILAUTH_SIGN_KEYS_H
#define PN_MAILAUTH_SIGN_KEYS_H

#include "common/config/config.h"
#include "common/mailauth/author.h"
#include "common/mailauth/dkim_sign.h"

/* The keys of the sections sign of a configuration, which outlives them. Any thread reads them. */
struct sign_keys;

/* NULL and an error for each key that is none, added to errors_r (not sorted). */
struct sign_keys *sign_keys_new(const struct config *config, struct config_errors *errors_r)
    __attribute__((warn_unused_result));
/* Whether they all are: 0, or -1 and the errors. */
int sign_keys_check(const struct config *config, struct config_errors *errors_r)
    __attribute__((warn_unused_result));
void sign_keys_free(struct sign_keys **keys);

/*
 * Which of them sign a message of this author: none where it has several domains or one that is
 * not within the file's domains, else those whose `from` says the domain most exactly. What
 * signings_r holds is borrowed from keys and author.
 */
size_t sign_keys_choose(const struct sign_keys *keys, const struct author *author,
                        struct dkim_signing signings_r[CONFIG_SIGNATURES_MAX]);

#endif
