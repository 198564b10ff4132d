/* SPDX-License-Identifier: MIT */
/*
 * A milter that does nothing but its input and output, with the stages of postern-milter.
 * With a key it also verifies the message by libopendkim, and refuses it where that fails:
 * what a milter over both libraries cannot go below.
 */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libmilter/mfapi.h>
#include <opendkim/dkim.h>

#include "tests/bench/bench.h"

#define KEY_MAX   4096
#define FIELD_MAX 65536
#define ACTIONS   (SMFIF_ADDHDRS | SMFIF_CHGHDRS)
#define STEPS                                                                                      \
    (SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NORCPT | SMFIP_NODATA |   \
     SMFIP_NOUNKNOWN | SMFIP_HDR_LEADSPC | SMFIP_SKIP)

static const char usage[] =
    "Usage: milter_null [-k FILE] PATH\n"
    "\n"
    "  -k   verify by libopendkim; the file holds the key record that every selector has\n";

static DKIM_LIB *library;        /* NULL: nothing is verified */
static char key_record[KEY_MAX]; /* NUL at its end */

static DKIM_CBSTAT give_key(DKIM *dkim, DKIM_SIGINFO *info, unsigned char *buf, size_t size)
{
    (void)dkim, (void)info;
    snprintf((char *)buf, size, "%s", key_record);
    return DKIM_CBSTAT_CONTINUE;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long f2, unsigned long f3, unsigned long *actions_r,
                             unsigned long *steps_r, unsigned long *f2_r, unsigned long *f3_r)
{
    (void)ctx, (void)actions, (void)f2, (void)f3;
    if ((steps & STEPS) != STEPS)
        bench_fail("a server without SMFIP_NR_*");
    *actions_r = ACTIONS;
    *steps_r = STEPS;
    *f2_r = *f3_r = 0;
    return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *addr)
{
    (void)ctx, (void)host, (void)addr;
    return SMFIS_CONTINUE;
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
    (void)ctx, (void)name;
    return SMFIS_NOREPLY;
}

static sfsistat on_mail(SMFICTX *ctx, char **argv)
{
    DKIM_STAT status;

    (void)argv;
    if (library)
        smfi_setpriv(ctx, dkim_verify(library, (const unsigned char *)"-", NULL, &status));
    return SMFIS_NOREPLY;
}

/* The field as it was on the wire: libmilter hands over each fold as LF alone. */
static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    DKIM *dkim = smfi_getpriv(ctx);
    unsigned char field[FIELD_MAX];
    size_t len = 0;

    if (!dkim)
        return SMFIS_NOREPLY;
    for (const char *c = name; *c && len < FIELD_MAX - 2; c++)
        field[len++] = (unsigned char)*c;
    field[len++] = ':';
    for (const char *c = value; *c && len < FIELD_MAX - 2; c++) {
        if (*c == '\n')
            field[len++] = '\r';
        field[len++] = (unsigned char)*c;
    }
    (void)dkim_header(dkim, field, len);
    return SMFIS_NOREPLY;
}

static sfsistat on_end_header(SMFICTX *ctx)
{
    DKIM *dkim = smfi_getpriv(ctx);

    if (dkim)
        (void)dkim_eoh(dkim);
    return SMFIS_NOREPLY;
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *bytes, size_t len)
{
    DKIM *dkim = smfi_getpriv(ctx);

    if (dkim)
        (void)dkim_body(dkim, bytes, len);
    return dkim ? SMFIS_CONTINUE : SMFIS_SKIP;
}

static bool has_passed(DKIM *dkim)
{
    DKIM_SIGINFO *signature = NULL;

    (void)dkim_eom(dkim, NULL);
    signature = dkim_getsignature(dkim);
    return signature && (dkim_sig_getflags(signature) & DKIM_SIGFLAG_PASSED) &&
           dkim_sig_getbh(signature) == DKIM_SIGBH_MATCH;
}

static void end_message(SMFICTX *ctx)
{
    DKIM *dkim = smfi_getpriv(ctx);

    if (dkim)
        dkim_free(dkim);
    smfi_setpriv(ctx, NULL);
}

static sfsistat on_eom(SMFICTX *ctx)
{
    DKIM *dkim = smfi_getpriv(ctx);
    bool is_good = !library || (dkim && has_passed(dkim));

    end_message(ctx);
    return is_good ? SMFIS_CONTINUE : SMFIS_REJECT;
}

static sfsistat on_close(SMFICTX *ctx)
{
    end_message(ctx);
    return SMFIS_CONTINUE;
}

static void use_key(const char *path)
{
    FILE *file = fopen(path, "r");

    if (!file || !fgets(key_record, sizeof(key_record), file))
        bench_fail(path);
    fclose(file);
    key_record[strcspn(key_record, "\n")] = 0;
    library = dkim_init(NULL, NULL);
    if (!library || dkim_set_key_lookup(library, give_key))
        bench_fail("libopendkim");
}

static void serve(char *path)
{
    static char name[] = "milter_null";
    const struct smfiDesc table = {
        .xxfi_name = name,
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = ACTIONS,
        .xxfi_negotiate = on_negotiate,
        .xxfi_connect = on_connect,
        .xxfi_helo = on_helo,
        .xxfi_envfrom = on_mail,
        .xxfi_header = on_header,
        .xxfi_eoh = on_end_header,
        .xxfi_body = on_body,
        .xxfi_eom = on_eom,
        .xxfi_abort = on_close,
        .xxfi_close = on_close,
    };

    if (smfi_register(table) != MI_SUCCESS || smfi_setconn(path) != MI_SUCCESS ||
        smfi_main() != MI_SUCCESS)
        bench_fail(path);
}

int main(int argc, char **argv)
{
    int option;

    while ((option = getopt(argc, argv, "k:")) != -1) {
        if (option == 'k')
            use_key(optarg);
        else
            optind = argc;
    }
    if (optind != argc - 1) {
        fputs(usage, stderr);
        return 2;
    }
    serve(argv[optind]);
    return 0;
}
