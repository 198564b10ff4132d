/* SPDX-License-Identifier: MIT */
#ifndef PN_POLICYD_AUTH_H
#define PN_POLICYD_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/http.h"
#include "policyd/engine.h"

/*
 * Dovecot's auth policy (https://doc.dovecot.org/, "Authentication policy"): POST
 * with command=allow before a password is checked, command=report afterwards.
 *
 * Dovecot takes every answer that it does not like for "go on", so there is one
 * form and HTTP status 200: {"status":-1,"msg":"text"} refuses, {"status":0,"msg":""}
 * goes on, {"status":5,"msg":""} after five seconds. What cannot be understood goes on, with a line
 * in the log: a mistake here never locks everybody out.
 */
#define AUTH_PATH      "/auth"
#define AUTH_DEPTH_MAX 8 /* of objects within objects; ours and Dovecot's have one or two */

/* What a request says; text is the parsed document's, "" when absent. */
struct auth_request {
    struct json_t *document; /* owned */
    const char *login;
    const char *protocol;
    const char *remote;
    const char *session;
    const char *pwhash;
    const char *fail_type; /* Dovecot 2.4 */
    bool has_success;
    bool success;
    bool policy_reject;
};

enum auth_status {
    AUTH_OK,
    AUTH_BAD_DEPTH,
    AUTH_BAD_JSON,
    AUTH_BAD_TYPE, /* an attribute that is used has the wrong type */
};

/* Pure. auth_request_fini() after AUTH_OK only. body holds any bytes. */
enum auth_status auth_parse(const uint8_t *body, size_t len, struct auth_request *request_r)
    __attribute__((warn_unused_result));
void auth_request_fini(struct auth_request *request);
const char *auth_strstatus(enum auth_status status);

/* Whether a report tells of a guessed password: it failed, by the password, not by our own no. */
bool auth_is_failure(const struct auth_request *request);

/* What the request with command=allow is told; counts and logs it. What goes on waits first. */
struct judgement auth_allow(struct engine *engine, const struct auth_request *request,
                            const struct origin_peer *peer, unsigned *delay_sec_r);

/* The answer as JSON, to be freed; what goes on does so after delay_sec. */
char *auth_format(const struct judgement *judgement, unsigned delay_sec)
    __attribute__((warn_unused_result));

/* The handler of AUTH_PATH; ctx is the engine. */
void auth_handle(struct http_request *http, void *ctx);

#endif
