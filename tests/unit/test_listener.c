/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <grp.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "tests/unit/net_fixture.h"

#include "common/base/log.h"
#include "common/net/listener.h"

#define ACCEPTED_MAX 64

struct scene {
    struct loop *loop;
    struct listener *listener;
    char *dir;
    char address[128];
    const char *path; /* behind "unix:" in address */
    int accepted[ACCEPTED_MAX];
    size_t count;
    struct addr peer;
    bool closes_at_once;
    struct prefixlist from;
    struct error error;
    char log[1024];
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));

    scene->loop = loop_new();
    scene->dir = fixture_dir_new();
    snprintf(scene->address, sizeof(scene->address), "unix:%s/socket", scene->dir);
    scene->path = scene->address + strlen("unix:");
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;

    log_capture(NULL, NULL);
    for (size_t i = 0; i < scene->count; i++)
        close(scene->accepted[i]);
    listener_free(&scene->listener);
    prefixlist_fini(&scene->from);
    loop_free(&scene->loop);
    fixture_dir_remove(scene->dir);
    free(scene);
    return 0;
}

static void on_log(enum log_level level, const char *line, void *ctx)
{
    struct scene *scene = ctx;
    size_t used = strlen(scene->log);

    (void)level;
    snprintf(scene->log + used, sizeof(scene->log) - used, "%s\n", line);
}

static void on_accept(int fd, const struct addr *peer, void *ctx)
{
    struct scene *scene = ctx;

    assert_true(scene->count < ACCEPTED_MAX);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    scene->accepted[scene->count++] = fd;
    scene->peer = *peer;
    if (scene->closes_at_once)
        listener_released(scene->listener);
}

static int listen_on(struct scene *scene, const char *address, size_t max)
{
    int fd = listener_bind(address, NULL, &scene->error);

    assert_true(fd >= 0);
    scene->listener = listener_new(scene->loop, &(struct listener_options){.fd = fd,
                                                                           .name = "test",
                                                                           .max = max,
                                                                           .from = &scene->from,
                                                                           .fn = on_accept,
                                                                           .ctx = scene});
    return fd;
}

static void a_unix_socket_has_mode_and_group(void **state)
{
    struct scene *scene = *state;
    struct stat st;
    mode_t before = umask(0);

    int fd = listener_bind(scene->address, getgrgid(getegid())->gr_name, &scene->error);
    umask(before);
    assert_true(fd >= 0);
    assert_int_equal(stat(scene->path, &st), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0660);
    assert_int_equal(st.st_gid, getegid());
    close(fd);
    unlink(scene->path);
}

static void another_group_is_given(void **state)
{
    struct scene *scene = *state;
    struct stat st;
    struct group *group = getgrnam("mail");

    if (geteuid() != 0 || !group)
        skip();
    int fd = listener_bind(scene->address, "mail", &scene->error);
    assert_true(fd >= 0);
    assert_int_equal(stat(scene->path, &st), 0);
    assert_int_equal(st.st_gid, group->gr_gid);
    close(fd);
    unlink(scene->path);
}

static void an_unknown_group_is_an_error(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(listener_bind(scene->address, "no-such-group", &scene->error), -1);
    assert_string_equal(scene->error.text, "there is no group no-such-group");
    assert_int_equal(access(scene->path, F_OK), -1);
}

static void a_stale_socket_is_replaced(void **state)
{
    struct scene *scene = *state;
    int old = listener_bind(scene->address, NULL, &scene->error);

    assert_true(old >= 0);
    close(old);
    assert_int_equal(access(scene->path, F_OK), 0);
    listen_on(scene, scene->address, 1);
    close(fixture_connect(scene->address, 0));
    FIXTURE_TURN_UNTIL(scene->loop, scene->count == 1);
    assert_int_equal(scene->peer.family, ADDR_NONE);
}

static void a_socket_in_use_is_left_alone(void **state)
{
    struct scene *scene = *state;

    listen_on(scene, scene->address, 8);
    assert_int_equal(listener_bind(scene->address, NULL, &scene->error), -1);
    assert_non_null(strstr(scene->error.text, "is in use by another process"));
    int fd = fixture_connect(scene->address, 0);
    assert_true(fd >= 0);
    close(fd);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    struct scene *scene = *state;
    int fd = open(scene->path, O_CREAT | O_WRONLY, 0600);

    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(listener_bind(scene->address, NULL, &scene->error), -1);
    assert_non_null(strstr(scene->error.text, "exists and is not a socket"));
    assert_int_equal(unlink(scene->path), 0);
}

static void errors_name_the_place(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(listener_bind("unix:/nonexistent/dir/socket", NULL, &scene->error), -1);
    assert_non_null(strstr(scene->error.text, "/nonexistent/dir/socket"));
    assert_int_equal(listener_bind("nonsense", NULL, &scene->error), -1);
    assert_non_null(strstr(scene->error.text, "nonsense"));
    assert_int_equal(scene->error.code, ERROR_CONFIG);
}

static void tcp_peers_have_an_address(void **state)
{
    struct scene *scene = *state;
    char peer[ADDR_TEXT_MAX];

    int fd = listen_on(scene, "127.0.0.1:0", 8);
    int client = fixture_connect(NULL, fixture_port(fd));
    assert_true(client >= 0);
    FIXTURE_TURN_UNTIL(scene->loop, scene->count == 1);
    assert_string_equal(addr_format(&scene->peer, peer), "127.0.0.1");
    close(client);
}

static void an_address_that_is_not_up_yet_is_bound(void **state)
{
    static const char *const addresses[] = {"203.0.113.1:0", "[2001:db8::1]:0"};
    struct scene *scene = *state;

    log_capture(on_log, scene);
    for (size_t i = 0; i < 2; i++) {
        scene->log[0] = '\0';
        int fd = listener_bind(addresses[i], NULL, &scene->error);
        assert_true(fd >= 0);
        assert_true(fixture_port(fd) > 0);
        assert_non_null(strstr(scene->log, "address-not-up listener="));
        close(fd);
    }
    scene->log[0] = '\0';
    close(listener_bind("127.0.0.1:0", NULL, &scene->error));
    assert_string_equal(scene->log, "");
}

static bool is_closed(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno == ECONNRESET);
}

static void peers_outside_of_from_are_closed(void **state)
{
    struct scene *scene = *state;
    struct prefix net;

    assert_int_equal(prefix_parse("10.0.0.0/8", &net), 0);
    prefixlist_add(&scene->from, &net);
    log_capture(on_log, scene);
    int fd = listen_on(scene, "127.0.0.1:0", 1);
    for (int i = 0; i < 3; i++) {
        int client = fixture_connect(NULL, fixture_port(fd));
        FIXTURE_TURN_UNTIL(scene->loop, is_closed(client));
        close(client);
    }
    assert_non_null(strstr(scene->log, "connection-refused listener=test peer=127.0.0.1"));
    assert_int_equal(scene->count, 0);
    assert_int_equal(prefix_parse("127.0.0.0/8", &net), 0);
    prefixlist_add(&scene->from, &net);
    int client = fixture_connect(NULL, fixture_port(fd));
    FIXTURE_TURN_UNTIL(scene->loop, scene->count == 1);
    assert_non_null(strstr(scene->log, "listener-full listener=test open=1"));
    close(client);
}

static void from_is_for_tcp_alone(void **state)
{
    struct scene *scene = *state;
    struct prefix net;

    assert_int_equal(prefix_parse("10.0.0.0/8", &net), 0);
    prefixlist_add(&scene->from, &net);
    listen_on(scene, scene->address, 8);
    int client = fixture_connect(scene->address, 0);
    FIXTURE_TURN_UNTIL(scene->loop, scene->count == 1);
    close(client);
}

static void the_limit_holds_and_gives_way(void **state)
{
    struct scene *scene = *state;
    int clients[4];

    listen_on(scene, scene->address, 2);
    for (int i = 0; i < 4; i++) {
        clients[i] = fixture_connect(scene->address, 0);
        assert_true(clients[i] >= 0);
    }
    FIXTURE_TURN_UNTIL(scene->loop, scene->count == 2);
    for (int i = 0; i < 20; i++)
        loop_run_once(scene->loop);
    assert_int_equal(scene->count, 2);
    listener_released(scene->listener);
    FIXTURE_TURN_UNTIL(scene->loop, scene->count == 3);
    for (int i = 0; i < 20; i++)
        loop_run_once(scene->loop);
    assert_int_equal(scene->count, 3);
    for (int i = 0; i < 4; i++)
        close(clients[i]);
}

static void many_that_wait_take_few_turns_and_not_one(void **state)
{
    struct scene *scene = *state;
    int clients[40];

    listen_on(scene, scene->address, 64);
    for (int i = 0; i < 40; i++)
        clients[i] = fixture_connect(scene->address, 0);
    loop_run_once(scene->loop);
    assert_in_range(scene->count, 10, 39); /* others have their turn, too */
    for (int i = 0; i < 3; i++)
        loop_run_once(scene->loop);
    assert_int_equal(scene->count, 40);
    for (int i = 0; i < 40; i++)
        close(clients[i]);
}

static void a_connection_may_be_released_at_once(void **state)
{
    struct scene *scene = *state;
    int clients[4];

    scene->closes_at_once = true;
    listen_on(scene, scene->address, 1);
    for (int i = 0; i < 4; i++)
        clients[i] = fixture_connect(scene->address, 0);
    FIXTURE_TURN_UNTIL(scene->loop, scene->count == 4);
    for (int i = 0; i < 4; i++)
        close(clients[i]);
}

static size_t take_all_descriptors(int *fds, size_t max)
{
    size_t count = 0;

    while (count < max && (fds[count] = dup(STDERR_FILENO)) >= 0)
        count++;
    assert_true(count < max);
    return count;
}

static void it_waits_when_descriptors_run_out(void **state)
{
    struct scene *scene = *state;
    struct rlimit before, few;
    int fds[256];

    listen_on(scene, scene->address, 8);
    int client = fixture_connect(scene->address, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 128;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    size_t count = take_all_descriptors(fds, 256);
    log_capture(on_log, scene);
    FIXTURE_TURN_UNTIL(scene->loop, scene->log[0]);
    assert_non_null(strstr(scene->log, "accept-paused listener=test open=0"));
    assert_non_null(strstr(scene->log, "Too many open files"));

    /* A second failure within the minute is not logged again. */
    size_t logged = strlen(scene->log);
    int64_t until = clock_mono_ms(&clock_system) + 500;
    while (clock_mono_ms(&clock_system) < until) {
        poll(NULL, 0, 10);
        loop_run_once(scene->loop);
    }
    assert_int_equal(strlen(scene->log), logged);
    assert_int_equal(scene->count, 0);

    for (size_t i = 0; i < count; i++)
        close(fds[i]);
    FIXTURE_TURN_UNTIL(scene->loop, scene->count == 1);
    setrlimit(RLIMIT_NOFILE, &before);
    close(client);
}

static void the_socket_file_goes_with_the_listener(void **state)
{
    struct scene *scene = *state;

    listen_on(scene, scene->address, 8);
    assert_int_equal(access(scene->path, F_OK), 0);
    listener_free(&scene->listener);
    assert_null(scene->listener);
    assert_int_equal(access(scene->path, F_OK), -1);
    listener_released(scene->listener);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_unix_socket_has_mode_and_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_group_is_given, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_group_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stale_socket_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_socket_in_use_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_socket_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(errors_name_the_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tcp_peers_have_an_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_address_that_is_not_up_yet_is_bound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(peers_outside_of_from_are_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(from_is_for_tcp_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_limit_holds_and_gives_way, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_that_wait_take_few_turns_and_not_one, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_connection_may_be_released_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_waits_when_descriptors_run_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_socket_file_goes_with_the_listener, set_up, tear_down),
    };

    log_open("test", LOG_TARGET_NOWHERE, LOG_LEVEL_DEBUG);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
