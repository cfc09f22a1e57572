/* folder: where the data of a bus lies. Any thread. */
#ifndef FOB_FOLDER_H
#define FOB_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

/* `given`, NULL: else FOB_DATA, else ~/.local/share/fob. False: `given` is empty, none of them
 * is known, or the name does not fit. */
bool fob_data_folder(const char *given, char *out, size_t size);

#endif
