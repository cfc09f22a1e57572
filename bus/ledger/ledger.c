#include "bus/ledger/ledger.h"

#include "bus/ledger/checkpointer.h"
#include "bus/ledger/flights.h"
#include "bus/ledger/leeway.h"
#include "bus/ledger/needs.h"
#include "bus/ledger/outbox.h"
#include "bus/ledger/reading.h"
#include "bus/ledger/shortage.h"
#include "bus/ledger/told.h"
#include "proto/cursor.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define BUSY_ABOVE   (128u << 20) /* bytes under way to the journal; above, publishes are BUSY */
#define RECORD_ROOM  512          /* bytes of a record beside its batch, generously */
#define COMMIT_ROOM  128          /* bytes on disk of a commit beside its records, about */
#define EVENT_LEAST  4            /* no encoded event has fewer bytes */
#define ENTRIES_KEPT 256          /* entries that need no allocation of their own */
#define TRIM_EVERY   FOB_SEC
#define MOVE_EVERY   (10 * FOB_MS) /* while events are moved */
#define MOVE_ROOM    (256u << 10)  /* bytes in one turn, but for one event */
#define MOVE_LEAST   (1u << 10)    /* where less than that is left, nothing is moved */

struct fob_ledger {
    fob_journal_t *journal;
    fob_core_t *core;
    fob_outbox_t *outbox;
    fob_log_fn *log;
    void *log_arg;
    fob_turn_t *orphan; /* a turn that could not be held, as memory ran out */
    fob_leeway_t room;
    size_t appended; /* bytes, by the last turn */
    bool stepped;    /* since the last turn */
    fob_entry_t *entries;
    size_t entry_room;
    fob_needs_t needs;
    fob_checkpointer_t checkpointer;
    uint64_t trim_floor,
        trim_needs; /* may be trimmed below the floor once that position is durable */
    int64_t trim_ns;
    size_t move_room;
    fob_flights_t flights;
    fob_shortage_t shortage;
    fob_told_t damage; /* that was told of */
    fob_reading_t reading;
};

static const fob_journal_ops_t *ops(const fob_ledger_t *self) {
    return self->journal->ops;
}

static void say(fob_ledger_t *self, const char *line) {
    if (self->log)
        self->log(self->log_arg, line);
}

/* --- start and end --- */

typedef struct {
    fob_core_t *core;
    fob_status_t status;
} replay_t;

static bool on_slice(void *arg, const uint8_t *data, size_t size) {
    replay_t *replay = arg;
    replay->status = fob_core_load(replay->core, fob_slice(data, size));
    return replay->status == FOB_OK;
}

static bool on_record(void *arg, const fob_stored_t *record) {
    replay_t *replay = arg;
    replay->status =
        fob_core_replay(replay->core, record->position, fob_slice(record->data, record->size));
    return replay->status == FOB_OK;
}

fob_status_t fob_ledger_status(fob_journal_code_t code) {
    switch (code) {
    case FOB_JOURNAL_OK:
        return FOB_OK;
    case FOB_JOURNAL_FULL:
        return FOB_DISK_FULL;
    case FOB_JOURNAL_IN_USE:
        return FOB_FOLDER_IN_USE;
    case FOB_JOURNAL_NEWER:
        return FOB_FOLDER_NEWER;
    case FOB_JOURNAL_DAMAGED:
        return FOB_DAMAGED;
    case FOB_JOURNAL_MEMORY:
        return FOB_NO_MEMORY;
    default:
        return FOB_DISK_FAILED;
    }
}

static fob_status_t recover(fob_ledger_t *self, char *text, size_t size) {
    replay_t replay = {self->core, FOB_OK};
    fob_journal_error_t error = {0};
    fob_replay_t to = {on_slice, on_record, &replay};
    fob_journal_code_t code = ops(self)->replay(self->journal, &to, &error);
    if (code == FOB_JOURNAL_OK && replay.status == FOB_OK)
        replay.status = fob_core_replayed(self->core);
    if (replay.status != FOB_OK) {
        const char *why = fob_core_error(self->core);
        if (replay.status == FOB_NO_MEMORY || !*why)
            why = fob_status_text(replay.status);
        snprintf(text, size, "the journal cannot be replayed: %s", why);
        return replay.status;
    }
    if (code != FOB_JOURNAL_OK)
        snprintf(text, size, "%s", error.text);
    return fob_ledger_status(code);
}

static fob_status_t start(fob_ledger_t *self, const fob_core_config_t *config, fob_now_t now,
                          char *text, size_t size) {
    self->entry_room = ENTRIES_KEPT;
    self->entries = malloc(self->entry_room * sizeof *self->entries);
    self->core = fob_core_new(config);
    fob_status_t status = self->core && self->entries ? recover(self, text, size) : FOB_NO_MEMORY;
    if (status != FOB_OK)
        return status;
    fob_journal_stats_t stats;
    ops(self)->stats(self->journal, &stats);
    fob_core_start(self->core, now, stats.last_position);
    self->move_room = MOVE_ROOM + (size_t)config->max_event;
    self->outbox = fob_outbox_new(stats.last_position, fob_core_head(self->core));
    self->trim_ns = now.mono_ns;
    return self->outbox ? FOB_OK : FOB_NO_MEMORY;
}

fob_ledger_t *fob_ledger_new(fob_journal_t *journal, const fob_core_config_t *config, fob_now_t now,
                             fob_log_fn *log, void *log_arg, fob_status_t *status, char *text,
                             size_t size) {
    fob_ledger_t *self = calloc(1, sizeof *self);
    if (!self) {
        journal->ops->close(&journal);
        *status = FOB_NO_MEMORY;
        return NULL;
    }
    self->journal = journal;
    self->log = log;
    self->log_arg = log_arg;
    *status = start(self, config, now, text, size);
    if (*status != FOB_OK)
        fob_ledger_destroy(&self);
    return self;
}

void fob_ledger_destroy(fob_ledger_t **self_p) {
    fob_ledger_t *self = *self_p;
    if (!self)
        return;
    ops(self)->close(&self->journal); /* first: it reads the turns' bytes until then */
    fob_turn_t *turn;
    while (self->outbox && (turn = fob_outbox_drain(self->outbox)))
        fob_core_release(self->core, &turn);
    if (self->orphan)
        fob_core_release(self->core, &self->orphan);
    fob_outbox_destroy(&self->outbox);
    if (self->core)
        fob_core_destroy(&self->core);
    fob_checkpointer_free(&self->checkpointer);
    fob_flights_free(&self->flights);
    free(self->entries);
    fob_needs_free(&self->needs);
    fob_reading_free(&self->reading);
    free(self);
    *self_p = NULL;
}

/* --- turns --- */

/* What publishes leave: settles, and some retries. */
static uint64_t kept_for(uint64_t settles) {
    return settles + settles / 8;
}

/* Whether, with these bytes taken too, all that is unsettled could still be settled, and `settles`
 * more. */
static bool room_for_settles(fob_ledger_t *self, size_t bytes, uint64_t settles) {
    uint64_t reserve = fob_core_settle_reserve(self->core) + settles * FOB_SETTLE_ROOM;
    return fob_leeway_take(&self->room, self->journal, bytes, kept_for(reserve));
}

static uint64_t events_in(fob_slice_t body) {
    fob_cursor_t cursor = fob_cursor(body);
    uint64_t count = 0;
    fob_slice_t event;
    while (!fob_cursor_end(&cursor) && fob_cursor_skip(&cursor, &event))
        count++;
    return count;
}

/* Room for the batch, for what it may give every group to settle, and for all that is unsettled
 * already; and once more, as each event may need a record of its own where not all are stored.
 * Events are counted only where it matters. */
static bool room_for(fob_ledger_t *self, fob_slice_t body) {
    uint64_t groups = fob_core_group_count(self->core) + 1;
    size_t bytes = body.size + RECORD_ROOM;
    return room_for_settles(self, bytes, groups * (body.size / EVENT_LEAST)) ||
           room_for_settles(self, bytes, groups * events_in(body));
}

/* Holds room in the journal for a publish, or says how it must be refused. */
static fob_status_t make_room(fob_ledger_t *self, fob_slice_t body) {
    if (fob_outbox_bytes(self->outbox) + self->room.promised > BUSY_ABOVE)
        return FOB_BUSY;
    size_t wanted = self->room.promised + body.size + RECORD_ROOM;
    if (!room_for(self, body) || !ops(self)->reserve(self->journal, wanted))
        return FOB_DISK_FULL;
    self->room.promised = wanted;
    return FOB_OK;
}

static uint64_t last_stored(const fob_ledger_t *self, const uint8_t *session) {
    bool known;
    return session ? fob_core_session_last(self->core, session, &known) : 0;
}

static fob_status_t publish(fob_ledger_t *self, fob_now_t now, const fob_command_t *command) {
    fob_command_t order = *command;
    const uint8_t *session = order.publish.session;
    uint64_t before = last_stored(self, session);
    order.publish.refuse = make_room(self, fob_blob_slice(order.publish.body));
    char line[512];
    if (fob_shortage_tell(&self->shortage, now, order.publish.refuse == FOB_DISK_FULL, self->core,
                          line, sizeof line))
        say(self, line);
    fob_status_t status = fob_core_step(self->core, now, &order);
    if (last_stored(self, session) != before) {
        fob_flights_durable(&self->flights, ops(self)->durable(self->journal));
        fob_flights_add(&self->flights, session, fob_outbox_last(self->outbox) + 1, before);
    }
    return status;
}

/* A group may begin in the past: how far back there is something is the journal's to say. */
static fob_status_t begin_group(fob_ledger_t *self, fob_now_t now, const fob_command_t *command) {
    fob_command_t order = *command;
    fob_journal_stats_t stats;
    ops(self)->stats(self->journal, &stats);
    order.admin.lowest = stats.first_offset ? stats.first_offset : fob_core_head(self->core) + 1;
    return fob_core_step(self->core, now, &order);
}

/* A settle is always taken. Where room is short its text is left away. */
static fob_status_t settle(fob_ledger_t *self, fob_now_t now, const fob_command_t *command) {
    fob_command_t order = *command;
    order.settle.text = (fob_slice_t){0};
    return fob_core_step(self->core, now, &order);
}

/* Something may be decided: until the turn is ended, what is durable is not all there is. */
static fob_status_t step(fob_ledger_t *self, fob_now_t now, const fob_command_t *command) {
    self->stepped = true;
    return fob_core_step(self->core, now, command);
}

fob_status_t fob_ledger_step(fob_ledger_t *self, fob_now_t now, const fob_command_t *command) {
    self->stepped = true;
    if (command->kind == FOB_CMD_PUBLISH)
        return publish(self, now, command);
    if (command->kind == FOB_CMD_SETTLE && (self->room.tight || self->shortage.short_of_room))
        return settle(self, now, command);
    if (command->kind == FOB_CMD_GROUP_ADD || command->kind == FOB_CMD_GROUP_RESET)
        return begin_group(self, now, command);
    return fob_core_step(self->core, now, command);
}

/* For so many events that nobody publishes there is room, if each is handed out and settled by
 * itself. Mostly they are not, so that a few at a time get through where there is room for a few.
 */
static uint64_t room_for_found(const fob_ledger_t *self, uint64_t kept) {
    uint64_t left = fob_leeway_left(&self->room);
    return left > kept ? (left - kept) / (2 * FOB_SETTLE_ROOM) : 0;
}

/* True: what came back may go out as it did not before, or the other way round, or a census that
 * waited goes on. */
static bool look_at_room(fob_ledger_t *self, uint64_t appended) {
    bool before = self->room.sparing;
    uint64_t all = fob_core_settle_reserve(self->core);
    fob_leeway_look(&self->room, self->journal, appended, kept_for(all));
    if (self->room.tight)
        fob_leeway_spare(&self->room, all, fob_core_once_reserve(self->core));
    fob_core_spare(self->core, self->room.sparing, fob_leeway_left(&self->room));
    bool goes_on = fob_core_room(self->core, room_for_found(self, kept_for(all)));
    return goes_on || self->room.sparing != before;
}

static bool entry_room(fob_ledger_t *self, size_t count) {
    if (count <= self->entry_room)
        return true;
    fob_entry_t *entries = realloc(self->entries, count * sizeof *entries);
    if (!entries)
        return false;
    self->entries = entries;
    self->entry_room = count;
    return true;
}

static struct iovec part_of(fob_slice_t bytes) {
    return (struct iovec){(void *)(uintptr_t)bytes.data, bytes.size};
}

static fob_status_t append(fob_ledger_t *self, const fob_turn_t *turn) {
    if (!entry_room(self, turn->record_count))
        return FOB_NO_MEMORY;
    for (size_t i = 0; i < turn->record_count; i++) {
        const fob_record_t *record = &turn->records[i];
        fob_entry_t *entry = &self->entries[i];
        *entry = (fob_entry_t){record->first_offset, record->count, 1, {part_of(record->head)}};
        if (record->body)
            entry->parts[entry->part_count++] = part_of(fob_blob_slice(record->body));
    }
    uint64_t position =
        ops(self)->append(self->journal, self->entries, turn->record_count, turn->sync);
    assert(position == turn->position);
    return FOB_OK;
}

/* What a group needs again is not trimmed before all that it does with it is durable, too: a start
 * might come to a state in between. */
static void reach_back(fob_ledger_t *self) {
    uint64_t floor = fob_core_floor(self->core);
    self->trim_floor = floor < self->trim_floor ? floor : self->trim_floor;
}

fob_status_t fob_ledger_turn(fob_ledger_t *self, fob_now_t now) {
    (void)look_at_room(self, self->appended); /* the take sees to what that changes */
    self->appended = 0;
    fob_turn_t *turn = fob_core_take(self->core, now);
    self->stepped = false;
    self->room.promised = 0;
    if (!turn)
        return FOB_OK;
    fob_status_t status = turn->record_count ? append(self, turn) : FOB_OK;
    if (status == FOB_OK && !fob_outbox_put(self->outbox, turn))
        status = FOB_NO_MEMORY;
    if (status != FOB_OK) {
        self->orphan = turn; /* the journal may be reading it: it goes with the ledger */
        return status;
    }
    self->appended = turn->bytes + COMMIT_ROOM;
    if (fob_core_reached_back(self->core))
        reach_back(self);
    fob_outbox_durable(self->outbox, ops(self)->durable(self->journal));
    return FOB_OK;
}

/* --- pages --- */

const fob_effect_t *fob_ledger_next(fob_ledger_t *self, fob_now_t now) {
    const fob_effect_t *effect;
    while ((effect = fob_outbox_next(self->outbox)) && effect->kind == FOB_EFF_NEED)
        if (!fob_needs_ask(&self->needs, self->journal, now, effect->need_offset,
                           effect->need_bytes))
            say(self, "out of memory: a page of the journal was not read");
    return effect;
}

static void free_page(void *data, void *hint) {
    (void)hint;
    free(data);
}

static fob_status_t give(fob_ledger_t *self, fob_now_t now, const fob_page_t *page,
                         fob_blob_t *blob) {
    fob_status_t status = FOB_OK;
    for (size_t i = 0; i < page->entry_count && status == FOB_OK; i++) {
        const fob_stored_t *entry = &page->entries[i];
        fob_command_t command = {.kind = FOB_CMD_PAGE};
        command.page.blob = blob;
        command.page.record = fob_slice(entry->data, entry->size);
        command.page.first_offset = entry->first_offset;
        command.page.count = entry->count;
        command.page.asked = page->tag;
        command.page.last = i + 1 == page->entry_count;
        status = step(self, now, &command);
    }
    return status;
}

/* Segment and byte of damage, once: every group that needs something of it comes by there. */
static void say_damage(fob_ledger_t *self, const char *text) {
    if (fob_told_news(&self->damage, text))
        say(self, text);
}

static fob_status_t absent(fob_ledger_t *self, fob_now_t now, const fob_page_t *page) {
    fob_command_t command = {.kind = FOB_CMD_PAGE_ABSENT};
    command.absent.asked = command.absent.offset = page->tag;
    command.absent.count = page->resume > page->tag ? page->resume - page->tag : 1;
    if (page->code == FOB_JOURNAL_DAMAGED)
        say_damage(self, page->text);
    return step(self, now, &command);
}

static fob_status_t take_page(fob_ledger_t *self, fob_now_t now, fob_page_t *page) {
    fob_needs_came(&self->needs);
    if (page->code == FOB_JOURNAL_ABSENT || page->code == FOB_JOURNAL_DAMAGED) {
        free(page->memory);
        return absent(self, now, page);
    }
    fob_blob_t *blob = NULL;
    if (page->code == FOB_JOURNAL_OK)
        blob = fob_blob_wrap(page->memory, page->memory_size, free_page, NULL);
    if (!blob) { /* the system refused: that is no damage, it may do better later */
        free(page->memory);
        if (page->code == FOB_JOURNAL_SYSTEM)
            say(self, page->text);
        int64_t at = now.mono_ns + FOB_NEEDS_AFTER;
        return fob_needs_later(&self->needs, page->tag, 1, at) ? FOB_OK : FOB_NO_MEMORY;
    }
    fob_status_t status = give(self, now, page, blob);
    fob_blob_unref(&blob);
    return status;
}

static void take_past(fob_ledger_t *self, const fob_page_t *page) {
    if (page->code == FOB_JOURNAL_DAMAGED || page->code == FOB_JOURNAL_SYSTEM)
        say_damage(self, page->text);
    fob_reading_take(&self->reading, page);
}

bool fob_ledger_read(fob_ledger_t *self, fob_now_t now, uint64_t offset, uint32_t bytes) {
    return fob_reading_ask(&self->reading, self->journal, now, fob_needs_any(&self->needs), offset,
                           bytes);
}

bool fob_ledger_past(fob_ledger_t *self, fob_page_t *out) {
    return fob_reading_page(&self->reading, out);
}

fob_status_t fob_ledger_news(fob_ledger_t *self, fob_now_t now, char *text, size_t size) {
    ops(self)->clear(self->journal);
    fob_journal_error_t error = {0};
    if (ops(self)->health(self->journal, &error) != FOB_JOURNAL_OK) {
        snprintf(text, size, "%s", error.text);
        return FOB_DISK_FAILED;
    }
    fob_outbox_durable(self->outbox, ops(self)->durable(self->journal));
    fob_page_t page;
    fob_status_t status = FOB_OK;
    while (status == FOB_OK && ops(self)->page(self->journal, &page) == FOB_JOURNAL_OK) {
        if (fob_reading_owns(&page))
            take_past(self, &page);
        else
            status = take_page(self, now, &page);
    }
    if (status != FOB_OK)
        snprintf(text, size, "a page of the journal could not be used: %s",
                 fob_status_text(status));
    return status;
}

/* --- between turns --- */

static bool all_durable(const fob_ledger_t *self, uint64_t position) {
    return ops(self)->durable(self->journal) >= position;
}

/* Holds room for what is moved in a turn: where there is little left, for less; or a full disk
 * would stay full. 0: none. */
static size_t room_to_move(fob_ledger_t *self) {
    size_t room = self->move_room;
    while (room >= MOVE_LEAST &&
           (!room_for_settles(self, room, 0) || !ops(self)->reserve(self->journal, room)))
        room /= 2;
    return room >= MOVE_LEAST ? room : 0;
}

/* What little is needed of the oldest part goes to the head, where there is room for it; else the
 * core knows what part that is all the same. */
static fob_status_t reclaim(fob_ledger_t *self, fob_now_t now) {
    fob_journal_stats_t stats;
    uint64_t head = fob_core_head(self->core);
    ops(self)->stats(self->journal, &stats);
    if (stats.pinned_below == 0)
        return FOB_OK;
    size_t room = room_to_move(self);
    self->room.promised = room;
    fob_command_t command = {.kind = FOB_CMD_RECLAIM};
    command.reclaim.below = stats.pinned_below;
    command.reclaim.bytes = stats.pinned_bytes;
    command.reclaim.room = room ? room - RECORD_ROOM : 0;
    fob_status_t status = fob_ledger_step(self, now, &command);
    if (fob_core_head(self->core) != head)
        self->trim_ns = now.mono_ns + MOVE_EVERY;
    return status == FOB_NO_MEMORY ? FOB_OK : status; /* it is tried again */
}

/* What no group needs any more may go once the settles that say so are durable. */
static fob_status_t trim(fob_ledger_t *self, fob_now_t now) {
    if (now.mono_ns < self->trim_ns)
        return FOB_OK;
    self->trim_ns = now.mono_ns + TRIM_EVERY;
    uint64_t floor = fob_core_floor(self->core); /* a group that began anew may need more again */
    if (self->trim_floor && all_durable(self, self->trim_needs))
        ops(self)->trim(self->journal, floor < self->trim_floor ? floor : self->trim_floor,
                        now.wall_ms);
    self->trim_floor = floor;
    self->trim_needs = fob_outbox_last(self->outbox);
    fob_status_t status = reclaim(self, now);
    if (status == FOB_OK && look_at_room(self, 0))
        status = fob_ledger_step(self, now, &(fob_command_t){.kind = FOB_CMD_TICK});
    return status;
}

fob_status_t fob_ledger_tidy(fob_ledger_t *self, fob_now_t now) {
    fob_turn_t *turn;
    assert(!self->stepped); /* a slice or a floor of an open turn would rest on no known position */
    while ((turn = fob_outbox_done(self->outbox)))
        fob_core_release(self->core, &turn);
    fob_needs_again(&self->needs, self->journal, now);
    fob_checkpointer_step(&self->checkpointer, self->journal, self->core,
                          fob_outbox_last(self->outbox), now);
    fob_status_t status = trim(self, now);
    if (status != FOB_OK || fob_core_deadline(self->core) > now.mono_ns)
        return status;
    return fob_ledger_step(self, now, &(fob_command_t){.kind = FOB_CMD_TICK});
}

int64_t fob_ledger_deadline(const fob_ledger_t *self) {
    int64_t at = fob_core_deadline(self->core);
    int64_t needs = fob_needs_deadline(&self->needs);
    if (fob_checkpointer_busy(&self->checkpointer) || self->stepped)
        return 0;
    if (needs < at)
        at = needs;
    return self->trim_ns < at ? self->trim_ns : at;
}

bool fob_ledger_at_rest(const fob_ledger_t *self) {
    return !self->stepped && all_durable(self, fob_outbox_last(self->outbox));
}

/* Not of a turn that is open: the journal has none of its records, and the next start would take
 * others in their place for those that the checkpoint holds. */
bool fob_ledger_checkpoint(fob_ledger_t *self) {
    if (!fob_ledger_at_rest(self))
        return false;
    return fob_checkpointer_whole(&self->checkpointer, self->journal, self->core,
                                  fob_outbox_last(self->outbox));
}

/* --- questions --- */

int fob_ledger_fd(const fob_ledger_t *self) {
    return ops(self)->fd(self->journal);
}

fob_core_t *fob_ledger_core(fob_ledger_t *self) {
    return self->core;
}

uint64_t fob_ledger_head(const fob_ledger_t *self) {
    return fob_outbox_head(self->outbox);
}

uint64_t fob_ledger_last(fob_ledger_t *self, const uint8_t *session) {
    uint64_t last = last_stored(self, session);
    return last ? fob_flights_last(&self->flights, session, ops(self)->durable(self->journal), last)
                : 0;
}

uint64_t fob_ledger_epoch(const fob_ledger_t *self) {
    return ops(self)->epoch(self->journal);
}

uint64_t fob_ledger_began(const fob_ledger_t *self, uint64_t epoch) {
    return ops(self)->began(self->journal, epoch);
}

const char *fob_ledger_level(const fob_ledger_t *self) {
    return ops(self)->level(self->journal);
}

uint64_t fob_ledger_pinned(const fob_ledger_t *self, uint64_t floor) {
    return ops(self)->bytes_from(self->journal, floor);
}

void fob_ledger_journal(const fob_ledger_t *self, fob_journal_stats_t *out) {
    ops(self)->stats(self->journal, out);
}
