/* fob sub and fob tail. */
#include "tests/integration/cmd.h"

static void an_event_has_these_fields_in_this_order(void **state) {
    cmd_t *self = *state;
    process_t *sub = subscriber("shop.*", NULL);
    DO(self, "pub", "shop.order_placed", "{\"n\":0.1}", "--id", "o-1", "--key", "k");
    const char *line = process_line(sub, PROCESS_OUT, WAIT_MS);
    assert_non_null(line);
    const char *time = strstr(line, "\"time\":\"2"), *epoch = strstr(line, "\"epoch\":");
    assert_non_null(time);
    assert_true(epoch && atoll(epoch + 8) > 0);
    char expected[400];
    snprintf(expected, sizeof expected,
             "{\"topic\":\"shop.order_placed\",\"shard\":0,\"offset\":1,\"epoch\":%lld,"
             "\"id\":\"o-1\",%.33s,"
             "\"key\":\"k\","
             "\"attempt\":0,\"headers\":{},\"data\":{\"n\":0.10000000000000001}}",
             atoll(epoch + 8), time);
    assert_string_equal(line, expected);
    process_destroy(&sub);
}

static void a_pattern_is_kept_to(void **state) {
    cmd_t *self = *state;
    process_t *sub = subscriber("order", NULL);
    DO(self, "pub", "orders.x", "1");
    DO(self, "pub", "order.x", "2");
    DO(self, "pub", "order", "3");
    json_t *event = parse(process_line(sub, PROCESS_OUT, WAIT_MS));
    assert_int_equal(number(event, "data"), 3);
    json_decref(event);
    process_destroy(&sub);
}

static void count_ends_it(void **state) {
    cmd_t *self = *state;
    process_t *sub = subscriber(">", "--count=2");
    DO(self, "pub", "a", "1");
    DO(self, "pub", "b", "2");
    DO(self, "pub", "c", "3");
    assert_int_equal(process_wait(sub, WAIT_MS), 0);
    assert_non_null(process_line(sub, PROCESS_OUT, WAIT_MS));
    assert_non_null(process_line(sub, PROCESS_OUT, WAIT_MS));
    assert_null(process_line(sub, PROCESS_OUT, WAIT_MS));
    process_destroy(&sub);
}

static void raw_is_the_bytes_and_nothing_else(void **state) {
    cmd_t *self = *state;
    const char *argv[] = {getenv("FOB_BINARY"), "sub", "t", "--raw", "-v", "-n", "2", NULL};
    process_t *sub = process_spawn(argv);
    size_t size;
    assert_non_null(process_line_with(sub, PROCESS_ERR, "subscribed", WAIT_MS));
    DO(self, "pub", "t", "a\nb", "--raw");
    DO(self, "pub", "t", "[1]");
    char *bytes = process_rest(sub, PROCESS_OUT, &size, WAIT_MS);
    assert_int_equal(size, 5);
    assert_memory_equal(bytes, "a\nb\x91\x01", 5);
    free(bytes);
    process_destroy(&sub);
}

static void a_signal_ends_it_with_0(void **state) {
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT};
    for (int i = 0; i < 2; i++) {
        process_t *sub = subscriber(">", NULL);
        process_signal(sub, signals[i]);
        assert_int_equal(process_wait(sub, WAIT_MS), 0);
        process_destroy(&sub);
    }
}

static void a_signal_ends_it_also_while_nobody_reads(void **state) {
    cmd_t *self = *state;
    process_t *sub = subscriber("t", NULL);
    char *data = malloc(600001);
    assert_non_null(data);
    memset(data, 'x', 600000);
    data[600000] = '\0';
    assert_int_equal(RUN_WITH(self, data, "pub", "t"), 0); /* more than the pipe holds */
    free(data);
    process_signal(sub, SIGTERM);
    assert_int_equal(process_wait(sub, WAIT_MS), 0);
    process_destroy(&sub);
}

static void a_reader_that_goes_ends_it_with_0(void **state) {
    cmd_t *self = *state;
    process_t *sub = subscriber("t", NULL);
    process_close_output(sub, PROCESS_OUT);
    DO(self, "pub", "t", "1");
    assert_int_equal(process_wait(sub, WAIT_MS), 0);
    process_destroy(&sub);
}

static void it_waits_for_a_bus_that_comes_back(void **state) {
    cmd_t *self = *state;
    process_t *sub = subscriber("t", NULL);
    process_destroy(&self->bus);
    assert_non_null(process_line_with(sub, PROCESS_ERR, "the bus is away", WAIT_MS));
    self->bus = process_serve(self->port, "--memory", NULL);
    assert_non_null(process_line_with(sub, PROCESS_ERR, "the bus is back", WAIT_MS));
    DO(self, "pub", "t", "1");
    json_t *event = parse(process_line(sub, PROCESS_OUT, WAIT_MS));
    assert_int_equal(number(event, "data"), 1);
    json_decref(event);
    process_destroy(&sub);
}

static void fire_and_forget_reaches_those_who_are_subscribed(void **state) {
    cmd_t *self = *state;
    process_t *sub = subscriber("t", NULL);
    DO(self, "pub", "t", "7", "--confirm", "none");
    json_t *event = parse(process_line(sub, PROCESS_OUT, WAIT_MS));
    assert_true(json_is_null(json_object_get(event, "offset")));
    assert_int_equal(number(event, "data"), 7);
    json_decref(event);
    process_destroy(&sub);
}

static void an_offset_that_the_bus_has_not_come_to_is_told(void **state) {
    cmd_t *self = *state;
    DO(self, "pub", "a", "1");
    process_t *sub = process_fob("sub", "a", "--from", "7", NULL);
    assert_non_null(process_line_with(sub, PROCESS_ERR,
                                      "the bus has come to offset 1 only: nothing is shown before "
                                      "it comes to 7",
                                      WAIT_MS));
    process_destroy(&sub);
    sub = process_fob("sub", "a", "-v", "--from", "2", NULL);
    const char *line = process_line(sub, PROCESS_ERR, WAIT_MS);
    assert_true(line && strstr(line, "subscribed"));
    DO(self, "pub", "a", "2");
    assert_non_null(process_line(sub, PROCESS_OUT, WAIT_MS));
    process_signal(sub, SIGTERM);
    char *said = process_rest(sub, PROCESS_ERR, NULL, WAIT_MS);
    assert_true(said && !strstr(said, "has come to"));
    free(said);
    process_destroy(&sub);
}

static void tail_is_for_eyes_and_without_colour_in_a_pipe(void **state) {
    cmd_t *self = *state;
    process_t *tail = process_fob("tail", "-v", NULL);
    assert_non_null(process_line_with(tail, PROCESS_ERR, "subscribed to >", WAIT_MS));
    DO(self, "pub", "shop.order_placed", "{\"n\":1}");
    const char *line = process_line(tail, PROCESS_OUT, WAIT_MS);
    assert_non_null(line);
    assert_non_null(strstr(line, "shop.order_placed"));
    assert_non_null(strstr(line, "{\"n\":1}"));
    assert_null(strchr(line, '\033'));
    process_destroy(&tail);
    tail = process_fob("tail", "shop.>", "-v", "--json", "--count", "1", NULL);
    assert_non_null(process_line_with(tail, PROCESS_ERR, "subscribed", WAIT_MS));
    DO(self, "pub", "shop.order_placed", "2");
    json_t *event = parse(process_line(tail, PROCESS_OUT, WAIT_MS));
    assert_int_equal(number(event, "data"), 2);
    json_decref(event);
    assert_int_equal(process_wait(tail, WAIT_MS), 0);
    process_destroy(&tail);
}

FOB_MAIN(FOB_CASE_WITH(an_event_has_these_fields_in_this_order, set_up, tear_down),
         FOB_CASE_WITH(a_pattern_is_kept_to, set_up, tear_down),
         FOB_CASE_WITH(count_ends_it, set_up, tear_down),
         FOB_CASE_WITH(raw_is_the_bytes_and_nothing_else, set_up, tear_down),
         FOB_CASE_WITH(a_signal_ends_it_with_0, set_up, tear_down),
         FOB_CASE_WITH(a_signal_ends_it_also_while_nobody_reads, set_up, tear_down),
         FOB_CASE_WITH(a_reader_that_goes_ends_it_with_0, set_up, tear_down),
         FOB_CASE_WITH(it_waits_for_a_bus_that_comes_back, set_up, tear_down),
         FOB_CASE_WITH(fire_and_forget_reaches_those_who_are_subscribed, set_up, tear_down),
         FOB_CASE_WITH(an_offset_that_the_bus_has_not_come_to_is_told, set_up, tear_down),
         FOB_CASE_WITH(tail_is_for_eyes_and_without_colour_in_a_pipe, set_up, tear_down))
