/* What a running bus says on standard error before something is full. */
#include "tests/integration/cmd.h"

static void publish(cmd_t *self, int count) {
    char *lines = calloc((size_t)count, 4);
    assert_non_null(lines);
    for (int i = 0; i < count; i++)
        strcat(lines, "1\n");
    assert_int_equal(RUN_WITH(self, lines, "pub", "t", "--lines"), 0);
    free(lines);
}

static void check_line(cmd_t *self, const char *words) {
    if (!process_line_with(self->bus, PROCESS_ERR, words, WAIT_MS))
        fail_msg("the bus does not say \"%s\"", words);
}

static void a_group_near_its_limit_is_named_and_so_is_its_recovery(void **state) {
    cmd_t *self = *state;
    DO(self, "group", "add", "mailers", "t", "max_depth=10");
    publish(self, 8);
    check_line(self, "group mailers is 80% full (8 of 10 events, max_depth)");
    DO(self, "group", "purge", "mailers");
    check_line(self, "group mailers is below 70% again");
    publish(self, 9);
    check_line(self, "group mailers is 90% full");
}

static void a_disk_that_fills_is_told_with_the_group_that_holds_it(void **state) {
    cmd_t *self = *state;
    char *folder = process_folder(), config[512], *data = malloc(900001);
    process_destroy(&self->bus);
    snprintf(config, sizeof config, "%s/fob.cfg", folder);
    FILE *file = fopen(config, "w");
    assert_non_null(file);
    fputs("max_disk = 64MiB\nretain_bytes = 1MiB\nmax_bytes = 100%\n", file);
    fclose(file);
    self->bus = process_serve(self->port, "--memory", "--config", config, NULL);
    DO(self, "group", "add", "mailers", "t");
    assert_non_null(data);
    memset(data, 'x', 900000);
    data[900000] = 0;
    for (int i = 0; i < 60; i++)
        assert_int_equal(RUN_WITH(self, data, "pub", "t", "-", "--text"), 0);
    check_line(self, "group mailers holds");
    DO(self, "group", "purge", "mailers");
    check_line(self, "in the journal again");
    free(data);
    process_folder_remove(&folder);
}

FOB_MAIN(FOB_CASE_WITH(a_group_near_its_limit_is_named_and_so_is_its_recovery, set_up, tear_down),
         FOB_CASE_WITH(a_disk_that_fills_is_told_with_the_group_that_holds_it, set_up, tear_down))
