/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dkim_signkey.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "common/base/bug.h"
#include "common/base/mem.h"

#define STRING_MAX 255 /* RFC 1035 3.3 */

struct dkim_signkey {
    enum dkim_signkey_type type;
    EVP_PKEY *pkey;
};

/* --- from PEM ------------------------------------------------------------------- */

/* Instead of asking the terminal. */
static int note_passphrase(char *buf, int size, int writing, void *ctx)
{
    (void)buf, (void)size, (void)writing;
    *(bool *)ctx = true;
    return -1;
}

static EVP_PKEY *read_pem(const char *pem, struct error *error_r)
{
    bool encrypted = false;
    BIO *bio = BIO_new_mem_buf(pem, -1);

    if (!bio)
        BUG("out of memory");
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, note_passphrase, &encrypted);
    BIO_free(bio);
    ERR_clear_error();
    if (!pkey && encrypted)
        error_set(error_r, ERROR_CONFIG,
                  "an encrypted key: nobody is there to type its passphrase; one without is right");
    else if (!pkey)
        error_set(error_r, ERROR_CONFIG, "the file holds no private key in PEM");
    return pkey;
}

/* A file with one damaged half would sign what nobody can verify. */
static bool halves_match(EVP_PKEY *pkey)
{
    static const unsigned char text[] = "postern";
    const EVP_MD *digest = EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA ? EVP_sha256() : NULL;
    unsigned char signature[DKIM_KEY_BITS_MAX / 8];
    size_t len = sizeof(signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool match = EVP_DigestSignInit(ctx, NULL, digest, NULL, pkey) == 1 &&
                 EVP_DigestSign(ctx, signature, &len, text, sizeof(text)) == 1 &&
                 EVP_MD_CTX_reset(ctx) == 1 &&
                 EVP_DigestVerifyInit(ctx, NULL, digest, NULL, pkey) == 1 &&
                 EVP_DigestVerify(ctx, signature, len, text, sizeof(text)) == 1;

    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return match;
}

static int check_type(const EVP_PKEY *pkey, struct error *error_r)
{
    int id = EVP_PKEY_get_base_id(pkey);
    const char *name = OBJ_nid2sn(id);
    unsigned bits = (unsigned)EVP_PKEY_get_bits(pkey);

    if (id == EVP_PKEY_ED25519)
        return 0;
    if (id != EVP_PKEY_RSA)
        return error_set(error_r, ERROR_CONFIG, "a key of type %s; rsa or ed25519 is right",
                         name ? name : "unknown");
    if (bits < DKIM_KEY_BITS_MIN)
        return error_set(error_r, ERROR_CONFIG, "an rsa key of %u bits; at least %u are needed",
                         bits, DKIM_KEY_BITS_MIN);
    if (bits > DKIM_KEY_BITS_MAX)
        return error_set(error_r, ERROR_CONFIG, "an rsa key of %u bits; at most %u are taken", bits,
                         DKIM_KEY_BITS_MAX);
    return 0;
}

static int check_key(EVP_PKEY *pkey, struct error *error_r)
{
    if (check_type(pkey, error_r) < 0)
        return -1;
    if (!halves_match(pkey))
        return error_set(error_r, ERROR_CONFIG, "a damaged key: it does not verify what it signs");
    return 0;
}

/* --- keys --------------------------------------------------------------------------- */

/* The key if it is one to sign with. Takes pkey. */
static struct dkim_signkey *take_key(EVP_PKEY *pkey, struct error *error_r)
{
    if (check_key(pkey, error_r) < 0) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    struct dkim_signkey *key = x_calloc(1, sizeof(*key));
    key->type =
        EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA ? DKIM_SIGNKEY_RSA : DKIM_SIGNKEY_ED25519;
    key->pkey = pkey;
    return key;
}

struct dkim_signkey *dkim_signkey_parse(const char *pem, struct error *error_r)
{
    EVP_PKEY *pkey = read_pem(pem, error_r);
    return pkey ? take_key(pkey, error_r) : NULL;
}

struct dkim_signkey *dkim_signkey_generate(enum dkim_signkey_type type, unsigned bits,
                                           struct error *error_r)
{
    EVP_PKEY *pkey =
        type == DKIM_SIGNKEY_ED25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : EVP_RSA_gen(bits);

    ERR_clear_error();
    if (pkey)
        return take_key(pkey, error_r);
    error_set(error_r, ERROR_SYSTEM, "OpenSSL makes no such key");
    return NULL;
}

void dkim_signkey_free(struct dkim_signkey **key)
{
    if (!*key)
        return;
    EVP_PKEY_free((*key)->pkey); /* wipes */
    free(*key);
    *key = NULL;
}

enum dkim_signkey_type dkim_signkey_type(const struct dkim_signkey *key)
{
    return key->type;
}

const char *dkim_signkey_algorithm(const struct dkim_signkey *key)
{
    return key->type == DKIM_SIGNKEY_RSA ? "rsa-sha256" : "ed25519-sha256";
}

unsigned dkim_signkey_bits(const struct dkim_signkey *key)
{
    return (unsigned)EVP_PKEY_get_bits(key->pkey);
}

char *dkim_signkey_pem(const struct dkim_signkey *key)
{
    BIO *bio = BIO_new(BIO_s_secmem()); /* wipes */
    char *text;

    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) != 1)
        BUG("out of memory");
    long len = BIO_get_mem_data(bio, &text);
    char *pem = x_strndup(text, (size_t)len);
    BIO_free(bio);
    return pem;
}

/* --- signing ------------------------------------------------------------------------ */

static int sign_rsa(EVP_PKEY *pkey, const unsigned char *hash, unsigned char *signature,
                    size_t *len_r)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    int ok = ctx && EVP_PKEY_sign_init(ctx) == 1 &&
             EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
             EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
             EVP_PKEY_sign(ctx, signature, len_r, hash, DKIM_HASH_LEN) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok ? 0 : -1;
}

/* RFC 8463 3: PureEdDSA, and its message is the hash. */
static int sign_ed25519(EVP_PKEY *pkey, const unsigned char *hash, unsigned char *signature,
                        size_t *len_r)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
             EVP_DigestSign(ctx, signature, len_r, hash, DKIM_HASH_LEN) == 1;

    EVP_MD_CTX_free(ctx);
    return ok ? 0 : -1;
}

int dkim_signkey_sign(const struct dkim_signkey *key, const unsigned char hash[DKIM_HASH_LEN],
                      struct buf *base64_r, struct error *error_r)
{
    unsigned char signature[DKIM_KEY_BITS_MAX / 8];
    size_t len = sizeof(signature);

    int rc = key->type == DKIM_SIGNKEY_RSA ? sign_rsa(key->pkey, hash, signature, &len)
                                           : sign_ed25519(key->pkey, hash, signature, &len);
    ERR_clear_error();
    if (rc < 0)
        return error_set(error_r, ERROR_SYSTEM, "OpenSSL does not sign");
    dkim_base64(signature, len, base64_r);
    return 0;
}

/* --- the record ------------------------------------------------------------------------ */

/* p=: of rsa a SubjectPublicKeyInfo, of ed25519 the bare 32 bytes. */
static void put_public_half(const struct dkim_signkey *key, struct buf *out)
{
    unsigned char raw[32], *der = NULL;
    size_t len = sizeof(raw);

    if (key->type == DKIM_SIGNKEY_ED25519) {
        if (EVP_PKEY_get_raw_public_key(key->pkey, raw, &len) != 1)
            BUG("an ed25519 key without its public half");
        dkim_base64(raw, len, out);
        return;
    }
    int der_len = i2d_PUBKEY(key->pkey, &der);
    if (der_len <= 0)
        BUG("out of memory");
    dkim_base64(der, (size_t)der_len, out);
    OPENSSL_free(der);
}

void dkim_signkey_record(const struct dkim_signkey *key, struct buf *out)
{
    buf_printf(out, "v=DKIM1; k=%s; p=", key->type == DKIM_SIGNKEY_RSA ? "rsa" : "ed25519");
    put_public_half(key, out);
}

void dkim_signkey_zone_line(const struct dkim_signkey *key, const char *domain,
                            const char *selector, struct buf *out)
{
    struct buf record = {0};

    dkim_signkey_record(key, &record);
    buf_printf(out, "%s._domainkey.%s. IN TXT", selector, domain);
    for (size_t at = 0; at < record.len; at += STRING_MAX) {
        size_t left = record.len - at;
        buf_puts(out, " \"");
        buf_put(out, record.data + at, left < STRING_MAX ? left : STRING_MAX);
        buf_putc(out, '"');
    }
    buf_fini(&record);
}
