#include "subscribers/commands/firsts.h"

#include <limits.h>

/* A full disk ends the command as a failed one does. */
static int exit_code(fob_status_t status) {
    return status == FOB_DISK_FULL ? FOB_EXIT_IO : fob_exit_code(status);
}

int fob_firsts_open(fob_firsts_t *self, const char *folder) {
    fob_once_options_t options = FOB_ONCE_OPTIONS;
    fob_status_t status;
    char text[PATH_MAX + 256];
    if (!folder)
        return FOB_EXIT_OK;
    options.folder = folder;
    self->once = fob_once_new(&options, &status, text, sizeof text);
    if (!self->once)
        return fob_fail(self->cli, status == FOB_INVALID ? FOB_EXIT_USAGE : fob_exit_code(status),
                        "%s", text);
    fob_once_trouble(self->once, text, sizeof text);
    if (text[0])
        fob_note(self->cli, "%s", text);
    return FOB_EXIT_OK;
}

void fob_firsts_close(fob_firsts_t *self) {
    fob_once_destroy(&self->once);
}

static int fail(const fob_firsts_t *self, fob_status_t status) {
    char text[PATH_MAX + 256];
    fob_once_trouble(self->once, text, sizeof text);
    return fob_fail(self->cli, exit_code(status), "%s", text);
}

static void tell(const fob_firsts_t *self, const fob_event_t *event, const char *what) {
    if (self->cli->verbose)
        fob_note(self->cli, "%s, attempt %u: %s", fob_event_id(event), fob_event_attempt(event),
                 what);
}

int fob_firsts_begin(const fob_firsts_t *self, const fob_event_t *event, fob_settle_t *how) {
    char key[FOB_ONCE_KEY_MAX];
    fob_once_state_t state;
    *how = (fob_settle_t)0;
    if (!self->once)
        return FOB_EXIT_OK;
    size_t size = fob_once_key_of(event, self->group, key);
    fob_status_t status = fob_once_begin(self->once, key, size, &state, NULL, NULL);
    if (status != FOB_OK) {
        *how = FOB_RELEASE;
        return fail(self, status);
    }
    if (state == FOB_ONCE_DONE) {
        *how = FOB_ACK;
        tell(self, event, "done before: acked without running the command");
    } else if (state == FOB_ONCE_IN_PROGRESS) {
        *how = FOB_RELEASE;
        tell(self, event, "another command is at it: released");
    }
    return FOB_EXIT_OK;
}

int fob_firsts_end(const fob_firsts_t *self, const fob_event_t *event, fob_settle_t how) {
    char key[FOB_ONCE_KEY_MAX];
    if (!self->once)
        return FOB_EXIT_OK;
    size_t size = fob_once_key_of(event, self->group, key);
    fob_status_t status = how == FOB_ACK ? fob_once_commit(self->once, key, size, NULL, 0)
                                         : fob_once_abort(self->once, key, size);
    return status == FOB_OK ? FOB_EXIT_OK : fail(self, status);
}
