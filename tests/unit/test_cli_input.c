#include "tests/support/case.h"

#include "proto/cli/input.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct {
    int ends[2];
    fob_input_t input;
} pipe_t;

static int set_up(void **state) {
    pipe_t *self = calloc(1, sizeof *self);
    if (!self || pipe(self->ends) != 0)
        return -1;
    fcntl(self->ends[0], F_SETFL, O_NONBLOCK); /* a read that would wait fails the test instead */
    self->input = (fob_input_t){.fd = self->ends[0], .max = FOB_INPUT_MAX};
    *state = self;
    return 0;
}

static int tear_down(void **state) {
    pipe_t *self = *state;
    fob_input_free(&self->input);
    close(self->ends[0]);
    if (self->ends[1] >= 0)
        close(self->ends[1]);
    free(self);
    return 0;
}

static void put(pipe_t *self, const char *text) {
    assert_int_equal(write(self->ends[1], text, strlen(text)), strlen(text));
    assert_int_equal(fob_input_fill(&self->input), FOB_INPUT_MORE);
}

static void finish(pipe_t *self) {
    close(self->ends[1]);
    self->ends[1] = -1;
    assert_int_equal(fob_input_fill(&self->input), FOB_INPUT_MORE);
}

static void expect(pipe_t *self, const char *text) {
    fob_slice_t line;
    assert_int_equal(fob_input_line(&self->input, &line), FOB_INPUT_LINE);
    assert_int_equal(line.size, strlen(text));
    assert_memory_equal(line.data, text, line.size);
}

static void a_line_is_given_as_soon_as_it_is_whole(void **state) {
    pipe_t *self = *state;
    fob_slice_t line;
    put(self, "one\ntw");
    expect(self, "one");
    assert_int_equal(fob_input_line(&self->input, &line), FOB_INPUT_MORE);
    put(self, "o\n\n");
    expect(self, "two");
    expect(self, "");
    assert_int_equal(self->input.number, 3);
    assert_int_equal(fob_input_line(&self->input, &line), FOB_INPUT_MORE);
}

static void a_last_line_needs_no_newline(void **state) {
    pipe_t *self = *state;
    fob_slice_t line;
    put(self, "one\ntwo");
    finish(self);
    expect(self, "one");
    expect(self, "two");
    assert_int_equal(fob_input_line(&self->input, &line), FOB_INPUT_END);
}

static void a_last_newline_makes_no_empty_line(void **state) {
    pipe_t *self = *state;
    fob_slice_t line;
    put(self, "one\n");
    finish(self);
    expect(self, "one");
    assert_int_equal(fob_input_line(&self->input, &line), FOB_INPUT_END);
}

static void a_line_above_the_limit_is_named_and_not_kept(void **state) {
    pipe_t *self = *state;
    fob_slice_t line;
    self->input.max = 10;
    put(self, "1234567890\n12345678901");
    expect(self, "1234567890");
    assert_int_equal(fob_input_line(&self->input, &line), FOB_INPUT_TOO_LONG);
    assert_int_equal(self->input.number, 2);
}

static void a_long_line_comes_in_pieces(void **state) {
    pipe_t *self = *state;
    fob_slice_t line;
    char piece[10001];
    memset(piece, 'x', 10000);
    piece[10000] = '\0';
    put(self, "short\n");
    expect(self, "short");
    for (int i = 0; i < 50; i++) {
        put(self, piece);
        assert_int_equal(fob_input_line(&self->input, &line), FOB_INPUT_MORE);
    }
    put(self, "\n");
    assert_int_equal(fob_input_line(&self->input, &line), FOB_INPUT_LINE);
    assert_int_equal(line.size, 500000);
    for (size_t i = 0; i < line.size; i++)
        assert_int_equal(line.data[i], 'x');
}

static void all_of_it_is_one(void **state) {
    pipe_t *self = *state;
    fob_slice_t all;
    assert_int_equal(write(self->ends[1], "a\nb\n", 4), 4);
    close(self->ends[1]);
    self->ends[1] = -1;
    assert_int_equal(fob_input_all(&self->input, &all), FOB_INPUT_LINE);
    assert_int_equal(all.size, 4);
    assert_memory_equal(all.data, "a\nb\n", 4);
}

static void all_of_it_has_a_limit(void **state) {
    pipe_t *self = *state;
    fob_slice_t all;
    self->input.max = 3;
    assert_int_equal(write(self->ends[1], "a\nb\n", 4), 4);
    assert_int_equal(fob_input_all(&self->input, &all), FOB_INPUT_TOO_LONG);
}

FOB_MAIN(FOB_CASE_WITH(a_line_is_given_as_soon_as_it_is_whole, set_up, tear_down),
         FOB_CASE_WITH(a_last_line_needs_no_newline, set_up, tear_down),
         FOB_CASE_WITH(a_last_newline_makes_no_empty_line, set_up, tear_down),
         FOB_CASE_WITH(a_line_above_the_limit_is_named_and_not_kept, set_up, tear_down),
         FOB_CASE_WITH(a_long_line_comes_in_pieces, set_up, tear_down),
         FOB_CASE_WITH(all_of_it_is_one, set_up, tear_down),
         FOB_CASE_WITH(all_of_it_has_a_limit, set_up, tear_down))
