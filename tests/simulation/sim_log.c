/* The simulated log: what is durable, what is lost when the machine falls, and its time. */
#include "sim_log_inside.h"

/* --- checkpoints --- */

void sim_checkpoint_clear(checkpoint_t *self) {
    for (size_t i = 0; i < self->count; i++)
        free(self->slices[i].data);
    free(self->slices);
    *self = (checkpoint_t){0};
}

void sim_checkpoint_put(sim_journal_t *self) {
    sim_log_t *log = self->log;
    sim_checkpoint_clear(&log->checkpoint);
    log->checkpoint = self->draft;
    log->checkpoint.there = true;
    log->since_checkpoint = 0;
    self->draft = (checkpoint_t){0};
    self->draft_done = false;
    self->changed = true;
}

/* --- what is durable --- */

static void segment_add(sim_log_t *log, size_t index, const sim_commit_t *commit) {
    segment_t *last = log->segment_count ? &log->segments[log->segment_count - 1] : NULL;
    if (!last || log->segment_first == log->segment_count ||
        last->bytes >= log->options.segment_bytes) {
        log->segments =
            sim_grow(log->segments, log->segment_count, &log->segment_room, sizeof *log->segments);
        last = &log->segments[log->segment_count++];
        *last = (segment_t){.first = index};
    }
    last->bytes += commit->bytes;
    for (uint32_t i = 0; i < commit->record_count; i++)
        if (commit->records[i].count)
            last->next_offset = commit->records[i].first_offset + commit->records[i].count;
}

/* The commit is on the disk. */
static void keep(sim_log_t *log, sim_pending_t *pending, bool bytes_too) {
    const sim_commit_t *commit = pending->commit;
    size_t index = log->base.history.count;
    segment_add(log, index, commit);
    log->live_bytes += commit->bytes;
    log->since_checkpoint += commit->bytes;
    sim_pending_keep(pending, &log->base.history, bytes_too);
}

static void sync_done(sim_journal_t *self) {
    for (size_t i = 0; i < self->sync_count; i++) {
        sim_pending_t *pending = &self->pending[self->pending_first++];
        self->pending_bytes -= pending->commit->bytes;
        keep(self->log, pending, true);
    }
    if (self->pending_first == self->pending_count)
        self->pending_first = self->pending_count = 0;
    self->syncing = false;
    self->changed = true;
    self->log->syncs++;
}

static void sync_begin(sim_journal_t *self) {
    sim_log_t *log = self->log;
    int64_t takes = (int64_t)sim_random_between(&log->random, (uint64_t)log->options.sync_least_ns,
                                                (uint64_t)log->options.sync_most_ns);
    self->syncing = true;
    self->sync_count = self->pending_count - self->pending_first;
    self->sync_at = log->now_ns + takes + log->slow_ns;
    self->wanted_at = INT64_MAX;
    log->slow_ns = 0;
}

/* --- reading --- */

static const sim_commit_t *commit_at(const sim_history_t *history, size_t spot) {
    return history->commits[history->spots[spot].commit];
}

static void page_fill(const sim_history_t *history, size_t from, size_t max_bytes,
                      fob_page_t *page) {
    size_t end = from, bytes = 0;
    while (end < history->spot_count && (end == from || bytes < max_bytes))
        bytes += sim_history_record(history, end)->size, end++;
    page->entry_count = end - from;
    page->memory_size = page->entry_count * sizeof(fob_stored_t) + bytes;
    page->memory = sim_alloc(page->memory_size);
    page->entries = page->memory;
    uint8_t *to = (uint8_t *)(page->entries + page->entry_count);
    for (size_t i = from; i < end; i++) {
        const fob_stored_t *record = sim_history_record(history, i);
        memcpy(to, record->data, record->size);
        page->entries[i - from] = *record;
        page->entries[i - from].data = to;
        to += record->size;
    }
}

static void page_make(sim_journal_t *self, const read_t *read) {
    const sim_history_t *history = &self->log->base.history;
    fob_page_t *page = &self->pages[self->page_count++];
    *page = (fob_page_t){.tag = read->tag, .code = FOB_JOURNAL_OK};
    size_t at = sim_history_find(history, read->offset);
    if (at < history->spot_count && !commit_at(history, at)->trimmed &&
        history->spots[at].first_offset <= read->offset) {
        page_fill(history, at, read->max_bytes, page);
        return;
    }
    page->code = FOB_JOURNAL_ABSENT;
    while (at < history->spot_count && commit_at(history, at)->trimmed)
        at++;
    page->resume = at < history->spot_count ? history->spots[at].first_offset : 0;
    snprintf(page->text, sizeof page->text, "offset %llu is not there",
             (unsigned long long)read->offset);
}

/* --- life --- */

static sim_log_t *of(sim_store_t *store) {
    return (sim_log_t *)(void *)store;
}

static const sim_log_t *seen(const sim_store_t *store) {
    return (const sim_log_t *)(const void *)store;
}

static void log_free(sim_store_t *store) {
    sim_log_t *self = of(store);
    sim_history_free(&store->history);
    sim_checkpoint_clear(&self->checkpoint);
    free(self->segments);
    free(self);
}

static fob_journal_t *log_open(sim_store_t *store, fob_journal_error_t *error) {
    sim_log_t *self = of(store);
    (void)error;
    sim_journal_t *journal = sim_alloc(sizeof *journal);
    journal->base.ops = &sim_journal_ops;
    journal->log = self;
    journal->position = store->history.count;
    journal->wanted_at = INT64_MAX;
    self->open = journal;
    self->fail = false;
    return &journal->base;
}

static bool log_excused(const sim_store_t *store) {
    (void)store;
    return false;
}

/* No event is another's in truth: it is not known how many are the same, and it says so. */
static void new_epoch(sim_log_t *self) {
    const sim_history_t *history = &self->base.history;
    uint64_t last =
        history->spot_count ? history->spots[history->spot_count - 1].next_offset - 1 : 0;
    if (self->epoch_count == SIM_LOG_EPOCHS)
        return;
    bool all = sim_random_once(&self->random, 2);
    self->began[self->epoch_count++] = all ? last : sim_random_below(&self->random, last + 1);
}

/* What was being written may be on the disk, from the front on. */
static void log_crash(sim_store_t *store, bool power) {
    sim_log_t *self = of(store);
    sim_journal_t *journal = self->open;
    size_t left = journal->pending_count - journal->pending_first;
    size_t kept = (size_t)sim_random_below(&self->random, left + 1);
    (void)power;
    if (sim_random_once(&self->random, 3))
        kept = 0;
    for (size_t i = 0; i < kept; i++)
        keep(self, &journal->pending[journal->pending_first++], false);
    if (journal->draft_done && store->history.count >= journal->draft.position &&
        sim_random_once(&self->random, 2))
        sim_checkpoint_put(journal);
    self->open = NULL;
    if (self->options.epochs)
        new_epoch(self);
}

static bool log_fallen(const sim_store_t *store) {
    (void)store;
    return false;
}

/* --- time --- */

/* When something happens next; INT64_MAX: nothing is under way. */
static int64_t next(const sim_journal_t *journal) {
    int64_t at = INT64_MAX;
    if (journal->syncing)
        at = journal->sync_at;
    else if (!journal->failed)
        at = journal->wanted_at;
    for (size_t i = 0; i < journal->read_count; i++)
        at = journal->reads[i].at_ns < at ? journal->reads[i].at_ns : at;
    return journal->draft_done && journal->draft_at < at ? journal->draft_at : at;
}

/* All that happens now. */
static void step(sim_log_t *self, sim_journal_t *journal) {
    int64_t now_ns = self->now_ns;
    if (self->fail && journal->syncing && journal->sync_at <= now_ns && !journal->failed) {
        journal->failed = journal->changed = true;
        journal->syncing = false;
    }
    if (journal->syncing && journal->sync_at <= now_ns)
        sync_done(journal);
    if (!journal->syncing && !journal->failed && journal->wanted_at <= now_ns)
        sync_begin(journal);
    for (size_t i = 0; i < journal->read_count;) {
        if (journal->reads[i].at_ns > now_ns) {
            i++;
            continue;
        }
        page_make(journal, &journal->reads[i]);
        journal->reads[i] = journal->reads[--journal->read_count];
        journal->changed = true;
    }
    if (journal->draft_done && journal->draft_at <= now_ns)
        sim_checkpoint_put(journal);
}

static int64_t log_run(sim_store_t *store, int64_t now_ns, int64_t until_ns) {
    sim_log_t *self = of(store);
    sim_journal_t *journal = self->open;
    bool before = journal && journal->changed;
    self->now_ns = now_ns;
    while (journal) {
        int64_t at = next(journal);
        if (at > until_ns)
            break;
        self->now_ns = at > self->now_ns ? at : self->now_ns;
        step(self, journal);
        if (journal->changed && !before)
            return self->now_ns;
    }
    self->now_ns = until_ns;
    return until_ns;
}

static bool log_news(const sim_store_t *store) {
    const sim_journal_t *journal = seen(store)->open;
    return journal && journal->changed;
}

static int64_t log_now(const sim_store_t *store) {
    return seen(store)->now_ns;
}

/* --- faults --- */

static void log_full(sim_store_t *store, bool full) {
    of(store)->full = full;
}

static void log_fail(sim_store_t *store) {
    of(store)->fail = true;
}

static void log_slow(sim_store_t *store, int64_t ns) {
    of(store)->slow_ns = ns;
}

static void log_jump(sim_store_t *store, int64_t ms) {
    (void)store, (void)ms;
}

static void log_nothing(sim_store_t *store) {
    (void)store;
}

/* --- looking --- */

static bool log_replay(sim_store_t *store, const fob_replay_t *to, char *text, size_t size) {
    const checkpoint_t *checkpoint = &of(store)->checkpoint;
    snprintf(text, size, "the replay was stopped");
    for (size_t i = 0; checkpoint->there && i < checkpoint->count; i++)
        if (!to->slice(to->arg, checkpoint->slices[i].data, checkpoint->slices[i].size))
            return false;
    return sim_history_replay(&store->history, checkpoint->there ? (size_t)checkpoint->position : 0,
                              to);
}

static uint64_t log_max_bytes(const sim_store_t *store) {
    return seen(store)->options.max_bytes;
}

static uint64_t log_failures(const sim_store_t *store) {
    (void)store;
    return 0;
}

static uint64_t log_hash(const sim_store_t *store) {
    return store->history.count * 31 + seen(store)->live_bytes;
}

sim_store_t *sim_log_new(const sim_log_options_t *options) {
    static const sim_store_ops_t ops = {.open = log_open,
                                        .excused = log_excused,
                                        .crash = log_crash,
                                        .fallen = log_fallen,
                                        .run = log_run,
                                        .news = log_news,
                                        .now = log_now,
                                        .full = log_full,
                                        .fail = log_fail,
                                        .slow = log_slow,
                                        .jump = log_jump,
                                        .befall = log_nothing,
                                        .calm = log_nothing,
                                        .grow = log_nothing,
                                        .replay = log_replay,
                                        .max_bytes = log_max_bytes,
                                        .failures = log_failures,
                                        .hash = log_hash,
                                        .free = log_free};
    sim_log_t *self = sim_alloc(sizeof *self);
    self->base.ops = &ops;
    self->options = *options;
    self->random = sim_random_new(options->seed);
    return &self->base;
}
