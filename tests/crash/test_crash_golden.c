/* A folder that an early version wrote is read, and means what it meant: tests/crash/golden. */
#include "account.h"
#include "crash_kit.h"

#include "bus/core/durable/record.h"
#include "bus/journal/salvage.h"
#include "tests/support/stand.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <xxhash.h>

#define WAIT_MS PACE_PATIENCE

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

/* What the folder's bus tells is what one told that wrote it. FOB_GOLDEN_WRITE: a folder into which
 * it is written instead, when one is added. */
static void as_expected(const char *name, const char *found) {
    char path[512];
    const char *write = getenv("FOB_GOLDEN_WRITE");
    snprintf(path, sizeof path, "%s/tests/crash/golden/%s.expected",
             write ? write : getenv("FOB_SOURCE_DIR"), name);
    if (write) {
        snprintf(path, sizeof path, "%s/%s.expected", write, name);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_true(fputs(found, file) >= 0);
        assert_int_equal(fclose(file), 0);
    }
    char *expected = stand_read(path);
    assert_true(*expected);
    assert_string_equal(found, expected);
    free(expected);
}

static void described(const char *name) {
    folder_t folder;
    folder_golden_of(&folder, name);
    as_expected(name, describe(folder.path));
    folder_free(&folder);
}

static void a_folder_of_the_first_format_is_what_it_was(void **state) {
    (void)state;
    described("format1");
}

/* Its checkpoints know the last events of topics. */
static void a_folder_of_the_second_format_is_what_it_was(void **state) {
    (void)state;
    described("format2");
}

static void account(const char *name, bool settings) {
    folder_t folder;
    folder_golden_of(&folder, name);
    char *found = account_of(folder.path, settings);
    as_expected(name, found);
    free(found);
    folder_free(&folder);
}

static void a_folder_with_all_that_the_first_format_knows_is_what_it_was(void **state) {
    (void)state;
    account("format1-all", true);
}

/* Of before there were settings, ids, or texts in records: it has no checkpoint, as that was of
 * another version. */
static void a_folder_of_the_first_weeks_is_what_it_was(void **state) {
    (void)state;
    account("format1-early", false);
}

/* --- what is in it --- */

typedef struct {
    size_t kinds[FOB_RECORD_KINDS], verbs[FOB_RUN_ACCEPT + 1], resets[FOB_RESETS],
        reasons[FOB_REASON_END];
} census_t;

static void look_at_runs(census_t *self, const uint8_t *bytes, size_t size) {
    fob_record_runs_t runs;
    assert_true(fob_record_read_runs(fob_slice(bytes, size), &runs));
    for (size_t i = 0; i < runs.count; i++) {
        const uint8_t *run = runs.runs + i * FOB_RUN_SIZE;
        assert_in_range(run[0], 1, FOB_RUN_ACCEPT);
        self->verbs[run[0]]++;
        if (run[0] == FOB_RUN_RETURN || run[0] == FOB_RUN_DEAD)
            self->reasons[run[2]]++;
    }
}

static bool look_at(void *arg, const fob_stored_t *record) {
    census_t *self = arg;
    uint8_t kind = record->data[0];
    assert_in_range(kind, 1, FOB_RECORD_KINDS - 1);
    self->kinds[kind]++;
    if (kind == FOB_RECORD_RUNS || kind == FOB_RECORD_NOTED)
        look_at_runs(self, record->data, record->size);
    if (kind == FOB_RECORD_RESET)
        self->resets[record->data[1]]++;
    return true;
}

static bool look_at_begin(void *arg, uint64_t epoch, uint64_t checkpoint) {
    (void)arg, (void)epoch;
    return checkpoint > 0;
}

static bool look_at_slice(void *arg, const uint8_t *data, size_t size) {
    (void)arg, (void)data, (void)size;
    return true;
}

static bool look_at_loss(void *arg, const fob_loss_t *loss) {
    (void)arg, (void)loss;
    return false;
}

/* When a kind is added, one with it is, before the old writer goes. */
static void the_golden_folders_hold_every_kind_of_record_run_and_reset(void **state) {
    (void)state;
    folder_t folder;
    census_t census = {0};
    fob_journal_error_t error;
    const fob_salvage_to_t to = {look_at_begin, look_at_slice, look_at, look_at_loss, &census};
    folder_golden_of(&folder, "format1-all");
    assert_int_equal(fob_journal_salvage(folder.path, &to, &error), FOB_JOURNAL_OK);
    for (unsigned i = 1; i < FOB_RECORD_KINDS; i++)
        if (!census.kinds[i])
            fail_msg("there is no record of kind %u", i);
    for (unsigned i = 1; i <= FOB_RUN_ACCEPT; i++)
        if (!census.verbs[i] && i != FOB_RUN_EXPIRE) /* not written yet */
            fail_msg("there is no run of verb %u", i);
    for (unsigned i = 0; i < FOB_RESETS; i++)
        if (!census.resets[i])
            fail_msg("there is no reset of mode %u", i);
    static const uint8_t reasons[] = {FOB_REASON_LOST,   FOB_REASON_RETRY,    FOB_REASON_RELEASE,
                                      FOB_REASON_REJECT, FOB_REASON_ATTEMPTS, FOB_REASON_OVERFLOW};
    for (size_t i = 0; i < sizeof reasons; i++)
        if (!census.reasons[reasons[i]])
            fail_msg("nothing came back or died for reason %u", reasons[i]);
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
         FOB_CASE(a_folder_of_the_second_format_is_what_it_was),
         FOB_CASE(a_folder_with_all_that_the_first_format_knows_is_what_it_was),
         FOB_CASE(a_folder_of_the_first_weeks_is_what_it_was),
         FOB_CASE(the_golden_folders_hold_every_kind_of_record_run_and_reset),
         FOB_CASE(a_folder_made_today_is_of_the_same_kind))
