/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/auth.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/str.h"

#define GO_ON "{\"status\":0,\"msg\":\"\"}"

/* jansson descends by recursion, 2048 levels by default: the depth is counted before. */
static bool is_too_deep(const char *text, size_t len)
{
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < len; i++) {
        if (in_string && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            in_string = !in_string;
        else if (!in_string && (text[i] == '{' || text[i] == '['))
            depth++;
        else if (!in_string && (text[i] == '}' || text[i] == ']') && depth)
            depth--;
        if (depth > AUTH_DEPTH_MAX)
            return true;
    }
    return false;
}

/*
 * The login and the client's name for its device are the stranger's: bytes that are
 * no UTF-8 must not make a failed login uncounted.
 */
static char *mended(const uint8_t *body, size_t len)
{
    char *text = x_malloc(len + 1);

    if (len)
        memcpy(text, body, len);
    text[len] = '\0';
    if (memchr(text, '\0', len) || str_is_utf8(text))
        return text;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] >= 0x80)
            text[i] = '?';
    }
    return text;
}

static int take_string(const json_t *document, const char *key, const char **value_r)
{
    const json_t *value = json_object_get(document, key);

    *value_r = "";
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_string(value))
        return -1;
    *value_r = json_string_value(value);
    return 0;
}

static int take_bool(const json_t *document, const char *key, bool *has_r, bool *value_r)
{
    const json_t *value = json_object_get(document, key);

    *has_r = value != NULL;
    *value_r = json_is_true(value);
    return !value || json_is_boolean(value) ? 0 : -1;
}

static enum auth_status take_all(struct auth_request *request)
{
    const json_t *document = request->document;
    bool ignored;

    if (!json_is_object(document) || take_string(document, "login", &request->login) ||
        take_string(document, "protocol", &request->protocol) ||
        take_string(document, "remote", &request->remote) ||
        take_string(document, "session_id", &request->session) ||
        take_string(document, "pwhash", &request->pwhash) ||
        take_string(document, "fail_type", &request->fail_type) ||
        take_bool(document, "success", &request->has_success, &request->success) ||
        take_bool(document, "policy_reject", &ignored, &request->policy_reject))
        return AUTH_BAD_TYPE;
    return AUTH_OK;
}

enum auth_status auth_parse(const uint8_t *body, size_t len, struct auth_request *request_r)
{
    char *text = mended(body, len);
    enum auth_status status = AUTH_BAD_DEPTH;

    *request_r = (struct auth_request){0};
    if (!is_too_deep(text, len)) {
        request_r->document = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
        status = request_r->document ? take_all(request_r) : AUTH_BAD_JSON;
    }
    if (status != AUTH_OK)
        auth_request_fini(request_r);
    free(text);
    return status;
}

void auth_request_fini(struct auth_request *request)
{
    json_decref(request->document);
    *request = (struct auth_request){0};
}

const char *auth_strstatus(enum auth_status status)
{
    switch (status) {
    case AUTH_OK:
        return "ok";
    case AUTH_BAD_DEPTH:
        return "JSON nested too deep";
    case AUTH_BAD_JSON:
        return "not JSON";
    case AUTH_BAD_TYPE:
        return "an attribute of the wrong type";
    }
    return "unknown";
}

bool auth_is_failure(const struct auth_request *request)
{
    return request->has_success && !request->success && !request->policy_reject &&
           !str_eq(request->fail_type, "internal") && !str_eq(request->fail_type, "policy");
}

char *auth_format(const struct judgement *judgement, unsigned delay_sec)
{
    struct buf out = {0};
    char addr[ADDR_TEXT_MAX], left[STR_DURATION_MAX];

    addr_format(&judgement->origin.addr, addr);
    switch (judgement->verdict) {
    case VERDICT_GO_ON:
        buf_printf(&out, "{\"status\":%u,\"msg\":\"\"}", delay_sec);
        break;
    case VERDICT_BANNED:
        buf_printf(&out, "{\"status\":-1,\"msg\":\"%s is banned here; try again in %s\"}",
                   judgement->ban && ban_login(judgement->ban) ? "this login" : addr,
                   str_format_duration(judgement->seconds, left));
        break;
    case VERDICT_REFUSED:
        buf_printf(&out, "{\"status\":-1,\"msg\":\"%s cannot be a client of this gateway\"}", addr);
        break;
    }
    return buf_steal(&out);
}

/* --- over HTTP -------------------------------------------------------------------- */

static void respond(struct http_request *http, const char *json)
{
    http_respond(http, 200, "application/json", json, strlen(json));
}

static const char *peer_text(const struct addr *peer, char text[ADDR_TEXT_MAX])
{
    return peer->family == ADDR_NONE ? "unix" : addr_format(peer, text);
}

static void respond_unusable(struct http_request *http, struct engine *engine, const char *reason)
{
    struct stats *stats = engine_stats(engine);
    char peer[ADDR_TEXT_MAX];

    stats->count[STAT_AUTH_BAD]++;
    if (log_limit_allows(&stats->auth_refusals, "auth", clock_mono_ms(&clock_system)))
        log_warning(NULL, "auth-request-unusable",
                    LOG_STR("peer", peer_text(http_request_peer(http), peer)),
                    LOG_STR("reason", reason), LOG_STR("effect", "the login goes on"));
    respond(http, GO_ON);
}

static const char *session_of(const struct auth_request *request)
{
    return *request->session ? request->session : NULL;
}

static void log_allow(const struct auth_request *request, const struct judgement *judgement)
{
    bool went_on = judgement->unforced == VERDICT_GO_ON;
    bool is_forced = judgement->unforced == judgement->verdict;
    const struct origin *origin = &judgement->origin;
    char ban[PREFIX_TEXT_MAX], client[ADDR_TEXT_MAX];

    log_write(went_on ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, session_of(request),
              is_forced ? "auth" : "would reject",
              LOG_FIELDS(LOG_STR("action", went_on ? "go on" : "refuse"),
                         LOG_STR("client", origins_client(origin, request->remote, client)),
                         LOG_ORIGIN(origin),
                         LOG_STR("ban", judgement->ban ? ban_who(judgement->ban, ban) : "-"),
                         LOG_STR("jail", judgement->ban ? judgement->ban->jail : "-"),
                         LOG_UINT("seconds", judgement->seconds),
                         LOG_STR("protocol", request->protocol), LOG_STR("login", request->login)));
}

/* Of a login that goes on, how long it waits first. */
static unsigned delay_of(struct engine *engine, const struct auth_request *request,
                         const struct judgement *judgement)
{
    const struct config_jail *jail;
    bool enforce = engine_config(engine)->enforce;
    char client[ADDR_TEXT_MAX];

    if (judgement->unforced != VERDICT_GO_ON)
        return 0;
    unsigned delay_sec = engine_delay(engine, &judgement->origin, request->login, &jail);
    if (delay_sec)
        log_info(session_of(request), enforce ? "delay" : "would delay",
                 LOG_STR("client", origins_client(&judgement->origin, request->remote, client)),
                 LOG_ORIGIN(&judgement->origin), LOG_STR("jail", jail->name),
                 LOG_UINT("seconds", delay_sec), LOG_STR("protocol", request->protocol),
                 LOG_STR("login", request->login));
    return enforce ? delay_sec : 0;
}

struct judgement auth_allow(struct engine *engine, const struct auth_request *request,
                            const struct origin_peer *peer, unsigned *delay_sec_r)
{
    static const enum stat stat_of[] = {
        [VERDICT_GO_ON] = STAT_AUTH_GO_ON,
        [VERDICT_BANNED] = STAT_AUTH_BANNED,
        [VERDICT_REFUSED] = STAT_AUTH_REFUSED,
    };
    struct judgement judgement = engine_judge(engine, peer, request->login, CONFIG_ACTS_AUTH);

    *delay_sec_r = delay_of(engine, request, &judgement);
    engine_stats(engine)->count[*delay_sec_r ? STAT_AUTH_DELAYED : stat_of[judgement.verdict]]++;
    origins_count(&engine_stats(engine)->auth_origins, &judgement.origin);
    log_allow(request, &judgement);
    return judgement;
}

static void allow(struct http_request *http, struct engine *engine,
                  const struct auth_request *request, const struct origin_peer *peer)
{
    unsigned delay_sec;
    struct judgement judgement = auth_allow(engine, request, peer, &delay_sec);
    char *json = auth_format(&judgement, delay_sec);

    respond(http, json);
    free(json);
}

static void on_reported(enum engine_status status, const char *reason, void *ctx)
{
    (void)status;
    (void)reason;
    respond(ctx, GO_ON);
}

/* A honeypot's login is one beside the failure that it is as well. */
static size_t events_of(const struct engine *engine, const struct auth_request *request,
                        struct event events_r[2])
{
    const struct event failure = {
        .kind = CONFIG_EVENT_AUTH_FAIL,
        .login = request->login,
        .fingerprint = request->pwhash,
        .weight = 1,
        .protocol = request->protocol,
        .session = session_of(request),
    };
    size_t count = 0;

    if (engine_is_honeypot(engine, failure.login)) {
        events_r[count] = failure;
        events_r[count].kind = CONFIG_EVENT_HONEYPOT;
        events_r[count++].fingerprint = "";
    }
    events_r[count++] = failure;
    return count;
}

static void report(struct http_request *http, struct engine *engine,
                   const struct auth_request *request, const struct origin_peer *peer)
{
    struct event events[2];

    engine_stats(engine)->count[STAT_AUTH_REPORT]++;
    if (!request->has_success) {
        respond_unusable(http, engine, "a report without success");
    } else if (!auth_is_failure(request)) {
        if (request->success && !request->policy_reject)
            engine_note_login(engine, peer, request->login);
        respond(http, GO_ON);
    } else if (!engine_take(engine, peer, events, events_of(engine, request, events), on_reported,
                            http)) {
        respond(http, GO_ON);
    }
}

static void dispatch(struct http_request *http, struct engine *engine,
                     const struct auth_request *request)
{
    const char *command = http_request_argument(http, "command");
    struct origin_peer peer = {0};

    if (addr_parse(request->remote, &peer.addr))
        respond_unusable(http, engine, "remote is missing, or not an address");
    else if (command && str_eq(command, "allow"))
        allow(http, engine, request, &peer);
    else if (command && str_eq(command, "report"))
        report(http, engine, request, &peer);
    else
        respond_unusable(http, engine, "command is neither allow nor report");
}

void auth_handle(struct http_request *http, void *ctx)
{
    struct engine *engine = ctx;
    struct auth_request request;
    size_t len;
    const uint8_t *body = http_request_body(http, &len);

    if (http_request_is_too_long(http)) {
        respond_unusable(http, engine, "longer than max_request");
        return;
    }
    enum auth_status status = auth_parse(body, len, &request);
    if (status != AUTH_OK) {
        respond_unusable(http, engine, auth_strstatus(status));
        return;
    }
    dispatch(http, engine, &request);
    auth_request_fini(&request);
}
