#include "bus/journal/rehearse.h"

#include "bus/journal/recovery.h"
#include "bus/journal/replay.h"

fob_journal_code_t fob_journal_rehearse(const char *folder, const fob_replay_t *to,
                                        fob_journal_error_t *error) {
    const fob_file_options_t options = {.folder = folder, .disk = fob_disk_look()};
    fob_recovered_t found;
    fob_store_t store;
    *error = (fob_journal_error_t){0};
    if (!fob_store_init(&store, &options, error))
        return error->code;
    fob_journal_code_t code = fob_recover(&store, &found, error);
    if (code == FOB_JOURNAL_OK)
        code = fob_replay_above(&store, found.kept.newest, found.last_position, to, error);
    fob_store_close(&store);
    return code;
}
