/* What the simulated world found, each by itself. */
#include "tests/support/case.h"

#include "journal_life.h"

#include "bus/journal/epoch.h"
#include "bus/journal/folder.h"
#include "bus/journal/segment.h"

#include <fcntl.h>
#include <inttypes.h>

#define SEEDS 100

static void expect_folder(const sim_disk_t *disk) {
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        sim_disk_t *after = sim_disk_crash(disk, seed);
        assert_true(sim_disk_size(after, LIFE_FOLDER) >= 0);
        sim_disk_destroy(&after);
    }
}

static void a_folder_that_was_made_outlives_power(void **state) {
    (void)state;
    sim_disk_t *disk = sim_disk_new(1, 1 << 20);
    assert_int_equal(fob_folder_make(sim_disk_table(disk), LIFE_FOLDER), 0);
    expect_folder(disk);
    sim_disk_destroy(&disk);
}

static void a_folder_made_by_a_start_that_was_killed_outlives_power(void **state) {
    (void)state;
    sim_disk_t *disk = sim_disk_new(1, 1 << 20);
    const fob_disk_t *table = sim_disk_table(disk);
    assert_int_equal(table->mkdir(table->arg, "/data", 0700), 0);
    assert_int_equal(table->mkdir(table->arg, LIFE_FOLDER, 0700), 0);
    sim_disk_faults(disk, (sim_faults_t){.sync_error = 1});
    assert_int_equal(fob_folder_make(table, LIFE_FOLDER), -1); /* it cannot say so */
    sim_disk_faults(disk, (sim_faults_t){0});
    assert_int_equal(fob_folder_make(table, LIFE_FOLDER), 0);
    expect_folder(disk);
    sim_disk_destroy(&disk);
}

/* --- kill, then power --- */

typedef struct {
    sim_disk_t *disk;
    fibers_t *fibers;
    bool opened;
} start_t;

static void *start_and_close(void *arg) {
    start_t *self = arg;
    fob_journal_error_t error;
    fob_file_options_t options = {.folder = LIFE_FOLDER,
                                  .segment_bytes = 65536,
                                  .max_bytes = 32 * 65536,
                                  .disk = sim_disk_table(self->disk),
                                  .runtime = fibers_runtime(self->fibers)};
    fob_journal_t *journal = fob_journal_file_open(&options, &error);
    self->opened = journal != NULL;
    if (journal != NULL)
        journal->ops->close(&journal);
    else
        print_error("%s\n", error.text);
    return NULL;
}

static bool starts(sim_disk_t *disk) {
    start_t start = {.disk = disk, .fibers = fibers_new(1)};
    assert_int_equal(fibers_run(start.fibers, start_and_close, &start, 1000000), FIBERS_ENDED);
    fibers_destroy(&start.fibers);
    return start.opened;
}

/* A spare segment had its name and the folder was not synced when the program was killed; the next
 * start said that it was made. */
static void a_name_that_a_killed_run_left_is_durable_before_it_counts(void **state) {
    (void)state;
    char name[FOB_SEGMENT_NAME_SIZE], spare[128], away[] = LIFE_FOLDER "/away";
    sim_disk_t *disk = sim_disk_new(1, UINT64_C(1) << 30);
    const fob_disk_t *table = sim_disk_table(disk);
    assert_true(starts(disk));
    size_t last = 1;
    do {
        fob_segment_name(last++, name);
        snprintf(spare, sizeof spare, LIFE_FOLDER "/%s", name);
    } while (sim_disk_size(disk, spare) >= 0);
    fob_segment_name(last - 2, name);
    snprintf(spare, sizeof spare, LIFE_FOLDER "/%s", name);
    /* Its name as if it had just been given. */
    assert_int_equal(table->rename(table->arg, spare, away), 0);
    int fd = table->open(table->arg, LIFE_FOLDER, O_RDONLY | O_DIRECTORY, 0);
    assert_int_equal(table->fsync(table->arg, fd), 0);
    table->close(table->arg, fd);
    assert_int_equal(table->rename(table->arg, away, spare), 0);
    assert_true(starts(disk));
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        sim_disk_t *after = sim_disk_crash(disk, seed);
        assert_true(starts(after));
        sim_disk_destroy(&after);
    }
    sim_disk_destroy(&disk);
}

/* --- a full disk --- */

typedef struct {
    sim_disk_t *disk;
    fibers_t *fibers;
    unsigned granted; /* of what would be too much with more spares */
    bool done;
} full_t;

/* Appends until the tail is behind all that could be made. */
static uint64_t overfill(fob_journal_t *journal) {
    static uint8_t data[30000];
    uint64_t position = 0;
    for (uint64_t offset = 1; offset <= 20; offset++) {
        fob_entry_t entry = {offset, 1, 1, {{data, sizeof data}}};
        position = journal->ops->append(journal, &entry, 1, true);
    }
    return position;
}

/* Two commits larger than a segment, each behind a small one: what is granted is stored. */
static void *append_large(void *arg) {
    full_t *self = arg;
    static uint8_t data[113000];
    static const size_t sizes[] = {50000, 14000, 85000, 16000, 113000};
    fob_journal_error_t error;
    fob_file_options_t options = {.folder = LIFE_FOLDER,
                                  .segment_bytes = 65536,
                                  .max_bytes = 8 * 65536,
                                  .disk = sim_disk_table(self->disk),
                                  .runtime = fibers_runtime(self->fibers)};
    fob_journal_t *journal = fob_journal_file_open(&options, &error);
    assert_non_null(journal);
    uint64_t position = 0;
    for (size_t i = 0; i < 5; i++) {
        fob_entry_t entry = {i + 1, 1, 1, {{data, sizes[i]}}};
        if (i < 3)
            fibers_sleep(self->fibers, 100000); /* spares are made */
        bool granted = journal->ops->reserve(journal, sizes[i]);
        if (!granted)
            break;
        position = journal->ops->append(journal, &entry, 1, true);
    }
    fibers_sleep(self->fibers, 10000000);
    assert_in_range(position, 3, 5);
    self->granted += position == 5;
    assert_int_equal(journal->ops->durable(journal), position);
    journal->ops->close(&journal);
    self->done = true;
    return NULL;
}

static void room_that_was_granted_to_a_large_commit_is_not_taken_by_spares(void **state) {
    (void)state;
    unsigned granted = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        full_t full = {.disk = sim_disk_new(seed, UINT64_C(1) << 30), .fibers = fibers_new(seed)};
        sim_disk_pause(full.disk, (void (*)(void *, int64_t))fibers_sleep, full.fibers);
        assert_int_equal(fibers_run(full.fibers, append_large, &full, 1000000), FIBERS_ENDED);
        assert_true(full.done);
        granted += full.granted;
        fibers_destroy(&full.fibers);
        sim_disk_destroy(&full.disk);
    }
    assert_in_range(granted, 1, 200);
}

static void *wait_for_room(void *arg) {
    full_t *self = arg;
    fob_journal_error_t error;
    fob_file_options_t options = {.folder = LIFE_FOLDER,
                                  .segment_bytes = 65536,
                                  .max_bytes = 32 * 65536,
                                  .disk = sim_disk_table(self->disk),
                                  .runtime = fibers_runtime(self->fibers)};
    fob_journal_t *journal = fob_journal_file_open(&options, &error);
    assert_non_null(journal);
    uint64_t position = overfill(journal);
    fibers_sleep(self->fibers, 1000000);
    assert_true(journal->ops->durable(journal) < position);
    sim_disk_tally_reset(self->disk);
    fibers_sleep(self->fibers, 10000000);
    /* Five times a second, and not as fast as it can. */
    assert_in_range(sim_disk_tally(self->disk).looks, 10, 100);
    sim_disk_resize(self->disk, 64 * 65536);
    fibers_sleep(self->fibers, 1000000);
    assert_int_equal(journal->ops->durable(journal), position);
    journal->ops->close(&journal);
    self->done = true;
    return NULL;
}

static void a_full_disk_is_looked_at_now_and_then(void **state) {
    (void)state;
    full_t full = {.disk = sim_disk_new(1, 4 * 65536), .fibers = fibers_new(1)};
    sim_disk_pause(full.disk, (void (*)(void *, int64_t))fibers_sleep, full.fibers);
    assert_int_equal(fibers_run(full.fibers, wait_for_room, &full, 1000000), FIBERS_ENDED);
    assert_true(full.done);
    fibers_destroy(&full.fibers);
    sim_disk_destroy(&full.disk);
}

/* --- each call fails once --- */

static void live(life_plan_t plan, sim_disk_t **disk, model_t *model, life_t *life, uint64_t nth) {
    journal_life(&plan, disk, model, life);
    if (model_failed(model))
        fail_msg("call %" PRIu64 ": %s\n%s", nth, model->failure, life->log);
}

static uint64_t each_call_once(life_plan_t plan) {
    uint64_t nth = 0, errors = 1;
    while (errors > 0) {
        model_t model = {0};
        life_t life;
        sim_disk_t *disk = sim_disk_new(3, UINT64_C(1) << 30);
        /* Something is there; then a life with the fault; then one without. */
        plan.faults = (sim_faults_t){.fast_us = 50};
        plan.seed = 11;
        live(plan, &disk, &model, &life, nth);
        plan.seed = 12;
        plan.faults.nth = ++nth;
        live(plan, &disk, &model, &life, nth);
        errors = sim_disk_tally(disk).errors;
        plan.seed = 13;
        plan.faults.nth = 0;
        plan.careful = true;
        live(plan, &disk, &model, &life, nth);
        assert_true(life.opened);
        model_free(&model);
        sim_disk_destroy(&disk);
    }
    return nth;
}

static void each_call_to_the_disk_fails_once_and_nothing_is_lost(void **state) {
    (void)state;
    life_plan_t plan = {.max_bytes = 16 * 65536, .steps = 100, .most = 8000};
    assert_in_range(each_call_once(plan), 100, 5000);
    plan.sync = FOB_SYNC_INTERVAL;
    assert_in_range(each_call_once(plan), 100, 5000);
}

FOB_MAIN(FOB_CASE(a_folder_that_was_made_outlives_power),
         FOB_CASE(a_folder_made_by_a_start_that_was_killed_outlives_power),
         FOB_CASE(a_name_that_a_killed_run_left_is_durable_before_it_counts),
         FOB_CASE(a_full_disk_is_looked_at_now_and_then),
         FOB_CASE(room_that_was_granted_to_a_large_commit_is_not_taken_by_spares),
         FOB_CASE(each_call_to_the_disk_fails_once_and_nothing_is_lost))
