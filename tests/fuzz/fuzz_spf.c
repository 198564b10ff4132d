/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/mailauth/spf_engines.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/fake_dns.h"

/*
 * Lines: the sender's record, the explanation, the local part, HELO, a PTR name. The
 * engine's library is not ours; nothing that a domain publishes may end the process.
 */
#define LINES 5

static void check_text(const char *text)
{
    BUG_ON(strlen(text) >= SPF_TEXT_MAX);
    for (; *text; text++)
        BUG_ON(*text < 0x20 || *text > 0x7e);
}

static void check(const struct spf_check *check)
{
    check_text(check->mechanism);
    check_text(check->explanation);
    check_text(check->reason);
    BUG_ON(check->void_lookups > SPF_VOIDS_MAX + 1);
    BUG_ON(check->result == AUTH_POLICY);
}

static void run(char *lines[LINES])
{
    static const char *const clients[] = {"192.0.2.1", "2001:db8::1"};
    char *sender = x_malloc(strlen(lines[2]) + sizeof("@d.example"));
    struct fake_dns fake;

    memcpy(stpcpy(sender, lines[2]), "@d.example", sizeof("@d.example"));
    fake_dns_init(&fake);
    fake_dns_add(&fake, "d.example", DNS_TYPE_TXT, lines[0]);
    fake_dns_add(&fake, "d.example", DNS_TYPE_MX, "10 d.example");
    fake_dns_add(&fake, "d.example", DNS_TYPE_A, "192.0.2.1");
    fake_dns_add(&fake, "d.example", DNS_TYPE_AAAA, "2001:db8::1");
    fake_dns_add(&fake, "e.example", DNS_TYPE_TXT, lines[1]);
    fake_dns_add(&fake, "1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, lines[4]);
    fake_dns_add(&fake, lines[4], DNS_TYPE_A, "192.0.2.1");
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++) {
        struct spf_request request = {.helo = lines[3], .sender = sender, .receiver = "r.example"};
        BUG_ON(addr_parse(clients[i], &request.client) < 0);
        for (size_t k = 0; spf_engines[k]; k++) {
            struct dns_budget budget = {1000};
            struct spf_verdict verdict;
            spf_verify(spf_engines[k], &request, &fake.dns, &budget, &verdict);
            check(&verdict.helo);
            check(&verdict.mailfrom);
        }
    }
    fake_dns_fini(&fake);
    free(sender);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = str_take(bytes, len, 65536), *rest = text, *lines[LINES], empty[] = "";

    if (!text)
        return 0;
    for (size_t i = 0; i < LINES; i++) {
        lines[i] = strsep(&rest, "\n");
        if (!lines[i])
            lines[i] = empty;
    }
    run(lines);
    free(text);
    return 0;
}
