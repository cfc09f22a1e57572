/* After a start: claims, the resume window, pages read back, checkpoints, damage. */
#include "test_core_kit.h"

#include "tests/support/case.h"

#include <stdlib.h>

static kit_t kit;

static int setup(void **state) {
    (void)state;
    kit_init(&kit, &kit_config);
    kit.hash_turns = true;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_books(&kit);
    kit_free(&kit);
    return 0;
}

static const uint64_t *nth(size_t index) {
    return kit_nth(&kit, index);
}

/* Six events are out with one worker, two are not; then the bus restarts. Returns the first token.
 */
static uint64_t six_out(void) {
    kit_rejoin(&kit, 1, 9, "x", 0, NULL, 0);
    kit_join(&kit, 1, "g", "a", 6);
    kit_publish(&kit, 1, 1, 1, "a", 8);
    uint64_t token = nth(0)[1];
    kit_crash(&kit, kit.position);
    kit_clear(&kit);
    return token;
}

static void what_was_out_may_be_claimed_under_its_token(void **state) {
    (void)state;
    uint64_t token = six_out();
    kit_rejoin(&kit, 2, 9, "g", 0, (const uint64_t[][3]){{1, 6, token}}, 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->row_count, 0);
    assert_int_equal(kit_stats(&kit, "g").leased, 6);
    kit_settle(&kit, 2, "g", 1, FOB_KIND_ACK, 1, 6, token);
    assert_int_equal(kit_stats(&kit, "g").acked, 6);
    kit_pass(&kit, 4000);
    kit_credit(&kit, 2, "g", 10);
    kit_pages(&kit);
    assert_int_equal(kit_delivered(&kit, 2), 2);
    assert_int_equal(nth(0)[0], 7);
    assert_true(nth(0)[1] > token + 5);
}

static void a_claim_is_confirmed_when_its_record_is_durable(void **state) {
    (void)state;
    uint64_t token = six_out();
    kit.manual = true;
    kit_rejoin(&kit, 2, 9, "g", 6, (const uint64_t[][3]){{1, 6, token}}, 1);
    assert_true(kit.synced);
    assert_null(kit_last(&kit, FOB_EFF_JOINED));
    /* Another takes over before that: its answer rests on the same record. */
    kit_rejoin(&kit, 3, 9, "g", 6, (const uint64_t[][3]){{1, 6, token}}, 1);
    assert_null(kit_last(&kit, FOB_EFF_JOINED));
    kit_sync(&kit, kit.position);
    assert_int_equal(kit_count(&kit, FOB_EFF_JOINED), 2);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->row_count, 0);
    assert_int_equal(kit_stats(&kit, "g").leased, 6);
}

static void nobody_gets_what_may_be_out_before_the_window_ends(void **state) {
    (void)state;
    uint64_t token = six_out();
    kit_join(&kit, 3, "g", "a", 100);
    kit_publish(&kit, 1, 9, 9, "a", 1);
    kit_pages(&kit);
    assert_int_equal(kit_delivered(&kit, 3), 1); /* above the mark and the head of then */
    assert_int_equal(nth(0)[0], 9);
    assert_string_equal(kit_stats(&kit, "g").state, "waiting");
    kit_rejoin(&kit, 2, 9, "g", 0, (const uint64_t[][3]){{2, 1, token + 1}}, 1);
    kit_pass(&kit, 2999);
    assert_int_equal(kit_delivered(&kit, 3), 1);
    kit_pass(&kit, 1);
    kit_pages(&kit);
    static const uint64_t offsets[] = {9, 1, 3, 4, 5, 6, 7, 8};
    assert_int_equal(kit_delivered(&kit, 3), 8);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(nth(i)[0], offsets[i]);
        assert_int_equal(nth(i)[2], 1);
        assert_true(nth(i)[1] > token + 5);
    }
}

static void what_was_settled_or_never_out_cannot_be_claimed(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 2);
    kit_publish(&kit, 1, 1, 1, "a", 3);
    uint64_t token = nth(0)[1];
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 1, 1, token);
    kit_crash(&kit, kit.position);
    kit_publish(&kit, 1, 4, 4, "a", 1);
    kit_rejoin(&kit, 2, 9, "g", 0,
               (const uint64_t[][3]){{1, 1, token},
                                     {2, 1, UINT32_MAX}, /* a token that never was */
                                     {4, 1, token + 2},  /* stored since */
                                     {2, 1, token + 1},
                                     {2, 1, token + 1}, /* twice: once is enough */
                                     {2, 1, token}},
               6);
    kit_effect_t *joined = kit_last(&kit, FOB_EFF_JOINED);
    assert_int_equal(joined->row_count, 4);
    static const uint64_t codes[] = {FOB_GONE, FOB_NOT_HELD, FOB_NOT_HELD, FOB_STALE};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(joined->rows[i][0], codes[i]);
    assert_int_equal(kit_stats(&kit, "g").leased, 1);
}

static void a_second_claim_of_the_same_event_is_stale(void **state) {
    (void)state;
    uint64_t token = six_out();
    kit_rejoin(&kit, 2, 9, "g", 0, (const uint64_t[][3]){{1, 2, token}}, 1);
    kit_rejoin(&kit, 3, 8, "g", 0, (const uint64_t[][3]){{1, 1, token}}, 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_JOINED)->rows[0][0], FOB_STALE);
}

static void attempts_outlive_a_restart(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 6);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_lost(&kit, 1); /* attempt 1 ended */
    kit_join(&kit, 2, "g", "a", 6);
    uint64_t token = nth(1)[1];
    kit_crash(&kit, kit.position);
    kit_clear(&kit);
    kit_join(&kit, 3, "g", "a", 6);
    kit_pages(&kit);
    assert_int_equal(kit_delivered(&kit, 3), 0);
    kit_pass(&kit, 3000);
    kit_pages(&kit);
    assert_int_equal(nth(0)[2], 2); /* the second was not counted: it may never have begun */
    assert_true(nth(0)[1] > token);
}

static void a_retry_waits_its_time_over_a_restart(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 6);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_RETRY, 1, 1, nth(0)[1]);
    int64_t wait = fob_core_deadline(kit.core) - kit.now.mono_ns;
    kit_crash(&kit, kit.position);
    kit_clear(&kit);
    assert_int_equal(kit_stats(&kit, "g").delayed, 1);
    kit_join(&kit, 2, "g", "a", 6);
    kit_pass(&kit, wait / FOB_MS - 1);
    kit_pages(&kit);
    assert_int_equal(kit_delivered(&kit, 2), 0);
    kit_pass(&kit, 1);
    kit_pages(&kit);
    assert_int_equal(kit_delivered(&kit, 2), 1);
}

static void a_temporary_group_that_nobody_joins_again_is_removed(void **state) {
    (void)state;
    uint8_t session[FOB_SESSION_SIZE] = {5};
    kit_do(&kit, &(fob_command_t){
                     .kind = FOB_CMD_JOIN,
                     .conn = 1,
                     .join = {session, fob_slice_str("t"), fob_slice_str(">"), true, true, 10, 1}});
    kit_crash(&kit, kit.position);
    kit_pass(&kit, 2999);
    assert_int_equal(fob_core_group_count(kit.core), 1);
    kit_pass(&kit, 1);
    assert_int_equal(fob_core_group_count(kit.core), 0);
}

static void a_sparse_group_passes_over_what_is_not_its_own(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "rare", 10);
    for (uint64_t n = 1; n <= 50; n++)
        kit_publish_topics(&kit, 1, n * 10 - 9, n * 10 - 9, "a b c a b c rare a b c");
    assert_int_equal(kit_delivered(&kit, 1), 10);
    uint64_t first = nth(0)[1];
    for (uint64_t i = 0; i < 10; i++)
        kit_settle(&kit, 1, "g", i + 1, FOB_KIND_ACK, i * 10 + 7, 1, first + i);
    assert_int_equal(fob_core_floor(kit.core), 98);
    kit_crash(&kit, kit.position);
    kit_clear(&kit);
    kit_join(&kit, 2, "g", "rare", 100);
    kit_pass(&kit, 3000);
    kit_pages(&kit);
    assert_int_equal(kit_delivered(&kit, 2), 40);
    assert_int_equal(nth(0)[0], 107);
}

static void a_long_stretch_without_a_match_is_covered(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "rare", 10);
    for (uint64_t n = 0; n < 140; n++)
        kit_publish(&kit, 1, n * 1000 + 1, n * 1000 + 1, "a", 1000);
    assert_true(fob_core_floor(kit.core) > 65536);
    kit_publish_topics(&kit, 1, 140001, 140001, "rare");
    assert_int_equal(kit_delivered(&kit, 1), 1);
    assert_int_equal(nth(0)[0], 140001);
}

static void a_deep_backlog_is_read_back_in_order(void **state) {
    (void)state;
    fob_core_config_t config = kit_config;
    config.cache_bytes = 20000;
    config.page_bytes = 3000;
    kit_free(&kit);
    kit_init(&kit, &config);
    kit_join(&kit, 50, "g", ">", 0);
    for (uint64_t n = 1; n <= 1000; n++)
        kit_publish(&kit, 1, n * 5 - 4, n * 5 - 4, "a", 5);
    fob_core_stats_t stats;
    fob_core_stats(kit.core, &stats);
    assert_true(stats.cache_bytes < 25000);
    kit_credit(&kit, 50, "g", 10000);
    assert_int_equal(kit_delivered(&kit, 0), 0);
    assert_int_equal(kit_count(&kit, FOB_EFF_NEED), 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_NEED)->need_offset, 1);
    kit_pages(&kit);
    assert_int_equal(kit_delivered(&kit, 50), 5000);
    for (size_t i = 0; i < 5000; i += 7)
        assert_int_equal(nth(i)[0], i + 1);
    fob_core_stats(kit.core, &stats);
    assert_true(stats.cache_bytes < 65000);
}

static void the_reserve_is_for_each_event_by_itself(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 6);
    kit_publish(&kit, 1, 1, 1, "a", 8);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 3, 1, nth(2)[1]);
    size_t record = kit.log[kit.log_count - 1].size; /* framed by 80 + 16 bytes on disk */
    /* And a worker with a name of 64 bytes may have to be named. */
    assert_int_equal(fob_core_settle_reserve(kit.core), 7 * (80 + 16 + record + 64));
}

static void a_mark_in_the_middle_of_a_batch_divides_it(void **state) {
    (void)state;
    fob_buf_t body = {0};
    kit_join(&kit, 1, "g", "a", 10);
    /* The mark is 4096 behind the first: the event there is another's, the next one the group's
     * again. */
    for (unsigned i = 1; i <= 6000; i++)
        kit_event(&body, i == 4097 ? "b" : "a", "", 0);
    kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
    kit_crash(&kit, kit.position);
    kit_clear(&kit);
    kit_join(&kit, 2, "g", "a", 10000);
    kit_pages(&kit);
    assert_int_equal(kit_delivered(&kit, 2), 1903);
    assert_int_equal(nth(0)[0], 4098);
    assert_int_equal(nth(1902)[0], 6000);
    kit_pass(&kit, 3000);
    kit_pages(&kit);
    assert_int_equal(kit_delivered(&kit, 2), 5999);
    assert_int_equal(nth(1903)[0], 1);
    assert_int_equal(nth(5998)[0], 4096);
}

static void what_is_not_durable_is_never_asked_for(void **state) {
    (void)state;
    fob_core_config_t config = kit_config;
    config.cache_bytes = 2000;
    kit_free(&kit);
    kit_init(&kit, &config);
    kit_join(&kit, 50, "g", ">", 0);
    kit.manual = true;
    for (uint64_t n = 1; n <= 100; n++)
        kit_publish(&kit, 1, n * 5 - 4, n * 5 - 4, "a", 5);
    kit_credit(&kit, 50, "g", 1000);
    assert_int_equal(kit_count(&kit, FOB_EFF_NEED), 0);
    kit_sync(&kit, kit.position);
    assert_int_equal(kit_delivered(&kit, 50), 500);
    fob_core_stats_t stats;
    fob_core_stats(kit.core, &stats);
    assert_true(stats.cache_bytes < 4000); /* now they may go */
}

static void what_cannot_be_read_is_dead_and_counted(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 2);
    kit_publish_topics(&kit, 1, 1, 1, "a b a");
    kit_publish_topics(&kit, 1, 4, 4, "a a b");
    kit_publish_topics(&kit, 1, 7, 7, "b a");
    uint64_t token = nth(0)[1];
    kit_settle(&kit, 1, "g", 1, FOB_KIND_RETRY, 1, 1, token);
    kit_crash(&kit, kit.position);
    kit_clear(&kit);
    for (size_t i = 0; i < kit.log_count; i++)
        kit.log[i].unreadable = kit.log[i].first_offset == 1 || kit.log[i].first_offset == 4;
    kit_join(&kit, 2, "g", "a", 100);
    kit_pass(&kit, 3000);
    kit_pages(&kit);
    assert_int_equal(kit_delivered(&kit, 2), 1);
    assert_int_equal(nth(0)[0], 8);
    fob_group_stats_t stats = kit_stats(&kit, "g");
    assert_int_equal(stats.dead, 4);
    assert_int_equal(stats.ready, 0);
    assert_int_equal(stats.leased, 1);
}

static void a_page_nobody_asked_for_is_ignored(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 2);
    kit_publish(&kit, 1, 1, 1, "a", 3);
    kit_page(&kit, 1, 100);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_PAGE_ABSENT, .absent = {1, 3, 1}});
    assert_int_equal(kit_delivered(&kit, 1), 2);
    assert_int_equal(kit_stats(&kit, "g").dead, 0);
}

static void a_checkpoint_and_the_rest_give_the_same_state(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 6);
    kit_join(&kit, 2, "other", "*.x", 6);
    for (uint8_t s = 1; s < 20; s++)
        kit_publish_topics(&kit, s, 1, 1, "a b.x a c.x");
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 3, 1, nth(0)[1] + 1);
    kit_settle(&kit, 1, "g", 2, FOB_KIND_REJECT, 1, 1, nth(0)[1]);
    kit_lost(&kit, 1);
    kit_checkpoint(&kit);
    assert_true(kit.slice_count >= 1);
    kit_publish_topics(&kit, 1, 5, 5, "a b.x a c.x");
    kit_settle(&kit, 2, "other", 1, FOB_KIND_ACK, 2, 1, 1);
    /* Only what came after the checkpoint is still in the journal. */
    size_t kept = 0;
    for (size_t i = 0; i < kit.log_count; i++) {
        if (kit.log[i].position > kit.checkpoint_position)
            kit.log[kept++] = kit.log[i];
        else
            free(kit.log[i].bytes);
    }
    kit.log_count = kept;
    kit_crash(&kit, kit.position); /* compares the hashes */
}

static void a_checkpoint_of_nonsense_is_refused(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 6);
    kit_publish(&kit, 1, 1, 1, "a", 8);
    kit_lost(&kit, 1);
    kit_checkpoint(&kit);
    assert_int_equal(kit.slice_count, 5);
    for (size_t s = 0; s < kit.slice_count; s++) {
        fob_slice_t whole = fob_buf_slice(&kit.slices[s]);
        for (size_t cut = 0; cut <= whole.size; cut++) {
            fob_core_t *core = fob_core_new(&kit_config);
            for (size_t i = 0; i < s; i++)
                assert_int_equal(fob_core_load(core, fob_buf_slice(&kit.slices[i])), FOB_OK);
            uint8_t *bytes = malloc(whole.size + 1); /* the last time, one byte too many */
            memcpy(bytes, whole.data, whole.size);
            bytes[whole.size] = 0;
            size_t size = cut < whole.size ? cut : whole.size + 1;
            assert_int_equal(fob_core_load(core, fob_slice(bytes, size)), FOB_DAMAGED);
            assert_true(strlen(fob_core_error(core)) > 0);
            fob_core_destroy(&core);
            free(bytes);
        }
    }
    /* One that is not whole, or whose slices are not in order. */
    fob_core_t *core = fob_core_new(&kit_config);
    assert_int_equal(fob_core_load(core, fob_buf_slice(&kit.slices[1])), FOB_DAMAGED);
    assert_int_equal(fob_core_load(core, fob_buf_slice(&kit.slices[0])), FOB_OK);
    assert_int_equal(fob_core_load(core, fob_buf_slice(&kit.slices[0])), FOB_DAMAGED);
    assert_int_equal(fob_core_load(core, fob_buf_slice(&kit.slices[2])), FOB_DAMAGED);
    const kit_record_t *last = &kit.log[kit.log_count - 1];
    assert_int_equal(fob_core_replay(core, 99, fob_slice(last->bytes, last->size)), FOB_DAMAGED);
    assert_string_equal(fob_core_error(core), "the checkpoint has no end");
    fob_core_destroy(&core);
}

static void a_record_that_does_not_fit_is_refused(void **state) {
    (void)state;
    kit_join(&kit, 1, "g", "a", 6);
    kit_publish(&kit, 1, 1, 1, "a", 8);
    kit_lost(&kit, 1);
    for (size_t skip = 0; skip + 1 < kit.log_count; skip++) {
        fob_core_t *core = fob_core_new(&kit_config);
        fob_status_t status = FOB_OK;
        for (size_t i = 0; i < kit.log_count && status == FOB_OK; i++) {
            const kit_record_t *r = &kit.log[i];
            if (i != skip)
                status = fob_core_replay(core, r->position, fob_slice(r->bytes, r->size));
        }
        /* Without its group nothing fits, without its events no settle, without its mark no token
         * that comes back; settings are missed by nobody, being as these defaults. */
        uint8_t kind = kit.log[skip].bytes[0];
        assert_int_equal(status, kind == 7 ? FOB_OK : FOB_DAMAGED);
        fob_core_destroy(&core);
    }
    fob_core_t *core = fob_core_new(&kit_config);
    static const uint8_t unknown[16] = {99};
    assert_int_equal(fob_core_replay(core, 1, fob_slice(unknown, sizeof unknown)),
                     FOB_FOLDER_NEWER);
    assert_string_equal(fob_core_error(core), "commit 1: a record of a kind that only a newer "
                                              "version of fob knows; use that one");
    static const uint8_t none[16] = {0};
    assert_int_equal(fob_core_replay(core, 2, fob_slice(none, sizeof none)), FOB_DAMAGED);
    assert_string_equal(fob_core_error(core), "commit 2: a record of no kind");
    fob_core_destroy(&core);
}

FOB_MAIN(FOB_CASE_WITH(what_was_out_may_be_claimed_under_its_token, setup, teardown),
         FOB_CASE_WITH(a_claim_is_confirmed_when_its_record_is_durable, setup, teardown),
         FOB_CASE_WITH(nobody_gets_what_may_be_out_before_the_window_ends, setup, teardown),
         FOB_CASE_WITH(what_was_settled_or_never_out_cannot_be_claimed, setup, teardown),
         FOB_CASE_WITH(a_second_claim_of_the_same_event_is_stale, setup, teardown),
         FOB_CASE_WITH(attempts_outlive_a_restart, setup, teardown),
         FOB_CASE_WITH(a_retry_waits_its_time_over_a_restart, setup, teardown),
         FOB_CASE_WITH(a_temporary_group_that_nobody_joins_again_is_removed, setup, teardown),
         FOB_CASE_WITH(a_sparse_group_passes_over_what_is_not_its_own, setup, teardown),
         FOB_CASE_WITH(a_long_stretch_without_a_match_is_covered, setup, teardown),
         FOB_CASE_WITH(a_deep_backlog_is_read_back_in_order, setup, teardown),
         FOB_CASE_WITH(the_reserve_is_for_each_event_by_itself, setup, teardown),
         FOB_CASE_WITH(a_mark_in_the_middle_of_a_batch_divides_it, setup, teardown),
         FOB_CASE_WITH(what_is_not_durable_is_never_asked_for, setup, teardown),
         FOB_CASE_WITH(what_cannot_be_read_is_dead_and_counted, setup, teardown),
         FOB_CASE_WITH(a_page_nobody_asked_for_is_ignored, setup, teardown),
         FOB_CASE_WITH(a_checkpoint_and_the_rest_give_the_same_state, setup, teardown),
         FOB_CASE_WITH(a_checkpoint_of_nonsense_is_refused, setup, teardown),
         FOB_CASE_WITH(a_record_that_does_not_fit_is_refused, setup, teardown))
