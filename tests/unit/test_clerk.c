/* clerk: what a client says, as a command; with the maps of settings and filters. */
#include "bus/core/durable/record.h"
#include "bus/service/clerk.h"
#include "tests/support/case.h"

#include <string.h>

static const uint8_t session[FOB_SESSION_SIZE] = {1};
static fob_command_t command;
static char text[512];

static fob_status_t tell(const fob_wire_t *msg) {
    fob_clerk_t clerk = {7, session, 1000000};
    memset(text, 0, sizeof text);
    return fob_clerk_command(&clerk, msg, NULL, &command, text, sizeof text);
}

static void check_says(const char *part) {
    if (!strstr(text, part))
        fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* --- workers --- */

static void a_join_names_its_worker_and_the_bound_of_its_leases(void **state) {
    (void)state;
    fob_wire_t msg = {.verb = FOB_VERB_JOIN};
    FOB_SET(&msg, group, fob_slice_str("emails"));
    FOB_SET(&msg, worker, fob_slice_str("mailer-1"));
    FOB_SET(&msg, lease, 30000);
    assert_int_equal(tell(&msg), FOB_OK);
    assert_int_equal(command.kind, FOB_CMD_JOIN);
    assert_int_equal(command.conn, 7);
    assert_true(fob_slice_eq(command.join.worker, fob_slice_str("mailer-1")));
    assert_int_equal(command.join.lease_ms, 30000);
    assert_int_equal(command.join.jobs, 1);
    FOB_SET(&msg, lease, UINT64_MAX);
    assert_int_equal(tell(&msg), FOB_OK);
    assert_true(command.join.lease_ms == UINT64_C(31536000000)); /* a year */
}

static void a_settle_says_why(void **state) {
    (void)state;
    fob_wire_t msg = {.verb = FOB_VERB_SETTLE};
    FOB_SET(&msg, group, fob_slice_str("emails"));
    FOB_SET(&msg, text, fob_slice_str("no paper"));
    assert_int_equal(tell(&msg), FOB_OK);
    assert_true(fob_slice_eq(command.settle.text, fob_slice_str("no paper")));
}

static void a_long_text_is_cut_and_not_within_a_character(void **state) {
    (void)state;
    char longer[400];
    memset(longer, 'x', sizeof longer);
    fob_wire_t msg = {.verb = FOB_VERB_SETTLE};
    FOB_SET(&msg, text, fob_slice(longer, sizeof longer));
    assert_int_equal(tell(&msg), FOB_OK);
    assert_int_equal(command.settle.text.size, 255);
    memcpy(longer + 253, "\xe2\x82\xac", 3); /* its third byte is the 256th */
    assert_int_equal(tell(&msg), FOB_OK);
    assert_int_equal(command.settle.text.size, 253);
    memset(longer, 0x80, sizeof longer); /* no text at all: cut all the same */
    assert_int_equal(tell(&msg), FOB_OK);
    assert_true(command.settle.text.size > 250 && command.settle.text.size <= 255);
}

static void what_needs_a_session_says_so(void **state) {
    (void)state;
    fob_clerk_t clerk = {7, NULL, 0};
    fob_wire_t msg = {.verb = FOB_VERB_JOIN};
    assert_int_equal(fob_clerk_command(&clerk, &msg, NULL, &command, text, sizeof text),
                     FOB_PROTOCOL);
    check_says("JOIN needs a session");
    msg.verb = FOB_VERB_PUBLISH;
    assert_int_equal(fob_clerk_command(&clerk, &msg, NULL, &command, text, sizeof text),
                     FOB_PROTOCOL);
    check_says("PUBLISH needs a session");
}

static void what_only_the_bus_says_is_out_of_place(void **state) {
    (void)state;
    fob_wire_t msg = {.verb = FOB_VERB_LOST};
    assert_int_equal(tell(&msg), FOB_PROTOCOL);
    msg.verb = FOB_VERB_STATS;
    assert_int_equal(tell(&msg), FOB_AGAIN);
}

/* --- settings --- */

static fob_status_t set(const char *map, size_t size) {
    fob_wire_t msg = {.verb = FOB_VERB_GROUP_SET};
    FOB_SET(&msg, req, 5);
    FOB_SET(&msg, group, fob_slice_str("emails"));
    FOB_SET(&msg, settings, fob_slice(map, size));
    return tell(&msg);
}
#define SET(map) set(map, sizeof(map) - 1)

static void settings_become_a_patch(void **state) {
    (void)state;
    assert_int_equal(SET("\x84\xa9max_depth\xcd\x27\x10\xa8overflow\xab"
                         "drop-oldest\xa6paused\xc3\xa5lease\x00"),
                     FOB_OK);
    assert_int_equal(command.kind, FOB_CMD_GROUP_SET);
    assert_int_equal(command.admin.req, 5);
    assert_true(fob_slice_eq(command.admin.group, fob_slice_str("emails")));
    const fob_policy_patch_t *patch = &command.admin.patch;
    assert_int_equal(patch->mask, 1u << FOB_POLICY_max_depth | 1u << FOB_POLICY_overflow |
                                      1u << FOB_POLICY_paused | 1u << FOB_POLICY_lease);
    assert_int_equal(patch->to.max_depth, 10000);
    assert_int_equal(patch->to.overflow, FOB_OVERFLOW_DROP_OLDEST);
    assert_int_equal(patch->to.paused, 1);
    assert_int_equal(patch->to.lease, 0);
    assert_int_equal(SET("\x81\xa6paused\x00"), FOB_OK);
    assert_int_equal(command.admin.patch.to.paused, 0);
    assert_int_equal(SET("\x80"), FOB_OK);
    assert_int_equal(command.admin.patch.mask, 0);
}

static void a_share_is_of_the_disk_that_the_bus_may_use(void **state) {
    (void)state;
    assert_int_equal(SET("\x81\xa9max_bytes\xa3"
                         "50%"),
                     FOB_OK);
    assert_int_equal(command.admin.patch.to.max_bytes, 500000);
    assert_int_equal(SET("\x81\xa9max_bytes\x09"), FOB_OK);
    assert_int_equal(command.admin.patch.to.max_bytes, 9);
}

static void a_wrong_setting_is_refused_by_its_name(void **state) {
    (void)state;
    assert_int_equal(SET("\x81\xaamax_dept\x01x\x05"), FOB_INVALID);
    check_says("there is no setting \"max_dept?x\"");
    check_says("max_depth, max_bytes");
    assert_int_equal(SET("\x81\xa9max_depth\x00"), FOB_INVALID);
    check_says("max_depth must be 1 or more");
    assert_int_equal(SET("\x81\xa9max_depth\xff"), FOB_INVALID);
    check_says("max_depth must be a number");
    assert_int_equal(SET("\x81\xa9max_depth\xc3"), FOB_INVALID);
    assert_int_equal(SET("\x81\xa9max_depth\x81\x01\x02"), FOB_INVALID);
    assert_int_equal(SET("\x81\xa8overflow\x01"), FOB_INVALID);
    check_says("overflow must be reject");
    assert_int_equal(SET("\x81\xa8overflow\xa3xyz"), FOB_INVALID);
    assert_int_equal(SET("\x81\xa6paused\x02"), FOB_INVALID);
    check_says("paused");
    assert_int_equal(SET("\x82\xa9max_depth\x05\xa4nope\x05"), FOB_INVALID);
    check_says("nope");
}

static void settings_that_are_no_map_are_malformed(void **state) {
    (void)state;
    assert_int_equal(SET("\x05"), FOB_PROTOCOL);
    check_says("settings");
    assert_int_equal(SET("\x81\x01\x02"), FOB_PROTOCOL);
    assert_int_equal(SET("\x92\xa9max_depth\x05"), FOB_PROTOCOL);
}

static void a_group_begins_where_it_is_told(void **state) {
    (void)state;
    fob_wire_t msg = {.verb = FOB_VERB_GROUP_ADD};
    FOB_SET(&msg, group, fob_slice_str("g"));
    FOB_SET(&msg, pattern, fob_slice_str(">"));
    FOB_SET(&msg, offset, 40);
    assert_int_equal(tell(&msg), FOB_OK);
    assert_int_equal(command.admin.offset, 40);
    assert_int_equal(command.admin.patch.mask, 0);
    msg.verb = FOB_VERB_GROUP_RESET;
    FOB_SET(&msg, time, 1700000000123);
    assert_int_equal(tell(&msg), FOB_OK);
    assert_int_equal(command.kind, FOB_CMD_GROUP_RESET);
    assert_true(command.admin.time_ms == 1700000000123);
    FOB_SET(&msg, time, UINT64_MAX);
    assert_int_equal(tell(&msg), FOB_INVALID);
    check_says("time");
}

/* --- dead letters --- */

static fob_status_t list(const char *map, size_t size) {
    fob_wire_t msg = {.verb = FOB_VERB_DEAD_PURGE};
    FOB_SET(&msg, req, 5);
    FOB_SET(&msg, group, fob_slice_str("emails"));
    FOB_SET(&msg, filter, fob_slice(map, size));
    FOB_SET(&msg, from, 43);
    FOB_SET(&msg, upto, 9);
    FOB_SET(&msg, limit, UINT64_MAX);
    FOB_SET(&msg, dry, true);
    return tell(&msg);
}
#define LIST(map) list(map, sizeof(map) - 1)

static void a_filter_says_which_letters(void **state) {
    (void)state;
    assert_int_equal(LIST("\x86\xa6reason\xa8"
                          "attempts\xa5topic\xa6shop.>\xa3key\xa1k\xa5since\x05"
                          "\xa5until\x09\xa6offset\x2b"),
                     FOB_OK);
    assert_int_equal(command.kind, FOB_CMD_DEAD_PURGE);
    const fob_dead_filter_t *filter = &command.dead.filter;
    assert_int_equal(filter->reason, FOB_REASON_ATTEMPTS);
    assert_true(fob_slice_eq(filter->topic, fob_slice_str("shop.>")));
    assert_true(fob_slice_eq(filter->key, fob_slice_str("k")));
    assert_true(filter->since == 5 && filter->until == 9 && filter->offset == 43);
    assert_true(command.dead.from == 43 && command.dead.upto == 9 && command.dead.dry);
    assert_true(command.dead.limit == UINT32_MAX);
}

static void a_filter_is_never_wider_than_was_meant(void **state) {
    (void)state;
    assert_int_equal(LIST("\x81\xa6raeson\xa8"
                          "attempts"),
                     FOB_INVALID);
    check_says("there is no \"raeson\" in a filter");
    assert_int_equal(LIST("\x81\xa6reason\xa4much"), FOB_INVALID);
    check_says("reason must be attempts");
    assert_int_equal(LIST("\x81\xa6reason\xa4lost"), FOB_INVALID); /* no letter dies of it */
    assert_int_equal(LIST("\x81\xa6reason\xa0"), FOB_INVALID);
    assert_int_equal(LIST("\x81\xa5topic\xa3"
                          "a*b"),
                     FOB_INVALID);
    check_says("topic");
    assert_int_equal(LIST("\x81\xa3key\xa0"), FOB_INVALID);
    assert_int_equal(LIST("\x81\xa3key\x05"), FOB_INVALID);
    assert_int_equal(LIST("\x81\xa5since\xa5today"), FOB_INVALID);
    check_says("since");
    assert_int_equal(LIST("\x81\xa5since\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), FOB_INVALID);
    assert_int_equal(LIST("\x81\xa6offset\x00"), FOB_INVALID);
    assert_int_equal(LIST("\x05"), FOB_PROTOCOL);
}

static void a_letter_is_shown_by_its_offset(void **state) {
    (void)state;
    fob_wire_t msg = {.verb = FOB_VERB_DEAD_SHOW};
    FOB_SET(&msg, group, fob_slice_str("emails"));
    FOB_SET(&msg, offset, 43);
    assert_int_equal(tell(&msg), FOB_OK);
    assert_int_equal(command.kind, FOB_CMD_DEAD_SHOW);
    assert_int_equal(command.dead.filter.offset, 43);
}

FOB_MAIN(FOB_CASE(a_join_names_its_worker_and_the_bound_of_its_leases), FOB_CASE(a_settle_says_why),
         FOB_CASE(a_long_text_is_cut_and_not_within_a_character),
         FOB_CASE(what_needs_a_session_says_so), FOB_CASE(what_only_the_bus_says_is_out_of_place),
         FOB_CASE(settings_become_a_patch), FOB_CASE(a_share_is_of_the_disk_that_the_bus_may_use),
         FOB_CASE(a_wrong_setting_is_refused_by_its_name),
         FOB_CASE(settings_that_are_no_map_are_malformed),
         FOB_CASE(a_group_begins_where_it_is_told), FOB_CASE(a_filter_says_which_letters),
         FOB_CASE(a_filter_is_never_wider_than_was_meant),
         FOB_CASE(a_letter_is_shown_by_its_offset))
