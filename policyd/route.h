/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_ROUTE_H
#define PN_POLICYD_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/config/config.h"

/* By which relays outbound mail leaves. Pure functions of the configuration. */

/*
 * The route of a sender: the exact address before "@domain" before "*", whatever
 * the order in the file; NULL when there is none. Case does not matter. Postfix
 * writes the null sender as <> or "<>", with the quotes; "<>" in the file is its
 * own pattern, and "*" covers it too.
 */
const struct config_route *route_find(const struct config *config, const char *sender);

/*
 * Whether the relay at index can be in the nexthop list. Postfix takes one
 * transport for a whole list, the first relay's: a relay with another transport
 * cannot be tried in the same attempt, and is left out.
 */
bool route_uses(const struct config_route *route, size_t index);

/* "smtp:[a.example]:587, [b.example]:587": transport(5), with failover in this order. */
void route_put_nexthop(const struct config_route *route, struct buf *out);

/*
 * A key of smtp_sasl_password_maps or smtp_tls_policy_maps: "[host]:port",
 * "[host]", "host:port" or "host". Whether it names the relay; a key without port
 * names all relays on that host.
 */
bool route_key_names(const char *key, const struct config_relay *relay);

/* The same for the host alone, whatever the key's port. */
bool route_key_names_host(const char *key, const struct config_relay *relay);

/*
 * The relay whose login belongs to the key, or NULL: no relay, none with a login,
 * or several whose logins differ (*ambiguous_r; then nobody's password is told).
 * relay_name, when not NULL, looks at this relay only.
 */
const struct config_relay *route_credentials(const struct config *config, const char *relay_name,
                                             const char *key, bool *ambiguous_r);

#endif
