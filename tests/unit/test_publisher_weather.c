/* The publisher's state machine against a model of the bus, in all weathers: seeds lose
 * connections, refuse, fill the disk, let deadlines pass, forget. A failure names its seed. */
#include "support/case.h"

#include "session_bench.h"

static uint64_t rng_state;
static unsigned rnd(unsigned below) {
    rng_state = rng_state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(rng_state >> 33) % below;
}

typedef struct {
    bool busy, full, deadlines, forget;
} weather_t;

/* A topic's group is full, or for all that comes, or has room for a few. */
static void make_room(model_bus_t *bus, unsigned topic) {
    bus->busy[topic] = rnd(4) == 0;
    bus->limit[topic] = rnd(2) ? bus->depth[topic] + rnd(30) : 0;
    bus->retry_ms = rnd(2) ? 1 + rnd(1000) : 0;
}

static void random_act(bench_t *b, const weather_t *weather) {
    switch (rnd(12)) {
    case 0:
    case 1:
    case 2:
        for (unsigned i = rnd(40); i > 0; i--) {
            int64_t life = weather->deadlines && rnd(10) == 0 ? rnd(3000) * FOB_MS : 600 * FOB_SEC;
            if (b->offered + 1 < MAX_EVENTS)
                (void)!bench_offer(b, rnd(MODEL_TOPICS), b->now.mono_ns + life, rnd(2));
        }
        break;
    case 3:
    case 4:
        for (unsigned i = rnd(8); i > 0; i--)
            bench_send_one(b);
        break;
    case 5:
    case 6:
        for (unsigned i = rnd(8); i > 0; i--)
            bench_bus_takes_one(b);
        break;
    case 7:
    case 8:
        for (unsigned i = rnd(8); i > 0; i--)
            bench_client_takes_one(b);
        break;
    case 9:
        b->now.mono_ns += (int64_t)rnd(400) * FOB_MS;
        fob_session_tick(b->session, b->now);
        bench_receipts_read(b);
        break;
    case 10:
        if (weather->busy)
            make_room(b->bus, rnd(MODEL_TOPICS));
        if (weather->full)
            b->bus->full = rnd(6) == 0;
        break;
    default:
        if (b->up && rnd(4) == 0)
            bench_disconnect(b);
        else if (!b->up)
            bench_connect(b);
        if (weather->forget && !b->up && rnd(3) == 0)
            model_bus_forget(b->bus);
        bench_renew_if_wanted(b);
        break;
    }
}

static void run_seeded(uint64_t seed, const weather_t *weather) {
    bench_seed = seed;
    rng_state = seed * 0x9e3779b97f4a7c15u + 1;
    bench_t *b = bench_new(1 + rnd(300));
    b->window = 1 + rnd(400);
    bench_connect(b);
    for (int i = 0; i < 3000; i++)
        random_act(b, weather);
    memset(b->bus->busy, 0, sizeof b->bus->busy);
    memset(b->bus->limit, 0, sizeof b->bus->limit);
    b->bus->full = false;
    for (int i = 0; i < 400 && b->receipts.owed; i++) {
        if (!b->up)
            bench_connect(b);
        bench_renew_if_wanted(b);
        bench_pass(b, 200 * FOB_MS);
    }
    if (b->receipts.owed)
        fail_msg("seed %u: %u events without receipt", (unsigned)seed, (unsigned)b->receipts.owed);
    bench_check_receipts(b);
    bench_check_stored(b, !weather->forget);
    for (uint64_t n = 1; n <= b->offered; n++)
        if (!weather->deadlines && !weather->forget)
            assert_int_equal(b->outcome[n], FOB_OK);
    bench_free(b);
}

static void run_seeds(const weather_t *weather) {
    for (uint64_t seed = 1; seed <= 60; seed++)
        run_seeded(seed, weather);
}

static void over_lost_connections_each_event_is_stored_once_and_in_order(void **state) {
    (void)state;
    run_seeds(&(weather_t){0});
}

static void over_busy_topics_each_event_is_stored_once_and_in_order(void **state) {
    (void)state;
    run_seeds(&(weather_t){.busy = true});
}

static void over_a_full_disk_each_event_is_stored_once_and_in_order(void **state) {
    (void)state;
    run_seeds(&(weather_t){.full = true});
}

static void over_all_refusals_each_event_is_stored_once_and_in_order(void **state) {
    (void)state;
    run_seeds(&(weather_t){.busy = true, .full = true});
}

static void over_deadlines_nothing_is_stored_twice_or_out_of_order(void **state) {
    (void)state;
    run_seeds(&(weather_t){.busy = true, .full = true, .deadlines = true});
}

static void over_forgotten_sessions_every_event_has_one_receipt(void **state) {
    (void)state;
    run_seeds(&(weather_t){.busy = true, .full = true, .deadlines = true, .forget = true});
}

FOB_MAIN(FOB_CASE(over_lost_connections_each_event_is_stored_once_and_in_order),
         FOB_CASE(over_busy_topics_each_event_is_stored_once_and_in_order),
         FOB_CASE(over_a_full_disk_each_event_is_stored_once_and_in_order),
         FOB_CASE(over_all_refusals_each_event_is_stored_once_and_in_order),
         FOB_CASE(over_deadlines_nothing_is_stored_twice_or_out_of_order),
         FOB_CASE(over_forgotten_sessions_every_event_has_one_receipt))
