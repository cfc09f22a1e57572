/* A folder that is copied, looked at and salvaged: what is wrong with it is named, and never
 * copied in silence. */
#include "journal_support.h"

#include "bus/journal/backup.h"
#include "bus/journal/folder.h"
#include "bus/journal/format.h"
#include "bus/journal/rehearse.h"
#include "bus/journal/salvage.h"
#include "bus/journal/store.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

/* Twelve commits of 16 KiB in segments of 64 KiB, a checkpoint at the second; ended clean. */
static char *made(void) {
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    for (uint64_t i = 1; i <= 12; i++)
        assert_true(wait_durable(journal, put_reserved(journal, i, 1, 16 * 1024)));
    take_checkpoint(journal, 2, "two");
    journal->ops->close(&journal);
    forget_events();
    return folder;
}

static char *empty_new(void) {
    char *folder = strdup("/tmp/fob-journal-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static void change(const char *path, uint64_t at, uint8_t by) {
    uint8_t byte;
    file_read_at(path, at, &byte, 1);
    byte ^= by;
    file_write_at(path, at, &byte, 1);
}

/* The head of a segment as a newer version would write it. */
static void make_newer(const char *path) {
    uint8_t data[FOB_SEGMENT_HEADER_BYTES];
    file_read_at(path, 0, data, sizeof data);
    data[16] = FOB_FORMAT_VERSION + 1;
    uint64_t checksum = htole64(XXH3_64bits(data + 8, sizeof data - 8));
    memcpy(data, &checksum, sizeof checksum);
    file_write_at(path, 0, data, sizeof data);
}

/* Writes the head of the first commit of a segment anew, sealed again. */
static void forge_first(const char *path, uint16_t version, uint64_t position) {
    uint8_t head[FOB_SEGMENT_HEADER_BYTES];
    fob_segment_head_t segment;
    fob_disk_commit_t commit;
    file_read_at(path, 0, head, sizeof head);
    assert_int_equal(fob_format_segment_decode(head, &segment), FOB_FOUND_WHOLE);
    file_read_at(path, FOB_SEGMENT_HEADER_BYTES, &commit, sizeof commit);
    size_t size = le32toh(commit.payload_bytes);
    uint8_t *payload = malloc(size);
    file_read_at(path, FOB_SEGMENT_HEADER_BYTES + sizeof commit, payload, size);
    commit.version = htole16(version);
    if (position != 0)
        commit.position = htole64(position);
    struct iovec part = {payload, size};
    fob_format_commit_seal(&commit, segment.seed, &part, 1);
    file_write_at(path, FOB_SEGMENT_HEADER_BYTES, &commit, sizeof commit);
    free(payload);
}

/* --- what can be wrong --- */

static void head_newer(const char *path) {
    make_newer(path);
}

static void head_damaged(const char *path) {
    change(path, 40, 1);
}

static void commit_newer(const char *path) {
    forge_first(path, FOB_FORMAT_VERSION + 1, 0);
}

static void commit_damaged(const char *path) {
    change(path, FOB_SEGMENT_HEADER_BYTES + 200, 1);
}

static void commit_of_another_place(const char *path) {
    forge_first(path, FOB_FORMAT_VERSION, 1000);
}

static void cut_short(const char *path) {
    assert_int_equal(truncate(path, (off_t)file_size(path) - 8), 0);
}

static void head_cut(const char *path) {
    assert_int_equal(truncate(path, 100), 0);
}

static void gone(const char *path) {
    assert_int_equal(unlink(path), 0);
}

/* Both records. */
static void epoch_damaged(const char *path) {
    change(path, 24, 1);
    change(path, FOB_EPOCH_SLOT + 24, 1);
}

static void checkpoint_damaged(const char *path) {
    change(path, sizeof(fob_disk_checkpoint_t) + sizeof(fob_disk_slice_t), 1);
}

typedef struct {
    void (*harm)(const char *path);
    const char *suffix;
    size_t index;
    fob_journal_code_t code;
    const char *text; /* a part of what is said */
} harm_t;

static const harm_t harms[] = {
    {head_newer, ".seg", 1, FOB_JOURNAL_NEWER, "newer version"},
    {head_damaged, ".seg", 1, FOB_JOURNAL_DAMAGED, "the head is damaged"},
    {head_cut, ".seg", 1, FOB_JOURNAL_DAMAGED, "the head is damaged"},
    {commit_newer, ".seg", 1, FOB_JOURNAL_NEWER, "newer version"},
    {commit_damaged, ".seg", 1, FOB_JOURNAL_DAMAGED, "damaged or missing"},
    {commit_of_another_place, ".seg", 1, FOB_JOURNAL_DAMAGED, "damaged or missing"},
    {cut_short, ".seg", 1, FOB_JOURNAL_DAMAGED, "cut off"},
    {gone, ".seg", 1, FOB_JOURNAL_DAMAGED, "missing"},
    {epoch_damaged, "epoch", 0, FOB_JOURNAL_DAMAGED, "epoch"},
    {checkpoint_damaged, ".ckp", 0, FOB_JOURNAL_DAMAGED, ".ckp"},
};
#define HARMS (sizeof harms / sizeof harms[0])

static char *harmed(const harm_t *harm) {
    char *folder = made();
    char *path = strcmp(harm->suffix, "epoch") == 0 ? folder_file(folder, "epoch")
                                                    : folder_nth(folder, harm->suffix, harm->index);
    assert_non_null(path);
    harm->harm(path);
    free(path);
    return folder;
}

static void expect(size_t harm, const char *who, fob_journal_code_t code, const char *text) {
    if (code != harms[harm].code || strstr(text, harms[harm].text) == NULL)
        fail_msg("%s of harm %zu: %d, \"%s\"; expected %d, \"%s\"", who, harm, (int)code, text,
                 (int)harms[harm].code, harms[harm].text);
}

/* --- backup --- */

static void a_copy_is_served_under_another_epoch(void **state) {
    (void)state;
    char *folder = made(), *to = empty_new();
    fob_backup_t done;
    fob_journal_error_t error;
    assert_int_equal(fob_journal_backup(folder, to, &done, &error), FOB_JOURNAL_OK);
    assert_int_equal(done.commits, 12);
    assert_int_equal(done.events, 12);
    assert_int_equal(done.last_offset, 12);
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t epoch = journal->ops->epoch(journal);
    journal->ops->close(&journal);
    options.folder = to;
    journal = open_ok(&options);
    assert_true(journal->ops->epoch(journal) != epoch);
    seen_t seen;
    assert_int_equal(replay_into(journal, &seen, &error), FOB_JOURNAL_OK);
    assert_string_equal(seen.slice_text, "two");
    assert_int_equal(seen.last_offset, 12);
    journal->ops->close(&journal);
    folder_remove(&to);
    folder_remove(&folder);
}

/* A start of the folder: its epoch, and up to where that is as `before`. */
static uint64_t start(const char *folder, uint64_t before, uint64_t *began) {
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t epoch = journal->ops->epoch(journal);
    *began = journal->ops->began(journal, before);
    journal->ops->close(&journal);
    return epoch;
}

static void a_copy_of_a_copy_knows_the_epochs_of_both(void **state) {
    (void)state;
    char *folder = made(), *copy = empty_new(), *other = empty_new();
    fob_backup_t done;
    fob_journal_error_t error;
    uint64_t began, first = start(folder, 0, &began);
    assert_int_equal(fob_journal_backup(folder, copy, &done, &error), FOB_JOURNAL_OK);
    uint64_t second = start(copy, first, &began);
    assert_int_equal(began, 12);
    assert_int_equal(fob_journal_backup(copy, other, &done, &error), FOB_JOURNAL_OK);
    assert_true(start(other, second, &began) != second);
    assert_int_equal(began, 12);
    (void)start(other, first, &began);
    assert_int_equal(began, 12);
    (void)start(other, first + 1000000, &began);
    assert_int_equal(began, 0);
    folder_remove(&other);
    folder_remove(&copy);
    folder_remove(&folder);
}

static void a_damaged_folder_is_never_copied_in_silence(void **state) {
    (void)state;
    for (size_t i = 0; i < HARMS; i++) {
        char *folder = harmed(&harms[i]), *to = empty_new();
        fob_backup_t done;
        fob_journal_error_t error;
        fob_journal_code_t code = fob_journal_backup(folder, to, &done, &error);
        expect(i, "backup", code, error.text);
        folder_remove(&to);
        folder_remove(&folder);
    }
}

static void what_is_no_folder_of_a_bus_is_not_copied(void **state) {
    (void)state;
    char *folder = empty_new(), *to = empty_new();
    fob_backup_t done;
    fob_journal_error_t error;
    assert_int_equal(fob_journal_backup(folder, to, &done, &error), FOB_JOURNAL_DAMAGED);
    assert_non_null(strstr(error.text, "it is no folder of a bus"));
    folder_remove(&folder);
    folder_remove(&to);
}

static void a_copy_is_never_written_over_what_is_there(void **state) {
    (void)state;
    static const char *const suffixes[] = {".ckp", ".seg"};
    for (size_t i = 0; i < 2; i++) {
        char *folder = made(), *to = empty_new();
        char *there = folder_nth(folder, suffixes[i], 0);
        char *same = folder_file(to, strrchr(there, '/') + 1);
        fclose(fopen(same, "w"));
        fob_backup_t done;
        fob_journal_error_t error;
        assert_int_equal(fob_journal_backup(folder, to, &done, &error), FOB_JOURNAL_SYSTEM);
        assert_non_null(strstr(error.text, strerror(EEXIST)));
        assert_non_null(strstr(error.text, same));
        assert_int_equal(file_size(same), 0);
        free(there);
        free(same);
        folder_remove(&folder);
        folder_remove(&to);
    }
}

static void a_copy_into_a_folder_that_is_not_there_is_refused(void **state) {
    (void)state;
    char *folder = made();
    fob_backup_t done;
    fob_journal_error_t error;
    assert_int_equal(fob_journal_backup(folder, "/nowhere/at/all", &done, &error),
                     FOB_JOURNAL_SYSTEM);
    assert_non_null(strstr(error.text, "/nowhere/at/all"));
    folder_remove(&folder);
}

/* --- inspect --- */

static void tell_segment(void *arg, const char *name, uint64_t epoch, uint64_t first_position,
                         uint64_t first_offset, uint64_t used, uint64_t bytes) {
    (void)name, (void)epoch, (void)first_position, (void)first_offset;
    assert_true(used <= bytes);
    ++*(size_t *)arg;
}

static void looking_at_a_damaged_folder_names_the_place(void **state) {
    (void)state;
    for (size_t i = 0; i < HARMS; i++) {
        char *folder = harmed(&harms[i]);
        size_t segments = 0;
        fob_inspect_t to = {.segment = tell_segment, .arg = &segments};
        fob_journal_error_t error;
        fob_journal_code_t code = fob_journal_inspect(folder, &to, &error);
        expect(i, "inspect", code, error.text);
        assert_int_equal(fob_journal_inspect(folder, &to, NULL), code); /* nobody asks why */
        folder_remove(&folder);
    }
}

static void a_start_and_a_rehearsal_refuse_what_is_damaged(void **state) {
    (void)state;
    for (size_t i = 0; i < HARMS; i++) {
        if (harms[i].harm == checkpoint_damaged)
            continue; /* the commits after the one before it are all there */
        char *folder = harmed(&harms[i]);
        seen_t seen = {0};
        fob_replay_t to = {.arg = &seen};
        fob_journal_error_t error;
        fob_journal_code_t code = fob_journal_rehearse(folder, &to, &error);
        assert_int_equal(code, harms[i].code);
        fob_file_options_t options = small_options(folder);
        assert_null(fob_journal_file_open(&options, &error));
        assert_int_equal(error.code, harms[i].code);
        assert_null(fob_journal_file_open(&options, NULL));
        folder_remove(&folder);
    }
}

/* --- salvage --- */

typedef struct {
    uint64_t records, last, slices, losses, lost_first, lost_last;
    const char *stop; /* where to stop it */
    char texts[2048];
} saved_t;

static bool goes_on(const saved_t *self, const char *at) {
    return self->stop == NULL || strcmp(self->stop, at) != 0;
}

static bool save_begin(void *arg, uint64_t epoch, uint64_t checkpoint) {
    (void)checkpoint;
    assert_true(epoch > 0);
    return goes_on(arg, "begin");
}

static bool save_slice(void *arg, const uint8_t *data, size_t size) {
    (void)data, (void)size;
    saved_t *self = arg;
    self->slices++;
    return goes_on(self, "slice");
}

static bool save_record(void *arg, const fob_stored_t *record) {
    saved_t *self = arg;
    assert_true(is_events(record, record->size));
    self->records++;
    self->last = record->position;
    return goes_on(self, "record");
}

static bool save_lost(void *arg, const fob_loss_t *loss) {
    saved_t *self = arg;
    self->losses++;
    if (loss->first != 0) {
        self->lost_first = loss->first;
        self->lost_last = loss->last;
    }
    size_t length = strlen(self->texts);
    snprintf(self->texts + length, sizeof self->texts - length, "%s: %s\n", loss->file, loss->text);
    return goes_on(self, "lost");
}

static fob_journal_code_t save(const char *folder, saved_t *saved, fob_journal_error_t *error) {
    fob_salvage_to_t to = {save_begin, save_slice, save_record, save_lost, saved};
    return fob_journal_salvage(folder, &to, error);
}

static void a_receiver_that_wants_no_more_stops_a_salvage(void **state) {
    (void)state;
    static const char *const stops[] = {"begin", "slice", "record", "lost"};
    for (size_t i = 0; i < 4; i++) {
        char *folder = harmed(&harms[4]);
        saved_t saved = {.stop = stops[i]};
        fob_journal_error_t error;
        assert_int_equal(save(folder, &saved, &error), FOB_JOURNAL_DAMAGED);
        assert_string_equal(error.text, "");
        assert_true(saved.records < 11);
        folder_remove(&folder);
    }
}

static void a_salvage_passes_over_one_damaged_commit_only(void **state) {
    (void)state;
    char *folder = harmed(&harms[4]);
    saved_t saved = {0};
    fob_journal_error_t error;
    assert_int_equal(save(folder, &saved, &error), FOB_JOURNAL_OK);
    assert_int_equal(saved.records, 11);
    assert_int_equal(saved.last, 12);
    assert_int_equal(saved.lost_first, saved.lost_last);
    assert_non_null(strstr(saved.texts, "no whole commit is there"));
    folder_remove(&folder);
}

/* The seed of a segment is in its head, and each commit is checked with it. */
static void a_salvage_finds_the_commits_of_a_segment_whose_seed_has_a_flipped_bit(void **state) {
    (void)state;
    static const uint8_t bits[] = {1, 0x80};
    for (size_t i = 0; i < 16; i++) {
        char *folder = made(), *path = folder_nth(folder, ".seg", 1);
        change(path, offsetof(fob_disk_segment_t, seed) + i / 2, bits[i % 2]);
        saved_t saved = {0};
        fob_journal_error_t error;
        assert_int_equal(save(folder, &saved, &error), FOB_JOURNAL_OK);
        assert_int_equal(saved.records, 12);
        assert_int_equal(saved.last, 12);
        assert_non_null(strstr(saved.texts, "its head is damaged"));
        free(path);
        folder_remove(&folder);
    }
}

static void a_salvage_stops_at_what_a_newer_version_wrote(void **state) {
    (void)state;
    for (size_t i = 0; i < 4; i += 3) {
        char *folder = harmed(&harms[i]);
        saved_t saved = {0};
        fob_journal_error_t error;
        assert_int_equal(save(folder, &saved, &error), FOB_JOURNAL_NEWER);
        assert_non_null(strstr(error.text, "newer version"));
        folder_remove(&folder);
    }
}

static void a_salvage_names_the_segment_that_was_cut_short(void **state) {
    (void)state;
    char *folder = harmed(&harms[6]);
    saved_t saved = {0};
    fob_journal_error_t error;
    assert_int_equal(save(folder, &saved, &error), FOB_JOURNAL_OK);
    assert_int_equal(saved.records, 12);
    assert_non_null(strstr(saved.texts, "the file was cut off"));
    folder_remove(&folder);
}

/* The last whole commit, and all behind it, made zeros: only the epoch file knows of them. */
static void a_salvage_knows_of_commits_that_left_no_trace(void **state) {
    (void)state;
    char *folder = made();
    static const uint8_t zeros[64 * 1024 - FOB_SEGMENT_HEADER_BYTES];
    for (size_t i = 3;; i++) {
        char *path = folder_nth(folder, ".seg", i);
        if (path == NULL)
            break;
        file_write_at(path, FOB_SEGMENT_HEADER_BYTES, zeros, sizeof zeros);
        free(path);
    }
    saved_t saved = {0};
    fob_journal_error_t error;
    assert_int_equal(save(folder, &saved, &error), FOB_JOURNAL_OK);
    assert_int_equal(saved.records, 9); /* three in a segment */
    assert_int_equal(saved.lost_first, 10);
    assert_int_equal(saved.lost_last, 12);
    assert_non_null(strstr(saved.texts, "tells of commits behind the last"));
    folder_remove(&folder);
}

static void a_salvage_misses_the_newest_segments_by_name(void **state) {
    (void)state;
    char *folder = made(), *path;
    while ((path = folder_nth(folder, ".seg", 3)) != NULL) {
        unlink(path);
        free(path);
    }
    saved_t saved = {0};
    fob_journal_error_t error;
    assert_int_equal(save(folder, &saved, &error), FOB_JOURNAL_OK);
    assert_int_equal(saved.records, 9);
    assert_non_null(strstr(saved.texts, "the file is missing"));
    assert_non_null(strstr(saved.texts, "00000000000000000004.seg"));
    folder_remove(&folder);
}

/* Commits whose checksums are right and between which a number is missing. */
static void a_salvage_names_a_number_that_is_nowhere(void **state) {
    (void)state;
    char *folder = harmed(&harms[5]);
    saved_t saved = {0};
    fob_journal_error_t error;
    assert_int_equal(save(folder, &saved, &error), FOB_JOURNAL_OK);
    assert_non_null(strstr(saved.texts, "commits that belong before it are nowhere"));
    folder_remove(&folder);
}

static void a_salvage_goes_on_without_the_epoch_file(void **state) {
    (void)state;
    void (*const ways[])(const char *path) = {epoch_damaged, gone};
    static const char *const texts[] = {"epoch: it is damaged", "epoch: the file is missing"};
    for (size_t i = 0; i < 2; i++) {
        char *folder = made(), *path = folder_file(folder, "epoch");
        ways[i](path);
        saved_t saved = {0};
        fob_journal_error_t error;
        assert_int_equal(save(folder, &saved, &error), FOB_JOURNAL_OK);
        assert_int_equal(saved.records, 12);
        assert_non_null(strstr(saved.texts, texts[i]));
        free(path);
        folder_remove(&folder);
    }
}

static void a_salvage_of_a_damaged_checkpoint_takes_the_commits(void **state) {
    (void)state;
    char *folder = harmed(&harms[9]);
    saved_t saved = {0};
    fob_journal_error_t error;
    assert_int_equal(save(folder, &saved, &error), FOB_JOURNAL_OK);
    assert_int_equal(saved.slices, 0);
    assert_int_equal(saved.records, 12);
    assert_non_null(strstr(saved.texts, ".ckp: it is damaged"));
    folder_remove(&folder);
}

static void a_folder_in_use_or_nowhere_is_not_salvaged(void **state) {
    (void)state;
    char *folder = made();
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    saved_t saved = {0};
    fob_journal_error_t error;
    assert_int_equal(save(folder, &saved, &error), FOB_JOURNAL_IN_USE);
    assert_non_null(strstr(error.text, "in use by a bus"));
    journal->ops->close(&journal);
    assert_int_equal(save("/nowhere/at/all", &saved, &error), FOB_JOURNAL_SYSTEM);
    assert_non_null(strstr(error.text, "/nowhere/at/all"));
    assert_int_equal(saved.records, 0);
    folder_remove(&folder);
}

/* --- folders --- */

static void a_folder_without_a_name_or_with_too_long_a_one_is_not_made(void **state) {
    (void)state;
    char *longest = calloc(1, FOB_PATH_SIZE + 1);
    memset(longest, 'a', FOB_PATH_SIZE);
    errno = 0;
    assert_int_equal(fob_folder_make(fob_disk_real(), ""), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(fob_folder_make(fob_disk_real(), longest), -1);
    assert_int_equal(errno, ENAMETOOLONG);
    assert_false(fob_folder_in_use(fob_disk_real(), "/nowhere/at/all"));
    free(longest);
}

static void a_journal_in_memory_has_bounds_without_being_told(void **state) {
    (void)state;
    fob_journal_t *journal = fob_journal_memory_new(0, 0, 0);
    fob_journal_stats_t stats;
    assert_non_null(journal);
    journal->ops->stats(journal, &stats);
    assert_true(stats.max_bytes >= 1024 * 1024);
    assert_true(stats.free_bytes <= stats.max_bytes);
    assert_false(journal->ops->reserve(journal, SIZE_MAX / 2));
    journal->ops->close(&journal);
    assert_null(journal);
}

FOB_MAIN(FOB_CASE(a_copy_is_served_under_another_epoch),
         FOB_CASE(a_copy_of_a_copy_knows_the_epochs_of_both),
         FOB_CASE(a_damaged_folder_is_never_copied_in_silence),
         FOB_CASE(what_is_no_folder_of_a_bus_is_not_copied),
         FOB_CASE(a_copy_is_never_written_over_what_is_there),
         FOB_CASE(a_copy_into_a_folder_that_is_not_there_is_refused),
         FOB_CASE(looking_at_a_damaged_folder_names_the_place),
         FOB_CASE(a_start_and_a_rehearsal_refuse_what_is_damaged),
         FOB_CASE(a_receiver_that_wants_no_more_stops_a_salvage),
         FOB_CASE(a_salvage_passes_over_one_damaged_commit_only),
         FOB_CASE(a_salvage_finds_the_commits_of_a_segment_whose_seed_has_a_flipped_bit),
         FOB_CASE(a_salvage_stops_at_what_a_newer_version_wrote),
         FOB_CASE(a_salvage_names_the_segment_that_was_cut_short),
         FOB_CASE(a_salvage_knows_of_commits_that_left_no_trace),
         FOB_CASE(a_salvage_misses_the_newest_segments_by_name),
         FOB_CASE(a_salvage_names_a_number_that_is_nowhere),
         FOB_CASE(a_salvage_goes_on_without_the_epoch_file),
         FOB_CASE(a_salvage_of_a_damaged_checkpoint_takes_the_commits),
         FOB_CASE(a_folder_in_use_or_nowhere_is_not_salvaged),
         FOB_CASE(a_folder_without_a_name_or_with_too_long_a_one_is_not_made),
         FOB_CASE(a_journal_in_memory_has_bounds_without_being_told))
