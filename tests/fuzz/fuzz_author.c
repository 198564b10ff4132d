/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/mem.h"
#include "common/mailauth/author.h"
#include "tests/fuzz/fuzz.h"

static void read_whole(const char *value, struct author *author)
{
    char domain[DNS_NAME_MAX];

    memset(author, 0, sizeof(*author));
    author_field(author, value);
    BUG_ON(author->status == AUTHOR_NO_FIELD || author->count > AUTHOR_DOMAINS_MAX);
    BUG_ON((author->count > 0) != (author->status == AUTHOR_OK));
    for (size_t i = 0; i < author->count; i++) {
        const char *own = author->domains[i];
        BUG_ON(domain_normalize(own, strlen(own), domain) != DOMAIN_OK);
        BUG_ON(strcmp(domain, own) != 0);
        for (size_t k = 0; k < i; k++)
            BUG_ON(strcmp(author->domains[k], own) == 0);
    }
}

/* A field that is good stays what it is with an empty member more, and is none with an open one. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct author first, again;
    char *value = x_malloc(len + 2);

    if (len)
        memcpy(value, bytes, len);
    value[len] = 0;
    read_whole(value, &first);
    if (first.status == AUTHOR_OK && strlen(value) == len && len < AUTHOR_FIELD_MAX) {
        memcpy(value + len, ",", 2);
        read_whole(value, &again);
        BUG_ON(again.status != AUTHOR_OK || again.count != first.count);
        memcpy(value + len, "<", 2);
        read_whole(value, &again);
        BUG_ON(again.status != AUTHOR_MALFORMED);
    }
    author_field(&first, value);
    BUG_ON(first.status != AUTHOR_MANY_FIELDS || first.count);
    free(value);
    return 0;
}
