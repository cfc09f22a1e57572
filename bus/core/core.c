/* core: commands in, turns out. */
#include "bus/core/admin/inquiry.h"
#include "bus/core/admin/reclaim.h"
#include "bus/core/durable/checkpoint_fits.h"
#include "bus/core/durable/copy.h"
#include "bus/core/durable/digest.h"
#include "bus/core/durable/seed.h"
#include "bus/core/group/dead_limits.h"
#include "bus/core/work/lease.h"
#include "bus/core/work/sparing.h"
#include "bus/core/work/walk.h"
#include "proto/planted.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define TURNS_KEPT   64
#define COMMIT_FRAME 80                /* bytes on disk around a commit, by bus/journal's layout */
#define RECORD_FRAME 16                /* and before each record in it */
#define TAKE_BYTES   ((size_t)8 << 20) /* of deliveries in one turn, but for its last group */

fob_core_t *fob_core_new(const fob_core_config_t *config) {
    fob_core_t *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    uint32_t topics = config->topics_max ? config->topics_max : FOB_CHAIN_TOPICS;
    self->config = *config;
    fob_policy_clamp(&self->config.policy);
    self->next_group = 1;
    self->resume_until = FOB_NEVER;
    self->room_events = UINT64_MAX;
    fob_cache_init(&self->cache, &self->sheets, config->cache_bytes, config->page_bytes);
    self->dedup = fob_dedup_new(config->dedup_max, config->dedup_window_ms);
    self->history = fob_history_new();
    if (!self->dedup || !self->history || !fob_topics_init(&self->topics, FOB_TOPICS_MAX) ||
        !fob_chain_init(&self->chain, topics, FOB_CHAIN_BYTES) ||
        !fob_writers_init(&self->writers, config->max_sessions, config->session_keep_ms,
                          config->session_grace_ms * FOB_MS))
        fob_core_destroy(&self);
    return self;
}

static void turns_free(fob_core_t *self) {
    fob_turn_free(self->open);
    while (self->pool) {
        fob_open_turn_t *next = self->pool->next;
        fob_turn_free(self->pool);
        self->pool = next;
    }
}

void fob_core_destroy(fob_core_t **self_p) {
    fob_core_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    if (self->open) {
        for (size_t i = 0; i < self->open->sheet_count; i++)
            fob_sheet_unref(&self->sheets, self->open->sheets[i]);
    }
    turns_free(self);
    fob_cache_free(&self->cache);
    fob_sheet_pool_free(&self->sheets);
    fob_topics_free(&self->topics);
    fob_chain_free(&self->chain);
    fob_writers_free(&self->writers);
    fob_dedup_free(self->dedup);
    fob_members_free(&self->members);
    fob_copy_free(&self->copy);
    fob_groups_free(&self->groups);
    fob_moved_free(&self->moved);
    fob_history_free(self->history);
    free(self->dirty);
    fob_waits_free(&self->waits);
    fob_refusals_free(&self->refusals);
    fob_present_free(&self->present);
    fob_inquiries_free(self);
    free(self->match);
    free(self->items);
    fob_twins_free(&self->twins);
    fob_buf_free(&self->rows);
    fob_buf_free(&self->row_heads);
    fob_buf_free(&self->snapshot.unit);
    free(self);
}

const char *fob_core_error(const fob_core_t *self) {
    return self->error;
}

/* --- recovery --- */

fob_status_t fob_core_replay(fob_core_t *self, uint64_t position, fob_slice_t record) {
    assert(!self->live);
    if (self->snapshot.stage) {
        snprintf(self->error, sizeof self->error, "the checkpoint has no end");
        return FOB_DAMAGED;
    }
    self->stamp.index = position == self->stamp.position ? self->stamp.index + 1 : 0;
    self->stamp.position = position;
    if (fob_stamp_before(self->stamp, self->loaded))
        return FOB_OK;
    self->position = position;
    if (FOB_PLANTED(REPLAY_SKIPS_RECORD) && record.data[0] == FOB_RECORD_RUNS && position % 64 == 0)
        return FOB_OK;
    fob_status_t status = fob_apply(self, position, record);
    if (status != FOB_OK || fob_state_time_fits(self->time_ms))
        return status;
    snprintf(self->error, sizeof self->error, "commit %llu: a time that cannot be",
             (unsigned long long)position);
    return FOB_DAMAGED;
}

fob_status_t fob_core_replayed(fob_core_t *self) {
    assert(!self->live);
    if (!self->snapshot.stage && fob_state_all_fits(self))
        return FOB_OK;
    snprintf(self->error, sizeof self->error,
             self->snapshot.stage ? "the checkpoint has no end"
                                  : "the checkpoint does not fit the commits that follow it");
    return FOB_DAMAGED;
}

/* What was out before the start lies in floor..mark: it waits for its worker. Above goes at once.
 */
static void start_group(fob_core_t *self, fob_group_t *group) {
    fob_walk_begin(self, group, true);
    group->born = group->ruled = 0;
    group->no_member_ns = self->now.mono_ns;
    fob_meter_begin(&group->in, self->now.mono_ns);
    fob_meter_begin(&group->out, self->now.mono_ns);
    uint32_t at = 0;
    for (fob_back_entry_t *e; (e = fob_back_next(&group->back, &at)) != NULL;) {
        if (!e->out)
            fob_core_schedule(self, group, e);
    }
    self->unsettled += fob_group_pristine(group) + group->back.count;
    fob_dead_limits_due(self, group);
    if (fob_census_runs(group) || group->debt || group->skip_to) {
        fob_core_wake(self, group); /* that goes on without workers */
        self->again = true;
    }
}

void fob_core_start(fob_core_t *self, fob_now_t now, uint64_t position) {
    assert(!self->live);
    self->now = now;
    self->live = true;
    self->position = position;
    self->resume_until = now.mono_ns + self->config.resume_ms * FOB_MS;
    self->unsettled = 0;
    fob_core_seed_start(self);
    fob_chain_start(&self->chain);
    fob_writers_start(&self->writers, now.mono_ns);
    for (size_t i = 0; i < self->groups.count; i++)
        start_group(self, self->groups.by_id[i]);
    self->swept = self->head;
}

/* --- steps --- */

fob_status_t fob_core_step(fob_core_t *self, fob_now_t now, const fob_command_t *command) {
    assert(self->live);
    self->now = now;
    switch (command->kind) {
    case FOB_CMD_PUBLISH:
        return fob_publish(self, command);
    case FOB_CMD_PRESENT:
        return fob_publisher_present(self, command->conn, command->present.session);
    case FOB_CMD_JOIN:
        return fob_join(self, command);
    case FOB_CMD_LEAVE:
        return fob_leave(self, command);
    case FOB_CMD_CREDIT:
        return fob_credit(self, command);
    case FOB_CMD_SETTLE:
        return fob_settle(self, command);
    case FOB_CMD_UNSENT:
        return fob_unsent(self, command);
    case FOB_CMD_UNREACHABLE:
        return fob_unreachable(self, command);
    case FOB_CMD_LOST:
        fob_inquiries_lost(self, command->conn);
        fob_publisher_gone(self, command->conn, command->lost.goodbye || command->lost.other);
        return fob_lost(self, command);
    case FOB_CMD_GROUP_ADD:
    case FOB_CMD_GROUP_REMOVE:
    case FOB_CMD_GROUP_SET:
    case FOB_CMD_GROUP_RESET:
    case FOB_CMD_GROUP_PURGE:
        return fob_admin(self, command);
    case FOB_CMD_DEAD_LIST:
    case FOB_CMD_DEAD_SHOW:
    case FOB_CMD_DEAD_REDRIVE:
    case FOB_CMD_DEAD_PURGE:
        return fob_inquire(self, command);
    case FOB_CMD_RECLAIM:
        return fob_reclaim(self, command);
    case FOB_CMD_PAGE:
        return fob_page(self, command);
    case FOB_CMD_PAGE_ABSENT:
        return fob_page_absent(self, command);
    case FOB_CMD_TICK:
        fob_lease_spare(self, command->tick.late_ns);
        return FOB_OK; /* what time brings about happens in the take */
    }
    return FOB_PROTOCOL;
}

void fob_core_wake(fob_core_t *self, fob_group_t *group) {
    if (group->dirty)
        return;
    group->dirty = true;
    assert(self->dirty_count < self->dirty_capacity);
    self->dirty[self->dirty_count++] = group;
}

fob_open_turn_t *fob_core_open(fob_core_t *self) {
    if (!self->open && self->pool) {
        self->open = self->pool;
        self->pool = self->open->next;
        self->open->next = NULL;
        self->pool_count--;
    }
    if (!self->open)
        self->open = fob_turn_new();
    return self->open;
}

void fob_core_wait(fob_core_t *self, uint64_t position) {
    if (position == fob_core_next_position(self) && self->open)
        self->open->lent.sync = true;
}

/* --- pages --- */

/* The answer to a NEED is whole. */
static void wake_blocked(fob_core_t *self, uint64_t asked) {
    fob_inquiries_page(self, asked);
    for (fob_group_t *group; (group = fob_waits_unblock(&self->waits)) != NULL;)
        fob_core_wake(self, group);
}

/* What the head of a page's record says, of events or of one that was moved. */
typedef struct {
    uint64_t first_offset, origin;
    int64_t time_ms;
    uint32_t count;
    uint8_t flags;
    size_t size; /* of the head */
} page_head_t;

static bool read_head(fob_slice_t record, page_head_t *out) {
    fob_record_events_t events;
    fob_record_moved_t moved;
    if (fob_record_read_moved(record, &moved)) {
        *out = (page_head_t){.first_offset = moved.place,
                             .origin = moved.origin,
                             .time_ms = moved.stored_ms,
                             .count = 1,
                             .size = FOB_RECORD_MOVED_SIZE};
        return true;
    }
    if (!fob_record_read_events(record, &events))
        return false;
    *out = (page_head_t){.first_offset = events.first_offset,
                         .time_ms = events.time_ms,
                         .count = events.count,
                         .flags = events.flags,
                         .size = FOB_RECORD_EVENTS_SIZE};
    return true;
}

/* The record as a sheet, or NULL where it is not what we wrote; then *status tells if memory
 * lacked. */
static fob_sheet_t *read_page(fob_core_t *self, const fob_command_t *command,
                              fob_status_t *status) {
    fob_slice_t record = command->page.record;
    page_head_t head;
    *status = FOB_BAD_EVENT;
    if (!read_head(record, &head) || head.count == 0 ||
        head.first_offset != command->page.first_offset || head.count != command->page.count)
        return NULL;
    fob_sheet_t *sheet = fob_sheet_new(&self->sheets);
    *status = FOB_NO_MEMORY;
    if (!sheet)
        return NULL;
    fob_slice_t body = fob_slice(record.data + head.size, record.size - head.size);
    size_t at = (size_t)(body.data - fob_blob_slice(command->page.blob).data);
    *status = fob_sheet_index(sheet, command->page.blob, at, body, false, 0,
                              head.flags & FOB_SHEET_PRIORITIES, NULL);
    if (*status == FOB_OK && sheet->count != head.count)
        *status = FOB_BAD_EVENT;
    if (*status != FOB_OK) {
        fob_sheet_unref(&self->sheets, sheet);
        return NULL;
    }
    sheet->first_offset = head.first_offset;
    sheet->origin = head.origin;
    sheet->time_ms = head.time_ms;
    return sheet;
}

fob_status_t fob_page(fob_core_t *self, const fob_command_t *command) {
    fob_status_t status;
    fob_sheet_t *sheet = read_page(self, command, &status);
    if (status == FOB_NO_MEMORY)
        return status;
    fob_cache_page(&self->cache, command->page.asked, sheet, command->page.first_offset,
                   command->page.count, command->page.last);
    if (command->page.last)
        wake_blocked(self, command->page.asked);
    return FOB_OK;
}

fob_status_t fob_page_absent(fob_core_t *self, const fob_command_t *command) {
    uint64_t count = command->absent.count ? command->absent.count : 1;
    fob_cache_page(&self->cache, command->absent.asked, NULL, command->absent.offset, count, true);
    wake_blocked(self, command->absent.asked);
    return FOB_OK;
}

/* --- turns --- */

static void fall_due(fob_core_t *self, fob_group_t *group) {
    fob_back_entry_t *entry;
    while ((entry = fob_back_delayed(&group->back)) != NULL && entry->due_ns <= self->now.mono_ns) {
        fob_back_set(&group->back, entry, FOB_BACK_READY, 0);
        if (!FOB_PLANTED(WAKE_FORGOTTEN))
            fob_core_wake(self, group);
    }
    int64_t due = entry ? entry->due_ns : FOB_NEVER;
    int64_t leases = fob_lease_expire(self, group);
    int64_t limits = fob_dead_limits(self, group); /* what has just died counts */
    int64_t spared = fob_sparing_due(self, group);
    due = leases < due ? leases : due;
    due = spared < due ? spared : due;
    fob_waits_next(&self->waits, group, limits < due ? limits : due);
}

static int64_t next_due(const fob_core_t *self) {
    const fob_group_t *first = fob_waits_first(&self->waits);
    return first ? first->due_ns : FOB_NEVER;
}

static void all_fall_due(fob_core_t *self) {
    while (next_due(self) <= self->now.mono_ns)
        fall_due(self, fob_waits_first(&self->waits));
}

/* Whatever was out before the start and was not claimed goes out again. */
static void end_resume(fob_core_t *self) {
    self->resume_until = FOB_NEVER;
    for (size_t i = 0; i < self->groups.count; i++) {
        fob_group_t *group = self->groups.by_id[i];
        uint32_t at = 0;
        for (fob_back_entry_t *e; (e = fob_back_next(&group->back, &at)) != NULL;) {
            if (e->state == FOB_BACK_IDLE)
                fob_back_set(&group->back, e, FOB_BACK_READY, 0);
        }
        fob_core_wake(self, group);
    }
    for (size_t i = self->groups.count; i-- > 0;) {
        fob_group_t *group = self->groups.by_id[i];
        if (!group->temporary || group->member_count > 0)
            continue;
        uint8_t *bytes = fob_group_drop_reserve(self);
        if (bytes)
            fob_group_drop(self, group, bytes);
        else
            self->resume_until = self->now.mono_ns; /* at the next take */
    }
}

static void hand_out(fob_core_t *self) {
    size_t count = self->dirty_count, done = 0;
    self->take_bytes = 0;
    while (done < count && self->take_bytes < TAKE_BYTES) {
        fob_group_t *group = self->dirty[done++];
        group->dirty = false;
        if (fob_handout(self, group)) {
            fob_core_wake(self, group);
            self->again = true;
        }
    }
    self->again = self->again || done < count; /* the others are first in the next take */
    self->dirty_count -= done;
    memmove(self->dirty, self->dirty + done, self->dirty_count * sizeof(fob_group_t *));
}

fob_turn_t *fob_core_take(fob_core_t *self, fob_now_t now) {
    assert(self->live);
    self->now = now;
    if (now.mono_ns >= self->resume_until)
        end_resume(self);
    all_fall_due(self);
    self->again = false;
    fob_inquiries_run(self);
    if (self->dirty_count)
        hand_out(self);
    all_fall_due(self); /* what died meanwhile may be too much */
    self->cache.takes++;
    fob_open_turn_t *turn = self->open;
    if (!turn || (turn->record_count == 0 && turn->effect_count == 0))
        return NULL;
    if (turn->record_count)
        fob_handout_sweep(self);
    self->open = NULL;
    if (turn->record_count)
        turn->lent.position = ++self->position;
    turn->lent.records = turn->records;
    turn->lent.record_count = turn->record_count;
    turn->lent.bytes = turn->bytes;
    turn->lent.effects = turn->effects;
    turn->lent.effect_count = turn->effect_count;
    return &turn->lent;
}

void fob_core_release(fob_core_t *self, fob_turn_t **turn_p) {
    if (!*turn_p)
        return;
    fob_open_turn_t *turn = (fob_open_turn_t *)(void *)*turn_p;
    *turn_p = NULL;
    for (size_t i = 0; i < turn->sheet_count; i++) {
        turn->sheets[i]->pinned = false;
        fob_sheet_unref(&self->sheets, turn->sheets[i]);
    }
    fob_turn_clear(turn);
    fob_cache_trim(&self->cache);
    if (self->pool_count >= TURNS_KEPT) {
        fob_turn_free(turn);
        return;
    }
    turn->next = self->pool;
    self->pool = turn;
    self->pool_count++;
}

int64_t fob_core_deadline(const fob_core_t *self) {
    if (self->again)
        return self->now.mono_ns;
    int64_t due = next_due(self);
    return due < self->resume_until ? due : self->resume_until;
}

/* --- questions --- */

uint64_t fob_core_floor(fob_core_t *self) {
    uint64_t origin, moved = fob_core_lowest_moved(self, &origin);
    uint64_t floor = moved <= self->head ? moved : self->head + 1;
    for (size_t i = 0; i < self->groups.count; i++) {
        uint64_t needs = fob_group_floor(self->groups.by_id[i]);
        floor = needs < floor ? needs : floor;
    }
    return floor + FOB_PLANTED(TRIM_ONE_TOO_FAR);
}

bool fob_core_reached_back(fob_core_t *self) {
    bool back = self->reached_back;
    self->reached_back = false;
    return back;
}

_Static_assert(FOB_SETTLE_ROOM ==
                   COMMIT_FRAME + RECORD_FRAME + FOB_RECORD_RUNS_SIZE + 64 + FOB_RUN_SIZE,
               "a record with a note");

/* The worst: each event is settled by a commit of its own, which the journal frames. */
uint64_t fob_core_settle_reserve(const fob_core_t *self) {
    return self->unsettled * FOB_SETTLE_ROOM;
}

uint64_t fob_core_once_reserve(const fob_core_t *self) {
    uint64_t waiting = 0;
    for (size_t i = 0; i < self->groups.count; i++) {
        const fob_back_t *back = &self->groups.by_id[i]->back;
        waiting += back->count - back->in_state[FOB_BACK_LEASED];
    }
    return (self->unsettled - waiting) * FOB_SETTLE_ROOM;
}

uint64_t fob_core_head(const fob_core_t *self) {
    return self->head;
}

void fob_core_whole(const fob_core_t *self, const fob_lasts_of_t *of, fob_buf_t *rows,
                    fob_lasts_t *out) {
    uint32_t look = self->config.topics_look;
    fob_lasts_write(&self->chain, of, look ? look : FOB_LASTS_LOOKED, rows, out);
}

void fob_core_list(fob_core_t *self, fob_listing_t *listing, uint64_t from) {
    fob_listing_begin(listing, &self->chain, from, self->head);
}

bool fob_core_list_on(fob_core_t *self, fob_listing_t *listing, fob_slice_t pattern,
                      uint64_t *offsets, size_t room, size_t *count) {
    return fob_listing_step(listing, &self->chain, pattern, offsets, room, count);
}

bool fob_core_knows(const fob_core_t *self, fob_slice_t topic) {
    return fob_chain_find(&self->chain, topic) != NULL;
}

uint64_t fob_core_session_last(const fob_core_t *self, const uint8_t *session, bool *known) {
    const fob_writer_t *writer = fob_writers_find(&self->writers, session);
    *known = writer != NULL;
    return writer ? writer->next - 1 : 0;
}

bool fob_core_has_worker(const fob_core_t *self, uint64_t conn) {
    return fob_members_of(&self->members, conn) != FOB_MEMBER_NONE;
}

bool fob_core_is_member(const fob_core_t *self, uint64_t conn, fob_slice_t group) {
    const fob_group_t *found = fob_groups_find(&self->groups, group);
    return found && fob_members_find(&self->members, conn, found) != FOB_MEMBER_NONE;
}

/* Of what is needed: what is not is dropped at any time. */
static uint64_t moved_hash(const fob_core_t *self) {
    uint64_t sum = 0;
    size_t at = 0;
    for (const fob_moved_item_t *item; (item = fob_moved_next(&self->moved, &at)) != NULL;)
        sum += fob_core_needs(self, item->origin) ? fob_digest(item, sizeof *item) : 0;
    return sum;
}

uint64_t fob_core_hash(const fob_core_t *self) {
    uint64_t groups = 0;
    for (size_t i = 0; i < self->groups.count; i++)
        groups += fob_group_hash(self->groups.by_id[i], self->history);
    uint64_t fields[] = {self->head,       (uint64_t)self->time_ms,
                         self->next_group, self->groups.count,
                         groups,           fob_writers_hash(&self->writers),
                         self->seed,       fob_dedup_hash(self->dedup),
                         moved_hash(self)};
    return fob_digest(fields, sizeof fields);
}
