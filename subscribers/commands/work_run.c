#include "subscribers/commands/work_run.h"

#include "proto/cli/output.h"
#include "proto/cli/show.h"
#include "proto/cli/watch.h"
#include "proto/duration.h"
#include "subscribers/commands/handlers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_MS                                                                                   \
    100                /* how soon a signal is seen while the library waits, a lost lease while it \
                          is not listened to */
#define LINGER_MS 3000 /* for the last settles to be confirmed, after a signal */

typedef struct {
    const fob_work_t *what;
    const fob_cli_t *cli;
    fob_worker_t *worker;
    fob_handlers_t *handlers; /* NULL: to standard output */
    fob_firsts_t firsts;
    struct pollfd *fds;
    fob_watch_t watch;
    fob_buf_t out;
    uint64_t refused;
    bool closed; /* takes no more */
    bool deaf;   /* the worker's descriptor is not waited for this time */
    int code;
} loop_t;

static void show_whole(fob_buf_t *out, const fob_event_t *event) {
    fob_show_json(out, event);
    fob_buf_put(out, "\n", 1);
}

static void show_raw(fob_buf_t *out, const fob_event_t *event) {
    size_t size;
    const void *data = fob_event_data(event, &size);
    fob_buf_put(out, data, size);
}

/* --- joining --- */

static int fail_worker(loop_t *self, fob_status_t status) {
    char trouble[300] = "";
    fob_worker_trouble(self->worker, trouble, sizeof trouble);
    if (status == FOB_PATTERN_DIFFERS)
        return fob_fail(self->cli, FOB_EXIT_DATA,
                        "%s; to change it: \"fob group rm %s\", which drops what waits in it, then "
                        "\"fob group add %s '%s'\"",
                        *trouble ? trouble : fob_status_text(status), self->what->group,
                        self->what->group, self->what->pattern);
    return fob_fail_status(self->cli, status, trouble);
}

static void tell_created(const loop_t *self) {
    const fob_work_t *what = self->what;
    char begin[80] = "it gets what is published from now on";
    if (what->from.kind == FOB_WHEN_EARLIEST)
        snprintf(begin, sizeof begin, "it begins with all that is kept");
    else if (what->from.kind == FOB_WHEN_OFFSET)
        snprintf(begin, sizeof begin, "it begins with offset %" PRIu64, what->from.offset);
    else if (what->from.kind == FOB_WHEN_TIME) {
        fob_buf_t time = {0};
        if (fob_show_time(&time, what->from.time_ms) && !time.failed)
            snprintf(begin, sizeof begin, "it begins with what was stored at %.*s or later",
                     (int)time.size, (const char *)time.data);
        fob_buf_free(&time);
    }
    fob_note(self->cli, "made the group %s of %s: %s", what->group, what->pattern, begin);
}

static void tell_joined(const loop_t *self) {
    int64_t lease = fob_worker_lease_ms(self->worker);
    char bound[80] = "";
    if (lease > 0) {
        int at = snprintf(bound, sizeof bound, ": a handler may take ");
        fob_duration_text(lease, bound + at, sizeof bound - (size_t)at);
    }
    fob_note(self->cli, "joined the group %s%s", self->what->group, bound);
}

static int join(loop_t *self) {
    const fob_work_t *what = self->what;
    fob_worker_options_t options = FOB_WORKER_OPTIONS;
    int created = 0;
    options.bus = fob_cli_bus(self->cli);
    options.group = what->group;
    options.pattern = what->pattern;
    options.jobs = (uint32_t)what->jobs;
    options.prefetch = (uint32_t)(what->prefetch  ? what->prefetch
                                  : what->command ? 2 * what->jobs
                                                  : 0);
    options.count = what->count;
    options.temporary = what->temporary;
    options.connect_timeout_ms = self->cli->connect_timeout_ms;
    options.lease_ms = what->lease_ms;
    if (what->from.kind == FOB_WHEN_EARLIEST)
        options.from_offset = 1;
    else if (what->from.kind == FOB_WHEN_OFFSET)
        options.from_offset = what->from.offset;
    else if (what->from.kind == FOB_WHEN_TIME)
        options.from_time_ms = what->from.time_ms > 0 ? what->from.time_ms : 1;
    self->worker = fob_worker_new(&options);
    if (!self->worker)
        return fob_fail_status(self->cli, errno == EINVAL ? FOB_INVALID : FOB_NO_MEMORY, NULL);
    fob_status_t status = FOB_AGAIN;
    while (status == FOB_AGAIN && fob_stop_count() == 0)
        status = fob_worker_wait_ready(self->worker, SLICE_MS, &created);
    if (status != FOB_OK && status != FOB_AGAIN)
        return fail_worker(self, status);
    if (created)
        tell_created(self);
    else if (self->cli->verbose && status == FOB_OK)
        tell_joined(self);
    return FOB_EXIT_OK;
}

/* --- handling --- */

static void stop_taking(loop_t *self, int code) {
    if (self->code == FOB_EXIT_OK)
        self->code = code;
    self->closed = true;
    fob_worker_drain(self->worker);
}

/* Written and flushed, then acked: an event that nobody read is not done. */
static void print(loop_t *self, fob_event_t **event) {
    fob_buf_clear(&self->out);
    (self->what->raw ? show_raw : show_whole)(&self->out, *event);
    if (self->out.failed) {
        fob_worker_settle(self->worker, event, FOB_RELEASE);
        stop_taking(self, fob_fail_status(self->cli, FOB_NO_MEMORY, NULL));
        return;
    }
    fob_output_t result = fob_output(fob_buf_slice(&self->out));
    int error = errno;
    fob_worker_settle(self->worker, event, result == FOB_OUTPUT_OK ? FOB_ACK : FOB_RELEASE);
    if (result == FOB_OUTPUT_FAILED)
        stop_taking(self, fob_fail(self->cli, FOB_EXIT_IO, "cannot write to standard output: %s",
                                   strerror(error)));
    else if (result != FOB_OUTPUT_OK)
        stop_taking(self, FOB_EXIT_OK);
}

static bool has_room(const loop_t *self) {
    return !self->closed &&
           (!self->handlers || fob_handlers_running(self->handlers) < self->what->jobs);
}

static void take_events(loop_t *self) {
    while (has_room(self) && fob_stop_count() == 0) {
        fob_event_t *event = NULL;
        fob_status_t status = fob_worker_next(self->worker, &event, 0);
        if (status == FOB_AGAIN)
            return;
        if (status == FOB_CLOSED)
            self->closed = true;
        else if (status != FOB_OK)
            stop_taking(self, fail_worker(self, status));
        else if (!self->handlers)
            print(self, &event);
        else {
            int code = fob_handlers_start(self->handlers, &event);
            if (code != FOB_EXIT_OK)
                stop_taking(self, code);
        }
    }
}

static void look(loop_t *self) {
    char trouble[300] = "";
    uint64_t refused = fob_worker_refused(self->worker);
    fob_worker_trouble(self->worker, trouble, sizeof trouble);
    fob_watch_look(&self->watch, self->cli, trouble);
    if (refused > self->refused)
        fob_note(self->cli,
                 "%" PRIu64 " event%s settled too late: the lease was lost, another worker gets %s",
                 refused - self->refused, refused - self->refused == 1 ? " was" : "s were",
                 refused - self->refused == 1 ? "it" : "them");
    self->refused = refused;
}

/* Waits for an event, a child's end, a child that reads, or a signal. */
static void wait_for_news(loop_t *self) {
    self->fds[0] = (struct pollfd){.fd = fob_stop_fd(), .events = POLLIN};
    bool room = has_room(self), listens = !self->closed && (room || !self->deaf);
    self->fds[1] =
        (struct pollfd){.fd = listens ? fob_worker_fd(self->worker) : -1, .events = POLLIN};
    size_t count = 2;
    int pause = -1;
    if (self->handlers) {
        count += fob_handlers_fds(self->handlers, self->fds + 2);
        pause = fob_handlers_pause(self->handlers);
    }
    int most = self->deaf ? SLICE_MS : FOB_WATCH_MS; /* a lost lease does not wait for longer */
    if (pause < 0 || pause > most)
        pause = most;
    if (poll(self->fds, count, pause) > 0 && self->fds[0].revents)
        fob_stop_clear();
    /* While all jobs are busy it tells of a lease that is lost. What else it has to tell must wait
     * for a free one: then once is enough. */
    self->deaf = !room && self->fds[1].revents;
}

static bool busy(const loop_t *self) {
    return self->handlers && fob_handlers_running(self->handlers) > 0;
}

static void work(loop_t *self) {
    while ((!self->closed || busy(self)) && fob_stop_count() < 2) {
        if (fob_stop_count() > 0 && !self->closed)
            stop_taking(self, FOB_EXIT_OK);
        take_events(self);
        if (self->closed && !busy(self))
            break;
        wait_for_news(self);
        if (self->handlers) {
            fob_handlers_move(self->handlers);
            if (fob_handlers_code(self->handlers) != FOB_EXIT_OK && !self->closed)
                stop_taking(self, fob_handlers_code(self->handlers));
        }
        look(self);
    }
}

/* All settles confirmed: the promise of --count. After a signal they get a while. */
static void flush(loop_t *self) {
    int64_t left = LINGER_MS;
    while (fob_worker_flush(self->worker, SLICE_MS) == FOB_AGAIN) {
        if (fob_stop_count() >= 2)
            return;
        if (fob_stop_count() > 0 && (left -= SLICE_MS) <= 0) {
            fob_note(self->cli,
                     "the bus did not confirm the last settles: their events may come again");
            return;
        }
        look(self);
    }
}

static int prepare(loop_t *self) {
    const fob_work_t *what = self->what;
    fob_handlers_show_fn *show = what->raw         ? show_raw
                                 : self->cli->json ? show_whole
                                                   : fob_show_data;
    int code = what->command ? fob_handlers_check(self->cli, what->command[0]) : FOB_EXIT_OK;
    if (code == FOB_EXIT_OK)
        code = fob_firsts_open(&self->firsts, what->once_store);
    if (code == FOB_EXIT_OK && !fob_stop_begin(what->command != NULL))
        code = fob_fail(self->cli, FOB_EXIT_SYSTEM, "cannot take signals: %s", strerror(errno));
    if (code == FOB_EXIT_OK)
        code = join(self);
    if (code != FOB_EXIT_OK)
        return code;
    size_t most = 2;
    if (what->command) {
        self->handlers = fob_handlers_new(&(fob_handlers_options_t){.cli = self->cli,
                                                                    .worker = self->worker,
                                                                    .group = what->group,
                                                                    .command = what->command,
                                                                    .jobs = what->jobs,
                                                                    .timeout_ms = what->timeout_ms,
                                                                    .firsts = &self->firsts,
                                                                    .show = show});
        most += self->handlers ? fob_handlers_most(self->handlers) : 0;
    }
    self->fds = calloc(most, sizeof *self->fds);
    if (!self->fds || (what->command && !self->handlers))
        return fob_fail_status(self->cli, FOB_NO_MEMORY, NULL);
    return FOB_EXIT_OK;
}

int fob_work_run(const fob_work_t *what) {
    loop_t self = {
        .what = what, .cli = &what->cli, .firsts = {.cli = &what->cli, .group = what->group}};
    int code = prepare(&self);
    if (code == FOB_EXIT_OK) {
        work(&self);
        flush(&self);
        code = self.code;
    }
    fob_handlers_destroy(&self.handlers);
    fob_firsts_close(&self.firsts);
    fob_worker_destroy(&self.worker, fob_stop_count() >= 2 ? 0 : LINGER_MS);
    fob_buf_free(&self.out);
    free(self.fds);
    return code;
}
