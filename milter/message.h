/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_MESSAGE_H
#define PN_MILTER_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/clock.h"
#include "common/config/config.h"
#include "common/net/report.h"
#include "milter/action.h"
#include "milter/fields.h"
#include "milter/judge.h"
#include "milter/outbound.h"
#include "milter/tally.h"

/* Tell policyd; never waits. Texts are borrowed for the call. */
typedef void (*message_report_fn)(const struct report *report, void *ctx);

/* What all messages are judged with; constant while there are sessions. */
struct workbench {
    const struct config *config;
    const struct origin_rules *rules;
    const struct spf_engine *engine;
    struct dns *dns;
    struct dkim_library *dkim;
    const struct sign_keys *sign_keys;
    const struct clock *clock;
    struct tally *tally;      /* NULL: nobody counts */
    message_report_fn report; /* NULL: nobody is told */
    void *report_ctx;
};

/* Whether the server gives a header field's value with the space behind the colon. */
enum spacing {
    SPACING_UNKNOWN, /* nothing was negotiated for this session */
    SPACING_KEPT,
    SPACING_REMOVED,
};

/* The sender's side of one session, for as long as a message of it lives. */
struct message_client {
    const char *session; /* name for the log */
    const struct origin *origin;
    const char *helo; /* "" when there was none */
    enum spacing spacing;
};

/* One mail transaction, from MAIL to its end or abort. */
struct message {
    const struct workbench *bench;
    struct message_client client;
    bool has_received;      /* its newest Received field has been seen */
    const char *hidden;     /* relayed: why that field does not name the client, or NULL */
    struct origin restored; /* what it says */
    char *helo;             /* and of the HELO */
    char *sender;           /* "" for the null sender; NULL: not to be judged */
    char *login;            /* NULL: not authenticated */
    bool is_judged;         /* neither local nor authenticated */
    bool bears_signature;
    struct fields fields;
    struct author author;
    struct dns_budget budget;
    struct dns_memo memo;           /* only when judged */
    struct dkim_verifier *verifier; /* only when judged */
    struct outbound *outbound;      /* only when it may be signed */
    bool has_judgement;
    struct judgement judgement;
    struct action action; /* once it is finished */
    struct buf signatures[CONFIG_SIGNATURES_MAX];
    size_t signature_count;
    int64_t busy_ms;
};

/*
 * sender: the argument of MAIL; login: {auth_authen}, NULL or "" when there was no
 * authentication. What client points to lives as long as the message.
 */
struct message *message_new(const struct workbench *bench, const struct message_client *client,
                            const char *sender, const char *login);
void message_free(struct message **message);

/*
 * A recipient, with the server's macros {rcpt_mailer} and {rcpt_host}, each NULL when
 * not told: one that is refused may be an event of the client.
 */
void message_recipient(const struct message *message, const char *argument, const char *mailer,
                       const char *host);

/* All header fields in order, then message_end_header(), then the body in pieces. */
void message_header(struct message *message, const char *name, const char *value);
void message_end_header(struct message *message);
void message_body(struct message *message, const uint8_t *bytes, size_t len);

/* False where nothing in the body can change what is said of the message. */
bool message_wants_body(const struct message *message);

/*
 * Judge, append the value of Authentication-Results to field (nothing for a message that is not
 * judged), report what is wrong with it, and write the line that the log has for each
 * message; queue_id is its first word, NULL when there is none. Then signatures has the values
 * of the DKIM-Signature fields that it gets, and action says what is to become of it; without
 * enforce it is accepted, and the log says what would have.
 */
void message_finish(struct message *message, const char *queue_id, struct buf *field);

#endif
