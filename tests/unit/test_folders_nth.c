/* What is done with whole folders of a journal (verify, backup, salvage), where the N-th allocation
 * or call to the disk fails, once and from then on: success, or a code with a sentence; the folder
 * is as it was, no file stays open, and done again without faults all is there. */
#include "bus/journal/backup.h"
#include "bus/journal/runtime.h"
#include "bus/ledger/ledger.h"
#include "bus/salvage/salvage.h"
#include "core_policy.h"
#include "journal_support.h"
#include "proto/envelope.h"
#include "scarce.h"
#include "tests/support/faults_disk.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENTS 60u

static char *folder, *harmed;
static faults_t of_calls, *faults = &of_calls;
static faults_disk_t real, look;

/* --- the disk, by the linker --- */

const fob_disk_t *__real_fob_disk_real(void);
const fob_disk_t *__wrap_fob_disk_real(void);
const fob_disk_t *__real_fob_disk_look(void);
const fob_disk_t *__wrap_fob_disk_look(void);

const fob_disk_t *__wrap_fob_disk_real(void) {
    return &real.table;
}

const fob_disk_t *__wrap_fob_disk_look(void) {
    return &look.table;
}

/* What takes long is not what this is about: no sync, and room is a hole in the file. */
static int no_sync(void *arg, int fd) {
    (void)arg, (void)fd;
    return 0;
}

static int hole(void *arg, int fd, off_t at, off_t size) {
    struct stat stat;
    (void)arg;
    return fstat(fd, &stat) == 0 && (stat.st_size >= at + size || ftruncate(fd, at + size) == 0)
               ? 0
               : -1;
}

fob_journal_t *__real_fob_journal_file_open(const fob_file_options_t *options,
                                            fob_journal_error_t *error);
fob_journal_t *__wrap_fob_journal_file_open(const fob_file_options_t *options,
                                            fob_journal_error_t *error);

/* Small segments are read fast. */
fob_journal_t *__wrap_fob_journal_file_open(const fob_file_options_t *options,
                                            fob_journal_error_t *error) {
    fob_file_options_t small = *options;
    small.segment_bytes = 16384;
    return __real_fob_journal_file_open(&small, error);
}

static void begin_disks(unsigned kinds, int error) {
    static fob_disk_t quick;
    quick = *__real_fob_disk_real();
    quick.fsync = quick.fdatasync = no_sync;
    quick.fallocate = hole;
    faults_disk_init(&real, &quick, &of_calls);
    faults_disk_init(&look, __real_fob_disk_look(), &of_calls);
    real.kinds = look.kinds = kinds;
    real.error = look.error = error;
}

/* Nobody waits ten seconds for room that does not come, or a second until a checkpoint is tried
 * again: with a fault a wait is a turn, and time passes by it. */
static int64_t passed_ms;

int __real_poll(struct pollfd *fds, nfds_t count, int ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int ms);
const fob_runtime_t *__real_fob_runtime_real(void);
const fob_runtime_t *__wrap_fob_runtime_real(void);

int __wrap_poll(struct pollfd *fds, nfds_t count, int ms) {
    if (faults->failed == 0)
        return __real_poll(fds, count, ms);
    __atomic_add_fetch(&passed_ms, ms, __ATOMIC_RELAXED);
    sched_yield();
    return __real_poll(fds, count, 0);
}

static int64_t mono_ms(void *arg) {
    return __real_fob_runtime_real()->mono_ms(arg) + __atomic_load_n(&passed_ms, __ATOMIC_RELAXED);
}

const fob_runtime_t *__wrap_fob_runtime_real(void) {
    static fob_runtime_t runtime;
    if (!runtime.start) {
        runtime = *__real_fob_runtime_real();
        runtime.mono_ms = mono_ms;
    }
    return &runtime;
}

static size_t open_files(void) {
    size_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* --- a folder with a bit of everything --- */

static const fob_core_config_t config = {.max_event = 4096,
                                         .max_groups = 10,
                                         .max_sessions = 10,
                                         .session_keep_ms = 3600000,
                                         .resume_ms = 100,
                                         .cache_bytes = 65536,
                                         .page_bytes = 4096,
                                         .mark_block = 100,
                                         .policy = CORE_POLICY(10, 100),
                                         .dedup_max = 100,
                                         .dedup_window_ms = 3600000,
                                         .release_first_ms = 10};

static fob_now_t now(void) {
    return (fob_now_t){.mono_ns = FOB_SEC, .wall_ms = 1700000000000};
}

static void run(fob_ledger_t *ledger) {
    char text[256];
    do {
        struct pollfd news = {.fd = fob_ledger_fd(ledger), .events = POLLIN};
        assert_int_equal(fob_ledger_turn(ledger, now()), FOB_OK);
        poll(&news, 1, 1);
        assert_int_equal(fob_ledger_news(ledger, now(), text, sizeof text), FOB_OK);
        while (fob_ledger_next(ledger, now()))
            ;
    } while (!fob_ledger_at_rest(ledger));
}

static void step(fob_ledger_t *ledger, const fob_command_t *command) {
    assert_int_equal(fob_ledger_step(ledger, now(), command), FOB_OK);
    run(ledger);
}

static void publish(fob_ledger_t *ledger, uint64_t number) {
    uint8_t data[300] = {0};
    char id[16];
    fob_buf_t body = {0};
    snprintf(id, sizeof id, "%u", (unsigned)number);
    fob_envelope_t event = {
        .topic = fob_slice_str("a"), .id = fob_slice_str(id), .data = fob_slice(data, sizeof data)};
    assert_int_equal(fob_envelope_write(&body, 4096, &event), FOB_OK);
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    /* Refused as long as the keeper's thread has not made the next of these small segments. */
    while (fob_ledger_head(ledger) < number)
        step(ledger, &(fob_command_t){.kind = FOB_CMD_PUBLISH,
                                      .conn = 1,
                                      .publish = {.session = (const uint8_t *)"0123456789abcdef",
                                                  .first = number,
                                                  .low = number,
                                                  .body = blob}});
    fob_blob_unref(&blob);
    fob_buf_free(&body);
}

static void write_folder(void) {
    char text[512];
    fob_status_t status;
    fob_journal_error_t error;
    fob_file_options_t options = small_options(folder);
    fob_ledger_t *ledger = fob_ledger_new(fob_journal_file_open(&options, &error), &config, now(),
                                          NULL, NULL, &status, text, sizeof text);
    assert_non_null(ledger);
    step(ledger, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                  .conn = 2,
                                  .join = {.session = (const uint8_t *)"fedcba9876543210",
                                           .group = fob_slice_str("emails"),
                                           .pattern = fob_slice_str("a"),
                                           .create = true,
                                           .credit = 5,
                                           .jobs = 1}});
    for (uint64_t number = 1; number <= EVENTS; number++) {
        if (number == EVENTS / 4)
            assert_true(fob_ledger_checkpoint(ledger));
        publish(ledger, number);
    }
    fob_ledger_destroy(&ledger);
}

/* Bytes in the midst of the segment that has the events, behind the checkpoint, and of the one
 * after it; the commits around them are whole. */
static void harm(void) {
    harmed = folder_copy(folder);
    for (size_t i = 0; i < 2; i++) {
        char *path = folder_nth(harmed, ".seg", i);
        assert_non_null(path);
        file_write_at(path, 20000, "damage", 6);
        free(path);
    }
}

static int setup(void **state) {
    (void)state;
    begin_disks(0, 0);
    folder = folder_new();
    write_folder();
    harm();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    folder_remove(&folder);
    folder_remove(&harmed);
    return 0;
}

/* --- the stories --- */

static void said(fob_journal_code_t code, const fob_journal_error_t *error) {
    if (code == FOB_JOURNAL_OK)
        return;
    assert_true(faults->failed > 0);
    assert_true(code == FOB_JOURNAL_SYSTEM || code == FOB_JOURNAL_MEMORY ||
                code == FOB_JOURNAL_FULL || code == FOB_JOURNAL_FAILED);
    assert_int_equal(error->code, code);
    assert_true(error->text[0] != 0);
}

static void on_commit(void *arg, const char *name, uint64_t at, uint64_t position,
                      uint64_t first_offset, uint32_t count, uint64_t bytes) {
    uint64_t *events = arg;
    (void)name, (void)at, (void)position, (void)first_offset, (void)bytes;
    *events += count;
}

static void verifies(void *arg) {
    uint64_t events = 0;
    const fob_inspect_t to = {.commit = on_commit, .arg = &events};
    fob_journal_error_t error = {.text = ""};
    (void)arg;
    size_t before = open_files();
    faults->watching = true;
    fob_journal_code_t code = fob_journal_inspect(folder, &to, &error);
    faults->watching = false;
    said(code, &error);
    if (code == FOB_JOURNAL_OK)
        assert_int_equal(events, EVENTS);
    assert_int_equal(open_files(), before);
}

/* A folder that is said to be good is. */
static void is_whole(const char *copy, uint64_t events) {
    uint64_t found = 0;
    const fob_inspect_t to = {.commit = on_commit, .arg = &found};
    fob_journal_error_t error;
    assert_int_equal(fob_journal_inspect(copy, &to, &error), FOB_JOURNAL_OK);
    assert_int_equal(found, events);
    assert_int_equal(fob_salvage_try(copy, NULL, &error), FOB_JOURNAL_OK);
}

static void backs_up(void *arg) {
    char *to = folder_new();
    fob_backup_t out;
    fob_journal_error_t error;
    (void)arg;
    size_t before = open_files();
    faults->watching = true;
    fob_journal_code_t code = fob_journal_backup(folder, to, &out, &error);
    faults->watching = false;
    said(code, &error);
    assert_int_equal(open_files(), before);
    if (code == FOB_JOURNAL_OK) {
        assert_int_equal(out.events, EVENTS);
        is_whole(to, EVENTS);
    }
    folder_remove(&to);
}

static void on_lost(void *arg, const fob_loss_t *loss) {
    uint64_t *events = arg;
    *events += loss->first_offset ? loss->last_offset - loss->first_offset + 1 : 0;
}

static void salvages(void *arg) {
    uint64_t lost = 0;
    const fob_salvage_news_t news = {on_lost, &lost};
    const char *from = arg;
    char *to = folder_new();
    fob_salvaged_t out;
    fob_journal_error_t error;
    size_t before = open_files();
    faults->watching = true;
    fob_journal_code_t code = fob_salvage(from, to, &news, &out, &error);
    faults->watching = false;
    said(code, &error);
    assert_int_equal(open_files(), before);
    if (code == FOB_JOURNAL_OK && faults->failed == 0) {
        assert_int_equal(out.losses > 0, from == harmed);
        assert_int_equal(out.anew, from == harmed);
        assert_int_equal(lost > 0, from == harmed);
        assert_int_equal(out.events + lost, EVENTS);
    }
    if (code == FOB_JOURNAL_OK)
        is_whole(to, out.events);
    folder_remove(&to);
}

static void tries(void *arg) {
    fob_journal_error_t error = {.text = ""};
    uint64_t hash;
    (void)arg;
    size_t before = open_files();
    faults->watching = true;
    fob_journal_code_t code = fob_salvage_try(folder, &hash, &error);
    faults->watching = false;
    said(code, &error);
    assert_int_equal(open_files(), before);
}

static void each_call(const char *name, void (*story)(void *arg), void *arg) {
    static const struct {
        const char *name;
        unsigned kinds;
        int error;
    } calls[] = {{"open", FAULTS_OPEN, EMFILE},
                 {"read", FAULTS_READ, EIO},
                 {"write", FAULTS_WRITE | FAULTS_FALLOCATE, ENOSPC},
                 {"fsync", FAULTS_SYNC, EIO},
                 {"rename, unlink, mkdir", FAULTS_RENAME | FAULTS_UNLINK | FAULTS_MKDIR, EIO},
                 {"stat, list, space", FAULTS_LOOK, EIO},
                 {"lock, close", FAULTS_LOCK | FAULTS_CLOSE, EIO}};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        begin_disks(calls[i].kinds, calls[i].error);
        uint64_t count = faults_each(&of_calls, story, arg);
        print_message("%s: %s: %u calls\n", name, calls[i].name, (unsigned)count);
    }
}

static void each_allocation(const char *name, void (*story)(void *arg), void *arg) {
    begin_disks(0, 0);
    faults = &scarce;
    scarce_each(name, 3, story, arg);
    faults = &of_calls;
}

static void each(const char *name, void (*story)(void *arg)) {
    each_call(name, story, NULL);
    each_allocation(name, story, NULL);
}

static void a_folder_is_verified_or_it_is_said_why_not(void **state) {
    (void)state;
    each("journal: verify", verifies);
}

static void a_backup_is_whole_or_it_is_said_why_not(void **state) {
    (void)state;
    each("journal: backup", backs_up);
}

static void a_salvaged_folder_is_whole_or_it_is_said_why_not(void **state) {
    (void)state;
    each_call("journal: salvage", salvages, harmed);
}

static void a_salvaged_folder_is_whole_whichever_allocation_fails(void **state) {
    (void)state;
    each_allocation("journal: salvage", salvages, harmed);
}

static int no_fallocate(void *arg, int fd, off_t at, off_t size) {
    (void)arg, (void)fd, (void)at, (void)size;
    errno = EOPNOTSUPP;
    return -1;
}

static void where_no_room_can_be_set_aside_a_copy_is_whole_all_the_same(void **state) {
    (void)state;
    memset(&of_calls, 0, sizeof of_calls);
    begin_disks(0, 0);
    real.table.fallocate = no_fallocate;
    backs_up(NULL);
    salvages(folder);
}

static void a_start_is_tried_or_it_is_said_why_not(void **state) {
    (void)state;
    each("journal: try", tries);
}

FOB_MAIN(FOB_CASE_WITH(a_folder_is_verified_or_it_is_said_why_not, setup, teardown),
         FOB_CASE_WITH(a_backup_is_whole_or_it_is_said_why_not, setup, teardown),
         FOB_CASE_WITH(a_salvaged_folder_is_whole_or_it_is_said_why_not, setup, teardown),
         FOB_CASE_WITH(a_salvaged_folder_is_whole_whichever_allocation_fails, setup, teardown),
         FOB_CASE_WITH(where_no_room_can_be_set_aside_a_copy_is_whole_all_the_same, setup,
                       teardown),
         FOB_CASE_WITH(a_start_is_tried_or_it_is_said_why_not, setup, teardown))
