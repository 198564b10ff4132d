/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "common/base/bug.h"
#include "common/wire/attr.h"
#include "tests/fuzz/fuzz.h"

/* What was read, written again, reads the same. */
static void check_round_trip(const struct attr_list *list)
{
    static struct attr_list again;
    struct buf out = {0};
    size_t consumed = 0;

    for (size_t i = 0; i < list->count; i++)
        attr_put(&out, list->items[i].name, list->items[i].value);
    attr_end(&out);
    BUG_ON(attr_parse(out.data, out.len, &again, &consumed) != ATTR_OK);
    BUG_ON(consumed != out.len || again.count != list->count);
    for (size_t i = 0; i < list->count; i++) {
        BUG_ON(strcmp(again.items[i].name, list->items[i].name) != 0);
        BUG_ON(strcmp(again.items[i].value, list->items[i].value) != 0);
    }
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct attr_list list;
    size_t consumed = 0, ignored;
    enum attr_status status = attr_parse(bytes, len, &list, &consumed);

    BUG_ON(!attr_strstatus(status));
    if (status == ATTR_OK) {
        BUG_ON(consumed == 0 || consumed > len || consumed > ATTR_LIST_MAX);
        check_round_trip(&list);
        BUG_ON(attr_parse(bytes, consumed - 1, &list, &ignored) != ATTR_MORE);
    } else if (status == ATTR_MORE) {
        BUG_ON(len >= ATTR_LIST_MAX);
        if (len)
            BUG_ON(attr_parse(bytes, len - 1, &list, &ignored) != ATTR_MORE);
    }
    return 0;
}
