#include "subscribers/commands/listen.h"

#include "proto/cli/output.h"
#include "proto/cli/when.h"
#include "subscribers/commands/news.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#define BATCH_BYTES 65536 /* written at once, in a flood; a lone event goes alone */
#define AHEAD_MS    60000 /* that a time may be ahead of our clock: it may be of another's */

typedef struct {
    const fob_listen_t *what;
    fob_subscriber_t *subscriber;
    fob_subscriber_options_t options;
    fob_buf_t out;
    fob_news_t news;
    uint64_t seen;
    char trouble[600], blocked[600]; /* of one that could not begin */
    bool finished;
    int code;
} listener_t;

/* --- what was asked for --- */

static int take_mode(listener_t *self) {
    static const char *const modes[] = {[FOB_SUBSCRIBER_RELIABLE] = "reliable",
                                        [FOB_SUBSCRIBER_NOTIFY] = "notify",
                                        [FOB_SUBSCRIBER_LIVE] = "live"};
    const char *mode = self->what->mode;
    if (!mode)
        return FOB_EXIT_OK;
    for (unsigned i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(mode, modes[i]) != 0)
            continue;
        self->options.mode = (fob_subscriber_mode_t)i;
        return FOB_EXIT_OK;
    }
    return fob_fail(&self->what->cli, FOB_EXIT_USAGE,
                    "--mode takes reliable, notify or live, not \"%.80s\"", mode);
}

static void take_when(fob_subscriber_options_t *options, const fob_when_t *when) {
    static const fob_from_t places[] = {[FOB_WHEN_LATEST] = FOB_FROM_LATEST,
                                        [FOB_WHEN_EARLIEST] = FOB_FROM_EARLIEST,
                                        [FOB_WHEN_OFFSET] = FOB_FROM_OFFSET,
                                        [FOB_WHEN_TIME] = FOB_FROM_TIME};
    options->from = places[when->kind];
    if (when->kind == FOB_WHEN_OFFSET)
        options->from_value = when->offset, options->from_epoch = when->epoch;
    else if (when->kind == FOB_WHEN_TIME)
        options->from_value = (uint64_t)when->time_ms;
}

/* --from or --since. */
static int take_place(listener_t *self) {
    const fob_listen_t *what = self->what;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    fob_when_t when = {.kind = FOB_WHEN_LATEST};
    if (what->from && what->since_ms)
        return fob_fail(&what->cli, FOB_EXIT_USAGE,
                        "--from and --since exclude each other: --since 10m is --from -10m");
    if (what->since_ms)
        when = (fob_when_t){.kind = FOB_WHEN_TIME,
                            .time_ms = what->since_ms < now_ms ? now_ms - what->since_ms : 0};
    bool last = what->from && strcmp(what->from, "last") == 0;
    if (what->from && !last && !fob_when_parse_place(what->from, now_ms, &when))
        return fob_fail(&what->cli, FOB_EXIT_USAGE, "--from takes last, %s, not \"%.80s\"",
                        FOB_WHEN_HINT_PLACE, what->from);
    if (when.kind == FOB_WHEN_TIME && when.time_ms > now_ms + AHEAD_MS)
        return fob_fail(&what->cli, FOB_EXIT_USAGE,
                        "--from %.80s is a time to come: leave it out to begin with what is "
                        "published from now on",
                        what->from);
    take_when(&self->options, &when);
    if (last)
        self->options.from = FOB_FROM_LAST;
    if (self->options.mode == FOB_SUBSCRIBER_LIVE && self->options.from != FOB_FROM_LATEST)
        return fob_fail(&what->cli, FOB_EXIT_USAGE,
                        "--mode live shows only what passes from now on: leave --from and --since "
                        "out, or take another mode");
    return FOB_EXIT_OK;
}

static int check(listener_t *self) {
    const fob_listen_t *what = self->what;
    int code = take_mode(self);
    if (code == FOB_EXIT_OK)
        code = take_place(self);
    if (code == FOB_EXIT_OK)
        code = fob_cli_check_pattern(&what->cli, what->pattern);
    return code == FOB_EXIT_OK ? fob_cli_check_bus(&what->cli) : code;
}

/* --- the subscription --- */

static int fail_start(const listener_t *self, fob_status_t status) {
    const fob_cli_t *cli = &self->what->cli;
    if (status == FOB_INVALID)
        return fob_cli_check_bus(cli) == FOB_EXIT_OK
                   ? fob_fail(cli, FOB_EXIT_USAGE, "\"%.200s\" is not the endpoint of a bus",
                              fob_cli_bus(cli))
                   : FOB_EXIT_USAGE;
    if (status == FOB_UNREACHABLE && self->blocked[0])
        return fob_fail(cli, FOB_EXIT_UNREACHABLE, "%s", self->blocked);
    return fob_fail_status(cli, status, self->trouble);
}

/* Until the subscription is live a signal ends the process; from then on it is waited for. */
static int subscribe(listener_t *self) {
    const fob_listen_t *what = self->what;
    fob_subscriber_options_t *options = &self->options;
    fob_status_t status = FOB_OK;
    options->bus = fob_cli_bus(&what->cli);
    options->pattern = what->pattern;
    options->connect_timeout_ms = what->cli.connect_timeout_ms;
    options->queue = what->queue;
    options->queue_bytes = what->queue_bytes;
    options->trouble = self->trouble;
    options->blocked = self->blocked;
    options->text_size = sizeof self->blocked;
    self->subscriber = fob_subscriber_new(options, &status);
    if (!self->subscriber)
        return fail_start(self, status);
    if (!fob_stop_begin(false))
        return fob_fail(&what->cli, FOB_EXIT_SYSTEM, "cannot take signals: %s", strerror(errno));
    if (what->cli.verbose)
        fob_note(&what->cli, "subscribed to %s at %s", what->pattern, options->bus);
    fob_news_begin(&self->news, self->subscriber, options->from != FOB_FROM_LATEST);
    if (options->from == FOB_FROM_OFFSET && !options->from_epoch)
        fob_news_place(&self->news, options->from_value);
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

/* Takes what is there, a batch at the most, up to what is missing. */
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
    if (self->out.size > 0 || self->out.failed) {
        fob_news_events(&self->news);
        write_out(self);
    }
    if (status == FOB_GAP) {
        fob_news_gap(&self->news); /* behind the events that came before it */
    } else if (status != FOB_OK && status != FOB_AGAIN) {
        self->finished = true;
        self->code = fob_fail_status(&self->what->cli, status, NULL);
    }
}

static void run(listener_t *self) {
    int fd = fob_subscriber_fd(self->subscriber);
    while (!self->finished && fob_stop_count() == 0) {
        if (fob_stop_wait(fd, POLLIN, fob_news_wait(&self->news)))
            take_events(self);
        else
            fob_stop_clear();
        fob_news_look(&self->news);
    }
    fob_news_end(&self->news);
}

int fob_listen(const fob_listen_t *what) {
    listener_t self = {.what = what, .options = FOB_SUBSCRIBER_OPTIONS};
    self.news.cli = &what->cli;
    self.news.far = what->far;
    int code = check(&self);
    self.news.mode = self.options.mode;
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
