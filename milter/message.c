/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/message.h"

#include <stdlib.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "milter/envelope.h"
#include "milter/event.h"

static char *take_login(const char *login)
{
    return login == NULL || *login == '\0' ? NULL : x_strndup(login, ENVELOPE_LOGIN_MAX);
}

struct message *message_new(const struct workbench *bench, const struct message_client *client,
                            const char *sender, const char *login)
{
    struct message *message = x_calloc(1, sizeof *message);

    message->bench = bench;
    message->client = *client;
    message->sender = envelope_sender(sender);
    message->login = take_login(login);
    if (client->origin->is_relayed)
        message->hidden = "is missing";
    message->is_judged = client->origin->kind != ORIGIN_LOCAL && message->login == NULL;
    message->budget.left_ms = bench->config->dns_timeout_ms;
    if (message->is_judged)
        message->verifier =
            dkim_verifier_new(bench->dkim, client->session, bench->config->milter.max_signatures,
                              bench->dns, &message->budget);
    return message;
}

void message_free(struct message **message)
{
    struct message *old = *message;

    if (old == NULL)
        return;
    dkim_verifier_free(&old->verifier);
    fields_fini(&old->fields);
    free(old->helo);
    free(old->login);
    free(old->sender);
    free(old);
    *message = NULL;
}

static void report(const struct message *message, const struct event *event, const char *session,
                   const char *recipient)
{
    const struct workbench *bench = message->bench;
    struct report report = {
        .event = event->name,
        .client = message->client.origin->addr,
        .login = message->login,
        .recipient = recipient,
        .session = session,
        .weight = event->weight,
        .at_ms = clock_wall_ms(bench->clock),
    };

    if (event->name != NULL)
        bench->report(&report, bench->report_ctx);
}

void message_recipient(const struct message *message, const char *argument, const char *mailer,
                       const char *host)
{
    const struct workbench *bench = message->bench;
    struct event_refusal refusal = {
        .mailer = mailer,
        .status = host,
        .is_authenticated = message->login != NULL,
        .is_bounce = message->sender != NULL && *message->sender == '\0',
    };
    char *recipient;

    if (bench->report == NULL || message->client.origin->kind != ORIGIN_KNOWN)
        return;
    recipient = envelope_recipient(argument);
    refusal.recipient = recipient;
    struct event event = event_of_refusal(&bench->config->domains, &refusal);
    report(message, &event, message->client.session, recipient);
    free(recipient);
}

static bool lacks_space(enum spacing spacing, const char *value)
{
    return spacing == SPACING_REMOVED ||
           (spacing == SPACING_UNKNOWN && *value != ' ' && *value != '\t');
}

static void verify_header(struct message *message, const char *name, const char *value)
{
    struct buf spaced;

    if (!lacks_space(message->client.spacing, value)) {
        dkim_verifier_header(message->verifier, name, value);
        return;
    }
    buf_init(&spaced);
    buf_putc(&spaced, ' ');
    buf_puts(&spaced, value);
    dkim_verifier_header(message->verifier, name, buf_str(&spaced));
    buf_fini(&spaced);
}

/* From here on the message has another client than its session. */
static void restore_client(struct message *message, const char *value)
{
    struct received field;
    char *text = received_unbroken(value + (*value == ' '));

    message->has_received = true;
    message->hidden = origin_restore(message->bench->rules, message->client.origin, text, &field,
                                     &message->restored);
    if (message->hidden == NULL) {
        char *helo = x_strndup(field.helo, field.helo_len);
        message->helo = envelope_helo(helo);
        free(helo);
        message->client.origin = &message->restored;
        message->client.helo = message->helo;
    }
    free(text);
}

void message_header(struct message *message, const char *name, const char *value)
{
    fields_note(&message->fields, message->bench->config->hostname, name, value);
    if (message->hidden != NULL && !message->has_received && fields_name_is(name, "Received"))
        restore_client(message, value);
    if (message->verifier == NULL)
        return;
    if (fields_name_is(name, "DKIM-Signature"))
        message->is_signed = true;
    verify_header(message, name, value);
}

static struct judge_facts facts_of(const struct message *message)
{
    return (struct judge_facts){
        .authserv_id = message->bench->config->hostname,
        .origin = message->client.origin,
        .hidden = message->hidden,
        .helo = message->client.helo,
        .sender = message->sender,
    };
}

static void judge_once(struct message *message)
{
    const struct workbench *bench = message->bench;
    struct judge_facts facts = facts_of(message);

    if (message->has_judgement)
        return;
    judge_client(&facts, bench->engine, bench->dns, &message->budget, &message->judgement);
    message->has_judgement = true;
}

void message_end_header(struct message *message)
{
    int64_t began = clock_mono_ms(message->bench->clock);

    if (!message->is_judged)
        return;
    judge_once(message);
    dkim_verifier_end_header(message->verifier);
    message->busy_ms += clock_mono_ms(message->bench->clock) - began;
}

bool message_wants_body(const struct message *message)
{
    return message->verifier != NULL && message->is_signed;
}

void message_body(struct message *message, const uint8_t *bytes, size_t len)
{
    if (message_wants_body(message))
        dkim_verifier_body(message->verifier, bytes, len);
}

static const char *or_dash(const char *text)
{
    return text == NULL || *text == '\0' ? "-" : text;
}

static const char *sender_text(const struct message *message)
{
    return message->sender == NULL ? "(unusable)" : message->sender;
}

static void log_unjudged(const struct message *message, const char *queue_id)
{
    char client[ADDR_TEXT_MAX];
    const struct origin *origin = message->client.origin;

    log_info(queue_id, "message", LOG_STR("client", addr_format(&origin->addr, client)),
             LOG_STR("origin", origin_kind_name(origin->kind)),
             LOG_STR("login", or_dash(message->login)), LOG_STR("sender", sender_text(message)),
             LOG_UINT("removed", message->fields.remove_count),
             LOG_STR("session", message->client.session));
}

static const char *spf_name(const struct judgement *judgement, const struct spf_check *check)
{
    if (judgement->is_masked)
        return "masked";
    return judgement->has_spf && check->ran ? auth_result_name(check->result) : "none";
}

static void log_judged(const struct message *message, const char *queue_id,
                       const struct judge_facts *facts, const struct judgement *judgement)
{
    char client[ADDR_TEXT_MAX];
    const struct origin *origin = facts->origin;
    struct buf dkim;

    buf_init(&dkim);
    judge_dkim_summary(facts, &dkim);
    log_info(queue_id, "message", LOG_STR("client", addr_format(&origin->addr, client)),
             LOG_STR("origin", origin_kind_name(origin->kind)),
             LOG_STR("source", origin_source_name(origin->source)),
             LOG_STR("gateway", origin->gateway == NULL ? "-" : origin->gateway->name),
             LOG_STR("helo", facts->helo), LOG_STR("sender", sender_text(message)),
             LOG_STR("spf", spf_name(judgement, &judgement->spf.mailfrom)),
             LOG_STR("spf_helo", spf_name(judgement, &judgement->spf.helo)),
             LOG_STR("dkim", buf_str(&dkim)),
             LOG_STR("iprev",
                     judgement->has_iprev ? auth_result_name(judgement->iprev.result) : "masked"),
             LOG_STR("action", action_name(message->action.kind)),
             LOG_UINT("removed", message->fields.remove_count), LOG_INT("ms", message->busy_ms),
             LOG_STR("session", message->client.session));
    buf_fini(&dkim);
}

/* An MTA is there to name the client, and did not. */
static void log_hidden(const struct message *message, const char *queue_id)
{
    if (message->hidden != NULL)
        log_info(queue_id, "client-hidden",
                 LOG_STR("gateway", message->client.origin->gateway->name),
                 LOG_STR("received", message->hidden), LOG_STR("session", message->client.session));
}

static void count(const struct message *message, enum tally_id id, unsigned which)
{
    tally_add(message->bench->tally, id, which, 1);
}

static void count_all(const struct message *message)
{
    count(message, TALLY_MESSAGE, message->client.origin->kind);
    count(message, TALLY_SOURCE, message->client.origin->source);
    if (message->bench->tally != NULL)
        by_gateway_count(&message->bench->tally->gateways, message->client.origin);
    if (message->login != NULL)
        count(message, TALLY_AUTHENTICATED, 0);
    tally_add(message->bench->tally, TALLY_FIELD_REMOVED, 0, message->fields.remove_count);
}

static void count_judged(const struct message *message, const struct judge_facts *facts)
{
    const struct judgement *judgement = &message->judgement;

    if (judgement->has_spf && judgement->spf.mailfrom.ran)
        count(message, TALLY_SPF, judgement->spf.mailfrom.result);
    if (judgement->has_spf && judgement->spf.helo.ran)
        count(message, TALLY_SPF_HELO, judgement->spf.helo.result);
    if (judgement->has_iprev)
        count(message, TALLY_IPREV, judgement->iprev.result);
    for (size_t i = 0; i < facts->dkim_count; i++)
        count(message, TALLY_DKIM, facts->dkim[i].result);
    if (facts->dkim_count == 0)
        count(message, TALLY_DKIM, AUTH_NONE);
    if (message->bench->tally != NULL)
        histogram_add(&message->bench->tally->message_time, message->busy_ms);
}

static void report_failures(const struct message *message, const char *queue_id,
                            const struct judge_facts *facts)
{
    struct event spf = event_of_spf(facts, &message->judgement);
    struct event dkim = event_of_dkim(facts, &message->judgement);

    if (message->bench->report == NULL)
        return;
    report(message, &spf, queue_id, NULL);
    report(message, &dkim, queue_id, NULL);
}

/* Say what is done, and without enforce do not. */
static void act(struct message *message, const char *queue_id)
{
    static const enum tally_id ids[] = {
        [CONFIG_ACTION_REJECT] = TALLY_REJECTED, [CONFIG_ACTION_TEMPFAIL] = TALLY_DELAYED};
    struct action *action = &message->action;

    if (action->kind == CONFIG_ACTION_ACCEPT)
        return;
    bool enforce = message->bench->config->enforce;
    log_info(queue_id,
             action->kind == CONFIG_ACTION_REJECT ? (enforce ? "reject" : "would reject")
                                                  : (enforce ? "tempfail" : "would tempfail"),
             LOG_STR("status", action->status), LOG_STR("reason", action->text),
             LOG_STR("session", message->client.session));
    if (enforce)
        count(message, ids[action->kind], 0);
    else
        action->kind = CONFIG_ACTION_ACCEPT;
}

void message_finish(struct message *message, const char *queue_id, struct buf *field)
{
    struct judge_facts facts = facts_of(message);
    int64_t began = clock_mono_ms(message->bench->clock);

    count_all(message);
    if (!message->is_judged) {
        log_unjudged(message, queue_id);
        return;
    }
    judge_once(message); /* where the server told of no end of the header */
    facts.dkim = dkim_verifier_finish(message->verifier, &facts.dkim_count);
    judge_field(&facts, &message->judgement, field);
    message->action = action_by_spf(&message->bench->config->spf, &facts, &message->judgement);
    report_failures(message, queue_id, &facts);
    log_hidden(message, queue_id);
    message->busy_ms += clock_mono_ms(message->bench->clock) - began;
    count_judged(message, &facts);
    log_judged(message, queue_id, &facts, &message->judgement);
    act(message, queue_id);
}
