/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdbool.h>

#include "tests/unit/net_fixture.h"

#include "common/net/listener.h"
#include "common/net/stream.h"

#define BIG_LEN (4u << 20)

/* Requests are lines. What the handler does with one is the test's. */
struct scene {
    struct loop *loop;
    struct stream *stream;
    int peer;
    struct buf got; /* by the peer */
    void (*on_line)(struct scene *scene, const char *line);
    bool one_a_call;
    unsigned calls;
    unsigned lines;
    unsigned drained;
    unsigned ended;
    enum stream_end why;
    size_t left; /* of a long answer */
};

static void on_input(struct stream *stream, struct buf *in, void *ctx)
{
    struct scene *scene = ctx;
    char *end;

    assert_ptr_equal(stream, scene->stream);
    assert_int_equal(scene->ended, 0);
    scene->calls++;
    while (in->len && (end = memchr(in->data, '\n', in->len))) {
        size_t len = (size_t)(end - (char *)in->data);
        char *line = strndup((char *)in->data, len);
        buf_consume(in, len + 1);
        scene->lines++;
        scene->on_line(scene, line);
        free(line);
        if (scene->one_a_call)
            return;
    }
}

static void on_drained(struct stream *stream, void *ctx)
{
    struct scene *scene = ctx;

    assert_int_equal(scene->ended, 0);
    scene->drained++;
    if (!scene->left)
        return;
    size_t len = scene->left < 10000 ? scene->left : 10000;
    memset(buf_reserve(stream_output(stream), len), 'z', len);
    buf_commit(stream_output(stream), len);
    scene->left -= len;
}

static void on_end(struct stream *stream, enum stream_end why, void *ctx)
{
    struct scene *scene = ctx;

    assert_ptr_equal(stream, scene->stream);
    scene->stream = NULL;
    scene->ended++;
    scene->why = why;
}

static const struct stream_handlers handlers = {on_input, on_drained, on_end};

static void answer(struct scene *scene, const char *line)
{
    buf_printf(stream_output(scene->stream), "<%s>", line);
    stream_flush(scene->stream);
}

static void answer_unflushed(struct scene *scene, const char *line)
{
    buf_printf(stream_output(scene->stream), "<%s>", line);
}

static void start(struct scene *scene, const struct stream_limits *limits)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    scene->peer = fds[1];
    scene->stream = stream_new(scene->loop, fds[0], &handlers, limits, scene);
}

static const struct stream_limits wide = {.input_max = 65536, .output_max = 8u << 20};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    scene->loop = loop_new();
    scene->on_line = answer;
    scene->peer = -1;
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    if (scene->stream)
        stream_abort(scene->stream);
    assert_null(scene->stream);
    assert_int_equal(scene->ended, 1);
    if (scene->peer >= 0)
        close(scene->peer);
    buf_fini(&scene->got);
    loop_free(&scene->loop);
    free(scene);
    return 0;
}

static bool got(struct scene *scene, const char *text)
{
    fixture_receive(scene->peer, &scene->got);
    return scene->got.len == strlen(text) && memcmp(scene->got.data, text, scene->got.len) == 0;
}

static bool got_len(struct scene *scene, size_t len)
{
    fixture_receive(scene->peer, &scene->got);
    return scene->got.len >= len;
}

/* Long enough for anything that is about to happen to have happened. */
static void turn_a_while(struct scene *scene)
{
    for (int i = 0; i < 50; i++)
        loop_run_once(scene->loop);
}

static void requests_are_answered(void **state)
{
    struct scene *scene = *state;

    start(scene, &wide);
    fixture_send(scene->peer, "one\ntwo\nthr");
    FIXTURE_TURN_UNTIL(scene->loop, got(scene, "<one><two>"));
    fixture_send(scene->peer, "ee\n");
    FIXTURE_TURN_UNTIL(scene->loop, got(scene, "<one><two><three>"));
}

static void a_request_comes_byte_by_byte(void **state)
{
    struct scene *scene = *state;

    start(scene, &wide);
    for (const char *p = "ab\nc\n"; *p; p++) {
        fixture_send(scene->peer, (char[]){*p, '\0'});
        turn_a_while(scene);
    }
    FIXTURE_TURN_UNTIL(scene->loop, got(scene, "<ab><c>"));
}

static void what_a_handler_leaves_is_handed_over_again(void **state)
{
    struct scene *scene = *state;

    scene->one_a_call = true;
    start(scene, &wide);
    fixture_send(scene->peer, "one\ntwo\nthree\n");
    FIXTURE_TURN_UNTIL(scene->loop, got(scene, "<one><two><three>"));
}

static void a_handler_need_not_flush(void **state)
{
    struct scene *scene = *state;

    scene->on_line = answer_unflushed;
    start(scene, &wide);
    fixture_send(scene->peer, "one\n");
    FIXTURE_TURN_UNTIL(scene->loop, got(scene, "<one>"));
}

static void answer_and_pause(struct scene *scene, const char *line)
{
    answer(scene, line);
    stream_pause(scene->stream);
}

static void a_paused_stream_hands_nothing_over(void **state)
{
    struct scene *scene = *state;

    scene->one_a_call = true;
    scene->on_line = answer_and_pause;
    start(scene, &wide);
    fixture_send(scene->peer, "one\ntwo\n");
    FIXTURE_TURN_UNTIL(scene->loop, got(scene, "<one>"));
    turn_a_while(scene);
    assert_int_equal(scene->calls, 1);
    stream_resume(scene->stream);
    assert_int_equal(scene->calls, 1);
    FIXTURE_TURN_UNTIL(scene->loop, got(scene, "<one><two>"));
}

static void silence_ends_it(void **state)
{
    struct scene *scene = *state;
    const struct stream_limits limits = {.input_max = 100, .output_max = 100, .idle_ms = 30};

    start(scene, &limits);
    fixture_send(scene->peer, "half a requ");
    int64_t begin = clock_mono_ms(&clock_system);
    FIXTURE_TURN_UNTIL(scene->loop, scene->ended);
    assert_int_equal(scene->why, STREAM_END_IDLE);
    assert_true(clock_mono_ms(&clock_system) - begin >= 20);
}

static void a_paused_peer_is_not_idle(void **state)
{
    struct scene *scene = *state;
    const struct stream_limits limits = {.input_max = 100, .output_max = 100, .idle_ms = 10};

    scene->on_line = answer_and_pause;
    start(scene, &limits);
    fixture_send(scene->peer, "one\n");
    FIXTURE_TURN_UNTIL(scene->loop, got(scene, "<one>"));
    int64_t until = clock_mono_ms(&clock_system) + 50;
    FIXTURE_TURN_UNTIL(scene->loop, clock_mono_ms(&clock_system) >= until);
    assert_int_equal(scene->ended, 0);
    stream_resume(scene->stream);
    FIXTURE_TURN_UNTIL(scene->loop, scene->ended);
    assert_int_equal(scene->why, STREAM_END_IDLE);
}

static void a_request_is_bounded(void **state)
{
    struct scene *scene = *state;
    const struct stream_limits limits = {.input_max = 8, .output_max = 100};

    start(scene, &limits);
    fixture_send(scene->peer, "1234567");
    turn_a_while(scene);
    assert_int_equal(scene->ended, 0);
    fixture_send(scene->peer, "\n");
    FIXTURE_TURN_UNTIL(scene->loop, got(scene, "<1234567>"));
    fixture_send(scene->peer, "12345678");
    FIXTURE_TURN_UNTIL(scene->loop, scene->ended);
    assert_int_equal(scene->why, STREAM_END_INPUT);
}

static void answer_big(struct scene *scene, const char *line)
{
    (void)line;
    memset(buf_reserve(stream_output(scene->stream), BIG_LEN), 'x', BIG_LEN);
    buf_commit(stream_output(scene->stream), BIG_LEN);
    stream_flush(scene->stream);
}

static void an_answer_that_nobody_reads_ends_it(void **state)
{
    struct scene *scene = *state;
    const struct stream_limits limits = {.input_max = 100, .output_max = 1u << 20};

    scene->on_line = answer_big;
    start(scene, &limits);
    fixture_send(scene->peer, "big\n");
    FIXTURE_TURN_UNTIL(scene->loop, scene->ended);
    assert_int_equal(scene->why, STREAM_END_OUTPUT);
}

static void a_peer_that_never_reads_is_not_served_on(void **state)
{
    struct scene *scene = *state;
    const struct stream_limits limits = {
        .input_max = 100, .output_max = 2 * BIG_LEN, .idle_ms = 100};

    scene->on_line = answer_big;
    start(scene, &limits);
    for (int i = 0; i < 20; i++)
        fixture_send(scene->peer, "big\n");
    scene->one_a_call = true;
    FIXTURE_TURN_UNTIL(scene->loop, scene->ended);
    assert_int_equal(scene->lines, 1);
    assert_int_equal(scene->why, STREAM_END_IDLE);
}

/* A byte now and then does not renew the time for what waits. */
static void a_peer_that_sips_its_answer_is_dropped(void **state)
{
    struct scene *scene = *state;
    const struct stream_limits limits = {
        .input_max = 100, .output_max = 2 * BIG_LEN, .idle_ms = 5000, .output_ms = 100};
    char sip[512];

    scene->on_line = answer_big;
    start(scene, &limits);
    fixture_send(scene->peer, "big\n");
    FIXTURE_TURN_UNTIL(scene->loop,
                       recv(scene->peer, sip, sizeof(sip), MSG_DONTWAIT) == 0 || scene->ended);
    assert_int_equal(scene->why, STREAM_END_OUTPUT);
}

static void what_is_read_in_time_starts_the_time_anew(void **state)
{
    struct scene *scene = *state;
    const struct stream_limits limits = {
        .input_max = 100, .output_max = 2 * BIG_LEN, .output_ms = 500};

    scene->on_line = answer_big;
    start(scene, &limits);
    for (int i = 1; i <= 3; i++) {
        int64_t until = clock_mono_ms(&clock_system) + 200;
        fixture_send(scene->peer, "big\n");
        FIXTURE_TURN_UNTIL(scene->loop, got_len(scene, (size_t)i * BIG_LEN));
        FIXTURE_TURN_UNTIL(scene->loop, clock_mono_ms(&clock_system) >= until);
    }
    assert_int_equal(scene->ended, 0);
}

static void memory_is_a_matter_of_all(void **state)
{
    struct scene *scene = *state;
    struct stream_memory memory = {.max = 10 * BIG_LEN, .used = 2 * BIG_LEN};
    const struct stream_limits limits = {
        .input_max = 100, .output_max = 2 * BIG_LEN, .memory = &memory};

    scene->on_line = answer_big;
    start(scene, &limits);
    fixture_send(scene->peer, "big\n");
    FIXTURE_TURN_UNTIL(scene->loop, memory.used > 2 * BIG_LEN || scene->ended);
    FIXTURE_TURN_UNTIL(scene->loop, got_len(scene, BIG_LEN));
    assert_int_equal(scene->ended, 0);
    FIXTURE_TURN_UNTIL(scene->loop, memory.used == 2 * BIG_LEN);
    memory.used = 10 * BIG_LEN;
    fixture_send(scene->peer, "big\n");
    FIXTURE_TURN_UNTIL(scene->loop, scene->ended);
    assert_int_equal(scene->why, STREAM_END_MEMORY);
    assert_int_equal(memory.used, 10 * BIG_LEN);
}

static void a_slow_reader_gets_it_all(void **state)
{
    struct scene *scene = *state;

    scene->on_line = answer_big;
    scene->one_a_call = true;
    start(scene, &wide);
    fixture_send(scene->peer, "big\nbig\n");
    FIXTURE_TURN_UNTIL(scene->loop, got_len(scene, 2 * BIG_LEN));
    turn_a_while(scene);
    assert_true(got_len(scene, 2 * BIG_LEN));
    assert_int_equal(scene->got.len, 2 * BIG_LEN);
}

static void start_long(struct scene *scene, const char *line)
{
    (void)line;
    scene->left = BIG_LEN;
    buf_puts(stream_output(scene->stream), "!");
}

static void a_long_answer_is_made_piece_by_piece(void **state)
{
    struct scene *scene = *state;
    const struct stream_limits limits = {.input_max = 100, .output_max = 20000};

    scene->on_line = start_long;
    start(scene, &limits);
    fixture_send(scene->peer, "long\n");
    FIXTURE_TURN_UNTIL(scene->loop, got_len(scene, BIG_LEN + 1));
    turn_a_while(scene);
    assert_int_equal(scene->got.len, BIG_LEN + 1);
    unsigned calls = scene->drained;
    turn_a_while(scene);
    assert_int_equal(scene->drained, calls);
}

static void a_long_answer_goes_on_when_the_peer_stops_sending(void **state)
{
    struct scene *scene = *state;
    const struct stream_limits limits = {.input_max = 100, .output_max = 20000};

    scene->on_line = start_long;
    start(scene, &limits);
    fixture_send(scene->peer, "long\n");
    shutdown(scene->peer, SHUT_WR);
    FIXTURE_TURN_UNTIL(scene->loop, got_len(scene, BIG_LEN + 1));
    FIXTURE_TURN_UNTIL(scene->loop, scene->ended);
    assert_int_equal(scene->why, STREAM_END_PEER);
}

static void answer_big_and_close(struct scene *scene, const char *line)
{
    answer_big(scene, line);
    stream_close(scene->stream);
}

static void closing_sends_what_waits(void **state)
{
    struct scene *scene = *state;

    scene->on_line = answer_big_and_close;
    scene->one_a_call = true;
    start(scene, &wide);
    fixture_send(scene->peer, "one\ntwo\n");
    FIXTURE_TURN_UNTIL(scene->loop, got_len(scene, BIG_LEN));
    FIXTURE_TURN_UNTIL(scene->loop, scene->ended);
    assert_int_equal(scene->why, STREAM_END_OURS);
    assert_int_equal(scene->lines, 1);
    assert_int_equal(scene->got.len, BIG_LEN);
}

static void closing_from_outside_comes_from_the_loop(void **state)
{
    struct scene *scene = *state;

    start(scene, &wide);
    buf_puts(stream_output(scene->stream), "bye");
    stream_close(scene->stream);
    assert_int_equal(scene->ended, 0);
    FIXTURE_TURN_UNTIL(scene->loop, scene->ended);
    assert_int_equal(scene->why, STREAM_END_OURS);
    assert_true(got(scene, "bye"));
}

static void answer_and_abort(struct scene *scene, const char *line)
{
    answer(scene, line);
    stream_abort(scene->stream);
    assert_int_equal(scene->ended, 0);
    stream_flush(scene->stream);
    stream_close(scene->stream);
    stream_pause(scene->stream);
    stream_resume(scene->stream);
    stream_abort(scene->stream);
}

static void a_handler_may_abort(void **state)
{
    struct scene *scene = *state;

    scene->on_line = answer_and_abort;
    scene->one_a_call = true;
    start(scene, &wide);
    fixture_send(scene->peer, "one\ntwo\n");
    FIXTURE_TURN_UNTIL(scene->loop, scene->ended);
    assert_int_equal(scene->why, STREAM_END_OURS);
    assert_int_equal(scene->lines, 1);
}

static void aborting_from_outside_is_at_once(void **state)
{
    struct scene *scene = *state;

    start(scene, &wide);
    stream_abort(scene->stream);
    assert_int_equal(scene->ended, 1);
    assert_int_equal(scene->why, STREAM_END_OURS);
    turn_a_while(scene);
}

static void flushing_never_ends_it_under_the_caller(void **state)
{
    struct scene *scene = *state;

    start(scene, &wide);
    close(scene->peer);
    scene->peer = -1;
    buf_puts(stream_output(scene->stream), "x");
    stream_flush(scene->stream);
    stream_flush(scene->stream);
    assert_int_equal(scene->ended, 0);
    FIXTURE_TURN_UNTIL(scene->loop, scene->ended);
    assert_int_equal(scene->why, STREAM_END_PEER);
}

static void the_peer_closes(void **state)
{
    struct scene *scene = *state;

    start(scene, &wide);
    fixture_send(scene->peer, "half");
    close(scene->peer);
    scene->peer = -1;
    FIXTURE_TURN_UNTIL(scene->loop, scene->ended);
    assert_int_equal(scene->why, STREAM_END_PEER);
    assert_int_equal(scene->lines, 0);
}

static void a_peer_that_only_stops_sending_is_answered(void **state)
{
    struct scene *scene = *state;

    scene->on_line = answer_and_pause;
    start(scene, &wide);
    fixture_send(scene->peer, "one\ntwo\n");
    shutdown(scene->peer, SHUT_WR);
    FIXTURE_TURN_UNTIL(scene->loop, got(scene, "<one><two>"));
    turn_a_while(scene);
    assert_int_equal(scene->ended, 0);
    buf_puts(stream_output(scene->stream), "late");
    stream_flush(scene->stream);
    stream_resume(scene->stream);
    FIXTURE_TURN_UNTIL(scene->loop, scene->ended);
    assert_true(got(scene, "<one><two>late"));
    assert_int_equal(scene->why, STREAM_END_PEER);
}

static void refuse(struct scene *scene, const char *line)
{
    (void)line;
    buf_puts(stream_output(scene->stream), "no");
    stream_close(scene->stream);
}

static ssize_t receive_soon(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    char text[16];

    poll(&pfd, 1, FIXTURE_PATIENCE_MS);
    return recv(fd, text, sizeof(text), 0);
}

/* A close with input unread is a reset in TCP: the peer would lose the answer. */
static void an_answer_survives_unread_input(void **state)
{
    struct scene *scene = *state;
    char *noise = calloc(1, 50000);
    struct error error;

    int fd = listener_bind("127.0.0.1:0", NULL, &error);
    assert_true(fd >= 0);
    scene->peer = fixture_connect(NULL, fixture_port(fd));
    scene->on_line = refuse;
    int accepted = fixture_set_nonblocking(accept(fd, NULL, NULL));
    close(fd);
    scene->stream = stream_new(scene->loop, accepted, &handlers, &wide, scene);
    fixture_send(scene->peer, "one\n");
    assert_int_equal(send(scene->peer, noise, 50000, MSG_NOSIGNAL), 50000);
    FIXTURE_TURN_UNTIL(scene->loop, scene->ended);
    assert_int_equal(receive_soon(scene->peer), 2);
    assert_int_equal(receive_soon(scene->peer), 0);
    free(noise);
}

static void ends_have_names(void **state)
{
    (void)state;
    for (int why = STREAM_END_PEER; why <= STREAM_END_OURS; why++)
        assert_string_not_equal(stream_strend((enum stream_end)why), "unknown");
}

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        STREAM_TEST(requests_are_answered),
        STREAM_TEST(a_request_comes_byte_by_byte),
        STREAM_TEST(what_a_handler_leaves_is_handed_over_again),
        STREAM_TEST(a_handler_need_not_flush),
        STREAM_TEST(a_paused_stream_hands_nothing_over),
        STREAM_TEST(silence_ends_it),
        STREAM_TEST(a_paused_peer_is_not_idle),
        STREAM_TEST(a_request_is_bounded),
        STREAM_TEST(an_answer_that_nobody_reads_ends_it),
        STREAM_TEST(a_peer_that_never_reads_is_not_served_on),
        STREAM_TEST(a_peer_that_sips_its_answer_is_dropped),
        STREAM_TEST(what_is_read_in_time_starts_the_time_anew),
        STREAM_TEST(memory_is_a_matter_of_all),
        STREAM_TEST(a_slow_reader_gets_it_all),
        STREAM_TEST(a_long_answer_is_made_piece_by_piece),
        STREAM_TEST(a_long_answer_goes_on_when_the_peer_stops_sending),
        STREAM_TEST(closing_sends_what_waits),
        STREAM_TEST(closing_from_outside_comes_from_the_loop),
        STREAM_TEST(a_handler_may_abort),
        STREAM_TEST(aborting_from_outside_is_at_once),
        STREAM_TEST(flushing_never_ends_it_under_the_caller),
        STREAM_TEST(the_peer_closes),
        STREAM_TEST(a_peer_that_only_stops_sending_is_answered),
        STREAM_TEST(an_answer_survives_unread_input),
        cmocka_unit_test(ends_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
