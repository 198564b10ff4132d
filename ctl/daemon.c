/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ctl/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/config/config.h"
#include "common/net/control.h"
#include "ctl/output.h"

#define CONTROL_DEFAULT  "unix:" PN_RUNSTATEDIR "/postern/control"
#define TIMEOUT_MS       10000
#define WATCH_TIMEOUT_MS 40000 /* something comes every 15 s; postern-control(7) */

/* The socket's address, to be freed; NULL when the file switches it off. */
static char *find_address(const struct ctl *ctl, struct error *error_r)
{
    const char *named = ctl_value(ctl, "config");
    const char *path = named ? named : CONFIG_PATH_DEFAULT;
    struct config *config = NULL;
    struct config_errors errors = {0};
    char *address;

    if (ctl_value(ctl, "control"))
        return x_strdup(ctl_value(ctl, "control"));
    if (config_load(path, &config, &errors) < 0) {
        if (named || access(path, F_OK) == 0)
            fprintf(stderr,
                    "posternctl: cannot use %s (see posternctl config); asking at " CONTROL_DEFAULT
                    "\n",
                    path);
        config_errors_fini(&errors);
        return x_strdup(CONTROL_DEFAULT);
    }
    address = x_strdup(config->policyd.control);
    if (!address)
        error_set(error_r, ERROR_CONFIG, "%s switches the control socket off (policyd, control)",
                  path);
    config_free(&config);
    return address;
}

/* Only says more when the reason is permission: the rest control_open() tells itself. */
static void explain(const char *address, struct error *error_r)
{
    const char *path = str_has_prefix(address, "unix:") ? address + 5 : address;

    if (access(path, R_OK | W_OK) < 0 && errno == EACCES)
        error_set(error_r, ERROR_SYSTEM,
                  "no permission for %s: run this as root, or as a member of the group that "
                  "control_group names",
                  path);
}

static int ask(struct control *control, const struct buf *request, daemon_record_fn fn, void *ctx,
               struct attr_list *last_r, struct error *error_r)
{
    int rc = control_send(control, request, error_r);

    if (rc < 0)
        return -1;
    while ((rc = control_next(control, last_r, error_r)) > 0) {
        if (fn)
            fn(last_r, ctx);
    }
    return rc;
}

static struct control *open_control(const struct ctl *ctl, int timeout_ms, struct error *error_r)
{
    char *address = find_address(ctl, error_r);

    if (!address)
        return NULL;
    struct control *control = control_open(address, timeout_ms, error_r);
    if (!control)
        explain(address, error_r);
    free(address);
    return control;
}

int daemon_ask(const struct ctl *ctl, const struct buf *request, daemon_record_fn fn, void *ctx,
               struct attr_list *last_r, struct error *error_r)
{
    struct control *control = open_control(ctl, TIMEOUT_MS, error_r);

    if (!control)
        return -1;
    int rc = ask(control, request, fn, ctx, last_r, error_r);
    control_close(&control);
    return rc;
}

static int follow(struct control *control, const struct buf *request, daemon_watch_fn fn, void *ctx,
                  struct error *error_r)
{
    struct attr_list record;
    struct error why = {0};
    int rc = control_send(control, request, error_r);

    if (rc < 0)
        return -1;
    while ((rc = control_next(control, &record, &why)) > 0) {
        if (!fn(&record, ctx))
            return 0;
    }
    if (rc == 0)
        return error_set(error_r, ERROR_PEER, "postern-policyd has ended the watch");
    if (why.code == ERROR_REFUSED)
        *error_r = why;
    else
        error_set(error_r, why.code, "postern-policyd has gone away: %s", why.text);
    return -1;
}

int daemon_watch(const struct ctl *ctl, const struct buf *request, daemon_watch_fn fn, void *ctx,
                 struct error *error_r)
{
    struct control *control = open_control(ctl, WATCH_TIMEOUT_MS, error_r);

    if (!control)
        return -1;
    int rc = follow(control, request, fn, ctx, error_r);
    control_close(&control);
    return rc;
}

int daemon_read_prefix(const char *text, struct prefix *prefix_r, struct error *error_r)
{
    char host[ADDR_TEXT_MAX], out[PREFIX_TEXT_MAX];
    const char *slash = strchr(text, '/');
    struct addr addr;
    uint64_t bits;

    if (prefix_parse(text, prefix_r) == 0)
        return 0;
    if (slash && (size_t)(slash - text) < sizeof(host)) {
        memcpy(host, text, (size_t)(slash - text));
        host[slash - text] = 0;
        if (addr_parse(host, &addr) == 0 &&
            str_parse_u64(slash + 1, 0, addr_bits(&addr), &bits) == 0) {
            struct prefix meant = prefix_of(&addr, (unsigned)bits);
            return error_set(error_r, ERROR_CONFIG, "%s lies within a network: do you mean %s?",
                             text, prefix_format(&meant, out));
        }
    }
    return error_set(error_r, ERROR_CONFIG,
                     "\"%s\" is no address or network, such as 203.0.113.7 or 2001:db8::/64", text);
}

int daemon_put_who(const struct ctl *ctl, struct buf *request, char shown[PREFIX_TEXT_MAX],
                   const char **who_r, struct error *error_r)
{
    const char *text = ctl->args[0];
    struct prefix prefix;

    *who_r = text;
    if (strchr(text, '@') || ctl_value(ctl, "login")) {
        attr_put(request, "login", text);
        return 0;
    }
    if (daemon_read_prefix(text, &prefix, error_r) < 0)
        return -1;
    *who_r = prefix_format(&prefix, shown);
    attr_put(request, "prefix", shown);
    return 0;
}

json_t *daemon_value_json(const char *value, enum daemon_kind kind)
{
    uint64_t number;

    if (kind == DAEMON_FLAG && (str_eq(value, "yes") || str_eq(value, "no")))
        return json_boolean(str_eq(value, "yes"));
    if (kind == DAEMON_NUMBER && str_parse_u64(value, 0, INT64_MAX, &number) == 0)
        return json_integer((json_int_t)number);
    return output_json_text(value);
}

json_t *daemon_json(const struct attr_list *list, const struct daemon_field *fields, size_t count)
{
    json_t *object = json_object();

    for (size_t i = 0; i < count; i++) {
        const char *value = attr_get(list, fields[i].name);
        if (value)
            json_object_set_new(object, fields[i].name, daemon_value_json(value, fields[i].kind));
    }
    return object;
}
