/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/dns_memo.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/str.h"

struct dns_memo_entry {
    char *name;
    uint16_t type;
    struct dns_answer answer;
};

static const struct dns_memo_entry *find(const struct dns_memo *memo,
                                         const struct dns_question *question)
{
    for (size_t i = 0; i < memo->count; i++) {
        const struct dns_memo_entry *entry = &memo->entries[i];
        if (entry->type == question->type && str_eq_nocase(entry->name, question->name))
            return entry;
    }
    return NULL;
}

/* What is not known yet, in one batch. */
static void ask_rest(struct dns_memo *memo, const struct dns_question *questions, size_t count,
                     struct dns_budget *budget, struct dns_answer *answers_r)
{
    struct dns_question *rest = x_calloc(count, sizeof *rest);
    struct dns_answer *answers = x_calloc(count, sizeof *answers);
    size_t rest_count = 0;

    for (size_t i = 0; i < count; i++)
        if (find(memo, &questions[i]) == NULL)
            rest[rest_count++] = questions[i];
    if (rest_count > 0)
        dns_ask(memo->asked, rest, rest_count, budget, answers);
    rest_count = 0;
    for (size_t i = 0; i < count; i++)
        if (find(memo, &questions[i]) == NULL)
            answers_r[i] = answers[rest_count++];
    free(answers);
    free(rest);
}

static void ask(struct dns *dns, const struct dns_question *questions, size_t count,
                struct dns_budget *budget, struct dns_answer *answers_r)
{
    struct dns_memo *memo =
        (struct dns_memo *)(void *)((char *)dns - offsetof(struct dns_memo, dns));

    ask_rest(memo, questions, count, budget, answers_r);
    for (size_t i = 0; i < count; i++) {
        const struct dns_memo_entry *entry = find(memo, &questions[i]);
        if (entry != NULL)
            answers_r[i] = dns_answer_copy(&entry->answer);
    }
}

void dns_memo_init(struct dns_memo *memo, struct dns *asked)
{
    *memo = (struct dns_memo){.dns = {.ask = ask}, .asked = asked};
}

void dns_memo_fini(struct dns_memo *memo)
{
    for (size_t i = 0; i < memo->count; i++) {
        free(memo->entries[i].name);
        dns_answer_fini(&memo->entries[i].answer);
    }
    free(memo->entries);
    memo->entries = NULL;
    memo->count = 0;
}

void dns_memo_ask_ahead(struct dns_memo *memo, const struct dns_question *questions, size_t count,
                        struct dns_budget *budget)
{
    size_t first = memo->count, fresh;

    memo->entries = x_reallocarray(memo->entries, first + count + 1, sizeof *memo->entries);
    for (size_t i = 0; i < count && memo->count < DNS_MEMO_MAX; i++)
        if (find(memo, &questions[i]) == NULL)
            memo->entries[memo->count++] = (struct dns_memo_entry){
                .name = x_strdup(questions[i].name), .type = questions[i].type};
    fresh = memo->count - first;
    if (fresh == 0)
        return;
    struct dns_question *asked = x_calloc(fresh, sizeof *asked);
    struct dns_answer *answers = x_calloc(fresh, sizeof *answers);
    for (size_t i = 0; i < fresh; i++)
        asked[i] =
            (struct dns_question){memo->entries[first + i].name, memo->entries[first + i].type};
    dns_ask(memo->asked, asked, fresh, budget, answers);
    for (size_t i = 0; i < fresh; i++)
        memo->entries[first + i].answer = answers[i];
    free(answers);
    free(asked);
}
