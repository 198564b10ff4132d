/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/config/config.h"
#include "common/mailauth/sign_keys.h"
#include "ctl/ctl.h"
#include "ctl/output.h"

static json_t *errors_json(const struct config_errors *errors, const char *path)
{
    json_t *list = json_array();

    for (size_t i = 0; i < errors->count; i++) {
        json_t *item = json_pack("{s:i, s:o}", "line", (int)errors->items[i].line, "text",
                                 output_json_text(errors->items[i].text));
        json_array_append_new(list, item);
    }
    return json_pack("{s:o, s:o}", "path", output_json_text(path), "errors", list);
}

enum ctl_exit ctl_run_config(const struct ctl *ctl)
{
    const char *named = ctl_value(ctl, "config");
    const char *path = named ? named : CONFIG_PATH_DEFAULT;
    struct config *config = NULL;
    struct config_errors errors = {0};

    if (config_load(path, &config, &errors) < 0 || sign_keys_check(config, &errors) < 0) {
        config_errors_print(&errors, path, stderr);
        if (ctl->json)
            output_json(errors_json(&errors, path), CTL_NO);
        config_errors_fini(&errors);
        config_free(&config);
        return CTL_NO;
    }
    if (ctl->json)
        config_print_json(config, stdout);
    else
        config_print(config, stdout);
    config_free(&config);
    return CTL_YES;
}
