/* Whatever workers and operators did, and whatever records are missing of it: the checkpoint that a
 * salvage writes is read again, and is no damage. */
#include "bus/core/durable/salvage.h"
#include "bus/core/state.h"
#include "test_core_kit.h"
#include "tests/support/case.h"

#define GROUPS 3
#define EVENTS 1500
#define HOLES  4
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ROUNDS 8 /* each takes several times as long */
#else
#define ROUNDS 40
#endif

static kit_t kit;
static const char *const names[GROUPS] = {"some", "all", "late"};
static const char *const patterns[GROUPS] = {"a.*", ">", ">"};
static uint64_t tokens[GROUPS][EVENTS + 1]; /* of what is held; 0: it is not */
static uint64_t workers[GROUPS], next_conn, seq, random_state;
static unsigned operations;

static uint64_t draw(uint64_t below) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

/* --- the world --- */

/* Notes what was handed out since. */
static void look(void) {
    kit_pages(&kit);
    for (size_t i = 0; i < kit.shown_count; i++) {
        const kit_effect_t *effect = &kit.shown[i];
        for (size_t g = 0; effect->kind == FOB_EFF_DELIVER && g < GROUPS; g++)
            for (size_t k = 0; !strcmp(effect->group, names[g]) && k < effect->row_count; k++)
                tokens[g][effect->rows[k][0]] = effect->rows[k][1];
    }
    kit_clear(&kit);
}

static void join(size_t group) {
    if (workers[group])
        kit_lost(&kit, workers[group]);
    memset(tokens[group], 0, sizeof tokens[group]);
    workers[group] = ++next_conn;
    kit_join(&kit, workers[group], names[group], patterns[group], 1000);
}

static void publish(void) {
    static const char *const topics[] = {"a.x", "a.y", "b"};
    uint8_t number = (uint8_t)(1 + draw(8)), session[FOB_SESSION_SIZE];
    memset(session, number, sizeof session);
    const fob_writer_t *writer = fob_writers_find(&kit.core->writers, session);
    uint64_t first = writer ? writer->next : 1;
    fob_buf_t body = {0};
    for (uint64_t i = 0, count = 1 + draw(8); i < count; i++) {
        char id[24] = "";
        if (draw(3) == 0)
            snprintf(id, sizeof id, "i%u", (unsigned)draw(300));
        kit_event_with(&body, topics[draw(3)], id, draw(3) ? 0 : (uint8_t)draw(10), "x", 1);
    }
    if (kit.core->head + 8 < EVENTS)
        kit_publish_body(&kit, number, first, draw(2) ? first : 1, &body, FOB_OK);
    else
        fob_buf_free(&body);
}

static void settle(size_t group) {
    for (uint64_t n = 1; n <= EVENTS; n++) {
        uint64_t token = tokens[group][n];
        if (!token || draw(3) == 0)
            continue;
        unsigned kind = draw(4) ? FOB_KIND_ACK : FOB_KIND_RETRY + (unsigned)draw(3);
        tokens[group][n] = 0;
        kit_settle(&kit, workers[group], names[group], ++seq, kind, n, 1, token);
    }
}

static void set(fob_command_t *command) {
    static const struct {
        unsigned setting;
        uint64_t from, to;
    } all[] = {{FOB_POLICY_max_attempts, 1, 6}, {FOB_POLICY_max_depth, 1, 200},
               {FOB_POLICY_overflow, 0, 3},     {FOB_POLICY_dead_max, 1, 30},
               {FOB_POLICY_max_age, 0, 50000},  {FOB_POLICY_paused, 0, 1}};
    size_t which = draw(sizeof all / sizeof all[0]);
    uint64_t value = all[which].from + draw(all[which].to - all[which].from + 1);
    command->kind = FOB_CMD_GROUP_SET;
    command->admin.patch.mask = 1u << all[which].setting;
    assert_true(fob_policy_set(&command->admin.patch.to, all[which].setting, value));
}

static void operate(size_t group) {
    static const fob_command_kind_t kinds[] = {FOB_CMD_GROUP_RESET, FOB_CMD_GROUP_PURGE,
                                               FOB_CMD_DEAD_REDRIVE, FOB_CMD_DEAD_PURGE};
    fob_command_t command = {.kind = kinds[draw(4)], .conn = 900};
    if (command.kind == FOB_CMD_DEAD_REDRIVE || command.kind == FOB_CMD_DEAD_PURGE) {
        command.dead.group = fob_slice_str(names[group]);
        command.dead.limit = 1 + (uint32_t)draw(20);
    } else {
        command.admin.group = fob_slice_str(names[group]);
        command.admin.offset = 1 + draw(kit.core->head + 1);
        command.admin.lowest = 1;
        if (draw(3))
            set(&command);
    }
    kit_do(&kit, &command);
    operations++;
}

static void crash(void) {
    kit_crash(&kit, kit.position);
    kit_clear(&kit);
    memset(workers, 0, sizeof workers);
    for (size_t g = 0; g < GROUPS; g++)
        join(g);
}

static void step(void) {
    uint64_t what = draw(32);
    if (what == 0)
        crash();
    else if (what < 3)
        join(draw(GROUPS));
    else if (what < 6)
        kit_pass(&kit, (int64_t)draw(20000));
    else if (what < 8)
        kit_checkpoint_some(&kit);
    else if (what < 11)
        operate(draw(GROUPS));
    else if (what < 20)
        settle(draw(GROUPS));
    else
        publish();
    look();
}

static void begin(uint64_t seed) {
    random_state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    next_conn = seq = 0;
    memset(workers, 0, sizeof workers);
    fob_core_config_t config = kit_config;
    config.max_sessions = 4 + (uint32_t)draw(4);
    kit_init(&kit, &config);
    kit.hash_turns = true;
    for (size_t g = 0; g < GROUPS; g++)
        join(g);
    look();
    for (unsigned i = 0; i < 500; i++)
        step();
}

/* --- the holes --- */

typedef struct {
    uint64_t from, to; /* positions */
} hole_t;

static bool in_hole(const hole_t *holes, uint64_t position) {
    for (size_t i = 0; i < HOLES; i++)
        if (position >= holes[i].from && position <= holes[i].to)
            return true;
    return false;
}

static void take(const kit_record_t *record, bool hole, bool *behind) {
    uint64_t last = record->count ? record->first_offset + record->count - 1 : 0;
    fob_slice_t bytes = fob_slice(record->bytes, record->size);
    fob_status_t status = FOB_OK;
    bool used;
    if (hole)
        fob_core_salvage_hole(kit.core, last);
    else if (*behind)
        status = fob_core_salvage_record(kit.core, record->position, bytes, &used);
    else
        status = fob_core_replay(kit.core, record->position, bytes);
    assert_int_equal(status, FOB_OK);
    *behind |= hole;
}

static void tell_lost(const hole_t *holes) {
    for (size_t i = 0; i < kit.log_count; i++) {
        kit_record_t *record = &kit.log[i];
        record->unreadable |= in_hole(holes, record->position);
        if (record->unreadable && record->count)
            assert_int_equal(fob_core_salvage_lost(kit.core, record->first_offset,
                                                   record->first_offset + record->count - 1),
                             FOB_OK);
    }
}

/* Takes the checkpoint of what can still be had. */
static void salvage(void) {
    hole_t holes[HOLES];
    uint64_t least = kit.slice_count ? kit.checkpoint_position + 1 : 1;
    for (size_t i = 0; i < HOLES; i++) {
        holes[i].from = least + draw(kit.position - least + 1);
        holes[i].to = holes[i].from + draw(30);
    }
    kit_crash(&kit, kit.position);
    fob_core_destroy(&kit.core);
    kit.core = fob_core_new(&kit.config);
    bool behind = false;
    for (size_t i = 0; i < kit.slice_count; i++)
        assert_int_equal(fob_core_load(kit.core, fob_buf_slice(&kit.slices[i])), FOB_OK);
    for (size_t i = 0; i < kit.log_count; i++)
        if (!kit.slice_count || kit.log[i].position > kit.checkpoint_position)
            take(&kit.log[i], in_hole(holes, kit.log[i].position), &behind);
    tell_lost(holes);
    fob_core_salvage_end(kit.core);
    fob_core_start(kit.core, kit.now, kit.position);
    kit.hash_turns = false;
    kit_checkpoint(&kit);
    kit_clear(&kit);
}

static void a_salvaged_checkpoint_is_read_whatever_was_done_before(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= ROUNDS; seed++) {
        begin(seed);
        salvage();
        crash(); /* and what is replayed begins with that checkpoint */
        look();
        for (unsigned i = 0; i < 200; i++)
            step();
        kit_crash(&kit, kit.position);
        kit_free(&kit);
    }
    assert_true(operations > ROUNDS * 20);
}

FOB_MAIN(FOB_CASE(a_salvaged_checkpoint_is_read_whatever_was_done_before))
