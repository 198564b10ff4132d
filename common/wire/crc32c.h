/* SPDX-License-Identifier: MIT */
#ifndef PN_WIRE_CRC32C_H
#define PN_WIRE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/*
 * CRC-32C (Castagnoli), RFC 4960 appendix B. A message in several parts: give what the part
 * before answered, 0 for the first.
 */
uint32_t crc32c_add(uint32_t crc, const uint8_t *bytes, size_t len);

#endif
