/* The lease table against a model of the bus that loses connections, gives leases away, refuses
 * claims and forgets answers, from a seed: what fails replays. FOB_SEED runs one seed, FOB_SEEDS so
 * many. */
#include "leases_world.h"

#include "tests/support/seeds.h"

#include <stdlib.h>

/* --- the connection --- */

static void hang_up(world_t *w) {
    w->up = w->knows = w->joined = w->first_hello = false;
    burn_all(&w->to_bus);
    burn_all(&w->to_worker);
    fob_leases_down(w->leases, now_of(w), FOB_UNREACHABLE, "gone");
    if (!w->calm && chance(w, 40))
        give_away(w, true);
}

static void dial(world_t *w) {
    fob_wire_t welcome = {.verb = FOB_VERB_WELCOME};
    FOB_SET(&welcome, heartbeat, BEAT_MS);
    FOB_SET(&welcome, epoch, 1);
    w->up = w->knows = true;
    w->heard_ms = w->beat_ms = w->sent_ms = w->now_ms;
    w->heard_mono = now_of(w).mono_ns;
    fob_leases_up(w->leases, now_of(w), &welcome);
}

/* What the conduit's thread does in a round. */
static void worker_round(world_t *w) {
    letter_t *letter;
    fob_slice_t header;
    if (!w->up)
        return;
    bool open = w->now_ms >= w->frozen_ms;
    if (open && w->first_hello) {
        hang_up(w);
        return;
    }
    while (open && (letter = collect(&w->to_worker))) {
        fob_wire_t msg;
        w->heard_mono = now_of(w).mono_ns;
        if (!letter->beat) {
            assert_int_equal(fob_wire_read(fob_buf_slice(&letter->header), &msg), FOB_OK);
            fob_leases_input(w->leases, now_of(w), &msg, letter->body);
        }
        burn(letter);
    }
    fob_leases_round(w->leases, now_of(w), w->heard_mono);
    if (fob_leases_restart(w->leases)) {
        hang_up(w);
        return;
    }
    while (fob_leases_output(w->leases, now_of(w), &header)) {
        fob_buf_put(&post(w, &w->to_bus)->header, header.data, header.size);
        w->sent_ms = w->now_ms;
    }
    if (w->now_ms - w->sent_ms >= BEAT_MS) {
        post(w, &w->to_bus)->beat = true;
        w->sent_ms = w->now_ms;
    }
}

/* --- the application --- */

static void begin(world_t *w, size_t job) {
    fob_status_t status = fob_leases_next(w->leases, now_of(w), &w->out[job]);
    CHECK(w, status == FOB_OK || status == FOB_AGAIN || status == FOB_CLOSED);
    if (status == FOB_CLOSED)
        CHECK(w, w->drained || (w->limit && w->begun_all == w->limit));
    if (status != FOB_OK)
        return;
    CHECK(w, !w->drained && (!w->limit || w->begun_all < w->limit));
    w->begun_all++;
    uint64_t token = fob_event_token(w->out[job]);
    const slot_t *slot = &w->slots[fob_event_offset(w->out[job])];
    CHECK(w, !w->begun[token]);
    w->begun[token] = true;
    /* Its right is good at this moment, unless an order to take it is under way. */
    if (!w->ordered[token])
        CHECK(w, slot->place == LEASED && slot->holder == WORKER && slot->token == token);
}

/* How a handler ends: mostly well. */
static fob_settle_how_t draw_how(world_t *w) {
    static const char *const reasons[] = {NULL, "exit 1", "exit 2: no such order", "timed out"};
    fob_settle_how_t how = {.kind = FOB_KIND_ACK};
    if (chance(w, 80))
        return how;
    how.kind = (fob_settle_kind_t)(1 + draw(w, 4));
    if (how.kind != FOB_KIND_ACK)
        how.reason = fob_slice_str(reasons[draw(w, 4)]);
    if (how.kind == FOB_KIND_RETRY)
        how.after = draw(w, 2) * draw(w, 5000);
    return how;
}

static void finish(world_t *w, size_t job) {
    fob_settle_how_t how = draw_how(w);
    bool holds = fob_leases_holds(w->leases, w->out[job]);
    uint64_t token = fob_event_token(w->out[job]);
    fob_status_t status = fob_leases_settle(w->leases, now_of(w), w->out[job], &how);
    CHECK(w, status == (holds ? FOB_OK : FOB_STALE));
    w->settled[token] = status == FOB_OK;
    w->said[token] = how;
    fob_event_destroy(&w->out[job]);
}

/* What the worker is sure of is its own at the bus too, unless an order to take it is under way. */
static void sure_of_its_own(const world_t *w) {
    for (size_t job = 0; job < JOBS; job++) {
        if (!w->out[job] || !fob_leases_sure(w->leases, now_of(w), w->out[job]))
            continue;
        uint64_t token = fob_event_token(w->out[job]);
        const slot_t *slot = &w->slots[fob_event_offset(w->out[job])];
        if (!w->ordered[token] && !w->early[token])
            CHECK(w, slot->place == LEASED && slot->holder == WORKER && slot->token == token);
    }
}

static void application_step(world_t *w) {
    sure_of_its_own(w);
    for (size_t job = 0; job < JOBS; job++) {
        if (w->out[job] && chance(w, 50))
            finish(w, job);
        else if (!w->out[job] && chance(w, 80))
            begin(w, job);
    }
    uint64_t held = fob_leases_waiting(w->leases);
    for (size_t job = 0; job < JOBS; job++)
        held += w->out[job] && fob_leases_holds(w->leases, w->out[job]);
    CHECK(w, held <= PREFETCH);
}

/* --- the run --- */

static bool all_settled(const world_t *w) {
    for (uint64_t offset = 1; offset <= EVENTS; offset++)
        if (w->slots[offset].place != SETTLED)
            return false;
    return true;
}

/* All that was sent is read: what was taken by order is known to be lost. */
static void heeds_orders(world_t *w) {
    for (size_t job = 0; job < JOBS && w->to_worker.first == w->to_worker.end; job++)
        if (w->out[job] && w->up && w->joined && w->ordered[fob_event_token(w->out[job])])
            CHECK(w, !fob_leases_holds(w->leases, w->out[job]));
}

static void step(world_t *w) {
    w->now_ms += (int64_t)draw(w, 200);
    if (fault(w, 8)) { /* the process stands still; the bus does not */
        for (uint64_t left = draw(w, 12); left > 0; left--) {
            w->now_ms += 500;
            bus_step(w);
        }
    }
    if (w->up && fault(w, 5))
        w->frozen_ms = w->now_ms + (int64_t)draw(w, 8000);
    if (w->up && fault(w, 20))
        hang_up(w);
    else if (!w->up && chance(w, 50))
        dial(w);
    /* The application's thread may well be first to run. */
    application_step(w);
    worker_round(w);
    heeds_orders(w);
    application_step(w);
    bus_step(w);
    if (chance(w, 5))
        others_settle(w);
    CHECK(w, w->delivered <= w->allowed);
}

static bool none_out(const world_t *w) {
    for (size_t job = 0; job < JOBS; job++)
        if (w->out[job])
            return false;
    return true;
}

/* All that this run was to come to. */
static bool complete(const world_t *w) {
    if (!fob_leases_flushed(w->leases) || (w->limit && w->begun_all < w->limit))
        return false;
    if (w->limit || w->drained)
        return none_out(w) && (!w->drained || !w->joined);
    return all_settled(w);
}

/* No settle is lost: each took effect, unless its lease was gone. */
static void settles_add_up(world_t *w) {
    uint64_t in_vain = 0;
    for (uint64_t token = 1; token <= w->token; token++) {
        bool vain = w->settled[token] && !w->applied[token];
        CHECK(w, !vain || w->taken[token]);
        in_vain += vain;
    }
    /* A drain's own releases may be refused too. */
    CHECK(w, w->drained || fob_leases_refused(w->leases) <= in_vain);
}

static void run_seed(unsigned seed) {
    world_t *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->seed = seed;
    w->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    w->now_ms = 1000;
    w->limit = seed % 3 == 1 ? EVENTS / 2 : 0;
    w->leases = fob_leases_new(&(fob_leases_options_t){.group = fob_slice_str("g"),
                                                       .pattern = fob_slice_str("t"),
                                                       .jobs = JOBS,
                                                       .prefetch = PREFETCH,
                                                       .count = w->limit,
                                                       .give_up_mono = FOB_NEVER});
    assert_non_null(w->leases);
    for (unsigned i = 0; i < 1500; i++)
        step(w);
    if (seed % 3 == 2) {
        w->drained = true;
        fob_leases_drain(w->leases, now_of(w));
    }
    for (unsigned i = 0; i < 200000 && !complete(w); i++) {
        step(w);
        w->calm = i > 200;
    }
    CHECK(w, complete(w));
    unsigned out = 0;
    for (size_t job = 0; job < JOBS; job++)
        out += w->out[job] != NULL;
    CHECK(w, !w->joined || w->occupied <= out); /* all other ends were told */
    settles_add_up(w);
    burn_all(&w->to_bus);
    burn_all(&w->to_worker);
    fob_leases_destroy(&w->leases); /* and with it the events that are out */
    free(w);
}

static void no_settle_is_lost_and_no_lease_begun_twice(void **state) {
    (void)state;
    seeds_t seeds = seeds_given(1, 150);
    for (uint64_t i = 0; i < seeds.count; i++)
        run_seed((unsigned)(seeds.first + i));
}

FOB_MAIN(FOB_CASE(no_settle_is_lost_and_no_lease_begun_twice))
