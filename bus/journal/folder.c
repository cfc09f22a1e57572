#include "bus/journal/folder.h"

#include "bus/journal/segment.h"
#include "bus/journal/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
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

fob_journal_code_t fob_folder_list(const char *folder, fob_folder_t *out,
                                   fob_journal_error_t *error) {
    *out = (fob_folder_t){0};
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        fob_error_set(error, FOB_JOURNAL_SYSTEM, "Cannot list %s: %s.", folder, strerror(errno));
        return FOB_JOURNAL_SYSTEM;
    }
    bool kept = true;
    const struct dirent *entry;
    while (kept && (entry = readdir(dir)) != NULL) {
        uint64_t number;
        if (fob_segment_parse(entry->d_name, ".seg", &number))
            kept = push(&out->segments, &out->segment_count, number);
        else if (fob_segment_parse(entry->d_name, ".ckp", &number))
            kept = push(&out->checkpoints, &out->checkpoint_count, number);
    }
    closedir(dir);
    if (!kept) {
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

void fob_folder_sweep(const fob_disk_t *disk, const char *folder) {
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return; /* the listing that follows says why */
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        size_t length = strlen(entry->d_name);
        if (length < 4 || strcmp(entry->d_name + length - 4, ".tmp") != 0)
            continue;
        char path[FOB_PATH_SIZE + 256];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        disk->unlink(disk->arg, path); /* in the way of nobody if it stays */
    }
    closedir(dir);
}

int fob_folder_make(const char *folder) {
    char path[FOB_PATH_SIZE];
    size_t length = strlen(folder);
    if (length == 0 || length >= sizeof path - 64) {
        errno = length == 0 ? ENOENT : ENAMETOOLONG;
        return -1;
    }
    memcpy(path, folder, length + 1);
    for (char *c = path + 1;; c++) {
        if (*c != '/' && *c != '\0')
            continue;
        char kept = *c;
        *c = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
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
static long holder(const char *folder) {
    char path[FOB_PATH_SIZE], text[32] = {0};
    lock_path(folder, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    return got > 0 ? strtol(text, NULL, 10) : 0;
}

/* Of one length, over what is there: so it needs no room on a full disk. Who cannot be named is
 * locked out all the same; the pid of another must not stay. */
static void write_holder(const char *folder) {
    char path[FOB_PATH_SIZE], pid[32];
    lock_path(folder, path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    int length = snprintf(pid, sizeof pid, "%-20ld\n", (long)getpid());
    if (pwrite(fd, pid, (size_t)length, 0) != length) {
        int rc = ftruncate(fd, 0);
        (void)rc; /* then only what the file says is wrong, not the lock */
    }
    close(fd);
}

bool fob_folder_in_use(const char *folder) {
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false; /* it cannot be known */
    bool used = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return used;
}

static fob_journal_code_t locked_by_another(const char *folder, fob_journal_error_t *error) {
    long pid = holder(folder);
    char who[64] = "another process";
    if (pid > 0)
        snprintf(who, sizeof who, "process %ld", pid);
    fob_error_set(error, FOB_JOURNAL_IN_USE,
                  "%s is in use by %s; stop that one or use another folder.", folder, who);
    return FOB_JOURNAL_IN_USE;
}

fob_journal_code_t fob_folder_lock(const char *folder, int *out, fob_journal_error_t *error) {
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        fob_error_set(error, FOB_JOURNAL_SYSTEM, "Cannot open %s: %s.", folder, strerror(errno));
        return FOB_JOURNAL_SYSTEM;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int saved = errno;
        close(fd);
        if (saved == EWOULDBLOCK)
            return locked_by_another(folder, error);
        fob_error_set(error, FOB_JOURNAL_SYSTEM, "Cannot lock %s: %s.", folder, strerror(saved));
        return FOB_JOURNAL_SYSTEM;
    }
    write_holder(folder);
    *out = fd;
    return FOB_JOURNAL_OK;
}
