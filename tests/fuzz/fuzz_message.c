/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "common/base/bug.h"
#include "ctl/message.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct buf wire = {0}, again = {0};
    struct message_field field;
    size_t at = 0, before = 0;

    message_to_wire(bytes, len, &wire);
    message_to_wire(wire.data, wire.len, &again);
    BUG_ON(wire.len != again.len || (wire.len && memcmp(wire.data, again.data, wire.len) != 0));
    while (message_next_field(wire.data, wire.len, &at, &field)) {
        BUG_ON(at <= before || at > wire.len || !field.name_len);
        BUG_ON(field.name < wire.data || field.value <= field.name);
        BUG_ON(field.value + field.value_len > wire.data + at);
        before = at;
    }
    BUG_ON(at < before || at > wire.len);
    buf_fini(&wire);
    buf_fini(&again);
    return 0;
}
