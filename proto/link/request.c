/* request: see request.h. */
#include "proto/link/request.h"

#include "proto/link/conduit.h"

#include <errno.h>
#include <stdio.h>

#define REQUEST_NUMBER 1 /* the only one on its connection */

typedef struct {
    fob_conduit_t *conduit;
    const fob_wire_t *question;
    fob_answer_t *answer;
    fob_buf_t header;
    bool ask;     /* to be sent */
    bool reached; /* the bus was there at least once */
    bool done;
    fob_status_t status;
} request_t;

static void copy(char *out, size_t size, fob_slice_t text) {
    snprintf(out, size, "%.*s", (int)text.size, text.size ? (const char *)text.data : "");
}

static void finish(request_t *self, fob_status_t status, fob_slice_t text) {
    if (self->done)
        return;
    self->done = true;
    self->status = status;
    if (status != FOB_OK && text.size == 0)
        text = fob_slice_str(fob_status_text(status));
    copy(self->answer->text, sizeof self->answer->text, text); /* over that of a try before */
    fob_conduit_notify(self->conduit);
}

static void on_up(void *arg, fob_now_t now, const fob_wire_t *welcome) {
    (void)now;
    request_t *self = arg;
    fob_answer_t *answer = self->answer;
    self->reached = true;
    copy(answer->bus, sizeof answer->bus, welcome->bus);
    copy(answer->level, sizeof answer->level, welcome->level);
    answer->version = welcome->version;
    answer->heartbeat_ms = welcome->heartbeat;
    answer->epoch = welcome->epoch;
    answer->head = welcome->head;
    self->ask = self->question != NULL;
    if (!self->question)
        finish(self, FOB_OK, (fob_slice_t){0});
}

static void on_down(void *arg, fob_now_t now, fob_status_t why, const char *text) {
    (void)now;
    request_t *self = arg;
    if (why == FOB_CLOSED || self->done)
        return;
    self->ask = false;
    if (why == FOB_VERSION || why == FOB_DENIED) {
        finish(self, why, fob_slice_str(text)); /* another try would hear the same */
        return;
    }
    self->status = FOB_UNREACHABLE;
    copy(self->answer->text, sizeof self->answer->text, fob_slice_str(text));
}

static void on_input(void *arg, fob_now_t now, const fob_wire_t *msg, fob_blob_t *body) {
    (void)now;
    request_t *self = arg;
    bool reply = msg->verb == FOB_VERB_REPLY && msg->req == REQUEST_NUMBER;
    bool error = msg->verb == FOB_VERB_ERROR;
    if (self->done || !self->question || (!reply && !error))
        return;
    if (reply && body)
        self->answer->body = fob_blob_ref(body);
    finish(self, fob_wire_status(msg->code), msg->text);
}

static bool on_output(void *arg, fob_now_t now, fob_slice_t *header, fob_blob_t **body) {
    (void)now;
    request_t *self = arg;
    if (!self->ask)
        return false;
    self->ask = false;
    self->answer->asked++;
    *header = fob_buf_slice(&self->header);
    *body = NULL;
    return true;
}

static fob_status_t header_make(request_t *self) {
    if (!self->question)
        return FOB_OK;
    fob_wire_t msg = *self->question;
    FOB_SET(&msg, req, REQUEST_NUMBER);
    return fob_wire_write(&self->header, &msg);
}

/* With the conduit made and started: waits for the end or the time. */
static fob_status_t await(request_t *self, int64_t timeout_ns) {
    int64_t until = fob_conduit_now().mono_ns + timeout_ns;
    fob_conduit_lock(self->conduit);
    while (!self->done && fob_conduit_wait(self->conduit, until))
        ;
    if (!self->done && self->reached)
        finish(self, FOB_AGAIN,
               fob_slice_str("the bus was reached, but it did not answer in time"));
    else if (!self->done && !self->answer->text[0])
        finish(self, FOB_UNREACHABLE, (fob_slice_t){0});
    self->done = true;
    copy(self->answer->endpoint, sizeof self->answer->endpoint,
         fob_slice_str(fob_conduit_dialled(self->conduit)));
    fob_conduit_unlock(self->conduit);
    return self->status;
}

static fob_status_t refuse(request_t *self, fob_status_t status, const char *text) {
    snprintf(self->answer->text, sizeof self->answer->text, "%s", text);
    fob_buf_free(&self->header);
    return status;
}

fob_status_t fob_request(const char *bus, const fob_wire_t *question, int64_t timeout_ns,
                         fob_answer_t *answer) {
    static const fob_client_ops_t ops = {
        .up = on_up, .down = on_down, .input = on_input, .output = on_output};
    *answer = (fob_answer_t){0};
    request_t self = {.question = question, .answer = answer};
    const char *endpoints = fob_conduit_bus(bus);
    fob_link_options_t options = {.endpoints = fob_slice_str(endpoints),
                                  .role = "admin",
                                  .client = "libfob/" FOB_VERSION_STRING};
    fob_conduit_secret(options.session);
    fob_status_t made = header_make(&self);
    if (made != FOB_OK)
        return refuse(&self, made,
                      made == FOB_TOO_LARGE ? "what is asked for is too long for one message"
                                            : fob_status_text(made));
    self.conduit = fob_conduit_new(&options, &ops, &self);
    if (!self.conduit && errno == EINVAL) {
        snprintf(answer->text, sizeof answer->text,
                 "%s is no endpoint of a bus: write tcp://HOST:PORT", endpoints);
        fob_buf_free(&self.header);
        return FOB_INVALID;
    }
    if (!self.conduit || !fob_conduit_start(self.conduit)) {
        fob_conduit_destroy(&self.conduit, 0);
        return refuse(&self, FOB_NO_MEMORY, fob_status_text(FOB_NO_MEMORY));
    }
    fob_status_t status = await(&self, timeout_ns);
    fob_conduit_destroy(&self.conduit, 0);
    fob_buf_free(&self.header);
    return status;
}

void fob_answer_clear(fob_answer_t *self) {
    fob_blob_unref(&self->body);
}
