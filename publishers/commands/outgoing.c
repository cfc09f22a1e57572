#include "publishers/commands/outgoing.h"

#include "proto/cli/input.h"
#include "proto/cli/output.h"
#include "proto/envelope.h"
#include "publishers/commands/outcome.h"
#include "publishers/commands/progress.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_MS 3000

typedef struct {
    const fob_cli_t *cli;
    fob_offer_t *offer;
    fob_publisher_t *publisher;
    fob_outcome_t outcome;
    fob_progress_t progress;
    fob_input_t input;
    fob_offered_t pending; /* a line that waits for room in the window */
    bool waits, ended;
    int broken; /* exit code of what is wrong on our side; 0: nothing */
} outgoing_t;

static int connect_bus(outgoing_t *self) {
    fob_publisher_options_t options = FOB_PUBLISHER_OPTIONS;
    int64_t timeout = self->cli->connect_timeout_ms;
    char trouble[300];
    options.bus = fob_cli_bus(self->cli);
    options.connect_timeout_ms = timeout;
    options.on_receipt = fob_outcome_take;
    options.on_receipt_arg = &self->outcome;
    options.stop_on_failure = 1;
    self->publisher = fob_publisher_new(&options);
    if (!self->publisher)
        return fob_fail_status(self->cli, errno == EINVAL ? FOB_INVALID : FOB_NO_MEMORY, NULL);
    fob_status_t status = fob_publisher_wait_ready(self->publisher, timeout ? timeout : CONNECT_MS);
    if (status == FOB_OK)
        return FOB_EXIT_OK;
    fob_publisher_trouble(self->publisher, trouble, sizeof trouble);
    return fob_fail_status(self->cli, status == FOB_AGAIN ? FOB_UNREACHABLE : status, trouble);
}

static void disconnect(outgoing_t *self) {
    fob_publisher_destroy(&self->publisher);
    fob_buf_free(&self->outcome.out);
    fob_input_free(&self->input);
}

static int finish(outgoing_t *self) {
    char trouble[300] = "";
    int code = fob_outcome_print(&self->outcome);
    fob_progress_end(&self->progress, self->outcome.stored);
    if (self->publisher)
        fob_publisher_trouble(self->publisher, trouble, sizeof trouble);
    int failed = self->broken ? self->broken : fob_outcome_end(&self->outcome, trouble);
    return failed != FOB_EXIT_OK ? failed : code;
}

static bool failing(const outgoing_t *self) {
    return self->broken || self->outcome.failed != FOB_OK;
}

static void take_receipts(outgoing_t *self) {
    fob_publisher_dispatch(self->publisher, 0);
    int code = fob_outcome_print(&self->outcome);
    if (code != FOB_EXIT_OK)
        self->broken = code;
    fob_progress_show(&self->progress, self->outcome.stored);
}

/* The library says only that it is too large: in figures. */
static void say_too_large(outgoing_t *self, uint64_t line) {
    uint64_t most = fob_publisher_max_event(self->publisher);
    char why[200];
    if (self->pending.data.size > most)
        snprintf(why, sizeof why,
                 "it has %zu bytes of data, and this bus takes %" PRIu64 " (its max_event)",
                 self->pending.data.size, most);
    else
        snprintf(why, sizeof why, "its id, key and headers together have more than %d bytes",
                 FOB_ATTRIBUTES_MAX);
    fob_outcome_fail(&self->outcome, FOB_TOO_LARGE, line, why);
}

/* Hands the pending line over; it goes on waiting where the window is full. */
static void send_pending(outgoing_t *self) {
    uint64_t line = self->offer->lines ? self->input.number : 1;
    self->pending.options.tag = (void *)(uintptr_t)line;
    fob_status_t status =
        fob_publisher_try_send(self->publisher, self->offer->topic, self->pending.data.data,
                               self->pending.data.size, &self->pending.options, NULL);
    self->waits = status == FOB_AGAIN;
    if (status == FOB_OK) {
        self->outcome.sent++;
        self->outcome.sent_line = line;
    } else if (status == FOB_TOO_LARGE)
        say_too_large(self, line);
    else if (status != FOB_AGAIN)
        fob_outcome_fail(&self->outcome, status, line, NULL);
}

static bool blank(fob_slice_t line) {
    for (size_t i = 0; i < line.size; i++)
        if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r')
            return false;
    return true;
}

/* Takes the next line that is here. False: there is none now. */
static bool take_line(outgoing_t *self) {
    fob_slice_t line;
    char why[300];
    switch (fob_input_line(&self->input, &line)) {
    case FOB_INPUT_LINE:
        break;
    case FOB_INPUT_MORE:
        return false;
    case FOB_INPUT_TOO_LONG:
        snprintf(why, sizeof why,
                 "it has more than %zu bytes, and this bus takes events of %" PRIu64
                 " (its max_event)",
                 self->input.max, fob_publisher_max_event(self->publisher));
        fob_outcome_fail(&self->outcome, FOB_TOO_LARGE, self->input.number, why);
        return false;
    case FOB_INPUT_END:
    case FOB_INPUT_FAILED:
        self->ended = true;
        return false;
    }
    if (blank(line) && !self->offer->text && !self->offer->raw)
        return true;
    fob_status_t status = fob_offer_make(self->offer, line, true, &self->pending, why, sizeof why);
    if (status != FOB_OK)
        fob_outcome_fail(&self->outcome, status, self->input.number, why);
    else
        send_pending(self);
    return true;
}

static void read_more(outgoing_t *self) {
    if (fob_input_fill(&self->input) == FOB_INPUT_FAILED)
        self->broken = fob_fail(self->cli, FOB_EXIT_IO,
                                "cannot read standard input: %s; every line before it is stored",
                                strerror(errno));
}

/* Waits for a line, a receipt or a signal, and takes what came. */
static void wait_for_news(outgoing_t *self, bool reading) {
    struct pollfd news[3] = {
        {.fd = fob_publisher_fd(self->publisher), .events = POLLIN},
        {.fd = fob_stop_fd(), .events = POLLIN},
        {.fd = reading ? self->input.fd : -1, .events = POLLIN},
    };
    if (poll(news, 3, fob_progress_pause(&self->progress)) < 0)
        return; /* a signal */
    if (news[1].revents)
        fob_stop_clear();
    if (news[2].revents)
        read_more(self);
    take_receipts(self);
}

/* Waits until everything sent has its receipt, or one failed, or a second signal says to go at
 * once. */
static void await_receipts(outgoing_t *self, int signals) {
    while (self->outcome.answered < self->outcome.sent && !failing(self) &&
           fob_stop_count() < signals)
        wait_for_news(self, false);
}

static void send_lines(outgoing_t *self) {
    while (!self->ended && !failing(self) && fob_stop_count() == 0) {
        if (self->waits)
            send_pending(self);
        while (!self->waits && !failing(self) && take_line(self))
            ;
        if (!self->ended && !failing(self))
            wait_for_news(self, !self->waits);
    }
}

/* The end of the input, or a line that was never sent, ends the sending: the lines before are still
 * to be answered, and one of these may fail, too. Where a line that was sent has failed, those
 * before it are answered. */
static void await_earlier(outgoing_t *self) {
    const fob_outcome_t ours = self->outcome;
    if (self->broken || (ours.failed != FOB_OK && ours.failed_line <= ours.sent_line))
        return;
    self->outcome.failed = FOB_OK;
    await_receipts(self, 2);
    if (ours.failed != FOB_OK)
        fob_outcome_fail(&self->outcome, ours.failed, ours.failed_line, ours.text);
}

/* A signal ended it. */
static int stopped(const outgoing_t *self) {
    uint64_t unknown = self->outcome.sent - self->outcome.answered;
    if (unknown > 0)
        return fob_fail(self->cli, fob_exit_code(FOB_UNKNOWN_OUTCOME),
                        "stopped by a signal: %" PRIu64
                        " event%s without a receipt may or may not be stored",
                        unknown, unknown == 1 ? "" : "s");
    return fob_fail(self->cli, FOB_EXIT_BUSY,
                    "stopped by a signal: %" PRIu64 " lines are stored, none after them",
                    self->outcome.stored);
}

/* What can still become an event that this bus takes: JSON text is up to some six times as long as
 * its msgpack, bytes are as long as they are. A longer line is not kept in memory. */
static size_t longest_line(const outgoing_t *self) {
    uint64_t event = fob_publisher_max_event(self->publisher);
    return self->offer->text || self->offer->raw ? event : event * 8 + 65536;
}

static int begin(outgoing_t *self) {
    int code = connect_bus(self);
    if (code == FOB_EXIT_OK)
        self->input.max = longest_line(self);
    if (code == FOB_EXIT_OK && !fob_stop_begin(false))
        code = fob_fail(self->cli, FOB_EXIT_SYSTEM, "cannot take signals: %s", strerror(errno));
    return code;
}

int fob_outgoing_lines(const fob_cli_t *cli, fob_offer_t *offer) {
    outgoing_t self = {.cli = cli,
                       .offer = offer,
                       .outcome = {.cli = cli, .lines = true},
                       .input = {.fd = STDIN_FILENO}};
    int code = begin(&self);
    if (code == FOB_EXIT_OK) {
        fob_progress_begin(&self.progress, cli);
        send_lines(&self);
        await_earlier(&self);
        code = finish(&self);
        if (code == FOB_EXIT_OK && fob_stop_count() > 0)
            code = stopped(&self);
    }
    disconnect(&self);
    return code;
}

int fob_outgoing_one(const fob_cli_t *cli, fob_offer_t *offer, const fob_offered_t *offered) {
    outgoing_t self = {.cli = cli, .offer = offer, .outcome = {.cli = cli}, .pending = *offered};
    int code = begin(&self);
    if (code == FOB_EXIT_OK) {
        send_pending(&self);
        await_receipts(&self, 1);
        code = finish(&self);
        if (code == FOB_EXIT_OK && self.outcome.answered < self.outcome.sent)
            code = stopped(&self);
    }
    disconnect(&self);
    return code;
}
