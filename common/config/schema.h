/* SPDX-License-Identifier: MIT */
#ifndef PN_CONFIG_SCHEMA_H
#define PN_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config/form.h"

/*
 * Every option there is: its name, type, default, range and one line of help, and
 * where its value goes. Nothing else in the suite knows an option by name but the
 * rules on what belongs together; the sample file and the man page are tested
 * against this table.
 */
enum option_type {
    OPTION_BOOL,         /* bool */
    OPTION_NUMBER,       /* unsigned */
    OPTION_SECONDS,      /* unsigned; a duration */
    OPTION_MILLISECONDS, /* the same */
    OPTION_WORD,         /* one of words: unsigned, enum or bool */
    OPTION_WORDS,        /* a list of them, "word=2" where they have weights: unsigned, or-ed */
    OPTION_STRING,       /* char *, NULL for "" */
    OPTION_SECRET,       /* char *: the content of the file named, one line */
    OPTION_KEY,          /* the same, any number of lines */
    OPTION_STRINGS,      /* struct config_strings */
    OPTION_PREFIXES,     /* struct prefixlist */
    OPTION_RELAYS,       /* const struct config_relay **; resolved by the rules */
};

/* Belongs to a later version: known, but refused with that reason. */
#define WORD_LATER UINT32_MAX

struct option_word {
    const char *word; /* NULL ends the list */
    unsigned value;
};

struct option {
    const char *name; /* NULL ends the list */
    enum option_type type;
    /* As in the file but without quotes and braces; "": empty; NULL: must be given. */
    const char *fallback;
    /* Of the number, of the duration in seconds, of the text's length, of the list's count. */
    uint64_t min;
    uint64_t max;
    form_fn form; /* of a string, of each in a list; NULL: the rules look at it */
    const struct option_word *words;
    size_t weights; /* of words: where the weight of each bit goes, an uint8_t; 0: they have none */
    size_t offset;
    size_t size;
    const char *help; /* begins in lower case, no full stop */
};

struct section {
    const char *name; /* "" for the top level, which is the first; NULL ends the list */
    bool titled;      /* the struct begins with char *name */
    bool multiple;    /* config holds a pointer to structs and their count */
    size_t offset;
    size_t count_offset;
    size_t size;
    const struct option *options;
    const char *help;
};

/* More than any section has. */
#define SECTION_OPTIONS_MAX 20

extern const struct section schema[];

/* By name, NULL when there is none. */
const struct section *schema_section(const char *name);
const struct option *schema_option(const struct section *section, const char *name,
                                   size_t *index_r);

#define OPTION_WEIGHT_MAX 100

bool option_is_list(const struct option *option);
/* The word for a value, NULL when none has it. */
const char *option_word(const struct option *option, unsigned value);

#endif
