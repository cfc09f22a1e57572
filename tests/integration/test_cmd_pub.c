/* fob pub, one event at a time. */
#include "tests/integration/cmd.h"

static void success_is_silent(void **state) {
    cmd_t *self = *state;
    DO(self, "pub", "order_placed", "{\"n\":1}");
    assert_string_equal(self->out, "");
    assert_string_equal(self->err, "");
}

static void a_receipt_has_these_fields_in_this_order(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "billing", "order_placed");
    DO(self, "pub", "order_placed", "1", "--json");
    assert_string_equal(self->out,
                        "{\"topic\":\"order_placed\",\"shard\":0,\"offset\":1,\"id\":\"0-1\","
                        "\"level\":\"memory\",\"duplicate\":false,\"groups\":1}\n");
    DO(self, "pub", "other", "1", "--json", "--id", "o-1");
    assert_string_equal(self->out, "{\"topic\":\"other\",\"shard\":0,\"offset\":2,\"id\":\"o-1\","
                                   "\"level\":\"memory\",\"duplicate\":false,\"groups\":0}\n");
    DO(self, "pub", "other", "1", "--json", "--confirm", "none");
    assert_string_equal(self->out, "{\"topic\":\"other\",\"shard\":0,\"offset\":null,\"id\":null,"
                                   "\"level\":\"none\",\"duplicate\":false,\"groups\":0}\n");
}

static void verbose_warns_where_no_group_takes_it(void **state) {
    cmd_t *self = *state;
    DO(self, "pub", "order_placed", "1", "-v");
    assert_string_equal(self->out, "");
    assert_non_null(strstr(self->err, "stored at 0:1 (memory)"));
    assert_non_null(strstr(self->err, "warning: no group takes order_placed"));
    DO(self, "group", "add", "billing", "order_placed");
    DO(self, "pub", "order_placed", "1", "-v");
    assert_non_null(strstr(self->err, "in 1 group"));
    assert_null(strstr(self->err, "warning"));
}

/* The next event's "data" (or data_base64) as JSON text; the caller frees it. */
static char *next_data(process_t *sub, const char *field) {
    json_t *event = parse(process_line(sub, PROCESS_OUT, WAIT_MS));
    const json_t *data = json_object_get(event, field);
    if (!data)
        fail_msg("there is no %s", field);
    char *dump = json_dumps(data, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(event);
    return dump;
}

static void expect_data(process_t *sub, const char *field, const char *expected) {
    char *data = next_data(sub, field);
    assert_string_equal(data, expected);
    free(data);
}

static void data_is_json_or_a_string_or_text_or_bytes(void **state) {
    cmd_t *self = *state;
    process_t *sub = subscriber("t", NULL);
    DO(self, "pub", "t", "{\"a\":[1,true,null]}");
    expect_data(sub, "data", "{\"a\":[1,true,null]}");
    DO(self, "pub", "t", "hello");
    expect_data(sub, "data", "\"hello\"");
    DO(self, "pub", "t", "17");
    expect_data(sub, "data", "17");
    DO(self, "pub", "t", "-5");
    expect_data(sub, "data", "-5");
    DO(self, "pub", "t", "17", "--text");
    expect_data(sub, "data", "\"17\"");
    DO(self, "pub", "t", "{bad", "--text");
    expect_data(sub, "data", "\"{bad\"");
    DO(self, "pub", "t", "\xff\xfe", "--raw");
    expect_data(sub, "data_base64", "\"//4=\"");
    DO(self, "pub", "t", "");
    expect_data(sub, "data", "\"\"");
    process_destroy(&sub);
}

static void standard_input_is_read_whole(void **state) {
    cmd_t *self = *state;
    process_t *sub = subscriber("t", NULL);
    assert_int_equal(RUN_WITH(self, "{\"a\":\n 1}\n", "pub", "t"), 0);
    expect_data(sub, "data", "{\"a\":1}");
    assert_int_equal(RUN_WITH(self, "two\nlines\n", "pub", "t", "-"), 0);
    expect_data(sub, "data", "\"two\\nlines\"");
    assert_int_equal(RUN_WITH(self, "kept\n", "pub", "t", "--text"), 0);
    expect_data(sub, "data", "\"kept\\n\"");
    assert_int_equal(RUN_WITH(self, "ignored", "pub", "t", "argument"), 0);
    expect_data(sub, "data", "\"argument\"");
    process_destroy(&sub);
}

static void attributes_arrive(void **state) {
    cmd_t *self = *state;
    process_t *sub = subscriber("t", NULL);
    DO(self, "pub", "t", "{\"order\":{\"id\":17,\"by\":\"ann\"}}", "--id-from", "/order/id",
       "--key-from", "/order/by", "--header", "a=1", "--header", "b==2");
    json_t *event = parse(process_line(sub, PROCESS_OUT, WAIT_MS));
    assert_string_equal(text(event, "id"), "17");
    assert_string_equal(text(event, "key"), "ann");
    assert_string_equal(text(json_object_get(event, "headers"), "a"), "1");
    assert_string_equal(text(json_object_get(event, "headers"), "b"), "=2");
    assert_int_equal(number(event, "attempt"), 0);
    json_decref(event);
    process_destroy(&sub);
}

static void an_event_over_the_limit_is_bad_data(void **state) {
    cmd_t *self = *state;
    char *large = malloc(1100001);
    assert_non_null(large);
    memset(large, 'x', 1100000);
    large[1100000] = '\0';
    assert_int_equal(RUN_WITH(self, large, "pub", "t"), 65);
    assert_non_null(strstr(self->err, "TOO_LARGE: it has 1100005 bytes"));
    assert_non_null(strstr(self->err, "takes 1000000 (its max_event)"));
    assert_int_equal(RUN_WITH(self, large, "pub", "t", "--raw"), 65);
    assert_non_null(strstr(self->err, "it has 1100000 bytes"));
    large[20000] = '\0';
    memcpy(large, "h=", 2);
    REFUSED(self, 65, "more than 16384 bytes", "pub", "t", "1", "--header", large);
    large[20000] = 'x';
    large[900000] = '\0';
    assert_int_equal(RUN_WITH(self, large, "pub", "t"), 0);
    free(large);
}

FOB_MAIN(FOB_CASE_WITH(success_is_silent, set_up, tear_down),
         FOB_CASE_WITH(a_receipt_has_these_fields_in_this_order, set_up, tear_down),
         FOB_CASE_WITH(verbose_warns_where_no_group_takes_it, set_up, tear_down),
         FOB_CASE_WITH(data_is_json_or_a_string_or_text_or_bytes, set_up, tear_down),
         FOB_CASE_WITH(standard_input_is_read_whole, set_up, tear_down),
         FOB_CASE_WITH(attributes_arrive, set_up, tear_down),
         FOB_CASE_WITH(an_event_over_the_limit_is_bad_data, set_up, tear_down))
