#include "bus/commands/bench.h"
#include "proto/now.h"

#include <inttypes.h>
#include <string.h>

static void join(fob_bench_sum_t *self, const fob_bench_slot_t *slot) {
    int64_t sent_ns = atomic_load(&slot->sent_ns), last_ns = atomic_load(&slot->last_ns);
    self->sent += atomic_load(&slot->sent);
    self->settled += atomic_load(&slot->settled);
    self->refused += atomic_load(&slot->refused);
    self->received += atomic_load(&slot->received);
    self->again += atomic_load(&slot->again);
    self->disordered += atomic_load(&slot->disordered);
    self->foreign += atomic_load(&slot->foreign);
    self->told += atomic_load(&slot->told);
    self->sent_ns = sent_ns > self->sent_ns ? sent_ns : self->sent_ns;
    self->last_ns = last_ns > self->last_ns ? last_ns : self->last_ns;
}

fob_bench_sum_t fob_bench_sum(const fob_board_t *board, uint32_t first, uint32_t count) {
    fob_bench_sum_t sum = {0};
    for (uint32_t i = first; i < first + count; i++)
        join(&sum, fob_board_slot(board, i));
    return sum;
}

/* What was sent and these receivers have not had. */
static uint64_t missing(const fob_board_t *board, uint32_t first, uint32_t count) {
    uint64_t sum = 0;
    for (uint32_t source = 0; source < fob_board_plan(board)->publishers; source++) {
        const fob_tally_t sent = fob_board_sent(board, source);
        uint64_t end = atomic_load(&fob_board_slot(board, source)->sent);
        for (uint32_t i = first; i < first + count; i++) {
            const fob_tally_t seen = fob_board_seen(board, i, source);
            sum += fob_tally_missing(&sent, &seen, end);
        }
    }
    return sum;
}

/* --- as an object --- */

static json_t *spans(const fob_board_t *board, uint32_t first, uint32_t count, bool late) {
    static const struct {
        const char *name;
        double share;
    } points[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99_9", 0.999}};
    static fob_histogram_t all; /* too large for the stack */
    memset(&all, 0, sizeof all);
    for (uint32_t i = first; i < first + count; i++) {
        const fob_bench_slot_t *slot = fob_board_slot(board, i);
        fob_histogram_join(&all, late ? &slot->late : &slot->latency);
    }
    if (all.count == 0)
        return json_null();
    json_t *out = json_object();
    for (unsigned i = 0; i < sizeof points / sizeof points[0]; i++) {
        double us = (double)fob_histogram_at(&all, points[i].share) / 1000;
        json_object_set_new(out, points[i].name, json_real(us));
    }
    json_object_set_new(out, "max", json_real((double)all.max / 1000));
    json_object_set_new(out, "mean", json_real((double)all.sum / (double)all.count / 1000));
    return out;
}

static void set_count(json_t *object, const char *name, uint64_t value) {
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

/* Events, and how many a second of them from `from_ns` to the last; null: there is no such span. */
static json_t *flow(const fob_bench_plan_t *plan, uint64_t events, int64_t from_ns,
                    int64_t last_ns) {
    json_t *out = json_object();
    bool known = events > 0 && from_ns > 0 && last_ns > from_ns;
    double rate = known ? (double)events * 1e9 / (double)(last_ns - from_ns) : 0;
    set_count(out, "events", events);
    json_object_set_new(out, "per_second", known ? json_real(rate) : json_null());
    json_object_set_new(out, "bytes_per_second",
                        known ? json_real(rate * plan->size) : json_null());
    return out;
}

/* Receivers: of clients (from, count), and as the board counts receivers. */
static json_t *arrivals(const fob_board_t *board, uint32_t first, uint32_t clients, uint32_t from,
                        uint32_t receivers, fob_bench_end_t end) {
    const fob_bench_plan_t *plan = fob_board_plan(board);
    bool held = plan->hold && from == plan->subscribers;
    int64_t from_ns = held ? fob_board_drain_ns(board) : fob_board_run_ns(board);
    if (receivers == 0)
        return json_null();
    fob_bench_sum_t sum = fob_bench_sum(board, first, clients);
    uint64_t absent = missing(board, from, receivers);
    bool sure = end == FOB_BENCH_COMPLETE || absent == 0;
    json_t *out = flow(plan, sum.received, from_ns, sum.last_ns);
    json_object_set_new(out, "lost", sure ? json_integer((json_int_t)absent) : json_null());
    set_count(out, "pending", sure ? 0 : absent);
    set_count(out, "duplicated", sum.again);
    set_count(out, "out_of_order", sum.disordered);
    set_count(out, "foreign", sum.foreign);
    if (from == 0 && plan->subscribers > 0)
        set_count(out, "told", sum.told);
    if (!held)
        json_object_set_new(out, "latency_us", spans(board, first, clients, false));
    return out;
}

static json_t *options(const fob_bench_plan_t *plan) {
    json_t *out = json_object();
    set_count(out, "publishers", plan->publishers);
    set_count(out, "subscribers", plan->subscribers);
    set_count(out, "groups", plan->groups);
    set_count(out, "workers", plan->workers);
    set_count(out, "topics", plan->topics);
    set_count(out, "size", plan->size);
    set_count(out, "window", plan->window);
    set_count(out, "prefetch", plan->prefetch);
    set_count(out, "rate", plan->rate);
    set_count(out, "count", plan->count);
    set_count(out, "duration_ms", (uint64_t)plan->duration_ms);
    json_object_set_new(out, "confirm", json_string(plan->fire ? "none" : "stored"));
    return out;
}

static json_t *confirmed(const fob_board_t *board, const fob_bench_sum_t *loads) {
    const fob_bench_plan_t *plan = fob_board_plan(board);
    if (plan->fire)
        return json_null();
    json_t *out = flow(plan, loads->settled, fob_board_run_ns(board), loads->last_ns);
    set_count(out, "refused", loads->refused);
    json_object_set_new(out, "latency_us", spans(board, 0, plan->publishers, false));
    return out;
}

static json_t *about_bus(const fob_bench_t *self) {
    return json_pack("{s:s, s:s, s:s}", "endpoint", self->plan.bus, "version", self->version,
                     "level", self->level);
}

static double seconds(const fob_board_t *board, int64_t last_ns) {
    int64_t from_ns = fob_board_run_ns(board);
    return last_ns > from_ns ? (double)(last_ns - from_ns) / 1e9 : 0;
}

json_t *fob_bench_figures(const fob_bench_t *self, const fob_board_t *board, fob_bench_end_t end) {
    static const char *const ends[] = {[FOB_BENCH_COMPLETE] = "complete",
                                       [FOB_BENCH_INTERRUPTED] = "interrupted",
                                       [FOB_BENCH_FAILED] = "failed"};
    const fob_bench_plan_t *plan = &self->plan;
    uint32_t subscribers = plan->publishers, workers = plan->publishers + plan->subscribers;
    json_t *out = json_object();
    fob_bench_sum_t all = fob_bench_sum(board, 0, fob_board_clients(board));
    fob_bench_sum_t loads = fob_bench_sum(board, 0, plan->publishers);
    json_object_set_new(out, "work", json_string(self->work));
    json_object_set_new(out, "end", json_string(ends[end]));
    json_object_set_new(out, "bus", about_bus(self));
    json_object_set_new(out, "prefix", json_string(plan->prefix));
    json_object_set_new(out, "options", options(plan));
    json_object_set_new(out, "seconds", json_real(seconds(board, all.last_ns)));
    json_object_set_new(out, "published",
                        flow(plan, loads.sent, fob_board_run_ns(board), loads.sent_ns));
    json_object_set_new(out, "confirmed", confirmed(board, &loads));
    json_object_set_new(out, "delivered",
                        arrivals(board, subscribers, plan->subscribers, 0, plan->subscribers, end));
    json_object_set_new(out, "handled",
                        arrivals(board, workers, plan->groups * plan->workers, plan->subscribers,
                                 plan->groups, end));
    json_object_set_new(out, "late_us", spans(board, 0, plan->publishers, true));
    return out;
}

/* --- as a verdict --- */

int fob_bench_failure(const fob_bench_t *self, const fob_board_t *board) {
    for (uint32_t i = 0; i < fob_board_clients(board); i++) {
        const fob_bench_slot_t *slot = fob_board_slot(board, i);
        if (atomic_load(&slot->state) != FOB_CLIENT_FAILED)
            continue;
        if (slot->status == FOB_UNREACHABLE && fob_board_run_ns(board))
            return fob_fail(&self->cli, FOB_EXIT_UNREACHABLE,
                            "the bus went away in the middle, and did not come back: %s",
                            slot->text);
        return fob_fail_status(&self->cli, slot->status, slot->text);
    }
    return FOB_EXIT_OK;
}

/* The first event that was not stored, in the bus's words. */
static int refusal(const fob_bench_t *self, const fob_board_t *board, uint64_t refused) {
    for (uint32_t i = 0; i < self->plan.publishers; i++) {
        const fob_bench_slot_t *slot = fob_board_slot(board, i);
        if (atomic_load(&slot->refused) > 0)
            return fob_fail(&self->cli, fob_exit_code(slot->status),
                            "%" PRIu64 " events were not stored, the first because of this: %s",
                            refused, slot->text);
    }
    return FOB_EXIT_OK;
}

static uint64_t lost_of(const json_t *figures, const char *who) {
    return (uint64_t)json_integer_value(json_object_get(json_object_get(figures, who), "lost"));
}

int fob_bench_verdict(const fob_bench_t *self, const fob_board_t *board, const json_t *figures) {
    const fob_bench_sum_t all = fob_bench_sum(board, 0, fob_board_clients(board));
    uint64_t lost = lost_of(figures, "delivered") + lost_of(figures, "handled");
    int code = fob_bench_failure(self, board);
    if (code == FOB_EXIT_OK && all.refused > 0)
        code = refusal(self, board, all.refused);
    if (code != FOB_EXIT_OK || self->plan.fire || lost == 0)
        return code;
    if (all.told > 0)
        return fob_fail(&self->cli, FOB_EXIT_BUSY,
                        "%" PRIu64 " confirmed events did not arrive: the bus no longer had them "
                        "when a subscriber came to read them",
                        lost);
    return fob_fail(&self->cli, FOB_EXIT_BUG,
                    "%" PRIu64 " confirmed events did not arrive within 5 s, and nobody was told: "
                    "if the machine did not stand still, please report it",
                    lost);
}
