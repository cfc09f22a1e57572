/* topic: one pass over the bytes, no allocation. */
#include "proto/topic.h"

static const char SYS[] = "$sys.";
#define SYS_SIZE (sizeof SYS - 1)

/* What a byte may be. That two of these follow on one another is wrong where their sum has bit 1:
 * OTHER anywhere, and a dot behind a dot. */
enum { TOKEN = 0, DOT = 1, OTHER = 2 };

#define FOUR(kind)  kind, kind, kind, kind
#define EIGHT(kind) FOUR(kind), FOUR(kind)
#define ROW(kind)   EIGHT(kind), EIGHT(kind)

/* clang-format off */
static const uint8_t kinds[256] = {
    ROW(OTHER), ROW(OTHER),                                              /* 00-1f */
    EIGHT(OTHER), FOUR(OTHER), OTHER, TOKEN, DOT, OTHER,                 /* 20-2f - . */
    EIGHT(TOKEN), TOKEN, TOKEN, OTHER, OTHER, FOUR(OTHER),               /* 30-3f 0-9 */
    OTHER, TOKEN, TOKEN, TOKEN, FOUR(TOKEN), EIGHT(TOKEN),               /* 40-4f A-O */
    EIGHT(TOKEN), TOKEN, TOKEN, TOKEN, OTHER, OTHER, OTHER, OTHER, TOKEN, /* 50-5f P-Z _ */
    OTHER, TOKEN, TOKEN, TOKEN, FOUR(TOKEN), EIGHT(TOKEN),               /* 60-6f a-o */
    EIGHT(TOKEN), TOKEN, TOKEN, TOKEN, OTHER, FOUR(OTHER),               /* 70-7f p-z */
    ROW(OTHER), ROW(OTHER), ROW(OTHER), ROW(OTHER),                      /* 80-bf */
    ROW(OTHER), ROW(OTHER), ROW(OTHER), ROW(OTHER),                      /* c0-ff */
};
/* clang-format on */

/* The bytes of the token at `at`: up to the next dot or the end. */
static size_t token_size(fob_slice_t text, size_t at) {
    const uint8_t *dot = memchr(text.data + at, '.', text.size - at);
    return dot ? (size_t)(dot - text.data) - at : text.size - at;
}

static bool has_sys(fob_slice_t text) {
    return text.size >= SYS_SIZE && memcmp(text.data, SYS, SYS_SIZE) == 0;
}

/* Tokens joined by single dots, at least one. Without a branch for each byte, as this runs over the
 * topic of every event. */
static bool tokens_valid(const uint8_t *at, const uint8_t *end) {
    unsigned wrong = 0, before = DOT;
    for (; at < end; at++) {
        unsigned kind = kinds[*at];
        wrong |= kind + before;
        before = kind;
    }
    return !(wrong & OTHER) && before == TOKEN;
}

bool fob_topic_valid(fob_slice_t topic) {
    if (topic.size == 0 || topic.size > FOB_TOPIC_MAX)
        return false;
    return tokens_valid(topic.data, topic.data + topic.size);
}

bool fob_topic_is_sys(fob_slice_t topic) {
    if (topic.size > FOB_TOPIC_MAX || !has_sys(topic))
        return false;
    return tokens_valid(topic.data + SYS_SIZE, topic.data + topic.size);
}

static bool pattern_token_valid(fob_slice_t pattern, size_t at, size_t size) {
    const uint8_t *token = pattern.data + at;
    if (size == 1 && *token == '*')
        return true;
    if (size == 1 && *token == '>')
        return at + 1 == pattern.size;
    return tokens_valid(token, token + size);
}

bool fob_pattern_valid(fob_slice_t pattern) {
    if (pattern.size == 0 || pattern.size > FOB_TOPIC_MAX)
        return false;
    size_t at = has_sys(pattern) ? SYS_SIZE : 0;
    for (;;) {
        size_t size = token_size(pattern, at);
        if (!pattern_token_valid(pattern, at, size))
            return false;
        at += size;
        if (at == pattern.size)
            return true;
        at++; /* the dot; a dot at the end leaves an empty token, which is not valid */
    }
}

bool fob_pattern_match(fob_slice_t pattern, fob_slice_t topic) {
    if (pattern.size == 0 || topic.size == 0)
        return false;
    if (fob_slice_eq(pattern, topic))
        return true;
    if (has_sys(topic) && (pattern.data[0] == '*' || pattern.data[0] == '>'))
        return false;
    size_t p = 0, t = 0;
    while (p < pattern.size && t < topic.size) {
        if (pattern.data[p] == '>')
            return true;
        if (pattern.data[p] == '*') {
            p++;
            t += token_size(topic, t);
        } else if (pattern.data[p] == topic.data[t]) {
            p++;
            t++;
        } else {
            return false;
        }
    }
    return p == pattern.size && t == topic.size;
}

/* Where the first wildcard stands, or the pattern's size. */
static size_t wildcard_at(fob_slice_t pattern) {
    size_t at = 0;
    while (at < pattern.size && pattern.data[at] != '*' && pattern.data[at] != '>')
        at++;
    return at;
}

bool fob_pattern_literal(fob_slice_t pattern) {
    return wildcard_at(pattern) == pattern.size;
}

size_t fob_pattern_prefix(fob_slice_t pattern, uint8_t *out) {
    size_t size = wildcard_at(pattern);
    if (size > FOB_TOPIC_MAX)
        size = FOB_TOPIC_MAX;
    if (size > 0)
        memcpy(out, pattern.data, size);
    if (size == pattern.size)
        out[size++] = 0;
    return size;
}
