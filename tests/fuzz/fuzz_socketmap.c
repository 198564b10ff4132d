/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/bug.h"
#include "common/base/log.h"
#include "common/wire/netstring.h"
#include "policyd/socketmap.h"
#include "tests/fuzz/fuzz.h"

/* Two relays on one host and a route of both: every answer is possible. */
static const struct config *config_of_two(void)
{
    static char one[] = "one", two[] = "two", host[] = "relay.example", smtp[] = "smtp";
    static char login[] = "me", password[] = "pass:word", all[] = "*";
    static struct config_relay relays[] = {
        {.name = one,
         .host = host,
         .port = 587,
         .transport = smtp,
         .login = login,
         .password = password},
        {.name = two, .host = host, .port = 25, .transport = smtp},
    };
    static const struct config_relay *order[] = {&relays[0], &relays[1]};
    static struct config_route route = {.from = all, .relays = order, .relay_count = 2};
    static struct config config = {
        .relays = relays, .relay_count = 2, .routes = &route, .route_count = 1};

    return &config;
}

/* The first byte says whether credentials may be told; the rest is what Postfix sends. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const uint8_t *payload;
    size_t payload_len, consumed;
    struct stats stats = {0};
    struct buf out = {0};

    log_open("fuzz", LOG_TARGET_NOWHERE, LOG_LEVEL_ERROR);
    if (!len || netstring_parse(bytes + 1, len - 1, SOCKETMAP_REQUEST_MAX, &payload, &payload_len,
                                &consumed) != NETSTRING_OK)
        return 0;
    if (socketmap_answer(config_of_two(), bytes[0] & 1, "unix", payload, payload_len, &stats,
                         &out)) {
        BUG_ON(netstring_parse(out.data, out.len, SOCKETMAP_OUTPUT_MAX, &payload, &payload_len,
                               &consumed) != NETSTRING_OK);
        BUG_ON(consumed != out.len || payload_len < 5);
    }
    buf_fini(&out);
    return 0;
}
