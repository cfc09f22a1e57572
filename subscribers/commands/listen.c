#include "subscribers/commands/listen.h"

#include "proto/cli/output.h"
#include "proto/cli/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>

#define BATCH_BYTES 65536 /* written at once, in a flood; a lone event goes alone */

typedef struct {
    const fob_listen_t *what;
    fob_subscriber_t *subscriber;
    fob_buf_t out;
    fob_watch_t watch;
    uint64_t seen, lost, pauses, malformed;
    bool finished;
    int code;
} listener_t;

static int check_from(const fob_cli_t *cli, const char *from) {
    if (!from || strcmp(from, "latest") == 0)
        return FOB_EXIT_OK;
    return fob_fail(cli, FOB_EXIT_USAGE,
                    "--from %.40s: only \"latest\" is there in this version, which shows what is "
                    "published from now on",
                    from);
}

static int fail_start(const fob_listen_t *what, fob_status_t status) {
    const fob_cli_t *cli = &what->cli;
    if (status == FOB_INVALID)
        return fob_cli_check_bus(cli) == FOB_EXIT_OK
                   ? fob_fail(cli, FOB_EXIT_USAGE, "\"%.200s\" is not the endpoint of a bus",
                              fob_cli_bus(cli))
                   : FOB_EXIT_USAGE;
    return fob_fail_status(cli, status, NULL);
}

/* Until the subscription is live a signal ends the process; from then on it is waited for. */
static int subscribe(listener_t *self) {
    fob_subscriber_options_t options = FOB_SUBSCRIBER_OPTIONS;
    const fob_listen_t *what = self->what;
    fob_status_t status = FOB_OK;
    options.bus = fob_cli_bus(&what->cli);
    options.pattern = what->pattern;
    options.connect_timeout_ms = what->cli.connect_timeout_ms;
    self->subscriber = fob_subscriber_new(&options, &status);
    if (!self->subscriber)
        return fail_start(what, status);
    if (!fob_stop_begin(false))
        return fob_fail(&what->cli, FOB_EXIT_SYSTEM, "cannot take signals: %s", strerror(errno));
    if (what->cli.verbose)
        fob_note(&what->cli, "subscribed to %s at %s", what->pattern, options.bus);
    return FOB_EXIT_OK;
}

static void write_out(listener_t *self) {
    if (self->out.failed)
        self->code = fob_fail_status(&self->what->cli, FOB_NO_MEMORY, NULL);
    fob_output_t result = fob_output(fob_buf_slice(&self->out));
    fob_buf_clear(&self->out);
    if (result == FOB_OUTPUT_FAILED)
        self->code = fob_fail(&self->what->cli, FOB_EXIT_IO, "cannot write to standard output: %s",
                              strerror(errno));
    if (result != FOB_OUTPUT_OK || self->code != FOB_EXIT_OK)
        self->finished = true;
}

/* Losses are told when they are known, and never silently summed up. */
static void tell_losses(listener_t *self) {
    uint64_t pauses = self->pauses;
    uint64_t lost = fob_subscriber_lost(self->subscriber, &pauses);
    if (lost > self->lost)
        fob_note(&self->what->cli,
                 "%" PRIu64 " event%s lost (%" PRIu64
                 " in all): they came faster than they were read",
                 lost - self->lost, lost - self->lost == 1 ? " was" : "s were", lost);
    if (pauses > self->pauses)
        fob_note(&self->what->cli,
                 "the connection to the bus was away: events may have passed unseen");
    uint64_t malformed = fob_subscriber_malformed(self->subscriber);
    if (malformed > self->malformed)
        fob_note(&self->what->cli,
                 "%" PRIu64 " message%s malformed (%" PRIu64
                 " in all): a fire-and-forget publisher breaks the protocol",
                 malformed - self->malformed, malformed - self->malformed == 1 ? " was" : "s were",
                 malformed);
    self->lost = lost;
    self->pauses = pauses;
    self->malformed = malformed;
}

static void look(listener_t *self) {
    char trouble[300] = "";
    fob_subscriber_trouble(self->subscriber, trouble, sizeof trouble);
    fob_watch_look(&self->watch, &self->what->cli, trouble);
    tell_losses(self);
}

/* Takes what is there, a batch at the most. */
static void take_events(listener_t *self) {
    fob_event_t *event = NULL;
    fob_status_t status = FOB_OK;
    while (!self->finished && self->out.size < BATCH_BYTES) {
        status = fob_subscriber_next(self->subscriber, &event, 0);
        if (status != FOB_OK)
            break;
        self->what->show(&self->out, event, self->what->arg);
        fob_event_destroy(&event);
        if (++self->seen == self->what->count)
            self->finished = true;
    }
    if (self->out.size > 0 || self->out.failed)
        write_out(self);
    if (status != FOB_OK && status != FOB_AGAIN) {
        self->finished = true;
        self->code = fob_fail_status(&self->what->cli, status, NULL);
    }
}

static void run(listener_t *self) {
    int fd = fob_subscriber_fd(self->subscriber);
    while (!self->finished && fob_stop_count() == 0) {
        if (fob_stop_wait(fd, POLLIN, FOB_WATCH_MS))
            take_events(self);
        else
            fob_stop_clear();
        look(self);
    }
}

int fob_listen(const fob_listen_t *what) {
    listener_t self = {.what = what};
    int code = check_from(&what->cli, what->from);
    if (code == FOB_EXIT_OK)
        code = fob_cli_check_pattern(&what->cli, what->pattern);
    if (code == FOB_EXIT_OK)
        code = fob_cli_check_bus(&what->cli);
    if (code == FOB_EXIT_OK)
        code = subscribe(&self);
    if (code == FOB_EXIT_OK) {
        run(&self);
        code = self.code;
    }
    fob_subscriber_destroy(&self.subscriber);
    fob_buf_free(&self.out);
    return code;
}
