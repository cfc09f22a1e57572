#include "bus/journal/reader.h"

#include "bus/journal/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_UNDER_WAY 64
/* Read in one go at least; the commits before the one looked for are in it too. */
#define LEAST_CHUNK (256u * 1024u)

typedef struct {
    uint64_t offset, tag;
    size_t max_bytes;
} ask_t;

struct fob_reader {
    fob_store_t *store;
    fob_thread_t thread;
    ask_t asks[MOST_UNDER_WAY];
    fob_page_t pages[MOST_UNDER_WAY];
    size_t ask_first, ask_count, page_first, page_count;
    bool busy; /* one was taken off `asks` and is not yet in `pages` */
    bool stopping;
    /* The thread's own: the segment read last. */
    int fd;
    uint64_t sequence;
};

/* Where to read: a part of a segment, as it was when asked for. */
typedef struct {
    uint64_t sequence, seed;
    uint64_t at, end;       /* bytes */
    uint64_t last_position; /* commits up to this one must be there */
    uint64_t first_offset;  /* events in it lie from here up */
    uint64_t next_offset;   /* to below this */
} place_t;

/* Finds the segment that holds `offset` or the next events above. False: nothing durable there. */
static bool find_place(fob_store_t *store, uint64_t offset, uint64_t after_sequence, place_t *out) {
    bool found = false;
    size_t i = 0;
    fob_lock_take(&store->lock);
    const fob_segments_t *table = &store->segments;
    if (after_sequence != 0) {
        while (i < table->count && table->all[i]->sequence <= after_sequence)
            i++;
        found = i < table->count && table->all[i]->first_position != 0;
    } else {
        found =
            offset < atomic_load(&store->next_offset) && fob_segments_of_offset(table, offset, &i);
    }
    if (found) {
        const fob_segment_t *segment = table->all[i];
        *out = (place_t){.sequence = segment->sequence,
                         .seed = segment->seed,
                         .at = fob_index_find(&segment->index, offset, FOB_SEGMENT_HEADER_BYTES),
                         .end = segment->walked ? segment->end : segment->bytes,
                         .last_position = segment->last_position,
                         .first_offset = segment->first_offset,
                         .next_offset = segment->next_offset};
    }
    fob_lock_drop(&store->lock);
    return found;
}

static bool open_segment(fob_reader_t *self, uint64_t sequence) {
    if (self->fd >= 0 && self->sequence == sequence)
        return true;
    const fob_disk_t *disk = self->store->disk;
    if (self->fd >= 0)
        disk->close(disk->arg, self->fd);
    char name[FOB_SEGMENT_NAME_SIZE], path[FOB_PATH_SIZE];
    fob_segment_name(sequence, name);
    fob_store_path(self->store, name, path);
    self->fd = disk->open(disk->arg, path, O_RDONLY, 0);
    self->sequence = sequence;
    return self->fd >= 0;
}

static void refuse(fob_page_t *page, fob_journal_code_t code, const char *text) {
    free(page->memory);
    page->memory = NULL;
    page->memory_size = 0;
    page->entries = NULL;
    page->entry_count = 0;
    page->code = code;
    snprintf(page->text, sizeof page->text, "%s", text);
}

static void refuse_damaged(const fob_reader_t *self, fob_page_t *page, uint64_t sequence,
                           uint64_t at, uint64_t resume) {
    char name[FOB_SEGMENT_NAME_SIZE], text[sizeof page->text];
    fob_segment_name(sequence, name);
    /* Of the place, not of the event asked for: whoever tells it once a place goes by the text. The
     * folder comes last, for its name may be too long. */
    snprintf(text, sizeof text,
             "Segment %s is damaged at byte %" PRIu64
             ": the events from there up to offset %" PRIu64 " cannot be read any more (in %s).",
             name, at, resume - 1, self->store->folder);
    refuse(page, FOB_JOURNAL_DAMAGED, text);
    page->resume = resume;
}

static void refuse_missing(const fob_reader_t *self, fob_page_t *page, const place_t *place) {
    char name[FOB_SEGMENT_NAME_SIZE], text[sizeof page->text];
    fob_segment_name(place->sequence, name);
    snprintf(text, sizeof text,
             "Segment %s is missing: its events, offsets %" PRIu64 " to %" PRIu64
             ", cannot be read any more (in %s).",
             name, place->first_offset, place->next_offset - 1, self->store->folder);
    refuse(page, FOB_JOURNAL_DAMAGED, text);
    page->resume = place->next_offset;
}

static void refuse_unread(const fob_reader_t *self, fob_page_t *page, uint64_t sequence,
                          int error) {
    char name[FOB_SEGMENT_NAME_SIZE], text[sizeof page->text];
    fob_segment_name(sequence, name);
    snprintf(text, sizeof text, "Cannot read segment %s: %s (in %s).", name, strerror(error),
             self->store->folder);
    refuse(page, error == ENOMEM ? FOB_JOURNAL_MEMORY : FOB_JOURNAL_SYSTEM, text);
}

/* Puts the entries' table behind the bytes, in one piece of memory: `entries` point to where data
 * was read. */
static bool finish_page(fob_page_t *page, uint8_t *bytes, size_t used, fob_stored_t *entries,
                        size_t count) {
    size_t table = (used + _Alignof(fob_stored_t) - 1) & ~(_Alignof(fob_stored_t) - 1);
    uintptr_t before = (uintptr_t)bytes;
    uint8_t *memory = realloc(bytes, table + count * sizeof *entries);
    if (memory == NULL) {
        free(bytes);
        refuse(page, FOB_JOURNAL_MEMORY, "No memory to read the journal.");
        return false;
    }
    for (size_t i = 0; i < count; i++)
        entries[i].data = memory + ((uintptr_t)entries[i].data - before);
    memcpy(memory + table, entries, count * sizeof *entries);
    page->memory = memory;
    page->memory_size = table + count * sizeof *entries;
    page->entries = (fob_stored_t *)(void *)(memory + table);
    page->entry_count = count;
    page->code = FOB_JOURNAL_OK;
    return true;
}

/* What was gathered of a chunk. */
typedef struct {
    fob_stored_t *entries;
    size_t count, capacity;
    size_t bytes;      /* of the records */
    size_t used;       /* of the chunk: walked commits */
    size_t need;       /* the commit at `used` has this many bytes; 0: unknown or none */
    uint64_t position; /* of the last commit walked; 0: none */
} gather_t;

static bool gather_commit(gather_t *self, const fob_commit_t *commit, uint64_t offset) {
    fob_stored_t stored;
    size_t at = 0;
    while (fob_format_entry_next(commit, &at, &stored)) {
        if (stored.count == 0 || stored.first_offset + stored.count <= offset)
            continue;
        if (self->count == self->capacity) {
            size_t capacity = self->capacity == 0 ? 64 : self->capacity * 2;
            fob_stored_t *entries = realloc(self->entries, capacity * sizeof *entries);
            if (entries == NULL)
                return false;
            self->entries = entries;
            self->capacity = capacity;
        }
        self->entries[self->count++] = stored;
        self->bytes += stored.size;
    }
    return true;
}

/* Walks a chunk. WHOLE: enough or its end is reached (need tells); BAD; UNREAD: no memory. */
static fob_found_t gather(gather_t *self, const uint8_t *bytes, size_t size, const place_t *place,
                          uint64_t offset, size_t max_bytes) {
    fob_commit_t commit;
    while (self->used < size && (self->count == 0 || self->bytes < max_bytes) &&
           (self->position == 0 || self->position < place->last_position)) {
        fob_found_t found = fob_format_commit_check(bytes + self->used, size - self->used,
                                                    place->sequence, place->seed, &commit);
        if (found == FOB_FOUND_PART) {
            self->need = commit.total;
            return FOB_FOUND_WHOLE;
        }
        if (found != FOB_FOUND_WHOLE ||
            (self->position != 0 && commit.position != self->position + 1))
            return FOB_FOUND_BAD;
        if (!gather_commit(self, &commit, offset))
            return FOB_FOUND_UNREAD;
        self->position = commit.position;
        self->used += commit.total;
    }
    return FOB_FOUND_WHOLE;
}

/* Old segments were not walked at the start: what a reader walks is noted for the next one. */
static void note_walk(fob_store_t *store, const place_t *place, uint64_t at, uint64_t offset) {
    fob_lock_take(&store->lock);
    fob_segment_t *segment = fob_segments_find(&store->segments, place->sequence);
    if (segment != NULL && !segment->walked)
        fob_index_add(&segment->index, offset, at);
    fob_lock_drop(&store->lock);
}

typedef enum {
    CHUNK_DONE, /* the page is filled or refused */
    CHUNK_ON,   /* nothing for it yet */
    CHUNK_BAD   /* no commit where one must be */
} chunk_t;

/* What a chunk gave. Takes `bytes`. */
static chunk_t use_chunk(fob_reader_t *self, const place_t *place, const gather_t *gathered,
                         fob_found_t found, uint8_t *bytes, size_t size, fob_page_t *page) {
    if (gathered->count > 0 && found != FOB_FOUND_UNREAD) {
        /* What is whole is served, damage behind it is told when it is asked for. */
        const fob_stored_t *last = &gathered->entries[gathered->count - 1];
        uint64_t next = last->first_offset + last->count;
        bool kept = finish_page(page, bytes, gathered->used, gathered->entries, gathered->count);
        /* Behind the last commit there is none to go on from. */
        if (kept && gathered->position < place->last_position)
            note_walk(self->store, place, place->at + gathered->used, next);
        return CHUNK_DONE;
    }
    free(bytes);
    if (found == FOB_FOUND_UNREAD) {
        refuse(page, FOB_JOURNAL_MEMORY, "No memory to read the journal.");
        return CHUNK_DONE;
    }
    bool stuck = gathered->used == 0 && gathered->need <= size;
    bool beyond = place->at + gathered->used + gathered->need > place->end;
    return found == FOB_FOUND_BAD || stuck || beyond ? CHUNK_BAD : CHUNK_ON;
}

/* Goes on behind damage, if the offset asked for may be there. False: the page is refused. */
static bool pass_damage(fob_reader_t *self, const ask_t *ask, place_t *place, fob_page_t *page) {
    fob_scan_t scan;
    fob_commit_t commit = {0};
    fob_scan_begin(&scan, self->store->disk, self->fd, place->sequence, place->seed, place->at,
                   place->end);
    fob_found_t found = fob_scan_skip(&scan, &commit);
    uint64_t at = scan.at, damaged = place->at;
    int error = scan.error;
    fob_scan_end(&scan);
    if (found == FOB_FOUND_UNREAD) {
        refuse_unread(self, page, place->sequence, error);
        return false;
    }
    bool whole = found == FOB_FOUND_WHOLE && commit.position <= place->last_position;
    if (!whole || commit.first_offset > ask->offset) {
        refuse_damaged(self, page, place->sequence, damaged,
                       whole ? commit.first_offset : place->next_offset);
        return false;
    }
    place->at = at; /* what is asked for lies behind the damage, or is no event */
    return true;
}

/* Reads on in one segment. True: the page is filled or refused; false: nothing for it there, on to
 * the next. */
static bool read_segment(fob_reader_t *self, const ask_t *ask, place_t *place, fob_page_t *page) {
    size_t want = ask->max_bytes > LEAST_CHUNK ? ask->max_bytes : LEAST_CHUNK;
    gather_t gathered = {0};
    chunk_t chunk = CHUNK_ON;
    while (chunk != CHUNK_DONE && place->at < place->end &&
           gathered.position < place->last_position) {
        size_t size = place->end - place->at < want ? (size_t)(place->end - place->at) : want, got;
        uint8_t *bytes = malloc(size);
        if (bytes == NULL ||
            fob_disk_read(self->store->disk, self->fd, bytes, size, place->at, &got) != 0) {
            refuse_unread(self, page, place->sequence, bytes == NULL ? ENOMEM : errno);
            free(bytes);
            chunk = CHUNK_DONE;
            break;
        }
        gathered.used = gathered.need = 0;
        fob_found_t found = gather(&gathered, bytes, got, place, ask->offset, ask->max_bytes);
        chunk = use_chunk(self, place, &gathered, found, bytes, size, page);
        place->at += gathered.used;
        if (gathered.need > want)
            want = gathered.need;
        if (chunk == CHUNK_BAD) {
            gathered.position = 0; /* how many are missing is not known */
            if (!pass_damage(self, ask, place, page))
                chunk = CHUNK_DONE;
        }
    }
    free(gathered.entries);
    return chunk == CHUNK_DONE;
}

/* Trimmed: says from where on there is something. */
static void refuse_absent(const fob_reader_t *self, const ask_t *ask, fob_page_t *page) {
    fob_store_t *store = self->store;
    refuse(page, FOB_JOURNAL_ABSENT, "That offset is trimmed, or was never written.");
    fob_lock_take(&store->lock);
    if (store->segments.count > 0 && store->segments.all[0]->first_position != 0 &&
        store->segments.all[0]->first_offset > ask->offset &&
        store->segments.all[0]->first_offset < atomic_load(&store->next_offset))
        page->resume = store->segments.all[0]->first_offset;
    fob_lock_drop(&store->lock);
}

static bool is_kept(fob_store_t *store, uint64_t sequence) {
    fob_lock_take(&store->lock);
    bool kept = fob_segments_find(&store->segments, sequence) != NULL;
    fob_lock_drop(&store->lock);
    return kept;
}

static void serve(fob_reader_t *self, const ask_t *ask, fob_page_t *page) {
    place_t place;
    uint64_t after = 0;
    *page = (fob_page_t){.tag = ask->tag, .code = FOB_JOURNAL_OK};
    while (find_place(self->store, ask->offset, after, &place)) {
        if (!open_segment(self, place.sequence)) {
            int error = errno;
            if (error == ENOENT && !is_kept(self->store, place.sequence))
                break; /* trimmed meanwhile */
            if (error == ENOENT && place.first_offset == place.next_offset) {
                after = place.sequence; /* no event was in it */
                continue;
            }
            if (error == ENOENT)
                refuse_missing(self, page, &place);
            else
                refuse_unread(self, page, place.sequence, error);
            return;
        }
        if (read_segment(self, ask, &place, page))
            return;
        after = place.sequence;
    }
    refuse_absent(self, ask, page);
}

static void *run(void *arg) {
    fob_reader_t *self = arg;
    fob_lock_take(&self->thread.lock);
    while (!self->stopping) {
        if (self->ask_count == 0) {
            fob_cond_wait(&self->thread.work, &self->thread.lock, -1);
            continue;
        }
        ask_t ask = self->asks[self->ask_first];
        self->ask_first = (self->ask_first + 1) % MOST_UNDER_WAY;
        self->ask_count--;
        self->busy = true;
        fob_lock_drop(&self->thread.lock);
        fob_page_t page;
        serve(self, &ask, &page);
        fob_lock_take(&self->thread.lock);
        self->busy = false;
        self->pages[(self->page_first + self->page_count++) % MOST_UNDER_WAY] = page;
        fob_bell_ring(&self->store->bell);
    }
    fob_lock_drop(&self->thread.lock);
    return NULL;
}

fob_reader_t *fob_reader_new(fob_store_t *store, fob_journal_error_t *error) {
    fob_reader_t *self = calloc(1, sizeof *self);
    if (self == NULL) {
        fob_error_set(error, FOB_JOURNAL_MEMORY, "No memory to open the journal.");
        return NULL;
    }
    self->store = store;
    self->fd = -1;
    if (!fob_thread_start(&self->thread, store->runtime, run, self, error)) {
        free(self);
        return NULL;
    }
    return self;
}

void fob_reader_destroy(fob_reader_t **self_p) {
    if (self_p == NULL || *self_p == NULL)
        return;
    fob_reader_t *self = *self_p;
    fob_lock_take(&self->thread.lock);
    self->stopping = true;
    fob_cond_signal(&self->thread.work);
    fob_lock_drop(&self->thread.lock);
    fob_thread_join(&self->thread);
    for (size_t i = 0; i < self->page_count; i++)
        free(self->pages[(self->page_first + i) % MOST_UNDER_WAY].memory);
    if (self->fd >= 0)
        self->store->disk->close(self->store->disk->arg, self->fd);
    free(self);
    *self_p = NULL;
}

fob_journal_code_t fob_reader_ask(fob_reader_t *self, uint64_t offset, size_t max_bytes,
                                  uint64_t tag) {
    fob_journal_code_t code = FOB_JOURNAL_AGAIN;
    fob_lock_take(&self->thread.lock);
    if (self->ask_count + self->page_count + self->busy < MOST_UNDER_WAY) {
        size_t i = (self->ask_first + self->ask_count++) % MOST_UNDER_WAY;
        self->asks[i] = (ask_t){.offset = offset, .tag = tag, .max_bytes = max_bytes};
        fob_cond_signal(&self->thread.work);
        code = FOB_JOURNAL_OK;
    }
    fob_lock_drop(&self->thread.lock);
    return code;
}

fob_journal_code_t fob_reader_page(fob_reader_t *self, fob_page_t *out) {
    fob_journal_code_t code = FOB_JOURNAL_AGAIN;
    fob_lock_take(&self->thread.lock);
    if (self->page_count > 0) {
        *out = self->pages[self->page_first];
        self->page_first = (self->page_first + 1) % MOST_UNDER_WAY;
        self->page_count--;
        code = FOB_JOURNAL_OK;
    }
    fob_lock_drop(&self->thread.lock);
    return code;
}
