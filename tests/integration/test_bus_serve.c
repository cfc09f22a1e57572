#include "tests/support/case.h"
#include "tests/support/process.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* Runs `fob serve ...` to its end, which must be with that code and those words on standard error.
 */
#define REFUSED(code, words, ...)                                                                  \
    do {                                                                                           \
        char *err;                                                                                 \
        assert_int_equal(process_run_fob(NULL, NULL, &err, "serve", __VA_ARGS__, NULL), code);     \
        if (!strstr(err, words))                                                                   \
            fail_msg("\"%s\" says nothing of \"%s\"", err, words);                                 \
        free(err);                                                                                 \
    } while (0)

static const char *port_text(int port) {
    static char text[16];
    snprintf(text, sizeof text, "%d", port);
    return text;
}

static void it_says_one_line_when_it_is_ready(void **state) {
    (void)state;
    char *folder = process_folder(), expected[512];
    int port = process_port();
    process_t *bus = process_fob("serve", "--port", port_text(port), "--data", folder, NULL);
    snprintf(expected, sizeof expected,
             "fob " FOB_VERSION_STRING " ready: tcp://127.0.0.1:%d, data %s, sync always", port,
             folder);
    assert_string_equal(process_line(bus, PROCESS_OUT, PACE_PATIENCE), expected);
    process_destroy(&bus);
    process_folder_remove(&folder);
}

static void a_signal_ends_it_within_seconds(int signal_number) {
    char *folder = process_folder();
    process_t *bus = process_serve(process_port(), "--data", folder, NULL);
    long long start = process_clock();
    process_signal(bus, signal_number);
    assert_int_equal(process_wait(bus, PACE_PATIENCE), 0);
    assert_false(process_late(process_clock() - start, 20000, process_lag()));
    process_destroy(&bus);
    process_folder_remove(&folder);
}

static void sigterm_ends_it_with_0(void **state) {
    (void)state;
    a_signal_ends_it_within_seconds(SIGTERM);
}

static void sigint_ends_it_with_0(void **state) {
    (void)state;
    a_signal_ends_it_within_seconds(SIGINT);
}

static void under_nohup_a_hang_up_does_not_end_it(void **state) {
    (void)state;
    const char *argv[] = {"nohup",  getenv("FOB_BINARY"),      "serve", "--memory",
                          "--port", port_text(process_port()), NULL};
    process_t *bus = process_spawn(argv);
    assert_non_null(process_line_with(bus, PROCESS_OUT, "ready", PACE_PATIENCE));
    process_signal(bus, SIGHUP);
    assert_int_equal(process_wait(bus, 500), -1);
    process_signal(bus, SIGTERM);
    assert_int_equal(process_wait(bus, PACE_PATIENCE), 0);
    process_destroy(&bus);
}

static void a_port_in_use_is_71_and_named(void **state) {
    (void)state;
    int port = process_port();
    process_t *bus = process_serve(port, "--memory", NULL);
    REFUSED(71, port_text(port), "--memory", "--port", port_text(port));
    process_destroy(&bus);
}

static void a_folder_in_use_is_73_and_named(void **state) {
    (void)state;
    char *folder = process_folder(), other[16];
    process_t *bus = process_serve(process_port(), "--data", folder, NULL);
    snprintf(other, sizeof other, "%d", process_port());
    REFUSED(73, folder, "--data", folder, "--port", other);
    process_destroy(&bus);
    process_folder_remove(&folder);
}

/* `kill -9 ...; fob serve ...`: the old one's lock and ports may outlive it by a moment. */
static void a_bus_that_is_on_its_way_out_is_waited_for(void **state) {
    (void)state;
    char *folder = process_folder();
    int port = process_port();
    process_t *old = process_serve(port, "--data", folder, NULL);
    process_t *bus = process_fob("serve", "--data", folder, "--port", port_text(port), NULL);
    process_signal(old, SIGKILL);
    assert_non_null(process_line_with(bus, PROCESS_OUT, "ready", PACE_PATIENCE));
    process_signal(bus, SIGTERM);
    assert_int_equal(process_wait(bus, PACE_PATIENCE), 0);
    process_destroy(&bus);
    process_destroy(&old);
    process_folder_remove(&folder);
}

static void a_config_error_is_78_with_file_and_line(void **state) {
    (void)state;
    char *folder = process_folder(), path[512], where[600];
    snprintf(path, sizeof path, "%s/fob.cfg", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("# mine\nport = 7670\nretian = 5m\n", file);
    fclose(file);
    snprintf(where, sizeof where, "%s:3: ", path);
    REFUSED(78, where, "--memory", "--config", path);
    REFUSED(78, where, "--memory", "--check", "--config", path);
    process_folder_remove(&folder);
}

static void checking_settings_runs_nothing(void **state) {
    (void)state;
    char *folder = process_folder(), data[512];
    snprintf(data, sizeof data, "%s/data", folder);
    assert_int_equal(process_run_fob(NULL, NULL, NULL, "serve", "--check", "--data", data, NULL),
                     0);
    assert_int_not_equal(access(data, F_OK), 0);
    process_folder_remove(&folder);
}

static void folders_on_the_way_are_made(void **state) {
    (void)state;
    char *folder = process_folder(), data[512];
    snprintf(data, sizeof data, "%s/a/b/data", folder);
    process_t *bus = process_serve(process_port(), "--data", data, NULL);
    assert_int_equal(access(data, W_OK), 0);
    process_destroy(&bus);
    process_folder_remove(&folder);
}

static void an_open_address_must_be_meant(void **state) {
    (void)state;
    REFUSED(64, "--insecure", "--memory", "--bind", "0.0.0.0");
    REFUSED(64, "an address alone", "--memory", "--bind", "tcp://127.0.0.1:7670");
    REFUSED(64, "neither an address of this machine", "--memory", "--bind", "127.0.0.1x");
    process_t *bus =
        process_serve(process_port(), "--memory", "--bind", "0.0.0.0", "--insecure", NULL);
    process_destroy(&bus);
}

static void contradictions_are_usage_errors(void **state) {
    (void)state;
    REFUSED(64, "exclude", "--memory", "--data", "/tmp/x");
    REFUSED(64, "exclude", "--memory", "--sync", "os");
    REFUSED(64, "--data is empty", "--data", "");
    REFUSED(64, "sync", "--memory", "--sync", "sometimes");
    REFUSED(64, "--port", "--memory", "--port", "70000");
}

/* The soft limit on descriptors of a running process. */
static unsigned long soft_limit(pid_t pid) {
    char path[64], line[256];
    unsigned long soft = 0;
    snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "Max open files %lu", &soft) == 1)
            break;
    fclose(file);
    return soft;
}

static void the_limit_of_open_files_is_raised(void **state) {
    (void)state;
    char command[256];
    snprintf(command, sizeof command,
             "ulimit -Sn 64; exec \"$FOB_BINARY\" serve --memory --port %d", process_port());
    const char *const argv[] = {"sh", "-c", command, NULL};
    process_t *bus = process_spawn(argv);
    assert_non_null(process_line_with(bus, PROCESS_OUT, " ready: ", PACE_PATIENCE));
    assert_true(soft_limit(process_pid(bus)) > 64);
    process_destroy(&bus);
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void groups_of_the_config_are_made_and_kept(void **state) {
    (void)state;
    char *folder = process_folder(), path[512], data[512], *out;
    int port = process_port();
    snprintf(path, sizeof path, "%s/fob.cfg", folder);
    snprintf(data, sizeof data, "%s/data", folder);
    write_file(path, "groups\n    emails\n        pattern = order.*\n");
    for (int run = 0; run < 2; run++) { /* missing, then there */
        process_t *bus = process_serve(port, "--data", data, "--config", path, NULL);
        assert_int_equal(process_run_fob(NULL, &out, NULL, "group", "show", "emails", "--bus",
                                         process_bus(port), NULL),
                         0);
        assert_non_null(strstr(out, "order.*"));
        free(out);
        process_signal(bus, SIGTERM);
        assert_int_equal(process_wait(bus, PACE_PATIENCE), 0);
        process_destroy(&bus);
    }
    write_file(path, "groups\n    emails\n        pattern = shop.>\n");
    REFUSED(78, "order.*", "--data", data, "--port", port_text(port), "--config", path);
    REFUSED(78, "shop.>", "--data", data, "--port", port_text(port), "--config", path);
    process_folder_remove(&folder);
}

static char *shown(int port, const char *group) {
    char *out;
    assert_int_equal(
        process_run_fob(NULL, &out, NULL, "group", "show", group, "--bus", process_bus(port), NULL),
        0);
    return out;
}

static void check_shown(int port, const char *group, const char *line) {
    char *out = shown(port, group);
    if (!strstr(out, line))
        fail_msg("group show does not say \"%s\": %s", line, out);
    free(out);
}

static void settings_of_the_config_hold_from_each_start_on(void **state) {
    (void)state;
    char *folder = process_folder(), path[512], data[512];
    int port = process_port();
    snprintf(path, sizeof path, "%s/fob.cfg", folder);
    snprintf(data, sizeof data, "%s/data", folder);
    write_file(path, "max_attempts = 3\ngroups\n    emails\n        pattern = order.*\n"
                     "        max_depth = 500\n        lease = 30s\n");
    process_t *bus = process_serve(port, "--data", data, "--config", path, NULL);
    check_shown(port, "emails", "max_depth      500\n");
    check_shown(port, "emails", "lease          30s\n");
    check_shown(port, "emails", "max_attempts   3\n");
    assert_int_equal(process_run_fob(NULL, NULL, NULL, "group", "set", "emails", "max_depth=7",
                                     "backoff_max=1m", "--bus", process_bus(port), NULL),
                     0);
    process_signal(bus, SIGTERM);
    assert_int_equal(process_wait(bus, PACE_PATIENCE), 0);
    process_destroy(&bus);
    write_file(path, "max_attempts = 9\ngroups\n    emails\n        pattern = order.*\n"
                     "        max_depth = 500\n        overflow = drop-oldest\n");
    bus = process_serve(port, "--data", data, "--config", path, NULL);
    assert_non_null(process_line_with(
        bus, PROCESS_ERR,
        "group emails is set as the configuration says: max_depth=500 overflow=drop-oldest",
        PACE_PATIENCE));
    check_shown(port, "emails", "max_depth      500\n");
    check_shown(port, "emails", "overflow       drop-oldest\n");
    check_shown(port, "emails", "lease          30s\n"); /* no longer named: as it was */
    check_shown(port, "emails", "backoff_max    1m\n");
    check_shown(port, "emails", "max_attempts   3\n"); /* of new groups only */
    process_destroy(&bus);
    process_folder_remove(&folder);
}

static void a_group_that_is_not_there_is_named_with_what_to_do(void **state) {
    (void)state;
    int port = process_port();
    char *err;
    process_t *bus = process_serve(port, "--memory", NULL);
    assert_int_equal(
        process_run_fob(NULL, NULL, &err, "group", "rm", "nope", "--bus", process_bus(port), NULL),
        66);
    assert_non_null(strstr(err, "no group nope, nothing to remove"));
    free(err);
    assert_int_equal(process_run_fob(NULL, NULL, &err, "group", "show", "nope", "--bus",
                                     process_bus(port), NULL),
                     66);
    assert_non_null(strstr(err, "no group nope"));
    assert_non_null(strstr(err, "fob group ls"));
    free(err);
    process_destroy(&bus);
}

/* A hard limit too low: it says so, and serves. */
static void too_few_open_files_are_told(void **state) {
    (void)state;
    char command[256];
    snprintf(command, sizeof command,
             "ulimit -n 200; exec \"$FOB_BINARY\" serve --memory --port %d", process_port());
    const char *const argv[] = {"sh", "-c", command, NULL};
    process_t *bus = process_spawn(argv);
    assert_non_null(process_line_with(bus, PROCESS_OUT, " ready: ", PACE_PATIENCE));
    assert_non_null(process_line_with(bus, PROCESS_ERR, "ulimit -n", PACE_PATIENCE));
    process_destroy(&bus);
}

FOB_MAIN(FOB_CASE(groups_of_the_config_are_made_and_kept),
         FOB_CASE(settings_of_the_config_hold_from_each_start_on),
         FOB_CASE(a_group_that_is_not_there_is_named_with_what_to_do),
         FOB_CASE(too_few_open_files_are_told), FOB_CASE(it_says_one_line_when_it_is_ready),
         FOB_CASE(sigterm_ends_it_with_0), FOB_CASE(sigint_ends_it_with_0),
         FOB_CASE(under_nohup_a_hang_up_does_not_end_it), FOB_CASE(a_port_in_use_is_71_and_named),
         FOB_CASE(a_folder_in_use_is_73_and_named),
         FOB_CASE(a_bus_that_is_on_its_way_out_is_waited_for),
         FOB_CASE(a_config_error_is_78_with_file_and_line),
         FOB_CASE(checking_settings_runs_nothing), FOB_CASE(folders_on_the_way_are_made),
         FOB_CASE(an_open_address_must_be_meant), FOB_CASE(contradictions_are_usage_errors),
         FOB_CASE(the_limit_of_open_files_is_raised))
