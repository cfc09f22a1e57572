/* The bus of the seeded model of the lease table: see leases_world.h. */
#include "leases_world.h"

void give_away(world_t *w, bool early) {
    for (uint64_t offset = 1; offset <= EVENTS; offset++) {
        slot_t *slot = &w->slots[offset];
        if (slot->place != LEASED || slot->holder != WORKER)
            continue;
        slot->place = READY;
        w->taken[slot->token] = true;
        w->early[slot->token] = early;
        if (chance(w, 50))
            continue;
        slot->place = chance(w, 50) ? LEASED : SETTLED;
        slot->holder = OTHER;
        slot->token = ++w->token;
    }
}

void others_settle(world_t *w) {
    for (uint64_t offset = 1; offset <= EVENTS; offset++)
        if (w->slots[offset].place == LEASED && w->slots[offset].holder == OTHER)
            w->slots[offset].place = chance(w, 50) ? SETTLED : READY;
}

static fob_status_t verdict(const slot_t *slot, uint64_t token) {
    if (slot->place == SETTLED)
        return FOB_GONE;
    if (slot->place == READY)
        return FOB_NOT_HELD;
    return slot->holder == WORKER && slot->token == token ? FOB_OK : FOB_STALE;
}

static void refuse(fob_buf_t *rows, uint32_t *count, fob_status_t code, uint64_t offset,
                   uint64_t token) {
    fob_run_write(rows, (uint64_t[]){code, offset, 1, token}, 4);
    ++*count;
}

static void bus_answer(world_t *w, fob_wire_t *msg, fob_buf_t *rows, uint32_t count) {
    fob_buf_t all = {0};
    fob_pack_array(&all, count);
    fob_buf_put(&all, rows->data, rows->size);
    FOB_SET(msg, refused, fob_buf_slice(&all));
    say(w, msg, NULL);
    fob_buf_free(&all);
    fob_buf_free(rows);
}

static void bus_join(world_t *w, const fob_wire_t *msg) {
    bool claimed[EVENTS + 1] = {false};
    fob_buf_t rows = {0};
    uint32_t refused = 0;
    fob_runs_t runs;
    fob_run_t run;
    assert_true(fob_runs(msg->runs, &runs));
    while (fob_runs_next(&runs, &run))
        for (uint64_t i = 0; i < run.at[1]; i++) {
            uint64_t offset = run.at[0] + i, token = run.at[2] + i;
            fob_status_t code = verdict(&w->slots[offset], token);
            if (code == FOB_OK)
                claimed[offset] = true;
            else
                refuse(&rows, &refused, code, offset, token);
        }
    for (uint64_t offset = 1; offset <= EVENTS; offset++)
        if (w->slots[offset].place == LEASED && w->slots[offset].holder == WORKER &&
            !claimed[offset])
            w->slots[offset].place = READY;
    w->joined = true;
    memset(w->overdue, 0, sizeof w->overdue);
    w->occupied = 0;
    w->allowed = msg->credit;
    w->delivered = 0;
    w->seq = 0;
    fob_wire_t answer = wire(FOB_VERB_JOINED);
    FOB_SET(&answer, code, FOB_OK);
    bus_answer(w, &answer, &rows, refused);
}

/* Each settle comes with what its handler said, whatever it rode with. */
static void said_as_it_was(const world_t *w, uint64_t token, const fob_run_t *run,
                           fob_slice_t text) {
    const fob_settle_how_t *said = &w->said[token];
    if (!w->begun[token]) {
        CHECK(w, run->at[0] == FOB_KIND_RELEASE && !text.size); /* given back by a drain */
        return;
    }
    CHECK(w, run->at[0] == said->kind);
    CHECK(w, run->at[4] == said->after);
    CHECK(w, said->kind == FOB_KIND_ACK || fob_slice_eq(text, said->reason));
}

/* What is refused may be of a lease that ran out: nobody may run it any more. */
static void handler_ended(world_t *w, uint64_t token) {
    if (!w->overdue[token])
        return;
    for (size_t job = 0; job < JOBS; job++)
        CHECK(w, !w->out[job] || fob_event_token(w->out[job]) != token);
    w->overdue[token] = false;
    w->occupied--;
}

static void bus_settle(world_t *w, const fob_wire_t *msg) {
    fob_buf_t rows = {0};
    uint32_t refused = 0;
    fob_runs_t runs;
    fob_run_t run;
    CHECK(w, msg->seq == ++w->seq);
    assert_true(fob_runs(msg->runs, &runs));
    while (fob_runs_next(&runs, &run))
        for (uint64_t i = 0; i < run.at[2]; i++) {
            slot_t *slot = &w->slots[run.at[1] + i];
            fob_status_t code = verdict(slot, run.at[3] + i);
            if (code != FOB_OK) {
                refuse(&rows, &refused, code, run.at[1] + i, run.at[3] + i);
                handler_ended(w, run.at[3] + i);
                continue;
            }
            said_as_it_was(w, run.at[3] + i, &run, msg->text);
            bool back = run.at[0] == FOB_KIND_RETRY || run.at[0] == FOB_KIND_RELEASE;
            slot->place = back ? READY : SETTLED;
            w->applied[run.at[3] + i] = true;
        }
    if (FOB_HAS(msg, credit))
        w->allowed = msg->credit;
    fob_wire_t answer = wire(FOB_VERB_SETTLED);
    FOB_SET(&answer, seq, msg->seq);
    bus_answer(w, &answer, &rows, refused);
}

static void bus_leave(world_t *w) {
    w->joined = false;
    for (uint64_t offset = 1; offset <= EVENTS; offset++)
        if (w->slots[offset].place == LEASED && w->slots[offset].holder == WORKER)
            w->slots[offset].place = READY;
}

static void bus_read(world_t *w) {
    letter_t *letter;
    size_t some = draw(w, 8);
    if (w->to_bus.first != w->to_bus.end)
        w->heard_ms = w->now_ms; /* what arrived counts, though it is read later */
    while (some-- && (letter = collect(&w->to_bus))) {
        fob_wire_t msg;
        if (letter->beat) {
            burn(letter);
            continue;
        }
        assert_int_equal(fob_wire_read(fob_buf_slice(&letter->header), &msg), FOB_OK);
        if (msg.verb == FOB_VERB_JOIN)
            bus_join(w, &msg);
        else if (msg.verb == FOB_VERB_SETTLE)
            bus_settle(w, &msg);
        else if (msg.verb == FOB_VERB_CREDIT)
            w->allowed = msg.credit;
        else if (msg.verb == FOB_VERB_LEAVE)
            bus_leave(w);
        burn(letter);
    }
}

/* A run of ready events, leased to the worker. */
static void bus_deliver(world_t *w) {
    uint64_t offset = 1, count = 0, most = 1 + draw(w, 7);
    fob_buf_t body = {0}, runs = {0};
    while (offset <= EVENTS && w->slots[offset].place != READY)
        offset++;
    uint64_t token = w->token + 1;
    for (; offset + count <= EVENTS && w->slots[offset + count].place == READY && count < most &&
           w->delivered < w->allowed;
         count++, w->delivered++) {
        w->slots[offset + count] = (slot_t){LEASED, WORKER, ++w->token};
        fob_envelope_t event = {.topic = fob_slice_str("t"), .data = fob_slice_str("payload")};
        assert_int_equal(fob_envelope_write(&body, 1000, &event), FOB_OK);
    }
    if (count) {
        fob_wire_t msg = wire(FOB_VERB_DELIVER);
        fob_pack_array(&runs, 1);
        fob_run_write(&runs, (uint64_t[]){offset, count, token, 1, 5}, 5);
        FOB_SET(&msg, runs, fob_buf_slice(&runs));
        say(w, &msg, fob_blob_copy(fob_buf_slice(&body)));
    }
    fob_buf_free(&body);
    fob_buf_free(&runs);
}

/* By order of an operator: a lease is taken away though the worker lives. */
static void bus_take(world_t *w) {
    uint64_t offset = 1 + draw(w, EVENTS);
    slot_t *slot = &w->slots[offset];
    if (slot->place != LEASED || slot->holder != WORKER)
        return;
    fob_buf_t runs = {0};
    fob_wire_t msg = wire(FOB_VERB_LOST);
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, (uint64_t[]){offset, 1, slot->token}, 3);
    FOB_SET(&msg, runs, fob_buf_slice(&runs));
    say(w, &msg, NULL);
    fob_buf_free(&runs);
    slot->place = READY;
    w->taken[slot->token] = w->ordered[slot->token] = true;
}

static void lost_row(fob_buf_t *rows, uint32_t *count, world_t *w, uint64_t offset) {
    slot_t *slot = &w->slots[offset];
    fob_run_write(rows, (uint64_t[]){offset, 1, slot->token}, 3);
    slot->place = READY;
    w->taken[slot->token] = w->ordered[slot->token] = true;
    ++*count;
}

static void say_lost(world_t *w, fob_buf_t *rows, uint32_t count) {
    fob_buf_t runs = {0};
    fob_wire_t msg = wire(FOB_VERB_LOST);
    fob_pack_array(&runs, count);
    fob_buf_put(&runs, rows->data, rows->size);
    FOB_SET(&msg, runs, fob_buf_slice(&runs));
    say(w, &msg, NULL);
    fob_buf_free(&runs);
    fob_buf_free(rows);
}

/* The lease of what the worker holds with the lowest token runs out; if no job is free then, all
 * else that it holds goes back. */
static void bus_expire(world_t *w) {
    uint64_t oldest = 0;
    fob_buf_t rows = {0};
    uint32_t count = 0;
    for (uint64_t offset = 1; offset <= EVENTS; offset++) {
        const slot_t *slot = &w->slots[offset];
        bool mine = slot->place == LEASED && slot->holder == WORKER;
        if (mine && (!oldest || slot->token < w->slots[oldest].token))
            oldest = offset;
    }
    if (!oldest || w->occupied == JOBS)
        return;
    w->overdue[w->slots[oldest].token] = true;
    w->occupied++;
    lost_row(&rows, &count, w, oldest);
    say_lost(w, &rows, count);
    rows = (fob_buf_t){0};
    count = 0;
    for (uint64_t offset = 1; w->occupied == JOBS && offset <= EVENTS; offset++)
        if (w->slots[offset].place == LEASED && w->slots[offset].holder == WORKER)
            lost_row(&rows, &count, w, offset);
    if (count)
        say_lost(w, &rows, count);
}

void bus_step(world_t *w) {
    bool open = w->now_ms >= w->frozen_ms;
    if (w->up && !w->knows && open && w->to_bus.first != w->to_bus.end)
        w->first_hello = true;
    if (!w->up || !w->knows)
        return;
    if (open)
        bus_read(w);
    if (w->now_ms - w->heard_ms > LOST_MS) {
        w->knows = w->joined = false;
        give_away(w, false);
        return;
    }
    if (w->now_ms - w->beat_ms >= BEAT_MS) {
        post(w, &w->to_worker)->beat = true;
        w->beat_ms = w->now_ms;
    }
    if (w->joined && w->occupied < JOBS && chance(w, 60))
        bus_deliver(w);
    if (w->joined && fault(w, 10))
        bus_take(w);
    if (w->joined && fault(w, 30))
        bus_expire(w);
}
