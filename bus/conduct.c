#include "bus/conduct.h"

#define NS_PER_SEC 1000000000

/* Commands of libzmq's own (its heartbeats) are never handed over: so much a second is not held
 * against anybody. */
#define FORGIVEN_PER_SEC 64

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
    return ns > 0 ? (uint64_t)((double)per_second * (double)ns / NS_PER_SEC) : 0;
}

static int64_t since(const fob_conduct_t *self, const fob_conduct_look_t *look) {
    return self->looked_ns ? look->now_ns - self->looked_ns : 0;
}

/* More than a message, twice in a row, and in between one that was whole would have been handed
 * over. What the kernel still has is not held: libzmq may be behind. */
static bool endless(fob_conduct_t *self, uint64_t bound, const fob_conduct_sample_t *sample,
                    const fob_conduct_look_t *look) {
    self->base += share(FORGIVEN_PER_SEC, since(self, look));
    if (self->heard || self->base > sample->received)
        self->base = sample->received;
    if (self->heard)
        self->over = false;
    bool over = bound && sample->received - self->base > bound + sample->unread;
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

/* The clock runs on: since when the connection is silent, or takes nothing. */
static void note(fob_conduct_t *self, const fob_conduct_sample_t *sample,
                 const fob_conduct_look_t *look) {
    if (self->heard || !self->heard_ns)
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
    note(self, sample, look);
    if (stormy(self, limits, sample, look))
        verdict = FOB_ENDED_STORM;
    else if (endless(self, limits->message, sample, look))
        verdict = FOB_ENDED_ENDLESS;
    else if (too_long(limits->unread_ns, self->took_ns, look))
        verdict = FOB_ENDED_UNREAD;
    else if (look->sure && too_long(limits->silent_ns, self->heard_ns, look))
        verdict = FOB_ENDED_SILENT;
    self->heard = false;
    self->received = sample->received;
    self->acked = sample->acked;
    self->looked_ns = look->now_ns;
    return verdict;
}
