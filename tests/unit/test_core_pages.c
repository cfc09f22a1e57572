/* Pages: what the journal answers a NEED with, and is not what was written there. */
#include "test_core_kit.h"

#include "bus/core/durable/record.h"
#include "bus/core/table/little.h"
#include "tests/support/case.h"

#include <stdlib.h>

static kit_t kit;

static int setup(void **state) {
    (void)state;
    kit_init(&kit, &kit_config);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_books(&kit);
    kit_free(&kit);
    return 0;
}

/* Three events of one batch, 1 to 3, of which 1 came back; then one, 4. They must be read again. */
static const kit_record_t *begin(void) {
    kit_join(&kit, 1, "g", "a", 10);
    kit_publish(&kit, 1, 1, 1, "a", 3);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_RETRY, 1, 1, kit_nth(&kit, 0)[1]);
    kit_publish(&kit, 1, 4, 4, "a", 1);
    kit_crash(&kit, kit.position);
    kit_clear(&kit);
    kit_join(&kit, 2, "g", "a", 10);
    kit_pass(&kit, 3000);
    assert_int_equal(kit_count(&kit, FOB_EFF_NEED), 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_NEED)->need_offset, 1);
    size_t i = 0;
    while (kit.log[i].first_offset != 1)
        i++;
    return &kit.log[i];
}

/* Answers for offsets 1 to 3 with these bytes. */
static void answer(const void *bytes, size_t size) {
    fob_blob_t *blob = fob_blob_copy(fob_slice(bytes, size));
    kit_last(&kit, FOB_EFF_NEED)->seq = 1; /* answered */
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_PAGE,
                                  .page = {blob, fob_blob_slice(blob), 1, 3, 1, true}});
    fob_blob_unref(&blob);
    kit_pages(&kit);
}

/* All three are dead letters, and the one behind them goes out. */
static void expect_damaged(void) {
    fob_group_stats_t stats = kit_stats(&kit, "g");
    assert_int_equal(stats.dead, 3);
    assert_int_equal(kit_delivered(&kit, 2), 1);
    assert_int_equal(kit_nth(&kit, 0)[0], 4);
}

static void a_page_as_it_was_written_is_handed_out(void **state) {
    (void)state;
    const kit_record_t *record = begin();
    answer(record->bytes, record->size);
    assert_int_equal(kit_stats(&kit, "g").dead, 0);
    assert_int_equal(kit_delivered(&kit, 2), 4);
}

static void a_page_of_another_kind_is_damage(void **state) {
    (void)state;
    const kit_record_t *record = begin();
    uint8_t *bytes = malloc(record->size);
    memcpy(bytes, record->bytes, record->size);
    bytes[0] = FOB_RECORD_SEED;
    answer(bytes, record->size);
    free(bytes);
    expect_damaged();
}

static void a_page_of_another_place_is_damage(void **state) {
    (void)state;
    const kit_record_t *record = begin();
    uint8_t *bytes = malloc(record->size);
    memcpy(bytes, record->bytes, record->size);
    fob_put64(bytes + 16, 2);
    answer(bytes, record->size);
    free(bytes);
    expect_damaged();
}

static void a_page_whose_head_counts_other_events_is_damage(void **state) {
    (void)state;
    const kit_record_t *record = begin();
    uint8_t *bytes = malloc(record->size);
    memcpy(bytes, record->bytes, record->size);
    fob_put32(bytes + 4, 2);
    answer(bytes, record->size);
    free(bytes);
    expect_damaged();
}

static void a_page_of_no_events_is_damage(void **state) {
    (void)state;
    const kit_record_t *record = begin();
    uint8_t *bytes = malloc(record->size);
    memcpy(bytes, record->bytes, record->size);
    fob_put32(bytes + 4, 0);
    answer(bytes, FOB_RECORD_EVENTS_SIZE);
    free(bytes);
    expect_damaged();
}

/* A whole event is missing: what is left can be read. */
static void a_page_with_fewer_events_than_its_head_says_is_damage(void **state) {
    (void)state;
    const kit_record_t *record = begin();
    size_t event = (record->size - FOB_RECORD_EVENTS_SIZE) / 3;
    answer(record->bytes, record->size - event);
    expect_damaged();
}

static void a_page_that_ends_within_an_event_is_damage(void **state) {
    (void)state;
    const kit_record_t *record = begin();
    answer(record->bytes, record->size - 1);
    expect_damaged();
}

/* Those with a priority are known without the page; it is known of none twice that it is lost. */
static void events_with_a_priority_die_with_their_page_and_once(void **state) {
    (void)state;
    static const uint8_t priorities[] = {0, 5, 0, 0, 7, 5, 0};
    fob_buf_t body = {0};
    kit_join(&kit, 1, "g", "a", 0);
    for (size_t i = 0; i < sizeof priorities; i++)
        kit_event_with(&body, "a", "", priorities[i], "x", 1);
    kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
    kit_publish(&kit, 1, 8, 8, "a", 2);
    kit_crash(&kit, kit.position);
    kit_clear(&kit);
    for (size_t i = 0; i < kit.log_count; i++)
        kit.log[i].unreadable = kit.log[i].first_offset == 1;
    kit_join(&kit, 2, "g", "a", 10);
    kit_pass(&kit, 3000);
    kit_pages(&kit);
    kit_books(&kit);
    assert_int_equal(kit_stats(&kit, "g").dead, sizeof priorities);
    assert_int_equal(kit_delivered(&kit, 2), 2);
    assert_int_equal(kit_nth(&kit, 0)[0], 8);
}

/* --- what the core is asked for beside the rule --- */

static void a_command_of_no_kind_is_refused(void **state) {
    (void)state;
    assert_int_equal(kit_step(&kit, &(fob_command_t){.kind = (fob_command_kind_t)99}),
                     FOB_PROTOCOL);
    fob_turn_t *none = NULL;
    fob_core_release(kit.core, &none);
    assert_null(fob_core_take(kit.core, kit.now));
}

/* The one who was told to stop is not asked what lies in its open turn. */
static void a_core_may_end_within_a_turn(void **state) {
    (void)state;
    fob_core_t *core = fob_core_new(&kit_config);
    uint8_t session[FOB_SESSION_SIZE] = {7};
    bool known = true;
    fob_buf_t body = {0};
    kit_event(&body, "a", "x", 1);
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    fob_core_start(core, kit.now, 0);
    assert_int_equal(fob_core_session_last(core, session, &known), 0);
    assert_false(known);
    fob_command_t publish = {
        .kind = FOB_CMD_PUBLISH, .conn = 1, .publish = {session, 1, 1, blob, FOB_OK}};
    assert_int_equal(fob_core_step(core, kit.now, &publish), FOB_OK);
    assert_int_equal(fob_core_head(core), 1);
    assert_int_equal(fob_core_session_last(core, session, &known), 1);
    assert_true(known);
    fob_core_destroy(&core);
    assert_null(core);
    fob_core_destroy(&core);
    fob_blob_unref(&blob);
    fob_buf_free(&body);
}

/* --- much at once --- */

#define BIG    200000u
#define GROUPS 10u /* of a mebibyte each in a turn, of which eight go into one */

static void a_turn_hands_out_so_much_and_the_next_goes_on_with_the_others(void **state) {
    (void)state;
    uint8_t *data = calloc(1, BIG);
    char name[2] = "a";
    size_t most = 0;
    fob_core_config_t config = kit_config;
    config.max_event = BIG;
    kit_free(&kit);
    kit_init(&kit, &config);
    for (unsigned i = 0; i < GROUPS; i++) {
        name[0] = (char)('a' + i);
        kit_join(&kit, 1 + i, name, ">", 0);
    }
    for (uint64_t n = 1; n <= 6; n++) {
        fob_buf_t body = {0};
        kit_event(&body, "t", data, BIG);
        kit_publish_body(&kit, 1, n, n, &body, FOB_OK);
    }
    kit_clear(&kit);
    for (unsigned i = 0; i < GROUPS; i++) {
        name[0] = (char)('a' + i);
        assert_int_equal(kit_step(&kit, &(fob_command_t){.kind = FOB_CMD_CREDIT,
                                                         .conn = 1 + i,
                                                         .credit = {fob_slice_str(name), 10}}),
                         FOB_OK);
    }
    kit_take(&kit);
    size_t first = kit_delivered(&kit, 0);
    assert_true(first >= 5 * GROUPS / 2 && first < 6 * GROUPS);
    assert_true(fob_core_deadline(kit.core) <= kit.now.mono_ns);
    kit_settle_down(&kit);
    assert_int_equal(kit_delivered(&kit, 0), 6 * GROUPS);
    for (unsigned i = 0; i < GROUPS; i++)
        most = kit_delivered(&kit, 1 + i) > most ? kit_delivered(&kit, 1 + i) : most;
    assert_int_equal(most, 6);
    free(data);
}

static void a_batch_of_many_topics_is_handed_out_to_those_who_want_them(void **state) {
    (void)state;
    fob_buf_t body = {0};
    char topic[16];
    kit_join(&kit, 1, "g", "a.*", 1000);
    kit_join(&kit, 2, "h", "b.*", 1000);
    for (unsigned i = 0; i < 300; i++) {
        snprintf(topic, sizeof topic, "%c.%u", i % 3 ? 'a' : 'b', i);
        kit_event(&body, topic, "x", 1);
    }
    kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
    assert_int_equal(kit_delivered(&kit, 1), 200);
    assert_int_equal(kit_delivered(&kit, 2), 100);
}

/* Each group stands elsewhere in the journal, and there are places for few pages. */
static void groups_for_whose_pages_there_is_no_place_get_them_later(void **state) {
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    static const uint8_t data[900];
    fob_core_config_t config = kit_config;
    config.cache_bytes = 16000;
    config.page_bytes = 2000;
    kit_free(&kit);
    kit_init(&kit, &config);
    for (unsigned i = 0; i < 6; i++)
        kit_join(&kit, 1 + i, names[i], names[i], 0);
    for (uint64_t n = 1; n <= 60; n++) {
        fob_buf_t body = {0};
        kit_event(&body, n % 10 ? "z" : names[n / 10 - 1], data, sizeof data);
        kit_publish_body(&kit, 1, n, n, &body, FOB_OK);
    }
    kit_crash(&kit, kit.position);
    kit_pass(&kit, 4000);
    kit_clear(&kit);
    for (unsigned i = 0; i < 6; i++) {
        uint8_t session[FOB_SESSION_SIZE] = {(uint8_t)(1 + i)};
        assert_int_equal(kit_step(&kit, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                                         .conn = 11 + i,
                                                         .join = {.session = session,
                                                                  .group = fob_slice_str(names[i]),
                                                                  .credit = 5,
                                                                  .jobs = 1}}),
                         FOB_OK);
    }
    kit_take(&kit);
    kit_pages(&kit);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(kit_delivered(&kit, 11 + i), 1);
}

FOB_MAIN(FOB_CASE_WITH(a_page_as_it_was_written_is_handed_out, setup, teardown),
         FOB_CASE_WITH(a_page_of_another_kind_is_damage, setup, teardown),
         FOB_CASE_WITH(a_page_of_another_place_is_damage, setup, teardown),
         FOB_CASE_WITH(a_page_whose_head_counts_other_events_is_damage, setup, teardown),
         FOB_CASE_WITH(a_page_of_no_events_is_damage, setup, teardown),
         FOB_CASE_WITH(a_page_with_fewer_events_than_its_head_says_is_damage, setup, teardown),
         FOB_CASE_WITH(a_page_that_ends_within_an_event_is_damage, setup, teardown),
         FOB_CASE_WITH(events_with_a_priority_die_with_their_page_and_once, setup, teardown),
         FOB_CASE_WITH(a_batch_of_many_topics_is_handed_out_to_those_who_want_them, setup,
                       teardown),
         FOB_CASE_WITH(groups_for_whose_pages_there_is_no_place_get_them_later, setup, teardown),
         FOB_CASE_WITH(a_command_of_no_kind_is_refused, setup, teardown),
         FOB_CASE_WITH(a_core_may_end_within_a_turn, setup, teardown),
         FOB_CASE_WITH(a_turn_hands_out_so_much_and_the_next_goes_on_with_the_others, setup,
                       teardown))
