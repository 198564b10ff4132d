/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/tally.h"

#include "common/wire/attr.h"
#include "common/wire/metric.h"

void tally_add(struct tally *tally, enum tally_id id, unsigned which, uint64_t count)
{
    if (tally != NULL)
        atomic_fetch_add_explicit(&tally->counts[id + which], count, memory_order_relaxed);
}

void tally_fini(struct tally *tally)
{
    by_gateway_fini(&tally->gateways);
}

uint64_t tally_get(const struct tally *tally, enum tally_id id, unsigned which)
{
    return atomic_load_explicit(&tally->counts[id + which], memory_order_relaxed);
}

static void ask_and_count(struct dns *dns, const struct dns_question *questions, size_t count,
                          struct dns_budget *budget, struct dns_answer *answers_r)
{
    struct tally *tally = (struct tally *)(void *)((char *)dns - offsetof(struct tally, dns));

    dns_ask(tally->asked, questions, count, budget, answers_r);
    for (size_t i = 0; i < count; i++)
        tally_add(tally, TALLY_DNS, answers_r[i].status, 1);
}

struct dns *tally_dns(struct tally *tally, struct dns *asked)
{
    tally->dns.ask = ask_and_count;
    tally->asked = asked;
    return &tally->dns;
}

/* --- what is shown of it --------------------------------------------------- */

static const char *origin_label(unsigned which)
{
    return origin_kind_name((enum origin_kind)which);
}

static const char *source_label(unsigned which)
{
    return origin_source_name((enum origin_source)which);
}

static const char *result_label(unsigned which)
{
    return auth_result_name((enum auth_result)which);
}

static const char *dns_label(unsigned which)
{
    static const char *const names[TALLY_DNS_STATUSES] = {
        [DNS_FOUND] = "found",       [DNS_NXDOMAIN] = "nxdomain", [DNS_NODATA] = "nodata",
        [DNS_SERVFAIL] = "servfail", [DNS_TIMEOUT] = "timeout",   [DNS_BOGUS] = "bogus",
    };
    return names[which];
}

static const char *reload_label(unsigned which)
{
    return which == 0 ? "ok" : "error";
}

#define COUNTER(name, help, ...)                                                                   \
    {                                                                                              \
        "postern_milter_" name "_total", METRIC_COUNTER, help,                                     \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static const struct family {
    const char *name; /* in a status */
    enum tally_id first;
    unsigned count;
    const char *(*label)(unsigned which); /* NULL: count is 1 */
    struct metric metric;
} families[] = {
    {"connections", TALLY_CONNECTION, 1, NULL,
     COUNTER("connections", "Connections of mail servers; after XCLIENT a second one.", NULL)},
    {"sessions_begun", TALLY_SESSION, 1, NULL,
     COUNTER("sessions", "SMTP sessions in which a sender was named.", NULL)},
    {"too_many_sessions", TALLY_TOO_MANY_SESSIONS, 1, NULL,
     COUNTER("sessions_delayed", "Sessions told to come back: max_sessions were open.", NULL)},
    {"origin_refused", TALLY_ORIGIN_REFUSED, 1, NULL,
     COUNTER("sessions_refused", "Sessions of a client that cannot be; also without enforce.",
             NULL)},
    {"negotiation_failed", TALLY_NEGOTIATION_FAILED, 1, NULL,
     COUNTER("negotiations_failed", "Servers that do not let a milter change fields.", NULL)},
    {"messages", TALLY_MESSAGE, ORIGIN_KINDS, origin_label,
     COUNTER("messages", "Messages to their end, by what is known of the client.", "origin")},
    {"message_sources", TALLY_SOURCE, ORIGIN_SOURCES, source_label,
     COUNTER("message_sources", "Messages to their end, by who told the client.", "source")},
    {"messages_authenticated", TALLY_AUTHENTICATED, 1, NULL,
     COUNTER("messages_authenticated", "Messages of senders who logged in.", NULL)},
    {"messages_refused", TALLY_MESSAGE_REFUSED, 1, NULL,
     COUNTER("messages_refused", "Messages with too many fields to remove.", NULL)},
    {"messages_rejected", TALLY_REJECTED, 1, NULL,
     COUNTER("messages_rejected", "Messages rejected for a result of theirs.", NULL)},
    {"messages_delayed", TALLY_DELAYED, 1, NULL,
     COUNTER("messages_delayed", "Messages told to come back for a result of theirs.", NULL)},
    {"messages_quarantined", TALLY_QUARANTINED, 1, NULL,
     COUNTER("messages_quarantined", "Messages marked for Sieve to file away.", NULL)},
    {"messages_marked", TALLY_MARKED, 1, NULL,
     COUNTER("messages_marked", "Messages marked for a result of theirs.", NULL)},
    {"signatures", TALLY_SIGNATURE, 1, NULL,
     COUNTER("signatures", "DKIM signatures written.", NULL)},
    {"messages_not_signed", TALLY_NOT_SIGNED, 1, NULL,
     COUNTER("messages_not_signed", "Messages that a key is for and that could not be signed.",
             NULL)},
    {"changes_failed", TALLY_CHANGE_FAILED, 1, NULL,
     COUNTER("changes_failed", "Messages whose change the server did not take.", NULL)},
    {"fields_removed", TALLY_FIELD_REMOVED, 1, NULL,
     COUNTER("fields_removed", "Fields removed that only this server may write.", NULL)},
    {"spf", TALLY_SPF, TALLY_RESULTS, result_label,
     COUNTER("spf_results", "SPF checks of the sender.", "result")},
    {"spf_helo", TALLY_SPF_HELO, TALLY_RESULTS, result_label,
     COUNTER("spf_helo_results", "SPF checks of the HELO name.", "result")},
    {"dkim", TALLY_DKIM, TALLY_RESULTS, result_label,
     COUNTER("dkim_results", "DKIM signatures; none: messages without one.", "result")},
    {"dmarc", TALLY_DMARC, TALLY_RESULTS, result_label,
     COUNTER("dmarc_results", "DMARC checks of the author.", "result")},
    {"iprev", TALLY_IPREV, TALLY_RESULTS, result_label,
     COUNTER("iprev_results", "Checks of the client's name.", "result")},
    {"dns", TALLY_DNS, TALLY_DNS_STATUSES, dns_label,
     COUNTER("dns_answers", "Answers of DNS, those of the cache included.", "status")},
    {"reload", TALLY_RELOAD, TALLY_RELOADS, reload_label,
     COUNTER("reloads", "Readings of the file anew.", "result")},
};
#define FAMILY_COUNT (sizeof(families) / sizeof(families[0]))

static const struct metric sessions_metric = {
    "postern_milter_sessions", METRIC_GAUGE, "SMTP sessions open now.", {NULL}};
static const struct metric gateways_metric = {
    "postern_milter_message_gateways_total",
    METRIC_COUNTER,
    "Messages to their end, by the gateway that they came through.",
    {"gateway"}};
static const struct metric time_metric = {"postern_milter_message_seconds",
                                          METRIC_HISTOGRAM,
                                          "Time to judge a message, waiting for DNS included.",
                                          {NULL}};

/* Sessions end after they began: read in this order it is never below zero. */
static uint64_t open_sessions(const struct tally *tally)
{
    uint64_t closed = tally_get(tally, TALLY_CONNECTION_CLOSED, 0);

    return tally_get(tally, TALLY_CONNECTION, 0) - closed;
}

static void put_family(const struct tally *tally, const struct family *family, struct buf *out)
{
    metric_put_head(out, &family->metric);
    for (unsigned i = 0; i < family->count; i++) {
        const char *label = family->label == NULL ? NULL : family->label(i);
        metric_put(out, &family->metric, (const char *[]){label, NULL},
                   tally_get(tally, family->first, i));
    }
}

void tally_put_metrics(const struct tally *tally, struct buf *out)
{
    metric_put_head(out, &sessions_metric);
    metric_put(out, &sessions_metric, NULL, open_sessions(tally));
    for (size_t i = 0; i < FAMILY_COUNT; i++)
        put_family(tally, &families[i], out);
    metric_put_head(out, &gateways_metric);
    by_gateway_put(&tally->gateways, &gateways_metric, out);
    metric_put_head(out, &time_metric);
    metric_put_histogram(out, &time_metric, &tally->message_time);
}

void tally_put_status(const struct tally *tally, struct buf *out)
{
    attr_put_uint(out, "sessions", open_sessions(tally));
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        const struct family *family = &families[i];
        for (unsigned which = 0; which < family->count; which++) {
            struct buf name = {0};
            buf_puts(&name, family->name);
            if (family->label != NULL)
                buf_printf(&name, "_%s", family->label(which));
            attr_put_uint(out, buf_str(&name), tally_get(tally, family->first, which));
            buf_fini(&name);
        }
    }
}
