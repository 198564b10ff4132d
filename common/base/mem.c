/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "common/base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/bug.h"

static void *must(void *memory)
{
    if (!memory)
        BUG("out of memory");
    return memory;
}

void *x_malloc(size_t size)
{
    return must(malloc(size ? size : 1));
}

void *x_calloc(size_t count, size_t size)
{
    return must(calloc(count ? count : 1, size ? size : 1));
}

void *x_aligned_alloc(size_t alignment, size_t size)
{
    return must(aligned_alloc(alignment, size));
}

void *x_reallocarray(void *old, size_t count, size_t size)
{
    return must(reallocarray(old, count ? count : 1, size ? size : 1));
}

char *x_strdup(const char *text)
{
    return text ? must(strdup(text)) : NULL;
}

char *x_strndup(const char *text, size_t len)
{
    return must(strndup(text, len));
}
