#include "bus/service/clerk.h"

#include "bus/core/work/history.h"
#include "bus/service/forms.h"
#include "proto/topic.h"

#include <stdio.h>

#define LEASE_MAX UINT64_C(31536000000) /* ms: a year, as of a group's lease */

static fob_status_t needs_session(const char *verb, char *text, size_t size) {
    snprintf(text, size, "%s needs a session: give 16 random bytes in HELLO", verb);
    return FOB_PROTOCOL;
}

static fob_status_t publish(const fob_clerk_t *self, const fob_wire_t *msg, fob_blob_t *body,
                            fob_command_t *out, char *text, size_t size) {
    out->kind = FOB_CMD_PUBLISH;
    out->publish.session = self->session;
    out->publish.first = msg->first;
    out->publish.low = msg->low;
    out->publish.body = body;
    out->publish.refuse = FOB_OK;
    return self->session ? FOB_OK : needs_session("PUBLISH", text, size);
}

static fob_status_t join(const fob_clerk_t *self, const fob_wire_t *msg, fob_command_t *out,
                         char *text, size_t size) {
    out->kind = FOB_CMD_JOIN;
    out->join.session = self->session;
    out->join.group = msg->group;
    out->join.pattern = msg->pattern;
    out->join.create = msg->create;
    out->join.temporary = msg->temporary;
    out->join.credit = msg->credit;
    out->join.jobs = msg->jobs ? msg->jobs : 1;
    out->join.claims = msg->runs;
    out->join.worker = fob_note_cut(msg->worker);
    out->join.lease_ms = msg->lease < LEASE_MAX ? msg->lease : LEASE_MAX;
    return self->session ? FOB_OK : needs_session("JOIN", text, size);
}

static fob_status_t settle(const fob_wire_t *msg, fob_command_t *out) {
    out->kind = FOB_CMD_SETTLE;
    out->settle.group = msg->group;
    out->settle.seq = msg->seq;
    out->settle.credit = msg->credit;
    out->settle.runs = msg->runs;
    out->settle.text = fob_note_cut(msg->text);
    return FOB_OK;
}

static fob_status_t malformed(const char *field, char *text, size_t size) {
    snprintf(text, size, "%s is no map with names as keys", field);
    return FOB_PROTOCOL;
}

static fob_status_t admin(const fob_clerk_t *self, fob_command_kind_t kind, const fob_wire_t *msg,
                          fob_command_t *out, char *text, size_t size) {
    out->kind = kind;
    out->admin.req = msg->req;
    out->admin.group = msg->group;
    out->admin.pattern = msg->pattern;
    out->admin.offset = msg->offset;
    out->admin.time_ms = (int64_t)msg->time;
    if (msg->time > INT64_MAX) {
        snprintf(text, size, "time must be Unix ms, up to 2^63 - 1");
        return FOB_INVALID;
    }
    fob_status_t status =
        fob_form_settings(msg->settings, self->max_disk, &out->admin.patch, text, size);
    return status == FOB_PROTOCOL ? malformed("settings", text, size) : status;
}

static fob_status_t dead(fob_command_kind_t kind, const fob_wire_t *msg, fob_command_t *out,
                         char *text, size_t size) {
    out->kind = kind;
    out->dead.req = msg->req;
    out->dead.group = msg->group;
    out->dead.from = msg->from;
    out->dead.upto = msg->upto;
    out->dead.limit = msg->limit < UINT32_MAX ? (uint32_t)msg->limit : UINT32_MAX;
    out->dead.dry = msg->dry;
    fob_status_t status = fob_form_filter(msg->filter, &out->dead.filter, text, size);
    if (kind == FOB_CMD_DEAD_SHOW)
        out->dead.filter = (fob_dead_filter_t){.offset = msg->offset};
    return status == FOB_PROTOCOL ? malformed("filter", text, size) : status;
}

fob_status_t fob_clerk_command(const fob_clerk_t *self, const fob_wire_t *msg, fob_blob_t *body,
                               fob_command_t *out, char *text, size_t size) {
    *out = (fob_command_t){.conn = self->conn};
    switch (msg->verb) {
    case FOB_VERB_PUBLISH:
        return publish(self, msg, body, out, text, size);
    case FOB_VERB_JOIN:
        return join(self, msg, out, text, size);
    case FOB_VERB_LEAVE:
        out->kind = FOB_CMD_LEAVE;
        out->leave.group = msg->group;
        return FOB_OK;
    case FOB_VERB_CREDIT:
        out->kind = FOB_CMD_CREDIT;
        out->credit.group = msg->group;
        out->credit.credit = msg->credit;
        return FOB_OK;
    case FOB_VERB_SETTLE:
        return settle(msg, out);
    case FOB_VERB_GROUP_ADD:
        return admin(self, FOB_CMD_GROUP_ADD, msg, out, text, size);
    case FOB_VERB_GROUP_REMOVE:
        return admin(self, FOB_CMD_GROUP_REMOVE, msg, out, text, size);
    case FOB_VERB_GROUP_SET:
        return admin(self, FOB_CMD_GROUP_SET, msg, out, text, size);
    case FOB_VERB_GROUP_RESET:
        return admin(self, FOB_CMD_GROUP_RESET, msg, out, text, size);
    case FOB_VERB_GROUP_PURGE:
        return admin(self, FOB_CMD_GROUP_PURGE, msg, out, text, size);
    case FOB_VERB_DEAD_LIST:
        return dead(FOB_CMD_DEAD_LIST, msg, out, text, size);
    case FOB_VERB_DEAD_SHOW:
        return dead(FOB_CMD_DEAD_SHOW, msg, out, text, size);
    case FOB_VERB_DEAD_REDRIVE:
        return dead(FOB_CMD_DEAD_REDRIVE, msg, out, text, size);
    case FOB_VERB_DEAD_PURGE:
        return dead(FOB_CMD_DEAD_PURGE, msg, out, text, size);
    case FOB_VERB_STATS:
    case FOB_VERB_GROUP_LIST:
        return FOB_AGAIN;
    default:
        snprintf(text, size, "this verb is only sent by the bus");
        return FOB_PROTOCOL;
    }
}

fob_status_t fob_clerk_fetch(uint64_t conn, const fob_wire_t *msg, fob_fetch_t *out) {
    *out = (fob_fetch_t){.conn = conn,
                         .req = msg->req,
                         .pattern = msg->pattern,
                         .from = msg->from,
                         .upto = msg->upto,
                         .limit = msg->limit,
                         .time_ms = msg->time < INT64_MAX ? (int64_t)msg->time : INT64_MAX,
                         .dry = msg->dry,
                         .latest = msg->latest};
    return fob_pattern_valid(msg->pattern) ? FOB_OK : FOB_BAD_PATTERN;
}

fob_status_t fob_clerk_whole(uint64_t conn, const fob_wire_t *msg, fob_whole_t *out) {
    uint64_t parts = FOB_HAS(msg, parts) ? msg->parts : 1;
    if (!parts || parts > FOB_PARTS_MAX || (parts & (parts - 1)) || msg->part >= parts)
        return FOB_INVALID;
    *out = (fob_whole_t){.conn = conn,
                         .req = msg->req,
                         .pattern = msg->pattern,
                         .from = msg->from,
                         .upto = msg->upto,
                         .part = (uint32_t)msg->part,
                         .parts = (uint32_t)parts};
    return fob_pattern_valid(msg->pattern) ? FOB_OK : FOB_BAD_PATTERN;
}
