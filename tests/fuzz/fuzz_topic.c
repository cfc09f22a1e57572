/* fuzz_topic: a pattern, a newline, a topic; against the plainest reading of what topic.h says. */
#include "proto/topic.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define TOKENS 256

typedef struct {
    fob_slice_t at[TOKENS];
    size_t count;
} tokens_t;

/* What stands between the dots; too many: none. */
static tokens_t cut(fob_slice_t text) {
    tokens_t tokens = {.count = 1};
    tokens.at[0] = fob_slice(text.data, 0);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '.') {
            tokens.at[tokens.count - 1].size++;
        } else if (tokens.count == TOKENS) {
            tokens.count = 0;
            break;
        } else {
            tokens.at[tokens.count++] = fob_slice(text.data + i + 1, 0);
        }
    }
    return tokens;
}

static bool is(fob_slice_t token, const char *text) {
    return fob_slice_eq(token, fob_slice_str(text));
}

static bool plain(fob_slice_t token) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    for (size_t i = 0; i < token.size; i++)
        if (token.data[i] == 0 || !strchr(letters, token.data[i]))
            return false;
    return token.size > 0;
}

static bool all_plain(const tokens_t *tokens, size_t from) {
    for (size_t i = from; i < tokens->count; i++)
        if (!plain(tokens->at[i]))
            return false;
    return tokens->count > from;
}

static bool is_topic(fob_slice_t text) {
    tokens_t tokens = cut(text);
    return text.size <= FOB_TOPIC_MAX && all_plain(&tokens, 0);
}

static bool is_sys(fob_slice_t text) {
    tokens_t tokens = cut(text);
    return text.size <= FOB_TOPIC_MAX && is(tokens.at[0], "$sys") && all_plain(&tokens, 1);
}

static bool is_pattern(fob_slice_t text) {
    tokens_t tokens = cut(text);
    if (text.size > FOB_TOPIC_MAX)
        return false;
    for (size_t i = 0; i < tokens.count; i++) {
        bool good = plain(tokens.at[i]) || is(tokens.at[i], "*") ||
                    (is(tokens.at[i], ">") && i + 1 == tokens.count) ||
                    (is(tokens.at[i], "$sys") && i == 0 && tokens.count > 1);
        if (!good)
            return false;
    }
    return tokens.count > 0;
}

static bool matches(fob_slice_t pattern, fob_slice_t topic) {
    tokens_t want = cut(pattern), got = cut(topic);
    bool wild = is(want.at[0], "*") || is(want.at[0], ">");
    if (wild && is(got.at[0], "$sys"))
        return false;
    for (size_t i = 0; i < want.count; i++) {
        if (i == got.count)
            return false;
        if (is(want.at[i], ">"))
            return true;
        if (!is(want.at[i], "*") && !fob_slice_eq(want.at[i], got.at[i]))
            return false;
    }
    return want.count == got.count;
}

/* Whoever subscribes to the prefix gets all that matches: topics end in a zero byte there. */
static void prefix(fob_slice_t pattern, fob_slice_t topic) {
    uint8_t bytes[FOB_TOPIC_MAX + 1], wire[FOB_TOPIC_MAX + 1] = {0};
    size_t size = fob_pattern_prefix(pattern, bytes);
    memcpy(wire, topic.data, topic.size);
    FUZZ_RULE(size <= topic.size + 1 && memcmp(wire, bytes, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    size_t split = end ? (size_t)(end - data) : size;
    fob_slice_t pattern = fob_slice(data, split);
    fob_slice_t topic = end ? fob_slice(end + 1, size - split - 1) : pattern;
    FUZZ_RULE(fob_topic_valid(topic) == is_topic(topic));
    FUZZ_RULE(fob_topic_is_sys(topic) == is_sys(topic));
    FUZZ_RULE(fob_pattern_valid(pattern) == is_pattern(pattern));
    bool match = fob_pattern_match(pattern, topic);
    if (!is_pattern(pattern) || (!is_topic(topic) && !is_sys(topic)))
        return 0;
    FUZZ_RULE(match == matches(pattern, topic));
    FUZZ_RULE(fob_pattern_literal(pattern) == (is_topic(pattern) || is_sys(pattern)));
    if (match)
        prefix(pattern, topic);
    return 0;
}
