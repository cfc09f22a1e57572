/* inquiry: dead letters are redriven and purged. */
#include "test_core_inquiry_kit.h"

static kit_effect_t *redrive(uint64_t from, uint64_t upto, uint32_t limit) {
    fob_command_t command = asks(FOB_CMD_DEAD_REDRIVE);
    command.dead.from = from;
    command.dead.upto = upto;
    command.dead.limit = limit;
    kit_effect_t *effect = ask(&command);
    assert_int_equal(effect->status, FOB_OK);
    return effect;
}

static kit_effect_t *purge(fob_dead_filter_t filter) {
    fob_command_t command = asks(FOB_CMD_DEAD_PURGE);
    command.dead.filter = filter;
    kit_effect_t *effect = ask(&command);
    assert_int_equal(effect->status, FOB_OK);
    return effect;
}

/* The offsets delivered since the last kit_clear, as "1 2 3". */
static const char *delivered(void) {
    static char out[2000];
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < kit.shown_count; i++) {
        const kit_effect_t *effect = &kit.shown[i];
        for (size_t k = 0; effect->kind == FOB_EFF_DELIVER && k < effect->row_count; k++)
            used += (size_t)snprintf(out + used, sizeof out - used, used ? " %llu" : "%llu",
                                     (unsigned long long)effect->rows[k][0]);
    }
    return out;
}

static void redriven_letters_are_ready_again_in_the_order_of_offsets(void **state) {
    (void)state;
    kit.hash_turns = true;
    join();
    for (int i = 0; i < 4; i++)
        publish("a", "anna", 4);
    uint64_t order[] = {3, 1, 4, 2};
    for (int i = 0; i < 4; i++)
        reject(order[i]);
    kit_clear(&kit);
    kit_effect_t *effect = redrive(0, 0, 0);
    assert_int_equal(number(value_of(effect), "count"), 4);
    assert_int_equal(number(value_of(effect), "looked"), 4);
    assert_int_equal(number(value_of(effect), "next"), 0);
    assert_int_equal(number(value_of(effect), "upto"), 4);
    assert_string_equal(delivered(), "1 2 3 4");
    assert_int_equal(kit_last(&kit, FOB_EFF_DELIVER)->rows[0][2], 1); /* attempt */
    assert_int_equal(kit_stats(&kit, GROUP).dead, 0);
    assert_int_equal(kit_stats(&kit, GROUP).leased, 4);
    kit_books(&kit);
    kit_crash(&kit, kit.position);
    kit_books(&kit);
}

static void a_letter_that_dies_again_is_not_met_twice(void **state) {
    (void)state;
    join();
    die("a", NULL, 5);
    kit_effect_t *effect = redrive(0, 0, 2);
    assert_int_equal(number(value_of(effect), "count"), 2);
    assert_int_equal(number(value_of(effect), "upto"), 5);
    reject(1);
    reject(2);
    assert_int_equal(number(value_of(redrive(0, 5, 100)), "count"), 3);
    assert_string_equal(offsets(list((fob_dead_filter_t){0})), "1 2");
}

static void an_answer_waits_for_what_it_did(void **state) {
    (void)state;
    join();
    die("a", NULL, 3);
    kit_clear(&kit);
    kit.manual = true;
    fob_command_t command = asks(FOB_CMD_DEAD_REDRIVE);
    kit_do(&kit, &command);
    assert_true(kit.synced);
    assert_int_equal(kit_count(&kit, FOB_EFF_REPLY), 0);
    kit_sync(&kit, kit.position);
    assert_int_equal(number(value_of(reply()), "count"), 3);
}

/* The bus dies in the middle of a redrive, with `commits` of those since its page written. */
static void die_in_the_middle(uint64_t commits, uint64_t again) {
    join();
    die("a", NULL, 6);
    redrive(0, 6, 2);
    kit.manual = true;
    fob_command_t command = asks(FOB_CMD_DEAD_REDRIVE);
    command.dead.from = 2;
    command.dead.upto = 6;
    command.dead.limit = 2;
    uint64_t before = kit.position;
    kit_do(&kit, &command);
    kit_crash(&kit, before + commits);
    kit.manual = false;
    kit_clear(&kit);
    uint64_t count = number(value_of(redrive(2, 6, 100)), "count");
    assert_int_equal(count, again);
    assert_int_equal(kit_stats(&kit, GROUP).dead, 0);
    assert_int_equal(kit_stats(&kit, GROUP).ready + kit_stats(&kit, GROUP).leased, 6);
    kit_books(&kit);
    kit_pass(&kit, 10000);
    kit_clear(&kit);
    kit_join(&kit, 2, GROUP, ">", 100);
    kit_pages(&kit);
    assert_string_equal(delivered(), "1 2 3 4 5 6");
}

static void a_redrive_goes_on_after_a_restart_that_lost_a_page(void **state) {
    (void)state;
    kit.hash_turns = true;
    die_in_the_middle(0, 4);
}

static void a_redrive_goes_on_after_a_restart_that_lost_an_answer(void **state) {
    (void)state;
    kit.hash_turns = true;
    die_in_the_middle(1, 2);
}

static void serials_go_on_after_a_checkpoint_without_letters(void **state) {
    (void)state;
    join();
    die("a", NULL, 2);
    redrive(0, 0, 0);
    kit_checkpoint(&kit);
    kit_crash(&kit, kit.position);
    kit_clear(&kit);
    kit_pass(&kit, 10000);
    join();
    kit_pages(&kit);
    reject(1);
    assert_int_equal(number(value_of(redrive(0, 2, 0)), "count"), 0);
    assert_int_equal(number(value_of(redrive(0, 0, 0)), "count"), 1);
}

static void a_full_group_takes_back_what_an_operator_redrives(void **state) {
    (void)state;
    fob_core_config_t config = kit_config;
    config.policy.max_depth = 2;
    kit_free(&kit);
    begin(&config);
    join();
    die("a", NULL, 5);
    assert_int_equal(number(value_of(redrive(0, 0, 0)), "count"), 5);
    assert_int_equal(kit_stats(&kit, GROUP).leased, 5);
    kit_books(&kit);
}

static void only_what_matches_is_redriven_or_purged(void **state) {
    (void)state;
    kit.hash_turns = true;
    join();
    die("a", "anna", 2);
    die("b", "bert", 2);
    die("c", "anna", 1);
    fob_command_t command = asks(FOB_CMD_DEAD_REDRIVE);
    command.dead.filter.topic = fob_slice_str("b");
    kit_clear(&kit);
    kit_effect_t *effect = ask(&command);
    assert_int_equal(number(value_of(effect), "count"), 2);
    assert_int_equal(number(value_of(effect), "looked"), 5);
    assert_string_equal(delivered(), "3 4");
    effect = purge((fob_dead_filter_t){.key = fob_slice_str("anna"), .offset = 5});
    assert_int_equal(number(value_of(effect), "count"), 1);
    assert_string_equal(offsets(list((fob_dead_filter_t){0})), "1 2");
    fob_group_stats_t stats = kit_stats(&kit, GROUP);
    assert_int_equal(stats.removed, 1);
    assert_int_equal(stats.removed_by[FOB_REMOVAL_DEAD_PURGE], 1);
    kit_books(&kit);
    kit_crash(&kit, kit.position);
}

static void a_dry_run_counts_and_changes_nothing(void **state) {
    (void)state;
    join();
    die("a", NULL, 3);
    uint64_t position = kit.position;
    for (unsigned kind = FOB_CMD_DEAD_REDRIVE; kind <= FOB_CMD_DEAD_PURGE; kind++) {
        fob_command_t command = asks(kind);
        command.dead.dry = true;
        assert_int_equal(number(value_of(ask(&command)), "count"), 3);
    }
    assert_int_equal(kit.position, position);
    assert_int_equal(kit_stats(&kit, GROUP).dead, 3);
}

/* Letter 2 is damaged: it died when it was to be handed out a second time. */
static void begin_damaged(void) {
    kit.hash_turns = true;
    begin_far_back(3);
    for (size_t i = 0; i < kit.log_count; i++)
        kit.log[i].unreadable = kit.log[i].first_offset == 2;
    redrive(1, 2, 1);
    assert_int_equal(kit_stats(&kit, GROUP).dead, 3);
    kit_clear(&kit);
}

static void what_cannot_be_read_is_not_redriven_and_counted(void **state) {
    (void)state;
    begin_damaged();
    kit_effect_t *effect = redrive(0, 0, 0);
    assert_int_equal(number(value_of(effect), "count"), 2);
    assert_int_equal(number(value_of(effect), "damaged"), 1);
    assert_non_null(strstr(effect->text, "1 of them cannot be read"));
    assert_int_equal(kit_stats(&kit, GROUP).dead, 1);
    effect = purge((fob_dead_filter_t){.reason = FOB_REASON_DAMAGED});
    assert_int_equal(number(value_of(effect), "count"), 1);
    assert_int_equal(kit_stats(&kit, GROUP).dead, 0);
    kit_books(&kit);
}

/* `times` letters of unknown place: of five events each, which nobody had and nobody can read. */
static void begin_unknown(unsigned times) {
    fob_core_config_t config = kit_config;
    config.cache_bytes = 20000;
    config.page_bytes = 2000;
    kit_free(&kit);
    begin(&config);
    kit.hash_turns = true;
    join();
    kit_lost(&kit, WORKER);
    for (unsigned i = 0; i < times; i++) {
        for (int k = 0; k < 5; k++)
            publish("lost", NULL, 4);
        for (int k = 0; k < 50; k++)
            publish("new", NULL, 900);
        for (size_t k = 0; k < kit.log_count; k++)
            kit.log[k].unreadable = kit.log[k].first_offset > published - 55 &&
                                    kit.log[k].first_offset <= published - 50;
        join();
        kit_pages(&kit);
        kit_lost(&kit, WORKER);
    }
    assert_int_equal(kit_stats(&kit, GROUP).dead, 5 * times);
    kit_clear(&kit);
}

static void letters_of_unknown_place_are_listed_last_and_can_be_purged(void **state) {
    (void)state;
    begin_unknown(3);
    join();
    kit_pages(&kit);
    reject(published);
    char want[40];
    snprintf(want, sizeof want, "%llu 0 0 0", (unsigned long long)published);
    kit_effect_t *effect = list((fob_dead_filter_t){0});
    assert_string_equal(offsets(effect), want);
    assert_int_equal(number(row(effect, 1), "count"), 5);
    assert_int_equal(number(row(effect, 1), "serial"), 1);
    assert_string_equal(text(row(effect, 1), "reason"), "damaged");
    assert_int_equal(number(value_of(redrive(0, 3, 0)), "damaged"), 15);
    fob_command_t command = asks(FOB_CMD_DEAD_PURGE);
    command.dead.upto = 3;
    command.dead.limit = 1;
    for (int i = 0; i < 3; i++) {
        effect = ask(&command);
        assert_int_equal(number(value_of(effect), "count"), 5);
        command.dead.from = number(value_of(effect), "next");
        assert_true((command.dead.from != 0) == (i < 2));
    }
    assert_int_equal(kit_stats(&kit, GROUP).dead, 1);
    assert_int_equal(kit_stats(&kit, GROUP).removed, 15);
    kit_books(&kit);
    kit_crash(&kit, kit.position);
}

static void work_in_one_take_is_bounded(void **state) {
    (void)state;
    join();
    fob_buf_t body = {0};
    for (int i = 0; i < 10000; i++)
        kit_event(&body, "a", "x", 1);
    published = 10000;
    kit_publish_body(&kit, 1, 1, 1, &body, FOB_OK);
    kit_settle(&kit, WORKER, GROUP, ++settled, FOB_KIND_REJECT, 1, 10000, 1);
    assert_int_equal(kit_stats(&kit, GROUP).dead, 10000);
    fob_command_t command = asks(FOB_CMD_DEAD_REDRIVE);
    command.dead.filter.reason = FOB_REASON_AGE;
    assert_int_equal(kit_step(&kit, &command), FOB_OK);
    unsigned takes = 0;
    do {
        kit_take(&kit);
        takes++;
    } while (fob_core_deadline(kit.core) <= kit.now.mono_ns);
    assert_int_equal(takes, 10000 / FOB_INQUIRY_LOOKS + 1);
    assert_int_equal(number(value_of(reply()), "looked"), 10000);
    uint64_t count = 0, from = 0;
    do {
        kit_effect_t *effect = redrive(from, 10000, UINT32_MAX);
        assert_in_range(number(value_of(effect), "count"), 1, FOB_INQUIRY_LIMIT_MAX);
        count += number(value_of(effect), "count");
        from = number(value_of(effect), "next");
    } while (from);
    assert_int_equal(count, 10000);
    kit_books(&kit);
}

FOB_MAIN(FOB_CASE_WITH(redriven_letters_are_ready_again_in_the_order_of_offsets, setup, teardown),
         FOB_CASE_WITH(a_letter_that_dies_again_is_not_met_twice, setup, teardown),
         FOB_CASE_WITH(an_answer_waits_for_what_it_did, setup, teardown),
         FOB_CASE_WITH(a_redrive_goes_on_after_a_restart_that_lost_a_page, setup, teardown),
         FOB_CASE_WITH(a_redrive_goes_on_after_a_restart_that_lost_an_answer, setup, teardown),
         FOB_CASE_WITH(serials_go_on_after_a_checkpoint_without_letters, setup, teardown),
         FOB_CASE_WITH(a_full_group_takes_back_what_an_operator_redrives, setup, teardown),
         FOB_CASE_WITH(only_what_matches_is_redriven_or_purged, setup, teardown),
         FOB_CASE_WITH(a_dry_run_counts_and_changes_nothing, setup, teardown),
         FOB_CASE_WITH(what_cannot_be_read_is_not_redriven_and_counted, setup, teardown),
         FOB_CASE_WITH(letters_of_unknown_place_are_listed_last_and_can_be_purged, setup, teardown),
         FOB_CASE_WITH(work_in_one_take_is_bounded, setup, teardown))
