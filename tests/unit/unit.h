/* SPDX-License-Identifier: MIT */
#ifndef PN_TESTS_UNIT_UNIT_H
#define PN_TESTS_UNIT_UNIT_H

/* What every unit test wants beside cmocka.h, which comes first. */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A check of one row in a table; says which row failed. */
#define CASE(name, condition)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("%s: not so: %s", name, #condition);                                          \
    } while (0)

#endif
