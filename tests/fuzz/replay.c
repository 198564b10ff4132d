/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "tests/fuzz/fuzz.h"

/*
 * The main() of a fuzz target that is built without libFuzzer: runs every file of
 * tests/fuzz/corpus/NAME, or those on the command line, as TAP. Of each file also
 * beginnings, at every byte of a short one.
 */
#define BEGINNINGS_MAX 256

/* From a block of exactly len bytes, so that a sanitizer sees a read past it. */
static void run(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = x_malloc(len);
    if (len)
        memcpy(copy, bytes, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static int read_file(const char *path, struct buf *content)
{
    FILE *file = fopen(path, "rb");
    size_t got;

    if (!file)
        return -1;
    do {
        got = fread(buf_reserve(content, 65536), 1, 65536, file);
        buf_commit(content, got);
    } while (got);
    int rc = ferror(file) ? -1 : 0;
    fclose(file);
    return rc;
}

static void replay(unsigned number, const char *path)
{
    struct buf content = {0};

    /* Not "ok" before it ran: a crash leaves the plan short. */
    printf("# %s\n", path);
    fflush(stdout);
    if (read_file(path, &content) < 0) {
        printf("not ok %u - %s: %s\n", number, path, strerror(errno));
    } else {
        size_t step = content.len / BEGINNINGS_MAX + 1;
        for (size_t len = 0; len < content.len; len += step)
            run(content.data, len);
        run(content.data, content.len);
        printf("ok %u - %s\n", number, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    }
    buf_fini(&content);
}

static int is_seed(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay_corpus(const char *name)
{
    struct dirent **entries;
    struct buf path = {0};
    const char *srcdir = getenv("POSTERN_SRCDIR");

    buf_printf(&path, "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".", name);
    int count = scandir(buf_str(&path), &entries, is_seed, alphasort);
    if (count <= 0) {
        printf("Bail out! no seeds in %s\n", buf_str(&path));
        buf_fini(&path);
        return 1;
    }
    printf("1..%d\n", count);
    LLVMFuzzerTestOneInput(NULL, 0); /* as libFuzzer begins */
    size_t folder_len = path.len;
    for (int i = 0; i < count; i++) {
        path.len = folder_len;
        buf_printf(&path, "/%s", entries[i]->d_name);
        replay((unsigned)i + 1, buf_str(&path));
        free(entries[i]);
    }
    free(entries);
    buf_fini(&path);
    return 0;
}

int main(int argc, char **argv)
{
    const char *own = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];

    if (argc < 2)
        return replay_corpus(strncmp(own, "fuzz_", 5) == 0 ? own + 5 : own);
    printf("1..%d\n", argc - 1);
    for (int i = 1; i < argc; i++)
        replay((unsigned)i, argv[i]);
    return 0;
}
