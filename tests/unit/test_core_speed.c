/* How fast the core alone is: events a second through publish -> deliver -> settle, one thread, no
 * journal.
 *
 *     core_speed [events in millions] [events a batch] [groups] [workers a group]
 *                [groups of other topics] [of these, how many hold an event that waits]
 *                [1: each event has an id, 2: a priority, 3: both] */
#include "bus/core/core.h"
#include "core_policy.h"
#include "proto/envelope.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * FOB_SEC + t.tv_nsec;
}

static void must(bool good) {
    if (!good)
        abort();
}

typedef struct {
    fob_core_t *core;
    fob_now_t now;
    uint64_t seq, delivered;
    fob_buf_t runs;
} world_t;

static void join(world_t *world, unsigned group, unsigned worker) {
    char name[32];
    snprintf(name, sizeof name, "group_%u", group);
    uint8_t session[FOB_SESSION_SIZE] = {(uint8_t)group, (uint8_t)worker, 1};
    fob_command_t command = {
        .kind = FOB_CMD_JOIN,
        .conn = 10 + group * 100 + worker,
        .join = {session, fob_slice_str(name), fob_slice_str("order.>"), true, false, 1024, 4}};
    must(fob_core_step(world->core, world->now, &command) == FOB_OK);
}

/* Acks what one delivery brought, as a worker would. */
static void ack(world_t *world, const fob_effect_t *effect) {
    fob_buf_clear(&world->runs);
    fob_pack_array(&world->runs, effect->span_count);
    uint64_t count = 0;
    for (size_t i = 0; i < effect->span_count; i++) {
        const fob_span_t *span = &effect->spans[i];
        fob_run_write(&world->runs,
                      (uint64_t[]){FOB_KIND_ACK, span->offset, span->count, span->token}, 4);
        count += span->count;
    }
    world->delivered += count;
    fob_command_t command = {.kind = FOB_CMD_SETTLE,
                             .conn = effect->conn,
                             .settle = {effect->group, ++world->seq, 1024 + world->delivered,
                                        fob_buf_slice(&world->runs)}};
    must(fob_core_step(world->core, world->now, &command) == FOB_OK);
}

/* Groups of topics that nobody publishes any more; some hold an event that comes back later. */
static void bystanders(world_t *world, unsigned groups, unsigned holding) {
    for (unsigned i = 0; i < groups; i++) {
        char name[32];
        snprintf(name, sizeof name, "other_%u", i);
        uint8_t session[FOB_SESSION_SIZE] = {(uint8_t)i, (uint8_t)(i >> 8), 2};
        fob_slice_t text = fob_slice_str(name);
        fob_command_t command = {.kind = FOB_CMD_JOIN,
                                 .conn = 1000000 + i,
                                 .join = {session, text, text, true, false, 10, 1}};
        must(fob_core_step(world->core, world->now, &command) == FOB_OK);
        if (i >= holding)
            continue;
        fob_envelope_t event = {.topic = text};
        fob_buf_t body = {0}, runs = {0};
        must(fob_envelope_write(&body, UINT64_MAX, &event) == FOB_OK);
        fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
        fob_command_t publish = {
            .kind = FOB_CMD_PUBLISH, .conn = 2, .publish = {session, 1, 1, blob, FOB_OK}};
        must(blob && fob_core_step(world->core, world->now, &publish) == FOB_OK);
        fob_turn_t *taken = fob_core_take(world->core, world->now);
        fob_core_release(world->core, &taken);
        fob_pack_array(&runs, 1);
        fob_run_write(&runs, (uint64_t[]){FOB_KIND_RETRY, i + 1, 1, 1}, 4);
        fob_command_t settle = {.kind = FOB_CMD_SETTLE,
                                .conn = 1000000 + i,
                                .settle = {text, 1, 0, fob_buf_slice(&runs)}};
        must(fob_core_step(world->core, world->now, &settle) == FOB_OK);
        fob_blob_unref(&blob);
        fob_buf_free(&body);
        fob_buf_free(&runs);
    }
}

static void turn(world_t *world) {
    for (fob_turn_t *turn; (turn = fob_core_take(world->core, world->now)) != NULL;) {
        for (size_t i = 0; i < turn->effect_count; i++) {
            if (turn->effects[i].kind == FOB_EFF_DELIVER)
                ack(world, &turn->effects[i]);
        }
        fob_core_release(world->core, &turn);
    }
}

/* As a publisher would send it. */
static void write_batch(fob_buf_t *body, unsigned count, uint64_t number, unsigned with,
                        fob_slice_t data) {
    fob_envelope_t event = {.topic = fob_slice_str("order.placed"), .data = data};
    fob_buf_clear(body);
    for (unsigned i = 0; i < count; i++) {
        char id[24];
        snprintf(id, sizeof id, "order-%" PRIu64, number + i);
        if (with & 1)
            event.id = fob_slice_str(id);
        event.priority = with & 2 ? (uint8_t)((number + i) % 10) : 0;
        must(fob_envelope_write(body, UINT64_MAX, &event) == FOB_OK);
    }
}

int main(int argc, char **argv) {
    uint64_t events = (argc > 1 ? strtoull(argv[1], NULL, 10) : 5) * 1000000;
    unsigned batch = argc > 2 ? (unsigned)atoi(argv[2]) : 128;
    unsigned groups = argc > 3 ? (unsigned)atoi(argv[3]) : 1;
    unsigned workers = argc > 4 ? (unsigned)atoi(argv[4]) : 2;
    fob_core_config_t config = {.max_event = 1000000,
                                .max_groups = 100000,
                                .max_sessions = 1000,
                                .session_keep_ms = 3600000,
                                .cache_bytes = 64 << 20,
                                .page_bytes = 1 << 20,
                                .mark_block = 65536,
                                .policy = CORE_POLICY(300000, 300000),
                                .dedup_max = 1000000,
                                .dedup_window_ms = 3600000,
                                .release_first_ms = 100};
    world_t world = {.core = fob_core_new(&config), .now = {FOB_SEC, 1700000000000}};
    must(world.core != NULL);
    fob_core_start(world.core, world.now, 0);
    for (unsigned g = 0; g < groups; g++) {
        for (unsigned w = 0; w < workers; w++)
            join(&world, g, w);
    }
    if (argc > 5)
        bystanders(&world, (unsigned)atoi(argv[5]), argc > 6 ? (unsigned)atoi(argv[6]) : 0);
    turn(&world);
    uint8_t data[230] = {0}, session[FOB_SESSION_SIZE] = {7};
    unsigned with = argc > 7 ? (unsigned)atoi(argv[7]) : 0;
    fob_buf_t body = {0};
    write_batch(&body, batch, 1, with, fob_slice(data, sizeof data));
    int64_t begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID), writing = 0;
    for (uint64_t n = 1; n <= events; n += batch) {
        if (with) {
            int64_t since = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
            write_batch(&body, batch, n, with, fob_slice(data, sizeof data));
            writing += clock_ns(CLOCK_PROCESS_CPUTIME_ID) - since;
        }
        fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body)); /* as a message arrives */
        fob_command_t command = {
            .kind = FOB_CMD_PUBLISH, .conn = 1, .publish = {session, n, n, blob, FOB_OK}};
        must(blob && fob_core_step(world.core, world.now, &command) == FOB_OK);
        fob_blob_unref(&blob);
        turn(&world);
        world.now.mono_ns += 100000;
    }
    double spent = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin - writing) / 1e9;
    fob_group_stats_t stats;
    must(fob_core_group_stats(world.core, world.now, 0, &stats));
    printf("%llu events of %zu bytes in batches of %u, %u group(s) of %u worker(s): %.0f events/s, "
           "%.0f ns each; %llu acked in the first group\n",
           (unsigned long long)events, body.size / batch, batch, groups, workers,
           (double)events / spent, spent / (double)events * 1e9, (unsigned long long)stats.acked);
    fob_buf_free(&body);
    fob_buf_free(&world.runs);
    fob_core_destroy(&world.core);
    return 0;
}
