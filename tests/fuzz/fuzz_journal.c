/* fuzz_journal: any folder as that of a journal, on a disk in memory: it is refused in words, or
 * recovered; then it takes a commit, and is found as it was left. See journal_pieces.h. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/journal_pieces.h"
#include "tests/fuzz/pieces.h"
#include "tests/simulation/fibers.h"
#include "tests/simulation/sim_disk.h"

#include "bus/journal/checkpoint.h"
#include "bus/journal/file.h"
#include "bus/journal/segment.h"

#include <fcntl.h>
#include <string.h>

#define FOLDER   "/j"
#define SEGMENT  16384u
#define FILE_MAX 200000u
#define TURNS    UINT64_C(200000)

typedef struct {
    sim_disk_t *sim;
    const fob_disk_t *disk;
    uint64_t ends[JOURNAL_FILES]; /* of each file */
} folder_t;

/* --- the folder --- */

static void path_of(unsigned which, char *out, size_t size) {
    char name[FOB_SEGMENT_NAME_SIZE] = "epoch";
    if (which < JOURNAL_SEGMENTS)
        fob_segment_name(1 + which, name);
    else if (which < JOURNAL_EPOCH_FILE)
        fob_checkpoint_name(1 + which - JOURNAL_SEGMENTS, name);
    snprintf(out, size, FOLDER "/%s", name);
}

static void write_at(folder_t *self, unsigned which, uint64_t at, const void *data, size_t size) {
    char path[64];
    struct iovec part = {(void *)(uintptr_t)data, size};
    if (size == 0 || at + size > FILE_MAX)
        return;
    path_of(which, path, sizeof path);
    int fd = self->disk->open(self->disk->arg, path, O_RDWR | O_CREAT, 0600);
    FUZZ_RULE(fd >= 0);
    FUZZ_RULE(self->disk->pwritev(self->disk->arg, fd, &part, 1, (off_t)at) == (ssize_t)size);
    FUZZ_RULE(self->disk->fsync(self->disk->arg, fd) == 0);
    self->disk->close(self->disk->arg, fd);
    if (at + size > self->ends[which])
        self->ends[which] = at + size;
}

static void append(folder_t *self, unsigned which, const void *data, size_t size) {
    write_at(self, which, self->ends[which], data, size);
}

static void add_segment(folder_t *self, unsigned which, fob_slice_t piece) {
    uint8_t head[FOB_SEGMENT_HEADER_BYTES];
    fob_segment_head_t values = {.seed = JOURNAL_SEED, .created_ms = 1000};
    values.sequence = piece_byte(&piece);
    values.epoch = piece_byte(&piece);
    values.bytes = (uint64_t)piece_byte(&piece) * 4096;
    fob_format_segment_encode(&values, head);
    append(self, which, head, sizeof head);
    if (values.bytes > self->ends[which] && values.bytes <= FILE_MAX) {
        uint64_t end = self->ends[which];
        write_at(self, which, values.bytes - 1, "", 1);
        self->ends[which] = end;
    }
}

static void add_commit(folder_t *self, unsigned which, fob_slice_t piece) {
    fob_disk_commit_t head;
    if (piece.size < sizeof head)
        return;
    memcpy(&head, piece.data, sizeof head);
    struct iovec payload = {(void *)(uintptr_t)(piece.data + sizeof head),
                            piece.size - sizeof head};
    fob_format_commit_seal(&head, JOURNAL_SEED, &payload, 1);
    append(self, which, &head, sizeof head);
    append(self, which, payload.iov_base, payload.iov_len);
}

static void add_checkpoint(folder_t *self, unsigned which, fob_slice_t piece) {
    fob_disk_checkpoint_t head;
    fob_checkpoint_head_t values = {
        .position = piece_byte(&piece), .seed = JOURNAL_SEED, .created_ms = 1000};
    fob_format_checkpoint_encode(&values, &head);
    append(self, which, &head, sizeof head);
}

static void add_slice(folder_t *self, unsigned which, fob_slice_t piece, bool end) {
    static const uint8_t zeros[8];
    fob_disk_slice_t head;
    uint64_t index = piece_byte(&piece), upto = end ? piece_byte(&piece) : 0;
    uint8_t *padded = calloc(1, piece.size + 8);
    FUZZ_RULE(padded);
    if (piece.size)
        memcpy(padded, piece.data, piece.size);
    fob_format_slice_seal(&head, JOURNAL_SEED, index, upto, end ? NULL : padded,
                          end ? 0 : piece.size);
    append(self, which, &head, sizeof head);
    if (!end) {
        append(self, which, padded, piece.size);
        append(self, which, zeros, fob_pad8(piece.size) - piece.size);
    }
    free(padded);
}

static void add_epoch(folder_t *self, fob_slice_t piece) {
    fob_disk_epoch_t bytes;
    fob_epoch_mark_t mark = {.epoch = 0};
    uint64_t slot = piece_byte(&piece) & 1;
    mark.epoch = piece_byte(&piece);
    mark.position = piece_byte(&piece);
    mark.turn = piece_byte(&piece);
    mark.highest = piece_byte(&piece);
    mark.lowest = piece_byte(&piece);
    uint8_t flags = piece_byte(&piece);
    mark.clean = flags & 1;
    mark.level_disk = flags & 2;
    fob_format_epoch_encode(&mark, 1000, &bytes);
    write_at(self, JOURNAL_EPOCH_FILE, slot * FOB_EPOCH_SLOT, &bytes, sizeof bytes);
}

static void add(folder_t *self, fob_slice_t piece) {
    static const uint8_t zeros[255 * 64];
    unsigned kind = piece_byte(&piece) % JOURNAL_KINDS, which = piece_byte(&piece) % JOURNAL_FILES;
    if (kind == JOURNAL_RAW)
        append(self, which, piece.data, piece.size);
    else if (kind == JOURNAL_ZEROS)
        append(self, which, zeros, piece_byte(&piece) * (size_t)64);
    else if (kind == JOURNAL_SEGMENT)
        add_segment(self, which, piece);
    else if (kind == JOURNAL_COMMIT)
        add_commit(self, which, piece);
    else if (kind == JOURNAL_CHECKPOINT)
        add_checkpoint(self, which, piece);
    else if (kind == JOURNAL_EPOCH)
        add_epoch(self, piece);
    else
        add_slice(self, which, piece, kind == JOURNAL_END);
}

static void sync_folder(folder_t *self) {
    int fd = self->disk->open(self->disk->arg, FOLDER, O_RDONLY | O_DIRECTORY, 0);
    FUZZ_RULE(fd >= 0 && self->disk->fsync(self->disk->arg, fd) == 0);
    self->disk->close(self->disk->arg, fd);
}

/* --- a life --- */

typedef struct {
    folder_t *folder;
    fibers_t *fibers;
    bool append;
    bool opened, replayed;
    uint64_t last, records, next_offset, epoch; /* of what was shown; the positions follow on */
} life_t;

static bool on_slice(void *arg, const uint8_t *data, size_t size) {
    (void)arg, (void)data, (void)size;
    return true;
}

static bool on_record(void *arg, const fob_stored_t *record) {
    life_t *self = arg;
    FUZZ_RULE(self->records == 0 || record->position == self->last ||
              record->position == self->last + 1);
    FUZZ_RULE(record->count == 0 || record->first_offset >= self->next_offset);
    if (record->count)
        self->next_offset = record->first_offset + record->count;
    self->last = record->position;
    self->records++;
    uint8_t sum = 0; /* all of it is there */
    for (size_t i = 0; i < record->size; i++)
        sum = (uint8_t)(sum + record->data[i]);
    (void)sum;
    return true;
}

static void one_commit(life_t *self, fob_journal_t *journal) {
    fob_journal_stats_t stats;
    journal->ops->stats(journal, &stats);
    if (stats.last_offset > (UINT64_C(1) << 62) || !journal->ops->reserve(journal, 5))
        return;
    fob_entry_t entry = {stats.last_offset + 1, 1, 1, {{(void *)(uintptr_t) "event", 5}}};
    uint64_t position = journal->ops->append(journal, &entry, 1, true);
    FUZZ_RULE(position == stats.last_position + 1);
    while (journal->ops->durable(journal) < position) {
        FUZZ_RULE(journal->ops->health(journal, &(fob_journal_error_t){0}) == FOB_JOURNAL_OK);
        FUZZ_RULE(fibers_wait_bell(self->fibers, journal->ops->fd(journal), -1));
        journal->ops->clear(journal);
    }
    self->last = position;
    self->append = false;
}

static void *live(void *arg) {
    life_t *self = arg;
    fob_journal_error_t error = {.text = ""};
    const fob_file_options_t options = {.folder = FOLDER,
                                        .segment_bytes = SEGMENT,
                                        .max_bytes = 64 * SEGMENT,
                                        .disk = self->folder->disk,
                                        .runtime = fibers_runtime(self->fibers)};
    fob_journal_t *journal = fob_journal_file_open(&options, &error);
    self->opened = journal;
    FUZZ_RULE(journal || (error.text[0] && error.code != FOB_JOURNAL_OK));
    if (!journal)
        return NULL;
    fob_replay_t to = {on_slice, on_record, self};
    fob_journal_code_t code = journal->ops->replay(journal, &to, &error);
    self->replayed = code == FOB_JOURNAL_OK;
    FUZZ_RULE(self->replayed || (code == FOB_JOURNAL_DAMAGED && error.text[0]));
    self->epoch = journal->ops->epoch(journal);
    if (self->replayed && self->append)
        one_commit(self, journal);
    journal->ops->close(&journal);
    return NULL;
}

static void live_once(life_t *self) {
    self->fibers = fibers_new(1);
    FUZZ_RULE(self->fibers);
    fibers_end_t end = fibers_run(self->fibers, live, self, TURNS);
    if (end != FIBERS_ENDED)
        fibers_print(self->fibers);
    FUZZ_RULE(end == FIBERS_ENDED);
    fibers_destroy(&self->fibers);
    FUZZ_RULE(sim_disk_open_files(self->folder->sim) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fob_slice_t rest = fob_slice(data, size), piece;
    folder_t folder = {.sim = sim_disk_new(1, UINT64_C(8) << 20)};
    folder.disk = sim_disk_table(folder.sim);
    FUZZ_RULE(folder.disk->mkdir(folder.disk->arg, FOLDER, 0700) == 0);
    while (piece_next(&rest, &piece))
        add(&folder, piece);
    sync_folder(&folder);
    life_t first = {.folder = &folder, .append = true}, second = {.folder = &folder};
    live_once(&first);
    if (first.replayed) {
        live_once(&second);
        FUZZ_RULE(second.opened && second.replayed);
        FUZZ_RULE(first.append || second.last == first.last);
    }
    sim_disk_destroy(&folder.sim);
    return 0;
}
