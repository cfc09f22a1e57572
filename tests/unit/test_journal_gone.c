/* The folder or a file of it goes from under a running journal. */
#include "journal_support.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    char *folder;
    fob_journal_t *journal;
} running_t;

static running_t make_running(void) {
    running_t running = {.folder = folder_new()};
    fob_file_options_t options = small_options(running.folder);
    running.journal = open_ok(&options);
    wait_segments(running.journal, 9);
    assert_true(wait_durable(running.journal, put_events(running.journal, 1, 1, 100, true)));
    return running;
}

/* It fails by itself, saying so, and rings for it. */
static void expect_failed(running_t *running, const char *what) {
    fob_journal_error_t error = {0};
    fob_journal_t *journal = running->journal;
    for (;;) {
        journal->ops->clear(journal);
        if (journal->ops->health(journal, &error) != FOB_JOURNAL_OK)
            break;
        assert_true(wait_news(journal));
    }
    assert_int_equal(error.code, FOB_JOURNAL_FAILED);
    assert_non_null(strstr(error.text, what));
    assert_non_null(strstr(error.text, running->folder));
    assert_null(strstr(journal_log_now(), "nearly full"));
    /* Nothing is confirmed any more. */
    assert_false(journal->ops->reserve(journal, 10));
    uint64_t durable = journal->ops->durable(journal);
    assert_false(wait_durable(journal, put_events(journal, 2, 1, 100, true)));
    assert_int_equal(journal->ops->durable(journal), durable);
    journal->ops->close(&journal);
    forget_events();
}

static void a_removed_folder_stops_the_journal_by_its_name(void **state) {
    (void)state;
    running_t running = make_running();
    char *folder = strdup(running.folder);
    folder_remove(&folder);
    expect_failed(&running, "was removed");
    free(running.folder);
}

static void a_folder_of_the_same_name_is_not_the_same(void **state) {
    (void)state;
    running_t running = make_running();
    char *other = NULL;
    assert_true(asprintf(&other, "%s-moved", running.folder) > 0);
    assert_int_equal(rename(running.folder, other), 0);
    assert_int_equal(mkdir(running.folder, 0700), 0);
    expect_failed(&running, "was removed or replaced");
    folder_remove(&other);
    folder_remove(&running.folder);
}

static void a_removed_segment_that_is_written_to_stops_the_journal_by_its_name(void **state) {
    (void)state;
    running_t running = make_running();
    char *path = folder_nth(running.folder, ".seg", 0);
    assert_int_equal(unlink(path), 0);
    expect_failed(&running, "00000000000000000001.seg was removed");
    free(path);
    folder_remove(&running.folder);
}

/* At once, before anybody had time to look. */
static void never_confirmed(fob_sync_t sync) {
    running_t running = {.folder = folder_new()};
    fob_file_options_t options = small_options(running.folder);
    options.sync = sync;
    running.journal = open_ok(&options);
    wait_segments(running.journal, 9);
    assert_true(wait_durable(running.journal, put_events(running.journal, 1, 1, 100, true)));
    char *folder = strdup(running.folder);
    folder_remove(&folder);
    assert_false(wait_durable(running.journal, put_events(running.journal, 2, 1, 100, true)));
    assert_int_equal(running.journal->ops->durable(running.journal), 1);
    running.journal->ops->close(&running.journal);
    forget_events();
    free(running.folder);
}

static void what_is_written_into_a_removed_folder_is_never_confirmed(void **state) {
    (void)state;
    never_confirmed(FOB_SYNC_ALWAYS);
    never_confirmed(FOB_SYNC_INTERVAL);
    never_confirmed(FOB_SYNC_OS);
}

FOB_MAIN(FOB_CASE(a_removed_folder_stops_the_journal_by_its_name),
         FOB_CASE(a_folder_of_the_same_name_is_not_the_same),
         FOB_CASE(a_removed_segment_that_is_written_to_stops_the_journal_by_its_name),
         FOB_CASE(what_is_written_into_a_removed_folder_is_never_confirmed))
