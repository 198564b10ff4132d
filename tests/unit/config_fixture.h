/* SPDX-License-Identifier: MIT */
#ifndef PN_TESTS_UNIT_CONFIG_FIXTURE_H
#define PN_TESTS_UNIT_CONFIG_FIXTURE_H

#include <stddef.h>
#include <sys/types.h>

#include "common/base/buf.h"
#include "common/config/config.h"

/*
 * A directory of the test's own with postern.conf in it. "@/" in a text stands for the
 * directory; the files "secret" and "other" are there.
 */
int config_fixture_setup(void **state);
int config_fixture_teardown(void **state);

/* The path of a file in the directory; two live at a time. */
const char *in_dir(const char *name);
const char *write_file(const char *name, const void *bytes, size_t len, mode_t mode);
void put_filled(struct buf *out, const char *text);

int load_bytes(const char *bytes, size_t len, struct config **config_r,
               struct config_errors *errors_r);
/* All errors as "LINE: TEXT" lines; "" when the file is right. The caller frees. */
char *errors_of_bytes(const char *bytes, size_t len);
char *errors_of(const char *text);
/* Of a file that is right. */
struct config *load(const char *text);

struct bad_case {
    const char *text; /* behind the line `hostname = "mx.example.com"` */
    const char *errors;
};

void check_cases(const struct bad_case *cases, size_t count);

#endif
