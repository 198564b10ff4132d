/* SPDX-License-Identifier: MIT */
#ifndef PN_TESTS_UNIT_PP_LAWS_H
#define PN_TESTS_UNIT_PP_LAWS_H

#include "common/wire/pp.h"

/*
 * pp_parse() on a block of exactly len bytes, so that a sanitizer sees a read past it. The
 * header's tlvs are gone; pp_laws_check() looks at them.
 */
enum pp_status pp_laws_parse(const uint8_t *bytes, size_t len, struct pp_header *header_r,
                             size_t *consumed_r);

/*
 * What must hold of any bytes, else BUG(): every beginning of a header wants more, and a byte
 * is there that can follow; a refusal is final; bytes behind a header change nothing; the TLVs
 * stay within it; what it says of TCP, written again, reads the same.
 */
void pp_laws_check(const uint8_t *bytes, size_t len);

#endif
