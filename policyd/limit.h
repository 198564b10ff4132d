/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_LIMIT_H
#define PN_POLICYD_LIMIT_H

#include <stdint.h>

#include "common/base/buf.h"
#include "common/config/config.h"

/*
 * What somebody who sends too much is told: "more than 200 recipients an hour from
 * alice@example.com; try again in 12m". UTF-8 on one line, whatever the login is: one that
 * cannot be shown, or is longer than LIMIT_LOGIN_MAX bytes, is "this login". seconds is at
 * least 1 and rounded up, so that who comes then is not too early.
 */
#define LIMIT_LOGIN_MAX 100

/* login, or "this login" where that is not fit to be said. */
const char *limit_login(const char *login);

void limit_put_text(const struct config_jail *jail, const char *login, uint64_t seconds,
                    struct buf *out);

#endif
