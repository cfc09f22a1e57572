#include "tests/fuzz/core_use.h"

#include "bus/core/group/policy.h"
#include "proto/event.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define ROUNDS 40
#define EVENTS 4u

const fob_core_config_t core_use_config = {.max_event = 1000,
                                           .max_groups = 10,
                                           .max_sessions = 100,
                                           .session_keep_ms = 3600000,
                                           .resume_ms = 3000,
                                           .cache_bytes = 1 << 20,
                                           .page_bytes = 65536,
                                           .mark_block = 4096,
                                           .policy = {.max_depth = 10000000,
                                                      .max_bytes = INT64_MAX,
                                                      .max_attempts = 5,
                                                      .backoff_first = 1000,
                                                      .backoff_factor = 2,
                                                      .backoff_max = 300000,
                                                      .dead_max = 1000000,
                                                      .dead_max_age = INT64_C(2592000000)},
                                           .dedup_max = 1000,
                                           .dedup_window_ms = 3600000,
                                           .seed = 1,
                                           .slice_bytes = 500,
                                           .release_first_ms = 100};

/* One recovered core at work. */
typedef struct {
    fob_core_t *core, *twin;
    fob_now_t now;
    fob_slice_t events;
    uint64_t first_offset;
    uint32_t count;
    uint64_t seq;
    fob_status_t status;
} use_t;

void core_use_look(fob_core_t *core, fob_now_t now) {
    fob_group_stats_t s;
    fob_core_stats_t all;
    fob_core_stats(core, &all);
    for (size_t i = 0; fob_core_group_stats(core, now, i, &s); i++) {
        FUZZ_RULE(s.accepted == s.acked + s.dead + s.expired + s.shed + s.removed + s.ready +
                                    s.leased + s.delayed);
        FUZZ_RULE(s.ready <= s.accepted && s.leased <= s.accepted && s.delayed <= s.accepted);
        FUZZ_RULE(s.dead <= s.accepted && s.removed <= s.accepted && s.shed <= s.accepted);
        FUZZ_RULE(s.state && s.why[sizeof s.why - 1] == 0);
        FUZZ_RULE(s.group.size > 0 && s.pattern.size > 0);
    }
    FUZZ_RULE(fob_core_floor(core) <= fob_core_head(core) + 1);
    (void)fob_core_settle_reserve(core);
}

/* Another core, of a checkpoint of this one. */
static fob_core_t *copy_of(fob_core_t *core) {
    fob_core_t *copy = fob_core_new(&core_use_config);
    FUZZ_RULE(copy);
    fob_core_checkpoint_begin(core);
    for (;;) {
        fob_buf_t slice = {0};
        bool more = fob_core_checkpoint_next(core, &slice);
        FUZZ_RULE(!slice.failed);
        FUZZ_RULE(!more || fob_core_load(copy, fob_buf_slice(&slice)) == FOB_OK);
        fob_buf_free(&slice);
        if (!more)
            break;
    }
    FUZZ_RULE(fob_core_hash(copy) == fob_core_hash(core));
    return copy;
}

static void step(use_t *self, const fob_command_t *command) {
    FUZZ_RULE(fob_core_step(self->core, self->now, command) == FOB_OK);
}

static void answer(use_t *self, const fob_effect_t *effect) {
    uint64_t asked = effect->need_offset;
    fob_command_t command = {.kind = FOB_CMD_PAGE_ABSENT, .absent = {asked, 1, asked}};
    if (asked < self->first_offset || asked - self->first_offset >= self->count) {
        step(self, &command);
        return;
    }
    fob_blob_t *blob = fob_blob_copy(self->events);
    FUZZ_RULE(blob);
    command = (fob_command_t){
        .kind = FOB_CMD_PAGE,
        .page = {blob, fob_blob_slice(blob), self->first_offset, self->count, asked, true}};
    fob_status_t status = fob_core_step(self->core, self->now, &command);
    FUZZ_RULE(status == FOB_OK || status == FOB_PROTOCOL);
    fob_blob_unref(&blob);
}

static void settle(use_t *self, const fob_effect_t *effect) {
    fob_buf_t runs = {0};
    fob_pack_array(&runs, (uint32_t)effect->span_count);
    for (size_t i = 0; i < effect->span_count; i++) {
        const fob_span_t *span = &effect->spans[i];
        fob_run_write(
            &runs,
            (uint64_t[]){FOB_KIND_ACK + self->seq % 4, span->offset, span->count, span->token}, 4);
    }
    step(self, &(fob_command_t){.kind = FOB_CMD_SETTLE,
                                .conn = effect->conn,
                                .settle = {.group = effect->group,
                                           .seq = ++self->seq,
                                           .credit = 20 + self->seq,
                                           .runs = fob_buf_slice(&runs),
                                           .text = fob_slice_str("why")}});
    fob_buf_free(&runs);
}

static void replay(use_t *self, const fob_turn_t *turn) {
    for (size_t i = 0; self->twin && i < turn->record_count; i++) {
        const fob_record_t *record = &turn->records[i];
        fob_buf_t bytes = {0};
        fob_buf_put(&bytes, record->head.data, record->head.size);
        if (record->body) {
            fob_slice_t body = fob_blob_slice(record->body);
            fob_buf_put(&bytes, body.data, body.size);
        }
        fob_status_t status = fob_core_replay(self->twin, turn->position, fob_buf_slice(&bytes));
        if (status != FOB_OK)
            fprintf(stderr, "%s\n", fob_core_error(self->twin));
        FUZZ_RULE(status == FOB_OK);
        fob_buf_free(&bytes);
    }
}

static bool take(use_t *self) {
    fob_turn_t *turn = fob_core_take(self->core, self->now);
    if (!turn)
        return false;
    replay(self, turn);
    for (size_t i = 0; i < turn->effect_count; i++) {
        const fob_effect_t *effect = &turn->effects[i];
        if (effect->kind == FOB_EFF_NEED)
            answer(self, effect);
        else if (effect->kind == FOB_EFF_DELIVER)
            settle(self, effect);
    }
    fob_core_release(self->core, &turn);
    return true;
}

/* What was settled last. */
static void take_rest(use_t *self) {
    fob_turn_t *turn = fob_core_take(self->core, self->now);
    if (turn)
        replay(self, turn);
    fob_core_release(self->core, &turn);
}

static void join_all(use_t *self) {
    static const uint8_t session[FOB_SESSION_SIZE] = {7};
    fob_group_stats_t s;
    for (size_t i = 0; i < 20 && fob_core_group_stats(self->core, self->now, i, &s); i++)
        step(self, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                    .conn = 100 + i,
                                    .join = {.session = session,
                                             .group = s.group,
                                             .pattern = s.pattern,
                                             .credit = 20,
                                             .jobs = 2,
                                             .worker = fob_slice_str("w")}});
}

/* An operator's act on each group. */
static void administer(use_t *self, fob_command_kind_t kind) {
    fob_group_stats_t s;
    for (size_t i = 0; i < 20 && fob_core_group_stats(self->core, self->now, i, &s); i++) {
        fob_command_t command = {.kind = kind, .conn = 2000};
        if (kind == FOB_CMD_DEAD_REDRIVE || kind == FOB_CMD_DEAD_PURGE) {
            command.dead.req = 1;
            command.dead.group = s.group;
            command.dead.limit = 5;
        } else {
            command.admin.req = 1;
            command.admin.group = s.group;
            command.admin.offset = kind == FOB_CMD_GROUP_RESET ? s.floor : 0;
            command.admin.lowest = 1;
            command.admin.patch.mask = kind == FOB_CMD_GROUP_SET ? 1u << FOB_POLICY_max_age : 0;
            command.admin.patch.to.max_age = 1000;
        }
        step(self, &command);
    }
}

static void change_groups(use_t *self) {
    static const fob_command_kind_t kinds[] = {FOB_CMD_GROUP_ADD, FOB_CMD_GROUP_REMOVE,
                                               FOB_CMD_GROUP_ADD};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        step(self, &(fob_command_t){.kind = kinds[i],
                                    .conn = 2000,
                                    .admin = {.req = 1,
                                              .group = fob_slice_str("fuzz"),
                                              .pattern = fob_slice_str("a.>"),
                                              .offset = 1,
                                              .lowest = 1}});
}

/* As a publisher that the seeds know goes on: with an id that may be known, and priorities. */
static void publish(use_t *self) {
    uint8_t session[FOB_SESSION_SIZE];
    bool known;
    fob_buf_t body = {0};
    memset(session, 9, sizeof session);
    for (unsigned i = 0; i < EVENTS; i++) {
        fob_envelope_t event = {.topic = fob_slice_str(i % 2 ? "a.b" : "a.c"),
                                .id = fob_slice_str(i % 3 ? "" : "0"),
                                .priority = (uint8_t)(i % 2 * 5),
                                .data = fob_slice_str("x")};
        FUZZ_RULE(fob_envelope_write(&body, UINT64_MAX, &event) == FOB_OK);
    }
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    FUZZ_RULE(blob);
    uint64_t first = fob_core_session_last(self->core, session, &known) + 1;
    fob_command_t command = {
        .kind = FOB_CMD_PUBLISH, .conn = 1009, .publish = {session, first, first, blob, FOB_OK}};
    fob_status_t status = fob_core_step(self->core, self->now, &command);
    FUZZ_RULE(status == FOB_OK || status == FOB_PROTOCOL);
    fob_blob_unref(&blob);
    fob_buf_free(&body);
}

/* What there is to do beside the work. */
static void work_beside(use_t *self, unsigned round) {
    static const fob_command_kind_t acts[] = {FOB_CMD_DEAD_REDRIVE, FOB_CMD_DEAD_PURGE,
                                              FOB_CMD_GROUP_SET, FOB_CMD_GROUP_RESET,
                                              FOB_CMD_GROUP_PURGE};
    if (round % (ROUNDS / 2) == 0)
        publish(self);
    if (round == ROUNDS / 4)
        change_groups(self);
    if (round >= ROUNDS / 2 && round % 3 == 0 && (round - ROUNDS / 2) / 3 < 5)
        administer(self, acts[(round - ROUNDS / 2) / 3]);
}

/* What is known of topics is advice, and not in the hash; a replay knows it again all the same. */
static void topics_known_again(const use_t *self) {
    fob_buf_t rows = {0}, again = {0};
    fob_lasts_t whole, twin;
    const fob_lasts_of_t of = {fob_slice_str(">"), 0, 0, 1};
    fob_core_whole(self->core, &of, &rows, &whole);
    fob_core_whole(self->twin, &of, &again, &twin);
    FUZZ_RULE(!rows.failed && !again.failed);
    FUZZ_RULE(fob_slice_eq(fob_buf_slice(&rows), fob_buf_slice(&again)));
    FUZZ_RULE(whole.floor == twin.floor && whole.floor <= fob_core_head(self->core));
    fob_buf_free(&rows);
    fob_buf_free(&again);
}

void core_use(fob_core_t *core, uint64_t position, fob_slice_t events, uint64_t first_offset,
              uint32_t count) {
    use_t self = {.core = core,
                  .now = {FOB_SEC, 1700000000000},
                  .events = events,
                  .first_offset = first_offset,
                  .count = count};
    uint64_t hash = fob_core_hash(core);
    fob_core_start(core, self.now, position);
    FUZZ_RULE(fob_core_hash(core) == hash);
    core_use_look(core, self.now);
    if (!count) /* pages that contradict the records make records that contradict themselves */
        self.twin = copy_of(core);
    join_all(&self);
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (self.twin)
            work_beside(&self, i);
        if (!take(&self)) {
            self.now.mono_ns += FOB_SEC;
            self.now.wall_ms += 1000;
            step(&self, &(fob_command_t){.kind = FOB_CMD_TICK});
        }
    }
    if (!self.twin)
        return;
    take_rest(&self);
    core_use_look(core, self.now);
    FUZZ_RULE(fob_core_hash(core) == fob_core_hash(self.twin));
    topics_known_again(&self);
    fob_core_destroy(&self.twin);
}
