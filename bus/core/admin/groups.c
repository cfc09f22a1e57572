/* groups: made, removed, refused. */
#include "bus/core/admin/group_admin.h"
#include "bus/core/admin/inquiry.h"

#include "proto/topic.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define SETTINGS_SIZE (FOB_RECORD_SET_SIZE + FOB_POLICY_SETTINGS * FOB_RECORD_SET_ITEM)

fob_slice_t fob_sentence(fob_core_t *self, const char *format, ...) {
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
        return fob_sentence(self, "the name of a group is 1-255 bytes, tokens of [A-Za-z0-9_-] "
                                  "joined by dots: choose another name");
    case FOB_BAD_PATTERN:
        return fob_sentence(self,
                            "the pattern for group %.*s is not valid: use a topic in which a "
                            "token may be * and the last >",
                            size, text);
    case FOB_PATTERN_DIFFERS:
        return fob_sentence(
            self,
            "group %.*s exists with the pattern %.*s, not %.*s: join it with that, or "
            "choose another name",
            size, text, (int)group->pattern.size, (const char *)group->pattern.data,
            (int)pattern.size, (const char *)pattern.data);
    case FOB_NO_GROUP:
        return fob_sentence(self, "there is no group %.*s: make it first", size, text);
    case FOB_GROUP_IN_USE:
        return fob_sentence(self, "group %.*s still has %u worker%s: stop them first", size, text,
                            group->member_count, group->member_count == 1 ? "" : "s");
    case FOB_LIMIT:
        if (self->next_group == UINT32_MAX)
            return fob_sentence(self, "this bus made as many groups as one data folder can count: "
                                      "use one that is there, or a new data folder");
        return fob_sentence(self,
                            "this bus keeps at most %u groups: remove one, or raise max_groups",
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

fob_status_t fob_core_record(fob_core_t *self, const uint8_t *bytes, size_t size) {
    fob_slice_t record = fob_slice(bytes, size);
    fob_status_t status = fob_apply(self, fob_core_next_position(self), record);
    if (status == FOB_OK)
        fob_turn_record(self->open, record, NULL, 0, 0);
    return status;
}

/* --- making one --- */

/* All settings of a new group: what the defaults are later does not change a replay. */
static void write_settings(fob_core_t *self, uint8_t *out, const fob_birth_t *birth) {
    fob_policy_t policy = self->config.policy;
    fob_policy_apply(&policy, &birth->patch);
    fob_record_write_set(out, self->next_group, fob_core_time(self), FOB_POLICY_SETTINGS);
    out += FOB_RECORD_SET_SIZE;
    for (unsigned i = 1; i < FOB_POLICY_END; i++, out += FOB_RECORD_SET_ITEM)
        fob_record_write_set_item(out, i, fob_policy_get(&policy, i));
}

fob_status_t fob_group_create(fob_core_t *self, const fob_birth_t *birth, fob_group_t **out) {
    if (self->groups.count >= self->config.max_groups || self->next_group == UINT32_MAX)
        return FOB_LIMIT;
    fob_open_turn_t *turn = fob_core_open(self);
    size_t size = FOB_RECORD_GROUP_ADD_SIZE + birth->name.size + birth->pattern.size;
    if (!turn || !fob_turn_reserve(turn, 2, 0, 0, 0))
        return FOB_NO_MEMORY;
    uint8_t *bytes = fob_turn_bytes(turn, size), *settings = fob_turn_bytes(turn, SETTINGS_SIZE);
    if (!bytes || !settings)
        return FOB_NO_MEMORY;
    fob_record_group_add_t record = {.temporary = birth->temporary,
                                     .id = self->next_group,
                                     .time_ms = fob_core_time(self),
                                     .start = birth->start ? birth->start : self->head + 1,
                                     .name = birth->name,
                                     .pattern = birth->pattern};
    fob_record_write_group_add(bytes, &record);
    write_settings(self, settings, birth);
    fob_status_t status = fob_core_record(self, bytes, size);
    if (status != FOB_OK)
        return status;
    status = fob_core_record(self, settings, SETTINGS_SIZE);
    assert(status == FOB_OK); /* the group is there, and all is within its bounds */
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
    fob_status_t status = fob_core_record(self, bytes, FOB_RECORD_GROUP_REMOVE_SIZE);
    assert(status == FOB_OK); /* it is there, and we wrote it */
    (void)status;
}

/* --- commands --- */

/* The group is there already: that is what was asked for, but for what was asked of a new one. */
static fob_status_t add_again(fob_core_t *self, const fob_command_t *command, fob_group_t *group,
                              bool placed, fob_slice_t *text) {
    int size = (int)group->name.size;
    const char *name = (const char *)group->name.data;
    if (!fob_slice_eq(group->pattern, command->admin.pattern))
        return FOB_PATTERN_DIFFERS;
    fob_status_t status = FOB_OK;
    if (command->admin.patch.mask)
        status = fob_group_set(self, group, &command->admin.patch, text);
    if (status == FOB_OK && placed)
        *text = fob_sentence(self,
                             "group %.*s was there already and goes on where it is: "
                             "\"fob group reset %.*s --to ...\" moves it",
                             size, name, size, name);
    return status;
}

static fob_status_t add(fob_core_t *self, const fob_command_t *command, uint64_t offset,
                        fob_slice_t *text) {
    fob_slice_t name = command->admin.group, pattern = command->admin.pattern;
    fob_status_t status = fob_group_check(name, pattern);
    if (status == FOB_OK)
        status = fob_group_judge(self, &command->admin.patch, text);
    if (status != FOB_OK)
        return status;
    fob_group_t *group = fob_groups_find(&self->groups, name);
    if (group)
        return add_again(self, command, group, offset <= self->head, text);
    fob_birth_t birth = {.name = name,
                         .pattern = pattern,
                         .temporary = command->admin.temporary,
                         .patch = command->admin.patch,
                         .start = fob_group_place(self, command, offset)};
    if (birth.start == 0)
        return fob_group_beyond(self, offset, text);
    status = fob_group_create(self, &birth, &group);
    if (status == FOB_OK && birth.start > offset)
        *text =
            fob_sentence(self,
                         "what lies below offset %llu is not kept any more: group %.*s begins "
                         "there",
                         (unsigned long long)birth.start, (int)name.size, (const char *)name.data);
    return status;
}

static fob_status_t remove_group(fob_core_t *self, fob_group_t *group) {
    if (group->member_count)
        return FOB_GROUP_IN_USE;
    uint8_t *bytes = fob_group_drop_reserve(self);
    if (!bytes)
        return FOB_NO_MEMORY;
    fob_group_drop(self, group, bytes);
    return FOB_OK;
}

static fob_status_t carry_out(fob_core_t *self, const fob_command_t *command, uint64_t offset,
                              fob_slice_t *text) {
    fob_group_t *group = fob_groups_find(&self->groups, command->admin.group);
    if (command->kind == FOB_CMD_GROUP_ADD)
        return add(self, command, offset, text);
    if (!group)
        return FOB_NO_GROUP;
    if (command->kind == FOB_CMD_GROUP_REMOVE)
        return remove_group(self, group);
    if (command->kind == FOB_CMD_GROUP_RESET)
        return fob_group_reset(self, group, command, offset, text);
    if (command->kind == FOB_CMD_GROUP_PURGE)
        return fob_group_purge(self, group, text);
    return fob_group_set(self, group, &command->admin.patch, text);
}

fob_status_t fob_group_begin_at(fob_core_t *self, const fob_command_t *command, uint64_t offset) {
    fob_slice_t name = command->admin.group, text = {0};
    fob_open_turn_t *turn = fob_core_open(self);
    if (!turn || !fob_turn_reserve(turn, 0, 1, 0, 0))
        return FOB_NO_MEMORY;
    size_t records = turn->record_count;
    fob_status_t status = carry_out(self, command, offset, &text);
    if (status == FOB_NO_MEMORY)
        return status;
    const fob_group_t *group = fob_groups_find(&self->groups, name);
    if (text.size == 0)
        text = fob_group_refusal(self, status, name, command->admin.pattern, group);
    fob_effect_t *effect = fob_turn_effect(turn, FOB_EFF_REPLY);
    effect->conn = command->conn;
    effect->req = command->admin.req;
    effect->status = status;
    effect->text = text;
    if (turn->record_count > records)
        effect->after = fob_core_next_position(self);
    else if (group && status == FOB_OK)
        effect->after = group->ruled;
    fob_core_wait(self, effect->after);
    return FOB_OK;
}

fob_status_t fob_admin(fob_core_t *self, const fob_command_t *command) {
    bool placed = command->kind == FOB_CMD_GROUP_ADD || command->kind == FOB_CMD_GROUP_RESET;
    if (placed && command->admin.offset == 0 && command->admin.time_ms != 0)
        return fob_inquire(self, command); /* what was stored when has to be read first */
    return fob_group_begin_at(self, command,
                              command->admin.offset ? command->admin.offset : self->head + 1);
}
