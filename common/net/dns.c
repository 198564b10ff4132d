/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/dns.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

#define LABEL_MAX  63
#define OCTETS_MAX 253 /* with the dots between labels; 255 on the wire, RFC 1035 3.1 */

/* One octet of a name's text, escapes resolved; returns what follows, or NULL. */
static const char *skip_octet(const char *p)
{
    if (*p != '\\')
        return p + 1;
    if (isdigit((unsigned char)p[1])) {
        if (!isdigit((unsigned char)p[2]) || !isdigit((unsigned char)p[3]))
            return NULL;
        int value = (p[1] - '0') * 100 + (p[2] - '0') * 10 + (p[3] - '0');
        return value < 256 ? p + 4 : NULL;
    }
    return p[1] ? p + 2 : NULL;
}

bool dns_name_is_valid(const char *name)
{
    size_t label = 0, octets = 0;

    for (const char *p = name; *p;) {
        if (*p == '.') {
            if (!label || label > LABEL_MAX)
                return false;
            octets += label + (p[1] ? 1 : 0);
            label = 0;
            p++;
        } else {
            label++;
            p = skip_octet(p);
            if (!p)
                return false;
        }
    }
    octets += label;
    return label <= LABEL_MAX && octets && octets <= OCTETS_MAX;
}

void dns_answer_fini(struct dns_answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        free(answer->records[i].name);
        free(answer->records[i].txt);
    }
    free(answer->records);
    answer->records = NULL;
    answer->count = 0;
}

struct dns_answer dns_answer_copy(const struct dns_answer *answer)
{
    struct dns_answer copy = *answer;

    copy.records = answer->count == 0 ? NULL : x_calloc(answer->count, sizeof(copy.records[0]));
    for (size_t i = 0; i < answer->count; i++) {
        struct dns_record *record = &copy.records[i];
        *record = answer->records[i];
        if (record->name)
            record->name = x_strdup(record->name);
        if (record->txt) {
            record->txt = x_malloc(record->txt_len + 1);
            memcpy(record->txt, answer->records[i].txt, record->txt_len + 1);
        }
    }
    return copy;
}

const char *dns_strstatus(enum dns_status status)
{
    static const char *const words[] = {
        [DNS_FOUND] = "found",
        [DNS_NXDOMAIN] = "no such name",
        [DNS_NODATA] = "no such record",
        [DNS_SERVFAIL] = "server failure",
        [DNS_TIMEOUT] = "no answer in time",
        [DNS_BOGUS] = "DNSSEC validation failed",
    };
    return words[status];
}
