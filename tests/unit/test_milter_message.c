/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "tests/unit/unit.h"

#define OURS "mail.example.org"

/* Answers one TXT record for one name; each question takes 7 ms of the budget and the clock. */
static int64_t now_ms;

static void answer_txt(struct dns_answer *answer, const char *text)
{
    answer->status = DNS_FOUND;
    answer->count = 1;
    answer->records = x_calloc(1, sizeof *answer->records);
    answer->records[0].txt = (uint8_t *)x_strdup(text);
    answer->records[0].txt_len = strlen(text);
}

static void fake_ask(struct dns *dns, const struct dns_question *questions, size_t count,
                     struct dns_budget *budget, struct dns_answer *answers_r)
{
    (void)dns;
    now_ms += 7;
    budget->left_ms -= 7;
    for (size_t i = 0; i < count; i++) {
        answers_r[i] = (struct dns_answer){.status = DNS_NXDOMAIN};
        if (questions[i].type == DNS_TYPE_TXT && str_eq_nocase(questions[i].name, "example.net"))
            answer_txt(&answers_r[i], "v=spf1 ip4:203.0.113.9 -all");
    }
}

static int64_t fake_mono(const struct clock *clock)
{
    (void)clock;
    return now_ms;
}

static char host_name[] = OURS;
static char gateway_name[] = "vps1";
static const struct config_gateway gateway = {.name = gateway_name};
static struct config config = {.hostname = host_name,
                               .dns_timeout_ms = 1000,
                               .milter = {.max_signatures = 8, .authserv_id = host_name}};
static struct dns dns = {.ask = fake_ask};
static const struct clock fake_clock = {.wall_ms = fake_mono, .mono_ms = fake_mono};
static struct workbench bench = {.config = &config, .dns = &dns, .clock = &fake_clock};

static struct roster roster;
static struct buf logged;

static void keep_log(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)ctx;
    buf_puts(&logged, line);
    buf_putc(&logged, '\n');
}

static int setup(void **state)
{
    (void)state;
    roster_init(&roster);
    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_INFO);
    log_capture(keep_log, NULL);
    bench.engine = spf_engine_find(NULL);
    bench.dkim = dkim_library_new(NULL);
    return bench.dkim == NULL;
}

static int teardown(void **state)
{
    (void)state;
    roster_fini(&roster);
    dkim_library_free(&bench.dkim);
    buf_fini(&logged);
    return 0;
}

static struct session *session_from(enum origin_kind kind, const char *client)
{
    struct session *session = session_new(&roster);

    session->spacing = SPACING_KEPT;
    session->origin.kind = kind;
    if (client != NULL)
        assert_int_equal(addr_parse(client, &session->origin.addr), 0);
    return session;
}

/* One message with a forged field; the field of ours. The caller frees. */
static char *judge(struct session *session, const char *sender, const char *login)
{
    struct buf field;

    buf_init(&field);
    buf_reset(&logged);
    session_mail(session, &bench, sender, login);
    message_header(session->message, "Authentication-Results", " " OURS "; spf=pass");
    message_header(session->message, "From", " a@example.net");
    message_end_header(session->message);
    message_body(session->message, (const uint8_t *)"x\r\n", 3);
    message_finish(session->message, "4QUEUE", &field);
    assert_int_equal(fields_remove_count(&session->message->fields), 1);
    return buf_steal(&field);
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in \"%s\"", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part) != NULL)
        fail_msg("\"%s\" in \"%s\"", part, text);
}

static void test_known(void **state)
{
    struct session *session = session_from(ORIGIN_KNOWN, "203.0.113.9");
    char *field;

    (void)state;
    session->origin.source = ORIGIN_SOURCE_PROXY;
    session->origin.gateway = &gateway;
    session_helo(session, "helo.example.net");
    field = judge(session, "<a@example.net>", NULL);
    assert_true(str_has_prefix(field, OURS ";") || str_has_prefix(field, OURS " "));
    assert_has(field, "spf=pass");
    assert_has(field, "dkim=none");
    assert_has(field, "iprev=");
    assert_has(field, "203.0.113.9");
    assert_has(field, "(through gateway vps1, proxy)");
    assert_true(str_has_prefix(buf_str(&logged), "4QUEUE message client=203.0.113.9 "));
    assert_has(buf_str(&logged), "origin=known source=proxy gateway=vps1 helo=helo.example.net "
                                 "sender=a@example.net spf=pass spf_helo=none dkim=none dmarc=none "
                                 "author=example.net iprev=");
    assert_has(buf_str(&logged), "removed=1 ms=");
    assert_lacks(buf_str(&logged), "ms=0");
    free(field);
    session_free(&roster, &session);
}

static void test_without_end_of_header(void **state)
{
    struct session *session = session_from(ORIGIN_KNOWN, "203.0.113.9");
    struct buf field;

    (void)state;
    buf_init(&field);
    session_mail(session, &bench, "<a@example.net>", NULL);
    message_finish(session->message, "4QUEUE", &field);
    assert_has(buf_str(&field), "spf=pass");
    buf_fini(&field);
    session_free(&roster, &session);
}

static void test_masked(void **state)
{
    static const struct {
        enum origin_kind kind;
        const char *client, *reason;
    } cases[] = {
        {ORIGIN_MASKED, NULL, "hidden by gateway vps1"},
        {ORIGIN_REFUSED, "10.0.0.1", "gateway vps1 names 10.0.0.1"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct session *session = session_from(cases[i].kind, cases[i].client);
        session->origin.gateway = &gateway;
        session_helo(session, "example.net");
        char *field = judge(session, "<a@example.net>", NULL);
        assert_has(field, "spf=temperror");
        assert_has(field, cases[i].reason);
        assert_has(field, "dkim=none");
        assert_lacks(field, "iprev");
        assert_has(buf_str(&logged), "spf=masked spf_helo=masked dkim=none dmarc=none "
                                     "author=example.net iprev=masked");
        free(field);
        session_free(&roster, &session);
    }
}

/* --- the client of a gateway's MTA --------------------------------------------------------- */

#define FROM(helo, addr)                                                                           \
    " from " helo " (unknown [" addr "])\n\tby mx.example.com (Postfix) with SMTP id 4"

static char mta_name[] = "mx.example.com";
static const struct config_gateway relay = {
    .name = gateway_name, .mta = CONFIG_MTA_POSTFIX, .mta_name = mta_name};
static struct origin_rules rules = {.config = &config};

static struct session *relayed_session(void)
{
    struct session *session = session_from(ORIGIN_MASKED, NULL);

    session->origin.gateway = &relay;
    session->origin.is_relayed = true;
    session_helo(session, "mx.example.com");
    bench.rules = &rules;
    return session;
}

/* A message with these fields; ours about it. The caller frees. */
static char *judge_relayed(struct session *session, const char *const *fields)
{
    struct buf field;

    buf_init(&field);
    buf_reset(&logged);
    session_mail(session, &bench, "<a@example.net>", NULL);
    for (; *fields; fields += 2)
        message_header(session->message, fields[0], fields[1]);
    message_end_header(session->message);
    message_finish(session->message, "4QUEUE", &field);
    return buf_steal(&field);
}

static void test_relayed(void **state)
{
    static const char *const fields[] = {"X-Gateway", " put above",
                                         "received",  FROM("helo.example.net", "203.0.113.9"),
                                         "Received",  FROM("older.example.net", "203.0.113.10"),
                                         "From",      " a@example.net",
                                         NULL};
    static const char *const next[] = {
        "Received",
        " from b.exam\n ple (unknown [203.0.11\n 3.10])\n\tby mx.example.com (Postfix) with "
        "SMTP id 4",
        NULL};
    struct session *session = relayed_session();
    char *field = judge_relayed(session, fields);

    (void)state;
    assert_has(field, "(through gateway vps1, received)");
    assert_has(field, "policy.iprev=203.0.113.9");
    assert_has(field, "spf=pass");
    assert_has(field, "smtp.helo=helo.example.net");
    assert_has(buf_str(&logged), "client=203.0.113.9 origin=known source=received gateway=vps1 "
                                 "helo=helo.example.net ");
    assert_lacks(buf_str(&logged), "client-hidden");
    free(field);

    /* the next message of the session has a client of its own */
    assert_int_equal(session->origin.kind, ORIGIN_MASKED);
    field = judge_relayed(session, next);
    assert_has(field, "policy.iprev=203.0.113.10");
    assert_has(field, "spf=fail");
    free(field);
    session_free(&roster, &session);
}

static void test_relayed_without_a_client(void **state)
{
    static const struct {
        const char *fields[5], *why;
    } cases[] = {
        {{NULL}, "is missing"},
        {{"X-Received", FROM("h", "203.0.113.9"), NULL}, "is missing"},
        {{"Received", FROM("h", "10.0.0.1"), NULL}, "names a client that cannot come through it"},
        /* only the newest counts */
        {{"Received", " from elsewhere", "Received", FROM("h", "203.0.113.9"), NULL},
         "is not what this MTA writes for an SMTP client"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct session *session = relayed_session();
        char *field = judge_relayed(session, cases[i].fields), why[200];

        assert_has(field, "spf=temperror");
        snprintf(why, sizeof why, "hidden by gateway vps1: its Received field %s)", cases[i].why);
        assert_has(field, why);
        assert_lacks(field, "iprev");
        snprintf(why, sizeof why,
                 "4QUEUE client-hidden gateway=vps1 received=\"%s\" session=", cases[i].why);
        assert_has(buf_str(&logged), why);
        assert_has(buf_str(&logged), "origin=masked source=none");
        free(field);
        session_free(&roster, &session);
    }
}

/* A HELO that cannot be one is none; a session that is not relayed believes nothing. */
static void test_relayed_with_odd_words(void **state)
{
    static const char *const odd[] = {"Received", FROM("a\001b", "203.0.113.9"), NULL};
    static const char *const plain[] = {"Received", FROM("h", "203.0.113.9"), NULL};
    struct session *session = relayed_session();
    char *field = judge_relayed(session, odd);

    (void)state;
    assert_has(field, "policy.iprev=203.0.113.9");
    assert_lacks(field, "smtp.helo");
    free(field);
    session->origin.is_relayed = false;
    field = judge_relayed(session, plain);
    assert_has(field, "hidden by gateway vps1)");
    assert_lacks(buf_str(&logged), "client-hidden");
    free(field);
    session_free(&roster, &session);
}

static void test_not_judged(void **state)
{
    static const struct {
        enum origin_kind kind;
        const char *client, *login, *log;
    } cases[] = {
        {ORIGIN_LOCAL, NULL, NULL, "client=none origin=local login=- sender=a@example.net"},
        {ORIGIN_LOCAL, "192.168.1.7", "", "client=192.168.1.7 origin=local login=-"},
        {ORIGIN_KNOWN, "203.0.113.9", "alice", "client=203.0.113.9 origin=known login=alice"},
        {ORIGIN_MASKED, NULL, "alice", "client=none origin=masked login=alice"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct session *session = session_from(cases[i].kind, cases[i].client);
        char *field = judge(session, "<a@example.net>", cases[i].login);
        assert_string_equal(field, "");
        assert_has(buf_str(&logged), cases[i].log);
        assert_false(message_wants_body(session->message));
        free(field);
        session_free(&roster, &session);
    }
}

static void test_unusable_sender(void **state)
{
    struct session *session = session_from(ORIGIN_KNOWN, "203.0.113.9");
    struct buf sender;
    char *field;

    (void)state;
    buf_init(&sender);
    for (int i = 0; i < 1100; i++)
        buf_putc(&sender, 'a');
    buf_puts(&sender, "@example.net");
    field = judge(session, buf_str(&sender), NULL);
    assert_lacks(field, "spf=");
    assert_has(field, "iprev=");
    assert_has(buf_str(&logged), "sender=(unusable) spf=none");
    free(field);
    field = judge(session, buf_str(&sender), "alice");
    assert_has(buf_str(&logged), "login=alice sender=(unusable)");
    free(field);
    buf_fini(&sender);
    session_free(&roster, &session);
}

static void test_body_is_wanted_for_signatures(void **state)
{
    static const struct {
        const char *name;
        bool wants;
    } cases[] = {
        {"DKIM-Signature", true},
        {"dkim-signature", true},
        {"X-DKIM-Signature", false},
        {"DomainKey-Signature", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct session *session = session_from(ORIGIN_KNOWN, "203.0.113.9");
        session_mail(session, &bench, "<>", NULL);
        message_header(session->message, cases[i].name, " v=1");
        CASE(cases[i].name, message_wants_body(session->message) == cases[i].wants);
        session_free(&roster, &session);
    }
}

/* The last report, and how many there were. */
static struct {
    unsigned count, weight;
    char event[32], recipient[64], session[32], login[32];
} told;

static void tell(const struct report *report, void *ctx)
{
    assert_ptr_equal(ctx, &told);
    told.count++;
    told.weight = report->weight;
    assert_int_equal(report->at_ms, now_ms);
    snprintf(told.event, sizeof(told.event), "%s", report->event);
    snprintf(told.session, sizeof(told.session), "%s", report->session);
    snprintf(told.login, sizeof(told.login), "%s", report->login ? report->login : "");
    snprintf(told.recipient, sizeof(told.recipient), "%s",
             report->recipient ? report->recipient : "-");
}

static void test_refused_recipients_are_told(void **state)
{
    static const struct {
        enum origin_kind kind;
        const char *sender, *login, *status;
        unsigned count;
    } cases[] = {
        {ORIGIN_KNOWN, "<a@example.net>", NULL, "5.1.1", 1},
        {ORIGIN_KNOWN, "<a@example.net>", "alice", "5.1.1", 1},
        {ORIGIN_KNOWN, "<a@example.net>", NULL, "4.1.1", 0},
        {ORIGIN_MASKED, "<a@example.net>", NULL, "5.1.1", 0},
        {ORIGIN_LOCAL, "<a@example.net>", NULL, "5.1.1", 0},
        {ORIGIN_REFUSED, "<a@example.net>", NULL, "5.1.1", 0},
    };

    (void)state;
    bench.report = tell;
    bench.report_ctx = &told;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct session *session = session_from(cases[i].kind, "203.0.113.9");
        told.count = 0;
        session_mail(session, &bench, cases[i].sender, cases[i].login);
        message_recipient(session->message, "<bob@example.org>", "error", cases[i].status);
        assert_int_equal(told.count, cases[i].count);
        session_free(&roster, &session);
    }
    bench.report = NULL;
    assert_string_equal(told.event, "rcpt_unknown");
    assert_string_equal(told.recipient, "bob@example.org");
    assert_string_equal(told.login, "alice");
    assert_int_equal(told.session[0], 'c');
}

static void test_a_failed_check_is_told_once(void **state)
{
    struct session *session = session_from(ORIGIN_KNOWN, "203.0.113.66");
    struct buf field;

    (void)state;
    buf_init(&field);
    told.count = 0;
    bench.report = tell;
    bench.report_ctx = &told;
    free(judge(session, "<a@example.net>", NULL));
    assert_int_equal(told.count, 1);
    assert_string_equal(told.event, "spf_fail");
    assert_string_equal(told.recipient, "-");
    assert_string_equal(told.session, "4QUEUE");
    free(judge(session, "<a@nothing.example.net>", NULL));
    assert_int_equal(told.count, 1);
    session_mail(session, &bench, "<a@nothing.example.net>", NULL);
    message_header(session->message, "DKIM-Signature", " garbage");
    message_header(session->message, "From", " a@example.net");
    message_end_header(session->message);
    message_finish(session->message, "4QUEUE", &field);
    bench.report = NULL;
    assert_int_equal(told.count, 2);
    assert_string_equal(told.event, "dkim_fail");
    buf_fini(&field);
    session_free(&roster, &session);
}

static void test_helo_and_mail_replace(void **state)
{
    struct session *session = session_from(ORIGIN_KNOWN, "203.0.113.9");

    (void)state;
    session_mail(session, &bench, "<a@example.net>", NULL);
    assert_string_equal(session->message->client.helo, "");
    session_helo(session, "one.example");
    assert_null(session->message);
    session_mail(session, &bench, "<a@example.net>", NULL);
    assert_string_equal(session->message->client.helo, "one.example");
    session_mail(session, &bench, "<b@example.net>", NULL);
    assert_string_equal(session->message->sender, "b@example.net");
    session_free(&roster, &session);
    assert_null(session);
    session_free(&roster, &session);
}

static void test_roster(void **state)
{
    struct roster few;
    struct session *sessions[4];

    (void)state;
    roster_init(&few);
    for (size_t i = 0; i < COUNT(sessions); i++)
        sessions[i] = session_new(&few);
    assert_ptr_equal(few.first, sessions[3]);
    session_free(&few, &sessions[1]);
    session_free(&few, &sessions[3]);
    assert_ptr_equal(few.first, sessions[2]);
    session_free(&few, &sessions[0]);
    assert_null(few.first->next);
    session_mail(sessions[2], &bench, "<a@example.net>", NULL);
    roster_fini(&few);
    assert_null(few.first);
}

static void test_summary(void **state)
{
    struct dkim_result results[7] = {{.result = AUTH_PASS, .domain = "a.example"},
                                     {.result = AUTH_FAIL, .domain = "b.example"}};
    struct judge_facts facts = {.dkim = results};
    struct buf out;

    (void)state;
    buf_init(&out);
    judge_dkim_summary(&facts, &out);
    assert_string_equal(buf_str(&out), "none");
    buf_reset(&out);
    facts.dkim_count = 2;
    judge_dkim_summary(&facts, &out);
    assert_string_equal(buf_str(&out), "pass:a.example fail:b.example");
    buf_reset(&out);
    facts.dkim_count = 7;
    judge_dkim_summary(&facts, &out);
    assert_string_equal(buf_str(&out), "pass:a.example fail:b.example none none none +2");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_without_end_of_header),
        cmocka_unit_test(test_masked),
        cmocka_unit_test(test_relayed),
        cmocka_unit_test(test_relayed_without_a_client),
        cmocka_unit_test(test_relayed_with_odd_words),
        cmocka_unit_test(test_not_judged),
        cmocka_unit_test(test_unusable_sender),
        cmocka_unit_test(test_body_is_wanted_for_signatures),
        cmocka_unit_test(test_refused_recipients_are_told),
        cmocka_unit_test(test_a_failed_check_is_told_once),
        cmocka_unit_test(test_helo_and_mail_replace),
        cmocka_unit_test(test_roster),
        cmocka_unit_test(test_summary),
    };
    return cmocka_run_group_tests_name("milter_message", tests, setup, teardown);
}
