/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/mailauth/spf.h"
#include "tests/unit/fake_dns.h"

/*
 * Evaluates cases that a script feeds in: lines of tab-separated fields, each field
 * but the first two in hex.
 *
 *     new                                a new, empty zone
 *     rr TYPE NAME DATA                  TYPE a, aaaa, mx, ptr, txt, cname
 *     fail - NAME                        every question for NAME times out
 *     case ID CLIENT HELO SENDER         answered: ID result lookups voids mechanism
 *                                        explanation reason
 *
 * The argument names an engine; leaves with 77 where the build does not have it.
 */

#define FIELDS_MAX 5

static char *unhex(const char *hex, size_t *len_r)
{
    size_t len = strlen(hex) / 2;
    char *bytes = x_malloc(len + 1);

    for (size_t i = 0; i < len; i++) {
        unsigned value;
        BUG_ON(sscanf(hex + 2 * i, "%2x", &value) != 1);
        bytes[i] = (char)value;
    }
    bytes[len] = 0;
    *len_r = len;
    return bytes;
}

static uint16_t type_of(const char *name)
{
    static const struct {
        const char *name;
        uint16_t type;
    } types[] = {{"a", DNS_TYPE_A},     {"aaaa", DNS_TYPE_AAAA}, {"mx", DNS_TYPE_MX},
                 {"ptr", DNS_TYPE_PTR}, {"txt", DNS_TYPE_TXT},   {"cname", FAKE_CNAME}};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i].name, name) == 0)
            return types[i].type;
    }
    BUG("unknown type %s", name);
}

static const struct spf_engine *engine;

static void run_case(struct fake_dns *fake, const char *id, const char *client, const char *helo,
                     const char *sender)
{
    struct spf_request request = {.helo = helo, .sender = sender, .receiver = "receiver.example"};
    struct dns_budget budget = {20000};
    struct spf_verdict verdict = {{0}, {0}};
    char postmaster[512];

    BUG_ON(addr_parse(client, &request.client) < 0);
    if (addr_scope(&request.client) == ADDR_SCOPE_GLOBAL) {
        spf_verify(engine, &request, &fake->dns, &budget, &verdict);
    } else {
        /* The suite has private clients, which are never judged: put them to the engine. */
        snprintf(postmaster, sizeof(postmaster), "postmaster@%s", helo);
        request.sender = *sender ? sender : postmaster;
        const char *domain = strrchr(request.sender, '@') + 1;
        engine->check(&request, SPF_IDENTITY_MAILFROM, domain, &fake->dns, &budget,
                      &verdict.mailfrom);
    }
    const struct spf_check *check = &verdict.mailfrom;
    printf("%s\t%s\t%u\t%u\t%s\t%s\t%s\n", id, auth_result_name(check->result), check->lookups,
           check->void_lookups, check->mechanism, check->explanation, check->reason);
    fflush(stdout);
}

static void run_line(struct fake_dns *fake, char *line)
{
    char *fields[FIELDS_MAX] = {NULL}, *text[FIELDS_MAX] = {NULL};
    size_t count = 0, len[FIELDS_MAX] = {0};

    for (char *field = line; field && count < FIELDS_MAX; count++)
        fields[count] = strsep(&field, "\t");
    for (size_t i = 2; i < count; i++)
        text[i] = unhex(fields[i], &len[i]);
    if (strcmp(fields[0], "new") == 0) {
        fake_dns_fini(fake);
        fake_dns_init(fake);
    } else if (strcmp(fields[0], "rr") == 0) {
        uint16_t type = type_of(fields[1]);
        if (type == DNS_TYPE_TXT)
            fake_dns_add_txt(fake, text[2], text[3], len[3]);
        else
            fake_dns_add(fake, text[2], type, text[3]);
    } else if (strcmp(fields[0], "fail") == 0) {
        fake_dns_fail(fake, text[2], 0, DNS_SERVFAIL);
    } else if (strcmp(fields[0], "case") == 0) {
        run_case(fake, fields[1], text[2], text[3], text[4]);
    }
    for (size_t i = 2; i < count; i++)
        free(text[i]);
}

int main(int argc, char **argv)
{
    struct fake_dns fake;
    char *line = NULL;
    size_t size = 0;

    engine = spf_engine_find(argc > 1 ? argv[1] : NULL);
    if (!engine)
        return 77;
    fake_dns_init(&fake);
    while (getline(&line, &size, stdin) > 0) {
        line[strcspn(line, "\n")] = 0;
        run_line(&fake, line);
    }
    free(line);
    fake_dns_fini(&fake);
    return 0;
}
