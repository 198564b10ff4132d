/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"
#include "common/base/str.h"
#include "common/wire/received.h"
#include "tests/fuzz/fuzz.h"

/* The address stands in the value, in brackets, before the first line break; HELO is inside. */
static void check(enum received_form form, const char *value)
{
    struct received received = {.client.family = ADDR_NONE};
    char text[ADDR_TEXT_MAX];

    if (received_parse(form, "gw.example", value, &received) != RECEIVED_OK) {
        BUG_ON(received.client.family != ADDR_NONE);
        return;
    }
    const char *fold = strchr(value, '\n'), *bracket = strchr(value, '[');
    BUG_ON(received.client.family == ADDR_NONE || !fold || !bracket || bracket > fold);
    addr_format(&received.client, text);
    BUG_ON(received.helo_len > strlen(value));
    BUG_ON(memchr(received.helo, '\n', received.helo_len));
    BUG_ON(form == RECEIVED_POSTFIX && memchr(received.helo, '(', received.helo_len));
    BUG_ON(form == RECEIVED_EXIM && memchr(received.helo, ' ', received.helo_len));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *value = str_take(bytes, len, 65536);

    if (!value)
        return 0;
    char *text = received_unbroken(value);
    BUG_ON(strlen(text) > strlen(value));
    check(RECEIVED_POSTFIX, value);
    check(RECEIVED_EXIM, value);
    check(RECEIVED_POSTFIX, text);
    free(text);
    free(value);
    return 0;
}
