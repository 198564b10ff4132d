/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/net/report.h"

#include <stdio.h>

#include "common/base/bug.h"
#include "common/wire/attr.h"

static void put_text(struct buf *out, const char *name, const char *text)
{
    char cut[REPORT_TEXT_MAX + 1];

    if (!text)
        return;
    snprintf(cut, sizeof(cut), "%s", text);
    attr_put(out, name, cut);
}

char *report_encode(const struct report *report)
{
    char client[ADDR_TEXT_MAX];
    struct buf out = {0};

    attr_put(&out, "request", "report");
    attr_put(&out, "event", report->event);
    attr_put(&out, "client_address", addr_format(&report->client, client));
    if (report->at_ms >= 1000)
        attr_put_uint(&out, "at", (uint64_t)report->at_ms / 1000);
    if (report->weight != 1)
        attr_put_uint(&out, "weight", report->weight);
    put_text(&out, "session", report->session);
    put_text(&out, "login", report->login);
    put_text(&out, "recipient", report->recipient);
    attr_end(&out);
    BUG_ON(out.len > REPORT_ENCODED_MAX);
    return buf_steal(&out);
}
