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

#define CONTROL_DEFAULT "unix:" PN_RUNSTATEDIR "/postern/control"
#define TIMEOUT_MS      10000

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

int daemon_ask(const struct ctl *ctl, const struct buf *request, daemon_record_fn fn, void *ctx,
               struct attr_list *last_r, struct error *error_r)
{
    char *address = find_address(ctl, error_r);

    if (!address)
        return -1;
    struct control *control = control_open(address, TIMEOUT_MS, error_r);
    if (!control)
        explain(address, error_r);
    int rc = control ? ask(control, request, fn, ctx, last_r, error_r) : -1;
    if (control)
        control_close(&control);
    free(address);
    return rc;
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
