/* session_bench: see session_bench.h. */
#include "support/case.h"

#include "session_bench.h"

#include <stdlib.h>

uint64_t bench_seed;

bench_t *bench_new(uint32_t window) {
    bench_t *b = calloc(1, sizeof *b);
    b->bus = calloc(1, sizeof *b->bus);
    b->receipts.wanted = true;
    b->now.mono_ns = 100 * FOB_SEC;
    b->window = FOB_WINDOW_MAX;
    fob_session_options_t options = {.window = window,
                                     .connect_at = b->now.mono_ns + 3 * FOB_SEC,
                                     .receipts = &b->receipts,
                                     .seed = bench_seed};
    b->session = fob_session_new(&options);
    assert_non_null(b->session);
    return b;
}

static fob_slice_t copied(fob_slice_t bytes) {
    uint8_t *copy = malloc(bytes.size + 1);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return fob_slice(copy, bytes.size);
}

void bench_message_free(message_t *message) {
    free((void *)(uintptr_t)message->header.data);
    free((void *)(uintptr_t)message->body.data);
}

void bench_wires_cut(bench_t *b) {
    while (b->bus_first < b->bus_end)
        bench_message_free(&b->to_bus[b->bus_first++ % QUEUE]);
    while (b->client_first < b->client_end)
        bench_message_free(&b->to_client[b->client_first++ % QUEUE]);
}

void bench_free(bench_t *b) {
    bench_wires_cut(b);
    fob_session_destroy(&b->session);
    fob_receipts_free(&b->receipts);
    free(b->bus);
    free(b);
}

void bench_receipts_read(bench_t *b) {
    _Alignas(8) uint8_t bytes[8192];
    size_t count, size;
    while ((size = fob_receipts_take(&b->receipts, bytes, sizeof bytes, &count)) > 0) {
        size_t at = 0;
        fob_receipt_t receipt;
        while (fob_receipts_read(bytes, size, &at, &receipt)) {
            assert_true(receipt.number >= 1 && receipt.number <= b->offered);
            b->told[receipt.number]++;
            b->outcome[receipt.number] = receipt.status;
            b->offset[receipt.number] = receipt.offset;
            b->duplicate_of[receipt.number] = receipt.duplicate_of;
            b->differs[receipt.number] = receipt.differs;
            assert_int_equal(receipt.topic[1] - '0', b->topics[receipt.number]);
            assert_ptr_equal(receipt.tag, (void *)(uintptr_t)receipt.number);
            if (receipt.status != FOB_OK)
                snprintf(b->text, sizeof b->text, "%s", receipt.text);
            else
                assert_string_equal(receipt.level, "disk");
            count--;
        }
        assert_int_equal(count, 0);
    }
}

fob_status_t bench_offer_as(bench_t *b, unsigned topic, int64_t deadline, const char *id) {
    char name[] = {'t', (char)('0' + topic), 0};
    uint64_t serial = b->offered + 1, number = 0;
    fob_envelope_t event = {.topic = fob_slice_str(name),
                            .id = fob_slice_str(id),
                            .data = fob_slice(&serial, sizeof serial)};
    fob_status_t status =
        fob_session_offer(b->session, &event, deadline, (void *)(uintptr_t)serial, &number);
    if (status != FOB_OK)
        return status;
    assert_int_equal(number, serial);
    b->offered = serial;
    b->topics[serial] = (uint8_t)topic;
    b->has_id[serial] = id != NULL;
    return FOB_OK;
}

fob_status_t bench_offer(bench_t *b, unsigned topic, int64_t deadline, bool id) {
    char ident[32];
    snprintf(ident, sizeof ident, "id-%u", (unsigned)(b->offered + 1));
    return bench_offer_as(b, topic, deadline, id ? ident : NULL);
}

void bench_offer_ok(bench_t *b, unsigned topic) {
    assert_int_equal(bench_offer(b, topic, b->now.mono_ns + 30 * FOB_SEC, false), FOB_OK);
}

void bench_connect(bench_t *b) {
    fob_wire_t welcome;
    model_bus_connect(b->bus);
    model_welcome(&welcome, model_bus_last(b->bus), b->window);
    b->up = true;
    fob_session_up(b->session, b->now, &welcome);
}

void bench_disconnect(bench_t *b) {
    bench_wires_cut(b);
    b->up = false;
    fob_session_down(b->session, b->now, FOB_UNREACHABLE, "tcp://a:1: the connection was lost");
}

/* What the shell does when a new session is wanted. */
void bench_renew_if_wanted(bench_t *b) {
    if (!fob_session_renewal(b->session))
        return;
    bench_disconnect(b);
    model_bus_forget(b->bus); /* a new secret: a session that the bus does not know */
}

/* One message from the session to the wire. */
bool bench_send_one(bench_t *b) {
    fob_slice_t header;
    fob_blob_t *body;
    if (!b->up || b->bus_end - b->bus_first == QUEUE ||
        !fob_session_output(b->session, b->now, &header, &body))
        return false;
    b->to_bus[b->bus_end++ % QUEUE] = (message_t){copied(header), copied(fob_blob_slice(body))};
    fob_blob_unref(&body);
    return true;
}

bool bench_bus_takes_one(bench_t *b) {
    if (b->bus_first == b->bus_end || b->client_end - b->client_first == QUEUE)
        return false;
    message_t *message = &b->to_bus[b->bus_first++ % QUEUE];
    fob_wire_t msg, receipt = {.verb = FOB_VERB_RECEIPT};
    fob_buf_t out = {0}, runs = {0};
    assert_int_equal(fob_wire_read(message->header, &msg), FOB_OK);
    model_bus_publish(b->bus, &msg, message->body, &runs);
    FOB_SET(&receipt, runs, fob_buf_slice(&runs));
    assert_int_equal(fob_wire_write(&out, &receipt), FOB_OK);
    b->to_client[b->client_end++ % QUEUE] =
        (message_t){copied(fob_buf_slice(&out)), copied((fob_slice_t){0})};
    fob_buf_free(&runs);
    fob_buf_free(&out);
    bench_message_free(message);
    return true;
}

bool bench_client_takes_one(bench_t *b) {
    if (b->client_first == b->client_end)
        return false;
    message_t *message = &b->to_client[b->client_first++ % QUEUE];
    fob_wire_t msg;
    assert_int_equal(fob_wire_read(message->header, &msg), FOB_OK);
    fob_session_input(b->session, b->now, &msg);
    bench_message_free(message);
    bench_receipts_read(b);
    bench_renew_if_wanted(b);
    return true;
}

/* Lets everything flow until nothing moves. */
void bench_flow(bench_t *b) {
    bool moved = true;
    while (moved) {
        moved = false;
        fob_session_tick(b->session, b->now);
        bench_receipts_read(b);
        while (bench_send_one(b))
            moved = true;
        while (bench_bus_takes_one(b))
            moved = true;
        while (bench_client_takes_one(b))
            moved = true;
    }
}

void bench_pass(bench_t *b, int64_t ns) {
    b->now.mono_ns += ns;
    bench_flow(b);
}

void bench_check_stored(bench_t *b, bool once) {
    uint64_t last[MODEL_TOPICS] = {0};
    uint8_t *seen = calloc(b->offered + 1, 1);
    for (uint64_t i = 0; i < b->bus->head; i++) {
        const model_event_t *event = &b->bus->stored[i];
        assert_true(event->serial >= 1 && event->serial <= b->offered);
        assert_int_equal(event->topic, b->topics[event->serial]);
        if (once && (seen[event->serial] || event->serial <= last[event->topic]))
            fail_msg("seed %u: event %u of t%u is stored after %u", (unsigned)bench_seed,
                     (unsigned)event->serial, event->topic, (unsigned)last[event->topic]);
        assert_false(seen[event->serial] && b->has_id[event->serial]);
        seen[event->serial]++;
        last[event->topic] = event->serial;
    }
    for (uint64_t n = 1; n <= b->offered; n++) {
        if (b->outcome[n] != FOB_OK || b->told[n] != 1)
            continue;
        assert_true(seen[n] >= 1 || b->differs[n]);
        assert_true(b->offset[n] >= 1 && b->offset[n] <= b->bus->head);
        assert_true(b->differs[n] == (b->bus->stored[b->offset[n] - 1].serial != n));
    }
    free(seen);
}

void bench_check_receipts(bench_t *b) {
    for (uint64_t n = 1; n <= b->offered; n++)
        assert_int_equal(b->told[n], 1);
    assert_int_equal(b->receipts.owed, 0);
    assert_int_equal(b->bus->unknown, 0);
    assert_true(fob_session_done_below(b->session, b->offered + 1));
}
