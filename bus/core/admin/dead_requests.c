/* dead_requests: an operator looks at a group's dead letters, sends them back to their group, or
 * removes them.
 *
 * Letters are met in the order of offsets, from a place that the request names up to a serial, so
 * that a client gets through all of them by request after request: the bus keeps no job that a
 * crash could cut, and a letter that died again meanwhile has a higher serial and is not met twice.
 */
#include "bus/core/admin/inquiry.h"

#include "bus/core/durable/runs.h"
#include "proto/topic.h"

#include <stdio.h>

/* What was found of a letter's event. */
typedef struct {
    fob_place_t place;
    fob_envelope_t event; /* of a readable one */
    bool readable;
} found_t;

typedef enum { TEST_NO, TEST_YES, TEST_WAITS, TEST_MEMORY } test_t;

/* --- taken in --- */

static fob_status_t check(const fob_core_t *self, const fob_command_t *command,
                          fob_group_t **group) {
    fob_slice_t topic = command->dead.filter.topic;
    *group = fob_groups_find(&self->groups, command->dead.group);
    if (!*group)
        return FOB_NO_GROUP;
    if (topic.size && !fob_pattern_valid(topic))
        return FOB_BAD_PATTERN;
    return command->kind == FOB_CMD_DEAD_SHOW && command->dead.filter.offset == 0 ? FOB_INVALID
                                                                                  : FOB_OK;
}

static bool refuse(fob_core_t *self, const fob_command_t *command, fob_status_t status) {
    char text[FOB_NAME_MAX + 160];
    fob_slice_t name = command->dead.group;
    int size = (int)(name.size < FOB_NAME_MAX ? name.size : FOB_NAME_MAX);
    const char *of = name.size ? (const char *)name.data : "";
    if (status == FOB_NO_GROUP)
        snprintf(text, sizeof text, "there is no group %.*s", size, of);
    else if (status == FOB_BAD_PATTERN)
        snprintf(text, sizeof text,
                 "the filter's topic is not a pattern: use a topic in which a token may be * and "
                 "the last >");
    else if (status == FOB_LIMIT)
        snprintf(text, sizeof text, "the bus works on %d requests already: ask again",
                 FOB_INQUIRIES_MAX);
    else if (status == FOB_DISK_FULL)
        snprintf(text, sizeof text,
                 "the journal has no room for settling more of group %.*s: once there is some, the "
                 "same again does the rest",
                 size, of);
    else if (status == FOB_GONE)
        snprintf(text, sizeof text, "group %.*s has no dead letter %llu", size, of,
                 (unsigned long long)command->dead.filter.offset);
    else
        snprintf(text, sizeof text, "the request does not say which dead letter: name its offset");
    return fob_inquiry_reply(self, command->conn, command->dead.req, status, text, (fob_slice_t){0},
                             0);
}

fob_status_t fob_dead_request(fob_core_t *self, const fob_command_t *command) {
    fob_group_t *group;
    fob_inquiry_t *inquiry;
    fob_status_t status = check(self, command, &group);
    if (status == FOB_OK)
        status = fob_inquiry_add(self, command, &inquiry);
    if (status == FOB_NO_MEMORY)
        return status;
    if (status != FOB_OK)
        return refuse(self, command, status) ? FOB_OK : FOB_NO_MEMORY;
    inquiry->group = group->id;
    uint32_t *limit = &inquiry->command.dead.limit;
    if (*limit == 0)
        *limit = FOB_INQUIRY_LIMIT;
    if (*limit > FOB_INQUIRY_LIMIT_MAX)
        *limit = FOB_INQUIRY_LIMIT_MAX;
    if (inquiry->command.dead.upto == 0)
        inquiry->command.dead.upto = group->deads.last_serial;
    return FOB_OK;
}

/* --- which letters --- */

static const fob_dead_t *next_letter(fob_group_t *group, const fob_inquiry_t *inquiry) {
    uint64_t only = inquiry->command.dead.filter.offset, from = inquiry->command.dead.from;
    if (only)
        return from < only ? fob_deads_find(&group->deads, only) : NULL;
    return fob_deads_step(&group->deads, from);
}

/* What the letter itself tells. */
static bool letter_fits(const fob_inquiry_t *inquiry, const fob_dead_t *letter) {
    const fob_dead_filter_t *filter = &inquiry->command.dead.filter;
    return letter->serial <= inquiry->command.dead.upto &&
           (!filter->reason || letter->reason == filter->reason) &&
           (!filter->since || letter->time_ms >= filter->since) &&
           (!filter->until || letter->time_ms < filter->until);
}

static bool event_fits(const fob_inquiry_t *inquiry, const found_t *found) {
    const fob_dead_filter_t *filter = &inquiry->command.dead.filter;
    if (!found->readable)
        return filter->topic.size == 0 && filter->key.size == 0;
    return (filter->topic.size == 0 || fob_pattern_match(filter->topic, found->event.topic)) &&
           (filter->key.size == 0 || fob_slice_eq(filter->key, found->event.key));
}

static bool wants_events(const fob_inquiry_t *inquiry) {
    const fob_command_t *command = &inquiry->command;
    return command->kind == FOB_CMD_DEAD_LIST || command->kind == FOB_CMD_DEAD_SHOW ||
           command->dead.filter.topic.size > 0 || command->dead.filter.key.size > 0;
}

static bool read_event(found_t *found) {
    const fob_sheet_t *sheet = found->place.sheet;
    const uint32_t *begin = sheet->begin + found->place.index;
    fob_cursor_t cursor = fob_cursor(fob_slice(sheet->bytes + begin[0], begin[1] - begin[0]));
    return fob_envelope_read(&cursor, UINT64_MAX, &found->event) == FOB_OK;
}

static test_t test_event(fob_core_t *self, fob_inquiry_t *inquiry, const fob_dead_t *letter,
                         found_t *found) {
    uint64_t end = 0, at = fob_moved_place(&self->moved, letter->offset);
    fob_walk_t walk =
        letter->offset ? fob_inquiry_find(self, inquiry, at, &found->place, &end) : FOB_WALK_END;
    if (walk == FOB_WALK_BLOCKED)
        return TEST_WAITS;
    if (walk == FOB_WALK_MEMORY)
        return TEST_MEMORY;
    found->readable = walk == FOB_WALK_FOUND && read_event(found);
    return event_fits(inquiry, found) ? TEST_YES : TEST_NO;
}

static test_t test(fob_core_t *self, fob_inquiry_t *inquiry, const fob_dead_t *letter,
                   found_t *found) {
    *found = (found_t){0};
    if (!letter_fits(inquiry, letter))
        return TEST_NO;
    return wants_events(inquiry) ? test_event(self, inquiry, letter, found) : TEST_YES;
}

/* --- a letter as a value --- */

static void pack_text(fob_buf_t *out, const char *field, fob_slice_t text) {
    fob_pack_cstr(out, field);
    if (text.size)
        fob_pack_str(out, text);
    else
        fob_pack_nil(out);
}

static void pack_number(fob_buf_t *out, const char *field, uint64_t number) {
    fob_pack_cstr(out, field);
    fob_pack_uint(out, number);
}

/* How the last attempt ended; empty where none is known. */
static fob_attempt_t last_attempt(const fob_core_t *self, const fob_dead_t *letter) {
    fob_attempt_t attempt = {0};
    uint32_t count = fob_history_count(self->history, letter->history);
    if (count)
        fob_history_at(self->history, letter->history, count - 1, &attempt);
    return attempt;
}

#define LETTER_FIELDS 13

static void pack_letter(const fob_core_t *self, fob_buf_t *out, const fob_dead_t *letter,
                        const found_t *found) {
    const fob_sheet_t *sheet = found->place.sheet;
    fob_attempt_t last = last_attempt(self, letter);
    pack_number(out, "offset", letter->offset);
    pack_number(out, "serial", letter->serial);
    pack_number(out, "count", letter->count);
    pack_text(out, "topic", found->event.topic);
    pack_text(out, "key", found->event.key);
    pack_text(out, "id", found->event.id);
    pack_text(out, "reason",
              fob_slice_str(fob_reason_name(found->readable ? letter->reason
                                                            : (unsigned)FOB_REASON_DAMAGED)));
    pack_text(out, "text", last.text);
    pack_text(out, "worker", last.worker);
    pack_number(out, "attempts", letter->attempts);
    pack_number(out, "time", (uint64_t)letter->time_ms);
    fob_pack_cstr(out, "stored");
    if (found->readable)
        fob_pack_uint(out, (uint64_t)sheet->time_ms);
    else
        fob_pack_nil(out);
    pack_number(out, "size", found->readable ? found->event.bytes.size : letter->size);
}

static void pack_attempts(const fob_core_t *self, fob_buf_t *out, const fob_dead_t *letter) {
    uint32_t count = fob_history_count(self->history, letter->history);
    fob_pack_array(out, count);
    for (uint32_t i = 0; i < count; i++) {
        fob_attempt_t attempt;
        fob_history_at(self->history, letter->history, i, &attempt);
        fob_pack_map(out, 5);
        pack_number(out, "time", (uint64_t)attempt.time_ms);
        pack_text(out, "worker", attempt.worker);
        pack_text(out, "reason", fob_slice_str(fob_reason_name(attempt.reason)));
        pack_text(out, "text", attempt.text);
        fob_pack_cstr(out, "counted");
        fob_pack_bool(out, attempt.counted);
    }
}

/* False: no memory, nothing was added. */
static bool add_row(fob_core_t *self, fob_inquiry_t *inquiry, const fob_dead_t *letter,
                    const found_t *found) {
    fob_buf_t *out = &inquiry->rows;
    size_t before = out->size;
    bool show = inquiry->command.kind == FOB_CMD_DEAD_SHOW;
    fob_pack_map(out, LETTER_FIELDS + (show ? 2 : 0));
    pack_letter(self, out, letter, found);
    if (show) {
        fob_pack_cstr(out, "history");
        pack_attempts(self, out, letter);
        fob_pack_cstr(out, "event");
        if (found->readable)
            fob_pack_bin(out, found->event.bytes);
        else
            fob_pack_nil(out);
    }
    if (out->failed) {
        out->failed = false;
        out->size = before;
        return false;
    }
    if (found->readable && found->place.sheet->position > inquiry->after)
        inquiry->after = found->place.sheet->position; /* nothing is shown before it is durable */
    return true;
}

/* --- what is done with those that match --- */

/* False: no memory. `runs`: of REDRIVE and PURGE, unless it is only counted. */
static bool take(fob_core_t *self, fob_inquiry_t *inquiry, const fob_dead_t *letter,
                 const found_t *found, fob_runs_writer_t *runs) {
    bool redrive = inquiry->command.kind == FOB_CMD_DEAD_REDRIVE;
    if (inquiry->command.kind <= FOB_CMD_DEAD_SHOW && !add_row(self, inquiry, letter, found))
        return false;
    inquiry->taken++;
    if (redrive && (letter->offset == 0 || letter->reason == FOB_REASON_DAMAGED)) {
        inquiry->unreadable += letter->count;
        return true;
    }
    inquiry->count += letter->count;
    if (runs)
        fob_runs_put(runs,
                     &(fob_run_record_t){.verb = redrive ? FOB_RUN_REDRIVE : FOB_RUN_UNBURY,
                                         .reason = redrive ? 0 : (uint8_t)FOB_REMOVAL_DEAD_PURGE,
                                         .count = letter->count,
                                         .from = letter->offset,
                                         .to = letter->offset,
                                         .token = redrive ? 0 : letter->serial});
    return true;
}

static bool full(const fob_inquiry_t *inquiry) {
    return inquiry->taken >= inquiry->command.dead.limit || inquiry->rows.size >= FOB_INQUIRY_PAGE;
}

/* Goes from letter to letter. DONE: all that were asked for are taken. */
static fob_inquiry_state_t step(fob_core_t *self, fob_group_t *group, fob_inquiry_t *inquiry,
                                fob_runs_writer_t *runs, uint32_t *looks) {
    for (; *looks > 0 && !full(inquiry); --*looks) {
        const fob_dead_t *letter = next_letter(group, inquiry);
        found_t found;
        if (!letter)
            return FOB_INQUIRY_DONE;
        test_t outcome = test(self, inquiry, letter, &found);
        if (outcome == TEST_WAITS)
            return FOB_INQUIRY_WAITS;
        if (outcome == TEST_MEMORY ||
            (outcome == TEST_YES && !take(self, inquiry, letter, &found, runs)))
            return FOB_INQUIRY_MORE;
        inquiry->looked++;
        inquiry->command.dead.from = fob_dead_place(letter);
    }
    return full(inquiry) ? FOB_INQUIRY_DONE : FOB_INQUIRY_MORE;
}

/* The same, where each one taken is a run of one record. */
static fob_inquiry_state_t step_runs(fob_core_t *self, fob_group_t *group, fob_inquiry_t *inquiry,
                                     uint32_t *looks) {
    fob_runs_writer_t runs;
    uint32_t room = inquiry->command.dead.limit - inquiry->taken;
    room = room < *looks ? room : *looks;
    bool redrive = inquiry->command.kind == FOB_CMD_DEAD_REDRIVE;
    if (redrive && room > self->room_events) {
        room = (uint32_t)self->room_events;
        inquiry->command.dead.limit = inquiry->taken + room; /* it goes on with the next request */
        if (room == 0)
            return FOB_INQUIRY_DONE;
    }
    if (redrive ? !fob_runs_begin(&runs, self, group, room, room)
                : !fob_runs_begin_ends(&runs, self, group, room))
        return FOB_INQUIRY_MORE;
    uint64_t before = inquiry->count;
    fob_inquiry_state_t state = step(self, group, inquiry, &runs, looks);
    self->room_events -= redrive ? inquiry->count - before : 0;
    if (fob_runs_end(&runs)) {
        inquiry->after = fob_core_next_position(self);
        fob_core_wait(self, inquiry->after);
        fob_core_wake(self, group);
    }
    return state;
}

/* --- answers --- */

/* Where the next request goes on; 0: nothing is left. */
static uint64_t next_of(fob_group_t *group, const fob_inquiry_t *inquiry) {
    return next_letter(group, inquiry) ? inquiry->command.dead.from : 0;
}

static void pack_list(fob_buf_t *out, fob_group_t *group, const fob_inquiry_t *inquiry) {
    fob_pack_map(out, 3);
    fob_pack_cstr(out, "dead");
    fob_pack_array(out, inquiry->taken);
    fob_buf_put(out, inquiry->rows.data, inquiry->rows.size);
    pack_number(out, "next", next_of(group, inquiry));
    pack_number(out, "upto", inquiry->command.dead.upto);
}

static void pack_counts(fob_buf_t *out, fob_group_t *group, const fob_inquiry_t *inquiry) {
    fob_pack_map(out, 5);
    pack_number(out, "count", inquiry->count);
    pack_number(out, "looked", inquiry->looked);
    pack_number(out, "damaged", inquiry->unreadable);
    pack_number(out, "next", next_of(group, inquiry));
    pack_number(out, "upto", inquiry->command.dead.upto);
}

static bool answer(fob_core_t *self, fob_group_t *group, const fob_inquiry_t *inquiry) {
    fob_buf_t value = {0};
    char text[160] = "";
    const fob_command_t *command = &inquiry->command;
    if (command->kind == FOB_CMD_DEAD_SHOW && inquiry->taken == 0)
        return refuse(self, command, FOB_GONE);
    if (command->kind == FOB_CMD_DEAD_LIST)
        pack_list(&value, group, inquiry);
    else if (command->kind == FOB_CMD_DEAD_SHOW)
        fob_buf_put(&value, inquiry->rows.data, inquiry->rows.size);
    else
        pack_counts(&value, group, inquiry);
    if (inquiry->unreadable)
        snprintf(text, sizeof text,
                 "%llu of them cannot be read from the journal and stay dead: purge removes them",
                 (unsigned long long)inquiry->unreadable);
    bool done = !value.failed && fob_inquiry_reply(self, command->conn, command->dead.req, FOB_OK,
                                                   text, fob_buf_slice(&value), inquiry->after);
    fob_buf_free(&value);
    return done;
}

fob_inquiry_state_t fob_dead_request_run(fob_core_t *self, fob_inquiry_t *inquiry,
                                         uint32_t *looks) {
    const fob_command_t *command = &inquiry->command;
    fob_group_t *group = fob_groups_by_id(&self->groups, inquiry->group);
    if (!group)
        return refuse(self, command, FOB_NO_GROUP) ? FOB_INQUIRY_DONE : FOB_INQUIRY_MORE;
    bool writes = command->kind >= FOB_CMD_DEAD_REDRIVE && !command->dead.dry;
    fob_inquiry_state_t state = FOB_INQUIRY_DONE;
    if (writes && command->kind == FOB_CMD_DEAD_REDRIVE && self->room_events == 0 &&
        inquiry->taken == 0)
        return refuse(self, command, FOB_DISK_FULL) ? FOB_INQUIRY_DONE : FOB_INQUIRY_MORE;
    if (!full(inquiry))
        state = writes ? step_runs(self, group, inquiry, looks)
                       : step(self, group, inquiry, NULL, looks);
    if (state != FOB_INQUIRY_DONE)
        return state;
    return answer(self, group, inquiry) ? FOB_INQUIRY_DONE : FOB_INQUIRY_MORE;
}
