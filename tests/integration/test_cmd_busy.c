/* A group that is full, and the publishers it refuses; duplicates. */
#include "tests/integration/cmd.h"

#include <fob/fob_publisher.h>

static char *lines(unsigned count) {
    char *input = malloc(count * 8 + 1), *at = input;
    assert_non_null(input);
    for (unsigned i = 1; i <= count; i++)
        at += sprintf(at, "%u\n", i);
    return input;
}

static void a_full_group_is_named_and_what_was_stored_is_exact(void **state) {
    cmd_t *self = *state;
    char *input = lines(3000);
    DO(self, "group", "add", "mailers", "t", "max_depth=1000");
    int code = RUN_WITH(self, input, "pub", "t", "--lines", "--deadline", pace_option(3000));
    free(input);
    if (code != 75 ||
        !strstr(self->err, "line 1001: BUSY: group mailers is full (1000 of 1000), no worker"))
        fail_msg("exit %d: %s", code, self->err);
    assert_int_equal(figure(self, "mailers", "ready"), 1000);
    assert_int_equal(figure(self, "mailers", "accepted"), 1000);
    DO(self, "pub", "other", "1"); /* another publisher's, of another topic */
    DO(self, "work", "mailers", "t", "--count", "1000");
    assert_int_equal(figure(self, "mailers", "acked"), 1000);
    DO(self, "pub", "t", "1");
    await_figure(self, "mailers", "ready", 1);
}

static void a_publisher_that_waits_goes_on_once_there_is_room(void **state) {
    cmd_t *self = *state;
    char *input = lines(2000);
    DO(self, "group", "add", "g", "t", "max_depth=100");
    process_t *pub = process_fob("pub", "t", "--lines", "--deadline", "5m", NULL);
    assert_true(process_write(pub, input, strlen(input)));
    process_close_input(pub);
    free(input);
    await_figure(self, "g", "ready", 100);
    process_t *work = process_fob("work", "g", "t", "--count", "2000", NULL);
    for (int i = 1; i <= 2000; i++) {
        json_t *event = parse(process_line(work, PROCESS_OUT, PACE_PATIENCE));
        assert_int_equal(number(event, "data"), i);
        json_decref(event);
    }
    assert_int_equal(process_wait(pub, WAIT_MS), 0);
    assert_int_equal(process_wait(work, WAIT_MS), 0);
    process_destroy(&pub);
    process_destroy(&work);
    assert_int_equal(figure(self, "g", "accepted"), 2000);
}

typedef struct {
    uint64_t stored[2], refused[2];
    uint64_t last[2]; /* offsets: in order */
    char text[200];
} tally_t;

static void on_receipt(void *arg, const fob_receipt_t *receipt) {
    tally_t *tally = arg;
    unsigned topic = strcmp(receipt->topic, "full") == 0;
    if (receipt->status != FOB_OK) {
        tally->refused[topic]++;
        snprintf(tally->text, sizeof tally->text, "%s", receipt->text);
        assert_int_equal(receipt->status, FOB_BUSY);
        return;
    }
    assert_true(receipt->offset > tally->last[topic]);
    tally->last[topic] = receipt->offset;
    tally->stored[topic]++;
}

/* More than the bus lets a session have beyond its first number without an answer. */
#define FLOWING 60000
/* What fits, and less than the half of a window that may wait for a topic which is refused: more
 * makes send wait, where the refusal comes before all are sent. */
#define FULL 600

static void the_other_topics_of_the_same_publisher_flow_meanwhile(void **state) {
    cmd_t *self = *state;
    tally_t tally = {{0}, {0}, {0}, ""};
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    fob_publish_options_t with = FOB_PUBLISH_OPTIONS;
    DO(self, "group", "add", "mailers", "full", "max_depth=100");
    options.on_receipt = on_receipt;
    options.on_receipt_arg = &tally;
    options.deadline_ms = 2 * PACE_PATIENCE;
    options.connect_timeout_ms = PACE_PATIENCE;
    fob_publisher_t *publisher = fob_publisher_new(&options);
    assert_non_null(publisher);
    for (uint64_t i = 0; i < FULL; i++)
        assert_int_equal(fob_publisher_send(publisher, "full", &i, sizeof i, &with, NULL), FOB_OK);
    for (uint64_t i = 0; i < FLOWING; i++)
        assert_int_equal(fob_publisher_send(publisher, "flows", &i, sizeof i, &with, NULL), FOB_OK);
    long long until = process_clock() + PACE_PATIENCE;
    while (tally.stored[0] < FLOWING) {
        assert_true(process_clock() < until);
        fob_publisher_dispatch(publisher, 100);
    }
    assert_int_equal(tally.stored[1], 100);
    assert_int_equal(tally.refused[1], 0);
    DO(self, "work", "mailers", "full", "--count", "600");
    assert_int_equal(fob_publisher_flush(publisher, -1), FOB_OK);
    fob_publisher_destroy(&publisher);
    assert_int_equal(tally.stored[1], FULL);
    assert_int_equal(figure(self, "mailers", "acked"), FULL);
}

static void a_refusal_ends_with_the_deadline_and_names_the_group(void **state) {
    cmd_t *self = *state;
    tally_t tally = {{0}, {0}, {0}, ""};
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    DO(self, "group", "add", "mailers", "full", "max_depth=10");
    options.on_receipt = on_receipt;
    options.on_receipt_arg = &tally;
    options.deadline_ms = pace_ms(3000);
    options.connect_timeout_ms = PACE_PATIENCE;
    fob_publisher_t *publisher = fob_publisher_new(&options);
    assert_non_null(publisher);
    for (uint64_t i = 0; i < 500; i++)
        assert_int_equal(fob_publisher_send(publisher, "full", &i, sizeof i, NULL, NULL), FOB_OK);
    assert_int_equal(fob_publisher_flush(publisher, -1), FOB_BUSY);
    fob_publisher_destroy(&publisher);
    assert_int_equal(tally.stored[1], 10);
    assert_int_equal(tally.refused[1], 490);
    assert_non_null(strstr(tally.text, "group mailers is full (10 of 10)"));
    assert_int_equal(figure(self, "mailers", "ready"), 10);
}

static void a_duplicate_is_told_and_so_is_that_its_data_differed(void **state) {
    cmd_t *self = *state;
    DO(self, "pub", "t", "1", "--id", "o-1", "--json");
    assert_non_null(strstr(self->out, "\"offset\":1,\"id\":\"o-1\""));
    assert_non_null(strstr(self->out, "\"duplicate\":false"));
    DO(self, "pub", "t", "1", "--id", "o-1", "--json");
    assert_string_equal(self->out, "{\"topic\":\"t\",\"shard\":0,\"offset\":1,\"id\":\"o-1\","
                                   "\"level\":\"memory\",\"duplicate\":1,\"groups\":0}\n");
    assert_string_equal(self->err, "");
    DO(self, "pub", "t", "2", "--id", "o-1", "--json");
    assert_non_null(strstr(self->out, "\"duplicate\":1,\"groups\":0,\"differs\":true}"));
    assert_non_null(
        strstr(self->err, "warning: id o-1 was stored at 1 with other data: that one is kept"));
    DO(self, "pub", "t", "1", "--id", "o-1", "-v");
    assert_non_null(strstr(self->err, "t o-1 is a duplicate of 1: not stored again\n"));
    DO(self, "pub", "u", "1", "--id", "o-1", "--json"); /* another topic's */
    assert_non_null(strstr(self->out, "\"offset\":2"));
    assert_int_equal(RUN_WITH(self, "{\"a\":1}\n{\"a\":1}\n{\"a\":1}\n", "pub", "t", "--lines",
                              "--id-from", "/a", "--json"),
                     0);
    json_t *receipt = parse(strtok(self->out, "\n"));
    assert_int_equal(number(receipt, "offset"), 3);
    json_decref(receipt);
    for (int i = 0; i < 2; i++) {
        receipt = parse(strtok(NULL, "\n"));
        assert_int_equal(number(receipt, "duplicate"), 3);
        json_decref(receipt);
    }
}

static void the_highest_priority_comes_first(void **state) {
    cmd_t *self = *state;
    static const char *const priorities[] = {"0", "5", "9", "0", "5", "1"};
    static const int order[] = {3, 2, 5, 6, 1, 4};
    DO(self, "group", "add", "g", "t");
    for (int i = 0; i < 6; i++) {
        char data[] = {(char)('1' + i), 0};
        DO(self, "pub", "t", data, "--priority", priorities[i]);
    }
    DO(self, "work", "g", "t", "--count", "6");
    char *line = strtok(self->out, "\n");
    for (int i = 0; i < 6; i++, line = strtok(NULL, "\n")) {
        json_t *event = parse(line);
        assert_int_equal(number(event, "data"), order[i]);
        json_decref(event);
    }
}

FOB_MAIN(FOB_CASE_WITH(a_full_group_is_named_and_what_was_stored_is_exact, set_up, tear_down),
         FOB_CASE_WITH(a_publisher_that_waits_goes_on_once_there_is_room, set_up, tear_down),
         FOB_CASE_WITH(the_other_topics_of_the_same_publisher_flow_meanwhile, set_up, tear_down),
         FOB_CASE_WITH(a_refusal_ends_with_the_deadline_and_names_the_group, set_up, tear_down),
         FOB_CASE_WITH(a_duplicate_is_told_and_so_is_that_its_data_differed, set_up, tear_down),
         FOB_CASE_WITH(the_highest_priority_comes_first, set_up, tear_down))
