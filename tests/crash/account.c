#include "account.h"

#include "tests/support/case.h"
#include "tests/support/stand.h"

#include <signal.h>
#include <stdlib.h>
#include <xxhash.h>

#define WAIT_MS PACE_PATIENCE

typedef struct {
    FILE *out;
    char *text;
    size_t size;
    bool settings;
} account_t;

static json_t *ask(const char *first, const char *second, const char *third, const char *fourth) {
    const char *argv[] = {getenv("FOB_BINARY"), first, second, third, fourth, NULL, NULL};
    size_t count = 0;
    char *out = NULL, *err = NULL;
    while (argv[count])
        count++;
    argv[count] = "--json";
    if (process_run(argv, NULL, &out, &err) != 0)
        fail_msg("%s", err);
    json_t *root = json_loads(out, 0, NULL);
    if (!root)
        fail_msg("%s", out);
    free(out);
    free(err);
    return root;
}

static void put(account_t *self, const char *name, const json_t *value) {
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
    fprintf(self->out, "%s %s\n", name, text);
    free(text);
}

static json_int_t of(const json_t *group, const char *name) {
    return json_integer_value(json_object_get(group, name));
}

static json_int_t waiting(const json_t *group) {
    return of(group, "ready") + of(group, "delayed") + of(group, "leased");
}

/* What does not change with the time at which it is looked at. */
static void put_group(account_t *self, const json_t *group) {
    static const char *const names[] = {"group",   "pattern", "generation", "accepted",
                                        "acked",   "dead",    "expired",    "shed",
                                        "shed_by", "removed", "removed_by", "temporary"};
    json_t *root = json_object();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        json_object_set(root, names[i], json_object_get(group, names[i]));
    json_object_set_new(root, "waiting", json_integer(waiting(group)));
    if (self->settings)
        json_object_set(root, "settings", json_object_get(group, "settings"));
    put(self, "group", root);
    json_decref(root);
}

static void put_letters(account_t *self, const char *group) {
    json_t *all = ask("dead", "ls", group, NULL), *each;
    size_t i;
    json_array_foreach(all, i, each) {
        char offset[24];
        snprintf(offset, sizeof offset, "%lld", (long long)of(each, "offset"));
        json_t *letter = ask("dead", "show", group, offset);
        put(self, "letter", letter);
        json_decref(letter);
    }
    json_decref(all);
}

static void put_groups(account_t *self, bool letters) {
    json_t *all = ask("group", "ls", NULL, NULL), *each;
    size_t i;
    json_array_foreach(all, i, each) {
        put_group(self, each);
        if (letters && of(each, "dead"))
            put_letters(self, json_string_value(json_object_get(each, "group")));
    }
    json_decref(all);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All that a group still hands out: a digest, and the first and the last few. */
static void drain(account_t *self, const json_t *group) {
    const char *name = json_string_value(json_object_get(group, "group")),
               *pattern = json_string_value(json_object_get(group, "pattern"));
    size_t count = (size_t)waiting(group);
    char number[24];
    snprintf(number, sizeof number, "%zu", count);
    if (count == 0)
        return;
    char **lines = calloc(count, sizeof *lines);
    process_t *worker = process_fob("work", name, pattern, "--json", "--count", number, NULL);
    for (size_t i = 0; i < count; i++) {
        const char *line = process_line(worker, PROCESS_OUT, WAIT_MS);
        if (!line)
            fail_msg("%s hands out %zu events, not %zu", name, i, count);
        lines[i] = strdup(line);
    }
    assert_int_equal(process_wait(worker, WAIT_MS), 0);
    process_destroy(&worker);
    qsort(lines, count, sizeof *lines, by_text);
    uint64_t digest = 0;
    for (size_t i = 0; i < count; i++) {
        digest = XXH3_64bits_withSeed(lines[i], strlen(lines[i]), digest);
        if (i < 3 || i + 3 >= count)
            fprintf(self->out, "%s\n", lines[i]);
        free(lines[i]);
    }
    fprintf(self->out, "%s: %zu events, digest %016llx\n", name, count, (unsigned long long)digest);
    free(lines);
}

static void drain_all(account_t *self) {
    json_t *all = ask("group", "ls", NULL, NULL), *each;
    size_t i;
    json_array_foreach(all, i, each) {
        if (json_is_true(json_object_get(json_object_get(each, "settings"), "paused")))
            free(stand_do("group", "resume", json_string_value(json_object_get(each, "group")),
                          NULL));
        drain(self, each);
    }
    json_decref(all);
}

/* Ids that were used: nothing is stored for them. */
static void put_ids(account_t *self) {
    static const char *const ids[][2] = {
        {"order.new", "last"}, {"note", "once"}, {"order.new", "100"}};
    for (size_t i = 0; self->settings && i < 3; i++) {
        char *out = stand_do("pub", ids[i][0], "0", "--id", ids[i][1], "--json", NULL);
        json_t *receipt = json_loads(out, 0, NULL);
        put(self, "receipt", receipt);
        json_decref(receipt);
        free(out);
    }
}

char *account_of(const char *folder, bool settings) {
    account_t self = {.settings = settings};
    stand_t stand;
    self.out = open_memstream(&self.text, &self.size);
    assert_non_null(self.out);
    stand_start_with(&stand, "dedup_window = 3650d\ndead_max_age = 36500d\n", folder);
    put_groups(&self, true);
    put_ids(&self);
    drain_all(&self);
    put_groups(&self, false);
    stand_kill_bus(&stand);
    fprintf(self.out, "after kill -9\n");
    put_groups(&self, true);
    stand_end(&stand);
    fclose(self.out);
    return self.text;
}
