/* SPDX-License-Identifier: MIT */
#ifndef PN_WIRE_PP_V1_H
#define PN_WIRE_PP_V1_H

#include "common/wire/pp.h"

/*
 * The version 1 half of pp_parse(), section 2.1: header_r is zeroed before. An IPv6 address has
 * at most the 39 bytes that the text counts with; "::ffff:a.b.c.d" is one.
 */
enum pp_status pp_v1_parse(const uint8_t *bytes, size_t len, struct pp_header *header_r,
                           size_t *consumed_r) __attribute__((warn_unused_result));

#endif
