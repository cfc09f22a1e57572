#include "bus/journal/store.h"
#include "proto/planted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
/* The tail and the one that is made ahead are room that nothing is in yet: a small part of what is
 * there already with a quarter of a gigabyte, and a start looks through little. */
#define DEFAULT_SEGMENT   (12 * MIB)
#define LEAST_SEGMENT     (64 * 1024)
#define DEFAULT_RETAIN    (4096 * MIB)
#define DEFAULT_RETAIN_MS (24 * 3600 * INT64_C(1000))
#define DEFAULT_LAZY_MS   5
#define DEFAULT_INTERVAL  100
#define MOST_AHEAD        8
#define MOST_MARGIN       (4 * MIB)

void fob_error_set(fob_journal_error_t *error, fob_journal_code_t code, const char *format, ...) {
    if (error == NULL)
        return;
    error->code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
}

/* The segment's size: as asked, but several must fit into the room. */
static void set_sizes(fob_store_t *self, const fob_file_options_t *options, uint64_t total) {
    self->max_bytes = options->max_bytes != 0 ? options->max_bytes : total / 5 * 4;
    uint64_t segment = options->segment_bytes != 0 ? options->segment_bytes : DEFAULT_SEGMENT;
    if (segment > self->max_bytes / 8)
        segment = self->max_bytes / 8;
    if (segment < LEAST_SEGMENT)
        segment = LEAST_SEGMENT;
    self->segment_bytes = segment & ~(uint64_t)(FOB_SEGMENT_HEADER_BYTES - 1);
    self->margin = (self->segment_bytes - FOB_SEGMENT_HEADER_BYTES) / 2;
    if (self->margin > MOST_MARGIN)
        self->margin = MOST_MARGIN;
    /* A flood fills a large one in the time it takes to make the next: half of one more is there.
     */
    self->room_ahead = self->segment_bytes - FOB_SEGMENT_HEADER_BYTES;
    if (self->segment_bytes >= DEFAULT_SEGMENT)
        self->room_ahead += self->segment_bytes / 2;
    /* Small segments are filled faster than a file can be made: have more of them ready. */
    self->ahead = (size_t)(16 * MIB / self->segment_bytes);
    if (self->ahead > self->max_bytes / self->segment_bytes / 4)
        self->ahead = (size_t)(self->max_bytes / self->segment_bytes / 4);
    if (self->ahead > MOST_AHEAD)
        self->ahead = MOST_AHEAD;
    if (self->ahead == 0)
        self->ahead = 1;
    self->retain_bytes = options->retain_bytes != 0 ? options->retain_bytes : DEFAULT_RETAIN;
    if (self->retain_bytes > self->max_bytes / 2)
        self->retain_bytes = self->max_bytes / 2;
}

bool fob_store_init(fob_store_t *self, const fob_file_options_t *options,
                    fob_journal_error_t *error) {
    memset(self, 0, sizeof *self);
    self->bell.fd = self->folder_fd = -1;
    self->disk = options->disk != NULL ? options->disk : fob_disk_real();
    self->runtime = options->runtime != NULL ? options->runtime : fob_runtime_real();
    self->sync = options->sync;
    self->interval_ms = options->interval_ms > 0 ? options->interval_ms : DEFAULT_INTERVAL;
    self->lazy_ms = options->lazy_ms > 0 ? options->lazy_ms : DEFAULT_LAZY_MS;
    self->retain_ms = options->retain_ms > 0 ? options->retain_ms : DEFAULT_RETAIN_MS;
    self->log = options->log;
    self->log_arg = options->log_arg;
    self->folder = strdup(options->folder);
    if (self->folder == NULL) {
        fob_error_set(error, FOB_JOURNAL_MEMORY, "No memory to open the journal.");
        return false;
    }
    uint64_t total, available;
    if (self->disk->space(self->disk->arg, self->folder, &total, &available) != 0) {
        fob_error_set(error, FOB_JOURNAL_SYSTEM, "Cannot see how much room %s has: %s.",
                      self->folder, strerror(errno));
        free(self->folder);
        return false;
    }
    atomic_store(&self->available, available);
    set_sizes(self, options, total);
    self->folder_fd = self->disk->open(self->disk->arg, self->folder, O_RDONLY | O_DIRECTORY, 0);
    if (self->folder_fd < 0 || !fob_bell_init(&self->bell, self->runtime) ||
        fob_lock_init(&self->lock, self->runtime) != 0 ||
        fob_cond_init(&self->changed, self->runtime) != 0 ||
        fob_cond_init(&self->keep, self->runtime) != 0) {
        fob_error_set(error, FOB_JOURNAL_SYSTEM, "Cannot make a descriptor for the journal: %s.",
                      strerror(errno));
        if (self->folder_fd >= 0)
            self->disk->close(self->disk->arg, self->folder_fd);
        fob_bell_close(&self->bell);
        free(self->folder);
        return false;
    }
    return true;
}

void fob_store_close(fob_store_t *self) {
    for (size_t i = 0; i < self->segments.count; i++)
        if (self->segments.all[i]->fd >= 0)
            self->disk->close(self->disk->arg, self->segments.all[i]->fd);
    fob_segments_clear(&self->segments);
    while (self->doomed != NULL) {
        fob_segment_t *segment = self->doomed;
        self->doomed = segment->next;
        fob_segment_destroy(&segment);
    }
    self->disk->close(self->disk->arg, self->folder_fd);
    fob_bell_close(&self->bell);
    fob_cond_destroy(&self->keep);
    fob_cond_destroy(&self->changed);
    fob_lock_destroy(&self->lock);
    free(self->folder);
    self->folder = NULL;
}

void fob_store_path(const fob_store_t *self, const char *name, char *out) {
    snprintf(out, FOB_PATH_SIZE, "%s/%s", self->folder, name);
}

void fob_store_fail(fob_store_t *self, const char *what, const char *name, int error) {
    fob_store_fail_as(
        self, "%s %s/%s failed: %s. Nothing more is stored; check the disk, then start again.",
        what, self->folder, name, strerror(error));
}

void fob_store_fail_as(fob_store_t *self, const char *format, ...) {
    fob_lock_take(&self->lock);
    if (!atomic_load(&self->failed)) {
        va_list args;
        va_start(args, format);
        vsnprintf(self->failure.text, sizeof self->failure.text, format, args);
        va_end(args);
        self->failure.code = FOB_JOURNAL_FAILED;
        atomic_store(&self->failed, true);
    }
    fob_cond_broadcast(&self->changed);
    fob_lock_drop(&self->lock);
    fob_bell_ring(&self->bell);
}

/* Whether the folder of that name is not the one that was opened. What cannot be seen now is not
 * taken for gone. */
static bool folder_gone(const fob_store_t *self) {
    const fob_disk_t *disk = self->disk;
    fob_disk_stat_t held, named;
    if (disk->fstat(disk->arg, self->folder_fd, &held) != 0)
        return false;
    if (held.links == 0)
        return true;
    if (disk->stat(disk->arg, self->folder, &named) != 0)
        return errno == ENOENT || errno == ENOTDIR;
    return named.device != held.device || named.inode != held.inode;
}

/* A segment that is open and has no name any more; 0: none. Lock held. */
static uint64_t removed_segment(const fob_store_t *self) {
    const fob_disk_t *disk = self->disk;
    fob_disk_stat_t stat;
    for (size_t i = self->segments.count; i > 0; i--) {
        const fob_segment_t *segment = self->segments.all[i - 1];
        if (segment->fd >= 0 && disk->fstat(disk->arg, segment->fd, &stat) == 0 && stat.links == 0)
            return segment->sequence;
        if (segment->sequence <= self->tail_sequence && segment->fd < 0)
            break; /* those before it are closed too */
    }
    return 0;
}

void fob_store_watch(fob_store_t *self) {
    static const char after[] = "Nothing more is stored: what is written there now is lost";
    if (folder_gone(self)) {
        fob_store_fail_as(self, "The data folder %s was removed or replaced. %s.", self->folder,
                          after);
        return;
    }
    fob_lock_take(&self->lock);
    uint64_t sequence = removed_segment(self);
    fob_lock_drop(&self->lock);
    if (sequence == 0)
        return;
    char name[FOB_SEGMENT_NAME_SIZE];
    fob_segment_name(sequence, name);
    fob_store_fail_as(self, "Segment %s was removed from the data folder %s. %s.", name,
                      self->folder, after);
}

void fob_store_log(const fob_store_t *self, const char *format, ...) {
    if (self->log == NULL)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    self->log(self->log_arg, text);
}

void fob_store_wait(fob_store_t *self, fob_cond_t *cond, int64_t ms) {
    fob_cond_wait(cond, &self->lock, ms);
}

int fob_store_sync_folder(const fob_store_t *self) {
    int fd = self->disk->open(self->disk->arg, self->folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return -1;
    int rc = FOB_PLANTED(FOLDER_NOT_SYNCED) ? 0 : self->disk->fsync(self->disk->arg, fd);
    int saved = errno;
    self->disk->close(self->disk->arg, fd);
    errno = saved;
    return rc;
}

/* Opens NAME.tmp beside `name`. */
static int open_tmp(const fob_store_t *self, const char *name, char *tmp) {
    char short_name[64];
    snprintf(short_name, sizeof short_name, "%s.tmp", name);
    fob_store_path(self, short_name, tmp);
    return self->disk->open(self->disk->arg, tmp, O_RDWR | O_CREAT | O_TRUNC, 0600);
}

/* fsync, rename, fsync of the folder. */
static int settle_tmp(const fob_store_t *self, int fd, const char *tmp, const char *name) {
    char path[FOB_PATH_SIZE];
    fob_store_path(self, name, path);
    if (self->disk->fsync(self->disk->arg, fd) != 0 ||
        self->disk->rename(self->disk->arg, tmp, path) != 0)
        return -1;
    return fob_store_sync_folder(self);
}

static void drop_tmp(const fob_store_t *self, int fd, const char *tmp) {
    int saved = errno;
    self->disk->close(self->disk->arg, fd);
    /* What is left of it is deleted at the next start at the latest. */
    self->disk->unlink(self->disk->arg, tmp);
    errno = saved;
}

int fob_store_put(const fob_store_t *self, const char *name, const void *data, size_t size) {
    char tmp[FOB_PATH_SIZE];
    int fd = open_tmp(self, name, tmp);
    if (fd < 0)
        return -1;
    struct iovec part = {(void *)(uintptr_t)data, size};
    if (fob_disk_write(self->disk, fd, &part, 1, 0) != 0 || settle_tmp(self, fd, tmp, name) != 0) {
        drop_tmp(self, fd, tmp);
        return -1;
    }
    return self->disk->close(self->disk->arg, fd);
}

/* Takes the room on disk at once; where the file system cannot, zeros do. */
static int allocate(const fob_store_t *self, int fd, fob_segment_t *segment) {
    if (self->disk->fallocate(self->disk->arg, fd, 0, (off_t)segment->bytes) == 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return -1;
    if (fob_disk_zero(self->disk, fd, 0, segment->bytes) != 0)
        return -1;
    segment->zeroed = segment->bytes;
    return 0;
}

fob_segment_t *fob_store_make_segment(const fob_store_t *self, uint64_t sequence, uint64_t bytes) {
    fob_segment_t *segment = fob_segment_new(sequence, fob_random64(self->runtime), bytes);
    uint8_t *head = malloc(FOB_SEGMENT_HEADER_BYTES);
    if (segment == NULL || head == NULL) {
        free(head);
        fob_segment_destroy(&segment);
        errno = ENOMEM;
        return NULL;
    }
    char name[FOB_SEGMENT_NAME_SIZE], tmp[FOB_PATH_SIZE];
    fob_segment_name(sequence, name);
    fob_format_segment_encode(&(fob_segment_head_t){.sequence = sequence,
                                                    .seed = segment->seed,
                                                    .epoch = self->epoch,
                                                    .bytes = bytes,
                                                    .created_ms = fob_wall_ms(self->runtime)},
                              head);
    int fd = open_tmp(self, name, tmp);
    struct iovec part = {head, FOB_SEGMENT_HEADER_BYTES};
    bool made = fd >= 0 && allocate(self, fd, segment) == 0 &&
                fob_disk_write(self->disk, fd, &part, 1, 0) == 0 &&
                settle_tmp(self, fd, tmp, name) == 0;
    free(head);
    if (made) {
        segment->fd = fd;
        return segment;
    }
    if (fd >= 0)
        drop_tmp(self, fd, tmp);
    int saved = errno;
    fob_segment_destroy(&segment);
    errno = saved;
    return NULL;
}

void fob_store_look_back(fob_store_t *self, uint64_t before, uint64_t next_offset) {
    uint8_t data[FOB_LINEAGE_BYTES];
    fob_lineage_read(&self->lineage, self->disk, self->folder);
    if (before == 0 || before == self->epoch)
        return;
    fob_lineage_add(&self->lineage, self->epoch, before, next_offset - 1);
    if (fob_store_put(self, FOB_LINEAGE_NAME, data, fob_lineage_encode(&self->lineage, data)) != 0)
        fob_store_log(self,
                      "Cannot write %s/" FOB_LINEAGE_NAME
                      ": %s. Subscribers that come after the next start may get events again.",
                      self->folder, strerror(errno));
}
