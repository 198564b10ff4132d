/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/str.h"
#include "milter/envelope.h"
#include "tests/fuzz/fuzz.h"

static void check(char *text, size_t max)
{
    if (!text)
        return;
    BUG_ON(strlen(text) > max || !str_is_utf8(text));
    for (const char *p = text; *p; p++)
        BUG_ON((unsigned char)*p < ' ' || *p == 0x7f);
    free(text);
}

/* The same text as the argument of each command, and as the macro {daemon_addr}. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    char *text = str_take(bytes, len, 65536);

    if (!text)
        return 0;
    check(envelope_sender(text), ENVELOPE_SENDER_MAX);
    check(envelope_recipient(text), ENVELOPE_SENDER_MAX);
    char *helo = envelope_helo(text);
    BUG_ON(!helo || (*helo && !str_eq(helo, text)));
    check(helo, ENVELOPE_HELO_MAX);
    struct origin_peer peer = envelope_peer((struct sockaddr *)&loopback, text);
    BUG_ON(peer.destination.family == ADDR_NONE && peer.addr.family != ADDR_NONE);
    peer = envelope_peer(NULL, text);
    BUG_ON(peer.addr.family != ADDR_NONE || peer.port);
    free(text);
    return 0;
}
