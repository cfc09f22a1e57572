#include "bus/journal/begin.h"

#include "bus/journal/epoch.h"

#include <errno.h>
#include <string.h>

fob_journal_code_t fob_journal_begin(const char *folder, uint64_t epoch, uint64_t position,
                                     uint64_t lowest, uint64_t highest,
                                     fob_journal_error_t *error) {
    /* Of a level below disk, and no clean end: what is said of a run after which offsets may be
     * given twice. */
    const fob_file_options_t options = {.folder = folder, .sync = FOB_SYNC_OS};
    fob_store_t store;
    if (!fob_store_init(&store, &options, error))
        return error->code;
    store.epoch = epoch;
    store.lowest = lowest;
    int rc = fob_epoch_write(&store, false, position, highest);
    if (rc != 0)
        fob_error_set(error, FOB_JOURNAL_SYSTEM, "Cannot write %s/" FOB_EPOCH_NAME ": %s.", folder,
                      strerror(errno));
    fob_store_close(&store);
    return rc == 0 ? FOB_JOURNAL_OK : FOB_JOURNAL_SYSTEM;
}
