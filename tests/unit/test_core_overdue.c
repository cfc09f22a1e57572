/* Handlers that go on beyond their lease: the jobs that they occupy, and how these are freed. */
#include "bus/core/state.h"
#include "test_core_worker_kit.h"

#include "tests/support/case.h"

static kit_t kit;

static int setup(void **state) {
    (void)state;
    kit_init(&kit, &kit_config);
    kit.hash_turns = true;
    kit_pass(&kit, 3000); /* the resume window is over */
    return 0;
}

/* All of it is volatile: what is replayed has the same hash. */
static int teardown(void **state) {
    (void)state;
    kit_books(&kit);
    kit_crash(&kit, kit.position);
    kit_books(&kit);
    kit_free(&kit);
    return 0;
}

static fob_group_t *group(void) {
    fob_group_t *found = fob_groups_find(&kit.core->groups, fob_slice_str("g"));
    assert_non_null(found);
    return found;
}

/* What was shown, as text: "1: 5/1 6/2" is a delivery to connection 1 of offset 5 as attempt 1 and
 * 6 as attempt 2; "1- 5+2" a LOST of 5 and 6. Forgets it. */
static const char *heard(void) {
    static char text[2000];
    size_t at = 0;
    text[0] = 0;
    for (size_t i = 0; i < kit.shown_count; i++) {
        const kit_effect_t *effect = &kit.shown[i];
        bool delivery = effect->kind == FOB_EFF_DELIVER;
        if (!delivery && effect->kind != FOB_EFF_LOST)
            continue;
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%llu%c", at ? ", " : "",
                               (unsigned long long)effect->conn, delivery ? ':' : '-');
        for (size_t k = 0; k < effect->row_count; k++)
            at += (size_t)snprintf(text + at, sizeof text - at, " %llu%c%llu",
                                   (unsigned long long)effect->rows[k][0], delivery ? '/' : '+',
                                   (unsigned long long)effect->rows[k][delivery ? 2 : 1]);
    }
    kit_clear(&kit);
    return text;
}

static void settle(uint64_t conn, unsigned kind, uint64_t offset, uint64_t token) {
    kit_settle_why(&kit, conn, "g", kind, (uint64_t[]){offset, token}, 0, "");
}

/* The worker of connection 1 comes back as 7, and claims rows of [offset, count, token]. */
static void come_back_with(const uint64_t (*rows)[3], uint32_t count, uint64_t credit) {
    uint8_t session[FOB_SESSION_SIZE] = {1}; /* as kit_join_as gave it */
    fob_buf_t runs = {0};
    fob_pack_array(&runs, count);
    for (uint32_t i = 0; i < count; i++)
        fob_run_write(&runs, rows[i], 3);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                  .conn = 7,
                                  .join = {.session = session,
                                           .group = fob_slice_str("g"),
                                           .credit = credit,
                                           .jobs = 1,
                                           .claims = fob_buf_slice(&runs)}});
    fob_buf_free(&runs);
}

/* With so many events from offset and token `first` on. */
static void come_back(uint64_t first, uint64_t count, uint64_t credit) {
    come_back_with((const uint64_t[][3]){{first, count, first}}, count > 0, credit);
}

/* Three events with a worker of one job; the first has hung for as long as it may. */
static void one_hangs(void) {
    kit_join_as(&kit, 1, "g", 10, 1, "w", 1000);
    kit_publish(&kit, 1, 1, 1, "a", 3);
    assert_string_equal(heard(), "1: 1/1 2/1 3/1");
    kit_pass(&kit, 1000);
    assert_string_equal(heard(), "1- 1+1, 1- 2+2");
}

static void
what_is_behind_a_stuck_handler_goes_to_others_as_if_it_had_never_been_out(void **state) {
    (void)state;
    one_hangs();
    assert_int_equal(fob_back_find(&group()->back, 2)->history, 0);
    assert_int_equal(fob_back_find(&group()->back, 2)->reason, FOB_REASON_LEAVE);
    kit_join_as(&kit, 2, "g", 10, 1, "other", 0);
    assert_string_equal(heard(), "2: 1/2 2/1 3/1");
}

static void what_went_back_is_told_with_the_reason(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 10, 1, "w", 1000);
    kit_publish(&kit, 1, 1, 1, "a", 2);
    kit_pass(&kit, 1000);
    assert_string_equal(kit_last(&kit, FOB_EFF_LOST)->text,
                        "the handlers of all jobs are past their lease and have not ended");
}

static void a_stuck_worker_gets_nothing_until_it_tells_of_the_end(void **state) {
    (void)state;
    one_hangs();
    kit_publish(&kit, 1, 4, 4, "a", 1);
    kit_credit(&kit, 1, "g", 20);
    kit_pass(&kit, 100000);
    assert_string_equal(heard(), "");
    settle(1, FOB_KIND_REJECT, 1, 1); /* of any kind */
    assert_int_equal(kit_last(&kit, FOB_EFF_SETTLED)->rows[0][0], FOB_NOT_HELD);
    assert_string_equal(heard(), "1: 1/2 2/1 3/1, 1: 4/1");
}

static void an_end_is_told_by_the_lost_leases_offset_and_token(void **state) {
    (void)state;
    one_hangs();
    settle(1, FOB_KIND_ACK, 2, 2); /* it was not begun */
    settle(1, FOB_KIND_ACK, 1, 7);
    settle(1, FOB_KIND_ACK, 7, 1);
    kit_join_as(&kit, 2, "g", 0, 1, "other", 0);
    settle(2, FOB_KIND_ACK, 1, 1); /* another's */
    assert_string_equal(heard(), "");
    settle(1, FOB_KIND_ACK, 1, 1);
    assert_string_equal(heard(), "1: 1/2 2/1 3/1");
    settle(1, FOB_KIND_ACK, 1, 1); /* twice is once */
    assert_string_equal(heard(), "");
}

static void a_job_that_is_free_goes_on_and_begins_the_next(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 4, 2, "w", 1000);
    kit_publish(&kit, 1, 1, 1, "a", 4);
    settle(1, FOB_KIND_ACK, 2, 2); /* 1 and 3 are begun */
    kit_pass(&kit, 600);
    settle(1, FOB_KIND_ACK, 3, 3); /* 1 and 4 */
    kit_clear(&kit);
    kit_pass(&kit, 400);
    assert_string_equal(heard(), "1- 1+1"); /* 4 goes on */
    kit_credit(&kit, 1, "g", 5);
    assert_string_equal(heard(), "1: 1/2"); /* not begun: its one free job has 4 */
    kit_pass(&kit, 600);
    assert_string_equal(heard(), "1- 4+1, 1- 1+1");
    assert_int_equal(fob_back_find(&group()->back, 1)->attempts, 1);
    assert_int_equal(fob_back_find(&group()->back, 4)->attempts, 1);
    kit_credit(&kit, 1, "g", 10);
    assert_string_equal(heard(), "");
    settle(1, FOB_KIND_ACK, 4, 4);
    assert_string_equal(heard(), "1: 1/2 4/2");
    kit_pass(&kit, 1000); /* the first of them was in the free job */
    assert_string_equal(heard(), "1- 1+1, 1- 4+1");
    assert_int_equal(fob_back_find(&group()->back, 1)->attempts, 2);
    assert_int_equal(fob_back_find(&group()->back, 4)->attempts, 1);
}

static void a_worker_that_is_lost_counts_only_what_a_free_job_can_have_begun(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 4, 2, "w", 1000);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_pass(&kit, 999);
    kit_publish(&kit, 1, 2, 2, "a", 2);
    kit_pass(&kit, 1); /* 1 is lost, 2 is begun */
    kit_lost(&kit, 1);
    assert_int_equal(fob_back_find(&group()->back, 1)->attempts, 1);
    assert_int_equal(fob_back_find(&group()->back, 2)->attempts, 1);
    assert_int_equal(fob_back_find(&group()->back, 3)->attempts, 0);
    assert_int_equal(group()->overdue.count, 0);
}

static void with_its_worker_goes_what_it_had_occupied(void **state) {
    (void)state;
    one_hangs();
    assert_int_equal(group()->overdue.count, 1);
    kit_leave(&kit, 1, "g");
    assert_int_equal(group()->overdue.count, 0);
    kit_join_as(&kit, 1, "g", 1, 1, "w", 1000);
    assert_string_equal(heard(), "1: 1/2");
    kit_pass(&kit, 1000);
    assert_string_equal(heard(), "1- 1+1");
    kit_lost(&kit, 1);
    assert_int_equal(group()->overdue.count, 0);
}

static void a_worker_that_comes_back_begins_with_all_jobs_free(void **state) {
    (void)state;
    one_hangs();
    come_back(0, 0, 10);
    assert_string_equal(heard(), "7: 1/2 2/1 3/1");
    assert_int_equal(group()->overdue.count, 0);
    settle(7, FOB_KIND_ACK, 1, 1); /* of the old connection: that frees nothing */
    assert_int_equal(kit_last(&kit, FOB_EFF_SETTLED)->rows[0][0], FOB_STALE);
}

static void what_it_claims_counts_as_begun(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 2, 2, "w", 0);
    admin_set(&kit, "g", FOB_POLICY_lease, 1000);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_pass(&kit, 500);
    kit_publish(&kit, 1, 2, 2, "a", 1);
    kit_pass(&kit, 500);
    assert_string_equal(heard(), "1: 1/1, 1: 2/1, 1- 1+1");
    come_back(2, 1, 0);
    kit_pass(&kit, 500);
    assert_string_equal(heard(), "7- 2+1");
    assert_int_equal(fob_back_find(&group()->back, 2)->attempts, 1);
}

static void of_what_it_claims_the_first_counts_as_begun(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", 2, 1, "w", 0);
    admin_set(&kit, "g", FOB_POLICY_lease, 1000);
    kit_publish(&kit, 1, 1, 1, "a", 2);
    assert_string_equal(heard(), "1: 1/1 2/1");
    come_back_with((const uint64_t[][3]){{2, 1, 2}, {1, 1, 1}}, 2, 0);
    kit_pass(&kit, 1000);
    assert_string_equal(heard(), "7- 2+1, 7- 1+1");
    assert_int_equal(fob_back_find(&group()->back, 2)->attempts, 1);
    assert_int_equal(fob_back_find(&group()->back, 1)->attempts, 0);
}

static void after_a_restart_no_job_is_occupied(void **state) {
    (void)state;
    one_hangs();
    kit_crash(&kit, kit.position);
    kit_clear(&kit);
    kit_join_as(&kit, 1, "g", 10, 1, "w", 1000);
    kit_pass(&kit, 3000);
    kit_pages(&kit);
    assert_string_equal(heard(), "1: 1/2 2/1 3/1");
}

static void a_reset_begins_anew_for_those_that_are_free(void **state) {
    (void)state;
    one_hangs();
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_GROUP_RESET,
                                  .conn = 9,
                                  .admin = {.req = 1, .group = fob_slice_str("g"), .offset = 1}});
    kit_pages(&kit);
    assert_string_equal(heard(), "");
    settle(1, FOB_KIND_ACK, 1, 1);
    assert_string_equal(heard(), "1: 1/1 2/1 3/1");
}

static void why_says_that_nobody_has_a_free_job(void **state) {
    (void)state;
    one_hangs();
    assert_string_equal(kit_stats(&kit, "g").why,
                        "3 ready, the handlers of the 1 worker are past their lease and have not "
                        "ended");
    kit_join_as(&kit, 2, "g", 1, 1, "w", 1000);
    kit_pass(&kit, 1000);
    assert_string_equal(kit_stats(&kit, "g").why,
                        "3 ready, the handlers of all 2 workers are past their lease and have not "
                        "ended");
    assert_string_equal(kit_stats(&kit, "g").state, "waiting");
    kit_join_as(&kit, 3, "g", 0, 1, "w", 0);
    assert_null(strstr(kit_stats(&kit, "g").why, "past their lease"));
}

/* However many jobs it says to have: what it can make the bus remember has an end. */
static void a_worker_of_endless_jobs_has_as_many_as_anybody_may(void **state) {
    (void)state;
    kit_join_as(&kit, 1, "g", FOB_JOBS_MAX + 1000, UINT64_MAX, "w", 1000);
    for (uint64_t first = 1; first < FOB_JOBS_MAX + 2; first += 4096)
        kit_publish(&kit, 1, first, first, "a", 4096);
    kit_pass(&kit, 1000);
    assert_int_equal(group()->overdue.count, FOB_JOBS_MAX);
    assert_int_equal(kit_stats(&kit, "g").leased, 0);
}

FOB_MAIN(FOB_CASE_WITH(what_is_behind_a_stuck_handler_goes_to_others_as_if_it_had_never_been_out,
                       setup, teardown),
         FOB_CASE_WITH(what_went_back_is_told_with_the_reason, setup, teardown),
         FOB_CASE_WITH(a_stuck_worker_gets_nothing_until_it_tells_of_the_end, setup, teardown),
         FOB_CASE_WITH(an_end_is_told_by_the_lost_leases_offset_and_token, setup, teardown),
         FOB_CASE_WITH(a_job_that_is_free_goes_on_and_begins_the_next, setup, teardown),
         FOB_CASE_WITH(a_worker_that_is_lost_counts_only_what_a_free_job_can_have_begun, setup,
                       teardown),
         FOB_CASE_WITH(with_its_worker_goes_what_it_had_occupied, setup, teardown),
         FOB_CASE_WITH(a_worker_that_comes_back_begins_with_all_jobs_free, setup, teardown),
         FOB_CASE_WITH(what_it_claims_counts_as_begun, setup, teardown),
         FOB_CASE_WITH(of_what_it_claims_the_first_counts_as_begun, setup, teardown),
         FOB_CASE_WITH(after_a_restart_no_job_is_occupied, setup, teardown),
         FOB_CASE_WITH(a_reset_begins_anew_for_those_that_are_free, setup, teardown),
         FOB_CASE_WITH(why_says_that_nobody_has_a_free_job, setup, teardown),
         FOB_CASE_WITH(a_worker_of_endless_jobs_has_as_many_as_anybody_may, setup, teardown))
