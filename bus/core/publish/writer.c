#include "bus/core/publish/writer.h"

#include "bus/core/durable/digest.h"
#include "proto/planted.h"

#include <assert.h>
#include <stdlib.h>

#define BUCKETS_MAX 131072u

bool fob_writers_init(fob_writers_t *self, uint32_t max, int64_t keep_ms, int64_t grace_ns) {
    *self = (fob_writers_t){.max = max ? max : 1, .keep_ms = keep_ms, .grace_ns = grace_ns};
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
    for (unsigned i = 0; i < FOB_WRITERS_LISTS; i++) {
        for (fob_writer_t *writer = self->lists[i].newest, *older; writer; writer = older) {
            older = writer->older;
            writer_free(writer);
        }
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

/* --- the lists --- */

static void unlist(fob_writers_t *self, fob_writer_t *writer) {
    fob_writer_list_t *list = &self->lists[writer->list];
    if (writer->newer)
        writer->newer->older = writer->older;
    else
        list->newest = writer->older;
    if (writer->older)
        writer->older->newer = writer->newer;
    else
        list->oldest = writer->newer;
}

static void list_newest(fob_writers_t *self, fob_writer_t *writer, uint8_t which) {
    fob_writer_list_t *list = &self->lists[which];
    writer->list = which;
    writer->newer = NULL;
    writer->older = list->newest;
    if (list->newest)
        list->newest->newer = writer;
    else
        list->oldest = writer;
    list->newest = writer;
}

void fob_writers_forget(fob_writers_t *self, fob_writer_t *writer) {
    unlist(self, writer);
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
        unlist(self, writer);
    else
        writer = add(self, session);
    writer->seen_ms = time_ms;
    writer->use = ++self->uses;
    list_newest(self, writer, FOB_WRITERS_HERE);
    return writer;
}

/* --- who is there, and who goes --- */

void fob_writers_return(fob_writers_t *self, fob_writer_t *writer) {
    unlist(self, writer);
    list_newest(self, writer, FOB_WRITERS_HERE);
}

static void leave(fob_writers_t *self, fob_writer_t *writer, int64_t mono_ns, bool done) {
    bool doubt = writer->low <= 1 && self->grace_ns > 0;
    writer->left_ns = mono_ns;
    if (done || FOB_PLANTED(LOST_IS_DONE))
        list_newest(self, writer, FOB_WRITERS_DONE);
    else
        list_newest(self, writer, doubt ? FOB_WRITERS_DOUBT : FOB_WRITERS_AWAY);
}

void fob_writers_leave(fob_writers_t *self, fob_writer_t *writer, int64_t mono_ns, bool done) {
    unlist(self, writer);
    leave(self, writer, mono_ns, done);
}

static bool longer_away(const fob_writer_t *a, const fob_writer_t *b) {
    return a->left_ns != b->left_ns ? a->left_ns < b->left_ns : a->use < b->use;
}

/* Where a walk through those that may be forgotten has come to. */
typedef struct {
    const fob_writer_t *done, *away, *doubt;
} walk_t;

static walk_t walk(const fob_writers_t *self) {
    unsigned away = FOB_PLANTED(LIVE_FORGOTTEN) ? FOB_WRITERS_HERE : FOB_WRITERS_AWAY;
    return (walk_t){.done = self->lists[FOB_WRITERS_DONE].oldest,
                    .away = self->lists[away].oldest,
                    .doubt = self->lists[FOB_WRITERS_DOUBT].oldest};
}

static const fob_writer_t *step(const fob_writer_t **at) {
    const fob_writer_t *writer = *at;
    if (writer)
        *at = writer->newer;
    return writer;
}

/* The next: who is done, then who has been away longest; NULL: no more. */
static const fob_writer_t *next_to_go(const fob_writers_t *self, int64_t mono_ns, walk_t *at) {
    const fob_writer_t *graced = at->doubt;
    if (at->done)
        return step(&at->done);
    if (graced && mono_ns - graced->left_ns < self->grace_ns)
        graced = NULL;
    if (graced && (!at->away || longer_away(graced, at->away)))
        return step(&at->doubt);
    return step(&at->away);
}

uint32_t fob_writers_due(const fob_writers_t *self, const uint8_t *session, int64_t mono_ns,
                         int64_t time_ms, const uint8_t **out, uint32_t most) {
    const fob_writer_t *known = fob_writers_find(self, session), *w;
    walk_t at = walk(self);
    uint32_t count = self->count + (known ? 0 : 1), due = 0;
    while (due < most && (w = next_to_go(self, mono_ns, &at)) != NULL) {
        bool useless = w->list == FOB_WRITERS_DONE || w->seen_ms < time_ms - self->keep_ms;
        if (w == known || (!useless && count - due <= self->max))
            break;
        out[due++] = w->session;
    }
    return due;
}

bool fob_writers_full(const fob_writers_t *self, int64_t mono_ns) {
    walk_t at = walk(self);
    return self->count >= self->max && !next_to_go(self, mono_ns, &at);
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

/* All, chained by `older`, the newest first. */
static fob_writer_t *sort_by_use(fob_writer_t *first) {
    fob_writer_t *sorted[32] = {0}; /* sorted[i]: a list of 2^i, or NULL */
    fob_writer_t *all = NULL;
    for (fob_writer_t *w = first, *next; w; w = next) {
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
    return all;
}

void fob_writers_start(fob_writers_t *self, int64_t mono_ns) {
    fob_writer_t *oldest = NULL;
    fob_writer_list_t *here = &self->lists[FOB_WRITERS_HERE];
    for (fob_writer_t *w = sort_by_use(here->newest); w; w = w->older) {
        w->newer = oldest;
        oldest = w;
    }
    *here = (fob_writer_list_t){0};
    self->forgot = 0;
    for (fob_writer_t *w = oldest, *newer; w; w = newer) {
        newer = w->newer;
        w->position = 0;
        leave(self, w, mono_ns, false);
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

static uint64_t writer_hash(const fob_writer_t *self) {
    uint64_t fields[] = {self->use,   self->next,
                         self->low,   (uint64_t)self->seen_ms,
                         self->count, fob_digest(self->session, FOB_SESSION_SIZE)};
    uint64_t hash = fob_digest(fields, sizeof fields);
    for (uint32_t i = 0; i < self->count; i++) {
        const fob_answer_t *a = fob_writer_at(self, i);
        uint64_t answer[] = {hash, a->number, a->offset, a->count, a->groups, a->flags};
        hash = fob_digest(answer, sizeof answer);
    }
    return hash;
}

/* The order of use is part of it: after a start it decides who is forgotten first. */
uint64_t fob_writers_hash(const fob_writers_t *self) {
    uint64_t sum = self->count + self->uses;
    for (unsigned i = 0; i < FOB_WRITERS_LISTS; i++)
        for (const fob_writer_t *w = self->lists[i].newest; w; w = w->older)
            sum += writer_hash(w);
    return sum;
}
