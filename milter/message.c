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

/*
 * Only mail of our own users is: who logged in, sendmail(1), and nets that the file names. From
 * loopback a content filter gives back strangers' mail, too.
 */
static bool may_sign(const struct message *message)
{
    const struct workbench *bench = message->bench;
    const struct origin *origin = message->client.origin;

    if (bench->config->sign_count == 0)
        return false;
    if (message->login != NULL)
        return true;
    if (origin->kind == ORIGIN_LOCAL && origin->addr.family == ADDR_NONE)
        return true;
    return (origin->kind == ORIGIN_LOCAL || origin->kind == ORIGIN_KNOWN) &&
           prefixlist_contains(&bench->config->milter.sign_nets, &origin->addr);
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
    if (message->is_judged) {
        dns_memo_init(&message->memo, bench->dns);
        message->verifier =
            dkim_verifier_new(bench->dkim, client->session, bench->config->milter.max_signatures,
                              &message->memo.dns, &message->budget);
    }
    if (may_sign(message))
        message->outbound = outbound_new(bench->sign_keys, bench->dkim, client->session);
    return message;
}

void message_free(struct message **message)
{
    struct message *old = *message;

    if (old == NULL)
        return;
    dkim_verifier_free(&old->verifier);
    dns_memo_fini(&old->memo);
    outbound_free(&old->outbound);
    for (size_t i = 0; i < old->signature_count; i++)
        buf_fini(&old->signatures[i]);
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

static void read_field(struct message *message, const char *name, const char *value)
{
    if (message->verifier != NULL)
        dkim_verifier_header(message->verifier, name, value);
    if (message->outbound != NULL)
        outbound_header(message->outbound, name, value);
}

static void read_spaced_field(struct message *message, const char *name, const char *value)
{
    struct buf spaced;

    if (!lacks_space(message->client.spacing, value)) {
        read_field(message, name, value);
        return;
    }
    buf_init(&spaced);
    buf_putc(&spaced, ' ');
    buf_puts(&spaced, value);
    read_field(message, name, buf_str(&spaced));
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

/*
 * From this host, over SMTP: a content filter that gives back what it got from us, with the
 * fields that we wrote. Nobody else comes from there.
 */
static bool comes_back(const struct message *message)
{
    const struct origin *origin = message->client.origin;

    return origin->kind == ORIGIN_LOCAL && message->login == NULL &&
           addr_scope(&origin->addr) == ADDR_SCOPE_LOOPBACK;
}

void message_header(struct message *message, const char *name, const char *value)
{
    if (!comes_back(message))
        fields_note(&message->fields, &message->bench->config->milter, name, value);
    if (message->hidden != NULL && !message->has_received && fields_name_is(name, "Received"))
        restore_client(message, value);
    if (fields_name_is(name, "DKIM-Signature"))
        message->bears_signature = true;
    if (message->is_judged && fields_name_is(name, "From"))
        author_field(&message->author, value);
    read_spaced_field(message, name, value);
}

static struct judge_facts facts_of(const struct message *message)
{
    return (struct judge_facts){
        .authserv_id = message->bench->config->milter.authserv_id,
        .receiver = message->bench->config->hostname,
        .origin = message->client.origin,
        .hidden = message->hidden,
        .helo = message->client.helo,
        .sender = message->sender,
        .author = &message->author,
    };
}

static void judge_once(struct message *message)
{
    struct judge_facts facts = facts_of(message);
    const char *const *keys;
    size_t count;

    if (message->has_judgement)
        return;
    dkim_verifier_select(message->verifier, &message->author);
    count = dkim_verifier_key_names(message->verifier, &keys);
    judge_ask_ahead(&facts, keys, count, &message->memo, &message->budget);
    judge_client(&facts, message->bench->engine, &message->memo.dns, &message->budget,
                 &message->judgement);
    message->has_judgement = true;
}

void message_end_header(struct message *message)
{
    int64_t began = clock_mono_ms(message->bench->clock);

    if (message->outbound != NULL)
        outbound_end_header(message->outbound);
    if (!message->is_judged)
        return;
    judge_once(message);
    dkim_verifier_end_header(message->verifier);
    message->busy_ms += clock_mono_ms(message->bench->clock) - began;
}

bool message_wants_body(const struct message *message)
{
    return (message->verifier != NULL && message->bears_signature) ||
           (message->outbound != NULL && outbound_is_signed(message->outbound));
}

void message_body(struct message *message, const uint8_t *bytes, size_t len)
{
    if (message->verifier != NULL && message->bears_signature)
        dkim_verifier_body(message->verifier, bytes, len);
    if (message->outbound != NULL)
        outbound_body(message->outbound, bytes, len);
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
             LOG_UINT("signed", message->signature_count),
             LOG_UINT("removed", fields_remove_count(&message->fields)),
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
             LOG_STR("dmarc", auth_result_name(judgement->dmarc.result)),
             LOG_STR("author", or_dash(judgement->dmarc.domain)),
             LOG_STR("iprev",
                     judgement->has_iprev ? auth_result_name(judgement->iprev.result) : "masked"),
             LOG_STR("action", action_name(message->action.kind)),
             LOG_UINT("removed", fields_remove_count(&message->fields)),
             LOG_INT("ms", message->busy_ms), LOG_STR("session", message->client.session));
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
    tally_add(message->bench->tally, TALLY_FIELD_REMOVED, 0, fields_remove_count(&message->fields));
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
    count(message, TALLY_DMARC, judgement->dmarc.result);
    if (message->bench->tally != NULL)
        histogram_add(&message->bench->tally->message_time, message->busy_ms);
}

static void report_failures(const struct message *message, const char *queue_id,
                            const struct judge_facts *facts)
{
    struct event spf = event_of_spf(facts, &message->judgement);
    struct event dkim = event_of_dkim(facts, &message->judgement);
    struct event dmarc = event_of_dmarc(facts, &message->judgement);

    if (message->bench->report == NULL)
        return;
    report(message, &spf, queue_id, NULL);
    report(message, &dkim, queue_id, NULL);
    report(message, &dmarc, queue_id, NULL);
}

/* Say what is done, and without enforce do not. */
static void act(struct message *message, const char *queue_id)
{
    static const enum tally_id ids[] = {
        [CONFIG_ACTION_HEADER] = TALLY_MARKED,
        [CONFIG_ACTION_QUARANTINE] = TALLY_QUARANTINED,
        [CONFIG_ACTION_TEMPFAIL] = TALLY_DELAYED,
        [CONFIG_ACTION_REJECT] = TALLY_REJECTED,
    };
    struct action *action = &message->action;

    if (action->kind == CONFIG_ACTION_ACCEPT)
        return;
    bool enforce = message->bench->config->milter.enforce;
    log_info(queue_id,
             action->kind == CONFIG_ACTION_REJECT     ? (enforce ? "reject" : "would reject")
             : action->kind == CONFIG_ACTION_TEMPFAIL ? (enforce ? "tempfail" : "would tempfail")
             : action->kind == CONFIG_ACTION_QUARANTINE
                 ? (enforce ? "quarantine" : "would quarantine")
                 : (enforce ? "header" : "would header"),
             LOG_STR("status", or_dash(action->status)), LOG_STR("reason", action->text),
             LOG_STR("by", action->method), LOG_STR("session", message->client.session));
    if (enforce)
        count(message, ids[action->kind], 0);
    else
        action->kind = CONFIG_ACTION_ACCEPT;
}

static void sign(struct message *message, const char *queue_id)
{
    struct error error;

    if (message->outbound == NULL)
        return;
    message->signature_count =
        outbound_finish(message->outbound, clock_wall_ms(message->bench->clock) / 1000,
                        message->signatures, &error);
    if (error.code != ERROR_NONE) {
        log_warning(queue_id, "not-signed", LOG_ERR(&error),
                    LOG_STR("session", message->client.session));
        count(message, TALLY_NOT_SIGNED, 0);
    }
    tally_add(message->bench->tally, TALLY_SIGNATURE, 0, message->signature_count);
}

void message_finish(struct message *message, const char *queue_id, struct buf *field)
{
    struct judge_facts facts = facts_of(message);
    int64_t began = clock_mono_ms(message->bench->clock);

    sign(message, queue_id);
    count_all(message);
    if (!message->is_judged) {
        log_unjudged(message, queue_id);
        return;
    }
    judge_once(message); /* where the server told of no end of the header */
    facts.dkim = dkim_verifier_finish(message->verifier, &facts.dkim_count);
    judge_author(&facts, &message->memo.dns, &message->budget, &message->judgement);
    judge_field(&facts, &message->judgement, field);
    message->action = action_find(message->bench->config, &facts, &message->judgement);
    report_failures(message, queue_id, &facts);
    log_hidden(message, queue_id);
    message->busy_ms += clock_mono_ms(message->bench->clock) - began;
    count_judged(message, &facts);
    log_judged(message, queue_id, &facts, &message->judgement);
    act(message, queue_id);
}
