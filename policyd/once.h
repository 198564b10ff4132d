/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_ONCE_H
#define PN_POLICYD_ONCE_H

#include <stdbool.h>

/*
 * What was counted of the messages that are being handed in. Postfix asks at each hook and for
 * each recipient, ten times for a message of two; all that it asks about one message has one
 * `instance`, which no other message ever has.
 *
 * The memory is fixed: 512 KiB, room for ONCE_MAX facts, as hashes under a random key, so that
 * nobody can choose what pushes whom out. In each place the oldest gives way; a message whose
 * facts were pushed out while it comes is counted again.
 */
#define ONCE_MAX 65536

struct once;

struct once *once_new(void);
void once_free(struct once **once);

/* Whether this event, a CONFIG_EVENT_*, of what ("" for the message) was noted for the instance. */
bool once_is_noted(const struct once *once, const char *instance, unsigned kind, const char *what);
void once_note(struct once *once, const char *instance, unsigned kind, const char *what);

#endif
