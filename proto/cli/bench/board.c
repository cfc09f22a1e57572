#include "proto/cli/bench/board.h"

#include "proto/now.h"

#include <sys/mman.h>
#include <time.h>

#define BEGIN_NS      (20 * FOB_MS) /* from RUN until the first event is due: all have seen it */
#define FASTEST       UINT64_C(16000000)  /* events/s that no publisher exceeds */
#define CAPACITY_MOST (UINT64_C(1) << 32) /* numbers of a publisher: half a GiB a set */

struct fob_board {
    const fob_bench_plan_t *plan;
    size_t bytes;
    uint64_t capacity;
    uint32_t clients;
    fob_bench_slot_t *slots;
    _Atomic uint64_t *words;
    _Atomic int phase;
    atomic_bool cut;
    _Atomic int64_t run_ns, drain_ns;
};

/* As many as can be sent: untouched memory costs nothing. */
static uint64_t capacity_for(const fob_bench_plan_t *plan) {
    uint64_t each = (plan->count + plan->publishers - 1) / plan->publishers;
    uint64_t rate = plan->rate ? plan->rate / plan->publishers + 1 : FASTEST;
    uint64_t seconds = (uint64_t)plan->duration_ms / 1000 + 1;
    if (plan->duration_ms && seconds < CAPACITY_MOST / rate && (!each || seconds * rate < each))
        each = seconds * rate;
    return each && each < CAPACITY_MOST ? each : CAPACITY_MOST;
}

static uint32_t receivers(const fob_bench_plan_t *plan) {
    return plan->subscribers + plan->groups;
}

fob_board_t *fob_board_new(const fob_bench_plan_t *plan) {
    uint32_t clients = plan->publishers + plan->subscribers + plan->groups * plan->workers;
    uint64_t capacity = capacity_for(plan);
    size_t sets = (size_t)plan->publishers * (1 + receivers(plan));
    size_t head = (sizeof(fob_board_t) + 63) / 64 * 64, slots = clients * sizeof(fob_bench_slot_t);
    size_t bytes = head + slots + sets * fob_tally_words(capacity) * sizeof(uint64_t);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    fob_board_t *self = memory;
    self->plan = plan;
    self->bytes = bytes;
    self->capacity = capacity;
    self->clients = clients;
    self->slots = (fob_bench_slot_t *)(void *)((char *)memory + head);
    self->words = (_Atomic uint64_t *)(void *)((char *)memory + head + slots);
    return self;
}

void fob_board_destroy(fob_board_t **self_p) {
    fob_board_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    munmap(self, self->bytes);
}

const fob_bench_plan_t *fob_board_plan(const fob_board_t *self) {
    return self->plan;
}

uint32_t fob_board_clients(const fob_board_t *self) {
    return self->clients;
}

fob_bench_slot_t *fob_board_slot(const fob_board_t *self, uint32_t client) {
    return &self->slots[client];
}

uint64_t fob_board_capacity(const fob_board_t *self) {
    return self->capacity;
}

uint32_t fob_board_receivers(const fob_board_t *self) {
    return receivers(self->plan);
}

static fob_tally_t set_at(const fob_board_t *self, size_t index) {
    return (fob_tally_t){self->words + index * fob_tally_words(self->capacity), self->capacity};
}

fob_tally_t fob_board_sent(const fob_board_t *self, uint32_t source) {
    return set_at(self, source);
}

fob_tally_t fob_board_seen(const fob_board_t *self, uint32_t receiver, uint32_t source) {
    return set_at(self, (size_t)(1 + receiver) * self->plan->publishers + source);
}

void fob_board_set(fob_board_t *self, fob_bench_phase_t phase) {
    if (phase == FOB_BENCH_RUN)
        atomic_store(&self->run_ns, fob_board_clock() + BEGIN_NS);
    if (phase == FOB_BENCH_DRAIN)
        atomic_store(&self->drain_ns, fob_board_clock());
    atomic_store(&self->phase, (int)phase);
}

void fob_board_cut(fob_board_t *self) {
    atomic_store(&self->cut, true);
}

fob_bench_phase_t fob_board_phase(const fob_board_t *self) {
    return (fob_bench_phase_t)atomic_load_explicit(&self->phase, memory_order_acquire);
}

bool fob_board_is_cut(const fob_board_t *self) {
    return atomic_load_explicit(&self->cut, memory_order_relaxed);
}

int64_t fob_board_run_ns(const fob_board_t *self) {
    return atomic_load(&self->run_ns);
}

int64_t fob_board_drain_ns(const fob_board_t *self) {
    return atomic_load(&self->drain_ns);
}

int64_t fob_board_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * FOB_SEC + now.tv_nsec;
}
