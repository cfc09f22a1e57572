/* What a worker has stays its own: what it claims on a new connection, or after a restart of the
 * bus, it keeps, unless a record tells what became of it; and nobody else is given what did not
 * come back. */
#include "table.h"

#include "proto/wire.h"

#include <inttypes.h>

#define RESUME_NS  (INT64_C(3000) * FOB_MS - 10 * FOB_MS) /* as the bus has it, by any clock */
#define SETTLED_NS (8 * FOB_SEC)                          /* from a decision to its letter */

typedef struct {
    uint64_t token;    /* under which it went out last */
    uint64_t returned; /* and under which it came back last */
    uint32_t life;     /* of the bus that let it out */
    bool out;          /* it did not come back since */
    bool settled;      /* or went where none is handed out from, */
    bool again;        /* and may go out anew since */
    bool unsure;       /* an operator moved it */
    bool noted;        /* it has a record of its own: damage of a segment does not take it */
} event_t;

typedef struct {
    int64_t reset_ns; /* when it began anew or was emptied last, plus one */
    bool owed;        /* some were shed or removed, and which ones came out only later */
} group_t;

/* One event of a claim without an answer, or one that was refused. */
typedef struct {
    uint32_t conn;
    const sim_group_t *group;
    uint64_t offset, token, position;
    bool refused, late; /* late: it may have gone to others before */
    bool known;         /* what became of it is on record */
} claim_t;

typedef struct {
    sim_table_t events, groups;
    claim_t *claims;
    size_t count, room;
    uint32_t life;
    int64_t up_ns;
} own_t;

static event_t *event_of(sim_checker_t *self, const sim_group_t *group, uint64_t offset) {
    own_t *own = self->own;
    return sim_table_at(&own->events, self, group, offset, sizeof(event_t));
}

static group_t *group_of(sim_checker_t *self, const sim_group_t *group) {
    own_t *own = self->own;
    return sim_table_at(&own->groups, self, group, 0, sizeof(group_t));
}

static bool window_is_over(const own_t *own, int64_t now_ns) {
    return now_ns - own->up_ns >= RESUME_NS;
}

/* --- claims --- */

static void claim_one(sim_checker_t *self, const sim_fact_t *fact, uint64_t offset,
                      uint64_t token) {
    own_t *own = self->own;
    const event_t *event = event_of(self, fact->group, offset);
    own->claims = sim_grow(own->claims, own->count, &own->room, sizeof *own->claims);
    own->claims[own->count++] =
        (claim_t){.conn = fact->worker,
                  .group = fact->group,
                  .offset = offset,
                  .token = token,
                  .position = fact->position,
                  .late = event->life != own->life && window_is_over(own, fact->now_ns),
                  .known = event->settled || event->unsure || event->token != token};
}

static void joining(sim_checker_t *self, const sim_fact_t *fact) {
    fob_runs_t rows;
    fob_run_t row;
    if (!fact->group || !fact->bytes.size || !fob_runs(fact->bytes, &rows))
        return;
    while (fob_runs_next(&rows, &row))
        for (uint64_t i = 0; i < row.at[1]; i++)
            claim_one(self, fact, row.at[0] + i, row.at[2] + i);
}

static bool is_of(const claim_t *claim, const sim_fact_t *fact) {
    return claim->conn == fact->worker && claim->group == fact->group;
}

static void refuse(sim_checker_t *self, const sim_fact_t *fact, const fob_run_t *row) {
    own_t *own = self->own;
    bool owed = row->at[0] == FOB_GONE && group_of(self, fact->group)->owed;
    for (size_t i = 0; i < own->count; i++) {
        claim_t *claim = &own->claims[i];
        uint64_t at = claim->offset - row->at[1];
        if (!is_of(claim, fact) || at >= row->at[2] || claim->token - row->at[3] != at)
            continue;
        claim->refused = true;
        claim->known = claim->known || owed;
    }
}

/* Those that are not refused are kept: of these nothing is owed. */
static void joined(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    fob_runs_t rows;
    fob_run_t row;
    size_t kept = 0;
    bool any = fact->bytes.size && fob_runs(fact->bytes, &rows);
    while (any && fob_runs_next(&rows, &row))
        refuse(self, fact, &row);
    for (size_t i = 0; i < own->count; i++)
        if (!is_of(&own->claims[i], fact) || own->claims[i].refused)
            own->claims[kept++] = own->claims[i];
    own->count = kept;
}

/* All that was decided before the claim is durable: it must be known what became of it. */
static void look_at_claims(sim_checker_t *self, uint64_t position) {
    own_t *own = self->own;
    size_t kept = 0;
    for (size_t i = 0; i < own->count; i++) {
        const claim_t claim = own->claims[i];
        if (!claim.refused || claim.position >= position) {
            own->claims[kept++] = claim;
            continue;
        }
        SIM_HOLD(self, claim.known || claim.late,
                 "group %s: a worker claims offset %" PRIu64 " under token %" PRIu64
                 ", and is refused, though nobody else had it",
                 claim.group->name, claim.offset, claim.token);
    }
    own->count = kept;
}

static void know(sim_checker_t *self, const sim_fact_t *fact, uint64_t offset, uint64_t token) {
    own_t *own = self->own;
    const fob_run_record_t *run = fact->run;
    for (size_t i = 0; i < own->count; i++) {
        claim_t *claim = &own->claims[i];
        if (claim->group != fact->group || claim->offset != offset)
            continue;
        bool to_others = run->verb == FOB_RUN_HANDOUT && token != claim->token;
        bool ends = run->verb != FOB_RUN_HANDOUT && run->verb != FOB_RUN_RETURN;
        claim->known = claim->known || (to_others && fact->position < claim->position) ||
                       (ends && fact->position <= claim->position);
    }
}

/* --- what is out --- */

static void goes_out(sim_checker_t *self, const sim_fact_t *fact, uint64_t offset, uint64_t token) {
    own_t *own = self->own;
    event_t *event = event_of(self, fact->group, offset);
    int64_t reset_ns = group_of(self, fact->group)->reset_ns;
    bool before_reset = reset_ns && fact->now_ns - reset_ns < SETTLED_NS;
    if (token <= event->token || token <= event->returned)
        return;
    if (event->out && !event->unsure)
        SIM_HOLD(self, event->life != own->life && window_is_over(own, fact->now_ns),
                 "group %s: offset %" PRIu64 " goes out under token %" PRIu64
                 ", and did not come back under %" PRIu64,
                 fact->group->name, offset, token, event->token);
    /* It may have been settled meanwhile: a DELIVER waits for its commit, and is heard after it. */
    bool settled = event->settled && !event->again;
    *event = (event_t){.token = token,
                       .returned = event->returned,
                       .life = own->life,
                       .out = !settled,
                       .settled = settled,
                       .unsure = before_reset,
                       .noted = event->noted};
}

/* The walk found harm there. What was out before the start and nobody had claimed until then cannot
 * go out any more, and whoever claims it later is told that it is gone. */
static void harmed(sim_checker_t *self, const sim_fact_t *fact) {
    const own_t *own = self->own;
    for (uint64_t o = fact->run->from; o <= fact->run->to; o++) {
        event_t *event = event_of(self, fact->group, o);
        if (event->noted || event->life == own->life || !self->ground->events[o].hit)
            continue;
        know(self, fact, o, event->token);
        event->out = false;
        event->settled = true;
    }
}

static void run(sim_checker_t *self, const sim_fact_t *fact) {
    const fob_run_record_t *run = fact->run;
    if (run->verb == FOB_RUN_COVER && run->flags & FOB_RUN_DAMAGED)
        harmed(self, fact);
    if (run->flags & (FOB_RUN_DEBT | FOB_RUN_PAID | FOB_RUN_UNKNOWN))
        group_of(self, fact->group)->owed = true;
    if (run->flags & (FOB_RUN_DEBT | FOB_RUN_UNKNOWN) || run->verb == FOB_RUN_ACCEPT ||
        run->verb == FOB_RUN_COVER)
        return;
    bool one_by_one = run->verb == FOB_RUN_HANDOUT || run->verb == FOB_RUN_RETURN;
    uint64_t first = run->to - run->count + 1;
    for (uint64_t o = one_by_one ? first : run->from; o <= run->to; o++) {
        uint64_t token = run->token + (o - first);
        know(self, fact, o, token);
        event_t *event = event_of(self, fact->group, o);
        event->noted = true;
        if (run->verb == FOB_RUN_HANDOUT) {
            goes_out(self, fact, o, token);
        } else if (run->verb == FOB_RUN_RETURN) {
            event->out = false;
            event->returned = token;
        } else {
            event->out = false;
            event->settled = true;
            event->again = run->verb == FOB_RUN_REDRIVE;
        }
    }
}

/* Nobody can tell what a claim finds then. */
static void reset(sim_checker_t *self, const sim_group_t *group, int64_t now_ns) {
    own_t *own = self->own;
    group_of(self, group)->reset_ns = now_ns + 1;
    for (uint64_t o = 1; o <= self->ground->head; o++) {
        event_t *event = event_of(self, group, o);
        event->unsure = event->again = true;
        event->noted = false;
    }
    for (size_t i = 0; i < own->count; i++)
        own->claims[i].known = own->claims[i].known || own->claims[i].group == group;
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    if (fact->kind == SIM_RUN) {
        look_at_claims(self, fact->position);
        run(self, fact);
    } else if (fact->kind == SIM_DELIVERED) {
        for (uint64_t i = 0; i < fact->count; i++)
            goes_out(self, fact, fact->offset + i, fact->token + i);
    } else if (fact->kind == SIM_JOINING) {
        joining(self, fact);
    } else if (fact->kind == SIM_JOINED && fact->group) {
        joined(self, fact);
    } else if (fact->kind == SIM_RESET) {
        reset(self, fact->group, fact->now_ns);
    } else if (fact->kind == SIM_BOOKS && fact->books->at_rest) {
        look_at_claims(self, UINT64_MAX);
    } else if (fact->kind == SIM_BUS_UP) {
        own->life++;
        own->up_ns = fact->now_ns;
        own->count = 0;
    }
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    sim_table_free(&own->events);
    sim_table_free(&own->groups);
    free(own->claims);
}

const sim_checker_ops_t sim_check_kept = {
    "a worker keeps what it claims, and nobody gets what did not come back", sizeof(own_t), fact,
    end};
