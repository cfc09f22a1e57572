/* A checker is told facts, as a world tells them: what it excuses, and what it does not. */
#include "tests/support/case.h"

#include "checkers/checker.h"

#include "proto/wire.h"

#define CONN   7
#define OFFSET 9
#define TOKEN  5

typedef struct {
    sim_stored_t events[OFFSET + 1];
    sim_group_t group;
    sim_ground_t ground;
    sim_checker_t checker;
    int64_t now_ns;
    uint64_t position;
    unsigned broken;
} story_t;

static void on_broken(void *arg, const sim_checker_t *checker, const char *text) {
    (void)checker, (void)text;
    ((story_t *)arg)->broken++;
}

static void story_begin(story_t *self, const sim_checker_ops_t *ops) {
    *self = (story_t){.group = {.id = 1, .name = "orders"}};
    self->ground = (sim_ground_t){.events = self->events,
                                  .head = OFFSET,
                                  .room = OFFSET + 1,
                                  .groups = &self->group,
                                  .group_count = 1,
                                  .group_room = 1};
    self->checker = (sim_checker_t){.ops = ops,
                                    .ground = &self->ground,
                                    .own = sim_alloc(ops->size),
                                    .fail = on_broken,
                                    .arg = self};
    for (uint64_t o = 1; o <= OFFSET; o++)
        self->events[o] = (sim_stored_t){.there = true, .hit = o > OFFSET / 2};
}

static unsigned story_end(story_t *self) {
    self->checker.ops->end(&self->checker);
    free(self->checker.own);
    return self->broken;
}

/* Each takes a second. */
static void tell(story_t *self, sim_fact_t fact) {
    self->now_ns += FOB_SEC;
    fact.now_ns = self->now_ns;
    fact.group = &self->group;
    self->checker.ops->fact(&self->checker, &fact);
}

static void starts(story_t *self) {
    tell(self, (sim_fact_t){.kind = SIM_BUS_UP});
}

static void delivers(story_t *self) {
    tell(self,
         (sim_fact_t){
             .kind = SIM_DELIVERED, .worker = CONN, .offset = OFFSET, .count = 1, .token = TOKEN});
}

static void decides(story_t *self, fob_run_record_t run) {
    tell(self, (sim_fact_t){.kind = SIM_RUN, .run = &run, .position = ++self->position});
}

/* The offsets from `from` on cannot be read. */
static void passes_over(story_t *self, uint64_t from) {
    decides(self, (fob_run_record_t){.verb = FOB_RUN_COVER,
                                     .flags = FOB_RUN_DAMAGED,
                                     .reason = FOB_REASON_DAMAGED,
                                     .from = from,
                                     .to = OFFSET});
}

static void claims_and_is_refused(story_t *self, fob_status_t status) {
    const uint8_t claims[] = {0x91, 0x93, OFFSET, 1, TOKEN};
    const uint8_t refused[] = {0x91, 0x94, (uint8_t)status, OFFSET, 1, TOKEN};
    static const sim_books_t books = {.at_rest = true};
    tell(self, (sim_fact_t){.kind = SIM_JOINING,
                            .worker = CONN,
                            .bytes = fob_slice(claims, sizeof claims),
                            .position = self->position});
    tell(self, (sim_fact_t){.kind = SIM_JOINED,
                            .worker = CONN,
                            .bytes = fob_slice(refused, sizeof refused)});
    tell(self, (sim_fact_t){.kind = SIM_BOOKS, .books = &books});
}

/* An event that may be harmed is with a worker, and the bus starts anew. */
static void is_out_over_a_start(story_t *self) {
    story_begin(self, &sim_check_kept);
    starts(self);
    delivers(self);
    starts(self);
}

/* A walk finds that it cannot be read; its worker claims it after one more start. */
static void is_passed_over_and_refused(story_t *self) {
    passes_over(self, OFFSET / 2 + 1);
    starts(self);
    claims_and_is_refused(self, FOB_GONE);
}

static void a_claim_of_what_nobody_else_had_is_kept(void **state) {
    (void)state;
    story_t story;
    is_out_over_a_start(&story);
    claims_and_is_refused(&story, FOB_NOT_HELD);
    assert_int_equal(story_end(&story), 1);
}

static void what_could_not_be_read_after_a_start_is_gone_after_the_next_too(void **state) {
    (void)state;
    story_t story;
    is_out_over_a_start(&story);
    is_passed_over_and_refused(&story);
    assert_int_equal(story_end(&story), 0);
}

static void damage_of_a_segment_does_not_take_what_has_a_record_of_its_own(void **state) {
    (void)state;
    story_t story;
    is_out_over_a_start(&story);
    decides(&story, (fob_run_record_t){.verb = FOB_RUN_HANDOUT,
                                       .flags = FOB_RUN_FRESH,
                                       .count = 1,
                                       .from = OFFSET,
                                       .to = OFFSET,
                                       .token = TOKEN});
    starts(&story);
    is_passed_over_and_refused(&story);
    assert_int_equal(story_end(&story), 1);
}

static void what_is_whole_is_not_taken_by_damage(void **state) {
    (void)state;
    story_t story;
    is_out_over_a_start(&story);
    story.events[OFFSET].hit = false;
    is_passed_over_and_refused(&story);
    assert_int_equal(story_end(&story), 1);
}

FOB_MAIN(FOB_CASE(a_claim_of_what_nobody_else_had_is_kept),
         FOB_CASE(what_could_not_be_read_after_a_start_is_gone_after_the_next_too),
         FOB_CASE(damage_of_a_segment_does_not_take_what_has_a_record_of_its_own),
         FOB_CASE(what_is_whole_is_not_taken_by_damage))
