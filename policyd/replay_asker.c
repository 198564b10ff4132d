/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/replay_asker.h"

#include <stdio.h>

#include "common/base/bug.h"
#include "common/base/str.h"
#include "common/wire/attr.h"
#include "policyd/auth.h"
#include "policyd/policy.h"

static bool dovecot_goes_on(struct engine *engine, const struct replay_line *line)
{
    const struct event *event = &line->event;
    char remote[ADDR_TEXT_MAX];
    const struct auth_request request = {
        .login = event->login,
        .protocol = "-",
        .remote = addr_format(&line->peer.addr, remote),
        .session = event->session ? event->session : "",
    };
    unsigned delay_sec;

    return auth_allow(engine, &request, &line->peer, &delay_sec).verdict == VERDICT_GO_ON;
}

/* A message counts by its instance alone; one that has no name is another in each line. */
static void put_message(const struct replay_line *line, struct buf *out)
{
    char own[32];

    snprintf(own, sizeof(own), "line.%u", line->number);
    attr_put(out, "instance", line->event.session ? line->event.session : own);
    attr_put_uint(out, "recipient_count", line->recipient_count);
}

static const char *state_of(unsigned kind)
{
    if (kind == CONFIG_EVENT_CONNECT)
        return "CONNECT";
    return kind == CONFIG_EVENT_MESSAGE ? "END-OF-MESSAGE" : "RCPT";
}

/* Without an instance nothing is counted: a line counts as no more than it says. */
static void put_request(const struct replay_line *line, struct buf *out)
{
    const struct event *event = &line->event;
    char client[ADDR_TEXT_MAX];

    attr_put(out, "request", "smtpd_access_policy");
    attr_put(out, "protocol_state", state_of(event->kind));
    attr_put(out, "client_address", addr_format(&line->peer.addr, client));
    attr_put(out, "sasl_username", event->login);
    attr_put(out, "recipient", event->recipient ? event->recipient : "");
    if (event->kind & CONFIG_EVENTS_OF_SUBMISSION)
        put_message(line, out);
    attr_end(out);
}

/* The ban that an answer waits for holds in memory already, and that is all there is here. */
static bool postfix_goes_on(struct engine *engine, const struct replay_line *line)
{
    static struct attr_list request;
    struct buf bytes = {0}, action = {0};
    struct origin origin;
    size_t consumed;

    put_request(line, &bytes);
    enum attr_status status = attr_parse(bytes.data, bytes.len, &request, &consumed);
    BUG_ON(status != ATTR_OK);
    if (policy_answer(engine, &request, engine_nobody_waits, NULL, &origin, &action) ==
        POLICY_LATER)
        policy_conclude(engine, &request, &origin, &action);
    bool goes_on = str_eq(buf_str(&action), "action=DUNNO\n\n");
    buf_fini(&action);
    buf_fini(&bytes);
    return goes_on;
}

bool replay_ask(struct engine *engine, const struct replay_line *line)
{
    const struct event *event = &line->event;

    if (line->is_auth_ok || event_is_of_login(event))
        return dovecot_goes_on(engine, line);
    return postfix_goes_on(engine, line) && !(event->kind & REPLAY_BY_POSTFIX);
}
