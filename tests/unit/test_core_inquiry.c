/* inquiry: what operators ask about dead letters, and where a time lies. */
#include "bus/core/inquiry.h"
#include "test_core_kit.h"

#include "tests/support/case.h"

#include <stdlib.h>

#define GROUP  "billing"
#define ADMIN  77
#define WORKER 1

static kit_t kit;
static uint64_t published, settled;

static void begin(const fob_core_config_t *config) {
    kit_init(&kit, config);
    published = settled = 0;
}

static int setup(void **state) {
    (void)state;
    begin(&kit_config);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_free(&kit);
    return 0;
}

/* --- what happens in the group --- */

static void publish(const char *topic, const char *key, size_t size) {
    static const uint8_t data[1000];
    fob_buf_t body = {0};
    fob_envelope_t event = {
        .topic = fob_slice_str(topic), .key = fob_slice_str(key), .data = fob_slice(data, size)};
    assert_int_equal(fob_envelope_write(&body, UINT64_MAX, &event), FOB_OK);
    published++;
    kit_publish_body(&kit, 1, published, published, &body, FOB_OK);
}

/* The token of an event's last delivery. */
static uint64_t token_of(uint64_t offset) {
    uint64_t token = 0;
    for (size_t i = 0; i < kit.shown_count; i++) {
        const kit_effect_t *effect = &kit.shown[i];
        for (size_t k = 0; effect->kind == FOB_EFF_DELIVER && k < effect->row_count; k++)
            token = effect->rows[k][0] == offset ? effect->rows[k][1] : token;
    }
    assert_true(token);
    return token;
}

static void reject(uint64_t offset) {
    kit_settle(&kit, WORKER, GROUP, ++settled, FOB_KIND_REJECT, offset, 1, token_of(offset));
}

/* Publishes and rejects events of one topic; a second passes before each death. */
static void die(const char *topic, const char *key, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        publish(topic, key, 4);
        kit_pass(&kit, 1000);
        reject(published);
    }
}

static void join(void) {
    kit_join(&kit, WORKER, GROUP, ">", 1000000);
}

/* --- what is asked --- */

static fob_command_t asks(fob_command_kind_t kind) {
    return (fob_command_t){
        .kind = kind, .conn = ADMIN, .dead = {.req = 5, .group = fob_slice_str(GROUP)}};
}

static kit_effect_t *reply(void) {
    kit_effect_t *effect = kit_last(&kit, FOB_EFF_REPLY);
    assert_non_null(effect);
    assert_int_equal(effect->conn, ADMIN);
    assert_int_equal(effect->req, 5);
    return effect;
}

/* Asks and gives the answer, with all pages that it needs. */
static kit_effect_t *ask(const fob_command_t *command) {
    size_t before = kit_count(&kit, FOB_EFF_REPLY);
    kit_do(&kit, command);
    kit_pages(&kit);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), before + 1);
    return reply();
}

static kit_effect_t *list(fob_dead_filter_t filter) {
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    command.dead.filter = filter;
    kit_effect_t *effect = ask(&command);
    assert_int_equal(effect->status, FOB_OK);
    return effect;
}

/* --- what is answered --- */

/* The value of a field of the map at the cursor, which is then behind the map. */
static fob_slice_t field(fob_slice_t map, const char *name) {
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

static uint64_t number(fob_slice_t map, const char *name) {
    uint64_t value;
    fob_cursor_t cursor = fob_cursor(field(map, name));
    assert_true(fob_cursor_uint(&cursor, &value));
    return value;
}

static bool nil(fob_slice_t map, const char *name) {
    fob_cursor_t cursor = fob_cursor(field(map, name));
    return fob_cursor_nil(&cursor);
}

/* "" for nil. */
static const char *text(fob_slice_t map, const char *name) {
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

static fob_slice_t value_of(const kit_effect_t *effect) {
    return fob_buf_slice(&effect->value);
}

static uint32_t rows_of(const kit_effect_t *effect) {
    uint32_t count;
    fob_cursor_t cursor = fob_cursor(field(value_of(effect), "dead"));
    assert_true(fob_cursor_array(&cursor, &count));
    return count;
}

static fob_slice_t row(const kit_effect_t *effect, uint32_t index) {
    uint32_t count;
    fob_slice_t out = {0};
    fob_cursor_t cursor = fob_cursor(field(value_of(effect), "dead"));
    assert_true(fob_cursor_array(&cursor, &count) && index < count);
    for (uint32_t i = 0; i <= index; i++)
        assert_true(fob_cursor_skip(&cursor, &out));
    return out;
}

/* The offsets listed, as "1 2 3". */
static const char *offsets(const kit_effect_t *effect) {
    static char out[2000];
    size_t used = 0;
    out[0] = 0;
    for (uint32_t i = 0; i < rows_of(effect); i++)
        used += (size_t)snprintf(out + used, sizeof out - used, i ? " %llu" : "%llu",
                                 (unsigned long long)number(row(effect, i), "offset"));
    return out;
}

/* --- lists --- */

static void a_letter_is_listed_with_what_is_known_of_its_event(void **state) {
    (void)state;
    join();
    publish("shop.order", "anna", 40);
    kit_pass(&kit, 5000);
    reject(1);
    kit_effect_t *effect = list((fob_dead_filter_t){0});
    assert_int_equal(rows_of(effect), 1);
    assert_int_equal(number(value_of(effect), "next"), 0);
    assert_int_equal(number(value_of(effect), "upto"), 1);
    fob_slice_t letter = row(effect, 0);
    assert_int_equal(number(letter, "offset"), 1);
    assert_int_equal(number(letter, "serial"), 1);
    assert_int_equal(number(letter, "count"), 1);
    assert_string_equal(text(letter, "topic"), "shop.order");
    assert_string_equal(text(letter, "key"), "anna");
    assert_true(nil(letter, "id"));
    assert_string_equal(text(letter, "reason"), "reject");
    assert_int_equal(number(letter, "time"), kit.now.wall_ms);
    assert_int_equal(number(letter, "stored"), kit.now.wall_ms - 5000);
    assert_in_range(number(letter, "size"), 40, 100);
}

static void no_letters_are_an_empty_list(void **state) {
    (void)state;
    join();
    kit_effect_t *effect = list((fob_dead_filter_t){0});
    assert_int_equal(rows_of(effect), 0);
    assert_int_equal(number(value_of(effect), "next"), 0);
    assert_int_equal(number(value_of(effect), "upto"), 0);
}

static void letters_are_listed_by_offset_however_they_died(void **state) {
    (void)state;
    join();
    for (int i = 0; i < 5; i++)
        publish("a", NULL, 4);
    uint64_t order[] = {4, 1, 5, 3, 2};
    for (int i = 0; i < 5; i++)
        reject(order[i]);
    assert_string_equal(offsets(list((fob_dead_filter_t){0})), "1 2 3 4 5");
}

static void each_filter_leaves_out_what_does_not_match(void **state) {
    (void)state;
    join();
    int64_t before = kit.now.wall_ms;
    die("shop.eu.order", "anna", 1); /* dies at before + 1 s, and so on */
    die("shop.us.order", "bert", 1);
    die("mail", NULL, 1);
    assert_string_equal(offsets(list((fob_dead_filter_t){.topic = fob_slice_str("shop.*.order")})),
                        "1 2");
    assert_string_equal(offsets(list((fob_dead_filter_t){.key = fob_slice_str("bert")})), "2");
    assert_string_equal(offsets(list((fob_dead_filter_t){.since = before + 2000})), "2 3");
    assert_string_equal(offsets(list((fob_dead_filter_t){.until = before + 2000})), "1");
    assert_string_equal(offsets(list((fob_dead_filter_t){.offset = 3})), "3");
    assert_string_equal(offsets(list((fob_dead_filter_t){.offset = 4})), "");
    assert_string_equal(offsets(list((fob_dead_filter_t){.reason = FOB_REASON_REJECT})), "1 2 3");
    assert_string_equal(offsets(list((fob_dead_filter_t){.reason = FOB_REASON_AGE})), "");
    assert_string_equal(offsets(list((fob_dead_filter_t){.topic = fob_slice_str("shop.>"),
                                                         .key = fob_slice_str("anna"),
                                                         .since = before,
                                                         .until = before + 1001})),
                        "1");
}

static void a_list_goes_on_where_the_last_one_ended(void **state) {
    (void)state;
    join();
    die("a", NULL, 7);
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    command.dead.limit = 3;
    kit_effect_t *effect = ask(&command);
    assert_string_equal(offsets(effect), "1 2 3");
    assert_int_equal(number(value_of(effect), "upto"), 7);
    command.dead.from = number(value_of(effect), "next");
    command.dead.upto = 7;
    die("a", NULL, 1); /* too late for this walk */
    effect = ask(&command);
    assert_string_equal(offsets(effect), "4 5 6");
    command.dead.from = number(value_of(effect), "next");
    effect = ask(&command);
    assert_string_equal(offsets(effect), "7");
    assert_int_equal(number(value_of(effect), "next"), 0);
}

static void a_list_that_ends_at_its_limit_says_that_nothing_is_left(void **state) {
    (void)state;
    join();
    die("a", NULL, 3);
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    command.dead.limit = 3;
    assert_int_equal(number(value_of(ask(&command)), "next"), 0);
}

static void a_list_is_bounded_in_bytes(void **state) {
    (void)state;
    char key[256];
    memset(key, 'k', 255);
    key[255] = 0;
    join();
    for (int i = 0; i < 1000; i++)
        publish("a", key, 4);
    for (uint64_t offset = 1; offset <= 1000; offset++)
        reject(offset);
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    command.dead.limit = 1000;
    kit_effect_t *effect = ask(&command);
    assert_in_range(effect->value.size, FOB_INQUIRY_PAGE / 2, FOB_INQUIRY_PAGE * 2);
    assert_int_equal(number(value_of(effect), "next"), rows_of(effect));
}

/* --- one letter --- */

static void show_gives_the_event_as_it_was_published(void **state) {
    (void)state;
    join();
    die("a", NULL, 1);
    die("b", "anna", 1);
    fob_slice_t event;
    fob_command_t command = asks(FOB_CMD_DEAD_SHOW);
    command.dead.filter.offset = 2;
    kit_effect_t *effect = ask(&command);
    assert_int_equal(effect->status, FOB_OK);
    assert_string_equal(text(value_of(effect), "topic"), "b");
    fob_cursor_t cursor = fob_cursor(field(value_of(effect), "event"));
    assert_true(fob_cursor_bin(&cursor, &event));
    const kit_effect_t *stored = kit_last(&kit, FOB_EFF_STORED);
    assert_true(fob_slice_eq(event, fob_slice(stored->events[0], stored->sizes[0])));
}

static void show_of_what_is_no_letter_is_refused_by_name(void **state) {
    (void)state;
    join();
    publish("a", NULL, 4);
    fob_command_t command = asks(FOB_CMD_DEAD_SHOW);
    assert_int_equal(ask(&command)->status, FOB_INVALID);
    command.dead.filter.offset = 1;
    kit_effect_t *effect = ask(&command);
    assert_int_equal(effect->status, FOB_GONE);
    assert_string_equal(effect->text, "group billing has no dead letter 1");
}

/* A worker with a name, and a settle that says why. */
static void join_as(const char *name) {
    static const uint8_t session[FOB_SESSION_SIZE] = {1};
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                  .conn = WORKER,
                                  .join = {.session = session,
                                           .group = fob_slice_str(GROUP),
                                           .pattern = fob_slice_str(">"),
                                           .create = true,
                                           .credit = 100,
                                           .jobs = 1,
                                           .worker = fob_slice_str(name)}});
}

static void settle_with(unsigned kind, uint64_t offset, const char *why) {
    fob_buf_t runs = {0};
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, (uint64_t[]){kind, offset, 1, token_of(offset)}, 4);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_SETTLE,
                                  .conn = WORKER,
                                  .settle = {.group = fob_slice_str(GROUP),
                                             .seq = ++settled,
                                             .runs = fob_buf_slice(&runs),
                                             .text = fob_slice_str(why)}});
    fob_buf_free(&runs);
}

static fob_slice_t attempt(const kit_effect_t *effect, uint32_t index, uint32_t of) {
    uint32_t count;
    fob_slice_t out = {0};
    fob_cursor_t cursor = fob_cursor(field(value_of(effect), "history"));
    assert_true(fob_cursor_array(&cursor, &count));
    assert_int_equal(count, of);
    for (uint32_t i = 0; i <= index; i++)
        assert_true(fob_cursor_skip(&cursor, &out));
    return out;
}

static void show_tells_each_attempt_with_its_worker_and_reason(void **state) {
    (void)state;
    kit.hash_turns = true;
    join_as("w-1");
    publish("a", NULL, 4);
    int64_t begun = kit.now.wall_ms;
    settle_with(FOB_KIND_RETRY, 1, "no route");
    kit_pass(&kit, 5000);
    settle_with(FOB_KIND_REJECT, 1, "bad address");
    kit_crash(&kit, kit.position);
    fob_command_t command = asks(FOB_CMD_DEAD_SHOW);
    command.dead.filter.offset = 1;
    kit_effect_t *effect = ask(&command);
    assert_int_equal(number(value_of(effect), "attempts"), 2);
    assert_string_equal(text(value_of(effect), "text"), "bad address");
    assert_string_equal(text(value_of(effect), "worker"), "w-1");
    fob_slice_t first = attempt(effect, 0, 2), last = attempt(effect, 1, 2);
    assert_string_equal(text(first, "reason"), "retry");
    assert_string_equal(text(first, "text"), "no route");
    assert_string_equal(text(first, "worker"), "w-1");
    assert_int_equal(number(first, "time"), begun);
    assert_string_equal(text(last, "reason"), "reject");
    assert_int_equal(number(last, "time"), begun + 5000);
}

/* --- refusals --- */

static void a_group_that_there_is_not_is_named(void **state) {
    (void)state;
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    kit_effect_t *effect = ask(&command);
    assert_int_equal(effect->status, FOB_NO_GROUP);
    assert_string_equal(effect->text, "there is no group billing");
}

static void a_filter_with_a_bad_pattern_is_refused(void **state) {
    (void)state;
    join();
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    command.dead.filter.topic = fob_slice_str("a..b");
    assert_int_equal(ask(&command)->status, FOB_BAD_PATTERN);
}

/* --- events that are not in memory --- */

/* Letters 1..count, of which no page is in memory: the newest take all of it. */
static void begin_far_back(unsigned count) {
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

static void a_request_waits_for_its_page_and_holds_up_nothing(void **state) {
    (void)state;
    begin_far_back(3);
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    kit_do(&kit, &command);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 0);
    assert_int_equal(kit_count(&kit, FOB_EFF_NEED), 1);
    assert_int_equal(kit_last(&kit, FOB_EFF_NEED)->need_offset, 1);
    size_t delivered = kit_delivered(&kit, WORKER);
    publish("new", NULL, 4);
    assert_int_equal(kit_delivered(&kit, WORKER), delivered + 1);
    assert_true(fob_core_deadline(kit.core) > kit.now.mono_ns);
    kit_pages(&kit);
    assert_string_equal(offsets(reply()), "1 2 3");
    assert_string_equal(text(row(reply(), 2), "topic"), "old");
}

static void what_the_letters_tell_needs_no_page(void **state) {
    (void)state;
    begin_far_back(3);
    fob_command_t command = asks(FOB_CMD_DEAD_PURGE);
    command.dead.dry = true;
    kit_do(&kit, &command);
    assert_int_equal(kit_count(&kit, FOB_EFF_NEED), 0);
    assert_int_equal(number(value_of(reply()), "count"), 3);
    assert_int_equal(number(value_of(reply()), "looked"), 3);
    assert_int_equal(kit_stats(&kit, GROUP).dead, 3);
}

static void letters_on_many_pages_are_all_found(void **state) {
    (void)state;
    begin_far_back(200);
    fob_command_t command = asks(FOB_CMD_DEAD_REDRIVE);
    command.dead.dry = true;
    command.dead.limit = 1000;
    command.dead.filter.key = fob_slice_str("anna");
    assert_int_equal(number(value_of(ask(&command)), "count"), 200);
    assert_true(kit_count(&kit, FOB_EFF_NEED) > 2);
}

static void requests_beyond_the_bound_are_refused(void **state) {
    (void)state;
    begin_far_back(1);
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    for (int i = 0; i < FOB_INQUIRIES_MAX; i++)
        kit_do(&kit, &command);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 0);
    assert_int_equal(kit_count(&kit, FOB_EFF_NEED), 1);
    kit_do(&kit, &command);
    assert_int_equal(reply()->status, FOB_LIMIT);
    kit_pages(&kit);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), FOB_INQUIRIES_MAX + 1);
    assert_int_equal(reply()->status, FOB_OK);
    assert_int_equal(fob_inquiries_count(kit.core), 0);
}

static void requests_leave_places_for_the_pages_of_groups(void **state) {
    (void)state;
    begin_far_back(200);
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    for (uint64_t offset = 1; offset <= 181; offset += 20) {
        command.dead.filter.offset = offset;
        kit_do(&kit, &command);
    }
    assert_int_equal(kit_count(&kit, FOB_EFF_NEED), 1); /* four stretches: a quarter */
    kit_pages(&kit);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 10);
}

static void requests_end_with_their_connection(void **state) {
    (void)state;
    begin_far_back(1);
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    kit_do(&kit, &command);
    command.conn = 78;
    kit_do(&kit, &command);
    kit_lost(&kit, 78);
    assert_int_equal(fob_inquiries_count(kit.core), 1);
    kit_pages(&kit);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 1);
    reply();
}

static void a_group_that_is_removed_ends_requests_about_it(void **state) {
    (void)state;
    begin_far_back(1);
    fob_command_t command = asks(FOB_CMD_DEAD_LIST);
    kit_do(&kit, &command);
    kit_lost(&kit, WORKER);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_GROUP_REMOVE,
                                  .conn = ADMIN,
                                  .admin = {.req = 5, .group = fob_slice_str(GROUP)}});
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 2);
    assert_int_equal(reply()->status, FOB_NO_GROUP);
    kit_pages(&kit);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 2);
}

static void an_event_that_cannot_be_read_is_shown_as_damaged(void **state) {
    (void)state;
    begin_far_back(2);
    for (size_t i = 0; i < kit.log_count; i++)
        kit.log[i].unreadable = kit.log[i].first_offset == 2;
    kit_effect_t *effect = list((fob_dead_filter_t){0});
    assert_string_equal(offsets(effect), "1 2");
    assert_string_equal(text(row(effect, 0), "topic"), "old");
    assert_string_equal(text(row(effect, 1), "reason"), "damaged");
    assert_true(nil(row(effect, 1), "topic"));
    assert_true(nil(row(effect, 1), "stored"));
    assert_string_equal(offsets(list((fob_dead_filter_t){.topic = fob_slice_str("old")})), "1");
    fob_command_t command = asks(FOB_CMD_DEAD_SHOW);
    command.dead.filter.offset = 2;
    assert_true(nil(value_of(ask(&command)), "event"));
}

/* --- redrive and purge --- */

static kit_effect_t *redrive(uint64_t from, uint64_t upto, uint32_t limit) {
    fob_command_t command = asks(FOB_CMD_DEAD_REDRIVE);
    command.dead.from = from;
    command.dead.upto = upto;
    command.dead.limit = limit;
    kit_effect_t *effect = ask(&command);
    assert_int_equal(effect->status, FOB_OK);
    return effect;
}

static kit_effect_t *purge(fob_dead_filter_t filter) {
    fob_command_t command = asks(FOB_CMD_DEAD_PURGE);
    command.dead.filter = filter;
    kit_effect_t *effect = ask(&command);
    assert_int_equal(effect->status, FOB_OK);
    return effect;
}

/* The offsets delivered since the last kit_clear, as "1 2 3". */
static const char *delivered(void) {
    static char out[2000];
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < kit.shown_count; i++) {
        const kit_effect_t *effect = &kit.shown[i];
        for (size_t k = 0; effect->kind == FOB_EFF_DELIVER && k < effect->row_count; k++)
            used += (size_t)snprintf(out + used, sizeof out - used, used ? " %llu" : "%llu",
                                     (unsigned long long)effect->rows[k][0]);
    }
    return out;
}

static void redriven_letters_are_ready_again_in_the_order_of_offsets(void **state) {
    (void)state;
    kit.hash_turns = true;
    join();
    for (int i = 0; i < 4; i++)
        publish("a", "anna", 4);
    uint64_t order[] = {3, 1, 4, 2};
    for (int i = 0; i < 4; i++)
        reject(order[i]);
    kit_clear(&kit);
    kit_effect_t *effect = redrive(0, 0, 0);
    assert_int_equal(number(value_of(effect), "count"), 4);
    assert_int_equal(number(value_of(effect), "looked"), 4);
    assert_int_equal(number(value_of(effect), "next"), 0);
    assert_int_equal(number(value_of(effect), "upto"), 4);
    assert_string_equal(delivered(), "1 2 3 4");
    assert_int_equal(kit_last(&kit, FOB_EFF_DELIVER)->rows[0][2], 1); /* attempt */
    assert_int_equal(kit_stats(&kit, GROUP).dead, 0);
    assert_int_equal(kit_stats(&kit, GROUP).leased, 4);
    kit_books(&kit);
    kit_crash(&kit, kit.position);
    kit_books(&kit);
}

static void a_letter_that_dies_again_is_not_met_twice(void **state) {
    (void)state;
    join();
    die("a", NULL, 5);
    kit_effect_t *effect = redrive(0, 0, 2);
    assert_int_equal(number(value_of(effect), "count"), 2);
    assert_int_equal(number(value_of(effect), "upto"), 5);
    reject(1);
    reject(2);
    assert_int_equal(number(value_of(redrive(0, 5, 100)), "count"), 3);
    assert_string_equal(offsets(list((fob_dead_filter_t){0})), "1 2");
}

static void an_answer_waits_for_what_it_did(void **state) {
    (void)state;
    join();
    die("a", NULL, 3);
    kit_clear(&kit);
    kit.manual = true;
    fob_command_t command = asks(FOB_CMD_DEAD_REDRIVE);
    kit_do(&kit, &command);
    assert_true(kit.synced);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 0);
    kit_sync(&kit, kit.position);
    assert_int_equal(number(value_of(reply()), "count"), 3);
}

/* The bus dies in the middle of a redrive, with `commits` of those since its page written. */
static void die_in_the_middle(uint64_t commits, uint64_t again) {
    join();
    die("a", NULL, 6);
    redrive(0, 6, 2);
    kit.manual = true;
    fob_command_t command = asks(FOB_CMD_DEAD_REDRIVE);
    command.dead.from = 2;
    command.dead.upto = 6;
    command.dead.limit = 2;
    uint64_t before = kit.position;
    kit_do(&kit, &command);
    kit_crash(&kit, before + commits);
    kit.manual = false;
    kit_clear(&kit);
    uint64_t count = number(value_of(redrive(2, 6, 100)), "count");
    assert_int_equal(count, again);
    assert_int_equal(kit_stats(&kit, GROUP).dead, 0);
    assert_int_equal(kit_stats(&kit, GROUP).ready + kit_stats(&kit, GROUP).leased, 6);
    kit_books(&kit);
    kit_pass(&kit, 10000);
    kit_clear(&kit);
    kit_join(&kit, 2, GROUP, ">", 100);
    kit_pages(&kit);
    assert_string_equal(delivered(), "1 2 3 4 5 6");
}

static void a_redrive_goes_on_after_a_restart_that_lost_a_page(void **state) {
    (void)state;
    kit.hash_turns = true;
    die_in_the_middle(0, 4);
}

static void a_redrive_goes_on_after_a_restart_that_lost_an_answer(void **state) {
    (void)state;
    kit.hash_turns = true;
    die_in_the_middle(1, 2);
}

static void serials_go_on_after_a_checkpoint_without_letters(void **state) {
    (void)state;
    join();
    die("a", NULL, 2);
    redrive(0, 0, 0);
    kit_checkpoint(&kit);
    kit_crash(&kit, kit.position);
    kit_clear(&kit);
    kit_pass(&kit, 10000);
    join();
    kit_pages(&kit);
    reject(1);
    assert_int_equal(number(value_of(redrive(0, 2, 0)), "count"), 0);
    assert_int_equal(number(value_of(redrive(0, 0, 0)), "count"), 1);
}

static void a_full_group_takes_back_what_an_operator_redrives(void **state) {
    (void)state;
    fob_core_config_t config = kit_config;
    config.policy.max_depth = 2;
    kit_free(&kit);
    begin(&config);
    join();
    die("a", NULL, 5);
    assert_int_equal(number(value_of(redrive(0, 0, 0)), "count"), 5);
    assert_int_equal(kit_stats(&kit, GROUP).leased, 5);
    kit_books(&kit);
}

static void only_what_matches_is_redriven_or_purged(void **state) {
    (void)state;
    kit.hash_turns = true;
    join();
    die("a", "anna", 2);
    die("b", "bert", 2);
    die("c", "anna", 1);
    fob_command_t command = asks(FOB_CMD_DEAD_REDRIVE);
    command.dead.filter.topic = fob_slice_str("b");
    kit_clear(&kit);
    kit_effect_t *effect = ask(&command);
    assert_int_equal(number(value_of(effect), "count"), 2);
    assert_int_equal(number(value_of(effect), "looked"), 5);
    assert_string_equal(delivered(), "3 4");
    effect = purge((fob_dead_filter_t){.key = fob_slice_str("anna"), .offset = 5});
    assert_int_equal(number(value_of(effect), "count"), 1);
    assert_string_equal(offsets(list((fob_dead_filter_t){0})), "1 2");
    fob_group_stats_t stats = kit_stats(&kit, GROUP);
    assert_int_equal(stats.removed, 1);
    assert_int_equal(stats.removed_by[FOB_REMOVAL_DEAD_PURGE], 1);
    kit_books(&kit);
    kit_crash(&kit, kit.position);
}

static void a_dry_run_counts_and_changes_nothing(void **state) {
    (void)state;
    join();
    die("a", NULL, 3);
    uint64_t position = kit.position;
    for (unsigned kind = FOB_CMD_DEAD_REDRIVE; kind <= FOB_CMD_DEAD_PURGE; kind++) {
        fob_command_t command = asks(kind);
        command.dead.dry = true;
        assert_int_equal(number(value_of(ask(&command)), "count"), 3);
    }
    assert_int_equal(kit.position, position);
    assert_int_equal(kit_stats(&kit, GROUP).dead, 3);
}

/* Letter 2 is damaged: it died when it was to be handed out a second time. */
static void begin_damaged(void) {
    kit.hash_turns = true;
    begin_far_back(3);
    for (size_t i = 0; i < kit.log_count; i++)
        kit.log[i].unreadable = kit.log[i].first_offset == 2;
    redrive(1, 2, 1);
    assert_int_equal(kit_stats(&kit, GROUP).dead, 3);
    kit_clear(&kit);
}

static void what_cannot_be_read_is_not_redriven_and_counted(void **state) {
    (void)state;
    begin_damaged();
    kit_effect_t *effect = redrive(0, 0, 0);
    assert_int_equal(number(value_of(effect), "count"), 2);
    assert_int_equal(number(value_of(effect), "damaged"), 1);
    assert_non_null(strstr(effect->text, "1 of them cannot be read"));
    assert_int_equal(kit_stats(&kit, GROUP).dead, 1);
    effect = purge((fob_dead_filter_t){.reason = FOB_REASON_DAMAGED});
    assert_int_equal(number(value_of(effect), "count"), 1);
    assert_int_equal(kit_stats(&kit, GROUP).dead, 0);
    kit_books(&kit);
}

/* `times` letters of unknown place: of five events each, which nobody had and nobody can read. */
static void begin_unknown(unsigned times) {
    fob_core_config_t config = kit_config;
    config.cache_bytes = 20000;
    config.page_bytes = 2000;
    kit_free(&kit);
    begin(&config);
    kit.hash_turns = true;
    join();
    kit_lost(&kit, WORKER);
    for (unsigned i = 0; i < times; i++) {
        for (int k = 0; k < 5; k++)
            publish("lost", NULL, 4);
        for (int k = 0; k < 50; k++)
            publish("new", NULL, 900);
        for (size_t k = 0; k < kit.log_count; k++)
            kit.log[k].unreadable = kit.log[k].first_offset > published - 55 &&
                                    kit.log[k].first_offset <= published - 50;
        join();
        kit_pages(&kit);
        kit_lost(&kit, WORKER);
    }
    assert_int_equal(kit_stats(&kit, GROUP).dead, 5 * times);
    kit_clear(&kit);
}

static void letters_of_unknown_place_are_listed_last_and_can_be_purged(void **state) {
    (void)state;
    begin_unknown(3);
    join();
    kit_pages(&kit);
    reject(published);
    char want[40];
    snprintf(want, sizeof want, "%llu 0 0 0", (unsigned long long)published);
    kit_effect_t *effect = list((fob_dead_filter_t){0});
    assert_string_equal(offsets(effect), want);
    assert_int_equal(number(row(effect, 1), "count"), 5);
    assert_int_equal(number(row(effect, 1), "serial"), 1);
    assert_string_equal(text(row(effect, 1), "reason"), "damaged");
    assert_int_equal(number(value_of(redrive(0, 3, 0)), "damaged"), 15);
    fob_command_t command = asks(FOB_CMD_DEAD_PURGE);
    command.dead.upto = 3;
    command.dead.limit = 1;
    for (int i = 0; i < 3; i++) {
        effect = ask(&command);
        assert_int_equal(number(value_of(effect), "count"), 5);
        command.dead.from = number(value_of(effect), "next");
        assert_true((command.dead.from != 0) == (i < 2));
    }
    assert_int_equal(kit_stats(&kit, GROUP).dead, 1);
    assert_int_equal(kit_stats(&kit, GROUP).removed, 15);
    kit_books(&kit);
    kit_crash(&kit, kit.position);
}

static void work_in_one_take_is_bounded(void **state) {
    (void)state;
    join();
    fob_buf_t body = {0};
    for (int i = 0; i < 10000; i++)
        kit_event(&body, "a", "x", 1);
    published = 10000;
    kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
    kit_settle(&kit, WORKER, GROUP, ++settled, FOB_KIND_REJECT, 1, 10000, 1);
    assert_int_equal(kit_stats(&kit, GROUP).dead, 10000);
    fob_command_t command = asks(FOB_CMD_DEAD_REDRIVE);
    command.dead.filter.reason = FOB_REASON_AGE;
    assert_int_equal(kit_step(&kit, &command), FOB_OK);
    unsigned takes = 0;
    do {
        kit_take(&kit);
        takes++;
    } while (fob_core_deadline(kit.core) <= kit.now.mono_ns);
    assert_int_equal(takes, 10000 / FOB_INQUIRY_LOOKS + 1);
    assert_int_equal(number(value_of(reply()), "looked"), 10000);
    uint64_t count = 0, from = 0;
    do {
        kit_effect_t *effect = redrive(from, 10000, UINT32_MAX);
        assert_in_range(number(value_of(effect), "count"), 1, FOB_INQUIRY_LIMIT_MAX);
        count += number(value_of(effect), "count");
        from = number(value_of(effect), "next");
    } while (from);
    assert_int_equal(count, 10000);
    kit_books(&kit);
}

FOB_MAIN(FOB_CASE_WITH(a_letter_is_listed_with_what_is_known_of_its_event, setup, teardown),
         FOB_CASE_WITH(no_letters_are_an_empty_list, setup, teardown),
         FOB_CASE_WITH(letters_are_listed_by_offset_however_they_died, setup, teardown),
         FOB_CASE_WITH(each_filter_leaves_out_what_does_not_match, setup, teardown),
         FOB_CASE_WITH(a_list_goes_on_where_the_last_one_ended, setup, teardown),
         FOB_CASE_WITH(a_list_that_ends_at_its_limit_says_that_nothing_is_left, setup, teardown),
         FOB_CASE_WITH(a_list_is_bounded_in_bytes, setup, teardown),
         FOB_CASE_WITH(show_gives_the_event_as_it_was_published, setup, teardown),
         FOB_CASE_WITH(show_of_what_is_no_letter_is_refused_by_name, setup, teardown),
         FOB_CASE_WITH(a_group_that_there_is_not_is_named, setup, teardown),
         FOB_CASE_WITH(a_filter_with_a_bad_pattern_is_refused, setup, teardown),
         FOB_CASE_WITH(a_request_waits_for_its_page_and_holds_up_nothing, setup, teardown),
         FOB_CASE_WITH(what_the_letters_tell_needs_no_page, setup, teardown),
         FOB_CASE_WITH(letters_on_many_pages_are_all_found, setup, teardown),
         FOB_CASE_WITH(requests_beyond_the_bound_are_refused, setup, teardown),
         FOB_CASE_WITH(requests_leave_places_for_the_pages_of_groups, setup, teardown),
         FOB_CASE_WITH(requests_end_with_their_connection, setup, teardown),
         FOB_CASE_WITH(a_group_that_is_removed_ends_requests_about_it, setup, teardown),
         FOB_CASE_WITH(an_event_that_cannot_be_read_is_shown_as_damaged, setup, teardown),
         FOB_CASE_WITH(redriven_letters_are_ready_again_in_the_order_of_offsets, setup, teardown),
         FOB_CASE_WITH(a_letter_that_dies_again_is_not_met_twice, setup, teardown),
         FOB_CASE_WITH(an_answer_waits_for_what_it_did, setup, teardown),
         FOB_CASE_WITH(a_redrive_goes_on_after_a_restart_that_lost_a_page, setup, teardown),
         FOB_CASE_WITH(a_redrive_goes_on_after_a_restart_that_lost_an_answer, setup, teardown),
         FOB_CASE_WITH(show_tells_each_attempt_with_its_worker_and_reason, setup, teardown),
         FOB_CASE_WITH(serials_go_on_after_a_checkpoint_without_letters, setup, teardown),
         FOB_CASE_WITH(a_full_group_takes_back_what_an_operator_redrives, setup, teardown),
         FOB_CASE_WITH(only_what_matches_is_redriven_or_purged, setup, teardown),
         FOB_CASE_WITH(a_dry_run_counts_and_changes_nothing, setup, teardown),
         FOB_CASE_WITH(what_cannot_be_read_is_not_redriven_and_counted, setup, teardown),
         FOB_CASE_WITH(letters_of_unknown_place_are_listed_last_and_can_be_purged, setup, teardown),
         FOB_CASE_WITH(work_in_one_take_is_bounded, setup, teardown))
