#include "tests/support/case.h"

#include "bus/ledger/ledger.h"
#include "core_policy.h"
#include "proto/envelope.h"

#include <stdlib.h>

/* A journal in memory, seen through a table of functions that a test can turn against it. */
typedef struct {
    fob_journal_t base;
    fob_journal_t *inner;
    uint64_t held;       /* nothing above is told to be durable; UINT64_MAX: all is */
    bool full;           /* reserve refuses */
    bool due;            /* a checkpoint is */
    bool broken;         /* health is FAILED */
    int system_reads;    /* so many pages cannot be read, for now */
    uint64_t damaged_to; /* what is asked for below is damaged up to here */
    int reads;
    int begun, slices, finished;
    uint64_t appended, trimmed;
    bool synced; /* the last append asked for it */
} odd_t;

static odd_t *odd;
static fob_ledger_t *ledger;
static const uint8_t session[FOB_SESSION_SIZE] = "0123456789abcde";

static uint64_t odd_append(fob_journal_t *self, const fob_entry_t *entries, size_t count,
                           bool sync) {
    (void)self;
    odd->synced = sync;
    odd->appended = odd->inner->ops->append(odd->inner, entries, count, sync);
    return odd->appended;
}
static uint64_t odd_durable(fob_journal_t *self) {
    (void)self;
    uint64_t durable = odd->inner->ops->durable(odd->inner);
    return durable < odd->held ? durable : odd->held;
}
static bool odd_reserve(fob_journal_t *self, size_t bytes) {
    (void)self;
    return !odd->full && odd->inner->ops->reserve(odd->inner, bytes);
}
static fob_journal_code_t odd_health(fob_journal_t *self, fob_journal_error_t *error) {
    (void)self;
    if (odd->broken)
        snprintf(error->text, sizeof error->text, "the disk said no");
    return odd->broken ? FOB_JOURNAL_FAILED : FOB_JOURNAL_OK;
}
static bool odd_due(fob_journal_t *self) {
    (void)self;
    return odd->due;
}
static fob_journal_code_t odd_begin(fob_journal_t *self, uint64_t position) {
    (void)self, (void)position;
    odd->begun++;
    odd->due = false;
    return FOB_JOURNAL_OK;
}
static fob_journal_code_t odd_slice(fob_journal_t *self, const uint8_t *data, size_t size) {
    (void)self, (void)data, (void)size;
    odd->slices++;
    return FOB_JOURNAL_OK;
}
static fob_journal_code_t odd_finish(fob_journal_t *self) {
    (void)self;
    odd->finished++;
    return FOB_JOURNAL_OK;
}
static void odd_trim(fob_journal_t *self, uint64_t offset, int64_t now_ms) {
    (void)self, (void)now_ms;
    odd->trimmed = offset;
}
static fob_journal_code_t odd_page(fob_journal_t *self, fob_page_t *out) {
    (void)self;
    fob_journal_code_t code = odd->inner->ops->page(odd->inner, out);
    if (code == FOB_JOURNAL_OK && out->tag < odd->damaged_to) {
        free(out->memory);
        *out =
            (fob_page_t){.tag = out->tag, .code = FOB_JOURNAL_DAMAGED, .resume = odd->damaged_to};
        snprintf(out->text, sizeof out->text, "segment 1 is damaged at byte 4711");
    }
    if (code == FOB_JOURNAL_OK && odd->system_reads > 0) {
        odd->system_reads--;
        free(out->memory);
        *out = (fob_page_t){.tag = out->tag, .code = FOB_JOURNAL_SYSTEM, .text = "try later"};
    }
    return code;
}

/* The rest goes straight through. */
static fob_journal_code_t odd_replay(fob_journal_t *self, const fob_replay_t *to,
                                     fob_journal_error_t *error) {
    (void)self;
    return odd->inner->ops->replay(odd->inner, to, error);
}
static int odd_fd(fob_journal_t *self) {
    (void)self;
    return odd->inner->ops->fd(odd->inner);
}
static void odd_clear(fob_journal_t *self) {
    (void)self;
    odd->inner->ops->clear(odd->inner);
}
static fob_journal_code_t odd_read(fob_journal_t *self, uint64_t offset, size_t max, uint64_t tag) {
    (void)self;
    odd->reads++;
    return odd->inner->ops->read(odd->inner, offset, max, tag);
}
static uint64_t odd_epoch(fob_journal_t *self) {
    (void)self;
    return odd->inner->ops->epoch(odd->inner);
}
static const char *odd_level(fob_journal_t *self) {
    (void)self;
    return odd->inner->ops->level(odd->inner);
}
static void odd_stats(fob_journal_t *self, fob_journal_stats_t *out) {
    (void)self;
    odd->inner->ops->stats(odd->inner, out);
}
static uint64_t odd_bytes_from(fob_journal_t *self, uint64_t offset) {
    (void)self;
    return odd->inner->ops->bytes_from(odd->inner, offset);
}
static void odd_close(fob_journal_t **self_p) {
    odd->inner->ops->close(&odd->inner);
    free(odd);
    odd = NULL;
    *self_p = NULL;
}

static const fob_journal_ops_t odd_ops = {
    .replay = odd_replay,
    .reserve = odd_reserve,
    .append = odd_append,
    .durable = odd_durable,
    .health = odd_health,
    .fd = odd_fd,
    .clear = odd_clear,
    .read = odd_read,
    .page = odd_page,
    .trim = odd_trim,
    .checkpoint_due = odd_due,
    .checkpoint_begin = odd_begin,
    .checkpoint_slice = odd_slice,
    .checkpoint_finish = odd_finish,
    .epoch = odd_epoch,
    .level = odd_level,
    .stats = odd_stats,
    .bytes_from = odd_bytes_from,
    .close = odd_close,
};

static int lines;
static char line[256];

static void on_log(void *arg, const char *text) {
    (void)arg;
    lines++;
    snprintf(line, sizeof line, "%s", text);
}

static fob_now_t at(int64_t ms) {
    return (fob_now_t){.mono_ns = FOB_SEC + ms * FOB_MS, .wall_ms = 1700000000000 + ms};
}

/* A core that keeps no more than a page in memory, so that it has needs. */
static int open_ledger(void **state) {
    (void)state;
    fob_core_config_t config = {.max_event = 100000,
                                .max_groups = 10,
                                .max_sessions = 10,
                                .session_keep_ms = 3600000,
                                .resume_ms = 100,
                                .cache_bytes = 1,
                                .page_bytes = 4096,
                                .mark_block = 100,
                                .policy = CORE_POLICY(10, 100),
                                .release_first_ms = 10};
    char text[256];
    fob_status_t status;
    odd = calloc(1, sizeof *odd);
    assert_non_null(odd);
    odd->base.ops = &odd_ops;
    odd->held = UINT64_MAX;
    odd->inner = fob_journal_memory_new(64 << 20, 64 << 20, 3600000);
    assert_non_null(odd->inner);
    ledger = fob_ledger_new(&odd->base, &config, at(0), on_log, NULL, &status, text, sizeof text);
    assert_non_null(ledger);
    lines = 0;
    return 0;
}

static int close_ledger(void **state) {
    (void)state;
    fob_ledger_destroy(&ledger);
    assert_null(ledger);
    return 0;
}

static void publish_many(int64_t ms, uint64_t first, size_t count, size_t size) {
    fob_buf_t body = {0};
    uint8_t *data = calloc(1, size);
    assert_non_null(data);
    fob_envelope_t event = {.topic = fob_slice_str("order_placed"), .data = fob_slice(data, size)};
    for (size_t i = 0; i < count; i++)
        assert_int_equal(fob_envelope_write(&body, 100000, &event), FOB_OK);
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    fob_command_t command = {.kind = FOB_CMD_PUBLISH, .conn = 1};
    command.publish.session = session;
    command.publish.first = first;
    command.publish.low = first;
    command.publish.body = blob;
    assert_int_equal(fob_ledger_step(ledger, at(ms), &command), FOB_OK);
    fob_blob_unref(&blob);
    fob_buf_free(&body);
    free(data);
}

static void publish(int64_t ms, uint64_t first, size_t size) {
    publish_many(ms, first, 1, size);
}

static void join_group(int64_t ms, const char *group, uint64_t credit) {
    fob_command_t command = {.kind = FOB_CMD_JOIN, .conn = 2};
    command.join.session = (const uint8_t *)"fedcba9876543210";
    command.join.group = fob_slice_str(group);
    command.join.pattern = fob_slice_str("order_placed");
    command.join.create = true;
    command.join.credit = credit;
    command.join.jobs = 1;
    assert_int_equal(fob_ledger_step(ledger, at(ms), &command), FOB_OK);
}

static void join(int64_t ms, uint64_t credit) {
    join_group(ms, "emails", credit);
}

static void turn(int64_t ms) {
    char text[256];
    assert_int_equal(fob_ledger_turn(ledger, at(ms)), FOB_OK);
    assert_int_equal(fob_ledger_tidy(ledger, at(ms)), FOB_OK);
    assert_int_equal(fob_ledger_news(ledger, at(ms), text, sizeof text), FOB_OK);
}

/* The next effect of that kind that may be performed now; others are passed over. */
static const fob_effect_t *effect(int64_t ms, fob_effect_kind_t kind) {
    const fob_effect_t *next;
    while ((next = fob_ledger_next(ledger, at(ms))))
        if (next->kind == kind)
            return next;
    return NULL;
}

static uint64_t receipt_code(int64_t ms) {
    const fob_effect_t *receipt = effect(ms, FOB_EFF_RECEIPT);
    fob_runs_t runs;
    fob_run_t run;
    assert_non_null(receipt);
    assert_true(fob_runs(receipt->runs, &runs) && fob_runs_next(&runs, &run));
    return run.at[0];
}

static void nothing_is_told_before_it_is_durable(void **state) {
    (void)state;
    odd->held = 0;
    publish(1, 1, 10);
    turn(1);
    assert_true(odd->synced);
    assert_null(effect(1, FOB_EFF_RECEIPT));
    assert_int_equal(fob_ledger_head(ledger), 0);
    assert_false(fob_ledger_at_rest(ledger));
    odd->held = UINT64_MAX;
    turn(2);
    assert_int_equal(receipt_code(2), FOB_OK);
    assert_int_equal(fob_ledger_head(ledger), 1);
    assert_true(fob_ledger_at_rest(ledger));
}

static void a_full_journal_is_a_refusal_and_nothing_is_appended(void **state) {
    (void)state;
    odd->full = true;
    publish(1, 1, 10);
    turn(1);
    assert_int_equal(receipt_code(1), FOB_DISK_FULL);
    assert_int_equal(odd->appended, 0);
    odd->full = false;
    publish(2, 1, 10);
    turn(2);
    assert_int_equal(receipt_code(2), FOB_OK);
}

static void the_operator_is_told_when_room_ends_and_when_it_is_back(void **state) {
    (void)state;
    join(0, 0);
    publish(1, 1, 10);
    turn(1);
    odd->full = true;
    lines = 0;
    publish(2, 2, 10);
    publish(3, 2, 10);
    turn(3);
    assert_int_equal(lines, 1);
    assert_non_null(strstr(line, "publishes are refused"));
    assert_non_null(strstr(line, "needs what is stored from event 1 on"));
    odd->full = false;
    publish(4, 2, 10);
    assert_int_equal(lines, 1); /* it goes in and out: not each time */
    odd->full = true;
    publish(11000, 3, 10);
    odd->full = false;
    publish(11001, 3, 10);
    turn(11001);
    assert_int_equal(lines, 2);
    assert_non_null(strstr(line, "publishes are taken"));
}

static void room_for_settling_what_is_unsettled_is_kept(void **state) {
    (void)state;
    fob_journal_stats_t stats;
    join(0, 0);
    uint64_t code = FOB_OK, number = 0;
    while (code == FOB_OK && number < 10000) {
        publish(1, ++number, 60000);
        turn(1);
        code = receipt_code(1);
    }
    assert_int_equal(code, FOB_DISK_FULL);
    fob_ledger_journal(ledger, &stats);
    assert_true(stats.free_bytes >= fob_core_settle_reserve(fob_ledger_core(ledger)));
}

static void too_much_under_way_is_busy(void **state) {
    (void)state;
    odd->held = 0; /* with a journal that is not full before: nothing was appended to it yet */
    odd->inner->ops->close(&odd->inner);
    odd->inner = fob_journal_memory_new((uint64_t)1 << 30, 1 << 30, 3600000);
    uint64_t number = 0;
    while (number < 1500) /* 150 MB */
        publish(1, ++number, 99000), turn(1);
    odd->held = UINT64_MAX;
    turn(2);
    uint64_t code = FOB_OK, seen = 0;
    while (code == FOB_OK && seen++ < number)
        code = receipt_code(2);
    assert_int_equal(code, FOB_BUSY);
    assert_in_range(seen, 1200, 1450);
}

static void a_failed_journal_is_told_with_its_reason(void **state) {
    (void)state;
    char text[256];
    odd->broken = true;
    assert_int_equal(fob_ledger_news(ledger, at(1), text, sizeof text), FOB_DISK_FAILED);
    assert_string_equal(text, "the disk said no");
}

static void a_checkpoint_is_finished_when_all_in_it_is_durable(void **state) {
    (void)state;
    join(0, 0);
    publish(0, 1, 10);
    turn(0);
    odd->due = true;
    turn(1);
    assert_int_equal(odd->begun, 1);
    odd->held = odd->appended;
    publish(2, 2, 10);
    turn(2);
    for (int64_t ms = 3; ms < 20; ms++)
        turn(ms);
    assert_true(odd->slices > 0);
    assert_int_equal(odd->finished, 0);
    odd->held = UINT64_MAX;
    turn(20);
    assert_int_equal(odd->finished, 1);
    assert_true(fob_ledger_checkpoint(ledger)); /* the one at the end */
    assert_int_equal(odd->finished, 2);
}

/* The journal has none of an open turn: the next start would skip other records in its place. */
static void a_turn_that_is_open_is_in_no_checkpoint(void **state) {
    (void)state;
    join(0, 0);
    publish(0, 1, 10);
    turn(0);
    assert_true(fob_ledger_at_rest(ledger));
    fob_command_t lost = {.kind = FOB_CMD_LOST, .conn = 1};
    assert_int_equal(fob_ledger_step(ledger, at(1), &lost), FOB_OK);
    assert_false(fob_ledger_at_rest(ledger));
    assert_false(fob_ledger_checkpoint(ledger));
    assert_int_equal(odd->finished, 0);
    assert_int_equal(fob_ledger_turn(ledger, at(1)), FOB_OK);
    assert_true(fob_ledger_at_rest(ledger));
    assert_true(fob_ledger_checkpoint(ledger));
}

static const fob_effect_t *next_delivery(int64_t ms) {
    const fob_effect_t *deliver = NULL;
    for (int i = 0; i < 10 && !(deliver = effect(ms, FOB_EFF_DELIVER)); i++)
        turn(ms); /* a page may have to come first */
    assert_non_null(deliver);
    return deliver;
}

static void settle(const fob_effect_t *deliver, int64_t ms) {
    uint64_t row[] = {FOB_KIND_ACK, deliver->spans[0].offset, 1, deliver->spans[0].token};
    fob_buf_t runs = {0};
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, row, 4);
    fob_command_t command = {.kind = FOB_CMD_SETTLE, .conn = 2};
    command.settle.group = fob_slice_str("emails");
    command.settle.seq = 1;
    command.settle.runs = fob_buf_slice(&runs);
    assert_int_equal(fob_ledger_step(ledger, at(ms), &command), FOB_OK);
    turn(ms);
    fob_buf_free(&runs);
}

static void trimming_waits_for_the_settles_it_rests_on(void **state) {
    (void)state;
    join(0, 10);
    publish(0, 1, 10);
    turn(0);
    odd->held = odd->appended;
    settle(next_delivery(0), 10);
    assert_false(odd->synced); /* nobody waits for a settle alone */
    for (int64_t ms = 1000; ms < 6000; ms += 500)
        turn(ms);
    assert_true(odd->trimmed <= 1);
    odd->held = UINT64_MAX;
    for (int64_t ms = 6000; ms < 10000; ms += 500)
        turn(ms);
    assert_int_equal(odd->trimmed, 2);
}

static void begin_anew(int64_t ms) {
    fob_command_t reset = {.kind = FOB_CMD_GROUP_RESET, .conn = 2};
    reset.admin.group = fob_slice_str("emails");
    reset.admin.offset = reset.admin.lowest = 1;
    assert_int_equal(fob_ledger_step(ledger, at(ms), &reset), FOB_OK);
    turn(ms);
}

static void what_a_group_wants_again_is_not_trimmed(void **state) {
    (void)state;
    join(0, 10);
    publish(0, 1, 10);
    turn(0);
    settle(next_delivery(0), 10);
    turn(1500); /* nobody needs the event: with the next trim it goes */
    assert_true(odd->trimmed <= 1);
    begin_anew(1600);
    for (int64_t ms = 1600; ms < 6000; ms += 500) {
        turn(ms);
        assert_true(odd->trimmed <= 1);
    }
    assert_int_equal(odd->trimmed, 1);
}

static void what_a_group_wants_again_is_not_trimmed_before_its_end_is_durable_too(void **state) {
    (void)state;
    join(0, 10);
    publish(0, 1, 10);
    turn(0);
    settle(next_delivery(0), 10);
    turn(1500); /* with the next trim the event goes */
    begin_anew(1600);
    const fob_effect_t *again = next_delivery(1600);
    odd->held = odd->appended;
    settle(again, 1700); /* it is done again, and that is not durable yet */
    for (int64_t ms = 1700; ms < 6000; ms += 500)
        turn(ms), assert_true(odd->trimmed <= 1);
    odd->held = UINT64_MAX;
    for (int64_t ms = 6000; ms < 10000; ms += 500)
        turn(ms);
    assert_int_equal(odd->trimmed, 2);
}

static void a_backlog_comes_back_from_the_journal_also_after_a_failed_read(void **state) {
    (void)state;
    enum { MANY = 200 };
    uint64_t expected = 1;
    join(0, MANY);
    fob_command_t lost = {.kind = FOB_CMD_LOST, .conn = 2};
    assert_int_equal(fob_ledger_step(ledger, at(0), &lost), FOB_OK);
    for (uint64_t number = 1; number <= MANY; number++)
        publish(1, number, 1000), turn(1), assert_int_equal(receipt_code(1), FOB_OK);
    odd->system_reads = 2;
    join(2, MANY);
    for (int64_t ms = 2; expected <= MANY && ms < 10000; ms += 10) {
        const fob_effect_t *deliver;
        turn(ms);
        while ((deliver = effect(ms, FOB_EFF_DELIVER)))
            for (size_t i = 0; i < deliver->span_count; i++) {
                assert_true(deliver->spans[i].offset == expected);
                expected += deliver->spans[i].count;
            }
    }
    assert_int_equal(expected, MANY + 1);
    assert_int_equal(odd->system_reads, 0);
}

/* One batch of small events that enters many groups can owe more than it weighs itself. */
static void room_for_settling_the_batch_itself_is_kept(void **state) {
    (void)state;
    static const char *names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    enum { GROUPS = 8, MANY = 16000, LONE = 152 };
    odd->inner->ops->close(&odd->inner);
    odd->inner = fob_journal_memory_new(16 << 20, 1 << 20, 3600000);
    for (size_t i = 0; i < GROUPS; i++)
        join_group(0, names[i], 0);
    turn(0);
    publish_many(1, 1, MANY, 1); /* 300 KB, and 19 MB to settle it one by one */
    turn(1);
    assert_int_equal(receipt_code(1), FOB_DISK_FULL);
    publish_many(2, 1, MANY / 4, 1);
    turn(2);
    assert_int_equal(receipt_code(2), FOB_OK);
    fob_journal_stats_t stats;
    fob_ledger_journal(ledger, &stats);
    assert_true(stats.free_bytes >= (uint64_t)GROUPS * MANY / 4 * LONE);
}

static void a_session_is_told_the_last_number_that_is_durable(void **state) {
    (void)state;
    publish(1, 1, 10);
    turn(1);
    assert_int_equal(fob_ledger_last(ledger, session), 1);
    odd->held = odd->appended;
    publish_many(2, 2, 3, 10);
    assert_int_equal(fob_ledger_last(ledger, session), 1);
    turn(2);
    publish(3, 5, 10);
    turn(3);
    assert_int_equal(fob_ledger_last(ledger, session), 1);
    odd->held++;
    assert_int_equal(fob_ledger_last(ledger, session), 4);
    odd->held = UINT64_MAX;
    assert_int_equal(fob_ledger_last(ledger, session), 5);
    assert_int_equal(fob_ledger_last(ledger, NULL), 0);
}

static void damage_is_passed_over_at_once_and_told_once(void **state) {
    (void)state;
    enum { MANY = 400, GOOD = 300 };
    uint64_t got = 0, lowest = UINT64_MAX;
    join(0, MANY);
    join_group(0, "bills", MANY);
    fob_command_t lost = {.kind = FOB_CMD_LOST, .conn = 2};
    assert_int_equal(fob_ledger_step(ledger, at(0), &lost), FOB_OK);
    for (uint64_t number = 1; number <= MANY; number++)
        publish(1, number, 1000), turn(1), assert_int_equal(receipt_code(1), FOB_OK);
    odd->damaged_to = MANY - GOOD + 1;
    odd->reads = 0;
    join(2, MANY);
    join_group(2, "bills", MANY);
    for (int64_t ms = 2; got < 2 * GOOD && ms < 10000; ms += 10) {
        const fob_effect_t *deliver;
        turn(ms);
        while ((deliver = effect(ms, FOB_EFF_DELIVER)))
            for (size_t i = 0; i < deliver->span_count; i++) {
                got += deliver->spans[i].count;
                if (deliver->spans[i].offset < lowest)
                    lowest = deliver->spans[i].offset;
            }
    }
    assert_int_equal(got, 2 * GOOD);
    assert_int_equal(lowest, odd->damaged_to);
    assert_int_equal(lines, 1);
    assert_string_equal(line, "segment 1 is damaged at byte 4711");
    assert_in_range(odd->reads, 2, 2 * (GOOD / 4 + 10)); /* some 4 KiB each, none an offset each */
    for (int i = 0; i < 2; i++) {
        fob_group_stats_t stats;
        assert_true(fob_core_group_stats(fob_ledger_core(ledger), at(10), (size_t)i, &stats));
        assert_int_equal(stats.dead, MANY - GOOD);
    }
}

FOB_MAIN(
    FOB_CASE_WITH(nothing_is_told_before_it_is_durable, open_ledger, close_ledger),
    FOB_CASE_WITH(a_full_journal_is_a_refusal_and_nothing_is_appended, open_ledger, close_ledger),
    FOB_CASE_WITH(the_operator_is_told_when_room_ends_and_when_it_is_back, open_ledger,
                  close_ledger),
    FOB_CASE_WITH(room_for_settling_what_is_unsettled_is_kept, open_ledger, close_ledger),
    FOB_CASE_WITH(room_for_settling_the_batch_itself_is_kept, open_ledger, close_ledger),
    FOB_CASE_WITH(a_session_is_told_the_last_number_that_is_durable, open_ledger, close_ledger),
    FOB_CASE_WITH(damage_is_passed_over_at_once_and_told_once, open_ledger, close_ledger),
    FOB_CASE_WITH(too_much_under_way_is_busy, open_ledger, close_ledger),
    FOB_CASE_WITH(a_failed_journal_is_told_with_its_reason, open_ledger, close_ledger),
    FOB_CASE_WITH(a_checkpoint_is_finished_when_all_in_it_is_durable, open_ledger, close_ledger),
    FOB_CASE_WITH(a_turn_that_is_open_is_in_no_checkpoint, open_ledger, close_ledger),
    FOB_CASE_WITH(trimming_waits_for_the_settles_it_rests_on, open_ledger, close_ledger),
    FOB_CASE_WITH(what_a_group_wants_again_is_not_trimmed, open_ledger, close_ledger),
    FOB_CASE_WITH(what_a_group_wants_again_is_not_trimmed_before_its_end_is_durable_too,
                  open_ledger, close_ledger),
    FOB_CASE_WITH(a_backlog_comes_back_from_the_journal_also_after_a_failed_read, open_ledger,
                  close_ledger))
