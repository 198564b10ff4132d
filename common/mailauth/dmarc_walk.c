/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dmarc_walk.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#define PREFIX      "_dmarc."
#define PREFIX_LEN  (sizeof(PREFIX) - 1)
#define LABELS_LEFT 7 /* section 4.10 step 4: what is left of a longer name */

struct dmarc_walks {
    size_t walk_max, walk_count;
    size_t count, asked_count; /* of steps */
    struct dmarc_step steps[];
};

/* --- the names ----------------------------------------------------------- */

/* The domains that a walk passes, all of them ends of the first. */
static size_t pass_domains(const char *domain, const char *domains_r[DMARC_QUERIES_MAX])
{
    size_t labels = domain_label_count(domain), count = 0;

    domains_r[count++] = domain;
    for (size_t left = labels > LABELS_LEFT ? LABELS_LEFT : labels - 1; labels && left; left--)
        domains_r[count++] = domain_last_labels(domain, left);
    return count;
}

/* False: the name would be too long to exist. */
static bool record_name(const char *domain, char name_r[DNS_NAME_MAX])
{
    size_t len = strlen(domain);

    if (PREFIX_LEN + len > DNS_NAME_MAX - 2)
        return false;
    memcpy(name_r, PREFIX, PREFIX_LEN);
    memcpy(name_r + PREFIX_LEN, domain, len + 1);
    return true;
}

size_t dmarc_walk_names(const char *domain, char (*names_r)[DNS_NAME_MAX])
{
    const char *domains[DMARC_QUERIES_MAX];
    size_t passed = pass_domains(domain, domains), count = 0;

    for (size_t i = 0; i < passed; i++)
        count += record_name(domains[i], names_r[count]);
    return count;
}

/* --- asking -------------------------------------------------------------- */

struct dmarc_walks *dmarc_walks_new(size_t max)
{
    struct dmarc_walks *walks =
        x_calloc(1, sizeof(*walks) + max * DMARC_QUERIES_MAX * sizeof(walks->steps[0]));

    walks->walk_max = max;
    return walks;
}

void dmarc_walks_free(struct dmarc_walks **walks)
{
    free(*walks);
    *walks = NULL;
}

static const struct dmarc_step *find_or_add(struct dmarc_walks *walks, const char *domain)
{
    for (size_t i = 0; i < walks->count; i++) {
        if (str_eq(walks->steps[i].domain, domain))
            return &walks->steps[i];
    }
    struct dmarc_step *step = &walks->steps[walks->count++];
    step->domain = domain;
    return step;
}

void dmarc_walks_add(struct dmarc_walks *walks, const char *domain, struct dmarc_walk *walk_r)
{
    const char *domains[DMARC_QUERIES_MAX];

    BUG_ON(walks->walk_count++ == walks->walk_max);
    walk_r->domain = domain;
    walk_r->count = pass_domains(domain, domains);
    for (size_t i = 0; i < walk_r->count; i++)
        walk_r->steps[i] = find_or_add(walks, domains[i]);
}

/* Records that are no DMARC record are none; of several DMARC records none counts. */
static void read_answer(const struct dns_answer *answer, struct dmarc_step *step)
{
    struct dmarc_record record;
    size_t found = 0;

    step->status = answer->status;
    step->exists = answer->status == DNS_FOUND || answer->status == DNS_NODATA;
    step->answered = step->exists || answer->status == DNS_NXDOMAIN;
    for (size_t i = 0; i < answer->count && found < 2; i++) {
        if (!dmarc_record_parse(answer->records[i].txt, answer->records[i].txt_len, &record))
            continue;
        step->record = record;
        found++;
    }
    step->has_record = found == 1;
}

/* The question for each step that may have a record; the others are answered with it. */
static size_t put_questions(struct dmarc_step *steps, size_t count, char (*names)[DNS_NAME_MAX],
                            struct dns_question *questions)
{
    size_t put = 0;

    for (size_t i = 0; i < count; i++) {
        steps[i].answered = !record_name(steps[i].domain, names[put]);
        if (steps[i].answered)
            continue;
        questions[put] = (struct dns_question){names[put], DNS_TYPE_TXT};
        put++;
    }
    return put;
}

unsigned dmarc_walks_ask(struct dmarc_walks *walks, struct dns *dns, struct dns_budget *budget)
{
    size_t open = walks->count - walks->asked_count, read = 0;
    struct dmarc_step *steps = &walks->steps[walks->asked_count];
    char(*names)[DNS_NAME_MAX] = x_calloc(open + 1, sizeof(names[0]));
    struct dns_question *questions = x_calloc(open + 1, sizeof(questions[0]));
    struct dns_answer *answers = x_calloc(open + 1, sizeof(answers[0]));

    size_t asked = put_questions(steps, open, names, questions);
    if (asked)
        dns_ask(dns, questions, asked, budget, answers);
    for (size_t i = 0; i < open; i++) {
        if (!steps[i].answered)
            read_answer(&answers[read++], &steps[i]);
    }
    for (size_t i = 0; i < asked; i++)
        dns_answer_fini(&answers[i]);
    walks->asked_count = walks->count;
    free(names);
    free(questions);
    free(answers);
    return (unsigned)asked;
}

/* --- what the answers mean ----------------------------------------------- */

static bool has_record(const struct dmarc_step *step, enum dmarc_guess guess)
{
    return step->answered ? step->has_record : guess != DMARC_GUESS_NOTHING;
}

static enum dmarc_psd psd_of(const struct dmarc_step *step, enum dmarc_guess guess)
{
    if (step->answered)
        return step->record.psd;
    if (guess == DMARC_GUESS_PSD_N)
        return DMARC_PSD_N;
    return guess == DMARC_GUESS_PSD_Y ? DMARC_PSD_Y : DMARC_PSD_U;
}

/* Whether nothing behind the step matters. */
static bool is_end(const struct dmarc_step *step)
{
    return step->answered && step->has_record && step->record.psd != DMARC_PSD_U;
}

const char *dmarc_walk_organization(const struct dmarc_walk *walk, enum dmarc_guess guess)
{
    const char *found = walk->domain;

    for (size_t i = 0; i < walk->count; i++) {
        const struct dmarc_step *step = walk->steps[i];
        if (!has_record(step, guess))
            continue;
        enum dmarc_psd psd = psd_of(step, guess);
        /* One label below; where the walk starts there is none, and it is its own organization. */
        if (psd == DMARC_PSD_Y)
            return domain_last_labels(walk->domain, domain_label_count(step->domain) + 1);
        if (psd != DMARC_PSD_U)
            return step->domain;
        found = step->domain;
    }
    return found;
}

const struct dmarc_step *dmarc_walk_gap(const struct dmarc_walk *walk)
{
    for (size_t i = 0; i < walk->count; i++) {
        if (!walk->steps[i]->answered)
            return walk->steps[i];
        if (is_end(walk->steps[i]))
            return NULL;
    }
    return NULL;
}

const struct dmarc_step *dmarc_walk_policy(const struct dmarc_walk *walk,
                                           const struct dmarc_step **gap_r)
{
    const char *organization = dmarc_walk_organization(walk, DMARC_GUESS_NOTHING);

    *gap_r = NULL;
    if (walk->steps[0]->has_record)
        return walk->steps[0];
    *gap_r = dmarc_walk_gap(walk);
    for (size_t i = 0; i < walk->count; i++) {
        const struct dmarc_step *step = walk->steps[i];
        bool applies = is_end(step) || str_eq(step->domain, organization);
        if (step->has_record && applies)
            return step;
    }
    return NULL;
}
