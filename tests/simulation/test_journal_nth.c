/* The journal where the N-th call to the disk fails, or the N-th allocation, or thread, once or
 * from then on: success or a documented error, and whatever was durable is there at the next start,
 * after the end of the program and after the loss of power. */
#include "tests/support/case.h"

#include "fibers.h"
#include "sim_disk.h"
#include "tests/support/faults_disk.h"
#include "tests/unit/scarce.h"

#include "bus/journal/file.h"

#include <errno.h>
#include <stdlib.h>

#define FOLDER  "/data/journal"
#define SEGMENT 16384u
#define COMMITS 24u
#define HALF    9u
#define SIZE    3000u
#define TURNS   UINT64_C(1000000)
#define PATIENT INT64_C(120000000) /* us */

static faults_t of_calls, *faults = &of_calls; /* or &scarce */
static faults_disk_t disk;
static sim_disk_t *sim;
static fibers_t *fibers;
static uint8_t data[COMMITS + 1][SIZE];

/* What is known of the folder. */
static uint64_t durable;  /* position that was told to be */
static uint64_t appended; /* the highest that was given */
static uint64_t found;    /* the highest that a start showed */
static bool opened;

/* The disk as the loss of power leaves it between an append and its sync, and what was durable. */
static sim_disk_t *half;
static uint64_t half_durable;

/* --- the runtime, of which what may fail is counted too --- */

static const fob_runtime_t *own;
static fob_runtime_t runtime;
static bool counts_runtime;

static bool none_left(void) {
    return counts_runtime && faults_strike(&of_calls);
}

static int on_start(void *arg, fob_task_t *task, void *(*run)(void *), void *run_arg) {
    return none_left() ? EAGAIN : own->start(arg, task, run, run_arg);
}

static int on_lock_init(void *arg, fob_lock_t *lock) {
    return none_left() ? ENOMEM : own->lock_init(arg, lock);
}

static int on_cond_init(void *arg, fob_cond_t *cond) {
    return none_left() ? EAGAIN : own->cond_init(arg, cond);
}

static int on_bell_open(void *arg) {
    if (!none_left())
        return own->bell_open(arg);
    errno = EMFILE;
    return -1;
}

static void begin_runtime(void) {
    own = fibers_runtime(fibers);
    runtime = *own;
    runtime.start = on_start;
    runtime.lock_init = on_lock_init;
    runtime.cond_init = on_cond_init;
    runtime.bell_open = on_bell_open;
}

/* --- one run --- */

static bool on_slice(void *arg, const uint8_t *bytes, size_t size) {
    (void)arg, (void)bytes, (void)size;
    return true;
}

static bool on_record(void *arg, const fob_stored_t *record) {
    (void)arg;
    assert_int_equal(record->size, SIZE);
    assert_int_equal(record->first_offset, record->position);
    assert_memory_equal(record->data, data[record->position], SIZE);
    found = record->position;
    return true;
}

static fob_journal_t *open_journal(fob_journal_error_t *error) {
    fob_file_options_t options = {.folder = FOLDER,
                                  .segment_bytes = SEGMENT,
                                  .max_bytes = 32 * SEGMENT,
                                  .retain_bytes = 1,
                                  .retain_ms = 1,
                                  .disk = &disk.table,
                                  .runtime = &runtime};
    *error = (fob_journal_error_t){.text = ""};
    fob_journal_t *journal = fob_journal_file_open(&options, error);
    if (!journal) {
        assert_true(error->text[0] != 0);
        assert_true(error->code == FOB_JOURNAL_SYSTEM || error->code == FOB_JOURNAL_FULL ||
                    error->code == FOB_JOURNAL_MEMORY);
    }
    return journal;
}

static bool healthy(fob_journal_t *journal) {
    fob_journal_error_t error = {.text = ""};
    if (journal->ops->health(journal, &error) == FOB_JOURNAL_OK)
        return true;
    assert_true(error.text[0] != 0 && faults->failed > 0);
    return false;
}

/* Waits for it; false: the journal has failed. */
static bool wait_for(fob_journal_t *journal, uint64_t position) {
    int64_t until = fibers_now(fibers) + PATIENT;
    while (journal->ops->durable(journal) < position) {
        if (!healthy(journal))
            return false;
        if (fibers_now(fibers) > until)
            fail_msg("commit %u is neither durable nor has it failed", (unsigned)position);
        fibers_wait_bell(fibers, journal->ops->fd(journal), 1000000);
        journal->ops->clear(journal);
    }
    return true;
}

/* Room may have to be made; false: there is none. */
static bool reserve(fob_journal_t *journal) {
    for (unsigned tries = 0; tries < 20; tries++) {
        if (journal->ops->reserve(journal, SIZE))
            return true;
        if (!healthy(journal))
            return false;
        fibers_sleep(fibers, 1000000);
    }
    assert_true(faults->failed > 0);
    return false;
}

static bool put_one(fob_journal_t *journal) {
    uint64_t position = appended + 1;
    fob_entry_t entry = {position, 1, 1, {{data[position], SIZE}}};
    if (!reserve(journal))
        return false;
    assert_int_equal(journal->ops->append(journal, &entry, 1, true), position);
    appended = position;
    if (position == HALF && !half) {
        half = sim_disk_crash(sim, 1);
        half_durable = durable;
    }
    if (!wait_for(journal, position))
        return false;
    durable = position;
    return true;
}

static void checkpoint(fob_journal_t *journal, uint64_t position) {
    fob_journal_stats_t stats;
    if (journal->ops->checkpoint_begin(journal, position) != FOB_JOURNAL_OK ||
        journal->ops->checkpoint_slice(journal, data[1], 100) != FOB_JOURNAL_OK ||
        journal->ops->checkpoint_finish(journal) != FOB_JOURNAL_OK) {
        assert_true(faults->failed > 0);
        return;
    }
    for (unsigned tries = 0; tries < 20 && healthy(journal); tries++) {
        journal->ops->stats(journal, &stats);
        if (stats.checkpoint_position >= position)
            break;
        fibers_sleep(fibers, 1000000);
    }
    journal->ops->trim(journal, position, fob_wall_ms(fibers_runtime(fibers)) + 1000000);
    fibers_sleep(fibers, 1000000);
}

/* Asks for an event and gets it, or is told why not. */
static void read_one(fob_journal_t *journal, uint64_t offset) {
    fob_page_t page = {.tag = 0};
    int64_t until = fibers_now(fibers) + PATIENT;
    if (journal->ops->read(journal, offset, 2 * SIZE, offset) != FOB_JOURNAL_OK) {
        assert_true(faults->failed > 0);
        return;
    }
    while (journal->ops->page(journal, &page) == FOB_JOURNAL_AGAIN) {
        if (fibers_now(fibers) > until)
            fail_msg("no page comes");
        fibers_wait_bell(fibers, journal->ops->fd(journal), 1000000);
        journal->ops->clear(journal);
    }
    assert_int_equal(page.tag, offset);
    if (page.code == FOB_JOURNAL_OK)
        assert_memory_equal(page.entries[0].data, data[offset], SIZE);
    else if (page.code != FOB_JOURNAL_ABSENT) /* it may be trimmed */
        assert_true(faults->failed > 0 && page.text[0]);
    free(page.memory);
}

static void work(fob_journal_t *journal) {
    while (appended < COMMITS) {
        if (!put_one(journal))
            return;
        read_one(journal, appended > 3 ? appended - 3 : 1);
        if (appended % 6 == 0)
            checkpoint(journal, appended);
    }
}

static void *life(void *arg) {
    fob_journal_error_t error;
    const bool *working = arg;
    fob_journal_t *journal = open_journal(&error);
    opened = journal;
    if (!journal)
        return NULL;
    fob_replay_t to = {on_slice, on_record, NULL};
    fob_journal_stats_t stats;
    fob_journal_code_t code = journal->ops->replay(journal, &to, &error);
    journal->ops->stats(journal, &stats);
    found = stats.last_position;
    opened = code == FOB_JOURNAL_OK;
    assert_true(opened || ((code == FOB_JOURNAL_SYSTEM || code == FOB_JOURNAL_MEMORY) &&
                           error.text[0] && faults->failed > 0));
    if (opened && *working) {
        assert_true(found >= durable && found <= appended);
        appended = found;
        work(journal);
    }
    journal->ops->close(&journal);
    return NULL;
}

static void live(bool working) {
    fibers = fibers_new(1);
    begin_runtime();
    fibers_end_t end = fibers_run(fibers, life, &working, TURNS);
    if (end != FIBERS_ENDED)
        fibers_print(fibers);
    assert_int_equal(end, FIBERS_ENDED);
    fibers_destroy(&fibers);
}

/* --- the story --- */

/* A start on `on`, which has no faults: all that was durable is there. */
static void look(sim_disk_t *on) {
    faults_t before = *faults;
    const fob_disk_t *inner = disk.inner;
    *faults = (faults_t){.failed = 1};
    disk.inner = sim_disk_table(on);
    found = 0;
    live(false);
    assert_true(opened);
    assert_true(found >= durable && found <= appended);
    assert_int_equal(sim_disk_open_files(on), 0);
    disk.inner = inner;
    *faults = before;
}

/* A start that has to mend the tail, while the fault lasts or is over; then one without. */
static void start_after_loss(void) {
    uint64_t was_durable = durable, was_appended = appended;
    if (!half)
        return;
    durable = half_durable;
    appended = HALF;
    disk.inner = sim_disk_table(half);
    live(false);
    assert_true(!opened || (found >= durable && found <= appended));
    look(half);
    sim_disk_destroy(&half);
    disk.inner = sim_disk_table(sim);
    durable = was_durable;
    appended = was_appended;
}

static void story(void *arg) {
    (void)arg;
    sim = sim_disk_new(1, UINT64_C(64) << 20);
    disk.inner = sim_disk_table(sim);
    durable = appended = found = 0;
    half = NULL;
    faults->watching = true;
    live(true);
    start_after_loss();
    live(true); /* another start, while the fault lasts or is over */
    faults->watching = false;
    sim_disk_destroy(&half);
    assert_int_equal(sim_disk_open_files(sim), 0);
    for (uint64_t seed = 0; seed < 3; seed++) {
        sim_disk_t *after = sim_disk_crash(sim, seed);
        look(after);
        sim_disk_destroy(&after);
    }
    look(sim);
    if (faults->failed == 0)
        assert_int_equal(durable, COMMITS);
    sim_disk_destroy(&sim);
}

static void begin(unsigned kinds, int error) {
    for (size_t i = 1; i <= COMMITS; i++)
        memset(data[i], (int)i, SIZE);
    faults_disk_init(&disk, NULL, &of_calls);
    disk.kinds = kinds;
    disk.error = error;
}

static void each(const char *name, unsigned kinds, int error, uint64_t least) {
    begin(kinds, error);
    uint64_t calls = faults_each(&of_calls, story, NULL);
    print_message("journal: %s: %u calls\n", name, (unsigned)calls);
    assert_true(calls >= least);
}

static void each_write_may_fail(void **state) {
    (void)state;
    each("write", FAULTS_WRITE, EIO, 20);
}

static void each_write_may_find_no_room(void **state) {
    (void)state;
    each("write, fallocate", FAULTS_WRITE | FAULTS_FALLOCATE, ENOSPC, 20);
}

static void each_sync_may_fail(void **state) {
    (void)state;
    each("fsync", FAULTS_SYNC, EIO, 20);
}

static void each_open_may_fail(void **state) {
    (void)state;
    each("open", FAULTS_OPEN, EMFILE, 10);
}

static void each_rename_may_fail(void **state) {
    (void)state;
    each("rename", FAULTS_RENAME, EIO, 3);
}

static void each_unlink_may_fail(void **state) {
    (void)state;
    each("unlink", FAULTS_UNLINK, EIO, 1);
}

static void each_folder_may_not_be_made(void **state) {
    (void)state;
    each("mkdir", FAULTS_MKDIR, EACCES, 1);
}

static void each_read_may_fail(void **state) {
    (void)state;
    each("read", FAULTS_READ, EIO, 3);
}

static void each_look_may_fail(void **state) {
    (void)state;
    each("stat, list, space", FAULTS_LOOK, EIO, 5);
}

static void each_lock_may_fail(void **state) {
    (void)state;
    each("lock, flock, close", FAULTS_LOCK | FAULTS_CLOSE, EIO, 10);
}

static void each_thread_may_not_start(void **state) {
    (void)state;
    counts_runtime = true;
    each("thread, lock, condition, bell", 0, 0, 10);
    counts_runtime = false;
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    begin(0, 0);
    faults = &scarce;
    scarce_each("journal: file", 100, story, NULL);
    faults = &of_calls;
}

FOB_MAIN(FOB_CASE(each_allocation_may_fail), FOB_CASE(each_thread_may_not_start),
         FOB_CASE(each_lock_may_fail), FOB_CASE(each_write_may_fail),
         FOB_CASE(each_write_may_find_no_room), FOB_CASE(each_sync_may_fail),
         FOB_CASE(each_open_may_fail), FOB_CASE(each_rename_may_fail),
         FOB_CASE(each_unlink_may_fail), FOB_CASE(each_folder_may_not_be_made),
         FOB_CASE(each_read_may_fail), FOB_CASE(each_look_may_fail))
