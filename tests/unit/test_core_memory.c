/* What the core allocates: nothing once warm; and what it does when there is nothing to be had. */
#include "core_policy.h"
#include "scarce.h"

#include "bus/core/core.h"
#include "proto/envelope.h"
#include "tests/support/case.h"

#include <stdio.h>
#include <stdlib.h>

/* --- a small bus: acks whatever is delivered --- */

#define TURNS_MAX 4096

typedef struct {
    fob_core_t *core, *twin; /* twin: replays the records as they come */
    fob_now_t now;
    uint64_t seq, delivered, number, position;
    fob_buf_t runs;
    uint64_t memory_errors;
} world_t;

static const fob_core_config_t config = {.max_event = 1000000,
                                         .max_groups = 10,
                                         .max_sessions = 10,
                                         .session_keep_ms = 3600000,
                                         .cache_bytes = 1 << 20,
                                         .page_bytes = 65536,
                                         .mark_block = 4096,
                                         .policy = CORE_POLICY(1000, 300000),
                                         .dedup_max = 1000000,
                                         .dedup_window_ms = 3600000,
                                         .release_first_ms = 100};

static bool step(world_t *world, const fob_command_t *command) {
    uint64_t before = scarce.fail_at ? fob_core_hash(world->core) : 0;
    scarce.watching = true;
    fob_status_t status = fob_core_step(world->core, world->now, command);
    scarce.watching = false;
    if (status == FOB_NO_MEMORY && command->kind == FOB_CMD_PUBLISH)
        assert_int_equal(fob_core_hash(world->core), before);
    if (status == FOB_NO_MEMORY)
        world->memory_errors++;
    else
        assert_int_equal(status, FOB_OK);
    return status == FOB_OK;
}

/* A refused command is offered again: by then there is memory for it. */
static void insist(world_t *world, const fob_command_t *command) {
    if (step(world, command))
        return;
    uint64_t fail_at = scarce.fail_at;
    scarce.fail_at = scarce.lasting ? 0 : fail_at;
    assert_true(step(world, command));
    scarce.fail_at = fail_at;
}

/* What lacked memory for good has it again. */
static void memory_is_back(void) {
    if (scarce.lasting)
        scarce.fail_at = 0;
}

static void join(world_t *world, uint64_t conn, const char *group, const char *pattern) {
    uint8_t session[FOB_SESSION_SIZE] = {(uint8_t)conn, 1};
    insist(world, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                   .conn = conn,
                                   .join = {session, fob_slice_str(group), fob_slice_str(pattern),
                                            true, false, 300, 2}});
}

static void publish(world_t *world, unsigned count, bool mixed) {
    static const uint8_t session[FOB_SESSION_SIZE] = {9};
    fob_buf_t body = {0};
    for (unsigned i = 0; i < count; i++) {
        fob_envelope_t event = {.topic =
                                    fob_slice_str(mixed && i % 3 ? "order.paid" : "order.placed"),
                                .data = fob_slice_str("data")};
        assert_int_equal(fob_envelope_write(&body, UINT64_MAX, &event), FOB_OK);
    }
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    insist(world,
           &(fob_command_t){.kind = FOB_CMD_PUBLISH,
                            .conn = 1,
                            .publish = {session, world->number, world->number, blob, FOB_OK}});
    world->number += count;
    fob_blob_unref(&blob);
    fob_buf_free(&body);
}

static void ack(world_t *world, const fob_effect_t *effect, unsigned kind) {
    fob_buf_clear(&world->runs);
    fob_pack_array(&world->runs, effect->span_count);
    for (size_t i = 0; i < effect->span_count; i++) {
        const fob_span_t *span = &effect->spans[i];
        fob_run_write(&world->runs, (uint64_t[]){kind, span->offset, span->count, span->token}, 4);
        world->delivered += span->count;
    }
    insist(world, &(fob_command_t){.kind = FOB_CMD_SETTLE,
                                   .conn = effect->conn,
                                   .settle = {effect->group, ++world->seq, 300 + world->delivered,
                                              fob_buf_slice(&world->runs)}});
}

/* What the journal would give back is what the core went through. */
static void replay(world_t *world, const fob_turn_t *turn) {
    for (size_t i = 0; world->twin && i < turn->record_count; i++) {
        const fob_record_t *record = &turn->records[i];
        fob_buf_t bytes = {0};
        fob_buf_put(&bytes, record->head.data, record->head.size);
        if (record->body) {
            fob_slice_t body = fob_blob_slice(record->body);
            fob_buf_put(&bytes, body.data, body.size);
        }
        assert_int_equal(fob_core_replay(world->twin, turn->position, fob_buf_slice(&bytes)),
                         FOB_OK);
        fob_buf_free(&bytes);
    }
}

/* Takes until nothing is left; every seventh delivery is retried, the rest acked. */
static void turn(world_t *world, bool retry) {
    for (unsigned quiet = 0; quiet < 2;) {
        scarce.watching = true;
        fob_turn_t *turn = fob_core_take(world->core, world->now);
        scarce.watching = false;
        quiet = turn ? 0 : quiet + 1; /* once more: a take may have lacked memory */
        if (!turn)
            continue;
        replay(world, turn);
        for (size_t i = 0; i < turn->effect_count; i++) {
            if (turn->effects[i].kind == FOB_EFF_DELIVER)
                ack(world, &turn->effects[i],
                    retry && world->seq % 7 == 6 ? FOB_KIND_RETRY : FOB_KIND_ACK);
        }
        fob_core_release(world->core, &turn);
    }
}

static void begin(world_t *world) {
    *world = (world_t){.now = {FOB_SEC, 1700000000000}, .number = 1};
    world->core = fob_core_new(&config);
    fob_core_start(world->core, world->now, 0);
}

static void end(world_t *world) {
    fob_buf_free(&world->runs);
    fob_core_destroy(&world->core);
    fob_core_destroy(&world->twin);
}

static void rounds(world_t *world, unsigned count, bool retry) {
    for (unsigned i = 0; i < count; i++) {
        publish(world, i % 5 ? 1 + i % 64 : 1, i % 2);
        turn(world, retry);
        world->now.mono_ns += 10 * FOB_MS;
        world->now.wall_ms += 10;
    }
}

static void a_warm_core_allocates_nothing(void **state) {
    (void)state;
    world_t world;
    begin(&world);
    join(&world, 10, "orders", "order.>");
    join(&world, 11, "orders", "order.>");
    join(&world, 12, "paid", "*.paid");
    for (unsigned i = 0; i < 20; i++) /* the cache is full, and its oldest give way */
        rounds(&world, 1000, false);
    scarce.calls = 0;
    uint64_t before = world.delivered;
    rounds(&world, 1000, false);
    assert_true(world.delivered - before > 25000);
    assert_int_equal(scarce.calls, 0);
    end(&world);
}

/* The last worker of a temporary group goes, with something in its hands: told again, it is done.
 */
static void leave_temporary(world_t *world) {
    uint8_t session[FOB_SESSION_SIZE] = {13, 1};
    insist(world, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                   .conn = 13,
                                   .join = {session, fob_slice_str("passing"), fob_slice_str(">"),
                                            true, true, 2, 2}});
    publish(world, 5, false);
    fob_turn_t *taken = fob_core_take(world->core, world->now);
    if (taken) /* it may have lacked memory: then nothing is out */
        replay(world, taken);
    for (size_t i = 0; taken && i < taken->effect_count; i++) {
        if (taken->effects[i].kind == FOB_EFF_DELIVER && taken->effects[i].conn != 13)
            ack(world, &taken->effects[i], FOB_KIND_ACK);
    }
    fob_core_release(world->core, &taken);
    insist(world, &(fob_command_t){
                      .kind = FOB_CMD_LEAVE, .conn = 13, .leave = {fob_slice_str("passing")}});
    turn(world, false);
    fob_group_stats_t stats;
    for (size_t i = 0; fob_core_group_stats(world->core, world->now, i, &stats); i++)
        assert_false(stats.temporary);
}

static uint64_t failures; /* commands that were refused, in all stories */

static void everything_is_acked(void *arg) {
    world_t world;
    fob_group_stats_t stats;
    (void)arg;
    begin(&world);
    world.twin = fob_core_new(&config);
    join(&world, 10, "orders", "order.>");
    join(&world, 11, "orders", "order.>");
    join(&world, 12, "paid", "*.paid");
    rounds(&world, 40, true);
    leave_temporary(&world);
    step(&world, &(fob_command_t){.kind = FOB_CMD_LOST, .conn = 11});
    memory_is_back();
    turn(&world, false);
    world.now.mono_ns += 400 * FOB_SEC;
    world.now.wall_ms += 400000;
    turn(&world, false);
    failures += world.memory_errors;
    assert_int_equal(fob_core_hash(world.core), fob_core_hash(world.twin));
    for (size_t i = 0; fob_core_group_stats(world.core, world.now, i, &stats); i++)
        assert_int_equal(stats.accepted, stats.acked + stats.dead);
    end(&world);
}

/* The n-th allocation fails, for every n: it is told, nothing is half done, and it goes on. */
static void a_failed_allocation_changes_nothing(void **state) {
    (void)state;
    failures = 0;
    scarce_each("core: publish, ack, retry", 100, everything_is_acked, NULL);
    assert_true(failures > 10);
}

/* --- where handlers fail --- */

/* Every event is retried, rejected, released, acked, or held until its lease is over, each for a
 * reason of its own. */
static void fail_some(world_t *world, const fob_effect_t *effect) {
    char text[64];
    for (size_t i = 0; i < effect->span_count; i++) {
        const fob_span_t *span = &effect->spans[i];
        unsigned kind = (unsigned)(world->seq % 5);
        world->seq++;
        if (kind == 0)
            continue; /* it hangs */
        snprintf(text, sizeof text, "failed for the %lluth time", (unsigned long long)world->seq);
        fob_buf_clear(&world->runs);
        fob_pack_array(&world->runs, 1);
        fob_run_write(&world->runs,
                      (uint64_t[]){kind, span->offset, span->count, span->token, world->seq % 3},
                      5);
        insist(world, &(fob_command_t){.kind = FOB_CMD_SETTLE,
                                       .conn = effect->conn,
                                       .settle = {.group = effect->group,
                                                  .seq = world->seq,
                                                  .credit = 1000000,
                                                  .runs = fob_buf_slice(&world->runs),
                                                  .text = fob_slice_str(text)}});
    }
}

/* What hung has ended, or was never begun: the worker tells so. */
static void tell_ended(world_t *world, const fob_effect_t *effect) {
    fob_runs_t lost;
    fob_run_t row;
    fob_buf_clear(&world->runs);
    assert_true(fob_runs(effect->runs, &lost));
    fob_pack_array(&world->runs, lost.left);
    while (fob_runs_next(&lost, &row))
        fob_run_write(&world->runs, (uint64_t[]){FOB_KIND_RELEASE, row.at[0], row.at[1], row.at[2]},
                      4);
    insist(world, &(fob_command_t){.kind = FOB_CMD_SETTLE,
                                   .conn = effect->conn,
                                   .settle = {.group = effect->group,
                                              .seq = ++world->seq,
                                              .runs = fob_buf_slice(&world->runs)}});
}

static void take_and_fail(world_t *world) {
    for (unsigned quiet = 0; quiet < 3;) {
        scarce.watching = true;
        fob_turn_t *turn = fob_core_take(world->core, world->now);
        scarce.watching = false;
        quiet = turn ? 0 : quiet + 1;
        world->now.mono_ns++; /* what lacked memory, or was too much, goes on later */
        if (!turn)
            continue;
        replay(world, turn);
        for (size_t i = 0; i < turn->effect_count; i++) {
            if (turn->effects[i].kind == FOB_EFF_DELIVER)
                fail_some(world, &turn->effects[i]);
            else if (turn->effects[i].kind == FOB_EFF_LOST)
                tell_ended(world, &turn->effects[i]);
        }
        fob_core_release(world->core, &turn);
    }
}

static void join_named(world_t *world, uint64_t conn, const char *group, uint64_t lease_ms) {
    uint8_t session[FOB_SESSION_SIZE] = {(uint8_t)conn, 1};
    char name[16];
    snprintf(name, sizeof name, "worker-%u", (unsigned)conn);
    insist(world, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                   .conn = conn,
                                   .join = {.session = session,
                                            .group = fob_slice_str(group),
                                            .pattern = fob_slice_str("order.>"),
                                            .create = true,
                                            .credit = 1000000,
                                            .jobs = 3,
                                            .worker = fob_slice_str(name),
                                            .lease_ms = lease_ms}});
}

/* Lets time pass until all is over; gives how many letters there are. */
static uint64_t until_over(world_t *world) {
    fob_group_stats_t stats;
    for (unsigned i = 0; i < 400; i++) {
        world->now.mono_ns += 10 * FOB_SEC;
        world->now.wall_ms += 10000;
        take_and_fail(world);
        assert_true(fob_core_group_stats(world->core, world->now, 0, &stats));
        assert_int_equal(stats.accepted, stats.acked + stats.dead + stats.removed + stats.ready +
                                             stats.leased + stats.delayed);
        if (stats.accepted == stats.acked + stats.dead + stats.removed)
            return stats.dead;
    }
    fail_msg("it does not come to an end");
    return 0;
}

static void everything_fails(void *arg) {
    world_t world;
    fob_core_config_t bounded = config;
    (void)arg;
    bounded.policy.dead_max = 5;
    bounded.policy.lease = 20000;
    begin(&world);
    fob_core_destroy(&world.core);
    world.core = fob_core_new(&bounded);
    world.twin = fob_core_new(&bounded);
    fob_core_start(world.core, world.now, 0);
    join_named(&world, 10, "orders", 0);
    join_named(&world, 11, "orders", 1500);
    for (unsigned i = 0; i < 6; i++) {
        publish(&world, 8, true);
        take_and_fail(&world);
    }
    step(&world, &(fob_command_t){.kind = FOB_CMD_LOST, .conn = 11});
    memory_is_back();
    assert_true(until_over(&world) <= 5);
    failures += world.memory_errors;
    assert_int_equal(fob_core_hash(world.core), fob_core_hash(world.twin));
    end(&world);
}

static void a_failed_allocation_loses_no_failed_event(void **state) {
    (void)state;
    failures = 0;
    scarce_each("core: handlers fail", 100, everything_fails, NULL);
    assert_true(failures > 10);
}

/* --- limits, ids, priorities --- */

static void add_group(world_t *world, const char *group, fob_overflow_t overflow) {
    bool strict = overflow == FOB_OVERFLOW_REJECT;
    fob_policy_patch_t patch = {1u << FOB_POLICY_max_depth | 1u << FOB_POLICY_overflow,
                                {.max_depth = strict ? 4 : 20, .overflow = overflow}};
    insist(world, &(fob_command_t){
                      .kind = FOB_CMD_GROUP_ADD,
                      .conn = 5,
                      .admin = {.group = fob_slice_str(group),
                                .pattern = fob_slice_str(strict ? "order.paid" : "order.placed"),
                                .patch = patch}});
}

/* Numbers from `first` on: each third without an id, each fourth of another topic, some of them
 * twice; as what was refused comes again it is the same. */
static void publish_mixed(world_t *world, uint64_t first, unsigned count) {
    static const uint8_t session[FOB_SESSION_SIZE] = {9};
    fob_buf_t body = {0};
    for (uint64_t n = first; n < first + count; n++) {
        char id[24];
        snprintf(id, sizeof id, "%llu", (unsigned long long)(n % 5 ? n : n / 2));
        fob_envelope_t event = {.topic = fob_slice_str(n % 4 ? "order.placed" : "order.paid"),
                                .priority = (uint8_t)(n % 7 > 4 ? n % 7 : 0),
                                .data = fob_slice_str("data")};
        if (n % 3)
            event.id = fob_slice_str(id);
        assert_int_equal(fob_envelope_write(&body, UINT64_MAX, &event), FOB_OK);
        if (n % 29 == 0)
            body.data[body.size - 6] = 0xd9; /* no event any more: its data is text */
    }
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    insist(world, &(fob_command_t){
                      .kind = FOB_CMD_PUBLISH,
                      .conn = 1,
                      .publish = {session, first, world->number > 300 ? first : 1, blob, FOB_OK}});
    world->number = first + count > world->number ? first + count : world->number;
    fob_blob_unref(&blob);
    fob_buf_free(&body);
}

/* All four policies meet their limits; what was refused is offered again now and then. */
static void limit_rounds(world_t *world, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        publish_mixed(world, world->number, i % 5 ? 1 + i % 16 : 1);
        if (i % 4 == 3)
            publish_mixed(world, world->number > 30 ? world->number - 30 : 1, 30);
        if (i % 8 == 7)
            turn(world, true);
        world->now.mono_ns += 10 * FOB_MS;
        world->now.wall_ms += 10;
    }
}

static void begin_with_limits(world_t *world) {
    add_group(world, "strict", FOB_OVERFLOW_REJECT);
    add_group(world, "young", FOB_OVERFLOW_DROP_OLDEST);
    add_group(world, "high", FOB_OVERFLOW_DROP_LOWEST);
    add_group(world, "grave", FOB_OVERFLOW_DEAD_LETTER);
    join(world, 10, "strict", "order.paid");
    join(world, 11, "high", "order.placed");
}

/* The books balance, and everything that this is about has happened. */
static void look_at_limits(world_t *world) {
    fob_group_stats_t s;
    fob_core_stats_t all;
    uint64_t shed = 0, dead = 0;
    for (size_t i = 0; fob_core_group_stats(world->core, world->now, i, &s); i++) {
        assert_int_equal(s.accepted,
                         s.acked + s.dead + s.shed + s.removed + s.ready + s.leased + s.delayed);
        shed += s.shed;
        dead += s.dead;
    }
    fob_core_stats(world->core, &all);
    assert_true(shed > 50 && dead > 50 && all.busy > 50 && all.ids > 50);
}

static void all_is_full(void *arg) {
    world_t world;
    (void)arg;
    begin(&world);
    world.twin = fob_core_new(&config);
    begin_with_limits(&world);
    limit_rounds(&world, 32);
    memory_is_back();
    turn(&world, false);
    failures += world.memory_errors;
    assert_int_equal(fob_core_hash(world.core), fob_core_hash(world.twin));
    look_at_limits(&world);
    end(&world);
}

static void a_failed_allocation_at_a_limit_changes_nothing(void **state) {
    (void)state;
    failures = 0;
    scarce_each("core: limits", 100, all_is_full, NULL);
    assert_true(failures > 10);
}

/* The table of ids grows up to its bound; it is here before it is looked at. */
static void a_warm_core_allocates_nothing_for_ids(void **state) {
    (void)state;
    world_t world;
    fob_core_config_t small = config;
    small.dedup_max = 2000;
    begin(&world);
    fob_core_destroy(&world.core);
    world.core = fob_core_new(&small);
    fob_core_start(world.core, world.now, 0);
    join(&world, 10, "orders", "order.>");
    for (unsigned i = 0; i < 3000; i++) {
        if (i == 1500)
            scarce.calls = 0;
        static const uint8_t session[FOB_SESSION_SIZE] = {9};
        fob_buf_t body = {0};
        for (unsigned k = 0; k < 16; k++) {
            char id[24];
            snprintf(id, sizeof id, "%u", i * 16 + k);
            fob_envelope_t event = {.topic = fob_slice_str("order.placed"),
                                    .id = fob_slice_str(id)};
            assert_int_equal(fob_envelope_write(&body, UINT64_MAX, &event), FOB_OK);
        }
        fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
        insist(&world,
               &(fob_command_t){.kind = FOB_CMD_PUBLISH,
                                .conn = 1,
                                .publish = {session, world.number, world.number, blob, FOB_OK}});
        world.number += 16;
        fob_blob_unref(&blob);
        fob_buf_free(&body);
        turn(&world, false);
    }
    assert_int_equal(scarce.calls, 0);
    end(&world);
}

FOB_MAIN(FOB_CASE(a_warm_core_allocates_nothing), FOB_CASE(a_failed_allocation_changes_nothing),
         FOB_CASE(a_failed_allocation_loses_no_failed_event),
         FOB_CASE(a_warm_core_allocates_nothing_for_ids),
         FOB_CASE(a_failed_allocation_at_a_limit_changes_nothing))
