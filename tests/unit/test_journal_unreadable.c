/* A disk with blocks that cannot be read any more: a salvage passes over them, and has the rest. */
#include "journal_support.h"

#include "bus/journal/format.h"
#include "bus/journal/salvage.h"

#include <errno.h>
#include <stdlib.h>

/* The linker leads fob_disk_look here. */
const fob_disk_t *__real_fob_disk_look(void);
const fob_disk_t *__wrap_fob_disk_look(void);

static struct {
    const char *suffix; /* of the file's name */
    int fd;             /* of that file; -1: not open */
    uint64_t from, to;  /* bytes of it that cannot be read */
    size_t most;        /* no read of any file may be larger; 0: any may */
    size_t refused;
} bad;

static int open_bad(void *arg, const char *path, int flags, mode_t mode) {
    int fd = __real_fob_disk_look()->open(arg, path, flags, mode);
    size_t size = strlen(path), tail = strlen(bad.suffix);
    if (fd >= 0 && size > tail && strcmp(path + size - tail, bad.suffix) == 0)
        bad.fd = fd;
    else if (fd == bad.fd)
        bad.fd = -1;
    return fd;
}

static ssize_t pread_bad(void *arg, int fd, void *data, size_t size, off_t at) {
    bool meets = fd == bad.fd && (uint64_t)at < bad.to && (uint64_t)at + size > bad.from;
    if (meets || (bad.most != 0 && size > bad.most)) {
        bad.refused++;
        errno = EIO;
        return -1;
    }
    return __real_fob_disk_look()->pread(arg, fd, data, size, at);
}

const fob_disk_t *__wrap_fob_disk_look(void) {
    static fob_disk_t table;
    table = *__real_fob_disk_look();
    table.open = open_bad;
    table.pread = pread_bad;
    return &table;
}

typedef struct {
    uint64_t records, slices, losses, lost; /* lost: commits */
    char texts[1024];
} saved_t;

static bool save_begin(void *arg, uint64_t epoch, uint64_t checkpoint) {
    (void)arg, (void)checkpoint;
    return epoch > 0;
}

static bool save_slice(void *arg, const uint8_t *data, size_t size) {
    (void)data, (void)size;
    ((saved_t *)arg)->slices++;
    return true;
}

static bool save_record(void *arg, const fob_stored_t *record) {
    assert_true(is_events(record, record->size)); /* never a wrong one */
    ((saved_t *)arg)->records++;
    return true;
}

static bool save_lost(void *arg, const fob_loss_t *loss) {
    saved_t *self = arg;
    self->losses++;
    self->lost += loss->first != 0 ? loss->last - loss->first + 1 : 0;
    size_t length = strlen(self->texts);
    snprintf(self->texts + length, sizeof self->texts - length, "%s: %s\n", loss->file, loss->text);
    return true;
}

/* Twelve commits, three in a segment, and a checkpoint; salvaged from such a disk. */
static saved_t save_from(const char *suffix, uint64_t from, uint64_t to, size_t most) {
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    for (uint64_t i = 1; i <= 12; i++)
        assert_true(wait_durable(journal, put_reserved(journal, i, 1, 16 * 1024)));
    take_checkpoint(journal, 2, "two");
    journal->ops->close(&journal);
    forget_events();
    bad.suffix = suffix;
    bad.fd = -1;
    bad.from = from;
    bad.to = to;
    bad.most = most;
    bad.refused = 0;
    saved_t saved = {0};
    fob_salvage_to_t into = {save_begin, save_slice, save_record, save_lost, &saved};
    fob_journal_error_t error;
    fob_journal_code_t code = fob_journal_salvage(folder, &into, &error);
    if (code != FOB_JOURNAL_OK)
        fail_msg("%s", error.text);
    assert_true(bad.refused > 0);
    folder_remove(&folder);
    return saved;
}

static void a_block_that_cannot_be_read_costs_the_commit_it_was_in(void **state) {
    (void)state;
    uint64_t at = FOB_SEGMENT_HEADER_BYTES + 24 * 1024; /* within the second of three */
    saved_t saved = save_from("2.seg", at, at + 1, 0);
    assert_int_equal(saved.records, 11);
    assert_int_equal(saved.losses, 1);
    assert_int_equal(saved.lost, 1);
    assert_non_null(strstr(saved.texts, "2.seg: no whole commit is there"));
}

static void a_disk_that_reads_only_block_by_block_loses_nothing(void **state) {
    (void)state;
    saved_t saved = save_from("none", 0, 0, 4096);
    assert_int_equal(saved.records, 12);
    assert_int_equal(saved.losses, 0);
}

static void a_head_that_cannot_be_read_costs_its_segment_by_name(void **state) {
    (void)state;
    saved_t saved = save_from("2.seg", 0, 1, 0);
    assert_int_equal(saved.records, 9);
    assert_int_equal(saved.lost, 3);
    assert_non_null(strstr(saved.texts, "2.seg: its head is damaged"));
}

static void a_checkpoint_that_cannot_be_read_is_done_without(void **state) {
    (void)state;
    saved_t saved = save_from(".ckp", 0, 1, 0);
    assert_int_equal(saved.slices, 0);
    assert_int_equal(saved.records, 12);
    assert_non_null(strstr(saved.texts, ".ckp: it is damaged"));
}

static void an_epoch_file_that_cannot_be_read_is_done_without(void **state) {
    (void)state;
    saved_t saved = save_from("epoch", 0, 2 * FOB_EPOCH_SLOT, 0);
    assert_int_equal(saved.records, 12);
    assert_non_null(strstr(saved.texts, "epoch: it is damaged"));
}

FOB_MAIN(FOB_CASE(a_block_that_cannot_be_read_costs_the_commit_it_was_in),
         FOB_CASE(a_disk_that_reads_only_block_by_block_loses_nothing),
         FOB_CASE(a_head_that_cannot_be_read_costs_its_segment_by_name),
         FOB_CASE(a_checkpoint_that_cannot_be_read_is_done_without),
         FOB_CASE(an_epoch_file_that_cannot_be_read_is_done_without))
