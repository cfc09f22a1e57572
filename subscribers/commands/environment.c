#include "subscribers/commands/environment.h"

#include "proto/cli/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[FOB_ENVIRONMENT_OURS] = {
    "FOB_TOPIC=", "FOB_OFFSET=", "FOB_ID=", "FOB_KEY=", "FOB_ATTEMPT=", "FOB_GROUP=", "FOB_TOKEN="};

static bool is_ours(const char *item) {
    for (size_t i = 0; i < FOB_ENVIRONMENT_OURS; i++)
        if (strncmp(item, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

bool fob_environment_begin(fob_environment_t *self) {
    size_t count = 0;
    while (environ[count])
        count++;
    *self = (fob_environment_t){
        .items = malloc((count + FOB_ENVIRONMENT_OURS + 1) * sizeof *self->items)};
    if (!self->items)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!is_ours(environ[i]))
            self->items[self->base++] = environ[i];
    self->items[self->base] = NULL;
    return true;
}

void fob_environment_end(fob_environment_t *self) {
    free(self->items);
    fob_buf_free(&self->text);
    *self = (fob_environment_t){0};
}

static void put(fob_environment_t *self, size_t *starts, size_t *count, const char *name,
                const char *value) {
    starts[(*count)++] = self->text.size;
    fob_text(&self->text, name);
    fob_text(&self->text, value);
    fob_buf_put(&self->text, "", 1);
}

static void put_number(fob_environment_t *self, size_t *starts, size_t *count, const char *name,
                       uint64_t value) {
    starts[(*count)++] = self->text.size;
    fob_textf(&self->text, "%s%" PRIu64, name, value);
    fob_buf_put(&self->text, "", 1);
}

bool fob_environment_set(fob_environment_t *self, const fob_event_t *event, const char *group) {
    size_t starts[FOB_ENVIRONMENT_OURS], count = 0;
    fob_buf_clear(&self->text);
    put(self, starts, &count, "FOB_TOPIC=", fob_event_topic(event));
    put_number(self, starts, &count, "FOB_OFFSET=", fob_event_offset(event));
    put(self, starts, &count, "FOB_ID=", fob_event_id(event));
    if (fob_event_key(event))
        put(self, starts, &count, "FOB_KEY=", fob_event_key(event));
    put_number(self, starts, &count, "FOB_ATTEMPT=", fob_event_attempt(event));
    put(self, starts, &count, "FOB_GROUP=", group);
    put_number(self, starts, &count, "FOB_TOKEN=", fob_event_token(event));
    /* The buffer may have moved while it grew. */
    for (size_t i = 0; i < count && !self->text.failed; i++)
        self->items[self->base + i] = (char *)self->text.data + starts[i];
    self->items[self->base + (self->text.failed ? 0 : count)] = NULL;
    return !self->text.failed;
}
