/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/spf.h"

#include <stdio.h>

#include "ctl/ctl.h"
#include "ctl/lookup.h"
#include "ctl/output.h"

static void add_check(struct table *table, enum spf_identity identity,
                      const struct spf_check *check)
{
    struct buf lookups = {0};
    const char *why = *check->mechanism ? check->mechanism : check->reason;

    buf_printf(&lookups, "%u, %u void", check->lookups, check->void_lookups);
    table_add(table, spf_identity_name(identity));
    table_add(table, *check->domain ? check->domain : "-");
    table_add(table, auth_result_name(check->result));
    table_add(table, check->ran ? buf_str(&lookups) : "not asked");
    table_add(table, why);
    buf_fini(&lookups);
}

static void print_verdict(const struct lookup_spf *spf, const struct spf_verdict *verdict)
{
    static const char *const heads[] = {"identity", "domain", "result", "look-ups", "by"};
    enum spf_identity identity;
    const struct spf_check *check = lookup_spf_decisive(spf, verdict, &identity);
    struct table table;

    printf("%s\n\n", auth_result_name(check->result));
    table_init(&table, sizeof(heads) / sizeof(heads[0]));
    for (size_t i = 0; i < table.columns; i++)
        table_add(&table, heads[i]);
    add_check(&table, SPF_IDENTITY_MAILFROM, &verdict->mailfrom);
    add_check(&table, SPF_IDENTITY_HELO, &verdict->helo);
    table_print(&table);
    table_fini(&table);
    if (*check->explanation)
        printf("\nits domain says: %s\n", check->explanation);
}

static enum ctl_exit tell(const struct ctl *ctl, const struct lookup_spf *spf,
                          const struct spf_verdict *verdict)
{
    enum spf_identity identity;
    const struct spf_check *check = lookup_spf_decisive(spf, verdict, &identity);
    enum ctl_exit how = check->result == AUTH_PASS ? CTL_YES : CTL_NO;

    if (ctl->json)
        return output_json(lookup_spf_json(spf, verdict), how);
    print_verdict(spf, verdict);
    return how;
}

enum ctl_exit ctl_run_spf(const struct ctl *ctl)
{
    struct lookup lookup;
    struct lookup_spf spf;
    struct spf_verdict verdict;
    struct error error = {0};
    enum ctl_exit how;

    if (lookup_spf_init(ctl, &spf, &error) < 0)
        return ctl_fail(ctl, &error);
    if (lookup_open(ctl, &lookup, &error) < 0) {
        how = ctl_fail(ctl, &error);
    } else {
        lookup_spf_run(&spf, &lookup, &verdict);
        how = tell(ctl, &spf, &verdict);
        lookup_close(&lookup);
    }
    lookup_spf_fini(&spf);
    return how;
}
