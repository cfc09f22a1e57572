/* The bytes of fob_once: records, keys of events, and a place that is taken twice. */
#include "tests/unit/once_kit.h"

#include "proto/event.h"
#include "subscribers/once/once_record.h"
#include "subscribers/once/once_store.h"

static void a_record_comes_back_and_any_changed_bit_is_seen(void **state) {
    fob_once_record_t record = {7, 1700000000123, fob_slice_str("key"), fob_slice_str("result")};
    fob_once_record_t back;
    uint8_t bytes[64];
    size_t size = fob_once_record_size(&record);
    (void)state;
    assert_int_equal(size, FOB_ONCE_HEAD_SIZE + 9);
    fob_once_record_write(&record, bytes);
    assert_true(fob_once_record_read(&back, fob_slice(bytes, size)));
    assert_int_equal(back.sequence, 7);
    assert_int_equal(back.time_ms, 1700000000123);
    assert_true(fob_slice_eq(back.key, record.key) && fob_slice_eq(back.result, record.result));
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(fob_once_record_read(&back, fob_slice(bytes, size)));
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t cut = 0; cut < size; cut++)
        assert_false(fob_once_record_read(&back, fob_slice(bytes, cut)));
}

static size_t key_of(char *key, const char *group, const char *topic, const char *id,
                     int64_t time_ms) {
    fob_envelope_t envelope = {.topic = fob_slice_str(topic),
                               .id = fob_slice_str(id),
                               .datacontenttype = fob_slice_str("text/plain"),
                               .data = fob_slice_str("x")};
    fob_event_place_t place = {.offset = 17, .time_ms = time_ms, .attempt = 1, .token = 1};
    fob_buf_t bytes = {0};
    assert_int_equal(fob_envelope_write(&bytes, 10000000, &envelope), FOB_OK);
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&bytes));
    fob_event_t *event = fob_event_new(NULL, blob, fob_blob_slice(blob), &place);
    assert_non_null(event);
    size_t size = fob_once_key_of(event, group, key);
    fob_event_destroy(&event);
    fob_blob_unref(&blob);
    fob_buf_free(&bytes);
    return size;
}

static void assert_same(const char *a, size_t a_size, const char *b, size_t b_size, bool same) {
    assert_int_equal(a_size == b_size && memcmp(a, b, a_size) == 0, same);
}

static void the_key_is_group_topic_and_id_and_without_id_place_and_time(void **state) {
    char a[FOB_ONCE_KEY_MAX], b[FOB_ONCE_KEY_MAX];
    size_t size = key_of(a, "g", "t", "id", 1);
    (void)state;
    assert_same(a, size, "g\0t\0id", 7, true);
    assert_same(a, size, b, key_of(b, "g", "t", "id", 2), true);
    assert_same(a, size, b, key_of(b, "h", "t", "id", 1), false);
    assert_same(a, size, b, key_of(b, "g", "u", "id", 1), false);
    assert_same(a, size, b, key_of(b, "g", "t", "ie", 1), false);
    size = key_of(a, "g", "t", NULL, 1);
    assert_same(a, size,
                "g\0t\0"
                "0-17\0"
                "1",
                11, true);
    assert_same(a, size, b, key_of(b, "g", "t", NULL, 2), false);
}

static void the_longest_names_fit(void **state) {
    char name[256], key[FOB_ONCE_KEY_MAX];
    (void)state;
    memset(name, 'n', 255);
    name[255] = '\0';
    assert_int_equal(key_of(key, name, name, name, 1), 3 * 256);
}

/* Two keys of one hash cannot be had; one key twice takes the same way. */
static void a_place_taken_again_leaves_nothing_behind(void **state) {
    fob_once_store_t store = {.max_age_ms = -1, .max_count = 2};
    void *result;
    size_t size;
    MDB_stat stat;
    MDB_txn *txn;
    (void)state;
    assert_int_equal(fob_once_store_open(&store, folder, true, true), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(
            fob_once_store_put(&store, fob_slice_str("k"), fob_slice(&"ab"[i % 2], 1), i), 0);
    assert_int_equal(fob_once_store_put(&store, fob_slice_str("l"), fob_slice("c", 1), 20), 0);
    assert_int_equal(fob_once_store_find(&store, fob_slice_str("k"), &result, &size), 0);
    assert_string_equal(result, "b");
    free(result);
    assert_int_equal(mdb_txn_begin(store.env, NULL, MDB_RDONLY, &txn), 0);
    assert_int_equal(mdb_stat(txn, store.age, &stat), 0);
    assert_int_equal(stat.ms_entries, 2);
    mdb_txn_abort(txn);
    fob_once_store_close(&store);
}

FOB_MAIN(FOB_CASE(a_record_comes_back_and_any_changed_bit_is_seen),
         FOB_CASE(the_key_is_group_topic_and_id_and_without_id_place_and_time),
         FOB_CASE(the_longest_names_fit),
         FOB_CASE_WITH(a_place_taken_again_leaves_nothing_behind, set_up, tear_down))
