/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "ctl/options.h"

#include <string.h>

#include "common/base/bug.h"
#include "common/base/buf.h"
#include "common/base/str.h"
#include "common/config/config.h"

const struct ctl_option ctl_options[4] = {
    {"config", 'c', "FILE", "the configuration, instead of " CONFIG_PATH_DEFAULT},
    {"json", 0, NULL, "print one JSON document"},
    {"help", 'h', NULL, "print this and exit; COMMAND --help tells more"},
    {"version", 'V', NULL, "print the version and exit"},
};
#define GLOBAL_COUNT (sizeof(ctl_options) / sizeof(ctl_options[0]))

const char *ctl_value(const struct ctl *ctl, const char *name)
{
    for (size_t i = 0; i < GLOBAL_COUNT; i++) {
        if (str_eq(ctl_options[i].name, name))
            return ctl->globals[i];
    }
    for (size_t i = 0; ctl->command && i < ctl->command->option_count; i++) {
        if (str_eq(ctl->command->options[i].name, name))
            return ctl->values[i];
    }
    BUG("no option --%s", name);
}

/* A command line while it is read. */
struct reader {
    struct ctl *ctl;
    char **argv;
    int argc, at;
};

/* Where the value of this option goes, and the option itself; NULL: no such option. */
static const char **slot_of(struct ctl *ctl, const char *name, size_t len, char letter,
                            const struct ctl_option **option_r)
{
    const struct ctl_option *own = ctl->command ? ctl->command->options : NULL;
    size_t own_count = ctl->command ? ctl->command->option_count : 0;

    for (size_t i = 0; i < GLOBAL_COUNT + own_count; i++) {
        bool global = i < GLOBAL_COUNT;
        const struct ctl_option *option = global ? &ctl_options[i] : &own[i - GLOBAL_COUNT];
        bool is_it = letter ? option->letter == letter
                            : strlen(option->name) == len && !memcmp(option->name, name, len);
        if (!is_it)
            continue;
        *option_r = option;
        return global ? &ctl->globals[i] : &ctl->values[i - GLOBAL_COUNT];
    }
    return NULL;
}

static int unknown_option(const struct reader *reader, struct error *error_r)
{
    const char *text = reader->argv[reader->at];

    if (reader->ctl->command)
        return error_set(error_r, ERROR_CONFIG, "%s has no option %s; see posternctl %s --help",
                         reader->ctl->command->name, text, reader->ctl->command->name);
    return error_set(error_r, ERROR_CONFIG,
                     "no option %s here; the options of a command stand behind it", text);
}

static int take_option(struct reader *reader, struct error *error_r)
{
    const char *text = reader->argv[reader->at], *name = text + 1, *value = NULL;
    const struct ctl_option *option = NULL;
    size_t len = 1;
    char letter = *name;

    if (letter == '-') {
        name++;
        len = strcspn(name, "=");
        letter = 0;
    }
    const char **slot = slot_of(reader->ctl, name, len, letter, &option);
    if (!slot)
        return unknown_option(reader, error_r);
    if (name[len])
        value = letter ? name + len : name + len + 1;
    if (*slot)
        return error_set(error_r, ERROR_CONFIG, "--%s is given twice", option->name);
    if (!option->value && value)
        return error_set(error_r, ERROR_CONFIG, "--%s takes no value", option->name);
    if (option->value && !value) {
        if (reader->at + 1 >= reader->argc)
            return error_set(error_r, ERROR_CONFIG, "--%s wants a value: --%s %s", option->name,
                             option->name, option->value);
        value = reader->argv[++reader->at];
    }
    *slot = value ? value : "";
    return 0;
}

static int take_argument(struct ctl *ctl, const char *text, struct error *error_r)
{
    if (ctl->command) {
        if (ctl->arg_count == ctl->command->args_max)
            return error_set(error_r, ERROR_CONFIG,
                             "%s does not take \"%s\"; see posternctl %s --help",
                             ctl->command->name, text, ctl->command->name);
        ctl->args[ctl->arg_count++] = text;
        return 0;
    }
    for (size_t i = 0; i < ctl_command_count; i++) {
        if (str_eq(ctl_commands[i].name, text)) {
            ctl->command = &ctl_commands[i];
            BUG_ON(ctl->command->option_count > CTL_OPTIONS_MAX);
            BUG_ON(ctl->command->args_max > CTL_ARGS_MAX);
            return 0;
        }
    }
    return error_set(error_r, ERROR_CONFIG, "no command \"%s\"; posternctl --help lists them",
                     text);
}

static int check_complete(const struct ctl *ctl, struct error *error_r)
{
    if (ctl_value(ctl, "help") || ctl_value(ctl, "version"))
        return 0;
    if (!ctl->command)
        return error_set(error_r, ERROR_CONFIG, "which command? posternctl --help lists them");
    if (ctl->arg_count < ctl->command->args_min)
        return error_set(error_r, ERROR_CONFIG, "usage: posternctl %s %s", ctl->command->name,
                         ctl->command->arguments);
    return 0;
}

int options_parse(struct ctl *ctl, int argc, char **argv, struct error *error_r)
{
    struct reader reader = {ctl, argv, argc, 1};
    bool only_arguments = false;

    *ctl = (struct ctl){0};
    for (; reader.at < argc; reader.at++) {
        const char *text = argv[reader.at];
        int rc = 0;
        if (only_arguments || text[0] != '-' || !text[1])
            rc = take_argument(ctl, text, error_r);
        else if (str_eq(text, "--"))
            only_arguments = true;
        else
            rc = take_option(&reader, error_r);
        ctl->json = ctl_value(ctl, "json") != NULL;
        if (rc < 0)
            return -1;
    }
    return check_complete(ctl, error_r);
}

static void help_options(const struct ctl_option *options, size_t count, FILE *to)
{
    for (size_t i = 0; i < count; i++) {
        struct buf left = {0};
        if (options[i].letter)
            buf_printf(&left, "-%c, ", options[i].letter);
        buf_printf(&left, "--%s", options[i].name);
        if (options[i].value)
            buf_printf(&left, " %s", options[i].value);
        fprintf(to, "  %-22s  %s\n", buf_str(&left), options[i].help);
        buf_fini(&left);
    }
}

void options_help(const struct ctl_command *command, FILE *to)
{
    if (command) {
        fprintf(to, "usage: posternctl %s%s%s%s\n\n%s.\n", command->name,
                command->option_count ? " [OPTION...]" : "", *command->arguments ? " " : "",
                command->arguments, command->summary);
        if (*command->details)
            fprintf(to, "\n%s", command->details);
        fputs("\noptions:\n", to);
        help_options(command->options, command->option_count, to);
        help_options(ctl_options, GLOBAL_COUNT, to);
        return;
    }
    fputs("usage: posternctl [OPTION...] COMMAND [ARGUMENT...]\n\n"
          "The operator's one command: asks and steers Postern.\n\ncommands:\n",
          to);
    for (size_t i = 0; i < ctl_command_count; i++) {
        struct buf left = {0};
        buf_printf(&left, "%s %s", ctl_commands[i].name, ctl_commands[i].arguments);
        fprintf(to, "  %-26s  %s\n", buf_str(&left), ctl_commands[i].summary);
        buf_fini(&left);
    }
    fputs("\noptions:\n", to);
    help_options(ctl_options, GLOBAL_COUNT, to);
    fputs("\nexit status: 0 yes or done, 1 no or a problem found, 2 wrong usage or cannot run\n",
          to);
}
