/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "common/base/bug.h"
#include "common/wire/taglist.h"
#include "tests/fuzz/fuzz.h"

static bool is_within(const uint8_t *part, size_t part_len, const uint8_t *bytes, size_t len)
{
    return part >= bytes && part + part_len <= bytes + len;
}

/* What is read of a tag reads as that tag alone, and there are as many pieces as semicolons. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct taglist list = taglist_of(bytes, len), alone_list;
    enum taglist_status status;
    struct tag tag, alone;
    size_t pieces = 0, semicolons = 0;

    for (size_t i = 0; i < len; i++)
        semicolons += bytes[i] == ';';
    while ((status = taglist_next(&list, &tag)) != TAGLIST_END) {
        pieces++;
        if (status == TAGLIST_BAD)
            continue;
        BUG_ON(!tag.name_len || !is_within(tag.name, tag.name_len, bytes, len));
        BUG_ON(!is_within(tag.value, tag.value_len, bytes, len) || tag.value <= tag.name);
        BUG_ON(tag.value_len && memchr(tag.value, ';', tag.value_len));
        size_t span = (size_t)(tag.value + tag.value_len - tag.name);
        alone_list = taglist_of(tag.name, span);
        BUG_ON(taglist_next(&alone_list, &alone) != TAGLIST_TAG);
        BUG_ON(alone.name_len != tag.name_len || alone.value_len != tag.value_len);
        BUG_ON(taglist_next(&alone_list, &alone) != TAGLIST_END);
    }
    BUG_ON(pieces < semicolons || pieces > semicolons + 1);
    return 0;
}
