#include "hot_bus.h"

#include "bus/settings/settings.h"
#include "tests/unit/journal_calm.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT (16u << 20)  /* bytes: what is counted fits into one */
#define CACHE   (256u << 10) /* bytes: full, and so warm, after a few hundred rounds */
#define PATIENT 60000        /* ms for the journal's threads */
/* A settle rides on the next publish's write, however slow the machine: so each round is the same.
 */
#define LAZY 3600000 /* ms */

void hot_fail(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: this must hold and does not: %s\n", file, line, what);
    abort();
}

/* --- the service's doors --- */

static void put(hot_bus_t *self, hot_box_t box, fob_slice_t header, fob_body_t body) {
    HOT_MUST(self->end[box] - self->first[box] < HOT_BOX && header.size <= HOT_HEADER_MAX);
    hot_letter_t *letter = &self->boxes[box][self->end[box]++ % HOT_BOX];
    memcpy(letter->bytes, header.data, header.size);
    letter->size = header.size;
    letter->body = body;
}

static fob_send_t on_send(void *arg, uint64_t conn, fob_slice_t route, fob_slice_t header,
                          fob_body_t body) {
    (void)conn;
    put(arg, (hot_box_t)route.data[1], header, body);
    return FOB_SEND_DONE;
}

static void on_drop(void *arg, uint64_t conn) {
    (void)arg, (void)conn;
    hot_fail(__FILE__, __LINE__, "a client is lost");
}

static void on_unread(void *arg) {
    (void)arg;
}

static bool on_audience(void *arg) {
    (void)arg;
    return true;
}

static bool on_cast(void *arg, fob_slice_t header, fob_body_t body) {
    put(arg, HOT_CAST, header, body);
    return true;
}

static fob_status_t on_answer(void *arg, fob_now_t now, const fob_wire_t *msg, fob_status_t status,
                              const char *text, fob_buf_t *header, fob_body_t *body) {
    (void)arg, (void)now, (void)msg, (void)status, (void)text, (void)header, (void)body;
    hot_fail(__FILE__, __LINE__, "somebody asks");
}

static void on_failed(void *arg, fob_status_t status, const char *text) {
    (void)arg, (void)status;
    hot_fail(__FILE__, __LINE__, text);
}

static const fob_service_ops_t doors = {.send = on_send,
                                        .drop = on_drop,
                                        .unread = on_unread,
                                        .audience = on_audience,
                                        .cast = on_cast,
                                        .answer = on_answer,
                                        .failed = on_failed};

/* --- life --- */

static void on_log(void *arg, const char *line) {
    (void)arg, (void)line;
}

static fob_journal_t *open_journal(fob_settings_t *settings, const char *folder) {
    char text[512] = "";
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    options.data = folder;
    HOT_MUST(fob_settings_fill(settings, &options, text, sizeof text) == FOB_OK);
    settings->file.sync = FOB_SYNC_OS;
    settings->file.segment_bytes = SEGMENT;
    settings->file.lazy_ms = LAZY;
    settings->file.runtime = calm_runtime();
    fob_journal_error_t error = {0};
    fob_journal_t *journal = fob_journal_file_open(&settings->file, &error);
    if (!journal)
        hot_fail(__FILE__, __LINE__, error.text);
    fob_journal_stats_t stats;
    journal->ops->stats(journal, &stats);
    fob_settings_disk(settings, stats.max_bytes);
    return journal;
}

hot_bus_t *hot_bus_new(const char *folder, fob_now_t now) {
    hot_bus_t *self = calloc(1, sizeof *self);
    fob_settings_t settings;
    fob_status_t status;
    char text[512] = "";
    HOT_MUST(self);
    fob_journal_t *journal = open_journal(&settings, folder);
    settings.core.seed = 1;
    settings.core.cache_bytes = CACHE;
    self->ledger =
        fob_ledger_new(journal, &settings.core, now, on_log, NULL, &status, text, sizeof text);
    if (!self->ledger)
        hot_fail(__FILE__, __LINE__, text);
    self->house = (fob_house_t){.level = "os",
                                .advertise = "",
                                .heartbeat_ms = (uint64_t)settings.heartbeat_ms,
                                .epoch = fob_ledger_epoch(self->ledger),
                                .max_event = settings.core.max_event,
                                .max_batch = settings.max_batch,
                                .window = FOB_WINDOW_MAX};
    self->service = fob_service_new(&(fob_service_options_t){.ledger = self->ledger,
                                                             .house = &self->house,
                                                             .max_connections = 10,
                                                             .max_disk = settings.max_disk,
                                                             .source = 1,
                                                             .ops = &doors,
                                                             .arg = self});
    HOT_MUST(self->service);
    return self;
}

void hot_bus_destroy(hot_bus_t **self_p) {
    hot_bus_t *self = *self_p;
    hot_letter_t *letter;
    if (!self)
        return;
    for (unsigned box = 0; box < HOT_BOXES; box++)
        while ((letter = hot_bus_next(self, (hot_box_t)box)))
            fob_blob_unref(&letter->body.blob);
    fob_service_destroy(&self->service);
    fob_ledger_destroy(&self->ledger);
    free(self);
    *self_p = NULL;
}

/* --- the net --- */

void hot_bus_hears(hot_bus_t *self, hot_box_t client, fob_slice_t header, fob_blob_t *body) {
    const uint8_t route[FOB_ROUTE_SIZE] = {0, (uint8_t)client, 1};
    fob_mail_t mail = {.route = fob_slice(route, sizeof route),
                       .header = header,
                       .body = body,
                       .frames = body ? 2 : 1,
                       .bytes = header.size};
    fob_service_message(self->service, &mail);
}

void hot_bus_wait(hot_bus_t *self) {
    struct pollfd news = {.fd = fob_ledger_fd(self->ledger), .events = POLLIN};
    HOT_MUST(poll(&news, 1, PATIENT) == 1);
    hot_bus_rest();
}

void hot_bus_rest(void) {
    calm_wait();
}

hot_letter_t *hot_bus_next(hot_bus_t *self, hot_box_t box) {
    if (self->first[box] == self->end[box])
        return NULL;
    return &self->boxes[box][self->first[box]++ % HOT_BOX];
}
