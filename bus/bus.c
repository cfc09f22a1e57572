#include "bus/broker.h"
#include "bus/host/clock.h"
#include "bus/settings/settings.h"
#include "bus/sockets/ports.h"
#include "proto/handover.h"

#include <fob/fob_bus.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>
#include <zmq.h>

#define IO_THREADS  2   /* of libzmq: one carries some GB/s; the second serves others meanwhile */
#define MAX_SOCKETS 128 /* of libzmq: ours are about a dozen; connections do not count */
#define CASTS_HWM   8192

struct fob_bus {
    fob_settings_t settings;
    void *zmq;
    fob_ports_t ports;
    fob_ledger_t *ledger; /* until the broker has it */
    uint64_t max_disk;
    void *casts_in, *casts_out;
    fob_broadcast_t broadcast;
    fob_broker_t *broker;
    zactor_t *broker_actor, *broadcast_actor;
    pthread_mutex_t lock; /* of what follows */
    fob_status_t health;
    char why[512];
    int news; /* an eventfd, readable once it stopped by itself */
};

/* --- health --- */

static void on_failed(void *arg, fob_status_t status, const char *text) {
    fob_bus_t *self = arg;
    pthread_mutex_lock(&self->lock);
    if (self->health == FOB_OK) { /* the first reason stays */
        self->health = status;
        snprintf(self->why, sizeof self->why, "%s", text);
    }
    pthread_mutex_unlock(&self->lock);
    uint64_t one = 1;
    if (write(self->news, &one, sizeof one) < 0 && self->settings.file.log)
        self->settings.file.log(self->settings.file.log_arg, "the failure could not be signalled");
}

fob_status_t fob_bus_health(fob_bus_t *self, char *text, size_t size) {
    pthread_mutex_lock(&self->lock);
    fob_status_t health = self->health;
    if (text && size)
        snprintf(text, size, "%s", self->why);
    pthread_mutex_unlock(&self->lock);
    return health;
}

int fob_bus_fd(fob_bus_t *self) {
    return self->news;
}

const char *fob_bus_endpoint(fob_bus_t *self) {
    return self->ports.endpoint;
}

/* --- start --- */

static fob_status_t open_ledger(fob_bus_t *self, char *text, size_t size) {
    fob_settings_t *settings = &self->settings;
    fob_journal_error_t error = {.code = FOB_JOURNAL_MEMORY};
    fob_journal_t *journal =
        settings->memory ? fob_journal_memory_new(settings->max_disk, settings->retain_bytes,
                                                  settings->retain_ms)
                         : fob_journal_file_open(&settings->file, &error);
    if (!journal) {
        if (error.text[0])
            snprintf(text, size, "%s", error.text);
        return fob_ledger_status(error.code);
    }
    fob_status_t status = FOB_OK;
    fob_journal_stats_t stats;
    journal->ops->stats(journal, &stats);
    self->max_disk = stats.max_bytes;
    fob_settings_disk(settings, stats.max_bytes);
    if (getrandom(&settings->core.seed, sizeof settings->core.seed, 0) !=
        (ssize_t)sizeof settings->core.seed) {
        snprintf(text, size, "the system gives no random numbers");
        journal->ops->close(&journal);
        return FOB_INTERNAL;
    }
    self->ledger = fob_ledger_new(journal, &settings->core, fob_clock_now(), settings->file.log,
                                  settings->file.log_arg, &status, text, size);
    return status;
}

/* --- the groups that the options name --- */

static bool find_group(fob_core_t *core, fob_slice_t name, fob_group_stats_t *out) {
    for (size_t i = 0; fob_core_group_stats(core, fob_clock_now(), i, out); i++)
        if (fob_slice_eq(out->group, name))
            return true;
    return false;
}

static void say_set(fob_bus_t *self, const char *name, const fob_policy_patch_t *patch) {
    char line[512], value[32];
    int used = snprintf(line, sizeof line, "group %.80s is set as the configuration says:", name);
    for (unsigned number = 1; number < FOB_POLICY_END; number++) {
        if (!(patch->mask >> number & 1))
            continue;
        fob_terms_text(number, fob_policy_get(&patch->to, number), value, sizeof value);
        used += snprintf(line + used, sizeof line - (size_t)used, " %s=%s", fob_policy_name(number),
                         value);
    }
    if (self->settings.file.log)
        self->settings.file.log(self->settings.file.log_arg, line);
}

/* What the configuration says of a group holds, also where it was changed since. */
static fob_status_t set_group(fob_bus_t *self, const fob_bus_group_t *wanted,
                              const fob_terms_t *terms, const fob_policy_t *policy) {
    fob_command_t command = {.kind = FOB_CMD_GROUP_SET};
    command.admin.group = fob_slice_str(wanted->name);
    command.admin.patch = fob_terms_differ(terms, policy);
    if (command.admin.patch.mask == 0)
        return FOB_OK;
    say_set(self, wanted->name, &command.admin.patch);
    return fob_ledger_step(self->ledger, fob_clock_now(), &command);
}

static fob_status_t differs(const fob_bus_group_t *wanted, const fob_group_stats_t *group,
                            char *text, size_t size) {
    snprintf(text, size,
             "group %s exists with the pattern %.*s, and the configuration says %s: change it "
             "there, or remove the group and what waits in it with \"fob group rm\"",
             wanted->name, (int)group->pattern.size, (const char *)group->pattern.data,
             wanted->pattern);
    return FOB_CONFIG;
}

/* Makes a group where there is none; the first turn of the broker makes it durable. */
static fob_status_t make_group(fob_bus_t *self, const fob_bus_group_t *wanted, char *text,
                               size_t size) {
    fob_core_t *core = fob_ledger_core(self->ledger);
    fob_slice_t name = fob_slice_str(wanted->name), pattern = fob_slice_str(wanted->pattern);
    fob_group_stats_t group;
    fob_terms_t terms = {0};
    if (!fob_terms_read_pairs(&terms, wanted->settings, text, size))
        return FOB_INVALID;
    fob_terms_settle(&terms, self->max_disk);
    if (find_group(core, name, &group))
        return fob_slice_eq(group.pattern, pattern) ? set_group(self, wanted, &terms, &group.policy)
                                                    : differs(wanted, &group, text, size);
    fob_command_t command = {.kind = FOB_CMD_GROUP_ADD};
    command.admin.group = name;
    command.admin.pattern = pattern;
    command.admin.patch = terms.patch;
    fob_status_t status = fob_ledger_step(self->ledger, fob_clock_now(), &command);
    if (status != FOB_OK || find_group(core, name, &group))
        return status;
    snprintf(text, size,
             "group %s cannot be made: its name (a topic) or its pattern (%s) is not valid, or "
             "there are more than max_groups",
             wanted->name, wanted->pattern);
    return FOB_CONFIG;
}

static fob_status_t make_groups(fob_bus_t *self, const fob_bus_options_t *options, char *text,
                                size_t size) {
    fob_status_t status = FOB_OK;
    for (size_t i = 0; i < options->group_count && status == FOB_OK; i++)
        status = make_group(self, &options->groups[i], text, size);
    return status;
}

/* A pair of sockets in this context, for the broker's committed events. */
static bool open_casts(fob_bus_t *self) {
    int hwm = CASTS_HWM, none = 0;
    self->casts_in = zmq_socket(self->zmq, ZMQ_PAIR);
    self->casts_out = zmq_socket(self->zmq, ZMQ_PAIR);
    return self->casts_in && self->casts_out &&
           zmq_setsockopt(self->casts_in, ZMQ_SNDHWM, &hwm, sizeof hwm) == 0 &&
           zmq_setsockopt(self->casts_out, ZMQ_RCVHWM, &hwm, sizeof hwm) == 0 &&
           zmq_setsockopt(self->casts_in, ZMQ_LINGER, &none, sizeof none) == 0 &&
           zmq_setsockopt(self->casts_out, ZMQ_LINGER, &none, sizeof none) == 0 &&
           zmq_bind(self->casts_out, "inproc://casts") == 0 &&
           zmq_connect(self->casts_in, "inproc://casts") == 0;
}

static bool open_context(fob_bus_t *self) {
    self->zmq = zmq_ctx_new();
    return self->zmq && zmq_ctx_set(self->zmq, ZMQ_IO_THREADS, IO_THREADS) == 0 &&
           zmq_ctx_set(self->zmq, ZMQ_MAX_SOCKETS, MAX_SOCKETS) == 0;
}

static void rule_ports(fob_bus_t *self) {
    fob_ports_rules_t rules = {.max_connections = self->settings.max_connections,
                               .max_message = self->settings.max_message,
                               .heartbeat_ns = self->settings.heartbeat_ms * FOB_MS,
                               .log = self->settings.file.log,
                               .log_arg = self->settings.file.log_arg};
    fob_ports_rule(&self->ports, &rules);
}

static bool start_broadcast(fob_bus_t *self) {
    fob_broadcast_t *broadcast = &self->broadcast;
    broadcast->xsub = self->ports.xsub;
    broadcast->xpub = self->ports.xpub;
    broadcast->xsub_traffic = self->ports.xsub_traffic;
    broadcast->xpub_traffic = self->ports.xpub_traffic;
    broadcast->stored = self->casts_out;
    broadcast->limits = (fob_gate_limits_t){.max_batch = self->settings.max_batch,
                                            .max_event = self->settings.core.max_event};
    broadcast->log = self->settings.file.log;
    broadcast->log_arg = self->settings.file.log_arg;
    broadcast->failed = on_failed;
    broadcast->failed_arg = self;
    self->broadcast_actor = zactor_new(fob_broadcast_actor, broadcast);
    if (!self->broadcast_actor)
        return false;
    self->ports.xsub = self->ports.xpub = self->casts_out = NULL; /* the actor's now */
    self->ports.xsub_traffic = self->ports.xpub_traffic = NULL;
    return true;
}

static void fill_house(const fob_bus_t *self, fob_house_t *house) {
    const fob_settings_t *settings = &self->settings;
    *house = (fob_house_t){.shard = 0,
                           .level = fob_ledger_level(self->ledger),
                           .advertise = settings->advertise,
                           .router = self->ports.router_port,
                           .xsub = self->ports.xsub_port,
                           .xpub = self->ports.xpub_port,
                           .heartbeat_ms = (uint64_t)settings->heartbeat_ms,
                           .epoch = fob_ledger_epoch(self->ledger),
                           .max_event = settings->core.max_event,
                           .max_batch = settings->max_batch,
                           .window = FOB_WINDOW_MAX};
}

static bool start_broker(fob_bus_t *self) {
    fob_broker_options_t options = {.router = self->ports.router,
                                    .casts = self->casts_in,
                                    .traffic = self->ports.router_traffic,
                                    .broadcast = &self->broadcast,
                                    .ledger = self->ledger,
                                    .max_connections = self->settings.max_connections,
                                    .max_disk = self->max_disk,
                                    .log = self->settings.file.log,
                                    .log_arg = self->settings.file.log_arg,
                                    .failed = on_failed,
                                    .failed_arg = self};
    fill_house(self, &options.house);
    if (getrandom(&options.source, sizeof options.source, 0) != (ssize_t)sizeof options.source)
        return false;
    self->broker = fob_broker_new(&options);
    if (!self->broker)
        return false;
    self->ports.router = self->casts_in = NULL; /* the broker's now */
    self->ports.router_traffic = NULL;
    self->ledger = NULL;
    self->broker_actor = zactor_new(fob_broker_actor, self->broker);
    return self->broker_actor != NULL;
}

static fob_status_t start(fob_bus_t *self, const fob_bus_options_t *options, char *text,
                          size_t size) {
    fob_status_t status = open_ledger(self, text, size);
    if (status == FOB_OK)
        status = make_groups(self, options, text, size);
    if (status != FOB_OK)
        return status;
    if (!open_context(self) || !open_casts(self))
        return FOB_NO_MEMORY;
    status = fob_ports_open(&self->ports, self->zmq, self->settings.bind, self->settings.port,
                            self->settings.max_message, text, size);
    if (status != FOB_OK)
        return status;
    rule_ports(self);
    return start_broadcast(self) && start_broker(self) ? FOB_OK : FOB_NO_MEMORY;
}

/* czmq would catch SIGINT and SIGTERM for the whole process at its first use; a library takes no
 * signals. */
static void keep_czmq_off_signals(void) {
    zsys_handler_set(NULL);
}

/* Starts with every signal blocked, so that all threads made here inherit that. */
static fob_status_t start_unsignalled(fob_bus_t *self, const fob_bus_options_t *options, char *text,
                                      size_t size) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sigset_t all, before;
    pthread_once(&once, keep_czmq_off_signals);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    fob_status_t status = start(self, options, text, size);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

fob_bus_t *fob_bus_new(const fob_bus_options_t *options, fob_status_t *status, char *text,
                       size_t size) {
    char unread[1];
    if (!text || size == 0) {
        text = unread;
        size = sizeof unread;
    }
    text[0] = 0;
    *status = FOB_NO_MEMORY;
    fob_bus_t *self = calloc(1, sizeof *self);
    if (self) {
        pthread_mutex_init(&self->lock, NULL);
        self->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        *status = self->news < 0 ? FOB_NO_MEMORY
                                 : fob_settings_fill(&self->settings, options, text, size);
        if (*status == FOB_OK)
            *status = start_unsignalled(self, options, text, size);
    }
    if (*status != FOB_OK) {
        if (text[0] == 0)
            snprintf(text, size, "%s", fob_status_text(*status));
        fob_bus_destroy(&self);
    }
    return self;
}

/* --- end --- */

/* The broker first: it commits, and says goodbye. */
static void stop_actors(fob_bus_t *self) {
    zactor_destroy(&self->broker_actor);
    zactor_destroy(&self->broadcast_actor);
    fob_take_over(&self->broadcast);
    fob_take_over(&self->broadcast.token);
}

void fob_bus_destroy(fob_bus_t **self_p) {
    fob_bus_t *self = *self_p;
    if (!self)
        return;
    stop_actors(self);
    fob_broker_destroy(&self->broker);
    fob_ports_close(&self->ports);
    if (self->casts_in)
        zmq_close(self->casts_in);
    if (self->casts_out)
        zmq_close(self->casts_out);
    fob_ledger_destroy(&self->ledger);
    if (self->zmq)
        zmq_ctx_term(self->zmq);
    if (self->news >= 0)
        close(self->news);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}
