/* The net of the tests: it passes everything on, and it can be cut. */
#include "tests/support/proxy.h"

#include "tests/support/case.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define MUCH ((size_t)4 << 20) /* more than all the buffers on the way hold */

typedef struct {
    proxy_t *proxy;
    int listener;
    int near, far; /* the ends of a connection through it */
} line_t;

static struct sockaddr_in address(int port) {
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return where;
}

/* No read or write of the test waits for ever. */
static void be_patient(int fd) {
    struct timeval wait = {.tv_sec = 20};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait), 0);
}

static int dial(int port) {
    struct sockaddr_in where = address(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    be_patient(fd);
    assert_int_equal(connect(fd, (struct sockaddr *)&where, sizeof where), 0);
    return fd;
}

static void line_open(line_t *self) {
    self->near = dial(proxy_port(self->proxy));
    self->far = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(self->far >= 0);
    be_patient(self->far);
}

static void line_close(line_t *self) {
    close(self->near);
    close(self->far);
}

static int setup(void **state) {
    line_t *self = calloc(1, sizeof *self);
    struct sockaddr_in where = address(0);
    socklen_t size = sizeof where;
    self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    be_patient(self->listener);
    assert_int_equal(bind(self->listener, (struct sockaddr *)&where, sizeof where), 0);
    assert_int_equal(listen(self->listener, 8), 0);
    assert_int_equal(getsockname(self->listener, (struct sockaddr *)&where, &size), 0);
    self->proxy = proxy_new(ntohs(where.sin_port));
    *state = self;
    return 0;
}

static int teardown(void **state) {
    line_t *self = *state;
    proxy_destroy(&self->proxy);
    assert_null(self->proxy);
    close(self->listener);
    free(self);
    return 0;
}

/* Nothing more comes: it ended, or was reset. */
static bool ended(int fd) {
    char byte;
    return recv(fd, &byte, 1, 0) <= 0;
}

static void send_text(int fd, const char *text) {
    assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

static void expect_text(int fd, const char *text) {
    char got[64] = "";
    assert_int_equal(recv(fd, got, strlen(text), MSG_WAITALL), strlen(text));
    assert_string_equal(got, text);
}

static void what_is_said_arrives_both_ways(void **state) {
    line_t *line = *state;
    line_open(line);
    send_text(line->near, "who is there?");
    expect_text(line->far, "who is there?");
    send_text(line->far, "me");
    expect_text(line->near, "me");
    assert_int_equal(proxy_passed(line->proxy), 15);
    line_close(line);
}

static void a_reader_who_is_late_gets_all_in_order(void **state) {
    line_t *line = *state;
    line_open(line);
    pid_t writer = fork();
    if (writer == 0) {
        for (uint32_t n = 0; n < MUCH / sizeof n; n++) {
            if (send(line->near, &n, sizeof n, 0) != sizeof n)
                _exit(1);
        }
        _exit(0);
    }
    assert_true(writer > 0);
    uint32_t *got = malloc(MUCH);
    assert_int_equal(recv(line->far, got, MUCH, MSG_WAITALL), MUCH);
    for (uint32_t n = 0; n < MUCH / sizeof n; n++)
        assert_int_equal(got[n], n);
    free(got);
    line_close(line);
}

static void a_cut_ends_every_connection_and_new_ones_are_taken(void **state) {
    line_t *line = *state, other = *line;
    line_open(line);
    line_open(&other);
    send_text(line->near, "a");
    expect_text(line->far, "a");
    send_text(other.near, "b");
    expect_text(other.far, "b");
    assert_int_equal(proxy_cut(line->proxy), 2);
    assert_true(ended(line->near) && ended(line->far));
    assert_true(ended(other.near) && ended(other.far));
    assert_int_equal(proxy_cut(line->proxy), 0);
    line_close(&other);
    line_close(line);
    line_open(line);
    send_text(line->far, "again");
    expect_text(line->near, "again");
    line_close(line);
}

static void an_end_that_goes_takes_the_other_with_it(void **state) {
    line_t *line = *state;
    line_open(line);
    close(line->near);
    assert_true(ended(line->far));
    close(line->far);
}

static void where_nobody_listens_a_connection_ends_at_once(void **state) {
    line_t *line = *state;
    shutdown(line->listener, SHUT_RDWR); /* from now on it refuses */
    int fd = dial(proxy_port(line->proxy));
    assert_true(ended(fd));
    close(fd);
}

FOB_MAIN(FOB_CASE_WITH(what_is_said_arrives_both_ways, setup, teardown),
         FOB_CASE_WITH(a_reader_who_is_late_gets_all_in_order, setup, teardown),
         FOB_CASE_WITH(a_cut_ends_every_connection_and_new_ones_are_taken, setup, teardown),
         FOB_CASE_WITH(an_end_that_goes_takes_the_other_with_it, setup, teardown),
         FOB_CASE_WITH(where_nobody_listens_a_connection_ends_at_once, setup, teardown))
