/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "common/base/buf.h"
#include "common/base/str.h"
#include "tests/unit/pp_laws.h"
#include "tests/unit/unit.h"

/* The headers of proxy/vectors.jsonl, a JSON object a line, read in place. */

static FILE *vectors;

static FILE *open_vectors(void)
{
    const char *data = getenv("POSTERN_TEST_DATA"), *source = getenv("POSTERN_SRCDIR");
    struct buf path = {0};

    if (data)
        buf_printf(&path, "%s/proxy/vectors.jsonl", data);
    else
        buf_printf(&path, "%s/../shared/data/proxy/vectors.jsonl", source ? source : ".");
    FILE *file = fopen(buf_str(&path), "r");
    buf_fini(&path);
    return file;
}

static const char *text_of(const json_t *vector, const char *key)
{
    return json_string_value(json_object_get(vector, key));
}

static void unhex(const char *hex, struct buf *out)
{
    for (; hex[0] && hex[1]; hex += 2) {
        unsigned value;
        assert_int_equal(sscanf(hex, "%2x", &value), 1);
        buf_putc(out, (char)value);
    }
}

/* The words of the vectors. */
static const char *answer_of(enum pp_status status, const struct pp_header *header)
{
    if (status == PP_OK)
        return header->kind == PP_KIND_PROXY ? "proxy" : "local";
    return status == PP_MORE ? "incomplete" : "reject";
}

static void expect_end(const char *id, const json_t *vector, const char *address_key,
                       const char *port_key, const char *address, uint16_t port)
{
    const char *wanted = text_of(vector, address_key);

    if (!wanted || !str_eq(wanted, address))
        fail_msg("%s: %s %s, wanted %s", id, address_key, address, wanted ? wanted : "none");
    CASE(id, json_integer_value(json_object_get(vector, port_key)) == port);
}

/* The law besides: each beginning of a header wants more, and what is refused stays so. */
static void expect_vector(const json_t *vector, const struct buf *bytes)
{
    const char *id = text_of(vector, "id"), *wanted = text_of(vector, "expect");
    char text[PP_TEXT_MAX];
    struct pp_header header;
    size_t consumed = 0;
    enum pp_status status = pp_laws_parse(bytes->data, bytes->len, &header, &consumed);

    if (!str_eq(answer_of(status, &header), wanted))
        fail_msg("%s: %s (%s), wanted %s", id, answer_of(status, &header), pp_strstatus(status),
                 wanted);
    pp_laws_check(bytes->data, bytes->len);
    if (status != PP_OK)
        return;
    CASE(id, json_integer_value(json_object_get(vector, "header_len")) == (json_int_t)consumed);
    CASE(id, json_integer_value(json_object_get(vector, "version")) == header.version);
    if (header.kind != PP_KIND_PROXY)
        return;
    pp_format(&header, &header.src, text);
    expect_end(id, vector, "src", "sport", text, header.src.port);
    pp_format(&header, &header.dst, text);
    expect_end(id, vector, "dst", "dport", text, header.dst.port);
}

static void test_vectors(void **state)
{
    (void)state;
    char *line = NULL;
    size_t size = 0, count = 0;

    while (getline(&line, &size, vectors) > 0) {
        json_t *vector = json_loads(line, 0, NULL);
        struct buf bytes = {0};
        assert_non_null(vector);
        unhex(text_of(vector, "hex"), &bytes);
        expect_vector(vector, &bytes);
        buf_fini(&bytes);
        json_decref(vector);
        count++;
    }
    assert_true(count > 0);
    free(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors)};

    vectors = open_vectors();
    if (!vectors) {
        printf("1..0 # SKIP no vectors: set POSTERN_TEST_DATA to the folder that has proxy/\n");
        return 0;
    }
    int failed = cmocka_run_group_tests_name("pp_vectors", tests, NULL, NULL);
    fclose(vectors);
    return failed;
}
