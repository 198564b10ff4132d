/* SPDX-License-Identifier: MIT */
#ifndef PN_TESTS_UNIT_DKIM_FIXTURE_H
#define PN_TESTS_UNIT_DKIM_FIXTURE_H

#include <stddef.h>

#include "common/base/buf.h"
#include "common/mailauth/dkim.h"
#include "common/mailauth/dkim_sign.h"
#include "tests/unit/fake_dns.h"

/*
 * Messages that are signed with keys made for the run, and verified by struct
 * dkim_verifier with the records in a table. Signed at 1795880000.
 */
int dkim_fixture_set_up(void **state);
int dkim_fixture_tear_down(void **state);

/* Their records. */
extern struct fake_dns records;
/* Both of d.example. */
extern struct dkim_signing rsa, ed25519;

struct field {
    const char *name, *value;
};

#define FIELDS_MAX 24
struct mail {
    struct field fields[FIELDS_MAX];
    size_t count;
    const char *body;
    size_t body_len;
};

struct mail plain_mail(void);
void add_field(struct mail *mail, const char *name, const char *value);

/* chunk: bytes of the body at a time. */
int try_sign(const struct mail *mail, const struct dkim_signing *signings, size_t count,
             size_t chunk, struct buf *values, struct error *error_r);
/* The value of the one signature as a milter inserts it, with leading space; to be freed. */
char *sign(const struct mail *mail, const struct dkim_signing *signing);

/* The results of all signatures in mail, ten at most, into results_r; how many there are. */
size_t verify_by(const struct mail *mail, struct dns *dns, struct dkim_result *results_r);
/* Of mail with this signature on top, the only one. */
enum auth_result verify_signed(struct mail mail, const char *value);

#endif
