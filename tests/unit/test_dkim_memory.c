/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/mailauth/dkim.h"
#include "tests/unit/fake_dns.h"

/*
 * libopendkim writes behind a list of its own when a signature names every field there is and
 * then others. A sanitizer does not see what a library does that was built without it, so this
 * watches the bytes behind each block; where a sanitizer has malloc(), it is skipped.
 */
#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#endif

static unsigned overrun;

#ifndef HAS_SANITIZER

#define GUARD_SIZE 16
#define GUARD_BYTE 0xa5

/* At the end of a block from malloc(), behind the guard. */
struct trailer {
    uintptr_t self;
    size_t size;
};

void *__libc_malloc(size_t size);
void __libc_free(void *block);

static struct trailer *trailer_of(void *block)
{
    return (struct trailer *)((uint8_t *)block + malloc_usable_size(block)) - 1;
}

void *malloc(size_t size)
{
    uint8_t *block = __libc_malloc(size + GUARD_SIZE + 2 * sizeof(struct trailer));

    if (!block)
        return NULL;
    memset(block + size, GUARD_BYTE, GUARD_SIZE);
    struct trailer trailer = {~(uintptr_t)block, size};
    memcpy(trailer_of(block), &trailer, sizeof(trailer));
    return block;
}

void free(void *block)
{
    struct trailer trailer = {0, 0};

    if (block)
        memcpy(&trailer, trailer_of(block), sizeof(trailer));
    /* Others are from calloc() and kin. */
    for (size_t i = 0; block && trailer.self == ~(uintptr_t)block && i < GUARD_SIZE; i++)
        overrun += ((uint8_t *)block)[trailer.size + i] != GUARD_BYTE;
    __libc_free(block);
}

void *realloc(void *old, size_t size)
{
    size_t had = old ? malloc_usable_size(old) : 0;
    void *block = malloc(size);

    if (block && old)
        memcpy(block, old, had < size ? had : size);
    if (block)
        free(old);
    return block;
}

#endif

static struct dkim_library *library;
static struct fake_dns fake;

/* A message of so many fields, whose signature names all, itself, and more. */
static enum auth_result verify(unsigned fields, unsigned more)
{
    struct dns_budget budget = {1000};
    struct dkim_verifier *verifier = dkim_verifier_new(library, "s", 8, &fake.dns, &budget);
    struct buf value = {0};
    size_t count;

    buf_puts(&value, " v=1; a=ed25519-sha256; d=d.example; s=s; b=AAAA; bh="
                     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=; h=from:dkim-signature");
    for (unsigned i = 0; i < fields + more; i++)
        buf_printf(&value, ":x%u", i);
    dkim_verifier_header(verifier, "DKIM-Signature", buf_str(&value));
    dkim_verifier_header(verifier, "From", " a@d.example");
    for (unsigned i = 0; i < fields; i++) {
        buf_reset(&value);
        buf_printf(&value, "x%u", i);
        dkim_verifier_header(verifier, buf_str(&value), " y");
    }
    enum auth_result result = dkim_verifier_finish(verifier, &count)[0].result;
    dkim_verifier_free(&verifier);
    buf_fini(&value);
    return result;
}

static void test_every_field_is_named(void **state)
{
    (void)state;
    for (unsigned fields = 0; fields < 8; fields++) {
        for (unsigned more = 0; more < 4; more++)
            assert_int_equal(verify(fields, more), AUTH_FAIL);
    }
    assert_int_equal(overrun, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_field_is_named)};
    struct error error;

#ifdef HAS_SANITIZER
    printf("1..0 # SKIP a sanitizer has malloc()\n");
    return 0;
#endif
    library = dkim_library_new(&error);
    if (!library)
        return 1;
    fake_dns_init(&fake);
    fake_dns_add(&fake, "s._domainkey.d.example", DNS_TYPE_TXT,
                 "k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fake_dns_fini(&fake);
    dkim_library_free(&library);
    return failed;
}
