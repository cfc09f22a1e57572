/* fob journal salvage: what is whole of a damaged folder, in a new one that a bus serves. */
#include "crash_kit.h"

#include "bus/journal/lineage.h"
#include "bus/salvage/salvage.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>

#ifndef CRASH_EVERY /* under a sanitizer: only some of the places */
#define CRASH_EVERY 1
#endif

/* A damaged folder, what it held before, and what is salvaged of it. */
typedef struct {
    folder_t folder;
    events_t before;
    uint64_t digest; /* of the damaged one */
    char *to, *out, *err;
    json_t *report;
} scene_t;

static void begin(scene_t *self) {
    *self = (scene_t){0};
    folder_golden(&self->folder);
    events_read(&self->before, self->folder.path);
    assert_true(events_within(&self->before, &self->before) > 5000);
    self->to = folder_beside(&self->folder, "saved");
}

static void end(scene_t *self) {
    events_free(&self->before);
    free(self->to);
    free(self->out);
    free(self->err);
    json_decref(self->report);
    folder_free(&self->folder);
}

/* Salvages; nothing is written into the old folder. */
static void salvage(scene_t *self) {
    self->digest = folder_digest(&self->folder);
    int code = process_run_fob(NULL, &self->out, &self->err, "journal", "salvage",
                               self->folder.path, "--to", self->to, "--json", NULL);
    if (code != 0)
        fail_msg("exit %d: %s", code, self->err);
    self->report = json_loads(self->out, 0, NULL);
    assert_non_null(self->report);
    assert_true(folder_digest(&self->folder) == self->digest);
}

static json_int_t figure(const scene_t *self, const char *name) {
    return json_integer_value(json_object_get(self->report, name));
}

static const json_t *losses(const scene_t *self) {
    return json_object_get(self->report, "lost");
}

/* A word of some loss. */
static const json_t *loss_of(const scene_t *self, const char *file) {
    size_t i;
    json_t *row;
    json_array_foreach(losses(self), i, row) {
        if (strcmp(json_string_value(json_object_get(row, "file")), file) == 0)
            return row;
    }
    fail_msg("no loss is told of %s: %s", file, self->out);
    return NULL;
}

static json_int_t of(const json_t *row, const char *name) {
    return json_integer_value(json_object_get(row, name));
}

/* Every event of the old folder is in the new one, but for offsets from..to. */
static void check_events(const scene_t *self, uint64_t from, uint64_t to) {
    events_t after;
    events_read(&after, self->to);
    events_within(&after, &self->before);
    for (uint64_t offset = 1; offset <= self->before.last; offset++) {
        bool there = offset <= after.last && after.digests[offset];
        bool was = self->before.digests[offset];
        if (there != (was && (offset < from || offset > to)))
            fail_msg("event %llu %s", (unsigned long long)offset,
                     there ? "is there" : "is not there");
    }
    events_free(&after);
}

/* A subscriber of the old folder goes on behind this offset of the new one; 0: it begins anew. */
static uint64_t same_up_to(const scene_t *self) {
    fob_lineage_t lineage;
    if (!fob_lineage_read(&lineage, fob_disk_real(), self->to))
        return 0;
    return fob_lineage_began(&lineage, 0);
}

/* Of the topic, which has many, the last one is shown, though nobody knows where it lies. */
static void shows_the_last(const scene_t *self) {
    char *out = NULL;
    json_error_t error;
    assert_int_equal(process_run_fob(NULL, &out, NULL, "sub", "order.new", "--from", "last",
                                     "--count", "1", NULL),
                     0);
    json_t *event = json_loads(out, 0, &error);
    assert_true(of(event, "offset") > (json_int_t)self->before.last - 100);
    json_decref(event);
    free(out);
}

/* A bus serves it, and every group can be worked off to the end. */
static void serve(const scene_t *self) {
    static const char *const groups[][2] = {
        {"billing", "order.*"}, {"audit", ">"}, {"late", ">"}, {"idle", "order.new"}};
    int port = process_port();
    process_t *bus = process_serve(port, "--data", self->to, NULL);
    setenv("FOB_BUS", process_bus(port), 1);
    shows_the_last(self);
    process_run_fob(NULL, NULL, NULL, "group", "resume", "late", NULL);
    for (size_t i = 0; i < 4; i++) {
        char *out = NULL;
        process_t *worker = process_fob("work", groups[i][0], groups[i][1], NULL);
        process_close_output(worker, PROCESS_ERR);
        long long until = process_clock() + PACE_PATIENCE;
        json_int_t left = 1;
        while (left > 0 && process_clock() < until) {
            process_line(worker, PROCESS_OUT, 20);
            free(out);
            assert_int_equal(
                process_run_fob(NULL, &out, NULL, "group", "show", groups[i][0], "--json", NULL),
                0);
            json_t *root = json_loads(out, 0, NULL);
            left = of(root, "ready") + of(root, "leased");
            assert_int_equal(of(root, "accepted"), of(root, "acked") + of(root, "dead") +
                                                       of(root, "shed") + of(root, "removed") +
                                                       left + of(root, "delayed"));
            json_decref(root);
            while (process_line(worker, PROCESS_OUT, 0))
                continue;
        }
        free(out);
        assert_int_equal(left, 0);
        process_destroy(&worker);
    }
    assert_int_equal(process_run_fob(NULL, NULL, NULL, "pub", "order.new", "1", NULL), 0);
    process_signal(bus, SIGTERM);
    assert_int_equal(process_wait(bus, PACE_PATIENCE), 0);
    process_destroy(&bus);
    unsetenv("FOB_BUS");
    assert_int_equal(process_run_fob(NULL, NULL, NULL, "journal", "verify", self->to, NULL), 0);
}

/* --- cases --- */

static void a_whole_folder_is_saved_to_the_same_state_and_another_epoch(void **state) {
    (void)state;
    scene_t scene;
    uint64_t before = 0, after = 0;
    fob_journal_error_t error;
    begin(&scene);
    assert_int_equal(fob_salvage_try(scene.folder.path, &before, &error), FOB_JOURNAL_OK);
    salvage(&scene);
    assert_int_equal(json_array_size(losses(&scene)), 0);
    assert_int_equal(figure(&scene, "unused_records"), 0);
    assert_false(json_is_true(json_object_get(scene.report, "new_books")));
    assert_int_equal(fob_salvage_try(scene.to, &after, &error), FOB_JOURNAL_OK);
    assert_true(before == after);
    check_events(&scene, 0, 0);
    assert_int_equal(same_up_to(&scene), scene.before.last);
    serve(&scene);
    end(&scene);
}

/* The index-th commit with events of those that lie in a segment, from behind. */
static commit_t commit_of(const scene_t *self, bool events, size_t from_behind) {
    size_t count;
    commit_t *all = folder_commits(&self->folder, &count), found;
    do {
        assert_true(count > 0);
        found = all[--count];
    } while ((found.count > 0) != events || from_behind-- > 0);
    free(all);
    return found;
}

static void damage_above_the_checkpoint_loses_that_commit_and_begins_new_books(void **state) {
    (void)state;
    scene_t scene;
    begin(&scene);
    commit_t commit = commit_of(&scene, true, 5);
    folder_flip(&scene.folder, commit.name, commit.at + commit.bytes - 9, 1);
    salvage(&scene);
    const json_t *loss = loss_of(&scene, commit.name);
    assert_int_equal(of(loss, "from"), commit.at);
    assert_int_equal(of(loss, "to"), commit.at + commit.bytes);
    assert_int_equal(of(loss, "first_position"), commit.position);
    assert_int_equal(of(loss, "last_position"), commit.position);
    assert_int_equal(of(loss, "first_offset"), commit.first_offset);
    assert_int_equal(of(loss, "last_offset"), commit.first_offset + commit.count - 1);
    assert_int_equal(json_array_size(losses(&scene)), 1);
    assert_true(json_is_true(json_object_get(scene.report, "new_books")));
    check_events(&scene, commit.first_offset, commit.first_offset + commit.count - 1);
    serve(&scene);
    end(&scene);
}

static void damage_below_the_checkpoint_keeps_the_books(void **state) {
    (void)state;
    scene_t scene;
    begin(&scene);
    size_t count;
    commit_t *all = folder_commits(&scene.folder, &count), commit = {0};
    for (size_t i = 0; i < count && commit.count == 0; i++)
        if (i > 3 && all[i].count > 10)
            commit = all[i];
    free(all);
    folder_zero(&scene.folder, commit.name, commit.at, commit.at + 200);
    salvage(&scene);
    assert_int_equal(of(loss_of(&scene, commit.name), "first_position"), commit.position);
    assert_false(json_is_true(json_object_get(scene.report, "new_books")));
    check_events(&scene, commit.first_offset, commit.first_offset + commit.count - 1);
    serve(&scene);
    end(&scene);
}

static void a_damaged_head_of_a_segment_costs_nothing(void **state) {
    (void)state;
    static const size_t places[] = {0, 9, 24, 32, 39, 44, 56, 100};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i += CRASH_EVERY) {
        scene_t scene;
        begin(&scene);
        char *name = strdup(folder_file(&scene.folder, ".seg", 1));
        folder_flip(&scene.folder, name, places[i], 4);
        salvage(&scene);
        assert_int_equal(of(loss_of(&scene, name), "first_position"), 0);
        check_events(&scene, 0, 0);
        free(name);
        end(&scene);
    }
}

static void damaged_epoch_file_and_checkpoints_are_done_without(void **state) {
    (void)state;
    scene_t scene;
    begin(&scene);
    folder_zero(&scene.folder, "epoch", 0, 8192);
    for (size_t i = 0; i < 2; i++)
        folder_flip(&scene.folder, folder_file(&scene.folder, ".ckp", i), 200, 1);
    salvage(&scene);
    loss_of(&scene, "epoch");
    loss_of(&scene, folder_file(&scene.folder, ".ckp", 0));
    loss_of(&scene, folder_file(&scene.folder, ".ckp", 1));
    check_events(&scene, 0, 0); /* but what was trimmed before: the groups made there are lost */
    assert_int_equal(same_up_to(&scene), 0);
    assert_true(figure(&scene, "unused_records") > 0);
    assert_true(figure(&scene, "groups") > 0);
    end(&scene);
}

static void a_missing_segment_is_told_with_all_that_was_in_it(void **state) {
    (void)state;
    scene_t scene;
    begin(&scene);
    char *name = strdup(folder_file(&scene.folder, ".seg", 1));
    uint64_t first = 0, last = 0;
    size_t count;
    commit_t *all = folder_commits(&scene.folder, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(all[i].name, name) != 0 || all[i].count == 0)
            continue;
        first = first ? first : all[i].first_offset;
        last = all[i].first_offset + all[i].count - 1;
    }
    free(all);
    folder_remove_file(&scene.folder, name);
    salvage(&scene);
    assert_int_equal(of(loss_of(&scene, name), "first_offset"), first);
    assert_int_equal(of(loss_of(&scene, name), "last_offset"), last);
    check_events(&scene, first, last);
    serve(&scene);
    free(name);
    end(&scene);
}

static void refuse(const char *word, const char *from, const char *to) {
    char *err = NULL;
    int code = process_run_fob(NULL, NULL, &err, "journal", "salvage", from, "--to", to, NULL);
    if (code != 73 || !strstr(err, word))
        fail_msg("exit %d: %s", code, err);
    free(err);
}

static void a_folder_in_use_a_missing_and_a_full_one_are_refused(void **state) {
    (void)state;
    scene_t scene;
    begin(&scene);
    char *none = folder_beside(&scene.folder, "none");
    refuse("not an empty folder", scene.folder.path, scene.folder.path);
    refuse("none", none, scene.to);
    process_t *bus = process_serve(process_port(), "--data", scene.folder.path, NULL);
    refuse("in use", scene.folder.path, scene.to);
    process_destroy(&bus);
    free(none);
    salvage(&scene); /* nothing is left in the way */
    end(&scene);
}

FOB_MAIN(FOB_CASE(a_whole_folder_is_saved_to_the_same_state_and_another_epoch),
         FOB_CASE(damage_above_the_checkpoint_loses_that_commit_and_begins_new_books),
         FOB_CASE(damage_below_the_checkpoint_keeps_the_books),
         FOB_CASE(a_damaged_head_of_a_segment_costs_nothing),
         FOB_CASE(damaged_epoch_file_and_checkpoints_are_done_without),
         FOB_CASE(a_missing_segment_is_told_with_all_that_was_in_it),
         FOB_CASE(a_folder_in_use_a_missing_and_a_full_one_are_refused))
