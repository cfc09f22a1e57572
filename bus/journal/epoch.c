#include "bus/journal/epoch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define SLOTS 2

/* A record of the file. NOTHING: the file ends before it. */
static fob_found_t read_slot(const fob_disk_t *disk, int fd, size_t slot, fob_epoch_mark_t *out) {
    fob_disk_epoch_t data;
    size_t got;
    if (fob_disk_read(disk, fd, &data, sizeof data, slot * FOB_EPOCH_SLOT, &got) != 0)
        return FOB_FOUND_UNREAD;
    if (got == 0)
        return FOB_FOUND_NOTHING;
    return got == sizeof data ? fob_format_epoch_decode(&data, out) : FOB_FOUND_BAD;
}

/* The newer of the records that are whole. */
static fob_found_t choose(const fob_found_t *found, const fob_epoch_mark_t *marks,
                          fob_epoch_mark_t *out, bool *torn) {
    bool first = found[0] == FOB_FOUND_WHOLE, second = found[1] == FOB_FOUND_WHOLE;
    if (found[0] == FOB_FOUND_NEWER || found[1] == FOB_FOUND_NEWER)
        return FOB_FOUND_NEWER;
    if (!first && !second)
        return FOB_FOUND_BAD;
    *out = marks[second && (!first || marks[1].turn > marks[0].turn)];
    *torn = !(first && second);
    if (*torn) {
        out->clean = out->level_disk = false;
        out->lowest = 0; /* what is here may be the older: more may have gone since */
    }
    return FOB_FOUND_WHOLE;
}

fob_journal_code_t fob_epoch_read(const fob_disk_t *disk, const char *folder, fob_epoch_mark_t *out,
                                  bool *torn, fob_journal_error_t *error) {
    char path[FOB_PATH_SIZE];
    snprintf(path, sizeof path, "%s/" FOB_EPOCH_NAME, folder);
    *torn = false;
    int fd = disk->open(disk->arg, path, O_RDONLY, 0);
    if (fd < 0 && errno == ENOENT)
        return FOB_JOURNAL_ABSENT;
    fob_epoch_mark_t marks[SLOTS] = {0};
    fob_found_t found[SLOTS] = {FOB_FOUND_UNREAD, FOB_FOUND_UNREAD};
    for (size_t i = 0; fd >= 0 && i < SLOTS && (i == 0 || found[0] != FOB_FOUND_UNREAD); i++)
        found[i] = read_slot(disk, fd, i, &marks[i]);
    int saved = errno;
    if (fd >= 0)
        disk->close(disk->arg, fd);
    if (found[0] == FOB_FOUND_UNREAD || found[1] == FOB_FOUND_UNREAD) {
        fob_error_set(error, FOB_JOURNAL_SYSTEM, "Cannot read %s: %s.", path, strerror(saved));
        return FOB_JOURNAL_SYSTEM;
    }
    fob_found_t chosen = choose(found, marks, out, torn);
    if (chosen == FOB_FOUND_NEWER) {
        fob_error_set(error, FOB_JOURNAL_NEWER,
                      "%s was written by a newer version of fob; use that one.", path);
        return FOB_JOURNAL_NEWER;
    }
    if (chosen != FOB_FOUND_WHOLE) {
        fob_error_set(error, FOB_JOURNAL_DAMAGED, "%s is damaged at byte 0.", path);
        return FOB_JOURNAL_DAMAGED;
    }
    return FOB_JOURNAL_OK;
}

static int write_slot(const fob_store_t *store, size_t slot, fob_disk_epoch_t *data) {
    const fob_disk_t *disk = store->disk;
    char path[FOB_PATH_SIZE];
    fob_store_path(store, FOB_EPOCH_NAME, path);
    int fd = disk->open(disk->arg, path, O_RDWR, 0);
    if (fd < 0)
        return -1;
    struct iovec part = {data, sizeof *data};
    int rc = fob_disk_write(disk, fd, &part, 1, slot * FOB_EPOCH_SLOT);
    if (rc == 0)
        rc = disk->fsync(disk->arg, fd);
    int saved = errno;
    disk->close(disk->arg, fd);
    errno = saved;
    return rc;
}

/* Both records, so that their room is there from now on. */
static int write_whole(fob_store_t *store, fob_epoch_mark_t *mark) {
    uint8_t data[SLOTS * FOB_EPOCH_SLOT] = {0};
    for (mark->turn = 1; mark->turn <= SLOTS; mark->turn++) {
        fob_disk_epoch_t record;
        fob_format_epoch_encode(mark, fob_wall_ms(store->runtime), &record);
        memcpy(data + mark->turn % SLOTS * FOB_EPOCH_SLOT, &record, sizeof record);
    }
    if (fob_store_put(store, FOB_EPOCH_NAME, data, sizeof data) != 0)
        return -1;
    store->epoch_turn = SLOTS;
    return 0;
}

int fob_epoch_write(fob_store_t *store, bool clean, uint64_t position, uint64_t highest) {
    fob_epoch_mark_t mark = {.epoch = store->epoch,
                             .position = position,
                             .turn = store->epoch_turn + 1,
                             .highest = highest,
                             .lowest = store->lowest,
                             .clean = clean,
                             .level_disk = store->sync == FOB_SYNC_ALWAYS};
    if (store->epoch_turn == 0)
        return write_whole(store, &mark);
    fob_disk_epoch_t data;
    fob_format_epoch_encode(&mark, fob_wall_ms(store->runtime), &data);
    /* The one that is not the newest; where one was bad, that one. */
    if (write_slot(store, mark.turn % SLOTS, &data) != 0)
        return -1;
    store->epoch_turn = mark.turn;
    return 0;
}
