/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ctl/lookup.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "ctl/output.h"

#define DNS_TIMEOUT_MS 10000

static int load_config(const char *path, struct config **config_r, struct error *error_r)
{
    struct config_errors errors = {0};

    if (config_load(path, config_r, &errors) == 0)
        return 0;
    config_errors_print(&errors, path, stderr);
    config_errors_fini(&errors);
    return error_set(error_r, ERROR_CONFIG, "%s cannot be used", path);
}

static char *own_hostname(void)
{
    char name[DNS_NAME_MAX + 1] = "";

    if (gethostname(name, sizeof(name) - 1) < 0 || !*name)
        return x_strdup("localhost");
    return str_lower(x_strdup(name));
}

static int open_resolver(const struct ctl *ctl, struct lookup *lookup, struct error *error_r)
{
    const char *named = ctl_value(ctl, "resolver");
    char *one = x_strdup(named ? named : "");
    struct config_strings servers = {0};
    bool dnssec = false;

    if (named)
        servers = (struct config_strings){&one, 1};
    else if (lookup->config)
        servers = lookup->config->resolver;
    if (lookup->config && !named)
        dnssec = lookup->config->dnssec;
    lookup->resolver = resolver_new(&servers, dnssec, error_r);
    free(one);
    if (!lookup->resolver)
        return -1;
    lookup->dns = resolver_dns(lookup->resolver);
    return 0;
}

int lookup_open(const struct ctl *ctl, struct lookup *lookup_r, struct error *error_r)
{
    const char *path = ctl_value(ctl, "config");

    *lookup_r = (struct lookup){.budget = {DNS_TIMEOUT_MS}};
    if (path) {
        if (load_config(path, &lookup_r->config, error_r) < 0)
            return -1;
        lookup_r->budget.left_ms = lookup_r->config->dns_timeout_ms;
    }
    if (open_resolver(ctl, lookup_r, error_r) < 0) {
        lookup_close(lookup_r);
        return -1;
    }
    lookup_r->hostname = lookup_r->config ? x_strdup(lookup_r->config->hostname) : own_hostname();
    return 0;
}

void lookup_close(struct lookup *lookup)
{
    if (lookup->resolver)
        resolver_free(&lookup->resolver);
    if (lookup->config)
        config_free(&lookup->config);
    free(lookup->hostname);
    lookup->hostname = NULL;
}

/* MAIL FROM as a person may write it, to what stands between the angle brackets. */
static char *read_sender(const char *text)
{
    size_t len = strlen(text);

    if (len >= 2 && text[0] == '<' && text[len - 1] == '>')
        return x_strndup(text + 1, len - 2);
    return x_strdup(text);
}

static const struct spf_engine *find_engine(const char *name, struct error *error_r)
{
    static const char *const known[] = {"rfc7208", "libspf2"};
    const struct spf_engine *engine = spf_engine_find(name);
    struct buf list = {0};

    if (engine)
        return engine;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (spf_engine_find(known[i]))
            buf_printf(&list, "%s%s", list.len ? ", " : "", known[i]);
    }
    error_set(error_r, ERROR_CONFIG, "no SPF engine %s in this build; known: %s", name,
              buf_str(&list));
    buf_fini(&list);
    return NULL;
}

int lookup_spf_init(const struct ctl *ctl, struct lookup_spf *spf_r, struct error *error_r)
{
    const char *ip = ctl_value(ctl, "ip"), *helo = ctl_value(ctl, "helo");
    const char *sender = ctl_value(ctl, "sender");

    *spf_r = (struct lookup_spf){0};
    if (!ip || (!helo && !sender))
        return error_set(error_r, ERROR_CONFIG, "SPF needs --ip and --helo or --sender");
    if (addr_parse(ip, &spf_r->request.client) < 0)
        return error_set(error_r, ERROR_CONFIG, "--ip %s: no IPv4 or IPv6 address", ip);
    spf_r->engine = find_engine(ctl_value(ctl, "engine"), error_r);
    if (!spf_r->engine)
        return -1;
    spf_r->sender = read_sender(sender ? sender : "");
    spf_r->request.sender = spf_r->sender;
    spf_r->request.helo = helo ? helo : "";
    return 0;
}

void lookup_spf_run(struct lookup_spf *spf, struct lookup *lookup, struct spf_verdict *verdict_r)
{
    spf->request.receiver = lookup->hostname;
    spf_verify(spf->engine, &spf->request, lookup->dns, &lookup->budget, verdict_r);
}

void lookup_spf_fini(struct lookup_spf *spf)
{
    free(spf->sender);
    spf->sender = NULL;
}

const struct spf_check *lookup_spf_decisive(const struct lookup_spf *spf,
                                            const struct spf_verdict *verdict,
                                            enum spf_identity *identity_r)
{
    *identity_r = *spf->sender ? SPF_IDENTITY_MAILFROM : SPF_IDENTITY_HELO;
    return *spf->sender ? &verdict->mailfrom : &verdict->helo;
}

static json_t *check_json(enum spf_identity identity, const struct spf_check *check)
{
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:i, s:i}", "result", auth_result_name(check->result),
        "identity", spf_identity_name(identity), "domain", output_json_text(check->domain),
        "mechanism", output_json_text(check->mechanism), "explanation",
        output_json_text(check->explanation), "reason", output_json_text(check->reason), "lookups",
        (int)check->lookups, "void_lookups", (int)check->void_lookups);
}

json_t *lookup_spf_json(const struct lookup_spf *spf, const struct spf_verdict *verdict)
{
    enum spf_identity identity;
    const struct spf_check *check = lookup_spf_decisive(spf, verdict, &identity);
    json_t *json = check_json(identity, check);

    json_object_set_new(json, "engine", json_string(spf->engine->name));
    json_object_set_new(json, "identities",
                        json_pack("[o, o]", check_json(SPF_IDENTITY_HELO, &verdict->helo),
                                  check_json(SPF_IDENTITY_MAILFROM, &verdict->mailfrom)));
    return json;
}
