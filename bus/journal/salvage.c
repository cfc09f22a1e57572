#include "bus/journal/salvage.h"

#include "bus/journal/checkpoint.h"
#include "bus/journal/epoch.h"
#include "bus/journal/folder.h"
#include "bus/journal/patient.h"
#include "bus/journal/scan.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

/* A place where commits are missing, until the next whole one tells which. */
typedef struct {
    char file[FOB_SEGMENT_NAME_SIZE]; /* empty: none */
    uint64_t at, end;
    const char *text;
} place_t;

typedef struct {
    const char *folder;
    const fob_disk_t *disk;
    const fob_salvage_to_t *to;
    fob_journal_error_t *error;
    fob_folder_t list;
    uint64_t epoch, lowest, highest; /* of the epoch file, and of the segments' heads */
    uint64_t proof;                  /* positions up to here were durable once */
    uint64_t checkpoint;             /* position of the one that is used; 0: none */
    uint64_t expected;               /* position of the next commit; 0: any */
    uint64_t next_offset;            /* of the next event; 0: not known yet */
    place_t place;
    bool stopped; /* by the receiver */
} salvage_t;

static fob_journal_code_t cannot_read(salvage_t *self, const char *name, int error) {
    fob_journal_code_t code = error == ENOMEM ? FOB_JOURNAL_MEMORY : FOB_JOURNAL_SYSTEM;
    fob_error_set(self->error, code, "Cannot read %s/%s: %s.", self->folder, name, strerror(error));
    return code;
}

static fob_journal_code_t newer(salvage_t *self, const char *name) {
    fob_error_set(self->error, FOB_JOURNAL_NEWER,
                  "%s/%s was written by a newer version of fob; use that one.", self->folder, name);
    return FOB_JOURNAL_NEWER;
}

/* --- what is lost --- */

static void tell(salvage_t *self, const fob_loss_t *loss) {
    if (!self->stopped && !self->to->lost(self->to->arg, loss))
        self->stopped = true;
}

/* The place that is waiting, with what is known to be missing there. */
static void tell_place(salvage_t *self, fob_loss_t loss) {
    loss.file = self->place.file;
    loss.at = self->place.at;
    loss.end = self->place.end;
    loss.text = self->place.text;
    tell(self, &loss);
    self->place.file[0] = '\0';
}

/* Something is wrong there. An earlier place is told without what is missing: nobody knows where
 * between the two it was. */
static void note_place(salvage_t *self, const char *file, uint64_t at, uint64_t end,
                       const char *text) {
    if (self->place.file[0])
        tell_place(self, (fob_loss_t){.proven = true});
    snprintf(self->place.file, sizeof self->place.file, "%s", file);
    self->place.at = at;
    self->place.end = end;
    self->place.text = text;
}

static void note_missing(salvage_t *self, uint64_t sequence) {
    char name[FOB_SEGMENT_NAME_SIZE];
    fob_segment_name(sequence, name);
    note_place(self, name, 0, 0, "the file is missing");
}

/* A whole commit: what is missing before it is known now. */
static void tell_gap(salvage_t *self, const char *file, uint64_t at, const fob_commit_t *commit) {
    bool first = self->expected == 0;
    uint64_t expected = first ? self->checkpoint + 1 : self->expected;
    uint64_t next_offset = self->next_offset != 0 ? self->next_offset : 1;
    fob_loss_t loss = {.proven = true};
    if (commit->position > expected) {
        loss.first = expected;
        loss.last = commit->position - 1;
        if (commit->first_offset > next_offset) {
            loss.first_offset = next_offset;
            loss.last_offset = commit->first_offset - 1;
        }
    }
    if (loss.first != 0 && !self->place.file[0])
        note_place(self, file, at, at, "commits that belong before it are nowhere");
    if (self->place.file[0])
        tell_place(self, loss);
}

/* All segments are walked. */
static void tell_end(salvage_t *self) {
    uint64_t expected = self->expected != 0 ? self->expected : self->checkpoint + 1;
    fob_loss_t loss = {.proven = self->proof >= expected};
    if (loss.proven) {
        loss.first = expected;
        loss.last = self->proof;
        if (!self->place.file[0])
            note_place(self, "epoch", 0, 0,
                       "it, or a checkpoint, tells of commits behind the last");
    }
    if (self->place.file[0])
        tell_place(self, loss);
}

/* --- a segment --- */

static uint64_t offset_behind(const fob_commit_t *commit) {
    uint64_t next = commit->first_offset;
    fob_stored_t stored;
    size_t at = 0;
    while (fob_format_entry_next(commit, &at, &stored))
        if (stored.count > 0)
            next = stored.first_offset + stored.count;
    return next;
}

static void take_commit(salvage_t *self, const char *file, uint64_t at,
                        const fob_commit_t *commit) {
    fob_stored_t stored;
    size_t entry = 0;
    if (self->expected != 0 && commit->position < self->expected)
        return; /* of a tail that was cut, or of a file that was put here twice */
    tell_gap(self, file, at, commit);
    while (!self->stopped && fob_format_entry_next(commit, &entry, &stored))
        if (!self->to->record(self->to->arg, &stored))
            self->stopped = true;
    self->expected = commit->position + 1;
    self->next_offset = offset_behind(commit);
    if (commit->durable > self->proof)
        self->proof = commit->durable;
}

/* Passes over what is no commit. True: there is one behind it. */
static bool pass_over(salvage_t *self, fob_scan_t *scan, const char *file,
                      fob_journal_code_t *code) {
    fob_rest_t rest;
    fob_commit_t commit;
    uint64_t at = scan->at;
    fob_found_t found = fob_scan_rest(scan, &rest);
    if (found != FOB_FOUND_UNREAD && rest.dirty_end == at)
        return false; /* zeros: the usual end */
    if (found != FOB_FOUND_UNREAD)
        found = fob_scan_skip(scan, &commit);
    if (found == FOB_FOUND_UNREAD)
        *code = cannot_read(self, file, scan->error);
    if (found == FOB_FOUND_UNREAD)
        return false;
    note_place(self, file, at, found == FOB_FOUND_WHOLE ? scan->at : rest.dirty_end,
               "no whole commit is there");
    return found == FOB_FOUND_WHOLE;
}

static fob_journal_code_t walk(salvage_t *self, const char *file, int fd, uint64_t sequence,
                               uint64_t seed, uint64_t bytes) {
    fob_scan_t scan;
    fob_commit_t commit;
    fob_journal_code_t code = FOB_JOURNAL_OK;
    uint64_t at;
    bool more = true;
    fob_scan_begin(&scan, self->disk, fd, sequence, seed, FOB_SEGMENT_HEADER_BYTES, bytes);
    while (more && !self->stopped) {
        fob_found_t found = fob_scan_next(&scan, &commit, &at);
        if (found == FOB_FOUND_WHOLE)
            take_commit(self, file, at, &commit);
        else if (found == FOB_FOUND_NEWER)
            code = newer(self, file);
        else if (found == FOB_FOUND_UNREAD)
            code = cannot_read(self, file, scan.error);
        else
            more = pass_over(self, &scan, file, &code);
        more = more && code == FOB_JOURNAL_OK;
    }
    fob_scan_end(&scan);
    return code;
}

/* Whether any commit of the segment is whole under that seed; `first_only`: the first one. */
static bool seed_is(salvage_t *self, int fd, uint64_t sequence, uint64_t seed, uint64_t bytes,
                    bool first_only) {
    fob_scan_t scan;
    fob_commit_t commit;
    uint64_t at;
    fob_scan_begin(&scan, self->disk, fd, sequence, seed, FOB_SEGMENT_HEADER_BYTES, bytes);
    fob_found_t found = fob_scan_next(&scan, &commit, &at);
    if (found != FOB_FOUND_WHOLE && !first_only)
        found = fob_scan_skip(&scan, &commit);
    fob_scan_end(&scan);
    return found == FOB_FOUND_WHOLE;
}

/* The seed of a segment whose head is damaged: the commits themselves prove it. It may be good, or
 * have a flipped bit. False: it cannot be had. */
static bool guess_seed(salvage_t *self, int fd, uint64_t sequence, const uint8_t *head,
                       uint64_t bytes, uint64_t *out) {
    uint64_t seed;
    memcpy(&seed, head + offsetof(fob_disk_segment_t, seed), sizeof seed);
    *out = seed = le64toh(seed);
    if (seed_is(self, fd, sequence, seed, bytes, false))
        return true;
    for (unsigned bit = 0; bit < 64; bit++) {
        *out = seed ^ UINT64_C(1) << bit;
        if (seed_is(self, fd, sequence, *out, bytes, true))
            return true;
    }
    return false;
}

static fob_journal_code_t walk_open(salvage_t *self, const char *file, int fd, uint64_t sequence) {
    uint8_t data[FOB_SEGMENT_HEADER_BYTES] = {0};
    fob_segment_head_t head = {0};
    fob_disk_stat_t stat;
    size_t got;
    if (self->disk->fstat(self->disk->arg, fd, &stat) != 0 ||
        fob_disk_read(self->disk, fd, data, sizeof data, 0, &got) != 0)
        return cannot_read(self, file, errno);
    fob_found_t found = fob_format_segment_decode(data, &head);
    if (found == FOB_FOUND_NEWER)
        return newer(self, file);
    if (found == FOB_FOUND_WHOLE && head.sequence == sequence) {
        fob_journal_code_t code = walk(self, file, fd, sequence, head.seed, stat.size);
        if (code == FOB_JOURNAL_OK && stat.size < head.bytes)
            note_place(self, file, stat.size, head.bytes, "the file was cut off");
        return code;
    }
    if (!guess_seed(self, fd, sequence, data, stat.size, &head.seed)) {
        note_place(self, file, 0, stat.size,
                   "its head is damaged, and no commit can be proved whole");
        return FOB_JOURNAL_OK;
    }
    fob_loss_t loss = {.file = file,
                       .end = FOB_SEGMENT_HEADER_BYTES,
                       .proven = true,
                       .text = "its head is damaged; its commits prove themselves"};
    tell(self, &loss);
    return walk(self, file, fd, sequence, head.seed, stat.size);
}

static fob_journal_code_t walk_segment(salvage_t *self, uint64_t sequence) {
    char name[FOB_SEGMENT_NAME_SIZE], path[FOB_PATH_SIZE];
    fob_segment_name(sequence, name);
    snprintf(path, sizeof path, "%s/%s", self->folder, name);
    int fd = self->disk->open(self->disk->arg, path, O_RDONLY, 0);
    if (fd < 0)
        return cannot_read(self, name, errno);
    fob_journal_code_t code = walk_open(self, name, fd, sequence);
    self->disk->close(self->disk->arg, fd);
    return code;
}

static fob_journal_code_t walk_all(salvage_t *self) {
    const fob_folder_t *list = &self->list;
    fob_journal_code_t code = FOB_JOURNAL_OK;
    uint64_t next = self->lowest;
    for (size_t i = 0; i < list->segment_count && code == FOB_JOURNAL_OK && !self->stopped; i++) {
        for (; next != 0 && next < list->segments[i]; next++)
            note_missing(self, next);
        code = walk_segment(self, list->segments[i]);
        next = list->segments[i] + 1;
    }
    for (; next != 0 && next <= self->highest && code == FOB_JOURNAL_OK; next++)
        note_missing(self, next);
    if (code == FOB_JOURNAL_OK && !self->stopped)
        tell_end(self);
    return code;
}

/* --- beside the segments --- */

/* The highest epoch that a segment's head names; an epoch is never given twice. */
static void look_for_epoch(salvage_t *self) {
    for (size_t i = 0; i < self->list.segment_count; i++) {
        char name[FOB_SEGMENT_NAME_SIZE], path[FOB_PATH_SIZE];
        uint8_t data[FOB_SEGMENT_HEADER_BYTES] = {0};
        fob_segment_head_t head;
        size_t got;
        fob_segment_name(self->list.segments[i], name);
        snprintf(path, sizeof path, "%s/%s", self->folder, name);
        int fd = self->disk->open(self->disk->arg, path, O_RDONLY, 0);
        if (fd < 0)
            continue;
        if (fob_disk_read(self->disk, fd, data, sizeof data, 0, &got) == 0 &&
            fob_format_segment_decode(data, &head) == FOB_FOUND_WHOLE && head.epoch > self->epoch)
            self->epoch = head.epoch;
        self->disk->close(self->disk->arg, fd);
    }
}

static fob_journal_code_t read_epoch(salvage_t *self) {
    fob_epoch_mark_t mark = {0};
    bool torn = false;
    fob_journal_code_t code = fob_epoch_read(self->disk, self->folder, &mark, &torn, self->error);
    if (code == FOB_JOURNAL_OK) {
        self->epoch = mark.epoch;
        self->proof = mark.position;
        self->lowest = mark.lowest;
        self->highest = mark.highest;
    }
    if (code == FOB_JOURNAL_DAMAGED || code == FOB_JOURNAL_ABSENT || torn)
        note_place(self, FOB_EPOCH_NAME, 0, torn ? 2 * FOB_EPOCH_SLOT : 0,
                   code == FOB_JOURNAL_ABSENT ? "the file is missing" : "it is damaged");
    if (self->place.file[0])
        tell_place(self, (fob_loss_t){.proven = true});
    if (code == FOB_JOURNAL_OK || code == FOB_JOURNAL_DAMAGED || code == FOB_JOURNAL_ABSENT) {
        look_for_epoch(self);
        return FOB_JOURNAL_OK;
    }
    return code;
}

/* The newest that is whole. */
static fob_journal_code_t choose_checkpoint(salvage_t *self) {
    const fob_folder_t *list = &self->list;
    for (size_t i = list->checkpoint_count; i > 0 && self->checkpoint == 0; i--) {
        char name[FOB_SEGMENT_NAME_SIZE];
        fob_journal_error_t error = {0};
        uint64_t upto = 0;
        fob_journal_code_t code = fob_checkpoint_read(
            self->disk, self->folder, list->checkpoints[i - 1], NULL, NULL, &upto, &error);
        if (code == FOB_JOURNAL_OK) {
            self->checkpoint = list->checkpoints[i - 1];
            if (upto > self->proof)
                self->proof = upto;
        } else if (code == FOB_JOURNAL_DAMAGED) {
            fob_checkpoint_name(list->checkpoints[i - 1], name);
            note_place(self, name, 0, 0, "it is damaged");
            tell_place(self, (fob_loss_t){.proven = true});
        } else {
            *self->error = error;
            return code;
        }
    }
    return FOB_JOURNAL_OK;
}

static bool on_slice(void *arg, const uint8_t *data, size_t size) {
    salvage_t *self = arg;
    self->stopped = !self->to->slice(self->to->arg, data, size);
    return !self->stopped;
}

/* It was whole a moment ago. */
static fob_journal_code_t show_checkpoint(salvage_t *self) {
    uint64_t upto;
    if (self->stopped || !self->to->begin(self->to->arg, self->epoch, self->checkpoint))
        self->stopped = true;
    if (self->stopped || self->checkpoint == 0)
        return FOB_JOURNAL_OK;
    fob_journal_error_t error = {0};
    fob_journal_code_t code = fob_checkpoint_read(self->disk, self->folder, self->checkpoint,
                                                  on_slice, self, &upto, &error);
    if (self->stopped || code == FOB_JOURNAL_OK)
        return FOB_JOURNAL_OK;
    *self->error = error;
    if (code == FOB_JOURNAL_DAMAGED)
        fob_error_set(self->error, code = FOB_JOURNAL_SYSTEM,
                      "A checkpoint in %s could be read a moment ago and cannot be now: the disk "
                      "is failing; try again.",
                      self->folder);
    return code;
}

/* Holds the folder, so that no bus starts on it meanwhile, without a word written into it. */
static fob_journal_code_t hold(salvage_t *self, int *lock) {
    const fob_disk_t *disk = self->disk;
    *lock = disk->open(disk->arg, self->folder, O_RDONLY | O_DIRECTORY, 0);
    if (*lock < 0) {
        fob_error_set(self->error, FOB_JOURNAL_SYSTEM, "Cannot open %s: %s.", self->folder,
                      strerror(errno));
        return FOB_JOURNAL_SYSTEM;
    }
    if (disk->flock(disk->arg, *lock, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return FOB_JOURNAL_OK; /* a file system without locks has none to hold */
    fob_error_set(self->error, FOB_JOURNAL_IN_USE,
                  "%s is in use by a bus: stop that one, or take a backup of it.", self->folder);
    return FOB_JOURNAL_IN_USE;
}

fob_journal_code_t fob_journal_salvage(const char *folder, const fob_salvage_to_t *to,
                                       fob_journal_error_t *error) {
    salvage_t self = {.folder = folder, .disk = fob_disk_patient(), .to = to, .error = error};
    int lock;
    *error = (fob_journal_error_t){0};
    fob_journal_code_t code = hold(&self, &lock);
    if (code == FOB_JOURNAL_OK)
        code = fob_folder_list(self.disk, folder, &self.list, error);
    if (code == FOB_JOURNAL_OK)
        code = read_epoch(&self);
    if (code == FOB_JOURNAL_OK)
        code = choose_checkpoint(&self);
    if (code == FOB_JOURNAL_OK)
        code = show_checkpoint(&self);
    if (code == FOB_JOURNAL_OK && !self.stopped)
        code = walk_all(&self);
    fob_folder_free(&self.list);
    if (lock >= 0)
        self.disk->close(self.disk->arg, lock);
    return code == FOB_JOURNAL_OK && self.stopped ? FOB_JOURNAL_DAMAGED : code;
}
