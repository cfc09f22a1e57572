/* The bus of the sequencer's world: a journal with retention, damage and epochs, a broadcast that
 * drops, doubles and reorders, an answering service that is slow and sometimes refuses. */
#include "sequencer_world.h"

#include "proto/envelope.h"

#include <xxhash.h>

const char *const world_topics[TOPICS] = {"a.0", "a.1", "a.2", "a.3", "b.0", "b.1",   "b.2",
                                          "c",   "d.0", "d.1", "e",   "f",   "g.0.x", "g.1.x"};

/* --- the journal --- */

const entry_t *world_entry(const world_t *w, size_t era, uint64_t offset) {
    if (offset == 0 || offset > w->eras[era].head)
        return NULL;
    while (offset <= w->eras[era].began)
        era--;
    return &w->entries[w->eras[era].first + (offset - w->eras[era].began - 1)];
}

bool world_wants(const world_t *w, unsigned topic) {
    return fob_pattern_match(w->options.pattern, fob_slice_str(world_topics[topic]));
}

bool world_gone(const world_t *w, uint64_t offset) {
    return offset < w->oldest || world_entry(w, w->era, offset)->damaged;
}

uint64_t world_common(const world_t *w, uint64_t epoch) {
    uint64_t common = w->eras[w->era].began;
    for (size_t i = w->era; i > 0 && w->eras[i].epoch != epoch; i--)
        if (w->eras[i].began < common)
            common = w->eras[i].began;
    return common;
}

static void store(world_t *w, unsigned topic) {
    CHECK(w, w->entry_count < EVENTS);
    w->entries[w->entry_count++] =
        (entry_t){.id = w->entry_count, .time_ms = w->now_ms, .topic = (uint8_t)topic};
    w->eras[w->era].head++;
}

static void write_event(fob_buf_t *out, const entry_t *entry) {
    fob_envelope_t event = {.topic = fob_slice_str(world_topics[entry->topic]),
                            .data = fob_slice(&entry->id, sizeof entry->id)};
    assert_int_equal(fob_envelope_write(out, 100, &event), FOB_OK);
}

static fob_blob_t *blob_of(fob_buf_t *buf) {
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(buf));
    fob_buf_free(buf);
    return blob;
}

/* --- the ways --- */

letter_t *bus_post(world_t *w, int64_t delay_ms) {
    CHECK(w, w->letter_count < LETTERS);
    letter_t *letter = calloc(1, sizeof *letter);
    assert_non_null(letter);
    letter->due_ms = w->now_ms + delay_ms;
    letter->order = ++w->order;
    w->letters[w->letter_count++] = letter;
    return letter;
}

void bus_burn(letter_t *letter) {
    fob_buf_free(&letter->header);
    fob_blob_unref(&letter->body);
    free(letter);
}

static void burn_all(world_t *w, bool casts, bool others) {
    size_t left = 0;
    for (size_t i = 0; i < w->letter_count; i++) {
        if (w->letters[i]->is_cast ? casts : others)
            bus_burn(w->letters[i]);
        else
            w->letters[left++] = w->letters[i];
    }
    w->letter_count = left;
}

static void post_frame(world_t *w, const fob_cast_t *cast, fob_blob_t *body, int64_t due_ms) {
    letter_t *letter = bus_post(w, due_ms - w->now_ms);
    letter->is_cast = true;
    letter->cast = *cast;
    letter->body = fob_blob_ref(body);
}

/* Frames keep their order, but for those that are delayed or come twice. */
static void send_frame(world_t *w, const fob_cast_t *cast, fob_blob_t *body) {
    int64_t due = w->now_ms + (int64_t)draw(w, 20);
    if (!w->listening || w->resting || fault(w, w->drops))
        return;
    if (due < w->last_due_ms)
        due = w->last_due_ms;
    w->last_due_ms = due;
    if (fault(w, w->delays))
        due += (int64_t)draw(w, 400);
    post_frame(w, cast, body, due);
    if (fault(w, w->doubles))
        post_frame(w, cast, body, due + (int64_t)draw(w, 300));
}

static void answer(world_t *w, fob_wire_t *msg, fob_blob_t *body) {
    letter_t *letter = bus_post(w, (int64_t)(1 + draw(w, chance(w, 5) ? 500 : 15)));
    assert_int_equal(fob_wire_write(&letter->header, msg), FOB_OK);
    letter->body = body;
}

/* --- the chain --- */

static void forget_topic(world_t *w, unsigned topic) {
    if (w->last[topic] > w->prev_floor)
        w->prev_floor = w->last[topic];
    w->used[topic] = 0;
}

/* Links events up to `last` to their topic; returns prev. */
static uint64_t link_topic(world_t *w, unsigned topic, uint64_t last) {
    unsigned known = 0, oldest = TOPICS;
    for (unsigned t = 0; t < TOPICS; t++) {
        known += w->used[t] > 0;
        if (w->used[t] && t != topic && (oldest == TOPICS || w->used[t] < w->used[oldest]))
            oldest = t;
    }
    uint64_t prev = w->used[topic] ? w->last[topic] : w->prev_floor;
    if (!w->used[topic] && known >= w->known_max && oldest < TOPICS) {
        forget_topic(w, oldest);
        prev = w->prev_floor;
    }
    w->last[topic] = last;
    w->used[topic] = ++w->steps;
    return prev;
}

static void publish(world_t *w) {
    unsigned topic = (unsigned)draw(w, chance(w, 60) ? 4 : TOPICS);
    uint64_t count = 1 + draw(w, chance(w, 20) ? 6 : 1);
    fob_buf_t buf = {0};
    uint64_t offset = head_of(w) + 1;
    for (uint64_t i = 0; i < count; i++) {
        store(w, topic);
        write_event(&buf, &w->entries[w->entry_count - 1]);
    }
    fob_cast_t cast = {.topic = fob_slice_str(world_topics[topic]),
                       .kind = FOB_CAST_STORED,
                       .epoch = w->eras[w->era].epoch,
                       .offset = offset,
                       .count = count,
                       .time_ms = w->now_ms,
                       .source = 1 + w->era,
                       .seq = w->seq[topic] + 1};
    w->seq[topic] += count;
    cast.prev = link_topic(w, topic, offset + count - 1);
    fob_blob_t *body = blob_of(&buf);
    send_frame(w, &cast, body);
    fob_blob_unref(&body);
}

static void fire(world_t *w) {
    static const entry_t none;
    fob_buf_t buf = {0};
    write_event(&buf, &none);
    fob_cast_t cast = {.topic = fob_slice_str(world_topics[0]),
                       .kind = FOB_CAST_FIRE,
                       .count = 1,
                       .source = UINT64_MAX,
                       .seq = ++w->fire_seq};
    fob_blob_t *body = blob_of(&buf);
    send_frame(w, &cast, body);
    fob_blob_unref(&body);
}

/* --- FETCH --- */

typedef struct {
    fob_buf_t runs, gone, body;
    uint32_t run_count, gone_count;
    uint64_t run[3], hole[3]; /* under way: first, count or last, time or damage */
    uint64_t events;
} page_t;

static void end_run(page_t *page) {
    if (page->run[1])
        fob_run_write(&page->runs, page->run, 3);
    page->run_count += page->run[1] > 0;
    page->run[1] = 0;
}

static void end_hole(page_t *page) {
    if (page->hole[1])
        fob_run_write(&page->gone, page->hole, 3);
    page->gone_count += page->hole[1] > 0;
    page->hole[1] = 0;
}

static void page_event(page_t *page, uint64_t offset, const entry_t *entry, bool dry) {
    end_hole(page);
    page->events++;
    if (!dry)
        write_event(&page->body, entry);
    if (page->run[1] && page->run[0] + page->run[1] == offset &&
        page->run[2] == (uint64_t)entry->time_ms) {
        page->run[1]++;
        return;
    }
    end_run(page);
    page->run[0] = offset;
    page->run[1] = 1;
    page->run[2] = (uint64_t)entry->time_ms;
}

static void page_gone(page_t *page, uint64_t offset, bool damaged) {
    end_run(page);
    if (page->hole[1] && page->hole[1] + 1 == offset && page->hole[2] == damaged) {
        page->hole[1] = offset;
        return;
    }
    end_hole(page);
    page->hole[0] = page->hole[1] = offset;
    page->hole[2] = damaged;
}

/* Whether it is the last of its topic up to there. */
static bool is_last(const world_t *w, uint64_t offset, uint64_t upto) {
    unsigned topic = world_entry(w, w->era, offset)->topic;
    for (uint64_t o = offset + 1; o <= upto; o++)
        if (world_entry(w, w->era, o)->topic == topic)
            return false;
    return true;
}

static uint64_t begin_of(world_t *w, const fob_wire_t *msg) {
    uint64_t from = msg->from;
    CHECK(w, FOB_HAS(msg, from) != FOB_HAS(msg, time));
    if (FOB_HAS(msg, time))
        for (from = w->oldest; from <= head_of(w); from++)
            if (world_entry(w, w->era, from)->time_ms >= (int64_t)msg->time &&
                !world_entry(w, w->era, from)->damaged) /* nobody knows of when that was */
                break;
    CHECK(w, from > 0);
    /* What the sequencer was told is gone before the beginning is not told by it. */
    bool beginning = FOB_HAS(msg, time) || (msg->latest && from == 1) ||
                     (from == 1 && w->options.from == FOB_SEQUENCER_EARLIEST);
    if (beginning && w->events_out == 0) {
        w->start = (from < w->oldest ? w->oldest : from) - 1;
        if (msg->upto && w->start > msg->upto)
            w->start = msg->upto;
        w->start_era = w->era;
    }
    return from;
}

static uint64_t fill(world_t *w, const fob_wire_t *msg, uint64_t from, page_t *page) {
    /* Of each topic's last event it does not count where the answer is to end. */
    uint64_t head = head_of(w);
    uint64_t upto = msg->upto && msg->upto < head && !msg->latest ? msg->upto : head;
    uint64_t most = 1 + draw(w, 12), looks = 10 + draw(w, 60), offset = from;
    if (FOB_HAS(msg, limit) && msg->limit < most)
        most = msg->limit;
    for (; offset <= upto && page->events < most && looks > 0; offset++) {
        const entry_t *entry = world_entry(w, w->era, offset);
        if (offset < w->oldest || entry->damaged) {
            page_gone(page, offset, offset >= w->oldest);
            continue;
        }
        looks--;
        if (fob_pattern_match(msg->pattern, fob_slice_str(world_topics[entry->topic])) &&
            (!msg->latest || offset <= w->forgotten || is_last(w, offset, upto)))
            page_event(page, offset, entry, msg->dry);
        else
            end_hole(page);
    }
    end_run(page);
    end_hole(page);
    return offset;
}

static fob_slice_t array_of(fob_buf_t *out, uint32_t count, const fob_buf_t *rows) {
    fob_pack_array(out, count);
    fob_buf_put(out, rows->data, rows->size);
    return fob_buf_slice(out);
}

static void serve_fetch(world_t *w, const fob_wire_t *msg) {
    fob_wire_t out = {.verb = FOB_VERB_FETCHED};
    fob_buf_t runs = {0}, gone = {0};
    page_t page = {.events = 0};
    FOB_SET(&out, req, msg->req);
    CHECK(w, !FOB_HAS(msg, limit) || msg->limit > 0);
    if (fault(w, 30)) {
        FOB_SET(&out, code, FOB_LIMIT);
        answer(w, &out, NULL);
        return;
    }
    FOB_SET(&out, code, FOB_OK);
    FOB_SET(&out, next, fill(w, msg, begin_of(w, msg), &page));
    FOB_SET(&out, head, head_of(w));
    FOB_SET(&out, epoch, w->eras[w->era].epoch);
    if (msg->latest && w->forgotten)
        FOB_SET(&out, floor, w->forgotten);
    FOB_SET(&out, runs, array_of(&runs, page.run_count, &page.runs));
    FOB_SET(&out, gone, array_of(&gone, page.gone_count, &page.gone));
    answer(w, &out, msg->dry ? NULL : blob_of(&page.body));
    fob_buf_free(&page.runs);
    fob_buf_free(&page.gone);
    fob_buf_free(&runs);
    fob_buf_free(&gone);
}

/* --- WHOLE --- */

/* Whether the question is about this topic. */
static bool asked_about(const fob_wire_t *msg, fob_slice_t topic) {
    uint64_t parts = FOB_HAS(msg, parts) ? msg->parts : 1;
    return XXH3_64bits(topic.data, topic.size) % parts == msg->part &&
           fob_pattern_match(msg->pattern, topic);
}

/* In how many parts it had better be asked: whatever the bus says is right. */
static uint64_t advice(world_t *w, bool more) {
    if (more)
        return chance(w, 90) ? FOB_PARTS_MAX : UINT64_C(2) << draw(w, 5);
    return chance(w, 30) ? UINT64_C(1) << draw(w, 7) : 1;
}

static void serve_whole(world_t *w, const fob_wire_t *msg) {
    fob_wire_t out = {.verb = FOB_VERB_WHOLENESS};
    fob_buf_t rows = {0}, body = {0};
    uint32_t count = 0;
    bool more = false;
    for (unsigned t = 0; t < TOPICS; t++) {
        fob_slice_t topic = fob_slice_str(world_topics[t]);
        if (!w->used[t] || w->last[t] <= msg->from || !asked_about(msg, topic))
            continue;
        if (count == w->rows_max) {
            more = true;
            break;
        }
        fob_pack_array(&rows, 2);
        fob_pack_str(&rows, topic);
        fob_pack_uint(&rows, w->last[t]);
        count++;
    }
    FOB_SET(&out, req, msg->req);
    FOB_SET(&out, code, FOB_OK);
    FOB_SET(&out, upto, msg->upto);
    FOB_SET(&out, floor, w->prev_floor);
    FOB_SET(&out, more, more);
    if (w->parted)
        FOB_SET(&out, parts, advice(w, more));
    array_of(&body, count, &rows);
    fob_buf_free(&rows);
    answer(w, &out, blob_of(&body));
}

static void refuse_whole(world_t *w, const fob_wire_t *msg) {
    fob_wire_t out = {.verb = FOB_VERB_WHOLENESS};
    FOB_SET(&out, req, msg->req);
    FOB_SET(&out, code, chance(w, 50) ? FOB_NO_MEMORY : FOB_LIMIT);
    answer(w, &out, NULL);
}

void bus_request(world_t *w, const fob_wire_t *msg) {
    if (msg->verb == FOB_VERB_FETCH) {
        CHECK(w, !w->serving); /* one at a time */
        w->serving = true;
        serve_fetch(w, msg);
    } else {
        CHECK(w, msg->verb == FOB_VERB_WHOLE && msg->upto > msg->from);
        CHECK(w, !FOB_HAS(msg, parts) || (w->parted && msg->part < msg->parts));
        w->parts_asked += FOB_HAS(msg, parts);
        if (fault(w, 30))
            refuse_whole(w, msg);
        else
            serve_whole(w, msg);
    }
}

/* --- its life --- */

void bus_hang_up(world_t *w) {
    w->up = w->listening = w->serving = false;
    burn_all(w, true, true);
    w->last_due_ms = 0;
    fob_sequencer_pause(w->sequencer);
    fob_sequencer_down(w->sequencer);
}

static void dial(world_t *w) {
    static const uint8_t caps[] = {0x91, 0xa5, 'f', 'e', 't', 'c', 'h'};
    fob_wire_t welcome = {.verb = FOB_VERB_WELCOME};
    uint64_t known = fob_sequencer_epoch(w->sequencer);
    FOB_SET(&welcome, epoch, w->eras[w->era].epoch);
    FOB_SET(&welcome, head, head_of(w));
    FOB_SET(&welcome, began, world_common(w, known));
    FOB_SET(&welcome, caps, fob_slice(caps, sizeof caps));
    if (!known) {
        w->first_up_head = head_of(w);
        w->reader_era = w->start_era = w->era;
        if (w->options.from == FOB_SEQUENCER_LATEST)
            w->start = head_of(w);
        if (w->options.from == FOB_SEQUENCER_OFFSET)
            w->start = w->options.value ? w->options.value - 1 : 0;
    }
    w->up = true;
    w->beat_ms = w->now_ms + BEAT_MS;
    w->listen_ms = w->now_ms + (int64_t)draw(w, 50);
    fob_sequencer_up(w->sequencer, now_of(w), &welcome);
}

/* The bus starts anew; where it went down hard, its last events are not there any more. Connections
 * end with it, but that is not what a subscriber has to know it by. */
static void restart(world_t *w) {
    if (w->up && !chance(w, 20))
        bus_hang_up(w);
    uint64_t head = head_of(w), cut = draw(w, 20);
    for (unsigned t = 0; t < TOPICS; t++)
        w->used[t] = 0;
    if (chance(w, 50) && w->era + 1 < ERAS) {
        uint64_t began = cut < head ? head - cut : 0;
        if (w->oldest > began + 1)
            w->oldest = began + 1;
        w->renumbered = true;
        memset(w->seq, 0, sizeof w->seq);
        w->era++;
        w->eras[w->era] = (era_t){.epoch = w->eras[w->era - 1].epoch + 1 + draw(w, 9),
                                  .began = began,
                                  .head = began,
                                  .first = w->entry_count};
    }
    w->prev_floor = head_of(w);
}

static void trim(world_t *w) {
    uint64_t keep = draw(w, chance(w, 30) ? 20 : 300), head = head_of(w);
    if (head > keep && head - keep + 1 > w->oldest)
        w->oldest = head - keep + 1;
}

static void beat(world_t *w) {
    fob_wire_t msg = {.verb = FOB_VERB_BEAT};
    FOB_SET(&msg, epoch, w->eras[w->era].epoch);
    FOB_SET(&msg, head, head_of(w));
    FOB_SET(&msg, began, world_common(w, fob_sequencer_epoch(w->sequencer)));
    w->beat_ms = w->now_ms + BEAT_MS;
    fob_sequencer_beat(w->sequencer, now_of(w), &msg);
}

void bus_begin(world_t *w) {
    w->eras[0] = (era_t){.epoch = 1 + draw(w, 100)};
    w->oldest = 1;
    for (uint64_t i = draw(w, 60); i > 0; i--)
        publish(w);
    if (chance(w, 50))
        trim(w);
}

void bus_step(world_t *w) {
    if (!w->calm && chance(w, 60))
        publish(w);
    if (!w->calm && chance(w, 5))
        fire(w);
    if (fault(w, 2))
        restart(w);
    if (fault(w, 4))
        trim(w);
    if (fault(w, 2) && head_of(w) > w->oldest)
        w->entries[world_entry(w, w->era, w->oldest + draw(w, head_of(w) - w->oldest)) - w->entries]
            .damaged = true;
    if (fault(w, 3) && w->up)
        bus_hang_up(w);
    if (!w->up && chance(w, 20))
        dial(w);
    if (fault(w, 3) && w->listening) { /* only the subscription is lost */
        w->listening = false;
        burn_all(w, true, false);
        w->listen_ms = w->now_ms + (int64_t)draw(w, 3000);
    }
    if (w->up && !w->listening && w->now_ms >= w->listen_ms)
        w->listening = true;
    if (w->up && w->now_ms >= w->beat_ms)
        beat(w);
}
