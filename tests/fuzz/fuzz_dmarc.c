/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/mailauth/dmarc.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/fake_dns.h"

/*
 * Lines: the author domains, the SPF domain, the signers, then "DOMAIN TEXT" for each record,
 * "DOMAIN !" for one that DNS keeps back. "?" before an SPF domain or signer: not known
 * whether it passed.
 */
#define NAMES_MAX   16
#define RECORDS_MAX 24
#define GAPS_MAX    3
#define STRICT      "; adkim=s; aspf=s"

struct name {
    char text[DNS_NAME_MAX];
    bool passed;
};

struct sample {
    struct author author;
    struct name spf[1], signers[NAMES_MAX];
    size_t spf_count, signer_count;
    struct {
        const char *domain, *text;
    } records[RECORDS_MAX];
    size_t record_count;
    size_t gaps[GAPS_MAX]; /* of the records */
    size_t gap_count;
};

/* What a name that DNS keeps back may have. */
static const char *const completions[] = {NULL, "v=DMARC1;p=quarantine", "v=DMARC1;p=reject;psd=n",
                                          "v=DMARC1;p=reject;psd=y"};
#define COMPLETIONS (sizeof(completions) / sizeof(completions[0]))

static void read_names(char *line, struct name *names, size_t max, size_t *count_r)
{
    char *word;

    while (*count_r < max && (word = strsep(&line, " "))) {
        struct name *name = &names[*count_r];
        name->passed = *word != '?';
        word += !name->passed;
        if (domain_normalize(word, strlen(word), name->text) == DOMAIN_OK)
            ++*count_r;
    }
}

static void read_authors(char *line, struct author *author)
{
    struct name names[AUTHOR_DOMAINS_MAX];

    read_names(line, names, AUTHOR_DOMAINS_MAX, &author->count);
    author->status = author->count ? AUTHOR_OK : AUTHOR_MALFORMED;
    for (size_t i = 0; i < author->count; i++)
        memcpy(author->domains[i], names[i].text, DNS_NAME_MAX);
}

/* DNS either keeps a name back or has records there. */
static bool is_at_odds(const struct sample *sample, const char *domain, const char *text)
{
    for (size_t i = 0; i < sample->record_count; i++)
        if (str_eq(sample->records[i].domain, domain) &&
            (str_eq(text, "!") || str_eq(sample->records[i].text, "!")))
            return true;
    return false;
}

static void read_record(char *line, struct sample *sample)
{
    char *text = strchr(line, ' '), domain[DNS_NAME_MAX];

    if (!text || sample->record_count == RECORDS_MAX)
        return;
    *text++ = 0;
    bool is_gap = str_eq(text, "!");
    if (domain_normalize(line, strlen(line), domain) != DOMAIN_OK || !str_eq(domain, line) ||
        is_at_odds(sample, domain, text) || (is_gap && sample->gap_count == GAPS_MAX))
        return;
    if (is_gap)
        sample->gaps[sample->gap_count++] = sample->record_count;
    sample->records[sample->record_count].domain = line;
    sample->records[sample->record_count++].text = text;
}

/* suffix: behind each record; choice: what the gaps have, COMPLETIONS: an error. */
static void fill(struct fake_dns *fake, const struct sample *sample, const char *suffix,
                 const size_t choice[GAPS_MAX])
{
    size_t gap = 0;

    for (size_t i = 0; i < sample->record_count; i++) {
        char name[300], *text;
        bool is_gap = gap < sample->gap_count && sample->gaps[gap] == i;
        size_t chosen = is_gap ? choice[gap++] : 0;
        snprintf(name, sizeof(name), "_dmarc.%s", sample->records[i].domain);
        const char *record = is_gap ? completions[chosen % COMPLETIONS] : sample->records[i].text;
        if (is_gap && chosen == COMPLETIONS) {
            fake_dns_fail(fake, name, DNS_TYPE_TXT, DNS_SERVFAIL);
        } else if (record && asprintf(&text, "%s%s", record, suffix) >= 0) {
            fake_dns_add(fake, name, DNS_TYPE_TXT, text);
            free(text);
        }
    }
}

static void give_facts(const struct sample *sample, struct dmarc_facts *facts,
                       const char *passed[NAMES_MAX], const char *unknown[NAMES_MAX])
{
    *facts = (struct dmarc_facts){.author = &sample->author,
                                  .spf_domain = sample->spf_count ? sample->spf[0].text : NULL,
                                  .spf_unknown = sample->spf_count && !sample->spf[0].passed,
                                  .dkim_domains = passed,
                                  .dkim_unknown_domains = unknown};
    for (size_t i = 0; i < sample->signer_count; i++) {
        const struct name *signer = &sample->signers[i];
        if (signer->passed)
            passed[facts->dkim_count++] = signer->text;
        else
            unknown[facts->dkim_unknown_count++] = signer->text;
    }
}

static void evaluate(const struct sample *sample, const char *suffix, const size_t choice[GAPS_MAX],
                     struct dmarc_verdict *verdict_r)
{
    const char *passed[NAMES_MAX], *unknown[NAMES_MAX];
    struct dns_budget budget = {1000};
    struct dmarc_facts facts;
    struct fake_dns fake;

    fake_dns_init(&fake);
    fill(&fake, sample, suffix, choice);
    give_facts(sample, &facts, passed, unknown);
    dmarc_evaluate(&facts, &fake.dns, &budget, verdict_r);
    size_t walks = sample->author.count + 1 + DMARC_SIGNERS_MAX;
    BUG_ON(verdict_r->queries > walks * DMARC_QUERIES_MAX);
    BUG_ON(fake.asked > verdict_r->queries + sample->author.count);
    BUG_ON((verdict_r->result == AUTH_PASS) != (verdict_r->spf_aligned || verdict_r->dkim_aligned));
    BUG_ON(verdict_r->policy > verdict_r->published);
    fake_dns_fini(&fake);
}

static bool has_passed(const struct sample *sample, const char *domain,
                       bool (*is_same)(const char *, const char *))
{
    if (sample->spf_count && sample->spf[0].passed && is_same(sample->spf[0].text, domain))
        return true;
    for (size_t i = 0; i < sample->signer_count; i++)
        if (sample->signers[i].passed && is_same(sample->signers[i].text, domain))
            return true;
    return false;
}

static bool is_same_top(const char *one, const char *other)
{
    const char *top = strrchr(one, '.'), *other_top = strrchr(other, '.');
    return str_eq(top ? top + 1 : one, other_top ? other_top + 1 : other);
}

/* What a verdict says must be so whatever the names have that DNS kept back. */
static void check_completions(const struct sample *sample, const struct dmarc_verdict *verdict)
{
    size_t all = 1;

    for (size_t i = 0; i < sample->gap_count; i++)
        all *= COMPLETIONS;
    for (size_t n = 0; n < all && verdict->result != AUTH_TEMPERROR; n++) {
        size_t choice[GAPS_MAX] = {n % COMPLETIONS, n / COMPLETIONS % COMPLETIONS,
                                   n / COMPLETIONS / COMPLETIONS};
        struct dmarc_verdict whole;
        evaluate(sample, "", choice, &whole);
        bool lost = verdict->result == AUTH_FAIL && sample->author.count > 1;
        BUG_ON(whole.result != verdict->result);
        if (verdict->result == AUTH_FAIL)
            BUG_ON(lost ? whole.policy < verdict->policy : whole.policy != verdict->policy);
    }
}

static void run(const struct sample *sample)
{
    static const size_t errors[GAPS_MAX] = {COMPLETIONS, COMPLETIONS, COMPLETIONS};
    struct dmarc_verdict verdict;

    evaluate(sample, STRICT, errors, &verdict);
    for (size_t i = 0; i < sample->author.count && verdict.result == AUTH_PASS; i++)
        BUG_ON(!has_passed(sample, sample->author.domains[i], str_eq));
    evaluate(sample, "", errors, &verdict);
    for (size_t i = 0; i < sample->author.count && verdict.result == AUTH_PASS; i++)
        BUG_ON(!has_passed(sample, sample->author.domains[i], is_same_top));
    check_completions(sample, &verdict);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = str_take(bytes, len, 65536), *rest = text, *line;
    static struct sample sample;

    if (!text)
        return 0;
    memset(&sample, 0, sizeof(sample));
    read_authors(strsep(&rest, "\n"), &sample.author);
    if (rest)
        read_names(strsep(&rest, "\n"), sample.spf, 1, &sample.spf_count);
    if (rest)
        read_names(strsep(&rest, "\n"), sample.signers, NAMES_MAX, &sample.signer_count);
    while ((line = strsep(&rest, "\n")))
        read_record(line, &sample);
    run(&sample);
    free(text);
    return 0;
}
