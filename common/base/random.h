/* SPDX-License-Identifier: MIT */
#ifndef PN_BASE_RANDOM_H
#define PN_BASE_RANDOM_H

#include <stdint.h>

/* A number that nobody can foretell, from the kernel. */
uint32_t random_u32(void);

#endif
