/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/session.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "milter/envelope.h"

struct session *session_new(void)
{
    static atomic_ulong number;
    struct session *session = x_calloc(1, sizeof *session);

    session->origin.kind = ORIGIN_LOCAL;
    snprintf(session->name, sizeof session->name, "c%lu", atomic_fetch_add(&number, 1) + 1);
    return session;
}

void session_free(struct session **session)
{
    struct session *old = *session;

    if (old == NULL)
        return;
    message_free(&old->message);
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
