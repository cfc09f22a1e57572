#include "sim_world.h"

#include "bus/desk.h"

#include <stdarg.h>

#define READ_MOST 1024

/* --- the service's doors --- */

static fob_send_t on_send(void *arg, uint64_t conn, fob_slice_t route, fob_slice_t header,
                          fob_body_t body) {
    sim_world_t *world = arg;
    (void)conn;
    uint32_t id;
    memcpy(&id, route.data + 1, sizeof id);
    sim_letters_read(world, id, header);
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

static const fob_service_ops_t doors = {on_send, on_drop, on_unread, on_cast, on_answer, on_failed};

static void on_line(void *arg, const char *line) {
    sim_world_note(arg, "bus: %s", line);
}

/* --- life --- */

static void on_durable(void *arg, const sim_commit_t *commit) {
    sim_world_t *world = arg;
    sim_witness_commit(&world->witness, commit);
}

static void on_wrong(void *arg, const char *what) {
    sim_world_fail(arg, "what is given to the journal stays as it is", what);
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
                            .session_keep_ms = 3600000,
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
    bus->log = sim_log_new(&(sim_log_options_t){
        .seed = sim_random_next(random),
        .sync_least_ns = FOB_MS / 20,
        .sync_most_ns = FOB_MS + (int64_t)sim_random_skewed(random, 50 * FOB_MS),
        .read_least_ns = FOB_MS / 20,
        .read_most_ns = FOB_MS + (int64_t)sim_random_skewed(random, 20 * FOB_MS),
        .max_bytes = UINT64_C(64) << 20,
        .segment_bytes = 2048 + sim_random_skewed(random, 1 << 18),
        .checkpoint_bytes = 4096 + sim_random_skewed(random, 1 << 18),
        .durable = on_durable,
        .wrong = on_wrong,
        .arg = world});
}

void sim_bus_start(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    fob_status_t status;
    char text[512] = "";
    fob_now_t now = sim_clock_now(&bus->clock, world->now_ns);
    sim_log_step(bus->log, world->now_ns);
    bus->ledger = fob_ledger_new(sim_log_open(bus->log), &bus->config, now, on_line, world, &status,
                                 text, sizeof text);
    if (!bus->ledger)
        sim_world_fail(world, "the bus starts on what it wrote", text);
    bus->service = fob_service_new(&(fob_service_options_t){.ledger = bus->ledger,
                                                            .house = &bus->house,
                                                            .max_connections = 1000,
                                                            .max_disk = UINT64_C(64) << 20,
                                                            .source = sim_random_next(&bus->random),
                                                            .ops = &doors,
                                                            .arg = world});
    bus->failed = false;
    bus->starts++;
    sim_world_note(world, "the bus starts: %zu commits", sim_log_count(bus->log));
    sim_witness_tell(&world->witness, &(sim_fact_t){.kind = SIM_BUS_UP});
    if (sim_random_once(&bus->random, 4) || sim_log_count(bus->log) < 2000)
        sim_bus_verify(world);
    sim_bus_books(world);
}

static void close_all(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    fob_service_destroy(&bus->service);
    fob_ledger_destroy(&bus->ledger);
    sim_witness_tell(&world->witness, &(sim_fact_t){.kind = SIM_BUS_DOWN});
    bus->start_ns = world->now_ns + (int64_t)sim_random_skewed(&bus->random, 10 * FOB_SEC);
}

void sim_bus_crash(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    sim_world_note(world, "the bus falls");
    world->falls++;
    sim_log_crash(bus->log);
    sim_network_bus_gone(&world->network, world->now_ns, sim_random_once(&bus->random, 4));
    for (size_t i = 0; i < world->client_count; i++)
        sim_client_wake(&world->clients[i]);
    close_all(world);
}

void sim_bus_stop(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    sim_world_note(world, "the bus stops");
    world->stops++;
    do { /* as the broker's settle */
        fob_service_decide(bus->service, sim_clock_now(&bus->clock, world->now_ns));
        sim_log_settle(bus->log);
        fob_service_news(bus->service);
        fob_service_perform(bus->service);
    } while (!fob_ledger_at_rest(bus->ledger) && !bus->failed);
    if (fob_ledger_checkpoint(bus->ledger))
        sim_log_settle(bus->log);
    fob_service_goodbye(bus->service, "the bus stops", 500);
    sim_network_bus_gone(&world->network, world->now_ns, false);
    for (size_t i = 0; i < world->client_count; i++)
        sim_client_wake(&world->clients[i]);
    close_all(world);
}

void sim_bus_free(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    if (bus->ledger) {
        fob_service_destroy(&bus->service);
        fob_ledger_destroy(&bus->ledger);
    }
    sim_log_free(bus->log);
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

void sim_bus_run(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    bool news = sim_log_step(bus->log, world->now_ns);
    bus->rounds++;
    fob_service_round(bus->service, sim_clock_now(&bus->clock, world->now_ns));
    if (news)
        fob_service_news(bus->service);
    bool drained = receive(world);
    sim_network_look(&world->network, world->now_ns);
    fob_service_turn(bus->service, drained);
    if (!fob_service_failed(bus->service))
        fob_service_perform(bus->service);
    sim_log_step(bus->log, world->now_ns); /* a sync that is wanted at once begins */
    if (bus->failed)
        sim_bus_crash(world);
}

int64_t sim_bus_due(const sim_world_t *world) {
    const sim_bus_t *bus = &world->bus;
    if (!bus->ledger)
        return bus->start_ns;
    int64_t at = sim_clock_when(&bus->clock, fob_service_deadline(bus->service));
    int64_t log = sim_log_next(bus->log);
    at = log < at ? log : at;
    at = world->network.up_next < at ? world->network.up_next : at;
    return at < bus->frozen_ns ? bus->frozen_ns : at;
}

/* --- what it says of itself --- */

bool sim_bus_at_rest(const sim_world_t *world) {
    return world->bus.ledger && fob_ledger_at_rest(world->bus.ledger);
}

void sim_bus_books(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    fob_core_t *core = fob_ledger_core(bus->ledger);
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
    if (!sim_log_replay(bus->log, from_the_first, &to))
        sim_world_fail(world, "what was written can be replayed", fob_core_error(core));
    uint64_t hash = fob_core_hash(core);
    fob_core_destroy(&core);
    return hash;
}

void sim_bus_verify(sim_world_t *world) {
    sim_bus_t *bus = &world->bus;
    if (!sim_bus_at_rest(world))
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
