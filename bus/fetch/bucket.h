/* bucket: so many bytes a second, and a burst; less of it while others have much to do, but never
 * less than a quarter. It may run into debt, as what is done is known only afterwards. Pure. */
#ifndef FOB_FETCH_BUCKET_H
#define FOB_FETCH_BUCKET_H

#include "proto/now.h"

typedef struct {
    int64_t rate;  /* bytes a second: 1 to 2^33 */
    int64_t burst; /* bytes */
    int64_t left;  /* below 0: in debt */
    int64_t at_ns; /* as of then */
} fob_bucket_t;

/* Full. */
static inline fob_bucket_t fob_bucket(int64_t rate, int64_t burst) {
    return (fob_bucket_t){.rate = rate, .burst = burst, .left = burst};
}

/* `others`: what they did since it was filled last, in bytes. */
static inline void fob_bucket_fill(fob_bucket_t *self, int64_t now_ns, int64_t others) {
    int64_t passed = now_ns - self->at_ns;
    if (passed > FOB_SEC) /* so that the product does not run over */
        passed = FOB_SEC;
    int64_t more = self->rate * passed / FOB_SEC;
    if (more <= 0)
        return;
    more -= others < more - more / 4 ? others : more - more / 4;
    self->left = self->left + more < self->burst ? self->left + more : self->burst;
    self->at_ns = now_ns;
}

static inline void fob_bucket_take(fob_bucket_t *self, uint64_t bytes) {
    self->left -= (int64_t)bytes;
}

/* When there is something left again (mono_ns); not later than its time where there is. */
static inline int64_t fob_bucket_ready(const fob_bucket_t *self) {
    if (self->left > 0)
        return self->at_ns;
    return self->at_ns + (1 - self->left) * FOB_SEC / self->rate + FOB_MS;
}

#endif
