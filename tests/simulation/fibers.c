#include "fibers.h"

#include "random.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

#define STACK_BYTES ((size_t)512 * 1024)
#define GUARD_BYTES ((size_t)4096)
#define MOST_FIBERS 32
#define MOST_BELLS  16
#define FIRST_BELL  1000000 /* no descriptor of the system's */
#define WALL_START  INT64_C(1700000000000)
#define MONO_START  INT64_C(5000000)
/* Turns in which no time passes: more than any work takes. */
#define MOST_RESTLESS UINT64_C(3000000)

typedef enum { READY, SLEEPS, WAITS_LOCK, WAITS_COND, WAITS_END, WAITS_BELL, ENDED } state_t;

typedef struct fiber {
    fibers_t *fibers;
    ucontext_t context;
    void *stack;      /* mapped: a guard page, then the stack; NULL: the thread's own */
    void *fake;       /* the sanitizer's */
    const void *base; /* of the stack, for the sanitizer */
    size_t size;
    state_t state;
    const void *on;  /* what it waits for */
    int64_t wake_at; /* us; -1: at no time */
    bool timed_out;
    void *(*run)(void *);
    void *arg;
} fiber_t;

struct fibers {
    fob_runtime_t runtime;
    sim_random_t random;
    fiber_t home; /* the thread that runs them */
    fiber_t *all[MOST_FIBERS];
    size_t count;
    fiber_t *now;
    int64_t us, jumped_ms;
    uint64_t turns, most_turns;
    fibers_end_t end;
    void (*stuck)(void *arg); /* home is one of them, and is told so; NULL: it runs them */
    void *stuck_arg;
    bool set[MOST_BELLS], open[MOST_BELLS];
};

/* --- switching --- */

/* What the sanitizers must know of the stack that is left and the one that is entered. */
static void before_switch(fiber_t *from, const fiber_t *to) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(from->state == ENDED ? NULL : &from->fake, to->base, to->size);
#elif defined(__SANITIZE_THREAD__)
    (void)from;
    __tsan_switch_to_fiber(to->fake, 0);
#else
    (void)from, (void)to;
#endif
}

static void after_switch(fiber_t *self) {
#if defined(__SANITIZE_ADDRESS__)
    /* The first switch tells where the thread's own stack is. */
    fiber_t *home = &self->fibers->home;
    const void *base;
    size_t size;
    __sanitizer_finish_switch_fiber(self->fake, &base, &size);
    if (home->base == NULL) {
        home->base = base;
        home->size = size;
    }
#else
    (void)self;
#endif
}

static void switch_to(fibers_t *self, fiber_t *to) {
    fiber_t *from = self->now;
    if (from == to)
        return;
    self->now = to;
    before_switch(from, to);
    swapcontext(&from->context, &to->context);
    after_switch(from);
}

static fiber_t *choose_ready(fibers_t *self) {
    fiber_t *ready[MOST_FIBERS];
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++)
        if (self->all[i]->state == READY)
            ready[count++] = self->all[i];
    return count == 0 ? NULL : ready[sim_random_below(&self->random, count)];
}

/* Moves the time to the next that somebody waits for. False: nobody does. */
static bool advance(fibers_t *self) {
    int64_t at = -1;
    for (size_t i = 0; i < self->count; i++) {
        const fiber_t *fiber = self->all[i];
        if (fiber->state != ENDED && fiber->wake_at >= 0 && (at < 0 || fiber->wake_at < at))
            at = fiber->wake_at;
    }
    if (at < 0)
        return false;
    if (at > self->us) {
        self->us = at;
        if (self->stuck != NULL)
            self->most_turns = self->turns + MOST_RESTLESS;
    }
    for (size_t i = 0; i < self->count; i++) {
        fiber_t *fiber = self->all[i];
        if (fiber->state == ENDED || fiber->wake_at < 0 || fiber->wake_at > self->us)
            continue;
        fiber->timed_out = true;
        fiber->wake_at = -1;
        fiber->state = READY;
    }
    return true;
}

static bool all_ended(const fibers_t *self) {
    for (size_t i = 0; i < self->count; i++)
        if (self->all[i]->state != ENDED)
            return false;
    return true;
}

/* The next one runs, in place of the one that calls. */
static void next(fibers_t *self) {
    fiber_t *chosen = choose_ready(self);
    while (chosen == NULL && advance(self))
        chosen = choose_ready(self);
    if (chosen == NULL)
        self->end = all_ended(self) ? FIBERS_ENDED : FIBERS_STUCK;
    else if (self->turns >= self->most_turns)
        self->end = FIBERS_LATE;
    else
        self->turns++;
    bool goes_on = chosen != NULL && self->end != FIBERS_LATE;
    if (!goes_on && self->stuck != NULL)
        self->stuck(self->stuck_arg);
    switch_to(self, goes_on ? chosen : &self->home);
}

/* Waits for `on`, at most `us`. True: it was woken, and not by the time. */
static bool wait_for(fibers_t *self, state_t state, const void *on, int64_t us) {
    fiber_t *fiber = self->now;
    fiber->state = state;
    fiber->on = on;
    fiber->wake_at = us < 0 ? -1 : self->us + us;
    fiber->timed_out = false;
    next(self);
    return !fiber->timed_out;
}

static void wake(fiber_t *fiber) {
    fiber->state = READY;
    fiber->wake_at = -1;
}

static void wake_all(fibers_t *self, state_t state, const void *on) {
    for (size_t i = 0; i < self->count; i++)
        if (self->all[i]->state == state && self->all[i]->on == on)
            wake(self->all[i]);
}

static void wake_one(fibers_t *self, state_t state, const void *on) {
    fiber_t *waiting[MOST_FIBERS];
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++)
        if (self->all[i]->state == state && self->all[i]->on == on)
            waiting[count++] = self->all[i];
    if (count > 0)
        wake(waiting[sim_random_below(&self->random, count)]);
}

void fibers_yield(fibers_t *self) {
    next(self);
}

/* Where a thread could be interrupted; not each time, so that some run far before others begin. */
static void maybe_yield(fibers_t *self) {
    if (sim_random_once(&self->random, 4))
        next(self);
}

void fibers_sleep(fibers_t *self, int64_t us) {
    if (us <= 0)
        fibers_yield(self);
    else
        wait_for(self, SLEEPS, NULL, us);
}

/* --- fibers --- */

static void enter(unsigned high, unsigned low) {
    /* makecontext hands over ints only. */
    fiber_t *self = (fiber_t *)(((uintptr_t)high << 32) | low);
    after_switch(self);
    self->run(self->arg);
    self->state = ENDED;
    wake_all(self->fibers, WAITS_END, self);
    next(self->fibers);
    abort(); /* nobody goes on where a fiber has ended */
}

static void fiber_free(fiber_t *self) {
    if (self == NULL)
        return;
#if defined(__SANITIZE_THREAD__)
    if (self->fake != NULL)
        __tsan_destroy_fiber(self->fake);
#endif
#if defined(__SANITIZE_ADDRESS__)
    /* Frames that never returned; whoever is mapped there next must not stumble over them. */
    ASAN_UNPOISON_MEMORY_REGION(self->stack, STACK_BYTES);
#endif
    munmap(self->stack, STACK_BYTES);
    free(self);
}

/* By itself, as getcontext may return twice as far as a compiler knows. */
static void prepare(fiber_t *self) {
    getcontext(&self->context);
    self->context.uc_stack.ss_sp = (void *)(uintptr_t)self->base;
    self->context.uc_stack.ss_size = self->size;
    uintptr_t bits = (uintptr_t)self;
    makecontext(&self->context, (void (*)(void))(uintptr_t)enter, 2, (unsigned)(bits >> 32),
                (unsigned)bits);
}

static fiber_t *fiber_new(fibers_t *self, void *(*run)(void *), void *arg) {
    fiber_t *fiber = calloc(1, sizeof *fiber);
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (fiber == NULL || stack == MAP_FAILED || mprotect(stack, GUARD_BYTES, PROT_NONE) != 0) {
        if (stack != MAP_FAILED)
            munmap(stack, STACK_BYTES);
        free(fiber);
        return NULL;
    }
    *fiber = (fiber_t){.fibers = self,
                       .stack = stack,
                       .base = (char *)stack + GUARD_BYTES,
                       .size = STACK_BYTES - GUARD_BYTES,
                       .state = READY,
                       .wake_at = -1,
                       .run = run,
                       .arg = arg};
#if defined(__SANITIZE_THREAD__)
    fiber->fake = __tsan_create_fiber(0);
#endif
    prepare(fiber);
    return fiber;
}

static int add(fibers_t *self, void *(*run)(void *), void *arg, fiber_t **out) {
    if (self->count == MOST_FIBERS)
        return EAGAIN;
    fiber_t *fiber = fiber_new(self, run, arg);
    if (fiber == NULL)
        return ENOMEM;
    self->all[self->count++] = fiber;
    *out = fiber;
    return 0;
}

static void drop(fibers_t *self, fiber_t *fiber) {
    for (size_t i = 0; i < self->count; i++) {
        if (self->all[i] != fiber)
            continue;
        memmove(&self->all[i], &self->all[i + 1], (--self->count - i) * sizeof *self->all);
        break;
    }
    fiber_free(fiber);
}

/* --- the runtime --- */

static int sim_start(void *arg, fob_task_t *task, void *(*run)(void *), void *run_arg) {
    fibers_t *self = arg;
    fiber_t *fiber;
    int rc = add(self, run, run_arg, &fiber);
    if (rc != 0)
        return rc;
    task->of.other = fiber;
    maybe_yield(self);
    return 0;
}

static void sim_join(void *arg, fob_task_t *task) {
    fibers_t *self = arg;
    fiber_t *fiber = task->of.other;
    while (fiber->state != ENDED)
        wait_for(self, WAITS_END, fiber, -1);
    drop(self, fiber);
    task->of.other = NULL;
}

/* A lock's first word is its holder. */
static int sim_lock_init(void *arg, fob_lock_t *lock) {
    (void)arg;
    memset(&lock->of, 0, sizeof lock->of);
    return 0;
}

static void sim_lock_destroy(void *arg, fob_lock_t *lock) {
    (void)arg;
    assert(lock->of.other[0] == NULL);
    (void)lock;
}

static void take(fibers_t *self, fob_lock_t *lock) {
    assert(lock->of.other[0] != self->now); /* it would wait for itself */
    while (lock->of.other[0] != NULL)
        wait_for(self, WAITS_LOCK, lock, -1);
    lock->of.other[0] = self->now;
}

static void release(fibers_t *self, fob_lock_t *lock) {
    assert(lock->of.other[0] == self->now);
    lock->of.other[0] = NULL;
    wake_all(self, WAITS_LOCK, lock);
}

static void sim_lock_take(void *arg, fob_lock_t *lock) {
    maybe_yield(arg);
    take(arg, lock);
}

static void sim_lock_drop(void *arg, fob_lock_t *lock) {
    release(arg, lock);
    maybe_yield(arg);
}

static int sim_cond_init(void *arg, fob_cond_t *cond) {
    (void)arg;
    memset(&cond->of, 0, sizeof cond->of);
    return 0;
}

static void sim_cond_destroy(void *arg, fob_cond_t *cond) {
    const fibers_t *self = arg;
    for (size_t i = 0; i < self->count; i++)
        assert(self->all[i]->state != WAITS_COND || self->all[i]->on != cond);
    (void)cond;
}

static void sim_cond_wait(void *arg, fob_cond_t *cond, fob_lock_t *lock, int64_t ms) {
    fibers_t *self = arg;
    release(self, lock);
    /* Now and then for no reason, as a thread may. */
    if (sim_random_once(&self->random, 32))
        next(self);
    else
        wait_for(self, WAITS_COND, cond, ms < 0 ? -1 : ms * 1000);
    take(self, lock);
}

static void sim_cond_signal(void *arg, fob_cond_t *cond) {
    wake_one(arg, WAITS_COND, cond);
}

static void sim_cond_broadcast(void *arg, fob_cond_t *cond) {
    wake_all(arg, WAITS_COND, cond);
}

static int64_t sim_mono_ms(void *arg) {
    return MONO_START + fibers_now(arg) / 1000;
}

static int64_t sim_wall_ms(void *arg) {
    const fibers_t *self = arg;
    return WALL_START + self->jumped_ms + fibers_now(self) / 1000;
}

static uint64_t sim_random64(void *arg) {
    return sim_random_next(&((fibers_t *)arg)->random);
}

static int sim_bell_open(void *arg) {
    fibers_t *self = arg;
    for (int i = 0; i < MOST_BELLS; i++) {
        if (self->open[i])
            continue;
        self->open[i] = true;
        self->set[i] = false;
        return FIRST_BELL + i;
    }
    errno = EMFILE;
    return -1;
}

static bool *bell(fibers_t *self, int fd) {
    assert(fd >= FIRST_BELL && fd < FIRST_BELL + MOST_BELLS && self->open[fd - FIRST_BELL]);
    return &self->set[fd - FIRST_BELL];
}

static void sim_bell_close(void *arg, int fd) {
    fibers_t *self = arg;
    *bell(self, fd) = false;
    self->open[fd - FIRST_BELL] = false;
}

static void sim_bell_set(void *arg, int fd) {
    bool *set = bell(arg, fd);
    assert(!*set); /* once only between two clears */
    *set = true;
    wake_all(arg, WAITS_BELL, set);
    maybe_yield(arg);
}

static void sim_bell_clear(void *arg, int fd) {
    *bell(arg, fd) = false;
    maybe_yield(arg);
}

/* --- from outside --- */

fibers_t *fibers_new(uint64_t seed) {
    fibers_t *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->random = sim_random_new(seed);
    self->home.fibers = self;
    self->home.wake_at = -1;
    self->runtime = (fob_runtime_t){.arg = self,
                                    .start = sim_start,
                                    .join = sim_join,
                                    .lock_init = sim_lock_init,
                                    .lock_destroy = sim_lock_destroy,
                                    .lock_take = sim_lock_take,
                                    .lock_drop = sim_lock_drop,
                                    .cond_init = sim_cond_init,
                                    .cond_destroy = sim_cond_destroy,
                                    .cond_wait = sim_cond_wait,
                                    .cond_signal = sim_cond_signal,
                                    .cond_broadcast = sim_cond_broadcast,
                                    .mono_ms = sim_mono_ms,
                                    .wall_ms = sim_wall_ms,
                                    .random64 = sim_random64,
                                    .bell_open = sim_bell_open,
                                    .bell_close = sim_bell_close,
                                    .bell_set = sim_bell_set,
                                    .bell_clear = sim_bell_clear};
    return self;
}

void fibers_destroy(fibers_t **self_p) {
    if (self_p == NULL || *self_p == NULL)
        return;
    fibers_t *self = *self_p;
    for (size_t i = 0; i < self->count; i++)
        if (self->all[i] != &self->home)
            fiber_free(self->all[i]);
    free(self);
    *self_p = NULL;
}

fibers_end_t fibers_run(fibers_t *self, void *(*run)(void *), void *arg, uint64_t turns) {
    fiber_t *first;
    self->most_turns = turns;
#if defined(__SANITIZE_THREAD__)
    self->home.fake = __tsan_get_current_fiber();
#endif
    self->now = &self->home;
    int rc = add(self, run, arg, &first);
    assert(rc == 0);
    (void)rc;
    next(self);
    self->now = NULL;
    return self->end;
}

void fibers_join_in(fibers_t *self, void (*stuck)(void *arg), void *arg) {
#if defined(__SANITIZE_THREAD__)
    self->home.fake = __tsan_get_current_fiber();
#endif
    self->stuck = stuck;
    self->stuck_arg = arg;
    self->most_turns = MOST_RESTLESS;
    self->home.state = READY;
    self->now = self->all[self->count++] = &self->home;
}

int64_t fibers_due(const fibers_t *self) {
    int64_t at = -1;
    for (size_t i = 0; i < self->count; i++) {
        const fiber_t *fiber = self->all[i];
        if (fiber == self->now || fiber->state == ENDED)
            continue;
        if (fiber->state == READY)
            return self->us;
        if (fiber->wake_at >= 0 && (at < 0 || fiber->wake_at < at))
            at = fiber->wake_at;
    }
    return at;
}

void fibers_rest(fibers_t *self, int64_t until_us) {
    if (until_us > self->us)
        fibers_sleep(self, until_us - self->us);
    for (int64_t at = fibers_due(self); at >= 0 && at <= self->us; at = fibers_due(self))
        fibers_yield(self);
}

void fibers_print(const fibers_t *self) {
    static const char *const names[] = {"ready",
                                        "asleep",
                                        "waits for a lock",
                                        "waits for a condition",
                                        "waits for an end",
                                        "waits for a bell",
                                        "ended"};
    fprintf(stderr, "at %" PRId64 " us, turn %" PRIu64 ":\n", self->us, self->turns);
    for (size_t i = 0; i < self->count; i++)
        fprintf(stderr, "    fiber %zu: %s %p\n", i, names[self->all[i]->state], self->all[i]->on);
}

const fob_runtime_t *fibers_runtime(fibers_t *self) {
    return &self->runtime;
}

int64_t fibers_now(const fibers_t *self) {
    return self->us;
}

uint64_t fibers_turns(const fibers_t *self) {
    return self->turns;
}

bool fibers_bell(const fibers_t *self, int fd) {
    return *bell((fibers_t *)(uintptr_t)self, fd);
}

bool fibers_wait_bell(fibers_t *self, int fd, int64_t us) {
    const bool *set = bell(self, fd);
    int64_t until = us < 0 ? -1 : self->us + us;
    while (!*set) {
        if (until >= 0 && self->us >= until)
            return false;
        wait_for(self, WAITS_BELL, set, until < 0 ? -1 : until - self->us);
    }
    return true;
}

void fibers_jump(fibers_t *self, int64_t ms) {
    self->jumped_ms += ms;
}
