#include "bus/commands/ask.h"
#include "bus/commands/bench.h"
#include "bus/commands/figure.h"
#include "proto/amount.h"
#include "proto/topic.h"

#include <stdio.h>
#include <string.h>

#define ATTRIBUTES                                                                                 \
    60 /* bytes of an event beside its data, about: topic, offsets, the commit's share */

static void copy(const json_t *bus, const char *name, char *out, size_t size) {
    const char *text = json_string_value(json_object_get(bus, name));
    snprintf(out, size, "%s", text ? text : "-");
}

/* The first group that would get the events, beside ours, which do not exist yet. */
static const json_t *disturbed(const fob_bench_t *self, const json_t *groups) {
    char topic[64];
    snprintf(topic, sizeof topic, "%s.0", self->prefix);
    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *group = json_array_get(groups, i);
        const char *pattern = json_string_value(json_object_get(group, "pattern"));
        if (pattern && fob_pattern_match(fob_slice_str(pattern), fob_slice_str(topic)))
            return group;
    }
    return NULL;
}

/* Events that may be stored at the most; 0: nobody knows before. */
static uint64_t most_events(const fob_bench_plan_t *plan) {
    uint64_t by_rate =
        plan->rate && plan->duration_ms ? plan->rate * (uint64_t)plan->duration_ms / 1000 : 0;
    if (!plan->count || !by_rate)
        return plan->count ? plan->count : by_rate;
    return by_rate < plan->count ? by_rate : plan->count;
}

static void say_what_is_stored(const fob_bench_t *self) {
    const fob_bench_plan_t *plan = &self->plan;
    uint64_t events = most_events(plan);
    char bytes[32], count[32];
    fob_figure_count(events, count, sizeof count);
    fob_amount_about(events * (plan->size + ATTRIBUTES), bytes, sizeof bytes);
    if (plan->fire)
        fob_note(&self->cli, "publishes under %s.>, stores nothing", self->prefix);
    else if (events)
        fob_note(&self->cli, "stores %s events, some %s, under %s.>, to be kept as retain says",
                 count, bytes, self->prefix);
    else
        fob_note(&self->cli, "stores what it can under %s.>, to be kept as retain says",
                 self->prefix);
}

static int judge(fob_bench_t *self, const json_t *root) {
    const json_t *bus = json_object_get(root, "bus");
    const json_t *group = disturbed(self, json_object_get(root, "groups"));
    copy(bus, "version", self->version, sizeof self->version);
    copy(bus, "level", self->level, sizeof self->level);
    if (group && !self->plan.fire && !self->anyway)
        return fob_fail(&self->cli, FOB_EXIT_USAGE,
                        "the group %.80s (%.80s) would get all these events: --anyway does it all "
                        "the same",
                        json_string_value(json_object_get(group, "group")),
                        json_string_value(json_object_get(group, "pattern")));
    json_int_t publishers = json_integer_value(json_object_get(bus, "publishers"));
    json_int_t workers = json_integer_value(json_object_get(bus, "workers"));
    if (publishers + workers > 0)
        fob_note(&self->cli,
                 "others use this bus now (publishers: %" JSON_INTEGER_FORMAT
                 ", workers: %" JSON_INTEGER_FORMAT "): each slows the other down",
                 publishers, workers);
    say_what_is_stored(self);
    return FOB_EXIT_OK;
}

int fob_bench_ask(fob_bench_t *self) {
    const fob_wire_t question = {.verb = FOB_VERB_STATS};
    fob_answer_t answer;
    int code = fob_ask(&self->cli, &question, &answer);
    if (code == FOB_EXIT_OK) {
        json_t *root = fob_ask_json(&self->cli, &answer);
        code = root ? judge(self, root) : FOB_EXIT_PROTOCOL;
        json_decref(root);
    }
    fob_answer_clear(&answer);
    return code;
}
