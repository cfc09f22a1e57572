/* world_draw: chance, faults, time and checks of a seeded world_t, which whoever includes this has
 * defined, with `seed`, `random`, `calm` (no faults any more) and `now_ms`. */
#ifndef FOB_TESTS_WORLD_DRAW_H
#define FOB_TESTS_WORLD_DRAW_H

static inline uint64_t draw(world_t *w, uint64_t below) {
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % below;
}

static inline bool chance(world_t *w, unsigned percent) {
    return draw(w, 100) < percent;
}

static inline bool fault(world_t *w, unsigned permille) {
    return !w->calm && draw(w, 1000) < permille;
}

static inline fob_now_t now_of(const world_t *w) {
    return (fob_now_t){w->now_ms * FOB_MS, w->now_ms};
}

#define CHECK(w, condition)                                                                        \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fail_msg("seed %u, at %lld ms: %s", (w)->seed, (long long)(w)->now_ms, #condition);    \
    } while (0)

#endif
