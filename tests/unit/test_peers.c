#include "tests/support/case.h"

#include "bus/service/peers.h"

#define BEAT (1000 * FOB_MS)

static fob_now_t at(int64_t ms) {
    return (fob_now_t){.mono_ns = FOB_SEC + ms * FOB_MS, .wall_ms = 1700000000000};
}

static fob_peers_t *make(uint32_t max_connections) {
    fob_peers_config_t config = {
        .shard = 0, .max_connections = max_connections, .heartbeat_ns = BEAT};
    fob_peers_t *peers = fob_peers_new(&config);
    assert_non_null(peers);
    return peers;
}

static fob_slice_t route(uint32_t number) {
    static uint8_t bytes[FOB_ROUTE_SIZE];
    bytes[0] = 0;
    memcpy(bytes + 1, &number, sizeof number);
    return fob_slice(bytes, sizeof bytes);
}

static fob_wire_t hello(uint64_t min, uint64_t max, const char *role) {
    fob_wire_t msg = {.verb = FOB_VERB_HELLO};
    FOB_SET(&msg, version_min, min);
    FOB_SET(&msg, version_max, max);
    FOB_SET(&msg, role, fob_slice_str(role));
    return msg;
}

static fob_peers_verdict_t verdict;

static fob_peers_verdict_t *tell(fob_peers_t *peers, int64_t ms, uint32_t from,
                                 const fob_wire_t *msg) {
    fob_peers_input_t input = {route(from), msg, FOB_OK, true};
    fob_peers_input(peers, at(ms), &input, &verdict);
    return &verdict;
}

static uint64_t greet(fob_peers_t *peers, int64_t ms, uint32_t from, const char *role) {
    fob_wire_t msg = hello(1, 1, role);
    tell(peers, ms, from, &msg);
    assert_int_equal(verdict.act, FOB_PEERS_WELCOME);
    assert_true(verdict.conn != 0);
    return verdict.conn;
}

static void beat(fob_peers_t *peers, int64_t ms, uint32_t from) {
    fob_wire_t msg = {.verb = FOB_VERB_BEAT};
    assert_int_equal(tell(peers, ms, from, &msg)->act, FOB_PEERS_NOTHING);
}

static uint64_t code_of(const fob_peers_verdict_t *of) {
    return of->answer ? of->error.code : 0;
}

static void a_hello_makes_a_connection_of_its_role(void **state) {
    (void)state;
    fob_peers_t *peers = make(10);
    uint64_t conn = greet(peers, 0, 7, "worker");
    fob_peers_stats_t stats;
    fob_peers_stats(peers, &stats);
    assert_int_equal(stats.connections, 1);
    assert_int_equal(stats.roles[FOB_ROLE_WORKER], 1);
    assert_true(fob_slice_eq(fob_peers_route(peers, conn), route(7)));
    assert_null(fob_peers_session(peers, conn));
    fob_peers_destroy(&peers);
}

static void the_session_of_a_hello_is_kept(void **state) {
    (void)state;
    fob_peers_t *peers = make(10);
    fob_wire_t msg = hello(1, 1, "publisher");
    FOB_SET(&msg, session, fob_slice("0123456789abcdef", 16));
    tell(peers, 0, 1, &msg);
    assert_memory_equal(fob_peers_session(peers, verdict.conn), "0123456789abcdef", 16);
    fob_peers_destroy(&peers);
}

static void a_session_of_another_size_is_malformed(void **state) {
    (void)state;
    fob_peers_t *peers = make(10);
    fob_wire_t msg = hello(1, 1, "publisher");
    FOB_SET(&msg, session, fob_slice("short", 5));
    assert_int_equal(code_of(tell(peers, 0, 1, &msg)), FOB_PROTOCOL);
    fob_peers_stats_t stats;
    fob_peers_stats(peers, &stats);
    assert_int_equal(stats.malformed, 1);
    assert_int_equal(stats.connections, 0);
    fob_peers_destroy(&peers);
}

static void a_command_before_hello_is_told_to_say_hello(void **state) {
    (void)state;
    fob_peers_t *peers = make(10);
    fob_wire_t msg = {.verb = FOB_VERB_STATS};
    tell(peers, 0, 1, &msg);
    assert_int_equal(verdict.act, FOB_PEERS_NOTHING);
    assert_int_equal(code_of(&verdict), FOB_HELLO_FIRST);
    assert_int_equal(verdict.error.of, FOB_VERB_STATS);
    fob_peers_destroy(&peers);
}

static void other_versions_are_refused_naming_both_ranges(void **state) {
    (void)state;
    fob_peers_t *peers = make(10);
    fob_wire_t msg = hello(2, 5, "worker");
    tell(peers, 0, 1, &msg);
    assert_int_equal(code_of(&verdict), FOB_VERSION);
    assert_int_equal(verdict.error.version_min, 1);
    assert_int_equal(verdict.error.version_max, 1);
    assert_non_null(strstr(verdict.text, "2 to 5"));
    assert_non_null(strstr(verdict.text, "1 to 1"));
    msg = hello(0, 0, "worker");
    assert_int_equal(code_of(tell(peers, 0, 1, &msg)), FOB_VERSION);
    msg = hello(1, 9, "worker");
    assert_int_equal(tell(peers, 0, 1, &msg)->act, FOB_PEERS_WELCOME);
    fob_peers_destroy(&peers);
}

static void a_second_hello_ends_what_was_before(void **state) {
    (void)state;
    fob_peers_t *peers = make(10);
    uint64_t first = greet(peers, 0, 1, "worker");
    uint64_t second = greet(peers, 10, 1, "worker");
    assert_int_equal(verdict.ended, first);
    assert_false(verdict.goodbye);
    assert_true(first != second);
    assert_int_equal(fob_peers_route(peers, first).size, 0);
    assert_int_equal(fob_peers_route(peers, second).size, FOB_ROUTE_SIZE);
    fob_peers_destroy(&peers);
}

/* HELLO with a version and a session (NULL: none), on connection 1. */
static fob_peers_verdict_t *hello_as(fob_peers_t *peers, uint64_t version, const char *session) {
    fob_wire_t msg = hello(version, version, "publisher");
    if (session)
        FOB_SET(&msg, session, fob_slice_str(session));
    return tell(peers, 0, 1, &msg);
}

/* Who is back as the same may still ask for what it left unanswered. */
static void who_says_hello_as_another_is_told_from_who_is_back(void **state) {
    (void)state;
    static const struct {
        uint64_t version;
        const char *before, *session;
        bool other;
    } all[] = {{1, "0123456789abcdef", "0123456789abcdef", false},
               {1, "0123456789abcdef", "0123456789abcdeF", true},
               {1, "0123456789abcdef", NULL, true},
               {1, "0123456789abcdef", "short", true},
               {9, "0123456789abcdef", "0123456789abcdef", true},
               {1, NULL, "0123456789abcdef", true}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        fob_peers_t *peers = make(1);
        assert_false(hello_as(peers, 1, all[i].before)->other);
        uint64_t first = verdict.conn;
        hello_as(peers, all[i].version, all[i].session);
        assert_int_equal(verdict.ended, first);
        assert_int_equal(verdict.other, all[i].other);
        assert_false(verdict.goodbye);
        fob_peers_destroy(&peers);
    }
}

static void one_connection_too_many_is_told_the_limit(void **state) {
    (void)state;
    fob_peers_t *peers = make(2);
    greet(peers, 0, 1, "worker");
    greet(peers, 0, 2, "worker");
    fob_wire_t msg = hello(1, 1, "worker");
    assert_int_equal(code_of(tell(peers, 0, 3, &msg)), FOB_LIMIT);
    assert_non_null(strstr(verdict.text, "2 connections"));
    greet(peers, 0, 2, "worker"); /* one that is there may begin anew */
    fob_peers_destroy(&peers);
}

static void another_shard_is_not_owned(void **state) {
    (void)state;
    fob_peers_t *peers = make(2);
    greet(peers, 0, 1, "worker");
    fob_wire_t msg = {.verb = FOB_VERB_STATS, .shard = 3};
    assert_int_equal(code_of(tell(peers, 0, 1, &msg)), FOB_NOT_OWNER);
    assert_int_equal(verdict.act, FOB_PEERS_NOTHING);
    msg.shard = 0;
    assert_int_equal(tell(peers, 0, 1, &msg)->act, FOB_PEERS_COMMAND);
    fob_peers_destroy(&peers);
}

static void goodbye_ends_a_connection_at_once(void **state) {
    (void)state;
    fob_peers_t *peers = make(2);
    uint64_t conn = greet(peers, 0, 1, "worker");
    fob_wire_t msg = {.verb = FOB_VERB_GOODBYE};
    tell(peers, 0, 1, &msg);
    assert_int_equal(verdict.ended, conn);
    assert_true(verdict.goodbye);
    assert_false(verdict.answer);
    tell(peers, 0, 1, &msg); /* from a stranger: nothing to say */
    assert_int_equal(verdict.ended, 0);
    assert_false(verdict.answer);
    fob_peers_destroy(&peers);
}

static void after_ten_malformed_messages_a_connection_is_to_be_given_up(void **state) {
    (void)state;
    fob_peers_t *peers = make(2);
    uint64_t conn = greet(peers, 0, 1, "worker");
    fob_wire_t msg = {.verb = FOB_VERB_PUBLISH};
    for (int i = 1; i <= FOB_PEERS_MALFORMED; i++) {
        fob_peers_input_t input = {route(1), &msg, FOB_PROTOCOL, true};
        fob_peers_input(peers, at(i), &input, &verdict);
        assert_int_equal(code_of(&verdict), FOB_PROTOCOL);
        assert_int_equal(verdict.faulty, i == FOB_PEERS_MALFORMED ? conn : 0);
        assert_int_equal(verdict.ended, 0);
    }
    fob_peers_stats_t stats;
    fob_peers_stats(peers, &stats);
    assert_int_equal(stats.malformed, FOB_PEERS_MALFORMED);
    fob_peers_destroy(&peers);
}

static void what_only_the_bus_says_is_malformed_from_a_client(void **state) {
    (void)state;
    fob_peers_t *peers = make(2);
    greet(peers, 0, 1, "worker");
    fob_wire_t msg = {.verb = FOB_VERB_WELCOME};
    assert_int_equal(code_of(tell(peers, 0, 1, &msg)), FOB_PROTOCOL);
    assert_non_null(strstr(verdict.text, "WELCOME"));
    fob_peers_destroy(&peers);
}

static void a_verb_of_a_later_version_is_refused_by_its_number(void **state) {
    (void)state;
    fob_peers_t *peers = make(2);
    greet(peers, 0, 1, "worker");
    fob_wire_t msg = {.verb = (fob_verb_t)200};
    fob_peers_input_t input = {route(1), &msg, FOB_PROTOCOL, true};
    fob_peers_input(peers, at(0), &input, &verdict);
    assert_int_equal(code_of(&verdict), FOB_PROTOCOL);
    assert_string_equal(verdict.text, "verb 200 is none that this bus knows: it speaks version 1");
    assert_int_equal(verdict.ended, 0);
    fob_peers_destroy(&peers);
}

static void a_wrong_number_of_frames_is_malformed(void **state) {
    (void)state;
    fob_peers_t *peers = make(2);
    greet(peers, 0, 1, "worker");
    fob_wire_t msg = {.verb = FOB_VERB_STATS};
    fob_peers_input_t input = {route(1), &msg, FOB_OK, false};
    fob_peers_input(peers, at(0), &input, &verdict);
    assert_int_equal(code_of(&verdict), FOB_PROTOCOL);
    fob_peers_destroy(&peers);
}

static void a_routing_id_of_the_clients_own_is_malformed(void **state) {
    (void)state;
    fob_peers_t *peers = make(2);
    fob_wire_t msg = hello(1, 1, "worker");
    fob_peers_input_t input = {fob_slice_str("mine"), &msg, FOB_OK, true};
    fob_peers_input(peers, at(0), &input, &verdict);
    assert_int_equal(code_of(&verdict), FOB_PROTOCOL);
    assert_int_equal(verdict.act, FOB_PEERS_NOTHING);
    fob_peers_destroy(&peers);
}

/* Rounds each 250 ms from `from` to `to`; the number of those who expired meanwhile. */
static int rounds(fob_peers_t *peers, int64_t from, int64_t to, uint64_t *last) {
    int expired = 0;
    for (int64_t ms = from; ms <= to; ms += 250) {
        uint64_t conn;
        fob_peers_round(peers, at(ms));
        while ((conn = fob_peers_expired(peers, at(ms)))) {
            *last = conn;
            expired++;
        }
    }
    return expired;
}

static void three_missed_beats_are_the_end(void **state) {
    (void)state;
    fob_peers_t *peers = make(4);
    uint64_t silent = greet(peers, 0, 1, "worker");
    uint64_t last = 0;
    greet(peers, 0, 2, "worker");
    assert_int_equal(rounds(peers, 0, 2000, &last), 0);
    beat(peers, 2100, 2);
    assert_int_equal(rounds(peers, 2250, 3000, &last), 0);
    assert_int_equal(rounds(peers, 3250, 3500, &last), 1);
    assert_int_equal(last, silent);
    assert_int_equal(fob_peers_route(peers, silent).size, 0);
    assert_int_equal(rounds(peers, 3750, 5000, &last), 0);
    fob_peers_destroy(&peers);
}

/* More of a message was seen to come until then, over line 77. */
static int64_t more_until;

static int64_t more(void *arg, uint64_t line) {
    assert_ptr_equal(arg, &more_until);
    assert_int_equal(line, 77);
    return more_until;
}

static void a_large_message_that_goes_on_is_a_sign_of_life(void **state) {
    (void)state;
    fob_peers_config_t config = {
        .max_connections = 4, .heartbeat_ns = BEAT, .more = more, .arg = &more_until};
    fob_peers_t *peers = fob_peers_new(&config);
    fob_wire_t msg = hello(1, 1, "publisher");
    fob_peers_input_t input = {route(1), &msg, FOB_OK, true, 77};
    fob_peers_input(peers, at(0), &input, &verdict);
    uint64_t conn = verdict.conn, last = 0;
    greet(peers, 0, 2, "worker"); /* of this one's line nothing is known */
    more_until = at(2900).mono_ns;
    assert_int_equal(rounds(peers, 0, 5750, &last), 1);
    assert_true(last != conn);
    more_until = at(5900).mono_ns;
    assert_int_equal(rounds(peers, 6000, 8750, &last), 0);
    assert_int_equal(rounds(peers, 9000, 9250, &last), 1);
    assert_true(last == conn);
    fob_peers_destroy(&peers);
}

static void what_comes_of_one_that_cannot_be_reached_is_no_sign_of_life(void **state) {
    (void)state;
    fob_peers_config_t config = {
        .max_connections = 4, .heartbeat_ns = BEAT, .more = more, .arg = &more_until};
    fob_peers_t *peers = fob_peers_new(&config);
    fob_wire_t msg = hello(1, 1, "worker");
    fob_peers_input_t input = {route(1), &msg, FOB_OK, true, 77};
    fob_peers_input(peers, at(0), &input, &verdict);
    uint64_t conn = verdict.conn, last = 0;
    more_until = at(2900).mono_ns;
    assert_int_equal(fob_peers_unreach(peers, conn), at(0).mono_ns + 3 * BEAT);
    assert_int_equal(rounds(peers, 0, 3250, &last), 1);
    assert_true(last == conn);
    fob_peers_destroy(&peers);
}

static void a_loop_that_stood_still_declares_nobody_dead(void **state) {
    (void)state;
    fob_peers_t *peers = make(4);
    uint64_t conn = greet(peers, 0, 1, "worker"), last = 0;
    assert_int_equal(rounds(peers, 0, 500, &last), 0);
    assert_int_equal(rounds(peers, 60000, 60750, &last), 0); /* the process was stopped */
    beat(peers, 60800, 1);
    assert_int_equal(rounds(peers, 61000, 63500, &last), 0);
    assert_int_equal(rounds(peers, 63750, 64250, &last), 1);
    assert_int_equal(last, conn);
    fob_peers_destroy(&peers);
}

static void whoever_heard_nothing_for_a_beat_gets_one(void **state) {
    (void)state;
    fob_peers_t *peers = make(4);
    uint64_t quiet = greet(peers, 0, 1, "worker");
    uint64_t told = greet(peers, 0, 2, "worker");
    fob_peers_round(peers, at(250));
    assert_int_equal(fob_peers_quiet(peers, at(250)), 0);
    fob_peers_sent(peers, at(700), told);
    fob_peers_round(peers, at(1000));
    assert_int_equal(fob_peers_quiet(peers, at(1000)), quiet);
    fob_peers_sent(peers, at(1000), quiet);
    assert_int_equal(fob_peers_quiet(peers, at(1000)), 0);
    assert_true(fob_peers_deadline(peers) <= at(1250).mono_ns);
    fob_peers_destroy(&peers);
}

static void a_beat_that_asks_for_it_is_answered(void **state) {
    (void)state;
    fob_peers_t *peers = make(4);
    uint64_t conn = greet(peers, 0, 1, "worker");
    fob_wire_t msg = {.verb = FOB_VERB_BEAT};
    FOB_SET(&msg, echo, 0);
    assert_int_equal(tell(peers, 1, 1, &msg)->act, FOB_PEERS_ECHO);
    assert_true(verdict.conn == conn);
    fob_peers_unreach(peers, conn);
    assert_int_equal(tell(peers, 2, 1, &msg)->act, FOB_PEERS_NOTHING);
    assert_int_equal(code_of(&verdict), FOB_HELLO_FIRST);
    fob_peers_destroy(&peers);
}

/* What it said before it broke may still come; what comes later does not count as heard. */
static void one_that_cannot_be_reached_is_over_three_beats_after_it_was_heard(void **state) {
    (void)state;
    fob_peers_t *peers = make(4);
    uint64_t conn = greet(peers, 0, 1, "worker");
    beat(peers, 500, 1);
    assert_int_equal(fob_peers_unreach(peers, conn), at(500).mono_ns + 3 * BEAT);
    assert_int_equal(fob_peers_unreach(peers, conn), 0); /* that is known */
    fob_peers_stats_t stats;
    fob_peers_stats(peers, &stats);
    assert_int_equal(stats.connections, 0);
    assert_int_equal(stats.roles[FOB_ROLE_WORKER], 0);
    assert_int_equal(stats.unreachable, 1);
    assert_int_equal(fob_peers_route(peers, conn).size, 0);
    size_t at_slot = 0;
    assert_int_equal(fob_peers_next(peers, &at_slot), 0);
    fob_wire_t settle = {.verb = FOB_VERB_SETTLE}, join = {.verb = FOB_VERB_JOIN};
    assert_int_equal(tell(peers, 1500, 1, &settle)->act, FOB_PEERS_COMMAND);
    assert_int_equal(tell(peers, 1500, 1, &join)->act, FOB_PEERS_NOTHING);
    assert_int_equal(code_of(&verdict), FOB_HELLO_FIRST);
    for (int64_t ms = 600; ms <= 3500; ms += 100) {
        fob_peers_round(peers, at(ms));
        assert_int_equal(fob_peers_expired(peers, at(ms)), 0);
        assert_int_equal(fob_peers_quiet(peers, at(ms)), 0);
    }
    fob_peers_round(peers, at(3800));
    assert_true(fob_peers_expired(peers, at(3800)) == conn);
    fob_peers_stats(peers, &stats);
    assert_int_equal(stats.unreachable, 0);
    assert_int_equal(stats.lost, 0); /* it missed no beat */
    fob_peers_destroy(&peers);
}

static void one_that_cannot_be_reached_can_still_have_said_goodbye(void **state) {
    (void)state;
    fob_peers_t *peers = make(4);
    uint64_t conn = greet(peers, 0, 1, "worker");
    fob_peers_unreach(peers, conn);
    fob_wire_t msg = {.verb = FOB_VERB_GOODBYE};
    assert_true(tell(peers, 1, 1, &msg)->ended == conn);
    assert_true(verdict.goodbye);
    assert_true(fob_peers_deadline(peers) == FOB_NEVER);
    fob_peers_destroy(&peers);
}

static void those_that_cannot_be_reached_take_nobody_a_place(void **state) {
    (void)state;
    fob_peers_t *peers = make(2);
    for (uint32_t i = 1; i <= 3; i++)
        fob_peers_unreach(peers, greet(peers, 0, i, "worker"));
    greet(peers, 0, 10, "worker");
    greet(peers, 0, 11, "worker");
    fob_wire_t msg = hello(1, 1, "worker");
    assert_int_equal(code_of(tell(peers, 0, 12, &msg)), FOB_LIMIT);
    fob_peers_destroy(&peers);
}

static uint64_t greet_as(fob_peers_t *peers, uint32_t from, const char *session) {
    fob_wire_t msg = hello(1, 1, "worker");
    if (session)
        FOB_SET(&msg, session, fob_slice(session, 16));
    tell(peers, 0, from, &msg);
    return verdict.conn;
}

static void former_connections_are_known_by_their_session(void **state) {
    (void)state;
    fob_peers_t *peers = make(9);
    size_t at_slot = 0;
    uint64_t first = greet_as(peers, 1, "0123456789abcdef");
    uint64_t alive = greet_as(peers, 2, "0123456789abcdef");
    uint64_t other = greet_as(peers, 3, "0123456789abcdeX");
    uint64_t none = greet_as(peers, 4, NULL), nobody = greet_as(peers, 5, NULL);
    fob_peers_unreach(peers, first);
    fob_peers_unreach(peers, other);
    fob_peers_unreach(peers, none);
    assert_true(fob_peers_former(peers, alive, &at_slot) == first);
    assert_int_equal(fob_peers_former(peers, alive, &at_slot), 0);
    at_slot = 0;
    assert_int_equal(fob_peers_former(peers, nobody, &at_slot), 0);
    fob_peers_destroy(&peers);
}

static void nobody_there_needs_no_deadline(void **state) {
    (void)state;
    fob_peers_t *peers = make(4);
    assert_true(fob_peers_deadline(peers) == FOB_NEVER);
    uint64_t conn = greet(peers, 0, 1, "worker");
    assert_true(fob_peers_deadline(peers) != FOB_NEVER);
    assert_true(fob_peers_forget(peers, conn));
    assert_false(fob_peers_forget(peers, conn));
    assert_true(fob_peers_deadline(peers) == FOB_NEVER);
    fob_peers_destroy(&peers);
}

/* The table of routing ids under many comings and goings, against a plain array. */
static void thousands_come_and_go_and_none_is_mistaken(void **state) {
    (void)state;
    enum { MANY = 500, STEPS = 20000 };
    fob_peers_t *peers = make(MANY);
    uint64_t conns[MANY] = {0};
    uint32_t seed = 12345, here = 0;
    for (int i = 0; i < STEPS; i++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t who = (seed >> 8) % MANY;
        if (conns[who] && (seed >> 24) % 2) {
            assert_true(fob_peers_forget(peers, conns[who]));
            conns[who] = 0;
            here--;
        } else if (!conns[who]) {
            conns[who] = greet(peers, 0, 1000 + who * 7919, "worker");
            here++;
        }
    }
    size_t at_slot = 0;
    uint32_t seen = 0;
    while (fob_peers_next(peers, &at_slot))
        seen++;
    assert_int_equal(seen, here);
    for (uint32_t who = 0; who < MANY; who++) {
        fob_wire_t msg = {.verb = FOB_VERB_STATS};
        tell(peers, 0, 1000 + who * 7919, &msg);
        assert_true(verdict.conn == conns[who]);
    }
    fob_peers_destroy(&peers);
}

FOB_MAIN(FOB_CASE(a_hello_makes_a_connection_of_its_role), FOB_CASE(the_session_of_a_hello_is_kept),
         FOB_CASE(a_session_of_another_size_is_malformed),
         FOB_CASE(a_command_before_hello_is_told_to_say_hello),
         FOB_CASE(other_versions_are_refused_naming_both_ranges),
         FOB_CASE(a_second_hello_ends_what_was_before),
         FOB_CASE(who_says_hello_as_another_is_told_from_who_is_back),
         FOB_CASE(one_connection_too_many_is_told_the_limit), FOB_CASE(another_shard_is_not_owned),
         FOB_CASE(goodbye_ends_a_connection_at_once),
         FOB_CASE(after_ten_malformed_messages_a_connection_is_to_be_given_up),
         FOB_CASE(what_only_the_bus_says_is_malformed_from_a_client),
         FOB_CASE(a_verb_of_a_later_version_is_refused_by_its_number),
         FOB_CASE(a_wrong_number_of_frames_is_malformed),
         FOB_CASE(a_routing_id_of_the_clients_own_is_malformed),
         FOB_CASE(three_missed_beats_are_the_end),
         FOB_CASE(a_large_message_that_goes_on_is_a_sign_of_life),
         FOB_CASE(what_comes_of_one_that_cannot_be_reached_is_no_sign_of_life),
         FOB_CASE(a_loop_that_stood_still_declares_nobody_dead),
         FOB_CASE(whoever_heard_nothing_for_a_beat_gets_one),
         FOB_CASE(a_beat_that_asks_for_it_is_answered),
         FOB_CASE(one_that_cannot_be_reached_is_over_three_beats_after_it_was_heard),
         FOB_CASE(one_that_cannot_be_reached_can_still_have_said_goodbye),
         FOB_CASE(those_that_cannot_be_reached_take_nobody_a_place),
         FOB_CASE(former_connections_are_known_by_their_session),
         FOB_CASE(nobody_there_needs_no_deadline),
         FOB_CASE(thousands_come_and_go_and_none_is_mistaken))
