/* A folder that an early version wrote is read, and means what it meant: tests/crash/golden. */
#include "crash_kit.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <xxhash.h>

#define WAIT_MS 30000

static char *ask(const char *first, const char *second, const char *third, const char *fourth) {
    char *out = NULL, *err = NULL;
    int code = fourth
                   ? process_run_fob(NULL, &out, &err, first, second, third, fourth, "--json", NULL)
                   : process_run_fob(NULL, &out, &err, first, second, third, "--json", NULL);
    if (code != 0)
        fail_msg("%s", err);
    free(err);
    return out;
}

static json_int_t of(const json_t *root, const char *name) {
    return json_integer_value(json_object_get(root, name));
}

/* What does not change with the time at which it is looked at. */
static void put_group(char **at, const char *group) {
    char *out = ask("group", "show", group, NULL);
    json_t *root = json_loads(out, 0, NULL);
    assert_non_null(root);
    char *settings = json_dumps(json_object_get(root, "settings"), JSON_COMPACT | JSON_SORT_KEYS);
    char *removed = json_dumps(json_object_get(root, "removed_by"), JSON_COMPACT | JSON_SORT_KEYS);
    *at += sprintf(
        *at,
        "%s %s generation %lld accepted %lld acked %lld dead %lld shed %lld removed %s waiting "
        "%lld settings %s\n",
        group, json_string_value(json_object_get(root, "pattern")), of(root, "generation"),
        of(root, "accepted"), of(root, "acked"), of(root, "dead"), of(root, "shed"), removed,
        of(root, "ready") + of(root, "delayed") + of(root, "leased"), settings);
    free(settings);
    free(removed);
    json_decref(root);
    free(out);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All that the group `late` gets: every event of the folder. */
static void put_events(char **at) {
    char *out = ask("group", "show", "late", NULL), *lines[40000];
    json_t *root = json_loads(out, 0, NULL);
    size_t count = (size_t)of(root, "ready");
    char number[24];
    json_decref(root);
    free(out);
    assert_in_range(count, 1000, 40000);
    assert_int_equal(process_run_fob(NULL, NULL, NULL, "group", "resume", "late", NULL), 0);
    snprintf(number, sizeof number, "%zu", count);
    process_t *worker = process_fob("work", "late", ">", "--json", "--count", number, NULL);
    for (size_t i = 0; i < count; i++) {
        const char *line = process_line(worker, PROCESS_OUT, WAIT_MS);
        assert_non_null(line);
        lines[i] = strdup(line);
    }
    assert_int_equal(process_wait(worker, WAIT_MS), 0);
    process_destroy(&worker);
    qsort(lines, count, sizeof *lines, by_text);
    uint64_t digest = 0;
    for (size_t i = 0; i < count; i++) {
        digest = XXH3_64bits_withSeed(lines[i], strlen(lines[i]), digest);
        if (i < 3 || i + 3 >= count)
            *at += sprintf(*at, "%s\n", lines[i]);
        free(lines[i]);
    }
    *at += sprintf(*at, "%zu events, digest %016llx\n", count, (unsigned long long)digest);
}

static char *describe(const char *path) {
    static const char *const groups[] = {"audit", "billing", "idle", "late"};
    static char text[65536];
    char *at = text;
    int port = process_port();
    process_t *bus = process_serve(port, "--data", path, NULL);
    setenv("FOB_BUS", process_bus(port), 1);
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
        put_group(&at, groups[i]);
    for (unsigned i = 1; i <= 2; i++) {
        char offset[8];
        snprintf(offset, sizeof offset, "%u", i);
        char *out = ask("dead", "show", "billing", offset);
        at += sprintf(at, "%s", out);
        free(out);
    }
    put_events(&at);
    process_signal(bus, SIGTERM);
    assert_int_equal(process_wait(bus, WAIT_MS), 0);
    process_destroy(&bus);
    unsetenv("FOB_BUS");
    return text;
}

static void a_folder_of_the_first_format_is_what_it_was(void **state) {
    (void)state;
    folder_t folder;
    char path[512], *expected;
    folder_golden(&folder);
    char *found = describe(folder.path);
    snprintf(path, sizeof path, "%s/tests/crash/golden/format1.expected", getenv("FOB_SOURCE_DIR"));
    const char *write = getenv("FOB_GOLDEN_WRITE"); /* when one is added */
    if (write) {
        FILE *file = fopen(write, "w");
        assert_non_null(file);
        fputs(found, file);
        fclose(file);
    }
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    expected = calloc(1, 65536);
    assert_non_null(expected);
    assert_true(fread(expected, 1, 65535, file) > 0);
    fclose(file);
    assert_string_equal(found, expected);
    free(expected);
    folder_free(&folder);
}

/* The same is made today: what reads the old one is tried on the new. */
static void a_folder_made_today_is_of_the_same_kind(void **state) {
    (void)state;
    char script[512], *err = NULL;
    folder_t folder = {.top = process_folder()};
    snprintf(folder.path, sizeof folder.path, "%s/today", folder.top);
    snprintf(script, sizeof script, "%s/tests/crash/make_folder", getenv("FOB_SOURCE_DIR"));
    const char *const argv[] = {"bash", script, folder.path, NULL};
    if (process_run(argv, NULL, NULL, &err) != 0)
        fail_msg("%s", err);
    free(err);
    assert_true(folder_count(&folder, ".ckp") > 0);
    const char *text = describe(folder.path);
    assert_non_null(strstr(text, "billing order.* generation 1"));
    assert_non_null(strstr(text, "idle order.new generation 2"));
    assert_non_null(strstr(text, "exit 65: no customer"));
    folder_free(&folder);
}

FOB_MAIN(FOB_CASE(a_folder_of_the_first_format_is_what_it_was),
         FOB_CASE(a_folder_made_today_is_of_the_same_kind))
