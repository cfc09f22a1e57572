/* What operators, publishers and workers are told over real sockets of settings, limits, ids,
 * leases with a bound and dead letters. */
#include "proto/cursor.h"
#include "tests/integration/bus_up.h"

#include <stdlib.h>

static fob_bus_t *bus;
static dealer_t *admin;

static int up(void **state) {
    (void)state;
    bus = bus_up();
    admin = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(admin, "admin", 1);
    return 0;
}

static int down(void **state) {
    (void)state;
    dealer_destroy(&admin);
    fob_bus_destroy(&bus);
    return 0;
}

static char text[512];

/* Sends a question and gives the REPLY's code; its sentence is in `text`. */
static uint64_t ask(fob_verb_t verb, const char *group, fob_wire_t *msg) {
    static uint64_t req = 100;
    msg->verb = verb;
    FOB_SET(msg, req, ++req);
    FOB_SET(msg, group, fob_slice_str(group));
    dealer_send(admin, msg, NULL);
    const fob_wire_t *reply = dealer_expect(admin, FOB_VERB_REPLY);
    assert_true(reply->req == req);
    snprintf(text, sizeof text, "%.*s", (int)reply->text.size,
             reply->text.size ? (const char *)reply->text.data : "");
    return reply->code;
}

static uint64_t ask_map(fob_verb_t verb, const char *group, const char *map, size_t size) {
    fob_wire_t msg = {0};
    if (verb == FOB_VERB_GROUP_SET)
        FOB_SET(&msg, settings, fob_slice(map, size));
    else
        FOB_SET(&msg, filter, fob_slice(map, size));
    return ask(verb, group, &msg);
}
#define ASK_MAP(verb, group, map) ask_map(verb, group, map, sizeof(map) - 1)

static void add(const char *group, const char *pattern) {
    fob_wire_t msg = {0};
    FOB_SET(&msg, pattern, fob_slice_str(pattern));
    assert_int_equal(ask(FOB_VERB_GROUP_ADD, group, &msg), FOB_OK);
}

static void check_says(const char *part) {
    if (!strstr(text, part))
        fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* --- settings and filters --- */

static void a_wrong_setting_is_answered_by_name_and_the_connection_goes_on(void **state) {
    (void)state;
    add("emails", "t");
    assert_int_equal(ASK_MAP(FOB_VERB_GROUP_SET, "emails", "\x81\xa8max_dept\x05"), FOB_INVALID);
    check_says("\"max_dept\"");
    assert_int_equal(ASK_MAP(FOB_VERB_GROUP_SET, "emails",
                             "\x82\xa9max_depth\x05\xa5lease\xa3"
                             "30s"),
                     FOB_OK);
    assert_int_equal(ASK_MAP(FOB_VERB_GROUP_SET, "emails", "\x82\xa9max_depth\x09\xa5lease\xc3"),
                     FOB_INVALID);
    check_says("lease must be a duration");
    assert_int_equal(dealer_figure(admin, "emails", "limit"), 5); /* all or nothing */
    assert_int_equal(ASK_MAP(FOB_VERB_GROUP_SET, "nobody", "\x81\xa9max_depth\x05"), FOB_NO_GROUP);
}

static void settings_that_are_no_map_are_a_broken_message(void **state) {
    (void)state;
    fob_wire_t msg = {.verb = FOB_VERB_GROUP_SET};
    add("emails", "t");
    FOB_SET(&msg, req, 1);
    FOB_SET(&msg, group, fob_slice_str("emails"));
    FOB_SET(&msg, settings, fob_slice("\x91\x05", 2));
    dealer_send(admin, &msg, NULL);
    const fob_wire_t *error = dealer_expect(admin, FOB_VERB_ERROR);
    assert_int_equal(error->code, FOB_PROTOCOL);
    assert_int_equal(error->of, FOB_VERB_GROUP_SET);
    assert_int_equal(dealer_figure(admin, "emails", "limit"), 10000000);
}

/* --- limits and ids --- */

typedef struct {
    const char *topic, *id;
} event_t;

/* PUBLISH of these as numbers first..; the receipt's rows, all in one message. */
static fob_runs_t publish(uint64_t first, uint64_t low, const event_t *events, size_t count) {
    fob_wire_t msg = {.verb = FOB_VERB_PUBLISH};
    fob_buf_t body = {0};
    fob_runs_t runs;
    for (size_t i = 0; i < count; i++) {
        fob_pack_array(&body, 3);
        fob_pack_cstr(&body, events[i].topic);
        fob_pack_map(&body, events[i].id ? 1 : 0);
        if (events[i].id) {
            fob_pack_cstr(&body, "id");
            fob_pack_cstr(&body, events[i].id);
        }
        fob_pack_bin(&body, fob_slice(&(uint8_t){(uint8_t)i}, 1));
    }
    FOB_SET(&msg, first, first);
    FOB_SET(&msg, low, low);
    dealer_send(admin, &msg, &body);
    fob_buf_free(&body);
    assert_true(fob_runs(dealer_expect(admin, FOB_VERB_RECEIPT)->runs, &runs));
    return runs;
}

static fob_run_t check_row(fob_runs_t *runs, uint64_t code, uint64_t number, uint64_t count,
                           uint64_t offset) {
    fob_run_t row;
    assert_true(fob_runs_next(runs, &row));
    assert_int_equal(row.at[0], code);
    assert_int_equal(row.at[1], number);
    assert_int_equal(row.at[2], count);
    assert_int_equal(row.at[3], offset);
    return row;
}

/* Whether the details have this key. */
static bool detail_has(fob_slice_t detail, const char *key) {
    fob_cursor_t cursor = fob_cursor(detail);
    fob_slice_t name;
    uint32_t count;
    if (!detail.size || !fob_cursor_map(&cursor, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!fob_cursor_str(&cursor, &name) || !fob_cursor_skip(&cursor, NULL))
            return false;
        if (fob_slice_eq(name, fob_slice_str(key)))
            return true;
    }
    return false;
}

static void a_full_group_leaves_holes_that_are_filled_in_later(void **state) {
    (void)state;
    static const event_t five[] = {{"a", 0}, {"b", 0}, {"a", 0}, {"a", 0}, {"b", 0}};
    static const event_t b[] = {{"b", 0}};
    add("all", "a");
    add("few", "b");
    assert_int_equal(ASK_MAP(FOB_VERB_GROUP_SET, "few", "\x81\xa9max_depth\x01"), FOB_OK);
    fob_runs_t runs = publish(1, 1, b, 1);
    check_row(&runs, FOB_OK, 1, 1, 1);
    runs = publish(2, 2, five, 5);
    check_row(&runs, FOB_OK, 2, 1, 2);
    fob_run_t busy = check_row(&runs, FOB_BUSY, 3, 1, 0);
    check_row(&runs, FOB_OK, 4, 2, 3);
    check_row(&runs, FOB_BUSY, 6, 1, 0);
    assert_true(detail_has(busy.detail, "group") && detail_has(busy.detail, "retry_after"));
    assert_true(detail_has(busy.detail, "depth") && detail_has(busy.detail, "limit"));
    fob_wire_t purge = {0};
    assert_int_equal(ask(FOB_VERB_GROUP_PURGE, "few", &purge), FOB_OK);
    check_says("1 removed");
    runs = publish(6, 3, b, 1); /* not the first refused one: its topic is still closed */
    check_row(&runs, FOB_BUSY, 6, 1, 0);
    runs = publish(3, 3, b, 1);
    check_row(&runs, FOB_OK, 3, 1, 5);
    assert_int_equal(dealer_figure(admin, "all", "accepted"), 3);
}

static void the_same_id_is_answered_with_the_first_offset(void **state) {
    (void)state;
    static const event_t two[] = {{"a", "x"}, {"a", "x"}}, one[] = {{"a", "x"}};
    add("all", "a");
    fob_runs_t runs = publish(1, 1, two, 2); /* their data differ */
    check_row(&runs, FOB_OK, 1, 1, 1);
    fob_run_t second = check_row(&runs, FOB_OK, 2, 1, 1);
    assert_true(detail_has(second.detail, "duplicate") && detail_has(second.detail, "differs"));
    runs = publish(3, 3, one, 1); /* the data of the first */
    fob_run_t third = check_row(&runs, FOB_OK, 3, 1, 1);
    assert_true(detail_has(third.detail, "duplicate"));
    assert_false(detail_has(third.detail, "differs"));
    assert_int_equal(dealer_figure(admin, "all", "accepted"), 1);
    assert_int_equal(dealer_figure(admin, NULL, "ids"), 1);
}

/* --- leases --- */

static const fob_wire_t *join(dealer_t *worker, const char *group, uint64_t lease) {
    fob_wire_t msg = {.verb = FOB_VERB_JOIN};
    FOB_SET(&msg, group, fob_slice_str(group));
    FOB_SET(&msg, credit, 1);
    FOB_SET(&msg, jobs, 1);
    FOB_SET(&msg, worker, fob_slice_str("me"));
    if (lease)
        FOB_SET(&msg, lease, lease);
    dealer_send(worker, &msg, NULL);
    return dealer_expect(worker, FOB_VERB_JOINED);
}

static void a_join_is_told_the_smaller_of_two_bounds(void **state) {
    (void)state;
    dealer_t *worker = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(worker, "worker", 2);
    add("none", "t");
    add("some", "t");
    assert_int_equal(ASK_MAP(FOB_VERB_GROUP_SET, "some", "\x81\xa5lease\xcd\x75\x30"), FOB_OK);
    assert_false(FOB_HAS(join(worker, "none", 0), lease));
    assert_int_equal(join(worker, "some", 0)->lease, 30000);
    assert_int_equal(join(worker, "some", 5000)->lease, 5000);
    assert_int_equal(join(worker, "some", 60000)->lease, 30000);
    dealer_destroy(&worker);
}

static void a_lease_that_runs_out_is_lost_with_a_sentence(void **state) {
    (void)state;
    uint64_t offset, token;
    dealer_t *worker = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(worker, "worker", 2);
    add("emails", "t");
    join(worker, "emails", 50);
    dealer_publish(admin, 1, "t", 1);
    dealer_receipts(admin, 1, 1, FOB_OK);
    dealer_deliveries(worker, 1, &offset, &token);
    const fob_wire_t *lost = dealer_expect(worker, FOB_VERB_LOST);
    assert_true(lost->text.size > 0);
    fob_run_t row = dealer_run(lost->runs);
    assert_true(row.at[0] == offset && row.at[2] == token);
    dealer_settle(worker, "emails", 1, FOB_KIND_ACK, offset, 1, token);
    assert_true(dealer_expect(worker, FOB_VERB_SETTLED)->refused.size > 1);
    dealer_destroy(&worker);
}

/* --- dead letters --- */

/* Publishes three events and rejects them, saying why. */
static void kill_three(const char *group) {
    uint64_t offset, token;
    dealer_t *worker = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(worker, "worker", 2);
    dealer_join(worker, group, "t", 3);
    dealer_publish(admin, 1, "t", 3);
    dealer_receipts(admin, 1, 3, FOB_OK);
    dealer_deliveries(worker, 3, &offset, &token);
    fob_wire_t msg = {.verb = FOB_VERB_SETTLE};
    fob_buf_t runs = {0};
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, (uint64_t[]){FOB_KIND_REJECT, offset, 3, token}, 4);
    FOB_SET(&msg, group, fob_slice_str(group));
    FOB_SET(&msg, seq, 1);
    FOB_SET(&msg, runs, fob_buf_slice(&runs));
    FOB_SET(&msg, text, fob_slice_str("no paper"));
    dealer_send(worker, &msg, NULL);
    dealer_expect(worker, FOB_VERB_SETTLED);
    fob_buf_free(&runs);
    dealer_destroy(&worker);
}

/* A number of the REPLY's map that was heard last. */
static uint64_t of_reply(const char *key) {
    fob_cursor_t cursor = fob_cursor(dealer_body(admin));
    fob_slice_t name;
    uint32_t count;
    uint64_t value = 0;
    assert_true(fob_cursor_map(&cursor, &count));
    for (uint32_t i = 0; i < count; i++) {
        assert_true(fob_cursor_str(&cursor, &name));
        if (fob_slice_eq(name, fob_slice_str(key))) {
            assert_true(fob_cursor_uint(&cursor, &value));
            return value;
        }
        assert_true(fob_cursor_skip(&cursor, NULL));
    }
    fail_msg("the reply has no %s", key);
    return 0;
}

static bool body_has(const char *words) {
    fob_slice_t body = dealer_body(admin);
    return memmem(body.data, body.size, words, strlen(words)) != NULL;
}

static void dead_letters_are_listed_shown_and_redriven_by_pages(void **state) {
    (void)state;
    fob_wire_t list = {0}, show = {0}, redrive = {0};
    add("emails", "t");
    kill_three("emails");
    FOB_SET(&list, limit, 2);
    assert_int_equal(ask(FOB_VERB_DEAD_LIST, "emails", &list), FOB_OK);
    assert_true(body_has("no paper") && body_has("reject"));
    uint64_t next = of_reply("next"), upto = of_reply("upto");
    assert_int_equal(next, 2);
    assert_int_equal(upto, 3);
    FOB_SET(&list, from, next);
    FOB_SET(&list, upto, upto);
    assert_int_equal(ask(FOB_VERB_DEAD_LIST, "emails", &list), FOB_OK);
    assert_int_equal(of_reply("next"), 0);
    FOB_SET(&show, offset, 2);
    assert_int_equal(ask(FOB_VERB_DEAD_SHOW, "emails", &show), FOB_OK);
    assert_true(body_has("history") && body_has("event"));
    FOB_SET(&show, offset, 9);
    assert_int_equal(ask(FOB_VERB_DEAD_SHOW, "emails", &show), FOB_GONE);
    FOB_SET(&redrive, limit, 2);
    FOB_SET(&redrive, dry, true);
    assert_int_equal(ask(FOB_VERB_DEAD_REDRIVE, "emails", &redrive), FOB_OK);
    assert_int_equal(of_reply("count"), 2);
    assert_int_equal(dealer_figure(admin, "emails", "dead"), 3);
    FOB_SET(&redrive, dry, false);
    assert_int_equal(ask(FOB_VERB_DEAD_REDRIVE, "emails", &redrive), FOB_OK);
    assert_int_equal(of_reply("count"), 2);
    assert_int_equal(dealer_figure(admin, "emails", "dead"), 1);
    assert_int_equal(dealer_figure(admin, "emails", "ready"), 2);
}

static void a_filter_that_is_not_understood_purges_nothing(void **state) {
    (void)state;
    add("emails", "t");
    kill_three("emails");
    assert_int_equal(ASK_MAP(FOB_VERB_DEAD_PURGE, "emails", "\x81\xa6raeson\xa6reject"),
                     FOB_INVALID);
    check_says("raeson");
    assert_int_equal(dealer_figure(admin, "emails", "dead"), 3);
    assert_int_equal(ASK_MAP(FOB_VERB_DEAD_PURGE, "emails",
                             "\x81\xa6reason\xa8"
                             "attempts"),
                     FOB_OK);
    assert_int_equal(of_reply("count"), 0);
    assert_int_equal(ASK_MAP(FOB_VERB_DEAD_PURGE, "emails", "\x81\xa6reason\xa6reject"), FOB_OK);
    assert_int_equal(of_reply("count"), 3);
    assert_int_equal(dealer_figure(admin, "emails", "removed"), 3);
}

/* --- the library's options --- */

static void groups_of_the_options_have_their_settings(void **state) {
    (void)state;
    const char *const own[] = {"max_depth=7", "paused=yes", NULL}, *const all[] = {"max_depth=9",
                                                                                   NULL};
    const fob_bus_group_t groups[] = {{.name = "one", .pattern = "t", .settings = own},
                                      {.name = "two", .pattern = "t"}};
    bus =
        bus_up_with((fob_bus_options_t){.groups = groups, .group_count = 2, .group_defaults = all});
    admin = dealer_new(fob_bus_endpoint(bus));
    dealer_greet(admin, "admin", 1);
    assert_int_equal(dealer_figure(admin, "one", "limit"), 7);
    assert_int_equal(dealer_figure(admin, "two", "limit"), 9);
    add("three", "t");
    assert_int_equal(dealer_figure(admin, "three", "limit"), 9);
}

static void a_wrong_setting_in_the_options_is_refused_before_a_start(void **state) {
    (void)state;
    const char *const own[] = {"max_depth=no", NULL};
    const fob_bus_group_t group = {.name = "one", .pattern = "t", .settings = own};
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    fob_status_t status;
    options.port = -1;
    options.groups = &group;
    options.group_count = 1;
    assert_null(fob_bus_new(&options, &status, text, sizeof text));
    assert_int_equal(status, FOB_INVALID);
    check_says("group one: max_depth must be a number");
}

FOB_MAIN(FOB_CASE_WITH(a_wrong_setting_is_answered_by_name_and_the_connection_goes_on, up, down),
         FOB_CASE_WITH(settings_that_are_no_map_are_a_broken_message, up, down),
         FOB_CASE_WITH(a_full_group_leaves_holes_that_are_filled_in_later, up, down),
         FOB_CASE_WITH(the_same_id_is_answered_with_the_first_offset, up, down),
         FOB_CASE_WITH(a_join_is_told_the_smaller_of_two_bounds, up, down),
         FOB_CASE_WITH(a_lease_that_runs_out_is_lost_with_a_sentence, up, down),
         FOB_CASE_WITH(dead_letters_are_listed_shown_and_redriven_by_pages, up, down),
         FOB_CASE_WITH(a_filter_that_is_not_understood_purges_nothing, up, down),
         FOB_CASE_WITH(groups_of_the_options_have_their_settings, NULL, down),
         FOB_CASE(a_wrong_setting_in_the_options_is_refused_before_a_start))
