/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "common/base/bug.h"
#include "policyd/store_redis_text.h"
#include "tests/fuzz/fuzz.h"

#define PREFIX "postern:"

/* What another host, or anybody, may have put into Redis: a key, a ban, an answer, a window. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct store_hit_answer answers[4];
    struct store_window window;
    struct prefix key;
    struct store_ban ban;

    if (store_redis_read_counter_key(text, size, PREFIX, &key) == 0) {
        struct buf out = {0};
        struct prefix again;
        store_redis_put_counter_key(&out, PREFIX, &key);
        BUG_ON(store_redis_read_counter_key(buf_str(&out), out.len, PREFIX, &again) ||
               !prefix_eq(&key, &again));
        buf_fini(&out);
    }
    if (store_redis_read_ban(text, size, 1000, 2000, &ban) == 0)
        BUG_ON(!(memchr(ban.jail, 0, sizeof(ban.jail)) && ban.is_lifted == !ban.acts));
    if (store_redis_read_dated_ban(text, size, 2000, &ban) == 0)
        BUG_ON(!(ban.acts <= CONFIG_ACTS_ALL));
    if (size % 19 == 0 && size / 19 <= 4 &&
        store_redis_read_answers(text, size, size / 19, answers) == 0 && size)
        BUG_ON(!(answers[0].decision <= JAIL_REACHED));
    if (store_redis_read_window(text, size, PREFIX, &window) == 0)
        BUG_ON(!(window.elapsed_ms >= 0));
    return 0;
}
