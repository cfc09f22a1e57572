#include "bus/journal/file.h"

#include "bus/journal/cadence.h"
#include "bus/journal/checkpoint.h"
#include "bus/journal/committer.h"
#include "bus/journal/epoch.h"
#include "bus/journal/folder.h"
#include "bus/journal/keeper.h"
#include "bus/journal/reader.h"
#include "bus/journal/recovery.h"
#include "bus/journal/replay.h"
#include "bus/journal/store.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Owned by one thread; what others need of it is in the store. */
typedef struct {
    struct fob_journal base;
    fob_store_t store;
    fob_committer_t *committer;
    fob_keeper_t *keeper;
    fob_reader_t *reader;
    fob_checkpoints_t *checkpoints;
    int lock;               /* descriptor that holds the folder */
    uint64_t position;      /* of the last commit appended */
    uint64_t next_offset;   /* of the next event */
    uint64_t tail_sequence; /* where the next commit goes */
    uint64_t tail_at, tail_bytes;
    uint64_t pinned_below, pinned_bytes;
    bool half_told;                    /* the keeper knows that the tail is half full */
    bool refused;                      /* the last reserve was refused */
    uint64_t replay_from, replay_upto; /* what was there at the start */
    uint64_t appended;                 /* bytes since the last checkpoint began */
    uint64_t slices;                   /* bytes of the one that is begun, or was last */
    uint64_t torn_bytes;
} file_t;

static file_t *file_of(fob_journal_t *journal) {
    return (file_t *)(void *)journal;
}

/* --- room --- */

/* Bytes of a commit of `payload` bytes whose entries are not known yet, rather too many. */
static uint64_t framed(size_t payload) {
    return payload + payload / 8 + FOB_SEGMENT_HEADER_BYTES;
}

/* What is free in made segments: in the tail's rest and behind it. Lock held. */
static void room_made(const file_t *self, uint64_t *tail, uint64_t *behind) {
    const fob_segments_t *table = &self->store.segments;
    *tail = self->tail_bytes - self->tail_at;
    *behind = 0;
    for (size_t i = table->count; i > 0; i--) {
        if (table->all[i - 1]->sequence <= self->tail_sequence)
            break;
        *behind += table->all[i - 1]->bytes - FOB_SEGMENT_HEADER_BYTES;
    }
}

/* What could still be made without touching what is left to settles. Lock held. */
static uint64_t room_to_make(const file_t *self) {
    const fob_store_t *store = &self->store;
    uint64_t spared = store->segment_bytes + store->promised + store->making;
    uint64_t bytes = store->segments.bytes + spared;
    uint64_t limit = store->max_bytes > bytes ? store->max_bytes - bytes : 0;
    uint64_t available = atomic_load(&self->store.available);
    available = available > spared ? available - spared : 0;
    return limit < available ? limit : available;
}

static bool at_limit(file_t *self) {
    fob_lock_take(&self->store.lock);
    uint64_t to_make = room_to_make(self);
    fob_lock_drop(&self->store.lock);
    return to_make == 0;
}

/* Whether there are so many bytes for one commit; what is to be made for it is nobody else's until
 * it is appended. Lock held. */
static bool take_room(file_t *self, uint64_t need) {
    fob_store_t *store = &self->store;
    uint64_t tail, behind, free_bytes;
    room_made(self, &tail, &behind);
    bool fits = need <= tail;
    bool large = need > store->segment_bytes - FOB_SEGMENT_HEADER_BYTES - store->margin && !fits;
    if (large)
        /* Too large for one that is made: it gets its own. */
        free_bytes = room_to_make(self);
    else
        free_bytes = (fits ? tail : 0) + behind;
    /* Only what is there already counts, so that no other program can take it away meanwhile. */
    bool taken = free_bytes >= need && free_bytes - need >= store->margin;
    if (taken && large)
        store->granted = need;
    else if (taken || need <= store->granted)
        store->granted = 0; /* what was held is of a commit that never came */
    return taken;
}

static bool file_reserve(fob_journal_t *journal, size_t bytes) {
    file_t *self = file_of(journal);
    fob_store_t *store = &self->store;
    if (atomic_load(&store->failed))
        return false;
    fob_lock_take(&store->lock);
    bool taken = take_room(self, framed(bytes));
    fob_lock_drop(&store->lock);
    if (!taken && !self->refused)
        fob_keeper_wake(self->keeper);
    self->refused = !taken;
    return taken;
}

/* It will be as large as that: nobody else gets the room meanwhile. Lock held. */
static void grow_tail(file_t *self, uint64_t bytes) {
    if (bytes <= self->tail_bytes)
        return;
    bytes = fob_segment_round(bytes);
    self->store.promised += bytes - self->tail_bytes;
    self->tail_bytes = bytes;
}

/* The tail is full: the next segment takes over, made or about to be. */
static void next_tail(file_t *self, uint64_t total) {
    fob_store_t *store = &self->store;
    uint64_t want = FOB_SEGMENT_HEADER_BYTES + total;
    fob_lock_take(&store->lock);
    self->tail_sequence++;
    const fob_segment_t *made = fob_segments_find(&store->segments, self->tail_sequence);
    uint64_t bytes = made != NULL ? made->bytes : store->segment_bytes;
    self->tail_bytes = bytes;
    grow_tail(self, want);
    self->tail_at = FOB_SEGMENT_HEADER_BYTES;
    self->half_told = false;
    store->tail_sequence = self->tail_sequence;
    atomic_store(&store->tail_at, self->tail_at);
    fob_lock_drop(&store->lock);
    fob_keeper_wake(self->keeper);
}

/* What was held for this commit is promised to it now, as far as it needs it. */
static void end_grant(file_t *self) {
    if (self->store.granted == 0) /* only this thread sets it */
        return;
    fob_lock_take(&self->store.lock);
    self->store.granted = 0;
    fob_lock_drop(&self->store.lock);
}

static void place(file_t *self, fob_pending_t *pending) {
    bool fits = pending->total <= self->tail_bytes - self->tail_at;
    if (!fits && self->tail_at == FOB_SEGMENT_HEADER_BYTES) {
        /* It grows: an empty one in the middle would look like the journal's end. */
        fob_lock_take(&self->store.lock);
        grow_tail(self, FOB_SEGMENT_HEADER_BYTES + pending->total);
        fob_lock_drop(&self->store.lock);
    } else if (!fits) {
        next_tail(self, pending->total);
    }
    pending->sequence = self->tail_sequence;
    pending->at = self->tail_at;
    self->tail_at += pending->total;
    self->appended += pending->total;
    atomic_store_explicit(&self->store.tail_at, self->tail_at, memory_order_relaxed);
    if (!self->half_told && self->tail_at > self->tail_bytes / 2) {
        self->half_told = true;
        fob_keeper_wake(self->keeper);
    }
}

/* --- append --- */

static uint64_t count_events(file_t *self, const fob_entry_t *entries, size_t count) {
    uint64_t events = 0;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].count == 0)
            continue;
        assert(entries[i].first_offset >= self->next_offset); /* offsets only grow */
        self->next_offset = entries[i].first_offset + entries[i].count;
        events += entries[i].count;
    }
    return events;
}

static uint64_t file_append(fob_journal_t *journal, const fob_entry_t *entries, size_t count,
                            bool sync) {
    file_t *self = file_of(journal);
    uint64_t position = ++self->position;
    if (atomic_load(&self->store.failed))
        return position; /* never durable; health has told */
    fob_pending_t *pending = fob_committer_take(self->committer, entries, count);
    if (pending == NULL) {
        fob_store_fail(&self->store, "Appending to", "", ENOMEM);
        return position;
    }
    uint64_t first = self->next_offset;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].count > 0) {
            first = entries[i].first_offset;
            break;
        }
    }
    uint64_t events = count_events(self, entries, count);
    assert(events <= UINT32_MAX && pending->total - sizeof pending->head <= UINT32_MAX);
    pending->position = position;
    pending->next_offset = self->next_offset;
    pending->head = (fob_disk_commit_t){
        .magic = htole32(FOB_COMMIT_MAGIC),
        .version = htole16(FOB_FORMAT_VERSION),
        .payload_bytes = htole32((uint32_t)(pending->total - sizeof pending->head)),
        .entry_count = htole32((uint32_t)count),
        .position = htole64(position),
        .first_offset = htole64(first),
        .event_count = htole32((uint32_t)events),
    };
    place(self, pending);
    end_grant(self);
    fob_committer_put(self->committer, pending, sync);
    return position;
}

static uint64_t file_durable(fob_journal_t *journal) {
    return atomic_load(&file_of(journal)->store.durable);
}

static fob_journal_code_t file_health(fob_journal_t *journal, fob_journal_error_t *error) {
    fob_store_t *store = &file_of(journal)->store;
    if (!atomic_load(&store->failed))
        return FOB_JOURNAL_OK;
    fob_lock_take(&store->lock);
    if (error != NULL)
        *error = store->failure;
    fob_lock_drop(&store->lock);
    return FOB_JOURNAL_FAILED;
}

static int file_fd(fob_journal_t *journal) {
    return file_of(journal)->store.bell.fd;
}

static void file_clear(fob_journal_t *journal) {
    fob_bell_clear(&file_of(journal)->store.bell);
}

static fob_journal_code_t file_read(fob_journal_t *journal, uint64_t offset, size_t max_bytes,
                                    uint64_t tag) {
    return fob_reader_ask(file_of(journal)->reader, offset, max_bytes, tag);
}

static fob_journal_code_t file_page(fob_journal_t *journal, fob_page_t *out) {
    return fob_reader_page(file_of(journal)->reader, out);
}

static fob_journal_code_t file_replay(fob_journal_t *journal, const fob_replay_t *to,
                                      fob_journal_error_t *error) {
    file_t *self = file_of(journal);
    assert(self->position == self->replay_upto); /* before the first append */
    return fob_replay_above(&self->store, self->replay_from, self->replay_upto, to, error);
}

/* --- giving back --- */

/* After the wall clock went back, segments are stamped in the future: from then on their age counts
 * by the other clock, or they would stay until the first is there again. Lock held. */
static void note_future(fob_store_t *store, int64_t now_ms) {
    const fob_segments_t *table = &store->segments;
    if (table->count == 0 || table->all[0]->last_ms <= now_ms)
        return;
    for (size_t i = 0; i < table->count; i++) {
        fob_segment_t *segment = table->all[i];
        if (segment->last_ms > now_ms && segment->future_at == 0)
            segment->future_at = fob_mono_ms(store->runtime);
    }
}

/* Whether the oldest segment may go, but for what may be needed of it. Lock held. */
static bool may_go(const file_t *self, uint64_t checkpoint, uint64_t bytes, int64_t now_ms) {
    const fob_store_t *store = &self->store;
    const fob_segments_t *table = &store->segments;
    const fob_segment_t *oldest = table->all[0];
    if (table->count < 2 || table->all[1]->first_position == 0 || oldest->fd >= 0)
        return false; /* the last one with commits stays: it knows where numbers go on */
    if (oldest->last_position > checkpoint)
        return false;
    bool much = bytes - oldest->bytes >= store->retain_bytes;
    bool old = now_ms - oldest->last_ms >= store->retain_ms ||
               (oldest->future_at != 0 &&
                fob_mono_ms(store->runtime) - oldest->future_at >= store->retain_ms);
    return much || old;
}

static void file_trim(fob_journal_t *journal, uint64_t offset, int64_t now_ms) {
    file_t *self = file_of(journal);
    fob_store_t *store = &self->store;
    /* The older checkpoint counts: should the newest turn out bad, the journal must reach back to
     * it. */
    uint64_t checkpoint = fob_checkpoints_kept(self->checkpoints).older;
    bool any = false;
    fob_lock_take(&store->lock);
    note_future(store, now_ms);
    uint64_t bytes = store->segments.bytes;
    fob_segment_t **end = &store->doomed;
    while (*end != NULL)
        end = &(*end)->next;
    self->pinned_below = self->pinned_bytes = 0;
    while (store->segments.count > 0 && may_go(self, checkpoint, bytes, now_ms)) {
        const fob_segment_t *oldest = store->segments.all[0];
        if (oldest->next_offset > offset) {
            self->pinned_below = oldest->next_offset;
            self->pinned_bytes =
                (oldest->walked ? oldest->end : oldest->bytes) - FOB_SEGMENT_HEADER_BYTES;
            break;
        }
        fob_segment_t *segment = fob_segments_shift(&store->segments);
        bytes -= segment->bytes;
        *end = segment;
        end = &segment->next;
        any = true;
    }
    fob_lock_drop(&store->lock);
    if (any)
        fob_keeper_wake(self->keeper);
}

static bool file_checkpoint_due(fob_journal_t *journal) {
    file_t *self = file_of(journal);
    if (fob_checkpoints_busy(self->checkpoints) || atomic_load(&self->store.failed))
        return false;
    if (self->appended >= fob_cadence(self->slices, self->store.max_bytes) ||
        fob_checkpoints_again(self->checkpoints))
        return true;
    /* No room: what the older checkpoint pins goes with the next one. Where no segment can be made
     * settles have only what is left, and what they free by that. */
    if (self->appended < fob_cadence_short(self->slices))
        return false;
    return (self->refused && self->appended >= self->store.segment_bytes / 2) ||
           (self->appended >= self->store.segment_bytes / 4 && at_limit(self));
}

static uint64_t file_bytes_from(fob_journal_t *journal, uint64_t offset) {
    fob_store_t *store = &file_of(journal)->store;
    const fob_segments_t *table = &store->segments;
    uint64_t bytes = 0;
    size_t i = 0;
    fob_lock_take(&store->lock);
    if (!fob_segments_of_offset(table, offset, &i))
        i = 0; /* below all there is */
    for (; offset < atomic_load(&store->next_offset) && i < table->count; i++)
        bytes += table->all[i]->first_position != 0 ? table->all[i]->bytes : 0;
    fob_lock_drop(&store->lock);
    return bytes;
}

static fob_journal_code_t file_checkpoint_begin(fob_journal_t *journal, uint64_t position) {
    file_t *self = file_of(journal);
    self->appended = self->slices = 0;
    return fob_checkpoints_begin(self->checkpoints, position);
}

static fob_journal_code_t file_checkpoint_slice(fob_journal_t *journal, const uint8_t *data,
                                                size_t size) {
    file_t *self = file_of(journal);
    self->slices += size;
    return fob_checkpoints_slice(self->checkpoints, data, size);
}

static fob_journal_code_t file_checkpoint_finish(fob_journal_t *journal) {
    file_t *self = file_of(journal);
    return fob_checkpoints_finish(self->checkpoints, self->position);
}

static uint64_t file_epoch(fob_journal_t *journal) {
    return file_of(journal)->store.epoch;
}

static uint64_t file_began(fob_journal_t *journal, uint64_t epoch) {
    return fob_lineage_began(&file_of(journal)->store.lineage, epoch);
}

static const char *file_level(fob_journal_t *journal) {
    return file_of(journal)->store.sync == FOB_SYNC_ALWAYS ? "disk" : "os";
}

static void file_stats(fob_journal_t *journal, fob_journal_stats_t *out) {
    file_t *self = file_of(journal);
    fob_store_t *store = &self->store;
    *out = (fob_journal_stats_t){.last_offset = self->next_offset - 1,
                                 .last_position = self->position,
                                 .durable_position = atomic_load(&store->durable),
                                 .syncs = atomic_load(&store->syncs),
                                 .torn_bytes = self->torn_bytes,
                                 .pinned_below = self->pinned_below,
                                 .pinned_bytes = self->pinned_bytes};
    out->checkpoint_position = fob_checkpoints_kept(self->checkpoints).newest;
    uint64_t tail, behind;
    fob_lock_take(&store->lock);
    out->bytes = store->segments.bytes;
    out->max_bytes = store->max_bytes;
    out->segments = store->segments.count;
    if (store->segments.count > 0 && store->segments.all[0]->first_position != 0 &&
        store->segments.all[0]->first_offset < atomic_load(&store->next_offset))
        out->first_offset = store->segments.all[0]->first_offset;
    room_made(self, &tail, &behind);
    if (!fob_segments_find(&store->segments, self->tail_sequence))
        tail = 0; /* it is among what could still be made */
    uint64_t room = tail + behind + room_to_make(self);
    fob_lock_drop(&store->lock);
    out->free_bytes = room > store->margin ? room - store->margin : 0;
}

/* --- open and close --- */

/* The newest segment that was made; while no other thread makes any. */
static uint64_t highest(const fob_store_t *store) {
    size_t count = store->segments.count;
    return count > 0 ? store->segments.all[count - 1]->sequence : 0;
}

static void stop_threads(file_t *self) {
    if (self->keeper != NULL) {
        fob_lock_take(&self->store.lock);
        self->store.stopping = true;
        fob_cond_broadcast(&self->store.changed);
        fob_lock_drop(&self->store.lock);
    }
    fob_reader_destroy(&self->reader);
    fob_checkpoints_destroy(&self->checkpoints);
    fob_committer_destroy(&self->committer);
    fob_keeper_destroy(&self->keeper);
}

static void file_close(fob_journal_t **self_p) {
    if (self_p == NULL || *self_p == NULL)
        return;
    file_t *self = file_of(*self_p);
    fob_store_t *store = &self->store;
    stop_threads(self);
    bool clean = !atomic_load(&store->failed) && atomic_load(&store->synced) == self->position;
    if (clean && fob_epoch_write(store, true, self->position, highest(store)) != 0)
        fob_store_log(store, "Cannot mark the clean end of the journal in %s: %s.", store->folder,
                      strerror(errno));
    fob_store_close(store);
    store->disk->close(store->disk->arg, self->lock);
    free(self);
    *self_p = NULL;
}

static const fob_journal_ops_t file_ops = {
    .replay = file_replay,
    .reserve = file_reserve,
    .append = file_append,
    .durable = file_durable,
    .health = file_health,
    .fd = file_fd,
    .clear = file_clear,
    .read = file_read,
    .page = file_page,
    .trim = file_trim,
    .checkpoint_due = file_checkpoint_due,
    .checkpoint_begin = file_checkpoint_begin,
    .checkpoint_slice = file_checkpoint_slice,
    .checkpoint_finish = file_checkpoint_finish,
    .epoch = file_epoch,
    .began = file_began,
    .level = file_level,
    .stats = file_stats,
    .bytes_from = file_bytes_from,
    .close = file_close,
};

/* The epoch of this run: the old one, unless offsets of it might be given twice. */
static uint64_t choose_epoch(const fob_store_t *store, const fob_epoch_mark_t *mark) {
    if (mark->epoch != 0 && (mark->clean || mark->level_disk))
        return mark->epoch;
    uint64_t now = (uint64_t)fob_wall_ms(store->runtime);
    return now > mark->epoch ? now : mark->epoch + 1;
}

static fob_journal_code_t first_segment(file_t *self, fob_journal_error_t *error) {
    fob_store_t *store = &self->store;
    fob_segment_t *segment = fob_store_make_segment(store, 1, store->segment_bytes);
    if (segment != NULL && fob_segments_add(&store->segments, segment)) {
        self->tail_sequence = 1;
        self->tail_at = FOB_SEGMENT_HEADER_BYTES;
        return FOB_JOURNAL_OK;
    }
    fob_error_set(error, FOB_JOURNAL_SYSTEM, "Cannot make the first segment in %s: %s.",
                  store->folder, strerror(errno));
    if (segment != NULL)
        store->disk->close(store->disk->arg, segment->fd);
    fob_segment_destroy(&segment);
    return FOB_JOURNAL_SYSTEM;
}

/* With a tail that is partly used, publishes need the next segment from the first moment on. Where
 * it cannot be made the keeper goes on trying. */
static void second_segment(file_t *self) {
    fob_store_t *store = &self->store;
    uint64_t sequence = self->tail_sequence + 1;
    if (fob_segments_find(&store->segments, sequence) != NULL ||
        self->tail_at < self->tail_bytes / 4 ||
        store->segments.bytes + 2 * store->segment_bytes > store->max_bytes)
        return;
    fob_segment_t *segment = fob_store_make_segment(store, sequence, store->segment_bytes);
    if (segment != NULL && !fob_segments_add(&store->segments, segment)) {
        store->disk->close(store->disk->arg, segment->fd);
        fob_segment_destroy(&segment);
    }
}

static fob_journal_code_t recover(file_t *self, fob_kept_t *kept, fob_journal_error_t *error) {
    fob_store_t *store = &self->store;
    fob_recovered_t found;
    fob_journal_code_t code = fob_recover(store, &found, error);
    if (code != FOB_JOURNAL_OK)
        return code;
    *kept = found.kept;
    store->epoch = choose_epoch(store, &found.mark);
    store->epoch_turn = found.mark.turn;
    fob_store_look_back(store, found.mark.epoch, found.next_offset);
    self->position = self->replay_upto = found.last_position;
    self->replay_from = found.kept.newest;
    self->next_offset = found.next_offset;
    self->torn_bytes = found.torn_bytes;
    self->appended = found.bytes_above; /* many short runs must not add up to one long replay */
    self->tail_sequence = found.tail_sequence;
    self->tail_at = found.tail_at;
    if (store->segments.count == 0 && first_segment(self, error) != FOB_JOURNAL_OK)
        return FOB_JOURNAL_SYSTEM;
    fob_segment_t *tail = fob_segments_find(&store->segments, self->tail_sequence);
    tail->taken = true;
    self->tail_bytes = tail->bytes;
    second_segment(self);
    store->lowest = store->segments.all[0]->sequence;
    if (fob_epoch_write(store, false, self->position, highest(store)) != 0) {
        fob_error_set(error, FOB_JOURNAL_SYSTEM, "Cannot write %s/" FOB_EPOCH_NAME ": %s.",
                      store->folder, strerror(errno));
        return FOB_JOURNAL_SYSTEM;
    }
    store->stamp_ms = tail->last_ms;
    store->tail_sequence = self->tail_sequence;
    atomic_store(&store->tail_at, self->tail_at);
    atomic_store(&store->written, self->position);
    atomic_store(&store->synced, self->position);
    atomic_store(&store->durable, self->position);
    atomic_store(&store->next_offset, self->next_offset);
    return FOB_JOURNAL_OK;
}

static bool start_threads(file_t *self, fob_kept_t kept, fob_journal_error_t *error) {
    self->keeper = fob_keeper_new(&self->store, error);
    if (self->keeper != NULL)
        self->committer = fob_committer_new(&self->store, error);
    if (self->committer != NULL)
        self->checkpoints = fob_checkpoints_new(&self->store, self->committer, kept, error);
    if (self->checkpoints != NULL)
        self->reader = fob_reader_new(&self->store, error);
    return self->reader != NULL;
}

fob_journal_t *fob_journal_file_open(const fob_file_options_t *options,
                                     fob_journal_error_t *error) {
    fob_journal_error_t ignored;
    if (error == NULL)
        error = &ignored;
    *error = (fob_journal_error_t){0};
    const fob_disk_t *disk = options->disk != NULL ? options->disk : fob_disk_real();
    if (fob_folder_make(disk, options->folder) != 0) {
        fob_error_set(error, FOB_JOURNAL_SYSTEM, "Cannot make the folder %s: %s.", options->folder,
                      strerror(errno));
        return NULL;
    }
    file_t *self = calloc(1, sizeof *self);
    if (self == NULL) {
        fob_error_set(error, FOB_JOURNAL_MEMORY, "No memory to open the journal.");
        return NULL;
    }
    self->base.ops = &file_ops;
    if (fob_folder_lock(disk, options->folder, &self->lock, error) != FOB_JOURNAL_OK) {
        free(self);
        return NULL;
    }
    if (!fob_store_init(&self->store, options, error)) {
        disk->close(disk->arg, self->lock);
        free(self);
        return NULL;
    }
    fob_kept_t kept = {0};
    if (recover(self, &kept, error) == FOB_JOURNAL_OK && start_threads(self, kept, error))
        return &self->base;
    stop_threads(self);
    fob_store_close(&self->store);
    disk->close(disk->arg, self->lock);
    free(self);
    return NULL;
}
