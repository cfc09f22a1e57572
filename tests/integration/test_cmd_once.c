/* fob work --once-store: a command runs once a key, whoever dies. */
#include "tests/integration/cmd.h"

#include <fcntl.h>
#include <sys/stat.h>

typedef struct {
    cmd_t *cmd;
    char *folder;
    char store[4200], log[4200], go[4200];
} once_t;

static int set_up_once(void **state) {
    once_t *self = calloc(1, sizeof *self);
    void *cmd = NULL;
    if (!self || set_up(&cmd) != 0)
        return -1;
    self->cmd = cmd;
    self->folder = process_folder();
    snprintf(self->store, sizeof self->store, "%s/store", self->folder);
    snprintf(self->log, sizeof self->log, "%s/log", self->folder);
    snprintf(self->go, sizeof self->go, "%s/go", self->folder);
    setenv("LOG", self->log, 1);
    setenv("GO", self->go, 1);
    *state = self;
    return 0;
}

static int tear_down_once(void **state) {
    once_t *self = *state;
    void *cmd = self->cmd;
    process_folder_remove(&self->folder);
    free(self);
    return tear_down(&cmd);
}

/* How often a line is in the log. */
static int logged(const once_t *self, const char *line) {
    char text[256];
    int count = 0;
    FILE *log = fopen(self->log, "r");
    while (log && fgets(text, sizeof text, log)) {
        text[strcspn(text, "\n")] = '\0';
        count += strcmp(text, line) == 0;
    }
    if (log)
        fclose(log);
    return count;
}

static void await_logged(const once_t *self, const char *line, int count) {
    long long until = process_clock() + 2LL * WAIT_MS;
    while (logged(self, line) < count)
        if (process_clock() > until)
            fail_msg("\"%s\" is there %d times, not %d", line, logged(self, line), count);
}

static void let_go(const once_t *self) {
    int fd = open(self->go, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
}

/* A worker of the group g, of the bus at `port`. */
static process_t *worker(const once_t *self, int port, const char *jobs, const char *script) {
    process_t *work =
        process_fob("work", "g", "t", "--bus", process_bus(port), "-v", "--jobs", jobs,
                    "--once-store", self->store, "--", "sh", "-c", script, NULL);
    if (!process_line_with(work, PROCESS_ERR, "the group g", WAIT_MS))
        fail_msg("it did not join");
    return work;
}

static void end(process_t **work) {
    process_signal(*work, SIGTERM);
    assert_int_equal(process_wait(*work, WAIT_MS), 0);
    process_destroy(work);
}

#define NOTE "echo \"$FOB_ID\" >> \"$LOG\""
#define WAIT "while [ ! -e \"$GO\" ]; do sleep 0.05; done"

/* The same id reaches the group a second time by way of another bus: the store is the same. */
static void what_was_done_before_is_acked_without_a_run(void **state) {
    once_t *self = *state;
    cmd_t *cmd = self->cmd;
    DO(cmd, "group", "add", "g", "t");
    DO(cmd, "pub", "t", "1", "--id", "order-1");
    DO(cmd, "work", "g", "t", "--count", "1", "--once-store", self->store, "--", "sh", "-c", NOTE);
    process_destroy(&cmd->bus);
    cmd->bus = process_serve(cmd->port, "--memory", NULL);
    DO(cmd, "group", "add", "g", "t");
    DO(cmd, "pub", "t", "1", "--id", "order-1");
    DO(cmd, "pub", "t", "1", "--id", "order-2");
    DO(cmd, "work", "g", "t", "--count", "2", "-v", "--once-store", self->store, "--", "sh", "-c",
       NOTE);
    assert_non_null(strstr(cmd->err, "order-1, attempt 1: done before"));
    assert_null(strstr(cmd->err, "order-2, attempt 1: done before"));
    assert_int_equal(logged(self, "order-1"), 1);
    assert_int_equal(logged(self, "order-2"), 1);
    assert_int_equal(figure(cmd, "g", "acked"), 2);
}

static void the_same_place_of_another_bus_is_another_event(void **state) {
    once_t *self = *state;
    cmd_t *cmd = self->cmd;
    for (int i = 1; i <= 2; i++) {
        DO(cmd, "group", "add", "g", "t");
        DO(cmd, "pub", "t", "1");
        DO(cmd, "work", "g", "t", "--count", "1", "--once-store", self->store, "--", "sh", "-c",
           NOTE);
        assert_int_equal(logged(self, "0-1"), i);
        process_destroy(&cmd->bus);
        cmd->bus = process_serve(cmd->port, "--memory", NULL);
    }
}

static void groups_do_each_key_for_themselves(void **state) {
    once_t *self = *state;
    cmd_t *cmd = self->cmd;
    DO(cmd, "group", "add", "g", "t");
    DO(cmd, "group", "add", "h", "t");
    DO(cmd, "pub", "t", "1", "--id", "order-1");
    DO(cmd, "work", "g", "t", "--count", "1", "--once-store", self->store, "--", "sh", "-c", NOTE);
    DO(cmd, "work", "h", "t", "--count", "1", "--once-store", self->store, "--", "sh", "-c", NOTE);
    assert_int_equal(logged(self, "order-1"), 2);
}

static void what_failed_runs_again_until_it_is_done(void **state) {
    once_t *self = *state;
    cmd_t *cmd = self->cmd;
    DO(cmd, "group", "add", "g", "t");
    DO(cmd, "pub", "t", "1", "--id", "order-1");
    process_t *work = worker(self, cmd->port, "1", NOTE "; [ $FOB_ATTEMPT -ge 2 ]");
    await_figure(cmd, "g", "acked", 1);
    end(&work);
    assert_int_equal(logged(self, "order-1"), 2);
}

static void what_another_worker_is_at_is_released(void **state) {
    once_t *self = *state;
    cmd_t *cmd = self->cmd;
    int other = process_port();
    process_t *bus = process_serve(other, "--memory", NULL);
    process_t *a = worker(self, cmd->port, "1", NOTE "; " WAIT);
    process_t *b = worker(self, other, "1", NOTE);
    DO(cmd, "pub", "t", "1", "--id", "order-1");
    await_logged(self, "order-1", 1);
    DO(cmd, "pub", "t", "1", "--id", "order-1", "--bus", process_bus(other));
    assert_non_null(
        process_line_with(b, PROCESS_ERR, "order-1, attempt 1: another command is at it", WAIT_MS));
    let_go(self);
    assert_non_null(
        process_line_with(b, PROCESS_ERR, "done before: acked without running", WAIT_MS));
    await_figure(cmd, "g", "acked", 1);
    end(&a);
    end(&b);
    process_destroy(&bus);
    assert_int_equal(logged(self, "order-1"), 1);
}

/* Events 1 to 5 are done when the worker is killed; it is at 6 and 7, whose commands would run on
 * as orphans if they did not end with it. */
static void a_worker_killed_in_the_middle_runs_each_command_to_its_end_once(void **state) {
    once_t *self = *state;
    cmd_t *cmd = self->cmd;
    static const char script[] =
        "echo \"begin $FOB_OFFSET\" >> \"$LOG\"; case $FOB_OFFSET in 6|7) " WAIT
        ";; esac; echo \"end $FOB_OFFSET\" >> \"$LOG\"";
    char line[32];
    process_t *first = worker(self, cmd->port, "2", script);
    for (int i = 1; i <= 20; i++) {
        sprintf(line, "%d", i);
        DO(cmd, "pub", "t", line);
    }
    await_logged(self, "begin 6", 1);
    await_logged(self, "begin 7", 1);
    process_signal(first, SIGKILL);
    process_wait(first, WAIT_MS);
    process_t *second = worker(self, cmd->port, "2", script);
    await_logged(self, "begin 6", 2);
    let_go(self);
    await_figure(cmd, "g", "acked", 20);
    end(&second);
    process_destroy(&first);
    for (int i = 1; i <= 20; i++) {
        sprintf(line, "end %d", i);
        if (logged(self, line) != 1)
            fail_msg("\"%s\" is there %d times", line, logged(self, line));
    }
}

static void a_store_that_is_damaged_is_73_with_a_sentence(void **state) {
    once_t *self = *state;
    char path[4300];
    assert_int_equal(mkdir(self->store, 0700), 0);
    snprintf(path, sizeof path, "%s/data.mdb", self->store);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("no such store", file);
    fclose(file);
    REFUSED(self->cmd, 73, "move the folder away", "work", "g", "t", "--once-store", self->store,
            "--", "true");
}

static void without_a_command_it_is_a_usage_error(void **state) {
    once_t *self = *state;
    REFUSED(self->cmd, 64, "is for a COMMAND", "work", "g", "t", "--once-store", self->store);
}

static void a_command_that_cannot_be_started_gives_its_key_back(void **state) {
    once_t *self = *state;
    cmd_t *cmd = self->cmd;
    char path[4300];
    snprintf(path, sizeof path, "%s/no-program", self->folder);
    FILE *file = fopen(path, "w"); /* may be executed, and cannot be */
    fputs("no script, and no program", file);
    fclose(file);
    assert_int_equal(chmod(path, 0755), 0);
    DO(cmd, "group", "add", "g", "t");
    DO(cmd, "pub", "t", "1", "--id", "order-1");
    assert_int_equal(RUN(cmd, "work", "g", "t", "--once-store", self->store, "--", path), 71);
    assert_non_null(strstr(cmd->err, "cannot run"));
    DO(cmd, "work", "g", "t", "--count", "1", "--once-store", self->store, "--", "sh", "-c", NOTE);
    assert_int_equal(logged(self, "order-1"), 1);
}

FOB_MAIN(FOB_CASE_WITH(what_was_done_before_is_acked_without_a_run, set_up_once, tear_down_once),
         FOB_CASE_WITH(the_same_place_of_another_bus_is_another_event, set_up_once, tear_down_once),
         FOB_CASE_WITH(groups_do_each_key_for_themselves, set_up_once, tear_down_once),
         FOB_CASE_WITH(what_failed_runs_again_until_it_is_done, set_up_once, tear_down_once),
         FOB_CASE_WITH(what_another_worker_is_at_is_released, set_up_once, tear_down_once),
         FOB_CASE_WITH(a_worker_killed_in_the_middle_runs_each_command_to_its_end_once, set_up_once,
                       tear_down_once),
         FOB_CASE_WITH(a_store_that_is_damaged_is_73_with_a_sentence, set_up_once, tear_down_once),
         FOB_CASE_WITH(without_a_command_it_is_a_usage_error, set_up_once, tear_down_once),
         FOB_CASE_WITH(a_command_that_cannot_be_started_gives_its_key_back, set_up_once,
                       tear_down_once))
