/* fob pub --lines: a stream of events. */
#include "tests/integration/cmd.h"

static void each_line_is_sent_as_it_arrives(void **state) {
    process_t *pub = process_fob("pub", "t", "--lines", "--json", NULL);
    (void)state;
    /* The first line is answered although the second is not whole and the pipe stays open. */
    assert_true(process_puts(pub, "{\"n\":1}\n{\"n\""));
    json_t *receipt = parse(process_line(pub, PROCESS_OUT, WAIT_MS));
    assert_int_equal(number(receipt, "offset"), 1);
    json_decref(receipt);
    assert_true(process_puts(pub, ":2}\n"));
    receipt = parse(process_line(pub, PROCESS_OUT, WAIT_MS));
    assert_int_equal(number(receipt, "offset"), 2);
    json_decref(receipt);
    process_close_input(pub);
    assert_int_equal(process_wait(pub, WAIT_MS), 0);
    process_destroy(&pub);
}

static void receipts_come_in_the_order_of_the_input(void **state) {
    cmd_t *self = *state;
    char *input = malloc(20000 * 16), *at = input;
    assert_non_null(input);
    for (int i = 1; i <= 20000; i++)
        at += sprintf(at, "{\"i\":\"%d\"}\n", i);
    process_t *pub = process_fob("pub", "t", "--lines", "--json", "--id-from", "/i", NULL);
    const char *line = NULL;
    size_t sent = 0, size = (size_t)(at - input);
    for (int i = 1; i <= 20000; i++) {
        char id[32];
        if (sent < size) {                     /* all of it is more than the pipes hold */
            size_t part = i == 1 ? 30000 : 14; /* well ahead, then a line for a receipt */
            part = size - sent < part ? size - sent : part;
            assert_true(process_write(pub, input + sent, part));
            sent += part;
            if (sent == size)
                process_close_input(pub);
        }
        line = process_line(pub, PROCESS_OUT, WAIT_MS);
        assert_non_null(line);
        snprintf(id, sizeof id, "\"id\":\"%d\"", i);
        if (!strstr(line, id))
            fail_msg("receipt %d is %s", i, line);
    }
    assert_int_equal(process_wait(pub, WAIT_MS), 0);
    process_destroy(&pub);
    free(input);
    DO(self, "stats", "--json");
    json_t *stats = parse(self->out);
    assert_int_equal(number(json_object_get(stats, "bus"), "events_in"), 20000);
    json_decref(stats);
}

static void a_line_that_is_not_json_is_named_and_those_before_it_are_stored(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "g", "t");
    assert_int_equal(RUN_WITH(self, "1\n2\n\n{\"bad\n5\n", "pub", "t", "--lines"), 65);
    assert_non_null(strstr(self->err, "line 4: "));
    assert_non_null(strstr(self->err, "not JSON"));
    await_figure(self, "g", "accepted", 2);
}

static void words_are_not_json_lines_but_text_is_text(void **state) {
    cmd_t *self = *state;
    assert_int_equal(RUN_WITH(self, "hello\n", "pub", "t", "--lines"), 65);
    process_t *sub = subscriber("t", NULL);
    assert_int_equal(RUN_WITH(self, "hello\n\nworld", "pub", "t", "--lines", "--text"), 0);
    static const char *const expected[] = {"hello", "", "world"};
    for (int i = 0; i < 3; i++) {
        json_t *event = parse(process_line(sub, PROCESS_OUT, WAIT_MS));
        assert_string_equal(text(event, "data"), expected[i]);
        json_decref(event);
    }
    process_destroy(&sub);
}

static void a_line_over_the_limit_is_named(void **state) {
    cmd_t *self = *state;
    char *input = malloc(1200000);
    assert_non_null(input);
    strcpy(input, "1\n\"");
    memset(input + 3, 'x', 1100000);
    strcpy(input + 3 + 1100000, "\"\n3\n");
    DO(self, "group", "add", "g", "t");
    assert_int_equal(RUN_WITH(self, input, "pub", "t", "--lines"), 65);
    assert_non_null(strstr(self->err, "line 2: TOO_LARGE: it has 1100005 bytes of data"));
    assert_non_null(strstr(self->err, "1000000 (its max_event)"));
    free(input);
    await_figure(self, "g", "accepted", 1);
}

static void an_endless_line_does_not_take_all_memory(void **state) {
    cmd_t *self = *state;
    process_t *pub = process_fob("pub", "t", "--lines", NULL);
    char *piece = malloc(1 << 20);
    assert_non_null(piece);
    memset(piece, 'x', 1 << 20);
    (void)self;
    for (int i = 0; i < 200 && process_write(pub, piece, 1 << 20); i++)
        ;
    free(piece);
    assert_int_equal(process_wait(pub, WAIT_MS), 65);
    assert_non_null(process_line_with(pub, PROCESS_ERR, "line 1: TOO_LARGE", WAIT_MS));
    process_destroy(&pub);
}

static void await_receipt(process_t *pub, int offset) {
    json_t *receipt = parse(process_line(pub, PROCESS_OUT, PACE_PATIENCE));
    assert_int_equal(number(receipt, "offset"), offset);
    json_decref(receipt);
}

static void the_bus_may_be_killed_and_come_back_on_the_way(void **state) {
    cmd_t *self = *state;
    char *folder = process_folder();
    process_destroy(&self->bus);
    self->bus = process_serve(self->port, "--data", folder, NULL);
    DO(self, "group", "add", "g", "t");
    process_t *pub = process_fob("pub", "t", "--lines", "--json", NULL);
    for (int i = 1; i <= 300; i++) {
        char line[32];
        snprintf(line, sizeof line, "%d\n", i);
        assert_true(process_puts(pub, line));
        if (i == 1) /* a bus that it never reached it would not wait for so long */
            await_receipt(pub, 1);
        if (i % 100 == 50) {
            process_destroy(&self->bus);
            self->bus = process_serve(self->port, "--data", folder, NULL);
        }
    }
    process_close_input(pub);
    for (int i = 2; i <= 300; i++)
        await_receipt(pub, i);
    assert_int_equal(process_wait(pub, WAIT_MS), 0);
    process_destroy(&pub);
    await_figure(self, "g", "accepted", 300);
    process_destroy(&self->bus);
    process_folder_remove(&folder);
}

static void a_bus_that_stays_away_ends_it_at_the_deadline_with_the_line(void **state) {
    cmd_t *self = *state;
    process_t *pub =
        process_fob("pub", "t", "--lines", "--json", "--deadline", pace_option(2000), NULL);
    assert_true(process_puts(pub, "1\n"));
    assert_non_null(process_line(pub, PROCESS_OUT, WAIT_MS));
    process_destroy(&self->bus);
    assert_true(process_puts(pub, "2\n"));
    assert_int_equal(process_wait(pub, WAIT_MS), 69);
    assert_non_null(process_line_with(pub, PROCESS_ERR, "line 2: ", WAIT_MS));
    process_destroy(&pub);
}

/* In a window of lines under way, one is refused until its deadline: no line after it may slip in.
 */
static void a_full_bus_ends_it_with_75_and_stores_no_later_line(void **state) {
    cmd_t *self = *state;
    char *folder = process_folder(), *name = malloc(strlen(folder) + 16),
         *input = malloc(5000 * 1100);
    assert_true(name && input);
    sprintf(name, "%s/fob.conf", folder);
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs("max_disk = \"1MiB\"\nmax_bytes = 100%\n", file); /* the disk is to be full first */
    fclose(file);
    process_destroy(&self->bus);
    self->bus = process_serve(self->port, "--memory", "--config", name, NULL);
    DO(self, "group", "add", "g", "t");
    char *at = input;
    for (int i = 0; i < 3000; i++)
        at += sprintf(at, "\"%01000d\"\n", i);
    process_t *pub = process_fob("pub", "t", "--lines", "--deadline", pace_option(2000), NULL);
    process_write(pub, input, (size_t)(at - input)); /* it stops reading on the way */
    assert_int_equal(process_wait(pub, WAIT_MS), 75);
    const char *line = process_line_with(pub, PROCESS_ERR, "DISK_FULL", WAIT_MS);
    assert_non_null(line);
    json_int_t failed = strtoll(strstr(line, "line ") + 5, NULL, 10);
    assert_true(failed > 1);
    assert_int_equal(figure(self, "g", "accepted"), failed - 1);
    process_destroy(&pub);
    free(input);
    free(name);
    process_folder_remove(&folder);
}

FOB_MAIN(FOB_CASE_WITH(each_line_is_sent_as_it_arrives, set_up, tear_down),
         FOB_CASE_WITH(receipts_come_in_the_order_of_the_input, set_up, tear_down),
         FOB_CASE_WITH(a_line_that_is_not_json_is_named_and_those_before_it_are_stored, set_up,
                       tear_down),
         FOB_CASE_WITH(words_are_not_json_lines_but_text_is_text, set_up, tear_down),
         FOB_CASE_WITH(a_line_over_the_limit_is_named, set_up, tear_down),
         FOB_CASE_WITH(a_full_bus_ends_it_with_75_and_stores_no_later_line, set_up, tear_down),
         FOB_CASE_WITH(an_endless_line_does_not_take_all_memory, set_up, tear_down),
         FOB_CASE_WITH(the_bus_may_be_killed_and_come_back_on_the_way, set_up, tear_down),
         FOB_CASE_WITH(a_bus_that_stays_away_ends_it_at_the_deadline_with_the_line, set_up,
                       tear_down))
