/* fire: see fire.h. A load is a batch of one topic, and a message. An open one may take more: the
 * last of its topic, if it is among the last ones of all. */
#include "publishers/fire.h"

#include "proto/wire.h"
#include "publishers/batch.h"
#include "publishers/numbers.h"

#include <assert.h>
#include <stdlib.h>

#define FIRE_MAX_EVENT ((uint64_t)1 << 30)
#define FIRE_LOOK      8      /* open loads looked at for a topic, from the last one back */
#define FIRE_FULL      262144 /* bytes of a load; one larger event has a larger one */
#define FIRE_EVENTS    2048   /* in one load */
#define FIRE_RETRY     FOB_MS /* libzmq does not tell when there is room */
#define FIRE_SHOTS     16     /* room for so many, to begin with */

typedef struct {
    int64_t deadline;
    void *tag;
    uint32_t at, size;
    bool has_id;
} shot_t;

typedef struct load load_t;
struct load {
    load_t *next, *before;
    fob_batch_t *batch;
    uint64_t mark;
    uint32_t first, count; /* shots that are still to go */
    bool closed;           /* it takes no more */
    uint8_t topic_size;
    uint8_t topic[FOB_TOPIC_MAX];
    shot_t *shots; /* kept with a spare load */
    uint32_t room; /* of these */
};

struct fob_fire {
    uint32_t window;
    uint32_t queued; /* events */
    fob_receipts_t *receipts;
    load_t *first, *last, *spare;
    load_t *going;          /* what `next` gave, until `sent`; NULL */
    uint32_t loads, closed; /* in all; of these, to go */
    /* What came since `since_ns`, no longer than FOB_FIRE_GATHER ago. In a flood `tick_ns` is when
     * that ends; else 0. */
    int64_t since_ns, tick_ns;
    unsigned calm;    /* ticks in a row */
    int64_t retry_ns; /* enough is under way: until then nothing goes; else 0 */
    uint64_t came_bytes, came_events;
    uint64_t next_mark;
    int64_t next_deadline; /* no event's is earlier */
    fob_batches_t batches;
    fob_buf_t head;
    fob_numbers_t numbers;
};

fob_fire_t *fob_fire_new(uint32_t window, uint64_t source, fob_receipts_t *receipts) {
    fob_fire_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->window = window;
    self->receipts = receipts;
    self->next_mark = 1;
    self->next_deadline = FOB_NEVER;
    self->batches.most = FIRE_FULL;
    fob_numbers_init(&self->numbers, source);
    return self;
}

/* --- loads --- */

static fob_slice_t load_topic(const load_t *load) {
    return fob_slice(load->topic, load->topic_size);
}

static void load_close(fob_fire_t *self, load_t *load) {
    self->closed += !load->closed;
    load->closed = true;
}

static void load_drop(fob_fire_t *self, load_t *load) {
    self->closed -= load->closed;
    self->loads--;
    if (self->going == load)
        self->going = NULL;
    if (load->before)
        load->before->next = load->next;
    else
        self->first = load->next;
    if (load->next)
        load->next->before = load->before;
    else
        self->last = load->before;
    fob_batch_recycle(&self->batches, load->batch);
    load->next = self->spare;
    self->spare = load;
}

static load_t *load_new(fob_fire_t *self, fob_slice_t topic, size_t need) {
    load_t *load = self->spare;
    if (load)
        self->spare = load->next;
    else
        load = calloc(1, sizeof *load);
    if (!load)
        return NULL;
    fob_batch_t *batch = fob_batch_new(&self->batches, need);
    if (!batch) {
        load->next = self->spare;
        self->spare = load;
        return NULL;
    }
    load->batch = batch;
    load->mark = self->next_mark++;
    load->first = load->count = 0;
    load->closed = false;
    self->loads++;
    load->topic_size = (uint8_t)topic.size;
    memcpy(load->topic, topic.data, topic.size);
    load->next = NULL;
    load->before = self->last;
    *(self->last ? &self->last->next : &self->first) = load;
    self->last = load;
    return load;
}

/* Whether the event may follow on the load's last one: there is room, and the deadlines ascend, so
 * that what expires is always at the front. */
static bool load_takes(const load_t *load, size_t bound, int64_t deadline) {
    const fob_batch_t *batch = load->batch;
    uint32_t end = load->first + load->count;
    return !load->closed && !batch->sealed && batch->capacity - batch->used >= bound &&
           end < FIRE_EVENTS && (!load->count || load->shots[end - 1].deadline <= deadline);
}

/* Room for one more shot. False: no memory. */
static bool load_reserve(load_t *load) {
    uint32_t end = load->first + load->count;
    if (end < load->room)
        return true;
    uint32_t room = load->room ? 2 * load->room : FIRE_SHOTS;
    shot_t *shots = realloc(load->shots, room * sizeof *shots);
    if (!shots)
        return false;
    load->shots = shots;
    load->room = room;
    return true;
}

static load_t *load_for(fob_fire_t *self, const fob_envelope_t *event, int64_t deadline) {
    size_t bound = fob_batch_bound(event);
    load_t *load = self->last, *behind = NULL;
    unsigned i = 0;
    for (; load && i < FIRE_LOOK; i++, behind = load, load = load->before) {
        if (!fob_slice_eq(load_topic(load), event->topic))
            continue;
        if (load_takes(load, bound, deadline))
            return load;
        load_close(self, load); /* an earlier one would break the order */
        break;
    }
    if (i == FIRE_LOOK)
        load_close(self, behind); /* it goes out of sight */
    return load_new(self, event->topic, bound);
}

void fob_fire_destroy(fob_fire_t **self_p) {
    if (!self_p || !*self_p)
        return;
    fob_fire_t *self = *self_p;
    while (self->first)
        load_drop(self, self->first);
    while (self->spare) {
        load_t *next = self->spare->next;
        free(self->spare->shots);
        free(self->spare);
        self->spare = next;
    }
    fob_batches_free(&self->batches);
    fob_buf_free(&self->head);
    free(self);
    *self_p = NULL;
}

/* --- events in --- */

static void count_anew(fob_fire_t *self, int64_t mono_ns) {
    self->since_ns = mono_ns;
    self->came_bytes = self->came_events = 0;
}

static bool is_much(const fob_fire_t *self) {
    return self->came_bytes >= FOB_FIRE_FLOOD_BYTES || self->came_events >= FOB_FIRE_FLOOD_EVENTS;
}

/* An event came: is it a flood? */
static void flood_see(fob_fire_t *self, int64_t mono_ns, size_t size) {
    if (!self->tick_ns && mono_ns - self->since_ns > FOB_FIRE_GATHER)
        count_anew(self, mono_ns);
    self->came_bytes += size;
    self->came_events++;
    if (self->tick_ns || !is_much(self))
        return;
    self->tick_ns = mono_ns + FOB_FIRE_GATHER;
    self->calm = 0;
    count_anew(self, mono_ns);
}

/* Is it one still? Whatever waits has waited long enough. */
static void flood_tick(fob_fire_t *self, int64_t mono_ns) {
    if (!self->tick_ns || mono_ns < self->tick_ns)
        return;
    self->calm = is_much(self) ? 0 : self->calm + 1;
    self->tick_ns = self->calm < FOB_FIRE_CALM ? mono_ns + FOB_FIRE_GATHER : 0;
    count_anew(self, mono_ns);
    fob_fire_hurry(self);
}

fob_status_t fob_fire_offer(fob_fire_t *self, int64_t mono_ns, const fob_envelope_t *event,
                            int64_t deadline, void *tag) {
    if (self->queued >= self->window)
        return FOB_AGAIN;
    if (!fob_topic_valid(event->topic))
        return FOB_BAD_TOPIC;
    load_t *load = load_for(self, event, deadline);
    if (!load)
        return FOB_NO_MEMORY;
    fob_batch_t *batch = load->batch;
    size_t size, at = batch->used;
    fob_status_t status = fob_batch_add(batch, FIRE_MAX_EVENT, event, &size);
    bool added = status == FOB_OK;
    if (added && !load_reserve(load))
        status = FOB_NO_MEMORY;
    if (status == FOB_OK &&
        !fob_receipts_promise(self->receipts, event->topic.size, event->id.size))
        status = FOB_NO_MEMORY;
    if (status != FOB_OK) {
        batch->used = at;
        batch->live -= added;
        if (!load->count)
            load_drop(self, load);
        return status;
    }
    load->shots[load->first + load->count++] = (shot_t){.deadline = deadline,
                                                        .tag = tag,
                                                        .at = (uint32_t)at,
                                                        .size = (uint32_t)size,
                                                        .has_id = event->id.size > 0};
    self->queued++;
    if (deadline < self->next_deadline)
        self->next_deadline = deadline;
    flood_see(self, mono_ns, size);
    return FOB_OK;
}

/* --- events out --- */

/* Whether open loads wait for more: it floods, and there is room for what comes. */
static bool gathers(const fob_fire_t *self) {
    return self->tick_ns && self->queued < self->window - self->window / 2;
}

static bool goes(const fob_fire_t *self) {
    return self->closed > 0 || (self->first && !gathers(self));
}

bool fob_fire_eager(const fob_fire_t *self) {
    return !self->retry_ns && goes(self);
}

void fob_fire_hurry(fob_fire_t *self) {
    for (load_t *load = self->last; load && self->closed < self->loads; load = load->before)
        load_close(self, load);
}

/* The load to go next; NULL: none now. Of a topic all but the last are closed, so its order is
 * kept. */
static load_t *load_next(const fob_fire_t *self) {
    if (!goes(self))
        return NULL;
    load_t *load = self->first;
    if (gathers(self))
        while (!load->closed)
            load = load->next;
    return load;
}

bool fob_fire_next(fob_fire_t *self, fob_now_t now, fob_slice_t *head, fob_blob_t **body) {
    flood_tick(self, now.mono_ns);
    self->retry_ns = 0;
    load_t *load = self->going ? self->going : load_next(self);
    if (!load)
        return false;
    if (fob_batches_under_way(&self->batches)) {
        self->retry_ns = now.mono_ns + FIRE_RETRY;
        return false;
    }
    const fob_number_t *number = fob_numbers_of(&self->numbers, load_topic(load));
    fob_cast_t cast = {.topic = load_topic(load),
                       .kind = FOB_CAST_FIRE,
                       .count = load->count,
                       .source = self->numbers.source,
                       .seq = number->next,
                       .time_ms = now.wall_ms};
    fob_buf_clear(&self->head);
    if (fob_cast_write(&self->head, &cast) != FOB_OK)
        return false;
    if (!load->batch->sealed)
        fob_batch_seal(&self->batches, load->batch);
    load_close(self, load);
    self->going = load;
    size_t at = load->shots[load->first].at;
    *body = fob_batch_body(load->batch, at, load->batch->used - at);
    *head = fob_buf_slice(&self->head);
    return *body != NULL;
}

void fob_fire_socket_gone(fob_fire_t *self) {
    fob_batches_forget(&self->batches);
    self->retry_ns = 0;
}

/* Ends the first event of a load; its bytes stay in the batch. */
static void shot_end(fob_fire_t *self, load_t *load, fob_status_t status, fob_slice_t text) {
    const shot_t *shot = &load->shots[load->first];
    fob_receipt_event_t event = {.topic = load_topic(load), .tag = shot->tag};
    if (shot->has_id && self->receipts->wanted) {
        fob_slice_t bytes =
            fob_slice(fob_blob_slice(load->batch->blob).data + shot->at, shot->size);
        fob_cursor_t cursor = fob_cursor(bytes);
        fob_envelope_t envelope;
        if (fob_envelope_read(&cursor, UINT64_MAX, &envelope) == FOB_OK)
            event.id = envelope.id;
    }
    fob_receipts_keep(
        self->receipts, &event,
        &(fob_receipt_fate_t){.status = status, .text = text, .level = FOB_LEVEL_NONE});
    load->first++;
    load->count--;
    self->queued--;
}

static void load_end(fob_fire_t *self, load_t *load, fob_status_t status, fob_slice_t text) {
    while (load->count)
        shot_end(self, load, status, text);
    load_drop(self, load);
}

void fob_fire_sent(fob_fire_t *self) {
    load_t *load = self->going;
    assert(load);
    fob_numbers_of(&self->numbers, load_topic(load))->next += load->count;
    load_end(self, load, FOB_OK, (fob_slice_t){0});
}

void fob_fire_expire(fob_fire_t *self, fob_now_t now, fob_status_t status, fob_slice_t text) {
    flood_tick(self, now.mono_ns);
    if (now.mono_ns >= self->retry_ns)
        self->retry_ns = 0;
    if (now.mono_ns < self->next_deadline)
        return;
    self->next_deadline = FOB_NEVER;
    for (load_t *load = self->first, *next; load; load = next) {
        next = load->next;
        while (load->count && load->shots[load->first].deadline <= now.mono_ns)
            shot_end(self, load, status, text);
        if (!load->count)
            load_drop(self, load);
        else if (load->shots[load->first].deadline < self->next_deadline)
            self->next_deadline = load->shots[load->first].deadline;
    }
}

void fob_fire_fail(fob_fire_t *self, fob_status_t status, fob_slice_t text) {
    while (self->first)
        load_end(self, self->first, status, text);
}

bool fob_fire_empty(const fob_fire_t *self) {
    return !self->first;
}

int64_t fob_fire_deadline(const fob_fire_t *self) {
    int64_t deadline = self->first ? self->next_deadline : FOB_NEVER;
    if (self->retry_ns && self->retry_ns < deadline)
        deadline = self->retry_ns;
    /* Also where none waits: nobody need be woken for the first that does. */
    return self->tick_ns && self->tick_ns < deadline ? self->tick_ns : deadline;
}

uint64_t fob_fire_mark(const fob_fire_t *self) {
    return self->next_mark;
}

bool fob_fire_done_below(const fob_fire_t *self, uint64_t mark) {
    return !self->first || self->first->mark >= mark;
}
