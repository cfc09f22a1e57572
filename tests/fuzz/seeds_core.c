/* seeds, core: small histories of a core, each as its records and as its checkpoint. */
#include "tests/fuzz/seeds.h"

#include "tests/support/case.h"
#include "tests/unit/test_core_kit.h"
#include "tests/unit/test_core_whole.h"

static void write_replay(const kit_t *kit, const char *name) {
    fob_buf_t out = {0};
    uint64_t before = 0;
    for (size_t i = 0; i < kit->log_count; i++) {
        const kit_record_t *record = &kit->log[i];
        seed_piece(&out, record->position == before ? "\0" : "\1", 1,
                   fob_slice(record->bytes, record->size));
        before = record->position;
    }
    seed_write("replay", name, fob_buf_slice(&out));
    fob_buf_free(&out);
}

static void write_checkpoint(fob_core_t *core, const char *name) {
    fob_buf_t out = {0};
    fob_core_checkpoint_begin(core);
    for (bool more = true; more;) {
        fob_buf_t slice = {0};
        more = fob_core_checkpoint_next(core, &slice);
        if (more)
            seed_piece(&out, "", 0, fob_buf_slice(&slice));
        fob_buf_free(&slice);
    }
    seed_write("checkpoint", name, fob_buf_slice(&out));
    fob_buf_free(&out);
}

static void end(kit_t *kit, const char *name) {
    write_replay(kit, name);
    write_checkpoint(kit->core, name);
    kit_free(kit);
}

static kit_t begin(void) {
    fob_core_config_t config = kit_config;
    kit_t kit;
    config.slice_bytes = 400;
    config.seed = 77;
    config.dedup_max = 100;
    kit_init(&kit, &config);
    return kit;
}

static void add_group(kit_t *kit, const char *name, const char *pattern, fob_policy_patch_t patch,
                      uint64_t offset) {
    kit_do(kit, &(fob_command_t){.kind = FOB_CMD_GROUP_ADD,
                                 .conn = 5,
                                 .admin = {.group = fob_slice_str(name),
                                           .pattern = fob_slice_str(pattern),
                                           .patch = patch,
                                           .offset = offset}});
    kit_settle_down(kit);
}

static void admin(kit_t *kit, fob_command_kind_t kind, const char *name, uint64_t offset) {
    kit_do(kit, &(fob_command_t){.kind = kind,
                                 .conn = 5,
                                 .admin = {.group = fob_slice_str(name), .offset = offset}});
    kit_settle_down(kit);
}

static void publish_with(kit_t *kit, uint64_t first, unsigned count, bool ids, bool priorities) {
    fob_buf_t body = {0};
    for (unsigned i = 0; i < count; i++) {
        char id[16] = "";
        if (ids)
            snprintf(id, sizeof id, "%u", i % 3);
        kit_event_with(&body, i % 2 ? "a.b" : "a.c", id, (uint8_t)(priorities ? i % 10 : 0), "x",
                       1);
    }
    kit_publish_body(kit, 9, first, first, &body, FOB_OK);
    kit_settle_down(kit);
}

static void an_ack(void) {
    kit_t kit = begin();
    kit_join(&kit, 1, "g", "a.>", 10);
    publish_with(&kit, 1, 3, false, false);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_ACK, 1, 2, 1);
    kit_settle(&kit, 1, "g", 2, FOB_KIND_RETRY, 3, 1, 3);
    kit_settle_down(&kit);
    end(&kit, "acked_and_retried");
}

static void letters(void) {
    kit_t kit = begin();
    kit_join(&kit, 1, "g", "a.>", 10);
    publish_with(&kit, 1, 6, false, true);
    kit_effect_t *last = kit_last(&kit, FOB_EFF_DELIVER);
    assert_non_null(last);
    for (uint64_t offset = 1; offset <= 6; offset++)
        for (uint64_t token = 1; token <= 6; token++)
            kit_settle(&kit, 1, "g", offset * 10 + token,
                       offset == 6 ? FOB_KIND_RELEASE : FOB_KIND_REJECT, offset, 1, token);
    kit_settle_down(&kit);
    admin(&kit, FOB_CMD_DEAD_REDRIVE, "none", 0);
    for (unsigned i = 0; i < 2; i++) {
        kit_do(&kit, &(fob_command_t){.kind = i ? FOB_CMD_DEAD_PURGE : FOB_CMD_DEAD_REDRIVE,
                                      .conn = 5,
                                      .dead = {.req = 1, .group = fob_slice_str("g"), .limit = 2}});
        kit_settle_down(&kit);
        kit_pages(&kit);
    }
    kit_lost(&kit, 1);
    kit_settle_down(&kit);
    end(&kit, "dead_letters");
}

static void sheds(void) {
    kit_t kit = begin();
    for (unsigned overflow = 0; overflow < 4; overflow++) {
        char name[] = {(char)('g' + overflow), 0};
        add_group(&kit, name, "a.>",
                  (fob_policy_patch_t){1u << FOB_POLICY_max_depth | 1u << FOB_POLICY_overflow,
                                       {.max_depth = 3, .overflow = overflow}},
                  0);
    }
    admin(&kit, FOB_CMD_GROUP_REMOVE, "g", 0);
    publish_with(&kit, 1, 8, false, true);
    kit_join(&kit, 1, "h", "a.>", 10);
    kit_pages(&kit);
    end(&kit, "full_groups");
}

static void ids(void) {
    kit_t kit = begin();
    add_group(&kit, "g", "a.>", (fob_policy_patch_t){.mask = 0}, 0);
    publish_with(&kit, 1, 4, true, false);
    publish_with(&kit, 5, 4, true, false);
    end(&kit, "ids_and_duplicates");
}

static void anew(void) {
    kit_t kit = begin();
    publish_with(&kit, 1, 6, false, true);
    add_group(&kit, "past", "a.*", (fob_policy_patch_t){.mask = 0}, 2);
    kit_pages(&kit);
    kit_join(&kit, 1, "past", "a.*", 2);
    kit_pages(&kit);
    admin(&kit, FOB_CMD_GROUP_RESET, "past", 3);
    kit_pages(&kit);
    publish_with(&kit, 7, 2, false, false);
    admin(&kit, FOB_CMD_GROUP_RESET, "past", 7);
    admin(&kit, FOB_CMD_GROUP_PURGE, "past", 0);
    end(&kit, "census_and_resets");
}

static void restart(void) {
    kit_t kit = begin();
    kit_join(&kit, 1, "g", "a.>", 3);
    publish_with(&kit, 1, 5, false, false);
    kit_crash(&kit, kit.position);
    kit_rejoin(&kit, 2, 1, "g", 5, (const uint64_t[][3]){{1, 2, 1}}, 1);
    kit_pass(&kit, 5000);
    kit_settle_down(&kit);
    kit_pages(&kit);
    end(&kit, "claims_after_a_crash");
}

static void moved(void) {
    kit_t kit = begin();
    kit_join(&kit, 1, "g", "a.>", 2);
    publish_with(&kit, 1, 6, false, false);
    kit_settle(&kit, 1, "g", 1, FOB_KIND_REJECT, 1, 1, 1);
    kit_settle_down(&kit);
    kit_do(&kit, &(fob_command_t){.kind = FOB_CMD_RECLAIM,
                                  .reclaim = {.below = 3, .bytes = 4096, .room = 65536}});
    kit_settle_down(&kit);
    kit_pages(&kit);
    end(&kit, "moved");
}

void seeds_core(void) {
    an_ack();
    letters();
    sheds();
    ids();
    anew();
    restart();
    moved();
    fob_core_t *whole = whole_core(400);
    write_checkpoint(whole, "all_there_is");
    fob_core_destroy(&whole);
}
