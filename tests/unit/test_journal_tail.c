/* Every kind of end a journal can be found with: torn tails are cut, damage is refused. */
#include "journal_disk.h"
#include "journal_support.h"

#include "bus/journal/format.h"

#include <stdlib.h>
#include <unistd.h>

#define COMMITS 3

/* A folder as a kill leaves it, with COMMITS commits, each durable before the next was written, and
 * where these are in its one segment with commits. */
typedef struct {
    char *folder, *segment;
    uint64_t at[COMMITS + 1]; /* the last: the end */
    uint8_t bytes[1024];      /* of all commits */
} killed_t;

static void note_commit(void *arg, const char *name, uint64_t at, uint64_t position,
                        uint64_t first_offset, uint32_t count, uint64_t bytes) {
    killed_t *killed = arg;
    (void)name, (void)first_offset, (void)count;
    assert_in_range(position, 1, COMMITS);
    killed->at[position - 1] = at;
    killed->at[position] = at + bytes;
}

static fob_file_options_t tiny_options(const char *folder) {
    fob_file_options_t options = small_options(folder);
    options.max_bytes = 512 * 1024; /* few segments made ahead */
    return options;
}

static killed_t make_killed(void) {
    killed_t killed = {0};
    fob_journal_error_t error;
    char *folder = folder_new();
    fob_file_options_t options = tiny_options(folder);
    fob_journal_t *journal = open_ok(&options);
    wait_segments(journal, 3); /* the epoch file is quiet then */
    for (uint64_t i = 1; i <= COMMITS; i++)
        assert_true(wait_durable(journal, put_events(journal, i, 1, 37, true)));
    killed.folder = folder_copy(folder);
    journal->ops->close(&journal);
    folder_remove(&folder);
    forget_events();
    fob_inspect_t to = {.commit = note_commit, .arg = &killed};
    assert_int_equal(fob_journal_inspect(killed.folder, &to, &error), FOB_JOURNAL_OK);
    killed.segment = folder_nth(killed.folder, ".seg", 0);
    assert_int_equal(killed.at[0], FOB_SEGMENT_HEADER_BYTES);
    file_read_at(killed.segment, killed.at[0], killed.bytes, killed.at[COMMITS] - killed.at[0]);
    return killed;
}

static void killed_free(killed_t *killed) {
    free(killed->segment);
    folder_remove(&killed->folder);
}

/* Puts the commits back as they were, and the epoch file to an unclean end. */
static void restore(const killed_t *killed) {
    uint8_t zeros[2048] = {0};
    file_write_at(killed->segment, killed->at[COMMITS], zeros, sizeof zeros);
    file_write_at(killed->segment, killed->at[0], killed->bytes,
                  killed->at[COMMITS] - killed->at[0]);
    epoch_forget(killed->folder);
}

/* Opens: so many commits are there, and it works on. */
static void expect_commits(const killed_t *killed, uint64_t commits, bool torn) {
    seen_t seen;
    journal_log[0] = '\0';
    fob_file_options_t options = tiny_options(killed->folder);
    fob_journal_t *journal = open_ok(&options);
    assert_int_equal(replay_into(journal, &seen, NULL), FOB_JOURNAL_OK);
    assert_int_equal(seen.records, commits);
    assert_int_equal(seen.last_offset, commits);
    assert_int_equal(strstr(journal_log, "torn tail") != NULL, torn);
    journal->ops->close(&journal);
}

static void expect_damage(const killed_t *killed, uint64_t at) {
    fob_journal_error_t error;
    char byte[32];
    fob_file_options_t options = tiny_options(killed->folder);
    assert_null(fob_journal_file_open(&options, &error));
    assert_int_equal(error.code, FOB_JOURNAL_DAMAGED);
    snprintf(byte, sizeof byte, "byte %llu:", (unsigned long long)at);
    assert_non_null(strstr(error.text, "00000000000000000001.seg"));
    assert_non_null(strstr(error.text, byte));
    /* And the tool says the same. */
    fob_inspect_t to = {0};
    assert_int_equal(fob_journal_inspect(killed->folder, &to, &error), FOB_JOURNAL_DAMAGED);
    assert_non_null(strstr(error.text, byte));
}

static void a_last_commit_cut_at_any_byte_is_cut_off(void **state) {
    (void)state;
    killed_t killed = make_killed();
    uint64_t from = killed.at[COMMITS - 1], end = killed.at[COMMITS];
    uint8_t zeros[512] = {0};
    for (uint64_t cut = from; cut <= end; cut++) {
        restore(&killed);
        file_write_at(killed.segment, cut, zeros, end - cut);
        bool whole = true, nothing = true;
        for (uint64_t i = from; i < end; i++) {
            uint8_t byte = killed.bytes[i - killed.at[0]];
            whole = whole && (i < cut || byte == 0);
            nothing = nothing && (i >= cut || byte == 0);
        }
        expect_commits(&killed, whole ? COMMITS : COMMITS - 1, !whole && !nothing);
    }
    killed_free(&killed);
}

static void a_bit_flipped_anywhere_in_the_last_commit_is_a_torn_tail(void **state) {
    (void)state;
    killed_t killed = make_killed();
    for (uint64_t at = killed.at[COMMITS - 1]; at < killed.at[COMMITS]; at++) {
        uint8_t byte = killed.bytes[at - killed.at[0]] ^ (uint8_t)(1u << (at % 8));
        restore(&killed);
        file_write_at(killed.segment, at, &byte, 1);
        expect_commits(&killed, COMMITS - 1, true);
    }
    killed_free(&killed);
}

static void a_bit_flipped_below_a_later_mark_is_damage(void **state) {
    (void)state;
    killed_t killed = make_killed();
    for (uint64_t at = killed.at[0]; at < killed.at[COMMITS - 1]; at++) {
        uint8_t byte = killed.bytes[at - killed.at[0]] ^ (uint8_t)(1u << (at % 8));
        restore(&killed);
        file_write_at(killed.segment, at, &byte, 1);
        expect_damage(&killed, at < killed.at[1] ? killed.at[0] : killed.at[1]);
    }
    restore(&killed);
    expect_commits(&killed, COMMITS, false);
    killed_free(&killed);
}

static void after_a_clean_end_even_the_last_commit_must_be_whole(void **state) {
    (void)state;
    killed_t killed = make_killed();
    expect_commits(&killed, COMMITS, false); /* opens and ends clean */
    uint8_t byte = 0xff;
    file_write_at(killed.segment, killed.at[COMMITS] - 1, &byte, 1);
    expect_damage(&killed, killed.at[COMMITS - 1]);
    killed_free(&killed);
}

static void a_tail_that_was_cut_never_comes_back(void **state) {
    (void)state;
    /* Three commits in one batch, none proved durable by another, the first of them bad. */
    char *folder = folder_new();
    test_disk_t disk;
    test_disk_init(&disk);
    fob_file_options_t options = tiny_options(folder);
    options.disk = &disk.table;
    fob_journal_t *journal = open_ok(&options);
    wait_segments(journal, 3);
    test_disk_set(&disk, hold_syncs, true);
    put_events(journal, 1, 1, 40, true);
    assert_true(test_disk_wait_held(&disk));
    for (uint64_t i = 2; i <= 4; i++)
        put_events(journal, i, 1, 40, true);
    test_disk_set(&disk, hold_syncs, false);
    assert_true(wait_durable(journal, 4));
    killed_t killed = {.folder = folder_copy(folder)};
    journal->ops->close(&journal);
    killed.segment = folder_nth(killed.folder, ".seg", 0);
    uint8_t byte = 0x55;
    uint64_t total = sizeof(fob_disk_commit_t) + sizeof(fob_disk_entry_t) + 40;
    file_write_at(killed.segment, FOB_SEGMENT_HEADER_BYTES + total + 100, &byte, 1);

    options.folder = killed.folder;
    options.disk = NULL;
    journal = open_ok(&options);
    assert_int_equal(journal->ops->durable(journal), 1);
    assert_non_null(strstr(journal_log, "torn tail"));
    /* As long as the one that was cut, so that the next old one would stand right behind it. */
    assert_true(wait_durable(journal, put_events(journal, 2, 1, 40, true)));
    char *again = folder_copy(killed.folder);
    journal->ops->close(&journal);
    options.folder = again;
    journal = open_ok(&options);
    assert_int_equal(journal->ops->durable(journal), 2);
    journal->ops->close(&journal);
    folder_remove(&again);
    killed_free(&killed);
    forget_events();
    folder_remove(&folder);
}

static void bytes_of_another_segment_are_no_commits_of_this_one(void **state) {
    (void)state;
    killed_t killed = make_killed(), other = make_killed();
    /* The other journal's third commit, where this one's third was: all is right but the segment's
     * seed. */
    file_write_at(killed.segment, killed.at[COMMITS - 1],
                  other.bytes + (other.at[COMMITS - 1] - other.at[0]),
                  other.at[COMMITS] - other.at[COMMITS - 1]);
    expect_commits(&killed, COMMITS - 1, true);
    killed_free(&killed);
    killed_free(&other);
}

static void a_damaged_head_of_a_segment_is_refused_by_name(void **state) {
    (void)state;
    killed_t killed = make_killed();
    uint8_t head[FOB_SEGMENT_HEADER_BYTES], byte;
    file_read_at(killed.segment, 0, head, sizeof head);
    for (size_t at = 0; at < sizeof head; at += at < 80 ? 1 : 251) {
        byte = head[at] ^ 4;
        file_write_at(killed.segment, at, &byte, 1);
        expect_damage(&killed, 0);
        file_write_at(killed.segment, at, &head[at], 1);
    }
    expect_commits(&killed, COMMITS, false);
    killed_free(&killed);
}

static void a_damaged_epoch_file_is_refused_by_name(void **state) {
    (void)state;
    killed_t killed = make_killed();
    fob_journal_error_t error;
    char *path = folder_file(killed.folder, "epoch");
    fob_file_options_t options = tiny_options(killed.folder);
    uint8_t data[sizeof(fob_disk_epoch_t)], byte;
    file_write_at(path, FOB_EPOCH_SLOT, "both of its records", 19);
    file_read_at(path, 0, data, sizeof data);
    for (size_t at = 0; at < sizeof data; at++) {
        byte = data[at] ^ 1;
        file_write_at(path, at, &byte, 1);
        assert_null(fob_journal_file_open(&options, &error));
        assert_int_equal(error.code, FOB_JOURNAL_DAMAGED);
        assert_non_null(strstr(error.text, "/epoch"));
        file_write_at(path, at, &data[at], 1);
    }
    free(path);
    killed_free(&killed);
}

static void missing_segments_are_damage_where_a_checkpoint_proves_them(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_journal_error_t error;
    fob_file_options_t options = tiny_options(folder);
    fob_journal_t *journal = open_ok(&options);
    assert_true(wait_durable(journal, put_events(journal, 1, 1, 40, true)));
    take_checkpoint(journal, 1, "one");
    journal->ops->close(&journal);
    for (char *path; (path = folder_nth(folder, ".seg", 0)) != NULL; free(path))
        unlink(path);
    assert_null(fob_journal_file_open(&options, &error));
    assert_int_equal(error.code, FOB_JOURNAL_DAMAGED);
    forget_events();
    folder_remove(&folder);
}

static void a_segment_that_was_cut_short_is_damage_at_any_length(void **state) {
    (void)state;
    killed_t killed = make_killed();
    uint64_t size = file_size(killed.segment);
    for (uint64_t length = size - 1; length >= 128; length -= length > 8192 ? 997 : 61) {
        assert_int_equal(truncate(killed.segment, (off_t)length), 0);
        expect_damage(&killed, length >= FOB_SEGMENT_HEADER_BYTES ? length : 0);
    }
    killed_free(&killed);
}

/* A spare too: it was made at full size, and something took of it. */
static void a_spare_that_was_cut_short_is_named(void **state) {
    (void)state;
    killed_t killed = make_killed();
    fob_journal_error_t error;
    fob_file_options_t options = tiny_options(killed.folder);
    char *spare = folder_nth(killed.folder, ".seg", 2);
    assert_int_equal(truncate(spare, 5000), 0);
    assert_null(fob_journal_file_open(&options, &error));
    assert_int_equal(error.code, FOB_JOURNAL_DAMAGED);
    assert_non_null(strstr(error.text, strrchr(spare, '/') + 1));
    assert_non_null(strstr(error.text, "byte 5000:"));
    free(spare);
    killed_free(&killed);
}

/* What a kill leaves of a segment that was just being made has another name. */
static void a_segment_that_was_half_made_is_none(void **state) {
    (void)state;
    killed_t killed = make_killed();
    char *tmp = folder_file(killed.folder, "00000000000000000004.seg.tmp");
    FILE *file = fopen(tmp, "w");
    assert_non_null(file);
    fputs("not yet", file);
    fclose(file);
    fob_inspect_t to = {0};
    fob_journal_error_t error;
    assert_int_equal(fob_journal_inspect(killed.folder, &to, &error), FOB_JOURNAL_OK);
    expect_commits(&killed, COMMITS, false);
    assert_int_not_equal(access(tmp, F_OK), 0);
    free(tmp);
    killed_free(&killed);
}

FOB_MAIN(FOB_CASE(a_last_commit_cut_at_any_byte_is_cut_off),
         FOB_CASE(a_bit_flipped_anywhere_in_the_last_commit_is_a_torn_tail),
         FOB_CASE(a_bit_flipped_below_a_later_mark_is_damage),
         FOB_CASE(after_a_clean_end_even_the_last_commit_must_be_whole),
         FOB_CASE(a_tail_that_was_cut_never_comes_back),
         FOB_CASE(bytes_of_another_segment_are_no_commits_of_this_one),
         FOB_CASE(a_damaged_head_of_a_segment_is_refused_by_name),
         FOB_CASE(a_damaged_epoch_file_is_refused_by_name),
         FOB_CASE(missing_segments_are_damage_where_a_checkpoint_proves_them),
         FOB_CASE(a_segment_that_was_cut_short_is_damage_at_any_length),
         FOB_CASE(a_spare_that_was_cut_short_is_named),
         FOB_CASE(a_segment_that_was_half_made_is_none))
