/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/random.h"

#include <sys/random.h>
#include <sys/types.h>

#include "common/base/bug.h"

uint32_t random_u32(void)
{
    uint32_t number;

    BUG_ON(getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number));
    return number;
}
