#include "bus/journal/keeper.h"

#include "bus/journal/epoch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ZERO_STEP  (UINT64_C(1) << 20)
#define SYNC_EVERY (UINT64_C(4) << 20)
/* With no room: looks again after this long; others may have made some. */
#define RETRY_MS      200
#define TELL_AGAIN_MS 60000
/* How often it is looked whether the folder and the files are still there. */
#define WATCH_MS 1000

struct fob_keeper {
    fob_store_t *store;
    fob_thread_t thread; /* its lock is not used: the store has one */
    bool quit;
    int64_t watch_at;  /* mono ms */
    bool blocked;      /* one is to be made and cannot be now */
    int64_t told_at;   /* mono ms: when it was last said that there is no room; 0: never */
    int64_t delete_at; /* mono ms: what could not be deleted is not tried again before */
};

/* --- all of these: lock held --- */

/* Segments behind the tail; bytes there and in the rest of the tail. */
static size_t ahead(const fob_store_t *store, uint64_t *room) {
    size_t count = 0;
    *room = 0;
    for (size_t i = store->segments.count; i > 0; i--) {
        const fob_segment_t *segment = store->segments.all[i - 1];
        if (segment->sequence < store->tail_sequence)
            break;
        if (segment->sequence == store->tail_sequence) {
            uint64_t at = atomic_load(&store->tail_at);
            *room += segment->bytes > at ? segment->bytes - at : 0;
            break;
        }
        *room += segment->bytes - FOB_SEGMENT_HEADER_BYTES;
        count++;
    }
    return count;
}

static uint64_t last_sequence(const fob_store_t *store) {
    size_t count = store->segments.count;
    return count == 0 ? 0 : store->segments.all[count - 1]->sequence;
}

/* 0 if `bytes` more may be taken and `spared` are left, otherwise why not. */
static int may_take(fob_keeper_t *self, uint64_t bytes, uint64_t spared) {
    fob_store_t *store = self->store;
    if (store->segments.bytes + bytes + spared > store->max_bytes)
        return EDQUOT;
    uint64_t total, available;
    if (store->disk->space(store->disk->arg, store->folder, &total, &available) != 0)
        return errno;
    atomic_store(&store->available, available);
    return available >= bytes + spared ? 0 : ENOSPC;
}

static void tell_blocked(const fob_store_t *store, int why) {
    if (why == ENOSPC || why == EDQUOT)
        fob_store_log(store, "The journal in %s has no room for another segment of %llu bytes: %s.",
                      store->folder, (unsigned long long)store->segment_bytes,
                      why == EDQUOT ? "it is at its limit" : "the file system is nearly full");
    else
        fob_store_log(store, "Cannot make another segment in %s: %s.", store->folder,
                      strerror(why));
}

/* A segment cannot be made, which is `needed`, or only wanted ahead of need. */
static void set_blocked(fob_keeper_t *self, bool needed, int why) {
    fob_store_t *store = self->store;
    self->blocked = true;
    if (needed) {
        store->no_room = true;
        store->no_room_why = why;
        fob_cond_broadcast(&store->changed);
    }
    if (self->told_at != 0 && fob_mono_ms(self->store->runtime) - self->told_at < TELL_AGAIN_MS)
        return;
    self->told_at = fob_mono_ms(self->store->runtime);
    fob_lock_drop(&store->lock);
    tell_blocked(store, why);
    fob_lock_take(&store->lock);
}

static void set_unblocked(fob_keeper_t *self) {
    self->blocked = self->store->no_room = false;
    fob_cond_broadcast(&self->store->changed);
}

/* From now on its file cannot be missed without being noticed. Lock not held. */
static void mark_made(fob_store_t *store, uint64_t sequence) {
    if (!atomic_load(&store->failed) &&
        fob_epoch_write(store, false, atomic_load(&store->synced), sequence) != 0)
        fob_store_log(store, "Cannot write %s/" FOB_EPOCH_NAME ": %s.", store->folder,
                      strerror(errno));
}

/* Makes the next segment. True: something was done. */
static bool make_next(fob_keeper_t *self) {
    fob_store_t *store = self->store;
    uint64_t room;
    size_t ready = ahead(store, &room);
    uint64_t sequence = last_sequence(store) + 1;
    bool needed = sequence <= store->tail_sequence;
    uint64_t bytes = store->segment_bytes;
    /* Those made under a lower limit are smaller: by their number alone they would be enough. */
    if (!needed && ready >= store->ahead && room >= store->room_ahead)
        return false;
    /* One segment's room is left to those who settle, until little is left of what is made. */
    uint64_t spared = room < store->margin / 2 ? 0 : store->segment_bytes;
    /* What large commits were promised is theirs: those in front of this segment wait for it. */
    uint64_t theirs = store->promised + store->granted;
    int why = may_take(self, bytes, needed ? store->promised : spared + theirs);
    if (why != 0) {
        set_blocked(self, needed, why);
        return false;
    }
    store->making = bytes;
    fob_lock_drop(&store->lock);
    fob_segment_t *made = fob_store_make_segment(store, sequence, bytes);
    int error = errno;
    if (made != NULL)
        mark_made(store, sequence);
    fob_lock_take(&store->lock);
    store->making = 0;
    if (made != NULL && fob_segments_add(&store->segments, made)) {
        set_unblocked(self);
        return true;
    }
    if (made != NULL) {
        store->disk->close(store->disk->arg, made->fd); /* made again later, over this one */
        fob_segment_destroy(&made);
        error = ENOMEM;
    }
    set_blocked(self, needed, error);
    return false;
}

/* A made segment must take a commit that is larger than it. */
static bool grow(fob_keeper_t *self) {
    fob_store_t *store = self->store;
    fob_segment_t *segment = fob_segments_find(&store->segments, store->need_sequence);
    if (segment == NULL || store->need_bytes <= segment->bytes)
        return false;
    uint64_t bytes = fob_segment_round(store->need_bytes), before = segment->bytes;
    int why = may_take(self, bytes - before, 0);
    if (why != 0) {
        set_blocked(self, true, why);
        return false;
    }
    segment->taken = true; /* no zeros are written meanwhile */
    fob_lock_drop(&store->lock);
    int rc = store->disk->fallocate(store->disk->arg, segment->fd, (off_t)before,
                                    (off_t)(bytes - before));
    if (rc != 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
        rc = fob_disk_zero(store->disk, segment->fd, before, bytes - before);
    if (rc == 0)
        rc = store->disk->fsync(store->disk->arg, segment->fd);
    int error = errno;
    fob_lock_take(&store->lock);
    if (rc != 0) {
        set_blocked(self, true, error);
        return false;
    }
    fob_segments_grow(&store->segments, segment, bytes);
    uint64_t grown = bytes - before;
    store->promised -= store->promised < grown ? store->promised : grown;
    set_unblocked(self);
    return true;
}

/* The segment behind a tail that is half full is written with zeros, a step at a time. */
static bool zero(fob_keeper_t *self) {
    fob_store_t *store = self->store;
    fob_segment_t *tail = fob_segments_find(&store->segments, store->tail_sequence);
    if (tail == NULL || atomic_load(&store->tail_at) < tail->bytes / 2)
        return false;
    fob_segment_t *next = fob_segments_find(&store->segments, store->tail_sequence + 1);
    if (next == NULL || next->taken || next->zeroed >= next->bytes)
        return false;
    uint64_t at = next->zeroed;
    uint64_t size = next->bytes - at < ZERO_STEP ? next->bytes - at : ZERO_STEP;
    bool sync = (at + size) % SYNC_EVERY < ZERO_STEP || at + size == next->bytes;
    next->zeroing = true;
    fob_lock_drop(&store->lock);
    int rc = fob_disk_zero(store->disk, next->fd, at, size);
    if (rc == 0 && sync)
        rc = store->disk->fdatasync(store->disk->arg, next->fd);
    int error = errno;
    fob_lock_take(&store->lock);
    next->zeroing = false;
    next->zeroed = at + size;
    fob_cond_broadcast(&store->changed);
    if (rc == 0)
        return true;
    next->taken = true;
    fob_lock_drop(&store->lock);
    /* The committer would never hear of it: the system reports such a thing once. */
    char name[FOB_SEGMENT_NAME_SIZE];
    fob_segment_name(next->sequence, name);
    fob_store_fail(store, "Preparing", name, error);
    fob_lock_take(&store->lock);
    return true;
}

/* From now on its file may be gone. Lock not held. */
static bool mark_gone(fob_store_t *store, uint64_t sequence, uint64_t highest) {
    uint64_t before = store->lowest;
    if (atomic_load(&store->failed)) {
        errno = EIO;
        return false;
    }
    if (sequence < before)
        return true; /* it was marked, and the program ended before it was deleted */
    store->lowest = sequence + 1;
    if (fob_epoch_write(store, false, atomic_load(&store->synced), highest) == 0)
        return true;
    store->lowest = before;
    return false;
}

static bool delete_one(fob_keeper_t *self) {
    fob_store_t *store = self->store;
    fob_segment_t *segment = store->doomed;
    if (segment == NULL || fob_mono_ms(self->store->runtime) < self->delete_at)
        return false;
    store->doomed = segment->next;
    uint64_t highest = last_sequence(store);
    fob_lock_drop(&store->lock);
    char name[FOB_SEGMENT_NAME_SIZE], path[FOB_PATH_SIZE];
    fob_segment_name(segment->sequence, name);
    fob_store_path(store, name, path);
    /* The oldest goes for good before the next one does: a hole would look like a loss. */
    bool gone = mark_gone(store, segment->sequence, highest) &&
                (store->disk->unlink(store->disk->arg, path) == 0 || errno == ENOENT) &&
                fob_store_sync_folder(store) == 0;
    if (!gone)
        fob_store_log(store, "Cannot delete %s, which nobody needs any more: %s.", path,
                      strerror(errno));
    if (gone)
        fob_segment_destroy(&segment);
    fob_lock_take(&store->lock);
    if (gone)
        return true;
    segment->next = store->doomed;
    store->doomed = segment;
    self->delete_at = fob_mono_ms(self->store->runtime) + TELL_AGAIN_MS;
    return false;
}

/* How long nothing is to be done, unless it is told of something. */
static int64_t wait_ms(const fob_keeper_t *self) {
    return self->blocked ? RETRY_MS : WATCH_MS;
}

/* Files that have no name any more take writes and syncs as if nothing had happened. */
static void watch(fob_keeper_t *self) {
    int64_t now = fob_mono_ms(self->store->runtime);
    if (now < self->watch_at)
        return;
    self->watch_at = now + WATCH_MS;
    fob_lock_drop(&self->store->lock);
    fob_store_watch(self->store);
    fob_lock_take(&self->store->lock);
}

static void *run(void *arg) {
    fob_keeper_t *self = arg;
    fob_store_t *store = self->store;
    fob_lock_take(&store->lock);
    for (;;) {
        if (delete_one(self))
            continue;
        if (self->quit)
            break;
        if (!atomic_load(&store->failed))
            watch(self);
        if (!atomic_load(&store->failed) && (make_next(self) || grow(self) || zero(self)))
            continue;
        if (!self->quit) /* the lock was let go meanwhile */
            fob_store_wait(store, &store->keep, wait_ms(self));
    }
    fob_lock_drop(&store->lock);
    return NULL;
}

fob_keeper_t *fob_keeper_new(fob_store_t *store, fob_journal_error_t *error) {
    fob_keeper_t *self = calloc(1, sizeof *self);
    if (self == NULL) {
        fob_error_set(error, FOB_JOURNAL_MEMORY, "No memory to open the journal.");
        return NULL;
    }
    self->store = store;
    if (!fob_thread_start(&self->thread, store->runtime, run, self, error)) {
        free(self);
        return NULL;
    }
    return self;
}

void fob_keeper_wake(fob_keeper_t *self) {
    fob_lock_take(&self->store->lock);
    fob_cond_signal(&self->store->keep);
    fob_lock_drop(&self->store->lock);
}

void fob_keeper_destroy(fob_keeper_t **self_p) {
    if (self_p == NULL || *self_p == NULL)
        return;
    fob_keeper_t *self = *self_p;
    fob_lock_take(&self->store->lock);
    self->quit = true;
    fob_cond_signal(&self->store->keep);
    fob_lock_drop(&self->store->lock);
    fob_thread_join(&self->thread);
    free(self);
    *self_p = NULL;
}
