#include "fetch_kit.h"

#include "tests/support/case.h"

#include "bus/core/durable/record.h"
#include "bus/core/events/listing.h"
#include "proto/envelope.h"

#include <stdlib.h>

typedef struct {
    uint64_t first;
    uint32_t count;
    bool damaged;
    fob_buf_t bytes;
} record_t;

kit_t kit;
static record_t *records;
static size_t record_count, trimmed;
static int64_t stamp_ms;
static fob_chain_t chain;

/* --- what the core would know of topics --- */

static fob_listing_t listing;

static uint64_t on_list(void *arg, uint64_t from) {
    (void)arg;
    fob_listing_begin(&listing, &chain, from, kit.given ? kit.given : kit.head);
    return listing.upto;
}

static bool on_list_on(void *arg, fob_slice_t pattern, uint64_t *offsets, size_t room,
                       size_t *count, uint64_t *floor, size_t *looked) {
    (void)arg;
    bool done = fob_listing_step(&listing, &chain, pattern, offsets, room, count);
    *floor = listing.floor;
    *looked = listing.looked;
    kit.steps++;
    return done;
}

static bool on_known(void *arg, fob_slice_t topic) {
    (void)arg;
    return fob_chain_find(&chain, topic) != NULL;
}

static const fob_topics_ops_t ops = {on_list, on_list_on, on_known, NULL};

/* --- life --- */

int kit_begin(void **state) {
    (void)state;
    kit = (kit_t){.fetches = fob_fetches_new(0, &ops)};
    record_count = trimmed = 0;
    stamp_ms = 1000;
    kit_know(1000);
    assert_non_null(kit.fetches);
    return 0;
}

void kit_know(uint32_t topics_known) {
    fob_chain_free(&chain);
    assert_true(fob_chain_init(&chain, topics_known, SIZE_MAX));
}

void kit_rate(int64_t rate) {
    fob_fetches_destroy(&kit.fetches);
    kit.fetches = fob_fetches_new(rate, &ops);
    assert_non_null(kit.fetches);
}

void kit_clear(void) {
    for (size_t i = 0; i < kit.answer_count; i++) {
        free(kit.answers[i].offsets);
        free(kit.answers[i].topics);
    }
    free(kit.answers);
    kit.answers = NULL;
    kit.answer_count = 0;
}

int kit_end(void **state) {
    (void)state;
    kit_clear();
    fob_blob_unref(&kit.kept);
    fob_fetches_destroy(&kit.fetches);
    fob_chain_free(&chain);
    for (size_t i = 0; i < record_count; i++)
        fob_buf_free(&records[i].bytes);
    free(records);
    records = NULL;
    return 0;
}

/* --- the journal --- */

static record_t *add_record(uint32_t count) {
    if ((record_count & (record_count - 1)) == 0) {
        records = realloc(records, (record_count ? 2 * record_count : 1) * sizeof *records);
        assert_non_null(records);
    }
    records[record_count] = (record_t){.first = kit.head + 1, .count = count};
    kit.head += count;
    return &records[record_count++];
}

uint64_t kit_events(const char *const *topics, size_t topic_count, uint32_t count, size_t data) {
    record_t *record = add_record(count);
    fob_record_events_t head = {.count = count,
                                .time_ms = stamp_ms,
                                .first_offset = record->first,
                                .first_number = 1,
                                .next_number = 1 + count};
    uint8_t bytes[FOB_RECORD_EVENTS_SIZE];
    uint8_t *body = calloc(1, data < 8 ? 8 : data);
    assert_non_null(body);
    fob_record_write_events(bytes, &head);
    fob_buf_put(&record->bytes, bytes, sizeof bytes);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t offset = record->first + i;
        memcpy(body, &offset, sizeof offset);
        fob_envelope_t event = {.topic = fob_slice_str(topics[i % topic_count]),
                                .data = fob_slice(body, data < 8 ? 8 : data)};
        assert_int_equal(fob_envelope_write(&record->bytes, 1 << 24, &event), FOB_OK);
        fob_chain_link(&chain, event.topic, offset, 1);
    }
    free(body);
    return record->first;
}

uint64_t kit_event(const char *topic) {
    return kit_events(&topic, 1, 1, 8);
}

uint64_t kit_moved(void) {
    record_t *record = add_record(1);
    uint8_t bytes[FOB_RECORD_MOVED_SIZE];
    fob_record_moved_t head = {
        .stored_ms = 1, .place = record->first, .origin = 1, .time_ms = stamp_ms};
    fob_envelope_t event = {.topic = fob_slice_str("old"), .data = fob_slice_str("again")};
    fob_record_write_moved(bytes, &head);
    fob_buf_put(&record->bytes, bytes, sizeof bytes);
    assert_int_equal(fob_envelope_write(&record->bytes, 1 << 20, &event), FOB_OK);
    return record->first;
}

static record_t *record_of(uint64_t offset) {
    size_t i = 0;
    while (i < record_count && records[i].first + records[i].count <= offset)
        i++;
    return i < record_count ? &records[i] : NULL;
}

void kit_spoil(uint64_t offset) {
    record_t *record = record_of(offset);
    memset(record->bytes.data + FOB_RECORD_EVENTS_SIZE, 0xc1,
           record->bytes.size - FOB_RECORD_EVENTS_SIZE);
}

void kit_other(void) {
    fob_buf_put(&add_record(0)->bytes, "settled", 7);
}

fob_buf_t *kit_bytes(uint64_t offset) {
    return &record_of(offset)->bytes;
}

void kit_trim(uint64_t offset) {
    while (trimmed < record_count && records[trimmed].first + records[trimmed].count <= offset)
        trimmed++;
}

void kit_damage(uint64_t first, uint64_t last) {
    for (record_t *record = record_of(first); record && record->first <= last;
         record = record_of(record->first + record->count))
        record->damaged = true;
}

void kit_stamp(int64_t ms) {
    stamp_ms = ms;
}

static fob_page_t refused(uint64_t offset, fob_journal_code_t code, size_t next) {
    (void)offset;
    return (fob_page_t){.code = code, .resume = next < record_count ? records[next].first : 0};
}

/* As the journals do: whole records from the one that holds the offset on, up to damage. */
static fob_page_t read_page(uint64_t offset, size_t max_bytes) {
    size_t from = trimmed, end, bytes = 0;
    if (trimmed == record_count || offset < records[trimmed].first)
        return refused(offset, FOB_JOURNAL_ABSENT, trimmed);
    while (records[from].first + records[from].count <= offset)
        from++;
    for (end = from; end < record_count && records[end].damaged; end++)
        ;
    if (end > from)
        return refused(offset, FOB_JOURNAL_DAMAGED, end);
    for (end = from; end < record_count && !records[end].damaged && bytes < max_bytes; end++)
        bytes += records[end].bytes.size;
    size_t table = (end - from) * sizeof(fob_stored_t);
    fob_page_t page = {
        .memory = malloc(table + bytes), .memory_size = table + bytes, .entry_count = end - from};
    assert_non_null(page.memory);
    page.entries = page.memory;
    uint8_t *to = (uint8_t *)page.memory + table;
    for (size_t i = from; i < end; i++) {
        memcpy(to, records[i].bytes.data, records[i].bytes.size);
        page.entries[i - from] = (fob_stored_t){.first_offset = records[i].first,
                                                .count = records[i].count,
                                                .data = to,
                                                .size = records[i].bytes.size};
        to += records[i].bytes.size;
    }
    return page;
}

/* --- clients --- */

void kit_ask_for(const fob_fetch_t *fetch) {
    fob_fetch_t from = *fetch;
    from.route = from.route ? from.route : (uint32_t)from.conn;
    assert_int_equal(fob_fetches_add(kit.fetches, &from), FOB_OK);
}

void kit_ask(uint64_t conn, const char *pattern, uint64_t from, uint64_t upto) {
    kit_ask_for(&(fob_fetch_t){
        .conn = conn, .req = 7, .pattern = fob_slice_str(pattern), .from = from, .upto = upto});
}

fob_status_t kit_ask_whole(uint64_t conn) {
    return fob_fetches_add_whole(kit.fetches, &(fob_whole_t){.conn = conn,
                                                             .route = (uint32_t)conn,
                                                             .pattern = fob_slice_str("a.*"),
                                                             .from = 7,
                                                             .upto = 9});
}

static void read_events(kit_answer_t *answer, fob_slice_t body) {
    fob_cursor_t cursor = fob_cursor(body);
    for (size_t i = 0; i < answer->count && body.size > 0; i++) {
        fob_envelope_t event;
        assert_int_equal(fob_envelope_read(&cursor, 1 << 24, &event), FOB_OK);
        assert_memory_equal(event.data.data, &answer->offsets[i], sizeof answer->offsets[i]);
        snprintf(answer->topics[i], sizeof answer->topics[i], "%.*s", (int)event.topic.size,
                 (const char *)event.topic.data);
    }
    assert_true(fob_cursor_end(&cursor));
}

static void read_runs(kit_answer_t *answer, fob_slice_t raw) {
    fob_runs_t runs;
    fob_run_t run;
    static uint64_t offsets[1 << 16];
    const size_t room = sizeof offsets / sizeof *offsets;
    assert_true(fob_runs(raw, &runs));
    while (fob_runs_next(&runs, &run)) {
        answer->runs++;
        assert_true(run.at[2] >= 1000 && run.at[1] > 0);
        for (uint64_t i = 0; i < run.at[1]; i++) {
            assert_true(answer->count < room);
            assert_true(answer->count == 0 || offsets[answer->count - 1] < run.at[0] + i);
            offsets[answer->count++] = run.at[0] + i;
        }
    }
    assert_false(runs.cursor.failed);
    answer->offsets = calloc(answer->count + 1, sizeof *answer->offsets);
    answer->topics = calloc(answer->count + 1, sizeof *answer->topics);
    assert_true(answer->offsets && answer->topics);
    memcpy(answer->offsets, offsets, answer->count * sizeof *offsets);
}

static void read_gone(kit_answer_t *answer, fob_slice_t raw) {
    fob_runs_t runs;
    fob_run_t run;
    if (raw.size == 0)
        return;
    assert_true(fob_runs(raw, &runs));
    while (fob_runs_next(&runs, &run)) {
        assert_true(answer->gone_count < FOB_GATHER_GONE && run.at[0] <= run.at[1]);
        answer->gone[answer->gone_count][0] = run.at[0];
        answer->gone[answer->gone_count][1] = run.at[1];
        answer->gone[answer->gone_count++][2] = run.at[2];
    }
}

static void take(fob_fetched_t *fetched) {
    kit.answers = realloc(kit.answers, (kit.answer_count + 1) * sizeof *kit.answers);
    assert_non_null(kit.answers);
    kit_answer_t *answer = &kit.answers[kit.answer_count++];
    fob_slice_t body = fob_blob_slice(fetched->body);
    *answer = (kit_answer_t){.conn = fetched->conn,
                             .req = fetched->req,
                             .next = fetched->next,
                             .floor = fetched->floor,
                             .head = fetched->head,
                             .bytes = body.size};
    read_runs(answer, fetched->runs);
    read_gone(answer, fetched->gone);
    read_events(answer, body);
    fob_blob_unref(&kit.kept);
    kit.kept = fetched->body;
    if (!kit.keeps)
        fob_blob_unref(&kit.kept);
}

/* --- rounds --- */

static void bring_page(void) {
    if (!kit.asked || kit.held)
        return;
    fob_page_t page = {.code = kit.fails};
    if (kit.fails == FOB_JOURNAL_OK)
        page = read_page(kit.asked, kit.bytes);
    kit.asked = 0;
    fob_fetches_page(kit.fetches, &page);
}

static void answer_wholes(void) {
    static const uint8_t none[] = {0xdd, 0, 0, 0, 0};
    fob_whole_t whole;
    for (; fob_fetches_whole(kit.fetches, &whole); kit.wholes++) {
        fob_slice_t rows = fob_slice(none, sizeof none);
        fob_blob_t *body = fob_fetches_answer(kit.fetches, &whole, rows, kit.looks);
        assert_non_null(body);
        assert_memory_equal(fob_blob_slice(body).data, none, sizeof none);
        fob_blob_unref(&body);
    }
}

void kit_round(int64_t ms) {
    fob_fetched_t fetched;
    kit.ms += ms;
    fob_fetches_round(kit.fetches, (fob_now_t){.mono_ns = FOB_SEC + kit.ms * FOB_MS}, kit.head);
    bring_page();
    answer_wholes();
    while (fob_fetches_next(kit.fetches, &fetched))
        take(&fetched);
    uint64_t offset = fob_fetches_wants(kit.fetches, &kit.bytes);
    if (!offset)
        return;
    assert_int_equal(kit.asked, 0);
    fob_fetches_asked(kit.fetches, !kit.busy);
    kit.asked = kit.busy ? 0 : offset;
    kit.reads += !kit.busy;
}

const kit_answer_t *kit_wait(size_t answers) {
    for (size_t rounds = 0; kit.answer_count < answers; rounds++) {
        int64_t at = fob_fetches_deadline(kit.fetches);
        int64_t now = FOB_SEC + kit.ms * FOB_MS;
        assert_true(rounds < 1000000 && (at != FOB_NEVER || kit.asked));
        kit_round(at == FOB_NEVER || at <= now ? 0 : (at - now + FOB_MS - 1) / FOB_MS);
    }
    return &kit.answers[kit.answer_count - 1];
}
