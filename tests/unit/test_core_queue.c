#include "test_core_queue.h"

#include "tests/support/case.h"

#include <stdlib.h>

void queue_init(queue_t *self, const fob_core_config_t *config) {
    memset(self, 0, sizeof *self);
    kit_init(&self->kit, config);
    self->kit.hash_turns = true;
    self->size = 4;
    self->got = malloc(QUEUE_GOT * sizeof *self->got);
    assert_non_null(self->got);
}

void queue_init_small(queue_t *self) {
    fob_core_config_t config = kit_config;
    config.cache_bytes = 4096;
    config.page_bytes = 1024;
    queue_init(self, &config);
    self->size = 500;
}

void queue_free(queue_t *self) {
    kit_books(&self->kit);
    kit_free(&self->kit);
    free(self->got);
}

static void publish(queue_t *self, fob_buf_t *body, unsigned count) {
    uint64_t first = self->published + 1;
    self->published += count;
    kit_publish_body(&self->kit, 1, first, first, body, FOB_OK);
    kit_books(&self->kit);
}

static void add_event(const queue_t *self, fob_buf_t *body, const char *topic, uint8_t priority) {
    static const uint8_t data[1000];
    kit_event_with(body, topic, "", priority, data, self->size);
}

void queue_say(queue_t *self, const char *words) {
    fob_buf_t body = {0};
    unsigned count = 0;
    for (const char *w = words; *w; w += w[2] ? 3 : 2, count++)
        add_event(self, &body, (const char[]){w[0], 0}, (uint8_t)(w[1] - '0'));
    publish(self, &body, count);
}

void queue_many(queue_t *self, const char *topic, uint8_t priority, unsigned count) {
    fob_buf_t body = {0};
    for (unsigned i = 0; i < count; i++)
        add_event(self, &body, topic, priority);
    publish(self, &body, count);
}

void queue_join(queue_t *self, const char *pattern) {
    static const uint8_t session[FOB_SESSION_SIZE] = {1};
    kit_do(&self->kit,
           &(fob_command_t){.kind = FOB_CMD_JOIN,
                            .conn = 1,
                            .join = {.session = session,
                                     .group = fob_slice_str("g"),
                                     .pattern = pattern ? fob_slice_str(pattern) : (fob_slice_t){0},
                                     .create = pattern != NULL,
                                     .jobs = 1}});
    assert_int_equal(kit_last(&self->kit, FOB_EFF_JOINED)->status, FOB_OK);
    self->asked = 0;
}

/* Takes what was delivered out of what was shown; needs stay. */
static void collect(queue_t *self) {
    for (size_t i = 0; i < self->kit.shown_count; i++) {
        kit_effect_t *effect = &self->kit.shown[i];
        if (effect->kind != FOB_EFF_DELIVER || effect->seq)
            continue;
        effect->seq = 1; /* seen */
        for (size_t k = 0; k < effect->row_count; k++) {
            assert_true(self->count < QUEUE_GOT);
            self->got[self->count][0] = effect->rows[k][0];
            self->got[self->count++][1] = effect->rows[k][1];
        }
    }
}

static const char *tell(queue_t *self, size_t from) {
    size_t used = 0;
    self->text[0] = 0;
    for (size_t i = from; i < self->count && used < sizeof self->text - 32; i++)
        used += (size_t)snprintf(self->text + used, sizeof self->text - used, "%s%llu",
                                 used ? " " : "", (unsigned long long)self->got[i][0]);
    return self->text;
}

static const char *take(queue_t *self, uint64_t count, bool pages) {
    size_t from = self->count;
    self->asked += count;
    kit_credit(&self->kit, 1, "g", self->asked);
    if (pages)
        kit_pages(&self->kit);
    collect(self);
    if (pages)
        kit_clear(&self->kit);
    kit_books(&self->kit);
    return tell(self, from);
}

const char *queue_take(queue_t *self, uint64_t count) {
    return take(self, count, true);
}

const char *queue_ask(queue_t *self, uint64_t count) {
    return take(self, count, false);
}

void queue_settle(queue_t *self, unsigned kind, uint64_t offset) {
    size_t i = self->count;
    while (i > 0 && self->got[i - 1][0] != offset)
        i--;
    assert_true(i > 0);
    kit_settle(&self->kit, 1, "g", ++self->seq, kind, offset, 1, self->got[i - 1][1]);
    assert_int_equal(kit_last(&self->kit, FOB_EFF_SETTLED)->row_count, 0);
    kit_books(&self->kit);
}

void queue_ack(queue_t *self, uint64_t offset) {
    queue_settle(self, FOB_KIND_ACK, offset);
}

const char *queue_drain(queue_t *self, size_t most) {
    size_t from = self->count;
    for (size_t i = 0; i < most; i++) {
        size_t before = self->count;
        queue_take(self, 1);
        if (self->count == before) {
            self->asked--;
            break;
        }
        for (; before < self->count; before++)
            queue_ack(self, self->got[before][0]);
    }
    return tell(self, from);
}

void queue_crash(queue_t *self) {
    kit_crash(&self->kit, self->kit.position);
    kit_clear(&self->kit);
    kit_books(&self->kit);
    queue_join(self, NULL);
}

void queue_resume(queue_t *self) {
    kit_pass(&self->kit, self->kit.config.resume_ms + 1);
    kit_books(&self->kit);
}

void queue_admin(queue_t *self, fob_command_kind_t kind, const char *pattern, uint64_t offset,
                 unsigned setting, uint64_t value) {
    fob_command_t command = {.kind = kind,
                             .conn = 99,
                             .admin = {.req = 1,
                                       .group = fob_slice_str("g"),
                                       .pattern = fob_slice_str(pattern),
                                       .offset = offset,
                                       .lowest = 1}};
    if (setting) {
        command.admin.patch.mask = UINT32_C(1) << setting;
        assert_true(fob_policy_set(&command.admin.patch.to, setting, value));
    }
    kit_do(&self->kit, &command);
    assert_int_equal(kit_last(&self->kit, FOB_EFF_REPLY)->status, FOB_OK);
    kit_books(&self->kit);
}

fob_group_stats_t queue_stats(queue_t *self) {
    return kit_stats(&self->kit, "g");
}
