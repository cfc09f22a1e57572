/* A folder whose checkpoint is whole and that no bus wrote: slices of later moments than its head,
 * which the commits behind it do not lead to. A start refuses it, so does a try, and a salvage
 * makes it one that a bus serves. */
#include "bus/core/durable/checkpoint.h"
#include "bus/core/state.h"
#include "bus/core/table/little.h"
#include "bus/ledger/ledger.h"
#include "bus/salvage/salvage.h"
#include "journal_support.h"
#include "test_core_kit.h"

#include <string.h>

#define EVENTS 6
#define WHY    "the checkpoint does not fit the commits that follow it"

static char *folder;
static kit_t kit;

/* --- the folder --- */

static void write_commits(fob_journal_t *journal) {
    for (size_t i = 0, next; i < kit.log_count; i = next) {
        fob_entry_t entries[16];
        size_t count = 0;
        for (next = i; next < kit.log_count && kit.log[next].position == kit.log[i].position;) {
            const kit_record_t *record = &kit.log[next++];
            assert_true(count < 16);
            entries[count++] = (fob_entry_t){
                record->first_offset, record->count, 1, {{record->bytes, record->size}}};
        }
        while (!journal->ops->reserve(journal, 4096))
            assert_true(wait_news(journal));
        assert_int_equal(journal->ops->append(journal, entries, count, true), kit.log[i].position);
    }
    assert_true(wait_durable(journal, kit.position));
}

/* Behind its head all slices are of a later moment. */
static void write_checkpoint(fob_journal_t *journal) {
    fob_buf_t slice = {0};
    fob_journal_stats_t stats = {0};
    assert_int_equal(journal->ops->checkpoint_begin(journal, kit.position), FOB_JOURNAL_OK);
    fob_core_checkpoint_begin(kit.core);
    while (fob_core_checkpoint_next(kit.core, &slice)) {
        if (slice.data[8] != FOB_UNIT_HEAD)
            fob_put64(slice.data + 16, fob_get64(slice.data + 16) + 1);
        assert_int_equal(journal->ops->checkpoint_slice(journal, slice.data, slice.size),
                         FOB_JOURNAL_OK);
    }
    fob_buf_free(&slice);
    assert_int_equal(journal->ops->checkpoint_finish(journal), FOB_JOURNAL_OK);
    while (stats.checkpoint_position != kit.position) {
        wait_turn();
        journal->ops->stats(journal, &stats);
    }
}

/* Of a group that goes on at `skip_to`, with a worker that has all events. */
static void write_folder(uint64_t skip_to) {
    fob_file_options_t options = small_options(folder);
    fob_journal_t *journal = open_ok(&options);
    kit_init(&kit, &kit_config);
    kit_join(&kit, 1, "billing", ">", 10);
    kit_publish(&kit, 1, 1, 1, "a", EVENTS);
    kit_settle(&kit, 1, "billing", 1, FOB_KIND_ACK, 1, 1,
               kit_last(&kit, FOB_EFF_DELIVER)->rows[0][1]);
    fob_groups_find(&kit.core->groups, fob_slice_str("billing"))->skip_to = skip_to;
    write_commits(journal);
    write_checkpoint(journal);
    journal->ops->close(&journal);
    kit_free(&kit);
}

static int setup(void **state) {
    (void)state;
    folder = folder_new();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    folder_remove(&folder);
    return 0;
}

/* --- cases --- */

static fob_status_t start(const char *of, char *text, size_t size) {
    fob_status_t status;
    fob_file_options_t options = small_options(of);
    fob_ledger_t *ledger = fob_ledger_new(open_ok(&options), &kit_config,
                                          (fob_now_t){.mono_ns = FOB_SEC, .wall_ms = 1700000000000},
                                          NULL, NULL, &status, text, size);
    assert_true((ledger != NULL) == (status == FOB_OK));
    if (ledger)
        fob_ledger_destroy(&ledger);
    return status;
}

static void what_the_commits_lead_to_is_started_from(void **state) {
    char text[512];
    fob_journal_error_t error;
    (void)state;
    write_folder(EVENTS + 1);
    assert_int_equal(fob_salvage_try(folder, NULL, &error), FOB_JOURNAL_OK);
    assert_int_equal(start(folder, text, sizeof text), FOB_OK);
}

static void what_no_commits_lead_to_is_refused_and_salvaged(void **state) {
    char text[512] = "", *to = folder_new();
    const fob_salvage_news_t news = {.lost = NULL};
    fob_salvaged_t out;
    fob_journal_error_t error = {.text = ""};
    (void)state;
    write_folder(EVENTS + 2);
    assert_int_equal(start(folder, text, sizeof text), FOB_DAMAGED);
    assert_string_equal(text, "the journal cannot be replayed: " WHY);
    assert_int_equal(fob_salvage_try(folder, NULL, &error), FOB_JOURNAL_DAMAGED);
    assert_int_equal(error.code, FOB_JOURNAL_DAMAGED);
    assert_string_equal(error.text, "The journal cannot be replayed: " WHY ".");
    assert_int_equal(fob_salvage(folder, to, &news, &out, &error), FOB_JOURNAL_OK);
    assert_true(out.anew);
    assert_int_equal(out.losses, 0);
    assert_int_equal(out.events, EVENTS);
    assert_int_equal(fob_salvage_try(to, NULL, &error), FOB_JOURNAL_OK);
    assert_int_equal(start(to, text, sizeof text), FOB_OK);
    folder_remove(&to);
}

FOB_MAIN(FOB_CASE_WITH(what_the_commits_lead_to_is_started_from, setup, teardown),
         FOB_CASE_WITH(what_no_commits_lead_to_is_refused_and_salvaged, setup, teardown))
