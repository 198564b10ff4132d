/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tests/unit/dmarc_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "tests/unit/unit.h"

static void add_record(struct fake_dns *fake, const char *domain, const char *what)
{
    char name[300], text[1000];

    snprintf(name, sizeof(name), "_dmarc.%s", domain);
    snprintf(text, sizeof(text), "v=DMARC1; %s", what);
    if (str_eq(what, "SERVFAIL"))
        fake_dns_fail(fake, name, DNS_TYPE_TXT, DNS_SERVFAIL);
    else if (str_eq(what, "TIMEOUT"))
        fake_dns_fail(fake, name, DNS_TYPE_TXT, DNS_TIMEOUT);
    else if (str_eq(what, "BOGUS"))
        fake_dns_fail(fake, name, DNS_TYPE_TXT, DNS_BOGUS);
    else
        fake_dns_add(fake, name, DNS_TYPE_TXT, *what == '=' ? what + 1 : text);
}

void dmarc_zone_add(struct fake_dns *fake, const char *lines)
{
    char *copy = x_strdup(lines), *rest = copy, *line;

    while ((line = strsep(&rest, "\n"))) {
        char *what = strchr(line, ' ');
        if (!*line)
            continue;
        BUG_ON(!what);
        *what++ = 0;
        if (str_eq(what, "EXISTS"))
            fake_dns_add(fake, line, DNS_TYPE_A, "192.0.2.1");
        else if (str_eq(what, "A-SERVFAIL"))
            fake_dns_fail(fake, line, DNS_TYPE_A, DNS_SERVFAIL);
        else
            add_record(fake, line, what);
    }
    free(copy);
}

/* "a.example ?b.example": the second may or may not have passed. */
static void read_signers(struct dmarc_message *message, char *list)
{
    char *word;

    while ((word = strsep(&list, " "))) {
        if (!*word)
            continue;
        if (*word == '?')
            message->unknown[message->facts.dkim_unknown_count++] = word + 1;
        else
            message->passed[message->facts.dkim_count++] = word;
    }
}

static void read_authors(struct author *author, char *list)
{
    char *word;

    author->status = AUTHOR_OK;
    while ((word = strsep(&list, " ")))
        snprintf(author->domains[author->count++], DNS_NAME_MAX, "%s", word);
}

/* spf: the domain, "?domain" or "?" where it is not known, "". */
void dmarc_message_init(struct dmarc_message *message, const char *authors, const char *spf,
                        const char *signers)
{
    memset(message, 0, sizeof(*message));
    message->texts[0] = x_strdup(authors);
    message->texts[1] = x_strdup(spf);
    message->texts[2] = x_strdup(signers);
    read_authors(&message->author, message->texts[0]);
    read_signers(message, message->texts[2]);
    struct dmarc_facts *facts = &message->facts;
    facts->author = &message->author;
    facts->spf_unknown = *spf == '?';
    const char *domain = message->texts[1] + facts->spf_unknown;
    facts->spf_domain = *domain ? domain : NULL;
    facts->dkim_domains = message->passed;
    facts->dkim_unknown_domains = message->unknown;
}

void dmarc_message_fini(struct dmarc_message *message)
{
    for (size_t i = 0; i < COUNT(message->texts); i++)
        free(message->texts[i]);
}

void dmarc_run(const char *zone, struct dmarc_message *message, struct dmarc_verdict *verdict_r)
{
    struct dns_budget budget = {1000};
    struct fake_dns fake;

    fake_dns_init(&fake);
    dmarc_zone_add(&fake, zone);
    dmarc_evaluate(&message->facts, &fake.dns, &budget, verdict_r);
    assert_in_range(verdict_r->queries, message->author.count ? 1 : 0, fake.asked);
    assert_in_range(fake.asked, 0, verdict_r->queries + message->author.count);
    fake_dns_fini(&fake);
}

/* "pass a.example by example reject as quarantine, spf dkim" */
static char *show(const struct dmarc_verdict *verdict)
{
    struct buf out = {0};

    buf_printf(&out, "%s %s", auth_result_name(verdict->result), verdict->domain);
    if (*verdict->record_domain)
        buf_printf(&out, " by %s %s", verdict->record_domain,
                   dmarc_policy_name(verdict->published));
    if (verdict->testing || verdict->policy != verdict->published)
        buf_printf(&out, " as %s", dmarc_policy_name(verdict->policy));
    if (verdict->spf_aligned || verdict->dkim_aligned)
        buf_printf(&out, ",%s%s", verdict->spf_aligned ? " spf" : "",
                   verdict->dkim_aligned ? " dkim" : "");
    if (*verdict->reason)
        buf_printf(&out, ": %s", verdict->reason);
    return buf_steal(&out);
}

void dmarc_check_examples(const struct dmarc_example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct dmarc_example *example = &examples[i];
        struct dmarc_verdict verdict;
        struct dmarc_message message;
        dmarc_message_init(&message, example->authors, example->spf, example->signers);
        dmarc_run(example->zone, &message, &verdict);
        char *got = show(&verdict);
        if (!str_eq(got, example->wanted))
            fail_msg("%s: %s, not %s", example->name, got, example->wanted);
        free(got);
        dmarc_message_fini(&message);
    }
}
