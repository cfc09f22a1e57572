#include "bus/journal/checkpoint.h"
#include "bus/journal/epoch.h"
#include "bus/journal/file.h"
#include "bus/journal/folder.h"
#include "bus/journal/recovery.h"
#include "bus/journal/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How often a folder is listed until the list has no hole. */
#define LOOKS 8

typedef struct {
    const char *folder;
    const fob_inspect_t *to;
    fob_journal_error_t *error;
    const fob_disk_t *disk;
    uint64_t expected;             /* position of the next commit; 0: not known yet */
    uint64_t proof;                /* positions up to here were durable once */
    uint64_t end_sequence, end_at; /* behind the last commit that follows all before it */
    /* The first place where the commits break off, */
    bool broken;
    char name[FOB_SEGMENT_NAME_SIZE];
    uint64_t at, missing; /* and the position that is missing there */
} inspect_t;

/* One segment, open. */
typedef struct {
    char name[FOB_SEGMENT_NAME_SIZE];
    int fd;
    uint64_t bytes, used, first_position, first_offset;
    fob_segment_head_t head;
} opened_t;

static fob_journal_code_t cannot_read(inspect_t *self, const char *name, int error) {
    fob_journal_code_t code = error == ENOMEM ? FOB_JOURNAL_MEMORY : FOB_JOURNAL_SYSTEM;
    fob_error_set(self->error, code, "Cannot read %s/%s: %s.", self->folder, name, strerror(error));
    return code;
}

/* OK, ABSENT (trimmed meanwhile), or what is wrong. */
static fob_journal_code_t open_segment(inspect_t *self, uint64_t sequence, opened_t *out) {
    char path[FOB_PATH_SIZE];
    uint8_t head[FOB_SEGMENT_HEADER_BYTES];
    fob_disk_stat_t stat;
    size_t got = 0;
    fob_segment_name(sequence, out->name);
    snprintf(path, sizeof path, "%s/%s", self->folder, out->name);
    out->fd = self->disk->open(self->disk->arg, path, O_RDONLY, 0);
    if (out->fd < 0)
        return errno == ENOENT ? FOB_JOURNAL_ABSENT : cannot_read(self, out->name, errno);
    if (self->disk->fstat(self->disk->arg, out->fd, &stat) != 0 ||
        fob_disk_read(self->disk, out->fd, head, sizeof head, 0, &got) != 0)
        return cannot_read(self, out->name, errno);
    out->bytes = stat.size;
    fob_found_t found =
        got == sizeof head ? fob_format_segment_decode(head, &out->head) : FOB_FOUND_BAD;
    if (found == FOB_FOUND_WHOLE && out->head.sequence == sequence) {
        if (out->bytes >= out->head.bytes)
            return FOB_JOURNAL_OK;
        fob_error_set(self->error, FOB_JOURNAL_DAMAGED, "Segment %s in %s, byte %" PRIu64 ": %s.",
                      out->name, self->folder, out->bytes, FOB_CUT_OFF);
        return FOB_JOURNAL_DAMAGED;
    }
    fob_journal_code_t code = found == FOB_FOUND_NEWER ? FOB_JOURNAL_NEWER : FOB_JOURNAL_DAMAGED;
    fob_error_set(self->error, code, "Segment %s in %s, byte 0: %s.", out->name, self->folder,
                  found == FOB_FOUND_NEWER ? "written by a newer version of fob; use that one"
                                           : "the head is damaged");
    return code;
}

static void note_break(inspect_t *self, const char *name, uint64_t at) {
    if (self->broken)
        return;
    self->broken = true;
    snprintf(self->name, sizeof self->name, "%s", name);
    self->at = at;
    self->missing = self->expected;
}

/* Looks for commits behind a break: each says what was durable. */
static fob_journal_code_t look_behind(inspect_t *self, opened_t *segment, fob_scan_t *scan) {
    fob_rest_t rest;
    if (fob_scan_rest(scan, &rest) == FOB_FOUND_UNREAD)
        return cannot_read(self, segment->name, scan->error);
    if (rest.dirty_end > scan->at)
        note_break(self, segment->name, scan->at);
    if (rest.durable > self->proof)
        self->proof = rest.durable;
    return FOB_JOURNAL_OK;
}

/* Walks a segment; `expected` is the position it begins with, 0 for any. */
static fob_journal_code_t walk(inspect_t *self, opened_t *segment, bool tell) {
    fob_scan_t scan;
    fob_commit_t commit;
    uint64_t at, expected = tell ? segment->first_position : self->expected;
    fob_found_t found;
    fob_scan_begin(&scan, self->disk, segment->fd, segment->head.sequence, segment->head.seed,
                   FOB_SEGMENT_HEADER_BYTES, tell ? segment->used : segment->bytes);
    segment->used = tell ? segment->used : FOB_SEGMENT_HEADER_BYTES;
    while ((found = fob_scan_next(&scan, &commit, &at)) == FOB_FOUND_WHOLE) {
        if (expected != 0 && commit.position != expected) {
            scan.at = at;
            break;
        }
        expected = commit.position + 1;
        if (tell) {
            self->to->commit(self->to->arg, segment->name, at, commit.position, commit.first_offset,
                             commit.event_count, commit.total);
            continue;
        }
        if (segment->first_position == 0) {
            segment->first_position = commit.position;
            segment->first_offset = commit.first_offset;
        }
        segment->used = scan.at;
        if (!self->broken) {
            self->end_sequence = segment->head.sequence;
            self->end_at = scan.at;
        }
        if (commit.durable > self->proof)
            self->proof = commit.durable;
    }
    fob_journal_code_t code = FOB_JOURNAL_OK;
    if (found == FOB_FOUND_UNREAD) {
        code = cannot_read(self, segment->name, scan.error);
    } else if (found == FOB_FOUND_NEWER) {
        code = FOB_JOURNAL_NEWER;
        fob_error_set(self->error, code,
                      "Segment %s in %s, byte %" PRIu64
                      ": written by a newer version of fob; use that one.",
                      segment->name, self->folder, scan.at);
    } else if (!tell) {
        self->expected = expected;
        code = look_behind(self, segment, &scan);
    }
    fob_scan_end(&scan);
    return code;
}

static fob_journal_code_t inspect_segment(inspect_t *self, uint64_t sequence) {
    opened_t segment = {.fd = -1};
    fob_journal_code_t code = open_segment(self, sequence, &segment);
    if (code == FOB_JOURNAL_OK)
        code = walk(self, &segment, false);
    if (code == FOB_JOURNAL_OK && self->to->segment != NULL)
        self->to->segment(self->to->arg, segment.name, segment.head.epoch, segment.first_position,
                          segment.first_offset, segment.used, segment.bytes);
    if (code == FOB_JOURNAL_OK && self->to->commit != NULL && segment.first_position != 0)
        code = walk(self, &segment, true);
    if (segment.fd >= 0)
        self->disk->close(self->disk->arg, segment.fd);
    return code == FOB_JOURNAL_ABSENT ? FOB_JOURNAL_OK : code;
}

/* What the checkpoints prove. */
static fob_journal_code_t gather_proof(inspect_t *self, const fob_folder_t *folder) {
    fob_journal_code_t code;
    for (size_t i = folder->checkpoint_count; i > 0; i--) {
        uint64_t upto = 0;
        fob_journal_error_t error;
        code = fob_checkpoint_read(self->disk, self->folder, folder->checkpoints[i - 1], NULL, NULL,
                                   &upto, &error);
        if (code == FOB_JOURNAL_OK && upto > self->proof)
            self->proof = upto;
        if (code == FOB_JOURNAL_NEWER || code == FOB_JOURNAL_DAMAGED) {
            *self->error = error;
            return code;
        }
    }
    return FOB_JOURNAL_OK;
}

/* The folder's list, of one in use too: files come and go while it is made, so that one which shows
 * a hole is made again. */
static fob_journal_code_t list_folder(inspect_t *self, fob_folder_t *list) {
    fob_journal_code_t code = FOB_JOURNAL_OK;
    for (unsigned i = 0; i < LOOKS; i++) {
        fob_epoch_mark_t mark = {0};
        bool torn;
        code = fob_epoch_read(self->disk, self->folder, &mark, &torn, self->error);
        if (code != FOB_JOURNAL_OK && code != FOB_JOURNAL_ABSENT)
            return code;
        self->proof = mark.position;
        code = fob_folder_list(self->disk, self->folder, list, self->error);
        if (code != FOB_JOURNAL_OK)
            return code;
        code = fob_folder_check(self->folder, list, mark.lowest, mark.highest, self->error);
        if (code == FOB_JOURNAL_OK)
            return code;
        fob_folder_free(list);
    }
    return code;
}

/* What a start would say, by the code that says it: only of a folder that is not in use, for the
 * end of one that is moves on while it is looked at. */
static fob_journal_code_t ask_recovery(inspect_t *self) {
    fob_file_options_t options = {.folder = self->folder, .disk = fob_disk_look()};
    fob_journal_error_t error = {0};
    fob_recovered_t found;
    fob_store_t store;
    if (fob_folder_in_use(self->disk, self->folder))
        return FOB_JOURNAL_OK;
    fob_journal_code_t code = FOB_JOURNAL_SYSTEM;
    if (fob_store_init(&store, &options, &error)) {
        code = fob_recover(&store, &found, &error);
        fob_store_close(&store);
    }
    if (code == FOB_JOURNAL_OK || fob_folder_in_use(self->disk, self->folder))
        return FOB_JOURNAL_OK;
    *self->error = error;
    return error.code;
}

/* Whether the commit that was missing at the end is there by now: one in use grows. */
static bool moved_on(inspect_t *self, uint64_t missing) {
    opened_t segment = {.fd = -1};
    fob_journal_error_t *kept = self->error, ignored;
    bool moved = false;
    self->error = &ignored;
    if (self->end_sequence != 0 &&
        open_segment(self, self->end_sequence, &segment) == FOB_JOURNAL_OK) {
        fob_scan_t scan;
        fob_commit_t commit;
        uint64_t at;
        fob_scan_begin(&scan, self->disk, segment.fd, segment.head.sequence, segment.head.seed,
                       self->end_at, segment.bytes);
        moved = fob_scan_next(&scan, &commit, &at) == FOB_FOUND_WHOLE && commit.position == missing;
        fob_scan_end(&scan);
    }
    if (segment.fd >= 0)
        self->disk->close(self->disk->arg, segment.fd);
    self->error = kept;
    return moved;
}

static fob_journal_code_t conclude(inspect_t *self) {
    char text[256];
    bool damaged = self->expected != 0 && self->proof >= self->expected;
    /* Broken at the very first commit, what is missing there is not known: it was some position at
     * least. */
    if (self->broken)
        damaged = self->proof >= (self->missing != 0 ? self->missing : 1);
    uint64_t missing = self->broken ? self->missing : self->expected;
    if ((damaged || self->broken) && moved_on(self, missing))
        return FOB_JOURNAL_OK;
    if (damaged) {
        if (!self->broken) {
            fob_segment_name(self->end_sequence, self->name);
            self->at = self->end_at;
        }
        fob_error_set(self->error, FOB_JOURNAL_DAMAGED,
                      "Segment %s in %s, byte %" PRIu64
                      ": a commit that was durable is damaged or missing.",
                      self->name, self->folder, self->at);
        return FOB_JOURNAL_DAMAGED;
    }
    if (self->broken && self->to->torn != NULL) {
        snprintf(text, sizeof text,
                 "What follows commit %" PRIu64 " is no whole commit; nothing says it was durable.",
                 self->missing > 0 ? self->missing - 1 : 0);
        self->to->torn(self->to->arg, self->name, self->at, text);
    }
    return FOB_JOURNAL_OK;
}

fob_journal_code_t fob_journal_inspect(const char *folder, const fob_inspect_t *to,
                                       fob_journal_error_t *error) {
    fob_journal_error_t ignored;
    inspect_t self = {.folder = folder,
                      .to = to,
                      .error = error != NULL ? error : &ignored,
                      .disk = fob_disk_real()};
    fob_folder_t list;
    *self.error = (fob_journal_error_t){0};
    fob_journal_code_t code = list_folder(&self, &list);
    if (code != FOB_JOURNAL_OK)
        return code;
    code = gather_proof(&self, &list);
    for (size_t i = 0; i < list.segment_count && code == FOB_JOURNAL_OK; i++)
        code = inspect_segment(&self, list.segments[i]);
    fob_folder_free(&list);
    if (code == FOB_JOURNAL_OK)
        code = ask_recovery(&self);
    return code == FOB_JOURNAL_OK ? conclude(&self) : code;
}
