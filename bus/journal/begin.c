#include "bus/journal/begin.h"

#include "bus/journal/epoch.h"
#include "bus/journal/patient.h"

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

/* Its epoch file is whole, and of this epoch. */
static bool is_of(const char *folder, uint64_t epoch) {
    fob_epoch_mark_t mark;
    fob_journal_error_t error;
    bool torn = false;
    fob_journal_code_t code = fob_epoch_read(fob_disk_patient(), folder, &mark, &torn, &error);
    return code == FOB_JOURNAL_OK && !torn && mark.epoch == epoch;
}

/* What is known of this epoch; what is of others is none of it. */
static void read_lineage(fob_lineage_t *out, const char *folder, uint64_t epoch) {
    fob_lineage_read(out, fob_disk_patient(), folder);
    if (out->count && out->rows[out->count - 1].epoch != epoch)
        *out = (fob_lineage_t){0};
}

static void write_lineage(const fob_lineage_t *lineage, const char *folder) {
    const fob_file_options_t options = {.folder = folder};
    uint8_t data[FOB_LINEAGE_BYTES];
    fob_journal_error_t error;
    fob_store_t store;
    if (!fob_store_init(&store, &options, &error))
        return;
    /* (Without it nothing counts as the same.) */
    (void)fob_store_put(&store, FOB_LINEAGE_NAME, data, fob_lineage_encode(lineage, data));
    fob_store_close(&store);
}

void fob_journal_inherit(const char *folder, const char *from, uint64_t epoch) {
    fob_lineage_t lineage;
    read_lineage(&lineage, from, epoch);
    if (lineage.count)
        write_lineage(&lineage, folder);
}

void fob_journal_descend(const char *folder, const char *from, uint64_t epoch, uint64_t upto) {
    fob_lineage_t before, now;
    if (!is_of(from, epoch) || !fob_lineage_read(&now, fob_disk_patient(), folder) || !now.count)
        return;
    const fob_lineage_row_t *begun = &now.rows[now.count - 1];
    if (begun->before != epoch)
        return;
    read_lineage(&before, from, epoch);
    fob_lineage_add(&before, begun->epoch, epoch, upto);
    write_lineage(&before, folder);
}
