/* The stand of the tests: a bus that is killed and comes back, and what is asked of its books. */
#include "tests/support/stand.h"

#include "tests/support/case.h"

#include <signal.h>
#include <stdlib.h>

static void its_figures_are_those_of_the_bus_also_after_a_kill(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    assert_int_equal(stand_figure(&stand, "mailers", "ready"), -1);
    free(stand_do("group", "add", "mailers", "mail", NULL));
    stand_publish("mail", 3);
    stand_await(&stand, "mailers", "ready", 3);
    pid_t before = process_pid(stand.bus);
    stand_kill_bus(&stand);
    assert_int_not_equal(process_pid(stand.bus), before);
    assert_int_equal(stand_figure(&stand, "mailers", "accepted"), 3);
    stand_publish("mail", 1);
    stand_await_least(&stand, "mailers", "accepted", 2);
    json_t *group = stand_group(&stand, "mailers");
    assert_int_equal(json_integer_value(json_object_get(group, "ready")), 4);
    json_decref(group);
    assert_null(stand_group(&stand, "others"));
    stand_end(&stand);
    assert_null(getenv("FOB_BUS"));
}

static void a_program_writes_to_a_file_and_its_end_is_seen(void **state) {
    (void)state;
    stand_t stand;
    stand_start(&stand);
    char *file = stand_path(&stand, "handled");
    char *text = stand_read(file);
    assert_string_equal(text, "");
    free(text);
    stand_await_workers(&stand, 0);
    process_t *worker = stand_fob_to(file, "work mailers mail --json");
    stand_await_workers(&stand, 1);
    stand_publish("mail", 3);
    stand_await_settled(&stand);
    assert_int_equal(stand_figure(&stand, "mailers", "acked"), 3);
    process_signal(worker, SIGTERM);
    assert_int_equal(process_wait(worker, PACE_PATIENCE), 0);
    process_destroy(&worker);
    text = stand_read(file);
    size_t lines = 0;
    for (char *rest = text, *line; (line = stand_line(&rest)) != NULL; lines++)
        assert_non_null(strstr(line, "\"topic\":\"mail\""));
    assert_int_equal(lines, 3);
    free(text);
    free(file);
    stand_end(&stand);
}

static void it_may_have_settings_and_data_of_the_tests_own(void **state) {
    (void)state;
    stand_t stand;
    char *folder = process_folder(), *data = NULL;
    assert_true(asprintf(&data, "%s/here", folder) > 0);
    stand_start_with(&stand, "groups\n    mailers\n        pattern = mail\n", data);
    assert_int_equal(stand_figure(&stand, "mailers", "accepted"), 0);
    assert_string_equal(stand.data, data);
    stand_kill_bus(&stand);
    assert_int_equal(stand_figure(&stand, "mailers", "accepted"), 0);
    stand_end(&stand);
    free(data);
    process_folder_remove(&folder);
}

static void a_text_has_lines_also_where_the_last_has_no_end(void **state) {
    (void)state;
    char text[] = "one\n\nthree", *rest = text;
    assert_string_equal(stand_line(&rest), "one");
    assert_string_equal(stand_line(&rest), "");
    assert_string_equal(stand_line(&rest), "three");
    assert_null(stand_line(&rest));
}

static void a_pace_is_kept(void **state) {
    (void)state;
    long long at = process_clock() + 30;
    stand_pace(at);
    assert_true(process_clock() >= at);
    stand_pace(at - 1000); /* long ago: at once */
}

FOB_MAIN(FOB_CASE(its_figures_are_those_of_the_bus_also_after_a_kill),
         FOB_CASE(a_program_writes_to_a_file_and_its_end_is_seen),
         FOB_CASE(it_may_have_settings_and_data_of_the_tests_own),
         FOB_CASE(a_text_has_lines_also_where_the_last_has_no_end), FOB_CASE(a_pace_is_kept))
