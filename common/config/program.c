/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "common/config/program.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/process.h"

#define EXIT_BAD_CONFIG 1
#define EXIT_USAGE      2
#define OWN_OPTION      256 /* behind all characters */

static void print_usage(const struct program *program, FILE *to)
{
    const char *name = program->name;

    fprintf(to, "usage: %s [-c FILE] [-f] [-t] [-v]\n", name);
    if (program->option)
        fprintf(to, "       %s [-c FILE] --%s\n", name, program->option);
    fprintf(to, "       %s -h | -V\n", name);
}

static void print_help(const struct program *program)
{
    printf("%s: %s\n\n", program->name, program->summary);
    print_usage(program, stdout);
    printf("\n"
           "  -c FILE  read FILE instead of %s\n"
           "  -f       stay in the foreground and log to stderr\n"
           "  -h       show this help\n"
           "  -t       check the configuration, name every error in it, and exit\n"
           "  -V       show the version\n"
           "  -v       log more, for finding a fault\n",
           CONFIG_PATH_DEFAULT);
    if (program->option)
        printf("  --%s  %s\n", program->option, program->option_help);
    printf("\n"
           "Exit status: 0 all right, 1 wrong configuration, 2 wrong command line.\n"
           "See %s(8) and postern.conf(5).\n",
           program->name);
}

static int load(const char *path, program_check_fn check, struct config **config_r,
                struct config_errors *errors_r)
{
    if (config_load(path, config_r, errors_r) != 0)
        return -1;
    if (!check || check(*config_r, errors_r) == 0)
        return 0;
    config_free(config_r);
    return -1;
}

static struct config *load_or_exit(const char *path, program_check_fn check)
{
    struct config_errors errors;
    struct config *config;

    if (process_has_predecessor()) { /* nobody reads stderr */
        config = program_reload(path, check);
        if (config)
            return config;
        exit(EXIT_BAD_CONFIG);
    }
    if (load(path, check, &config, &errors) == 0)
        return config;
    config_errors_print(&errors, path, stderr);
    config_errors_fini(&errors);
    exit(EXIT_BAD_CONFIG);
}

static void check_and_exit(const char *path, program_check_fn check)
{
    struct config *config = load_or_exit(path, check);

    config_free(&config);
    printf("%s: ok\n", path);
    exit(EXIT_SUCCESS);
}

static void usage_and_exit(const struct program *program)
{
    print_usage(program, stderr);
    fprintf(stderr, "%s -h says more\n", program->name);
    exit(EXIT_USAGE);
}

struct config *program_start(int argc, char **argv, const struct program *program,
                             struct program_options *options_r)
{
    const struct option longs[] = {{program->option, no_argument, NULL, OWN_OPTION},
                                   {.name = NULL}};
    bool check = false;
    int opt;

    *options_r = (struct program_options){.config_path = CONFIG_PATH_DEFAULT};
    while ((opt = getopt_long(argc, argv, "c:fhtVv", longs, NULL)) != -1) {
        switch (opt) {
        case 'c':
            options_r->config_path = optarg;
            break;
        case 'f':
            options_r->foreground = true;
            break;
        case 't':
            check = true;
            break;
        case 'v':
            options_r->verbose = true;
            break;
        case 'h':
            print_help(program);
            exit(EXIT_SUCCESS);
        case 'V':
            printf("%s (Postern) %s\n", program->name, PACKAGE_VERSION);
            exit(EXIT_SUCCESS);
        case OWN_OPTION:
            options_r->has_option = true;
            break;
        default:
            usage_and_exit(program);
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument \"%s\"\n", program->name, argv[optind]);
        usage_and_exit(program);
    }
    if (check)
        check_and_exit(options_r->config_path, program->check);
    log_open(program->name, options_r->foreground ? LOG_TARGET_STDERR : LOG_TARGET_SYSLOG,
             options_r->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
    return load_or_exit(options_r->config_path, program->check);
}

struct config *program_reload(const char *path, program_check_fn check)
{
    struct config_errors errors = {0};
    struct config *config;

    if (load(path, check, &config, &errors) == 0)
        return config;
    for (size_t i = 0; i < errors.count; i++)
        log_error(NULL, "reload-failed", LOG_STR("file", path),
                  LOG_UINT("line", errors.items[i].line), LOG_STR("error", errors.items[i].text));
    config_errors_fini(&errors);
    return NULL;
}
