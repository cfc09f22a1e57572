#include "tests/support/faults.h"

static bool tell(faults_t *self, uint64_t n, bool lasting, void (*story)(void *arg), void *arg) {
    *self = (faults_t){.fail_at = n, .lasting = lasting};
    story(arg);
    self->watching = false;
    return self->failed > 0;
}

uint64_t faults_each(faults_t *self, void (*story)(void *arg), void *arg) {
    uint64_t n = 1;
    while (tell(self, n, false, story, arg)) {
        tell(self, n, true, story, arg);
        n++;
    }
    return n - 1;
}
