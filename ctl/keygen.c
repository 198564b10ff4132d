/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/process.h"
#include "common/base/str.h"
#include "common/config/config.h"
#include "common/config/form.h"
#include "common/config/secret.h"
#include "common/mailauth/dkim_signkey.h"
#include "ctl/ctl.h"
#include "ctl/keyfile.h"
#include "ctl/output.h"
#include "ctl/signing.h"

#define DIRECTORY_DEFAULT PN_SYSCONFDIR "/postern/dkim"
#define USER_DEFAULT      "postern"
#define NO_GROUP          ((gid_t)-1)
#define SELECTOR_MAX      63 /* of option selector */

/* What is asked for, and what comes of it. */
struct work {
    struct signing_name name;
    enum dkim_signkey_type type;
    unsigned bits;
    struct dkim_signkey *key;
    char *path;
    struct buf record, zone_line, section;
};

/* --- what the options say ----------------------------------------------------------- */

static int read_type(const struct ctl *ctl, struct work *work, struct error *error_r)
{
    const char *type = ctl_value(ctl, "type"), *bits = ctl_value(ctl, "bits");
    uint64_t number = DKIM_SIGNKEY_BITS_DEFAULT;

    work->type = type && str_eq(type, "ed25519") ? DKIM_SIGNKEY_ED25519 : DKIM_SIGNKEY_RSA;
    if (type && work->type == DKIM_SIGNKEY_RSA && !str_eq(type, "rsa"))
        return error_set(error_r, ERROR_CONFIG, "--type %s: rsa or ed25519 is right", type);
    if (bits && work->type == DKIM_SIGNKEY_ED25519)
        return error_set(error_r, ERROR_CONFIG, "--bits: a key of ed25519 has 256, always");
    if (bits && str_parse_u64(bits, DKIM_KEY_BITS_MIN, DKIM_KEY_BITS_MAX, &number) < 0)
        return error_set(error_r, ERROR_CONFIG, "--bits %s: a number from %d to %d is right", bits,
                         DKIM_KEY_BITS_MIN, DKIM_KEY_BITS_MAX);
    work->bits = (unsigned)number;
    return 0;
}

/* The month: keys are changed, and their order is seen. */
static void selector_of_now(char *out, size_t size)
{
    time_t now = (time_t)(clock_wall_ms(&clock_system) / 1000);
    struct tm date;

    strftime(out, size, "%Y%m", gmtime_r(&now, &date));
}

static int read_name(const struct ctl *ctl, struct work *work, struct error *error_r)
{
    char month[16];
    const char *selector = ctl_value(ctl, "selector");

    selector_of_now(month, sizeof(month));
    if (signing_name_parse(ctl->args[0], selector ? selector : month, &work->name, error_r) < 0)
        return -1;
    /* What is printed must do in postern.conf. */
    if (form_selector(work->name.selector) || strlen(work->name.selector) > SELECTOR_MAX)
        return error_set(error_r, ERROR_CONFIG,
                         "the selector \"%s\" is not what postern.conf takes: at most %d "
                         "characters, no \"-\" at the ends of a label",
                         work->name.selector, SELECTOR_MAX);
    return 0;
}

/* One that the milter's user can enter, whatever the umask is. */
static int make_directory(const char *path)
{
    if (mkdir(path, 0755) == 0)
        return chmod(path, 0755);
    return errno == EEXIST ? 0 : -1;
}

/* The path of the key, absolute as the file wants it. The usual folder is made when missing. */
static int find_path(const struct ctl *ctl, struct work *work, struct error *error_r)
{
    const char *named = ctl_value(ctl, "directory");
    const char *directory = named ? named : DIRECTORY_DEFAULT;
    struct buf path = {0};

    if (!named && make_directory(directory) < 0)
        return error_set_errno(error_r, "cannot create %s; --directory names another", directory);
    char *absolute = realpath(directory, NULL);
    if (!absolute)
        return error_set_errno(error_r, "%s", directory);
    buf_printf(&path, "%s/%s.%s.key", str_eq(absolute, "/") ? "" : absolute, work->name.domain,
               work->name.selector);
    free(absolute);
    work->path = buf_steal(&path);
    return 0;
}

/* --- the file --------------------------------------------------------------------------- */

/* Who reads it at a reload: user of the configuration; to be freed. */
static char *find_user(const struct ctl *ctl)
{
    const char *named = ctl_value(ctl, "config");
    const char *path = named ? named : CONFIG_PATH_DEFAULT;
    struct config *config = NULL;
    struct config_errors errors = {0};

    if (config_load(path, &config, &errors) < 0) {
        if (named || access(path, F_OK) == 0)
            fprintf(stderr,
                    "posternctl: cannot use %s (see posternctl config); its user may be another "
                    "than " USER_DEFAULT "\n",
                    path);
        config_errors_fini(&errors);
        return x_strdup(USER_DEFAULT);
    }
    char *user = x_strdup(config->user);
    config_free(&config);
    return user;
}

/* The group of who reads the key at a reload; NO_GROUP, and why the key is root's alone. */
static gid_t find_group(const struct ctl *ctl, struct buf *why)
{
    gid_t gid = NO_GROUP;

    if (geteuid() != 0) {
        buf_puts(why, "not run as root: only you can read the key");
        return NO_GROUP;
    }
    char *user = find_user(ctl);
    char *group = process_group_of(user);
    if (!group || process_find_group(group, &gid, NULL) < 0)
        buf_printf(why, "no user %s here: only root can read the key", user);
    free(group);
    free(user);
    return gid;
}

static int write_key(const struct ctl *ctl, struct work *work, struct error *error_r)
{
    struct buf why = {0};

    work->key = dkim_signkey_generate(work->type, work->bits, error_r);
    if (!work->key)
        return -1;
    char *pem = dkim_signkey_pem(work->key);
    int rc = keyfile_write(work->path, pem, find_group(ctl, &why), error_r);
    secret_free(&pem);
    if (rc == 0 && why.len)
        fprintf(
            stderr,
            "posternctl: %s; the user whom the milter becomes must, by its group and mode 0640\n",
            buf_str(&why));
    buf_fini(&why);
    return rc;
}

/* --- what to do with it --------------------------------------------------------------- */

static void describe(struct work *work)
{
    dkim_signkey_record(work->key, &work->record);
    dkim_signkey_zone_line(work->key, work->name.domain, work->name.selector, &work->zone_line);
    buf_printf(&work->section,
               "sign {\n  from = \"%s\"\n  selector = \"%s\"\n  key_file = \"%s\"\n}\n",
               work->name.domain, work->name.selector, work->path);
}

static enum ctl_exit tell(const struct ctl *ctl, const struct work *work)
{
    struct buf name = {0};

    buf_printf(&name, "%s._domainkey.%s", work->name.selector, work->name.domain);
    if (ctl->json) {
        output_json(json_pack("{s:s, s:s, s:s, s:i, s:o, s:s, s:s, s:s, s:o}", "domain",
                              work->name.domain, "selector", work->name.selector, "algorithm",
                              dkim_signkey_algorithm(work->key), "bits",
                              (int)dkim_signkey_bits(work->key), "key_file",
                              output_json_text(work->path), "name", buf_str(&name), "record",
                              buf_str(&work->record), "zone_line", buf_str(&work->zone_line),
                              "section", output_json_text(buf_str(&work->section))),
                    CTL_YES);
    } else {
        printf("wrote %s\n\n"
               "The record of its public half, as a line of a zone file:\n\n%s\n\n"
               "The same for a web form, a TXT record of %s:\n\n%s\n\n"
               "For postern.conf, once others can look the record up:\n\n%s",
               work->path, buf_str(&work->zone_line), buf_str(&name), buf_str(&work->record),
               buf_str(&work->section));
    }
    buf_fini(&name);
    return CTL_YES;
}

enum ctl_exit ctl_run_keygen(const struct ctl *ctl)
{
    struct work work = {0};
    struct error error = {0};
    enum ctl_exit how = CTL_YES;

    if (read_type(ctl, &work, &error) < 0 || read_name(ctl, &work, &error) < 0 ||
        find_path(ctl, &work, &error) < 0 || write_key(ctl, &work, &error) < 0) {
        how = ctl_fail(ctl, &error);
    } else {
        describe(&work);
        how = tell(ctl, &work);
    }
    dkim_signkey_free(&work.key);
    free(work.path);
    buf_fini(&work.record);
    buf_fini(&work.zone_line);
    buf_fini(&work.section);
    return how;
}
