/* SPDX-License-Identifier: MIT */
#ifndef PN_WIRE_TAGLIST_H
#define PN_WIRE_TAGLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Tag lists, "name=value; name=value" with blanks and folds around each (RFC 6376 section
 * 3.2): DKIM-Signature fields, key records, DMARC records. How strict a reader is with a
 * malformed piece, a tag that comes twice, or one that it does not know is its own matter.
 */

struct tag {
    const uint8_t *name; /* ALPHA *(ALPHA / DIGIT / "_"), as written: names are case-sensitive */
    size_t name_len;
    const uint8_t *value; /* without blanks and folds at its ends; any byte but ";" */
    size_t value_len;
};

enum taglist_status {
    TAGLIST_TAG, /* tag_r is set */
    TAGLIST_BAD, /* this piece is no tag; the next call goes on behind it */
    TAGLIST_END,
};

struct taglist {
    const uint8_t *next;
    const uint8_t *end;
};

struct taglist taglist_of(const uint8_t *bytes, size_t len);

/* The next piece between semicolons. One without anything but blanks is BAD, except the last. */
enum taglist_status taglist_next(struct taglist *list, struct tag *tag_r)
    __attribute__((warn_unused_result));

/* All tags of a list that is taken whole or not at all. */
#define TAGS_MAX 32

struct tags {
    struct tag items[TAGS_MAX];
    size_t count;
};

enum tags_status {
    TAGS_OK,
    TAGS_BAD,   /* a piece is no tag, or there are more than TAGS_MAX */
    TAGS_TWICE, /* RFC 6376 section 3.2 */
};

/*
 * Names that differ in case alone count as the same one: they are different ones, but not to every
 * verifier, and two of them would not agree on what was signed.
 */
enum tags_status tags_read(const uint8_t *bytes, size_t len, struct tags *tags_r)
    __attribute__((warn_unused_result));
/* NULL: there is none. */
const struct tag *tags_find(const struct tags *tags, const char *name);

bool tag_is(const struct tag *tag, const char *name);
/* Whether the value is text, letters of either case being equal. */
bool tag_has(const struct tag *tag, const char *text);

#endif
