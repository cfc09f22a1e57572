/* fob dead: what a group gave up, looked at, given back, removed. */
#include "tests/integration/cmd.h"
#include "tests/support/dealer.h"

#define MANY 2000

static void publish(cmd_t *self, const char *topic, unsigned count) {
    char input[MANY * 5 + 1];
    size_t used = 0;
    for (unsigned i = 1; i <= count; i++)
        used += (size_t)snprintf(input + used, sizeof input - used, "%u\n", i);
    if (RUN_WITH(self, input, "pub", topic, "--lines", "--key", "anna") != 0)
        fail_msg("%s", self->err);
}

/* Events on `topic` that a worker of group g rejects. */
static void reject_all(cmd_t *self, const char *topic, unsigned count) {
    char least[16];
    snprintf(least, sizeof least, "%u", count);
    publish(self, topic, count);
    DO(self, "work", "g", ">", "--count", least, "--", "sh", "-c", "exit 65");
}

static json_t *list(cmd_t *self, const char *option, const char *value) {
    if (option)
        DO(self, "dead", "ls", "g", "--json", option, value);
    else
        DO(self, "dead", "ls", "g", "--json");
    assert_string_equal(strchr(self->out, '\n'), "\n"); /* one line */
    return parse(self->out);
}

static size_t listed(cmd_t *self, const char *option, const char *value) {
    json_t *rows = list(self, option, value);
    assert_true(json_is_array(rows));
    size_t count = json_array_size(rows);
    json_decref(rows);
    return count;
}

static void a_handler_that_always_fails_leaves_a_letter_that_comes_back_once(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", ">", "backoff_first=1ms", "backoff_max=1ms");
    DO(self, "pub", "shop.order", "{\"n\":7}", "--key", "anna", "--id", "o-1");
    process_t *worker = process_fob("work", "g", ">", "--", "false", NULL);
    await_figure(self, "g", "dead", 1);
    process_signal(worker, SIGTERM); /* one that is killed would be given work for a while */
    assert_int_equal(process_wait(worker, WAIT_MS), 0);
    process_destroy(&worker);
    json_t *rows = list(self, NULL, NULL);
    const json_t *letter = json_array_get(rows, 0);
    assert_int_equal(number(letter, "offset"), 1);
    assert_int_equal(number(letter, "attempts"), 5);
    assert_string_equal(text(letter, "topic"), "shop.order");
    assert_string_equal(text(letter, "key"), "anna");
    assert_string_equal(text(letter, "id"), "o-1");
    assert_string_equal(text(letter, "reason"), "attempts");
    assert_non_null(strstr(text(letter, "died"), "Z"));
    json_decref(rows);

    DO(self, "dead", "show", "g", "1", "--json");
    json_t *shown = parse(self->out);
    assert_int_equal(json_array_size(json_object_get(shown, "history")), 5);
    const json_t *event = json_object_get(shown, "event");
    assert_int_equal(number(json_object_get(event, "data"), "n"), 7);
    assert_int_equal(number(event, "attempt"), 5);
    json_decref(shown);
    DO(self, "dead", "show", "g", "1");
    json_decref(parse(strtok(self->out, "\n")));
    for (int i = 0; i < 5; i++)
        assert_non_null(strstr(strtok(NULL, "\n"), "retry"));
    assert_non_null(strstr(strtok(NULL, "\n"), "dead     attempts, after 5 attempts"));
    assert_null(strtok(NULL, "\n"));

    DO(self, "dead", "redrive", "g");
    assert_non_null(strstr(self->err, "redriven 1 of 1 dead letters"));
    assert_string_equal(self->out, "");
    assert_int_equal(figure(self, "g", "ready"), 1);
    assert_int_equal(figure(self, "g", "dead"), 0);
    DO(self, "work", "g", ">", "--count", "1");
    shown = parse(self->out);
    assert_int_equal(number(shown, "offset"), 1);
    assert_int_equal(number(shown, "attempt"), 1);
    json_decref(shown);
    assert_int_equal(figure(self, "g", "acked"), 1);
}

static void filters_choose_letters(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", ">");
    reject_all(self, "shop.eu", 3);
    reject_all(self, "shop.us", 2);
    assert_int_equal(listed(self, NULL, NULL), 5);
    assert_int_equal(listed(self, "--topic", "*.us"), 2);
    assert_int_equal(listed(self, "--key", "anna"), 5);
    assert_int_equal(listed(self, "--key", "bert"), 0);
    assert_int_equal(listed(self, "--reason", "reject"), 5);
    assert_int_equal(listed(self, "--reason", "age"), 0);
    assert_int_equal(listed(self, "--since", "1h"), 5);
    assert_int_equal(listed(self, "--until", "1h"), 0);
    assert_int_equal(listed(self, "--since", "2020-01-01T00:00:00Z"), 5);
    assert_int_equal(listed(self, "--until", "2020-01-01T00:00:00Z"), 0);
    assert_int_equal(listed(self, "--offset", "4"), 1);
    assert_int_equal(listed(self, "-n", "2"), 2);
}

static void a_table_is_for_eyes(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", ">");
    DO(self, "dead", "ls", "g");
    assert_string_equal(self->out, "");
    assert_non_null(strstr(self->err, "no dead letter"));
    reject_all(self, "shop.eu", 2);
    DO(self, "dead", "ls", "g");
    assert_ptr_equal(strstr(self->out, "OFFSET"), self->out);
    assert_non_null(strstr(self->out, "shop.eu"));
    DO(self, "dead", "ls", "g", "-n", "1");
    assert_non_null(strstr(self->err, "there are more"));
}

static void what_a_worker_said_is_shown_whatever_its_bytes(void **state) {
    cmd_t *self = *state;
    uint64_t offset, token;
    fob_buf_t runs = {0};
    fob_wire_t settle = {.verb = FOB_VERB_SETTLE};
    DO(self, "pub", "a", "1"); /* for nobody */
    DO(self, "group", "add", "g", ">");
    publish(self, "a", 1);
    dealer_t *worker = dealer_new(process_bus(self->port));
    dealer_greet(worker, "worker", 1);
    dealer_join(worker, "g", ">", 1);
    dealer_deliveries(worker, 1, &offset, &token);
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, (uint64_t[]){FOB_KIND_REJECT, offset, 1, token}, 4);
    FOB_SET(&settle, group, fob_slice_str("g"));
    FOB_SET(&settle, seq, 1);
    FOB_SET(&settle, runs, fob_buf_slice(&runs));
    FOB_SET(&settle, text, fob_slice_str("caf\xe9 \033[31m"));
    dealer_send(worker, &settle, NULL);
    dealer_expect(worker, FOB_VERB_SETTLED);
    fob_buf_free(&runs);
    dealer_destroy(&worker);
    json_t *rows = list(self, NULL, NULL);
    assert_string_equal(text(json_array_get(rows, 0), "text"), "caf\xef\xbf\xbd \033[31m");
    json_decref(rows);
    DO(self, "dead", "ls", "g");
    assert_null(strchr(self->out, '\033'));
    DO(self, "dead", "show", "g", "2");
    assert_non_null(strstr(self->out, "caf\xef\xbf\xbd ?[31m"));
}

static void dry_runs_count_and_change_nothing(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", ">");
    reject_all(self, "a", 3);
    DO(self, "dead", "redrive", "g", "--dry-run");
    assert_string_equal(self->out, "3 dead letters would be redriven\n");
    DO(self, "dead", "purge", "g", "--dry-run", "--json", "--topic", "b");
    assert_string_equal(self->out, "{\"purged\":0,\"matched\":0,\"damaged\":0}\n");
    assert_int_equal(figure(self, "g", "dead"), 3);
}

static void purge_removes_what_matches(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", ">");
    reject_all(self, "a", 3);
    reject_all(self, "b", 2);
    DO(self, "dead", "purge", "g", "--topic", "a", "--json");
    assert_string_equal(self->out, "{\"purged\":3,\"matched\":3,\"damaged\":0}\n");
    assert_int_equal(figure(self, "g", "dead"), 2);
    assert_int_equal(figure(self, "g", "removed"), 3);
    DO(self, "dead", "purge", "g");
    assert_non_null(strstr(self->err, "purged 2 of 2"));
    DO(self, "dead", "purge", "g", "-q");
    assert_string_equal(self->err, "");
}

static void what_is_not_there_or_not_meant_is_said(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", ">");
    REFUSED(self, 66, "no group nobody", "dead", "ls", "nobody");
    REFUSED(self, 66, "no group nobody", "dead", "redrive", "nobody");
    REFUSED(self, 66, "no dead letter 17", "dead", "show", "g", "17");
    REFUSED(self, 65, "pattern", "dead", "ls", "g", "--topic", "a..b");
    REFUSED(self, 64, "offset", "dead", "show", "g", "x");
    REFUSED(self, 64, "--reason takes", "dead", "purge", "g", "--reason", "bored");
    REFUSED(self, 64, "--since takes", "dead", "purge", "g", "--since", "yesterday");
    REFUSED(self, 64, "GROUP", "dead", "ls");
    REFUSED(self, 64, "GROUP OFFSET", "dead", "show", "g");
    REFUSED(self, 64, "--rate", "dead", "purge", "g", "--rate", "5");
    REFUSED(self, 64, "--rate", "dead", "redrive", "g", "--rate", "0");
    REFUSED(self, 64, "ls | show | redrive | purge", "dead", "bury", "g");
    REFUSED(self, 64, "ls | show | redrive | purge", "dead");
    DO(self, "dead", "--help");
    assert_non_null(strstr(self->out, "usage: fob dead ls"));
    process_destroy(&self->bus);
    REFUSED(self, 69, "cannot reach the bus", "dead", "ls", "g", "--connect-timeout", "200ms");
}

static void a_rate_spreads_a_redrive_over_time(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", ">");
    reject_all(self, "a", 30);
    long long begun = process_clock();
    DO(self, "dead", "redrive", "g", "--rate", "20");
    /* Pages of five: the last of six is due after 25 are paid for. */
    assert_in_range(process_clock() - begun, 1250, WAIT_MS);
    assert_int_equal(figure(self, "g", "ready"), 30);
}

/* --- a bus that dies in the middle --- */

/* MANY dead letters of group g, by a worker that rejects all it gets at once. */
static void many_letters(cmd_t *self) {
    uint64_t offset, token;
    DO(self, "group", "add", "g", "t");
    publish(self, "t", MANY);
    dealer_t *worker = dealer_new(process_bus(self->port));
    dealer_greet(worker, "worker", 1);
    dealer_answer_beats(worker);
    dealer_join(worker, "g", "t", MANY);
    dealer_deliveries(worker, MANY, &offset, &token);
    dealer_settle(worker, "g", 1, FOB_KIND_REJECT, offset, MANY, token);
    assert_int_equal(dealer_expect(worker, FOB_VERB_SETTLED)->refused.size, 0);
    dealer_goodbye(worker);
    dealer_destroy(&worker);
    assert_int_equal(figure(self, "g", "dead"), MANY);
}

/* Each event comes to a worker exactly once, as if it had never been tried. */
static void each_is_back_once(cmd_t *self) {
    static bool seen[MANY + 1];
    char count[16];
    memset(seen, 0, sizeof seen);
    snprintf(count, sizeof count, "%d", MANY);
    DO(self, "work", "g", "t", "--count", count, "-q");
    for (char *line = strtok(self->out, "\n"); line; line = strtok(NULL, "\n")) {
        json_t *event = parse(line);
        json_int_t offset = number(event, "offset");
        assert_in_range(offset, 1, MANY);
        if (seen[offset])
            fail_msg("offset %d came twice", (int)offset);
        seen[offset] = true;
        assert_int_equal(number(event, "attempt"), 1);
        json_decref(event);
    }
    for (unsigned i = 1; i <= MANY; i++)
        assert_true(seen[i]);
    assert_int_equal(figure(self, "g", "acked"), MANY);
    assert_int_equal(figure(self, "g", "accepted"), MANY);
}

static void a_redrive_survives_a_bus_that_is_killed_in_the_middle(void **state) {
    cmd_t *self = *state;
    char *folder = process_folder();
    process_destroy(&self->bus);
    self->bus = process_serve(self->port, "--data", folder, NULL);
    many_letters(self);
    process_t *redrive = process_fob("dead", "redrive", "g", "--rate", "200", NULL);
    long long until = process_clock() + WAIT_MS;
    while (figure(self, "g", "ready") < MANY / 20)
        assert_true(process_clock() < until);
    process_signal(self->bus, SIGKILL);
    process_wait(self->bus, WAIT_MS);
    process_destroy(&self->bus);
    self->bus = process_serve(self->port, "--data", folder, NULL);
    json_int_t left = figure(self, "g", "dead");
    assert_in_range(left, 1, MANY - MANY / 20); /* it was in the middle */
    if (process_wait(redrive, PACE_PATIENCE) != 0)
        fail_msg("%s", process_line(redrive, PROCESS_ERR, 0));
    const char *line = process_line(redrive, PROCESS_ERR, 0);
    assert_non_null(strstr(line, "redriven 2000 of 2000 dead letters"));
    process_destroy(&redrive);
    assert_int_equal(figure(self, "g", "dead"), 0);
    each_is_back_once(self);
    process_destroy(&self->bus);
    process_folder_remove(&folder);
}

static void a_bus_that_stays_away_is_told_with_how_far_it_came(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", ">");
    reject_all(self, "a", 40);
    process_t *redrive = process_fob("dead", "redrive", "g", "--rate", "4", "--connect-timeout",
                                     pace_option(2000), NULL);
    long long until = process_clock() + WAIT_MS;
    while (figure(self, "g", "ready") < 2)
        assert_true(process_clock() < until);
    process_destroy(&self->bus);
    assert_int_equal(process_wait(redrive, WAIT_MS), 69);
    assert_non_null(strstr(process_line(redrive, PROCESS_ERR, 0), "of 40 dead letters"));
    process_destroy(&redrive);
}

FOB_MAIN(FOB_CASE_WITH(a_handler_that_always_fails_leaves_a_letter_that_comes_back_once, set_up,
                       tear_down),
         FOB_CASE_WITH(filters_choose_letters, set_up, tear_down),
         FOB_CASE_WITH(a_table_is_for_eyes, set_up, tear_down),
         FOB_CASE_WITH(what_a_worker_said_is_shown_whatever_its_bytes, set_up, tear_down),
         FOB_CASE_WITH(dry_runs_count_and_change_nothing, set_up, tear_down),
         FOB_CASE_WITH(purge_removes_what_matches, set_up, tear_down),
         FOB_CASE_WITH(what_is_not_there_or_not_meant_is_said, set_up, tear_down),
         FOB_CASE_WITH(a_rate_spreads_a_redrive_over_time, set_up, tear_down),
         FOB_CASE_WITH(a_redrive_survives_a_bus_that_is_killed_in_the_middle, set_up, tear_down),
         FOB_CASE_WITH(a_bus_that_stays_away_is_told_with_how_far_it_came, set_up, tear_down))
