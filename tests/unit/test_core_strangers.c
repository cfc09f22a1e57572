/* The core among clients that say what they like: settles of all kinds in one SETTLE, of leases
 * that they have, had or never had; claims of what was never theirs; numbers out of turn; while
 * operators change everything. After each step the books balance, and replay comes to the same
 * hash. FOB_SEED runs that one seed alone, FOB_SEEDS so many. */
#include "test_core_kit.h"

#include "bus/core/durable/record.h"
#include "tests/support/case.h"
#include "tests/support/seeds.h"

#include <inttypes.h>
#include <stdlib.h>

#define CONNS     4
#define GROUPS    3
#define SESSIONS  4
#define HELD_MOST 100000

static const char *const names[GROUPS] = {"g", "h", "i"};
static const char *const patterns[GROUPS] = {"a", ">", "b"};

typedef struct {
    uint64_t offset, token, conn;
    unsigned group;
} lease_t;

static kit_t kit;
static uint64_t state;
static lease_t leases[HELD_MOST];
static size_t lease_count;
static uint64_t credit[CONNS + 1][GROUPS];
static uint64_t next_number[SESSIONS], seq;
static uint8_t sessions[SESSIONS];

static uint64_t chance(uint64_t of) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % of;
}

/* --- what comes back --- */

static unsigned group_of(const char *name) {
    unsigned group = 0;
    while (strcmp(names[group], name) != 0)
        group++;
    return group;
}

static void remember(const kit_effect_t *effect) {
    for (size_t k = 0; k < effect->row_count && lease_count < HELD_MOST; k++)
        leases[lease_count++] = (lease_t){effect->rows[k][0], effect->rows[k][1], effect->conn,
                                          group_of(effect->group)};
}

/* Most pages come, sooner or later. */
static void look(void) {
    bool waits = false;
    for (size_t i = 0; i < kit.shown_count; i++) {
        if (kit.shown[i].kind == FOB_EFF_DELIVER) {
            remember(&kit.shown[i]);
            kit.shown[i].kind = FOB_EFF_SETTLED; /* seen */
        } else if (kit.shown[i].kind == FOB_EFF_NEED && !kit.shown[i].seq && chance(3)) {
            kit.shown[i].seq = 1;
            kit_page(&kit, kit.shown[i].need_offset, kit.config.page_bytes);
        }
        waits = waits || (kit.shown[i].kind == FOB_EFF_NEED && !kit.shown[i].seq);
    }
    if (!waits)
        kit_clear(&kit);
    kit_books(&kit);
}

/* --- publishers --- */

static void say_event(fob_buf_t *body) {
    static const uint8_t data[3000];
    char id[16] = "";
    if (chance(4) == 0)
        snprintf(id, sizeof id, "i%u", (unsigned)chance(60));
    kit_event_with(body, chance(3) ? "a" : "b", id, (uint8_t)(chance(2) ? 0 : chance(10)), data,
                   chance(30) ? chance(40) : chance(sizeof data));
}

static void publish(void) {
    unsigned who = (unsigned)chance(SESSIONS), count = 1 + (unsigned)chance(chance(4) ? 5 : 80);
    uint64_t first = next_number[who];
    fob_buf_t body = {0};
    if (first > 10 && chance(10) == 0)
        first -= chance(10);
    for (unsigned i = 0; i < count; i++)
        say_event(&body);
    uint64_t low = first > 20 && chance(3) ? first - chance(20) : first;
    kit_publish_body(&kit, sessions[who], first, low, &body, chance(30) ? FOB_OK : FOB_DISK_FULL);
    if (first + count > next_number[who] && chance(8))
        next_number[who] = first + count;
    if (chance(40) == 0) {
        sessions[who] = (uint8_t)(1 + chance(60));
        next_number[who] = 1;
    }
}

/* --- workers --- */

/* Joins, and claims what it ever had, and what lies behind. */
static void join(void) {
    uint64_t conn = 1 + chance(CONNS);
    unsigned group = (unsigned)chance(GROUPS), count = 0, most = chance(2) ? 2000 : 0;
    uint8_t session[FOB_SESSION_SIZE] = {(uint8_t)(100 + conn)};
    fob_buf_t rows = {0}, claims = {0};
    for (size_t i = 0; i < lease_count && count < most; i++) {
        const lease_t *lease = &leases[i];
        if (lease->group != group || lease->conn != conn)
            continue;
        fob_run_write(&rows, (uint64_t[]){lease->offset, 1 + chance(2), lease->token}, 3);
        count++;
    }
    fob_pack_array(&claims, count);
    fob_buf_put(&claims, rows.data, rows.size);
    credit[conn][group] = chance(60);
    fob_command_t command = {.kind = FOB_CMD_JOIN,
                             .conn = conn,
                             .join = {.session = session,
                                      .group = fob_slice_str(names[group]),
                                      .pattern = fob_slice_str(patterns[group]),
                                      .create = true,
                                      .temporary = group == 2 && chance(2),
                                      .credit = credit[conn][group],
                                      .jobs = 1 + chance(3),
                                      .lease_ms = chance(3) ? 0 : 100 + chance(2000),
                                      .worker = fob_slice_str(chance(2) ? "w" : "")}};
    if (count)
        command.join.claims = fob_buf_slice(&claims);
    kit_do(&kit, &command);
    fob_buf_free(&rows);
    fob_buf_free(&claims);
}

/* Rows of what a connection has or had of a group; most of these it forgets then. */
static unsigned settle_rows(fob_buf_t *rows, uint64_t conn, unsigned group, unsigned most) {
    unsigned count = 0;
    for (size_t i = 0; i < lease_count && count < most;) {
        const lease_t *lease = &leases[i];
        if (lease->conn != conn || lease->group != group || chance(3) == 0) {
            i++;
            continue;
        }
        uint64_t kind = chance(2) ? FOB_KIND_ACK : 1 + chance(4);
        fob_run_write(rows,
                      (uint64_t[]){kind, lease->offset, chance(6) ? 1 : 2, lease->token,
                                   kind == FOB_KIND_RETRY && chance(2) ? chance(3000) : 0},
                      5);
        count++;
        if (chance(20))
            leases[i] = leases[--lease_count];
        else
            i++;
    }
    return count;
}

static void settle(void) {
    if (lease_count == 0)
        return;
    uint64_t conn = leases[chance(lease_count)].conn;
    unsigned group = leases[chance(lease_count)].group;
    fob_buf_t rows = {0}, runs = {0};
    unsigned count = settle_rows(&rows, conn, group, 1 + (unsigned)chance(chance(2) ? 4 : 200));
    fob_pack_array(&runs, count);
    fob_buf_put(&runs, rows.data, rows.size);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_SETTLE,
                                  .conn = conn,
                                  .settle = {.group = fob_slice_str(names[group]),
                                             .seq = ++seq,
                                             .credit = credit[conn][group] += count,
                                             .runs = fob_buf_slice(&runs),
                                             .text = fob_slice_str(chance(2) ? "why" : "")}});
    fob_buf_free(&rows);
    fob_buf_free(&runs);
}

static void come_or_go(void) {
    uint64_t conn = 1 + chance(CONNS);
    unsigned group = (unsigned)chance(GROUPS);
    uint64_t what = chance(8);
    if (what == 0)
        kit_leave(&kit, conn, names[group]);
    else if (what == 1)
        kit_lost(&kit, conn);
    else
        kit_credit(&kit, conn, names[group], credit[conn][group] += chance(40));
}

/* --- operators --- */

static void put(fob_policy_patch_t *patch, unsigned setting, uint64_t value) {
    patch->mask |= UINT32_C(1) << setting;
    assert_true(fob_policy_set(&patch->to, setting, value));
}

static void set_some(fob_policy_patch_t *patch) {
    switch (chance(5)) {
    case 0:
        put(patch, FOB_POLICY_max_depth, 1 + chance(chance(3) ? 60 : 400));
        put(patch, FOB_POLICY_overflow, chance(4));
        break;
    case 1:
        put(patch, FOB_POLICY_max_bytes, 1 + chance(20000));
        put(patch, FOB_POLICY_overflow, chance(4));
        break;
    case 2:
        put(patch, FOB_POLICY_paused, chance(3) == 0);
        put(patch, FOB_POLICY_lease, chance(2) ? 0 : chance(3000));
        break;
    case 3:
        put(patch, FOB_POLICY_max_attempts, 1 + chance(4));
        put(patch, FOB_POLICY_max_age, chance(2) ? 0 : 1 + chance(20000));
        break;
    default:
        put(patch, FOB_POLICY_dead_max, 1 + chance(60));
        put(patch, FOB_POLICY_dead_max_age, 1 + chance(30000));
    }
}

static void ask_for_letters(unsigned group) {
    fob_command_t dead = {.kind = FOB_CMD_DEAD_LIST + (unsigned)chance(4),
                          .conn = 99,
                          .dead = {.req = 2,
                                   .group = fob_slice_str(names[group]),
                                   .limit = (uint32_t)(1 + chance(40)),
                                   .dry = chance(5) == 0}};
    if (chance(3) == 0)
        dead.dead.filter.topic = fob_slice_str("a");
    if (dead.kind == FOB_CMD_DEAD_SHOW)
        dead.dead.filter.offset = 1 + chance(fob_core_head(kit.core) + 1);
    kit_do(&kit, &dead);
}

static void operate(void) {
    static const fob_command_kind_t kinds[] = {
        FOB_CMD_GROUP_SET,   FOB_CMD_GROUP_SET,   FOB_CMD_GROUP_SET,    FOB_CMD_GROUP_SET,
        FOB_CMD_GROUP_RESET, FOB_CMD_GROUP_PURGE, FOB_CMD_GROUP_REMOVE, FOB_CMD_GROUP_ADD};
    unsigned group = (unsigned)chance(GROUPS);
    uint64_t head = fob_core_head(kit.core);
    fob_command_t command = {.kind = kinds[chance(8)],
                             .conn = 99,
                             .admin = {.req = 1,
                                       .group = fob_slice_str(names[group]),
                                       .pattern = fob_slice_str(patterns[group]),
                                       .lowest = 1}};
    if (chance(5) == 0) {
        ask_for_letters(group);
        return;
    }
    if (command.kind == FOB_CMD_GROUP_SET || chance(2))
        set_some(&command.admin.patch);
    if (command.kind != FOB_CMD_GROUP_SET && chance(3))
        command.admin.offset = 1 + (chance(2) ? chance(head + 1) : head - chance(head + 1) / 20);
    else if (command.kind != FOB_CMD_GROUP_SET && chance(2))
        command.admin.time_ms = kit.now.wall_ms - (int64_t)chance(20000);
    kit_do(&kit, &command);
}

/* --- the world --- */

static void step(void) {
    uint64_t what = chance(100);
    if (what < 35)
        publish();
    else if (what < 60)
        settle();
    else if (what < 68)
        join();
    else if (what < 76)
        come_or_go();
    else if (what < 84)
        operate();
    else if (what < 90)
        kit_pass(&kit, (int64_t)chance(chance(5) ? 300 : 6000));
    else if (what < 97)
        kit_checkpoint_some(&kit);
    else if (what < 99)
        kit_crash(&kit, kit.position);
    look();
}

static void live(uint64_t seed, unsigned steps) {
    fob_core_config_t config = kit_config;
    state = (seed + 1) * UINT64_C(0x9E3779B97F4A7C15);
    config.max_sessions = 8;
    config.dedup_max = 50;
    config.dedup_window_ms = 30000;
    config.slice_bytes = 2000;
    if (chance(2)) {
        config.cache_bytes = 8192;
        config.page_bytes = 1024;
    }
    kit_init(&kit, &config);
    kit.hash_turns = true;
    lease_count = 0;
    for (unsigned i = 0; i < SESSIONS; i++) {
        sessions[i] = (uint8_t)(i + 1);
        next_number[i] = 1;
    }
    for (unsigned i = 0; i < steps; i++)
        step();
    kit_crash(&kit, kit.position);
    kit_books(&kit);
    kit_free(&kit);
}

static void whatever_clients_say_the_books_balance(void **unused) {
    (void)unused;
    seeds_t seeds = seeds_given(1, 20);
    for (uint64_t i = 0; i < seeds.count; i++) {
        uint64_t seed = seeds.first + i;
        printf("FOB_SEED=%" PRIu64 "\n", seed);
        live(seed, 1000);
    }
}

FOB_MAIN(FOB_CASE(whatever_clients_say_the_books_balance))
