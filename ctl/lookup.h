/* SPDX-License-Identifier: MIT */
#ifndef PN_CTL_LOOKUP_H
#define PN_CTL_LOOKUP_H

#include <jansson.h>

#include "common/config/config.h"
#include "common/mailauth/spf.h"
#include "common/net/dns.h"
#include "common/net/resolver.h"
#include "ctl/ctl.h"

/*
 * What spf and verify judge with. Without -c no file is read: the resolver is that of
 * --resolver or the system's, the name is this host's.
 */
struct lookup {
    struct config *config; /* NULL without -c */
    struct resolver *resolver;
    struct dns *dns;
    struct dns_budget budget;
    char *hostname;
};

int lookup_open(const struct ctl *ctl, struct lookup *lookup_r, struct error *error_r)
    __attribute__((warn_unused_result));
void lookup_close(struct lookup *lookup);

/* The SMTP transaction that --ip, --helo, --sender describe, and who judges it. */
struct lookup_spf {
    struct spf_request request;
    const struct spf_engine *engine;
    char *sender; /* request.sender */
};

/* 0, or -1 when an option is wrong. Asks nobody; request.receiver is left to lookup_spf_run(). */
int lookup_spf_init(const struct ctl *ctl, struct lookup_spf *spf_r, struct error *error_r)
    __attribute__((warn_unused_result));
void lookup_spf_fini(struct lookup_spf *spf);

/* Judge it, as the host of lookup, which must outlive spf. */
void lookup_spf_run(struct lookup_spf *spf, struct lookup *lookup, struct spf_verdict *verdict_r);

/*
 * The check that decides: of the MAIL FROM, with the null sender of the HELO, and the
 * identity's name.
 */
const struct spf_check *lookup_spf_decisive(const struct lookup_spf *spf,
                                            const struct spf_verdict *verdict,
                                            enum spf_identity *identity_r);

/* The decisive check, with both identities in "identities"; posternctl(1) gives the keys. */
json_t *lookup_spf_json(const struct lookup_spf *spf, const struct spf_verdict *verdict);

#endif
