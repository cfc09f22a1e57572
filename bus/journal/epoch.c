#include "bus/journal/epoch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

fob_journal_code_t fob_epoch_read(const fob_disk_t *disk, const char *folder, fob_epoch_mark_t *out,
                                  fob_journal_error_t *error) {
    char path[FOB_PATH_SIZE];
    snprintf(path, sizeof path, "%s/" FOB_EPOCH_NAME, folder);
    int fd = disk->open(disk->arg, path, O_RDONLY, 0);
    if (fd < 0 && errno == ENOENT)
        return FOB_JOURNAL_ABSENT;
    fob_disk_epoch_t data;
    size_t got = 0;
    int rc = fd < 0 ? -1 : fob_disk_read(disk, fd, &data, sizeof data, 0, &got);
    int saved = errno;
    if (fd >= 0)
        disk->close(disk->arg, fd);
    if (rc != 0) {
        fob_error_set(error, FOB_JOURNAL_SYSTEM, "Cannot read %s: %s.", path, strerror(saved));
        return FOB_JOURNAL_SYSTEM;
    }
    fob_found_t found = got == sizeof data ? fob_format_epoch_decode(&data, out) : FOB_FOUND_BAD;
    if (found == FOB_FOUND_NEWER) {
        fob_error_set(error, FOB_JOURNAL_NEWER,
                      "%s was written by a newer version of fob; use that one.", path);
        return FOB_JOURNAL_NEWER;
    }
    if (found != FOB_FOUND_WHOLE) {
        fob_error_set(error, FOB_JOURNAL_DAMAGED, "%s is damaged at byte 0.", path);
        return FOB_JOURNAL_DAMAGED;
    }
    return FOB_JOURNAL_OK;
}

int fob_epoch_write(const fob_store_t *store, bool clean, uint64_t position) {
    fob_disk_epoch_t data;
    fob_epoch_mark_t mark = {.epoch = store->epoch,
                             .position = position,
                             .clean = clean,
                             .level_disk = store->sync == FOB_SYNC_ALWAYS};
    fob_format_epoch_encode(&mark, fob_wall_ms(), &data);
    return fob_store_put(store, FOB_EPOCH_NAME, &data, sizeof data);
}
