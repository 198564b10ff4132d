/* SPDX-License-Identifier: MIT */
#ifndef PN_CTL_MESSAGE_H
#define PN_CTL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/error.h"

/* A message from a file, in the parts that a mail server hands on (RFC 5322). */

/* A header field; both point into the message. */
struct message_field {
    const uint8_t *name;
    size_t name_len; /* blanks before the colon are not part of it */
    const uint8_t *value;
    size_t value_len; /* all behind the colon, with folds, without the last line end */
};

/* The file's bytes, of standard input for "-", appended to raw: at least one, at most 100 MiB. */
int message_read(const char *path, struct buf *raw, struct error *error_r)
    __attribute__((warn_unused_result));

/*
 * Append bytes[0..len) with every bare line feed as CR LF, and one behind a last line that
 * has none: what SMTP would have carried.
 */
void message_to_wire(const uint8_t *bytes, size_t len, struct buf *out);

/*
 * The field at *at_r of a message with CR LF line ends: true, and *at_r behind it. False
 * where the header ends, and *at_r at the body: behind the empty line, or at the first
 * line that is no field, as Postfix ends a header there. A "From " line of a mailbox
 * file is skipped at the start.
 */
bool message_next_field(const uint8_t *bytes, size_t len, size_t *at_r,
                        struct message_field *field_r);
/* Where the first field begins: behind that "From " line. */
size_t message_start(const uint8_t *bytes, size_t len);

/*
 * Its texts, to be freed. -1 when one holds a NUL: no mail server hands that on, and what
 * stands before it would not be what it saw.
 */
int message_take_field(const struct message_field *field, char **name_r, char **value_r,
                       struct error *error_r) __attribute__((warn_unused_result));

#endif
