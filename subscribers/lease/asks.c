#include "subscribers/lease/asks.h"

#include "subscribers/lease/settles.h"

static bool write(fob_buf_t *out, const fob_wire_t *msg) {
    fob_buf_clear(out);
    return fob_wire_write(out, msg) == FOB_OK;
}

_Static_assert(FOB_SETTLES_BYTES + FOB_ASK_REST <= FOB_WIRE_HEADER_MAX, "fits");

bool fob_ask_join(fob_buf_t *out, const fob_leases_options_t *options, bool create, uint64_t credit,
                  fob_slice_t claims) {
    fob_wire_t msg = {.verb = FOB_VERB_JOIN};
    FOB_SET(&msg, group, options->group);
    if (options->pattern.size)
        FOB_SET(&msg, pattern, options->pattern);
    if (options->pattern.size && create) {
        FOB_SET(&msg, create, true);
        FOB_SET(&msg, temporary, options->temporary);
    }
    FOB_SET(&msg, jobs, options->jobs);
    FOB_SET(&msg, credit, credit);
    FOB_SET(&msg, runs, claims);
    if (options->worker.size)
        FOB_SET(&msg, worker, options->worker);
    if (options->lease_ms)
        FOB_SET(&msg, lease, options->lease_ms);
    return write(out, &msg);
}

bool fob_ask_add(fob_buf_t *out, const fob_leases_options_t *options, uint64_t req) {
    fob_wire_t msg = {.verb = FOB_VERB_GROUP_ADD};
    FOB_SET(&msg, req, req);
    FOB_SET(&msg, group, options->group);
    FOB_SET(&msg, pattern, options->pattern);
    if (options->from_offset)
        FOB_SET(&msg, offset, options->from_offset);
    else if (options->from_ms)
        FOB_SET(&msg, time, options->from_ms);
    return write(out, &msg);
}

bool fob_ask_settle(fob_buf_t *out, fob_slice_t group, uint64_t seq, fob_slice_t runs,
                    fob_slice_t reason, uint64_t credit) {
    fob_wire_t msg = {.verb = FOB_VERB_SETTLE};
    FOB_SET(&msg, group, group);
    FOB_SET(&msg, seq, seq);
    FOB_SET(&msg, runs, runs);
    if (reason.size)
        FOB_SET(&msg, text, reason);
    if (credit)
        FOB_SET(&msg, credit, credit);
    return write(out, &msg);
}

bool fob_ask_credit(fob_buf_t *out, fob_slice_t group, uint64_t credit) {
    fob_wire_t msg = {.verb = FOB_VERB_CREDIT};
    FOB_SET(&msg, group, group);
    FOB_SET(&msg, credit, credit);
    return write(out, &msg);
}

bool fob_ask_leave(fob_buf_t *out, fob_slice_t group) {
    fob_wire_t msg = {.verb = FOB_VERB_LEAVE};
    FOB_SET(&msg, group, group);
    return write(out, &msg);
}
