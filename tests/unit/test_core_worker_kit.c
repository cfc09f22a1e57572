#include "test_core_worker_kit.h"

#include "tests/support/case.h"

void kit_settle_why(kit_t *kit, uint64_t conn, const char *group, unsigned kind,
                    const uint64_t *delivered, uint64_t after_ms, const char *text) {
    static uint64_t seq;
    fob_buf_t runs = {0};
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, (uint64_t[]){kind, delivered[0], 1, delivered[1], after_ms}, 5);
    kit_do(kit, &(fob_command_t){.kind = FOB_CMD_SETTLE,
                                 .conn = conn,
                                 .settle = {.group = fob_slice_str(group),
                                            .seq = ++seq,
                                            .runs = fob_buf_slice(&runs),
                                            .text = fob_slice_str(text)}});
    fob_buf_free(&runs);
}

void kit_join_as(kit_t *kit, uint64_t conn, const char *group, uint64_t credit, uint64_t jobs,
                 const char *worker, uint64_t lease_ms) {
    uint8_t session[FOB_SESSION_SIZE] = {0};
    memcpy(session, &conn, sizeof conn);
    kit_do(kit, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                 .conn = conn,
                                 .join = {.session = session,
                                          .group = fob_slice_str(group),
                                          .pattern = fob_slice_str(">"),
                                          .create = true,
                                          .credit = credit,
                                          .jobs = jobs,
                                          .worker = fob_slice_str(worker),
                                          .lease_ms = lease_ms}});
}
