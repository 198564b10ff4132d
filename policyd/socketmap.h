/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_SOCKETMAP_H
#define PN_POLICYD_SOCKETMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "policyd/engine.h"
#include "common/net/service.h"

/*
 * Postfix's socketmap_table(5): netstrings "name key" in, "OK data", "NOTFOUND " or
 * "PERM reason" out.
 *
 * transport         sender -> nexthop list, for sender_dependent_default_transport_maps
 * credentials       host or nexthop -> login:password, for smtp_sasl_password_maps
 * credentials.NAME  the same for the relay NAME only: for a transport of its own, where
 *                   two relays share host and port
 * tls               host or nexthop -> secure, for smtp_tls_policy_maps
 *
 * A sender is never a key of credentials: Postfix would offer the password to
 * whatever relay it falls back to. Answers come from the configuration: never TEMP.
 */
#define SOCKETMAP_REQUEST_MAX 10000 /* bytes of "name key"; Postfix's own limit */
#define SOCKETMAP_OUTPUT_MAX  262144

/*
 * Append the answer to one request as a netstring. with_credentials: the peer came
 * over a Unix socket; anybody else is refused passwords. peer is for the log. false, and
 * out untouched, when the request holds a NUL or has no space.
 */
bool socketmap_answer(const struct config *config, bool with_credentials, const char *peer,
                      const uint8_t *request, size_t len, struct stats *stats, struct buf *out);

/* ctx of the service is the engine. */
extern const struct service_protocol socketmap_protocol;

#endif
