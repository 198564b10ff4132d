/* SPDX-License-Identifier: MIT */
#ifndef PN_BASE_BUG_H
#define PN_BASE_BUG_H

/*
 * The programmer's errors. Both stay on in release builds; nothing that a peer
 * sends may reach them.
 *
 * BUG(fmt, ...)    the impossible happened: print where and abort().
 * BUG_ON(cond)     the same with the condition as text.
 */
#define BUG(...) bug_abort(__FILE__, __LINE__, __VA_ARGS__)
#define BUG_ON(cond)                                                                               \
    do {                                                                                           \
        if (cond)                                                                                  \
            BUG("%s", #cond);                                                                      \
    } while (0)

void bug_abort(const char *file, int line, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 3, 4)));

#endif
