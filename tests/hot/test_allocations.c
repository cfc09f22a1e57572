/* Once warm, an event costs no allocation, neither the bus nor its clients, but for the bytes of a
 * message, which a publisher hands to the socket. Counted on the hot line: malloc, calloc, realloc
 * and strdup of our own objects are led to tests/unit/scarce.c, which counts while it watches. */
#include "tests/support/case.h"

#include "hot_line.h"
#include "tests/unit/scarce.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WARM   1000 /* rounds: until the cache is full and every table has grown */
#define ROUNDS 100
#define BATCH  8 /* events in one message */

typedef struct {
    char folder[64];
    uint32_t batch;
    hot_line_t *line;
} world_t;

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *walk) {
    (void)stat, (void)kind, (void)walk;
    return remove(path);
}

static world_t warm_world(uint32_t batch) {
    world_t self = {"/tmp/fob-hot-XXXXXX", batch, NULL};
    assert_non_null(mkdtemp(self.folder));
    self.line = hot_line_new(self.folder, batch, 256);
    for (int i = 0; i < WARM; i++)
        for (const hot_stage_t *stage = hot_stages; stage->name; stage++)
            stage->run(self.line);
    return self;
}

static void end(world_t *self) {
    hot_line_check(self->line);
    hot_line_destroy(&self->line);
    assert_int_equal(nftw(self->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

/* How many allocations that stage makes in all the rounds, beside `beside`, which runs in it. */
static uint64_t allocations(world_t *self, const char *name, void (*beside)(void)) {
    uint64_t before = scarce.calls, found = 0;
    for (int i = 0; i < ROUNDS; i++)
        for (const hot_stage_t *stage = hot_stages; stage->name; stage++) {
            scarce.watching = strcmp(name, stage->name) == 0;
            found += scarce.watching;
            if (beside && scarce.watching)
                beside();
            stage->run(self->line);
            scarce.watching = false;
        }
    assert_int_equal(found, ROUNDS);
    return scarce.calls - before;
}

static void costs(world_t *self, const char *stage, uint64_t event, uint64_t message) {
    uint64_t most = ROUNDS * (event * self->batch + message);
    uint64_t found = allocations(self, stage, NULL);
    if (found > most)
        fail_msg("%s: %lu allocations in %d messages of %u, and %lu are allowed", stage,
                 (unsigned long)found, ROUNDS, (unsigned)self->batch, (unsigned long)most);
}

static void the_bus_allocates_nothing(uint32_t batch) {
    world_t world = warm_world(batch);
    costs(&world, "publish", 0, 0);
    costs(&world, "commit", 0, 0);
    costs(&world, "deliver", 0, 0);
    costs(&world, "settle", 0, 0);
    costs(&world, "pass", 0, 0);
    end(&world);
}

static void a_lone_event_costs_the_bus_no_allocation(void **state) {
    (void)state;
    the_bus_allocates_nothing(1);
}

static void nor_does_one_in_a_batch(void **state) {
    (void)state;
    the_bus_allocates_nothing(BATCH);
}

static void a_publisher_allocates_what_the_socket_gets_and_no_more(void **state) {
    (void)state;
    world_t world = warm_world(BATCH);
    costs(&world, "offer", 0, 1);
    costs(&world, "receipt", 0, 0);
    costs(&world, "fire", 0, 1);
    end(&world);
}

static void what_is_handed_out_is_given_back_and_used_again(void **state) {
    (void)state;
    world_t world = warm_world(BATCH);
    costs(&world, "handle", 0, 0);
    costs(&world, "sub", 0, 0);
    costs(&world, "hear", 0, 0);
    end(&world);
}

static void allocate(void) {
    void *volatile memory = malloc(1);
    assert_non_null(memory);
    free(memory);
}

static void an_allocation_is_seen(void **state) {
    (void)state;
    world_t world = warm_world(1);
    assert_int_equal(allocations(&world, "commit", allocate), ROUNDS);
    end(&world);
}

FOB_MAIN(FOB_CASE(a_lone_event_costs_the_bus_no_allocation), FOB_CASE(nor_does_one_in_a_batch),
         FOB_CASE(a_publisher_allocates_what_the_socket_gets_and_no_more),
         FOB_CASE(what_is_handed_out_is_given_back_and_used_again), FOB_CASE(an_allocation_is_seen))
