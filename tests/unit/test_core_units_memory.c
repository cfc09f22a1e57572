/* A checkpoint where memory is refused: it is read whole or not at all, and taken or not. */
#include "scarce.h"
#include "test_core_whole.h"

#include "bus/core/events/topics.h"
#include "tests/support/case.h"

#include <stdlib.h>

#define SLICES_MAX 100

static fob_buf_t slices[SLICES_MAX];
static size_t slice_count;

/* Takes a checkpoint; false: memory was refused, and it says so. */
static bool take_all(fob_core_t *of) {
    bool more = true;
    scarce.watching = true;
    fob_core_checkpoint_begin(of);
    while (more) {
        fob_buf_t *slice = &slices[slice_count];
        *slice = (fob_buf_t){0};
        more = fob_core_checkpoint_next(of, slice);
        slice_count += more;
        assert_true(slice_count < SLICES_MAX);
    }
    scarce.watching = false;
    bool failed = slices[slice_count].failed;
    fob_buf_free(&slices[slice_count]);
    return !failed;
}

static void drop_slices(void) {
    while (slice_count)
        fob_buf_free(&slices[--slice_count]);
}

static fob_core_t *core;
static uint64_t hash;

static void taking(void *arg) {
    (void)arg;
    bool taken = take_all(core);
    assert_int_equal(taken, scarce.failed == 0);
    assert_int_equal(fob_core_hash(core), hash);
    drop_slices();
}

static void a_checkpoint_is_taken_or_is_said_to_be_none(void **state) {
    (void)state;
    core = whole_core(2000);
    hash = fob_core_hash(core);
    scarce_each("core: checkpoint", 5, taking, NULL);
    fob_core_destroy(&core);
}

static fob_status_t load_all(fob_core_t *into) {
    fob_status_t status = FOB_OK;
    scarce.watching = true;
    for (size_t i = 0; i < slice_count && status == FOB_OK; i++)
        status = fob_core_load(into, fob_buf_slice(&slices[i]));
    scarce.watching = false;
    return status;
}

static void reading(void *arg) {
    (void)arg;
    fob_core_t *again = fob_core_new(&kit_config);
    fob_status_t status = load_all(again);
    /* A table that cannot be spread is slower, and no failure. */
    assert_true(status == FOB_OK || (scarce.failed && status == FOB_NO_MEMORY));
    if (status == FOB_OK)
        assert_int_equal(fob_core_hash(again), hash);
    fob_core_destroy(&again);
}

static void a_checkpoint_is_read_or_there_is_no_memory(void **state) {
    (void)state;
    core = whole_core(2000);
    hash = fob_core_hash(core);
    assert_true(take_all(core));
    scarce_each("core: load", 50, reading, NULL);
    drop_slices();
    fob_core_destroy(&core);
}

/* Whatever is not remembered of a topic, `prev` leaves out none of its events. */
static void linking(void *arg) {
    (void)arg;
    static const char *const names[] = {"a", "b", "a", "c", "b", "d", "a", "d", "c", "b"};
    uint64_t last_of['d' + 1] = {0}, last = 0;
    fob_chain_t chain;
    assert_true(fob_chain_init(&chain, 3, 1 << 20));
    scarce.watching = true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        fob_linked_t link = fob_chain_link(&chain, fob_slice_str(names[i]), last + 1, 2);
        uint64_t *of = &last_of[(size_t)names[i][0]];
        assert_true(link.prev >= *of && link.prev <= last);
        assert_true(link.nth == 1 ? link.born == last + 1 : link.born <= *of);
        *of = last += 2;
    }
    scarce.watching = false;
    fob_chain_free(&chain);
}

static void a_chain_passes_over_no_event_where_a_topic_cannot_be_kept(void **state) {
    (void)state;
    scarce_each("core: topics", 3, linking, NULL);
}

FOB_MAIN(FOB_CASE(a_checkpoint_is_taken_or_is_said_to_be_none),
         FOB_CASE(a_checkpoint_is_read_or_there_is_no_memory),
         FOB_CASE(a_chain_passes_over_no_event_where_a_topic_cannot_be_kept))
