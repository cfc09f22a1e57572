/* What a command says, and on which descriptor; and output whose reader is gone, full or stuck. */
#include "tests/support/case.h"

#include "proto/cli/cli.h"
#include "proto/cli/input.h"
#include "proto/cli/options.h"
#include "proto/cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    int code;
    char text[4096];
} said_t;

/* Runs `act` with a descriptor in a file meanwhile. */
static said_t caught(int fd, int (*act)(const void *arg), const void *arg) {
    said_t said = {0};
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(NULL);
    int kept = dup(fd);
    assert_true(dup2(fileno(file), fd) >= 0);
    said.code = act(arg);
    fflush(NULL);
    assert_true(dup2(kept, fd) >= 0);
    close(kept);
    rewind(file);
    said.text[fread(said.text, 1, sizeof said.text - 1, file)] = 0;
    fclose(file);
    return said;
}

static const char bus[] = "tcp://127.0.0.1:7670";

/* --- statuses --- */

typedef struct {
    fob_status_t status;
    const char *trouble;
} status_t;

static int say_status(const void *arg) {
    const status_t *what = arg;
    const fob_cli_t cli = {.command = "group add", .bus = bus};
    return fob_fail_status(&cli, what->status, what->trouble);
}

static void expect_status(fob_status_t status, const char *trouble, int code, const char *text) {
    said_t said = caught(STDERR_FILENO, say_status, &(status_t){status, trouble});
    assert_int_equal(said.code, code);
    assert_string_equal(said.text, text);
}

static void a_bus_that_is_away_is_named_once_with_what_to_do(void **state) {
    (void)state;
#define AWAY "fob group add: cannot reach the bus at tcp://127.0.0.1:7670"
#define ASK  ": is \"fob serve\" running? (--bus or FOB_BUS names another)\n"
    expect_status(FOB_UNREACHABLE, NULL, 69, AWAY ASK);
    expect_status(FOB_UNREACHABLE, "", 69, AWAY ASK);
    expect_status(FOB_UNREACHABLE, "tcp://127.0.0.1:7670: refused", 69, AWAY " (refused)" ASK);
    expect_status(FOB_UNREACHABLE, "tcp://127.0.0.1:76701: refused", 69,
                  AWAY " (tcp://127.0.0.1:76701: refused)" ASK);
}

static void a_status_is_told_in_its_own_words_or_in_the_better_ones(void **state) {
    (void)state;
    expect_status(FOB_NO_GROUP, NULL, 66, "fob group add: there is no such group\n");
    expect_status(FOB_NO_GROUP, "there is no such group", 66,
                  "fob group add: there is no such group\n");
    expect_status(FOB_NO_GROUP, "no group billing", 66, "fob group add: no group billing\n");
    expect_status(FOB_INTERNAL, NULL, 70, "fob group add: a bug in fob: please report it\n");
    expect_status(FOB_INTERNAL, "x", 70, "fob group add: a bug in fob: x: please report it\n");
    expect_status((fob_status_t)999, NULL, 76,
                  "fob group add: the bus answered with code 999, which this version does not "
                  "know\n");
    expect_status((fob_status_t)999, "no quorum", 76,
                  "fob group add: the bus answered with code 999, which this version does not "
                  "know: no quorum\n");
}

/* --- the line itself --- */

static int say_raw(const void *arg) {
    const fob_cli_t nobody = {.command = NULL};
    return fob_fail(&nobody, 64, "%s", (const char *)arg);
}

static void a_terminal_never_sees_control_characters(void **state) {
    (void)state;
    said_t said = caught(STDERR_FILENO, say_raw, "a\x1b[31mred\x07 \x7f\t\r\n.");
    assert_string_equal(said.text, "fob: a?[31mred? ????.\n");
    assert_int_equal(said.code, 64);
}

static void a_line_has_an_end_however_long_it_is(void **state) {
    (void)state;
    char *text = calloc(1, 3001);
    memset(text, 'a', 3000);
    said_t said = caught(STDERR_FILENO, say_raw, text);
    size_t size = strlen(said.text);
    assert_true(size > 1000 && size < 1200);
    assert_int_equal(said.text[size - 1], '\n');
    free(text);
}

static int say_note(const void *arg) {
    fob_note(arg, "%d events", 3);
    return 0;
}

static void news_are_not_told_to_who_wants_quiet(void **state) {
    (void)state;
    fob_cli_t cli = {.command = "pub"};
    assert_string_equal(caught(STDERR_FILENO, say_note, &cli).text, "fob pub: 3 events\n");
    cli.quiet = true;
    assert_string_equal(caught(STDERR_FILENO, say_note, &cli).text, "");
}

/* --- arguments --- */

typedef struct {
    int (*check)(const fob_cli_t *cli, const char *text);
    const char *text;
} word_t;

static int check_word(const void *arg) {
    const word_t *word = arg;
    const fob_cli_t cli = {.command = "pub"};
    return word->check(&cli, word->text);
}

static void a_name_that_is_none_says_what_one_looks_like(void **state) {
    (void)state;
    static const struct {
        word_t word;
        int code;
        const char *text;
    } table[] = {
        {{fob_cli_check_topic, "shop.eu"}, 0, ""},
        {{fob_cli_check_topic, "shop..eu"}, 65, "\"shop..eu\" is not a topic: it takes 1-255"},
        {{fob_cli_check_topic, ""}, 65, "\"\" is not a topic"},
        {{fob_cli_check_topic, "$sys.x"}, 65, "$sys is the bus's own"},
        {{fob_cli_check_pattern, "shop.*.>"}, 0, ""},
        {{fob_cli_check_pattern, "shop.>.x"}, 65, "is not a pattern"},
        {{fob_cli_check_group, "billing"}, 0, ""},
        {{fob_cli_check_group, "bil ling"}, 65, "is not a name for a group"},
        {{fob_cli_check_group, "$sys"}, 65, "is not a name for a group"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        said_t said = caught(STDERR_FILENO, check_word, &table[i].word);
        assert_int_equal(said.code, table[i].code);
        if (strstr(said.text, table[i].text) == NULL || (said.code == 0 && said.text[0]))
            fail_msg("said: %s", said.text);
    }
}

static int check_bus(const void *arg) {
    const fob_cli_t cli = {.command = "ping", .bus = arg};
    return fob_cli_check_bus(&cli);
}

static void an_endpoint_that_is_none_is_named_with_where_it_was_said(void **state) {
    (void)state;
    said_t said = caught(STDERR_FILENO, check_bus, "");
    assert_int_equal(said.code, 64);
    assert_non_null(strstr(said.text, "--bus is empty"));
    /* The library dials tcp only. */
    said = caught(STDERR_FILENO, check_bus, "tcp://a:1,ipc:///tmp/x");
    assert_int_equal(said.code, 64);
    assert_non_null(strstr(said.text, "--bus: \"ipc:///tmp/x\" is not an endpoint"));
    setenv("FOB_BUS", "nonsense", 1);
    said = caught(STDERR_FILENO, check_bus, NULL);
    assert_int_equal(said.code, 64);
    assert_non_null(strstr(said.text, "FOB_BUS: \"nonsense\" is not an endpoint"));
    unsetenv("FOB_BUS");
    assert_int_equal(caught(STDERR_FILENO, check_bus, NULL).code, 0);
    char longest[320];
    snprintf(longest, sizeof longest, "tcp://%0280d:1", 0);
    assert_int_equal(caught(STDERR_FILENO, check_bus, longest).code, 64);
}

/* --- options that end it --- */

static int take_words(const void *arg) {
    const char *const *words = arg;
    char *argv[32] = {(char *)"ping"};
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)words[argc - 1];
    fob_cli_t cli = {.command = "ping"};
    fob_args_t args = {0};
    uint64_t from = 0;
    const fob_option_t options[] = {FOB_OPTIONS_CLIENT(&cli),
                                    {"from", 0, FOB_OPT_COUNT, &from, 1, 0}};
    int code = fob_options(&cli, options, sizeof options / sizeof options[0], "the help\n", argc,
                           argv, &args);
    return code >= 0 ? code : fob_args_check(&cli, &args, 1, 2, "fob ping A [B]");
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void help_and_version_go_to_standard_output_and_end_it(void **state) {
    (void)state;
    const char *const *const help[] = {WORDS("-h"), WORDS("--help"), WORDS("-vh", "-x")};
    const char *const *const version[] = {WORDS("-V"), WORDS("--version"), WORDS("-qV")};
    for (size_t i = 0; i < 3; i++) {
        said_t said = caught(STDOUT_FILENO, take_words, help[i]);
        assert_int_equal(said.code, 0);
        assert_string_equal(said.text, "the help\n");
        said = caught(STDOUT_FILENO, take_words, version[i]);
        assert_int_equal(said.code, 0);
        assert_string_equal(said.text, "fob " FOB_VERSION_STRING "\n");
    }
}

static void arguments_are_counted(void **state) {
    (void)state;
    assert_int_equal(caught(STDERR_FILENO, take_words, WORDS("a")).code, 0);
    said_t said = caught(STDERR_FILENO, take_words, WORDS("-q"));
    assert_int_equal(said.code, 64);
    assert_non_null(strstr(said.text, "an argument is missing: fob ping A [B]"));
    said = caught(STDERR_FILENO, take_words, WORDS("a", "b", "c"));
    assert_int_equal(said.code, 64);
    assert_non_null(strstr(said.text, "\"c\" is one argument too many"));
    said = caught(STDERR_FILENO, take_words,
                  WORDS("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14",
                        "15", "16", "17"));
    assert_int_equal(said.code, 64);
    assert_non_null(strstr(said.text, "too many arguments at \"17\""));
}

static void a_value_that_does_not_fit_says_what_would(void **state) {
    (void)state;
    said_t said = caught(STDERR_FILENO, take_words, WORDS("a", "--connect-timeout", "soon"));
    assert_int_equal(said.code, 64);
    assert_non_null(strstr(said.text, "--connect-timeout takes a duration such as 250ms"));
    assert_int_equal(caught(STDERR_FILENO, take_words, WORDS("a", "--connect-timeout", "2s")).code,
                     0);
    said = caught(STDERR_FILENO, take_words, WORDS("a", "--from", "0"));
    assert_int_equal(said.code, 64);
    assert_non_null(strstr(said.text, "--from takes a whole number from 1, not \"0\""));
    assert_int_equal(caught(STDERR_FILENO, take_words, WORDS("a", "--from=99999")).code, 0);
}

/* --- output --- */

/* Runs `act` in a child whose standard output is `fd`; its exit code. */
static int child(int fd, int (*act)(void)) {
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        dup2(fd, STDOUT_FILENO);
        close(fd);
        exit(act());
    }
    close(fd);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int to_full(void) {
    return open("/dev/full", O_WRONLY);
}

static int print_much(void) {
    const fob_cli_t cli = {.command = "stats", .quiet = true};
    signal(SIGPIPE, SIG_IGN);
    if (!freopen("/dev/null", "w", stderr))
        return 99;
    printf("%05000d\n", 1);
    return fob_print_end(&cli);
}

static int to_nobody(void) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    return ends[1];
}

static void what_cannot_be_printed_is_an_error_but_not_where_nobody_reads(void **state) {
    (void)state;
    assert_int_equal(child(to_full(), print_much), FOB_EXIT_IO);
    assert_int_equal(child(to_nobody(), print_much), FOB_EXIT_OK);
}

static int write_much(void) {
    static uint8_t bytes[1 << 20];
    if (!fob_stop_begin(true) || !fob_stop_begin(false))
        return 99;
    return 10 + (int)fob_output(fob_slice(bytes, sizeof bytes));
}

static void output_tells_a_full_disk_from_a_reader_that_left(void **state) {
    (void)state;
    assert_int_equal(child(to_full(), write_much), 10 + FOB_OUTPUT_FAILED);
    assert_int_equal(child(to_nobody(), write_much), 10 + FOB_OUTPUT_CLOSED);
    char path[] = "/tmp/fob-output-XXXXXX";
    int file = mkstemp(path);
    assert_int_equal(child(dup(file), write_much), 10 + FOB_OUTPUT_OK);
    assert_int_equal(lseek(file, 0, SEEK_END), 1 << 20);
    close(file);
    unlink(path);
}

/* A stop signal is under way when it begins to write to somebody who does not read. */
static int write_and_be_stopped(void) {
    if (!fob_stop_begin(false) || raise(SIGTERM) != 0 || fob_stop_count() != 1)
        return 99;
    return write_much();
}

static int write_and_be_told(void) {
    if (!fob_stop_begin(true))
        return 99;
    raise(SIGCHLD); /* news, and no stop */
    if (fob_stop_count() != 0 || !fob_stop_wait(fob_stop_fd(), 1 /* POLLIN */, 0))
        return 98;
    static uint8_t bytes[1000];
    return 10 + (int)fob_output(fob_slice(bytes, sizeof bytes));
}

static void a_reader_that_does_not_read_keeps_nobody_from_stopping(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(child(ends[1], write_and_be_stopped), 10 + FOB_OUTPUT_STOPPED);
    close(ends[0]);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(child(ends[1], write_and_be_told), 10 + FOB_OUTPUT_OK);
    close(ends[0]);
}

static int hang_up(void) {
    signal(SIGHUP, SIG_IGN); /* nohup */
    if (!fob_stop_begin(false) || raise(SIGHUP) != 0)
        return 99;
    return fob_stop_count();
}

static void a_hang_up_that_was_ignored_stays_so(void **state) {
    (void)state;
    assert_int_equal(child(dup(STDOUT_FILENO), hang_up), 0);
}

/* --- input --- */

static void input_that_cannot_be_read_says_so(void **state) {
    (void)state;
    fob_slice_t line;
    fob_input_t input = {.fd = open("/", O_RDONLY | O_DIRECTORY), .max = 100};
    assert_int_equal(fob_input_fill(&input), FOB_INPUT_FAILED);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(fob_input_all(&input, &line), FOB_INPUT_FAILED);
    close(input.fd);
    fob_input_free(&input);
}

static void input_that_is_not_there_yet_is_no_error_and_its_end_is_final(void **state) {
    (void)state;
    fob_slice_t line;
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    fob_input_t input = {.fd = ends[0], .max = 100};
    assert_int_equal(fob_input_fill(&input), FOB_INPUT_MORE);
    assert_int_equal(fob_input_line(&input, &line), FOB_INPUT_MORE);
    assert_int_equal(write(ends[1], "last", 4), 4);
    close(ends[1]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fob_input_fill(&input), FOB_INPUT_MORE);
    assert_int_equal(fob_input_line(&input, &line), FOB_INPUT_LINE);
    assert_true(fob_slice_eq(line, fob_slice_str("last")));
    assert_int_equal(fob_input_line(&input, &line), FOB_INPUT_END);
    close(ends[0]);
    fob_input_free(&input);
}

FOB_MAIN(FOB_CASE(a_bus_that_is_away_is_named_once_with_what_to_do),
         FOB_CASE(a_status_is_told_in_its_own_words_or_in_the_better_ones),
         FOB_CASE(a_terminal_never_sees_control_characters),
         FOB_CASE(a_line_has_an_end_however_long_it_is),
         FOB_CASE(news_are_not_told_to_who_wants_quiet),
         FOB_CASE(a_name_that_is_none_says_what_one_looks_like),
         FOB_CASE(an_endpoint_that_is_none_is_named_with_where_it_was_said),
         FOB_CASE(help_and_version_go_to_standard_output_and_end_it),
         FOB_CASE(arguments_are_counted), FOB_CASE(a_value_that_does_not_fit_says_what_would),
         FOB_CASE(what_cannot_be_printed_is_an_error_but_not_where_nobody_reads),
         FOB_CASE(output_tells_a_full_disk_from_a_reader_that_left),
         FOB_CASE(a_reader_that_does_not_read_keeps_nobody_from_stopping),
         FOB_CASE(a_hang_up_that_was_ignored_stays_so), FOB_CASE(input_that_cannot_be_read_says_so),
         FOB_CASE(input_that_is_not_there_yet_is_no_error_and_its_end_is_final))
