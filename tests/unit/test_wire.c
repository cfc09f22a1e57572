/* wire: header frames. */
#include "proto/wire.h"
#include "tests/support/case.h"

#include <stdlib.h>

static fob_status_t read_bytes(const char *bytes, size_t size, fob_wire_t *out) {
    return fob_wire_read(fob_slice(bytes, size), out);
}
#define READ(text, out) read_bytes(text, sizeof(text) - 1, out)

static void what_was_written_is_read_again(void **state) {
    (void)state;
    static const uint8_t session[FOB_SESSION_SIZE] = {1, 2, 3};
    fob_wire_t msg = {.verb = FOB_VERB_HELLO, .shard = 7}, got;
    FOB_SET(&msg, version_min, 1);
    FOB_SET(&msg, version_max, UINT64_MAX);
    FOB_SET(&msg, client, fob_slice_str("libfob/0.1.0"));
    FOB_SET(&msg, role, fob_slice_str("worker"));
    FOB_SET(&msg, session, fob_slice(session, sizeof session));
    FOB_SET(&msg, caps, fob_slice("\x91\xa1x", 3));
    fob_buf_t out = {0};
    assert_int_equal(fob_wire_write(&out, &msg), FOB_OK);
    assert_int_equal(fob_wire_read(fob_buf_slice(&out), &got), FOB_OK);
    assert_int_equal(got.verb, FOB_VERB_HELLO);
    assert_int_equal(got.shard, 7);
    assert_true(got.present == msg.present);
    assert_true(got.version_min == 1 && got.version_max == UINT64_MAX);
    assert_true(fob_slice_eq(got.client, msg.client) && fob_slice_eq(got.role, msg.role));
    assert_true(fob_slice_eq(got.session, msg.session) && fob_slice_eq(got.caps, msg.caps));
    fob_buf_free(&out);
}

static void a_field_is_zero_and_not_present_when_absent(void **state) {
    (void)state;
    fob_wire_t got;
    memset(&got, 0xff, sizeof got);
    assert_int_equal(READ("\x93\x03\x00\x80", &got), FOB_OK);
    assert_int_equal(got.verb, FOB_VERB_BEAT);
    assert_true(got.present == 0 && got.head == 0 && !got.create && got.group.size == 0);
    assert_false(FOB_HAS(&got, head));
}

static void a_zero_that_is_given_is_present(void **state) {
    (void)state;
    fob_wire_t got;
    assert_int_equal(READ("\x93\x03\x00\x81\xa4head\x00", &got), FOB_OK);
    assert_true(FOB_HAS(&got, head));
    assert_false(FOB_HAS(&got, epoch));
}

static void unknown_fields_and_elements_are_skipped(void **state) {
    (void)state;
    fob_wire_t got;
    assert_int_equal(
        READ("\x94\x03\x00\x83\xa3new\x92\x01\x02\xa4head\x09\xa3new\xc0\x81\x01\x02", &got),
        FOB_OK);
    assert_int_equal(got.head, 9);
}

static void an_unknown_element_that_is_cut_is_refused(void **state) {
    (void)state;
    fob_wire_t got;
    assert_int_equal(READ("\x94\x03\x00\x80\x92\x01", &got), FOB_PROTOCOL);
    assert_int_equal(READ("\x94\x03\x00\x80\xc1", &got), FOB_PROTOCOL);
}

static void what_is_no_header_is_refused(void **state) {
    (void)state;
    fob_wire_t got;
    assert_int_equal(READ("", &got), FOB_PROTOCOL);
    assert_int_equal(READ("GET / HTTP/1.1\r\n", &got), FOB_PROTOCOL);
    assert_int_equal(READ("\x92\x03\x00", &got), FOB_PROTOCOL);
    assert_int_equal(READ("\x93\xa1x\x00\x80", &got), FOB_PROTOCOL);
    assert_int_equal(READ("\x93\x03\xff\x80", &got), FOB_PROTOCOL);
    assert_int_equal(READ("\x93\x03\x00\x90", &got), FOB_PROTOCOL);
    assert_int_equal(READ("\x93\x03\x00\x81\x01\x02", &got), FOB_PROTOCOL);
    assert_int_equal(READ("\x93\x03\xcf\x00\x00\x00\x01\x00\x00\x00\x00\x80", &got), FOB_PROTOCOL);
    assert_int_equal(READ("\x93\xcf\x00\x00\x00\x01\x00\x00\x00\x03\x00\x80", &got), FOB_PROTOCOL);
}

static void bytes_behind_the_header_are_refused(void **state) {
    (void)state;
    fob_wire_t got;
    assert_int_equal(READ("\x93\x03\x00\x80\x00", &got), FOB_PROTOCOL);
}

static void an_unknown_verb_is_refused_and_named(void **state) {
    (void)state;
    fob_wire_t got;
    assert_int_equal(READ("\x93\x63\x05\x80", &got), FOB_PROTOCOL);
    assert_int_equal(got.verb, 99);
    assert_int_equal(got.shard, 5);
    assert_null(fob_verb_name(99));
    assert_string_equal(fob_verb_name(FOB_VERB_PUBLISH), "PUBLISH");
}

static void a_field_of_another_type_is_refused(void **state) {
    (void)state;
    fob_wire_t got;
    assert_int_equal(READ("\x93\x03\x00\x81\xa4head\xa1x", &got), FOB_PROTOCOL);
    assert_int_equal(READ("\x93\x03\x00\x81\xa4head\xff", &got), FOB_PROTOCOL);
    assert_int_equal(READ("\x93\x03\x00\x81\xa4head\xc0", &got), FOB_PROTOCOL);
    assert_int_equal(READ("\x93\x03\x00\x81\xa6"
                          "create\x01",
                          &got),
                     FOB_PROTOCOL);
    assert_int_equal(READ("\x93\x03\x00\x81\xa5group\xc4\x01x", &got), FOB_PROTOCOL);
    assert_int_equal(READ("\x93\x03\x00\x81\xa7session\xa1x", &got), FOB_PROTOCOL);
}

static void a_session_has_sixteen_bytes(void **state) {
    (void)state;
    fob_wire_t got;
    assert_int_equal(READ("\x93\x03\x00\x81\xa7session\xc4\x10"
                          "0123456789abcdef",
                          &got),
                     FOB_OK);
    assert_int_equal(READ("\x93\x03\x00\x81\xa7session\xc4\x0f"
                          "0123456789abcde",
                          &got),
                     FOB_PROTOCOL);
    assert_int_equal(READ("\x93\x03\x00\x81\xa7session\xc4\x00", &got), FOB_PROTOCOL);
}

static void a_field_twice_is_refused(void **state) {
    (void)state;
    fob_wire_t got;
    assert_int_equal(READ("\x93\x03\x00\x82\xa4head\x01\xa4head\x01", &got), FOB_PROTOCOL);
}

/* The fields that each verb must have, as in PROTOCOL.md. */
typedef struct {
    fob_verb_t verb;
    uint64_t fields;
} need_t;
#define F(name) ((uint64_t)1 << FOB_FIELD_##name)
static const need_t needs[] = {
    {FOB_VERB_HELLO, F(version_min) | F(version_max)},
    {FOB_VERB_WELCOME, F(version) | F(heartbeat) | F(epoch) | F(head) | F(level) | F(shards) |
                           F(max_event) | F(max_batch) | F(window)},
    {FOB_VERB_BEAT, 0},
    {FOB_VERB_GOODBYE, 0},
    {FOB_VERB_ERROR, F(code) | F(text)},
    {FOB_VERB_PUBLISH, F(first)},
    {FOB_VERB_RECEIPT, F(runs)},
    {FOB_VERB_JOIN, F(group)},
    {FOB_VERB_JOINED, F(group) | F(code)},
    {FOB_VERB_LEAVE, F(group)},
    {FOB_VERB_CREDIT, F(group) | F(credit)},
    {FOB_VERB_DELIVER, F(group) | F(runs)},
    {FOB_VERB_SETTLE, F(group) | F(seq) | F(runs)},
    {FOB_VERB_SETTLED, F(group) | F(seq)},
    {FOB_VERB_LOST, F(group) | F(runs)},
    {FOB_VERB_GROUP_ADD, F(req) | F(group) | F(pattern)},
    {FOB_VERB_GROUP_REMOVE, F(req) | F(group)},
    {FOB_VERB_GROUP_LIST, F(req)},
    {FOB_VERB_STATS, F(req)},
    {FOB_VERB_REPLY, F(req) | F(code)},
    {FOB_VERB_GROUP_SET, F(req) | F(group) | F(settings)},
    {FOB_VERB_GROUP_RESET, F(req) | F(group)},
    {FOB_VERB_GROUP_PURGE, F(req) | F(group)},
    {FOB_VERB_DEAD_LIST, F(req) | F(group)},
    {FOB_VERB_DEAD_SHOW, F(req) | F(group) | F(offset)},
    {FOB_VERB_DEAD_REDRIVE, F(req) | F(group)},
    {FOB_VERB_DEAD_PURGE, F(req) | F(group)},
    {FOB_VERB_FETCH, F(req) | F(pattern)},
    {FOB_VERB_FETCHED, F(req) | F(code)},
    {FOB_VERB_WHOLE, F(req) | F(pattern) | F(from) | F(upto)},
    {FOB_VERB_WHOLENESS, F(req) | F(code)},
};
#define NEED_COUNT (sizeof needs / sizeof needs[0])

static fob_status_t round_trip(fob_verb_t verb, uint64_t fields) {
    fob_wire_t msg = {.verb = verb, .present = fields}, got;
    fob_buf_t out = {0};
    assert_int_equal(fob_wire_write(&out, &msg), FOB_OK);
    fob_status_t status = fob_wire_read(fob_buf_slice(&out), &got);
    fob_buf_free(&out);
    return status;
}

static void each_verb_needs_each_of_its_fields(void **state) {
    (void)state;
    for (size_t i = 0; i < NEED_COUNT; i++) {
        assert_int_equal(round_trip(needs[i].verb, needs[i].fields), FOB_OK);
        for (unsigned field = 0; field < FOB_FIELD_COUNT; field++) {
            uint64_t bit = (uint64_t)1 << field;
            if (needs[i].fields & bit)
                assert_int_equal(round_trip(needs[i].verb, needs[i].fields & ~bit), FOB_PROTOCOL);
        }
    }
}

static void every_verb_is_in_that_list(void **state) {
    (void)state;
    for (unsigned verb = 0; verb < 256; verb++) {
        size_t found = 0;
        for (size_t i = 0; i < NEED_COUNT; i++)
            found += (unsigned)needs[i].verb == verb;
        assert_int_equal(found, fob_verb_name(verb) != NULL);
    }
}

static void every_field_makes_the_round_trip(void **state) {
    (void)state;
    for (unsigned field = 0; field < FOB_FIELD_COUNT; field++)
        if (field != FOB_FIELD_session) /* an empty one is refused */
            assert_int_equal(round_trip(FOB_VERB_BEAT, (uint64_t)1 << field), FOB_OK);
}

/* A raw field of `levels` arrays, one in the other, in a header's map. */
static fob_status_t read_nested(const char *name, size_t levels) {
    uint8_t nest[64];
    memset(nest, 0x91, levels);
    nest[levels - 1] = 0x90;
    fob_buf_t out = {0};
    fob_wire_t got;
    fob_pack_array(&out, 3);
    fob_pack_uint(&out, FOB_VERB_BEAT);
    fob_pack_uint(&out, 0);
    fob_pack_map(&out, 1);
    fob_pack_cstr(&out, name);
    fob_buf_put(&out, nest, levels);
    fob_status_t status = fob_wire_read(fob_buf_slice(&out), &got);
    fob_buf_free(&out);
    return status;
}

static void a_header_nests_32_deep_at_the_most(void **state) {
    (void)state;
    static const char *const names[] = {"runs", "unknown"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(read_nested(names[i], FOB_CURSOR_DEPTH - 2), FOB_OK);
        assert_int_equal(read_nested(names[i], FOB_CURSOR_DEPTH - 1), FOB_PROTOCOL);
    }
}

static char long_text[FOB_WIRE_HEADER_MAX];

/* A GOODBYE whose header has FOB_WIRE_HEADER_MAX bytes, and `over`. */
static fob_slice_t text_for(size_t over) {
    const size_t around = 4 + 5 + 3; /* array, verb, shard, map; "text"; head of str 16 */
    return fob_slice(long_text, FOB_WIRE_HEADER_MAX - around + over);
}

static void a_header_over_64_kib_is_refused(void **state) {
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        fob_wire_t got;
        fob_buf_t out = {0};
        fob_pack_array(&out, 3);
        fob_pack_uint(&out, FOB_VERB_GOODBYE);
        fob_pack_uint(&out, 0);
        fob_pack_map(&out, 1);
        fob_pack_cstr(&out, "text");
        fob_pack_str(&out, text_for(over));
        assert_int_equal(out.size, FOB_WIRE_HEADER_MAX + over);
        assert_int_equal(fob_wire_read(fob_buf_slice(&out), &got), over ? FOB_PROTOCOL : FOB_OK);
        fob_buf_free(&out);
    }
}

static void a_header_over_64_kib_is_not_made(void **state) {
    (void)state;
    fob_wire_t msg = {.verb = FOB_VERB_GOODBYE}, got;
    fob_buf_t out = {0};
    fob_buf_put(&out, "before", 6);
    FOB_SET(&msg, text, text_for(1));
    assert_int_equal(fob_wire_write(&out, &msg), FOB_TOO_LARGE);
    assert_int_equal(out.size, 6);
    FOB_SET(&msg, text, text_for(0));
    assert_int_equal(fob_wire_write(&out, &msg), FOB_OK);
    assert_int_equal(out.size, 6 + FOB_WIRE_HEADER_MAX);
    assert_int_equal(fob_wire_read(fob_slice(out.data + 6, out.size - 6), &got), FOB_OK);
    fob_buf_free(&out);
}

static void a_header_cut_anywhere_is_refused_and_not_read_past(void **state) {
    (void)state;
    static const char whole[] =
        "\x93\x18\x00\x83\xa5group\xa1g\xa4runs\x92\x95\x01\x02\x03\x04\x05\x95\x06\x07"
        "\x08\xcd\x01\x00\x0a\xa3new\xc4\x02xx";
    fob_wire_t got;
    assert_int_equal(READ(whole, &got), FOB_OK);
    for (size_t size = 0; size < sizeof whole - 1; size++) {
        uint8_t *cut = malloc(size ? size : 1);
        memcpy(cut, whole, size);
        assert_int_equal(fob_wire_read(fob_slice(cut, size), &got), FOB_PROTOCOL);
        free(cut);
    }
}

FOB_MAIN(FOB_CASE(what_was_written_is_read_again),
         FOB_CASE(a_field_is_zero_and_not_present_when_absent),
         FOB_CASE(a_zero_that_is_given_is_present),
         FOB_CASE(unknown_fields_and_elements_are_skipped),
         FOB_CASE(an_unknown_element_that_is_cut_is_refused),
         FOB_CASE(what_is_no_header_is_refused), FOB_CASE(bytes_behind_the_header_are_refused),
         FOB_CASE(an_unknown_verb_is_refused_and_named),
         FOB_CASE(a_field_of_another_type_is_refused), FOB_CASE(a_session_has_sixteen_bytes),
         FOB_CASE(a_field_twice_is_refused), FOB_CASE(each_verb_needs_each_of_its_fields),
         FOB_CASE(every_verb_is_in_that_list), FOB_CASE(every_field_makes_the_round_trip),
         FOB_CASE(a_header_nests_32_deep_at_the_most), FOB_CASE(a_header_over_64_kib_is_refused),
         FOB_CASE(a_header_over_64_kib_is_not_made),
         FOB_CASE(a_header_cut_anywhere_is_refused_and_not_read_past))
