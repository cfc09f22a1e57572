/* fob journal backup: of a bus under load. */
#include "crash_kit.h"
#include "tests/support/stand.h"

#include <signal.h>
#include <stdlib.h>

/* The highest offset that a file of receipts tells. */
static long long confirmed(const char *path) {
    char *text = stand_read(path);
    long long last = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        const char *at = strstr(line, "\"offset\":");
        if (at && strchr(at, '}'))
            last = atoll(at + 9);
    }
    free(text);
    return last;
}

static json_int_t epoch_of(int port) {
    char *out = NULL;
    assert_int_equal(
        process_run_fob(NULL, &out, NULL, "stats", "--json", "--bus", process_bus(port), NULL), 0);
    json_t *root = json_loads(out, 0, NULL);
    json_int_t epoch = json_integer_value(json_object_get(json_object_get(root, "bus"), "epoch"));
    json_decref(root);
    free(out);
    return epoch;
}

/* Serves the copy: what was confirmed before it was begun is there, under another epoch. */
static void check_copy(const stand_t *stand, const char *copy, long long least) {
    events_t old, copied;
    events_read(&copied, copy);
    assert_true((long long)copied.last >= least);
    for (long long offset = 1; offset <= least; offset++)
        assert_true(copied.digests[offset] != 0);
    int port = process_port();
    process_t *bus = process_serve(port, "--data", copy, NULL);
    assert_true(epoch_of(port) != epoch_of(stand->port));
    process_signal(bus, SIGTERM);
    assert_int_equal(process_wait(bus, PACE_PATIENCE), 0);
    process_destroy(&bus);
    events_read(&old, copy);
    assert_int_equal(events_within(&copied, &old), copied.last);
    events_free(&old);
    events_free(&copied);
}

static void of_a_bus_under_load_it_is_whole_and_has_all_that_was_confirmed(void **state) {
    (void)state;
    stand_t stand;
    /* Small segments, so that they are made and given back meanwhile. */
    stand_start_with(&stand, "max_disk = 24MiB\nretain = 1s\nretain_bytes = 64KiB\n", NULL);
    char *receipts = stand_path(&stand, "receipts"), *handled = stand_path(&stand, "handled");
    free(stand_do("group", "add", "keeper", ">", NULL));
    process_t *worker = stand_fob_to(handled, "work billing order --json");
    stand_await_workers(&stand, 1);
    process_t *pub = stand_fob_to(receipts, "pub order --lines --json");
    char line[300];
    size_t n = 0;
    for (unsigned copies = 0; copies < 3; copies++) {
        char name[24];
        for (size_t to = n + 8000; n < to; n++) {
            snprintf(line, sizeof line, "{\"n\":%zu,\"p\":\"%0100d\"}\n", n, 0);
            assert_true(process_puts(pub, line));
        }
        snprintf(name, sizeof name, "copy%u", copies);
        char *copy = stand_path(&stand, name);
        long long least = confirmed(receipts);
        process_t *backup = process_fob("journal", "backup", copy, "--data", stand.data, NULL);
        for (size_t most = n + 20000; process_wait(backup, 0) == -1;) {
            /* A slow backup is not to fill the disk. */
            for (unsigned i = 0; i < 100 && n < most; i++, n++) {
                snprintf(line, sizeof line, "{\"n\":%zu,\"p\":\"%0100d\"}\n", n, 0);
                assert_true(process_puts(pub, line));
            }
            stand_pace(process_clock() + (n == most));
        }
        char *err = process_rest(backup, PROCESS_ERR, NULL, PACE_PATIENCE);
        if (process_wait(backup, 0) != 0)
            fail_msg("%s", err);
        free(err);
        process_destroy(&backup);
        check_copy(&stand, copy, least);
        free(copy);
    }
    process_close_input(pub);
    assert_int_equal(process_wait(pub, PACE_PATIENCE), 0);
    process_destroy(&pub);
    process_destroy(&worker);
    free(receipts);
    free(handled);
    stand_end(&stand);
}

static void of_a_damaged_folder_it_is_refused_with_the_place(void **state) {
    (void)state;
    folder_t folder;
    size_t count;
    folder_golden(&folder);
    commit_t *all = folder_commits(&folder, &count);
    folder_flip(&folder, all[5].name, all[5].at + 90, 1);
    free(all);
    char *copy = folder_beside(&folder, "copy"), *err = NULL;
    assert_int_equal(
        process_run_fob(NULL, NULL, &err, "journal", "backup", copy, "--data", folder.path, NULL),
        73);
    assert_non_null(strstr(err, "damaged"));
    free(err);
    err = NULL;
    assert_int_equal(process_run_fob(NULL, NULL, &err, "journal", "verify", copy, NULL),
                     73); /* not there */
    free(err);
    free(copy);
    folder_free(&folder);
}

FOB_MAIN(FOB_CASE(of_a_bus_under_load_it_is_whole_and_has_all_that_was_confirmed),
         FOB_CASE(of_a_damaged_folder_it_is_refused_with_the_place))
