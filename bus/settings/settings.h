/* settings: the options of a bus with every default filled in and every value checked. Pure. */
#ifndef FOB_SETTINGS_H
#define FOB_SETTINGS_H

#include "bus/core/core.h"
#include "bus/journal/file.h"
#include "bus/settings/terms.h"

#include <fob/fob_bus.h>

typedef struct {
    char bind[64], advertise[256], data[4096];
    bool memory;
    int port;             /* -1: any */
    uint64_t max_batch;   /* bytes of a PUBLISH body */
    uint64_t max_message; /* bytes of a frame: beyond, libzmq ends the connection */
    uint64_t max_disk, retain_bytes;
    int64_t retain_ms;
    uint32_t max_connections;
    int64_t heartbeat_ms;
    fob_file_options_t file; /* its folder points to `data` */
    fob_core_config_t core;  /* without the seed */
    fob_terms_t defaults;    /* all settings of a new group */
} fob_settings_t;

/* FOB_OK; FOB_INVALID, with a sentence that names the option in `text`. */
fob_status_t fob_settings_fill(fob_settings_t *self, const fob_bus_options_t *options, char *text,
                               size_t size) FOB_MUST_USE;

/* Fills in what is a share of max_disk (above 0), now that this is known. */
void fob_settings_disk(fob_settings_t *self, uint64_t max_disk);

#endif
