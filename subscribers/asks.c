#include "subscribers/asks.h"

static bool write(fob_buf_t *out, const fob_wire_t *msg) {
    fob_buf_clear(out);
    return fob_wire_write(out, msg) == FOB_OK;
}

bool fob_ask_join(fob_buf_t *out, const fob_leases_options_t *options, uint64_t credit,
                  fob_slice_t claims) {
    fob_wire_t msg = {.verb = FOB_VERB_JOIN};
    FOB_SET(&msg, group, options->group);
    if (options->pattern.size) {
        FOB_SET(&msg, pattern, options->pattern);
        FOB_SET(&msg, create, true);
        FOB_SET(&msg, temporary, options->temporary);
    }
    FOB_SET(&msg, jobs, options->jobs);
    FOB_SET(&msg, credit, credit);
    FOB_SET(&msg, runs, claims);
    return write(out, &msg);
}

bool fob_ask_settle(fob_buf_t *out, fob_slice_t group, uint64_t seq, fob_slice_t runs,
                    uint64_t credit) {
    fob_wire_t msg = {.verb = FOB_VERB_SETTLE};
    FOB_SET(&msg, group, group);
    FOB_SET(&msg, seq, seq);
    FOB_SET(&msg, runs, runs);
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
