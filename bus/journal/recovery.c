#include "bus/journal/recovery.h"

#include "bus/journal/epoch.h"
#include "bus/journal/folder.h"
#include "bus/journal/scan.h"
#include "proto/planted.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (1u << 20)

typedef struct {
    fob_store_t *store;
    fob_recovered_t *out;
    fob_journal_error_t *error;
    uint64_t expected; /* position of the commit that comes next */
    uint64_t proof;    /* positions up to here were durable once */
    size_t last;       /* index of the segment with the last commit, */
    uint64_t end;      /* and the byte behind it */
    size_t start;      /* index of the segment where walking began */
    uint64_t epoch;    /* the highest that a segment's head names */
} recovery_t;

static fob_journal_code_t say(recovery_t *self, fob_journal_code_t code, uint64_t sequence,
                              uint64_t at, const char *what) {
    char name[FOB_SEGMENT_NAME_SIZE];
    fob_segment_name(sequence, name);
    fob_error_set(self->error, code, "Segment %s in %s, byte %" PRIu64 ": %s.", name,
                  self->store->folder, at, what);
    return code;
}

static fob_journal_code_t say_errno(recovery_t *self, uint64_t sequence, const char *what) {
    int saved = errno;
    char name[FOB_SEGMENT_NAME_SIZE];
    fob_segment_name(sequence, name);
    fob_journal_code_t code = saved == ENOMEM ? FOB_JOURNAL_MEMORY : FOB_JOURNAL_SYSTEM;
    fob_error_set(self->error, code, "Cannot %s segment %s in %s: %s.", what, name,
                  self->store->folder, strerror(saved));
    return code;
}

/* --- what is there --- */

/* What the first commit's head says, if it looks like one; it is checked when it is walked. False:
 * errno. */
static bool peek(const fob_store_t *store, fob_segment_t *segment) {
    fob_disk_commit_t head;
    size_t got;
    if (fob_disk_read(store->disk, segment->fd, &head, sizeof head, FOB_SEGMENT_HEADER_BYTES,
                      &got) != 0)
        return false;
    if (got != sizeof head || le32toh(head.magic) != FOB_COMMIT_MAGIC ||
        le64toh(head.sequence) != segment->sequence)
        return true;
    segment->first_position = le64toh(head.position);
    segment->first_offset = le64toh(head.first_offset);
    segment->first_ms = (int64_t)le64toh((uint64_t)head.wall_ms);
    return true;
}

static fob_journal_code_t read_head(recovery_t *self, fob_segment_t *segment) {
    fob_store_t *store = self->store;
    uint8_t *data = malloc(FOB_SEGMENT_HEADER_BYTES);
    fob_disk_stat_t stat;
    size_t got = 0;
    if (data == NULL || store->disk->fstat(store->disk->arg, segment->fd, &stat) != 0 ||
        fob_disk_read(store->disk, segment->fd, data, FOB_SEGMENT_HEADER_BYTES, 0, &got) != 0) {
        free(data);
        return say_errno(self, segment->sequence, "read");
    }
    fob_segment_head_t head;
    fob_found_t found =
        got == FOB_SEGMENT_HEADER_BYTES ? fob_format_segment_decode(data, &head) : FOB_FOUND_BAD;
    free(data);
    if (found == FOB_FOUND_NEWER)
        return say(self, FOB_JOURNAL_NEWER, segment->sequence, 0,
                   "written by a newer version of fob; use that one");
    if (found != FOB_FOUND_WHOLE || head.sequence != segment->sequence)
        return say(self, FOB_JOURNAL_DAMAGED, segment->sequence, 0, "the head is damaged");
    /* It has its full size before it gets its name, and only grows: this is no torn write. */
    if (stat.size < head.bytes)
        return say(self, FOB_JOURNAL_DAMAGED, segment->sequence, stat.size, FOB_CUT_OFF);
    segment->seed = head.seed;
    if (head.epoch > self->epoch)
        self->epoch = head.epoch;
    fob_segments_grow(&store->segments, segment, stat.size);
    return FOB_JOURNAL_OK;
}

static void close_segment(fob_store_t *store, fob_segment_t *segment) {
    if (segment->fd >= 0)
        store->disk->close(store->disk->arg, segment->fd);
    segment->fd = -1;
}

/* For writing, where it is not open: there may be more of them than files may be open. */
static fob_journal_code_t open_segment(recovery_t *self, fob_segment_t *segment) {
    fob_store_t *store = self->store;
    if (segment->fd >= 0)
        return FOB_JOURNAL_OK;
    char name[FOB_SEGMENT_NAME_SIZE], path[FOB_PATH_SIZE];
    fob_segment_name(segment->sequence, name);
    fob_store_path(store, name, path);
    segment->fd = store->disk->open(store->disk->arg, path, O_RDWR, 0);
    return segment->fd >= 0 ? FOB_JOURNAL_OK : say_errno(self, segment->sequence, "open");
}

static fob_journal_code_t load_segment(recovery_t *self, uint64_t sequence) {
    fob_store_t *store = self->store;
    fob_segment_t *segment = fob_segment_new(sequence, 0, 0);
    if (segment == NULL || !fob_segments_add(&store->segments, segment)) {
        fob_segment_destroy(&segment);
        errno = ENOMEM;
        return say_errno(self, sequence, "open");
    }
    fob_journal_code_t code = open_segment(self, segment);
    if (code == FOB_JOURNAL_OK)
        code = read_head(self, segment);
    if (code == FOB_JOURNAL_OK && !peek(store, segment))
        code = say_errno(self, sequence, "read");
    close_segment(store, segment);
    return code;
}

/* The newest checkpoint that is whole, and the one before it. */
static fob_journal_code_t choose_checkpoint(recovery_t *self, const fob_folder_t *folder) {
    fob_recovered_t *out = self->out;
    for (size_t i = folder->checkpoint_count; i > 0; i--) {
        fob_journal_error_t error;
        fob_journal_code_t code =
            fob_checkpoint_read(self->store->disk, self->store->folder, folder->checkpoints[i - 1],
                                NULL, NULL, &out->upto, &error);
        if (code == FOB_JOURNAL_OK) {
            out->kept.newest = folder->checkpoints[i - 1];
            out->kept.older = i > 1 ? folder->checkpoints[i - 2] : 0;
            return code;
        }
        if (code != FOB_JOURNAL_DAMAGED) {
            if (self->error != NULL)
                *self->error = error;
            return code;
        }
        fob_store_log(self->store, "%s The one before it is used.", error.text);
        out->upto = 0;
    }
    return FOB_JOURNAL_OK;
}

static fob_journal_code_t load_folder(recovery_t *self) {
    fob_folder_t folder;
    fob_folder_sweep(self->store->disk, self->store->folder);
    /* What a run that was killed had renamed and not synced is there now and may be gone after the
     * next loss of power: nothing may be built on it before. */
    if (fob_store_sync_folder(self->store) != 0) {
        fob_error_set(self->error, FOB_JOURNAL_SYSTEM, "Cannot sync the folder %s: %s.",
                      self->store->folder, strerror(errno));
        return FOB_JOURNAL_SYSTEM;
    }
    fob_journal_code_t code =
        fob_folder_list(self->store->disk, self->store->folder, &folder, self->error);
    if (code != FOB_JOURNAL_OK)
        return code;
    code = fob_folder_check(self->store->folder, &folder, self->out->mark.lowest,
                            self->out->mark.highest, self->error);
    for (size_t i = 0; i < folder.segment_count && code == FOB_JOURNAL_OK; i++)
        code = load_segment(self, folder.segments[i]);
    if (code == FOB_JOURNAL_OK)
        code = choose_checkpoint(self, &folder);
    fob_folder_free(&folder);
    return code;
}

/* --- walking --- */

/* Whether a segment's first commit is whole, and the one that was peeked at. OK, or what kept it
 * from being read, which says nothing about it. */
static fob_journal_code_t check_first(recovery_t *self, fob_segment_t *segment, bool *whole) {
    fob_journal_code_t code = open_segment(self, segment);
    if (code != FOB_JOURNAL_OK)
        return code;
    fob_scan_t scan;
    fob_commit_t commit;
    uint64_t at;
    fob_scan_begin(&scan, self->store->disk, segment->fd, segment->sequence, segment->seed,
                   FOB_SEGMENT_HEADER_BYTES, segment->bytes);
    fob_found_t found = fob_scan_next(&scan, &commit, &at);
    errno = scan.error;
    if (found == FOB_FOUND_UNREAD)
        code = say_errno(self, segment->sequence, "read");
    fob_scan_end(&scan);
    *whole = found == FOB_FOUND_WHOLE && commit.position == segment->first_position;
    return code;
}

/* Segments before the one where walking begins: each one's end is known from the next one's
 * beginning. */
static fob_journal_code_t pass_over(recovery_t *self) {
    fob_segments_t *table = &self->store->segments;
    for (size_t i = 0; i < self->start; i++) {
        fob_segment_t *segment = table->all[i], *next = table->all[i + 1];
        if (segment->first_position == 0 || segment->first_position >= next->first_position ||
            segment->first_offset > next->first_offset)
            return say(self, FOB_JOURNAL_DAMAGED, segment->sequence, FOB_SEGMENT_HEADER_BYTES,
                       "the first commit is damaged");
        segment->last_position = next->first_position - 1;
        segment->next_offset = next->first_offset;
        segment->last_ms = next->first_ms;
        segment->end = segment->bytes;
        segment->walked = false;
        close_segment(self->store, segment);
    }
    return FOB_JOURNAL_OK;
}

/* The segment that holds the first commit behind the checkpoint, or one before it. */
static fob_journal_code_t find_start(recovery_t *self) {
    fob_segments_t *table = &self->store->segments;
    uint64_t need = self->out->kept.newest + 1, before = 0;
    for (size_t i = 0; i < table->count; i++) {
        uint64_t first = table->all[i]->first_position;
        if (first <= before || first > need)
            break;
        self->start = i;
        before = first;
    }
    bool whole;
    fob_journal_code_t code = check_first(self, table->all[self->start], &whole);
    while (code == FOB_JOURNAL_OK && !whole && self->start > 0)
        code = check_first(self, table->all[--self->start], &whole);
    if (code != FOB_JOURNAL_OK)
        return code;
    uint64_t first = table->all[self->start]->first_position;
    uint64_t sequence = table->all[self->start]->sequence;
    /* Without a single commit the journal is new: only then may it begin at 1 with nothing there.
     * What is trimmed lies below a checkpoint, and leaves a segment with commits. */
    if (sequence > 1 && (whole ? first > need : self->out->kept.newest == 0))
        return fob_folder_missing(self->store->folder, sequence - 1,
                                  "no good checkpoint holds what was in it", self->error);
    if (whole ? first > need : self->proof > 0)
        return say(self, FOB_JOURNAL_DAMAGED, sequence, FOB_SEGMENT_HEADER_BYTES,
                   "the first commit is damaged or missing");
    self->expected = whole ? first : 1;
    return pass_over(self);
}

static uint64_t offset_behind(const fob_commit_t *commit) {
    uint64_t next = commit->first_offset;
    fob_stored_t stored;
    size_t at = 0;
    while (fob_format_entry_next(commit, &at, &stored))
        if (stored.count > 0)
            next = stored.first_offset + stored.count;
    return next;
}

/* Walks one segment from its beginning to the first that is not the commit expected. */
static fob_journal_code_t walk_segment(recovery_t *self, size_t index) {
    fob_store_t *store = self->store;
    fob_segment_t *segment = store->segments.all[index];
    fob_scan_t scan;
    fob_commit_t commit;
    uint64_t at;
    fob_found_t found;
    bool back = false;
    fob_journal_code_t code = open_segment(self, segment);
    if (code != FOB_JOURNAL_OK)
        return code;
    fob_scan_begin(&scan, store->disk, segment->fd, segment->sequence, segment->seed,
                   FOB_SEGMENT_HEADER_BYTES, segment->bytes);
    segment->first_position = 0; /* what was peeked is replaced by what is checked */
    while ((found = fob_scan_next(&scan, &commit, &at)) == FOB_FOUND_WHOLE) {
        if (commit.position != self->expected)
            break;
        back = commit.first_offset < self->out->next_offset; /* offsets only grow */
        if (back)
            break;
        uint64_t next = offset_behind(&commit);
        fob_segment_note(segment, commit.position, commit.first_offset, next, commit.wall_ms, at,
                         commit.total);
        if (commit.durable > self->proof)
            self->proof = commit.durable;
        self->out->next_offset = next;
        if (commit.position > self->out->kept.newest)
            self->out->bytes_above += commit.total;
        self->expected++;
        self->last = index;
        self->end = scan.at;
    }
    errno = scan.error;
    if (back)
        code = say(self, FOB_JOURNAL_DAMAGED, segment->sequence, at,
                   "the events of a commit have offsets that were given before it");
    else if (found == FOB_FOUND_UNREAD)
        code = say_errno(self, segment->sequence, "read");
    else if (found == FOB_FOUND_NEWER)
        code = say(self, FOB_JOURNAL_NEWER, segment->sequence, scan.at,
                   "written by a newer version of fob; use that one");
    fob_scan_end(&scan);
    return code;
}

static fob_journal_code_t walk(recovery_t *self) {
    fob_segments_t *table = &self->store->segments;
    fob_journal_code_t code = FOB_JOURNAL_OK;
    self->last = self->start;
    self->end = FOB_SEGMENT_HEADER_BYTES;
    for (size_t i = self->start; i < table->count && code == FOB_JOURNAL_OK; i++) {
        uint64_t before = self->expected;
        code = walk_segment(self, i);
        if (self->expected == before)
            break;
        if (i > self->start)
            close_segment(self->store, table->all[i - 1]);
    }
    return code;
}

/* --- the end --- */

/* What lies behind the last commit in one segment. */
static fob_journal_code_t look_behind(recovery_t *self, size_t index, fob_rest_t *rest) {
    fob_store_t *store = self->store;
    fob_segment_t *segment = store->segments.all[index];
    fob_scan_t scan;
    uint64_t from = index == self->last ? self->end : FOB_SEGMENT_HEADER_BYTES;
    fob_journal_code_t code = open_segment(self, segment);
    if (code != FOB_JOURNAL_OK)
        return code;
    fob_scan_begin(&scan, store->disk, segment->fd, segment->sequence, segment->seed, from,
                   segment->bytes);
    fob_found_t found = fob_scan_rest(&scan, rest);
    errno = scan.error;
    fob_scan_end(&scan);
    return found == FOB_FOUND_UNREAD ? say_errno(self, segment->sequence, "read") : FOB_JOURNAL_OK;
}

static fob_journal_code_t cut(recovery_t *self, size_t index, const fob_rest_t *rest) {
    fob_store_t *store = self->store;
    fob_segment_t *segment = store->segments.all[index];
    uint64_t from = index == self->last ? self->end : FOB_SEGMENT_HEADER_BYTES;
    /* Zeros, so that nothing of it can be found behind a commit that will be written here. */
    if (fob_disk_zero(store->disk, segment->fd, from, rest->dirty_end - from) != 0 ||
        store->disk->fdatasync(store->disk->arg, segment->fd) != 0)
        return say_errno(self, segment->sequence, "cut the torn tail of");
    self->out->torn_bytes += rest->dirty_end - from;
    segment->first_position = index == self->last ? segment->first_position : 0;
    char name[FOB_SEGMENT_NAME_SIZE];
    fob_segment_name(segment->sequence, name);
    fob_store_log(store,
                  "A torn tail was cut: segment %s in %s, byte %" PRIu64 ", %" PRIu64
                  " bytes that had not been confirmed as durable.",
                  name, store->folder, from, rest->dirty_end - from);
    return FOB_JOURNAL_OK;
}

/* The commit that is missing was where the first bytes are that are no commit; or it is gone
 * without a trace. */
static fob_journal_code_t say_missing(recovery_t *self, const fob_rest_t *rests, size_t count) {
    size_t at = 0;
    while (at < count && rests[at].dirty_end <= (at == 0 ? self->end : FOB_SEGMENT_HEADER_BYTES))
        at++;
    if (at == count)
        at = 0;
    return say(self, FOB_JOURNAL_DAMAGED, self->store->segments.all[self->last + at]->sequence,
               at == 0 ? self->end : FOB_SEGMENT_HEADER_BYTES,
               "a commit that was durable is damaged or missing");
}

/* Behind the last commit there is nothing, a torn tail, or the proof of damage. */
static fob_journal_code_t settle_end(recovery_t *self) {
    fob_segments_t *table = &self->store->segments;
    fob_journal_code_t code = FOB_JOURNAL_OK;
    size_t count = table->count - self->last;
    assert(count > 0);
    fob_rest_t *rests = calloc(count, sizeof *rests);
    if (rests == NULL) {
        fob_error_set(self->error, FOB_JOURNAL_MEMORY, "No memory to open the journal.");
        return FOB_JOURNAL_MEMORY;
    }
    for (size_t i = 0; i < count && code == FOB_JOURNAL_OK; i++) {
        code = look_behind(self, self->last + i, &rests[i]);
        if (rests[i].durable > self->proof)
            self->proof = rests[i].durable;
    }
    if (code == FOB_JOURNAL_OK && self->proof >= self->expected)
        code = say_missing(self, rests, count);
    /* From the end on, so that a crash meanwhile leaves a tail that is cut again. */
    for (size_t i = count; i > 0 && code == FOB_JOURNAL_OK; i--) {
        uint64_t from = i == 1 ? self->end : FOB_SEGMENT_HEADER_BYTES;
        if (rests[i - 1].dirty_end > from && !FOB_PLANTED(TAIL_NOT_CUT))
            code = cut(self, self->last + i - 1, &rests[i - 1]);
        else if (FOB_PLANTED(TAIL_NOT_CUT) && i == 1)
            self->end = rests[0].dirty_end;
    }
    free(rests);
    return code;
}

/* Writes [from, end) of a segment as it is read, and syncs it: a sync that failed before the last
 * end may have left pages that look written and are not. */
static fob_journal_code_t rewrite(recovery_t *self, fob_segment_t *segment, uint64_t from) {
    const fob_disk_t *disk = self->store->disk;
    uint8_t *data = malloc(CHUNK);
    bool done = data != NULL;
    while (done && from < segment->end) {
        size_t size = segment->end - from < CHUNK ? (size_t)(segment->end - from) : CHUNK, got;
        done = fob_disk_read(disk, segment->fd, data, size, from, &got) == 0 && got == size &&
               fob_disk_write(disk, segment->fd, &(struct iovec){data, size}, 1, from) == 0;
        from += size;
    }
    free(data);
    if (done && disk->fdatasync(disk->arg, segment->fd) == 0)
        return FOB_JOURNAL_OK;
    return say_errno(self, segment->sequence, "rewrite the tail of");
}

/* Everything above what was proved durable. */
static fob_journal_code_t rewrite_tail(recovery_t *self) {
    fob_segments_t *table = &self->store->segments;
    fob_journal_code_t code = FOB_JOURNAL_OK;
    for (size_t i = self->start; i <= self->last && code == FOB_JOURNAL_OK; i++) {
        fob_segment_t *segment = table->all[i];
        if (segment->first_position == 0 || segment->last_position <= self->proof)
            continue;
        if ((code = open_segment(self, segment)) != FOB_JOURNAL_OK)
            break;
        uint64_t from = FOB_SEGMENT_HEADER_BYTES;
        fob_scan_t scan;
        fob_commit_t commit;
        fob_scan_begin(&scan, self->store->disk, segment->fd, segment->sequence, segment->seed,
                       from, segment->end);
        while (fob_scan_next(&scan, &commit, &from) == FOB_FOUND_WHOLE)
            if (commit.position > self->proof)
                break;
        fob_scan_end(&scan);
        code = rewrite(self, segment, from);
    }
    return code;
}

static fob_journal_code_t recover_commits(recovery_t *self) {
    fob_segments_t *table = &self->store->segments;
    fob_recovered_t *out = self->out;
    fob_journal_code_t code = find_start(self);
    if (code == FOB_JOURNAL_OK)
        code = walk(self);
    if (code == FOB_JOURNAL_OK)
        code = settle_end(self);
    if (code == FOB_JOURNAL_OK && !out->mark.clean && !FOB_PLANTED(TAIL_NOT_REWRITTEN))
        code = rewrite_tail(self);
    if (code != FOB_JOURNAL_OK)
        return code;
    for (size_t i = 0; i < self->last; i++)
        close_segment(self->store, table->all[i]);
    out->last_position = self->expected - 1;
    out->tail_sequence = table->all[self->last]->sequence;
    out->tail_at = self->end;
    return FOB_JOURNAL_OK;
}

fob_journal_code_t fob_recover(fob_store_t *store, fob_recovered_t *out,
                               fob_journal_error_t *error) {
    recovery_t self = {.store = store, .out = out, .error = error};
    *out = (fob_recovered_t){.next_offset = 1};
    bool torn;
    fob_journal_code_t code = fob_epoch_read(store->disk, store->folder, &out->mark, &torn, error);
    if (code != FOB_JOURNAL_OK && code != FOB_JOURNAL_ABSENT)
        return code;
    if (torn)
        fob_store_log(store,
                      "One of the two records of %s/" FOB_EPOCH_NAME
                      " is damaged; the other is used, and offsets get a new epoch.",
                      store->folder);
    bool known = code == FOB_JOURNAL_OK && !torn, absent = code == FOB_JOURNAL_ABSENT;
    code = load_folder(&self);
    if (code != FOB_JOURNAL_OK)
        return code;
    if (absent && store->segments.count > 0)
        fob_store_log(store,
                      "%s/" FOB_EPOCH_NAME " is missing beside segments: it cannot be told whether "
                      "the newest of them are all there; offsets get a new epoch.",
                      store->folder);
    /* An epoch is never given twice, also where the wall clock went back. */
    if (!known && self.epoch > out->mark.epoch)
        out->mark.epoch = self.epoch;
    self.proof = out->mark.position > out->upto ? out->mark.position : out->upto;
    if (store->segments.count > 0)
        return recover_commits(&self);
    if (self.proof == 0)
        return FOB_JOURNAL_OK;
    fob_error_set(error, FOB_JOURNAL_DAMAGED,
                  "The segments of the journal in %s are missing; commits up to %" PRIu64
                  " were durable.",
                  store->folder, self.proof);
    return FOB_JOURNAL_DAMAGED;
}
