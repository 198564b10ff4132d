/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/callbacks.h"

#include <libmilter/mfapi.h>

#include "common/base/log.h"
#include "milter/envelope.h"

/*
 * One mfapi callback has two parts here: the handler, which knows a session, and a
 * line in the table at the end, which lets it in through the gate. Handlers of stages
 * for which SMFIP_NR_* is negotiated answer SMFIS_NOREPLY: libmilter itself answers
 * servers that do not know these flags.
 */

static struct milter *the_milter;

/* Postfix hands over fields of 100 KiB (header_size_limit); libmilter alone takes 64. */
#define COMMAND_MAX    262143
#define ACTIONS        (SMFIF_ADDHDRS | SMFIF_CHGHDRS)
#define STAGES_UNUSED  (SMFIP_NODATA | SMFIP_NOUNKNOWN)
#define STAGES_NOREPLY (SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_HDR | SMFIP_NR_EOH)

/* libmilter takes char * and changes nothing. */
static char macros_connect[] = "{daemon_addr} {daemon_name}";
static char macros_mail[] = "{auth_authen}";
static char macros_rcpt[] = "{rcpt_mailer} {rcpt_host}";
static char macros_eom[] = "i";
static char macro_daemon_addr[] = "{daemon_addr}";
static char macro_daemon_name[] = "{daemon_name}";
static char macro_auth_authen[] = "{auth_authen}";
static char macro_rcpt_mailer[] = "{rcpt_mailer}";
static char macro_rcpt_host[] = "{rcpt_host}";
static char macro_queue_id[] = "i";
static char signature_name[] = "DKIM-Signature";
static char reply_code[] = "550";
static char reply_status[] = "5.6.0";
static char reply_text[] = "Too many fields that only the receiving server may write";

static void negotiate_macros(SMFICTX *ctx, unsigned long offered, unsigned long *actions_r)
{
    if ((offered & SMFIF_SETSYMLIST) == 0)
        return;
    *actions_r |= SMFIF_SETSYMLIST;
    (void)smfi_setsymlist(ctx, SMFIM_CONNECT, macros_connect);
    (void)smfi_setsymlist(ctx, SMFIM_ENVFROM, macros_mail);
    if (the_milter->tools.report != NULL)
        (void)smfi_setsymlist(ctx, SMFIM_ENVRCPT, macros_rcpt);
    (void)smfi_setsymlist(ctx, SMFIM_EOM, macros_eom);
}

static void count(enum tally_id id)
{
    tally_add(&the_milter->tally, id, 0, 1);
}

/*
 * Recipients are of interest only where those that the server refuses are among them.
 * They are answered: Postfix keeps what needs no answer until the next thing that does,
 * or until it closes, and libmilter does not read what lies behind a Unix socket that
 * is closed.
 */
static unsigned long stages(unsigned long offered)
{
    unsigned long stages =
        STAGES_NOREPLY | (offered & (STAGES_UNUSED | SMFIP_HDR_LEADSPC | SMFIP_SKIP));

    if (the_milter->tools.report != NULL && (offered & SMFIP_RCPT_REJ) != 0)
        return stages | SMFIP_RCPT_REJ;
    return stages | (offered & SMFIP_NORCPT);
}

static struct session *begin_session(void)
{
    struct session *session = session_new(&the_milter->roster);

    session->setup = setups_take(&the_milter->setups);
    return session;
}

static sfsistat handle_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                                 unsigned long *actions_r, unsigned long *steps_r)
{
    struct session *session = begin_session();

    if ((actions & ACTIONS) != ACTIONS) {
        count(TALLY_NEGOTIATION_FAILED);
        log_error(session->name, "negotiate-failed",
                  LOG_STR("reason", "the server does not let a milter change header fields"));
        session_free(&the_milter->roster, &session);
        return SMFIS_REJECT;
    }
    *actions_r = ACTIONS;
    negotiate_macros(ctx, actions, actions_r);
    session->spacing = (steps & SMFIP_HDR_LEADSPC) != 0 ? SPACING_KEPT : SPACING_REMOVED;
    session->body_reply = (steps & SMFIP_SKIP) != 0 ? BODY_SKIP : BODY_NOREPLY;
    *steps_r = stages(steps);
    if (session->body_reply == BODY_NOREPLY)
        *steps_r |= SMFIP_NR_BODY;
    smfi_setpriv(ctx, session);
    return SMFIS_CONTINUE;
}

/* Whether the session is one of those that milter.max_sessions allows. */
static bool admit(struct session *session)
{
    enum limit_status status;

    if (session->is_counted)
        return true;
    status = limit_take(&the_milter->sessions);
    if (status == LIMIT_REACHED)
        log_warning(session->name, "too-many-sessions",
                    LOG_UINT("max_sessions", session->setup->config->milter.max_sessions),
                    LOG_STR("action", "refused for now"));
    session->is_counted = status == LIMIT_OK;
    count(status == LIMIT_OK ? TALLY_CONNECTION : TALLY_TOO_MANY_SESSIONS);
    return session->is_counted;
}

/* A claim that no client behind that gateway can make. */
static sfsistat refuse_origin(const struct session *session)
{
    char client[ADDR_TEXT_MAX];
    const struct origin *origin = &session->origin;
    bool enforce = session->setup->config->milter.enforce;

    count(TALLY_ORIGIN_REFUSED);
    log_info(session->name, enforce ? "reject" : "would reject",
             LOG_STR("client", addr_format(&origin->addr, client)),
             LOG_STR("gateway", origin->gateway == NULL ? "-" : origin->gateway->name),
             LOG_STR("reason", "no client with this address can come through the gateway"));
    return enforce ? SMFIS_REJECT : SMFIS_CONTINUE;
}

static sfsistat handle_connect(SMFICTX *ctx, struct session *session, const _SOCK_ADDR *addr)
{
    struct origin_peer peer = envelope_peer(addr, smfi_getsymval(ctx, macro_daemon_addr));

    peer.daemon_name = smfi_getsymval(ctx, macro_daemon_name);
    if (session == NULL) {
        session = begin_session();
        smfi_setpriv(ctx, session);
    }
    if (!admit(session))
        return SMFIS_TEMPFAIL;
    session->origin = origin_find(&session->setup->rules, &peer);
    return session->origin.kind == ORIGIN_REFUSED ? refuse_origin(session) : SMFIS_CONTINUE;
}

/* What was begun for the message is over; when the program ends it waits for this. */
static void let_go(struct session *session)
{
    gate_let_go(&the_milter->gate, &session->holds_gate);
}

static sfsistat handle_helo(struct session *session, const char *name)
{
    if (session != NULL) {
        let_go(session);
        session_helo(session, name);
    }
    return SMFIS_NOREPLY;
}

/*
 * A session is counted by its first sender: after XCLIENT the server begins a second one
 * here for the same client, and the first, of whoever speaks for the client, had none.
 */
static void count_session(struct session *session)
{
    if (!session->has_sender)
        count(TALLY_SESSION);
    session->has_sender = true;
}

static sfsistat handle_mail(SMFICTX *ctx, struct session *session, char **argv)
{
    if (session != NULL) {
        let_go(session);
        count_session(session);
        session_mail(session, &session->setup->bench, argv[0] == NULL ? "" : argv[0],
                     smfi_getsymval(ctx, macro_auth_authen));
    }
    return SMFIS_NOREPLY;
}

static struct message *message_of(const struct session *session)
{
    return session == NULL ? NULL : session->message;
}

static sfsistat handle_recipient(SMFICTX *ctx, struct session *session, char **argv)
{
    if (message_of(session) != NULL)
        message_recipient(session->message, argv[0] == NULL ? "" : argv[0],
                          smfi_getsymval(ctx, macro_rcpt_mailer),
                          smfi_getsymval(ctx, macro_rcpt_host));
    return SMFIS_CONTINUE;
}

static sfsistat handle_header(struct session *session, const char *name, const char *value)
{
    if (message_of(session) != NULL)
        message_header(session->message, name, value);
    return SMFIS_NOREPLY;
}

static sfsistat handle_end_header(struct session *session)
{
    if (message_of(session) != NULL) {
        gate_hold(&the_milter->gate, &session->holds_gate);
        message_end_header(session->message);
    }
    return SMFIS_NOREPLY;
}

static sfsistat handle_body(struct session *session, const unsigned char *bytes, size_t len)
{
    struct message *message = message_of(session);
    bool wanted = message != NULL && message_wants_body(message);

    if (wanted)
        message_body(message, bytes, len);
    if (session == NULL || session->body_reply == BODY_CONTINUE)
        return SMFIS_CONTINUE;
    if (session->body_reply == BODY_NOREPLY)
        return SMFIS_NOREPLY;
    return wanted ? SMFIS_CONTINUE : SMFIS_SKIP;
}

/* libmilter takes char * and changes nothing. */
static char *name_of(enum fields_kind kind)
{
    return (char *)(uintptr_t)fields_kind_name(kind);
}

/* From the highest number down: each removal changes the numbers behind it (CVE-2022-48521). */
static int remove_fields(SMFICTX *ctx, const struct fields *fields)
{
    for (enum fields_kind kind = 0; kind < FIELDS_KINDS; kind++) {
        const struct fields_list *list = &fields->lists[kind];
        for (size_t i = list->remove_count; i-- > 0;)
            if (smfi_chgheader(ctx, name_of(kind), (int)list->remove[i], NULL) != MI_SUCCESS)
                return -1;
    }
    return 0;
}

/* At index 0, above the Received field that the server itself adds: RFC 8601 section 4. */
static int add_field(SMFICTX *ctx, enum spacing spacing, char *name, const char *value)
{
    struct buf field;
    int rc;

    buf_init(&field);
    if (spacing == SPACING_KEPT)
        buf_putc(&field, ' ');
    buf_puts(&field, value);
    rc = smfi_insheader(ctx, 0, name, (char *)field.data);
    buf_fini(&field);
    return rc == MI_SUCCESS ? 0 : -1;
}

static int add_action(SMFICTX *ctx, enum spacing spacing, const struct action *action)
{
    struct buf value;
    int rc;

    if (action->kind == CONFIG_ACTION_ACCEPT)
        return 0;
    buf_init(&value);
    buf_printf(&value, "%s;\n\t%s: %s", action_name(action->kind), action->method, action->text);
    rc = add_field(ctx, spacing, name_of(FIELDS_ACTION), buf_str(&value));
    buf_fini(&value);
    return rc;
}

static int change(SMFICTX *ctx, const struct session *session, const struct buf *results)
{
    const struct message *message = session->message;

    if (remove_fields(ctx, &message->fields) != 0 ||
        add_action(ctx, session->spacing, &message->action) != 0)
        return -1;
    for (size_t i = 0; i < message->signature_count; i++)
        if (add_field(ctx, session->spacing, signature_name, buf_str(&message->signatures[i])) != 0)
            return -1;
    return results->len == 0
               ? 0
               : add_field(ctx, session->spacing, name_of(FIELDS_AUTHRES), buf_str(results));
}

static sfsistat refuse_fields(SMFICTX *ctx, const char *queue_id, const struct fields *fields)
{
    unsigned seen = fields->lists[FIELDS_AUTHRES].seen + fields->lists[FIELDS_ACTION].seen;

    count(TALLY_MESSAGE_REFUSED);
    log_info(queue_id, "reject", LOG_UINT("fields", seen),
             LOG_STR("reason", "more Authentication-Results to remove than can be"));
    (void)smfi_setreply(ctx, reply_code, reply_status, reply_text);
    return SMFIS_REJECT;
}

/* libmilter reads the text as a format of its own, in which a percent sign is doubled. */
static sfsistat reply(SMFICTX *ctx, const struct action *action)
{
    struct buf text;

    buf_init(&text);
    for (const char *p = action->text; *p != '\0'; p++) {
        if (*p == '%')
            buf_putc(&text, '%');
        buf_putc(&text, *p);
    }
    (void)smfi_setreply(ctx, (char *)action->code, (char *)action->status, (char *)text.data);
    buf_fini(&text);
    return action->kind == CONFIG_ACTION_REJECT ? SMFIS_REJECT : SMFIS_TEMPFAIL;
}

static sfsistat end_message(SMFICTX *ctx, struct session *session, const char *queue_id)
{
    struct message *message = session->message;
    struct buf results;
    int rc;

    if (message->fields.too_many)
        return refuse_fields(ctx, queue_id, &message->fields);
    buf_init(&results);
    message_finish(message, queue_id, &results);
    rc = message->action.code == NULL || message->action.kind == CONFIG_ACTION_ACCEPT
             ? change(ctx, session, &results)
             : 1;
    buf_fini(&results);
    if (rc > 0)
        return reply(ctx, &message->action);
    if (rc == 0)
        return SMFIS_CONTINUE;
    count(TALLY_CHANGE_FAILED);
    log_error(queue_id, "change-failed",
              LOG_STR("reason", "the server took no change of the header"),
              LOG_STR("session", session->name));
    return SMFIS_TEMPFAIL;
}

static sfsistat handle_eom(SMFICTX *ctx, struct session *session)
{
    const char *queue_id = smfi_getsymval(ctx, macro_queue_id);
    sfsistat status;

    if (message_of(session) == NULL)
        return SMFIS_TEMPFAIL;
    status = end_message(ctx, session, queue_id == NULL ? session->name : queue_id);
    message_free(&session->message);
    let_go(session);
    return status;
}

static sfsistat handle_abort(struct session *session)
{
    if (session != NULL) {
        message_free(&session->message);
        let_go(session);
    }
    return SMFIS_CONTINUE;
}

static sfsistat handle_close(SMFICTX *ctx, struct session *session)
{
    if (session == NULL)
        return SMFIS_CONTINUE;
    let_go(session);
    if (session->is_counted) {
        limit_release(&the_milter->sessions);
        count(TALLY_CONNECTION_CLOSED);
    }
    session_free(&the_milter->roster, &session);
    smfi_setpriv(ctx, NULL);
    return SMFIS_CONTINUE;
}

#define THROUGH_GATE(session, otherwise, handler)                                                  \
    return gate_enter(&the_milter->gate, (session) == NULL ? NULL : &(session)->holds_gate)        \
               ? gate_leave(&the_milter->gate, handler)                                            \
               : (otherwise)

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long f2, unsigned long f3, unsigned long *actions_r,
                             unsigned long *steps_r, unsigned long *f2_r, unsigned long *f3_r)
{
    const struct session *no_session = NULL;

    (void)f2, (void)f3;
    *f2_r = *f3_r = 0;
    THROUGH_GATE(no_session, SMFIS_REJECT,
                 handle_negotiate(ctx, actions, steps, actions_r, steps_r));
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *addr)
{
    struct session *session = smfi_getpriv(ctx);

    (void)host;
    THROUGH_GATE(session, SMFIS_TEMPFAIL, handle_connect(ctx, session, addr));
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
    struct session *session = smfi_getpriv(ctx);

    THROUGH_GATE(session, SMFIS_NOREPLY, handle_helo(session, name));
}

static sfsistat on_mail(SMFICTX *ctx, char **argv)
{
    struct session *session = smfi_getpriv(ctx);

    THROUGH_GATE(session, SMFIS_NOREPLY, handle_mail(ctx, session, argv));
}

static sfsistat on_recipient(SMFICTX *ctx, char **argv)
{
    struct session *session = smfi_getpriv(ctx);

    THROUGH_GATE(session, SMFIS_CONTINUE, handle_recipient(ctx, session, argv));
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    struct session *session = smfi_getpriv(ctx);

    THROUGH_GATE(session, SMFIS_NOREPLY, handle_header(session, name, value));
}

static sfsistat on_end_header(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);

    THROUGH_GATE(session, SMFIS_NOREPLY, handle_end_header(session));
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *bytes, size_t len)
{
    struct session *session = smfi_getpriv(ctx);

    THROUGH_GATE(session, SMFIS_NOREPLY, handle_body(session, bytes, len));
}

static sfsistat on_eom(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);

    THROUGH_GATE(session, SMFIS_TEMPFAIL, handle_eom(ctx, session));
}

static sfsistat on_abort(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);

    THROUGH_GATE(session, SMFIS_CONTINUE, handle_abort(session));
}

static sfsistat on_close(SMFICTX *ctx)
{
    struct session *session = smfi_getpriv(ctx);

    THROUGH_GATE(session, SMFIS_CONTINUE, handle_close(ctx, session));
}

int callbacks_register(struct milter *milter)
{
    static char name[] = "postern-milter";
    const struct smfiDesc table = {
        .xxfi_name = name,
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = ACTIONS | SMFIF_SETSYMLIST,
        .xxfi_negotiate = on_negotiate,
        .xxfi_connect = on_connect,
        .xxfi_helo = on_helo,
        .xxfi_envfrom = on_mail,
        .xxfi_envrcpt = on_recipient,
        .xxfi_header = on_header,
        .xxfi_eoh = on_end_header,
        .xxfi_body = on_body,
        .xxfi_eom = on_eom,
        .xxfi_abort = on_abort,
        .xxfi_close = on_close,
    };

    the_milter = milter;
    (void)smfi_setmaxdatasize(COMMAND_MAX);
    return smfi_register(table) == MI_SUCCESS ? 0 : -1;
}
