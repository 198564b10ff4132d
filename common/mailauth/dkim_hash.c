/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/mailauth/dkim_hash.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "common/base/bug.h"
#include "common/base/mem.h"

struct dkim_hash {
    EVP_MD *sha256;
    EVP_MD_CTX *ctx;
};

static void begin(struct dkim_hash *hash)
{
    if (EVP_DigestInit_ex(hash->ctx, hash->sha256, NULL) != 1)
        BUG("no SHA-256");
}

struct dkim_hash *dkim_hash_new(void)
{
    struct dkim_hash *hash = x_calloc(1, sizeof(*hash));

    hash->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    hash->ctx = EVP_MD_CTX_new();
    if (!hash->sha256 || !hash->ctx)
        BUG("no SHA-256");
    begin(hash);
    return hash;
}

void dkim_hash_free(struct dkim_hash **hash)
{
    if (!*hash)
        return;
    EVP_MD_CTX_free((*hash)->ctx);
    EVP_MD_free((*hash)->sha256);
    free(*hash);
    *hash = NULL;
}

void dkim_hash_put(struct dkim_hash *hash, const void *bytes, size_t len)
{
    if (EVP_DigestUpdate(hash->ctx, bytes, len) != 1)
        BUG("no SHA-256");
}

void dkim_hash_finish(struct dkim_hash *hash, unsigned char hash_r[DKIM_HASH_LEN])
{
    if (EVP_DigestFinal_ex(hash->ctx, hash_r, NULL) != 1)
        BUG("no SHA-256");
    begin(hash);
}

void dkim_base64(const unsigned char *bytes, size_t len, struct buf *out)
{
    size_t text = (len + 2) / 3 * 4;

    EVP_EncodeBlock(buf_reserve(out, text), bytes, (int)len);
    buf_commit(out, text);
}
