/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_SESSION_H
#define PN_MILTER_SESSION_H

#include <pthread.h>
#include <stdbool.h>

#include "milter/message.h"
#include "milter/setup.h"

#define SESSION_NAME_MAX 24

/* What a piece of the body is answered with. */
enum body_reply {
    BODY_CONTINUE, /* nothing was negotiated for this session: an answer is right in any case */
    BODY_SKIP,     /* "enough" where the rest is not needed */
    BODY_NOREPLY,
};

/*
 * One milter connection, from option negotiation to close. Its callbacks change
 * threads, but come one after the other: libmilter hands it on under its own lock.
 */
struct session {
    char name[SESSION_NAME_MAX]; /* for the log, before there is a queue id */
    bool is_counted;             /* it takes one of milter.max_sessions */
    bool has_sender;
    enum body_reply body_reply;
    enum spacing spacing;
    struct setup *setup;  /* in force when it began */
    struct origin origin; /* local until the server says who is connected */
    char *helo;           /* NULL: none yet */
    struct message *message;
    bool holds_gate;                 /* it is between the end of a header and of its message */
    struct session *previous, *next; /* in the roster */
};

/*
 * All sessions that are open: so that those which are still there when the program
 * ends are freed by it, for libmilter then says no more about them. Any thread.
 */
struct roster {
    pthread_mutex_t lock;
    struct session *first;
};

void roster_init(struct roster *roster);
/* Frees all sessions; nobody may be using one. */
void roster_fini(struct roster *roster);

struct session *session_new(struct roster *roster);
void session_free(struct roster *roster, struct session **session);

/* Begin a message, in place of one that was left without an end. */
void session_mail(struct session *session, const struct workbench *bench, const char *sender,
                  const char *login);
void session_helo(struct session *session, const char *name);

#endif
