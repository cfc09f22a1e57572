/* The journal in memory: blocks of event records, oldest first. Durable is what was appended. */
#include "bus/journal/bell.h"
#include "bus/journal/journal.h"
#include "bus/journal/store.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES    (UINT64_C(1) << 20)
#define MOST_PAGES     64
#define DEFAULT_RETAIN (UINT64_C(4) << 30)
#define DEFAULT_MS     (24 * 3600 * INT64_C(1000))
#define EVERY          (UINT64_C(64) << 20)

/* Before each record; then its bytes, padded to 8. */
typedef struct {
    uint64_t position, first_offset, size;
    uint32_t count, reserved;
} record_t;

typedef struct block {
    struct block *next;
    uint64_t first_offset, next_offset; /* events in it */
    int64_t last_ms;
    size_t used, capacity;
    _Alignas(8) uint8_t data[];
} block_t;

typedef struct {
    struct fob_journal base;
    fob_bell_t bell;
    uint64_t max_bytes, retain_bytes;
    int64_t retain_ms;
    block_t *oldest, *newest;
    uint64_t bytes, blocks;
    uint64_t position, next_offset, epoch;
    uint64_t checkpoint, checkpoint_begun, appended;
    uint64_t pinned_below, pinned_bytes;
    bool begun, failed;
    fob_page_t pages[MOST_PAGES];
    size_t page_first, page_count;
} memory_t;

static memory_t *memory_of(fob_journal_t *journal) {
    return (memory_t *)(void *)journal;
}

static size_t record_size(size_t size) {
    return sizeof(record_t) + ((size + 7) & ~(size_t)7);
}

static size_t entry_bytes(const fob_entry_t *entry) {
    size_t size = 0;
    for (uint32_t p = 0; p < entry->part_count; p++)
        size += entry->parts[p].iov_len;
    return size;
}

static fob_journal_code_t memory_replay(fob_journal_t *journal, const fob_replay_t *to,
                                        fob_journal_error_t *error) {
    (void)journal, (void)to, (void)error;
    return FOB_JOURNAL_OK; /* it begins empty */
}

static bool memory_reserve(fob_journal_t *journal, size_t bytes) {
    memory_t *self = memory_of(journal);
    uint64_t spare =
        self->max_bytes / 16; /* records that are not events take room too, for a while */
    return !self->failed && self->bytes + record_size(bytes) + spare <= self->max_bytes;
}

/* Room for a record in the newest block, or in a new one. NULL: no memory. */
static block_t *block_for(memory_t *self, size_t size) {
    block_t *block = self->newest;
    if (block != NULL && block->capacity - block->used >= size)
        return block;
    uint64_t usual = self->max_bytes / 16 < BLOCK_BYTES ? self->max_bytes / 16 : BLOCK_BYTES;
    size_t capacity = size > usual ? size : (size_t)usual;
    block = calloc(1, sizeof *block + capacity);
    if (block == NULL)
        return NULL;
    block->capacity = capacity;
    if (self->newest != NULL)
        self->newest->next = block;
    else
        self->oldest = block;
    self->newest = block;
    self->blocks++;
    return block;
}

static bool keep(memory_t *self, const fob_entry_t *entry) {
    size_t size = entry_bytes(entry), total = record_size(size);
    block_t *block = block_for(self, total);
    if (block == NULL)
        return false;
    record_t head = {.position = self->position,
                     .first_offset = entry->first_offset,
                     .size = size,
                     .count = entry->count};
    uint8_t *to = block->data + block->used;
    memcpy(to, &head, sizeof head);
    to += sizeof head;
    for (uint32_t p = 0; p < entry->part_count; p++) {
        if (entry->parts[p].iov_len > 0)
            memcpy(to, entry->parts[p].iov_base, entry->parts[p].iov_len);
        to += entry->parts[p].iov_len;
    }
    if (block->used == 0)
        block->first_offset = entry->first_offset;
    block->next_offset = self->next_offset = entry->first_offset + entry->count;
    block->used += total;
    block->last_ms = fob_wall_ms(self->bell.runtime);
    self->bytes += total;
    self->appended += total;
    return true;
}

static uint64_t memory_append(fob_journal_t *journal, const fob_entry_t *entries, size_t count,
                              bool sync) {
    memory_t *self = memory_of(journal);
    (void)sync;
    if (self->failed)
        return self->position + 1; /* never durable */
    self->position++;
    for (size_t i = 0; i < count && !self->failed; i++) {
        if (entries[i].count == 0)
            continue; /* nobody can read it back */
        assert(entries[i].first_offset >= self->next_offset);
        self->failed = !keep(self, &entries[i]);
    }
    uint64_t position = self->position;
    if (self->failed)
        self->position--;
    fob_bell_ring(&self->bell);
    return position;
}

static uint64_t memory_durable(fob_journal_t *journal) {
    return memory_of(journal)->position;
}

static fob_journal_code_t memory_health(fob_journal_t *journal, fob_journal_error_t *error) {
    if (!memory_of(journal)->failed)
        return FOB_JOURNAL_OK;
    if (error != NULL) {
        error->code = FOB_JOURNAL_FAILED;
        snprintf(error->text, sizeof error->text, "No memory for the journal; it is stopped.");
    }
    return FOB_JOURNAL_FAILED;
}

static int memory_fd(fob_journal_t *journal) {
    return memory_of(journal)->bell.fd;
}

static void memory_clear(fob_journal_t *journal) {
    fob_bell_clear(&memory_of(journal)->bell);
}

/* --- reading --- */

typedef struct {
    const block_t *block;
    size_t at;
} cursor_t;

/* The record at the cursor, moving behind it. False: no more. */
static bool next_record(cursor_t *cursor, record_t *head, const uint8_t **data) {
    while (cursor->block != NULL && cursor->at >= cursor->block->used)
        *cursor = (cursor_t){cursor->block->next, 0};
    if (cursor->block == NULL)
        return false;
    memcpy(head, cursor->block->data + cursor->at, sizeof *head);
    *data = cursor->block->data + cursor->at + sizeof *head;
    cursor->at += record_size((size_t)head->size);
    return true;
}

/* Puts the cursor at the record with `offset` or the next one above. */
static bool seek(const memory_t *self, uint64_t offset, cursor_t *out) {
    const block_t *block = self->oldest;
    if (block == NULL || offset < block->first_offset || offset >= self->next_offset)
        return false;
    while (block->next != NULL && block->next_offset <= offset)
        block = block->next;
    cursor_t cursor = {block, 0};
    record_t head;
    const uint8_t *data;
    do {
        *out = cursor;
        if (!next_record(&cursor, &head, &data))
            return false;
    } while (head.first_offset + head.count <= offset);
    return true;
}

static void fill_page(cursor_t cursor, size_t max_bytes, fob_page_t *page) {
    cursor_t from = cursor;
    record_t head;
    const uint8_t *data;
    size_t count = 0, bytes = 0;
    while ((count == 0 || bytes < max_bytes) && next_record(&cursor, &head, &data)) {
        count++;
        bytes += record_size((size_t)head.size);
    }
    assert(count > 0); /* the cursor is at a record */
    page->memory_size = count * sizeof(fob_stored_t) + bytes;
    page->memory = malloc(page->memory_size);
    if (page->memory == NULL) {
        page->code = FOB_JOURNAL_MEMORY;
        page->memory_size = 0;
        snprintf(page->text, sizeof page->text, "No memory to read the journal.");
        return;
    }
    page->entries = page->memory;
    page->entry_count = count;
    uint8_t *to = (uint8_t *)page->memory + count * sizeof(fob_stored_t);
    for (size_t i = 0; i < count && next_record(&from, &head, &data); i++) {
        memcpy(to, data, (size_t)head.size);
        page->entries[i] = (fob_stored_t){.position = head.position,
                                          .first_offset = head.first_offset,
                                          .count = head.count,
                                          .data = to,
                                          .size = (size_t)head.size};
        to += record_size((size_t)head.size) - sizeof head;
    }
}

static fob_journal_code_t memory_read(fob_journal_t *journal, uint64_t offset, size_t max_bytes,
                                      uint64_t tag) {
    memory_t *self = memory_of(journal);
    if (self->page_count == MOST_PAGES)
        return FOB_JOURNAL_AGAIN;
    fob_page_t *page = &self->pages[(self->page_first + self->page_count++) % MOST_PAGES];
    cursor_t cursor;
    *page = (fob_page_t){.tag = tag, .code = FOB_JOURNAL_OK};
    if (seek(self, offset, &cursor)) {
        fill_page(cursor, max_bytes, page);
    } else {
        page->code = FOB_JOURNAL_ABSENT;
        if (self->oldest != NULL && self->oldest->first_offset > offset)
            page->resume = self->oldest->first_offset;
        snprintf(page->text, sizeof page->text, "That offset is trimmed, or was never written.");
    }
    fob_bell_ring(&self->bell);
    return FOB_JOURNAL_OK;
}

static fob_journal_code_t memory_page(fob_journal_t *journal, fob_page_t *out) {
    memory_t *self = memory_of(journal);
    if (self->page_count == 0)
        return FOB_JOURNAL_AGAIN;
    *out = self->pages[self->page_first];
    self->page_first = (self->page_first + 1) % MOST_PAGES;
    self->page_count--;
    return FOB_JOURNAL_OK;
}

/* --- giving back --- */

static void memory_trim(fob_journal_t *journal, uint64_t offset, int64_t now_ms) {
    memory_t *self = memory_of(journal);
    /* A checkpoint pins nothing here: nothing is ever replayed. */
    self->pinned_below = self->pinned_bytes = 0;
    while (self->oldest != NULL && self->oldest != self->newest) {
        block_t *block = self->oldest;
        bool much = self->bytes - block->used >= self->retain_bytes;
        bool old = now_ms - block->last_ms >= self->retain_ms;
        if (!much && !old)
            break;
        if (block->next_offset > offset) {
            self->pinned_below = block->next_offset;
            self->pinned_bytes = block->used;
            break;
        }
        self->oldest = block->next;
        self->bytes -= block->used;
        self->blocks--;
        free(block);
    }
}

static bool memory_checkpoint_due(fob_journal_t *journal) {
    (void)journal;
    return false; /* there is nothing that one could shorten */
}

static fob_journal_code_t memory_checkpoint_begin(fob_journal_t *journal, uint64_t position) {
    memory_t *self = memory_of(journal);
    self->checkpoint_begun = position;
    self->begun = true;
    return FOB_JOURNAL_OK;
}

static fob_journal_code_t memory_checkpoint_slice(fob_journal_t *journal, const uint8_t *data,
                                                  size_t size) {
    (void)data, (void)size;
    assert(memory_of(journal)->begun);
    return FOB_JOURNAL_OK;
}

static fob_journal_code_t memory_checkpoint_finish(fob_journal_t *journal) {
    memory_t *self = memory_of(journal);
    assert(self->begun);
    self->begun = false;
    self->checkpoint = self->checkpoint_begun;
    fob_bell_ring(&self->bell);
    return FOB_JOURNAL_OK;
}

static uint64_t memory_epoch(fob_journal_t *journal) {
    return memory_of(journal)->epoch;
}

static uint64_t memory_began(fob_journal_t *journal, uint64_t epoch) {
    (void)journal, (void)epoch;
    return 0;
}

static const char *memory_level(fob_journal_t *journal) {
    (void)journal;
    return "memory";
}

static void memory_stats(fob_journal_t *journal, fob_journal_stats_t *out) {
    const memory_t *self = memory_of(journal);
    uint64_t taken = self->bytes + self->max_bytes / 16;
    *out = (fob_journal_stats_t){
        .bytes = self->bytes,
        .max_bytes = self->max_bytes,
        .segments = self->blocks,
        .first_offset = self->oldest != NULL ? self->oldest->first_offset : 0,
        .last_offset = self->next_offset - 1,
        .last_position = self->position,
        .durable_position = self->position,
        .checkpoint_position = self->checkpoint,
        .free_bytes = self->max_bytes > taken ? self->max_bytes - taken : 0,
        .pinned_below = self->pinned_below,
        .pinned_bytes = self->pinned_bytes,
    };
}

static uint64_t memory_bytes_from(fob_journal_t *journal, uint64_t offset) {
    const memory_t *self = memory_of(journal);
    uint64_t bytes = 0;
    for (const block_t *block = self->oldest; block != NULL; block = block->next)
        bytes += block->next_offset > offset ? block->used : 0;
    return bytes;
}

static void memory_close(fob_journal_t **self_p) {
    if (self_p == NULL || *self_p == NULL)
        return;
    memory_t *self = memory_of(*self_p);
    fob_page_t page;
    while (memory_page(*self_p, &page) == FOB_JOURNAL_OK)
        free(page.memory);
    while (self->oldest != NULL) {
        block_t *block = self->oldest;
        self->oldest = block->next;
        free(block);
    }
    fob_bell_close(&self->bell);
    free(self);
    *self_p = NULL;
}

static const fob_journal_ops_t memory_ops = {
    .replay = memory_replay,
    .reserve = memory_reserve,
    .append = memory_append,
    .durable = memory_durable,
    .health = memory_health,
    .fd = memory_fd,
    .clear = memory_clear,
    .read = memory_read,
    .page = memory_page,
    .trim = memory_trim,
    .checkpoint_due = memory_checkpoint_due,
    .checkpoint_begin = memory_checkpoint_begin,
    .checkpoint_slice = memory_checkpoint_slice,
    .checkpoint_finish = memory_checkpoint_finish,
    .epoch = memory_epoch,
    .began = memory_began,
    .level = memory_level,
    .stats = memory_stats,
    .bytes_from = memory_bytes_from,
    .close = memory_close,
};

/* Without a limit given: a quarter of the machine's memory. */
static uint64_t default_max(void) {
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 4 : UINT64_C(1) << 30;
}

fob_journal_t *fob_journal_memory_new(uint64_t max_bytes, uint64_t retain_bytes,
                                      int64_t retain_ms) {
    memory_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    if (!fob_bell_init(&self->bell, fob_runtime_real())) {
        free(self);
        return NULL;
    }
    self->base.ops = &memory_ops;
    self->max_bytes = max_bytes != 0 ? max_bytes : default_max();
    self->retain_bytes = retain_bytes != 0 ? retain_bytes : DEFAULT_RETAIN;
    if (self->retain_bytes > self->max_bytes / 2)
        self->retain_bytes = self->max_bytes / 2;
    self->retain_ms = retain_ms > 0 ? retain_ms : DEFAULT_MS;
    self->next_offset = 1;
    self->epoch = (uint64_t)fob_wall_ms(self->bell.runtime);
    return &self->base;
}
