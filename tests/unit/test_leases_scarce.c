/* A worker's lease table and a subscriber's sequencer where memory is refused, once or for a while:
 * nothing is handed out twice, and what was lost on the way comes again on a fresh connection. */
#include "support/case.h"

#include "leases_bench.h"
#include "subscribers/sequence/sequencer.h"
#include "watched.h"

#define EVENTS 12

bool watched;

WATCHED_VOID(fob_leases_up, (fob_leases_t * self, fob_now_t now, const fob_wire_t *welcome),
             (self, now, welcome))
WATCHED_VOID(fob_leases_down,
             (fob_leases_t * self, fob_now_t now, fob_status_t why, const char *text),
             (self, now, why, text))
WATCHED_VOID(fob_leases_input,
             (fob_leases_t * self, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body),
             (self, now, msg, body))
WATCHED_VOID(fob_leases_round, (fob_leases_t * self, fob_now_t now, int64_t heard),
             (self, now, heard))
WATCHED(bool, fob_leases_output, (fob_leases_t * self, fob_now_t now, fob_slice_t *header),
        (self, now, header))
WATCHED(fob_status_t, fob_leases_next, (fob_leases_t * self, fob_now_t now, fob_event_t **event),
        (self, now, event))
WATCHED(fob_status_t, fob_leases_settle,
        (fob_leases_t * self, fob_now_t now, const fob_event_t *event, const fob_settle_how_t *how),
        (self, now, event, how))
WATCHED_VOID(fob_sequencer_take,
             (fob_sequencer_t * self, const fob_cast_t *cast, fob_blob_t *body, uint64_t elsewhere),
             (self, cast, body, elsewhere))
WATCHED(uint64_t, fob_sequencer_move, (fob_sequencer_t * self, fob_batch_t *batch), (self, batch))
WATCHED(fob_status_t, fob_batch_next, (fob_batch_t * self, fob_pool_t *pool, fob_event_t **event),
        (self, pool, event))

/* The simplest bus: offsets are unsettled, out on this connection, or done. */
typedef struct {
    bench_t b;
    bool up, joined;
    bool done[EVENTS + 1];
    uint64_t token[EVENTS + 1]; /* of who has it; 0: nobody */
    bool ours[EVENTS + 1];      /* it is out on this connection */
    uint64_t tokens, epoch, settles;
} world_t;

static void connect(world_t *self) {
    memset(self->ours, 0, sizeof self->ours);
    self->up = true;
    self->joined = false;
    self->b.now.mono_ns += 10 * FOB_SEC;
    up(&self->b, 1);
}

static void disconnect(world_t *self) {
    self->up = false;
    fob_leases_down(self->b.leases, self->b.now, FOB_UNREACHABLE, "gone");
}

static void on_join(world_t *self, const fob_wire_t *msg) {
    fob_runs_t runs;
    fob_run_t run;
    assert_true(fob_runs(msg->runs, &runs));
    while (fob_runs_next(&runs, &run))
        for (uint64_t i = 0; i < run.at[1]; i++)
            if (run.at[0] + i <= EVENTS && self->token[run.at[0] + i] == run.at[2] + i)
                self->ours[run.at[0] + i] = true;
    self->joined = true;
    joined(&self->b, NULL);
}

static void on_settle(world_t *self, const fob_wire_t *msg) {
    fob_runs_t runs;
    fob_run_t run;
    assert_true(fob_runs(msg->runs, &runs));
    while (fob_runs_next(&runs, &run)) {
        for (uint64_t i = 0; i < run.at[2]; i++) {
            uint64_t offset = run.at[1] + i;
            assert_true(offset >= 1 && offset <= EVENTS);
            if (self->token[offset] != run.at[3] + i || self->done[offset])
                continue;
            self->done[offset] = run.at[0] == FOB_KIND_ACK;
            self->token[offset] = 0;
            self->settles++;
        }
    }
    settled(&self->b, msg->seq, NULL);
}

static void flow(world_t *self) {
    fob_slice_t header;
    fob_wire_t msg;
    while (self->up && fob_leases_output(self->b.leases, self->b.now, &header)) {
        fob_buf_t copy = {0};
        fob_buf_put(&copy, header.data, header.size);
        assert_int_equal(fob_wire_read(fob_buf_slice(&copy), &msg), FOB_OK);
        if (msg.verb == FOB_VERB_JOIN)
            on_join(self, &msg);
        else if (msg.verb == FOB_VERB_SETTLE)
            on_settle(self, &msg);
        fob_buf_free(&copy);
    }
}

static void deliver(world_t *self) {
    for (uint64_t offset = 1; self->joined && offset <= EVENTS; offset++) {
        if (self->done[offset] || self->ours[offset])
            continue;
        self->token[offset] = ++self->tokens;
        self->ours[offset] = true;
        delivered(&self->b, offset, 1, self->tokens, 1);
    }
}

/* Handles what is there: every third is retried once. */
static void work(world_t *self) {
    fob_event_t *event;
    fob_status_t status;
    while ((status = fob_leases_next(self->b.leases, self->b.now, &event)) == FOB_OK) {
        uint64_t offset = fob_event_offset(event);
        const fob_settle_how_t how = {.kind = fob_event_token(event) % 3 ? FOB_KIND_ACK
                                                                         : FOB_KIND_RETRY,
                                      .reason = fob_slice_str("why")};
        assert_false(self->done[offset]);
        status = fob_leases_settle(self->b.leases, self->b.now, event, &how);
        assert_true(status == FOB_OK || (status == FOB_NO_MEMORY && scarce.failed > 0));
        fob_event_destroy(&event);
    }
    assert_true(status == FOB_AGAIN || (status == FOB_NO_MEMORY && scarce.failed > 0));
}

static void round_of(world_t *self) {
    self->b.now.mono_ns += 50 * FOB_MS;
    fob_leases_round(self->b.leases, self->b.now, self->b.now.mono_ns);
    if (!self->up)
        connect(self);
    flow(self);
    deliver(self);
    work(self);
    flow(self);
    for (uint64_t offset = 1; offset <= EVENTS; offset++)
        self->ours[offset] = self->ours[offset] && self->token[offset];
    if (fob_leases_restart(self->b.leases)) {
        assert_true(scarce.failed > 0);
        disconnect(self);
    }
}

static void worker_story(void *arg) {
    (void)arg;
    world_t world = {.b = bench(2, 10, 0)};
    watched = true;
    for (unsigned i = 0; i < 6; i++)
        round_of(&world);
    disconnect(&world);
    for (unsigned i = 0; i < 6; i++)
        round_of(&world);
    watched = false; /* there is memory again */
    disconnect(&world);
    for (unsigned i = 0; i < 20; i++)
        round_of(&world);
    for (uint64_t offset = 1; offset <= EVENTS; offset++)
        assert_true(world.done[offset]);
    assert_true(fob_leases_flushed(world.b.leases));
    fob_leases_destroy(&world.b.leases);
}

static void each_allocation_may_fail_and_each_event_is_handled(void **state) {
    (void)state;
    scarce_each("subscribers: leases", 12, worker_story, NULL);
}

/* --- the sequencer --- */

static void cast(fob_sequencer_t *sequencer, uint64_t seq) {
    fob_buf_t body = {0};
    fob_envelope_t event = {.topic = fob_slice_str("a.b"), .data = fob_slice_str("x")};
    assert_int_equal(fob_envelope_write(&body, 100, &event), FOB_OK);
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    fob_cast_t head = {.topic = fob_slice_str("a.b"),
                       .kind = FOB_CAST_STORED,
                       .epoch = 1,
                       .offset = seq,
                       .count = 1,
                       .prev = seq - 1,
                       .source = 7,
                       .seq = seq,
                       .time_ms = 1};
    fob_sequencer_take(sequencer, &head, blob, 0);
    fob_blob_unref(&blob);
    fob_buf_free(&body);
}

static void subscriber_story(void *arg) {
    (void)arg;
    fob_sequencer_t *sequencer = fob_sequencer_new(&(fob_sequencer_options_t){
        .pattern = fob_slice_str("a.>"), .mode = FOB_SEQUENCER_LIVE, .queue = 100});
    fob_batch_t batch = {.first = 0};
    fob_event_t *event = NULL;
    uint64_t got = 0, last = 0;
    watched = true;
    for (uint64_t seq = 1; seq <= 40; seq++)
        cast(sequencer, seq);
    while (fob_sequencer_move(sequencer, &batch)) {
        fob_status_t status;
        while ((status = fob_batch_next(&batch, NULL, &event)) != FOB_AGAIN) {
            watched = status != FOB_NO_MEMORY; /* once more, with memory */
            if (status != FOB_OK) {
                assert_int_equal(status, FOB_NO_MEMORY);
                continue;
            }
            assert_true(fob_event_offset(event) > last); /* in order, none twice */
            last = fob_event_offset(event);
            got++;
            fob_event_destroy(&event);
        }
        fob_batch_clear(&batch);
    }
    watched = false;
    assert_int_equal(got + fob_sequencer_lost(sequencer),
                     40); /* whatever is not there is counted */
    fob_sequencer_destroy(&sequencer);
}

static void each_allocation_may_fail_and_what_is_lost_is_counted(void **state) {
    (void)state;
    scarce_each("subscribers: sequencer", 41, subscriber_story, NULL);
}

FOB_MAIN(FOB_CASE(each_allocation_may_fail_and_each_event_is_handled),
         FOB_CASE(each_allocation_may_fail_and_what_is_lost_is_counted))
