/* fob sub and fob tail: places that name their epoch, what is told with --quiet, and a broadcast
 * that cannot be reached though the bus can. */
#include "tests/integration/cmd.h"
#include "tests/support/lossy.h"
#include "tests/support/stand.h"

/* The bus is gone, and an empty one is in its place. */
static void begin_anew(cmd_t *self) {
    process_destroy(&self->bus);
    self->bus = process_serve(self->port, "--memory", NULL);
}

static void publish(cmd_t *self, const char *topic, const char *numbers) {
    assert_int_equal(RUN_WITH(self, numbers, "pub", topic, "--lines"), 0);
}

/* Where to go on behind the last event of an output: "OFFSET@EPOCH". */
static void place_behind(const char *out, char *place, size_t size) {
    const char *last = out;
    for (const char *at = out; (at = strchr(at, '\n')) && at[1];)
        last = ++at;
    json_t *event = parse(last);
    snprintf(place, size, "%lld@%lld", (long long)number(event, "offset") + 1,
             (long long)number(event, "epoch"));
    json_decref(event);
}

/* That these events, in this order, are all of the output. */
static void expect_data(const char *out, int first, int last) {
    for (int n = first; n <= last; n++) {
        char want[40];
        snprintf(want, sizeof want, "\"data\":%d}\n", n);
        const char *line = strchr(out, '\n');
        size_t size = line ? (size_t)(line + 1 - out) : 0;
        if (size < strlen(want) || strncmp(out + size - strlen(want), want, strlen(want)) != 0)
            fail_msg("not %d: %s", n, out);
        out += size;
    }
    assert_string_equal(out, "");
}

static void a_place_with_its_epoch_goes_on_there(void **state) {
    cmd_t *self = *state;
    char place[64];
    publish(self, "a", "1\n2\n3\n");
    DO(self, "sub", "a", "--from", "earliest", "--count", "2");
    place_behind(self->out, place, sizeof place);
    publish(self, "a", "4\n");
    DO(self, "sub", "a", "--from", place, "--count", "2");
    expect_data(self->out, 3, 4);
    assert_string_equal(self->err, "");
}

static void a_place_of_another_epoch_is_told_and_nothing_is_missed(void **state) {
    cmd_t *self = *state;
    char place[64];
    publish(self, "a", "1\n2\n3\n");
    DO(self, "sub", "a", "--from", "earliest", "--count", "3");
    place_behind(self->out, place, sizeof place);
    begin_anew(self);
    publish(self, "a", "11\n12\n13\n14\n15\n");
    DO(self, "sub", "a", "--from", place, "--count", "5");
    expect_data(self->out, 11, 15); /* an offset alone would have begun with 14 */
    assert_non_null(strstr(self->err, "the bus has lost events 1 to 3, which may have been shown "
                                      "here: it numbers anew from 1 on"));
    DO(self, "tail", "a", "--json", "--from", place, "--count", "5");
    expect_data(self->out, 11, 15);
    assert_non_null(strstr(self->err, "the bus has lost events 1 to 3"));
}

static void behind_a_copy_that_was_restored_it_goes_on_where_the_two_part(void **state) {
    (void)state;
    stand_t stand;
    char place[64], *err = NULL, *out;
    stand_start(&stand);
    stand_publish("a", 5);
    char *copy = stand_path(&stand, "copy");
    free(stand_do("journal", "backup", copy, "--data", stand.data, NULL));
    stand_publish("a", 5);
    out = stand_do("sub", "a", "--from", "earliest", "--count", "10", NULL);
    place_behind(out, place, sizeof place);
    free(out);
    process_destroy(&stand.bus);
    stand.bus = process_serve(stand.port, "--data", copy, NULL);
    stand_publish("a", 2);
    assert_int_equal(
        process_run_fob(NULL, &out, &err, "sub", "a", "--from", place, "--count", "2", NULL), 0);
    expect_data(out, 0, 1);
    assert_non_null(strstr(err, "the bus has lost events 6 to 10, which may have been shown here: "
                                "it numbers anew from 6 on"));
    free(out);
    free(err);
    free(copy);
    stand_end(&stand);
}

static void what_is_missing_is_told_with_quiet_too(void **state) {
    cmd_t *self = *state;
    char place[64];
    publish(self, "a", "1\n2\n3\n");
    DO(self, "sub", "a", "-q", "--from", "earliest", "--count", "3");
    assert_string_equal(self->err, "");
    place_behind(self->out, place, sizeof place);
    begin_anew(self);
    publish(self, "a", "11\n");
    DO(self, "sub", "a", "-q", "--from", place, "--count", "1"); /* and the exit code is 0 */
    assert_non_null(strstr(self->err, "the bus has lost events 1 to 3"));
}

/* `sub` at this bus gives up with 69 and says this. Where the machine is so slow that it did not
 * come so far, it is tried for longer. */
static void gives_up(const char *bus, const char *want) {
    char *err = NULL;
    for (int seconds = 1; !err || (!strstr(err, want) && seconds < 64); seconds *= 2) {
        char time[16];
        snprintf(time, sizeof time, "%ds", seconds);
        free(err);
        err = NULL;
        assert_int_equal(process_run_fob(NULL, NULL, &err, "sub", "a", "--bus", bus,
                                         "--connect-timeout", time, NULL),
                         69);
    }
    if (!strstr(err, want))
        fail_msg("said: %s", err);
    free(err);
}

static void a_bus_that_cannot_be_reached_is_told_with_why(void **state) {
    cmd_t *self = *state;
    gives_up(process_bus(process_port()),
             "(no connection: nothing listens there, or it cannot be reached)");
    gives_up(process_bus(self->port + 2), "(the connection was lost)"); /* not the one to dial */
}

/* --- the broadcast --- */

static void begin_elsewhere(stand_t *self) {
    stand_start_with(self, "advertise = 127.0.0.2\n", NULL);
}

static void a_broadcast_that_cannot_be_reached_is_named(void **state) {
    (void)state;
    stand_t stand;
    char want[200];
    begin_elsewhere(&stand);
    snprintf(want, sizeof want,
             "the bus at tcp://127.0.0.1:%d answers, but its broadcast at tcp://127.0.0.2:%d "
             "cannot be reached: is a firewall in the way of that port?",
             stand.port, stand.port + 2);
    gives_up(process_bus(stand.port), want);
    stand_end(&stand);
}

static void a_broadcast_that_gets_blocked_is_told_and_the_journal_has_all(void **state) {
    (void)state;
    stand_t stand;
    begin_elsewhere(&stand);
    lossy_t *way = lossy_new(stand.port + 2);
    process_t *sub = process_fob("sub", "a", "-v", NULL);
    assert_non_null(process_line_with(sub, PROCESS_ERR, "subscribed", WAIT_MS));
    lossy_destroy(&way);
    assert_non_null(
        process_line_with(sub, PROCESS_ERR, "but its broadcast at tcp://127.0.0.2:", WAIT_MS));
    stand_publish("a", 3);
    for (int n = 0; n < 3; n++) {
        json_t *event = parse(process_line(sub, PROCESS_OUT, WAIT_MS));
        assert_int_equal(number(event, "data"), n);
        json_decref(event);
    }
    way = lossy_new(stand.port + 2);
    assert_non_null(process_line_with(sub, PROCESS_ERR, "the broadcast is back", WAIT_MS));
    stand_publish("a", 1);
    assert_non_null(process_line(sub, PROCESS_OUT, WAIT_MS));
    process_signal(sub, SIGTERM);
    assert_int_equal(process_wait(sub, WAIT_MS), 0);
    process_destroy(&sub);
    lossy_destroy(&way);
    stand_end(&stand);
}

FOB_MAIN(FOB_CASE_WITH(a_place_with_its_epoch_goes_on_there, set_up, tear_down),
         FOB_CASE_WITH(a_place_of_another_epoch_is_told_and_nothing_is_missed, set_up, tear_down),
         FOB_CASE(behind_a_copy_that_was_restored_it_goes_on_where_the_two_part),
         FOB_CASE_WITH(what_is_missing_is_told_with_quiet_too, set_up, tear_down),
         FOB_CASE_WITH(a_bus_that_cannot_be_reached_is_told_with_why, set_up, tear_down),
         FOB_CASE(a_broadcast_that_cannot_be_reached_is_named),
         FOB_CASE(a_broadcast_that_gets_blocked_is_told_and_the_journal_has_all))
