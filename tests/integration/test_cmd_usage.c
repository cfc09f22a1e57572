/* What needs no bus: usage, bad input, a bus that is not there. */
#include "tests/integration/cmd.h"

static int set_up_alone(void **state) {
    cmd_t *self = calloc(1, sizeof *self);
    if (!self)
        return -1;
    self->port = process_port();
    setenv("FOB_BUS", process_bus(self->port), 1);
    *state = self;
    return 0;
}

static void help_and_version_go_to_standard_output(void **state) {
    cmd_t *self = *state;
    static const char *const commands[] = {"serve", "pub",  "sub",     "tail",  "work",   "group",
                                           "stats", "ping", "journal", "bench", "version"};
    assert_int_equal(RUN(self, "--help"), 0);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        assert_non_null(strstr(self->out, commands[i]));
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        assert_int_equal(RUN(self, commands[i], "-h"), 0);
        assert_non_null(strstr(self->out, "usage: fob"));
        assert_string_equal(self->err, "");
        assert_int_equal(RUN(self, commands[i], "--help"), 0);
    }
    assert_int_equal(RUN(self, "version"), 0);
    assert_string_equal(self->out, "fob 0.1.0\n");
    assert_int_equal(RUN(self, "-V"), 0);
    assert_string_equal(self->out, "fob 0.1.0\n");
    assert_int_equal(RUN(self, "pub", "-V"), 0);
    assert_string_equal(self->out, "fob 0.1.0\n");
}

/* A line of more than 80 columns is torn in two on a terminal of the usual width. */
static void help_fits_a_terminal(void **state) {
    static const char *const commands[] = {"-h",    "pub",  "sub",   "tail",    "work", "group",
                                           "stats", "ping", "serve", "journal", "bench"};
    cmd_t *self = *state;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        DO(self, commands[i], "-h");
        for (char *line = strtok(self->out, "\n"); line; line = strtok(NULL, "\n"))
            if (strlen(line) > 80)
                fail_msg("fob %s: %s", commands[i], line);
    }
}

static void no_command_is_a_usage_error(void **state) {
    cmd_t *self = *state;
    const char *argv[] = {getenv("FOB_BINARY"), NULL};
    drop_output(self);
    assert_int_equal(process_run(argv, NULL, &self->out, &self->err), 64);
    assert_string_equal(self->out, "");
    assert_non_null(strstr(self->err, "usage"));
    REFUSED(self, 64, "unknown command", "publish");
    REFUSED(self, 64, "unknown option", "--nonsense");
}

static void unknown_options_are_usage_errors_in_every_command(void **state) {
    cmd_t *self = *state;
    REFUSED(self, 64, "--nonsense", "serve", "--nonsense");
    REFUSED(self, 64, "--nonsense", "pub", "t", "1", "--nonsense");
    REFUSED(self, 64, "--nonsense", "sub", ">", "--nonsense");
    REFUSED(self, 64, "--nonsense", "tail", "--nonsense");
    REFUSED(self, 64, "--nonsense", "work", "g", ">", "--nonsense");
    REFUSED(self, 64, "--nonsense", "group", "ls", "--nonsense");
    REFUSED(self, 64, "--nonsense", "stats", "--nonsense");
    REFUSED(self, 64, "--nonsense", "ping", "--nonsense");
    REFUSED(self, 64, "--nonsense", "journal", "ls", "--nonsense");
    REFUSED(self, 64, "--nonsense", "version", "--nonsense");
}

static void options_of_later_versions_are_unknown(void **state) {
    cmd_t *self = *state;
    REFUSED(self, 64, "--delay", "pub", "t", "1", "--delay", "5s");
    REFUSED(self, 64, "--ttl", "pub", "t", "1", "--ttl", "5s");
    REFUSED(self, 64, "--sync", "sub", ">", "--sync", "os");
    REFUSED(self, 64, "unknown command", "call", "t", "1");
    REFUSED(self, 64, "not one of", "journal", "copy");
    REFUSED(self, 64, "--from takes last, latest, earliest", "sub", ">", "--from", "later");
    REFUSED(self, 64, "--from takes", "tail", "--from", "0");
    REFUSED(self, 64, "--from takes", "sub", ">", "--from", "-10");
    REFUSED(self, 64, "--from takes last, latest", "sub", ">", "--from", "5@");
    REFUSED(self, 64, "--from 2200-01-01T00:00:00Z is a time to come", "sub", ">", "--from",
            "2200-01-01T00:00:00Z");
    REFUSED(self, 64, "--since takes a duration", "sub", ">", "--since", "5");
    REFUSED(self, 64, "exclude each other", "sub", ">", "--since", "5m", "--from", "latest");
    REFUSED(self, 64, "--mode takes reliable", "tail", "--mode", "best");
    REFUSED(self, 64, "--mode live shows only", "sub", ">", "--mode", "live", "--from", "last");
    REFUSED(self, 64, "--mode live shows only", "tail", "--mode", "live", "--since", "5m");
}

static void options_that_cannot_go_together_are_usage_errors(void **state) {
    cmd_t *self = *state;
    REFUSED(self, 64, "--timeout is for a COMMAND", "work", "g", ">", "--timeout", "5s");
    REFUSED(self, 64, "--once-store is for a COMMAND", "work", "g", ">", "--once-store", "x");
    REFUSED(self, 64, "--temporary", "work", "g", ">", "--temporary", "--from", "earliest");
    REFUSED(self, 64, "--from takes latest", "work", "g", ">", "--from", "yesterday");
    REFUSED(self, 64, "--from takes latest", "work", "g", ">", "--from", "5@6");
    REFUSED(self, 64, "--lease takes a duration", "work", "g", ">", "--lease", "5");
    REFUSED(self, 64, "--priority takes a whole number", "pub", "t", "1", "--priority", "10");
}

static void missing_and_surplus_arguments_are_usage_errors(void **state) {
    cmd_t *self = *state;
    REFUSED(self, 64, "missing", "pub");
    REFUSED(self, 64, "too many", "pub", "t", "1", "2");
    REFUSED(self, 64, "missing", "sub");
    REFUSED(self, 64, "missing", "work", "g");
    REFUSED(self, 64, "no COMMAND", "work", "g", "p", "--");
    REFUSED(self, 64, "missing", "group");
    REFUSED(self, 64, "missing", "group", "add", "g");
    REFUSED(self, 64, "missing", "journal");
    REFUSED(self, 64, "--count", "sub", ">", "--count", "0");
    REFUSED(self, 64, "duration", "ping", "--connect-timeout", "5");
    REFUSED(self, 64, "--prefetch", "work", "g", "p", "--jobs", "5", "--prefetch", "4");
    REFUSED(self, 64, "exclude", "pub", "t", "1", "--text", "--raw");
    REFUSED(self, 64, "--id", "pub", "t", "--lines", "--id", "x");
    REFUSED(self, 64, "NAME=VALUE", "pub", "t", "1", "--header", "x");
    REFUSED(self, 64, "--confirm", "pub", "t", "1", "--confirm", "maybe");
    REFUSED(self, 64, "endpoint", "pub", "t", "1", "--bus", "localhost");
    REFUSED(self, 64, "--data DIR", "serve", "--data", "");
    REFUSED(self, 64, "--data DIR", "serve", "--check", "--data=");
    REFUSED(self, 64, "--data DIR", "journal", "ls", "--data", "");
    REFUSED(self, 64, "--data DIR", "journal", "verify", "");
    REFUSED(self, 64, "no such command", "work", "g", "p", "--", "no-such-command-at-all");
}

static void no_data_is_a_usage_error(void **state) {
    cmd_t *self = *state;
    const char *const argv[] = {"sh", "-c", "exec \"$FOB_BINARY\" pub t </dev/null", NULL};
    drop_output(self);
    assert_int_equal(process_run(argv, NULL, &self->out, &self->err), 64);
    assert_non_null(strstr(self->err, "no data"));
}

/* Runs a line of shell in which $FOB_BINARY stands for the program; the exit code. */
static int shell(cmd_t *self, const char *line) {
    const char *const argv[] = {"sh", "-c", line, NULL};
    drop_output(self);
    return process_run(argv, NULL, &self->out, &self->err);
}

static void closed_standard_descriptors_are_nobody_elses(void **state) {
    cmd_t *self = *state;
    assert_int_equal(shell(self, "exec \"$FOB_BINARY\" pub t <&-"), 64);
    assert_non_null(strstr(self->err, "no data"));
    assert_int_equal(shell(self, "exec \"$FOB_BINARY\" pub t --lines <&-"), 64);
    assert_non_null(strstr(self->err, "no data"));
    assert_int_equal(shell(self, "exec \"$FOB_BINARY\" pub t - <&-"), 64);
    assert_int_equal(shell(self, "exec \"$FOB_BINARY\" version >&-"), 74);
    assert_non_null(strstr(self->err, "cannot write to standard output"));
    assert_int_equal(shell(self, "exec \"$FOB_BINARY\" pub t <&- >&- 2>&-"), 64);
    assert_string_equal(self->out, "");
    assert_string_equal(self->err, "");
}

static void a_bus_gives_none_of_its_own_the_number_of_a_standard_descriptor(void **state) {
    cmd_t *self = *state;
    char *folder = process_folder(), line[800];
    snprintf(line, sizeof line,
             "\"$FOB_BINARY\" serve --data '%s/d' --port %d <&- >&- 2>&- & bus=$!\n"
             "trap 'kill $bus 2>/dev/null' EXIT\n"
             "\"$FOB_BINARY\" ping -q --connect-timeout 10s || exit 1\n"
             "for fd in 0 1 2; do\n"
             "  [ \"$(readlink /proc/$bus/fd/$fd)\" = /dev/null ] || bad=1\n"
             "done\n"
             "\"$FOB_BINARY\" pub t 1 || exit 2\n"
             "kill $bus && wait $bus || exit 3\n"
             "[ -z \"$bad\" ]",
             folder, self->port);
    int code = shell(self, line);
    if (code != 0)
        fail_msg("exit %d: %s%s", code, self->out, self->err);
    process_folder_remove(&folder);
}

static void bad_data_is_told_without_a_bus(void **state) {
    cmd_t *self = *state;
    REFUSED(self, 65, "not a topic", "pub", "a..b", "1");
    REFUSED(self, 65, "$sys", "pub", "$sys.x", "1");
    REFUSED(self, 65, "not a topic", "pub", "a.*", "1");
    REFUSED(self, 65, "not a pattern", "sub", "a.>.b");
    REFUSED(self, 65, "not a pattern", "tail", "a*");
    REFUSED(self, 65, "not a pattern", "work", "g", "");
    REFUSED(self, 65, "name for a group", "work", "a group", ">");
    REFUSED(self, 65, "not JSON", "pub", "t", "{\"a\":");
    REFUSED(self, 65, "not JSON", "pub", "t", "[1,");
    REFUSED(self, 65, "64 bits", "pub", "t", "18446744073709551616");
    REFUSED(self, 65, "same name", "pub", "t", "{\"a\":1,\"a\":2}");
    REFUSED(self, 65, "--id-from", "pub", "t", "{\"a\":1}", "--id-from", "/b");
    REFUSED(self, 65, "UTF-8", "pub", "t", "\xff\xfe");
}

static void a_bus_that_is_not_there_is_69(void **state) {
    cmd_t *self = *state;
    static const char timeout[] = "--connect-timeout";
    REFUSED(self, 69, "is \"fob serve\" running?", "ping", timeout, "200ms");
    REFUSED(self, 69, process_bus(self->port), "ping", timeout, "200ms");
    REFUSED(self, 69, "cannot reach the bus", "pub", "t", "1", timeout, "200ms");
    REFUSED(self, 69, "cannot reach the bus", "sub", ">", timeout, "200ms");
    REFUSED(self, 69, "cannot reach the bus", "tail", timeout, "200ms");
    REFUSED(self, 69, "cannot reach the bus", "work", "g", ">", timeout, "200ms");
    REFUSED(self, 69, "cannot reach the bus", "group", "ls", timeout, "200ms");
    REFUSED(self, 69, "cannot reach the bus", "stats", timeout, "200ms");
    drop_output(self);
    assert_int_equal(process_run_fob("1\n2\n", &self->out, &self->err, "pub", "t", "--lines",
                                     timeout, "200ms", NULL),
                     69);
}

FOB_MAIN(FOB_CASE_WITH(help_and_version_go_to_standard_output, set_up_alone, tear_down),
         FOB_CASE_WITH(help_fits_a_terminal, set_up_alone, tear_down),
         FOB_CASE_WITH(no_command_is_a_usage_error, set_up_alone, tear_down),
         FOB_CASE_WITH(unknown_options_are_usage_errors_in_every_command, set_up_alone, tear_down),
         FOB_CASE_WITH(options_of_later_versions_are_unknown, set_up_alone, tear_down),
         FOB_CASE_WITH(options_that_cannot_go_together_are_usage_errors, set_up_alone, tear_down),
         FOB_CASE_WITH(missing_and_surplus_arguments_are_usage_errors, set_up_alone, tear_down),
         FOB_CASE_WITH(no_data_is_a_usage_error, set_up_alone, tear_down),
         FOB_CASE_WITH(closed_standard_descriptors_are_nobody_elses, set_up_alone, tear_down),
         FOB_CASE_WITH(a_bus_gives_none_of_its_own_the_number_of_a_standard_descriptor,
                       set_up_alone, tear_down),
         FOB_CASE_WITH(bad_data_is_told_without_a_bus, set_up_alone, tear_down),
         FOB_CASE_WITH(a_bus_that_is_not_there_is_69, set_up_alone, tear_down))
