/* SPDX-License-Identifier: MIT */
#ifndef PN_CTL_DAEMON_H
#define PN_CTL_DAEMON_H

#include <jansson.h>

#include "common/base/addr.h"
#include "common/base/buf.h"
#include "common/wire/attr.h"
#include "ctl/ctl.h"

/* Questions to postern-policyd, postern-control(7). */

typedef void (*daemon_record_fn)(const struct attr_list *record, void *ctx);

/*
 * Send a request (a whole list), hand each record of the answer to fn and the last list
 * to last_r. 0, or -1: ERROR_REFUSED when the daemon says no. The socket is the one of
 * --control, else the file's; where the file cannot be read, the default: a mistake in
 * it must not keep an operator from lifting a ban.
 */
int daemon_ask(const struct ctl *ctl, const struct buf *request, daemon_record_fn fn, void *ctx,
               struct attr_list *last_r, struct error *error_r) __attribute__((warn_unused_result));

/*
 * The same for request=watch, whose answer never ends: returns when the daemon goes away, or
 * when fn returns false. 0: fn has said so; -1 as above.
 */
typedef bool (*daemon_watch_fn)(const struct attr_list *record, void *ctx);
int daemon_watch(const struct ctl *ctl, const struct buf *request, daemon_watch_fn fn, void *ctx,
                 struct error *error_r) __attribute__((warn_unused_result));

/* The address or network of a command line; host bits are a mistake worth its own words. */
int daemon_read_prefix(const char *text, struct prefix *prefix_r, struct error *error_r)
    __attribute__((warn_unused_result));

/*
 * The same of the first argument, or a login: what has an @, or anything with --login. Adds
 * prefix or login to the request, and who_r is the text to show.
 */
int daemon_put_who(const struct ctl *ctl, struct buf *request, char shown[PREFIX_TEXT_MAX],
                   const char **who_r, struct error *error_r) __attribute__((warn_unused_result));

/* What a value of an answer is in JSON. */
enum daemon_kind { DAEMON_TEXT, DAEMON_NUMBER, DAEMON_FLAG /* yes, no */ };

struct daemon_field {
    const char *name;
    enum daemon_kind kind;
};

/* The fields that the list has, in this order, as a JSON object. */
json_t *daemon_json(const struct attr_list *list, const struct daemon_field *fields, size_t count);

json_t *daemon_value_json(const char *value, enum daemon_kind kind);

#endif
