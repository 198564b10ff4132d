/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/base/mem.h"
#include "common/config/config.h"
#include "common/config/draft.h"
#include "common/config/errors.h"
#include "common/config/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Everything but the reading of the file itself: syntax, values, rules, and the printing. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = x_calloc(1, sizeof(*config));
    struct config_errors errors = {0};
    struct draft draft;

    draft_init(&draft, config, (const char *)data, size, &errors);
    rules_apply(&draft);
    draft_fini(&draft);
    config_errors_sort(&errors);
    if (errors.count == 0) {
        FILE *nowhere = fopen("/dev/null", "w");

        config_print(config, nowhere);
        config_print_json(config, nowhere);
        fclose(nowhere);
    }
    config_errors_fini(&errors);
    config_free(&config);
    return 0;
}
