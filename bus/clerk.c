#include "bus/clerk.h"

static fob_status_t publish(const fob_wire_t *msg, const uint8_t *session, fob_blob_t *body,
                            fob_command_t *out, const char **problem) {
    out->kind = FOB_CMD_PUBLISH;
    out->publish.session = session;
    out->publish.first = msg->first;
    out->publish.low = msg->low;
    out->publish.body = body;
    out->publish.refuse = FOB_OK;
    *problem = "PUBLISH needs a session: give 16 random bytes in HELLO";
    return session ? FOB_OK : FOB_PROTOCOL;
}

static fob_status_t join(const fob_wire_t *msg, const uint8_t *session, fob_command_t *out,
                         const char **problem) {
    out->kind = FOB_CMD_JOIN;
    out->join.session = session;
    out->join.group = msg->group;
    out->join.pattern = msg->pattern;
    out->join.create = msg->create;
    out->join.temporary = msg->temporary;
    out->join.credit = msg->credit;
    out->join.jobs = msg->jobs ? msg->jobs : 1;
    out->join.claims = msg->runs;
    *problem = "JOIN needs a session: give 16 random bytes in HELLO";
    return session ? FOB_OK : FOB_PROTOCOL;
}

static fob_status_t settle(const fob_wire_t *msg, fob_command_t *out) {
    out->kind = FOB_CMD_SETTLE;
    out->settle.group = msg->group;
    out->settle.seq = msg->seq;
    out->settle.credit = msg->credit;
    out->settle.runs = msg->runs;
    return FOB_OK;
}

static fob_status_t admin(fob_command_kind_t kind, const fob_wire_t *msg, fob_command_t *out) {
    out->kind = kind;
    out->admin.req = msg->req;
    out->admin.group = msg->group;
    out->admin.pattern = msg->pattern;
    return FOB_OK;
}

fob_status_t fob_clerk_command(const fob_wire_t *msg, uint64_t conn, const uint8_t *session,
                               fob_blob_t *body, fob_command_t *out, const char **problem) {
    *out = (fob_command_t){.conn = conn};
    switch (msg->verb) {
    case FOB_VERB_PUBLISH:
        return publish(msg, session, body, out, problem);
    case FOB_VERB_JOIN:
        return join(msg, session, out, problem);
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
        return admin(FOB_CMD_GROUP_ADD, msg, out);
    case FOB_VERB_GROUP_REMOVE:
        return admin(FOB_CMD_GROUP_REMOVE, msg, out);
    case FOB_VERB_STATS:
    case FOB_VERB_GROUP_LIST:
        return FOB_AGAIN;
    default:
        *problem = "this verb is only sent by the bus";
        return FOB_PROTOCOL;
    }
}
