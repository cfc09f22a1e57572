#include "sim_reached.h"

#include "bus/core/group/policy.h"
#include "subscribers/sequence/sequencer.h"

#define RUN(verb, reason)                                                                          \
    { SIM_REACHED_RUN, FOB_RUN_##verb, FOB_##reason, true, #verb " " #reason }
#define ANY_RUN(verb)                                                                              \
    { SIM_REACHED_RUN, FOB_RUN_##verb, 0, true, #verb }
#define RECORD(kind)                                                                               \
    { SIM_REACHED_RECORD, FOB_RECORD_##kind, 0, true, "record " #kind }
#define RESET(mode)                                                                                \
    { SIM_REACHED_RESET, FOB_RESET_##mode, 0, true, "reset " #mode }
#define ANSWER(status)                                                                             \
    { SIM_REACHED_ANSWER, FOB_##status, 0, true, "answer " #status }
#define RECEIPT(status)                                                                            \
    { SIM_REACHED_RECEIPT, FOB_##status, 0, true, "receipt " #status }

#define SUBSCRIBER(class, what, name)                                                              \
    { SIM_REACHED_##class, what, 0, true, "subscriber " name }

/* What has a name, and whether many worlds are to reach it. */
static const struct {
    sim_reached_class_t class;
    unsigned what, reason;
    bool must;
    const char *name;
} places[] = {
    RECORD(EVENTS),
    RECORD(GROUP_ADD),
    RECORD(GROUP_REMOVE),
    RECORD(MARK),
    RECORD(RUNS),
    RECORD(FORGET),
    RECORD(SET),
    RECORD(ANSWERS),
    RECORD(NOTED),
    RECORD(RESET),
    RECORD(MOVED),
    ANY_RUN(ACK),
    ANY_RUN(HANDOUT),
    ANY_RUN(COVER),
    ANY_RUN(REDRIVE),
    ANY_RUN(ACCEPT),
    RUN(RETURN, REASON_LOST),
    RUN(RETURN, REASON_RETRY),
    RUN(RETURN, REASON_RELEASE),
    RUN(RETURN, REASON_LEAVE),
    RUN(RETURN, REASON_LEASE),
    RUN(DEAD, REASON_REJECT),
    RUN(DEAD, REASON_ATTEMPTS),
    RUN(DEAD, REASON_AGE),
    RUN(DEAD, REASON_OVERFLOW),
    {SIM_REACHED_RUN, FOB_RUN_DEAD, FOB_REASON_DAMAGED, false, "DEAD REASON_DAMAGED"},
    RUN(SHED, OVERFLOW_DROP_OLDEST),
    RUN(SHED, OVERFLOW_DROP_LOWEST),
    RUN(REMOVE, REMOVAL_RESET),
    RUN(UNBURY, REMOVAL_DEAD_PURGE),
    RUN(UNBURY, REMOVAL_DEAD_MAX),
    RUN(UNBURY, REMOVAL_DEAD_MAX_AGE),
    RESET(ANEW),
    RESET(FORWARD),
    RESET(LATEST),
    RESET(PURGE),
    ANSWER(OK),
    ANSWER(BUSY),
    ANSWER(BAD_TOPIC), /* a void event: its number's own one was taken back */
    ANSWER(DISK_FULL),
    /* who comes back to a bus that forgot it is told so by WELCOME, and begins anew */
    {SIM_REACHED_ANSWER, FOB_FORGOTTEN, 0, false, "answer FORGOTTEN"},
    RECEIPT(OK),
    RECEIPT(TOO_LARGE),
    RECEIPT(DEADLINE),
    RECEIPT(CLOSED),
    RECEIPT(UNKNOWN_OUTCOME),
    {SIM_REACHED_BUSY, SIM_BUSY_DEPTH, 0, true, "BUSY by depth"},
    {SIM_REACHED_BUSY, SIM_BUSY_BYTES, 0, true, "BUSY by bytes"},
    {SIM_REACHED_BUSY, SIM_BUSY_BEHIND, 0, true, "BUSY behind one that was"},
    {SIM_REACHED_BUSY, SIM_BUSY_SESSIONS, 0, false, "BUSY by sessions"},
    SUBSCRIBER(MODE, FOB_SEQUENCER_RELIABLE, "mode reliable"),
    SUBSCRIBER(MODE, FOB_SEQUENCER_NOTIFY, "mode notify"),
    SUBSCRIBER(MODE, FOB_SEQUENCER_LIVE, "mode live"),
    SUBSCRIBER(FROM, FOB_SEQUENCER_LATEST, "from latest"),
    SUBSCRIBER(FROM, FOB_SEQUENCER_EARLIEST, "from earliest"),
    SUBSCRIBER(FROM, FOB_SEQUENCER_LAST, "from last"),
    SUBSCRIBER(FROM, FOB_SEQUENCER_OFFSET, "from an offset"),
    SUBSCRIBER(FROM, FOB_SEQUENCER_TIME, "from a time"),
    SUBSCRIBER(NOTICE, FOB_NOTICE_RETENTION, "told: no longer kept"),
    SUBSCRIBER(NOTICE, FOB_NOTICE_LOST, "told: lost"),
    SUBSCRIBER(NOTICE, FOB_NOTICE_EPOCH, "told: a new epoch"),
    {SIM_REACHED_NOTICE, FOB_NOTICE_DAMAGED, 0, false, "subscriber told: damaged"},
    SUBSCRIBER(SUBSCRIBER, SIM_SUBSCRIBER_CUT, "cut off from the broadcast only"),
    SUBSCRIBER(SUBSCRIBER, SIM_SUBSCRIBER_BEHIND, "behind"),
    SUBSCRIBER(SUBSCRIBER, SIM_SUBSCRIBER_DEAF, "far behind, its subscription rests"),
    SUBSCRIBER(SUBSCRIBER, SIM_SUBSCRIBER_FETCHED, "gets a page"),
    SUBSCRIBER(SUBSCRIBER, SIM_SUBSCRIBER_GONE, "gets a page of which some is gone"),
    SUBSCRIBER(SUBSCRIBER, SIM_SUBSCRIBER_WHOLE, "hears whether all is there"),
    SUBSCRIBER(SUBSCRIBER, SIM_SUBSCRIBER_FLOOR, "hears that the bus cannot say"),
    SUBSCRIBER(SUBSCRIBER, SIM_SUBSCRIBER_PART, "asks whether all of a part is there"),
};
#define PLACES (sizeof places / sizeof *places)

/* LIVE begins nowhere else. */
static void subscribed(sim_reached_t *self, const sim_fact_t *fact) {
    sim_reached_note(self, SIM_REACHED_MODE, (uint64_t)fact->status);
    if (fact->status != (fob_status_t)FOB_SEQUENCER_LIVE)
        sim_reached_note(self, SIM_REACHED_FROM, fact->count);
}

void sim_reached_fact(sim_reached_t *self, const sim_fact_t *fact) {
    if (fact->kind == SIM_RUN)
        self->runs[fact->run->verb % 16][fact->run->reason % 16]++;
    else if (fact->kind == SIM_RESET)
        sim_reached_note(self, SIM_REACHED_RESET, fact->reset->mode);
    else if (fact->kind == SIM_RECEIPT)
        sim_reached_note(self, SIM_REACHED_RECEIPT, (uint64_t)fact->status);
    else if (fact->kind == SIM_SUBSCRIBED)
        subscribed(self, fact);
    else if (fact->kind == SIM_NOTICE)
        sim_reached_note(self, SIM_REACHED_NOTICE, fact->value);
    else if (fact->kind == SIM_BUSY)
        sim_reached_note(self, SIM_REACHED_BUSY,
                         fact->token                  ? SIM_BUSY_BYTES
                         : fact->value >= fact->count ? SIM_BUSY_DEPTH
                                                      : SIM_BUSY_BEHIND);
}

void sim_reached_add(sim_reached_t *self, const sim_reached_t *other) {
    for (size_t c = 0; c < SIM_REACHED_CLASSES; c++)
        for (size_t i = 0; i < SIM_REACHED_WIDTH; i++)
            self->of[c][i] += other->of[c][i];
    for (size_t v = 0; v < 16; v++)
        for (size_t r = 0; r < 16; r++)
            self->runs[v][r] += other->runs[v][r];
}

static uint64_t count_of(const sim_reached_t *self, size_t place) {
    unsigned what = places[place].what;
    if (places[place].class != SIM_REACHED_RUN)
        return self->of[places[place].class][what];
    if (places[place].reason)
        return self->runs[what][places[place].reason];
    uint64_t sum = 0;
    for (size_t r = 0; r < 16; r++)
        sum += self->runs[what][r];
    return sum;
}

void sim_reached_tell(const sim_reached_t *self) {
    for (size_t i = 0; i < PLACES; i++)
        printf("%12llu times  %s\n", (unsigned long long)count_of(self, i), places[i].name);
    for (unsigned s = 0; s < SIM_REACHED_WIDTH; s++) {
        bool named = false;
        for (size_t i = 0; i < PLACES; i++)
            named = named || (places[i].class == SIM_REACHED_ANSWER && places[i].what == s);
        if (!named && self->of[SIM_REACHED_ANSWER][s])
            printf("%12llu times  answer %s\n", (unsigned long long)self->of[SIM_REACHED_ANSWER][s],
                   fob_status_name((fob_status_t)s));
    }
}

bool sim_reached_enough(const sim_reached_t *self, uint64_t worlds) {
    bool all = true;
    for (size_t i = 0; i < PLACES; i++)
        if (places[i].must && !count_of(self, i)) {
            fprintf(stderr,
                    "\nBROKEN: the worlds reach what a bus may meet\n  in %llu worlds never: %s\n",
                    (unsigned long long)worlds, places[i].name);
            all = false;
        }
    return all;
}
