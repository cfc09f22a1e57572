/* Which sessions are there, and that a bus forgets none of them. */
#include "bus/core/publish/present.h"
#include "test_core_kit.h"
#include "tests/support/case.h"

/* The last receipt has exactly these rows. */
#define RECEIPT(...) KIT_RECEIPT(&kit, __VA_ARGS__)

static kit_t kit;

/* Places for two sessions. */
static int setup(void **state) {
    (void)state;
    fob_core_config_t config = kit_config;
    config.max_sessions = 2;
    config.session_grace_ms = 1000;
    kit_init(&kit, &config);
    kit.hash_turns = true;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    kit_free(&kit);
    return 0;
}

static void sessions_are_there_as_long_as_one_of_their_connections(void **state) {
    (void)state;
    fob_present_t present = {0};
    uint8_t session[FOB_SESSION_SIZE] = {0}, got[FOB_SESSION_SIZE];
    assert_false(fob_present_has(&present, session));
    for (uint64_t conn = 1; conn <= 300; conn++) { /* 100 of them, each on three */
        session[0] = (uint8_t)(conn % 100);
        assert_true(fob_present_reserve(&present));
        fob_present_add(&present, conn, session);
    }
    for (uint64_t conn = 1; conn <= 200; conn++) {
        assert_true(fob_present_remove(&present, conn, got));
        assert_int_equal(got[0], conn % 100);
        assert_true(fob_present_has(&present, got));
        assert_null(fob_present_session(&present, conn));
    }
    for (uint64_t conn = 201; conn <= 300; conn++) {
        assert_int_equal(fob_present_session(&present, conn)[0], conn % 100);
        assert_true(fob_present_remove(&present, conn, got));
        assert_false(fob_present_has(&present, got));
        assert_false(fob_present_remove(&present, conn, got));
    }
    fob_present_free(&present);
}

static const uint8_t *session_of(uint8_t number) {
    static uint8_t session[FOB_SESSION_SIZE];
    memset(session, number, sizeof session);
    return session;
}

static bool is_known(uint8_t number) {
    bool known;
    fob_core_session_last(kit.core, session_of(number), &known);
    return known;
}

static void present(uint64_t conn, uint8_t session) {
    kit_do(&kit, &(fob_command_t){
                     .kind = FOB_CMD_PRESENT, .conn = conn, .present = {session_of(session)}});
}

static void goodbye(uint64_t conn) {
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_LOST, .conn = conn, .lost = {true}});
}

/* A third session publishes its first event: there is no place for it. */
static void no_place_for_a_third(void) {
    kit_publish(&kit, 3, 1, 1, "a", 1);
    RECEIPT({FOB_BUSY, 1, 1, 0, 0});
}

/* It is stored at this offset. */
static void a_third_finds_a_place(uint64_t offset) {
    kit_publish(&kit, 3, 1, 1, "a", 1);
    RECEIPT({FOB_OK, 1, 1, offset, 0});
}

/* Its client says hello on the same connection as another. */
static void goes_on_as_another(uint64_t conn) {
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_LOST, .conn = conn, .lost = {.other = true}});
}

/* It comes back, and has said nothing yet but hello. */
static void a_session_is_kept_from_its_hello_on(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_publish(&kit, 1, 2, 2, "a", 1);
    kit_lost(&kit, 1001);
    present(77, 1);
    kit_publish(&kit, 2, 1, 1, "a", 1);
    no_place_for_a_third();
    assert_true(is_known(1));
    kit_lost(&kit, 77);
    a_third_finds_a_place(4);
    assert_false(is_known(1));
}

/* The older one may still have something under way. */
static void a_session_is_kept_while_an_older_connection_of_it_is_there(void **state) {
    (void)state;
    present(70, 1);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    goodbye(1001);
    kit_publish(&kit, 2, 1, 1, "a", 1);
    no_place_for_a_third();
    kit_lost(&kit, 70);
    kit_pass(&kit, 1000);
    a_third_finds_a_place(3);
    assert_false(is_known(1));
}

/* What it sent first may be in doubt: it would not be told from a new one. */
static void who_broke_off_with_nothing_answered_is_known_for_a_grace(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_lost(&kit, 1001);
    kit_publish(&kit, 2, 1, 1, "a", 1);
    kit_pass(&kit, 999);
    no_place_for_a_third();
    kit_publish(&kit, 1, 1, 1, "a", 1);
    RECEIPT({FOB_OK, 1, 1, 1, 0});
    kit_lost(&kit, 1001);
    kit_pass(&kit, 1000);
    a_third_finds_a_place(3);
}

static void the_grace_begins_anew_with_a_start(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_publish(&kit, 2, 1, 1, "a", 1);
    kit_lost(&kit, 1001);
    kit_lost(&kit, 1002);
    kit_pass(&kit, 5000);
    kit_crash(&kit, kit.position);
    no_place_for_a_third();
    kit_pass(&kit, 1000);
    a_third_finds_a_place(3);
    assert_false(is_known(1)); /* of two that left at a time, the one unseen for longest */
    assert_true(is_known(2));
}

static void who_says_goodbye_may_be_forgotten_at_once(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 1);
    goodbye(1001);
    kit_publish(&kit, 2, 1, 1, "a", 1);
    a_third_finds_a_place(3);
    assert_false(is_known(1));
}

/* One client that does so again and again must not fill the table. */
static void who_goes_on_as_another_may_be_forgotten_at_once(void **state) {
    (void)state;
    for (uint8_t session = 1; session < 9; session++) {
        kit_publish(&kit, session, 1, 1, "a", 1);
        RECEIPT({FOB_OK, 1, 1, session, 0});
        goes_on_as_another(1000 + session);
        assert_false(is_known(session - 1));
    }
    kit_publish(&kit, 9, 1, 1, "a", 1);
    kit_publish(&kit, 10, 1, 1, "a", 1);
    RECEIPT({FOB_OK, 1, 1, 10, 0});
}

/* It may still come back, on the one or the other. */
static void who_goes_on_as_another_is_kept_while_a_connection_of_it_is_there(void **state) {
    (void)state;
    present(70, 1);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    goes_on_as_another(1001);
    kit_publish(&kit, 2, 1, 1, "a", 1);
    no_place_for_a_third();
    kit_lost(&kit, 70);
    no_place_for_a_third();
    assert_true(is_known(1));
}

static void who_is_away_keeps_its_place_however_many_come_and_go(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_publish(&kit, 1, 2, 2, "a", 1); /* the first has its answer: it has no grace */
    kit_lost(&kit, 1001);
    for (uint8_t session = 2; session < 9; session++) {
        kit_publish(&kit, session, 1, 1, "a", 1);
        goodbye(1000 + session);
    }
    assert_true(is_known(1));
    kit_publish(&kit, 1, 3, 2, "a", 1);
    RECEIPT({FOB_OK, 3, 1, 10, 0});
}

/* That they were done is not in the journal, but that they were forgotten is. */
static void a_start_finds_room_however_many_came_and_went(void **state) {
    (void)state;
    for (uint8_t session = 1; session < 9; session++) {
        kit_publish(&kit, session, 1, 1, "a", 1);
        goodbye(1000 + session);
    }
    kit_crash(&kit, kit.position);
    kit_publish(&kit, 9, 1, 1, "a", 1);
    RECEIPT({FOB_OK, 1, 1, 9, 0});
}

/* Unseen for so long, but there. */
static void a_publisher_that_says_nothing_for_long_is_not_forgotten(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_pass(&kit, 10 * kit_config.session_keep_ms);
    kit_publish(&kit, 2, 1, 1, "a", 1);
    assert_true(is_known(1));
    kit_publish(&kit, 1, 2, 1, "a", 1);
    RECEIPT({FOB_OK, 2, 1, 3, 0});
}

static void a_connection_has_one_session(void **state) {
    (void)state;
    present(70, 1);
    present(70, 1);
    kit_publish(&kit, 1, 1, 1, "a", 1);
    goodbye(1001);
    kit_publish(&kit, 2, 1, 1, "a", 1);
    no_place_for_a_third();
    present(70, 9); /* no more of 1 */
    a_third_finds_a_place(3);
}

/* Were it told before, a fall of the bus could bring the session back. */
static void that_a_session_is_forgotten_is_told_when_that_is_durable(void **state) {
    (void)state;
    kit_publish(&kit, 1, 1, 1, "a", 1);
    kit_publish(&kit, 2, 1, 1, "a", 1);
    goodbye(1001);
    kit.manual = true;
    kit_publish(&kit, 3, 1, 1, "a", 1);
    kit_clear(&kit);
    kit_publish(&kit, 1, 2, 1, "a", 1);
    assert_int_equal(kit.shown_count, 0);
    kit_sync(&kit, kit.position);
    RECEIPT({FOB_FORGOTTEN, 2, 1, 0, 0});
}

FOB_MAIN(FOB_CASE(sessions_are_there_as_long_as_one_of_their_connections),
         FOB_CASE_WITH(a_session_is_kept_from_its_hello_on, setup, teardown),
         FOB_CASE_WITH(a_session_is_kept_while_an_older_connection_of_it_is_there, setup, teardown),
         FOB_CASE_WITH(who_broke_off_with_nothing_answered_is_known_for_a_grace, setup, teardown),
         FOB_CASE_WITH(the_grace_begins_anew_with_a_start, setup, teardown),
         FOB_CASE_WITH(who_says_goodbye_may_be_forgotten_at_once, setup, teardown),
         FOB_CASE_WITH(who_goes_on_as_another_may_be_forgotten_at_once, setup, teardown),
         FOB_CASE_WITH(who_goes_on_as_another_is_kept_while_a_connection_of_it_is_there, setup,
                       teardown),
         FOB_CASE_WITH(who_is_away_keeps_its_place_however_many_come_and_go, setup, teardown),
         FOB_CASE_WITH(a_start_finds_room_however_many_came_and_went, setup, teardown),
         FOB_CASE_WITH(a_publisher_that_says_nothing_for_long_is_not_forgotten, setup, teardown),
         FOB_CASE_WITH(a_connection_has_one_session, setup, teardown),
         FOB_CASE_WITH(that_a_session_is_forgotten_is_told_when_that_is_durable, setup, teardown))
