#include "bus/core/durable/checkpoint_fits.h"

/* --- the places of events --- */

/* Offsets begin with 1; nothing below its start was ever the group's. */
static bool begin_fits(const fob_group_t *group) {
    return group->generation > 0 && group->start > 0 && group->cover.floor >= group->start;
}

/* What a census has still to look through has no priority yet. */
static bool census_fits(const fob_group_t *group) {
    if (group->census_at == 0)
        return false;
    uint64_t listed = fob_prio_first(&group->prio, group->census_at);
    return listed == 0 || listed > group->census_to;
}

/* What was never out is not covered. */
static bool prio_fits(const fob_group_t *group) {
    const fob_cover_t *cover = &group->cover;
    for (unsigned i = 1; i < FOB_PRIORITIES; i++) {
        const fob_intervals_t *stretches = &group->prio.lists[i].stretches;
        for (size_t k = 0; k < stretches->count; k++) {
            const fob_interval_t *one = fob_intervals_first(stretches) + k;
            if (fob_cover_has(cover, one->from) || fob_cover_next(cover, one->from) <= one->to)
                return false;
        }
    }
    return true;
}

/* --- what came back --- */

/* One that was redriven and was not out since has no token, and all of it begins anew. One that is
 * out waits for no time. No token is above those that the group gave. */
static bool entry_fits(const fob_group_t *group, const fob_back_entry_t *entry) {
    uint64_t least, most;
    fob_policy_bounds(FOB_POLICY_max_attempts, &least, &most);
    bool anew = !entry->out && entry->due_ms == 0 && entry->attempts == 0 && entry->releases == 0 &&
                entry->reason == FOB_REASON_NONE;
    return fob_cover_has(&group->cover, entry->offset) && entry->token <= group->mark_token &&
           entry->attempts < most && !(entry->out && entry->due_ms) && (entry->token > 0 || anew);
}

static bool back_fits(const fob_group_t *group) {
    uint32_t at = 0;
    for (const fob_back_entry_t *e; (e = fob_back_next(&group->back, &at)) != NULL;) {
        if (!entry_fits(group, e))
            return false;
    }
    return group->void_token <= group->mark_token;
}

/* What died is covered. */
static bool deads_fit(const fob_group_t *group) {
    size_t at = 0;
    for (const fob_dead_t *d; (d = fob_deads_next(&group->deads, &at)) != NULL;) {
        if (d->offset && !fob_cover_has(&group->cover, d->offset))
            return false;
    }
    return true;
}

/* --- the books --- */

/* Adds to *sum what is not above `most` with it. */
static bool add_up(uint64_t *sum, uint64_t part, uint64_t most) {
    if (*sum > most || part > most - *sum)
        return false;
    *sum += part;
    return true;
}

static bool books_fit(const fob_group_t *group) {
    uint64_t all = group->accepted, gone = 0, shed = 0, removed = 0, dead = 0;
    const uint64_t parts[] = {group->acked, group->dead,    group->expired,
                              group->shed,  group->removed, group->back.count};
    bool good = true;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        good = good && add_up(&gone, parts[i], all);
    for (size_t i = 0; i < FOB_OVERFLOW_DEAD_LETTER; i++)
        good = good && add_up(&shed, group->shed_by[i], group->shed);
    for (size_t i = 0; i < FOB_REMOVALS; i++)
        good = good && add_up(&removed, group->removed_by[i], group->removed);
    size_t at = 0;
    for (const fob_dead_t *d; (d = fob_deads_next(&group->deads, &at)) != NULL;)
        good = good && add_up(&dead, d->count, group->dead);
    return good && shed == group->shed && removed == group->removed && dead == group->dead &&
           add_up(&gone, group->prio.events, all) && group->debt <= shed + removed;
}

bool fob_state_group_fits(const fob_group_t *group) {
    return begin_fits(group) && census_fits(group) && prio_fits(group) && back_fits(group) &&
           deads_fit(group) && books_fit(group);
}

/* --- below the head --- */

static bool ends_by(const fob_intervals_t *intervals, uint64_t head) {
    return intervals->count == 0 || fob_intervals_first(intervals)[intervals->count - 1].to <= head;
}

/* Each that was never out, or is owed of these, has an offset of its own. */
static bool room_fits(const fob_group_t *group, uint64_t head) {
    uint64_t sum = 0;
    return add_up(&sum, fob_group_pristine(group), head) && add_up(&sum, group->debt, head);
}

bool fob_state_group_fits_head(const fob_group_t *group, uint64_t head) {
    uint32_t at = 0;
    size_t dead_at = 0;
    bool good = group->cover.floor <= head + 1 && group->start <= head + 1 &&
                group->census_to <= head && group->skip_to <= head + 1;
    good = good && ends_by(&group->cover.above, head);
    for (unsigned i = 1; i < FOB_PRIORITIES; i++)
        good = good && ends_by(&group->prio.lists[i].stretches, head);
    for (const fob_back_entry_t *e; (e = fob_back_next(&group->back, &at)) != NULL;)
        good = good && e->offset <= head;
    for (const fob_dead_t *d; (d = fob_deads_next(&group->deads, &dead_at)) != NULL;)
        good = good && d->offset <= head;
    return good && room_fits(group, head);
}

/* --- sessions, ids, topics, the list of groups --- */

bool fob_state_session_fits(const fob_core_t *self, const fob_writer_t *writer) {
    if (writer->next - writer->low > FOB_WINDOW_MAX)
        return false;
    if (!fob_state_of_head(self))
        return true;
    for (uint32_t i = 0; i < writer->count; i++) {
        const fob_answer_t *answer = fob_writer_at(writer, i);
        if (answer->offset + answer->count > self->head + 1)
            return false;
    }
    return true; /* its `use` may be above all: a salvage once left that so */
}

bool fob_state_id_fits(const fob_core_t *self, const fob_known_t *known) {
    if ((!known->ident.high && !known->ident.low) || !fob_state_number_fits(known->offset) ||
        !fob_record_time_fits(known->time_ms))
        return false;
    return !fob_state_of_head(self) || (self->seed != 0 && known->offset <= self->head);
}

bool fob_state_floor_fits(const fob_core_t *self, uint64_t floor) {
    return floor >= self->chain.told && fob_state_number_fits(floor) &&
           (!fob_state_of_head(self) || floor <= self->head);
}

bool fob_state_whole(const fob_core_t *self) {
    for (size_t i = 0; fob_state_of_head(self) && i < self->groups.count; i++) {
        if (self->groups.by_id[i]->loaded.position == UINT64_MAX)
            return false;
    }
    return true;
}

static bool sessions_fit(const fob_core_t *self) {
    for (size_t i = 0; self->writers.buckets && i <= self->writers.bucket_mask; i++) {
        const fob_writer_t *writer = self->writers.buckets[i];
        for (; writer; writer = writer->chain) {
            if (!fob_state_session_fits(self, writer))
                return false;
        }
    }
    return true;
}

bool fob_state_all_fits(const fob_core_t *self) {
    bool good = fob_state_whole(self) && sessions_fit(self);
    for (size_t i = 0; good && i < self->groups.count; i++)
        good = fob_state_group_fits_head(self->groups.by_id[i], self->head);
    return good && self->chain.told <= self->head && !fob_dedup_above(self->dedup, self->head) &&
           (self->seed != 0 || !fob_dedup_above(self->dedup, 0));
}
