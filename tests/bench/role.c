/* role: what the processes of a round say of what they do. */
#include "tests/bench/round_inside.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t role_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool role_fails(const role_t *role, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s, %s: ", role->work->name, role->round->peer->name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return false;
}

static void wait_ns(uint64_t ns) {
    struct timespec pause = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    nanosleep(&pause, NULL);
}

/* --- publishers --- */

uint64_t role_events(const role_t *role) {
    return role->round->each;
}

static round_sender_t *sender(const role_t *role) {
    return &role->round->senders[role->index];
}

bool role_heard(const role_t *role) {
    unsigned consumers = role->round->consumers;
    uint64_t all = consumers >= 64 ? UINT64_MAX : (UINT64_C(1) << consumers) - 1;
    if ((atomic_load(&sender(role)->heard) & all) == all)
        return true;
    wait_ns(1000000);
    return false;
}

void role_probe(role_t *role, void *body) {
    tally_body_t probe = {TALLY_PROBE, 0, role->index, TALLY_MARK};
    memcpy(body, &probe, sizeof probe);
}

void role_begin(role_t *role) {
    atomic_fetch_add(&role->round->ready, 1);
    while (!atomic_load(&role->round->began))
        wait_ns(200000);
    role->stamped = role_clock();
    sender(role)->first = role->stamped;
}

bool role_pace(role_t *role, uint64_t number, int fd) {
    const work_t *work = role->work;
    if (!work->rate)
        return true;
    /* Publishers take turns. */
    uint64_t place = number * work->publishers + role->index;
    uint64_t due =
        atomic_load(&role->round->start) + (uint64_t)((double)place * 1e9 / (double)work->rate);
    for (uint64_t now; (now = role_clock()) < due;) {
        struct timespec pause = {(time_t)((due - now) / 1000000000u),
                                 (long)((due - now) % 1000000000u)};
        struct pollfd what = {fd, POLLIN, 0};
        if (ppoll(&what, fd >= 0, &pause, NULL) > 0)
            return false;
    }
    return true;
}

void role_stamp(role_t *role, void *body, uint64_t number) {
    round_sender_t *own = sender(role);
    if (round_timed(role->work, number))
        role->stamped = role_clock();
    tally_body_t head = {number, role->stamped, role->index, TALLY_MARK};
    memcpy(body, &head, sizeof head);
    own->sent_at[number % ROUND_SENT] = role->stamped;
    own->last = role->stamped;
    atomic_store_explicit(&own->sent, number + 1, memory_order_relaxed);
}

void role_confirmed(role_t *role, uint64_t count) {
    round_sender_t *own = sender(role);
    uint64_t before = own->confirmed, now = role_clock();
    for (uint64_t number = before; number < before + count; number++)
        if (round_timed(role->work, number))
            fob_histogram_add(&own->delay, (int64_t)(now - own->sent_at[number % ROUND_SENT]));
    own->last_confirmed = now;
    atomic_store(&own->confirmed, before + count);
}

/* --- consumers --- */

void role_ready(role_t *role) {
    atomic_fetch_add(&role->round->ready, 1);
}

void role_arrived(role_t *role, const void *data, size_t size) {
    round_t *round = role->round;
    tally_t *own = round_tally(round, role->index);
    tally_body_t body = {0};
    if (size != role->work->size) {
        own->strange++;
        return;
    }
    memcpy(&body, data, sizeof body);
    if (body.number == TALLY_PROBE && body.mark == TALLY_MARK &&
        body.publisher < role->work->publishers) {
        atomic_fetch_or(&round->senders[body.publisher].heard, UINT64_C(1) << role->index);
        return;
    }
    uint64_t seen = own->distinct + 1;
    /* The last one tells when all was there; where several share them, the last that is timed. */
    bool timed = round_timed(role->work, body.number) || seen == role->work->events;
    tally_take(own, &body, round->each, role->work->publishers, timed ? role_clock() : 0);
}

bool role_over(const role_t *role) {
    return atomic_load_explicit(&role->round->over, memory_order_relaxed);
}
