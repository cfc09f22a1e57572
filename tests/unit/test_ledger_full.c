/* A full journal, and workers that fail all the time: with a real journal on disk. */
#include "bus/ledger/ledger.h"
#include "journal_support.h"
#include "proto/envelope.h"

#include <poll.h>
#include <stdlib.h>

#define BATCH 200
#define LIMIT (16 << 20)

static fob_ledger_t *ledger;
static char *folder;
static int64_t ms;
static uint64_t next_number, seq, credit, retries, acks;
static unsigned kind; /* how handlers end */
static fob_status_t answered;

typedef struct {
    uint64_t offset, token, count;
} got_t;
static got_t got[10000];
static size_t got_count;

static const fob_core_config_t config = {.max_event = 4096,
                                         .max_groups = 10,
                                         .max_sessions = 10,
                                         .session_keep_ms = 3600000,
                                         .resume_ms = 100,
                                         .cache_bytes = 1 << 20,
                                         .page_bytes = 65536,
                                         .mark_block = 100,
                                         .policy = {.max_depth = 10000000,
                                                    .max_bytes = INT64_MAX,
                                                    .max_attempts = 1000000,
                                                    .backoff_first = 0,
                                                    .backoff_factor = 2,
                                                    .backoff_max = 100,
                                                    .dead_max = 1000000,
                                                    .dead_max_age = INT64_C(2592000000)},
                                         .release_first_ms = 10};

static fob_now_t now(void) {
    return (fob_now_t){.mono_ns = FOB_SEC + ms * FOB_MS, .wall_ms = 1700000000000 + ms};
}

static void open_ledger(void) {
    char text[512];
    fob_status_t status;
    fob_journal_error_t error;
    fob_file_options_t options = {.folder = folder,
                                  .sync = FOB_SYNC_OS,
                                  .segment_bytes = 256 << 10,
                                  .max_bytes = LIMIT,
                                  .retain_bytes = 1};
    fob_journal_t *journal = fob_journal_file_open(&options, &error);
    assert_non_null(journal);
    ledger = fob_ledger_new(journal, &config, now(), NULL, NULL, &status, text, sizeof text);
    assert_non_null(ledger);
}

static void keep(const fob_effect_t *effect) {
    fob_runs_t runs;
    fob_run_t row;
    for (size_t i = 0; effect->kind == FOB_EFF_DELIVER && i < effect->span_count; i++) {
        const fob_span_t *span = &effect->spans[i];
        assert_true(got_count < sizeof got / sizeof got[0]);
        got[got_count++] = (got_t){span->offset, span->token, span->count};
    }
    if (effect->kind == FOB_EFF_RECEIPT && fob_runs(effect->runs, &runs) &&
        fob_runs_next(&runs, &row))
        answered = (fob_status_t)row.at[0];
}

/* A round of the broker's loop, which may wait so many ms for the journal. True: it is at rest. */
static bool run_once(int wait) {
    char text[256];
    struct pollfd news = {.fd = fob_ledger_fd(ledger), .events = POLLIN};
    assert_int_equal(fob_ledger_turn(ledger, now()), FOB_OK);
    assert_int_equal(fob_ledger_tidy(ledger, now()), FOB_OK);
    bool done = fob_ledger_at_rest(ledger) && fob_ledger_deadline(ledger) > now().mono_ns;
    poll(&news, 1, wait);
    if (fob_ledger_news(ledger, now(), text, sizeof text) != FOB_OK)
        fail_msg("the bus stops: %s", text);
    for (const fob_effect_t *effect; (effect = fob_ledger_next(ledger, now())) != NULL;) {
        keep(effect);
        done = false;
    }
    return done;
}

static void run(void) {
    int rounds = 0;
    while (!run_once(1)) {
        if (++rounds > 5000)
            fail_msg("the bus stands still");
    }
}

static void step(const fob_command_t *command) {
    assert_int_equal(fob_ledger_step(ledger, now(), command), FOB_OK);
}

static void join(uint64_t conn, uint64_t asks) {
    credit = asks;
    got_count = 0;
    step(&(fob_command_t){
        .kind = FOB_CMD_JOIN,
        .conn = conn,
        .join = {.session = (const uint8_t *)"fedcba9876543210",
                 .group = fob_slice_str("emails"),
                 .pattern = fob_slice_str("a"),
                 .create = true,
                 .credit = asks,
                 .worker = fob_slice_str(
                     "a-worker-with-a-name-that-is-sixty-four-bytes-long-or-nearly-so"),
                 .jobs = 1}});
    run();
}

/* A batch of events of 300 bytes; where it is refused for want of room it is offered again later.
 */
static fob_status_t publish(void) {
    uint8_t data[300] = {0};
    fob_buf_t body = {0};
    for (size_t i = 0; i < BATCH; i++) {
        fob_envelope_t event = {.topic = fob_slice_str("a"), .data = fob_slice(data, sizeof data)};
        assert_int_equal(fob_envelope_write(&body, 4096, &event), FOB_OK);
    }
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    step(&(fob_command_t){.kind = FOB_CMD_PUBLISH,
                          .conn = 1,
                          .publish = {.session = (const uint8_t *)"0123456789abcdef",
                                      .first = next_number,
                                      .low = next_number,
                                      .body = blob}});
    run();
    next_number += answered == FOB_OK ? BATCH : 0;
    fob_blob_unref(&blob);
    fob_buf_free(&body);
    return answered;
}

/* Each handler that runs ends, each event by a SETTLE of its own, with many words. */
static void end_all(uint64_t conn) {
    static char text[256];
    size_t count = got_count;
    for (size_t i = 0; i < count; i++) {
        for (uint64_t k = 0; k < got[i].count; k++) {
            fob_buf_t runs = {0};
            snprintf(text, sizeof text, "%0250llu", (unsigned long long)seq);
            fob_pack_array(&runs, 1);
            fob_run_write(&runs, (uint64_t[]){kind, got[i].offset + k, 1, got[i].token + k}, 4);
            step(&(fob_command_t){.kind = FOB_CMD_SETTLE,
                                  .conn = conn,
                                  .settle = {.group = fob_slice_str("emails"),
                                             .seq = ++seq,
                                             .credit = ++credit,
                                             .runs = fob_buf_slice(&runs),
                                             .text = fob_slice_str(text)}});
            fob_buf_free(&runs);
            *(kind == FOB_KIND_ACK ? &acks : &retries) += 1;
            (void)run_once(0); /* a commit of its own */
        }
    }
    memmove(got, got + count, (got_count - count) * sizeof got[0]);
    got_count -= count;
}

static void fill(void) {
    int waits = 0;
    while (waits < 50) { /* the next segment may not be made yet */
        waits = publish() == FOB_OK ? 0 : waits + 1;
        assert_true(answered == FOB_OK || answered == FOB_DISK_FULL);
        ms += waits ? 100 : 0;
    }
}

static fob_group_stats_t stats_of(fob_journal_stats_t *journal) {
    fob_group_stats_t group;
    fob_ledger_journal(ledger, journal);
    assert_true(journal->bytes <= LIMIT);
    assert_true(fob_core_group_stats(fob_ledger_core(ledger), now(), 0, &group));
    return group;
}

/* For so long, in steps that grow: what waits is given time. */
static void work_for(uint64_t conn, int64_t hours) {
    int64_t until = ms + hours * 3600000;
    while (ms < until) {
        size_t had = got_count;
        end_all(conn);
        run();
        ms += had ? 10 : 60000;
    }
}

static void failing_workers_at_a_full_disk_do_not_stop_the_bus(void **state) {
    (void)state;
    fob_journal_stats_t journal;
    folder = folder_new();
    next_number = 1;
    open_ledger();
    join(2, 100);
    ms += 200;
    fill();
    fob_group_stats_t group = stats_of(&journal);
    printf("%llu events, %llu bytes free\n", (unsigned long long)group.accepted,
           (unsigned long long)journal.free_bytes);
    kind = FOB_KIND_RETRY;
    for (int idle = 0; retries < 30000 && idle < 100; idle = got_count ? 0 : idle + 1) {
        end_all(2);
        run();
    }
    printf("%llu retries at once", (unsigned long long)retries);
    work_for(2, 10);
    group = stats_of(&journal);
    printf(", %llu in ten hours, %llu bytes free\n%s\n", (unsigned long long)retries,
           (unsigned long long)journal.free_bytes, group.why);
    assert_true(retries > 10000);
    assert_int_equal(publish(), FOB_DISK_FULL);
    assert_non_null(strstr(group.why, "a few at a time"));

    /* A restart changes nothing. */
    fob_ledger_destroy(&ledger);
    open_ledger();
    join(3, 100);
    ms += 200;
    run();
    work_for(3, 1);
    (void)stats_of(&journal);

    /* The workers are mended. */
    kind = FOB_KIND_ACK;
    int64_t began = ms;
    while (stats_of(&journal).acked < group.accepted && ms < began + 3600000) {
        size_t had = got_count;
        end_all(3);
        run();
        ms += had ? 10 : 1000;
    }
    printf("all is acked after %lld s\n", (long long)(ms - began) / 1000);
    assert_int_equal(stats_of(&journal).acked, group.accepted);
    fill();
    fob_ledger_destroy(&ledger);
    folder_remove(&folder);
}

FOB_MAIN(FOB_CASE(failing_workers_at_a_full_disk_do_not_stop_the_bus))
