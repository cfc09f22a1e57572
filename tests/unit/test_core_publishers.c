/* The publishers of the model: what they send, and what they may be answered. */
#include "test_core_world.h"

const char *const topic_names[TOPICS] = {"order.placed", "order.x", "rare.thing", "other.x",
                                         "other"};
static const unsigned topic_odds[TOPICS] = {50, 20, 1, 10, 19};

#define EVENT_MOST 64 /* bytes of one, encoded */

typedef unsigned long long ull;

static unsigned random_topic(void) {
    uint64_t at = chance(100);
    unsigned t = 0;
    while (at >= topic_odds[t])
        at -= topic_odds[t++];
    return t;
}

/* --- sending --- */

static void offer(publisher_t *publisher, uint64_t first, uint64_t count, fob_status_t refuse) {
    fob_buf_t body = {0};
    uint8_t session[FOB_SESSION_SIZE];
    uint64_t index = (uint64_t)(publisher - world->publishers);
    memset(session, (int)index + 1, sizeof session);
    for (uint64_t n = first; n < first + count; n++) {
        uint64_t data[2] = {index, n};
        size_t before = body.size;
        char id[16] = "";
        if (publisher->id[n])
            snprintf(id, sizeof id, "i%u", publisher->id[n]);
        kit_event_with(&body, topic_names[publisher->topic[n]], id, publisher->priority[n], data,
                       sizeof data);
        if (publisher->kinds[n])
            body.data[before + 2] = '.'; /* the first byte of the topic */
    }
    fob_blob_t *blob = fob_blob_copy(fob_buf_slice(&body));
    kit_do(&world->kit,
           &(fob_command_t){.kind = FOB_CMD_PUBLISH,
                            .conn = publisher->conn,
                            .publish = {session, first, publisher->low, blob, refuse}});
    fob_blob_unref(&blob);
    fob_buf_free(&body);
}

static bool draw_new(publisher_t *publisher, uint64_t count) {
    if (fob_core_head(world->kit.core) + count + 1000 > EVENTS_MAX ||
        publisher->next + count > EVENTS_MAX || publisher->next - publisher->low > 500)
        return false;
    uint64_t most = world->plan.limits ? 9 : 3; /* of ten: what is dropped first is seldom left */
    for (uint64_t n = publisher->next; n < publisher->next + count; n++) {
        publisher->topic[n] = (uint8_t)random_topic();
        publisher->kinds[n] = chance(200) == 0;
        publisher->id[n] = world->plan.ids && chance(2) ? (uint8_t)(1 + chance(200)) : 0;
        publisher->priority[n] =
            world->plan.priorities && chance(10) < most ? (uint8_t)chance(10) : 0;
    }
    publisher->next += count;
    return true;
}

static void lose_message(publisher_t *publisher) {
    /* Within a connection nothing is lost. Where no hole was left, it is noticed all the same. */
    if (publisher->holes)
        publisher_reconnect(publisher);
}

/* The next of what is offered again, in order. */
static uint64_t offer_again(publisher_t *publisher, uint64_t *first, uint64_t count) {
    *first = publisher->resend > publisher->low ? publisher->resend : publisher->low;
    count = publisher->next - *first < count ? publisher->next - *first : count;
    publisher->resend = *first + count < publisher->next ? *first + count : 0;
    publisher->begins = publisher->begins && publisher->resend;
    return count;
}

void publisher_act(void) {
    publisher_t *publisher = &world->publishers[chance(PUBLISHERS)];
    uint64_t first = publisher->next, count = 1 + chance(chance(4) ? 8 : 60);
    /* What was refused waits for a while; other topics go on meanwhile. */
    bool may_wait = publisher->refused && !publisher->begins && chance(4) == 0;
    bool goes_back = publisher->refused && !publisher->begins && chance(4) == 0;
    if ((publisher->resend && !may_wait) || (goes_back && publisher->low < publisher->next))
        count = offer_again(publisher, &first, count);
    else if (!draw_new(publisher, count))
        return;
    if (count && chance(50) == 0)
        lose_message(publisher);
    else if (count)
        offer(publisher, first, count, chance(40) == 0 ? FOB_DISK_FULL : FOB_OK);
}

void publisher_go_back(void) {
    publisher_t *publisher = &world->publishers[chance(PUBLISHERS)];
    if (publisher->low < publisher->next)
        publisher->resend = publisher->low;
    if (chance(2))
        publisher_reconnect(publisher);
}

void publisher_reconnect(publisher_t *publisher) {
    if (publisher->conn)
        kit_lost(&world->kit, publisher->conn);
    publisher->conn = world->next_conn++;
    publisher->refused = false;
    publisher->resend = publisher->low < publisher->next ? publisher->low : 0;
    publisher->begins = publisher->resend;
}

bool publishers_finish(void) {
    bool any = false;
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        publisher_t *publisher = &world->publishers[i];
        uint64_t first = publisher->low, left = publisher->next - first;
        publisher->resend = 0;
        if (left == 0)
            continue;
        any = true;
        offer(publisher, first, left < 100 ? left : 100, FOB_OK);
        kit_sync(&world->kit, world->kit.position);
        model_look();
    }
    return any;
}

/* --- what is decided --- */

static publisher_t *publisher_of(uint64_t conn) {
    for (size_t i = 0; i < PUBLISHERS; i++) {
        if (world->publishers[i].conn == conn)
            return &world->publishers[i];
    }
    return NULL;
}

/* The offset under which this turn stored a number; 0: it did not. */
static uint64_t stored_now(const publisher_t *publisher, uint64_t number) {
    const kit_t *kit = &world->kit;
    uint64_t index = (uint64_t)(publisher - world->publishers);
    for (size_t i = kit->turn_from; i < kit->log_count; i++) {
        for (uint64_t k = 0; k < kit->log[i].count; k++) {
            uint64_t offset = kit->log[i].first_offset + k;
            const books_event_t *event = &world->books.events[offset];
            if (event->data[0] == index && event->data[1] == number)
                return offset;
        }
    }
    return 0;
}

/* Whether a group could be full when a number was judged: this turn stored some behind it, and then
 * some may have gone. */
static bool full_at(const books_group_t *group, uint64_t number) {
    const kit_t *kit = &world->kit;
    bool recorded = kit->turn_from < kit->log_count;
    uint64_t depth = books_depth(group) + (recorded ? group->left : 0);
    uint64_t bytes = group->bytes + (recorded ? group->left_bytes : 0) + EVENT_MOST;
    for (size_t i = kit->turn_from; i < kit->log_count; i++) {
        for (uint64_t k = 0; k < kit->log[i].count; k++) {
            const books_event_t *event = &world->books.events[kit->log[i].first_offset + k];
            if (event->data[1] <= number || !books_match(group, event->topic))
                continue;
            depth--;
            bytes -= event->size;
        }
    }
    return depth >= group->policy.max_depth || bytes > group->policy.max_bytes;
}

/* The first number before this one, of its topic, that was refused on this connection and is not
 * stored yet: what comes behind it waits. 0: there is none. */
static uint64_t waits_for(const publisher_t *publisher, uint64_t number) {
    for (uint64_t n = publisher->low; n < number; n++) {
        if (publisher->turned[n] == publisher->conn &&
            publisher->topic[n] == publisher->topic[number])
            return n;
    }
    return 0;
}

static void watch_busy(publisher_t *publisher, uint64_t number, const kit_detail_t *detail) {
    const char *topic = topic_names[publisher->topic[number]];
    const books_group_t *group = books_find(&world->books, detail->group);
    check(group && books_match(group, topic), "%s is refused for %s", topic, detail->group);
    check(detail->retry_after >= 50 && detail->retry_after <= 5000, "retry after %llu",
          (ull)detail->retry_after);
    model_tally.busy++;
    publisher->turned[number] = publisher->conn;
    if (waits_for(publisher, number))
        return;
    check(group->policy.overflow == FOB_OVERFLOW_REJECT, "%s refuses", group->name);
    check(full_at(group, number), "number %llu is refused, but %s has %llu of %llu, %llu bytes",
          (ull)number, group->name, (ull)books_depth(group), (ull)group->policy.max_depth,
          (ull)group->bytes);
}

static void watch_duplicate(const publisher_t *publisher, uint64_t number, uint64_t offset) {
    const books_event_t *first = &world->books.events[offset];
    char id[16];
    snprintf(id, sizeof id, "i%u", publisher->id[number]);
    check(offset > 0 && offset <= world->books.head &&
              strcmp(first->topic, topic_names[publisher->topic[number]]) == 0 &&
              first->id == books_id(fob_slice_str(id)),
          "number %llu is called a duplicate of %llu", (ull)number, (ull)offset);
    model_tally.duplicates++;
}

static void watch_stored(publisher_t *publisher, uint64_t number, uint64_t offset) {
    uint64_t now = stored_now(publisher, number), first = waits_for(publisher, number);
    check(!now || now == offset, "number %llu is at %llu, and answered %llu", (ull)number, (ull)now,
          (ull)offset);
    check(!now || !first, "number %llu is stored, while its topic waits for %llu", (ull)number,
          (ull)first);
}

void publisher_watch(const kit_effect_t *effect) {
    publisher_t *publisher = publisher_of(effect->conn);
    for (size_t i = 0; publisher && i < effect->row_count; i++) {
        const uint64_t *row = effect->rows[i];
        for (uint64_t k = 0; k < row[2]; k++) {
            uint64_t number = row[1] + k;
            check(number < publisher->next, "an answer to what was never sent");
            if (row[0] == FOB_BUSY || row[0] == FOB_DISK_FULL)
                publisher->refused = publisher->holes = true;
            if (row[0] == FOB_BUSY) {
                watch_busy(publisher, number, &effect->details[i]);
                continue;
            }
            if (row[0] == FOB_OK && effect->details[i].duplicate)
                watch_duplicate(publisher, number, row[3] + k);
            else if (row[0] == FOB_OK)
                watch_stored(publisher, number, row[3] + k);
            if (row[0] == FOB_OK)
                publisher->turned[number] = 0;
        }
    }
}

/* --- what arrives --- */

static void see_stored(publisher_t *publisher, uint64_t number, uint64_t offset, bool duplicate) {
    uint8_t receipt = duplicate ? DUPLICATE : STORED;
    check(publisher->kinds[number] == 0, "a bad event was stored");
    check(publisher->receipts[number] == NO_RECEIPT ||
              (publisher->receipts[number] == receipt && publisher->offsets[number] == offset),
          "a second receipt of %llu names another offset", (ull)number);
    publisher->receipts[number] = receipt;
    publisher->offsets[number] = offset;
}

/* Refused for now. */
static void see_refused(publisher_t *publisher, uint64_t number, uint64_t status) {
    if (status == FOB_BUSY)
        return; /* offered again at some time */
    /* FORGOTTEN only where nothing was ever confirmed: the first message was lost. */
    check(status == FOB_GAP || status == FOB_DISK_FULL ||
              (status == FOB_FORGOTTEN && publisher->low == 1),
          "number %llu answered %s; low is %llu, next %llu", (ull)number,
          fob_status_name((fob_status_t)status), (ull)publisher->low, (ull)publisher->next);
    if (!publisher->receipts[number])
        publisher->resend = publisher->low;
}

void publisher_see(const kit_effect_t *effect) {
    publisher_t *publisher = publisher_of(effect->conn);
    for (size_t i = 0; publisher && i < effect->row_count; i++) {
        const uint64_t *row = effect->rows[i];
        for (uint64_t number = row[1]; number < row[1] + row[2]; number++) {
            if (row[0] == FOB_OK) {
                see_stored(publisher, number, row[3] + (number - row[1]),
                           effect->details[i].duplicate);
            } else if (row[0] == FOB_BAD_TOPIC) {
                check(publisher->kinds[number] == 1, "a good event was refused");
                publisher->receipts[number] = REFUSED;
            } else {
                see_refused(publisher, number, row[0]);
            }
        }
    }
    while (publisher && publisher->low < publisher->next && publisher->receipts[publisher->low])
        publisher->low++;
    if (publisher && publisher->low == publisher->next)
        publisher->holes = false;
}
