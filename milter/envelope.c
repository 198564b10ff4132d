/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "milter/envelope.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/base/str.h"

/* Without control characters and, for addresses of RFC 6531, well-formed. */
static bool is_clean(const char *text)
{
    for (const char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    return str_is_utf8(text);
}

static char *path_of(const char *argument)
{
    if (*argument == '<')
        argument++;
    if (*argument == '@') {
        const char *colon = strchr(argument, ':');
        if (colon != NULL)
            argument = colon + 1;
    }
    size_t len = strlen(argument);
    if (len > 0 && argument[len - 1] == '>')
        len--;
    if (len > ENVELOPE_SENDER_MAX || !is_clean(argument))
        return NULL;
    return x_strndup(argument, len);
}

char *envelope_sender(const char *argument)
{
    return path_of(argument);
}

char *envelope_recipient(const char *argument)
{
    return path_of(argument);
}

char *envelope_helo(const char *argument)
{
    /* Never cut: the rest could be another host's name. */
    return x_strdup(strlen(argument) > ENVELOPE_HELO_MAX || !is_clean(argument) ? "" : argument);
}

static struct addr daemon_address(const char *text)
{
    struct addr addr = {.family = ADDR_NONE};

    if (text == NULL)
        return addr;
    if (strncasecmp(text, "IPv6:", 5) == 0)
        text += 5;
    if (addr_parse(text, &addr) != 0)
        addr = (struct addr){.family = ADDR_NONE};
    return addr;
}

static bool is_loopback_or_none(const struct addr *addr)
{
    return addr->family == ADDR_NONE || addr_scope(addr) == ADDR_SCOPE_LOOPBACK;
}

struct origin_peer envelope_peer(const struct sockaddr *sockaddr, const char *daemon_addr)
{
    struct origin_peer peer = {.destination = daemon_address(daemon_addr)};

    if (sockaddr == NULL || addr_from_sockaddr(sockaddr, &peer.addr, &peer.port) != 0 ||
        (peer.port == 0 && is_loopback_or_none(&peer.addr) &&
         is_loopback_or_none(&peer.destination))) {
        peer.addr = (struct addr){.family = ADDR_NONE};
        peer.port = 0;
    }
    return peer;
}
