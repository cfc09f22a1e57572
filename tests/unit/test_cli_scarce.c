/* What the commands are made of, where memory is refused: the configuration, JSON in and out, lines
 * of input, the streams of handlers; and `fob work` from its beginning to its end. */
#include "tests/support/case.h"

#include "bus/commands/config.h"
#include "proto/cli/input.h"
#include "proto/cli/json.h"
#include "scarce.h"
#include "subscribers/commands/environment.h"
#include "subscribers/commands/handlers.h"
#include "subscribers/commands/tee.h"
#include "subscribers/commands/work_run.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* --- the configuration --- */

static char path[] = "/tmp/fob-config-XXXXXX";

static void configuration(void *arg) {
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    char text[512] = "";
    (void)arg;
    scarce.watching = true;
    fob_config_t *config = fob_config_load(path, &options, text, sizeof text);
    scarce.watching = false;
    if (config) {
        assert_int_equal(options.group_count, 2);
        assert_string_equal(options.groups[1].settings[0], "lease=30s");
        assert_string_equal(options.group_defaults[0], "max_attempts=3");
    } else {
        assert_true(scarce.failed > 0);
        assert_true(strstr(text, "memory") || strstr(text, strerror(ENOMEM)));
    }
    fob_config_destroy(&config);
}

static void a_configuration_is_read_whole_or_not_at_all(void **state) {
    static const char lines[] = "port = 7000\n"
                                "max_attempts = 3\n"
                                "groups\n"
                                "    emails\n"
                                "        pattern = a.*\n"
                                "        max_depth = 5\n"
                                "    bills\n"
                                "        pattern = b\n"
                                "        lease = 30s\n";
    (void)state;
    int fd = mkstemp(path);
    assert_int_equal(write(fd, lines, sizeof lines - 1), sizeof lines - 1);
    close(fd);
    scarce_each("commands: configuration", 6, configuration, NULL);
    unlink(path);
}

/* --- JSON --- */

static void json(void *arg) {
    static const char line[] =
        "{\"order\":{\"id\":18446744073709551615,\"a\":[1,2.5,null,true,\"text\"]},\"b\":-1}";
    fob_buf_t packed = {0}, printed = {0}, id = {0};
    fob_json_error_t error = {.text = ""};
    (void)arg;
    scarce.watching = true;
    fob_status_t status = fob_json_pack(fob_slice_str(line), &packed, &error);
    scarce.watching = false;
    assert_true(status == FOB_OK || (status == FOB_NO_MEMORY && scarce.failed > 0));
    assert_true(status == FOB_OK || packed.size == 0);
    if (status == FOB_OK) {
        scarce.watching = true;
        bool done = fob_json_print(fob_buf_slice(&packed), &printed);
        status = fob_json_pointer(fob_buf_slice(&packed), "/order/id", &id);
        scarce.watching = false;
        assert_true(done || (printed.failed && scarce.failed > 0));
        if (done)
            assert_true(fob_slice_eq(fob_buf_slice(&printed), fob_slice_str(line)));
        if (status == FOB_OK && !id.failed)
            assert_true(fob_slice_eq(fob_buf_slice(&id), fob_slice_str("18446744073709551615")));
        else
            assert_true(scarce.failed > 0);
    }
    fob_buf_free(&packed);
    fob_buf_free(&printed);
    fob_buf_free(&id);
}

static void json_is_packed_and_printed_or_there_is_no_memory(void **state) {
    (void)state;
    scarce_each("commands: JSON", 5, json, NULL);
}

/* --- lines --- */

static void lines(void *arg) {
    int ends[2];
    char text[20000];
    unsigned found = 0;
    bool failed = false;
    (void)arg;
    assert_int_equal(pipe(ends), 0);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 9000 == 8999 ? '\n' : 'x';
    assert_int_equal(write(ends[1], text, sizeof text), sizeof text);
    close(ends[1]);
    fob_input_t input = {.fd = ends[0], .max = FOB_INPUT_MAX};
    scarce.watching = true;
    for (bool ended = false; !ended;) {
        fob_slice_t line;
        fob_input_code_t code = fob_input_line(&input, &line);
        if (code == FOB_INPUT_MORE)
            code = fob_input_fill(&input);
        found += code == FOB_INPUT_LINE;
        ended = code == FOB_INPUT_END;
        if (code != FOB_INPUT_FAILED)
            continue;
        assert_true(scarce.failed > 0 && errno == ENOMEM);
        scarce.watching = false; /* once more: nothing is lost */
        assert_false(failed);
        failed = true;
    }
    scarce.watching = false;
    assert_int_equal(found, 3);
    fob_input_free(&input);
    close(ends[0]);
}

static void a_line_is_given_or_waits(void **state) {
    (void)state;
    scarce_each("commands: input", 1, lines, NULL);
}

/* --- handlers --- */

static void handlers(void *arg) {
    static char *command[] = {(char *)(uintptr_t) "true", NULL};
    fob_environment_t environment;
    const fob_handlers_options_t options = {
        .group = "g", .command = command, .jobs = 4, .timeout_ms = 1000};
    (void)arg;
    scarce.watching = true;
    fob_tee_t *tee = fob_tee_new(4, 2);
    bool begun = fob_environment_begin(&environment);
    fob_handlers_t *self = fob_handlers_new(&options);
    scarce.watching = false;
    assert_true((tee && begun && self) || scarce.failed > 0);
    if (begun)
        fob_environment_end(&environment);
    fob_tee_destroy(&tee);
    fob_handlers_destroy(&self);
}

static void handlers_are_made_or_nothing_is_left(void **state) {
    (void)state;
    scarce_each("commands: handlers", 3, handlers, NULL);
}

/* --- fob work, with a worker that is told at once that it is done --- */

static unsigned workers; /* that were made and not given back */

fob_worker_t *__wrap_fob_worker_new(const fob_worker_options_t *options);
fob_status_t __wrap_fob_worker_wait_ready(fob_worker_t *self, int64_t ms, int *created);
fob_status_t __wrap_fob_worker_next(fob_worker_t *self, fob_event_t **event, int64_t ms);
fob_status_t __wrap_fob_worker_flush(fob_worker_t *self, int64_t ms);
void __wrap_fob_worker_destroy(fob_worker_t **self_p, int64_t ms);

fob_worker_t *__wrap_fob_worker_new(const fob_worker_options_t *options) {
    static char worker;
    assert_string_equal(options->group, "g");
    workers++;
    return (fob_worker_t *)(void *)&worker;
}

fob_status_t __wrap_fob_worker_wait_ready(fob_worker_t *self, int64_t ms, int *created) {
    (void)self, (void)ms;
    *created = 0;
    return FOB_OK;
}

fob_status_t __wrap_fob_worker_next(fob_worker_t *self, fob_event_t **event, int64_t ms) {
    (void)self, (void)event, (void)ms;
    return FOB_CLOSED;
}

fob_status_t __wrap_fob_worker_flush(fob_worker_t *self, int64_t ms) {
    (void)self, (void)ms;
    return FOB_OK;
}

void __wrap_fob_worker_destroy(fob_worker_t **self_p, int64_t ms) {
    (void)ms;
    workers -= *self_p != NULL;
    *self_p = NULL;
}

static void working(void *arg) {
    const fob_work_t work = {.cli = {.command = "work"},
                             .group = "g",
                             .pattern = "a",
                             .jobs = 3,
                             .command = (char **)arg};
    scarce.watching = true;
    int code = fob_work_run(&work);
    scarce.watching = false;
    if (scarce.failed)
        assert_int_equal(code, fob_exit_code(FOB_NO_MEMORY));
    else
        assert_int_equal(code, FOB_EXIT_OK);
    assert_int_equal(workers, 0);
}

static void work_begins_or_says_that_there_is_no_memory(void **state) {
    static char *command[] = {(char *)(uintptr_t) "true", NULL};
    (void)state;
    scarce_each("commands: work", 1, working, NULL);
    scarce_each("commands: work with a command", 3, working, command);
}

FOB_MAIN(FOB_CASE(a_configuration_is_read_whole_or_not_at_all),
         FOB_CASE(json_is_packed_and_printed_or_there_is_no_memory),
         FOB_CASE(a_line_is_given_or_waits), FOB_CASE(handlers_are_made_or_nothing_is_left),
         FOB_CASE(work_begins_or_says_that_there_is_no_memory))
