/* The harness that other tests rest on. */
#include "tests/support/case.h"
#include "tests/support/process.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static process_t *shell(const char *script) {
    return process_spawn((const char *const[]){"sh", "-c", script, NULL});
}

static void lines_come_one_by_one_from_each_stream(void **state) {
    process_t *self = shell("echo one; echo two; printf three; echo bad >&2; exit 7");
    (void)state;
    assert_string_equal(process_line(self, PROCESS_OUT, 60000), "one");
    assert_string_equal(process_line(self, PROCESS_OUT, 60000), "two");
    assert_string_equal(process_line(self, PROCESS_OUT, 60000), "three");
    assert_null(process_line(self, PROCESS_OUT, 60000));
    assert_string_equal(process_line(self, PROCESS_ERR, 60000), "bad");
    assert_int_equal(process_wait(self, 60000), 7);
    process_destroy(&self);
    assert_null(self);
}

static void a_program_is_fed_while_it_runs(void **state) {
    process_t *self = shell("while read a; do echo \"<$a>\"; done");
    (void)state;
    assert_true(process_puts(self, "x\n"));
    assert_string_equal(process_line(self, PROCESS_OUT, 60000), "<x>");
    assert_true(process_puts(self, "y\n"));
    assert_string_equal(process_line_with(self, PROCESS_OUT, "y", 60000), "<y>");
    process_close_input(self);
    assert_int_equal(process_wait(self, 60000), 0);
    process_destroy(&self);
}

static void waiting_has_an_end(void **state) {
    process_t *self = shell("read a");
    long long start = process_clock();
    (void)state;
    assert_null(process_line(self, PROCESS_OUT, 50));
    assert_int_equal(process_wait(self, 50), -1);
    assert_true(process_clock() - start >= 100);
    process_signal(self, SIGKILL);
    assert_int_equal(process_wait(self, 60000), 128 + SIGKILL);
    process_destroy(&self);
}

static void what_still_runs_is_killed_and_reaped(void **state) {
    process_t *self = shell("read a");
    pid_t pid = process_pid(self);
    (void)state;
    process_destroy(&self);
    assert_int_equal(kill(pid, 0), -1);
}

static void a_whole_run_gives_code_and_output(void **state) {
    char *out, *err;
    (void)state;
    const char *const argv[] = {"sh", "-c", "cat; echo no >&2; exit 3", NULL};
    assert_int_equal(process_run(argv, "hello", &out, &err), 3);
    assert_string_equal(out, "hello");
    assert_string_equal(err, "no\n");
    free(out);
    free(err);
}

static void ports_are_given_once(void **state) {
    (void)state;
    int one = process_port(), two = process_port();
    assert_int_not_equal(one, two);
    assert_true(one >= 1024 && one < 65526);
}

static void a_folder_is_removed_with_all_within(void **state) {
    char *folder = process_folder(), name[4200];
    (void)state;
    snprintf(name, sizeof name, "%s/file", folder);
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fclose(file);
    process_folder_remove(&folder);
    assert_null(folder);
    assert_int_equal(access(name, F_OK), -1);
}

FOB_MAIN(FOB_CASE(lines_come_one_by_one_from_each_stream), FOB_CASE(a_program_is_fed_while_it_runs),
         FOB_CASE(waiting_has_an_end), FOB_CASE(what_still_runs_is_killed_and_reaped),
         FOB_CASE(a_whole_run_gives_code_and_output), FOB_CASE(ports_are_given_once),
         FOB_CASE(a_folder_is_removed_with_all_within))
