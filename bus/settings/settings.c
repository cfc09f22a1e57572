#include "bus/settings/settings.h"

#include "proto/duration.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

#define MAX_EVENT 1000000
#define MAX_EVENT_LIMIT                                                                            \
    ((uint64_t)512 << 20) /* a frame of libzmq could be larger; memory could not */
#define ATTRIBUTES_ROOM                                                                            \
    (64 * 1024)               /* attributes, topic and framing of the largest event, generously */
#define MEMORY_MAX        GIB /* of a journal in memory, by default */
#define MEMORY_RETAIN     (64 * MIB)
#define RETAIN_BYTES      (4 * GIB)
#define RETAIN_MS         ((int64_t)24 * 3600 * 1000)
#define SESSIONS          10000 /* beyond those of all connections there may be */
#define DEDUP_WINDOW_MS   ((int64_t)3600 * 1000)
#define DEDUP_WINDOW_MOST ((int64_t)3660 * 86400 * 1000)
#define DEDUP_MAX         1000000
#define DEDUP_MAX_MOST    100000000 /* 48 bytes of memory each, and an index */
#define SESSION_KEEP_LEAST                                                                         \
    ((int64_t)60 * 1000)           /* a publisher that is away for so long is known                \
                                    */
#define CACHE_BYTES      (6 * MIB) /* the tail of a flood; a backlog is read from the journal */
#define PAGE_BYTES       (256 * 1024)
#define MARK_BLOCK       16384
#define RELEASE_FIRST_MS 100
#define MAX_GROUPS       1000

static fob_status_t invalid(char *text, size_t size, const char *sentence) {
    snprintf(text, size, "%s", sentence);
    return FOB_INVALID;
}

static bool read_sync(fob_file_options_t *file, const char *text) {
    file->sync = FOB_SYNC_ALWAYS;
    if (!text || strcmp(text, "always") == 0)
        return true;
    if (strcmp(text, "os") == 0) {
        file->sync = FOB_SYNC_OS;
        return true;
    }
    if (strncmp(text, "interval=", 9) != 0)
        return false;
    file->sync = FOB_SYNC_INTERVAL;
    return fob_duration_parse(text + 9, &file->interval_ms);
}

static bool copy(char *to, size_t size, const char *from) {
    return (size_t)snprintf(to, size, "%s", from) < size;
}

/* Those of live connections, and of such as cannot be reached, are not forgotten. */
static uint32_t sessions_of(uint32_t max_connections) {
    return max_connections < (UINT32_MAX - SESSIONS) / 2 ? 2 * max_connections + SESSIONS
                                                         : UINT32_MAX;
}

static void fill_core(fob_core_config_t *core, const fob_bus_options_t *options,
                      int64_t heartbeat_ms) {
    int64_t window = options->dedup_window_ms ? options->dedup_window_ms : DEDUP_WINDOW_MS;
    *core = (fob_core_config_t){
        .max_event = options->max_event ? options->max_event : MAX_EVENT,
        .max_groups = options->max_groups ? options->max_groups : MAX_GROUPS,
        .session_grace_ms = FOB_SESSION_GRACE_MS,
        .session_keep_ms = window > SESSION_KEEP_LEAST ? window : SESSION_KEEP_LEAST,
        .resume_ms = 3 * heartbeat_ms,
        .cache_bytes = CACHE_BYTES,
        .page_bytes = PAGE_BYTES,
        .mark_block = MARK_BLOCK,
        .dedup_max = options->dedup_max ? options->dedup_max : DEDUP_MAX,
        .dedup_window_ms = window,
        .release_first_ms = RELEASE_FIRST_MS};
}

/* What is documented, then what is said. */
static fob_status_t fill_defaults(fob_terms_t *defaults, const fob_bus_options_t *options,
                                  char *text, size_t size) {
    static const char *const documented[] = {"max_depth=10000000",
                                             "max_bytes=50%",
                                             "overflow=reject",
                                             "lease=none",
                                             "max_attempts=5",
                                             "max_age=none",
                                             "backoff_first=1s",
                                             "backoff_factor=2",
                                             "backoff_max=5m",
                                             "dead_max=1000000",
                                             "dead_max_age=30d",
                                             "paused=no",
                                             NULL};
    *defaults = (fob_terms_t){0};
    return fob_terms_read_pairs(defaults, documented, text, size) &&
                   fob_terms_read_pairs(defaults, options->group_defaults, text, size)
               ? FOB_OK
               : FOB_INVALID;
}

/* The groups' own are looked at, and read again when the groups are made. */
static fob_status_t check_groups(const fob_bus_options_t *options, char *text, size_t size) {
    if (options->group_count > (options->max_groups ? options->max_groups : MAX_GROUPS))
        return invalid(text, size,
                       "more groups are declared than max_groups allows: raise it, or declare "
                       "fewer");
    for (size_t i = 0; i < options->group_count; i++) {
        fob_terms_t terms = {0};
        char problem[384];
        if (fob_terms_read_pairs(&terms, options->groups[i].settings, problem, sizeof problem))
            continue;
        snprintf(text, size, "group %.80s: %s", options->groups[i].name, problem);
        return FOB_INVALID;
    }
    return FOB_OK;
}

void fob_settings_disk(fob_settings_t *self, uint64_t max_disk) {
    fob_terms_settle(&self->defaults, max_disk);
    self->core.policy = self->defaults.patch.to;
}

static void fill_journal(fob_settings_t *self, const fob_bus_options_t *options) {
    self->memory = !options->data;
    self->max_disk = options->max_disk ? options->max_disk : self->memory ? MEMORY_MAX : 0;
    self->retain_ms = options->retain_ms ? options->retain_ms : RETAIN_MS;
    self->retain_bytes = options->retain_bytes ? options->retain_bytes
                         : self->memory        ? MEMORY_RETAIN
                                               : RETAIN_BYTES;
    self->file.folder = self->data;
    self->file.segment_bytes = options->segment_bytes;
    self->file.max_bytes = self->max_disk;
    self->file.retain_bytes = self->retain_bytes;
    self->file.retain_ms = self->retain_ms;
    self->file.log = options->log;
    self->file.log_arg = options->log_arg;
}

/* An address, not an endpoint: "tcp://127.0.0.1:7670", "127.0.0.1:7670" are not. */
static bool address_alone(const char *bind) {
    const char *colon = strchr(bind, ':');
    return *bind && !strpbrk(bind, "/[] \t") && (!colon || strchr(colon + 1, ':'));
}

static fob_status_t fill_bind(fob_settings_t *self, const char *bind, char *text, size_t size) {
    if (!bind || strcmp(bind, "localhost") == 0)
        bind = "127.0.0.1";
    if (!copy(self->bind, sizeof self->bind, bind))
        return invalid(text, size, "bind is too long for an address");
    if (!address_alone(bind))
        return invalid(text, size,
                       "bind must be an address alone, like 127.0.0.1, ::1 or * for "
                       "all: the port is said apart");
    return FOB_OK;
}

fob_status_t fob_settings_fill(fob_settings_t *self, const fob_bus_options_t *options, char *text,
                               size_t size) {
    *self = (fob_settings_t){.port = options->port ? options->port : 7670};
    if (options->version != 1)
        return invalid(text, size, "options.version is not 1: begin with FOB_BUS_OPTIONS");
    if (fill_bind(self, options->bind, text, size) != FOB_OK)
        return FOB_INVALID;
    if (!copy(self->advertise, sizeof self->advertise,
              options->advertise ? options->advertise : ""))
        return invalid(text, size, "advertise is too long for a host");
    if (!copy(self->data, sizeof self->data, options->data ? options->data : ""))
        return invalid(text, size, "data is too long for a folder");
    if (self->port < -1 || self->port > 65533)
        return invalid(text, size, "port must be 1 to 65533: the bus needs it and the next two");
    if (options->heartbeat_ms < 0 || options->heartbeat_ms > 60000)
        return invalid(text, size, "heartbeat must be 1ms to 60s");
    if (options->max_event > MAX_EVENT_LIMIT)
        return invalid(text, size, "max_event must be 512 MiB at the most");
    if (!read_sync(&self->file, options->sync))
        return invalid(text, size, "sync must be always, os, or interval=D (interval=100ms)");
    if (options->dedup_window_ms < 0 || options->dedup_window_ms > DEDUP_WINDOW_MOST)
        return invalid(text, size, "dedup_window must be 1ms to ten years");
    if (options->dedup_max > DEDUP_MAX_MOST)
        return invalid(text, size, "dedup_max must be 100000000 at the most");
    if (check_groups(options, text, size) != FOB_OK ||
        fill_defaults(&self->defaults, options, text, size) != FOB_OK)
        return FOB_INVALID;
    self->heartbeat_ms = options->heartbeat_ms ? options->heartbeat_ms : 1000;
    self->max_connections = options->max_connections ? options->max_connections : 10000;
    fill_core(&self->core, options, self->heartbeat_ms);
    self->core.max_sessions = sessions_of(self->max_connections);
    fill_journal(self, options);
    self->max_batch = self->core.max_event + ATTRIBUTES_ROOM;
    if (self->max_batch < MIB)
        self->max_batch = MIB;
    self->max_message = 2 * self->max_batch; /* what is too large by less is refused by name */
    return FOB_OK;
}
