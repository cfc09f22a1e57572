/* The wall clock jumps: retention gives back neither too much nor nothing. */
#include "journal_support.h"

#include "bus/journal/format.h"

#include <endian.h>
#include <stdlib.h>
#include <time.h>

#define DAY_MS (24 * 3600 * INT64_C(1000))

static int64_t wall_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

typedef struct {
    const char *folder;
    int64_t by;   /* stamps are moved by so much */
    int64_t last; /* the last one that was found */
    bool went_back;
} stamps_t;

static void see_stamp(void *arg, const char *name, uint64_t at, uint64_t position,
                      uint64_t first_offset, uint32_t count, uint64_t bytes) {
    stamps_t *stamps = arg;
    (void)position, (void)first_offset, (void)count;
    char *path = folder_file(stamps->folder, name);
    uint8_t *data = malloc(bytes), page[FOB_SEGMENT_HEADER_BYTES];
    fob_segment_head_t segment;
    fob_disk_commit_t head;
    file_read_at(path, 0, page, sizeof page);
    assert_int_equal(fob_format_segment_decode(page, &segment), FOB_FOUND_WHOLE);
    file_read_at(path, at, data, bytes);
    memcpy(&head, data, sizeof head);
    int64_t stamp = (int64_t)le64toh((uint64_t)head.wall_ms);
    stamps->went_back = stamps->went_back || stamp < stamps->last;
    stamps->last = stamp;
    if (stamps->by != 0) {
        struct iovec payload = {data + sizeof head, bytes - sizeof head};
        head.wall_ms = (int64_t)htole64((uint64_t)(stamp + stamps->by));
        fob_format_commit_seal(&head, segment.seed, &payload, 1);
        file_write_at(path, at, &head, sizeof head);
    }
    free(data);
    free(path);
}

static stamps_t stamps_of(const char *folder, int64_t by) {
    stamps_t stamps = {.folder = folder, .by = by};
    fob_journal_error_t error;
    fob_inspect_t to = {.commit = see_stamp, .arg = &stamps};
    assert_int_equal(fob_journal_inspect(folder, &to, &error), FOB_JOURNAL_OK);
    return stamps;
}

/* Some segments, all of them below two checkpoints, stamped so far from now. Ended clean. */
static char *stamped_folder(const fob_file_options_t *model, int64_t by, uint64_t *last) {
    char *folder = folder_new();
    fob_file_options_t options = *model;
    options.folder = folder;
    fob_journal_t *journal = open_ok(&options);
    for (uint64_t i = 1; i <= 300; i++)
        *last = put_reserved(journal, i, 1, 1000);
    take_checkpoint(journal, *last - 1, "one");
    take_checkpoint(journal, *last, "two");
    journal->ops->close(&journal);
    stamps_of(folder, by);
    forget_events();
    return folder;
}

static uint64_t first_offset_of(fob_journal_t *journal) {
    fob_journal_stats_t stats;
    journal->ops->stats(journal, &stats);
    return stats.first_offset;
}

static void what_is_stamped_in_the_future_goes_after_its_time_all_the_same(void **state) {
    (void)state;
    uint64_t last;
    fob_file_options_t options = small_options(NULL);
    options.retain_ms = 1000;
    char *folder = stamped_folder(&options, 3650 * DAY_MS, &last);
    options.folder = folder;
    fob_journal_t *journal = open_ok(&options);
    journal->ops->trim(journal, last + 1, wall_ms());
    assert_int_equal(first_offset_of(journal), 1); /* not at once: how old it is nobody knows */
    for (unsigned i = 0; first_offset_of(journal) == 1; i++) {
        assert_true(i < WAIT_MS);
        wait_turn();
        journal->ops->trim(journal, last + 1, wall_ms());
    }
    journal->ops->close(&journal);
    folder_remove(&folder);
}

static void a_clock_that_goes_back_for_a_moment_gives_nothing_back(void **state) {
    (void)state;
    uint64_t last;
    fob_file_options_t options = small_options(NULL);
    char *folder = stamped_folder(&options, -DAY_MS / 2, &last);
    options.folder = folder;
    fob_journal_t *journal = open_ok(&options);
    const int64_t times[] = {0, -3650 * DAY_MS, -DAY_MS, 0, -1000, 0, DAY_MS / 4};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        journal->ops->trim(journal, last + 1, wall_ms() + times[i]);
        assert_int_equal(first_offset_of(journal), 1);
    }
    journal->ops->trim(journal, last + 1, wall_ms() + DAY_MS); /* in its time it goes */
    assert_true(first_offset_of(journal) > 1);
    journal->ops->close(&journal);
    folder_remove(&folder);
}

static void what_is_written_while_the_clock_is_behind_is_not_old_when_it_is_right(void **state) {
    (void)state;
    uint64_t last;
    fob_file_options_t options = small_options(NULL);
    char *folder = stamped_folder(&options, DAY_MS, &last); /* for these the clock now is behind */
    options.folder = folder;
    fob_journal_t *journal = open_ok(&options);
    for (uint64_t i = 0; i < 20; i++)
        assert_true(wait_durable(journal, put_events(journal, 301 + i, 1, 100, true)));
    journal->ops->close(&journal);
    stamps_t stamps = stamps_of(folder, 0);
    assert_false(stamps.went_back);
    assert_true(stamps.last > wall_ms() + DAY_MS / 2);
    forget_events();
    folder_remove(&folder);
}

FOB_MAIN(FOB_CASE(what_is_stamped_in_the_future_goes_after_its_time_all_the_same),
         FOB_CASE(a_clock_that_goes_back_for_a_moment_gives_nothing_back),
         FOB_CASE(what_is_written_while_the_clock_is_behind_is_not_old_when_it_is_right))
