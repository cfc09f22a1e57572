/* A settle that is answered is durable, and only who had the event last can settle it. */
#include "table.h"

#include "proto/wire.h"

#include <inttypes.h>

typedef struct {
    uint64_t token;    /* under which it was delivered last */
    uint64_t returned; /* the token that ended by coming back, or dying */
    bool acked;        /* ever */
} event_t;

/* One event of a SETTLE without an answer. */
typedef struct {
    uint32_t conn;
    const sim_group_t *group;
    uint64_t seq, offset, token;
    uint8_t kind;
    bool stale; /* others had it when this was read */
    bool refused;
    int64_t at_ns;
} ask_t;

#define ASK_KEPT (60 * FOB_SEC) /* longer than any connection lives without an answer */

typedef struct {
    sim_table_t events;
    ask_t *asks;
    size_t count, room;
} own_t;

static event_t *event_of(sim_checker_t *self, const sim_group_t *group, uint64_t offset) {
    own_t *own = self->own;
    return sim_table_at(&own->events, self, group, offset, sizeof(event_t));
}

static void asked(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    fob_runs_t rows;
    fob_run_t row;
    if (!fact->group || !fact->bytes.size || !fob_runs(fact->bytes, &rows))
        return;
    while (fob_runs_next(&rows, &row))
        for (uint64_t i = 0; i < row.at[2]; i++) {
            uint64_t offset = row.at[1] + i, token = row.at[3] + i;
            bool stale = event_of(self, fact->group, offset)->token > token;
            own->asks = sim_grow(own->asks, own->count, &own->room, sizeof *own->asks);
            own->asks[own->count++] = (ask_t){.conn = fact->worker,
                                              .group = fact->group,
                                              .seq = fact->serial,
                                              .offset = offset,
                                              .token = token,
                                              .kind = (uint8_t)row.at[0],
                                              .stale = stale,
                                              .at_ns = fact->now_ns};
        }
}

static bool is_of(const ask_t *ask, const sim_fact_t *fact) {
    return ask->conn == fact->worker && ask->group == fact->group && ask->seq == fact->serial;
}

static void refused(own_t *own, const sim_fact_t *fact) {
    fob_runs_t rows;
    fob_run_t row;
    if (!fact->bytes.size || !fob_runs(fact->bytes, &rows))
        return;
    while (fob_runs_next(&rows, &row))
        for (size_t i = 0; i < own->count; i++)
            if (is_of(&own->asks[i], fact) && own->asks[i].offset >= row.at[1] &&
                own->asks[i].offset - row.at[1] < row.at[2] &&
                own->asks[i].token - row.at[3] == own->asks[i].offset - row.at[1])
                own->asks[i].refused = true;
}

static void honoured(sim_checker_t *self, const ask_t *ask) {
    const event_t *event = event_of(self, ask->group, ask->offset);
    SIM_HOLD(self, !ask->stale,
             "group %s: a settle of offset %" PRIu64 " under token %" PRIu64
             " is honoured, after it went out under %" PRIu64,
             ask->group->name, ask->offset, ask->token, event->token);
    SIM_HOLD(self, ask->kind == FOB_KIND_ACK ? event->acked : event->returned >= ask->token,
             "group %s: a settle (kind %u) of offset %" PRIu64
             " is answered, and it is not durable",
             ask->group->name, ask->kind, ask->offset);
}

static void answered(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    size_t kept = 0;
    refused(own, fact);
    for (size_t i = 0; i < own->count; i++) {
        const ask_t ask = own->asks[i];
        if (!is_of(&ask, fact) && fact->now_ns - ask.at_ns < ASK_KEPT)
            own->asks[kept++] = ask;
        else if (is_of(&ask, fact) && !ask.refused)
            honoured(self, &ask);
    }
    own->count = kept;
}

static void run(sim_checker_t *self, const sim_fact_t *fact) {
    const fob_run_record_t *run = fact->run;
    uint64_t first = run->to - run->count + 1;
    if (run->verb == FOB_RUN_ACK)
        for (uint64_t o = run->from; o <= run->to; o++)
            event_of(self, fact->group, o)->acked = true;
    if (run->verb == FOB_RUN_RETURN)
        for (uint64_t o = first; o <= run->to; o++)
            event_of(self, fact->group, o)->returned = run->token + (o - first);
    if (run->verb == FOB_RUN_DEAD && !(run->flags & FOB_RUN_UNKNOWN))
        for (uint64_t o = first; o <= run->to; o++) /* it does not say under which token */
            event_of(self, fact->group, o)->returned = event_of(self, fact->group, o)->token;
}

static void delivered(sim_checker_t *self, const sim_fact_t *fact) {
    for (uint64_t i = 0; i < fact->count; i++) {
        event_t *event = event_of(self, fact->group, fact->offset + i);
        if (fact->token + i > event->token)
            event->token = fact->token + i;
    }
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind == SIM_ASKED)
        asked(self, fact);
    else if (fact->kind == SIM_ANSWERED && fact->group)
        answered(self, fact);
    else if (fact->kind == SIM_RUN)
        run(self, fact);
    else if (fact->kind == SIM_DELIVERED)
        delivered(self, fact);
    else if (fact->kind == SIM_BUS_UP)
        own->count = 0; /* no answers of an earlier life */
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    sim_table_free(&own->events);
    free(own->asks);
}

const sim_checker_ops_t sim_check_settled = {
    "a settle that is answered is durable, and of the last to have it", sizeof(own_t), fact, end};
