/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/dns_packet.h"

#include <arpa/nameser.h>
#include <limits.h>
#include <resolv.h>
#include <string.h>

#include "common/base/mem.h"

/* The name at rdata + offset as text; NULL when it is none, or longer than one can be asked. */
static char *take_name(ns_msg *msg, const ns_rr *rr, size_t offset)
{
    char text[NS_MAXDNAME];

    if (ns_rr_rdlen(*rr) <= offset)
        return NULL;
    int used = dn_expand(ns_msg_base(*msg), ns_msg_end(*msg), ns_rr_rdata(*rr) + offset, text,
                         sizeof(text));
    if (used < 0 || (size_t)used + offset > ns_rr_rdlen(*rr) || strlen(text) >= DNS_NAME_MAX)
        return NULL;
    return x_strdup(text);
}

static int take_txt(const ns_rr *rr, struct dns_record *record)
{
    const uint8_t *p = ns_rr_rdata(*rr), *end = p + ns_rr_rdlen(*rr);

    record->txt = x_malloc(ns_rr_rdlen(*rr) + 1u);
    while (p < end) {
        size_t len = *p++;
        if (len > (size_t)(end - p))
            return -1;
        memcpy(record->txt + record->txt_len, p, len);
        record->txt_len += len;
        p += len;
    }
    record->txt[record->txt_len] = 0;
    return 0;
}

static int take_addr(const ns_rr *rr, size_t len, struct dns_record *record)
{
    if (ns_rr_rdlen(*rr) != len)
        return -1;
    memcpy(record->addr, ns_rr_rdata(*rr), len);
    return 0;
}

static int take_record(ns_msg *msg, const ns_rr *rr, struct dns_record *record)
{
    switch (ns_rr_type(*rr)) {
    case DNS_TYPE_A:
        return take_addr(rr, 4, record);
    case DNS_TYPE_AAAA:
        return take_addr(rr, 16, record);
    case DNS_TYPE_TXT:
        return take_txt(rr, record);
    case DNS_TYPE_MX:
        if (ns_rr_rdlen(*rr) < 3)
            return -1;
        record->preference = (uint16_t)ns_get16(ns_rr_rdata(*rr));
        record->name = take_name(msg, rr, 2);
        return record->name ? 0 : -1;
    case DNS_TYPE_PTR:
        record->name = take_name(msg, rr, 0);
        return record->name ? 0 : -1;
    default:
        return -1;
    }
}

static void take_answers(ns_msg *msg, uint16_t type, struct dns_answer *answer)
{
    int total = ns_msg_count(*msg, ns_s_an);
    ns_rr rr;

    answer->ttl_sec = UINT32_MAX;
    answer->records = x_calloc(total < DNS_RECORDS_MAX ? (size_t)total : DNS_RECORDS_MAX,
                               sizeof(answer->records[0]));
    for (int i = 0; i < total && answer->count < DNS_RECORDS_MAX; i++) {
        if (ns_parserr(msg, ns_s_an, i, &rr) < 0)
            break;
        if (ns_rr_ttl(rr) < answer->ttl_sec)
            answer->ttl_sec = ns_rr_ttl(rr);
        if (ns_rr_type(rr) != type || ns_rr_class(rr) != ns_c_in)
            continue;
        struct dns_record record = {0};
        if (take_record(msg, &rr, &record) == 0) {
            answer->records[answer->count++] = record;
        } else {
            struct dns_answer dropped = {.records = x_malloc(sizeof(record)), .count = 1};
            dropped.records[0] = record;
            dns_answer_fini(&dropped);
        }
    }
}

/* How long "no" holds: RFC 2308 5, the lesser of the SOA's TTL and its last field. */
static uint32_t negative_ttl(ns_msg *msg)
{
    ns_rr rr;

    for (int i = 0; i < ns_msg_count(*msg, ns_s_ns); i++) {
        if (ns_parserr(msg, ns_s_ns, i, &rr) < 0)
            break;
        if (ns_rr_type(rr) == ns_t_soa && ns_rr_rdlen(rr) >= 4) {
            uint32_t minimum = (uint32_t)ns_get32(ns_rr_rdata(rr) + ns_rr_rdlen(rr) - 4);
            return minimum < ns_rr_ttl(rr) ? minimum : ns_rr_ttl(rr);
        }
    }
    return 0;
}

void dns_packet_parse(const uint8_t *packet, size_t len, uint16_t type, struct dns_answer *answer_r)
{
    ns_msg msg;

    memset(answer_r, 0, sizeof(*answer_r));
    answer_r->status = DNS_SERVFAIL;
    if (len > NS_MAXMSG || ns_initparse(packet, (int)len, &msg) < 0)
        return;
    switch (ns_msg_getflag(msg, ns_f_rcode)) {
    case ns_r_noerror:
        take_answers(&msg, type, answer_r);
        answer_r->status = answer_r->count ? DNS_FOUND : DNS_NODATA;
        break;
    case ns_r_nxdomain:
        answer_r->status = DNS_NXDOMAIN;
        break;
    default:
        return;
    }
    if (!answer_r->count) {
        dns_answer_fini(answer_r);
        answer_r->ttl_sec = negative_ttl(&msg);
    }
}
