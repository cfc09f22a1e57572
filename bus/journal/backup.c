#include "bus/journal/backup.h"

#include "bus/journal/begin.h"
#include "bus/journal/checkpoint.h"
#include "bus/journal/epoch.h"
#include "bus/journal/folder.h"
#include "bus/journal/recovery.h"
#include "bus/journal/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often all files are opened until none of them has gone between the listing and the opening.
 */
#define LOOKS 16
#define CHUNK ((size_t)1 << 20)

typedef struct {
    const char *from, *to;
    const fob_disk_t *disk;
    fob_journal_error_t *error;
    fob_backup_t *out;
    fob_folder_t list;
    int *checkpoints, *segments; /* open files, in the order of the list; -1: not open */
    fob_epoch_mark_t mark;
    uint64_t proof;    /* positions up to here were durable before the copying of segments began */
    uint64_t expected; /* position of the next commit; 0: any */
    uint64_t lowest, highest; /* sequences that were copied */
    bool ended;               /* the last whole commit was copied */
} backup_t;

static fob_journal_code_t refuse(backup_t *self, const char *what, const char *folder,
                                 const char *name) {
    int saved = errno;
    fob_journal_code_t code = saved == ENOMEM ? FOB_JOURNAL_MEMORY : FOB_JOURNAL_SYSTEM;
    fob_error_set(self->error, code, "Cannot %s %s/%s: %s.", what, folder, name, strerror(saved));
    return code;
}

static int open_in(const backup_t *self, const char *folder, const char *name, int flags) {
    char path[FOB_PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return self->disk->open(self->disk->arg, path, flags, 0600);
}

/* --- all files of one moment --- */

static void close_all(const backup_t *self, int *files, size_t count) {
    for (size_t i = 0; files != NULL && i < count; i++)
        if (files[i] >= 0)
            self->disk->close(self->disk->arg, files[i]);
    free(files);
}

static void forget_files(backup_t *self) {
    close_all(self, self->checkpoints, self->list.checkpoint_count);
    close_all(self, self->segments, self->list.segment_count);
    self->checkpoints = self->segments = NULL;
    fob_folder_free(&self->list);
}

/* ABSENT: one has gone. */
static fob_journal_code_t open_files(backup_t *self, const uint64_t *numbers, size_t count,
                                     void (*name_of)(uint64_t number, char *out), int **out) {
    *out = malloc((count + 1) * sizeof **out);
    for (size_t i = 0; *out != NULL && i < count; i++)
        (*out)[i] = -1;
    if (*out == NULL) {
        errno = ENOMEM;
        return refuse(self, "open the files of", self->from, "");
    }
    for (size_t i = 0; i < count; i++) {
        char name[FOB_SEGMENT_NAME_SIZE];
        name_of(numbers[i], name);
        (*out)[i] = open_in(self, self->from, name, O_RDONLY);
        if ((*out)[i] < 0)
            return errno == ENOENT ? FOB_JOURNAL_ABSENT : refuse(self, "open", self->from, name);
    }
    return FOB_JOURNAL_OK;
}

static fob_journal_code_t open_once(backup_t *self) {
    bool torn;
    fob_journal_code_t code =
        fob_epoch_read(self->disk, self->from, &self->mark, &torn, self->error);
    if (code == FOB_JOURNAL_ABSENT) {
        fob_error_set(self->error, FOB_JOURNAL_DAMAGED,
                      "%s has no file " FOB_EPOCH_NAME ": it is no folder of a bus.", self->from);
        return FOB_JOURNAL_DAMAGED;
    }
    if (code == FOB_JOURNAL_OK)
        code = fob_folder_list(self->disk, self->from, &self->list, self->error);
    if (code != FOB_JOURNAL_OK)
        return code;
    code = open_files(self, self->list.checkpoints, self->list.checkpoint_count,
                      fob_checkpoint_name, &self->checkpoints);
    if (code == FOB_JOURNAL_OK)
        code = open_files(self, self->list.segments, self->list.segment_count, fob_segment_name,
                          &self->segments);
    return code;
}

static fob_journal_code_t open_all(backup_t *self) {
    fob_journal_code_t code = FOB_JOURNAL_ABSENT;
    for (unsigned i = 0; i < LOOKS && code != FOB_JOURNAL_OK; i++) {
        forget_files(self);
        code = open_once(self);
        if (code == FOB_JOURNAL_OK)
            code = fob_folder_check(self->from, &self->list, self->mark.lowest, self->mark.highest,
                                    self->error);
        if (code != FOB_JOURNAL_OK && code != FOB_JOURNAL_ABSENT && code != FOB_JOURNAL_DAMAGED)
            return code;
    }
    if (code == FOB_JOURNAL_ABSENT) {
        fob_error_set(self->error, FOB_JOURNAL_SYSTEM,
                      "The files of %s change faster than they can be opened: try again.",
                      self->from);
        code = FOB_JOURNAL_SYSTEM;
    }
    return code;
}

/* --- copying --- */

static fob_journal_code_t copy_bytes(backup_t *self, int from, int to, uint64_t at, uint64_t end,
                                     const char *name) {
    uint8_t *data = malloc(CHUNK);
    fob_journal_code_t code = FOB_JOURNAL_OK;
    errno = ENOMEM;
    if (data == NULL)
        return refuse(self, "copy", self->from, name);
    while (at < end && code == FOB_JOURNAL_OK) {
        size_t size = end - at < CHUNK ? (size_t)(end - at) : CHUNK, got = 0;
        if (fob_disk_read(self->disk, from, data, size, at, &got) != 0)
            code = refuse(self, "read", self->from, name);
        else if (got < size && (errno = EIO) != 0)
            code = refuse(self, "read all of", self->from, name);
        else if (fob_disk_write(self->disk, to, &(struct iovec){data, size}, 1, at) != 0)
            code = refuse(self, "write", self->to, name);
        at += size;
    }
    free(data);
    if (code == FOB_JOURNAL_OK)
        self->out->bytes += end;
    return code;
}

static fob_journal_code_t end_file(backup_t *self, int fd, const char *name,
                                   fob_journal_code_t code) {
    if (code == FOB_JOURNAL_OK && self->disk->fsync(self->disk->arg, fd) != 0)
        code = refuse(self, "sync", self->to, name);
    self->disk->close(self->disk->arg, fd);
    return code;
}

static fob_journal_code_t copy_checkpoint(backup_t *self, size_t index) {
    char name[FOB_SEGMENT_NAME_SIZE];
    fob_disk_stat_t stat;
    uint64_t upto;
    fob_checkpoint_name(self->list.checkpoints[index], name);
    if (self->disk->fstat(self->disk->arg, self->checkpoints[index], &stat) != 0)
        return refuse(self, "read", self->from, name);
    int fd = open_in(self, self->to, name, O_RDWR | O_CREAT | O_EXCL);
    if (fd < 0)
        return refuse(self, "make", self->to, name);
    fob_journal_code_t code = copy_bytes(self, self->checkpoints[index], fd, 0, stat.size, name);
    code = end_file(self, fd, name, code);
    if (code == FOB_JOURNAL_OK)
        code = fob_checkpoint_read(self->disk, self->to, self->list.checkpoints[index], NULL, NULL,
                                   &upto, self->error);
    if (code == FOB_JOURNAL_OK && upto > self->proof)
        self->proof = upto;
    return code;
}

/* A commit is whole: it is a part of the copy. */
static void count(backup_t *self, const fob_commit_t *commit) {
    fob_stored_t stored;
    size_t at = 0;
    while (fob_format_entry_next(commit, &at, &stored)) {
        self->out->events += stored.count;
        if (stored.count > 0)
            self->out->last_offset = stored.first_offset + stored.count - 1;
    }
    self->out->commits++;
    self->out->last_position = commit->position;
    self->expected = commit->position + 1;
    if (commit->durable > self->proof)
        self->proof = commit->durable;
}

/* Where the whole commits of a segment end, that follow those before. */
static fob_journal_code_t find_end(backup_t *self, const char *name, int fd,
                                   const fob_segment_head_t *head, uint64_t bytes, uint64_t *end) {
    fob_scan_t scan;
    fob_commit_t commit;
    fob_found_t found;
    uint64_t at;
    *end = FOB_SEGMENT_HEADER_BYTES;
    fob_scan_begin(&scan, self->disk, fd, head->sequence, head->seed, *end, bytes);
    while ((found = fob_scan_next(&scan, &commit, &at)) == FOB_FOUND_WHOLE) {
        if (self->expected != 0 && commit.position != self->expected)
            break;
        count(self, &commit);
        *end = scan.at;
    }
    errno = scan.error;
    fob_scan_end(&scan);
    if (found == FOB_FOUND_UNREAD)
        return refuse(self, "read", self->from, name);
    if (found == FOB_FOUND_NEWER) {
        fob_error_set(self->error, FOB_JOURNAL_NEWER,
                      "%s/%s was written by a newer version of fob; use that one.", self->from,
                      name);
        return FOB_JOURNAL_NEWER;
    }
    return FOB_JOURNAL_OK;
}

static fob_journal_code_t write_segment(backup_t *self, const char *name, int from, uint64_t end,
                                        uint64_t bytes) {
    const fob_disk_t *disk = self->disk;
    int fd = open_in(self, self->to, name, O_RDWR | O_CREAT | O_EXCL);
    if (fd < 0)
        return refuse(self, "make", self->to, name);
    /* Of the size that its head tells; zeros behind what is copied. */
    int rc = disk->fallocate(disk->arg, fd, 0, (off_t)bytes);
    if (rc != 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
        rc = fob_disk_zero(disk, fd, 0, bytes);
    fob_journal_code_t code = rc == 0 ? copy_bytes(self, from, fd, 0, end, name)
                                      : refuse(self, "make room for", self->to, name);
    return end_file(self, fd, name, code);
}

/* A file that was cut short would be refused at the first start on the copy: it is said here. */
static fob_journal_code_t check_head(backup_t *self, const char *name, uint64_t sequence,
                                     const uint8_t *data, size_t size, uint64_t bytes,
                                     fob_segment_head_t *out) {
    fob_found_t found =
        size == FOB_SEGMENT_HEADER_BYTES ? fob_format_segment_decode(data, out) : FOB_FOUND_BAD;
    bool whole = found == FOB_FOUND_WHOLE && out->sequence == sequence;
    if (whole && bytes >= out->bytes)
        return FOB_JOURNAL_OK;
    fob_journal_code_t code = found == FOB_FOUND_NEWER ? FOB_JOURNAL_NEWER : FOB_JOURNAL_DAMAGED;
    const char *text = found == FOB_FOUND_NEWER ? "written by a newer version of fob; use that one"
                                                : "the head is damaged";
    fob_error_set(self->error, code, "Segment %s in %s, byte %" PRIu64 ": %s.", name, self->from,
                  whole ? bytes : 0, whole ? FOB_CUT_OFF : text);
    return code;
}

static fob_journal_code_t copy_segment(backup_t *self, size_t index) {
    char name[FOB_SEGMENT_NAME_SIZE];
    uint8_t data[FOB_SEGMENT_HEADER_BYTES] = {0};
    fob_segment_head_t head;
    fob_disk_stat_t stat;
    uint64_t end, commits = self->out->commits;
    size_t got;
    int from = self->segments[index];
    fob_segment_name(self->list.segments[index], name);
    if (self->disk->fstat(self->disk->arg, from, &stat) != 0 ||
        fob_disk_read(self->disk, from, data, sizeof data, 0, &got) != 0)
        return refuse(self, "read", self->from, name);
    fob_journal_code_t code =
        check_head(self, name, self->list.segments[index], data, got, stat.size, &head);
    if (code != FOB_JOURNAL_OK)
        return code;
    code = find_end(self, name, from, &head, stat.size, &end);
    if (code != FOB_JOURNAL_OK)
        return code;
    self->ended = self->out->commits == commits;
    if (self->ended && index > 0)
        return FOB_JOURNAL_OK; /* made ahead of need, or what follows a tail */
    self->highest = self->list.segments[index];
    self->out->segments++;
    return write_segment(self, name, from, end, stat.size);
}

static fob_journal_code_t copy_all(backup_t *self) {
    fob_journal_code_t code = FOB_JOURNAL_OK;
    self->proof = self->mark.position;
    for (size_t i = 0; i < self->list.checkpoint_count && code == FOB_JOURNAL_OK; i++)
        code = copy_checkpoint(self, i);
    self->lowest = self->list.segment_count > 0 ? self->list.segments[0] : 0;
    for (size_t i = 0; i < self->list.segment_count && code == FOB_JOURNAL_OK && !self->ended; i++)
        code = copy_segment(self, i);
    if (code != FOB_JOURNAL_OK || self->proof < (self->expected != 0 ? self->expected : 1))
        return code;
    fob_error_set(self->error, FOB_JOURNAL_DAMAGED,
                  "Behind commit %" PRIu64 " in %s: a commit that was durable is damaged or "
                  "missing; \"fob journal verify\" says where.",
                  self->out->last_position, self->from);
    return FOB_JOURNAL_DAMAGED;
}

fob_journal_code_t fob_journal_backup(const char *folder, const char *to, fob_backup_t *out,
                                      fob_journal_error_t *error) {
    backup_t self = {.from = folder, .to = to, .disk = fob_disk_real(), .error = error, .out = out};
    *out = (fob_backup_t){0};
    *error = (fob_journal_error_t){0};
    fob_journal_code_t code = open_all(&self);
    if (code == FOB_JOURNAL_OK)
        code = copy_all(&self);
    forget_files(&self);
    if (code == FOB_JOURNAL_OK)
        code = fob_journal_begin(to, self.mark.epoch, out->last_position, self.lowest, self.highest,
                                 error);
    if (code == FOB_JOURNAL_OK)
        fob_journal_inherit(to, folder, self.mark.epoch);
    return code;
}
