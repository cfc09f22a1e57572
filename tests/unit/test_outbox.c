#include "tests/support/case.h"

#include "bus/ledger/outbox.h"

#include <stdlib.h>

/* A turn as the core would lend it, made by hand. */
typedef struct {
    fob_turn_t turn;
    fob_record_t record;
    fob_effect_t effects[4];
} made_t;

static made_t *make(uint64_t position, uint64_t first_offset, uint32_t count) {
    made_t *made = calloc(1, sizeof *made);
    assert_non_null(made);
    made->record = (fob_record_t){.first_offset = first_offset, .count = count};
    made->turn = (fob_turn_t){.position = position,
                              .records = &made->record,
                              .record_count = position ? 1 : 0,
                              .bytes = position ? 100 : 0,
                              .effects = made->effects};
    return made;
}

static made_t *with(made_t *made, fob_effect_kind_t kind, uint64_t conn, uint64_t after,
                    uint64_t seq) {
    assert_true(made->turn.effect_count < 4);
    made->effects[made->turn.effect_count++] =
        (fob_effect_t){.kind = kind, .conn = conn, .after = after, .seq = seq};
    return made;
}

static void put(fob_outbox_t *outbox, made_t *made) {
    assert_true(fob_outbox_put(outbox, &made->turn));
}

/* The next effect's mark; 0: none may come out. */
static uint64_t next(fob_outbox_t *outbox) {
    const fob_effect_t *effect = fob_outbox_next(outbox);
    return effect ? effect->seq : 0;
}

static int released(fob_outbox_t *outbox) {
    int count = 0;
    fob_turn_t *turn;
    while ((turn = fob_outbox_done(outbox))) {
        free(turn);
        count++;
    }
    return count;
}

static void finish(fob_outbox_t *outbox) {
    fob_turn_t *turn;
    while ((turn = fob_outbox_drain(outbox)))
        free(turn);
    fob_outbox_destroy(&outbox);
    assert_null(outbox);
}

static void a_receipt_comes_out_when_its_commit_is_durable(void **state) {
    (void)state;
    fob_outbox_t *outbox = fob_outbox_new(10, 100);
    put(outbox, with(make(11, 101, 5), FOB_EFF_RECEIPT, 1, 11, 1));
    assert_int_equal(next(outbox), 0);
    assert_int_equal(fob_outbox_head(outbox), 100);
    assert_int_equal(fob_outbox_bytes(outbox), 100);
    fob_outbox_durable(outbox, 11);
    assert_int_equal(fob_outbox_head(outbox), 105);
    assert_int_equal(fob_outbox_bytes(outbox), 0);
    assert_int_equal(next(outbox), 1);
    assert_int_equal(next(outbox), 0);
    assert_int_equal(released(outbox), 1);
    finish(outbox);
}

static void a_turn_is_kept_until_its_own_commit_is_durable(void **state) {
    (void)state;
    fob_outbox_t *outbox = fob_outbox_new(0, 0);
    put(outbox, with(make(1, 1, 1), FOB_EFF_DELIVER, 1, 0, 1));
    assert_int_equal(next(outbox), 1);
    assert_int_equal(released(outbox), 0);
    fob_outbox_durable(outbox, 1);
    assert_int_equal(released(outbox), 1);
    finish(outbox);
}

static void a_turn_without_records_goes_when_its_effects_are_done(void **state) {
    (void)state;
    fob_outbox_t *outbox = fob_outbox_new(5, 0);
    put(outbox, with(make(0, 0, 0), FOB_EFF_DELIVER, 1, 5, 1));
    assert_int_equal(released(outbox), 0);
    assert_int_equal(next(outbox), 1);
    assert_int_equal(released(outbox), 1); /* asking for it says that the effect is performed */
    put(outbox, make(0, 0, 0));
    assert_int_equal(released(outbox), 1);
    finish(outbox);
}

static void a_delivery_passes_a_receipt_that_waits_for_another(void **state) {
    (void)state;
    fob_outbox_t *outbox = fob_outbox_new(5, 0);
    put(outbox, with(make(6, 1, 1), FOB_EFF_RECEIPT, 1, 6, 1));
    put(outbox, with(make(0, 0, 0), FOB_EFF_DELIVER, 2, 5, 2));
    assert_int_equal(next(outbox), 2);
    assert_int_equal(next(outbox), 0);
    finish(outbox);
}

static void receipts_of_one_connection_stay_in_order(void **state) {
    (void)state;
    fob_outbox_t *outbox = fob_outbox_new(5, 0);
    put(outbox, with(make(6, 1, 1), FOB_EFF_RECEIPT, 1, 6, 1));
    put(outbox, with(make(0, 0, 0), FOB_EFF_RECEIPT, 1, 0, 2)); /* a refusal waits for nothing */
    put(outbox, with(make(0, 0, 0), FOB_EFF_RECEIPT, 2, 0, 3));
    assert_int_equal(next(outbox), 3);
    assert_int_equal(next(outbox), 0);
    fob_outbox_durable(outbox, 6);
    assert_int_equal(next(outbox), 1);
    assert_int_equal(next(outbox), 2);
    finish(outbox);
}

static void deliveries_of_one_connection_stay_in_order(void **state) {
    (void)state;
    fob_outbox_t *outbox = fob_outbox_new(5, 0);
    put(outbox, with(make(6, 0, 0), FOB_EFF_JOINED, 1, 6, 1));
    put(outbox, with(make(0, 0, 0), FOB_EFF_DELIVER, 1, 3, 2));
    put(outbox, with(make(0, 0, 0), FOB_EFF_LOST, 1, 0, 3));
    assert_int_equal(next(outbox), 0);
    fob_outbox_durable(outbox, 6);
    assert_int_equal(next(outbox), 1);
    assert_int_equal(next(outbox), 2);
    assert_int_equal(next(outbox), 3);
    finish(outbox);
}

static void a_late_settlement_holds_back_no_delivery(void **state) {
    (void)state;
    fob_outbox_t *outbox = fob_outbox_new(5, 0);
    put(outbox, with(with(make(6, 0, 0), FOB_EFF_SETTLED, 1, 6, 1), FOB_EFF_DELIVER, 1, 5, 2));
    assert_int_equal(next(outbox), 2);
    assert_int_equal(next(outbox), 0);
    fob_outbox_durable(outbox, 6);
    assert_int_equal(next(outbox), 1);
    finish(outbox);
}

static void a_connection_that_takes_a_slot_again_waits_for_nobody(void **state) {
    (void)state;
    const uint64_t before = 1ull << 32 | 7, after = 2ull << 32 | 7;
    fob_outbox_t *outbox = fob_outbox_new(5, 0);
    put(outbox, with(make(6, 0, 0), FOB_EFF_RECEIPT, before, 6, 1));
    put(outbox, with(make(0, 0, 0), FOB_EFF_RECEIPT, after, 0, 2));
    assert_int_equal(next(outbox), 2);
    assert_int_equal(next(outbox), 0);
    finish(outbox);
}

static void many_commits_under_way_keep_their_order(void **state) {
    (void)state;
    enum { MANY = 1000 };
    fob_outbox_t *outbox = fob_outbox_new(3, 0);
    for (uint64_t i = 1; i <= MANY; i++)
        put(outbox, with(make(3 + i, i, 1), FOB_EFF_RECEIPT, i % 17 + 1, 3 + i, i));
    assert_int_equal(next(outbox), 0);
    fob_outbox_durable(outbox, 3 + 400);
    for (uint64_t i = 1; i <= 400; i++)
        assert_int_equal(next(outbox), i);
    assert_int_equal(next(outbox), 0);
    assert_int_equal(fob_outbox_head(outbox), 400);
    assert_int_equal(released(outbox), 400);
    fob_outbox_durable(outbox, 3 + MANY);
    for (uint64_t i = 401; i <= MANY; i++)
        assert_int_equal(next(outbox), i);
    assert_int_equal(released(outbox), MANY - 400);
    finish(outbox);
}

static void a_journal_ahead_of_what_was_put_in_is_no_news(void **state) {
    (void)state;
    fob_outbox_t *outbox = fob_outbox_new(0, 0);
    fob_outbox_durable(outbox, 9);
    put(outbox, with(make(1, 1, 1), FOB_EFF_RECEIPT, 1, 1, 1));
    assert_int_equal(next(outbox), 0);
    fob_outbox_durable(outbox, 9);
    assert_int_equal(next(outbox), 1);
    finish(outbox);
}

FOB_MAIN(FOB_CASE(a_receipt_comes_out_when_its_commit_is_durable),
         FOB_CASE(a_turn_is_kept_until_its_own_commit_is_durable),
         FOB_CASE(a_turn_without_records_goes_when_its_effects_are_done),
         FOB_CASE(a_delivery_passes_a_receipt_that_waits_for_another),
         FOB_CASE(receipts_of_one_connection_stay_in_order),
         FOB_CASE(deliveries_of_one_connection_stay_in_order),
         FOB_CASE(a_late_settlement_holds_back_no_delivery),
         FOB_CASE(a_connection_that_takes_a_slot_again_waits_for_nobody),
         FOB_CASE(many_commits_under_way_keep_their_order),
         FOB_CASE(a_journal_ahead_of_what_was_put_in_is_no_news))
