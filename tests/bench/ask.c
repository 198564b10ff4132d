/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tests/bench/ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool starts_with(const char *bytes, size_t len, const char *start)
{
    return len >= strlen(start) && memcmp(bytes, start, strlen(start)) == 0;
}

static size_t len_through(const char *bytes, size_t len, const char *end)
{
    const char *found = memmem(bytes, len, end, strlen(end));

    return found ? (size_t)(found - bytes) + strlen(end) : 0;
}

/* --- Postfix ---------------------------------------------------------------------- */

/* What smtpd sends when it has just accepted a connection, with all its attributes. */
static size_t put_connect(char *out, const char *client, uint32_t number)
{
    unsigned port = 1024 + number % 60000;
    int len = snprintf(out, ASK_MAX,
                       "request=smtpd_access_policy\n"
                       "protocol_state=CONNECT\n"
                       "protocol_name=SMTP\n"
                       "client_address=%s\n"
                       "client_name=mx%u.sender.example.net\n"
                       "client_port=%u\n"
                       "reverse_client_name=mx%u.sender.example.net\n"
                       "server_address=192.0.2.25\n"
                       "server_port=25\n"
                       "helo_name=\n"
                       "sender=\n"
                       "recipient=\n"
                       "recipient_count=0\n"
                       "queue_id=\n"
                       "instance=\n"
                       "size=0\n"
                       "etrn_domain=\n"
                       "stress=\n"
                       "sasl_method=\n"
                       "sasl_username=\n"
                       "sasl_sender=\n"
                       "ccert_subject=\n"
                       "ccert_issuer=\n"
                       "ccert_fingerprint=\n"
                       "ccert_pubkey_fingerprint=\n"
                       "encryption_protocol=\n"
                       "encryption_cipher=\n"
                       "encryption_keysize=0\n"
                       "policy_context=\n"
                       "\n",
                       client, port % 97, port, port % 97);
    return (size_t)len;
}

static size_t list_len(const char *bytes, size_t len)
{
    return len_through(bytes, len, "\n\n");
}

static bool is_dunno(const char *answer, size_t len)
{
    return starts_with(answer, len, "action=DUNNO\n");
}

/* --- Dovecot ---------------------------------------------------------------------- */

/* With the headers and attributes of 2.3, each time with another password. */
static size_t put_attempt(char *out, const char *command, const char *client, uint32_t number,
                          const char *outcome)
{
    char body[ASK_MAX / 2];
    int body_len = snprintf(body, sizeof(body),
                            "{\"device_id\":\"\",\"login\":\"user%u@example.com\","
                            "\"protocol\":\"imap\",\"pwhash\":\"%04x\",\"remote\":\"%s\","
                            "\"session_id\":\"%012x\",%s\"tls\":false}",
                            number % 1000, number & 0xffff, client, number, outcome);
    int len = snprintf(out, ASK_MAX,
                       "POST /auth?command=%s HTTP/1.1\r\n"
                       "Host: 127.0.0.1\r\n"
                       "Date: Fri, 20 Nov 2026 10:00:00 GMT\r\n"
                       "User-Agent: dovecot/auth-policy-client\r\n"
                       "Connection: Keep-Alive\r\n"
                       "Content-Type: application/json\r\n"
                       "X-API-Key: " ASK_TOKEN "\r\n"
                       "Content-Length: %d\r\n"
                       "\r\n%s",
                       command, body_len, body);
    return (size_t)len;
}

static size_t put_allow(char *out, const char *client, uint32_t number)
{
    return put_attempt(out, "allow", client, number, "");
}

static size_t put_report(char *out, const char *client, uint32_t number)
{
    return put_attempt(out, "report", client, number, "\"success\":false,\"policy_reject\":false,");
}

static size_t http_len(const char *bytes, size_t len)
{
    static const char field[] = "\r\nContent-Length: ";
    size_t header_len = len_through(bytes, len, "\r\n\r\n");
    size_t number_at = len_through(bytes, header_len, field);

    if (!number_at)
        return header_len;
    size_t all = header_len + strtoul(bytes + number_at, NULL, 10);
    return all <= len ? all : 0;
}

static bool is_status_0(const char *answer, size_t len)
{
    size_t header_len = len_through(answer, len, "\r\n\r\n");

    return starts_with(answer, len, "HTTP/1.1 200 ") &&
           starts_with(answer + header_len, len - header_len, "{\"status\":0,");
}

const struct ask *ask_find(const char *name)
{
    static const struct ask asks[] = {
        {"policy", put_connect, list_len, is_dunno},
        {"allow", put_allow, http_len, is_status_0},
        {"report", put_report, http_len, is_status_0},
    };

    for (size_t i = 0; i < sizeof(asks) / sizeof(*asks); i++)
        if (strcmp(name, asks[i].name) == 0)
            return &asks[i];
    return NULL;
}
