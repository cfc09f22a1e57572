#include "sim_world.h"

#include "bus/desk.h"
#include "sim_folder.h"
#include "sim_log.h"

#include <stdarg.h>

#define READ_MOST   1024
#define STOP_WITHIN (5 * FOB_SEC) /* as the broker's */
#define STOP_LOOK   (50 * FOB_MS)
/* Longer than all jumps of a world. */
#define EVER_MS       (1000 * INT64_C(86400000))
#define LEAST_SEGMENT UINT64_C(65536) /* the file journal makes none that is smaller */

/* --- the service's doors --- */

/* From where on the journal can be read. */
static void note_first(sim_world_t *world) {
    sim_ground_t *ground = &world->witness.ground;
    fob_journal_stats_t stats;
    fob_ledger_journal(world->bus.ledger, &stats);
    uint64_t first = stats.first_offset ? stats.first_offset : ground->head + 1;
    if (first > ground->first)
        ground->first = first;
}

static fob_send_t on_send(void *arg, uint64_t conn, fob_slice_t route, fob_slice_t header,
                          fob_body_t body) {
    sim_world_t *world = arg;
    (void)conn;
    uint32_t id;
    memcpy(&id, route.data + 1, sizeof id);
    fob_slice_t bytes = {0};
    if (body.blob)
        bytes = fob_slice(fob_blob_slice(body.blob).data + body.at, body.size);
    sim_letters_read(world, id, header, bytes);
    if (header.size > 1 && header.data[1] == FOB_VERB_FETCHED)
        note_first(world);
    sim_trace_bytes(&world->witness.trace, header.data, header.size);
    fob_send_t sent = sim_network_reply(&world->network, route, world->now_ns, header, body);
    const sim_conn_t *to = &world->network.conns[id % SIM_CONNECTIONS];
    if (sent == FOB_SEND_DONE && to->client_holds)
        sim_client_wake(&world->clients[to->client]);
    return sent;
}

static void on_drop(void *arg, uint64_t conn) {
    (void)arg, (void)conn;
}

static void on_unread(void *arg) {
    (void)arg;
}

static bool on_cast(void *arg, fob_slice_t header, fob_body_t body) {
    sim_world_t *world = arg;
    fob_slice_t bytes = fob_slice(fob_blob_slice(body.blob).data + body.at, body.size);
    for (size_t i = 0; i < world->client_count; i++) {
        sim_client_t *client = &world->clients[i];
        if (client->own && client->role->cast)
            client->role->cast(client, header, bytes);
    }
    fob_blob_unref(&body.blob);
    return true;
}

static fob_status_t on_answer(void *arg, fob_now_t now, const fob_wire_t *msg, fob_status_t status,
                              const char *text, fob_buf_t *header, fob_body_t *body) {
    sim_world_t *world = arg;
    (void)now;
    return fob_desk_refuse(&world->bus.house, msg, status, text, header, body);
}

static void on_failed(void *arg, fob_status_t status, const char *text) {
    sim_world_t *world = arg;
    sim_world_note(world, "the bus fails: %d %s", (int)status, text);
    world->bus.failed = true;
    if (status != FOB_DISK_FAILED)
        sim_world_fail(world, "the bus fails only with its disk", text);
}

static const fob_service_ops_t doors = {.send = on_send,
                                        .drop = on_drop,
                                        .unread = on_unread,
                                        .cast = on_cast,
                                        .answer = on_answer,
                                        .failed = on_failed};

static void on_line(void *arg, const char *line) {
    sim_world_note(arg, "bus: %s", line);
}

/* --- life --- */

static void on_durable(void *arg, const sim_commit_t *commit) {
    sim_world_t *world = arg;
    sim_witness_commit(&world->witness, commit);
}

static void on_hit(void *arg, const sim_commit_t *commit) {
    sim_world_t *world = arg;
    sim_world_note(world, "a bit of position %llu flips", (unsigned long long)commit->position);
    sim_witness_hit(&world->witness, commit);
}

static void on_wrong(void *arg, const char *promise, const char *text) {
    sim_world_fail(arg, promise, text);
}

static fob_policy_t policy_of(sim_world_t *world, sim_random_t *random) {
    return (fob_policy_t){.max_depth = world->weather.depth,
                          .max_bytes = UINT64_C(1) << 30,
                          .overflow = FOB_OVERFLOW_REJECT,
                          .max_attempts = 1 + sim_random_below(random, 6),
                          .backoff_first = 50 + sim_random_below(random, 500),
                          .backoff_factor = 1 + sim_random_below(random, 3),
                          .backoff_max = 2000,
                          .dead_max = 1000000,
                          .dead_max_age = 1000000000};
}

/* Enough for all who publish at a time, with those who say the last events. */
static uint32_t sessions_of(const sim_world_t *world, sim_random_t *random) {
    return world->weather.publishers + 3 + (uint32_t)sim_random_below(random, 3);
}

/* In a share of the worlds the bus keeps little. What a publisher offers again after its session is
 * forgotten is only known by its id: so sessions or ids are forgotten in a world, never both,
 * however the clock jumps. */
static void draw_limits(sim_world_t *world) {
    fob_core_config_t *config = &world->bus.config;
    fob_policy_t *policy = &config->policy;
    sim_random_t random = sim_random_new(world->seed ^ UINT64_C(0x6c696d697473));
    bool few = sim_random_once(&random, 4), short_lived = sim_random_once(&random, 4);
    if (few)
        config->max_sessions = sessions_of(world, &random);
    if (short_lived)
        config->session_keep_ms = 4000 + (int64_t)sim_random_below(&random, 20000);
    if (few || short_lived) {
        config->dedup_window_ms = EVER_MS;
        world->weather.deaths = 100 + (uint32_t)sim_random_below(&random, 1000);
        world->weather.cuts = 50 + (uint32_t)sim_random_below(&random, 500);
        world->weather.darks = 100 + (uint32_t)sim_random_below(&random, 1000);
    } else if (sim_random_once(&random, 3)) {
        config->dedup_max = 1 + (uint32_t)sim_random_skewed(&random, 1000);
        config->dedup_window_ms = 1000 + (int64_t)sim_random_skewed(&random, 120000);
    }
    if (sim_random_once(&random, 4))
        policy->dead_max = 3 + sim_random_skewed(&random, 100);
    if (sim_random_once(&random, 4))
        policy->dead_max_age = 3000 + sim_random_skewed(&random, 60000);
    if (sim_random_once(&random, 4))
        policy->max_bytes = 20000 + sim_random_skewed(&random, 200000);
    if (sim_random_once(&random, 3))
        policy->overflow = sim_random_below(&random, FOB_OVERFLOW_DEAD_LETTER + 1);
    if (sim_random_once(&random, 6))
        config->max_event = world->bus.house.max_event = 100 + sim_random_below(&random, 4000);
    if (short_lived && sim_random_once(&random, 2)) { /* who is away is forgotten meanwhile */
        config->session_keep_ms = 4000 + (int64_t)sim_random_below(&random, 3000);
        world->weather.freezes = 50 + (uint32_t)sim_random_below(&random, 300);
        world->weather.absent = true;
    }
    if (policy->overflow == FOB_OVERFLOW_REJECT && sim_random_once(&random, 6))
        policy->overflow = FOB_OVERFLOW_DROP_LOWEST;
    if (policy->overflow != FOB_OVERFLOW_REJECT && sim_random_once(&random, 2))
        policy->max_depth = 1 + sim_random_skewed(&random, 300); /* it comes to that */
    if (sim_random_once(&random, 3))
        config->topics_max = 1 + (uint32_t)sim_random_below(&random, SIM_TOPICS);
    if (sim_random_once(&random, 2)) /* it is asked about topics in parts */
        config->topics_look = 1 + (uint32_t)sim_random_below(&random, 4);
    world->witness.ground.dedup_max = config->dedup_max;
    world->witness.ground.dedup_window_ms = config->dedup_window_ms;
}

static sim_store_t *new_log(sim_random_t *random, uint64_t seed) {
    sim_random_t epochs = sim_random_new(seed ^ UINT64_C(0x65706f636873));
    return sim_log_new(&(sim_log_options_t){
        .seed = sim_random_next(random),
        .sync_least_ns = FOB_MS / 20,
        .sync_most_ns = FOB_MS + (int64_t)sim_random_skewed(random, 50 * FOB_MS),
        .read_least_ns = FOB_MS / 20,
        .read_most_ns = FOB_MS + (int64_t)sim_random_skewed(random, 20 * FOB_MS),
        .max_bytes = UINT64_C(64) << 20,
        .segment_bytes = 2048 + sim_random_skewed(random, 1 << 18),
        .checkpoint_bytes = 4096 + sim_random_skewed(random, 1 << 18),
        .epochs = sim_random_once(&epochs, 2)});
}

static void on_journal(void *arg, const char *text) {
    sim_world_note(arg, "journal: %s", text);
}

static sim_store_t *new_folder(sim_world_t *world, sim_random_t *random) {
    uint64_t segment = LEAST_SEGMENT << sim_random_below(random, 3);
    uint64_t most = segment * (16 + sim_random_skewed(random, 100));
    sim_faults_t usual = {.short_write = sim_random_below(random, 40),
                          .short_read = sim_random_below(random, 40),
                          .slow = 100 + sim_random_skewed(random, 10000),
                          .slow_us = (int64_t)sim_random_skewed(random, 50000),
                          .fast_us = (int64_t)sim_random_below(random, 100),
                          .sync_us = 100 + (int64_t)sim_random_skewed(random, 20000),
                          .no_fallocate = sim_random_once(random, 16)};
    world->weather.harms =
        sim_random_once(random, 3) ? 0 : 500 + (uint32_t)sim_random_skewed(random, 12000);
    return sim_folder_new(&(sim_folder_options_t){
        .seed = sim_random_next(random),
        .max_bytes = most,
        .segment_bytes = segment,
        .retain_bytes = 1 + sim_random_skewed(random, most / 2),
        .retain_ms = 1000 + (int64_t)sim_random_skewed(random, 3600000),
        .disk_bytes = 2 * most + (UINT64_C(4) << 20), /* checkpoints come on top */
        .usual = usual,
        .log = on_journal,
        .log_arg = world});
}

void sim_bus_init(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    bus->random = sim_random_fork(&world->random);
    sim_random_t *random = &bus->random;
    bus->clock = (sim_clock_t){(int64_t)sim_random_between(random, 1, 1u << 30) * FOB_MS,
                               (int64_t)sim_random_below(random, 401) - 200, 1700000000000};
    bus->house = (fob_house_t){.level = "disk",
                               .advertise = "",
                               .router = 7670,
                               .xsub = 7671,
                               .xpub = 7672,
                               .heartbeat_ms = 1000,
                               .epoch = 1700000000,
                               .max_event = 65536,
                               .max_batch = 262144,
                               .window = 16 + sim_random_below(random, 500)};
    bus->config =
        (fob_core_config_t){.max_event = 65536,
                            .max_groups = 16,
                            .max_sessions = 1000,
                            .session_keep_ms = EVER_MS,
                            .session_grace_ms = FOB_SESSION_GRACE_MS,
                            .resume_ms = 3000,
                            .cache_bytes = 4096 + sim_random_skewed(random, 1 << 20),
                            .page_bytes = 512 + (uint32_t)sim_random_skewed(random, 1 << 16),
                            .mark_block = 1 + (uint32_t)sim_random_skewed(random, 1 << 10),
                            .policy = policy_of(world, random),
                            .dedup_max = 100000,
                            .dedup_window_ms = 120000,
                            .seed = sim_random_next(random),
                            .slice_bytes = 256 + (uint32_t)sim_random_skewed(random, 1 << 16),
                            .release_first_ms = 100};
    draw_limits(world);
    bool real = world->journal == SIM_JOURNAL_ANY ? sim_random_once(random, 2)
                                                  : world->journal == SIM_JOURNAL_FILE;
    world->journal = real ? SIM_JOURNAL_FILE : SIM_JOURNAL_MEMORY;
    bus->store = real ? new_folder(world, random) : new_log(random, world->seed);
    bus->store->history.durable = on_durable;
    bus->store->history.hit = on_hit;
    bus->store->history.wrong = on_wrong;
    bus->store->history.arg = world;
}

/* The journal may have held it up. */
static void wait_for_store(sim_world_t *world) {
    int64_t at = world->bus.store->ops->now(world->bus.store);
    if (at > world->bus.frozen_ns)
        world->bus.frozen_ns = at;
}

/* What its journal refuses, for a cause that the world gave, it tries again later. */
static void start_later(sim_world_t *world, const char *text) {
    sim_bus_t *bus = &world->bus;
    sim_store_t *store = bus->store;
    sim_world_note(world, "the bus does not start: %s", text);
    if (!store->ops->excused(store) && !store->ops->fallen(store))
        sim_world_fail(world, "the bus starts on what it wrote", text);
    bus->start_ns = store->ops->now(store) + (int64_t)sim_random_skewed(&bus->random, 2 * FOB_SEC);
    bus->refused++;
}

/* The journal, with a look at what is trimmed. */
static fob_journal_ops_t watched;
static const fob_journal_ops_t *unwatched;
static sim_world_t *watcher;

static void on_trim(fob_journal_t *journal, uint64_t offset, int64_t now_ms) {
    sim_witness_tell(&watcher->witness, &(sim_fact_t){.kind = SIM_TRIMMED, .offset = offset});
    unwatched->trim(journal, offset, now_ms);
}

static void watch_trims(sim_world_t *world, fob_journal_t *journal) {
    unwatched = journal->ops;
    watched = *unwatched;
    watched.trim = on_trim;
    watcher = world;
    journal->ops = &watched;
}

static bool open_ledger(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    fob_status_t status;
    fob_journal_error_t error = {0};
    char text[512] = "";
    fob_journal_t *journal = bus->store->ops->open(bus->store, &error);
    if (!journal) {
        start_later(world, error.text);
        return false;
    }
    watch_trims(world, journal);
    fob_now_t now = sim_clock_now(&bus->clock, bus->store->ops->now(bus->store));
    bus->ledger =
        fob_ledger_new(journal, &bus->config, now, on_line, world, &status, text, sizeof text);
    if (!bus->ledger)
        start_later(world, text);
    return bus->ledger;
}

void sim_bus_start(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    sim_random_t random = sim_random_new(world->seed ^ UINT64_C(0x7261746573));
    bool slow = sim_random_once(&random, 3);
    int64_t rate = (1 << 20) + (int64_t)sim_random_skewed(&random, 8 << 20);
    if (!open_ledger(world))
        return;
    bus->house.epoch = fob_ledger_epoch(bus->ledger);
    bus->service =
        fob_service_new(&(fob_service_options_t){.ledger = bus->ledger,
                                                 .house = &bus->house,
                                                 .max_connections = 1000,
                                                 .max_disk = bus->store->ops->max_bytes(bus->store),
                                                 .fetch_rate = slow ? rate : 0,
                                                 .source = sim_random_next(&bus->random),
                                                 .ops = &doors,
                                                 .arg = world});
    bus->failed = bus->stopping = false;
    bus->starts++;
    size_t commits = bus->store->history.count;
    sim_world_note(world, "the bus starts: %zu commits", commits);
    sim_witness_tell(&world->witness, &(sim_fact_t){.kind = SIM_BUS_UP,
                                                    .token = fob_ledger_epoch(bus->ledger),
                                                    .value = fob_ledger_began(bus->ledger, 0)});
    if (sim_random_once(&bus->random, 4) || commits < 2000)
        sim_bus_verify(world);
    sim_bus_books(world);
    wait_for_store(world);
}

static void close_all(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    fob_service_destroy(&bus->service);
    fob_ledger_destroy(&bus->ledger);
    sim_witness_tell(&world->witness, &(sim_fact_t){.kind = SIM_BUS_DOWN});
    bus->start_ns = world->now_ns + (int64_t)sim_random_skewed(&bus->random, 10 * FOB_SEC);
}

static void net_down(sim_world_t *world, bool silent) {
    sim_network_bus_gone(&world->network, world->now_ns, silent);
    for (size_t i = 0; i < world->client_count; i++)
        sim_client_wake(&world->clients[i]);
}

void sim_bus_crash(sim_world_t *world, bool power) {
    sim_bus_t *bus = &world->bus;
    sim_world_note(world, power ? "the machine of the bus falls" : "the bus is killed");
    world->falls++;
    bus->store->ops->crash(bus->store, power);
    net_down(world, sim_random_once(&bus->random, 4));
    close_all(world);
}

void sim_bus_stop(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    sim_world_note(world, "the bus stops");
    world->stops++;
    bus->stopping = true;
    bus->stop_ns = world->now_ns + STOP_WITHIN;
    bus->look_ns = world->now_ns;
}

void sim_bus_free(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    if (bus->ledger) {
        fob_service_destroy(&bus->service);
        fob_ledger_destroy(&bus->ledger);
    }
    bus->store->ops->free(bus->store);
}

/* As the broker's settle: nothing is read any more, what was decided gets durable and out. */
static void stop_round(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    fob_service_decide(bus->service, sim_clock_now(&bus->clock, world->now_ns));
    fob_service_news(bus->service);
    fob_service_perform(bus->service);
    bus->look_ns = world->now_ns + STOP_LOOK;
    if (bus->failed || (!fob_ledger_at_rest(bus->ledger) && world->now_ns < bus->stop_ns))
        return;
    fob_ledger_checkpoint(bus->ledger);
    fob_service_goodbye(bus->service, "the bus stops", 500);
    net_down(world, false);
    close_all(world);
}

/* --- rounds --- */

static bool receive(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    sim_letter_t letter;
    sim_conn_t *conn;
    for (int i = 0; i < READ_MOST; i++) {
        if (fob_service_failed(bus->service))
            return false;
        if (!sim_network_for_bus(&world->network, world->now_ns, &letter, &conn))
            return true;
        bus->messages++;
        sim_trace_bytes(&world->witness.trace, letter.header, letter.size);
        sim_letters_sent(world, conn->id, fob_slice(letter.header, letter.size),
                         letter.body ? fob_blob_slice(letter.body) : (fob_slice_t){0});
        fob_mail_t mail = {.route = fob_slice(conn->route, SIM_ROUTE),
                           .header = fob_slice(letter.header, letter.size),
                           .body = letter.body,
                           .frames = letter.body ? 2 : 1,
                           .bytes = letter.size};
        fob_service_message(bus->service, &mail);
        sim_letter_free(&letter);
    }
    return false;
}

static void run_round(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    bool news = bus->store->ops->news(bus->store);
    fob_service_round(bus->service, sim_clock_now(&bus->clock, world->now_ns));
    if (news)
        fob_service_news(bus->service);
    bool drained = receive(world);
    sim_network_look(&world->network, world->now_ns);
    fob_service_turn(bus->service, drained);
    if (!fob_service_failed(bus->service))
        fob_service_perform(bus->service);
}

void sim_bus_run(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    bus->rounds++;
    if (bus->store->ops->fallen(bus->store))
        sim_bus_crash(world, false); /* it is decided already */
    else if (bus->stopping)
        stop_round(world);
    else
        run_round(world);
    if (bus->ledger && (bus->failed || bus->store->ops->fallen(bus->store)))
        sim_bus_crash(world, sim_random_once(&bus->random, 2));
    wait_for_store(world);
}

int64_t sim_bus_due(const sim_world_t *world) {
    const sim_bus_t *bus = &world->bus;
    const sim_store_ops_t *ops = bus->store->ops;
    if (!bus->ledger)
        return bus->start_ns;
    int64_t at = sim_clock_when(&bus->clock, fob_service_deadline(bus->service));
    at = world->network.up_next < at ? world->network.up_next : at;
    if (bus->stopping) /* nothing else matters to it any more */
        at = bus->look_ns;
    if (ops->news(bus->store) || ops->fallen(bus->store))
        at = world->now_ns;
    return at < bus->frozen_ns ? bus->frozen_ns : at;
}

/* --- what it says of itself --- */

bool sim_bus_at_rest(const sim_world_t *world) {
    return world->bus.ledger && fob_ledger_at_rest(world->bus.ledger);
}

#define LITTLE_ROOM (UINT64_C(256) << 10)

/* What the disk does to it, the checkers ought to know: what is short of room, or cannot be read,
 * waits. */
static void tell_trouble(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    fob_journal_stats_t stats;
    fob_ledger_journal(bus->ledger, &stats);
    uint64_t settles = fob_core_settle_reserve(fob_ledger_core(bus->ledger));
    uint64_t failures = bus->store->ops->failures(bus->store);
    if (stats.free_bytes < 2 * settles + LITTLE_ROOM || failures != bus->failures)
        sim_witness_tell(&world->witness, &(sim_fact_t){.kind = SIM_TROUBLE});
    bus->failures = failures;
}

void sim_bus_books(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    fob_core_t *core = fob_ledger_core(bus->ledger);
    tell_trouble(world);
    fob_now_t now = sim_clock_now(&bus->clock, world->now_ns);
    fob_group_stats_t stats;
    for (size_t i = 0; fob_core_group_stats(core, now, i, &stats); i++) {
        const sim_group_t *group = sim_witness_group(&world->witness, stats.group);
        sim_books_t books = {.accepted = stats.accepted,
                             .acked = stats.acked,
                             .dead = stats.dead,
                             .expired = stats.expired,
                             .shed = stats.shed,
                             .removed = stats.removed,
                             .ready = stats.ready,
                             .leased = stats.leased,
                             .delayed = stats.delayed,
                             .bytes = stats.bytes,
                             .generation = stats.generation,
                             .at_rest = sim_bus_at_rest(world)};
        if (group)
            sim_witness_tell(&world->witness,
                             &(sim_fact_t){.kind = SIM_BOOKS, .group = group, .books = &books});
    }
}

static bool on_slice(void *arg, const uint8_t *data, size_t size) {
    return fob_core_load(arg, fob_slice(data, size)) == FOB_OK;
}

static bool on_record(void *arg, const fob_stored_t *record) {
    return fob_core_replay(arg, record->position, fob_slice(record->data, record->size)) == FOB_OK;
}

static uint64_t replayed(sim_world_t *world, bool from_the_first) {
    sim_bus_t *bus = &world->bus;
    fob_core_t *core = fob_core_new(&bus->config);
    fob_replay_t to = {on_slice, on_record, core};
    char text[512] = "";
    bool good = from_the_first ? sim_history_replay(&bus->store->history, 0, &to)
                               : bus->store->ops->replay(bus->store, &to, text, sizeof text);
    if (!good || fob_core_replayed(core) != FOB_OK)
        sim_world_fail(world, "what was written can be replayed",
                       *fob_core_error(core) ? fob_core_error(core) : text);
    uint64_t hash = fob_core_hash(core);
    fob_core_destroy(&core);
    return hash;
}

void sim_bus_verify(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    if (!sim_bus_at_rest(world) || bus->store->ops->fallen(bus->store))
        return;
    uint64_t live = fob_core_hash(fob_ledger_core(bus->ledger));
    world->verified++;
    if (replayed(world, false) != live)
        sim_world_fail(world, "checkpoint and replay give the same state",
                       "the hash of checkpoint and tail differs from that of the running core");
    if (replayed(world, true) != live)
        sim_world_fail(world, "checkpoint and replay give the same state",
                       "the hash of all records differs from that of the running core");
}
