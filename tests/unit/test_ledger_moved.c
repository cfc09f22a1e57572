/* One old event that is needed does not keep the whole journal: with real journals. */
#include "bus/ledger/ledger.h"
#include "core_policy.h"
#include "journal_calm.h"
#include "journal_support.h"
#include "proto/envelope.h"

#include <poll.h>
#include <stdlib.h>

#define BATCH  64
#define ROUNDS 120 /* of a batch each: many segments */

static fob_ledger_t *ledger;
static char *folder;
static int64_t ms;
static uint64_t next_number, seq;
static uint64_t tokens[BATCH * 4]; /* of the last deliveries, by place */
static uint64_t offsets[BATCH * 4];
static size_t delivered;
static uint64_t rejected[ROUNDS / 10];

static const fob_core_config_t config = {.max_event = 4096,
                                         .max_groups = 10,
                                         .max_sessions = 10,
                                         .session_keep_ms = 3600000,
                                         .resume_ms = 100,
                                         .cache_bytes = 65536,
                                         .page_bytes = 4096,
                                         .mark_block = 100,
                                         .policy = CORE_POLICY(10, 100),
                                         .release_first_ms = 10};

static fob_now_t now(void) {
    return (fob_now_t){.mono_ns = FOB_SEC + ms * FOB_MS, .wall_ms = 1700000000000 + ms};
}

static fob_journal_t *open_file_of(uint64_t bytes) {
    fob_journal_error_t error;
    fob_file_options_t options = {.folder = folder,
                                  .sync = FOB_SYNC_OS,
                                  .segment_bytes = 256 << 10,
                                  .max_bytes = bytes,
                                  .retain_bytes = 1 << 20,
                                  .runtime = calm_runtime()};
    return fob_journal_file_open(&options, &error);
}

static fob_journal_t *open_file(void) {
    return open_file_of(8 << 20);
}

static void open_ledger(fob_journal_t *journal) {
    char text[512];
    fob_status_t status;
    assert_non_null(journal);
    ledger = fob_ledger_new(journal, &config, now(), NULL, NULL, &status, text, sizeof text);
    assert_non_null(ledger);
}

static void keep(const fob_effect_t *effect) {
    for (size_t i = 0; effect->kind == FOB_EFF_DELIVER && i < effect->span_count; i++) {
        for (uint32_t k = 0; k < effect->spans[i].count; k++) {
            assert_true(delivered < sizeof tokens / sizeof tokens[0]);
            offsets[delivered] = effect->spans[i].offset + k;
            tokens[delivered++] = effect->spans[i].token + k;
        }
    }
}

/* The loop of a broker, until all is at rest and let out, and the journal has done what it can. */
static void run(void) {
    char text[256];
    for (bool done = false; !done;) {
        struct pollfd news = {.fd = fob_ledger_fd(ledger), .events = POLLIN};
        assert_int_equal(fob_ledger_turn(ledger, now()), FOB_OK);
        assert_int_equal(fob_ledger_tidy(ledger, now()), FOB_OK);
        poll(&news, 1, 1);
        assert_int_equal(fob_ledger_news(ledger, now(), text, sizeof text), FOB_OK);
        done = fob_ledger_at_rest(ledger) && fob_ledger_deadline(ledger) > now().mono_ns;
        for (const fob_effect_t *effect; (effect = fob_ledger_next(ledger, now())) != NULL;) {
            keep(effect);
            done = false;
        }
        calm_wait(); /* segments that are made and given back, pages that are read */
        done = done && poll(&news, 1, 0) == 0;
    }
}

static void step(const fob_command_t *command) {
    assert_int_equal(fob_ledger_step(ledger, now(), command), FOB_OK);
    run();
}

static void join(uint64_t conn) {
    step(&(fob_command_t){.kind = FOB_CMD_JOIN,
                          .conn = conn,
                          .join = {.session = (const uint8_t *)"fedcba9876543210",
                                   .group = fob_slice_str("emails"),
                                   .pattern = fob_slice_str("a"),
                                   .create = true,
                                   .credit = 1000000,
                                   .jobs = 1}});
}

static fob_blob_t *batch(const char *topic, size_t count, size_t size) {
    uint8_t data[1000] = {0};
    fob_buf_t body = {0};
    for (size_t i = 0; i < count; i++) {
        fob_envelope_t event = {.topic = fob_slice_str(topic), .data = fob_slice(data, size)};
        assert_int_equal(fob_envelope_write(&body, 4096, &event), FOB_OK);
    }
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    fob_buf_free(&body);
    return blob;
}

static void offer(fob_blob_t *body) {
    step(&(fob_command_t){.kind = FOB_CMD_PUBLISH,
                          .conn = 1,
                          .publish = {.session = (const uint8_t *)"0123456789abcdef",
                                      .first = next_number,
                                      .low = next_number,
                                      .body = body}});
}

static void publish(void) {
    fob_blob_t *blob = batch("a", BATCH, 1000);
    delivered = 0;
    /* Refused where the next segment is still to be made, or an old one to be given back first: it
     * is offered again. */
    for (int i = 0; i < 20 && delivered == 0; i++) {
        offer(blob);
        ms += delivered ? 0 : 1000;
    }
    next_number += BATCH;
    fob_blob_unref(&blob);
}

static void settle(uint64_t conn, unsigned kind, size_t from, size_t count) {
    fob_buf_t runs = {0};
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, (uint64_t[]){kind, offsets[from], count, tokens[from]}, 4);
    step(&(fob_command_t){.kind = FOB_CMD_SETTLE,
                          .conn = conn,
                          .settle = {fob_slice_str("emails"), ++seq, 0, fob_buf_slice(&runs)}});
    fob_buf_free(&runs);
}

/* The first event of each tenth round is rejected, all others are acked. */
static void live(void) {
    next_number = 1;
    seq = 0;
    join(2);
    ms += 200; /* the resume window is over */
    for (int i = 0; i < ROUNDS; i++) {
        publish();
        assert_int_equal(delivered, BATCH);
        bool rejects = i % 10 == 0;
        if (rejects)
            rejected[i / 10] = offsets[0];
        if (rejects)
            settle(2, FOB_KIND_REJECT, 0, 1);
        settle(2, FOB_KIND_ACK, rejects ? 1 : 0, BATCH - (rejects ? 1 : 0));
        ms += 500;
        run();
    }
    for (int i = 0; i < 20; i++) {
        ms += 1000;
        run();
    }
}

static void assert_reclaimed(void) {
    fob_journal_stats_t stats;
    fob_group_stats_t group;
    fob_ledger_journal(ledger, &stats);
    assert_in_range(stats.bytes, 1 << 20, 5 << 20); /* of some 8 MiB that were written */
    assert_true(stats.first_offset > (uint64_t)BATCH * ROUNDS / 3);
    assert_true(fob_core_group_stats(fob_ledger_core(ledger), now(), 0, &group));
    assert_int_equal(group.dead, ROUNDS / 10);
}

/* Every letter comes back, under its own offset. */
static void assert_all_come_back(uint64_t conn) {
    delivered = 0;
    step(&(fob_command_t){
        .kind = FOB_CMD_DEAD_REDRIVE, .conn = 9, .dead = {.group = fob_slice_str("emails")}});
    for (int i = 0; i < 200 && delivered < ROUNDS / 10; i++) {
        ms += 10;
        run();
    }
    assert_int_equal(delivered, ROUNDS / 10);
    for (size_t i = 0; i < delivered; i++)
        assert_int_equal(offsets[i], rejected[i]);
    size_t count = delivered;
    for (size_t i = 0; i < count; i++)
        settle(conn, FOB_KIND_ACK, i, 1);
    fob_group_stats_t group;
    assert_true(fob_core_group_stats(fob_ledger_core(ledger), now(), 0, &group));
    assert_int_equal(group.acked, BATCH * ROUNDS);
}

static void dead_letters_do_not_keep_a_journal_on_disk(void **state) {
    (void)state;
    folder = folder_new();
    open_ledger(open_file());
    live();
    assert_reclaimed();
    fob_ledger_destroy(&ledger);
    open_ledger(open_file());
    join(3);
    ms += 200;
    run();
    assert_reclaimed();
    assert_all_come_back(3);
    fob_ledger_destroy(&ledger);
    folder_remove(&folder);
}

static void dead_letters_do_not_keep_a_journal_in_memory(void **state) {
    (void)state;
    open_ledger(fob_journal_memory_new(8 << 20, 1 << 20, 0));
    live();
    assert_reclaimed();
    assert_all_come_back(2);
    fob_ledger_destroy(&ledger);
}

/* What little is needed goes to the head also where little room is left for that. */
static void dead_letters_do_not_keep_a_full_disk_full(void **state) {
    (void)state;
    folder = folder_new();
    open_ledger(open_file_of(2 << 20));
    live();
    assert_all_come_back(2);
    fob_ledger_destroy(&ledger);
    folder_remove(&folder);
}

static void administer(fob_command_kind_t kind) {
    step(
        &(fob_command_t){.kind = kind,
                         .conn = 9,
                         .admin = {.group = fob_slice_str("idle"), .pattern = fob_slice_str("b")}});
}

/* Rejects the first of a batch and acks the others; false: there is no room for one. */
static bool one_round(void) {
    fob_blob_t *blob = batch("a", BATCH, 1000);
    delivered = 0;
    for (int i = 0; i < 20 && delivered == 0; i++) {
        offer(blob);
        ms += delivered ? 0 : 1000;
    }
    fob_blob_unref(&blob);
    if (delivered == 0)
        return false;
    assert_int_equal(delivered, BATCH);
    next_number += BATCH;
    settle(2, FOB_KIND_REJECT, 0, 1);
    settle(2, FOB_KIND_ACK, 1, BATCH - 1);
    ms += 500;
    run();
    return true;
}

static void assert_holder(const char *name) {
    fob_group_stats_t group;
    assert_true(fob_core_holder(fob_ledger_core(ledger), now(), &group));
    assert_true(fob_slice_eq(group.group, fob_slice_str(name)));
}

/* A dead letter, above it what waits for a group without workers, and then as much as goes in. */
static void fill_above_idle(void) {
    folder = folder_new();
    open_ledger(open_file_of(2 << 20));
    next_number = 1;
    seq = 0;
    join(2);
    ms += 200;
    assert_true(one_round());
    administer(FOB_CMD_GROUP_ADD);
    fob_blob_t *idle = batch("b", BATCH, 1000);
    offer(idle);
    fob_blob_unref(&idle);
    next_number += BATCH;
    for (int rounds = 0; one_round(); rounds++)
        assert_true(rounds < ROUNDS);
}

/* It is not for the dead letters below that the disk is full: they would be moved. */
static void
a_full_disk_is_told_of_with_the_group_whose_events_wait_in_its_oldest_part(void **state) {
    (void)state;
    fill_above_idle();
    assert_holder("idle");
    administer(FOB_CMD_GROUP_REMOVE);
    for (int rounds = 0; rounds < ROUNDS / 2; rounds++)
        assert_true(one_round());
    fob_ledger_destroy(&ledger);
    folder_remove(&folder);
}

static void the_holder_of_a_full_disk_is_known_after_a_restart_too(void **state) {
    (void)state;
    fill_above_idle();
    fob_blob_t *one = batch("a", 1, 1);
    for (delivered = 1; delivered > 0; next_number++) { /* up to the last bytes */
        delivered = 0;
        offer(one);
    }
    fob_blob_unref(&one);
    fob_ledger_destroy(&ledger);
    open_ledger(open_file_of(2 << 20));
    for (int i = 0; i < 5; i++) {
        ms += 1000;
        run();
    }
    assert_holder("idle");
    fob_ledger_destroy(&ledger);
    folder_remove(&folder);
}

FOB_MAIN(FOB_CASE(dead_letters_do_not_keep_a_journal_on_disk),
         FOB_CASE(a_full_disk_is_told_of_with_the_group_whose_events_wait_in_its_oldest_part),
         FOB_CASE(the_holder_of_a_full_disk_is_known_after_a_restart_too),
         FOB_CASE(dead_letters_do_not_keep_a_full_disk_full),
         FOB_CASE(dead_letters_do_not_keep_a_journal_in_memory))
