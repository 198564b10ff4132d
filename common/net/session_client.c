/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/session_client.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/net/control.h"

struct session_client {
    pthread_mutex_t lock;
    char *address;
    int timeout_ms;
    struct control *control; /* NULL: not connected */
    int64_t pause_until_ms;
    bool away_was_told;
    struct attr_list record; /* too big for the stack of a thread */
};

struct session_client *session_client_new(const char *address, int timeout_ms)
{
    struct session_client *client = x_calloc(1, sizeof(*client));

    pthread_mutex_init(&client->lock, NULL);
    client->address = x_strdup(address);
    client->timeout_ms = timeout_ms;
    return client;
}

struct session_client *session_client_of(const struct config *config, int timeout_ms)
{
    if (config_forwards_as(config, FORWARD_AS_PLAIN))
        return session_client_new(config->sessions, timeout_ms);
    return NULL;
}

void session_client_free(struct session_client **client)
{
    struct session_client *old = *client;

    if (!old)
        return;
    *client = NULL;
    control_close(&old->control);
    pthread_mutex_destroy(&old->lock);
    free(old->address);
    free(old);
}

/* 0: there is an answer in client->record. */
static int ask(struct session_client *client, const struct buf *request, struct error *error_r)
{
    if (!client->control)
        client->control = control_open(client->address, client->timeout_ms, error_r);
    if (client->control && control_send(client->control, request, error_r) == 0 &&
        control_next(client->control, &client->record, error_r) == 0)
        return 0;
    control_close(&client->control);
    return -1;
}

static enum session_answer read_answer(struct session_client *client, struct session_facts *facts_r,
                                       struct error *error_r)
{
    if (!str_eq(attr_get_or_empty(&client->record, "found"), "yes"))
        return SESSION_NOT_FOUND;
    if (session_take(&client->record, facts_r) == 0)
        return SESSION_FOUND;
    error_set(error_r, ERROR_PEER, "an answer that makes no sense");
    return SESSION_TEMPFAIL;
}

/* The connection that was left open may have lost its ingress: the second try is a new one. */
static enum session_answer ask_twice(struct session_client *client, const struct buf *request,
                                     struct session_facts *facts_r, struct error *error_r)
{
    bool is_old = client->control != NULL;

    if (ask(client, request, error_r) == 0)
        return read_answer(client, facts_r, error_r);
    if (is_old && error_r->code != ERROR_TIMEOUT && ask(client, request, error_r) == 0)
        return read_answer(client, facts_r, error_r);
    return SESSION_TEMPFAIL;
}

static void note(struct session_client *client, enum session_answer answer,
                 const struct error *error)
{
    if (answer == SESSION_TEMPFAIL) {
        client->pause_until_ms = clock_mono_ms(&clock_system) + SESSION_CLIENT_PAUSE_MS;
        if (!client->away_was_told)
            log_warning(NULL, "sessions-unknown", LOG_STR("socket", client->address),
                        LOG_STR("reason", error->text),
                        LOG_STR("effect", "clients that the ingress forwards plainly are masked"));
    } else if (client->away_was_told) {
        log_info(NULL, "sessions-known", LOG_STR("socket", client->address));
    }
    client->away_was_told = answer == SESSION_TEMPFAIL;
}

enum session_answer session_client_ask(struct session_client *client, const struct addr *peer,
                                       uint16_t port, struct session_facts *facts_r)
{
    enum session_answer answer = SESSION_TEMPFAIL;
    struct error error = {0};
    struct buf request = {0};

    session_put_request(peer, port, &request);
    pthread_mutex_lock(&client->lock);
    if (clock_mono_ms(&clock_system) >= client->pause_until_ms) {
        answer = ask_twice(client, &request, facts_r, &error);
        note(client, answer, &error);
    }
    pthread_mutex_unlock(&client->lock);
    buf_fini(&request);
    return answer;
}
