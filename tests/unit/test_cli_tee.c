/* The commands' standard errors on their way to ours. */
#include "tests/support/case.h"

#include "subscribers/commands/tee.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int out[2]; /* in place of our standard error */

static int prepare(void **state) {
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return pipe2(out, O_CLOEXEC) == 0 && fcntl(out[0], F_SETFL, O_NONBLOCK) == 0 ? 0 : -1;
}

static int tidy(void **state) {
    (void)state;
    close(out[0]);
    close(out[1]);
    return 0;
}

static void say(int end, const char *text) {
    assert_int_equal(write(end, text, strlen(text)), (ssize_t)strlen(text));
}

static void out_is(const char *expected) {
    char text[1000];
    ssize_t size = read(out[0], text, sizeof text - 1);
    text[size > 0 ? size : 0] = 0;
    assert_string_equal(text, expected);
}

static void line_is(fob_slice_t line, const char *expected) {
    char text[FOB_TEE_LINE + 1];
    snprintf(text, sizeof text, "%.*s", (int)line.size, line.size ? (const char *)line.data : "");
    assert_string_equal(text, expected);
}

static void what_is_written_comes_through_and_the_last_line_is_told(void **state) {
    int end;
    fob_tee_t *tee = fob_tee_new(1, out[1]);
    fob_tee_stream_t *stream = fob_tee_open(tee, &end);
    (void)state;
    say(end, "one\ntw");
    fob_tee_move(tee);
    out_is("one\ntw");
    say(end, "o\n\n");
    close(end);
    line_is(fob_tee_end(tee, stream), "two");
    out_is("o\n\n");
    fob_tee_destroy(&tee);
}

static void nobody_waits_for_a_standard_error_that_takes_nothing(void **state) {
    char block[4096];
    size_t written = 0, read_back = 0;
    int end;
    fob_tee_t *tee = fob_tee_new(1, out[1]);
    fob_tee_stream_t *stream = fob_tee_open(tee, &end);
    (void)state;
    memset(block, 'x', sizeof block);
    assert_int_equal(fcntl(end, F_SETFL, O_NONBLOCK), 0);
    for (int idle = 0; idle < 3; idle++) { /* until neither pipe takes more */
        ssize_t size;
        while ((size = write(end, block, sizeof block)) > 0) {
            written += (size_t)size;
            idle = 0;
        }
        fob_tee_move(tee);
    }
    assert_true(written > 100000);
    struct pollfd fds[FOB_TEE_LATE + 2];
    assert_int_equal(fob_tee_fds(tee, fds), 1); /* waits for room, not for more */
    assert_int_equal(fds[0].fd, out[1]);
    close(end);
    (void)fob_tee_end(tee, stream);
    for (ssize_t size; read_back < written; read_back += (size_t)size) {
        size = read(out[0], block, sizeof block);
        if (size < 0) {
            assert_int_equal(errno, EAGAIN);
            size = 0;
            fob_tee_move(tee);
        }
    }
    fob_tee_move(tee);
    assert_int_equal(fob_tee_fds(tee, fds), 0);
    fob_tee_destroy(&tee);
}

static void what_a_command_leaves_behind_may_go_on_writing(void **state) {
    int end, ends[200];
    fob_tee_t *tee = fob_tee_new(1, out[1]);
    (void)state;
    fob_tee_stream_t *stream = fob_tee_open(tee, &end);
    int left = dup(end);
    say(end, "done\n");
    close(end);
    line_is(fob_tee_end(tee, stream), "done");
    out_is("done\n");
    say(left, "late\n");
    fob_tee_move(tee);
    out_is("late\n");
    close(left);
    for (int i = 0; i < 200; i++) { /* and however many there are, there is one for the next */
        stream = fob_tee_open(tee, &ends[i]);
        assert_non_null(stream);
        (void)fob_tee_end(tee, stream);
    }
    for (int i = 0; i < 200; i++)
        close(ends[i]);
    fob_tee_destroy(&tee);
}

static void a_command_that_closes_its_standard_error_keeps_its_place(void **state) {
    int first_end, second_end;
    fob_tee_t *tee = fob_tee_new(2, out[1]);
    (void)state;
    fob_tee_stream_t *first = fob_tee_open(tee, &first_end);
    say(first_end, "mine\n");
    close(first_end);
    fob_tee_move(tee);
    fob_tee_stream_t *second = fob_tee_open(tee, &second_end);
    assert_ptr_not_equal(first, second);
    say(second_end, "other\n");
    fob_tee_move(tee);
    line_is(fob_tee_end(tee, first), "mine");
    line_is(fob_tee_end(tee, second), "other");
    close(second_end);
    fob_tee_destroy(&tee);
}

static void a_line_is_cut_between_characters(void **state) {
    char text[3 * FOB_TEE_LINE] = "x";
    int end;
    fob_tee_t *tee = fob_tee_new(1, out[1]);
    fob_tee_stream_t *stream = fob_tee_open(tee, &end);
    (void)state;
    for (int i = 0; i < FOB_TEE_LINE; i++)
        strcat(text, "\xc3\xa9");
    say(end, text);
    close(end);
    fob_slice_t line = fob_tee_end(tee, stream);
    assert_int_equal(line.size, FOB_TEE_LINE - 1);
    assert_memory_equal(line.data, text, line.size);
    fob_tee_destroy(&tee);
}

FOB_MAIN(FOB_CASE_WITH(what_is_written_comes_through_and_the_last_line_is_told, prepare, tidy),
         FOB_CASE_WITH(nobody_waits_for_a_standard_error_that_takes_nothing, prepare, tidy),
         FOB_CASE_WITH(what_a_command_leaves_behind_may_go_on_writing, prepare, tidy),
         FOB_CASE_WITH(a_command_that_closes_its_standard_error_keeps_its_place, prepare, tidy),
         FOB_CASE_WITH(a_line_is_cut_between_characters, prepare, tidy))
