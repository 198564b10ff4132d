/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tests/unit/fake_dns.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/base/str.h"

struct fake_entry {
    char *name;
    uint16_t type;
    enum dns_status status; /* not DNS_FOUND: the answer */
    struct dns_record record;
};

static char *plain_name(const char *name)
{
    size_t len = strlen(name);
    return x_strndup(name, len && name[len - 1] == '.' ? len - 1 : len);
}

/* The name of a question without its escapes: the table has plain text. */
static char *question_name(const char *text)
{
    char *name = plain_name(text), *to = name;

    for (const char *p = name; *p;) {
        if (p[0] == '\\' && p[1] >= '0' && p[1] <= '9') {
            *to++ = (char)((p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0'));
            p += 4;
        } else {
            p += p[0] == '\\';
            *to++ = *p++;
        }
    }
    *to = 0;
    return name;
}

static struct fake_entry *add(struct fake_dns *fake, const char *name, uint16_t type)
{
    fake->entries = x_reallocarray(fake->entries, fake->count + 1, sizeof(fake->entries[0]));
    struct fake_entry *entry = &fake->entries[fake->count++];
    *entry = (struct fake_entry){.name = plain_name(name), .type = type};
    return entry;
}

void fake_dns_add_txt(struct fake_dns *fake, const char *name, const void *txt, size_t len)
{
    struct dns_record *record = &add(fake, name, DNS_TYPE_TXT)->record;

    record->txt = x_malloc(len + 1);
    memcpy(record->txt, txt, len);
    record->txt[len] = 0;
    record->txt_len = len;
}

void fake_dns_add(struct fake_dns *fake, const char *name, uint16_t type, const char *data)
{
    struct dns_record *record;
    char *end;

    if (type == DNS_TYPE_TXT) {
        fake_dns_add_txt(fake, name, data, strlen(data));
        return;
    }
    record = &add(fake, name, type)->record;
    if (type == DNS_TYPE_A || type == DNS_TYPE_AAAA) {
        BUG_ON(inet_pton(type == DNS_TYPE_A ? AF_INET : AF_INET6, data, record->addr) != 1);
    } else if (type == DNS_TYPE_MX) {
        record->preference = (uint16_t)strtoul(data, &end, 10);
        record->name = plain_name(end + strspn(end, " "));
    } else {
        record->name = plain_name(data);
    }
}

void fake_dns_fail(struct fake_dns *fake, const char *name, uint16_t type, enum dns_status status)
{
    add(fake, name, type)->status = status;
}

static void copy_record(struct dns_answer *answer, const struct dns_record *record)
{
    answer->records =
        x_reallocarray(answer->records, answer->count + 1, sizeof(answer->records[0]));
    struct dns_record *copy = &answer->records[answer->count++];
    *copy = *record;
    copy->name = x_strdup(record->name);
    if (record->txt) {
        copy->txt = x_malloc(record->txt_len + 1);
        memcpy(copy->txt, record->txt, record->txt_len + 1);
    }
}

/* The alias of name when it has one and nothing was found; else NULL. */
static const char *answer_name(struct fake_dns *fake, const char *name, uint16_t type,
                               struct dns_answer *answer)
{
    const char *alias = NULL;
    enum dns_status failure = DNS_FOUND;

    answer->status = DNS_NXDOMAIN;
    for (size_t i = 0; i < fake->count; i++) {
        const struct fake_entry *entry = &fake->entries[i];
        if (!str_eq_nocase(entry->name, name))
            continue;
        if (entry->status != DNS_FOUND) {
            if (!entry->type || entry->type == type)
                failure = entry->status;
            continue;
        }
        if (answer->status == DNS_NXDOMAIN)
            answer->status = DNS_NODATA;
        if (entry->type == type) {
            copy_record(answer, &entry->record);
            answer->status = DNS_FOUND;
        } else if (entry->type == FAKE_CNAME) {
            alias = entry->record.name;
        }
    }
    if (failure != DNS_FOUND && !answer->count) {
        answer->status = failure;
        return NULL;
    }
    return answer->count ? NULL : alias;
}

static void ask(struct dns *dns, const struct dns_question *questions, size_t count,
                struct dns_budget *budget, struct dns_answer *answers_r)
{
    struct fake_dns *fake = (struct fake_dns *)(void *)dns;

    memset(answers_r, 0, count * sizeof(answers_r[0]));
    for (size_t i = 0; i < count; i++) {
        struct dns_answer *answer = &answers_r[i];
        fake->asked++;
        if (budget->left_ms <= 0) {
            answer->status = DNS_TIMEOUT;
        } else if (!dns_name_is_valid(questions[i].name)) {
            answer->status = DNS_NXDOMAIN;
        } else {
            char *first = question_name(questions[i].name);
            const char *name = first;
            for (int hop = 0; name && hop < 10; hop++) {
                name = answer_name(fake, name, questions[i].type, answer);
                if (name && hop == 9)
                    answer->status = DNS_SERVFAIL; /* a loop */
            }
            free(first);
        }
        if (answer->status == DNS_TIMEOUT)
            budget->left_ms = 0;
    }
}

void fake_dns_init(struct fake_dns *fake)
{
    memset(fake, 0, sizeof(*fake));
    fake->dns.ask = ask;
}

void fake_dns_fini(struct fake_dns *fake)
{
    for (size_t i = 0; i < fake->count; i++) {
        free(fake->entries[i].name);
        free(fake->entries[i].record.name);
        free(fake->entries[i].record.txt);
    }
    free(fake->entries);
}
