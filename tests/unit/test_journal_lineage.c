/* Which epochs came before this one, and up to where their offsets are the same. */
#include "journal_support.h"

#include "bus/journal/begin.h"
#include "bus/journal/lineage.h"

#include <stdlib.h>
#include <unistd.h>

static void offsets_agree_up_to_the_lowest_beginning_since(void **state) {
    (void)state;
    fob_lineage_t lineage = {0};
    assert_int_equal(fob_lineage_began(&lineage, 0), 0);
    fob_lineage_add(&lineage, 20, 10, 500);
    fob_lineage_add(&lineage, 30, 20, 400);
    fob_lineage_add(&lineage, 40, 30, 900);
    assert_int_equal(fob_lineage_began(&lineage, 0), 900);
    assert_int_equal(fob_lineage_began(&lineage, 40), 900);
    assert_int_equal(fob_lineage_began(&lineage, 30), 900);
    assert_int_equal(fob_lineage_began(&lineage, 20), 400);
    assert_int_equal(fob_lineage_began(&lineage, 10), 400);
    assert_int_equal(fob_lineage_began(&lineage, 5), 0); /* nobody knows */
}

/* It wrote its row and was killed before it took the epoch. */
static void an_epoch_that_was_never_taken_does_not_count(void **state) {
    (void)state;
    fob_lineage_t lineage = {0};
    fob_lineage_add(&lineage, 20, 10, 500);
    fob_lineage_add(&lineage, 30, 20, 100);
    fob_lineage_add(&lineage, 40, 20, 700);
    assert_int_equal(fob_lineage_began(&lineage, 0), 700);
    assert_int_equal(fob_lineage_began(&lineage, 20), 700);
    assert_int_equal(fob_lineage_began(&lineage, 10), 500);
    assert_int_equal(fob_lineage_began(&lineage, 30), 0);
}

static void the_oldest_are_forgotten(void **state) {
    (void)state;
    fob_lineage_t lineage = {0};
    for (uint64_t i = 1; i <= 100; i++)
        fob_lineage_add(&lineage, i + 1, i, 1000 + i);
    assert_int_equal(lineage.count, FOB_LINEAGE_ROWS);
    assert_int_equal(fob_lineage_began(&lineage, 100), 1100);
    assert_int_equal(fob_lineage_began(&lineage, 37), 1037);
    assert_int_equal(fob_lineage_began(&lineage, 36), 0);
}

static void a_file_with_any_byte_changed_or_cut_off_is_empty(void **state) {
    (void)state;
    fob_lineage_t lineage = {0}, read;
    uint8_t data[FOB_LINEAGE_BYTES + 1] = {0};
    fob_lineage_add(&lineage, 20, 10, 500);
    fob_lineage_add(&lineage, 30, 20, 400);
    size_t size = fob_lineage_encode(&lineage, data);
    assert_true(fob_lineage_decode(&read, data, size));
    assert_int_equal(fob_lineage_began(&read, 10), 400);
    for (size_t at = 0; at < size; at++) {
        data[at] ^= 4;
        assert_false(fob_lineage_decode(&read, data, size));
        data[at] ^= 4;
        assert_false(fob_lineage_decode(&read, data, at));
        assert_int_equal(read.count, 0);
    }
    assert_false(fob_lineage_decode(&read, data, size + 1));
}

static void a_journal_knows_up_to_where_its_epoch_is_as_the_one_before(void **state) {
    (void)state;
    char *folder = folder_new();
    fob_file_options_t options = small_options(folder);
    options.sync = FOB_SYNC_OS;
    fob_journal_t *journal = open_ok(&options);
    uint64_t first = journal->ops->epoch(journal);
    assert_int_equal(journal->ops->began(journal, 0), 0);
    assert_true(wait_durable(journal, put_events(journal, 1, 7, 100, true)));
    char *copy = folder_copy(folder); /* as kill -9 leaves it */
    journal->ops->close(&journal);

    options.folder = copy;
    journal = open_ok(&options);
    uint64_t second = journal->ops->epoch(journal);
    assert_true(second > first);
    assert_int_equal(journal->ops->began(journal, 0), 7);
    assert_int_equal(journal->ops->began(journal, first), 7);
    assert_true(wait_durable(journal, put_events(journal, 8, 3, 100, true)));
    journal->ops->close(&journal);

    journal = open_ok(&options); /* a clean end: the same epoch, and it is still known */
    assert_int_equal(journal->ops->epoch(journal), second);
    assert_int_equal(journal->ops->began(journal, 0), 7);
    journal->ops->close(&journal);
    char *path = folder_file(copy, FOB_LINEAGE_NAME);
    assert_int_equal(unlink(path), 0);
    free(path);
    journal = open_ok(&options);
    assert_int_equal(journal->ops->began(journal, first), 0);
    journal->ops->close(&journal);
    forget_events();
    folder_remove(&copy);
    folder_remove(&folder);
}

/* A folder with seven events, and a later one with as many, made from it. */
typedef struct {
    char *from, *to;
    uint64_t epoch; /* of the first */
} descent_t;

static uint64_t write_seven(const char *folder) {
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    uint64_t epoch = journal->ops->epoch(journal);
    assert_true(wait_durable(journal, put_events(journal, 1, 7, 100, true)));
    journal->ops->close(&journal);
    forget_events();
    return epoch;
}

static descent_t descent_begin(void) {
    descent_t self = {.from = folder_new(), .to = folder_new()};
    fob_journal_error_t error;
    self.epoch = write_seven(self.from);
    assert_int_equal(fob_journal_begin(self.to, self.epoch, 0, 0, 0, &error), FOB_JOURNAL_OK);
    assert_true(write_seven(self.to) > self.epoch);
    return self;
}

static uint64_t descent_began(const descent_t *self, uint64_t epoch) {
    fob_file_options_t options = small_options(self->to);
    fob_journal_t *journal = open_ok(&options);
    uint64_t began = journal->ops->began(journal, epoch);
    journal->ops->close(&journal);
    return began;
}

static void descent_end(descent_t *self) {
    folder_remove(&self->from);
    folder_remove(&self->to);
}

static void what_was_copied_from_another_folder_is_the_same(void **state) {
    (void)state;
    descent_t self = descent_begin();
    assert_int_equal(descent_began(&self, self.epoch), 0);
    fob_journal_descend(self.to, self.from, self.epoch, 7);
    assert_int_equal(descent_began(&self, self.epoch), 7);
    assert_int_equal(descent_began(&self, self.epoch - 12345), 0);
    descent_end(&self);
}

static void nothing_is_the_same_where_the_first_folders_epoch_is_not_sure(void **state) {
    (void)state;
    descent_t self = descent_begin();
    fob_journal_descend(self.to, self.from, self.epoch + 1, 7); /* not its epoch */
    assert_int_equal(descent_began(&self, self.epoch), 0);
    char *path = folder_file(self.from, "epoch");
    static const uint8_t zeros[512];
    file_write_at(path, 0, zeros, sizeof zeros); /* one of its two records: which was the newer? */
    free(path);
    fob_journal_descend(self.to, self.from, self.epoch, 7);
    assert_int_equal(descent_began(&self, self.epoch), 0);
    descent_end(&self);
}

static void nothing_is_the_same_as_in_a_folder_it_was_not_made_from(void **state) {
    (void)state;
    descent_t self = descent_begin();
    char *other = folder_new();
    uint64_t epoch = write_seven(other);
    fob_journal_descend(self.to, other, epoch, 7);
    assert_int_equal(descent_began(&self, epoch), 0);
    assert_int_equal(descent_began(&self, self.epoch), 0);
    folder_remove(&other);
    descent_end(&self);
}

/* Somebody put a file back that belongs elsewhere. */
static void what_a_folder_knows_of_another_epoch_is_not_handed_on(void **state) {
    (void)state;
    descent_t self = descent_begin();
    fob_lineage_t lineage = {.count = 0};
    uint8_t data[FOB_LINEAGE_BYTES];
    /* Of the past: an epoch is a time, and later ones come of themselves. */
    fob_lineage_add(&lineage, self.epoch - 55, self.epoch - 77, 3);
    size_t size = fob_lineage_encode(&lineage, data);
    char *path = folder_file(self.from, FOB_LINEAGE_NAME);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    free(path);
    fob_journal_descend(self.to, self.from, self.epoch, 7);
    assert_int_equal(descent_began(&self, self.epoch), 7);
    assert_int_equal(descent_began(&self, self.epoch - 77), 0);
    descent_end(&self);
}

FOB_MAIN(FOB_CASE(offsets_agree_up_to_the_lowest_beginning_since),
         FOB_CASE(an_epoch_that_was_never_taken_does_not_count), FOB_CASE(the_oldest_are_forgotten),
         FOB_CASE(a_file_with_any_byte_changed_or_cut_off_is_empty),
         FOB_CASE(a_journal_knows_up_to_where_its_epoch_is_as_the_one_before),
         FOB_CASE(what_was_copied_from_another_folder_is_the_same),
         FOB_CASE(nothing_is_the_same_where_the_first_folders_epoch_is_not_sure),
         FOB_CASE(nothing_is_the_same_as_in_a_folder_it_was_not_made_from),
         FOB_CASE(what_a_folder_knows_of_another_epoch_is_not_handed_on))
