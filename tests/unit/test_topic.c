/* topic: what is valid, and what matches what. */
#include "proto/topic.h"
#include "tests/support/case.h"

static bool topic(const char *text) {
    return fob_topic_valid(fob_slice_str(text));
}
static bool pattern(const char *text) {
    return fob_pattern_valid(fob_slice_str(text));
}
static bool match(const char *pattern, const char *topic) {
    return fob_pattern_match(fob_slice_str(pattern), fob_slice_str(topic));
}

static void tokens_joined_by_single_dots_are_a_topic(void **state) {
    (void)state;
    assert_true(topic("a"));
    assert_true(topic("order_placed"));
    assert_true(topic("shop.eu.Order-Placed_9"));
    assert_true(topic("AZaz09_-"));
}

static void empty_tokens_and_other_bytes_are_no_topic(void **state) {
    (void)state;
    static const char *const bad[] = {"",    ".",   ".a",  "a.",     "a..b",     "a b", "a/b",
                                      "a.*", "a.>", "$a",  "$sys.a", "\xc3\xa4", "a\n", "a@b",
                                      "a`b", "a{b", "a[b", "a:b",    "a,b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(topic(bad[i]));
    assert_false(fob_topic_valid(fob_slice("a\0b", 3)));
    assert_false(fob_topic_valid((fob_slice_t){0}));
}

static void every_byte_is_judged_as_the_protocol_says(void **state) {
    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        uint8_t text = (uint8_t)byte;
        bool want = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                    (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
        assert_int_equal(fob_topic_valid(fob_slice(&text, 1)), want);
    }
}

static void a_topic_has_255_bytes_at_the_most(void **state) {
    (void)state;
    char text[257];
    memset(text, 'a', sizeof text);
    assert_true(fob_topic_valid(fob_slice(text, 255)));
    assert_false(fob_topic_valid(fob_slice(text, 256)));
    assert_true(fob_pattern_valid(fob_slice(text, 255)));
    assert_false(fob_pattern_valid(fob_slice(text, 256)));
}

static void the_bus_s_own_topics_are_known(void **state) {
    (void)state;
    assert_true(fob_topic_is_sys(fob_slice_str("$sys.probe.x")));
    assert_false(fob_topic_is_sys(fob_slice_str("$sys")));
    assert_false(fob_topic_is_sys(fob_slice_str("$sys.")));
    assert_false(fob_topic_is_sys(fob_slice_str("$system.x")));
    assert_false(fob_topic_is_sys(fob_slice_str("a.$sys.x")));
    char text[256] = "$sys.";
    memset(text + 5, 'a', sizeof text - 5);
    assert_true(fob_topic_is_sys(fob_slice(text, 255)));
    assert_false(fob_topic_is_sys(fob_slice(text, 256)));
}

static void wildcards_stand_for_whole_tokens(void **state) {
    (void)state;
    static const char *const good[] = {"a",   "*",     ">",      "a.*",    "*.b",   "a.*.c",
                                       "a.>", "*.*.>", "$sys.a", "$sys.>", "$sys.*"};
    static const char *const bad[] = {"",     "a*",    "*a",    "a.b*",     ">.a",  "a.>.b",
                                      "a>",   "a.",    ".*",    "**",       ">>",   "*.",
                                      "$sys", "$sys.", "$sy.a", "*.$sys.a", "a..b", "a.>."};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(pattern(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(pattern(bad[i]));
}

static void a_pattern_without_wildcards_matches_itself_only(void **state) {
    (void)state;
    assert_true(match("shop.eu", "shop.eu"));
    assert_false(match("shop.eu", "shop.eu.x"));
    assert_false(match("shop.eu", "shop"));
    assert_false(match("shop.eu", "shop.eux"));
    assert_false(match("shop.eux", "shop.eu"));
}

static void a_pattern_star_matches_one_token(void **state) {
    (void)state;
    assert_true(match("*", "a"));
    assert_false(match("*", "a.b"));
    assert_true(match("a.*.c", "a.long-token.c"));
    assert_false(match("a.*.c", "a.c"));
    assert_false(match("a.*.c", "a.b.b.c"));
    assert_false(match("a.*", "a"));
    assert_false(match("a.*", "ab.c"));
    assert_true(match("*.*", "a.b"));
    assert_false(match("*.*", "a.b.c"));
}

static void a_final_greater_matches_one_or_more_tokens(void **state) {
    (void)state;
    assert_true(match(">", "a"));
    assert_true(match(">", "a.b.c"));
    assert_true(match("a.>", "a.b"));
    assert_true(match("a.>", "a.b.c.d"));
    assert_false(match("a.>", "a"));
    assert_false(match("a.>", "ab.c"));
    assert_true(match("*.b.>", "a.b.c"));
    assert_false(match("*.b.>", "a.b"));
}

static void a_leading_wildcard_does_not_match_the_bus_s_own(void **state) {
    (void)state;
    assert_false(match(">", "$sys.stats"));
    assert_false(match("*.stats", "$sys.stats"));
    assert_true(match("$sys.stats", "$sys.stats"));
    assert_true(match("$sys.>", "$sys.stats"));
    assert_true(match("$sys.*", "$sys.stats"));
}

static void prefix_is(const char *pattern, const void *want, size_t size) {
    uint8_t out[FOB_TOPIC_MAX + 1];
    assert_int_equal(fob_pattern_prefix(fob_slice_str(pattern), out), size);
    assert_memory_equal(out, want, size);
}

static void the_prefix_goes_up_to_the_first_wildcard(void **state) {
    (void)state;
    prefix_is("shop.*.x", "shop.", 5);
    prefix_is("shop.>", "shop.", 5);
    prefix_is("a.b.*", "a.b.", 4);
    uint8_t out[FOB_TOPIC_MAX + 1];
    assert_int_equal(fob_pattern_prefix(fob_slice_str(">"), out), 0);
}

static void the_prefix_of_a_literal_ends_in_a_zero_byte(void **state) {
    (void)state;
    prefix_is("order", "order", 6);
    char longest[256];
    memset(longest, 'a', 255);
    longest[255] = 0;
    prefix_is(longest, longest, 256);
}

static void literals_are_told_from_wildcards(void **state) {
    (void)state;
    assert_true(fob_pattern_literal(fob_slice_str("a.b")));
    assert_false(fob_pattern_literal(fob_slice_str("a.*")));
    assert_false(fob_pattern_literal(fob_slice_str(">")));
}

FOB_MAIN(FOB_CASE(tokens_joined_by_single_dots_are_a_topic),
         FOB_CASE(empty_tokens_and_other_bytes_are_no_topic),
         FOB_CASE(every_byte_is_judged_as_the_protocol_says),
         FOB_CASE(a_topic_has_255_bytes_at_the_most), FOB_CASE(the_bus_s_own_topics_are_known),
         FOB_CASE(wildcards_stand_for_whole_tokens),
         FOB_CASE(a_pattern_without_wildcards_matches_itself_only),
         FOB_CASE(a_pattern_star_matches_one_token),
         FOB_CASE(a_final_greater_matches_one_or_more_tokens),
         FOB_CASE(a_leading_wildcard_does_not_match_the_bus_s_own),
         FOB_CASE(the_prefix_goes_up_to_the_first_wildcard),
         FOB_CASE(the_prefix_of_a_literal_ends_in_a_zero_byte),
         FOB_CASE(literals_are_told_from_wildcards))
