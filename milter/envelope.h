/* SPDX-License-Identifier: MIT */
#ifndef PN_MILTER_ENVELOPE_H
#define PN_MILTER_ENVELOPE_H

#include <sys/socket.h>

#include "common/net/origin.h"

/* What a milter is told of the SMTP session, as values. Pure. */

#define ENVELOPE_HELO_MAX   255  /* bytes; RFC 5321 4.5.3.1.2 */
#define ENVELOPE_SENDER_MAX 1024 /* bytes; RFC 5321 4.5.3.1.3 allows 256, servers take more */
#define ENVELOPE_LOGIN_MAX  512  /* bytes of a login that are kept */

/*
 * The sender of an argument of MAIL: "<a@example.com>", "<>", or "" as sendmail(1)
 * gives it; a source route is dropped (RFC 5321 4.1.1.3). The caller frees; NULL when
 * it cannot be judged: too long, with control characters, or not UTF-8; no field could
 * name it.
 */
char *envelope_sender(const char *argument) __attribute__((warn_unused_result));

/* The same for an argument of RCPT. */
char *envelope_recipient(const char *argument) __attribute__((warn_unused_result));

/* The name of HELO; "" when it cannot be one, likewise. The caller frees. */
char *envelope_helo(const char *argument) __attribute__((warn_unused_result));

/*
 * Who the connection is from. sockaddr: as xxfi_connect has it, NULL where the
 * server knows no address. daemon_addr: the macro {daemon_addr}, or NULL.
 *
 * Mail by sendmail(1) comes as loopback with port 0 and has no peer: it stays local
 * where loopback is a gateway's tunnel address. The same with a public
 * {daemon_addr} came by PROXY and is no such mail.
 */
struct origin_peer envelope_peer(const struct sockaddr *sockaddr, const char *daemon_addr);

#endif
