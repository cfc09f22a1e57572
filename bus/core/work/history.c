#include "bus/core/work/history.h"

#include "bus/core/durable/digest.h"
#include "bus/core/table/room.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_LEAST   32u /* bytes of the smallest block for a note; each class is twice the last */
#define BLOCK_CLASSES 6u  /* the largest holds two texts of FOB_NOTE_MAX */
#define BLOCKS_KEPT   64u /* free ones of each class */
#define FIRST_BUCKETS 64u

/* An attempt: 16 bytes. A free one is chained by `older`. */
typedef struct {
    uint64_t when_why; /* time << 16, reason << 8, counted */
    uint32_t older;    /* index + 1 of the attempt before; 0: it is the oldest */
    uint32_t note;     /* index + 1; 0: neither worker nor text */
} attempt_t;

typedef struct block {
    struct block *next; /* while free */
    uint8_t data[];
} block_t;

/* Worker and text, one behind the other. A free one is chained by `next`. */
typedef struct {
    block_t *block;
    uint32_t hash, uses, next; /* index + 1 of the next of the bucket */
    uint8_t worker, text;      /* bytes */
} note_t;

struct fob_history {
    attempt_t *attempts;
    size_t attempt_capacity;
    uint32_t attempt_used, attempt_free, attempt_count;
    note_t *notes;
    size_t note_capacity;
    uint32_t note_used, note_free, note_count;
    uint32_t *buckets; /* index + 1 of the first note */
    uint32_t bucket_mask;
    block_t *blocks[BLOCK_CLASSES]; /* free ones */
    uint32_t block_counts[BLOCK_CLASSES];
    uint64_t note_bytes;
};

_Static_assert(sizeof(attempt_t) == 16, "as history.h says");
_Static_assert(BLOCK_LEAST << (BLOCK_CLASSES - 1) >= 2 * FOB_NOTE_MAX, "the longest note fits");

static unsigned class_of(size_t bytes) {
    unsigned class = 0;
    while ((size_t)BLOCK_LEAST << class < bytes)
        class ++;
    assert(class < BLOCK_CLASSES);
    return class;
}

fob_history_t *fob_history_new(void) {
    fob_history_t *self = calloc(1, sizeof *self);
    uint32_t *buckets = calloc(FIRST_BUCKETS, sizeof *buckets);
    if (!self || !buckets) {
        free(self);
        free(buckets);
        return NULL;
    }
    self->buckets = buckets;
    self->bucket_mask = FIRST_BUCKETS - 1;
    return self;
}

void fob_history_free(fob_history_t *self) {
    if (!self)
        return;
    for (uint32_t i = 0; i < self->note_used; i++)
        free(self->notes[i].block);
    for (unsigned i = 0; i < BLOCK_CLASSES; i++) {
        while (self->blocks[i]) {
            block_t *next = self->blocks[i]->next;
            free(self->blocks[i]);
            self->blocks[i] = next;
        }
    }
    free(self->attempts);
    free(self->notes);
    free(self->buckets);
    free(self);
}

uint64_t fob_history_bytes(const fob_history_t *self) {
    return self->note_bytes + self->attempt_count * sizeof(attempt_t);
}

uint64_t fob_history_note_bytes(const fob_history_t *self) {
    return self->note_bytes;
}

fob_slice_t fob_note_cut(fob_slice_t text) {
    if (text.size <= FOB_NOTE_MAX)
        return text;
    size_t size = FOB_NOTE_MAX;
    /* A byte 10xxxxxx goes on with a character of up to four bytes. */
    for (unsigned i = 0; i < 3 && (text.data[size] & 0xC0) == 0x80; i++)
        size--;
    return fob_slice(text.data, (text.data[size] & 0xC0) == 0x80 ? FOB_NOTE_MAX : size);
}

/* --- room --- */

/* As many buckets as notes at the least. Without memory the chains are longer. */
static void spread(fob_history_t *self) {
    if (self->note_count <= self->bucket_mask)
        return;
    uint32_t mask = self->bucket_mask * 2 + 1;
    uint32_t *buckets = calloc((size_t)mask + 1, sizeof *buckets);
    if (!buckets)
        return;
    for (uint32_t i = 0; i < self->note_used; i++) {
        note_t *note = &self->notes[i];
        if (note->uses == 0)
            continue;
        note->next = buckets[note->hash & mask];
        buckets[note->hash & mask] = i + 1;
    }
    free(self->buckets);
    self->buckets = buckets;
    self->bucket_mask = mask;
}

static bool reserve_block(fob_history_t *self, size_t bytes) {
    unsigned class = class_of(bytes);
    if (self->blocks[class])
        return true;
    block_t *block = malloc(sizeof *block + ((size_t)BLOCK_LEAST << class));
    if (!block)
        return false;
    block->next = NULL;
    self->blocks[class] = block;
    self->block_counts[class] = 1;
    return true;
}

bool fob_history_reserve(fob_history_t *self, size_t attempts, size_t note_bytes) {
    if (attempts > UINT32_MAX - self->attempt_count - 1 ||
        !fob_room(&self->attempts, &self->attempt_capacity, self->attempt_count + attempts,
                  sizeof *self->attempts))
        return false;
    if (note_bytes == 0)
        return true;
    spread(self);
    return fob_room(&self->notes, &self->note_capacity, (size_t)self->note_count + 1,
                    sizeof *self->notes) &&
           reserve_block(self, note_bytes);
}

/* --- notes --- */

static bool note_is(const note_t *note, const fob_attempt_t *attempt) {
    return note->worker == attempt->worker.size && note->text == attempt->text.size &&
           (note->worker == 0 ||
            memcmp(note->block->data, attempt->worker.data, note->worker) == 0) &&
           (note->text == 0 ||
            memcmp(note->block->data + note->worker, attempt->text.data, note->text) == 0);
}

static uint32_t note_hash(const fob_attempt_t *attempt) {
    uint64_t parts[] = {fob_digest(attempt->worker.data, attempt->worker.size),
                        fob_digest(attempt->text.data, attempt->text.size)};
    return (uint32_t)fob_digest(parts, sizeof parts);
}

static uint32_t note_new(fob_history_t *self, const fob_attempt_t *attempt, uint32_t hash) {
    size_t bytes = attempt->worker.size + attempt->text.size;
    unsigned class = class_of(bytes);
    block_t *block = self->blocks[class];
    uint32_t number = self->note_free;
    if (number) {
        self->note_free = self->notes[number - 1].next;
    } else {
        assert(self->note_used < self->note_capacity);
        number = ++self->note_used;
    }
    assert(block);
    self->blocks[class] = block->next;
    self->block_counts[class]--;
    if (attempt->worker.size)
        memcpy(block->data, attempt->worker.data, attempt->worker.size);
    if (attempt->text.size)
        memcpy(block->data + attempt->worker.size, attempt->text.data, attempt->text.size);
    uint32_t *bucket = &self->buckets[hash & self->bucket_mask];
    self->notes[number - 1] = (note_t){.block = block,
                                       .hash = hash,
                                       .next = *bucket,
                                       .worker = (uint8_t)attempt->worker.size,
                                       .text = (uint8_t)attempt->text.size};
    *bucket = number;
    self->note_count++;
    self->note_bytes += (uint64_t)BLOCK_LEAST << class;
    return number;
}

/* The number of the note; one more attempt uses it. */
static uint32_t note_use(fob_history_t *self, const fob_attempt_t *attempt) {
    if (attempt->worker.size + attempt->text.size == 0)
        return 0;
    assert(attempt->worker.size <= FOB_NOTE_MAX && attempt->text.size <= FOB_NOTE_MAX);
    uint32_t hash = note_hash(attempt), number = self->buckets[hash & self->bucket_mask];
    while (number &&
           !(self->notes[number - 1].hash == hash && note_is(&self->notes[number - 1], attempt)))
        number = self->notes[number - 1].next;
    if (!number)
        number = note_new(self, attempt, hash);
    self->notes[number - 1].uses++;
    return number;
}

static void block_free(fob_history_t *self, block_t *block, unsigned class) {
    if (self->block_counts[class] >= BLOCKS_KEPT) {
        free(block);
        return;
    }
    block->next = self->blocks[class];
    self->blocks[class] = block;
    self->block_counts[class]++;
}

static void note_drop(fob_history_t *self, uint32_t number) {
    if (number == 0 || --self->notes[number - 1].uses > 0)
        return;
    note_t *note = &self->notes[number - 1];
    uint32_t *link = &self->buckets[note->hash & self->bucket_mask];
    while (*link != number)
        link = &self->notes[*link - 1].next;
    *link = note->next;
    unsigned class = class_of((size_t)note->worker + note->text);
    block_free(self, note->block, class);
    self->note_bytes -= (uint64_t)BLOCK_LEAST << class;
    note->block = NULL;
    note->next = self->note_free;
    self->note_free = number;
    self->note_count--;
}

/* --- chains: the newest attempt is the chain's number --- */

static uint32_t attempt_take(fob_history_t *self) {
    uint32_t number = self->attempt_free;
    if (number) {
        self->attempt_free = self->attempts[number - 1].older;
    } else {
        assert(self->attempt_used < self->attempt_capacity);
        number = ++self->attempt_used;
    }
    self->attempt_count++;
    return number;
}

static void attempt_drop(fob_history_t *self, uint32_t number) {
    attempt_t *attempt = &self->attempts[number - 1];
    note_drop(self, attempt->note);
    attempt->older = self->attempt_free;
    self->attempt_free = number;
    self->attempt_count--;
}

/* Drops what is older than the newest `keep` (above 0). */
static void cut(fob_history_t *self, uint32_t chain, uint32_t keep) {
    for (uint32_t i = 1; chain && i < keep; i++)
        chain = self->attempts[chain - 1].older;
    if (!chain)
        return;
    uint32_t rest = self->attempts[chain - 1].older;
    self->attempts[chain - 1].older = 0;
    fob_history_drop(self, rest);
}

uint32_t fob_history_add(fob_history_t *self, uint32_t chain, const fob_attempt_t *attempt) {
    cut(self, chain, FOB_HISTORY_MAX - 1);
    uint32_t number = attempt_take(self), note = note_use(self, attempt);
    self->attempts[number - 1] =
        (attempt_t){.when_why = (uint64_t)attempt->time_ms << 16 | (uint64_t)attempt->reason << 8 |
                                (attempt->counted ? 1 : 0),
                    .older = chain,
                    .note = note};
    return number;
}

void fob_history_drop(fob_history_t *self, uint32_t chain) {
    while (chain) {
        uint32_t older = self->attempts[chain - 1].older;
        attempt_drop(self, chain);
        chain = older;
    }
}

uint32_t fob_history_count(const fob_history_t *self, uint32_t chain) {
    uint32_t count = 0;
    for (; chain; chain = self->attempts[chain - 1].older)
        count++;
    return count;
}

static void read(const fob_history_t *self, uint32_t number, fob_attempt_t *out) {
    const attempt_t *attempt = &self->attempts[number - 1];
    uint64_t time = attempt->when_why >> 16;
    /* The sign is the highest of 48 bits. */
    *out = (fob_attempt_t){.time_ms = (int64_t)(time ^ (UINT64_C(1) << 47)) - (INT64_C(1) << 47),
                           .reason = (uint8_t)(attempt->when_why >> 8),
                           .counted = attempt->when_why & 1};
    if (attempt->note == 0)
        return;
    const note_t *note = &self->notes[attempt->note - 1];
    out->worker = fob_slice(note->block->data, note->worker);
    out->text = fob_slice(note->block->data + note->worker, note->text);
}

void fob_history_at(const fob_history_t *self, uint32_t chain, uint32_t index, fob_attempt_t *out) {
    uint32_t count = fob_history_count(self, chain);
    assert(index < count);
    for (uint32_t newer = count - 1 - index; newer > 0; newer--)
        chain = self->attempts[chain - 1].older;
    read(self, chain, out);
}

uint64_t fob_history_hash(const fob_history_t *self, uint32_t chain) {
    uint64_t hash = 0;
    for (; chain; chain = self->attempts[chain - 1].older) {
        fob_attempt_t attempt;
        read(self, chain, &attempt);
        uint64_t fields[] = {hash,
                             (uint64_t)attempt.time_ms,
                             attempt.reason,
                             attempt.counted,
                             fob_digest(attempt.worker.data, attempt.worker.size),
                             fob_digest(attempt.text.data, attempt.text.size)};
        hash = fob_digest(fields, sizeof fields);
    }
    return hash;
}
