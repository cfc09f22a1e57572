/* Each event that a group accepted is in exactly one place, moves only along the ways there are,
 * and counts as acked only where a handler said so. */
#include "places.h"

typedef struct {
    uint8_t *place; /* by offset */
    uint8_t *said;  /* by offset: bits of what handlers said of it: 1 << fob_settle_kind_t */
    size_t room;
    uint64_t debt;   /* shed or removed, and not found yet */
    uint64_t unread; /* passed over, and not accounted for yet */
} account_t;

typedef struct {
    account_t *accounts; /* by index of group */
    size_t room;
    uint64_t *moved, *origin; /* of an event, where it is; of such a place, which event: or 0 */
    size_t moved_room, origin_room;
    uint64_t trimmed; /* what lies below may be gone */
} own_t;

static account_t *account_of(sim_checker_t *self, const sim_group_t *group, uint64_t offset) {
    own_t *own = self->own;
    size_t index = (size_t)(group - self->ground->groups);
    while (index >= own->room)
        own->accounts = sim_grow(own->accounts, own->room, &own->room, sizeof *own->accounts);
    account_t *account = &own->accounts[index];
    while (offset >= account->room) {
        size_t room = account->room, other = account->room;
        account->place = sim_grow(account->place, room, &room, 1);
        account->said = sim_grow(account->said, other, &other, 1);
        account->room = room;
    }
    return account;
}

static void put(sim_checker_t *self, const sim_group_t *group, uint64_t offset, sim_place_t to) {
    account_of(self, group, offset)->place[offset] = (uint8_t)to;
}

static sim_place_t get(sim_checker_t *self, const sim_group_t *group, uint64_t offset) {
    return (sim_place_t)account_of(self, group, offset)->place[offset];
}

static bool is_its(const sim_checker_t *self, const sim_group_t *group, uint64_t offset) {
    const sim_stored_t *event = &self->ground->events[offset];
    return event->there && group->matches[event->topic];
}

static void stored(sim_checker_t *self, uint64_t offset) {
    for (size_t i = 0; i < self->ground->group_count; i++) {
        const sim_group_t *group = &self->ground->groups[i];
        if (!group->gone && offset >= group->start && is_its(self, group, offset))
            put(self, group, offset, SIM_FRESH);
    }
}

static void made(sim_checker_t *self, const sim_group_t *group) {
    for (uint64_t o = group->start; o <= self->ground->head; o++)
        if (is_its(self, group, o))
            put(self, group, o, SIM_FRESH);
}

/* An event is acked where a handler said so, dead where one failed it or a policy. */
static void look_at_word(sim_checker_t *self, const sim_group_t *group, uint64_t offset,
                         const fob_run_record_t *run) {
    uint8_t said = account_of(self, group, offset)->said[offset];
    if (run->verb == FOB_RUN_ACK)
        SIM_HOLD(self, said & 1u << FOB_KIND_ACK,
                 "group %s: offset %llu counts as acked, and no handler said so", group->name,
                 (unsigned long long)offset);
    if (run->verb == FOB_RUN_DEAD && run->reason == FOB_REASON_REJECT)
        SIM_HOLD(self, said & 1u << FOB_KIND_REJECT,
                 "group %s: offset %llu counts as rejected, and no handler said so", group->name,
                 (unsigned long long)offset);
}

static void move(sim_checker_t *self, const sim_fact_t *fact, uint64_t offset, sim_place_t from,
                 sim_place_t to) {
    sim_place_t at = get(self, fact->group, offset);
    bool good = at == from || (from == SIM_BACK && at == SIM_OUT);
    SIM_HOLD(self, good,
             "group %s: run %u (flags %u, reason %u, %llu..%llu x %u) finds offset %llu at %d, not "
             "at %d",
             fact->group->name, fact->run->verb, fact->run->flags, fact->run->reason,
             (unsigned long long)fact->run->from, (unsigned long long)fact->run->to,
             fact->run->count, (unsigned long long)offset, (int)at, (int)from);
    look_at_word(self, fact->group, offset, fact->run);
    put(self, fact->group, offset, to);
}

/* Those of from..to that were never out, all of them; they must be as many as the run says. */
static void move_fresh(sim_checker_t *self, const sim_fact_t *fact, sim_place_t to) {
    const fob_run_record_t *run = fact->run;
    uint64_t count = 0;
    for (uint64_t o = run->from; o <= run->to; o++)
        if (get(self, fact->group, o) == SIM_FRESH) {
            move(self, fact, o, SIM_FRESH, to);
            count++;
        }
    SIM_HOLD(self, count == run->count,
             "group %s: run %u (flags %u) covers %llu..%llu with %u events, but %llu are there",
             fact->group->name, run->verb, run->flags, (unsigned long long)run->from,
             (unsigned long long)run->to, run->count, (unsigned long long)count);
}

/* So many of those that were passed over are told to be dead, or to be among what was shed. */
static void account_unread(sim_checker_t *self, const sim_fact_t *fact) {
    account_t *account = account_of(self, fact->group, 0);
    SIM_HOLD(self, fact->run->count <= account->unread,
             "group %s: %u events are called damaged, and only %llu were harmed", fact->group->name,
             fact->run->count, (unsigned long long)account->unread);
    account->unread -= fact->run->count;
}

/* How many are gone is known, and which ones when the walk comes to them. */
static void move_debt(sim_checker_t *self, const sim_fact_t *fact, sim_place_t to) {
    account_t *account = account_of(self, fact->group, 0);
    const fob_run_record_t *run = fact->run;
    if (run->flags & FOB_RUN_DEBT) {
        account->debt += run->count;
        return;
    }
    if (run->flags & FOB_RUN_UNKNOWN && run->count <= account->debt) {
        account->debt -= run->count;
        account_unread(self, fact);
        return;
    }
    SIM_HOLD(self, run->flags & FOB_RUN_FRESH && run->count <= account->debt,
             "group %s: %u events are found that were not shed or removed before",
             fact->group->name, run->count);
    account->debt -= run->count;
    move_fresh(self, fact, to);
}

static void move_run(sim_checker_t *self, const sim_fact_t *fact, sim_place_t to, bool anywhere) {
    const fob_run_record_t *run = fact->run;
    if (run->flags & (FOB_RUN_PAID | FOB_RUN_DEBT)) {
        move_debt(self, fact, to);
        return;
    }
    if (run->flags & FOB_RUN_UNKNOWN) {
        account_unread(self, fact);
        return;
    }
    if (run->flags & FOB_RUN_FRESH && anywhere) {
        move_fresh(self, fact, to);
        return;
    }
    sim_place_t from = run->flags & FOB_RUN_FRESH ? SIM_FRESH : SIM_BACK;
    for (uint64_t o = run->to - run->count + 1; o <= run->to; o++)
        move(self, fact, o, from, to);
}

static void redrive(sim_checker_t *self, const sim_fact_t *fact) {
    for (uint64_t o = fact->run->from; o <= fact->run->to; o++)
        move(self, fact, o, SIM_DEAD, SIM_BACK);
}

static void unbury(sim_checker_t *self, const sim_fact_t *fact) {
    if (!fact->run->to) /* what could not be read has no offset */
        return;
    for (uint64_t o = fact->run->to - fact->run->count + 1; o <= fact->run->to; o++)
        move(self, fact, o, SIM_DEAD, SIM_REMOVED);
}

/* What cannot be read is passed over too. */
static void cover(sim_checker_t *self, const sim_fact_t *fact) {
    for (uint64_t o = fact->run->from; o <= fact->run->to; o++) {
        bool harmed = fact->run->flags & FOB_RUN_DAMAGED && self->ground->events[o].hit;
        if (harmed && get(self, fact->group, o) == SIM_FRESH) {
            put(self, fact->group, o, SIM_UNREAD);
            account_of(self, fact->group, o)->unread++;
        }
        SIM_HOLD(self, get(self, fact->group, o) != SIM_FRESH,
                 "group %s: offset %llu is passed over, but it is the group's", fact->group->name,
                 (unsigned long long)o);
    }
}

static void look_at_damage(sim_checker_t *self, const sim_fact_t *fact) {
    const fob_run_record_t *run = fact->run;
    if (run->reason != FOB_REASON_DAMAGED || run->flags & FOB_RUN_UNKNOWN)
        return;
    for (uint64_t o = run->to - run->count + 1; o <= run->to; o++)
        SIM_HOLD(self, self->ground->events[o].hit,
                 "group %s: offset %llu counts as damaged, and nothing harmed it",
                 fact->group->name, (unsigned long long)o);
}

static void run(sim_checker_t *self, const sim_fact_t *fact) {
    switch (fact->run->verb) {
    case FOB_RUN_ACK:
        move_run(self, fact, SIM_ACKED, true);
        break;
    case FOB_RUN_RETURN:
        move_run(self, fact, SIM_BACK, false);
        break;
    case FOB_RUN_HANDOUT:
        move_run(self, fact, SIM_OUT, false);
        break;
    case FOB_RUN_DEAD:
        look_at_damage(self, fact);
        move_run(self, fact, SIM_DEAD, false);
        break;
    case FOB_RUN_SHED:
        move_run(self, fact, SIM_SHED, true);
        break;
    case FOB_RUN_REMOVE:
        move_run(self, fact, SIM_REMOVED, true);
        break;
    case FOB_RUN_REDRIVE:
        redrive(self, fact);
        break;
    case FOB_RUN_UNBURY:
        unbury(self, fact);
        break;
    case FOB_RUN_COVER:
        cover(self, fact);
        break;
    default:
        break;
    }
}

/* Where an event is after the group began anew, or was emptied. */
static sim_place_t after_reset(const fob_record_reset_t *record, uint64_t offset, sim_place_t at) {
    bool back = at == SIM_BACK || at == SIM_OUT;
    switch (record->mode) {
    case FOB_RESET_ANEW:
        return at == SIM_DEAD ? SIM_DEAD : offset >= record->offset ? SIM_FRESH : SIM_NOT_ITS;
    case FOB_RESET_FORWARD:
        return back ? SIM_REMOVED : at;
    case FOB_RESET_LATEST:
        return back || at == SIM_FRESH ? SIM_REMOVED : at;
    default:
        return at == SIM_BACK || at == SIM_FRESH ? SIM_REMOVED : at;
    }
}

static void reset(sim_checker_t *self, const sim_fact_t *fact) {
    const fob_record_reset_t *record = fact->reset;
    if (record->mode != FOB_RESET_FORWARD)
        account_of(self, fact->group, 0)->debt = account_of(self, fact->group, 0)->unread = 0;
    for (uint64_t o = 1; o <= self->ground->head; o++)
        if (is_its(self, fact->group, o))
            put(self, fact->group, o, after_reset(record, o, get(self, fact->group, o)));
}

static void said(sim_checker_t *self, const sim_fact_t *fact) {
    account_t *account = account_of(self, fact->group, fact->offset);
    account->said[fact->offset] |= (uint8_t)(1u << fact->settle);
}

/* What is settled is not handled any more. */
static void begun(sim_checker_t *self, const sim_fact_t *fact) {
    sim_place_t at = get(self, fact->group, fact->offset);
    SIM_HOLD(self, at == SIM_FRESH || at == SIM_BACK || at == SIM_OUT || fact->taken,
             "group %s: worker %u begins offset %llu, which is at %d", fact->group->name,
             fact->worker, (unsigned long long)fact->offset, (int)at);
}

/* When all is quiet nothing of a group's is left to be handled, but for what was shed or removed by
 * number and is not found yet: these are the ones that were never out. */
static void at_end(sim_checker_t *self) {
    for (size_t i = 0; i < self->ground->group_count; i++) {
        const sim_group_t *group = &self->ground->groups[i];
        uint64_t debt = group->gone ? 0 : account_of(self, group, 0)->debt;
        for (uint64_t o = 1; !group->gone && o <= self->ground->head; o++) {
            sim_place_t at = get(self, group, o);
            bool owed = at == SIM_FRESH && debt > 0;
            debt -= owed ? 1 : 0;
            SIM_HOLD(self, owed || (at != SIM_FRESH && at != SIM_BACK && at != SIM_OUT),
                     "group %s: offset %llu was never settled", group->name, (unsigned long long)o);
        }
        SIM_HOLD(self, debt == 0, "group %s: %llu events count as gone, and none was left",
                 group->name, (unsigned long long)debt);
    }
}

static void moved(sim_checker_t *self, const sim_fact_t *fact) {
    own_t *own = self->own;
    while (fact->offset >= own->moved_room)
        own->moved = sim_grow(own->moved, own->moved_room, &own->moved_room, sizeof *own->moved);
    while (fact->value >= own->origin_room)
        own->origin =
            sim_grow(own->origin, own->origin_room, &own->origin_room, sizeof *own->origin);
    own->moved[fact->offset] = fact->value;
    own->origin[fact->value] = fact->offset;
}

/* The event whose only bytes lie there; 0: none. */
static uint64_t lies_at(const own_t *own, uint64_t place) {
    uint64_t event = place < own->origin_room && own->origin[place] ? own->origin[place] : place;
    uint64_t last = event < own->moved_room && own->moved[event] ? own->moved[event] : event;
    return last == place ? event : 0;
}

/* What a group has not settled, and its dead letters, stay where they can be read. */
static void trimmed(sim_checker_t *self, uint64_t below) {
    own_t *own = self->own;
    for (; own->trimmed < below && own->trimmed <= self->ground->head; own->trimmed++) {
        uint64_t event = lies_at(own, own->trimmed);
        for (size_t i = 0; event && i < self->ground->group_count; i++) {
            const sim_group_t *group = &self->ground->groups[i];
            sim_place_t at = group->gone ? SIM_NOT_ITS : get(self, group, event);
            SIM_HOLD(self, at != SIM_FRESH && at != SIM_BACK && at != SIM_OUT && at != SIM_DEAD,
                     "group %s: offset %llu is at %d, and what lies below %llu may be trimmed",
                     group->name, (unsigned long long)event, (int)at, (unsigned long long)below);
        }
    }
}

static void fact(sim_checker_t *self, const sim_fact_t *fact) {
    if (fact->kind == SIM_STORED)
        stored(self, fact->offset);
    else if (fact->kind == SIM_GROUP_MADE)
        made(self, fact->group);
    else if (fact->kind == SIM_RUN)
        run(self, fact);
    else if (fact->kind == SIM_RESET)
        reset(self, fact);
    else if (fact->kind == SIM_BEGUN)
        begun(self, fact);
    else if (fact->kind == SIM_ENDED)
        said(self, fact);
    else if (fact->kind == SIM_MOVED)
        moved(self, fact);
    else if (fact->kind == SIM_TRIMMED)
        trimmed(self, fact->offset);
    else if (fact->kind == SIM_END)
        at_end(self);
}

static void end(sim_checker_t *self) {
    own_t *own = self->own;
    for (size_t i = 0; i < own->room; i++) {
        free(own->accounts[i].place);
        free(own->accounts[i].said);
    }
    free(own->accounts);
    free(own->moved);
    free(own->origin);
}

const sim_checker_ops_t sim_check_places = {
    "each event of a group is in one place, moves only with a cause, and is there while needed",
    sizeof(own_t), fact, end};
