#include "bus/journal/checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TMP_NAME "checkpoint.tmp"

/* After one that failed: the pause until the next, doubled from failure to failure. */
#define AGAIN_FIRST_MS 1000
#define AGAIN_MOST_MS  60000

typedef enum { JOB_BEGIN, JOB_SLICE, JOB_FINISH } job_kind_t;

typedef struct job {
    struct job *next;
    job_kind_t kind;
    uint64_t round;    /* jobs of a dropped checkpoint are passed over */
    uint64_t position; /* BEGIN: its own; FINISH: upto */
    size_t size;
    uint8_t data[];
} job_t;

struct fob_checkpoints {
    fob_store_t *store;
    fob_committer_t *committer;
    fob_thread_t thread;
    job_t *head, **tail;
    fob_kept_t kept;
    uint64_t round;             /* of the one under way */
    bool begun;                 /* the owner may add slices */
    bool finishing;             /* a FINISH is under way */
    fob_journal_code_t failed;  /* why the one under way was dropped; */
    int64_t again_ms, pause_ms; /* not before (mono); 0: none failed since the last that counts */
    bool stopping;
    /* The thread's own. */
    int fd; /* -1: none under way */
    uint64_t at, index;
    fob_checkpoint_head_t file;
};

void fob_checkpoint_name(uint64_t position, char *out) {
    snprintf(out, FOB_SEGMENT_NAME_SIZE, "%020" PRIu64 ".ckp", position);
}

/* --- the thread --- */

static void discard(fob_checkpoints_t *self) {
    const fob_disk_t *disk = self->store->disk;
    char path[FOB_PATH_SIZE];
    if (self->fd < 0)
        return;
    disk->close(disk->arg, self->fd);
    self->fd = -1;
    fob_store_path(self->store, TMP_NAME, path);
    disk->unlink(disk->arg, path); /* otherwise the next one or the next start replaces it */
}

static void drop(fob_checkpoints_t *self, uint64_t round, int error) {
    discard(self);
    fob_store_log(self->store,
                  "A checkpoint of the journal in %s was dropped: %s. The one before stays, and it "
                  "is tried again.",
                  self->store->folder, strerror(error));
    fob_lock_take(&self->thread.lock);
    if (round == self->round) {
        self->failed = error == ENOSPC || error == EDQUOT ? FOB_JOURNAL_FULL : FOB_JOURNAL_SYSTEM;
        self->finishing = false;
        self->pause_ms = self->pause_ms == 0 ? AGAIN_FIRST_MS : 2 * self->pause_ms;
        if (self->pause_ms > AGAIN_MOST_MS)
            self->pause_ms = AGAIN_MOST_MS;
        self->again_ms = fob_mono_ms(self->store->runtime) + self->pause_ms;
    }
    fob_lock_drop(&self->thread.lock);
}

static bool put(fob_checkpoints_t *self, struct iovec *parts, size_t count) {
    uint64_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].iov_len;
    if (fob_disk_write(self->store->disk, self->fd, parts, count, self->at) != 0)
        return false;
    self->at += size;
    return true;
}

static bool do_begin(fob_checkpoints_t *self, const job_t *job) {
    const fob_disk_t *disk = self->store->disk;
    char path[FOB_PATH_SIZE];
    discard(self);
    fob_store_path(self->store, TMP_NAME, path);
    self->fd = disk->open(disk->arg, path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (self->fd < 0)
        return false;
    self->file = (fob_checkpoint_head_t){.position = job->position,
                                         .seed = fob_random64(self->store->runtime),
                                         .created_ms = fob_wall_ms(self->store->runtime)};
    self->at = self->index = 0;
    fob_disk_checkpoint_t head;
    fob_format_checkpoint_encode(&self->file, &head);
    return put(self, &(struct iovec){&head, sizeof head}, 1);
}

static bool do_slice(fob_checkpoints_t *self, job_t *job) {
    static const uint8_t padding[8];
    fob_disk_slice_t head;
    fob_format_slice_seal(&head, self->file.seed, self->index++, 0, job->data, job->size);
    struct iovec parts[3] = {
        {&head, sizeof head},
        {job->data, job->size},
        {(void *)(uintptr_t)padding, fob_pad8(job->size) - job->size},
    };
    return put(self, parts, 3);
}

/* Slices may hold what came after the position the checkpoint began at: it must not be found on
 * disk without it. False: the journal failed or ends. */
static bool wait_synced(fob_checkpoints_t *self, uint64_t upto) {
    fob_store_t *store = self->store;
    if (atomic_load(&store->synced) < upto)
        fob_committer_sync(self->committer);
    fob_lock_take(&store->lock);
    while (atomic_load(&store->synced) < upto && !atomic_load(&store->failed) &&
           !(store->stopping && store->no_room))
        fob_store_wait(store, &store->changed, -1);
    bool synced = atomic_load(&store->synced) >= upto;
    fob_lock_drop(&store->lock);
    return synced;
}

/* One that counts no more: an older one, one that is damaged, one whose removal failed or was cut
 * short by a crash. */
static bool sweep_name(void *arg, const char *name) {
    const fob_checkpoints_t *self = arg;
    const fob_store_t *store = self->store;
    char path[FOB_PATH_SIZE];
    uint64_t position;
    if (!fob_segment_parse(name, ".ckp", &position) || position == self->kept.newest ||
        position == self->kept.older)
        return true;
    fob_store_path(store, name, path);
    if (store->disk->unlink(store->disk->arg, path) != 0 && errno != ENOENT)
        fob_store_log(store, "Cannot delete the old checkpoint %s: %s.", path, strerror(errno));
    return true;
}

/* Best effort: what stays is in the way of nobody, and the next one tries again. */
static void sweep(fob_checkpoints_t *self) {
    const fob_store_t *store = self->store;
    store->disk->list(store->disk->arg, store->folder, sweep_name, self);
}

static bool do_finish(fob_checkpoints_t *self, const job_t *job) {
    fob_store_t *store = self->store;
    fob_disk_slice_t end;
    fob_format_slice_seal(&end, self->file.seed, self->index, job->position, NULL, 0);
    if (!put(self, &(struct iovec){&end, sizeof end}, 1) ||
        store->disk->fsync(store->disk->arg, self->fd) != 0)
        return false;
    if (!wait_synced(self, job->position)) {
        errno = ECANCELED;
        return false;
    }
    char name[FOB_SEGMENT_NAME_SIZE], path[FOB_PATH_SIZE], tmp[FOB_PATH_SIZE];
    fob_checkpoint_name(self->file.position, name);
    fob_store_path(store, name, path);
    fob_store_path(store, TMP_NAME, tmp);
    if (store->disk->rename(store->disk->arg, tmp, path) != 0 || fob_store_sync_folder(store) != 0)
        return false;
    store->disk->close(store->disk->arg, self->fd);
    self->fd = -1;
    fob_lock_take(&self->thread.lock);
    fob_kept_t before = self->kept;
    if (self->file.position != before.newest)
        self->kept = (fob_kept_t){self->file.position, before.newest};
    self->finishing = false;
    self->pause_ms = 0;
    fob_lock_drop(&self->thread.lock);
    sweep(self);
    fob_bell_ring(&store->bell);
    return true;
}

static void do_job(fob_checkpoints_t *self, job_t *job) {
    fob_lock_take(&self->thread.lock);
    bool wanted = job->round == self->round && self->failed == FOB_JOURNAL_OK;
    fob_lock_drop(&self->thread.lock);
    if (!wanted)
        return;
    bool done = job->kind == JOB_BEGIN   ? do_begin(self, job)
                : job->kind == JOB_SLICE ? do_slice(self, job)
                                         : do_finish(self, job);
    if (!done)
        drop(self, job->round, errno);
}

static void *run(void *arg) {
    fob_checkpoints_t *self = arg;
    for (;;) {
        fob_lock_take(&self->thread.lock);
        while (self->head == NULL && !self->stopping)
            fob_cond_wait(&self->thread.work, &self->thread.lock, -1);
        job_t *job = self->head;
        if (job != NULL) {
            self->head = job->next;
            if (self->head == NULL)
                self->tail = &self->head;
        }
        fob_lock_drop(&self->thread.lock);
        if (job == NULL)
            break;
        do_job(self, job);
        free(job);
    }
    discard(self);
    return NULL;
}

/* --- the owner's side --- */

fob_checkpoints_t *fob_checkpoints_new(fob_store_t *store, fob_committer_t *committer,
                                       fob_kept_t kept, fob_journal_error_t *error) {
    fob_checkpoints_t *self = calloc(1, sizeof *self);
    if (self == NULL) {
        fob_error_set(error, FOB_JOURNAL_MEMORY, "No memory to open the journal.");
        return NULL;
    }
    self->store = store;
    self->committer = committer;
    self->kept = kept;
    self->fd = -1;
    self->tail = &self->head;
    if (!fob_thread_start(&self->thread, store->runtime, run, self, error)) {
        free(self);
        return NULL;
    }
    return self;
}

void fob_checkpoints_destroy(fob_checkpoints_t **self_p) {
    if (self_p == NULL || *self_p == NULL)
        return;
    fob_checkpoints_t *self = *self_p;
    fob_lock_take(&self->thread.lock);
    if (!self->finishing)
        self->round++;
    self->stopping = true;
    fob_cond_signal(&self->thread.work);
    fob_lock_drop(&self->thread.lock);
    fob_thread_join(&self->thread);
    free(self);
    *self_p = NULL;
}

static fob_journal_code_t post(fob_checkpoints_t *self, job_kind_t kind, uint64_t position,
                               const uint8_t *data, size_t size) {
    job_t *job = malloc(sizeof *job + size);
    if (job == NULL)
        return FOB_JOURNAL_SYSTEM;
    *job = (job_t){.kind = kind, .position = position, .size = size};
    if (size > 0)
        memcpy(job->data, data, size);
    fob_lock_take(&self->thread.lock);
    fob_journal_code_t code = self->failed;
    if (kind == JOB_BEGIN) {
        self->round++;
        self->failed = code = FOB_JOURNAL_OK;
        self->begun = true;
    }
    if (kind == JOB_FINISH)
        self->begun = false;
    if (code == FOB_JOURNAL_OK) {
        self->finishing = kind == JOB_FINISH;
        job->round = self->round;
        *self->tail = job;
        self->tail = &job->next;
        fob_cond_signal(&self->thread.work);
        job = NULL;
    }
    fob_lock_drop(&self->thread.lock);
    free(job);
    return code;
}

fob_journal_code_t fob_checkpoints_begin(fob_checkpoints_t *self, uint64_t position) {
    return post(self, JOB_BEGIN, position, NULL, 0);
}

fob_journal_code_t fob_checkpoints_slice(fob_checkpoints_t *self, const uint8_t *data,
                                         size_t size) {
    assert(self->begun && size <= UINT32_MAX);
    return size == 0 ? FOB_JOURNAL_OK : post(self, JOB_SLICE, 0, data, size);
}

fob_journal_code_t fob_checkpoints_finish(fob_checkpoints_t *self, uint64_t upto) {
    assert(self->begun);
    return post(self, JOB_FINISH, upto, NULL, 0);
}

fob_kept_t fob_checkpoints_kept(fob_checkpoints_t *self) {
    fob_lock_take(&self->thread.lock);
    fob_kept_t kept = self->kept;
    fob_lock_drop(&self->thread.lock);
    return kept;
}

bool fob_checkpoints_busy(fob_checkpoints_t *self) {
    fob_lock_take(&self->thread.lock);
    bool busy = self->failed == FOB_JOURNAL_OK && (self->begun || self->finishing);
    fob_lock_drop(&self->thread.lock);
    return busy;
}

bool fob_checkpoints_again(fob_checkpoints_t *self) {
    fob_lock_take(&self->thread.lock);
    bool again =
        self->failed != FOB_JOURNAL_OK && fob_mono_ms(self->store->runtime) >= self->again_ms;
    fob_lock_drop(&self->thread.lock);
    return again;
}

/* --- reading --- */

typedef struct {
    const fob_disk_t *disk;
    int fd;
    uint64_t at;
    uint8_t *data;
    size_t capacity;
} source_t;

/* 1: all read; 0: the file ends before; -1: errno. */
static int read_part(source_t *self, void *data, size_t size) {
    size_t got;
    if (fob_disk_read(self->disk, self->fd, data, size, self->at, &got) != 0)
        return -1;
    self->at += got;
    return got == size;
}

static int read_bytes(source_t *self, size_t size) {
    if (size > self->capacity) {
        uint8_t *data = realloc(self->data, size);
        if (data == NULL) {
            errno = ENOMEM;
            return -1;
        }
        self->data = data;
        self->capacity = size;
    }
    return read_part(self, self->data, size);
}

/* One slice: 1; the end: 2; 0: damaged at self->at; -1: errno. */
static int read_slice(source_t *self, uint64_t seed, uint64_t index, uint32_t *length,
                      uint64_t *upto) {
    fob_disk_slice_t head;
    bool end;
    uint64_t at = self->at;
    int rc = read_part(self, &head, sizeof head);
    if (rc == 1 && fob_format_slice_peek(&head, &end, length) != FOB_FOUND_WHOLE)
        rc = 0;
    /* A length is not believed before that many bytes are there: memory grows by doubling. */
    for (size_t want = 0; rc == 1 && want < fob_pad8(*length);) {
        want = want == 0 ? 1u << 20 : want * 2;
        if (want > fob_pad8(*length))
            want = fob_pad8(*length);
        self->at = at + sizeof head;
        rc = read_bytes(self, want);
    }
    if (rc == 1 && fob_format_slice_check(&head, seed, index, self->data, upto) != FOB_FOUND_WHOLE)
        rc = 0;
    if (rc == 0)
        self->at = at;
    return rc == 1 && end ? 2 : rc;
}

static int read_all(source_t *self, uint64_t position,
                    bool (*slice)(void *arg, const uint8_t *data, size_t size), void *arg,
                    uint64_t *upto) {
    fob_disk_checkpoint_t disk;
    fob_checkpoint_head_t head;
    int rc = read_part(self, &disk, sizeof disk);
    if (rc != 1)
        return rc;
    fob_found_t found = fob_format_checkpoint_decode(&disk, &head);
    if (found == FOB_FOUND_NEWER)
        return 3;
    if (found != FOB_FOUND_WHOLE || head.position != position) {
        self->at = 0;
        return 0;
    }
    for (uint64_t index = 0;; index++) {
        uint32_t length;
        uint64_t at = self->at;
        rc = read_slice(self, head.seed, index, &length, upto);
        if (rc == 2 && *upto < position) { /* the journal would go on below it */
            self->at = at;
            return 0;
        }
        if (rc != 1)
            return rc;
        if (slice != NULL && !slice(arg, self->data, length))
            return 0;
    }
}

fob_journal_code_t fob_checkpoint_read(const fob_disk_t *disk, const char *folder,
                                       uint64_t position,
                                       bool (*slice)(void *arg, const uint8_t *data, size_t size),
                                       void *arg, uint64_t *upto, fob_journal_error_t *error) {
    char name[FOB_SEGMENT_NAME_SIZE], path[FOB_PATH_SIZE];
    fob_checkpoint_name(position, name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    source_t source = {.disk = disk, .fd = disk->open(disk->arg, path, O_RDONLY, 0)};
    int rc = source.fd < 0 ? -1 : read_all(&source, position, slice, arg, upto);
    int saved = errno;
    if (source.fd >= 0)
        disk->close(disk->arg, source.fd);
    free(source.data);
    if (rc == 2)
        return FOB_JOURNAL_OK;
    fob_journal_code_t code = rc == 3           ? FOB_JOURNAL_NEWER
                              : rc == 0         ? FOB_JOURNAL_DAMAGED
                              : saved == ENOMEM ? FOB_JOURNAL_MEMORY
                                                : FOB_JOURNAL_SYSTEM;
    if (rc == 3)
        fob_error_set(error, code, "%s was written by a newer version of fob; use that one.", path);
    else if (rc == 0)
        fob_error_set(error, code, "Checkpoint %s is damaged at byte %" PRIu64 ".", path,
                      source.at);
    else
        fob_error_set(error, code, "Cannot read %s: %s.", path, strerror(saved));
    return code;
}
