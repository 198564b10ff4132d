/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/iprev.h"

#include <string.h>

static bool leads_back(const struct dns_answer *answer, const struct addr *client)
{
    for (size_t i = 0; i < answer->count; i++) {
        const uint8_t *bytes = answer->records[i].addr;
        struct addr addr =
            client->family == ADDR_IPV4 ? addr_from_ipv4(bytes) : addr_from_ipv6(bytes);
        if (addr_eq(&addr, client))
            return true;
    }
    return false;
}

/* Ask all names at once; the first in the answer's order that leads back counts. */
static void check_names(const struct addr *client, const struct dns_answer *names, struct dns *dns,
                        struct dns_budget *budget, struct iprev_check *check_r)
{
    size_t count = names->count < IPREV_NAMES_MAX ? names->count : IPREV_NAMES_MAX;
    struct dns_question questions[IPREV_NAMES_MAX];
    struct dns_answer answers[IPREV_NAMES_MAX];

    for (size_t i = 0; i < count; i++) {
        questions[i].name = names->records[i].name;
        questions[i].type = client->family == ADDR_IPV4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
    }
    dns_ask(dns, questions, count, budget, answers);
    check_r->result = AUTH_FAIL;
    for (size_t i = 0; i < count; i++) {
        enum dns_status status = answers[i].status;
        if (check_r->result != AUTH_PASS && leads_back(&answers[i], client)) {
            check_r->result = AUTH_PASS;
            strncat(check_r->name, questions[i].name, sizeof(check_r->name) - 1);
        }
        if (check_r->result == AUTH_FAIL && status != DNS_FOUND && status != DNS_NXDOMAIN &&
            status != DNS_NODATA)
            check_r->result = AUTH_TEMPERROR;
        dns_answer_fini(&answers[i]);
    }
}

void iprev_verify(const struct addr *client, struct dns *dns, struct dns_budget *budget,
                  struct iprev_check *check_r)
{
    char reverse[ADDR_REVERSE_MAX];
    struct dns_question question = {addr_format_reverse(client, reverse), DNS_TYPE_PTR};
    struct dns_answer names;

    memset(check_r, 0, sizeof(*check_r));
    dns_ask(dns, &question, 1, budget, &names);
    switch (names.status) {
    case DNS_FOUND:
        check_names(client, &names, dns, budget, check_r);
        break;
    case DNS_NXDOMAIN:
    case DNS_NODATA:
        check_r->result = AUTH_PERMERROR;
        break;
    default:
        check_r->result = AUTH_TEMPERROR;
    }
    dns_answer_fini(&names);
}
