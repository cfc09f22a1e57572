#include "tests/support/stand.h"

#include "tests/support/case.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

#define WITHIN PACE_PATIENCE

/* --- the bus --- */

char *stand_path(const stand_t *self, const char *name) {
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", self->folder, name) > 0);
    return path;
}

void stand_serve(stand_t *self) {
    self->bus = self->config ? process_serve(self->port, "--data", self->data, "--config",
                                             self->config, NULL)
                             : process_serve(self->port, "--data", self->data, NULL);
}

void stand_start_with(stand_t *self, const char *config, const char *data) {
    *self = (stand_t){.folder = process_folder(), .port = process_port()};
    self->data = data ? strdup(data) : stand_path(self, "data");
    if (config) {
        self->config = stand_path(self, "fob.conf");
        FILE *file = fopen(self->config, "w");
        assert_non_null(file);
        assert_true(fputs(config, file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
    stand_serve(self);
    setenv("FOB_BUS", process_bus(self->port), 1);
}

void stand_start(stand_t *self) {
    stand_start_with(self, NULL, NULL);
}

void stand_kill_bus(stand_t *self) {
    process_signal(self->bus, SIGKILL);
    assert_int_equal(process_wait(self->bus, WITHIN), 128 + SIGKILL);
    process_destroy(&self->bus);
    stand_serve(self);
}

void stand_end(stand_t *self) {
    process_signal(self->bus, SIGTERM);
    assert_int_equal(process_wait(self->bus, WITHIN), 0);
    process_destroy(&self->bus);
    unsetenv("FOB_BUS");
    free(self->data);
    free(self->config);
    process_folder_remove(&self->folder);
}

/* --- programs --- */

process_t *stand_fob_to(const char *file, const char *words) {
    char *command = NULL;
    int verb = (int)strcspn(words, " "); /* all of these are clients of the bus */
    bool told = strstr(words, "--connect-timeout") != NULL;
    assert_true(asprintf(&command, "exec '%s' %.*s%s%s > '%s'", getenv("FOB_BINARY"), verb, words,
                         told ? "" : " --connect-timeout " PROCESS_CONNECT, words + verb,
                         file) > 0);
    const char *argv[] = {"sh", "-c", command, NULL};
    process_t *self = process_spawn(argv);
    free(command);
    return self;
}

char *stand_do(const char *first, ...) {
    const char *argv[32] = {getenv("FOB_BINARY"), first};
    size_t count = 2;
    va_list args;
    va_start(args, first);
    while ((argv[count] = va_arg(args, const char *)) != NULL)
        assert_true(++count < sizeof argv / sizeof argv[0]);
    va_end(args);
    char *out = NULL, *err = NULL;
    if (process_run(argv, NULL, &out, &err) != 0)
        fail_msg("fob %s: %s", first, err);
    free(err);
    return out;
}

void stand_publish(const char *topic, size_t count) {
    const char *argv[] = {getenv("FOB_BINARY"), "pub", topic, "--lines", "--deadline", "3m", NULL};
    char *input = malloc(count * 16 + 1), *at = input, *err = NULL;
    assert_non_null(input);
    for (size_t n = 0; n < count; n++)
        at += sprintf(at, "%zu\n", n);
    if (process_run(argv, input, NULL, &err) != 0)
        fail_msg("%s", err);
    free(err);
    free(input);
}

/* --- books --- */

static json_t *stats(const stand_t *self) {
    char *out = NULL;
    json_t *all = NULL;
    if (process_run_fob(NULL, &out, NULL, "stats", "--json", "--bus", process_bus(self->port),
                        NULL) == 0)
        all = json_loads(out, 0, NULL);
    free(out);
    return all;
}

static long long figure(const json_t *group, const char *name) {
    const json_t *value = json_object_get(group, name);
    if (!json_is_integer(value))
        fail_msg("there is no figure %s", name);
    return (long long)json_integer_value(value);
}

/* Gives what is unsettled. */
static long long balance(const json_t *group) {
    static const char *const places[] = {"acked",   "dead",  "expired", "shed",
                                         "removed", "ready", "leased",  "delayed"};
    long long sum = 0;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        sum += figure(group, places[i]);
    if (sum != figure(group, "accepted")) {
        char *text = json_dumps(group, 0);
        fail_msg("the books do not balance: %s", text);
    }
    return figure(group, "ready") + figure(group, "leased") + figure(group, "delayed");
}

json_t *stand_group(const stand_t *self, const char *group) {
    json_t *all = stats(self), *found = NULL;
    size_t i;
    json_t *each;
    json_array_foreach(json_object_get(all, "groups"), i, each) {
        balance(each);
        if (strcmp(json_string_value(json_object_get(each, "group")), group) == 0)
            found = json_incref(each);
    }
    json_decref(all);
    return found;
}

long long stand_figure(const stand_t *self, const char *group, const char *name) {
    json_t *found = stand_group(self, group);
    long long value = found ? figure(found, name) : -1;
    json_decref(found);
    return value;
}

void stand_pace(long long at) {
    long long left = at - process_clock();
    if (left > 0)
        poll(NULL, 0, (int)left);
}

static void await(const stand_t *self, const char *group, const char *name, long long least,
                  long long most) {
    long long until = process_clock() + WITHIN, now;
    while ((now = stand_figure(self, group, name)) < least || now > most) {
        if (process_clock() > until) {
            char *text = stand_do("stats", NULL);
            fail_msg("%s of %s is %lld, not %lld:\n%s", name, group, now, least, text);
        }
        stand_pace(process_clock() + 10);
    }
}

void stand_await(const stand_t *self, const char *group, const char *name, long long value) {
    await(self, group, name, value, value);
}

void stand_await_least(const stand_t *self, const char *group, const char *name, long long value) {
    await(self, group, name, value, INT64_MAX);
}

static long long unsettled(const stand_t *self) {
    json_t *all = stats(self), *each;
    long long left = all ? 0 : -1;
    size_t i;
    json_array_foreach(json_object_get(all, "groups"), i, each) left += balance(each);
    json_decref(all);
    return left;
}

void stand_await_settled(const stand_t *self) {
    long long until = process_clock() + 2 * WITHIN, left;
    while ((left = unsettled(self)) != 0) {
        if (process_clock() > until) {
            char *text = stand_do("stats", NULL);
            fail_msg("%lld events are not settled:\n%s", left, text);
        }
        stand_pace(process_clock() + 20);
    }
}

void stand_await_workers(const stand_t *self, long long count) {
    long long until = process_clock() + WITHIN, now = -1;
    while (now != count) {
        json_t *all = stats(self);
        now = all ? figure(json_object_get(all, "bus"), "workers") : -1;
        json_decref(all);
        if (process_clock() > until)
            fail_msg("%lld workers are there, not %lld", now, count);
        stand_pace(process_clock() + 10);
    }
}

char *stand_read(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file)
        return calloc(1, 1);
    struct stat info;
    assert_int_equal(fstat(fileno(file), &info), 0);
    char *text = malloc((size_t)info.st_size + 1);
    assert_non_null(text);
    size_t size = fread(text, 1, (size_t)info.st_size, file);
    text[size] = 0;
    fclose(file);
    return text;
}

/* Looks at each byte once: strtok and strstr of a sanitizer look at all that is left, each time. */
char *stand_line(char **rest) {
    char *line = *rest, *end = line;
    if (*line == 0)
        return NULL;
    while (*end != 0 && *end != '\n')
        end++;
    *rest = *end ? end + 1 : end;
    *end = 0;
    return line;
}
