#include "bus/ledger/outbox.h"

#include "proto/planted.h"

#include <assert.h>
#include <stdlib.h>

typedef struct held held_t;

typedef struct node {
    struct node *next;
    const fob_effect_t *effect;
    held_t *held;
} node_t;

typedef struct {
    node_t *first, *last;
} list_t;

#define SPARES      64   /* kept for turns to come */
#define SPARE_NODES 1024 /* in one of them at the most */

/* A turn, and a node for each of its effects. */
struct held {
    held_t *next; /* in `waiting`, then in `done`, then in `spare` */
    size_t capacity;
    fob_turn_t *turn;
    size_t left;  /* effects that did not come out yet */
    bool durable; /* its commit is, or it has none */
    uint64_t head;
    node_t nodes[];
};

typedef enum { LANE_RECEIPT, LANE_GROUP, LANE_SETTLED, LANE_COUNT, LANE_NONE } lane_t;

/* What the last effect of each lane of a connection waits for. */
typedef struct {
    uint64_t conn;
    uint64_t after[LANE_COUNT];
} order_t;

struct fob_outbox {
    uint64_t durable, last;
    uint64_t head;
    size_t bytes;
    list_t ready;
    list_t *ring; /* effects that wait, by position; slot = position & (ring_size - 1) */
    size_t ring_size;
    order_t *orders; /* by slot of the connection (the low half of its number) */
    size_t order_count;
    held_t *waiting, *waiting_last; /* turns whose commit is not durable, oldest first */
    held_t *done;
    held_t *current; /* whose effect is being performed */
    held_t *spare;
    size_t spares;
};

fob_outbox_t *fob_outbox_new(uint64_t durable, uint64_t head) {
    fob_outbox_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->durable = self->last = durable;
    self->head = head;
    self->ring_size = 64;
    self->ring = calloc(self->ring_size, sizeof *self->ring);
    if (!self->ring)
        fob_outbox_destroy(&self);
    return self;
}

void fob_outbox_destroy(fob_outbox_t **self_p) {
    fob_outbox_t *self = *self_p;
    if (!self)
        return;
    assert(!self->waiting && !self->done);
    while (self->spare) {
        held_t *next = self->spare->next;
        free(self->spare);
        self->spare = next;
    }
    free(self->ring);
    free(self->orders);
    free(self);
    *self_p = NULL;
}

/* --- turns that are held --- */

/* A spare one that is too small goes: what comes in its place serves the next as well. NULL: no
 * memory. */
static held_t *held_new(fob_outbox_t *self, size_t nodes) {
    held_t *held = self->spare;
    if (held) {
        self->spare = held->next;
        self->spares--;
        if (held->capacity >= nodes)
            return held;
        free(held);
    }
    size_t capacity = 8;
    while (capacity < nodes)
        capacity *= 2;
    held = malloc(sizeof *held + capacity * sizeof held->nodes[0]);
    if (held)
        held->capacity = capacity;
    return held;
}

static void held_drop(fob_outbox_t *self, held_t *held) {
    if (self->spares == SPARES || held->capacity > SPARE_NODES) {
        free(held);
        return;
    }
    held->next = self->spare;
    self->spare = held;
    self->spares++;
}

/* --- lists --- */

static void push(list_t *list, node_t *node) {
    node->next = NULL;
    if (list->last)
        list->last->next = node;
    else
        list->first = node;
    list->last = node;
}

static void join(list_t *list, list_t *more) {
    if (!more->first)
        return;
    if (list->last)
        list->last->next = more->first;
    else
        list->first = more->first;
    list->last = more->last;
    *more = (list_t){0};
}

/* Room in the ring for every position above `durable` up to `last`. */
static bool ring_room(fob_outbox_t *self, uint64_t last) {
    size_t size = self->ring_size;
    while (last - self->durable >= size)
        size *= 2;
    if (size == self->ring_size)
        return true;
    list_t *ring = calloc(size, sizeof *ring);
    if (!ring)
        return false;
    for (uint64_t at = self->durable + 1; at <= self->last; at++)
        ring[at & (size - 1)] = self->ring[at & (self->ring_size - 1)];
    free(self->ring);
    self->ring = ring;
    self->ring_size = size;
    return true;
}

/* Room for the order of every connection that the turn speaks to. */
static bool order_room(fob_outbox_t *self, const fob_turn_t *turn) {
    size_t most = 0;
    for (size_t i = 0; i < turn->effect_count; i++)
        if ((uint32_t)turn->effects[i].conn > most)
            most = (uint32_t)turn->effects[i].conn;
    if (most < self->order_count)
        return true;
    size_t count = self->order_count ? self->order_count : 64;
    while (count <= most)
        count *= 2;
    order_t *orders = realloc(self->orders, count * sizeof *orders);
    if (!orders)
        return false;
    memset(orders + self->order_count, 0, (count - self->order_count) * sizeof *orders);
    self->orders = orders;
    self->order_count = count;
    return true;
}

static lane_t lane_of(fob_effect_kind_t kind) {
    switch (kind) {
    case FOB_EFF_RECEIPT:
        return LANE_RECEIPT;
    case FOB_EFF_JOINED:
    case FOB_EFF_DELIVER:
    case FOB_EFF_LOST:
        return LANE_GROUP;
    case FOB_EFF_SETTLED:
        return LANE_SETTLED;
    default:
        return LANE_NONE;
    }
}

/* The position an effect has to wait for, its connection's order heeded. */
static uint64_t wait_for(fob_outbox_t *self, const fob_effect_t *effect) {
    lane_t lane = lane_of(effect->kind);
    if (lane == LANE_NONE)
        return effect->after;
    order_t *order = &self->orders[(uint32_t)effect->conn];
    if (order->conn != effect->conn)
        *order = (order_t){.conn = effect->conn};
    if (effect->after > order->after[lane])
        order->after[lane] = effect->after;
    return order->after[lane];
}

static bool early(lane_t lane) {
    return (FOB_PLANTED(CONFIRM_BEFORE_SYNC) && lane == LANE_RECEIPT) ||
           (FOB_PLANTED(DELIVER_BEFORE_SYNC) && lane == LANE_GROUP) ||
           (FOB_PLANTED(SETTLED_BEFORE_SYNC) && lane == LANE_SETTLED);
}

static void place(fob_outbox_t *self, node_t *node) {
    uint64_t after = wait_for(self, node->effect);
    assert(after <= self->last);
    if (after <= self->durable || early(lane_of(node->effect->kind)))
        push(&self->ready, node);
    else
        push(&self->ring[after & (self->ring_size - 1)], node);
}

static uint64_t turn_head(const fob_turn_t *turn) {
    uint64_t head = 0;
    for (size_t i = 0; i < turn->record_count; i++)
        if (turn->records[i].count)
            head = turn->records[i].first_offset + turn->records[i].count - 1;
    return head;
}

static void finish(fob_outbox_t *self, held_t *held) {
    held->next = self->done;
    self->done = held;
}

bool fob_outbox_put(fob_outbox_t *self, fob_turn_t *turn) {
    if ((turn->position && !ring_room(self, turn->position)) || !order_room(self, turn))
        return false;
    held_t *held = held_new(self, turn->effect_count);
    if (!held)
        return false;
    *held = (held_t){.capacity = held->capacity,
                     .turn = turn,
                     .left = turn->effect_count,
                     .head = turn_head(turn)};
    if (turn->position > self->last)
        self->last = turn->position;
    for (size_t i = 0; i < turn->effect_count; i++) {
        held->nodes[i] = (node_t){.effect = &turn->effects[i], .held = held};
        place(self, &held->nodes[i]);
    }
    held->durable = turn->position == 0;
    if (!held->durable) {
        self->bytes += turn->bytes;
        if (self->waiting)
            self->waiting_last->next = held;
        else
            self->waiting = held;
        self->waiting_last = held;
    } else if (held->left == 0) {
        finish(self, held);
    }
    return true;
}

void fob_outbox_durable(fob_outbox_t *self, uint64_t position) {
    if (position > self->last)
        position = self->last;
    while (self->durable < position) {
        self->durable++;
        join(&self->ready, &self->ring[self->durable & (self->ring_size - 1)]);
    }
    while (self->waiting && self->waiting->turn->position <= self->durable) {
        held_t *held = self->waiting;
        self->waiting = held->next;
        held->durable = true;
        self->bytes -= held->turn->bytes;
        if (held->head > self->head)
            self->head = held->head;
        if (held->left == 0)
            finish(self, held);
    }
}

static void settle_current(fob_outbox_t *self) {
    held_t *held = self->current;
    self->current = NULL;
    if (held && --held->left == 0 && held->durable)
        finish(self, held);
}

const fob_effect_t *fob_outbox_next(fob_outbox_t *self) {
    settle_current(self);
    node_t *node = self->ready.first;
    if (!node)
        return NULL;
    self->ready.first = node->next;
    if (!node->next)
        self->ready.last = NULL;
    self->current = node->held;
    return node->effect;
}

fob_turn_t *fob_outbox_done(fob_outbox_t *self) {
    settle_current(self);
    held_t *held = self->done;
    if (!held)
        return NULL;
    self->done = held->next;
    fob_turn_t *turn = held->turn;
    held_drop(self, held);
    return turn;
}

fob_turn_t *fob_outbox_drain(fob_outbox_t *self) {
    fob_outbox_durable(self, self->last); /* nothing is performed any more: only given back */
    while (fob_outbox_next(self))
        ;
    return fob_outbox_done(self);
}

uint64_t fob_outbox_head(const fob_outbox_t *self) {
    return self->head;
}

size_t fob_outbox_bytes(const fob_outbox_t *self) {
    return self->bytes;
}

uint64_t fob_outbox_last(const fob_outbox_t *self) {
    return self->last;
}
