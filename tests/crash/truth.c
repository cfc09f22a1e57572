#include "truth.h"

#include "tests/support/case.h"
#include "tests/support/stand.h"

#include <stdlib.h>

#define PAD_MOST 200u

static void *roomy(void *array, size_t *room, size_t need, size_t size) {
    if (need <= *room)
        return array;
    size_t more = 2 * need + 1024;
    array = realloc(array, more * size);
    assert_non_null(array);
    memset((char *)array + *room * size, 0, (more - *room) * size);
    *room = more;
    return array;
}

const char *truth_line(truth_t *self, unsigned publisher, unsigned pad) {
    static char line[PAD_MOST + 64];
    size_t n = self->sent[publisher]++;
    self->pads[publisher] = roomy(self->pads[publisher], &self->room[publisher], n + 1, 1);
    assert_true(pad < PAD_MOST);
    self->pads[publisher][n] = (uint8_t)pad;
    int size = snprintf(line, sizeof line, "{\"n\":%zu,\"p\":\"", n);
    memset(line + size, 'x', pad);
    strcpy(line + size + pad, "\"}\n");
    return line;
}

/* The number in a line behind a name; -1: there is none. */
static long long after(const char *line, const char *name) {
    const char *at = strstr(line, name);
    return at ? atoll(at + strlen(name)) : -1;
}

size_t truth_receipts(truth_t *self, unsigned publisher, const char *path) {
    char *text = stand_read(path), *rest = text;
    uint32_t n = 0;
    long long last = 0;
    for (char *line; (line = stand_line(&rest)) && strchr(line, '}'); n++) {
        long long offset = after(line, "\"offset\":");
        if (offset <= last || !strstr(line, "\"duplicate\":false"))
            fail_msg("line %u of %s: %s", n, path, line); /* each has an id of its own */
        self->events = roomy(self->events, &self->count, (size_t)offset + 1, sizeof *self->events);
        truth_event_t *event = &self->events[offset];
        if (event->publisher && (event->publisher != publisher + 1 || event->n != n))
            fail_msg("offset %lld was told for two events: %s", offset, line);
        *event = (truth_event_t){n, (uint8_t)(publisher + 1)};
        if ((uint64_t)offset > self->last)
            self->last = (uint64_t)offset;
        last = offset;
    }
    free(text);
    assert_true(n <= self->sent[publisher]);
    return n;
}

const truth_event_t *truth_of(const truth_t *self, uint64_t offset) {
    return offset < self->count && self->events[offset].publisher ? &self->events[offset] : NULL;
}

void truth_saw(truth_seen_t *seen, uint64_t offset) {
    seen->times = roomy(seen->times, &seen->room, offset + 1, 1);
    if (seen->times[offset] < UINT8_MAX)
        seen->times[offset]++;
}

unsigned truth_times(const truth_seen_t *seen, uint64_t offset) {
    return offset < seen->room ? seen->times[offset] : 0;
}

void truth_seen_free(truth_seen_t *seen) {
    free(seen->times);
    *seen = (truth_seen_t){0};
}

/* The event is the one that was confirmed at its offset. */
static void is_right(const truth_t *self, const char *line, long long offset) {
    const truth_event_t *event = offset > 0 ? truth_of(self, (uint64_t)offset) : NULL;
    if (!event)
        fail_msg("it was handed out, and nobody was told that it is stored: %s", line);
    const char *data = strstr(line, "\"data\":{\"n\":"), *pad = strstr(line, "\"p\":\"");
    const char *end = pad ? strchr(pad + 5, '"') : NULL;
    char topic[64];
    unsigned publisher = event->publisher - 1u;
    snprintf(topic, sizeof topic, "\"topic\":\"%s\"", self->topics[publisher]);
    if (!strstr(line, topic) || !data || after(line, "\"data\":{\"n\":") != (long long)event->n ||
        !end || (size_t)(end - pad - 5) != self->pads[publisher][event->n])
        fail_msg("it is not event %u of %s: %s", event->n, self->topics[publisher], line);
}

void truth_handled(const truth_t *self, const char *path, truth_seen_t *seen) {
    char *text = stand_read(path), *rest = text;
    size_t size = strlen(text);
    bool whole = size > 0 && text[size - 1] == '\n';
    for (char *line; (line = stand_line(&rest)) != NULL;) {
        if (*rest == 0 && !whole)
            break;
        long long offset = after(line, "\"offset\":");
        is_right(self, line, offset);
        truth_saw(seen, (uint64_t)offset);
        seen->lines++;
    }
    free(text);
}

size_t truth_complete(const truth_t *self, const truth_seen_t *seen, unsigned publishers,
                      const char *group) {
    size_t twice = 0;
    for (uint64_t offset = 1; offset <= self->last; offset++) {
        const truth_event_t *event = truth_of(self, offset);
        bool wanted = event && publishers & 1u << (event->publisher - 1);
        if (wanted != (truth_times(seen, offset) > 0))
            fail_msg("event %llu of %s %s", (unsigned long long)offset, group,
                     wanted ? "was confirmed, and not handed out" : "was not the group's");
        twice += truth_times(seen, offset) > 1;
    }
    return twice;
}

void truth_free(truth_t *self) {
    for (unsigned i = 0; i < TRUTH_PUBLISHERS; i++)
        free(self->pads[i]);
    free(self->events);
    *self = (truth_t){0};
}
