/* topic: one pass over the bytes, no allocation. */
#include "proto/topic.h"

static const char SYS[] = "$sys.";
#define SYS_SIZE (sizeof SYS - 1)

/* Whether the byte may be in a token: a bitmap, as this runs over each topic of each event. */
static bool token_byte(uint8_t byte) {
    static const uint64_t bits[4] = {
        0x03ff200000000000u, /* 0-9 - */
        0x07fffffe87fffffeu, /* A-Z _ a-z */
    };
    return (bits[byte >> 6] >> (byte & 63)) & 1;
}

/* The bytes of the token at `at`: up to the next dot or the end. */
static size_t token_size(fob_slice_t text, size_t at) {
    const uint8_t *dot = memchr(text.data + at, '.', text.size - at);
    return dot ? (size_t)(dot - text.data) - at : text.size - at;
}

static bool has_sys(fob_slice_t text) {
    return text.size >= SYS_SIZE && memcmp(text.data, SYS, SYS_SIZE) == 0;
}

/* Tokens joined by single dots, at least one. */
static bool tokens_valid(const uint8_t *at, const uint8_t *end) {
    bool in_token = false;
    for (; at < end; at++) {
        if (token_byte(*at))
            in_token = true;
        else if (*at == '.' && in_token)
            in_token = false;
        else
            return false;
    }
    return in_token;
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
