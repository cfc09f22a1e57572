#include "tests/support/case.h"

#include "fibers.h"

#include <setjmp.h>
#include <stdlib.h>

typedef struct {
    fibers_t *fibers;
    const fob_runtime_t *runtime;
    fob_lock_t lock;
    fob_cond_t cond;
    unsigned inside, most_inside, count;
    bool flag, yields;
    int bell;
    uint64_t trace; /* who did what, in order */
    int64_t at;
    jmp_buf out;
} world_t;

static void note(world_t *self, uint64_t what) {
    self->trace = (self->trace ^ what) * UINT64_C(0x100000001b3);
}

static world_t *world_new(uint64_t seed) {
    world_t *self = calloc(1, sizeof *self);
    self->fibers = fibers_new(seed);
    assert_non_null(self->fibers);
    self->runtime = fibers_runtime(self->fibers);
    return self;
}

static fibers_end_t world_run(world_t *self, void *(*run)(void *)) {
    return fibers_run(self->fibers, run, self, 100000);
}

static void world_free(world_t *self) {
    fibers_destroy(&self->fibers);
    free(self);
}

/* Starts `count` fibers with a lock and a condition to share, and waits for their ends. */
static void beside(world_t *self, unsigned count, void *(*run)(void *)) {
    fob_task_t tasks[8];
    assert_int_equal(fob_lock_init(&self->lock, self->runtime), 0);
    assert_int_equal(fob_cond_init(&self->cond, self->runtime), 0);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(self->runtime->start(self->runtime->arg, &tasks[i], run, self), 0);
    for (unsigned i = 0; i < count; i++)
        self->runtime->join(self->runtime->arg, &tasks[i]);
    fob_cond_destroy(&self->cond);
    fob_lock_destroy(&self->lock);
}

static void *take_turns(void *arg) {
    world_t *self = arg;
    unsigned id = ++self->count;
    for (unsigned i = 0; i < 50; i++) {
        fob_lock_take(&self->lock);
        self->inside++;
        if (self->inside > self->most_inside)
            self->most_inside = self->inside;
        note(self, id);
        if (self->yields)
            fibers_yield(self->fibers);
        self->inside--;
        fob_lock_drop(&self->lock);
    }
    return NULL;
}

static void *four_take_turns(void *arg) {
    beside(arg, 4, take_turns);
    return NULL;
}

static uint64_t trace_of(uint64_t seed) {
    world_t *world = world_new(seed);
    assert_int_equal(world_run(world, four_take_turns), FIBERS_ENDED);
    uint64_t trace = world->trace;
    world_free(world);
    return trace;
}

static void a_seed_repeats_a_run_and_another_does_not(void **state) {
    (void)state;
    assert_true(trace_of(1) == trace_of(1));
    assert_true(trace_of(2) == trace_of(2));
    assert_true(trace_of(1) != trace_of(2));
}

static void a_lock_has_one_holder(void **state) {
    (void)state;
    world_t *world = world_new(3);
    world->yields = true;
    assert_int_equal(world_run(world, four_take_turns), FIBERS_ENDED);
    assert_int_equal(world->most_inside, 1);
    assert_int_equal(world->count, 4);
    world_free(world);
}

static void *wait_flag(void *arg) {
    world_t *self = arg;
    fob_lock_take(&self->lock);
    while (!self->flag)
        fob_cond_wait(&self->cond, &self->lock, -1);
    self->count++;
    fob_lock_drop(&self->lock);
    return NULL;
}

static void *set_flag_later(void *arg) {
    world_t *self = arg;
    fibers_sleep(self->fibers, 5000000);
    fob_lock_take(&self->lock);
    self->flag = true;
    fob_cond_broadcast(&self->cond);
    fob_lock_drop(&self->lock);
    return NULL;
}

static void *three_wait_for_one(void *arg) {
    world_t *self = arg;
    fob_task_t task;
    assert_int_equal(self->runtime->start(self->runtime->arg, &task, set_flag_later, self), 0);
    beside(self, 3, wait_flag);
    self->runtime->join(self->runtime->arg, &task);
    self->at = fibers_now(self->fibers);
    return NULL;
}

static void a_broadcast_wakes_all_who_wait(void **state) {
    (void)state;
    world_t *world = world_new(4);
    assert_int_equal(world_run(world, three_wait_for_one), FIBERS_ENDED);
    assert_int_equal(world->count, 3);
    assert_int_equal(world->at, 5000000);
    world_free(world);
}

static void *wait_a_second(void *arg) {
    world_t *self = arg;
    int64_t until = fob_mono_ms(self->runtime) + 1000, now;
    fob_lock_take(&self->lock);
    while ((now = fob_mono_ms(self->runtime)) < until)
        fob_cond_wait(&self->cond, &self->lock, until - now);
    fob_lock_drop(&self->lock);
    self->at = fibers_now(self->fibers);
    return NULL;
}

static void *one_waits_a_second(void *arg) {
    beside(arg, 1, wait_a_second);
    return NULL;
}

static void time_moves_only_when_nobody_can_run(void **state) {
    (void)state;
    world_t *world = world_new(5);
    assert_int_equal(world_run(world, one_waits_a_second), FIBERS_ENDED);
    assert_int_equal(world->at, 1000000);
    world_free(world);
    world = world_new(5);
    assert_int_equal(world_run(world, four_take_turns), FIBERS_ENDED);
    assert_int_equal(fibers_now(world->fibers), 0);
    world_free(world);
}

static void *wait_for_nobody(void *arg) {
    beside(arg, 2, wait_flag);
    return NULL;
}

static void those_who_wait_for_what_nobody_does_are_found(void **state) {
    (void)state;
    world_t *world = world_new(6);
    assert_int_equal(world_run(world, wait_for_nobody), FIBERS_STUCK);
    world_free(world);
}

static void *never_end(void *arg) {
    world_t *self = arg;
    for (;;)
        fibers_yield(self->fibers);
    return NULL;
}

static void a_run_without_an_end_is_found(void **state) {
    (void)state;
    world_t *world = world_new(7);
    assert_int_equal(world_run(world, never_end), FIBERS_LATE);
    world_free(world);
}

static void *ring(void *arg) {
    world_t *self = arg;
    fibers_sleep(self->fibers, 300);
    self->runtime->bell_set(self->runtime->arg, self->bell);
    return NULL;
}

static void *hear(void *arg) {
    world_t *self = arg;
    const fob_runtime_t *runtime = self->runtime;
    fob_task_t task;
    self->bell = runtime->bell_open(runtime->arg);
    assert_int_equal(runtime->start(runtime->arg, &task, ring, self), 0);
    assert_false(fibers_wait_bell(self->fibers, self->bell, 100));
    assert_int_equal(fibers_now(self->fibers), 100);
    assert_true(fibers_wait_bell(self->fibers, self->bell, -1));
    assert_int_equal(fibers_now(self->fibers), 300);
    runtime->bell_clear(runtime->arg, self->bell);
    assert_false(fibers_wait_bell(self->fibers, self->bell, 0));
    runtime->join(runtime->arg, &task);
    runtime->bell_close(runtime->arg, self->bell);
    self->flag = true;
    return NULL;
}

static void a_bell_is_heard_until_it_is_cleared(void **state) {
    (void)state;
    world_t *world = world_new(8);
    assert_int_equal(world_run(world, hear), FIBERS_ENDED);
    assert_true(world->flag);
    world_free(world);
}

static void *jump(void *arg) {
    world_t *self = arg;
    int64_t wall = fob_wall_ms(self->runtime), mono = fob_mono_ms(self->runtime);
    fibers_jump(self->fibers, -3600000);
    assert_int_equal(fob_wall_ms(self->runtime), wall - 3600000);
    assert_int_equal(fob_mono_ms(self->runtime), mono);
    self->flag = true;
    return NULL;
}

static void the_wall_clock_jumps_and_the_other_does_not(void **state) {
    (void)state;
    world_t *world = world_new(9);
    assert_int_equal(world_run(world, jump), FIBERS_ENDED);
    assert_true(world->flag);
    world_free(world);
}

static void *tick(void *arg) {
    world_t *self = arg;
    for (unsigned i = 0; i < 10; i++) {
        fibers_sleep(self->fibers, 100);
        self->count++;
    }
    self->runtime->bell_set(self->runtime->arg, self->bell);
    return NULL;
}

static void never_told(void *arg) {
    (void)arg;
    fail_msg("it waits for what nobody does");
}

static void one_who_joins_in_moves_the_time_and_others_work_meanwhile(void **state) {
    (void)state;
    world_t *world = world_new(10);
    fibers_t *fibers = world->fibers;
    fob_task_t task;
    fibers_join_in(fibers, never_told, NULL);
    assert_int_equal(fibers_due(fibers), -1);
    world->bell = world->runtime->bell_open(world->runtime->arg);
    assert_int_equal(world->runtime->start(world->runtime->arg, &task, tick, world), 0);
    fibers_rest(fibers, 350);
    assert_int_equal(fibers_now(fibers), 350);
    assert_int_equal(world->count, 3);
    assert_int_equal(fibers_due(fibers), 400);
    assert_true(fibers_wait_bell(fibers, world->bell, 5000));
    assert_int_equal(fibers_now(fibers), 1000);
    fibers_rest(fibers, 2000);
    assert_int_equal(fibers_due(fibers), -1);
    world->runtime->join(world->runtime->arg, &task);
    world->runtime->bell_close(world->runtime->arg, world->bell);
    world_free(world);
}

static void told_by(void *arg) {
    world_t *self = arg;
    self->flag = true;
    fibers_print(self->fibers);
    longjmp(self->out, 1);
}

static void one_who_joined_in_is_told_that_all_are_stuck(void **state) {
    (void)state;
    world_t *world = world_new(11);
    fibers_join_in(world->fibers, told_by, world);
    assert_int_equal(fob_lock_init(&world->lock, world->runtime), 0);
    assert_int_equal(fob_cond_init(&world->cond, world->runtime), 0);
    if (setjmp(world->out) == 0) {
        fob_lock_take(&world->lock);
        for (;;)
            fob_cond_wait(&world->cond, &world->lock, -1);
    }
    assert_true(world->flag);
    world_free(world);
}

FOB_MAIN(FOB_CASE(a_seed_repeats_a_run_and_another_does_not), FOB_CASE(a_lock_has_one_holder),
         FOB_CASE(a_broadcast_wakes_all_who_wait), FOB_CASE(time_moves_only_when_nobody_can_run),
         FOB_CASE(those_who_wait_for_what_nobody_does_are_found),
         FOB_CASE(a_run_without_an_end_is_found), FOB_CASE(a_bell_is_heard_until_it_is_cleared),
         FOB_CASE(the_wall_clock_jumps_and_the_other_does_not),
         FOB_CASE(one_who_joins_in_moves_the_time_and_others_work_meanwhile),
         FOB_CASE(one_who_joined_in_is_told_that_all_are_stuck))
