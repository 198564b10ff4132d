/* SPDX-License-Identifier: MIT */
#ifndef PN_WIRE_ATTR_H
#define PN_WIRE_ATTR_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

/*
 * Attribute lists: name=value lines, each ended by a line feed, the list ended by
 * an empty line. Postfix's policy delegation format (SMTPD_POLICY_README) and the
 * one wire format of Postern's own sockets.
 *
 * A value may hold anything but NUL and line feed, '=' included. Names are not
 * empty. Names that nobody asks for are ignored; of a name that comes twice the
 * first counts.
 */
#define ATTR_LIST_MAX  16384 /* bytes of a whole list, the empty line included */
#define ATTR_VALUE_MAX 4096  /* bytes of one value */
#define ATTR_COUNT_MAX 256   /* attributes of one list */

enum attr_status {
    ATTR_OK,
    ATTR_MORE,          /* no empty line yet: come back with more bytes */
    ATTR_BAD_NUL,       /* a NUL byte */
    ATTR_BAD_LINE,      /* a line without '=', or with an empty name */
    ATTR_BAD_LIST_LEN,  /* longer than ATTR_LIST_MAX */
    ATTR_BAD_VALUE_LEN, /* a value longer than ATTR_VALUE_MAX */
    ATTR_BAD_COUNT,     /* more than ATTR_COUNT_MAX attributes */
};

struct attr {
    const char *name;
    const char *value;
};

/* A parsed list; names and values live in text. About 20 KiB: one for a process, or on the stack.
 */
struct attr_list {
    size_t count;
    struct attr items[ATTR_COUNT_MAX];
    char text[ATTR_LIST_MAX];
};

/*
 * Read one list from bytes[0..len). ATTR_OK fills list and says in consumed_r how
 * many bytes it took; every other answer leaves both undefined. A refusal is given
 * as early as it is certain.
 */
enum attr_status attr_parse(const uint8_t *bytes, size_t len, struct attr_list *list,
                            size_t *consumed_r) __attribute__((warn_unused_result));

const char *attr_strstatus(enum attr_status status);

/* The value of name, or NULL when the list has none. Borrowed from list. */
const char *attr_get(const struct attr_list *list, const char *name);

/* The same, "" when there is none. */
const char *attr_get_or_empty(const struct attr_list *list, const char *name);

/*
 * Append name=value. NUL cannot come in a C string; a line feed in value is written
 * as a space and what goes past ATTR_VALUE_MAX is cut, so that the list stays one.
 */
void attr_put(struct buf *out, const char *name, const char *value);
void attr_put_uint(struct buf *out, const char *name, uint64_t value);

/* Append the empty line that ends a list. */
void attr_end(struct buf *out);

#endif
