/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/session.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "milter/envelope.h"

void roster_init(struct roster *roster)
{
    roster->first = NULL;
    pthread_mutex_init(&roster->lock, NULL);
}

void roster_fini(struct roster *roster)
{
    while (roster->first != NULL) {
        struct session *session = roster->first;
        session_free(roster, &session);
    }
    pthread_mutex_destroy(&roster->lock);
}

static void roster_add(struct roster *roster, struct session *session)
{
    pthread_mutex_lock(&roster->lock);
    session->next = roster->first;
    if (session->next != NULL)
        session->next->previous = session;
    roster->first = session;
    pthread_mutex_unlock(&roster->lock);
}

static void roster_remove(struct roster *roster, const struct session *session)
{
    pthread_mutex_lock(&roster->lock);
    if (session->next != NULL)
        session->next->previous = session->previous;
    if (session->previous != NULL)
        session->previous->next = session->next;
    else
        roster->first = session->next;
    pthread_mutex_unlock(&roster->lock);
}

struct session *session_new(struct roster *roster)
{
    static atomic_ulong number;
    struct session *session = x_calloc(1, sizeof *session);

    session->origin.kind = ORIGIN_LOCAL;
    snprintf(session->name, sizeof session->name, "c%lu", atomic_fetch_add(&number, 1) + 1);
    roster_add(roster, session);
    return session;
}

void session_free(struct roster *roster, struct session **session)
{
    struct session *old = *session;

    if (old == NULL)
        return;
    roster_remove(roster, old);
    message_free(&old->message);
    setup_release(&old->setup);
    free(old->helo);
    free(old);
    *session = NULL;
}

void session_mail(struct session *session, const struct workbench *bench, const char *sender,
                  const char *login)
{
    struct message_client client = {
        .session = session->name,
        .origin = &session->origin,
        .helo = session->helo == NULL ? "" : session->helo,
        .spacing = session->spacing,
    };

    message_free(&session->message);
    session->message = message_new(bench, &client, sender, login);
}

void session_helo(struct session *session, const char *name)
{
    /* A message borrows the name; HELO ends it (RFC 5321 4.1.4). */
    message_free(&session->message);
    free(session->helo);
    session->helo = envelope_helo(name);
}
