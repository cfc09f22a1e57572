/* apply, check: whether a run that was read back fits the state. What does not is damage: nothing
 * of it may reach a table that takes it for granted. */
#include "bus/core/durable/apply.h"
#include "bus/core/durable/checkpoint_fits.h"

/* Which flags a verb may have. */
static bool flags_fit(const fob_run_record_t *run) {
    switch (run->verb) {
    case FOB_RUN_ACK:
    case FOB_RUN_HANDOUT:
        return (run->flags & ~FOB_RUN_FRESH) == 0;
    case FOB_RUN_RETURN:
        return (run->flags & ~(FOB_RUN_FRESH | FOB_RUN_COUNTED | FOB_RUN_RELEASED)) == 0;
    case FOB_RUN_DEAD:
        return (run->flags &
                ~(FOB_RUN_FRESH | FOB_RUN_UNKNOWN | FOB_RUN_COUNTED | FOB_RUN_RELEASED)) == 0 &&
               (run->flags & (FOB_RUN_FRESH | FOB_RUN_UNKNOWN)) !=
                   (FOB_RUN_FRESH | FOB_RUN_UNKNOWN);
    case FOB_RUN_COVER:
        return (run->flags & ~FOB_RUN_DAMAGED) == 0;
    case FOB_RUN_SHED:
    case FOB_RUN_REMOVE:
        return run->flags == 0 || run->flags == FOB_RUN_FRESH || run->flags == FOB_RUN_DEBT ||
               run->flags == (FOB_RUN_FRESH | FOB_RUN_PAID) ||
               run->flags == (FOB_RUN_UNKNOWN | FOB_RUN_PAID);
    default:
        return run->flags == 0;
    }
}

static bool reason_fits(const fob_run_record_t *run) {
    switch (run->verb) {
    case FOB_RUN_SHED:
        return run->reason < FOB_OVERFLOW_DEAD_LETTER;
    case FOB_RUN_REMOVE:
    case FOB_RUN_UNBURY:
        return run->reason < FOB_REMOVALS;
    case FOB_RUN_DEAD:
        return run->reason < FOB_REASON_END && run->detail < FOB_REASON_END;
    default:
        return run->reason < FOB_REASON_END;
    }
}

static bool all_back(const fob_group_t *group, const fob_run_record_t *run) {
    if (!fob_run_dense(run))
        return false;
    for (uint64_t offset = run->from; offset <= run->to; offset++) {
        if (!fob_back_find(&group->back, offset))
            return false;
    }
    return true;
}

/* None of them was out before, or is done. */
static bool all_fresh(const fob_group_t *group, const fob_run_record_t *run) {
    for (uint64_t offset = fob_run_first(run); offset <= run->to; offset++) {
        if (fob_cover_has(&group->cover, offset) || fob_back_find(&group->back, offset))
            return false;
    }
    return true;
}

static bool all_dead(const fob_group_t *group, const fob_run_record_t *run) {
    if (!fob_run_dense(run) || group->dead < run->count)
        return false;
    for (uint64_t offset = run->from; offset <= run->to; offset++) {
        if (!fob_deads_find(&group->deads, offset) || fob_back_find(&group->back, offset))
            return false;
    }
    return true;
}

static bool none_dead(const fob_group_t *group, const fob_run_record_t *run) {
    for (uint64_t offset = fob_run_first(run); offset <= run->to; offset++) {
        if (fob_deads_find(&group->deads, offset))
            return false;
    }
    return true;
}

/* A token that comes back was given before; those that are given go on from these. */
static bool tokens_fit(const fob_group_t *group, const fob_run_record_t *run) {
    uint64_t last = run->token + run->count - 1;
    return run->token > 0 && (run->verb == FOB_RUN_RETURN ? last <= group->mark_token
                                                          : fob_state_tokens_go_on(group, last));
}

/* RETURN, HANDOUT, DEAD: each event is known. */
static bool each_fits(const fob_group_t *group, const fob_run_record_t *run) {
    if (run->flags & FOB_RUN_UNKNOWN)
        return run->count <= fob_group_pristine(group);
    if (run->verb == FOB_RUN_DEAD ? !none_dead(group, run) : !tokens_fit(group, run))
        return false;
    if (run->flags & FOB_RUN_FRESH)
        return all_fresh(group, run);
    return all_back(group, run);
}

/* Whether so many in from..to are not done with: a worker may have claimed more than were accepted
 * (see make_up in apply_runs.c), but none twice. */
static bool enough_open(const fob_group_t *group, const fob_run_record_t *run) {
    uint64_t open = 0, at = run->from;
    while (open < run->count && (at = fob_cover_next_open(&group->cover, at)) <= run->to) {
        uint64_t covered = fob_cover_next(&group->cover, at);
        open += (covered <= run->to ? covered : run->to + 1) - at;
        at = covered;
    }
    return open >= run->count;
}

/* ACK, SHED, REMOVE: where those that were never out lie need not be known. */
static bool end_fits(const fob_group_t *group, const fob_run_record_t *run) {
    if (run->flags & FOB_RUN_PAID)
        return run->count <= group->debt;
    if (run->flags & FOB_RUN_FRESH)
        return enough_open(group, run);
    if (run->flags & FOB_RUN_DEBT)
        return run->count <= fob_group_pristine(group);
    return all_back(group, run);
}

static bool unbury_fits(const fob_group_t *group, const fob_run_record_t *run) {
    const fob_dead_t *dead = fob_apply_letter(group, run);
    return run->from == run->to && dead && dead->serial == run->token &&
           dead->count == run->count && group->dead >= run->count;
}

static bool accept_fits(const fob_group_t *group, const fob_run_record_t *run) {
    if (run->from < group->census_at || run->to > group->census_to || group->census_at == 0)
        return false;
    if (run->detail == 0)
        return enough_open(group, run);
    uint64_t next = fob_prio_first(&group->prio, run->from);
    return run->detail < FOB_PRIORITIES && fob_run_dense(run) && (next == 0 || next > run->to) &&
           all_fresh(group, run);
}

bool fob_apply_run_fits(const fob_core_t *self, const fob_group_t *group,
                        const fob_run_record_t *run) {
    if (run->to > self->head || !flags_fit(run) || !reason_fits(run))
        return false;
    switch (run->verb) {
    case FOB_RUN_ACK:
    case FOB_RUN_SHED:
    case FOB_RUN_REMOVE:
        return end_fits(group, run);
    case FOB_RUN_RETURN:
    case FOB_RUN_HANDOUT:
    case FOB_RUN_DEAD:
        return each_fits(group, run);
    case FOB_RUN_COVER:
        return true;
    case FOB_RUN_REDRIVE:
        return all_dead(group, run);
    case FOB_RUN_UNBURY:
        return unbury_fits(group, run);
    case FOB_RUN_ACCEPT:
        return accept_fits(group, run);
    default:
        return false; /* of a later version, or none at all */
    }
}
