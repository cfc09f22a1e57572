/* The log in memory as the bus sees it: a fob_journal_t. */
#include "sim_log_inside.h"

#define LAZY_NS INT64_C(5000000)

static sim_journal_t *of(fob_journal_t *journal) {
    return (sim_journal_t *)(void *)journal;
}

/* --- checkpoints --- */

static fob_journal_code_t j_checkpoint_begin(fob_journal_t *journal, uint64_t position) {
    sim_journal_t *self = of(journal);
    sim_checkpoint_clear(&self->draft);
    self->draft.position = position;
    self->draft_open = true;
    self->draft_done = false;
    return FOB_JOURNAL_OK;
}

static fob_journal_code_t j_checkpoint_slice(fob_journal_t *journal, const uint8_t *data,
                                             size_t size) {
    sim_journal_t *self = of(journal);
    checkpoint_t *draft = &self->draft;
    draft->slices = sim_grow(draft->slices, draft->count, &draft->room, sizeof *draft->slices);
    draft->slices[draft->count++] = (slice_t){sim_copy(data, size), size};
    return FOB_JOURNAL_OK;
}

static fob_journal_code_t j_checkpoint_finish(fob_journal_t *journal) {
    sim_journal_t *self = of(journal);
    sim_log_t *log = self->log;
    self->draft_open = false;
    self->draft_done = true;
    self->draft_at = log->now_ns +
                     (int64_t)sim_random_between(&log->random, (uint64_t)log->options.sync_least_ns,
                                                 4 * (uint64_t)log->options.sync_most_ns);
    return FOB_JOURNAL_OK;
}

static bool j_checkpoint_due(fob_journal_t *journal) {
    sim_journal_t *self = of(journal);
    return self->log->since_checkpoint >= self->log->options.checkpoint_bytes &&
           !self->draft_open && !self->draft_done;
}

/* --- appending --- */

static uint64_t j_append(fob_journal_t *journal, const fob_entry_t *entries, size_t count,
                         bool sync) {
    sim_journal_t *self = of(journal);
    sim_pending_t pending = sim_pending(++self->position, entries, count);
    self->pending =
        sim_grow(self->pending, self->pending_count, &self->pending_room, sizeof *self->pending);
    self->pending[self->pending_count++] = pending;
    self->pending_bytes += pending.commit->bytes;
    int64_t at = self->log->now_ns + (sync ? 0 : LAZY_NS);
    if (at < self->wanted_at)
        self->wanted_at = at;
    return self->position;
}

static uint64_t j_durable(fob_journal_t *journal) {
    return of(journal)->log->base.history.count;
}

static fob_journal_code_t j_health(fob_journal_t *journal, fob_journal_error_t *error) {
    if (!of(journal)->failed)
        return FOB_JOURNAL_OK;
    error->code = FOB_JOURNAL_FAILED;
    snprintf(error->text, sizeof error->text, "the simulated disk failed");
    return FOB_JOURNAL_FAILED;
}

static int j_fd(fob_journal_t *journal) {
    (void)journal;
    return -1;
}

static void j_clear(fob_journal_t *journal) {
    of(journal)->changed = false;
}

static bool j_reserve(fob_journal_t *journal, size_t bytes) {
    sim_journal_t *self = of(journal);
    return !self->log->full && !self->failed &&
           self->log->live_bytes + self->pending_bytes + bytes <= self->log->options.max_bytes;
}

/* --- reading --- */

static fob_journal_code_t j_read(fob_journal_t *journal, uint64_t offset, size_t max_bytes,
                                 uint64_t tag) {
    sim_journal_t *self = of(journal);
    sim_log_t *log = self->log;
    if (self->read_count + self->page_count >= MOST_READS)
        return FOB_JOURNAL_AGAIN;
    int64_t takes = (int64_t)sim_random_between(&log->random, (uint64_t)log->options.read_least_ns,
                                                (uint64_t)log->options.read_most_ns);
    self->reads[self->read_count++] = (read_t){offset, tag, max_bytes, log->now_ns + takes};
    return FOB_JOURNAL_OK;
}

static fob_journal_code_t j_page(fob_journal_t *journal, fob_page_t *out) {
    sim_journal_t *self = of(journal);
    if (!self->page_count)
        return FOB_JOURNAL_AGAIN;
    *out = self->pages[0];
    memmove(self->pages, self->pages + 1, --self->page_count * sizeof *self->pages);
    return FOB_JOURNAL_OK;
}

/* --- giving back --- */

static void segment_drop(sim_log_t *log) {
    const segment_t *segment = &log->segments[log->segment_first++];
    size_t end = log->segments[log->segment_first].first;
    for (size_t i = segment->first; i < end; i++)
        log->base.history.commits[i]->trimmed = true;
    log->live_bytes -= segment->bytes;
}

static void j_trim(fob_journal_t *journal, uint64_t offset, int64_t now_ms) {
    sim_journal_t *self = of(journal);
    sim_log_t *log = self->log;
    (void)now_ms;
    self->pinned_below = self->pinned_bytes = 0;
    while (log->segment_first + 1 < log->segment_count) {
        const segment_t *oldest = &log->segments[log->segment_first];
        const segment_t *next = oldest + 1;
        if (!log->checkpoint.there ||
            log->base.history.commits[next->first - 1]->position > log->checkpoint.position)
            return;
        if (oldest->next_offset > offset) {
            self->pinned_below = oldest->next_offset;
            self->pinned_bytes = oldest->bytes;
            return;
        }
        segment_drop(log);
    }
}

/* --- the rest --- */

static uint64_t j_epoch(fob_journal_t *journal) {
    return FIRST_EPOCH + of(journal)->log->epoch_count;
}

static const char *j_level(fob_journal_t *journal) {
    (void)journal;
    return "disk";
}

/* The first offset that can be read; 0: none. */
static uint64_t first_offset(const sim_log_t *log) {
    const sim_history_t *history = &log->base.history;
    for (size_t i = log->segment_first < log->segment_count
                        ? log->segments[log->segment_first].first
                        : history->count;
         i < history->count; i++)
        for (uint32_t r = 0; r < history->commits[i]->record_count; r++)
            if (history->commits[i]->records[r].count)
                return history->commits[i]->records[r].first_offset;
    return 0;
}

static uint64_t last_offset(const sim_history_t *history) {
    return history->spot_count ? history->spots[history->spot_count - 1].next_offset - 1 : 0;
}

static void j_stats(fob_journal_t *journal, fob_journal_stats_t *out) {
    const sim_journal_t *self = of(journal);
    const sim_log_t *log = self->log;
    uint64_t taken = log->live_bytes + self->pending_bytes;
    *out = (fob_journal_stats_t){
        .bytes = log->live_bytes,
        .max_bytes = log->options.max_bytes,
        .segments = log->segment_count - log->segment_first,
        .first_offset = first_offset(log),
        .last_offset = last_offset(&log->base.history),
        .last_position = self->position,
        .durable_position = log->base.history.count,
        .checkpoint_position = log->checkpoint.position,
        .syncs = log->syncs,
        .free_bytes =
            !log->full && taken < log->options.max_bytes ? log->options.max_bytes - taken : 0,
        .pinned_below = self->pinned_below,
        .pinned_bytes = self->pinned_bytes,
    };
}

static uint64_t j_began(fob_journal_t *journal, uint64_t epoch) {
    const sim_log_t *log = of(journal)->log;
    uint64_t since = log->epoch_count ? log->epoch_count - 1 : 0, began = UINT64_MAX;
    if (epoch)
        since = epoch - FIRST_EPOCH;
    if (epoch == FIRST_EPOCH + log->epoch_count)
        return last_offset(&log->base.history);
    for (uint64_t i = since; i < log->epoch_count; i++)
        began = log->began[i] < began ? log->began[i] : began;
    return since < log->epoch_count ? began : 0;
}

static uint64_t j_bytes_from(fob_journal_t *journal, uint64_t offset) {
    const sim_log_t *log = of(journal)->log;
    uint64_t bytes = 0;
    for (size_t i = log->segment_first; i < log->segment_count; i++)
        bytes += log->segments[i].next_offset > offset ? log->segments[i].bytes : 0;
    return bytes;
}

static fob_journal_code_t j_replay(fob_journal_t *journal, const fob_replay_t *to,
                                   fob_journal_error_t *error) {
    sim_store_t *store = &of(journal)->log->base;
    bool whole = store->ops->replay(store, to, error->text, sizeof error->text);
    return whole ? FOB_JOURNAL_OK : FOB_JOURNAL_DAMAGED;
}

static void j_close(fob_journal_t **self_p) {
    sim_journal_t *self = of(*self_p);
    if (self->log->open == self && self->draft_done)
        sim_checkpoint_put(self);
    for (size_t i = self->pending_first; i < self->pending_count; i++)
        sim_pending_drop(&self->pending[i]);
    for (size_t i = 0; i < self->page_count; i++)
        free(self->pages[i].memory);
    sim_checkpoint_clear(&self->draft);
    if (self->log->open == self)
        self->log->open = NULL;
    free(self->pending);
    free(self);
    *self_p = NULL;
}

const fob_journal_ops_t sim_journal_ops = {
    .replay = j_replay,
    .reserve = j_reserve,
    .append = j_append,
    .durable = j_durable,
    .health = j_health,
    .fd = j_fd,
    .clear = j_clear,
    .read = j_read,
    .page = j_page,
    .trim = j_trim,
    .checkpoint_due = j_checkpoint_due,
    .checkpoint_begin = j_checkpoint_begin,
    .checkpoint_slice = j_checkpoint_slice,
    .checkpoint_finish = j_checkpoint_finish,
    .epoch = j_epoch,
    .level = j_level,
    .stats = j_stats,
    .bytes_from = j_bytes_from,
    .began = j_began,
    .close = j_close,
};
