/* config: the bus's configuration file: ZPL, read by czmq's zconfig, every error with file and
 * line. One thread. */
#ifndef FOB_CONFIG_H
#define FOB_CONFIG_H

#include <fob/fob_bus.h>
#include <stdbool.h>

typedef struct fob_config fob_config_t;

/* Reads the file into `options` (which keeps what the file does not name; its strings are good as
 * long as the config). NULL: it cannot be read, or is not valid: `text` says which file and line,
 * and what to do. */
fob_config_t *fob_config_load(const char *path, fob_bus_options_t *options, char *text,
                              size_t size);
void fob_config_destroy(fob_config_t **self_p);

/* A share of a file system, "80%", for max_disk: 1 to 100 percent; 0: an amount was given, or
 * nothing. */
unsigned fob_config_disk_share(const fob_config_t *self);

#endif
