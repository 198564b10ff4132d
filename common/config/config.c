/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/str.h"
#include "common/config/draft.h"
#include "common/config/errors.h"
#include "common/config/rules.h"
#include "common/config/schema.h"
#include "common/config/value.h"

#define FILE_MAX ((size_t)1024 * 1024)

static int read_fd(int fd, struct buf *text, struct config_errors *errors)
{
    struct stat st;

    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
        config_errors_add(errors, 0, "not a regular file");
        return -1;
    }
    while (text->len <= FILE_MAX) {
        ssize_t n = read(fd, buf_reserve(text, 4096), 4096);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            config_errors_add(errors, 0, "cannot be read: %s", strerror(errno));
            return -1;
        }
        if (n == 0)
            return 0;
        buf_commit(text, (size_t)n);
    }
    config_errors_add(errors, 0, "longer than %zu bytes", FILE_MAX);
    return -1;
}

static int read_file(const char *path, struct buf *text, struct config_errors *errors)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int result;

    if (fd < 0) {
        config_errors_add(errors, 0, "cannot be opened: %s", strerror(errno));
        return -1;
    }
    result = read_fd(fd, text, errors);
    close(fd);
    return result;
}

static struct config *load_text(const char *path, const struct buf *text,
                                struct config_errors *errors)
{
    struct config *config = x_calloc(1, sizeof(*config));
    struct draft draft;

    config->path = x_strdup(path);
    draft_init(&draft, config, buf_str(text), text->len, errors);
    rules_apply(&draft);
    draft_fini(&draft);
    return config;
}

int config_load(const char *path, struct config **config_r, struct config_errors *errors_r)
{
    struct config *config = NULL;
    struct buf text;

    *config_r = NULL;
    *errors_r = (struct config_errors){0};
    buf_init(&text);
    if (read_file(path, &text, errors_r) == 0)
        config = load_text(path, &text, errors_r);
    buf_fini(&text);
    config_errors_sort(errors_r);
    if (errors_r->count > 0) {
        config_free(&config);
        return -1;
    }
    *config_r = config;
    return 0;
}

static void free_section(const struct section *section, void *base)
{
    if (section->titled)
        free(*(char **)base);
    for (const struct option *option = section->options; option->name != NULL; option++)
        value_fini(option, base);
}

void config_free(struct config **config)
{
    char *base = (char *)*config;

    if (base == NULL)
        return;
    for (const struct section *section = schema; section->name != NULL; section++) {
        char *items;
        size_t count;

        if (!section->multiple) {
            free_section(section, base + section->offset);
            continue;
        }
        items = *(char **)(void *)(base + section->offset);
        count = *(size_t *)(void *)(base + section->count_offset);
        for (size_t i = 0; i < count; i++)
            free_section(section, items + i * section->size);
        free(items);
    }
    free((*config)->store.path);
    for (size_t i = 0; i < (*config)->store.servers.count; i++)
        free((*config)->store.servers.items[i]);
    free((*config)->store.servers.items);
    free((*config)->path);
    free(*config);
    *config = NULL;
}

bool config_strings_have(const struct config_strings *strings, const char *text)
{
    for (size_t i = 0; i < strings->count; i++)
        if (str_eq(strings->items[i], text))
            return true;
    return false;
}

const struct config_gateway *config_gateway(const struct config *config, const char *name)
{
    for (size_t i = 0; name && i < config->gateway_count; i++) {
        if (config->gateways[i].name && str_eq(config->gateways[i].name, name))
            return &config->gateways[i];
    }
    return NULL;
}

bool config_forwards_as(const struct config *config, enum config_forward_as way)
{
    for (size_t i = 0; i < config->ingress_count; i++) {
        if (config->ingresses[i].forward_as == way)
            return true;
    }
    return false;
}
