/* The simulated log: what is durable, what is lost when the machine falls, and its time. */
#include "sim_journal_inside.h"

/* --- checkpoints --- */

void sim_checkpoint_clear(checkpoint_t *self) {
    for (size_t i = 0; i < self->count; i++)
        free(self->slices[i].data);
    free(self->slices);
    *self = (checkpoint_t){0};
}

static void checkpoint_put(sim_journal_t *self) {
    sim_log_t *log = self->log;
    sim_checkpoint_clear(&log->checkpoint);
    log->checkpoint = self->draft;
    log->checkpoint.there = true;
    log->since_checkpoint = 0;
    log->counts.checkpoints++;
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
static void keep(sim_log_t *log, sim_commit_t *commit) {
    log->commits = sim_grow(log->commits, log->count, &log->room, sizeof *log->commits);
    log->commits[log->count] = commit;
    for (uint32_t i = 0; i < commit->record_count; i++) {
        const fob_stored_t *record = &commit->records[i];
        if (!record->count)
            continue;
        log->places =
            sim_grow(log->places, log->place_count, &log->place_room, sizeof *log->places);
        log->places[log->place_count++] =
            (place_t){record->first_offset, record->first_offset + record->count, log->count, i};
    }
    segment_add(log, log->count, commit);
    log->count++;
    log->live_bytes += commit->bytes;
    log->since_checkpoint += commit->bytes;
    log->options.durable(log->options.arg, commit);
}

void sim_pending_free(pending_t *pending, bool kept) {
    free(pending->parts);
    if (!kept)
        free(pending->commit);
}

/* The owner promised that the bytes stay as they are. */
static void look_at_bytes(sim_log_t *log, const pending_t *pending) {
    const uint8_t *copy = pending->commit->records[0].data;
    for (size_t i = 0; i < pending->part_count; i++) {
        const struct iovec *part = &pending->parts[i];
        if (memcmp(copy, part->iov_base, part->iov_len) != 0)
            log->options.wrong(log->options.arg, "a record changed before it was durable");
        copy += part->iov_len;
    }
}

static void sync_done(sim_journal_t *self) {
    for (size_t i = 0; i < self->sync_count; i++) {
        pending_t *pending = &self->pending[self->pending_first++];
        look_at_bytes(self->log, pending);
        self->pending_bytes -= pending->commit->bytes;
        keep(self->log, pending->commit);
        sim_pending_free(pending, true);
    }
    if (self->pending_first == self->pending_count)
        self->pending_first = self->pending_count = 0;
    self->syncing = false;
    self->changed = true;
    self->log->counts.syncs++;
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

/* The first place that ends above the offset; place_count: none. */
static size_t place_find(const sim_log_t *log, uint64_t offset) {
    size_t low = 0, high = log->place_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->places[middle].next_offset > offset)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static const sim_commit_t *commit_at(const sim_log_t *log, size_t place) {
    return log->commits[log->places[place].commit];
}

static void page_fill(const sim_log_t *log, size_t from, size_t max_bytes, fob_page_t *page) {
    size_t end = from, bytes = 0;
    while (end < log->place_count && (end == from || bytes < max_bytes))
        bytes += commit_at(log, end)->records[log->places[end].record].size, end++;
    page->entry_count = end - from;
    page->memory_size = page->entry_count * sizeof(fob_stored_t) + bytes;
    page->memory = sim_alloc(page->memory_size);
    page->entries = page->memory;
    uint8_t *to = (uint8_t *)(page->entries + page->entry_count);
    for (size_t i = from; i < end; i++) {
        const fob_stored_t *record = &commit_at(log, i)->records[log->places[i].record];
        memcpy(to, record->data, record->size);
        page->entries[i - from] = *record;
        page->entries[i - from].data = to;
        to += record->size;
    }
}

static void page_make(sim_journal_t *self, const read_t *read) {
    sim_log_t *log = self->log;
    fob_page_t *page = &self->pages[self->page_count++];
    *page = (fob_page_t){.tag = read->tag, .code = FOB_JOURNAL_OK};
    size_t at = place_find(log, read->offset);
    log->counts.pages++;
    if (at < log->place_count && !commit_at(log, at)->trimmed &&
        log->places[at].first_offset <= read->offset) {
        page_fill(log, at, read->max_bytes, page);
        return;
    }
    page->code = FOB_JOURNAL_ABSENT;
    log->counts.absent++;
    while (at < log->place_count && commit_at(log, at)->trimmed)
        at++;
    page->resume = at < log->place_count ? log->places[at].first_offset : 0;
    snprintf(page->text, sizeof page->text, "offset %llu is not there",
             (unsigned long long)read->offset);
}

/* --- life --- */

sim_log_t *sim_log_new(const sim_log_options_t *options) {
    sim_log_t *self = sim_alloc(sizeof *self);
    self->options = *options;
    self->random = sim_random_new(options->seed);
    return self;
}

void sim_log_free(sim_log_t *self) {
    for (size_t i = 0; i < self->count; i++)
        free(self->commits[i]);
    sim_checkpoint_clear(&self->checkpoint);
    free(self->commits);
    free(self->places);
    free(self->segments);
    free(self);
}

fob_journal_t *sim_log_open(sim_log_t *self) {
    sim_journal_t *journal = sim_alloc(sizeof *journal);
    journal->base.ops = &sim_journal_ops;
    journal->log = self;
    journal->position = self->count;
    journal->wanted_at = INT64_MAX;
    self->open = journal;
    self->fail = false;
    return &journal->base;
}

/* What was being written may be on the disk, from the front on. */
void sim_log_crash(sim_log_t *self) {
    sim_journal_t *journal = self->open;
    size_t left = journal->pending_count - journal->pending_first;
    size_t kept = (size_t)sim_random_below(&self->random, left + 1);
    if (sim_random_once(&self->random, 3))
        kept = 0;
    for (size_t i = 0; i < kept; i++) {
        pending_t *pending = &journal->pending[journal->pending_first++];
        keep(self, pending->commit);
        sim_pending_free(pending, true);
    }
    self->counts.kept_commits += kept;
    self->counts.lost_commits += left - kept;
    if (journal->draft_done && self->count >= journal->draft.position &&
        sim_random_once(&self->random, 2))
        checkpoint_put(journal);
    self->open = NULL;
}

void sim_log_settle(sim_log_t *self) {
    sim_journal_t *journal = self->open;
    journal->sync_count = journal->pending_count - journal->pending_first;
    sync_done(journal);
    if (journal->draft_done)
        checkpoint_put(journal);
}

bool sim_log_step(sim_log_t *self, int64_t now_ns) {
    sim_journal_t *journal = self->open;
    self->now_ns = now_ns;
    if (!journal)
        return false;
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
        checkpoint_put(journal);
    return journal->changed;
}

int64_t sim_log_next(const sim_log_t *self) {
    const sim_journal_t *journal = self->open;
    if (!journal)
        return INT64_MAX;
    if (journal->changed)
        return 0;
    int64_t at = INT64_MAX;
    if (journal->syncing)
        at = journal->sync_at;
    else if (!journal->failed)
        at = journal->wanted_at;
    for (size_t i = 0; i < journal->read_count; i++)
        at = journal->reads[i].at_ns < at ? journal->reads[i].at_ns : at;
    return journal->draft_done && journal->draft_at < at ? journal->draft_at : at;
}

void sim_log_full(sim_log_t *self, bool full) {
    self->full = full;
}

void sim_log_fail(sim_log_t *self) {
    self->fail = true;
}

void sim_log_slow(sim_log_t *self, int64_t sync_ns) {
    self->slow_ns = sync_ns;
}

size_t sim_log_count(const sim_log_t *self) {
    return self->count;
}

const sim_commit_t *sim_log_commit(const sim_log_t *self, size_t index) {
    return self->commits[index];
}

bool sim_log_replay(const sim_log_t *self, bool from_the_first, const fob_replay_t *to) {
    const checkpoint_t *checkpoint = &self->checkpoint;
    bool short_cut = checkpoint->there && !from_the_first;
    if (short_cut)
        for (size_t i = 0; i < checkpoint->count; i++)
            if (!to->slice(to->arg, checkpoint->slices[i].data, checkpoint->slices[i].size))
                return false;
    for (size_t i = short_cut ? (size_t)checkpoint->position : 0; i < self->count; i++)
        for (uint32_t r = 0; r < self->commits[i]->record_count; r++)
            if (!to->record(to->arg, &self->commits[i]->records[r]))
                return false;
    return true;
}

const sim_log_counts_t *sim_log_counts(const sim_log_t *self) {
    return &self->counts;
}
