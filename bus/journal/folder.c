#include "bus/journal/folder.h"

#include "bus/journal/epoch.h"
#include "bus/journal/segment.h"
#include "bus/journal/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static int ascending(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool push(uint64_t **list, size_t *count, uint64_t value) {
    /* Grows at powers of two. */
    if ((*count & (*count - 1)) == 0) {
        uint64_t *grown = realloc(*list, (*count == 0 ? 1 : *count * 2) * sizeof **list);
        if (grown == NULL)
            return false;
        *list = grown;
    }
    (*list)[(*count)++] = value;
    return true;
}

/* Notes a name that means something. False: no memory. */
static bool note_name(void *to, const char *name) {
    fob_folder_t *list = to;
    uint64_t number;
    bool kept = true;
    if (fob_segment_parse(name, ".seg", &number))
        kept = push(&list->segments, &list->segment_count, number);
    else if (fob_segment_parse(name, ".ckp", &number))
        kept = push(&list->checkpoints, &list->checkpoint_count, number);
    if (!kept)
        list->broken_off = true;
    return kept;
}

fob_journal_code_t fob_folder_list(const fob_disk_t *disk, const char *folder, fob_folder_t *out,
                                   fob_journal_error_t *error) {
    *out = (fob_folder_t){0};
    if (disk->list(disk->arg, folder, note_name, out) != 0) {
        fob_error_set(error, FOB_JOURNAL_SYSTEM, "Cannot list %s: %s.", folder, strerror(errno));
        fob_folder_free(out);
        return FOB_JOURNAL_SYSTEM;
    }
    if (out->broken_off) {
        fob_folder_free(out);
        fob_error_set(error, FOB_JOURNAL_MEMORY, "No memory to list %s.", folder);
        return FOB_JOURNAL_MEMORY;
    }
    if (out->segment_count > 0)
        qsort(out->segments, out->segment_count, sizeof(uint64_t), ascending);
    if (out->checkpoint_count > 0)
        qsort(out->checkpoints, out->checkpoint_count, sizeof(uint64_t), ascending);
    return FOB_JOURNAL_OK;
}

void fob_folder_free(fob_folder_t *self) {
    free(self->segments);
    free(self->checkpoints);
    *self = (fob_folder_t){0};
}

fob_journal_code_t fob_folder_missing(const char *folder, uint64_t sequence, const char *why,
                                      fob_journal_error_t *error) {
    char name[FOB_SEGMENT_NAME_SIZE];
    fob_segment_name(sequence, name);
    fob_error_set(error, FOB_JOURNAL_DAMAGED,
                  "Segment %s is missing in %s: %s. Put the file back, or restore the folder.",
                  name, folder, why);
    return FOB_JOURNAL_DAMAGED;
}

fob_journal_code_t fob_folder_check(const char *folder, const fob_folder_t *list, uint64_t lowest,
                                    uint64_t highest, fob_journal_error_t *error) {
    if (lowest > 0 && list->segment_count > 0 && list->segments[0] > lowest)
        return fob_folder_missing(folder, lowest, "the epoch file says that it was not deleted",
                                  error);
    for (size_t i = 1; i < list->segment_count; i++)
        if (list->segments[i] != list->segments[i - 1] + 1)
            return fob_folder_missing(folder, list->segments[i - 1] + 1,
                                      "there are segments before and after it", error);
    uint64_t last = list->segment_count > 0 ? list->segments[list->segment_count - 1] : 0;
    if (last < highest)
        return fob_folder_missing(folder, last + 1, "the epoch file says that it was made", error);
    return FOB_JOURNAL_OK;
}

typedef struct {
    const fob_disk_t *disk;
    const char *folder;
} sweep_t;

static bool sweep_name(void *to, const char *name) {
    const sweep_t *self = to;
    size_t length = strlen(name);
    if (length < 4 || strcmp(name + length - 4, ".tmp") != 0)
        return true;
    char path[FOB_PATH_SIZE + 256];
    snprintf(path, sizeof path, "%s/%s", self->folder, name);
    self->disk->unlink(self->disk->arg, path); /* in the way of nobody if it stays */
    return true;
}

void fob_folder_sweep(const fob_disk_t *disk, const char *folder) {
    sweep_t sweep = {disk, folder};
    disk->list(disk->arg, folder, sweep_name, &sweep); /* the listing that follows says why not */
}

/* Makes the name of `path` durable; where the folder above may not be opened, `must` says whether
 * that is an error. 0, or -1 with errno. */
static int sync_parent(const fob_disk_t *disk, const char *path, bool must) {
    char parent[FOB_PATH_SIZE] = ".";
    const char *slash = strrchr(path, '/');
    if (slash != NULL)
        snprintf(parent, sizeof parent, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    int fd = disk->open(disk->arg, parent, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return must ? -1 : 0;
    int rc = disk->fsync(disk->arg, fd), saved = errno;
    disk->close(disk->arg, fd);
    errno = saved;
    return rc;
}

/* Makes one of them. Where no journal was yet, an earlier start may have made it and been killed
 * before its name was durable: it is synced then too, if others let us. */
static int make_one(const fob_disk_t *disk, const char *path, bool fresh) {
    bool made = disk->mkdir(disk->arg, path, 0700) == 0;
    if (!made && errno != EEXIST)
        return -1;
    return made || fresh ? sync_parent(disk, path, made) : 0;
}

int fob_folder_make(const fob_disk_t *disk, const char *folder) {
    char path[FOB_PATH_SIZE];
    fob_disk_stat_t stat;
    size_t length = strlen(folder);
    if (length == 0 || length >= sizeof path - 64) {
        errno = length == 0 ? ENOENT : ENAMETOOLONG;
        return -1;
    }
    snprintf(path, sizeof path, "%s/" FOB_EPOCH_NAME, folder);
    bool fresh = disk->stat(disk->arg, path, &stat) != 0;
    memcpy(path, folder, length + 1);
    for (char *c = path + 1;; c++) {
        if (*c != '/' && *c != '\0')
            continue;
        char kept = *c;
        *c = '\0';
        if (make_one(disk, path, fresh) != 0)
            return -1;
        if (kept == '\0')
            return 0;
        *c = kept;
    }
}

/* --- the lock ---
 *
 * On the folder itself, so that nothing which can be removed from it gives it away. The file `lock`
 * only says who holds it. */

static void lock_path(const char *folder, char path[FOB_PATH_SIZE]) {
    snprintf(path, FOB_PATH_SIZE, "%s/lock", folder);
}

/* The pid that the holder wrote; 0: it cannot be read. */
static long holder(const fob_disk_t *disk, const char *folder) {
    char path[FOB_PATH_SIZE], text[32] = {0};
    size_t got = 0;
    lock_path(folder, path);
    int fd = disk->open(disk->arg, path, O_RDONLY, 0);
    if (fd < 0)
        return 0;
    int rc = fob_disk_read(disk, fd, text, sizeof text - 1, 0, &got);
    disk->close(disk->arg, fd);
    return rc == 0 ? strtol(text, NULL, 10) : 0;
}

/* Of one length, over what is there: so it needs no room on a full disk. Who cannot be named is
 * locked out all the same; the pid of another must not stay. */
static void write_holder(const fob_disk_t *disk, const char *folder) {
    char path[FOB_PATH_SIZE], pid[32];
    lock_path(folder, path);
    int fd = disk->open(disk->arg, path, O_RDWR | O_CREAT, 0600);
    if (fd < 0)
        return;
    struct iovec part = {pid, (size_t)snprintf(pid, sizeof pid, "%-20ld\n", (long)getpid())};
    bool written = fob_disk_write(disk, fd, &part, 1, 0) == 0;
    disk->close(disk->arg, fd);
    /* If it stays, only what the file says is wrong, not the lock. */
    if (!written)
        disk->unlink(disk->arg, path);
}

bool fob_folder_in_use(const fob_disk_t *disk, const char *folder) {
    int fd = disk->open(disk->arg, folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return false; /* it cannot be known */
    bool used = disk->flock(disk->arg, fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    disk->close(disk->arg, fd);
    return used;
}

static fob_journal_code_t locked_by_another(const fob_disk_t *disk, const char *folder,
                                            fob_journal_error_t *error) {
    long pid = holder(disk, folder);
    char who[64] = "another process";
    if (pid > 0)
        snprintf(who, sizeof who, "process %ld", pid);
    fob_error_set(error, FOB_JOURNAL_IN_USE,
                  "%s is in use by %s; stop that one or use another folder.", folder, who);
    return FOB_JOURNAL_IN_USE;
}

fob_journal_code_t fob_folder_lock(const fob_disk_t *disk, const char *folder, int *out,
                                   fob_journal_error_t *error) {
    int fd = disk->open(disk->arg, folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) {
        fob_error_set(error, FOB_JOURNAL_SYSTEM, "Cannot open %s: %s.", folder, strerror(errno));
        return FOB_JOURNAL_SYSTEM;
    }
    if (disk->flock(disk->arg, fd, LOCK_EX | LOCK_NB) != 0) {
        int saved = errno;
        disk->close(disk->arg, fd);
        if (saved == EWOULDBLOCK)
            return locked_by_another(disk, folder, error);
        fob_error_set(error, FOB_JOURNAL_SYSTEM, "Cannot lock %s: %s.", folder, strerror(saved));
        return FOB_JOURNAL_SYSTEM;
    }
    write_holder(disk, folder);
    *out = fd;
    return FOB_JOURNAL_OK;
}
