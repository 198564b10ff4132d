/* SPDX-License-Identifier: MIT */
#ifndef PN_TESTS_FUZZ_FUZZ_H
#define PN_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/*
 * What libFuzzer, or replay.c where there is none, calls with one input. Returns 0.
 * A property that does not hold is a BUG().
 */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#endif
