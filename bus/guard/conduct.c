#include "bus/guard/conduct.h"

#include "proto/now.h"

/* Commands of libzmq's own (its heartbeats) are never handed over, but each is answered, with 7
 * bytes for 9, or more for as many more. So much a second of what was answered (a heartbeat each 35
 * ms) is not held against anybody; what came late, as the bus stood still, up to this. */
#define FORGIVEN_PER_SEC 256
#define FORGIVEN_MOST    (16 << 10)
#define LITTLE           1024    /* bytes that are no unfinished message: what libzmq greets with */
#define LASTING_NS       FOB_SEC /* a message that takes longer may have to make room */

static const char *const names[] = {"",
#define NAME(name, word, sentence) word,
                                    FOB_ENDED_MAP(NAME)
#undef NAME
};

static const char *const sentences[] = {"",
#define SENTENCE(name, word, sentence) sentence,
                                        FOB_ENDED_MAP(SENTENCE)
#undef SENTENCE
};

const char *fob_ended_name(fob_ended_t reason) {
    return names[reason];
}

const char *fob_ended_sentence(fob_ended_t reason) {
    return sentences[reason];
}

static uint64_t share(uint64_t per_second, int64_t ns) {
    return ns > 0 ? (uint64_t)((double)per_second * (double)ns / FOB_SEC) : 0;
}

static int64_t since(const fob_conduct_t *self, const fob_conduct_look_t *look) {
    return self->looked_ns ? look->now_ns - self->looked_ns : 0;
}

static uint64_t lesser(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* libzmq's own commands, by what was answered: they are no message. */
static void forgive(fob_conduct_t *self, const fob_conduct_sample_t *sample,
                    const fob_conduct_look_t *look) {
    uint64_t answered = sample->acked - self->acked;
    self->spare += share(FORGIVEN_PER_SEC, since(self, look));
    self->spare = lesser(self->spare, FORGIVEN_MOST);
    uint64_t forgiven = lesser(self->spare, answered + answered / 3);
    forgiven = lesser(forgiven, sample->received - self->base);
    self->spare -= forgiven;
    self->base += forgiven;
}

/* What libzmq holds of a message without an end. What the kernel still has is not held: libzmq may
 * be behind. */
static void count(fob_conduct_t *self, const fob_conduct_sample_t *sample,
                  const fob_conduct_look_t *look) {
    forgive(self, sample, look);
    uint64_t taken = sample->received - lesser(sample->unread, sample->received);
    if (self->heard && taken > self->base)
        self->base = taken;
    self->unfinished = taken > self->base ? taken - self->base : 0;
    if (self->heard || self->unfinished <= LITTLE || !self->whole_ns)
        self->whole_ns = look->awake_ns;
}

/* It was so at the look before already, and a message that was whole by then would have been handed
 * over since. */
static bool unfinished_for(const fob_conduct_t *self, int64_t bound_ns,
                           const fob_conduct_look_t *look) {
    return look->sure && self->awake_ns - self->whole_ns > bound_ns;
}

/* More than a message, twice in a row, and in between one that was whole would have been handed
 * over. */
static bool endless(fob_conduct_t *self, uint64_t bound, const fob_conduct_look_t *look) {
    if (self->heard)
        self->over = false;
    bool over = bound && self->unfinished > bound;
    if (over && self->over && look->sure)
        return true;
    /* Once above, it stays so until a message ends: only the second look has to be sure. */
    self->over = over;
    return false;
}

static bool stormy(fob_conduct_t *self, const fob_conduct_limits_t *limits,
                   const fob_conduct_sample_t *sample, const fob_conduct_look_t *look) {
    uint64_t calmed = share(limits->rate, since(self, look));
    self->level = self->level > calmed ? self->level - calmed : 0;
    self->level += sample->received - self->received;
    return limits->burst && self->level > limits->burst;
}

/* More came of a message that has no end yet. */
static bool goes_on(const fob_conduct_t *self, const fob_conduct_sample_t *sample) {
    return self->unfinished > LITTLE && sample->received > self->received;
}

/* The clock runs on: since when the connection is silent, or takes nothing. A large message on a
 * slow line is not silence: how long it may take is bounded by `unfinished_ns`. */
static void note(fob_conduct_t *self, const fob_conduct_sample_t *sample,
                 const fob_conduct_look_t *look) {
    bool more = goes_on(self, sample);
    if (more)
        self->more_ns = look->now_ns;
    if (self->heard || more || !self->heard_ns)
        self->heard_ns = look->awake_ns;
    if (!sample->unsent || sample->acked != self->acked || !self->took_ns)
        self->took_ns = look->awake_ns;
}

static bool too_long(int64_t bound_ns, int64_t since_ns, const fob_conduct_look_t *look) {
    return bound_ns && look->awake_ns - since_ns > bound_ns;
}

fob_ended_t fob_conduct_judge(fob_conduct_t *self, const fob_conduct_limits_t *limits,
                              const fob_conduct_sample_t *sample, const fob_conduct_look_t *look) {
    fob_ended_t verdict = FOB_ENDED_NOT;
    uint64_t much = limits->burst ? limits->burst / 16 : limits->message;
    self->brisk = much && sample->received - self->received > much;
    count(self, sample, look);
    note(self, sample, look);
    self->lasting = unfinished_for(self, LASTING_NS, look) ? self->unfinished : 0;
    if (stormy(self, limits, sample, look))
        verdict = FOB_ENDED_STORM;
    else if (endless(self, limits->message, look))
        verdict = FOB_ENDED_ENDLESS;
    else if (too_long(limits->unread_ns, self->took_ns, look))
        verdict = FOB_ENDED_UNREAD;
    else if (look->sure && too_long(limits->silent_ns, self->heard_ns, look))
        verdict = FOB_ENDED_SILENT;
    else if (limits->unfinished_ns && unfinished_for(self, limits->unfinished_ns, look))
        verdict = FOB_ENDED_UNFINISHED;
    self->heard = false;
    self->received = sample->received;
    self->acked = sample->acked;
    self->looked_ns = look->now_ns;
    self->awake_ns = look->awake_ns;
    return verdict;
}
