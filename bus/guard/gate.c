#include "bus/guard/gate.h"

#include "proto/envelope.h"
#include "proto/topic.h"
#include "proto/uniform.h"

#define SYS   "$sys"
#define PROBE "$sys.probe."

#define FRAMING 32 /* bytes of msgpack around topic, attributes and data, generously */

static bool token_byte(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* A `$` opens the first token only, and what follows must be (the beginning of) `$sys.`. */
static bool sys_so_far(fob_slice_t text) {
    size_t known = text.size < strlen(SYS ".") ? text.size : strlen(SYS ".");
    return memcmp(text.data, SYS ".", known) == 0;
}

/* Whether some topic begins with this text. */
static bool topic_so_far(fob_slice_t text) {
    if (text.size > FOB_TOPIC_MAX)
        return false;
    size_t at = 0;
    if (text.size > 0 && text.data[0] == '$') {
        if (!sys_so_far(text))
            return false;
        at = 1;
    }
    bool token = at > 0;
    for (; at < text.size; at++) {
        if (text.data[at] == '.') {
            if (!token)
                return false;
            token = false;
        } else if (token_byte(text.data[at])) {
            token = true;
        } else {
            return false;
        }
    }
    return true;
}

fob_gate_t fob_gate_subscription(fob_slice_t prefix) {
    bool whole = prefix.size > 0 && prefix.data[prefix.size - 1] == 0;
    if (!whole)
        return topic_so_far(prefix) ? FOB_GATE_ACCEPT : FOB_GATE_REFUSE;
    fob_slice_t topic = fob_slice(prefix.data, prefix.size - 1);
    if (fob_topic_valid(topic))
        return FOB_GATE_ACCEPT;
    if (!fob_topic_is_sys(topic))
        return FOB_GATE_REFUSE;
    size_t probe = strlen(PROBE);
    bool asks = topic.size > probe && memcmp(topic.data, PROBE, probe) == 0;
    return asks ? FOB_GATE_PROBE : FOB_GATE_ACCEPT;
}

fob_status_t fob_gate_cast(fob_slice_t header, fob_slice_t body, const fob_gate_limits_t *limits) {
    fob_cast_t cast;
    if (fob_cast_read(header, &cast) != FOB_OK || cast.kind != FOB_CAST_FIRE || cast.count == 0)
        return FOB_PROTOCOL;
    if (cast.shard != 0 || cast.epoch != 0 || cast.offset != 0 || cast.prev != 0)
        return FOB_PROTOCOL;
    if (cast.seq > INT64_MAX - cast.count)
        return FOB_PROTOCOL;
    if (!fob_topic_valid(cast.topic))
        return FOB_BAD_TOPIC;
    if (body.size > limits->max_batch)
        return FOB_TOO_LARGE;
    uint64_t most = limits->max_event + FOB_ATTRIBUTES_MAX + FOB_TOPIC_MAX + FRAMING;
    return fob_uniform(body, cast.topic, cast.count, most);
}
