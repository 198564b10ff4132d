/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_SESSION_H
#define PN_MILTER_SESSION_H

#include <stdbool.h>

#include "milter/message.h"

#define SESSION_NAME_MAX 24

/*
 * One milter connection, from option negotiation to close. Its callbacks change
 * threads, but come one after the other: libmilter hands it on under its own lock.
 */
struct session {
    char name[SESSION_NAME_MAX]; /* for the log, before there is a queue id */
    bool is_counted;             /* it takes one of milter.max_sessions */
    bool may_skip_body;          /* the server understands SMFIS_SKIP */
    enum spacing spacing;
    struct origin origin; /* local until the server says who is connected */
    char *helo;           /* NULL: none yet */
    struct message *message;
};

struct session *session_new(void);
void session_free(struct session **session);

/* Begin a message, in place of one that was left without an end. */
void session_mail(struct session *session, const struct workbench *bench, const char *sender,
                  const char *login);
void session_helo(struct session *session, const char *name);

#endif
