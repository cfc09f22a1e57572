#include "sim_folder_inside.h"
#include "sim_trace.h"

#define US_NS INT64_C(1000)
/* A life is cut within so many calls to the disk, if it is to be by that. */
#define CALLS_MOST 600

static const char start_promise[] = "a start finds all that was durable";

static sim_folder_t *of(sim_store_t *store) {
    return (sim_folder_t *)(void *)store;
}

static const sim_folder_t *seen(const sim_store_t *store) {
    return (const sim_folder_t *)(const void *)store;
}

static void on_stuck(void *arg) {
    sim_folder_t *self = arg;
    fibers_print(self->fibers);
    sim_history_wrong(&self->base.history, "the journal comes to rest",
                      "its threads wait for what nobody does, or never come to rest");
}

/* --- what is durable --- */

void sim_folder_told(sim_folder_t *self, uint64_t upto, bool bytes_too) {
    sim_history_t *history = &self->base.history;
    while (history->count < upto)
        sim_pending_keep(&self->pending[self->pending_first++], history, bytes_too);
    if (self->pending_first == self->pending_count)
        self->pending_first = self->pending_count = 0;
}

static void forget_pending(sim_folder_t *self) {
    while (self->pending_first < self->pending_count)
        sim_pending_drop(&self->pending[self->pending_first++]);
    self->pending_first = self->pending_count = 0;
}

/* What was appended last may have reached the disk or not: the start decides. */
static void look_at_start(sim_folder_t *self, fob_journal_t *real) {
    sim_history_t *history = &self->base.history;
    uint64_t appended = history->count + self->pending_count - self->pending_first;
    fob_journal_stats_t stats;
    real->ops->stats(real, &stats);
    if (stats.last_position < history->count || stats.last_position > appended)
        sim_history_wrong(history, start_promise,
                          "it finds %llu commits; %zu were called durable, and %llu appended",
                          (unsigned long long)stats.last_position, history->count,
                          (unsigned long long)appended);
    self->base.counts.kept += stats.last_position - history->count;
    self->base.counts.lost += appended - stats.last_position;
    sim_folder_told(self, stats.last_position, false);
    forget_pending(self);
}

/* --- how a life ends --- */

/* From here on the disk that goes on is `after`; what is left of this life ends in peace. */
static void cut(sim_folder_t *self, bool power) {
    if (self->after)
        return;
    uint64_t seed = sim_random_next(&self->random);
    self->after = power ? sim_disk_crash(self->disk, seed) : sim_disk_kill(self->disk, seed);
    self->cut = true;
    self->calls_to_go = 0;
    sim_disk_faults(self->disk, (sim_faults_t){0});
    sim_disk_resize(self->disk, UINT64_C(1) << 40);
}

/* The middle of a call to the disk. */
static void on_call(void *arg, int64_t us) {
    sim_folder_t *self = arg;
    if (self->calls_to_go > 0 && --self->calls_to_go == 0) {
        cut(self, self->calls_cut_power);
        self->base.counts.cuts++;
    }
    us += self->slow_us;
    self->slow_us = 0;
    fibers_sleep(self->fibers, us);
}

static void cut_soon(sim_folder_t *self) {
    self->calls_to_go = 1 + sim_random_below(&self->random, CALLS_MOST);
    self->calls_cut_power = !sim_random_once(&self->random, 3);
}

static void folder_crash(sim_store_t *store, bool power) {
    cut(of(store), power);
}

static bool folder_fallen(const sim_store_t *store) {
    return seen(store)->cut;
}

static bool folder_excused(const sim_store_t *store) {
    return seen(store)->excused;
}

/* --- how it begins --- */

static void set_room(sim_folder_t *self) {
    sim_disk_resize(self->disk, self->full ? 0 : self->options.disk_bytes);
}

static void new_life(sim_folder_t *self) {
    sim_disk_t *next = self->after;
    if (!next && sim_random_once(&self->random, 8)) /* power goes while it is off */
        next = sim_disk_crash(self->disk, sim_random_next(&self->random));
    if (next) {
        sim_disk_destroy(&self->disk);
        self->disk = next;
        self->after = NULL;
    }
    self->cut = self->excused = false;
    self->slow_us = 0;
    sim_disk_pause(self->disk, on_call, self);
    sim_disk_faults(self->disk, self->options.usual);
    sim_disk_tally_reset(self->disk);
    set_room(self);
    if (!self->calm && sim_random_once(&self->random, 6))
        cut_soon(self);
}

static fob_file_options_t options_of(const sim_folder_t *self, sim_disk_t *disk, fibers_t *fibers) {
    return (fob_file_options_t){.folder = SIM_FOLDER,
                                .sync = FOB_SYNC_ALWAYS,
                                .segment_bytes = self->options.segment_bytes,
                                .max_bytes = self->options.max_bytes,
                                .retain_bytes = self->options.retain_bytes,
                                .retain_ms = self->options.retain_ms,
                                .disk = sim_disk_table(disk),
                                .runtime = fibers_runtime(fibers)};
}

static fob_journal_t *folder_open(sim_store_t *store, fob_journal_error_t *error) {
    sim_folder_t *self = of(store);
    new_life(self);
    fob_file_options_t options = options_of(self, self->disk, self->fibers);
    options.log = self->options.log;
    options.log_arg = self->options.log_arg;
    fob_journal_t *real = fob_journal_file_open(&options, error);
    if (real && self->cut) {
        snprintf(error->text, sizeof error->text, "it fell while it started");
        real->ops->close(&real);
    }
    if (!real) {
        self->excused = sim_folder_refused(self, error->code, error->text);
        return NULL;
    }
    look_at_start(self, real);
    self->tap = sim_tap_new(self, real);
    return &self->tap->base;
}

/* --- time --- */

static int64_t folder_now(const sim_store_t *store) {
    return fibers_now(seen(store)->fibers) * US_NS;
}

static bool bell(const sim_folder_t *self) {
    if (!self->tap || self->cut)
        return false;
    fob_journal_t *real = self->tap->real;
    return fibers_bell(self->fibers, real->ops->fd(real));
}

static bool folder_news(const sim_store_t *store) {
    return bell(seen(store));
}

static int64_t folder_run(sim_store_t *store, int64_t now_ns, int64_t until_ns) {
    sim_folder_t *self = of(store);
    fibers_t *fibers = self->fibers;
    int64_t until_us = until_ns / US_NS;
    bool hears = self->tap && !self->cut && !bell(self);
    if (fibers_now(fibers) > until_us)
        return until_ns;
    if (hears) {
        fob_journal_t *real = self->tap->real;
        int fd = real->ops->fd(real);
        if (fibers_wait_bell(fibers, fd, until_us - fibers_now(fibers)))
            return folder_now(store) > now_ns ? folder_now(store) : now_ns;
    }
    fibers_rest(fibers, until_us);
    return until_ns;
}

/* --- faults --- */

static void folder_full(sim_store_t *store, bool full) {
    of(store)->full = full;
    if (!of(store)->cut)
        set_room(of(store));
}

static void faults(sim_folder_t *self, sim_faults_t faults) {
    if (!self->cut)
        sim_disk_faults(self->disk, faults);
}

static void folder_fail(sim_store_t *store) {
    sim_faults_t now = of(store)->options.usual;
    now.sync_error = 1;
    faults(of(store), now);
}

static void folder_slow(sim_store_t *store, int64_t ns) {
    of(store)->slow_us = ns / US_NS;
}

static void folder_jump(sim_store_t *store, int64_t ms) {
    fibers_jump(of(store)->fibers, ms);
}

/* Some kind of trouble, until the next one, or the next start. */
static void folder_befall(sim_store_t *store) {
    sim_folder_t *self = of(store);
    sim_random_t *random = &self->random;
    sim_faults_t now = self->options.usual;
    uint64_t odds = 1 + sim_random_skewed(random, 200);
    switch (sim_random_below(random, 8)) {
    case 0:
        now.short_write = now.short_read = 1 + sim_random_below(random, 8);
        break;
    case 1:
        now.read_error = odds;
        break;
    case 2:
        now.write_error = 10 * odds;
        break;
    case 3:
        now.name_error = odds;
        break;
    case 4:
        now.full = odds;
        break;
    case 5:
        cut_soon(self);
        break;
    case 6:
        sim_folder_flip(self);
        return;
    default:
        break; /* a good day */
    }
    faults(self, now);
}

static void folder_calm(sim_store_t *store) {
    sim_folder_t *self = of(store);
    self->calm = true;
    self->calls_to_go = 0;
    self->options.usual.short_read = self->options.usual.short_write = 0;
    faults(self, self->options.usual);
}

static void folder_grow(sim_store_t *store) {
    sim_folder_t *self = of(store);
    self->options.max_bytes *= 32;
    self->options.disk_bytes *= 32;
}

/* --- looking --- */

/* A disk as it would be found now, and nothing else of this world. */
static bool show(sim_folder_t *self, sim_disk_t *disk, const fob_replay_t *to,
                 fob_journal_error_t *error) {
    fibers_t *fibers = fibers_new(sim_random_next(&self->random));
    fibers_join_in(fibers, on_stuck, self);
    fob_file_options_t options = options_of(self, disk, fibers);
    fob_journal_t *real = fob_journal_file_open(&options, error);
    bool good = real && sim_tap_show(self, real, to, error) == FOB_JOURNAL_OK;
    if (real) {
        fob_journal_stats_t stats;
        real->ops->stats(real, &stats);
        if (stats.last_position != self->base.history.count)
            sim_history_wrong(&self->base.history, start_promise,
                              "a start would find %llu commits, and %zu were called durable",
                              (unsigned long long)stats.last_position, self->base.history.count);
        real->ops->close(&real);
    }
    fibers_destroy(&fibers);
    return good;
}

static bool folder_replay(sim_store_t *store, const fob_replay_t *to, char *text, size_t size) {
    sim_folder_t *self = of(store);
    fob_journal_error_t error = {0};
    uint64_t seed = sim_random_next(&self->random);
    sim_disk_t *disk = sim_random_once(&self->random, 2) ? sim_disk_crash(self->disk, seed)
                                                         : sim_disk_kill(self->disk, seed);
    sim_disk_resize(disk, self->options.disk_bytes);
    sim_folder_heal(self, disk);
    bool good = show(self, disk, to, &error);
    snprintf(text, size, "%s", error.text);
    sim_disk_destroy(&disk);
    return good;
}

static uint64_t folder_max_bytes(const sim_store_t *store) {
    return seen(store)->options.max_bytes;
}

static uint64_t folder_failures(const sim_store_t *store) {
    sim_disk_tally_t tally = sim_disk_tally(seen(store)->disk);
    return tally.errors + tally.full;
}

/* All but the file that names this process. */
static uint64_t folder_hash(const sim_store_t *store) {
    const sim_folder_t *self = seen(store);
    sim_trace_t sum = {fibers_turns(self->fibers)};
    const char *path;
    for (size_t i = 0; (path = sim_disk_path(self->disk, i)); i++) {
        int64_t size = sim_disk_size(self->disk, path);
        if (size <= 0 || strcmp(path, SIM_FOLDER "/lock") == 0)
            continue;
        uint8_t *bytes = sim_alloc((size_t)size);
        sim_disk_peek(self->disk, path, 0, bytes, (size_t)size);
        sim_trace_bytes(&sum, bytes, (size_t)size);
        free(bytes);
    }
    return sum.sum;
}

static void folder_free(sim_store_t *store) {
    sim_folder_t *self = of(store);
    sim_disk_destroy(&self->disk);
    sim_disk_destroy(&self->after);
    fibers_destroy(&self->fibers);
    forget_pending(self);
    free(self->pending);
    sim_history_free(&store->history);
    free(self);
}

sim_store_t *sim_folder_new(const sim_folder_options_t *options) {
    static const sim_store_ops_t ops = {.open = folder_open,
                                        .excused = folder_excused,
                                        .crash = folder_crash,
                                        .fallen = folder_fallen,
                                        .run = folder_run,
                                        .news = folder_news,
                                        .now = folder_now,
                                        .full = folder_full,
                                        .fail = folder_fail,
                                        .slow = folder_slow,
                                        .jump = folder_jump,
                                        .befall = folder_befall,
                                        .calm = folder_calm,
                                        .grow = folder_grow,
                                        .replay = folder_replay,
                                        .max_bytes = folder_max_bytes,
                                        .failures = folder_failures,
                                        .hash = folder_hash,
                                        .free = folder_free};
    sim_folder_t *self = sim_alloc(sizeof *self);
    self->base.ops = &ops;
    self->options = *options;
    self->random = sim_random_new(options->seed);
    self->fibers = fibers_new(sim_random_next(&self->random));
    fibers_join_in(self->fibers, on_stuck, self);
    self->disk = sim_disk_new(sim_random_next(&self->random), options->disk_bytes);
    return &self->base;
}
