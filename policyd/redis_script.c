/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "policyd/redis_script.h"

#include <stdio.h>

#include <openssl/evp.h>

#include "common/base/bug.h"

void redis_script_init(struct redis_script *script, const char *text, size_t len)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    if (EVP_Digest(text, len, digest, &size, EVP_sha1(), NULL) != 1 || size != REDIS_SHA1_LEN / 2)
        BUG("no SHA-1 in libcrypto");
    script->text = text;
    script->len = len;
    for (unsigned i = 0; i < size; i++)
        snprintf(script->sha1 + (size_t)2 * i, 3, "%02x", digest[i]);
}
