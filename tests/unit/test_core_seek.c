/* seek: the offset of a time, by which a group begins. */
#include "bus/core/admin/inquiry.h"
#include "test_core_kit.h"

#include "tests/support/case.h"

#define ADMIN 77

static kit_t kit;
static uint64_t published;
static int64_t begun; /* wall time of the start */

/* Little memory, so that pages are read back. */
static int setup(void **state) {
    (void)state;
    fob_core_config_t config = kit_config;
    config.cache_bytes = 20000;
    config.page_bytes = 2000;
    kit_init(&kit, &config);
    begun = kit.now.wall_ms;
    published = 0;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_free(&kit);
    return 0;
}

static void publish(unsigned count, size_t size) {
    static const uint8_t data[1000];
    fob_buf_t body = {0};
    for (unsigned i = 0; i < count; i++)
        kit_event(&body, "a", data, size);
    kit_publish_body(&kit, 1, published + 1, published + 1, &body, FOB_OK);
    published += count;
}

/* `batches` of two events each, a second between them, and newer ones that take the memory. */
static void publish_by_the_second(unsigned batches) {
    for (unsigned i = 0; i < batches; i++) {
        publish(2, 100);
        kit_pass(&kit, 1000);
    }
    for (int i = 0; i < 40; i++)
        publish(1, 900);
    kit_clear(&kit);
}

static void add(const char *name, int64_t time_ms, uint64_t lowest) {
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_GROUP_ADD,
                                  .conn = ADMIN,
                                  .admin = {.req = 5,
                                            .group = fob_slice_str(name),
                                            .pattern = fob_slice_str(">"),
                                            .time_ms = time_ms,
                                            .lowest = lowest}});
}

/* Where the newest group begins, by its record. */
static uint64_t start_of(const char *name) {
    for (size_t i = kit.log_count; i-- > 0;) {
        fob_record_group_add_t record;
        if (fob_record_read_group_add(fob_slice(kit.log[i].bytes, kit.log[i].size), &record) &&
            fob_slice_eq(record.name, fob_slice_str(name)))
            return record.start;
    }
    fail_msg("no group %s was made", name);
    return 0;
}

static void remove_group(const char *name) {
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_GROUP_REMOVE,
                                  .conn = ADMIN,
                                  .admin = {.req = 5, .group = fob_slice_str(name)}});
}

/* Where a group begins that begins at a time. */
static uint64_t place_of(int64_t time_ms, uint64_t lowest) {
    size_t before = kit_count(&kit, FOB_EFF_REPLY);
    add("g", time_ms, lowest);
    kit_pages(&kit);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), before + 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_REPLY)->status, FOB_OK);
    uint64_t start = start_of("g");
    remove_group("g");
    return start;
}

static void a_group_begins_with_what_was_stored_at_a_time(void **state) {
    (void)state;
    publish_by_the_second(50); /* offsets 1-2 at begun, 3-4 a second later, ... */
    assert_int_equal(place_of(begun + 10000, 1), 21);
    assert_int_equal(place_of(begun + 10001, 1), 23);
    assert_int_equal(place_of(begun + 9999, 1), 21);
    assert_int_equal(place_of(begun + 49000, 1), 99);
    /* The groups' own look through what they begin with reads pages too. */
    assert_in_range(kit_count(&kit, FOB_EFF_NEED), 1, 4 * 16);
}

static void a_time_before_everything_is_the_lowest_offset_kept(void **state) {
    (void)state;
    publish_by_the_second(50);
    assert_int_equal(place_of(begun - 1000000, 1), 1);
    assert_int_equal(place_of(begun, 1), 1);
    assert_int_equal(place_of(begun, 31), 31);
    assert_int_equal(place_of(begun, 32), 32); /* within a batch */
    assert_int_equal(place_of(1, 0), 1);
}

static void a_time_after_everything_is_the_next_offset(void **state) {
    (void)state;
    publish_by_the_second(10);
    assert_int_equal(place_of(kit.now.wall_ms + 1, 1), published + 1);
    assert_int_equal(place_of(begun + INT64_C(1000000000), 1), published + 1);
}

static void nothing_stored_is_the_next_offset(void **state) {
    (void)state;
    assert_int_equal(place_of(begun, 1), 1);
    assert_int_equal(place_of(begun, 0), 1);
}

static void what_is_in_memory_is_found_at_once(void **state) {
    (void)state;
    publish(2, 4);
    kit_pass(&kit, 1000);
    publish(2, 4);
    add("g", begun + 1, 1);
    assert_int_equal(kit_count(&kit, FOB_EFF_NEED), 0);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 1);
    assert_int_equal(start_of("g"), 3);
}

static void what_is_stored_during_the_search_is_not_missed(void **state) {
    (void)state;
    publish_by_the_second(50);
    add("g", kit.now.wall_ms + 1, 1);
    uint64_t next = published + 1;
    kit_pass(&kit, 1000);
    publish(1, 4);
    kit_pages(&kit);
    assert_int_equal(start_of("g"), next);
}

static void a_search_ends_with_its_connection(void **state) {
    (void)state;
    publish_by_the_second(50);
    add("g", begun + 1, 1);
    assert_int_equal(kit_count(&kit, FOB_EFF_NEED), 1);
    kit_lost(&kit, ADMIN);
    kit_pages(&kit);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 0);
    assert_int_equal(fob_inquiries_count(kit.core), 0);
    assert_int_equal(fob_core_group_count(kit.core), 0);
}

static void a_search_too_many_is_refused_and_the_others_go_on(void **state) {
    (void)state;
    publish_by_the_second(50);
    kit_do(&kit,
           &(fob_command_t){.kind = FOB_CMD_GROUP_ADD,
                            .conn = ADMIN,
                            .admin = {.group = fob_slice_str("g"), .pattern = fob_slice_str(">")}});
    kit_clear(&kit);
    for (uint64_t i = 0; i <= FOB_INQUIRIES_MAX; i++)
        kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_GROUP_RESET,
                                      .conn = ADMIN,
                                      .admin = {.req = i,
                                                .group = fob_slice_str("g"),
                                                .time_ms = begun + 10000,
                                                .lowest = 1}});
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 1);
    const kit_effect_t *reply = kit_last(&kit, FOB_EFF_REPLY);
    assert_int_equal(reply->req, FOB_INQUIRIES_MAX);
    assert_int_equal(reply->status, FOB_LIMIT);
    assert_string_equal(reply->text, "the bus works on as many requests as it can: ask again");
    kit_pages(&kit);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 1 + FOB_INQUIRIES_MAX);
    assert_int_equal(kit_last(&kit, FOB_EFF_REPLY)->status, FOB_OK);
    assert_int_equal(kit_stats(&kit, "g").accepted, published - 20);
}

static void an_unreadable_stretch_is_stepped_over(void **state) {
    (void)state;
    publish_by_the_second(50);
    for (size_t i = 0; i < kit.log_count; i++)
        kit.log[i].unreadable = kit.log[i].first_offset >= 21 && kit.log[i].first_offset <= 60;
    assert_int_equal(place_of(begun + 15000, 1), 61);
    assert_int_equal(place_of(begun + 9000, 1), 19);
    assert_int_equal(place_of(begun + 31000, 1), 63);
}

/* --- against a plain look through the whole log --- */

static uint64_t dice;

static uint64_t roll(uint64_t sides) {
    dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (dice >> 33) % sides;
}

/* The first readable batch at or after the time, not below `lowest`. */
static uint64_t plain(int64_t time_ms, uint64_t lowest) {
    for (size_t i = 0; i < kit.log_count; i++) {
        fob_record_events_t head;
        const kit_record_t *record = &kit.log[i];
        if (record->count == 0 || record->unreadable ||
            record->first_offset + record->count <= lowest)
            continue;
        assert_true(fob_record_read_events(fob_slice(record->bytes, record->size), &head));
        if (head.time_ms >= time_ms)
            return record->first_offset > lowest ? record->first_offset : lowest;
    }
    return published + 1;
}

static void any_time_is_found_as_by_a_plain_look(void **state) {
    for (uint64_t seed = 1; seed <= 40; seed++) {
        dice = seed;
        for (int i = 0; i < 60; i++) {
            publish(1 + (unsigned)roll(5), 50 + roll(300));
            if (roll(3))
                kit_pass(&kit, (int64_t)roll(2000));
        }
        int64_t span = kit.now.wall_ms - begun;
        for (size_t i = 0; i < kit.log_count; i++)
            kit.log[i].unreadable = kit.log[i].count > 0 && roll(4) == 0 && seed % 2;
        for (int i = 0; i < 20; i++) {
            int64_t time_ms = begun - 100 + (int64_t)roll((uint64_t)span + 200);
            uint64_t lowest = 1 + roll(published);
            if (seed % 2) /* what is in memory is readable, whatever the log says */
                kit_crash(&kit, kit.position);
            uint64_t want = plain(time_ms, lowest), have = place_of(time_ms, lowest);
            if (have != want)
                fail_msg("seed %d: %lld from %llu on is %llu, not %llu", (int)seed,
                         (long long)(time_ms - begun), (unsigned long long)lowest,
                         (unsigned long long)have, (unsigned long long)want);
        }
        teardown(state);
        setup(state);
    }
}

FOB_MAIN(FOB_CASE_WITH(a_group_begins_with_what_was_stored_at_a_time, setup, teardown),
         FOB_CASE_WITH(a_time_before_everything_is_the_lowest_offset_kept, setup, teardown),
         FOB_CASE_WITH(a_time_after_everything_is_the_next_offset, setup, teardown),
         FOB_CASE_WITH(nothing_stored_is_the_next_offset, setup, teardown),
         FOB_CASE_WITH(what_is_in_memory_is_found_at_once, setup, teardown),
         FOB_CASE_WITH(what_is_stored_during_the_search_is_not_missed, setup, teardown),
         FOB_CASE_WITH(a_search_ends_with_its_connection, setup, teardown),
         FOB_CASE_WITH(a_search_too_many_is_refused_and_the_others_go_on, setup, teardown),
         FOB_CASE_WITH(an_unreadable_stretch_is_stepped_over, setup, teardown),
         FOB_CASE_WITH(any_time_is_found_as_by_a_plain_look, setup, teardown))
