#include "bus/core/durable/copy.h"

#include "bus/core/durable/checkpoint_group.h"
#include "bus/core/durable/digest.h"

#include <stdlib.h>
#include <string.h>

#define NOTES_KNOWN 256u /* one that is not among them is written anew */

/* The notes of a group's attempts, as far as they are remembered. Copies: what the history has may
 * go before the group is done. */
typedef struct {
    uint32_t number[NOTES_KNOWN]; /* + 1; 0: none */
    uint8_t worker_size[NOTES_KNOWN], text_size[NOTES_KNOWN];
    uint8_t bytes[NOTES_KNOWN][2 * FOB_NOTE_MAX]; /* worker, text */
    size_t last;                                  /* place of the last one: most have the same */
    uint32_t count;
} notes_t;

/* A letter that was removed before its turn, by its serial. */
typedef struct {
    uint64_t serial;
    size_t at; /* of its bytes */
} ghost_t;

/* How a ghost's bytes begin. */
typedef struct {
    fob_dead_t dead;
    uint32_t attempts;
} ghost_head_t;

typedef struct {
    int64_t time_ms;
    uint8_t reason, counted, worker_size, text_size;
} ghost_attempt_t;

struct fob_copy {
    fob_buf_t *out;
    fob_group_t *group; /* NULL: none is under way */
    const fob_history_t *history;
    uint32_t number;      /* of the group, among those copied: marks what is done */
    uint32_t back_at;     /* of the table of what came back: those below are done */
    uint64_t serial;      /* of letters: those up to it are done */
    uint64_t last_serial; /* those above died since */
    ghost_t *ghosts;      /* a heap, the lowest serial first */
    size_t ghost_count, ghost_room;
    fob_buf_t ghost_bytes;
    notes_t notes;
};

fob_copy_t *fob_copy_new(void) {
    return calloc(1, sizeof(fob_copy_t));
}

void fob_copy_stop(fob_copy_t *self) {
    if (self->group)
        self->group->copy = NULL;
    self->group = NULL;
    self->ghost_count = 0;
    fob_buf_free(&self->ghost_bytes);
}

bool fob_copy_runs(const fob_copy_t *self) {
    return self && self->group;
}

void fob_copy_free(fob_copy_t **self_p) {
    fob_copy_t *self = *self_p;
    if (!self)
        return;
    fob_copy_stop(self);
    free(self->ghosts);
    fob_buf_free(&self->ghost_bytes);
    free(self);
    *self_p = NULL;
}

/* --- attempts --- */

static bool is_note(const notes_t *notes, size_t at, const fob_attempt_t *attempt) {
    const uint8_t *bytes = notes->bytes[at];
    return notes->number[at] &&
           fob_slice_eq(fob_slice(bytes, notes->worker_size[at]), attempt->worker) &&
           fob_slice_eq(fob_slice(bytes + notes->worker_size[at], notes->text_size[at]),
                        attempt->text);
}

static void keep_note(notes_t *notes, size_t at, const fob_attempt_t *attempt) {
    if (attempt->worker.size)
        memcpy(notes->bytes[at], attempt->worker.data, attempt->worker.size);
    if (attempt->text.size)
        memcpy(notes->bytes[at] + attempt->worker.size, attempt->text.data, attempt->text.size);
    notes->worker_size[at] = (uint8_t)attempt->worker.size;
    notes->text_size[at] = (uint8_t)attempt->text.size;
    notes->number[at] = ++notes->count;
}

/* The number of an attempt's note; *is_new: it was not told yet. */
static uint32_t note_of(notes_t *notes, const fob_attempt_t *attempt, bool *is_new) {
    *is_new = false;
    if (is_note(notes, notes->last, attempt))
        return notes->number[notes->last] - 1;
    uint64_t hash = fob_digest(attempt->worker.data, attempt->worker.size) * 31 +
                    fob_digest(attempt->text.data, attempt->text.size);
    size_t at = notes->last = hash % NOTES_KNOWN;
    *is_new = !is_note(notes, at, attempt);
    if (*is_new)
        keep_note(notes, at, attempt);
    return notes->number[at] - 1;
}

static void put_attempt(fob_copy_t *self, const fob_attempt_t *attempt) {
    uint8_t bytes[FOB_UNIT_ATTEMPT] = {0};
    bool is_new;
    uint32_t note = note_of(&self->notes, attempt, &is_new);
    fob_put64(bytes, (uint64_t)attempt->time_ms);
    bytes[8] = attempt->reason;
    bytes[9] = (uint8_t)((attempt->counted ? FOB_ATTEMPT_COUNTED : 0) |
                         (is_new ? FOB_ATTEMPT_NEW_NOTE : 0));
    bytes[10] = is_new ? (uint8_t)attempt->worker.size : 0;
    bytes[11] = is_new ? (uint8_t)attempt->text.size : 0;
    fob_put32(bytes + 12, note);
    fob_buf_put(self->out, bytes, sizeof bytes);
    if (bytes[10])
        fob_buf_put(self->out, attempt->worker.data, bytes[10]);
    if (bytes[11])
        fob_buf_put(self->out, attempt->text.data, bytes[11]);
}

static uint32_t attempts_of(const fob_copy_t *self, uint32_t chain) {
    return chain ? fob_history_count(self->history, chain) : 0;
}

static void put_history(fob_copy_t *self, uint32_t chain, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        fob_attempt_t attempt;
        fob_history_at(self->history, chain, i, &attempt);
        put_attempt(self, &attempt);
    }
}

/* --- what came back --- */

static void put_back(fob_copy_t *self, const fob_back_entry_t *e) {
    uint8_t bytes[FOB_UNIT_BACK] = {0};
    uint32_t attempts = attempts_of(self, e->history);
    fob_put64(bytes, e->offset);
    fob_put64(bytes + 8, e->token);
    fob_put64(bytes + 16, (uint64_t)e->due_ms);
    fob_put32(bytes + 24, e->attempts);
    bytes[28] = (uint8_t)e->releases;
    bytes[29] = (uint8_t)(e->releases >> 8);
    bytes[30] = e->reason;
    bytes[31] = e->out;
    bytes[32] = e->priority;
    bytes[33] = (uint8_t)attempts;
    fob_buf_put(self->out, bytes, sizeof bytes);
    put_history(self, e->history, attempts);
}

/* True: there is more of it. */
static bool some_back(fob_copy_t *self, size_t most) {
    fob_back_entry_t *e;
    while (self->out->size < most && !self->out->failed) {
        e = fob_back_next(&self->group->back, &self->back_at);
        if (!e) {
            self->back_at = UINT32_MAX;
            return false;
        }
        if (e->copied != self->number)
            put_back(self, e);
    }
    return true;
}

void fob_copy_born(const fob_copy_t *self, fob_back_entry_t *entry) {
    entry->copied = self->number;
}

void fob_copy_back(fob_copy_t *self, fob_back_entry_t *entry) {
    if (entry - self->group->back.slab < self->back_at || entry->copied == self->number)
        return;
    put_back(self, entry);
    entry->copied = self->number;
}

/* --- dead letters --- */

static void put_dead(fob_copy_t *self, const fob_dead_t *dead, uint32_t attempts) {
    uint8_t bytes[FOB_UNIT_DEAD] = {0};
    fob_put64(bytes, dead->offset);
    fob_put64(bytes + 8, dead->serial);
    fob_put64(bytes + 16, (uint64_t)dead->time_ms);
    fob_put32(bytes + 24, dead->count);
    fob_put32(bytes + 28, dead->attempts);
    fob_put32(bytes + 32, dead->size);
    bytes[36] = dead->reason;
    bytes[37] = dead->priority;
    bytes[38] = (uint8_t)attempts;
    fob_buf_put(self->out, bytes, sizeof bytes);
}

static void put_letter(fob_copy_t *self, const fob_dead_t *dead) {
    uint32_t attempts = attempts_of(self, dead->history);
    put_dead(self, dead, attempts);
    put_history(self, dead->history, attempts);
}

static void put_ghost(fob_copy_t *self, const ghost_t *ghost) {
    const uint8_t *at = self->ghost_bytes.data + ghost->at;
    ghost_head_t head;
    memcpy(&head, at, sizeof head);
    at += sizeof head;
    put_dead(self, &head.dead, head.attempts);
    for (uint32_t i = 0; i < head.attempts; i++) {
        ghost_attempt_t one;
        memcpy(&one, at, sizeof one);
        at += sizeof one;
        fob_attempt_t attempt = {.time_ms = one.time_ms,
                                 .reason = one.reason,
                                 .counted = one.counted,
                                 .worker = fob_slice(at, one.worker_size),
                                 .text = fob_slice(at + one.worker_size, one.text_size)};
        at += (size_t)one.worker_size + one.text_size;
        put_attempt(self, &attempt);
    }
}

static ghost_t take_ghost(fob_copy_t *self) {
    ghost_t *heap = self->ghosts, first = heap[0], last = heap[--self->ghost_count];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < self->ghost_count) {
        if (child + 1 < self->ghost_count && heap[child + 1].serial < heap[child].serial)
            child++;
        if (heap[child].serial >= last.serial)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return first;
}

static void add_ghost(fob_copy_t *self, ghost_t ghost) {
    size_t at = self->ghost_count++;
    while (at > 0 && self->ghosts[(at - 1) / 2].serial > ghost.serial) {
        self->ghosts[at] = self->ghosts[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    self->ghosts[at] = ghost;
}

static bool ghost_room(fob_copy_t *self) {
    if (self->ghost_count < self->ghost_room)
        return true;
    size_t room = self->ghost_room ? 2 * self->ghost_room : 64;
    ghost_t *ghosts = realloc(self->ghosts, room * sizeof *ghosts);
    if (!ghosts)
        return false;
    self->ghosts = ghosts;
    self->ghost_room = room;
    return true;
}

void fob_copy_letter(fob_copy_t *self, const fob_dead_t *dead) {
    fob_buf_t *bytes = &self->ghost_bytes;
    if (dead->serial <= self->serial || dead->serial > self->last_serial)
        return;
    ghost_head_t head;
    memset(&head, 0, sizeof head); /* its gaps too */
    head.dead = *dead;
    head.attempts = attempts_of(self, dead->history);
    ghost_t ghost = {dead->serial, bytes->size};
    fob_buf_put(bytes, (const uint8_t *)&head, sizeof head);
    for (uint32_t i = 0; i < head.attempts; i++) {
        fob_attempt_t attempt;
        fob_history_at(self->history, dead->history, i, &attempt);
        ghost_attempt_t one;
        memset(&one, 0, sizeof one);
        one.time_ms = attempt.time_ms;
        one.reason = attempt.reason;
        one.counted = attempt.counted;
        one.worker_size = (uint8_t)attempt.worker.size;
        one.text_size = (uint8_t)attempt.text.size;
        fob_buf_put(bytes, (const uint8_t *)&one, sizeof one);
        if (attempt.worker.size)
            fob_buf_put(bytes, attempt.worker.data, attempt.worker.size);
        if (attempt.text.size)
            fob_buf_put(bytes, attempt.text.data, attempt.text.size);
    }
    if (bytes->failed || !ghost_room(self))
        self->out->failed = true;
    else
        add_ghost(self, ghost);
}

/* In the order they died. True: there is more of it. */
static bool some_letters(fob_copy_t *self, size_t most) {
    fob_deads_t *deads = &self->group->deads;
    while (self->out->size < most && !self->out->failed) {
        const fob_dead_t *dead = fob_deads_peek(deads, &deads->copy_at);
        if (dead && dead->serial > self->last_serial)
            dead = NULL;
        if (self->ghost_count && (!dead || self->ghosts[0].serial < dead->serial)) {
            ghost_t ghost = take_ghost(self);
            put_ghost(self, &ghost);
            self->serial = ghost.serial;
            continue;
        }
        if (!dead)
            return false;
        put_letter(self, dead);
        self->serial = dead->serial;
        deads->copy_at++;
    }
    return true;
}

/* --- the rest of a group --- */

static void put_policy(fob_buf_t *out, const fob_policy_t *policy) {
    for (unsigned number = 1; number < FOB_POLICY_END; number++) {
        fob_put_u64(out, number);
        fob_put_u64(out, fob_policy_get(policy, number));
    }
}

static void put_cover(fob_buf_t *out, const fob_cover_t *cover) {
    const fob_interval_t *items = fob_intervals_first(&cover->above);
    if (!fob_buf_room(out, cover->above.count * FOB_UNIT_INTERVAL))
        return;
    for (size_t i = 0; i < cover->above.count; i++) {
        uint8_t bytes[FOB_UNIT_INTERVAL];
        fob_put64(bytes, items[i].from);
        fob_put64(bytes + 8, items[i].to);
        fob_buf_put(out, bytes, sizeof bytes);
    }
}

static uint64_t prio_stretches(const fob_prio_t *prio) {
    uint64_t count = 0;
    for (unsigned priority = 1; priority < FOB_PRIORITIES; priority++)
        count += prio->lists[priority].stretches.count;
    return count;
}

static void put_prio(fob_buf_t *out, const fob_prio_t *prio) {
    for (unsigned priority = 1; priority < FOB_PRIORITIES; priority++) {
        const fob_intervals_t *stretches = &prio->lists[priority].stretches;
        const fob_interval_t *items = fob_intervals_first(stretches);
        for (size_t i = 0; i < stretches->count; i++) {
            uint8_t bytes[FOB_UNIT_PRIORITY];
            fob_put64(bytes, items[i].from);
            fob_put64(bytes + 8, items[i].to);
            fob_put64(bytes + 16, priority);
            fob_buf_put(out, bytes, sizeof bytes);
        }
    }
}

void fob_copy_begin(fob_copy_t *self, fob_buf_t *out, fob_group_t *group,
                    const fob_history_t *history) {
    const uint64_t counts[] = {FOB_POLICY_SETTINGS, group->cover.above.count,
                               prio_stretches(&group->prio), group->back.count, group->deads.count};
    self->out = out;
    self->group = group;
    self->history = history;
    self->number = self->number + 1 ? self->number + 1 : 1;
    self->back_at = 0;
    self->serial = 0;
    self->last_serial = group->deads.last_serial;
    memset(self->notes.number, 0, sizeof self->notes.number);
    self->notes.count = 0;
    group->copy = self;
    group->deads.copy_at = 0;
    fob_put_u32(out, group->id);
    fob_put_u32(out, group->damaged ? 1 : 0);
    for (size_t i = 0; i < FOB_UNIT_SCALARS; i++) {
        uint64_t value;
        memcpy(&value, (const char *)group + fob_unit_scalars[i], sizeof value);
        fob_put_u64(out, value);
    }
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        fob_put_u64(out, counts[i]);
    put_policy(out, &group->policy);
    put_cover(out, &group->cover);
    put_prio(out, &group->prio);
}

bool fob_copy_some(fob_copy_t *self, size_t bytes) {
    if (self->back_at != UINT32_MAX && some_back(self, bytes))
        return true;
    if (some_letters(self, bytes))
        return true;
    fob_copy_stop(self);
    return false;
}

void fob_copy_rest(fob_copy_t *self) {
    if (fob_copy_some(self, SIZE_MAX)) /* memory ran out */
        fob_copy_stop(self);
}
