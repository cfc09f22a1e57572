#include "sim_world.h"

#include <stdarg.h>

#define CALM_MOST (3600 * FOB_SEC) /* the world's time in which all must have drained */
#define REST_MOST (600 * FOB_SEC)  /* and in which the bus must have come to rest */

void sim_world_note(sim_world_t *self, const char *format, ...) {
    if (!self->verbose)
        return;
    va_list args;
    printf("%10llu %14.6f  ", (unsigned long long)self->step, (double)self->now_ns / 1e9);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static const char *const journals[] = {"", " --journal memory", " --journal file"};

void sim_world_fail(sim_world_t *self, const char *promise, const char *text) {
    fflush(stdout);
    fprintf(stderr,
            "\nBROKEN: %s\n  %s\n  seed %llu, step %llu, %.6f s into it\n"
            "  again: ./run simulate --seed %llu --steps %llu%s\n",
            promise, text, (unsigned long long)self->seed, (unsigned long long)self->step,
            (double)self->now_ns / 1e9, (unsigned long long)self->seed,
            (unsigned long long)self->steps, journals[self->asked]);
    exit(1);
}

static void on_broken(void *arg, const char *promise, const char *text) {
    sim_world_fail(arg, promise, text);
}

static bool still_runs(void *arg, const sim_group_t *group, uint64_t offset, uint64_t token) {
    return sim_worker_runs(arg, group, offset, token);
}

/* --- how it is --- */

static uint32_t odds(sim_random_t *random, uint32_t usual) {
    return sim_random_once(random, 3) ? 0
                                      : usual / 4 + (uint32_t)sim_random_below(random, 4 * usual);
}

/* In a share of the worlds syncs fail again and again. In another workers are away so long that
 * others have what they held, which comes back once more before they do: what they claim then is of
 * a day that is over. Drawn apart. */
static void draw_hardships(sim_world_t *self) {
    sim_random_t random = sim_random_new(self->seed ^ UINT64_C(0x686172647368));
    sim_weather_t *w = &self->weather;
    if (sim_random_once(&random, 5))
        w->fails = 1000 + (uint32_t)sim_random_below(&random, 4000);
    w->absent = sim_random_once(&random, 5);
    if (!w->absent)
        return;
    w->workers = 2 * SIM_GROUPS + (uint32_t)sim_random_below(&random, 5);
    w->freezes = 100 + (uint32_t)sim_random_below(&random, 500);
    w->darks = 100 + (uint32_t)sim_random_below(&random, 500);
    w->rough = true;
}

static void draw_weather(sim_world_t *self) {
    sim_random_t *random = &self->random;
    sim_weather_t *w = &self->weather;
    w->publishers = 1 + (uint32_t)sim_random_below(random, 5);
    w->workers = SIM_GROUPS + (uint32_t)sim_random_below(random, 8);
    w->bus_falls = odds(random, 5000);
    w->cuts = odds(random, 500);
    w->darks = odds(random, 1000);
    w->freezes = odds(random, 1000);
    w->deaths = odds(random, 2000);
    w->jumps = odds(random, 3000);
    w->fulls = odds(random, 3000);
    w->fails = odds(random, 20000);
    w->stalls = odds(random, 3000);
    w->offer_ms = 1 + (uint32_t)sim_random_skewed(random, 1000);
    w->depth = 1 + sim_random_skewed(random, 100000);
    w->rough = !sim_random_once(random, 3);
    w->operators = (uint32_t)sim_random_below(random, 2);
    w->subscribers = 1 + (uint32_t)sim_random_below(random, 4);
    draw_hardships(self);
    self->network.delay_least_ns = FOB_MS / 50;
    self->network.delay_most_ns = FOB_MS / 10 + (int64_t)sim_random_skewed(random, 400 * FOB_MS);
}

static void births(sim_world_t *self) {
    const sim_weather_t *w = &self->weather;
    const struct {
        const sim_role_t *role;
        uint32_t count;
    } all[] = {{&sim_worker_role, w->workers},
               {&sim_publisher_role, w->publishers},
               {&sim_operator_role, w->operators},
               {&sim_subscriber_role, w->subscribers}};
    for (size_t r = 0; r < sizeof all / sizeof *all; r++)
        for (uint32_t i = 0; i < all[r].count; i++) {
            sim_client_t *client = &self->clients[self->client_count];
            client->index = (uint32_t)self->client_count++;
            sim_client_birth(self, client, all[r].role);
        }
}

static void world_init(sim_world_t *self, const sim_options_t *options) {
    self->seed = options->seed;
    self->steps = options->steps;
    self->verbose = options->verbose;
    self->journal = self->asked = options->journal;
    self->random = sim_random_new(options->seed);
    draw_weather(self);
    sim_witness_init(&self->witness, options->seed);
    self->witness.fail = on_broken;
    self->witness.runs = still_runs;
    self->witness.watched = options->watch;
    self->witness.arg = self;
    self->network.random = sim_random_fork(&self->random);
    self->network.up_next = FOB_NEVER;
    sim_bus_init(self);
    sim_bus_start(self);
    births(self);
}

void sim_world_free(sim_world_t *self) {
    for (size_t i = 0; i < self->client_count; i++)
        if (self->clients[i].link) {
            if (!self->clients[i].own)
                self->clients[i].role->tick(&self->clients[i], (fob_now_t){0});
            sim_client_death(&self->clients[i], false);
        }
    sim_bus_free(self);
    sim_network_free(&self->network);
    sim_witness_free(&self->witness);
}

/* --- what befalls it --- */

static sim_client_t *any_client(sim_world_t *self) {
    return &self->clients[sim_random_below(&self->random, self->client_count)];
}

static bool it_is_time(sim_world_t *self, uint32_t odds) {
    return odds && sim_random_once(&self->random, odds);
}

/* Mostly a moment; now and then, or mostly, about as long as it takes to count as lost. */
static int64_t a_while(sim_world_t *self, int64_t most) {
    sim_random_t *random = &self->random;
    if (self->weather.absent && sim_random_below(random, 4))
        return (int64_t)sim_random_between(random, (uint64_t)(3 * FOB_SEC),
                                           (uint64_t)(12 * FOB_SEC));
    if (sim_random_once(random, 4))
        return (int64_t)sim_random_between(random, (uint64_t)FOB_SEC, (uint64_t)(5 * FOB_SEC));
    return (int64_t)sim_random_skewed(random, (uint64_t)most);
}

static void darken(sim_world_t *self, sim_client_t *client, int64_t ns) {
    static const char *const ways[] = {"to it", "from it", "either way"};
    uint64_t way = sim_random_below(&self->random, 3);
    if (way == 1 && sim_random_once(&self->random, 2)) /* it hears, and is not heard */
        ns = (int64_t)sim_random_between(&self->random, (uint64_t)(3 * FOB_SEC),
                                         (uint64_t)(8 * FOB_SEC));
    sim_world_note(self, "client %u: nothing gets through %s for %.3f s", client->number, ways[way],
                   (double)ns / 1e9);
    if (way != 0)
        sim_network_dark(&client->conn->up, self->now_ns + ns);
    if (way != 1)
        sim_network_dark(&client->conn->down, self->now_ns + ns);
    sim_witness_tell(
        &self->witness,
        &(sim_fact_t){.kind = SIM_FROZE, .worker = client->number, .count = (uint64_t)ns});
}

static void freeze(sim_world_t *self, sim_client_t *client, int64_t ns) {
    sim_world_note(self, "client %u stands still for %.3f s", client->number, (double)ns / 1e9);
    client->frozen_ns = self->now_ns + ns;
    client->due_ns = client->due_ns < client->frozen_ns ? client->frozen_ns : client->due_ns;
    sim_witness_tell(
        &self->witness,
        &(sim_fact_t){.kind = SIM_FROZE, .worker = client->number, .count = (uint64_t)ns});
    self->freezes++;
}

static void cut_off(sim_world_t *self, sim_client_t *client) {
    sim_random_t *random = &self->random;
    bool tell_client = !sim_random_once(random, 4), tell_bus = !sim_random_once(random, 4);
    sim_world_note(self, "client %u is cut off (told %d, the bus %d)", client->number, tell_client,
                   tell_bus);
    sim_client_cut(client, tell_client, tell_bus);
}

static void befall_client(sim_world_t *self, sim_client_t *client) {
    const sim_weather_t *w = &self->weather;
    sim_random_t *random = &self->random;
    if (!client->own)
        return;
    if (it_is_time(self, w->cuts))
        cut_off(self, client);
    if (it_is_time(self, w->darks) && client->conn)
        darken(self, client, a_while(self, 10 * FOB_SEC));
    if (it_is_time(self, w->freezes)) {
        if (w->absent && sim_random_once(random, 2)) /* with all that is under way */
            cut_off(self, client);
        freeze(self, client, a_while(self, 20 * FOB_SEC));
    }
    if (it_is_time(self, w->deaths)) {
        sim_world_note(self, "client %u dies", client->number);
        sim_client_death(client, false);
        client->born_again_ns = self->now_ns + (int64_t)sim_random_skewed(random, 10 * FOB_SEC);
        self->deaths++;
    }
}

static void trouble(sim_world_t *self, int64_t ns) {
    sim_witness_tell(&self->witness, &(sim_fact_t){.kind = SIM_TROUBLE, .count = (uint64_t)ns});
}

/* Either way: mostly up to minutes, at times an hour, once in a while a day. */
static int64_t a_jump(sim_random_t *random) {
    static const uint64_t most_s[] = {10, 10, 60, 60, 600, 600, 3600, 86400};
    uint64_t most = most_s[sim_random_below(random, sizeof most_s / sizeof *most_s)];
    int64_t ms = 1 + (int64_t)sim_random_below(random, 1000 * most);
    return sim_random_once(random, 2) ? ms : -ms;
}

static void befall_bus(sim_world_t *self) {
    const sim_weather_t *w = &self->weather;
    sim_bus_t *bus = &self->bus;
    sim_random_t *random = &self->random;
    sim_store_t *store = bus->store;
    if (it_is_time(self, w->bus_falls)) {
        if (sim_random_once(random, 4))
            sim_bus_stop(self);
        else
            sim_bus_crash(self, !sim_random_once(random, 3));
        return;
    }
    if (it_is_time(self, w->stalls)) {
        bus->frozen_ns = self->now_ns + (int64_t)sim_random_skewed(random, 5 * FOB_SEC);
        sim_world_note(self, "the bus stands still for %.3f s",
                       (double)(bus->frozen_ns - self->now_ns) / 1e9);
        trouble(self, bus->frozen_ns - self->now_ns);
    }
    if (it_is_time(self, w->jumps)) {
        int64_t ms = a_jump(random);
        sim_world_note(self, "the wall clock jumps by %.3f s", (double)ms / 1e3);
        bus->clock.wall_ms += ms;
        store->ops->jump(store, ms);
    }
    if (it_is_time(self, w->fulls)) {
        self->full_until_ns = self->now_ns + (int64_t)sim_random_skewed(random, 10 * FOB_SEC);
        store->ops->full(store, true);
        trouble(self, self->full_until_ns - self->now_ns);
    }
    if (it_is_time(self, w->harms))
        store->ops->befall(store);
    if (it_is_time(self, w->fails))
        store->ops->fail(store);
    if (it_is_time(self, w->stalls))
        store->ops->slow(store, (int64_t)sim_random_skewed(random, 2 * FOB_SEC));
}

/* What was to last for a time is over. */
static void pass(sim_world_t *self) {
    if (self->full_until_ns && self->full_until_ns <= self->now_ns) {
        self->full_until_ns = 0;
        self->bus.store->ops->full(self->bus.store, false);
    }
    for (size_t i = 0; i < self->client_count; i++) {
        sim_client_t *client = &self->clients[i];
        if (!client->link && client->born_again_ns <= self->now_ns)
            sim_client_birth(self, client, client->role);
    }
}

static void befall(sim_world_t *self) {
    if (self->calm)
        return;
    befall_client(self, any_client(self));
    if (self->bus.ledger)
        befall_bus(self);
}

/* --- time --- */

/* Who is due next; NULL: the bus. */
static sim_client_t *next(sim_world_t *self, int64_t *at) {
    sim_client_t *who = NULL;
    *at = sim_bus_due(self);
    for (size_t i = 0; i < self->client_count; i++) {
        sim_client_t *client = &self->clients[i];
        int64_t due = client->link ? client->due_ns : client->born_again_ns;
        if (due < *at) {
            *at = due;
            who = client;
        }
    }
    *at = *at > self->now_ns ? *at : self->now_ns;
    return who;
}

/* The time of whoever is due next has come: until then the journal may have had news. */
static sim_client_t *let_time_pass(sim_world_t *self) {
    sim_store_t *store = self->bus.store;
    for (;;) {
        int64_t at;
        sim_client_t *who = next(self, &at);
        int64_t reached = store->ops->run(store, self->now_ns, at);
        self->now_ns = reached > self->now_ns ? reached : self->now_ns;
        self->witness.now_ns = self->now_ns;
        if (reached >= at)
            return who;
    }
}

/* Runs whoever is due next. The turns of those who only listen are no steps: what they read and ask
 * would leave the less of a world of so many to all others. */
static void step(sim_world_t *self) {
    sim_client_t *who = let_time_pass(self);
    sim_trace_add(&self->witness.trace, (uint64_t)self->now_ns << 8 | (who ? who->index : 255));
    pass(self);
    if (!who || who->role != &sim_subscriber_role) {
        self->step++;
        befall(self);
    }
    if (who && who->link)
        sim_client_run(who);
    else if (!who && self->bus.ledger)
        sim_bus_run(self);
    else if (!who && self->bus.start_ns <= self->now_ns)
        sim_bus_start(self);
}

/* --- the end --- */

static void calm_down(sim_world_t *self) {
    self->calm = true;
    self->full_until_ns = 0;
    self->bus.store->ops->full(self->bus.store, false);
    self->bus.store->ops->calm(self->bus.store);
    self->bus.frozen_ns = 0;
    for (size_t i = 0; i < self->client_count; i++)
        self->clients[i].frozen_ns = 0;
    sim_witness_tell(&self->witness, &(sim_fact_t){.kind = SIM_CALM});
}

static bool done(const sim_client_t *client) {
    if (client->role == &sim_publisher_role)
        return sim_publisher_done(client);
    if (client->role == &sim_worker_role)
        return sim_worker_done(client);
    if (client->role == &sim_subscriber_role)
        return sim_subscriber_done(client);
    return client->role != &sim_operator_role || sim_operator_done(client);
}

static bool settled(sim_world_t *self) {
    fob_group_stats_t stats;
    if (!sim_bus_at_rest(self))
        return false;
    for (size_t i = 0; i < self->client_count; i++) {
        const sim_client_t *client = &self->clients[i];
        if (!client->link || !done(client))
            return false;
    }
    fob_now_t now = sim_clock_now(&self->bus.clock, self->now_ns);
    for (size_t i = 0; fob_core_group_stats(fob_ledger_core(self->bus.ledger), now, i, &stats); i++)
        if (stats.ready + stats.leased + stats.delayed || strstr(stats.why, "for its events") ||
            strstr(stats.why, "leaving out"))
            return false;
    return true;
}

/* What its groups wait for, in the bus's own words. */
static void note_why(sim_world_t *self) {
    fob_core_t *core = self->bus.ledger ? fob_ledger_core(self->bus.ledger) : NULL;
    fob_now_t now = sim_clock_now(&self->bus.clock, self->now_ns);
    fob_group_stats_t stats;
    for (size_t i = 0; core && fob_core_group_stats(core, now, i, &stats); i++)
        sim_world_note(self, "group %.*s: %s", (int)stats.group.size,
                       (const char *)stats.group.data, stats.why);
}

static bool room_is_short(sim_world_t *self) {
    fob_journal_stats_t stats = {0};
    fob_ledger_journal(self->bus.ledger, &stats);
    return stats.free_bytes < stats.max_bytes / 16;
}

/* The books are looked at now and then. */
static void step_and_look(sim_world_t *self) {
    uint64_t before = self->step;
    step(self);
    if (self->step != before && self->step % 512 == 0 && self->bus.ledger)
        sim_bus_books(self);
}

/* A journal may be so full of what is needed that nothing more can be done: then its operator is
 * told so, and gives it more room. */
static void more_room(sim_world_t *self) {
    sim_world_note(self, "the journal gets more room");
    note_why(self);
    self->bus.store->ops->grow(self->bus.store);
    sim_bus_stop(self);
}

/* Until all is settled; false: it is not within an hour. */
static bool settle(sim_world_t *self) {
    int64_t until = self->now_ns + CALM_MOST, cure = self->now_ns + CALM_MOST / 2;
    for (uint64_t n = 0; self->now_ns < until; n++) {
        step_and_look(self);
        if (self->now_ns > cure && self->bus.ledger && !self->bus.stopping && room_is_short(self)) {
            more_room(self);
            cure = until;
        }
        if (n % 64 == 0 && settled(self))
            return true;
    }
    return false;
}

/* Once more an event of each topic, behind which nothing that was broadcast can be lost unnoticed;
 * and a subscriber who reads from where not all is kept any more. */
static void say_last(sim_world_t *self) {
    for (unsigned topics = 0; topics + 1 < 1u << SIM_TOPICS;) {
        unsigned more = sim_event_topics(self->next_number + 1);
        if ((topics | more) == topics || self->next_number % 3 != 1) {
            self->next_number++; /* one that has three topics, and others */
            continue;
        }
        sim_client_t *client = &self->clients[self->client_count];
        client->index = (uint32_t)self->client_count++;
        client->closing = true;
        sim_client_birth(self, client, &sim_publisher_role);
        topics |= more;
    }
    sim_client_t *late = &self->clients[self->client_count];
    late->index = (uint32_t)self->client_count++;
    late->late = true;
    sim_client_birth(self, late, &sim_subscriber_role);
    self->closing = true;
    if (!settle(self))
        sim_world_fail(self, "once faults stop all that can be handled is",
                       "the last event of each topic is not stored and handled");
    for (size_t i = 0; i < self->client_count; i++)
        if (self->clients[i].role == &sim_subscriber_role)
            sim_subscriber_sum(&self->clients[i]);
}

static void drain(sim_world_t *self) {
    calm_down(self);
    bool settles = settle(self);
    if (settles)
        say_last(self);
    note_why(self);
    int64_t until = self->now_ns + REST_MOST;
    while (!sim_bus_at_rest(self)) {
        if (self->now_ns > until)
            sim_world_fail(self, "once faults stop all that can be handled is",
                           "what was decided does not become durable");
        step(self);
    }
    sim_witness_tell(&self->witness, &(sim_fact_t){.kind = SIM_END});
    sim_bus_books(self);
    if (!settles) /* and no checker said what it is */
        sim_world_fail(self, "once faults stop all that can be handled is",
                       "something is still under way after an hour");
    sim_bus_verify(self);
}

void sim_world_run(sim_world_t *self, const sim_options_t *options) {
    world_init(self, options);
    while (self->step < self->steps)
        step_and_look(self);
    drain(self);
    sim_trace_add(&self->witness.trace, self->bus.store->ops->hash(self->bus.store));
}
