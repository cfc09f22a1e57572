#include "test_core_whole.h"

#include "tests/support/case.h"

uint32_t whole_chain(fob_core_t *core, unsigned attempts, const char *worker, const char *text) {
    uint32_t chain = 0;
    for (unsigned i = 0; i < attempts; i++) {
        char own[64];
        snprintf(own, sizeof own, "%s %u", text, i % 3);
        assert_true(fob_history_reserve(core->history, 1, strlen(worker) + strlen(own)));
        chain = fob_history_add(core->history, chain,
                                &(fob_attempt_t){.time_ms = 1000 + i,
                                                 .reason = FOB_REASON_RETRY,
                                                 .counted = i % 2,
                                                 .worker = fob_slice_str(worker),
                                                 .text = fob_slice_str(*text ? own : "")});
    }
    return chain;
}

static void put_back(fob_core_t *core, fob_group_t *group, uint64_t offset, uint32_t chain) {
    (void)core;
    assert_true(fob_back_reserve(&group->back, 1));
    fob_back_entry_t *entry = fob_back_add(&group->back, offset);
    entry->token = offset + 100;
    entry->attempts = 3;
    entry->releases = 300;
    entry->history = chain;
    entry->reason = FOB_REASON_RELEASE;
    entry->priority = 7;
    entry->out = offset % 2;
    entry->due_ms = entry->out ? 0 : 1234567 + (int64_t)offset;
}

void whole_dead(fob_group_t *group, uint64_t offset, uint32_t count, uint32_t chain) {
    assert_true(fob_deads_reserve(&group->deads, 1));
    fob_deads_add(&group->deads, &(fob_dead_t){.offset = offset,
                                               .time_ms = 77 + (int64_t)offset,
                                               .count = count,
                                               .attempts = 5,
                                               .history = chain,
                                               .size = 999,
                                               .reason = FOB_REASON_OVERFLOW,
                                               .priority = 2});
    group->dead += count;
}

static void fill_group(fob_core_t *core, fob_group_t *group) {
    group->generation = 3;
    group->since_ms = 12345;
    group->start = 17;
    group->damaged = true;
    group->acked = 40;
    group->expired = 2;
    for (unsigned i = 0; i < FOB_OVERFLOW_DEAD_LETTER; i++)
        group->shed += group->shed_by[i] = 10 + i;
    for (unsigned i = 0; i < FOB_REMOVALS; i++)
        group->removed += group->removed_by[i] = 20 + i;
    group->mark_offset = 5000;
    group->mark_token = 400;
    group->paused_ms = 99;
    group->bytes = 123456;
    group->debt = 4;
    group->census_at = 100;
    group->census_to = 200;
    group->skip_to = 50;
    group->void_token = 30;
    for (unsigned number = 1; number < FOB_POLICY_END; number++) {
        uint64_t least, most;
        fob_policy_bounds(number, &least, &most);
        assert_true(fob_policy_set(&group->policy, number, least + (most - least) / 3));
    }
    group->cover.floor = 30;
    assert_true(fob_cover_reserve(&group->cover, 2));
    fob_cover_add(&group->cover, 40, 60);
    fob_cover_add(&group->cover, 80, 90);
    assert_true(fob_prio_reserve_adds(&group->prio, 1, 2) &&
                fob_prio_reserve_adds(&group->prio, 9, 1));
    fob_prio_add_run(&group->prio, 1, 300, 310);
    fob_prio_add_run(&group->prio, 1, 320, 321);
    fob_prio_add(&group->prio, 9, 315);
    put_back(core, group, 41, whole_chain(core, 1, "w1", "one"));
    put_back(core, group, 44, 0);
    put_back(core, group, 45, whole_chain(core, FOB_HISTORY_MAX + 5, "", ""));
    whole_dead(group, 50, 1, whole_chain(core, 5, "w1", "one"));
    whole_dead(group, 49, 1, whole_chain(core, 5, "w2", "many"));
    whole_dead(group, 0, 12, 0);
    whole_dead(group, 48, 1, 0);
    fob_deads_remove(&group->deads, fob_deads_find(&group->deads, 48)); /* the last serial's */
    group->dead--;
    group->accepted = group->acked + group->dead + group->expired + group->shed + group->removed +
                      group->back.count + group->prio.events + 100;
}

static void put_group(fob_core_t *core, const char *name) {
    assert_true(fob_core_reserve_group(core));
    fob_group_t *group =
        fob_group_new(core->next_group++, fob_slice_str(name), fob_slice_str("a.*"), 1, 2);
    group->policy = core->config.policy;
    fob_groups_add(&core->groups, group);
}

static void put_session(fob_core_t *core, uint8_t number) {
    uint8_t session[FOB_SESSION_SIZE];
    memset(session, number, sizeof session);
    assert_true(fob_writers_reserve(&core->writers, session, 3));
    fob_writer_t *writer = fob_writers_see(&core->writers, session, 1000 + number);
    writer->next = 90;
    writer->low = 10;
    fob_writer_answer(writer, (fob_answer_t){.number = 10, .offset = 100, .count = 5, .groups = 2});
    fob_writer_answer(writer, (fob_answer_t){.number = 20, .offset = 7, .count = 1, .flags = 3});
}

void whole_ids(fob_core_t *core, uint64_t from, uint64_t to) {
    assert_true(fob_dedup_reserve(core->dedup, to - from + 1));
    for (uint64_t offset = from; offset <= to; offset++) {
        fob_known_t known = {.offset = offset, .time_ms = 1000};
        known.ident = fob_dedup_ident(core->dedup, fob_slice_str("a"), fob_slice(&offset, 8),
                                      (fob_slice_t){0}, (fob_slice_t){0});
        fob_dedup_add(core->dedup, &known);
    }
}

fob_core_t *whole_core(uint32_t slice_bytes) {
    fob_core_config_t config = kit_config;
    config.slice_bytes = slice_bytes;
    fob_core_t *core = fob_core_new(&config);
    core->position = 7;
    core->head = 10000;
    core->time_ms = 5000;
    core->seed = 1234;
    fob_dedup_seed(core->dedup, core->seed);
    put_group(core, "one");
    put_group(core, "two");
    put_group(core, "three");
    fill_group(core, fob_groups_find(&core->groups, fob_slice_str("two")));
    for (uint8_t i = 1; i < 20; i++)
        put_session(core, i);
    whole_ids(core, 5, 40);
    return core;
}
