/* groups: made, removed, asked for. */
#include "bus/core/state.h"

#include "proto/topic.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

static fob_slice_t sentence(fob_core_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A sentence in the turn's memory; empty where there is none. */
static fob_slice_t sentence(fob_core_t *self, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size < 0)
        return (fob_slice_t){0};
    size_t used = (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
    fob_slice_t copy = fob_turn_copy(self->open, fob_slice(text, used));
    return copy.data ? copy : (fob_slice_t){0};
}

fob_slice_t fob_group_refusal(fob_core_t *self, fob_status_t status, fob_slice_t name,
                              fob_slice_t pattern, const fob_group_t *group) {
    int size = (int)(name.size < FOB_NAME_MAX ? name.size : FOB_NAME_MAX);
    const char *text = name.size ? (const char *)name.data : "";
    switch (status) {
    case FOB_INVALID:
        return sentence(self, "the name of a group is 1-255 bytes, tokens of [A-Za-z0-9_-] "
                              "joined by dots: choose another name");
    case FOB_BAD_PATTERN:
        return sentence(self,
                        "the pattern for group %.*s is not valid: use a topic in which a "
                        "token may be * and the last >",
                        size, text);
    case FOB_PATTERN_DIFFERS:
        return sentence(self,
                        "group %.*s exists with the pattern %.*s, not %.*s: join it with that, or "
                        "choose another name",
                        size, text, (int)group->pattern.size, (const char *)group->pattern.data,
                        (int)pattern.size, (const char *)pattern.data);
    case FOB_NO_GROUP:
        return sentence(self, "there is no group %.*s: make it first", size, text);
    case FOB_GROUP_IN_USE:
        return sentence(self, "group %.*s still has %u worker%s: stop them first", size, text,
                        group->member_count, group->member_count == 1 ? "" : "s");
    case FOB_LIMIT:
        return sentence(self, "this bus keeps at most %u groups: remove one, or raise max_groups",
                        self->config.max_groups);
    default:
        return (fob_slice_t){0};
    }
}

fob_status_t fob_group_check(fob_slice_t name, fob_slice_t pattern) {
    if (!fob_topic_valid(name))
        return FOB_INVALID;
    return fob_pattern_valid(pattern) ? FOB_OK : FOB_BAD_PATTERN;
}

/* Adds a record of a few bytes and applies it. */
static fob_status_t append(fob_core_t *self, uint8_t *bytes, size_t size) {
    fob_slice_t record = fob_slice(bytes, size);
    fob_status_t status = fob_apply(self, fob_core_next_position(self), record);
    if (status == FOB_OK)
        fob_turn_record(self->open, record, NULL, 0, 0);
    return status;
}

fob_status_t fob_group_create(fob_core_t *self, fob_slice_t name, fob_slice_t pattern,
                              bool temporary, fob_group_t **out) {
    if (self->groups.count >= self->config.max_groups)
        return FOB_LIMIT;
    fob_open_turn_t *turn = fob_core_open(self);
    size_t size = FOB_RECORD_GROUP_ADD_SIZE + name.size + pattern.size;
    uint8_t *bytes = turn && fob_turn_reserve(turn, 1, 0, 0, 0) ? fob_turn_bytes(turn, size) : NULL;
    if (!bytes)
        return FOB_NO_MEMORY;
    fob_record_group_add_t record = {.temporary = temporary,
                                     .id = self->next_group,
                                     .time_ms = fob_core_time(self),
                                     .start = self->head + 1,
                                     .name = name,
                                     .pattern = pattern};
    fob_record_write_group_add(bytes, &record);
    fob_status_t status = append(self, bytes, size);
    if (status != FOB_OK)
        return status;
    *out = fob_groups_by_id(&self->groups, record.id);
    fob_meter_begin(&(*out)->in, self->now.mono_ns);
    fob_meter_begin(&(*out)->out, self->now.mono_ns);
    fob_core_wait(self, (*out)->born);
    return FOB_OK;
}

/* Two records: what its last worker gives back, and its end. */
uint8_t *fob_group_drop_reserve(fob_core_t *self) {
    fob_open_turn_t *turn = fob_core_open(self);
    return turn && fob_turn_reserve(turn, 2, 0, 0, 0)
               ? fob_turn_bytes(turn, FOB_RECORD_GROUP_REMOVE_SIZE)
               : NULL;
}

void fob_group_drop(fob_core_t *self, fob_group_t *group, uint8_t *bytes) {
    fob_record_write_group_remove(bytes, group->id, fob_core_time(self));
    fob_status_t status = append(self, bytes, FOB_RECORD_GROUP_REMOVE_SIZE);
    assert(status == FOB_OK); /* it is there, and we wrote it */
    (void)status;
}

static fob_status_t admin_add(fob_core_t *self, fob_slice_t name, fob_slice_t pattern) {
    fob_status_t status = fob_group_check(name, pattern);
    if (status != FOB_OK)
        return status;
    fob_group_t *group = fob_groups_find(&self->groups, name);
    if (!group)
        return fob_group_create(self, name, pattern, false, &group);
    return fob_slice_eq(group->pattern, pattern) ? FOB_OK : FOB_PATTERN_DIFFERS;
}

static fob_status_t admin_remove(fob_core_t *self, fob_slice_t name) {
    fob_group_t *group = fob_groups_find(&self->groups, name);
    if (!group)
        return FOB_NO_GROUP;
    if (group->member_count)
        return FOB_GROUP_IN_USE;
    uint8_t *bytes = fob_group_drop_reserve(self);
    if (!bytes)
        return FOB_NO_MEMORY;
    fob_group_drop(self, group, bytes);
    return FOB_OK;
}

fob_status_t fob_admin(fob_core_t *self, const fob_command_t *command) {
    fob_slice_t name = command->admin.group, pattern = command->admin.pattern;
    fob_open_turn_t *turn = fob_core_open(self);
    if (!turn || !fob_turn_reserve(turn, 0, 1, 0, 0))
        return FOB_NO_MEMORY;
    size_t records = turn->record_count;
    fob_status_t status = command->kind == FOB_CMD_GROUP_ADD ? admin_add(self, name, pattern)
                                                             : admin_remove(self, name);
    if (status == FOB_NO_MEMORY)
        return status;
    const fob_group_t *group = fob_groups_find(&self->groups, name);
    fob_effect_t *effect = fob_turn_effect(turn, FOB_EFF_REPLY);
    effect->conn = command->conn;
    effect->req = command->admin.req;
    effect->status = status;
    effect->text = fob_group_refusal(self, status, name, pattern, group);
    if (turn->record_count > records)
        effect->after = fob_core_next_position(self);
    else if (group && status == FOB_OK)
        effect->after = group->born;
    fob_core_wait(self, effect->after);
    return FOB_OK;
}
