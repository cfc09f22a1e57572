#include "bus/core/publish/writer.h"

#include "bus/core/durable/digest.h"

#include <assert.h>
#include <stdlib.h>

#define BUCKETS_MAX 131072u

bool fob_writers_init(fob_writers_t *self, uint32_t max, int64_t keep_ms) {
    *self = (fob_writers_t){.max = max ? max : 1, .keep_ms = keep_ms};
    uint32_t buckets = 64;
    while (buckets < self->max && buckets < BUCKETS_MAX)
        buckets *= 2;
    self->buckets = calloc(buckets, sizeof(fob_writer_t *));
    self->bucket_mask = buckets - 1;
    return self->buckets != NULL;
}

static void writer_free(fob_writer_t *self) {
    if (!self)
        return;
    free(self->answers);
    free(self);
}

void fob_writers_free(fob_writers_t *self) {
    while (self->newest) {
        fob_writer_t *writer = self->newest;
        self->newest = writer->older;
        writer_free(writer);
    }
    writer_free(self->spare);
    free(self->buckets);
    *self = (fob_writers_t){0};
}

static fob_writer_t **bucket(const fob_writers_t *self, const uint8_t *session) {
    return &self->buckets[fob_digest(session, FOB_SESSION_SIZE) & self->bucket_mask];
}

fob_writer_t *fob_writers_find(const fob_writers_t *self, const uint8_t *session) {
    fob_writer_t *writer = *bucket(self, session);
    while (writer && memcmp(writer->session, session, FOB_SESSION_SIZE) != 0)
        writer = writer->chain;
    return writer;
}

/* --- by when last seen --- */

static void unlink_seen(fob_writers_t *self, fob_writer_t *writer) {
    if (writer->newer)
        writer->newer->older = writer->older;
    else
        self->newest = writer->older;
    if (writer->older)
        writer->older->newer = writer->newer;
    else
        self->oldest = writer->newer;
}

static void link_newest(fob_writers_t *self, fob_writer_t *writer) {
    writer->newer = NULL;
    writer->older = self->newest;
    if (self->newest)
        self->newest->newer = writer;
    else
        self->oldest = writer;
    self->newest = writer;
}

void fob_writers_forget(fob_writers_t *self, fob_writer_t *writer) {
    unlink_seen(self, writer);
    fob_writer_t **link = bucket(self, writer->session);
    while (*link != writer)
        link = &(*link)->chain;
    *link = writer->chain;
    self->count--;
    if (self->spare)
        writer_free(writer);
    else
        self->spare = writer;
}

static bool answers_reserve(fob_writer_t *self, uint32_t more) {
    uint32_t want = self->count + more;
    if (want <= self->capacity)
        return true;
    uint32_t capacity = self->capacity ? self->capacity : 8;
    while (capacity < want)
        capacity *= 2;
    fob_answer_t *answers = malloc(capacity * sizeof *answers);
    if (!answers)
        return false;
    for (uint32_t i = 0; i < self->count; i++)
        answers[i] = *fob_writer_at(self, i);
    free(self->answers);
    self->answers = answers;
    self->capacity = capacity;
    self->begin = 0;
    return true;
}

bool fob_writers_reserve(fob_writers_t *self, const uint8_t *session, uint32_t answers) {
    fob_writer_t *writer = fob_writers_find(self, session);
    if (!writer) {
        if (!self->spare)
            self->spare = calloc(1, sizeof *self->spare);
        if (!self->spare)
            return false;
        writer = self->spare;
        writer->begin = writer->count = 0;
    }
    return answers_reserve(writer, answers);
}

static fob_writer_t *add(fob_writers_t *self, const uint8_t *session) {
    fob_writer_t *writer = self->spare;
    assert(writer);
    self->spare = NULL;
    writer->begin = writer->count = 0;
    writer->next = 1;
    writer->low = writer->position = 0;
    writer->loaded = (fob_stamp_t){0};
    memcpy(writer->session, session, FOB_SESSION_SIZE);
    fob_writer_t **link = bucket(self, session);
    writer->chain = *link;
    *link = writer;
    self->count++;
    return writer;
}

fob_writer_t *fob_writers_see(fob_writers_t *self, const uint8_t *session, int64_t time_ms) {
    fob_writer_t *writer = fob_writers_find(self, session);
    if (writer)
        unlink_seen(self, writer);
    else
        writer = add(self, session);
    writer->seen_ms = time_ms;
    writer->use = ++self->uses;
    link_newest(self, writer);
    return writer;
}

uint32_t fob_writers_due(const fob_writers_t *self, const uint8_t *session, int64_t time_ms,
                         const uint8_t **out, uint32_t most) {
    const fob_writer_t *known = fob_writers_find(self, session);
    uint32_t count = self->count + (known ? 0 : 1), due = 0;
    for (const fob_writer_t *w = self->oldest; w && w != known && due < most; w = w->newer) {
        if (count - due <= self->max && w->seen_ms >= time_ms - self->keep_ms)
            break;
        out[due++] = w->session;
    }
    return due;
}

/* Merges two lists, chained by `older`, the newest first. */
static fob_writer_t *merge(fob_writer_t *a, fob_writer_t *b) {
    fob_writer_t *first = NULL, **link = &first;
    while (a && b) {
        fob_writer_t **newer = a->use > b->use ? &a : &b;
        *link = *newer;
        link = &(*newer)->older;
        *newer = *link;
    }
    *link = a ? a : b;
    return first;
}

void fob_writers_sort(fob_writers_t *self) {
    fob_writer_t *sorted[32] = {0}; /* sorted[i]: a list of 2^i, or NULL */
    fob_writer_t *all = NULL;
    for (fob_writer_t *w = self->newest, *next; w; w = next) {
        next = w->older;
        w->older = NULL;
        unsigned i = 0;
        for (; sorted[i]; i++) {
            w = merge(sorted[i], w);
            sorted[i] = NULL;
        }
        sorted[i] = w;
    }
    for (unsigned i = 0; i < 32; i++)
        all = merge(sorted[i], all);
    self->newest = all;
    self->oldest = NULL;
    for (fob_writer_t *w = all; w; w = w->older) {
        w->newer = self->oldest;
        self->oldest = w;
    }
}

/* --- answers --- */

static bool continues(const fob_answer_t *a, const fob_answer_t *b) {
    return a->number + a->count == b->number && a->offset + a->count == b->offset &&
           a->groups == b->groups && a->flags == b->flags && UINT32_MAX - a->count >= b->count;
}

/* Moves the fewer of those before and behind the place. */
static void insert(fob_writer_t *self, uint32_t at, const fob_answer_t *answer) {
    assert(self->count < self->capacity);
    self->count++;
    if (at < self->count / 2) {
        self->begin = (self->begin - 1) & (self->capacity - 1);
        for (uint32_t i = 0; i < at; i++)
            *fob_writer_at(self, i) = *fob_writer_at(self, i + 1);
    } else {
        for (uint32_t i = self->count - 1; i > at; i--)
            *fob_writer_at(self, i) = *fob_writer_at(self, i - 1);
    }
    *fob_writer_at(self, at) = *answer;
}

static void take_out(fob_writer_t *self, uint32_t at) {
    self->count--;
    for (uint32_t i = at; i < self->count; i++)
        *fob_writer_at(self, i) = *fob_writer_at(self, i + 1);
}

void fob_writer_answer(fob_writer_t *self, fob_answer_t answer) {
    uint32_t at = self->count;
    if (at && fob_writer_at(self, at - 1)->number > answer.number)
        at = fob_writer_search(self, answer.number);
    fob_answer_t *before = at ? fob_writer_at(self, at - 1) : NULL;
    fob_answer_t *behind = at < self->count ? fob_writer_at(self, at) : NULL;
    bool joined = before && continues(before, &answer);
    if (joined)
        before->count += answer.count;
    else
        before = &answer;
    if (!behind || !continues(before, behind)) {
        if (!joined)
            insert(self, at, &answer);
        return;
    }
    behind->number = before->number;
    behind->offset = before->offset;
    behind->count += before->count;
    if (joined)
        take_out(self, at - 1);
}

bool fob_writer_free_of(const fob_writer_t *self, uint64_t number, uint64_t count) {
    uint32_t at = fob_writer_search(self, number);
    return at == self->count || fob_writer_at(self, at)->number >= number + count;
}

void fob_writer_move(fob_writer_t *self, uint64_t next, uint64_t low) {
    if (next > self->next)
        self->next = next;
    if (self->next > FOB_WINDOW_MAX && low < self->next - FOB_WINDOW_MAX)
        low = self->next - FOB_WINDOW_MAX;
    if (low <= self->low)
        return;
    self->low = low;
    while (self->count) {
        const fob_answer_t *first = fob_writer_at(self, 0);
        if (first->number + first->count > low)
            break;
        self->begin = (self->begin + 1) & (self->capacity - 1);
        self->count--;
    }
}

uint32_t fob_writer_search(const fob_writer_t *self, uint64_t number) {
    uint32_t low = 0, high = self->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const fob_answer_t *answer = fob_writer_at(self, middle);
        if (answer->number + answer->count <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The order of use is part of it: it decides who is forgotten first. */
uint64_t fob_writers_hash(const fob_writers_t *self) {
    uint64_t sum = self->count + self->uses;
    for (const fob_writer_t *w = self->newest; w; w = w->older) {
        uint64_t fields[] = {w->use,   w->next,
                             w->low,   (uint64_t)w->seen_ms,
                             w->count, fob_digest(w->session, FOB_SESSION_SIZE)};
        uint64_t hash = fob_digest(fields, sizeof fields);
        for (uint32_t i = 0; i < w->count; i++) {
            const fob_answer_t *a = fob_writer_at(w, i);
            uint64_t answer[] = {hash, a->number, a->offset, a->count, a->groups, a->flags};
            hash = fob_digest(answer, sizeof answer);
        }
        sum += hash;
    }
    return sum;
}
