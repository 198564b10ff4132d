/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/origins.h"

#include "common/wire/attr.h"

const char *origins_client(const struct origin *origin, const char *told, char text[ADDR_TEXT_MAX])
{
    return origin->addr.family == ADDR_NONE ? told : addr_format(&origin->addr, text);
}

void origins_count(struct origins *origins, const struct origin *origin)
{
    origins->kinds[origin->kind]++;
    origins->sources[origin->source]++;
    by_gateway_count(&origins->gateways, origin);
}

static void put_attribute(struct buf *out, const char *name, const char *what, const char *value,
                          uint64_t count)
{
    struct buf attribute = {0};

    buf_printf(&attribute, "%s_%s_%s", name, what, value);
    attr_put_uint(out, buf_str(&attribute), count);
    buf_fini(&attribute);
}

void origins_put_status(const struct origins *origins, const char *name, struct buf *out)
{
    for (unsigned i = 0; i < ORIGIN_KINDS; i++)
        put_attribute(out, name, "origin", origin_kind_name((enum origin_kind)i),
                      origins->kinds[i]);
    for (unsigned i = 0; i < ORIGIN_SOURCES; i++) {
        if (i != ORIGIN_SOURCE_RECEIVED)
            put_attribute(out, name, "source", origin_source_name((enum origin_source)i),
                          origins->sources[i]);
    }
}

void origins_put_kinds(const struct origins *origins, const struct metric *metric, struct buf *out)
{
    for (unsigned i = 0; i < ORIGIN_KINDS; i++)
        metric_put(out, metric, (const char *[]){origin_kind_name((enum origin_kind)i), NULL},
                   origins->kinds[i]);
}

void origins_put_sources(const struct origins *origins, const struct metric *metric,
                         struct buf *out)
{
    for (unsigned i = 0; i < ORIGIN_SOURCES; i++) {
        const char *name = origin_source_name((enum origin_source)i);
        if (i != ORIGIN_SOURCE_RECEIVED)
            metric_put(out, metric, (const char *[]){name, NULL}, origins->sources[i]);
    }
}
