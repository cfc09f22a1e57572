/* Tables for eyes, on paper and on narrow screens. */
#include "tests/support/case.h"

#include "bus/commands/table.h"

#include <unistd.h>

static const fob_column_t columns[] = {
    {"GROUP", "group", 0, 0}, {"STATE", "state", 0, 0}, {"READY", "ready", 1, 0},
    {"DEAD", "dead", 1, 1},   {"GONE", "gone", 1, 1},   {"WHY", "why", 0, 0},
};

/* What is printed for a screen so wide; static memory. */
static const char *print(const char *rows, size_t screen) {
    static char text[4000];
    FILE *file = tmpfile();
    json_t *root = json_loads(rows, 0, NULL);
    assert_non_null(file);
    assert_non_null(root);
    fflush(stdout);
    int kept = dup(STDOUT_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    fob_table_print(root, columns, sizeof columns / sizeof columns[0], screen);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    close(kept);
    rewind(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    json_decref(root);
    return text;
}

static const char rows[] =
    "[{\"group\":\"billing-of-the-whole-world\",\"state\":\"idle\",\"ready\":12,\"dead\":0,"
    "\"gone\":3,\"why\":\"all is settled\"},{\"group\":\"b\",\"state\":\"idle\",\"ready\":1,"
    "\"dead\":0,\"gone\":0,\"why\":null}]";

static void where_there_is_no_edge_all_is_printed(void **state) {
    static const char whole[] =
        "GROUP                       STATE  READY  DEAD  GONE  WHY\n"
        "billing-of-the-whole-world  idle      12     0     3  all is settled\n"
        "b                           idle       1     0     0  -\n";
    (void)state;
    assert_string_equal(print(rows, 0), whole);
    assert_string_equal(print(rows, 68), whole);
}

static void the_last_words_go_beneath_first(void **state) {
    (void)state;
    assert_string_equal(print(rows, 67), "GROUP                       STATE  READY  DEAD  GONE\n"
                                         "billing-of-the-whole-world  idle      12     0     3\n"
                                         "  all is settled\n"
                                         "b                           idle       1     0     0\n");
}

static void columns_of_zeros_go_next(void **state) {
    (void)state;
    assert_string_equal(print(rows, 51), "GROUP                       STATE  READY  GONE\n"
                                         "billing-of-the-whole-world  idle      12     3\n"
                                         "  all is settled\n"
                                         "b                           idle       1     0\n");
}

static void names_are_cut_at_last(void **state) {
    (void)state;
    assert_string_equal(print(rows, 40), "GROUP                 STATE  READY  GONE\n"
                                         "billing-of-the-whol\xe2\x80\xa6  idle      12     3\n"
                                         "  all is settled\n"
                                         "b                     idle       1     0\n");
    assert_string_equal(print(rows, 10), "GROUP    STATE READY GONE\n"
                                         "billing\xe2\x80\xa6 idle     12    3\n"
                                         "  all is settled\n"
                                         "b        idle      1    0\n");
}

FOB_MAIN(FOB_CASE(where_there_is_no_edge_all_is_printed), FOB_CASE(the_last_words_go_beneath_first),
         FOB_CASE(columns_of_zeros_go_next), FOB_CASE(names_are_cut_at_last))
