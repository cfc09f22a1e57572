#include "test_core_books.h"

#include "bus/core/durable/record.h"
#include "proto/topic.h"
#include "tests/support/case.h"

#include <stdlib.h>

#define WRONG(...)                                                                                 \
    do {                                                                                           \
        snprintf(books->trouble, sizeof books->trouble, __VA_ARGS__);                              \
        return false;                                                                              \
    } while (0)

typedef unsigned long long ull;

void books_init(books_t *books, const kit_t *kit) {
    *books = (books_t){.kit = kit, .lives = kit->lives};
    books->events = calloc(BOOKS_EVENTS + 1, sizeof *books->events);
    assert_non_null(books->events);
}

void books_free(books_t *books) {
    for (size_t i = 0; i < BOOKS_GROUPS; i++)
        free(books->groups[i].entries);
    free(books->events);
}

static void begin_anew(books_t *books) {
    const kit_t *kit = books->kit;
    books_free(books);
    books_init(books, kit);
}

books_group_t *books_find(books_t *books, const char *name) {
    for (size_t i = 0; i < BOOKS_GROUPS; i++) {
        if (books->groups[i].there && strcmp(books->groups[i].name, name) == 0)
            return &books->groups[i];
    }
    return NULL;
}

uint64_t books_depth(const books_group_t *group) {
    return group->count[BOOKS_FRESH] + group->count[BOOKS_UNREAD] + group->count[BOOKS_BACK] -
           group->debt;
}

bool books_match(const books_group_t *group, const char *topic) {
    return fob_pattern_match(fob_slice_str(group->pattern), fob_slice_str(topic));
}

static void move(books_group_t *group, uint64_t offset, books_place_t place) {
    books_entry_t *entry = &group->entries[offset];
    bool plain = group->events[offset].priority == 0;
    group->plain += (plain && place == BOOKS_FRESH) - (plain && entry->place == BOOKS_FRESH);
    group->count[entry->place]--;
    group->count[place]++;
    entry->place = (uint8_t)place;
    entry->acked = false;
}

/* --- events --- */

uint64_t books_id(fob_slice_t id) {
    uint64_t number = 0;
    for (size_t i = 0; i < id.size; i++)
        number = number * 256 + id.data[i];
    return number;
}

static bool stored_before(const books_t *books, const books_event_t *event) {
    uint64_t ids = 0, max = books->kit->config.dedup_max;
    int64_t since = event->time_ms - books->kit->config.dedup_window_ms;
    for (uint64_t at = books->head; at > 0 && books->events[at].time_ms > since && ids < max;
         at--) {
        const books_event_t *earlier = &books->events[at];
        ids += earlier->id != 0;
        if (earlier->id == event->id && strcmp(earlier->topic, event->topic) == 0)
            return true;
    }
    return false;
}

static bool accept(books_t *books, books_group_t *group, uint64_t offset, uint64_t size) {
    if (!group->there || offset < group->start || !books_match(group, books->events[offset].topic))
        return true;
    uint64_t depth = books_depth(group);
    if (group->policy.overflow == FOB_OVERFLOW_REJECT && depth >= group->policy.max_depth)
        WRONG("event %llu is stored, but %s is full (%llu)", (ull)offset, group->name, (ull)depth);
    if (group->policy.overflow == FOB_OVERFLOW_REJECT && depth > 0 &&
        group->bytes + size > group->policy.max_bytes)
        WRONG("event %llu is stored, but %s has %llu bytes", (ull)offset, group->name,
              (ull)group->bytes);
    if (group->entries[offset].place != BOOKS_NOTHING)
        WRONG("event %llu is accepted twice", (ull)offset);
    move(group, offset, BOOKS_FRESH);
    group->accepted++;
    group->bytes += size;
    return true;
}

static bool feed_event(books_t *books, const fob_record_events_t *record, fob_cursor_t *cursor) {
    fob_envelope_t event;
    uint64_t offset = books->head + 1;
    if (fob_envelope_read(cursor, UINT64_MAX, &event) != FOB_OK || offset > BOOKS_EVENTS)
        WRONG("event %llu is none", (ull)offset);
    books_event_t *known = &books->events[offset];
    *known = (books_event_t){.priority = event.priority,
                             .id = books_id(event.id),
                             .size = (uint32_t)event.bytes.size,
                             .time_ms = record->time_ms};
    memcpy(known->topic, event.topic.data, event.topic.size);
    memcpy(known->data, event.data.data,
           event.data.size < sizeof known->data ? event.data.size : sizeof known->data);
    if ((event.priority && !(record->flags & FOB_EVENTS_PRIORITY)) ||
        (event.id.size && !(record->flags & FOB_EVENTS_ID)))
        WRONG("the flags of event %llu do not tell what it has", (ull)offset);
    if (event.id.size && books->seed == 0)
        WRONG("event %llu has an id, and there is no secret yet", (ull)offset);
    if (event.id.size && books->kit->config.dedup_max && stored_before(books, known))
        WRONG("event %llu is stored a second time", (ull)offset);
    books->head = offset;
    for (size_t i = 0; i < BOOKS_GROUPS; i++) {
        if (!accept(books, &books->groups[i], offset, event.bytes.size))
            return false;
    }
    return true;
}

static bool feed_events(books_t *books, fob_slice_t bytes) {
    fob_record_events_t record;
    if (!fob_record_read_events(bytes, &record) || record.first_offset != books->head + 1)
        WRONG("not a batch that comes next");
    fob_cursor_t cursor = fob_cursor(
        fob_slice(bytes.data + FOB_RECORD_EVENTS_SIZE, bytes.size - FOB_RECORD_EVENTS_SIZE));
    for (uint32_t i = 0; i < record.count; i++) {
        if (!feed_event(books, &record, &cursor))
            return false;
    }
    if (!fob_cursor_end(&cursor))
        WRONG("a batch of more than its count");
    return true;
}

/* A copy takes an offset, at which there is no event. */
static bool feed_moved(books_t *books, fob_slice_t bytes) {
    fob_record_moved_t record;
    if (!fob_record_read_moved(bytes, &record) || record.place != books->head + 1)
        WRONG("not a copy that comes next");
    const books_event_t *event = &books->events[record.origin];
    if (!event->size || event->size != bytes.size - FOB_RECORD_MOVED_SIZE ||
        event->time_ms != record.stored_ms)
        WRONG("a copy of what there is not");
    books->head++;
    books->events[books->head] = (books_event_t){0};
    return true;
}

/* --- groups --- */

static void text_to(char *out, size_t room, fob_slice_t text) {
    assert_true(text.size < room);
    memcpy(out, text.data, text.size);
    out[text.size] = 0;
}

static bool feed_group(books_t *books, fob_slice_t bytes) {
    fob_record_group_add_t record;
    if (!fob_record_read_group_add(bytes, &record) || record.id >= BOOKS_GROUPS ||
        books->groups[record.id].entries)
        WRONG("not a new group");
    books_group_t *group = &books->groups[record.id];
    *group = (books_group_t){
        .there = true, .start = record.start, .generation = 1, .policy = books->kit->config.policy};
    text_to(group->name, sizeof group->name, record.name);
    text_to(group->pattern, sizeof group->pattern, record.pattern);
    group->events = books->events;
    group->entries = calloc(BOOKS_EVENTS + 1, sizeof *group->entries);
    assert_non_null(group->entries);
    group->count[BOOKS_NOTHING] = BOOKS_EVENTS + 1;
    group->census_at = record.start;
    group->census_to = books->head;
    return true;
}

static books_group_t *group_of(books_t *books, uint32_t id) {
    return id < BOOKS_GROUPS && books->groups[id].there ? &books->groups[id] : NULL;
}

static bool feed_remove(books_t *books, fob_slice_t bytes) {
    uint32_t id;
    int64_t time_ms;
    if (!fob_record_read_group_remove(bytes, &id, &time_ms) || !group_of(books, id))
        WRONG("the end of no group");
    books->groups[id].there = false;
    return true;
}

static bool feed_set(books_t *books, fob_slice_t bytes) {
    uint32_t id, number;
    int64_t time_ms;
    uint8_t count;
    uint64_t value;
    if (!fob_record_read_set(bytes, &id, &time_ms, &count) || !group_of(books, id))
        WRONG("settings of no group");
    for (uint8_t i = 0; i < count; i++) {
        if (!fob_record_read_set_item(bytes.data + FOB_RECORD_SET_SIZE + i * FOB_RECORD_SET_ITEM,
                                      &number, &value) ||
            !fob_policy_set(&books->groups[id].policy, number, value))
            WRONG("a setting that there is not");
    }
    return true;
}

/* Moves all that is in one place (or of it what is not out) to another; gives how many. */
static uint64_t move_all(books_group_t *group, books_place_t from, books_place_t to,
                         bool spare_out) {
    uint64_t count = 0;
    for (uint64_t offset = 1; offset <= BOOKS_EVENTS; offset++) {
        books_entry_t *entry = &group->entries[offset];
        if (entry->place != from || (spare_out && entry->out))
            continue;
        move(group, offset, to);
        count++;
    }
    return count;
}

static void begin_books(books_group_t *group, const fob_record_reset_t *record) {
    for (books_place_t place = BOOKS_FRESH; place < BOOKS_PLACES; place++) {
        if (place != BOOKS_DEAD)
            move_all(group, place, BOOKS_NOTHING, false);
    }
    for (uint64_t offset = 1; offset <= BOOKS_EVENTS; offset++) {
        books_entry_t *entry = &group->entries[offset];
        *entry = (books_entry_t){.place = entry->place, .token = entry->token, .size = entry->size};
    }
    group->generation++;
    group->accepted = group->dead;
    group->acked = group->shed = group->removed = group->debt = group->bytes = 0;
    memset(group->shed_by, 0, sizeof group->shed_by);
    memset(group->removed_by, 0, sizeof group->removed_by);
    group->start = record->offset;
    group->census_at = record->offset;
    group->census_to = record->head;
}

/* Where it is not known how large they are, they are as large as the mean. */
static void lighten(books_group_t *group, uint64_t count, uint64_t bytes, uint64_t depth) {
    if (bytes == 0 && depth)
        bytes = group->bytes * count / depth;
    if (bytes > group->bytes || count >= depth)
        bytes = group->bytes;
    group->bytes -= bytes;
    group->left_bytes += bytes;
    group->left += count;
}

static bool feed_reset(books_t *books, fob_slice_t bytes) {
    fob_record_reset_t record;
    if (!fob_record_read_reset(bytes, &record) || !group_of(books, record.group) ||
        record.head != books->head)
        WRONG("not a reset that fits");
    books_group_t *group = &books->groups[record.group];
    uint64_t depth = books_depth(group), gone = 0;
    fob_removal_t why = record.mode == FOB_RESET_PURGE ? FOB_REMOVAL_PURGE : FOB_REMOVAL_RESET;
    if (record.mode == FOB_RESET_ANEW) {
        begin_books(group, &record);
        return true;
    }
    if (record.mode != FOB_RESET_FORWARD) {
        gone = move_all(group, BOOKS_FRESH, BOOKS_DONE, false) - group->debt;
        gone += move_all(group, BOOKS_UNREAD, BOOKS_DONE, false);
        group->debt = 0;
        group->census_to = 0;
    }
    gone += move_all(group, BOOKS_BACK, BOOKS_DONE, record.mode == FOB_RESET_PURGE);
    group->removed += gone;
    group->removed_by[why] += gone;
    lighten(group, gone, 0, depth);
    return true;
}

/* --- runs --- */

/* The offsets a run is about, by what they are; false: it does not fit. */
static bool each(books_t *books, books_group_t *group, const fob_run_record_t *run,
                 books_place_t from, books_place_t to) {
    uint64_t first = run->to - run->count + 1;
    bool anywhere =
        (run->flags & FOB_RUN_FRESH) &&
        (run->verb == FOB_RUN_ACK || run->verb == FOB_RUN_SHED || run->verb == FOB_RUN_REMOVE);
    bool paid = run->flags & FOB_RUN_PAID;
    uint32_t count = 0;
    if (run->to > books->head || run->count == 0 || run->count > run->to || run->from > first)
        WRONG("a run of %s from %llu to %llu, %u", group->name, (ull)run->from, (ull)run->to,
              run->count);
    for (uint64_t offset = run->from; offset <= run->to; offset++) {
        books_entry_t *entry = &group->entries[offset];
        bool ours = entry->place == from &&
                    (from != BOOKS_FRESH || !paid || books->events[offset].priority == 0);
        if (offset < first && !anywhere) {
            if (entry->place == BOOKS_FRESH)
                WRONG("verb %u of %s jumps over %llu", run->verb, group->name, (ull)offset);
            continue;
        }
        if (!ours && (!anywhere || entry->place == BOOKS_FRESH))
            WRONG("verb %u of %s for %llu, which is in place %u", run->verb, group->name,
                  (ull)offset, entry->place);
        if (!ours)
            continue;
        move(group, offset, to);
        entry->acked = run->verb == FOB_RUN_ACK;
        entry->paid = paid ? books->position : 0;
        count++;
    }
    if (count != run->count)
        WRONG("verb %u of %s for %llu..%llu: %u of %u", run->verb, group->name, (ull)run->from,
              (ull)run->to, count, run->count);
    return true;
}

/* So many that could not be read are done with. */
static bool give_up(books_t *books, books_group_t *group, const fob_run_record_t *run) {
    uint32_t left = run->count;
    if (left > group->count[BOOKS_UNREAD])
        WRONG("%u events of %s are called unreadable, %llu are", left, group->name,
              (ull)group->count[BOOKS_UNREAD]);
    for (uint64_t offset = 1; left && offset <= books->head; offset++) {
        if (group->entries[offset].place != BOOKS_UNREAD)
            continue;
        move(group, offset, BOOKS_DONE);
        left--;
    }
    return true;
}

static bool feed_drop(books_t *books, books_group_t *group, const fob_run_record_t *run) {
    bool shed = run->verb == FOB_RUN_SHED, fresh = run->flags & FOB_RUN_FRESH;
    if (run->flags & FOB_RUN_PAID) {
        if (run->count > group->debt)
            WRONG("%s pays what it does not owe", group->name);
        group->debt -= run->count;
        return run->flags & FOB_RUN_UNKNOWN ? give_up(books, group, run)
                                            : each(books, group, run, BOOKS_FRESH, BOOKS_DONE);
    }
    lighten(group, run->count, run->bytes, books_depth(group));
    (shed ? group->shed_by : group->removed_by)[run->reason] += run->count;
    *(shed ? &group->shed : &group->removed) += run->count;
    if (run->flags & FOB_RUN_DEBT) {
        group->debt += run->count;
        return true;
    }
    return each(books, group, run, fresh ? BOOKS_FRESH : BOOKS_BACK, BOOKS_DONE);
}

static bool feed_dead(books_t *books, books_group_t *group, const fob_run_record_t *run) {
    lighten(group, run->count, run->bytes, books_depth(group));
    group->dead += run->count;
    for (uint64_t at = run->to - run->count + 1; !(run->flags & FOB_RUN_UNKNOWN) && at <= run->to;
         at++)
        group->entries[at].size = (uint32_t)(run->bytes / run->count);
    if (!(run->flags & FOB_RUN_UNKNOWN))
        return each(books, group, run, run->flags & FOB_RUN_FRESH ? BOOKS_FRESH : BOOKS_BACK,
                    BOOKS_DEAD);
    if (!give_up(books, group, run))
        return false;
    group->unknown += run->count;
    return true;
}

/* RETURN and HANDOUT. */
static bool feed_move(books_t *books, books_group_t *group, const fob_run_record_t *run,
                      int64_t time_ms) {
    if (!each(books, group, run, run->flags & FOB_RUN_FRESH ? BOOKS_FRESH : BOOKS_BACK, BOOKS_BACK))
        return false;
    for (uint32_t i = 0; i < run->count; i++) {
        books_entry_t *entry = &group->entries[run->to - run->count + 1 + i];
        uint64_t token = run->token + i;
        if (token < entry->token) /* a claim keeps its own */
            WRONG("token %llu of %s is not above %llu", (ull)token, group->name, (ull)entry->token);
        if (run->verb == FOB_RUN_HANDOUT && token > entry->token && entry->due_ms > time_ms)
            WRONG("%s hands out %llu before its time", group->name, (ull)run->to);
        entry->due_ms = run->verb == FOB_RUN_HANDOUT ? 0 : run->due_ms;
        entry->token = token;
        entry->out = run->verb == FOB_RUN_HANDOUT;
        entry->attempts += run->flags & FOB_RUN_COUNTED ? 1 : 0;
        if (entry->attempts > group->policy.max_attempts && run->flags & FOB_RUN_COUNTED)
            WRONG("an attempt of %s beyond its last", group->name);
    }
    return true;
}

static bool feed_redrive(books_t *books, books_group_t *group, const fob_run_record_t *run) {
    if (!each(books, group, run, BOOKS_DEAD, BOOKS_BACK))
        return false;
    uint64_t depth = books_depth(group) - run->count;
    for (uint64_t offset = run->from; offset <= run->to; offset++, depth++) {
        books_entry_t *entry = &group->entries[offset];
        entry->attempts = 0;
        entry->out = false;
        entry->due_ms = 0;
        group->bytes += entry->size ? entry->size : depth ? group->bytes / depth : 0;
    }
    group->dead -= run->count;
    group->grown += run->count;
    return true;
}

static bool feed_unbury(books_t *books, books_group_t *group, const fob_run_record_t *run) {
    if (run->from == 0) {
        if (group->unknown < run->count)
            WRONG("%s has no such letters", group->name);
        group->unknown -= run->count;
    } else if (!each(books, group, run, BOOKS_DEAD, BOOKS_DONE)) {
        return false;
    }
    group->dead -= run->count;
    group->removed += run->count;
    group->removed_by[run->reason] += run->count;
    return true;
}

static bool feed_accept(books_t *books, books_group_t *group, const fob_run_record_t *run) {
    uint32_t count = 0;
    uint64_t bytes = 0;
    if (run->from < group->census_at || run->to > group->census_to)
        WRONG("%s accepts %llu..%llu beyond its census", group->name, (ull)run->from, (ull)run->to);
    for (uint64_t offset = run->from; offset <= run->to; offset++) {
        const books_event_t *event = &books->events[offset];
        if (group->entries[offset].place != BOOKS_NOTHING || event->priority != run->detail ||
            !books_match(group, event->topic))
            continue;
        move(group, offset, BOOKS_FRESH);
        bytes += event->size;
        count++;
    }
    if (count != run->count || (run->bytes && bytes != run->bytes))
        WRONG("%s accepts %u of %llu..%llu, which are %u", group->name, run->count, (ull)run->from,
              (ull)run->to, count);
    group->bytes += run->bytes;
    group->accepted += count;
    group->grown += count;
    return true;
}

static bool feed_cover(books_t *books, books_group_t *group, const fob_run_record_t *run) {
    for (uint64_t offset = run->from; offset <= run->to && offset <= BOOKS_EVENTS; offset++) {
        if (group->entries[offset].place != BOOKS_FRESH)
            continue;
        if (!(run->flags & FOB_RUN_DAMAGED))
            WRONG("%s covers %llu..%llu, and wants %llu of it", group->name, (ull)run->from,
                  (ull)run->to, (ull)offset);
        move(group, offset, BOOKS_UNREAD);
    }
    return true;
}

static bool feed_run(books_t *books, books_group_t *group, const fob_run_record_t *run,
                     int64_t time_ms) {
    books->unread += run->reason == FOB_REASON_DAMAGED &&
                     (run->verb == FOB_RUN_DEAD || run->verb == FOB_RUN_COVER);
    switch (run->verb) {
    case FOB_RUN_ACK:
        group->acked += run->count;
        lighten(group, run->count, run->bytes, books_depth(group));
        return each(books, group, run, run->flags & FOB_RUN_FRESH ? BOOKS_FRESH : BOOKS_BACK,
                    BOOKS_DONE);
    case FOB_RUN_RETURN:
    case FOB_RUN_HANDOUT:
        return feed_move(books, group, run, time_ms);
    case FOB_RUN_DEAD:
        return feed_dead(books, group, run);
    case FOB_RUN_COVER:
        return feed_cover(books, group, run);
    case FOB_RUN_SHED:
    case FOB_RUN_REMOVE:
        return feed_drop(books, group, run);
    case FOB_RUN_REDRIVE:
        return feed_redrive(books, group, run);
    case FOB_RUN_UNBURY:
        return feed_unbury(books, group, run);
    case FOB_RUN_ACCEPT:
        return feed_accept(books, group, run);
    default:
        WRONG("a run of no verb");
    }
}

static bool feed_runs(books_t *books, fob_slice_t bytes) {
    fob_record_runs_t record;
    if (!fob_record_read_runs(bytes, &record) || !group_of(books, record.group))
        WRONG("runs of no group");
    for (size_t i = 0; i < record.count; i++) {
        fob_run_record_t run;
        if (!fob_record_read_run(record.runs + i * FOB_RUN_SIZE, &run))
            WRONG("not a run");
        if (!feed_run(books, &books->groups[record.group], &run, record.time_ms))
            return false;
    }
    return true;
}

/* --- all --- */

/* A group holds no more than it may, but for what was there before, or was put back. */
static bool end_commit(books_t *books) {
    for (size_t i = 0; i < BOOKS_GROUPS; i++) {
        books_group_t *group = &books->groups[i];
        uint64_t depth = group->there ? books_depth(group) : 0;
        uint64_t may_owe = group->plain + group->count[BOOKS_UNREAD];
        if (group->there && may_owe < group->debt)
            WRONG("%s owes %llu of %llu", group->name, (ull)group->debt, (ull)may_owe);
        if (depth > group->policy.max_depth && depth > group->before + group->grown)
            WRONG("%s has %llu, of %llu that it may have", group->name, (ull)depth,
                  (ull)group->policy.max_depth);
        group->before = depth;
        group->grown = group->left = group->left_bytes = 0;
    }
    return true;
}

static bool feed_record(books_t *books, const kit_record_t *record) {
    fob_slice_t bytes = fob_slice(record->bytes, record->size);
    switch (bytes.data[0]) {
    case FOB_RECORD_EVENTS:
        return feed_events(books, bytes);
    case FOB_RECORD_GROUP_ADD:
        return feed_group(books, bytes);
    case FOB_RECORD_GROUP_REMOVE:
        return feed_remove(books, bytes);
    case FOB_RECORD_SET:
        return feed_set(books, bytes);
    case FOB_RECORD_RESET:
        return feed_reset(books, bytes);
    case FOB_RECORD_RUNS:
    case FOB_RECORD_NOTED:
        return feed_runs(books, bytes);
    case FOB_RECORD_MOVED:
        return feed_moved(books, bytes);
    case FOB_RECORD_SEED:
        if (books->seed || !fob_record_read_seed(bytes, &books->seed))
            WRONG("not the first secret");
        return true;
    default:
        return true;
    }
}

bool books_feed(books_t *books) {
    const kit_t *kit = books->kit;
    if (kit->lives != books->lives)
        begin_anew(books);
    for (; books->fed < kit->log_count; books->fed++) {
        const kit_record_t *record = &kit->log[books->fed];
        if (record->position != books->position && !end_commit(books))
            return false;
        books->position = record->position;
        if (!feed_record(books, record))
            return false;
    }
    return true;
}
