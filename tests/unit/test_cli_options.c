#include "tests/support/case.h"

#include "proto/cli/options.h"

#include <stdlib.h>

typedef struct {
    fob_cli_t cli;
    uint64_t count;
    const char *key;
    fob_list_t headers;
    const char *store[2];
    fob_args_t args;
} line_t;

/* Takes a line of words apart. The messages go to standard error, which nobody reads here. */
static int take(line_t *self, bool command, const char *const *words) {
    char *argv[16] = {(char *)"test"};
    int argc = 1;
    *self = (line_t){.cli = {.command = "test"}, .args = {.command = command}};
    self->headers = (fob_list_t){.items = self->store, .capacity = 2};
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)words[argc - 1];
    const fob_option_t options[] = {
        FOB_OPTIONS_CLIENT(&self->cli),
        FOB_OPTION_JSON(&self->cli),
        {"count", 'n', FOB_OPT_COUNT, &self->count, 1, 100},
        {"key", 0, FOB_OPT_TEXT, &self->key, 0, 0},
        {"header", 0, FOB_OPT_LIST, &self->headers, 0, 0},
    };
    int code = fob_options(&self->cli, options, sizeof options / sizeof options[0], "", argc, argv,
                           &self->args);
    if (self->args.rest) /* argv is gone after this */
        self->args.rest = (char **)words + (self->args.rest - argv - 1);
    return code;
}

#define TAKE(line, ...) take(&(line), false, (const char *const[]){__VA_ARGS__, NULL})

static void options_and_arguments_mix_in_any_order(void **state) {
    line_t line;
    (void)state;
    assert_int_equal(TAKE(line, "a", "-n", "7", "b", "--key=k=v", "-jv", "--bus", "tcp://x:1"), -1);
    assert_int_equal(line.args.arg_count, 2);
    assert_string_equal(line.args.args[0], "a");
    assert_string_equal(line.args.args[1], "b");
    assert_int_equal(line.count, 7);
    assert_string_equal(line.key, "k=v");
    assert_string_equal(line.cli.bus, "tcp://x:1");
    assert_true(line.cli.json && line.cli.verbose);
    assert_int_equal(TAKE(line, "-n9"), -1);
    assert_int_equal(line.count, 9);
}

static void an_unknown_option_is_a_usage_error(void **state) {
    line_t line;
    (void)state;
    assert_int_equal(TAKE(line, "--nonsense"), FOB_EXIT_USAGE);
    assert_int_equal(TAKE(line, "-x"), FOB_EXIT_USAGE);
    assert_int_equal(TAKE(line, "-jx"), FOB_EXIT_USAGE);
    assert_int_equal(TAKE(line, "--json=yes"), FOB_EXIT_USAGE);
    assert_int_equal(TAKE(line, "--key"), FOB_EXIT_USAGE);
}

static void an_option_is_never_abbreviated(void **state) {
    line_t line;
    (void)state;
    assert_int_equal(TAKE(line, "--coun", "5"), FOB_EXIT_USAGE);
    assert_int_equal(TAKE(line, "--counts", "5"), FOB_EXIT_USAGE);
}

static void a_dash_and_negative_numbers_are_arguments(void **state) {
    line_t line;
    (void)state;
    assert_int_equal(TAKE(line, "topic", "-"), -1);
    assert_string_equal(line.args.args[1], "-");
    assert_int_equal(TAKE(line, "topic", "-5"), -1);
    assert_string_equal(line.args.args[1], "-5");
    assert_int_equal(TAKE(line, "--key", "-v", "--", "--json"), -1);
    assert_string_equal(line.key, "-v");
    assert_int_equal(line.args.arg_count, 1);
    assert_string_equal(line.args.args[0], "--json");
    assert_null(line.args.rest);
}

static void a_command_line_follows_two_dashes(void **state) {
    line_t line;
    (void)state;
    const char *words[] = {"g", "-n", "3", "--", "sh", "-c", "exit 1", NULL};
    assert_int_equal(take(&line, true, words), -1);
    assert_int_equal(line.args.arg_count, 1);
    assert_string_equal(line.args.rest[0], "sh");
    assert_string_equal(line.args.rest[2], "exit 1");
    assert_null(line.args.rest[3]);
}

static void a_count_out_of_range_is_a_usage_error(void **state) {
    line_t line;
    (void)state;
    static const char *const bad[] = {"0", "101", "", "-1", "5x", " 5", "18446744073709551616"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(TAKE(line, "--count", bad[i]), FOB_EXIT_USAGE);
}

static void a_list_takes_as_many_as_it_has_room_for(void **state) {
    line_t line;
    (void)state;
    assert_int_equal(TAKE(line, "--header", "a=1", "--header", "b=2"), -1);
    assert_int_equal(line.headers.count, 2);
    assert_string_equal(line.headers.items[1], "b=2");
    assert_int_equal(TAKE(line, "--header", "a", "--header", "b", "--header", "c"), FOB_EXIT_USAGE);
}

static void the_bus_comes_from_the_option_then_the_environment(void **state) {
    fob_cli_t cli = {.command = "test"};
    (void)state;
    unsetenv("FOB_BUS");
    assert_string_equal(fob_cli_bus(&cli), "tcp://127.0.0.1:7670");
    setenv("FOB_BUS", "", 1);
    assert_string_equal(fob_cli_bus(&cli), "tcp://127.0.0.1:7670");
    setenv("FOB_BUS", "tcp://a:1", 1);
    assert_string_equal(fob_cli_bus(&cli), "tcp://a:1");
    cli.bus = "tcp://b:2";
    assert_string_equal(fob_cli_bus(&cli), "tcp://b:2");
    unsetenv("FOB_BUS");
}

static void an_endpoint_that_is_none_is_a_usage_error(void **state) {
    static const char *const good[] = {"tcp://127.0.0.1:7670", "tcp://a:1,tcp://b:65535",
                                       "tcp://[::1]:7670"};
    static const char *const bad[] = {"",           "localhost",    "tcp://",     "tcp://a",
                                      "tcp://a:",   "tcp://:7670",  "tcp://a:0",  "tcp://a:65536",
                                      "http://a:1", "ipc:///tmp/x", "tcp://a:1,", "tcp://a:x",
                                      ",tcp://a:1"};
    fob_cli_t cli = {.command = "test"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cli.bus = good[i];
        assert_int_equal(fob_cli_check_bus(&cli), FOB_EXIT_OK);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cli.bus = bad[i];
        assert_int_equal(fob_cli_check_bus(&cli), FOB_EXIT_USAGE);
    }
}

/* COMMANDS: scripts depend on these. */
static void each_status_has_its_exit_code(void **state) {
    static const struct {
        fob_status_t status;
        int code;
    } table[] = {
        {FOB_OK, 0},           {FOB_INVALID, 64},         {FOB_BAD_TOPIC, 65},
        {FOB_BAD_PATTERN, 65}, {FOB_BAD_EVENT, 65},       {FOB_TOO_LARGE, 65},
        {FOB_NO_GROUP, 66},    {FOB_PATTERN_DIFFERS, 65}, {FOB_UNREACHABLE, 69},
        {FOB_INTERNAL, 70},    {FOB_PORT_IN_USE, 71},     {FOB_FOLDER_IN_USE, 73},
        {FOB_DAMAGED, 73},     {FOB_FOLDER_NEWER, 73},    {FOB_DISK_FAILED, 74},
        {FOB_BUSY, 75},        {FOB_DISK_FULL, 75},       {FOB_VERSION, 76},
        {FOB_PROTOCOL, 76},    {FOB_DENIED, 77},          {FOB_CONFIG, 78},
    };
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_int_equal(fob_exit_code(table[i].status), table[i].code);
    assert_int_equal(fob_exit_code((fob_status_t)9999), FOB_EXIT_PROTOCOL); /* a later one's */
}

FOB_MAIN(FOB_CASE(options_and_arguments_mix_in_any_order),
         FOB_CASE(an_unknown_option_is_a_usage_error), FOB_CASE(an_option_is_never_abbreviated),
         FOB_CASE(a_dash_and_negative_numbers_are_arguments),
         FOB_CASE(a_command_line_follows_two_dashes),
         FOB_CASE(a_count_out_of_range_is_a_usage_error),
         FOB_CASE(a_list_takes_as_many_as_it_has_room_for),
         FOB_CASE(the_bus_comes_from_the_option_then_the_environment),
         FOB_CASE(an_endpoint_that_is_none_is_a_usage_error),
         FOB_CASE(each_status_has_its_exit_code))
