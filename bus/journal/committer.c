#include "bus/journal/committer.h"

#include "proto/planted.h"

#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* One sync carries at most this much, so that receipts keep coming in a flood. */
#define BATCH_BYTES     (UINT64_C(16) << 20)
#define PARTS_PER_ENTRY 4 /* head, two parts, padding */

struct fob_committer {
    fob_store_t *store;
    /* Its lock is the queue's: the owner must not wait for those who look at segments. */
    fob_thread_t thread;
    fob_pending_t *head, **tail; /* handed over */
    fob_pending_t *spare;        /* the pool */
    bool urgent, sync_asked, stopping, idle;
    int64_t lazy_at; /* mono ms: when the oldest lazy one must go; 0: none waits */
    /* The thread's own. */
    int64_t sync_at;        /* interval: when the next sync is due; 0: nothing to sync */
    struct iovec *parts;    /* IOV_MAX of them */
    int64_t stamp_ms;       /* of the last batch, */
    int64_t stamp_mono;     /* and the other clock then */
    bool dirty;             /* written, not synced */
    bool broken;            /* something was not written: nothing after it may be */
    fob_segment_t *segment; /* written to last */
};

static const uint8_t padding[8];

static void pending_free(fob_pending_t *self) {
    if (self == NULL)
        return;
    free(self->parts);
    free(self->entries);
    free(self);
}

static bool pending_room(fob_pending_t *self, size_t count) {
    if (count <= self->capacity && self->parts != NULL)
        return true;
    size_t capacity = count < 8 ? 8 : count;
    struct iovec *parts = realloc(self->parts, (1 + capacity * PARTS_PER_ENTRY) * sizeof *parts);
    if (parts == NULL)
        return false;
    self->parts = parts;
    fob_disk_entry_t *entries = realloc(self->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    self->entries = entries;
    self->capacity = capacity;
    return true;
}

/* Lays an entry's head, bytes and padding out behind what is there. */
static void pending_add(fob_pending_t *self, const fob_entry_t *entry) {
    size_t length = 0;
    fob_disk_entry_t *head = &self->entries[self->entry_count++];
    self->parts[self->part_count++] = (struct iovec){head, sizeof *head};
    for (uint32_t p = 0; p < entry->part_count; p++) {
        if (entry->parts[p].iov_len > 0)
            self->parts[self->part_count++] = entry->parts[p];
        length += entry->parts[p].iov_len;
    }
    if (fob_pad8(length) > length)
        self->parts[self->part_count++] =
            (struct iovec){(void *)(uintptr_t)padding, fob_pad8(length) - length};
    *head = (fob_disk_entry_t){htole32((uint32_t)length), htole32(entry->count),
                               htole64(entry->count > 0 ? entry->first_offset : 0)};
    self->total += sizeof *head + fob_pad8(length);
}

fob_pending_t *fob_committer_take(fob_committer_t *self, const fob_entry_t *entries, size_t count) {
    fob_lock_take(&self->thread.lock);
    fob_pending_t *pending = self->spare;
    if (pending != NULL)
        self->spare = pending->next;
    fob_lock_drop(&self->thread.lock);
    if (pending == NULL)
        pending = calloc(1, sizeof *pending);
    if (pending == NULL || !pending_room(pending, count)) {
        pending_free(pending);
        return NULL;
    }
    pending->next = NULL;
    pending->entry_count = 0;
    pending->total = sizeof pending->head;
    pending->parts[0] = (struct iovec){&pending->head, sizeof pending->head};
    pending->part_count = 1;
    for (size_t i = 0; i < count; i++)
        pending_add(pending, &entries[i]);
    return pending;
}

void fob_committer_put(fob_committer_t *self, fob_pending_t *pending, bool sync) {
    fob_lock_take(&self->thread.lock);
    *self->tail = pending;
    self->tail = &pending->next;
    bool news = sync && !self->urgent;
    if (sync) {
        self->urgent = true;
    } else if (self->lazy_at == 0 && !FOB_PLANTED(LAZY_FORGOTTEN)) {
        self->lazy_at = fob_mono_ms(self->store->runtime) + self->store->lazy_ms;
        news = true;
    }
    bool wake = news && self->idle;
    fob_lock_drop(&self->thread.lock);
    /* Not before: who is woken would wait for the lock. The owner of it all calls this, so the
     * thread is there still. */
    if (wake)
        fob_cond_signal(&self->thread.work);
}

void fob_committer_sync(fob_committer_t *self) {
    fob_lock_take(&self->thread.lock);
    self->sync_asked = true;
    fob_cond_signal(&self->thread.work);
    fob_lock_drop(&self->thread.lock);
}

/* --- the thread --- */

/* Milliseconds until there is something to do: 0: now; negative: nothing is due. */
static int64_t due_in(const fob_committer_t *self) {
    if (self->urgent || self->sync_asked || self->stopping)
        return 0;
    int64_t at = self->lazy_at;
    if (self->sync_at != 0 && (at == 0 || self->sync_at < at))
        at = self->sync_at;
    if (at == 0)
        return -1;
    int64_t left = at - fob_mono_ms(self->store->runtime);
    return left > 0 ? left : 0;
}

static void idle_for(fob_committer_t *self, int64_t ms) {
    self->idle = true;
    fob_cond_wait(&self->thread.work, &self->thread.lock, ms);
    self->idle = false;
}

/* The first commits of the queue, as many as one sync carries. *force: a sync was asked for. */
static fob_pending_t *next_batch(fob_committer_t *self, bool *force, bool *stop) {
    fob_lock_take(&self->thread.lock);
    int64_t ms;
    while ((ms = due_in(self)) != 0)
        idle_for(self, ms);
    fob_pending_t *first = self->head, *last = NULL;
    uint64_t bytes = 0;
    while (self->head != NULL && bytes < BATCH_BYTES) {
        last = self->head;
        bytes += last->total;
        self->head = last->next;
    }
    if (last != NULL)
        last->next = NULL;
    /* With a rest, what was urgent or asked for still is. */
    bool all = self->head == NULL;
    *force = self->sync_asked && all;
    *stop = self->stopping && all;
    if (all) {
        self->tail = &self->head;
        self->urgent = self->sync_asked = false;
        self->lazy_at = 0;
    }
    fob_lock_drop(&self->thread.lock);
    return first;
}

static void give_back(fob_committer_t *self, fob_pending_t *batch) {
    if (batch == NULL)
        return;
    fob_pending_t *last = batch;
    while (last->next != NULL)
        last = last->next;
    fob_lock_take(&self->thread.lock);
    last->next = self->spare;
    self->spare = batch;
    fob_lock_drop(&self->thread.lock);
}

/* Whether what was written can be found again. A file that was removed takes writes and syncs as if
 * nothing had happened: nothing of it may be confirmed. What cannot be seen now is not taken for
 * gone. */
static bool has_name(fob_committer_t *self) {
    fob_store_t *store = self->store;
    fob_disk_stat_t stat;
    if (self->segment == NULL ||
        store->disk->fstat(store->disk->arg, self->segment->fd, &stat) != 0 || stat.links > 0)
        return true;
    fob_store_watch(store); /* it says what is gone, and fails */
    return !atomic_load(&store->failed);
}

static bool sync_segment(fob_committer_t *self) {
    fob_store_t *store = self->store;
    if (!self->dirty)
        return true;
    if (!FOB_PLANTED(COMMIT_NOT_SYNCED) &&
        store->disk->fdatasync(store->disk->arg, self->segment->fd) != 0 &&
        !FOB_PLANTED(SYNC_FAILURE_IGNORED)) {
        /* After this nobody can say what is on disk: what the system could not write it may have
         * dropped. */
        char name[FOB_SEGMENT_NAME_SIZE];
        int error = errno;
        fob_segment_name(self->segment->sequence, name);
        fob_store_fail(store, "Syncing", name, error);
        return false;
    }
    if (!has_name(self))
        return false;
    self->dirty = false;
    self->sync_at = 0;
    atomic_fetch_add(&store->syncs, 1);
    fob_lock_take(&store->lock);
    atomic_store(&store->synced, atomic_load(&store->written));
    fob_cond_broadcast(&store->changed);
    fob_lock_drop(&store->lock);
    return true;
}

/* Waits until the segment is made, large enough for `need` bytes, and the keeper has its hands off
 * it. */
static fob_segment_t *wait_for_segment(fob_committer_t *self, uint64_t sequence, uint64_t need) {
    fob_store_t *store = self->store;
    fob_lock_take(&store->lock);
    fob_segment_t *segment = NULL;
    bool gave_up = false, told = false;
    int why = 0;
    store->no_room = false; /* the keeper looks anew, knowing that it is needed */
    for (;;) {
        segment = fob_segments_find(&store->segments, sequence);
        if (segment != NULL)
            segment->taken = true;
        if (segment != NULL && segment->bytes >= need && !segment->zeroing)
            break;
        segment = NULL;
        gave_up = store->stopping && store->no_room;
        why = store->no_room_why;
        if (atomic_load(&store->failed) || gave_up)
            break;
        store->need_sequence = sequence;
        store->need_bytes = need;
        /* Once: where there is no room it tries again in its own time, and says so each time. */
        if (!told)
            fob_cond_signal(&store->keep);
        told = true;
        fob_store_wait(store, &store->changed, -1);
    }
    store->need_bytes = 0;
    fob_lock_drop(&store->lock);
    if (gave_up)
        fob_store_fail(store, "Writing the last commits to", "", why);
    return segment;
}

/* A segment that is left is synced first, so that no commit of a later segment can be on disk while
 * one of an earlier is not, and closed. */
static bool leave_segment(fob_committer_t *self) {
    fob_store_t *store = self->store;
    if (!FOB_PLANTED(SEGMENT_LEFT_UNSYNCED) && !sync_segment(self))
        return false;
    fob_lock_take(&store->lock);
    store->disk->close(store->disk->arg, self->segment->fd); /* synced: nothing can be lost */
    self->segment->fd = -1;
    self->segment = NULL;
    fob_lock_drop(&store->lock);
    return true;
}

static bool enter_segment(fob_committer_t *self, const fob_pending_t *pending) {
    uint64_t need = pending->at + pending->total;
    if (self->segment == NULL || self->segment->bytes < need)
        self->segment = wait_for_segment(self, pending->sequence, need);
    return self->segment != NULL;
}

static void seal(fob_committer_t *self, fob_pending_t *pending, int64_t now_ms) {
    pending->head.durable = htole64(atomic_load(&self->store->synced));
    pending->head.sequence = htole64(pending->sequence);
    pending->head.wall_ms = (int64_t)htole64((uint64_t)now_ms);
    fob_format_commit_seal(&pending->head, self->segment->seed, pending->parts + 1,
                           pending->part_count - 1);
}

static bool write_parts(fob_committer_t *self, size_t count, uint64_t at) {
    if (count == 0 ||
        fob_disk_write(self->store->disk, self->segment->fd, self->parts, count, at) == 0)
        return true;
    char name[FOB_SEGMENT_NAME_SIZE];
    int error = errno;
    fob_segment_name(self->segment->sequence, name);
    fob_store_fail(self->store, "Writing", name, error);
    return false;
}

/* Writes commits from `first` on that lie in one segment behind each other; *rest is the first of
 * the next. */
static bool write_run(fob_committer_t *self, fob_pending_t *first, int64_t now_ms,
                      fob_pending_t **rest) {
    size_t count = 0;
    uint64_t from = first->at, end = first->at;
    fob_pending_t *pending = first;
    for (; pending != NULL && pending->sequence == first->sequence &&
           pending->at + pending->total <= self->segment->bytes;
         pending = pending->next) {
        seal(self, pending, now_ms);
        for (size_t i = 0; i < pending->part_count; i++) {
            if (count == IOV_MAX) {
                if (!write_parts(self, count, from))
                    return false;
                from = end;
                count = 0;
            }
            self->parts[count++] = pending->parts[i];
            end += pending->parts[i].iov_len;
        }
    }
    *rest = pending;
    self->dirty = true;
    return write_parts(self, count, from);
}

/* Now commits from `first` to before `end` may be read and receipts may go out. */
static void publish(fob_committer_t *self, const fob_pending_t *first, const fob_pending_t *end) {
    fob_store_t *store = self->store;
    if (first == end)
        return;
    fob_lock_take(&store->lock);
    fob_segment_t *segment = NULL;
    for (const fob_pending_t *p = first; p != end; p = p->next) {
        if (segment == NULL || segment->sequence != p->sequence)
            segment = fob_segments_find(&store->segments, p->sequence);
        assert(segment != NULL); /* only what is durable is trimmed */
        fob_segment_note(segment, p->position, le64toh(p->head.first_offset), p->next_offset,
                         (int64_t)le64toh((uint64_t)p->head.wall_ms), p->at, p->total);
        atomic_store(&store->next_offset, p->next_offset);
        atomic_store(&store->durable, p->position);
    }
    fob_lock_drop(&store->lock);
    fob_bell_ring(&store->bell);
}

/* Journal time: the wall clock, but it goes on where that one goes back. Otherwise what is written
 * while the clock is behind would be old, and given back, once it is right again. */
static int64_t stamp(fob_committer_t *self) {
    int64_t wall = fob_wall_ms(self->store->runtime), mono = fob_mono_ms(self->store->runtime);
    int64_t least = self->stamp_ms == 0 ? wall : self->stamp_ms + (mono - self->stamp_mono);
    self->stamp_ms = wall > least ? wall : least;
    self->stamp_mono = mono;
    return self->stamp_ms;
}

/* Writes a batch; what was written and synced on the way, because it lies in a segment that is
 * left, is published: the next segment may be long in coming. *rest: what is written and not
 * published. */
static bool write_batch(fob_committer_t *self, fob_pending_t *batch, fob_pending_t **rest) {
    int64_t now_ms = stamp(self);
    *rest = batch;
    while (batch != NULL) {
        if (self->segment != NULL && self->segment->sequence != batch->sequence) {
            if (!leave_segment(self))
                return false;
            publish(self, *rest, batch);
            *rest = batch;
        }
        fob_pending_t *end;
        if (!enter_segment(self, batch) || !write_run(self, batch, now_ms, &end))
            return false;
        for (; batch != end; batch = batch->next)
            atomic_store(&self->store->written, batch->position);
    }
    return true;
}

static bool commit_batch(fob_committer_t *self, fob_pending_t *batch, bool force) {
    fob_store_t *store = self->store;
    fob_pending_t *rest;
    if (!write_batch(self, batch, &rest))
        return false;
    if (store->sync == FOB_SYNC_ALWAYS) {
        if (!sync_segment(self))
            return false;
        publish(self, rest, NULL);
        return true;
    }
    if (rest != NULL && !has_name(self))
        return false;
    publish(self, rest, NULL);
    if (self->dirty && store->sync == FOB_SYNC_INTERVAL && self->sync_at == 0)
        self->sync_at = fob_mono_ms(store->runtime) + store->interval_ms;
    bool due = self->sync_at != 0 && self->sync_at <= fob_mono_ms(store->runtime);
    return !(force || due) || sync_segment(self);
}

static void *run(void *arg) {
    fob_committer_t *self = arg;
    bool force = false, stop = false;
    while (!stop) {
        fob_pending_t *batch = next_batch(self, &force, &stop);
        /* After a failure nothing is tried again: what comes is only taken off the owner's hands.
         */
        if (atomic_load(&self->store->failed))
            self->broken = true;
        if (!self->broken && !commit_batch(self, batch, force || stop))
            self->broken = true;
        if (self->broken)
            self->sync_at = 0;
        give_back(self, batch);
    }
    return NULL;
}

fob_committer_t *fob_committer_new(fob_store_t *store, fob_journal_error_t *error) {
    fob_committer_t *self = calloc(1, sizeof *self);
    struct iovec *parts = malloc(IOV_MAX * sizeof *parts);
    if (self == NULL || parts == NULL) {
        free(self);
        free(parts);
        fob_error_set(error, FOB_JOURNAL_MEMORY, "No memory to open the journal.");
        return NULL;
    }
    self->store = store;
    self->stamp_ms = store->stamp_ms;
    self->stamp_mono = fob_mono_ms(store->runtime);
    self->parts = parts;
    self->tail = &self->head;
    if (!fob_thread_start(&self->thread, store->runtime, run, self, error)) {
        free(parts);
        free(self);
        return NULL;
    }
    return self;
}

static void free_list(fob_pending_t *pending) {
    while (pending != NULL) {
        fob_pending_t *next = pending->next;
        pending_free(pending);
        pending = next;
    }
}

void fob_committer_destroy(fob_committer_t **self_p) {
    if (self_p == NULL || *self_p == NULL)
        return;
    fob_committer_t *self = *self_p;
    fob_lock_take(&self->thread.lock);
    self->stopping = true;
    fob_cond_signal(&self->thread.work);
    fob_lock_drop(&self->thread.lock);
    fob_thread_join(&self->thread);
    free_list(self->head);
    free_list(self->spare);
    free(self->parts);
    free(self);
    *self_p = NULL;
}
