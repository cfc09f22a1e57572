/* The file journal as the bus sees it, looked at from outside: what it calls durable, what it shows
 * of it, what it says is not there. */
#include "sim_folder_inside.h"

static const char durable_promise[] = "what was called durable is there, and nothing else";

static sim_tap_t *of(fob_journal_t *journal) {
    return (sim_tap_t *)(void *)journal;
}

static sim_history_t *history_of(const sim_tap_t *self) {
    return &self->folder->base.history;
}

/* --- what is durable --- */

/* Whoever asks may act on the answer: what it rests on is told before. */
static uint64_t look(sim_tap_t *self) {
    sim_folder_t *folder = self->folder;
    uint64_t count = history_of(self)->count;
    if (folder->cut)
        return count;
    uint64_t durable = self->real->ops->durable(self->real);
    uint64_t appended = count + folder->pending_count - folder->pending_first;
    if (durable < count || durable > appended)
        sim_history_wrong(
            history_of(self), durable_promise, "durable is %llu after %llu, of %llu appended",
            (unsigned long long)durable, (unsigned long long)count, (unsigned long long)appended);
    sim_folder_told(folder, durable, true);
    return durable;
}

static uint64_t t_durable(fob_journal_t *journal) {
    return look(of(journal));
}

static uint64_t t_append(fob_journal_t *journal, const fob_entry_t *entries, size_t count,
                         bool sync) {
    sim_tap_t *self = of(journal);
    sim_folder_t *folder = self->folder;
    uint64_t expected = history_of(self)->count + folder->pending_count - folder->pending_first + 1;
    if (!folder->cut) {
        folder->pending = sim_grow(folder->pending, folder->pending_count, &folder->pending_room,
                                   sizeof *folder->pending);
        folder->pending[folder->pending_count++] = sim_pending(expected, entries, count);
    }
    bool before = folder->cut;
    uint64_t position = self->real->ops->append(self->real, entries, count, sync);
    if (!before && position != expected)
        sim_history_wrong(history_of(self), durable_promise, "position %llu is given for %llu",
                          (unsigned long long)position, (unsigned long long)expected);
    return position;
}

static fob_journal_code_t t_health(fob_journal_t *journal, fob_journal_error_t *error) {
    sim_tap_t *self = of(journal);
    return self->folder->cut ? FOB_JOURNAL_OK : self->real->ops->health(self->real, error);
}

/* --- what a start shows --- */

typedef struct {
    const sim_history_t *history;
    const fob_replay_t *to;
    size_t next;     /* index of the commit whose records come, */
    uint32_t record; /* and which one; both are known from the first record on */
    bool any;
} show_t;

static bool same(const fob_stored_t *one, const fob_stored_t *other) {
    return one->position == other->position && one->first_offset == other->first_offset &&
           one->count == other->count && one->size == other->size &&
           memcmp(one->data, other->data, one->size) == 0;
}

static bool on_slice(void *arg, const uint8_t *data, size_t size) {
    const show_t *self = arg;
    return self->to->slice(self->to->arg, data, size);
}

static bool on_record(void *arg, const fob_stored_t *record) {
    show_t *self = arg;
    const sim_history_t *history = self->history;
    if (!self->any)
        self->next = (size_t)record->position - 1;
    self->any = true;
    if (self->next >= history->count ||
        !same(record, &history->commits[self->next]->records[self->record]))
        sim_history_wrong(history, durable_promise,
                          "a record of position %llu is shown, where record %u of %zu belongs (%zu "
                          "are durable)",
                          (unsigned long long)record->position, self->record, self->next + 1,
                          history->count);
    if (++self->record == history->commits[self->next]->record_count) {
        self->record = 0;
        self->next++;
    }
    return self->to->record(self->to->arg, record);
}

fob_journal_code_t sim_tap_show(const sim_folder_t *folder, fob_journal_t *real,
                                const fob_replay_t *to, fob_journal_error_t *error) {
    show_t show = {.history = &folder->base.history, .to = to};
    fob_replay_t mine = {on_slice, on_record, &show};
    fob_journal_code_t code = real->ops->replay(real, &mine, error);
    if (code == FOB_JOURNAL_OK && show.any && show.next != folder->base.history.count)
        sim_history_wrong(&folder->base.history, durable_promise,
                          "the last position shown is %zu of %zu", show.next,
                          folder->base.history.count);
    return code;
}

static fob_journal_code_t t_replay(fob_journal_t *journal, const fob_replay_t *to,
                                   fob_journal_error_t *error) {
    sim_tap_t *self = of(journal);
    sim_folder_t *folder = self->folder;
    fob_journal_code_t code = sim_tap_show(folder, self->real, to, error);
    folder->excused = sim_folder_refused(folder, code, error->text);
    return code;
}

/* --- pages --- */

static fob_journal_code_t t_read(fob_journal_t *journal, uint64_t offset, size_t max_bytes,
                                 uint64_t tag) {
    sim_tap_t *self = of(journal);
    if (self->folder->cut || self->asked_count == MOST_ASKED)
        return FOB_JOURNAL_AGAIN;
    const sim_history_t *history = history_of(self);
    size_t spot = sim_history_find(history, offset);
    bool durable = spot < history->spot_count && history->spots[spot].first_offset <= offset;
    fob_journal_code_t code = self->real->ops->read(self->real, offset, max_bytes, tag);
    if (code == FOB_JOURNAL_OK)
        self->asked[self->asked_count++] = (sim_asked_t){offset, tag, durable};
    return code;
}

static sim_asked_t asked(sim_tap_t *self, uint64_t tag) {
    for (size_t i = 0; i < self->asked_count; i++) {
        if (self->asked[i].tag != tag)
            continue;
        sim_asked_t found = self->asked[i];
        self->asked[i] = self->asked[--self->asked_count];
        return found;
    }
    sim_history_wrong(history_of(self), durable_promise, "a page that nobody asked for");
    return (sim_asked_t){0};
}

static void look_at_events(const sim_tap_t *self, const fob_page_t *page, uint64_t offset) {
    const sim_history_t *history = history_of(self);
    size_t spot = sim_history_find(history, offset);
    for (size_t i = 0; i < page->entry_count; i++)
        if (spot + i >= history->spot_count ||
            !same(&page->entries[i], sim_history_record(history, spot + i)))
            sim_history_wrong(history, durable_promise,
                              "a page for offset %llu shows, as entry %zu, offset %llu of position "
                              "%llu, which is not what was appended",
                              (unsigned long long)offset, i,
                              (unsigned long long)page->entries[i].first_offset,
                              (unsigned long long)page->entries[i].position);
    if (!page->entry_count)
        sim_history_wrong(history, durable_promise, "a page for offset %llu is empty",
                          (unsigned long long)offset);
}

static void look_at_page(sim_tap_t *self, const fob_page_t *page) {
    sim_folder_t *folder = self->folder;
    sim_asked_t ask = asked(self, page->tag);
    bool trimmed = ask.offset < folder->trimmed;
    folder->base.counts.pages++;
    folder->base.counts.absent += page->code == FOB_JOURNAL_ABSENT;
    folder->base.counts.damaged += page->code == FOB_JOURNAL_DAMAGED;
    if (page->code == FOB_JOURNAL_OK)
        look_at_events(self, page, ask.offset);
    else if (page->code == FOB_JOURNAL_ABSENT && ask.durable && !trimmed)
        sim_history_wrong(history_of(self), "nothing is trimmed that is needed",
                          "offset %llu is absent, and only what is below %llu was let go",
                          (unsigned long long)ask.offset, (unsigned long long)folder->trimmed);
    else if (page->code == FOB_JOURNAL_DAMAGED)
        sim_folder_damaged(folder, page, ask.offset);
    else if (page->code == FOB_JOURNAL_MEMORY ||
             (page->code == FOB_JOURNAL_SYSTEM && !sim_disk_tally(folder->disk).errors))
        sim_history_wrong(history_of(self), durable_promise, "a page for %llu cannot be read: %s",
                          (unsigned long long)ask.offset, page->text);
}

static fob_journal_code_t t_page(fob_journal_t *journal, fob_page_t *out) {
    sim_tap_t *self = of(journal);
    if (self->folder->cut)
        return FOB_JOURNAL_AGAIN;
    fob_journal_code_t code = self->real->ops->page(self->real, out);
    look(self);
    if (code == FOB_JOURNAL_OK)
        look_at_page(self, out);
    return code;
}

/* --- handed on --- */

static bool t_reserve(fob_journal_t *journal, size_t bytes) {
    return of(journal)->real->ops->reserve(of(journal)->real, bytes);
}

static int t_fd(fob_journal_t *journal) {
    return of(journal)->real->ops->fd(of(journal)->real);
}

static void t_clear(fob_journal_t *journal) {
    of(journal)->real->ops->clear(of(journal)->real);
}

static void t_trim(fob_journal_t *journal, uint64_t offset, int64_t now_ms) {
    sim_tap_t *self = of(journal);
    if (offset > self->folder->trimmed)
        self->folder->trimmed = offset;
    self->real->ops->trim(self->real, offset, now_ms);
}

static bool t_checkpoint_due(fob_journal_t *journal) {
    return of(journal)->real->ops->checkpoint_due(of(journal)->real);
}

static fob_journal_code_t t_checkpoint_begin(fob_journal_t *journal, uint64_t position) {
    return of(journal)->real->ops->checkpoint_begin(of(journal)->real, position);
}

static fob_journal_code_t t_checkpoint_slice(fob_journal_t *journal, const uint8_t *data,
                                             size_t size) {
    return of(journal)->real->ops->checkpoint_slice(of(journal)->real, data, size);
}

static fob_journal_code_t t_checkpoint_finish(fob_journal_t *journal) {
    return of(journal)->real->ops->checkpoint_finish(of(journal)->real);
}

static uint64_t t_epoch(fob_journal_t *journal) {
    return of(journal)->real->ops->epoch(of(journal)->real);
}

static const char *t_level(fob_journal_t *journal) {
    return of(journal)->real->ops->level(of(journal)->real);
}

static void t_stats(fob_journal_t *journal, fob_journal_stats_t *out) {
    of(journal)->real->ops->stats(of(journal)->real, out);
}

static uint64_t t_began(fob_journal_t *journal, uint64_t epoch) {
    return of(journal)->real->ops->began(of(journal)->real, epoch);
}

static uint64_t t_bytes_from(fob_journal_t *journal, uint64_t offset) {
    return of(journal)->real->ops->bytes_from(of(journal)->real, offset);
}

static void t_close(fob_journal_t **self_p) {
    sim_tap_t *self = of(*self_p);
    sim_folder_t *folder = self->folder;
    self->real->ops->close(&self->real);
    if (sim_disk_open_files(folder->disk) > 0)
        sim_history_wrong(history_of(self), "a journal that is closed leaves nothing behind",
                          "%zu files are left open", sim_disk_open_files(folder->disk));
    folder->tap = NULL;
    free(self);
    *self_p = NULL;
}

sim_tap_t *sim_tap_new(sim_folder_t *folder, fob_journal_t *real) {
    static const fob_journal_ops_t ops = {.replay = t_replay,
                                          .reserve = t_reserve,
                                          .append = t_append,
                                          .durable = t_durable,
                                          .health = t_health,
                                          .fd = t_fd,
                                          .clear = t_clear,
                                          .read = t_read,
                                          .page = t_page,
                                          .trim = t_trim,
                                          .checkpoint_due = t_checkpoint_due,
                                          .checkpoint_begin = t_checkpoint_begin,
                                          .checkpoint_slice = t_checkpoint_slice,
                                          .checkpoint_finish = t_checkpoint_finish,
                                          .epoch = t_epoch,
                                          .level = t_level,
                                          .stats = t_stats,
                                          .bytes_from = t_bytes_from,
                                          .began = t_began,
                                          .close = t_close};
    sim_tap_t *self = sim_alloc(sizeof *self);
    self->base.ops = &ops;
    self->real = real;
    self->folder = folder;
    return self;
}
