/* fuzz_wire: any bytes as a header frame with its runs and shards, as frame 1 of a broadcast, as a
 * pattern. */
#include "proto/topic.h"
#include "proto/wire.h"
#include "tests/fuzz/fuzz.h"

static void rows(fob_slice_t raw) {
    fob_runs_t runs;
    fob_run_t run;
    uint32_t count = 0;
    if (!fob_runs(raw, &runs))
        return;
    const uint32_t said = runs.left;
    while (fob_runs_next(&runs, &run))
        count++;
    FUZZ_RULE(count <= FOB_RUNS_MAX);
    FUZZ_RULE(runs.cursor.failed || count == said);
}

/* What was accepted can be written again, and then reads the same. */
static void rewrite(const fob_wire_t *msg) {
    fob_buf_t once = {0}, twice = {0};
    fob_wire_t again;
    FUZZ_RULE(fob_wire_write(&once, msg) == FOB_OK);
    FUZZ_RULE(once.size <= FOB_WIRE_HEADER_MAX);
    FUZZ_RULE(fob_wire_read(fob_buf_slice(&once), &again) == FOB_OK);
    FUZZ_RULE(again.verb == msg->verb && again.shard == msg->shard);
    FUZZ_RULE(again.present == msg->present);
    FUZZ_RULE(fob_wire_write(&twice, &again) == FOB_OK);
    FUZZ_RULE(fob_slice_eq(fob_buf_slice(&once), fob_buf_slice(&twice)));
    fob_buf_free(&once);
    fob_buf_free(&twice);
}

static void header(fob_slice_t bytes) {
    fob_wire_t msg;
    fob_shard_t shard;
    if (fob_wire_read(bytes, &msg) != FOB_OK)
        return;
    FUZZ_RULE(fob_verb_name(msg.verb) != NULL);
    rewrite(&msg);
    rows(msg.runs);
    rows(msg.refused);
    if (fob_shards_find(msg.shards, 0, &shard))
        FUZZ_RULE(shard.shard == 0);
}

static void cast(fob_slice_t bytes) {
    fob_cast_t cast, again;
    if (fob_cast_read(bytes, &cast) != FOB_OK)
        return;
    fob_buf_t out = {0};
    FUZZ_RULE(fob_cast_write(&out, &cast) == FOB_OK);
    FUZZ_RULE(fob_cast_read(fob_buf_slice(&out), &again) == FOB_OK);
    FUZZ_RULE(fob_slice_eq(again.topic, cast.topic));
    FUZZ_RULE(again.kind == cast.kind && again.offset == cast.offset && again.seq == cast.seq);
    FUZZ_RULE(again.count == cast.count && again.prev == cast.prev && again.source == cast.source);
    fob_buf_free(&out);
}

static void pattern(fob_slice_t bytes) {
    uint8_t prefix[FOB_TOPIC_MAX + 1];
    FUZZ_RULE(!fob_topic_valid(bytes) || fob_pattern_valid(bytes));
    FUZZ_RULE(!(fob_topic_valid(bytes) && fob_topic_is_sys(bytes)));
    FUZZ_RULE(fob_pattern_prefix(bytes, prefix) <= sizeof prefix);
    fob_pattern_match(bytes, fob_slice_str("shop.eu.order_placed"));
    fob_pattern_match(fob_slice_str("shop.*.>"), bytes);
    if (fob_topic_valid(bytes)) {
        FUZZ_RULE(fob_pattern_match(bytes, bytes) && fob_pattern_literal(bytes));
        FUZZ_RULE(fob_pattern_match(fob_slice_str(">"), bytes));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fob_slice_t bytes = fob_slice(data, size);
    header(bytes);
    rows(bytes);
    cast(bytes);
    pattern(bytes);
    return 0;
}
