/* inquiry_kit: a core with one group and its letters, and what operators ask about them. */
#ifndef FOB_TESTS_INQUIRY_KIT_H
#define FOB_TESTS_INQUIRY_KIT_H

#include "bus/core/admin/inquiry.h"
#include "test_core_kit.h"

#include "tests/support/case.h"

#include <stdlib.h>

#define GROUP  "billing"
#define ADMIN  77
#define WORKER 1

static kit_t kit;
static uint64_t published, settled;

static inline void begin(const fob_core_config_t *config) {
    kit_init(&kit, config);
    published = settled = 0;
}

static inline int setup(void **state) {
    (void)state;
    begin(&kit_config);
    return 0;
}

static inline int teardown(void **state) {
    (void)state;
    kit_free(&kit);
    return 0;
}

/* --- what happens in the group --- */

static inline void publish(const char *topic, const char *key, size_t size) {
    static const uint8_t data[1000];
    fob_buf_t body = {0};
    fob_envelope_t event = {
        .topic = fob_slice_str(topic), .key = fob_slice_str(key), .data = fob_slice(data, size)};
    assert_int_equal(fob_envelope_write(&body, UINT64_MAX, &event), FOB_OK);
    published++;
    kit_publish_body(&kit, 1, published, published, &body, FOB_OK);
}

/* The token of an event's last delivery. */
static inline uint64_t token_of(uint64_t offset) {
    uint64_t token = 0;
    for (size_t i = 0; i < kit.shown_count; i++) {
        const kit_effect_t *effect = &kit.shown[i];
        for (size_t k = 0; effect->kind == FOB_EFF_DELIVER && k < effect->row_count; k++)
            token = effect->rows[k][0] == offset ? effect->rows[k][1] : token;
    }
    assert_true(token);
    return token;
}

static inline void reject(uint64_t offset) {
    kit_settle(&kit, WORKER, GROUP, ++settled, FOB_KIND_REJECT, offset, 1, token_of(offset));
}

/* Publishes and rejects events of one topic; a second passes before each death. */
static inline void die(const char *topic, const char *key, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        publish(topic, key, 4);
        kit_pass(&kit, 1000);
        reject(published);
    }
}

static inline void join(void) {
    kit_join(&kit, WORKER, GROUP, ">", 1000000);
}

/* --- what is asked --- */

static inline fob_command_t asks(fob_command_kind_t kind) {
    return (fob_command_t){
        .kind = kind, .conn = ADMIN, .dead = {.req = 5, .group = fob_slice_str(GROUP)}};
}

static inline kit_effect_t *reply(void) {
    kit_effect_t *effect = kit_last(&kit, FOB_EFF_REPLY);
    assert_non_null(effect);
    assert_int_equal(effect->conn, ADMIN);
    assert_int_equal(effect->req, 5);
    return effect;
}

/* Asks and gives the answer, with all pages that it needs. */
static inline kit_effect_t *ask(const fob_command_t *command) {
    size_t before = kit_count(&kit, FOB_EFF_REPLY);
    kit_do(&kit, command);
    kit_pages(&kit);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), before + 1);
    return reply();
}

static inline kit_effect_t *list(fob_dead_filter_t filter) {
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    command.dead.filter = filter;
    kit_effect_t *effect = ask(&command);
    assert_int_equal(effect->status, FOB_OK);
    return effect;
}

/* --- what is answered --- */

/* The value of a field of the map at the cursor, which is then behind the map. */
static inline fob_slice_t field(fob_slice_t map, const char *name) {
    fob_cursor_t cursor = fob_cursor(map);
    fob_slice_t found = {0}, key, value;
    uint32_t count;
    assert_true(fob_cursor_map(&cursor, &count));
    while (count-- > 0) {
        assert_true(fob_cursor_str(&cursor, &key) && fob_cursor_skip(&cursor, &value));
        if (fob_slice_eq(key, fob_slice_str(name)))
            found = value;
    }
    assert_true(fob_cursor_end(&cursor));
    if (!found.data)
        fail_msg("no field %s", name);
    return found;
}

static inline uint64_t number(fob_slice_t map, const char *name) {
    uint64_t value;
    fob_cursor_t cursor = fob_cursor(field(map, name));
    assert_true(fob_cursor_uint(&cursor, &value));
    return value;
}

static inline bool nil(fob_slice_t map, const char *name) {
    fob_cursor_t cursor = fob_cursor(field(map, name));
    return fob_cursor_nil(&cursor);
}

/* "" for nil. */
static inline const char *text(fob_slice_t map, const char *name) {
    static char out[4][300];
    static unsigned at;
    char *to = out[at++ % 4];
    fob_slice_t value = {0};
    fob_cursor_t cursor = fob_cursor(field(map, name));
    if (!fob_cursor_nil(&cursor)) {
        cursor = fob_cursor(field(map, name));
        assert_true(fob_cursor_str(&cursor, &value) && value.size < 300);
        memcpy(to, value.data, value.size);
    }
    to[value.size] = 0;
    return to;
}

static inline fob_slice_t value_of(const kit_effect_t *effect) {
    return fob_buf_slice(&effect->value);
}

static inline uint32_t rows_of(const kit_effect_t *effect) {
    uint32_t count;
    fob_cursor_t cursor = fob_cursor(field(value_of(effect), "dead"));
    assert_true(fob_cursor_array(&cursor, &count));
    return count;
}

static inline fob_slice_t row(const kit_effect_t *effect, uint32_t index) {
    uint32_t count;
    fob_slice_t out = {0};
    fob_cursor_t cursor = fob_cursor(field(value_of(effect), "dead"));
    assert_true(fob_cursor_array(&cursor, &count) && index < count);
    for (uint32_t i = 0; i <= index; i++)
        assert_true(fob_cursor_skip(&cursor, &out));
    return out;
}

/* The offsets listed, as "1 2 3". */
static inline const char *offsets(const kit_effect_t *effect) {
    static char out[2000];
    size_t used = 0;
    out[0] = 0;
    for (uint32_t i = 0; i < rows_of(effect); i++)
        used += (size_t)snprintf(out + used, sizeof out - used, i ? " %llu" : "%llu",
                                 (unsigned long long)number(row(effect, i), "offset"));
    return out;
}

/* --- events that are not in memory --- */

/* Letters 1..count, of which no page is in memory: the newest take all of it. */
static inline void begin_far_back(unsigned count) {
    fob_core_config_t config = kit_config;
    config.cache_bytes = 20000;
    config.page_bytes = 2000;
    kit_free(&kit);
    begin(&config);
    join();
    die("old", "anna", count);
    for (int i = 0; i < 100; i++)
        publish("new", NULL, 900);
    kit_clear(&kit);
}

#endif
