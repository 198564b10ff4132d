/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dkim_own.h"

#include <string.h>
#include <strings.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/str.h"

static bool is_name_of(const struct dkim_signing *signing, const char *name)
{
    struct buf own = {0};

    buf_printf(&own, "%s._domainkey.%s", signing->selector, signing->domain);
    size_t len = own.len;
    bool is_it = strncasecmp(name, buf_str(&own), len) == 0 &&
                 (name[len] == '\0' || str_eq(name + len, "."));
    buf_fini(&own);
    return is_it;
}

static void answer(const struct dkim_signkey *key, struct dns_answer *answer_r)
{
    struct buf record = {0};

    dkim_signkey_record(key, &record);
    answer_r->status = DNS_FOUND;
    answer_r->records = x_calloc(1, sizeof(answer_r->records[0]));
    answer_r->count = 1;
    answer_r->records[0].txt_len = record.len;
    answer_r->records[0].txt = (uint8_t *)buf_steal(&record);
}

static void ask(struct dns *dns, const struct dns_question *questions, size_t count,
                struct dns_budget *budget, struct dns_answer *answers_r)
{
    const struct dkim_own *own = (const struct dkim_own *)(void *)dns;

    (void)budget;
    for (size_t i = 0; i < count; i++) {
        answers_r[i] = (struct dns_answer){.status = DNS_NXDOMAIN};
        for (size_t k = 0; k < own->count && answers_r[i].status == DNS_NXDOMAIN; k++) {
            if (questions[i].type == DNS_TYPE_TXT &&
                is_name_of(&own->signings[k], questions[i].name))
                answer(own->signings[k].key, &answers_r[i]);
        }
    }
}

void dkim_own_init(struct dkim_own *own, const struct dkim_signing *signings, size_t count)
{
    *own = (struct dkim_own){{ask}, signings, count};
}

bool dkim_own_has_signed(const struct dkim_signing *signing, const struct dkim_result *results,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (results[i].result == AUTH_PASS && str_eq_nocase(results[i].domain, signing->domain) &&
            str_eq_nocase(results[i].selector, signing->selector))
            return true;
    }
    return false;
}
