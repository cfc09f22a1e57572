/* cmd: a bus of its own for each case, and the program run against it. */
#ifndef FOB_TESTS_CMD_H
#define FOB_TESTS_CMD_H

#include "tests/support/case.h"
#include "tests/support/process.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define WAIT_MS PACE_PATIENCE

/* The case's bus; state of set_up. */
typedef struct {
    int port;
    process_t *bus;
    char *out, *err; /* of the last run */
} cmd_t;

static inline int set_up(void **state) {
    cmd_t *self = calloc(1, sizeof *self);
    if (!self)
        return -1;
    self->port = process_port();
    setenv("FOB_BUS", process_bus(self->port), 1);
    self->bus = process_serve(self->port, "--memory", NULL);
    *state = self;
    return 0;
}

static inline void drop_output(cmd_t *self) {
    free(self->out);
    free(self->err);
    self->out = self->err = NULL;
}

static inline int tear_down(void **state) {
    cmd_t *self = *state;
    drop_output(self);
    process_destroy(&self->bus);
    free(self);
    return 0;
}

/* Runs the program with these arguments; its output is in self->out and err. */
#define RUN(self, ...)                                                                             \
    (drop_output(self), process_run_fob(NULL, &(self)->out, &(self)->err, __VA_ARGS__, NULL))
#define RUN_WITH(self, input, ...)                                                                 \
    (drop_output(self), process_run_fob(input, &(self)->out, &(self)->err, __VA_ARGS__, NULL))

/* Succeeds, and says why if not. */
#define DO(self, ...)                                                                              \
    do {                                                                                           \
        if (RUN(self, __VA_ARGS__) != 0)                                                           \
            fail_msg("%s", (self)->err);                                                           \
    } while (0)

/* A subscriber, once it is live. */
static inline process_t *subscriber(const char *pattern, const char *more) {
    process_t *sub = more ? process_fob("sub", pattern, "-v", more, NULL)
                          : process_fob("sub", pattern, "-v", NULL);
    if (!process_line_with(sub, PROCESS_ERR, "subscribed", WAIT_MS))
        fail_msg("the subscription did not get live");
    return sub;
}

static inline json_t *parse(const char *line) {
    json_t *root = line ? json_loads(line, JSON_DECODE_ANY, NULL) : NULL;
    if (!root)
        fail_msg("not JSON: %s", line ? line : "(nothing)");
    return root;
}

static inline json_int_t number(const json_t *root, const char *name) {
    const json_t *value = json_object_get(root, name);
    if (!json_is_integer(value))
        fail_msg("%s is no integer", name);
    return json_integer_value(value);
}

static inline const char *text(const json_t *root, const char *name) {
    const char *value = json_string_value(json_object_get(root, name));
    if (!value)
        fail_msg("%s is no string", name);
    return value;
}

/* One figure of a group, from `fob group show`. */
static inline json_int_t figure(cmd_t *self, const char *group, const char *name) {
    DO(self, "group", "show", group, "--json");
    json_t *root = parse(self->out);
    json_int_t value = number(root, name);
    json_decref(root);
    return value;
}

/* Asks until the figure is `value`, 10 s at the most. */
static inline void await_figure(cmd_t *self, const char *group, const char *name,
                                json_int_t value) {
    long long until = process_clock() + WAIT_MS;
    json_int_t now;
    while ((now = figure(self, group, name)) != value)
        if (process_clock() > until)
            fail_msg("%s of %s is %lld, not %lld", name, group, (long long)now, (long long)value);
}

/* Exit code and a word of the one sentence on standard error. */
#define REFUSED(self, code, word, ...)                                                             \
    do {                                                                                           \
        int got = RUN(self, __VA_ARGS__);                                                          \
        if (got != (code) || !strstr((self)->err, word))                                           \
            fail_msg("exit %d, says: %s", got, (self)->err);                                       \
        const char *newline = strchr((self)->err, '\n');                                           \
        if (!newline || newline[1])                                                                \
            fail_msg("not one line: %s", (self)->err);                                             \
        assert_string_equal((self)->out, "");                                                      \
    } while (0)

#endif
