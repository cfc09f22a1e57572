/* runs: the rows of offsets and tokens, and the map of shards. */
#include "proto/wire.h"
#include "tests/support/case.h"

#define BYTES(text) fob_slice(text, sizeof(text) - 1)

static void rows_are_read_as_they_were_written(void **state) {
    (void)state;
    fob_buf_t out = {0};
    const uint64_t rows[2][5] = {{1, 2, 3, 4, 5}, {UINT64_MAX, 0, 300, 70000, 1}};
    fob_pack_array(&out, 2);
    fob_run_write(&out, rows[0], 5);
    fob_run_write(&out, rows[1], 5);
    fob_runs_t runs;
    fob_run_t run;
    assert_true(fob_runs(fob_buf_slice(&out), &runs));
    assert_int_equal(runs.left, 2);
    for (int i = 0; i < 2; i++) {
        assert_true(fob_runs_next(&runs, &run));
        assert_memory_equal(run.at, rows[i], sizeof rows[i]);
        assert_int_equal(run.detail.size, 0);
    }
    assert_false(fob_runs_next(&runs, &run));
    assert_false(runs.cursor.failed);
    fob_buf_free(&out);
}

static void absent_elements_of_a_row_are_zero(void **state) {
    (void)state;
    fob_runs_t runs;
    fob_run_t run;
    memset(&run, 0xff, sizeof run);
    assert_true(fob_runs(BYTES("\x92\x93\x01\x02\x03\x90"), &runs));
    assert_true(fob_runs_next(&runs, &run));
    assert_true(run.at[2] == 3 && run.at[3] == 0 && run.at[4] == 0);
    assert_true(fob_runs_next(&runs, &run));
    assert_true(run.at[0] == 0);
}

static void the_sixth_element_is_the_detail_and_more_are_skipped(void **state) {
    (void)state;
    fob_runs_t runs;
    fob_run_t run;
    assert_true(fob_runs(
        BYTES(
            "\x92\x97\x02\x01\x02\x00\x00\x81\xa5group\xa1g\x99\x01\x02\x03\x04\x05\x06\x07\x08\x09"
            "\x91\x07"),
        &runs));
    assert_true(fob_runs_next(&runs, &run));
    assert_true(fob_slice_eq(run.detail, BYTES("\x81\xa5group\xa1g")));
    assert_true(fob_runs_next(&runs, &run));
    assert_true(run.at[0] == 7 && run.detail.size == 0);
    assert_true(fob_cursor_end(&runs.cursor));
}

static void a_malformed_row_ends_it_and_is_told(void **state) {
    (void)state;
    static const char *const bad[] = {"\x91\x05",      "\x91\x91\xff",
                                      "\x91\x91\xa1x", "\x91\x92\x01",
                                      "\x91\xc0",      "\x91\x96\x01\x01\x01\x01\x01\x92\x01"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fob_runs_t runs;
        fob_run_t run;
        assert_true(fob_runs(fob_slice_str(bad[i]), &runs));
        assert_false(fob_runs_next(&runs, &run));
        assert_true(runs.cursor.failed);
        assert_false(fob_runs_next(&runs, &run));
    }
}

static void what_is_no_array_is_no_runs(void **state) {
    (void)state;
    fob_runs_t runs;
    fob_run_t run;
    assert_false(fob_runs(BYTES("\x05"), &runs));
    assert_false(fob_runs(BYTES(""), &runs));
    assert_false(fob_runs(BYTES("\xdd\xff\xff\xff\xff\x90"), &runs));
    assert_false(fob_runs_next(&runs, &run));
}

static void more_rows_than_the_limit_are_refused(void **state) {
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        fob_buf_t out = {0};
        fob_runs_t runs;
        fob_pack_array(&out, FOB_RUNS_MAX + over);
        for (size_t i = 0; i < FOB_RUNS_MAX + over; i++)
            fob_run_write(&out, NULL, 0);
        assert_int_equal(fob_runs(fob_buf_slice(&out), &runs), !over);
        assert_int_equal(runs.cursor.failed, over);
        fob_buf_free(&out);
    }
}

static void a_capability_is_there_where_it_is_named(void **state) {
    (void)state;
    assert_true(fob_caps_have(BYTES("\x92\xa1x\xa4hold"), "hold"));
    assert_false(fob_caps_have(BYTES("\x92\xa1x\xa5holds"), "hold"));
    assert_false(fob_caps_have(BYTES("\x90"), "hold"));
    assert_false(fob_caps_have(BYTES(""), "hold"));                 /* an older one names none */
    assert_false(fob_caps_have(BYTES("\x92\x05\xa4hold"), "hold")); /* no list of names */
}

static void a_shard_is_found_among_others(void **state) {
    (void)state;
    fob_buf_t out = {0};
    const fob_shard_t shards[] = {{0, fob_slice_str(""), 7670, 7671, 7672},
                                  {4, fob_slice_str("b.example"), 65535, 1, 2}};
    fob_pack_array(&out, 2);
    fob_shard_write(&out, &shards[0]);
    fob_shard_write(&out, &shards[1]);
    fob_shard_t got;
    assert_true(fob_shards_find(fob_buf_slice(&out), 0, &got));
    assert_true(got.host.size == 0 && got.router == 7670 && got.xsub == 7671 && got.xpub == 7672);
    assert_true(fob_shards_find(fob_buf_slice(&out), 4, &got));
    assert_true(fob_slice_eq(got.host, shards[1].host) && got.router == 65535);
    assert_false(fob_shards_find(fob_buf_slice(&out), 1, &got));
    fob_buf_free(&out);
}

static void a_malformed_map_of_shards_finds_none(void **state) {
    (void)state;
    fob_shard_t got;
    assert_false(fob_shards_find(BYTES("\x05"), 0, &got));
    assert_false(fob_shards_find(BYTES("\x91\x05"), 0, &got));
    assert_false(fob_shards_find(BYTES("\x91\x81\xa6router\xce\x00\x01\x00\x00"), 0, &got));
    assert_false(fob_shards_find(BYTES("\x91\x81\xa4host\x05"), 0, &got));
    assert_false(
        fob_shards_find(BYTES("\x91\x81\xa5shard\xcf\x00\x00\x00\x01\x00\x00\x00\x00"), 0, &got));
    assert_true(fob_shards_find(BYTES("\x91\x82\xa3new\x91\x01\xa4xpub\x08"), 0, &got));
    assert_int_equal(got.xpub, 8);
}

FOB_MAIN(FOB_CASE(rows_are_read_as_they_were_written), FOB_CASE(absent_elements_of_a_row_are_zero),
         FOB_CASE(the_sixth_element_is_the_detail_and_more_are_skipped),
         FOB_CASE(a_malformed_row_ends_it_and_is_told), FOB_CASE(what_is_no_array_is_no_runs),
         FOB_CASE(more_rows_than_the_limit_are_refused),
         FOB_CASE(a_capability_is_there_where_it_is_named), FOB_CASE(a_shard_is_found_among_others),
         FOB_CASE(a_malformed_map_of_shards_finds_none))
