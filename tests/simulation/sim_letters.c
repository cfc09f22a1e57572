/* What the bus says, read for the checkers as it leaves. */
#include "sim_world.h"

#include "proto/cursor.h"
#include "sim_decided.h"

/* What a refusal says; its limit may be one of bytes. */
typedef struct {
    fob_slice_t group, text;
    uint64_t depth, limit;
} busy_t;

/* False: it names no group with its limit. */
static bool read_busy(fob_slice_t detail, busy_t *out) {
    fob_cursor_t cursor = fob_cursor(detail);
    fob_slice_t name, skipped;
    uint32_t count = 0;
    unsigned found = 0;
    if (!detail.size || !fob_cursor_map(&cursor, &count))
        return false;
    for (uint32_t i = 0; i < count && fob_cursor_str(&cursor, &name); i++) {
        if (fob_slice_eq(name, fob_slice_str("group")))
            found += fob_cursor_str(&cursor, &out->group);
        else if (fob_slice_eq(name, fob_slice_str("depth")))
            found += fob_cursor_uint(&cursor, &out->depth);
        else if (fob_slice_eq(name, fob_slice_str("limit")))
            found += fob_cursor_uint(&cursor, &out->limit);
        else if (fob_slice_eq(name, fob_slice_str("text")))
            found += fob_cursor_str(&cursor, &out->text);
        else if (!fob_cursor_skip(&cursor, &skipped))
            break;
    }
    return found == 4;
}

static bool by_bytes(fob_slice_t text) {
    static const char bytes[] = " bytes)";
    for (size_t i = 0; i + sizeof bytes - 1 <= text.size; i++)
        if (memcmp(text.data + i, bytes, sizeof bytes - 1) == 0)
            return true;
    return false;
}

static void receipt(sim_world_t *world, uint32_t conn, const fob_run_t *run) {
    busy_t busy = {0};
    bool ok = run->at[0] == FOB_OK, known = run->detail.size > 0;
    sim_reached_note(&world->witness.reached, SIM_REACHED_ANSWER, run->at[0]);
    sim_witness_tell(&world->witness, &(sim_fact_t){.kind = SIM_ROW,
                                                    .worker = conn,
                                                    .status = fob_wire_status(run->at[0]),
                                                    .serial = run->at[1],
                                                    .duplicate_of = ok && known ? run->at[3] : 0,
                                                    .count = run->at[2]});
    if (run->at[0] != FOB_BUSY)
        return;
    if (!read_busy(run->detail, &busy)) {
        if (busy.limit) /* of sessions, as no group is named */
            sim_reached_note(&world->witness.reached, SIM_REACHED_BUSY, SIM_BUSY_SESSIONS);
        return;
    }
    sim_witness_tell(&world->witness,
                     &(sim_fact_t){.kind = SIM_BUSY,
                                   .worker = conn,
                                   .group = sim_witness_group(&world->witness, busy.group),
                                   .bytes = busy.group,
                                   .value = busy.depth,
                                   .count = busy.limit,
                                   .token = by_bytes(busy.text)});
}

static void deliver(sim_world_t *world, uint32_t conn, fob_slice_t name, const fob_run_t *run,
                    fob_cursor_t *body) {
    const sim_group_t *group = sim_witness_group(&world->witness, name);
    if (!group)
        sim_world_fail(world, "nothing is delivered before it is durable",
                       "a delivery is of a group that is not durable");
    sim_witness_tell(
        &world->witness,
        &(sim_fact_t){.kind = SIM_DELIVERED,
                      .worker = conn,
                      .group = group,
                      .offset = run->at[0],
                      .count = run->at[1],
                      .time_ms = sim_clock_now(&world->bus.clock, world->now_ns).wall_ms,
                      .token = run->at[2],
                      .attempt = (uint32_t)run->at[3]});
    for (uint64_t i = 0; i < run->at[1]; i++) {
        fob_slice_t topic, bytes = {0};
        if (!fob_envelope_skim(body, &topic, &bytes))
            bytes = (fob_slice_t){0};
        sim_witness_tell(&world->witness, &(sim_fact_t){.kind = SIM_SENT,
                                                        .group = group,
                                                        .offset = run->at[0] + i,
                                                        .bytes = bytes});
    }
}

static void tell(sim_world_t *world, sim_fact_kind_t kind, uint32_t conn, const fob_wire_t *msg) {
    sim_witness_tell(&world->witness,
                     &(sim_fact_t){.kind = kind,
                                   .worker = conn,
                                   .group = sim_witness_group(&world->witness, msg->group),
                                   .serial = msg->seq,
                                   .value = msg->credit,
                                   .bytes = kind == SIM_ASKED ? msg->runs : msg->refused});
}

static uint64_t events_in(fob_slice_t body) {
    fob_cursor_t cursor = fob_cursor(body);
    uint64_t count = 0;
    while (!fob_cursor_end(&cursor) && fob_cursor_skip(&cursor, NULL))
        count++;
    return count;
}

static void joining(sim_world_t *world, uint32_t conn, const fob_wire_t *msg) {
    const fob_core_t *core = fob_ledger_core(world->bus.ledger);
    sim_witness_tell(&world->witness,
                     &(sim_fact_t){.kind = SIM_JOINING,
                                   .worker = conn,
                                   .group = sim_witness_group(&world->witness, msg->group),
                                   .value = msg->credit,
                                   .position = sim_decided(core),
                                   .count = msg->lease,
                                   .bytes = msg->runs});
}

void sim_letters_sent(sim_world_t *world, uint32_t conn, fob_slice_t header, fob_slice_t body) {
    fob_wire_t msg;
    if (fob_wire_read(header, &msg) != FOB_OK)
        sim_world_fail(world, "the clients speak the protocol", "what one says cannot be read");
    tell(world, SIM_READ, conn, &msg);
    if (msg.verb == FOB_VERB_PUBLISH)
        sim_witness_tell(&world->witness, &(sim_fact_t){.kind = SIM_PUBLISHED,
                                                        .worker = conn,
                                                        .serial = msg.first,
                                                        .count = events_in(body),
                                                        .bytes = body});
    if (msg.verb == FOB_VERB_JOIN)
        joining(world, conn, &msg);
    if (msg.verb == FOB_VERB_CREDIT || (msg.verb == FOB_VERB_SETTLE && FOB_HAS(&msg, credit)))
        tell(world, SIM_CREDIT, conn, &msg);
    if (msg.verb == FOB_VERB_SETTLE)
        tell(world, SIM_ASKED, conn, &msg);
    if (msg.verb == FOB_VERB_LEAVE)
        tell(world, SIM_LEFT, conn, &msg);
}

void sim_letters_read(sim_world_t *world, uint32_t conn, fob_slice_t header, fob_slice_t body) {
    fob_cursor_t cursor = fob_cursor(body);
    fob_wire_t msg;
    fob_runs_t runs;
    fob_run_t run;
    uint8_t verb = header.size > 1 ? header.data[1] : 0; /* it is written in its shortest form */
    if (verb == FOB_VERB_LOST)
        sim_worker_told_lost(world, header);
    if (verb != FOB_VERB_RECEIPT && verb != FOB_VERB_DELIVER && verb != FOB_VERB_SETTLED &&
        verb != FOB_VERB_JOINED)
        return;
    if (fob_wire_read(header, &msg) != FOB_OK ||
        ((verb == FOB_VERB_RECEIPT || verb == FOB_VERB_DELIVER) && !fob_runs(msg.runs, &runs)))
        sim_world_fail(world, "the bus speaks the protocol", "what it says cannot be read");
    if (verb == FOB_VERB_SETTLED || verb == FOB_VERB_JOINED) {
        tell(world, verb == FOB_VERB_JOINED ? SIM_JOINED : SIM_ANSWERED, conn, &msg);
        return;
    }
    while (fob_runs_next(&runs, &run)) {
        if (verb == FOB_VERB_RECEIPT)
            receipt(world, conn, &run);
        else
            deliver(world, conn, msg.group, &run, &cursor);
    }
}
