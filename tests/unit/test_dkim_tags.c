/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "common/base/buf.h"
#include "common/mailauth/dkim.h"
#include "common/mailauth/dkim_key.h"
#include "tests/unit/fake_dns.h"

/*
 * Signatures whose arithmetic is right, made here by OpenSSL, whatever their tags say: what
 * does not pass here fails for the tags alone, or for the key record.
 */

#define FROM        " Alice <alice@d.example>"
#define FROM_SIGNED "from:Alice <alice@d.example>\r\n"
#define BODY        "Hello.\r\n"

static struct dkim_library *library;
static EVP_PKEY *rsa, *ed25519;
static char *rsa_p, *ed25519_p;

static char *base64(const uint8_t *bytes, size_t len)
{
    char *text = calloc(len * 4 / 3 + 5, 1);

    EVP_EncodeBlock((unsigned char *)text, bytes, (int)len);
    return text;
}

static char *body_hash(const char *body)
{
    uint8_t digest[32];

    assert_int_equal(EVP_Digest(body, strlen(body), digest, NULL, EVP_sha256(), NULL), 1);
    return base64(digest, sizeof(digest));
}

/* text with every "$" in it replaced. */
static void put_filled(struct buf *out, const char *text, const char *filling)
{
    for (; *text; text++) {
        if (*text == '$')
            buf_puts(out, filling);
        else
            buf_putc(out, *text);
    }
}

static char *sign(const char *tags, const struct buf *input)
{
    EVP_PKEY *key = strstr(tags, "ed25519") ? ed25519 : rsa;
    const EVP_MD *hash = strstr(tags, "sha1") ? EVP_sha1() : EVP_sha256();
    uint8_t signature[512], digest[32];
    size_t len = sizeof(signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    assert_int_equal(EVP_Digest(input->data, input->len, digest, NULL, EVP_sha256(), NULL), 1);
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, key == rsa ? hash : NULL, NULL, key), 1);
    if (key == rsa)
        assert_int_equal(EVP_DigestSign(ctx, signature, &len, input->data, input->len), 1);
    else
        assert_int_equal(EVP_DigestSign(ctx, signature, &len, digest, sizeof(digest)), 1);
    EVP_MD_CTX_free(ctx);
    return base64(signature, len);
}

/* The value of a field with these tags, "$" being the hash of the body, and b= behind them. */
static char *forge(const char *tags, const char *signed_header)
{
    char *hash = body_hash(strstr(tags, "l=0") ? "" : BODY);
    struct buf text = {0}, input = {0};

    put_filled(&text, tags, hash);
    buf_puts(&text, "; b=");
    buf_printf(&input, "%sdkim-signature:%s", signed_header, buf_str(&text));
    char *signature = sign(tags, &input);
    buf_reset(&input);
    buf_printf(&input, " %s%s", buf_str(&text), signature);
    buf_fini(&text);
    free(signature);
    free(hash);
    return buf_steal(&input);
}

static struct dkim_result verify(struct fake_dns *fake, const char *signature)
{
    struct dns_budget budget = {1000};
    struct dkim_verifier *verifier = dkim_verifier_new(library, "s", 8, &fake->dns, &budget);
    struct dkim_result result;
    size_t count;

    dkim_verifier_header(verifier, "DKIM-Signature", signature);
    dkim_verifier_header(verifier, "From", FROM);
    dkim_verifier_header(verifier, "Subject", " x");
    dkim_verifier_end_header(verifier);
    dkim_verifier_body(verifier, (const uint8_t *)BODY, strlen(BODY));
    const struct dkim_result *results = dkim_verifier_finish(verifier, &count);
    assert_int_equal(count, 1);
    result = results[0];
    dkim_verifier_free(&verifier);
    return result;
}

static void expect(const char *name, const struct dkim_result *result, enum auth_result wanted,
                   const char *reason)
{
    if (result->result != wanted || strcmp(result->reason, reason ? reason : "") != 0)
        fail_msg("%s: %s (%s), not %s (%s)", name, auth_result_name(result->result), result->reason,
                 auth_result_name(wanted), reason ? reason : "");
}

/* --- tags of signatures ---------------------------------------------------------------- */

#define HEAD "v=1; a=rsa-sha256; c=relaxed/relaxed; "
#define WHO  "d=d.example; s=good; "
#define WHAT "h=from; bh=$"

static const struct {
    const char *name, *tags;
    enum auth_result result;
    const char *reason;
    const char *signed_header; /* FROM_SIGNED when NULL */
} signatures[] = {
    {"all is well", HEAD WHO WHAT, AUTH_PASS, NULL, NULL},
    {"ed25519", "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=d.example; s=ed; " WHAT, AUTH_PASS,
     NULL, NULL},
    {"an unknown tag", HEAD WHO WHAT "; y=z; g=", AUTH_PASS, NULL, NULL},
    {"z= of any length", HEAD WHO WHAT "; z=From:x@y.example|Subject:z", AUTH_PASS, NULL, NULL},
    {"d= in capitals", HEAD "d=D.Example; s=good; " WHAT, AUTH_PASS, NULL, NULL},
    {"v= missing", "a=rsa-sha256; c=relaxed/relaxed; " WHO WHAT, AUTH_NEUTRAL, "v= is not 1", NULL},
    {"v= empty", "v=; a=rsa-sha256; c=relaxed/relaxed; " WHO WHAT, AUTH_NEUTRAL, "v= is not 1",
     NULL},
    {"v=2", "v=2; a=rsa-sha256; c=relaxed/relaxed; " WHO WHAT, AUTH_NEUTRAL, "v= is not 1", NULL},
    {"v=01", "v=01; a=rsa-sha256; c=relaxed/relaxed; " WHO WHAT, AUTH_NEUTRAL, "v= is not 1", NULL},
    {"V=1", "V=1; a=rsa-sha256; c=relaxed/relaxed; " WHO WHAT, AUTH_NEUTRAL, "v= is not 1", NULL},
    {"a= missing", "v=1; c=relaxed/relaxed; " WHO WHAT, AUTH_NEUTRAL, "a= names no known algorithm",
     NULL},
    {"a=rsa-md5", "v=1; a=rsa-md5; c=relaxed/relaxed; " WHO WHAT, AUTH_NEUTRAL,
     "a= names no known algorithm", NULL},
    {"a=rsa-sha1", "v=1; a=rsa-sha1; c=relaxed/relaxed; " WHO WHAT, AUTH_POLICY,
     "rsa-sha1 is obsolete", NULL},
    {"d= twice", HEAD "d=evil.example; d=d.example; s=good; " WHAT, AUTH_NEUTRAL,
     "the signature has a tag twice", NULL},
    {"d= twice alike", HEAD "d=d.example; " WHO WHAT, AUTH_NEUTRAL, "the signature has a tag twice",
     NULL},
    {"d= and D=", HEAD "d=evil.example; D=d.example; s=good; " WHAT, AUTH_NEUTRAL,
     "the signature has a tag twice", NULL},
    {"bh= and bH=", HEAD WHO "h=from; bh=x; bH=$", AUTH_NEUTRAL, "the signature has a tag twice",
     NULL},
    {"d= missing", HEAD "s=good; " WHAT, AUTH_NEUTRAL, "d= is no domain", NULL},
    {"d= empty", HEAD "d=; s=good; " WHAT, AUTH_NEUTRAL, "d= is no domain", NULL},
    {"d= an address literal", HEAD "d=[192.0.2.1]; s=good; " WHAT, AUTH_NEUTRAL, "d= is no domain",
     NULL},
    {"d= an address", HEAD "d=192.0.2.1; s=good; " WHAT, AUTH_NEUTRAL, "d= is no domain", NULL},
    {"d= with an escape", HEAD "d=d\\046example; s=good; " WHAT, AUTH_NEUTRAL, "d= is no domain",
     NULL},
    {"d= with a blank", HEAD "d=d. example; s=good; " WHAT, AUTH_NEUTRAL, "d= is no domain", NULL},
    {"d= in UTF-8",
     HEAD "d=b\xc3\xbc"
          "cher.example; s=good; " WHAT,
     AUTH_NEUTRAL, "the signature holds other characters than ASCII", NULL},
    {"s= missing", HEAD "d=d.example; " WHAT, AUTH_NEUTRAL, "s= is no selector", NULL},
    {"s= empty", HEAD "d=d.example; s=; " WHAT, AUTH_NEUTRAL, "s= is no selector", NULL},
    {"s= with a slash", HEAD "d=d.example; s=../good; " WHAT, AUTH_NEUTRAL, "s= is no selector",
     NULL},
    {"s= with an escape", HEAD "d=d.example; s=g\\111od; " WHAT, AUTH_NEUTRAL, "s= is no selector",
     NULL},
    {"s= with an empty label", HEAD "d=d.example; s=a..good; " WHAT, AUTH_NEUTRAL,
     "s= is no selector", NULL},
    {"s= with a dot at its end", HEAD "d=d.example; s=good.; " WHAT, AUTH_NEUTRAL,
     "s= is no selector", NULL},
    {"h= missing", HEAD WHO "bh=$", AUTH_NEUTRAL, "h= is no list of field names", ""},
    {"h= empty", HEAD WHO "h=; bh=$", AUTH_NEUTRAL, "h= is no list of field names", ""},
    {"h= with an empty name", HEAD WHO "h=from:; bh=$", AUTH_NEUTRAL,
     "h= is no list of field names", NULL},
    {"h= with a broken name", HEAD WHO "h=fr om; bh=$", AUTH_NEUTRAL,
     "h= is no list of field names", NULL},
    {"h= without From", HEAD WHO "h=subject; bh=$", AUTH_NEUTRAL, "From is not signed",
     "subject:x\r\n"},
    {"h= with From alike", HEAD WHO "h=x-from; bh=$", AUTH_NEUTRAL, "From is not signed", ""},
    {"h= oversigned", HEAD WHO "h=from:from:to:subject:subject; bh=$", AUTH_PASS, NULL,
     FROM_SIGNED "subject:x\r\n"},
    {"h= with all there is, and more", HEAD WHO "h=from:subject:dkim-signature:x:y; bh=$",
     AUTH_FAIL, "signature verification failed", NULL},
    {"i= of another domain", HEAD WHO WHAT "; i=x@evil.example", AUTH_NEUTRAL,
     "i= is not of the domain in d=", NULL},
    {"i= ends alike", HEAD WHO WHAT "; i=x@evild.example", AUTH_NEUTRAL,
     "i= is not of the domain in d=", NULL},
    {"i= above d=", HEAD WHO WHAT "; i=x@example", AUTH_NEUTRAL,
     "i= is not of the domain in d=", NULL},
    {"i= without an @", HEAD WHO WHAT "; i=d.example", AUTH_NEUTRAL,
     "i= is not of the domain in d=", NULL},
    {"i= with two", HEAD WHO WHAT "; i=x@d.example@evil.example", AUTH_NEUTRAL,
     "i= is not of the domain in d=", NULL},
    {"i= a domain", HEAD WHO WHAT "; i=@d.example", AUTH_PASS, NULL, NULL},
    {"i= below d=", HEAD WHO WHAT "; i=x@sub.d.example", AUTH_PASS, NULL, NULL},
    {"c= unknown", "v=1; a=rsa-sha256; c=nofws; " WHO WHAT, AUTH_NEUTRAL,
     "c= names no known canonicalization", NULL},
    {"c= unknown for the body", "v=1; a=rsa-sha256; c=relaxed/nofws; " WHO WHAT, AUTH_NEUTRAL,
     "c= names no known canonicalization", NULL},
    {"c= with three", "v=1; a=rsa-sha256; c=relaxed/relaxed/x; " WHO WHAT, AUTH_NEUTRAL,
     "c= names no known canonicalization", NULL},
    {"q=dns/txt", HEAD WHO WHAT "; q=dns/txt", AUTH_PASS, NULL, NULL},
    {"q= with others, too", HEAD WHO WHAT "; q=x/y:dns/txt", AUTH_PASS, NULL, NULL},
    {"q= without DNS", HEAD WHO WHAT "; q=http", AUTH_NEUTRAL, "q= names no known way to the key",
     NULL},
    {"q= with another record", HEAD WHO WHAT "; q=dns/key", AUTH_NEUTRAL,
     "q= names no known way to the key", NULL},
    {"t= and x= around now", HEAD WHO WHAT "; t=1000000000; x=99999999999", AUTH_PASS, NULL, NULL},
    {"x= has passed", HEAD WHO WHAT "; t=1000000000; x=1000000001", AUTH_FAIL, "signature expired",
     NULL},
    {"t= in the future", HEAD WHO WHAT "; t=99999999999", AUTH_NEUTRAL,
     "signature timestamp in the future", NULL},
    {"x= before t=", HEAD WHO WHAT "; t=99999999999; x=99999999998", AUTH_NEUTRAL,
     "x= is not behind t=", NULL},
    {"x= is t=", HEAD WHO WHAT "; t=1000000000; x=1000000000", AUTH_NEUTRAL,
     "x= is not behind t=", NULL},
    {"t= below 0", HEAD WHO WHAT "; t=-1", AUTH_NEUTRAL, "t= is no time", NULL},
    {"t= no number", HEAD WHO WHAT "; t=now", AUTH_NEUTRAL, "t= is no time", NULL},
    {"x= with a blank", HEAD WHO WHAT "; x=99999 999999", AUTH_NEUTRAL, "x= is no time", NULL},
    {"x= empty", HEAD WHO WHAT "; x=", AUTH_NEUTRAL, "x= is no time", NULL},
    {"x= too long", HEAD WHO WHAT "; x=18446744073709551615", AUTH_NEUTRAL, "x= is no time", NULL},
    {"l= is all of it", HEAD WHO WHAT "; l=8", AUTH_PASS, NULL, NULL},
    {"l= is more", HEAD WHO WHAT "; l=9", AUTH_FAIL, "length tag value exceeds body size", NULL},
    {"l= below 0", HEAD WHO WHAT "; l=-8", AUTH_NEUTRAL, "l= is no length", NULL},
    {"l= no number", HEAD WHO WHAT "; l=8x", AUTH_NEUTRAL, "l= is no length", NULL},
    {"l= with a blank", HEAD WHO WHAT "; l=0 8", AUTH_NEUTRAL, "l= is no length", NULL},
    {"l= beyond any", HEAD WHO WHAT "; l=99999999999999999999999", AUTH_NEUTRAL,
     "body length value invalid", NULL},
    {"bh= missing", HEAD WHO "h=from", AUTH_NEUTRAL, "bh= is no SHA-256 hash in base64", NULL},
    {"bh= empty", HEAD WHO "h=from; bh=", AUTH_NEUTRAL, "bh= is no SHA-256 hash in base64", NULL},
    {"bh= short", HEAD WHO "h=from; bh=AAAA", AUTH_NEUTRAL, "bh= is no SHA-256 hash in base64",
     NULL},
    {"bh= of another body", HEAD WHO "h=from; bh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
     AUTH_FAIL, "body hash mismatch", NULL},
    {"a bare word", HEAD WHO WHAT "; word", AUTH_NEUTRAL, "the signature is no list of tags", NULL},
    {"nothing between semicolons", HEAD ";" WHO WHAT, AUTH_NEUTRAL,
     "the signature is no list of tags", NULL},
};

static void add_good_keys(struct fake_dns *fake)
{
    struct buf record = {0};

    fake_dns_init(fake);
    buf_printf(&record, "v=DKIM1; k=rsa; p=%s", rsa_p);
    fake_dns_add(fake, "good._domainkey.d.example", DNS_TYPE_TXT, buf_str(&record));
    buf_reset(&record);
    buf_printf(&record, "v=DKIM1; k=ed25519; p=%s", ed25519_p);
    fake_dns_add(fake, "ed._domainkey.d.example", DNS_TYPE_TXT, buf_str(&record));
    buf_fini(&record);
}

static void test_signatures(void **state)
{
    struct fake_dns fake;

    (void)state;
    add_good_keys(&fake);
    for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++) {
        const char *header = signatures[i].signed_header;
        char *value = forge(signatures[i].tags, header ? header : FROM_SIGNED);
        struct dkim_result result = verify(&fake, value);
        expect(signatures[i].name, &result, signatures[i].result, signatures[i].reason);
        free(value);
    }
    fake_dns_fini(&fake);
}

/* Nobody is asked for a key that no result could come of. */
static void test_not_asked(void **state)
{
    static const char *const tags[] = {
        "v=1; a=rsa-sha1; c=relaxed/relaxed; " WHO WHAT,
        "v=2; a=rsa-sha256; c=relaxed/relaxed; " WHO WHAT,
    };
    struct fake_dns fake;

    (void)state;
    add_good_keys(&fake);
    for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        char *value = forge(tags[i], FROM_SIGNED);
        verify(&fake, value);
        assert_int_equal(fake.asked, 0);
        free(value);
    }
    fake_dns_fini(&fake);
}

static void test_many_names(void **state)
{
    static const size_t counts[] = {255, 256, 2000};
    struct fake_dns fake;

    (void)state;
    add_good_keys(&fake);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct buf tags = {0};
        buf_puts(&tags, HEAD WHO "h=from");
        for (size_t n = 0; n < counts[i]; n++)
            buf_puts(&tags, ":x");
        buf_puts(&tags, "; bh=$");
        char *value = forge(buf_str(&tags), FROM_SIGNED);
        struct dkim_result result = verify(&fake, value);
        if (counts[i] + 1 <= DKIM_SIGNED_MAX)
            expect("as many as may be", &result, AUTH_PASS, NULL);
        else
            expect("more", &result, AUTH_NEUTRAL, "the signature names too many fields");
        free(value);
        buf_fini(&tags);
    }
    fake_dns_fini(&fake);
}

/* --- key records ------------------------------------------------------------------------- */

static const struct {
    const char *name, *record; /* "$": the key */
    enum auth_result result;
    const char *reason;
} keys[] = {
    {"all is well", "v=DKIM1; k=rsa; p=$", AUTH_PASS, NULL},
    {"the key alone", "p=$", AUTH_PASS, NULL},
    {"a semicolon at its end", "v=DKIM1;k=rsa;p=$;", AUTH_PASS, NULL},
    {"blanks", " v = DKIM1 ; k = rsa ; p = $ ", AUTH_PASS, NULL},
    {"unknown tags", "v=DKIM1; g=; n=a note; q=x; p=$", AUTH_PASS, NULL},
    {"k=RSA", "k=RSA; p=$", AUTH_PASS, NULL},
    {"h=sha256", "h=sha256; p=$", AUTH_PASS, NULL},
    {"h= with both", "h=sha1 : sha256; p=$", AUTH_PASS, NULL},
    {"s=email", "s=email; p=$", AUTH_PASS, NULL},
    {"s=*", "s=tls:*; p=$", AUTH_PASS, NULL},
    {"t= unknown", "t=x:z; p=$", AUTH_PASS, NULL},
    {"t=s", "t=s; p=$", AUTH_PASS, NULL},
    {"empty", "", AUTH_PERMERROR, "the key record has no key"},
    {"v=DKIM2", "v=DKIM2; p=$", AUTH_PERMERROR, "the key record does not begin with v=DKIM1"},
    {"v=dkim1", "v=dkim1; p=$", AUTH_PERMERROR, "the key record does not begin with v=DKIM1"},
    {"v= empty", "v=; p=$", AUTH_PERMERROR, "the key record does not begin with v=DKIM1"},
    {"v= not first", "k=rsa; v=DKIM1; p=$", AUTH_PERMERROR,
     "the key record does not begin with v=DKIM1"},
    {"another record", "v=spf1 -all", AUTH_PERMERROR, "the key record does not begin with v=DKIM1"},
    {"k= unknown", "k=dsa; p=$", AUTH_PERMERROR, "the key is of an unknown type"},
    {"k= empty", "k=; p=$", AUTH_PERMERROR, "the key is of an unknown type"},
    {"k= of another type", "k=ed25519; p=$", AUTH_PERMERROR, "the key cannot be read"},
    {"h=sha1", "h=sha1; p=$", AUTH_PERMERROR, "the key is not for sha256"},
    {"h= empty", "h=; p=$", AUTH_PERMERROR, "the key is not for sha256"},
    {"h= alike", "h=sha2567; p=$", AUTH_PERMERROR, "the key is not for sha256"},
    {"s= for another", "s=tls; p=$", AUTH_PERMERROR, "the key is not for mail"},
    {"s= empty", "s=; p=$", AUTH_PERMERROR, "the key is not for mail"},
    {"no p=", "v=DKIM1; k=rsa", AUTH_PERMERROR, "the key record has no key"},
    {"p= empty", "v=DKIM1; p=", AUTH_PERMERROR, "the key is revoked"},
    {"p= blank", "v=DKIM1; p= ;", AUTH_PERMERROR, "the key is revoked"},
    {"p= no base64", "p=%%%%", AUTH_PERMERROR, "the key cannot be read"},
    {"p= no key", "p=AAAABBBBCCCC", AUTH_PERMERROR, "the key cannot be read"},
    {"p= with = inside", "p=AAA=$", AUTH_PERMERROR, "the key cannot be read"},
    {"p= twice", "p=$; p=$", AUTH_PERMERROR, "the key record is malformed"},
    {"k= twice", "k=dsa; k=rsa; p=$", AUTH_PERMERROR, "the key record is malformed"},
    {"a bare word", "v=DKIM1; word; p=$", AUTH_PERMERROR, "the key record is malformed"},
    {"nothing between semicolons", "v=DKIM1;; p=$", AUTH_PERMERROR, "the key record is malformed"},
    {"a tag without a name", "=x; p=$", AUTH_PERMERROR, "the key record is malformed"},
    {"other characters", "n=\xc3\xbc; p=$", AUTH_PERMERROR, "the key record is malformed"},
};

static struct dkim_result verify_with(const char *record, size_t len, const char *tags)
{
    char *value = forge(tags, FROM_SIGNED);
    struct fake_dns fake;

    fake_dns_init(&fake);
    fake_dns_add_txt(&fake, "good._domainkey.d.example", record, len);
    struct dkim_result result = verify(&fake, value);
    fake_dns_fini(&fake);
    free(value);
    return result;
}

static struct dkim_result verify_filled(const char *record, const char *p, const char *tags)
{
    struct buf text = {0};

    put_filled(&text, record, p);
    struct dkim_result result = verify_with(buf_str(&text), text.len, tags);
    buf_fini(&text);
    return result;
}

static void test_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct dkim_result result = verify_filled(keys[i].record, rsa_p, HEAD WHO WHAT);
        expect(keys[i].name, &result, keys[i].result, keys[i].reason);
        assert_false(result.testing);
    }
}

/* A key of 32 bytes is an ed25519 key only where its record says so. */
static void test_types(void **state)
{
    static const char tags[] = "v=1; a=ed25519-sha256; c=relaxed/relaxed; " WHO WHAT;
    struct dkim_result result = verify_filled("k=ed25519; p=$", ed25519_p, tags);

    (void)state;
    expect("as it should be", &result, AUTH_PASS, NULL);
    assert_int_equal(result.key_bits, 0);
    result = verify_filled("p=$", ed25519_p, tags);
    expect("no k=", &result, AUTH_PERMERROR, "the key cannot be read");
    result = verify_filled("p=$", rsa_p, tags);
    expect("an rsa key", &result, AUTH_PERMERROR, "the key is of another type than a=");
    result = verify_filled("k=ed25519; p=$", ed25519_p, HEAD WHO WHAT);
    expect("for rsa", &result, AUTH_PERMERROR, "the key is of another type than a=");
}

/* RFC 6376 3.6.1 */
static void test_flags(void **state)
{
    struct dkim_result result = verify_filled("t=y; p=$", rsa_p, HEAD WHO WHAT);

    (void)state;
    expect("testing", &result, AUTH_PASS, NULL);
    assert_true(result.testing);
    result = verify_filled("t=s : y; h=sha1; p=$", rsa_p, HEAD WHO WHAT);
    expect("testing, not for sha256", &result, AUTH_NEUTRAL, "the key is not for sha256");
    result = verify_filled("t=y; p=$", rsa_p,
                           HEAD WHO "h=from; bh=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    expect("testing, failed", &result, AUTH_NEUTRAL, "body hash mismatch");
    assert_true(result.testing);
    result = verify_filled("t=s; p=$", rsa_p, HEAD WHO WHAT "; i=x@sub.d.example");
    expect("strict", &result, AUTH_PERMERROR, "the key is not for subdomains in i=");
    result = verify_filled("t=s; p=$", rsa_p, HEAD WHO WHAT "; i=x@D.example");
    expect("strict, the domain itself", &result, AUTH_PASS, NULL);
}

static void test_length(void **state)
{
    struct dkim_result result = verify_filled("p=$", rsa_p, HEAD WHO WHAT "; l=0");

    (void)state;
    expect("l=0", &result, AUTH_PASS, NULL);
    assert_int_equal(result.body_unsigned, strlen(BODY));
    result = verify_filled("p=$", rsa_p, HEAD WHO WHAT "; l=8");
    expect("l=8", &result, AUTH_PASS, NULL);
    assert_int_equal(result.body_unsigned, 0);
    result = verify_filled("p=$", rsa_p, HEAD WHO WHAT);
    assert_int_equal(result.body_unsigned, 0);
}

static void test_huge_records(void **state)
{
    char *record = malloc(65536);
    struct dkim_result result;

    (void)state;
    memset(record, 'A', 65536);
    memcpy(record, "p=", 2);
    result = verify_with(record, 65536, HEAD WHO WHAT);
    expect("64 kB", &result, AUTH_PERMERROR, "the key record is too long");
    result = verify_with(record, DKIM_KEY_RECORD_MAX + 1, HEAD WHO WHAT);
    expect("one more", &result, AUTH_PERMERROR, "the key record is too long");
    result = verify_with(record, DKIM_KEY_RECORD_MAX, HEAD WHO WHAT);
    expect("as long as may be", &result, AUTH_POLICY, "the key is too large");
    record[100] = 0;
    result = verify_with(record, 200, HEAD WHO WHAT);
    expect("NUL", &result, AUTH_PERMERROR, "the key record holds a NUL");
    free(record);
}

static int set_up(void **state)
{
    uint8_t raw[32], *der = NULL;
    size_t len = sizeof(raw);
    struct error error;

    (void)state;
    library = dkim_library_new(&error);
    rsa = EVP_RSA_gen(2048);
    ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    assert_true(library && rsa && ed25519);
    int der_len = i2d_PUBKEY(rsa, &der);
    rsa_p = base64(der, (size_t)der_len);
    OPENSSL_free(der);
    assert_int_equal(EVP_PKEY_get_raw_public_key(ed25519, raw, &len), 1);
    ed25519_p = base64(raw, len);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    dkim_library_free(&library);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ed25519);
    free(rsa_p);
    free(ed25519_p);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signatures), cmocka_unit_test(test_not_asked),
        cmocka_unit_test(test_many_names), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_types),      cmocka_unit_test(test_flags),
        cmocka_unit_test(test_length),     cmocka_unit_test(test_huge_records),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
