#include "test_core_kit.h"

#include "core_policy.h"
#include "tests/support/case.h"

#include <stdlib.h>

const fob_core_config_t kit_config = {
    .max_event = 1000,
    .max_groups = 10,
    .max_sessions = 100,
    .session_keep_ms = 3600000,
    .resume_ms = 3000,
    .cache_bytes = 64 << 20,
    .page_bytes = 65536,
    .mark_block = 4096,
    .policy = CORE_POLICY(1000, 300000),
    .dedup_max = 1000000,
    .dedup_window_ms = 3600000,
    .release_first_ms = 100,
};

static void *grown(void *items, size_t *capacity, size_t count, size_t size) {
    if (count < *capacity)
        return items;
    *capacity = *capacity ? *capacity * 2 : 64;
    items = realloc(items, *capacity * size);
    assert_non_null(items);
    return items;
}

static void start(kit_t *kit) {
    kit->core = fob_core_new(&kit->config);
    assert_non_null(kit->core);
}

void kit_init(kit_t *kit, const fob_core_config_t *config) {
    *kit = (kit_t){.config = *config, .now = {FOB_SEC, 1700000000000}};
    start(kit);
    fob_core_start(kit->core, kit->now, 0);
}

static void effects_free(kit_effect_t *effects, size_t *count) {
    for (size_t i = 0; i < *count; i++)
        kit_effect_free(&effects[i]);
    *count = 0;
}

static void slices_free(fob_buf_t **slices, size_t *count) {
    for (size_t i = 0; i < *count; i++)
        fob_buf_free(&(*slices)[i]);
    free(*slices);
    *slices = NULL;
    *count = 0;
}

static void taking_free(kit_t *kit) {
    slices_free(&kit->taking, &kit->taking_count);
    kit->taking_on = false;
    kit->taking_needs = 0;
}

/* Gives back the turns all of whose commits are durable. */
static void release(kit_t *kit, uint64_t durable) {
    size_t kept = 0;
    for (size_t i = 0; i < kit->turn_count; i++) {
        uint64_t needs = kit->turns[i]->position;
        for (size_t k = 0; k < kit->turns[i]->effect_count; k++)
            needs =
                kit->turns[i]->effects[k].after > needs ? kit->turns[i]->effects[k].after : needs;
        if (needs <= durable)
            fob_core_release(kit->core, &kit->turns[i]);
        else
            kit->turns[kept++] = kit->turns[i];
    }
    kit->turn_count = kept;
}

void kit_free(kit_t *kit) {
    release(kit, UINT64_MAX);
    free(kit->turns);
    fob_core_destroy(&kit->core);
    for (size_t i = 0; i < kit->log_count; i++)
        free(kit->log[i].bytes);
    effects_free(kit->waiting, &kit->waiting_count);
    effects_free(kit->shown, &kit->shown_count);
    slices_free(&kit->slices, &kit->slice_count);
    taking_free(kit);
    free(kit->log);
    free(kit->hashes);
    free(kit->waiting);
    free(kit->shown);
}

/* --- turns --- */

static void copy_record(kit_t *kit, const fob_record_t *record, uint64_t position) {
    fob_slice_t body = record->body ? fob_blob_slice(record->body) : (fob_slice_t){0};
    kit->log = grown(kit->log, &kit->log_capacity, kit->log_count, sizeof *kit->log);
    kit_record_t *copy = &kit->log[kit->log_count++];
    *copy = (kit_record_t){.position = position,
                           .first_offset = record->first_offset,
                           .count = record->count,
                           .size = record->head.size + body.size};
    copy->bytes = malloc(copy->size);
    memcpy(copy->bytes, record->head.data, record->head.size);
    if (body.size)
        memcpy(copy->bytes + record->head.size, body.data, body.size);
}

static void show(kit_t *kit, kit_effect_t effect) {
    kit->shown = grown(kit->shown, &kit->shown_capacity, kit->shown_count, sizeof *kit->shown);
    kit->shown[kit->shown_count++] = effect;
}

void kit_sync(kit_t *kit, uint64_t position) {
    if (position > kit->durable)
        kit->durable = position;
    size_t kept = 0;
    for (size_t i = 0; i < kit->waiting_count; i++) {
        if (kit->waiting[i].after <= kit->durable)
            show(kit, kit->waiting[i]);
        else
            kit->waiting[kept++] = kit->waiting[i];
    }
    kit->waiting_count = kept;
    release(kit, kit->durable);
}

void kit_take(kit_t *kit) {
    fob_turn_t *turn = fob_core_take(kit->core, kit->now);
    if (!turn)
        return;
    size_t bytes = 0;
    kit->turns_taken++;
    kit->turn_from = kit->log_count;
    for (size_t i = 0; i < turn->record_count; i++) {
        copy_record(kit, &turn->records[i], turn->position);
        bytes += kit->log[kit->log_count - 1].size;
    }
    assert_int_equal(bytes, turn->bytes);
    assert_true(turn->record_count ? turn->position == kit->position + 1 : turn->position == 0);
    if (turn->record_count)
        kit->position = turn->position;
    kit->synced = turn->sync;
    for (size_t i = 0; i < turn->effect_count; i++) {
        assert_true(turn->effects[i].after <= kit->position);
        kit->waiting =
            grown(kit->waiting, &kit->waiting_capacity, kit->waiting_count, sizeof *kit->waiting);
        kit->waiting[kit->waiting_count++] = kit_effect_copy(&turn->effects[i]);
        if (kit->watch)
            kit->watch(&kit->waiting[kit->waiting_count - 1]);
    }
    if (kit->hash_turns && turn->record_count) {
        while (kit->position >= kit->hash_capacity)
            kit->hashes =
                grown(kit->hashes, &kit->hash_capacity, kit->hash_capacity, sizeof *kit->hashes);
        kit->hashes[kit->position] = fob_core_hash(kit->core);
    }
    kit->turns = grown(kit->turns, &kit->turn_capacity, kit->turn_count, sizeof(fob_turn_t *));
    kit->turns[kit->turn_count++] = turn;
    kit_sync(kit, kit->manual ? kit->durable : kit->position);
}

fob_status_t kit_step(kit_t *kit, const fob_command_t *command) {
    return fob_core_step(kit->core, kit->now, command);
}

void kit_settle_down(kit_t *kit) {
    do
        kit_take(kit);
    while (fob_core_deadline(kit->core) <= kit->now.mono_ns);
}

void kit_do(kit_t *kit, const fob_command_t *command) {
    assert_int_equal(kit_step(kit, command), FOB_OK);
    kit_settle_down(kit);
}

void kit_pass(kit_t *kit, int64_t ms) {
    kit->now.mono_ns += ms * FOB_MS;
    kit->now.wall_ms += ms;
    kit_do(kit, &(fob_command_t){.kind = FOB_CMD_TICK});
}

/* --- death and recovery --- */

static void load_checkpoint(kit_t *kit) {
    for (size_t i = 0; i < kit->slice_count; i++)
        assert_int_equal(fob_core_load(kit->core, fob_buf_slice(&kit->slices[i])), FOB_OK);
}

void kit_crash(kit_t *kit, uint64_t keep) {
    release(kit, UINT64_MAX);
    fob_core_destroy(&kit->core);
    while (kit->log_count && kit->log[kit->log_count - 1].position > keep)
        free(kit->log[--kit->log_count].bytes);
    effects_free(kit->waiting, &kit->waiting_count);
    kit->position = kit->durable = keep;
    kit->lives++;
    taking_free(kit);
    start(kit);
    if (kit->slice_count)
        load_checkpoint(kit);
    for (size_t i = 0; i < kit->log_count; i++) {
        const kit_record_t *record = &kit->log[i];
        assert_int_equal(
            fob_core_replay(kit->core, record->position, fob_slice(record->bytes, record->size)),
            FOB_OK);
    }
    assert_int_equal(fob_core_replayed(kit->core), FOB_OK);
    if (kit->hash_turns && keep)
        assert_int_equal(fob_core_hash(kit->core), kit->hashes[keep]);
    fob_core_start(kit->core, kit->now, keep);
}

void kit_checkpoint_some(kit_t *kit) {
    fob_buf_t slice = {0};
    if (kit->taking_needs) {
        if (kit->taking_needs > kit->durable)
            return;
        slices_free(&kit->slices, &kit->slice_count);
        kit->slices = kit->taking;
        kit->slice_count = kit->taking_count;
        kit->checkpoint_position = kit->taking_from;
        kit->taking = NULL;
        kit->taking_count = 0;
        taking_free(kit);
        return;
    }
    if (!kit->taking_on) {
        fob_core_checkpoint_begin(kit->core);
        kit->taking_from = kit->position;
        kit->taking_on = true;
    }
    if (fob_core_checkpoint_next(kit->core, &slice)) {
        kit->taking = realloc(kit->taking, (kit->taking_count + 1) * sizeof *kit->taking);
        kit->taking[kit->taking_count++] = slice;
        return;
    }
    assert_false(slice.failed);
    fob_buf_free(&slice);
    kit->taking_needs = kit->position;
}

void kit_checkpoint(kit_t *kit) {
    taking_free(kit);
    do
        kit_checkpoint_some(kit);
    while (kit->taking_on);
}

void kit_forget_checkpoint(kit_t *kit) {
    slices_free(&kit->slices, &kit->slice_count);
}

void kit_clear(kit_t *kit) {
    effects_free(kit->shown, &kit->shown_count);
}

kit_effect_t *kit_last(kit_t *kit, fob_effect_kind_t kind) {
    for (size_t i = kit->shown_count; i-- > 0;) {
        if (kit->shown[i].kind == kind)
            return &kit->shown[i];
    }
    return NULL;
}

size_t kit_count(const kit_t *kit, fob_effect_kind_t kind) {
    size_t count = 0;
    for (size_t i = 0; i < kit->shown_count; i++)
        count += kit->shown[i].kind == kind;
    return count;
}

/* --- commands --- */

static const uint8_t *session_of(uint8_t number) {
    static uint8_t session[FOB_SESSION_SIZE];
    memset(session, number, sizeof session);
    return session;
}

void kit_event_with(fob_buf_t *body, const char *topic, const char *id, uint8_t priority,
                    const void *data, size_t size) {
    fob_envelope_t event = {.topic = fob_slice_str(topic),
                            .id = fob_slice_str(id),
                            .priority = priority,
                            .data = fob_slice(data, size)};
    assert_int_equal(fob_envelope_write(body, UINT64_MAX, &event), FOB_OK);
}

void kit_event(fob_buf_t *body, const char *topic, const void *data, size_t size) {
    kit_event_with(body, topic, "", 0, data, size);
}

void kit_publish_body(kit_t *kit, uint8_t session, uint64_t first, uint64_t low, fob_buf_t *body,
                      fob_status_t refuse) {
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(body));
    kit_do(kit, &(fob_command_t){.kind = FOB_CMD_PUBLISH,
                                 .conn = 1000u + session,
                                 .publish = {session_of(session), first, low, blob, refuse}});
    fob_blob_unref(&blob);
    fob_buf_free(body);
}

void kit_publish(kit_t *kit, uint8_t session, uint64_t first, uint64_t low, const char *topic,
                 unsigned count) {
    fob_buf_t body = {0};
    for (unsigned i = 0; i < count; i++)
        kit_event(&body, topic, "data", 4);
    kit_publish_body(kit, session, first, low, &body, FOB_OK);
}

void kit_publish_topics(kit_t *kit, uint8_t session, uint64_t first, uint64_t low,
                        const char *topics) {
    fob_buf_t body = {0};
    char text[1024], *save = NULL;
    snprintf(text, sizeof text, "%s", topics);
    for (char *t = strtok_r(text, " ", &save); t; t = strtok_r(NULL, " ", &save))
        kit_event(&body, t, "data", 4);
    kit_publish_body(kit, session, first, low, &body, FOB_OK);
}

void kit_join(kit_t *kit, uint64_t conn, const char *group, const char *pattern, uint64_t credit) {
    uint8_t session[FOB_SESSION_SIZE] = {0};
    memcpy(session, &conn, sizeof conn);
    kit_do(kit, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                 .conn = conn,
                                 .join = {.session = session,
                                          .group = fob_slice_str(group),
                                          .pattern = fob_slice_str(pattern),
                                          .create = true,
                                          .credit = credit,
                                          .jobs = 1}});
}

void kit_rejoin(kit_t *kit, uint64_t conn, uint8_t session, const char *group, uint64_t credit,
                const uint64_t (*claims)[3], size_t count) {
    fob_buf_t runs = {0};
    fob_pack_array(&runs, count);
    for (size_t i = 0; i < count; i++)
        fob_run_write(&runs, claims[i], 3);
    kit_do(kit, &(fob_command_t){.kind = FOB_CMD_JOIN,
                                 .conn = conn,
                                 .join = {.session = session_of(session),
                                          .group = fob_slice_str(group),
                                          .credit = credit,
                                          .jobs = 1,
                                          .claims = fob_buf_slice(&runs)}});
    fob_buf_free(&runs);
}

void kit_settle(kit_t *kit, uint64_t conn, const char *group, uint64_t seq, unsigned kind,
                uint64_t offset, uint64_t count, uint64_t token) {
    fob_buf_t runs = {0};
    fob_pack_array(&runs, 1);
    fob_run_write(&runs, (uint64_t[]){kind, offset, count, token}, 4);
    kit_do(kit, &(fob_command_t){.kind = FOB_CMD_SETTLE,
                                 .conn = conn,
                                 .settle = {fob_slice_str(group), seq, 0, fob_buf_slice(&runs)}});
    fob_buf_free(&runs);
}

void kit_credit(kit_t *kit, uint64_t conn, const char *group, uint64_t credit) {
    kit_do(kit, &(fob_command_t){.kind = FOB_CMD_CREDIT,
                                 .conn = conn,
                                 .credit = {fob_slice_str(group), credit}});
}

void kit_leave(kit_t *kit, uint64_t conn, const char *group) {
    kit_do(kit,
           &(fob_command_t){.kind = FOB_CMD_LEAVE, .conn = conn, .leave = {fob_slice_str(group)}});
}

void kit_lost(kit_t *kit, uint64_t conn) {
    kit_do(kit, &(fob_command_t){.kind = FOB_CMD_LOST, .conn = conn});
}

static size_t find_record(const kit_t *kit, uint64_t offset) {
    size_t i = 0;
    while (i < kit->log_count && !(kit->log[i].count && offset >= kit->log[i].first_offset &&
                                   offset < kit->log[i].first_offset + kit->log[i].count))
        i++;
    return i;
}

static void page_absent(kit_t *kit, uint64_t asked, uint64_t offset, uint64_t count) {
    kit_do(kit, &(fob_command_t){.kind = FOB_CMD_PAGE_ABSENT, .absent = {offset, count, asked}});
}

void kit_page(kit_t *kit, uint64_t offset, size_t bytes) {
    size_t at = find_record(kit, offset), used = 0;
    if (at == kit->log_count || kit->log[at].position > kit->durable) {
        page_absent(kit, offset, offset, 1);
        return;
    }
    if (kit->log[at].unreadable) {
        page_absent(kit, offset, kit->log[at].first_offset, kit->log[at].count);
        return;
    }
    for (bool last = false; !last;) {
        const kit_record_t *record = &kit->log[at];
        size_t next = at + 1;
        while (next < kit->log_count && kit->log[next].count == 0)
            next++;
        used += record->size;
        last = used >= bytes || next == kit->log_count || kit->log[next].unreadable ||
               kit->log[next].position > kit->durable;
        fob_blob_t *blob = fob_blob_copy(fob_slice(record->bytes, record->size));
        fob_command_t page = {.kind = FOB_CMD_PAGE,
                              .page = {blob, fob_blob_slice(blob), record->first_offset,
                                       record->count, offset, last}};
        assert_int_equal(kit_step(kit, &page), FOB_OK);
        fob_blob_unref(&blob);
        at = next;
    }
    kit_settle_down(kit);
}

void kit_pages(kit_t *kit) {
    for (bool any = true; any;) {
        any = false;
        for (size_t i = 0; i < kit->shown_count; i++) {
            if (kit->shown[i].kind != FOB_EFF_NEED || kit->shown[i].seq)
                continue;
            kit->shown[i].seq = 1; /* answered */
            kit_page(kit, kit->shown[i].need_offset, kit->config.page_bytes);
            any = true;
        }
    }
}

/* --- figures --- */

fob_group_stats_t kit_stats(kit_t *kit, const char *group) {
    fob_group_stats_t stats;
    for (size_t i = 0; fob_core_group_stats(kit->core, kit->now, i, &stats); i++) {
        if (fob_slice_eq(stats.group, fob_slice_str(group)))
            return stats;
    }
    fail_msg("no group %s", group);
    return stats;
}

void kit_books(kit_t *kit) {
    fob_group_stats_t s;
    for (size_t i = 0; fob_core_group_stats(kit->core, kit->now, i, &s); i++) {
        uint64_t sum =
            s.acked + s.dead + s.expired + s.shed + s.removed + s.ready + s.leased + s.delayed;
        if (s.accepted != sum)
            fail_msg("group %.*s: accepted %llu, but %llu are anywhere", (int)s.group.size,
                     (const char *)s.group.data, (unsigned long long)s.accepted,
                     (unsigned long long)sum);
    }
}

size_t kit_delivered(const kit_t *kit, uint64_t conn) {
    size_t count = 0;
    for (size_t i = 0; i < kit->shown_count; i++) {
        const kit_effect_t *effect = &kit->shown[i];
        if (effect->kind == FOB_EFF_DELIVER && (conn == 0 || effect->conn == conn))
            count += effect->row_count;
    }
    return count;
}

const uint64_t *kit_nth(const kit_t *kit, size_t index) {
    for (size_t i = 0; i < kit->shown_count; i++) {
        const kit_effect_t *effect = &kit->shown[i];
        if (effect->kind != FOB_EFF_DELIVER)
            continue;
        if (index < effect->row_count)
            return effect->rows[index];
        index -= effect->row_count;
    }
    fail_msg("nothing more was delivered");
    return NULL;
}

void kit_receipt_is(kit_t *kit, const uint64_t (*rows)[5], size_t count) {
    const kit_effect_t *receipt = kit_last(kit, FOB_EFF_RECEIPT);
    assert_non_null(receipt);
    assert_int_equal(receipt->row_count, count);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < 5; k++)
            assert_int_equal(receipt->rows[i][k], rows[i][k]);
    }
}
