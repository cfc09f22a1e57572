/* sim_names: the names of the simulated disk, whole paths, and which of their changes are durable.
 */
#ifndef FOB_TESTS_SIMULATION_SIM_NAMES_H
#define FOB_TESTS_SIMULATION_SIM_NAMES_H

#include "sim_file.h"

typedef struct {
    char *path;
    sim_file_t *file;
} sim_name_t;

typedef struct {
    sim_name_t *all; /* in the order of paths */
    size_t count, capacity;
} sim_map_t;

/* One change that was not synced: the first path goes, the second becomes the file; either may be
 * NULL. */
typedef struct {
    char *gone, *set;
    sim_file_t *file;
} sim_change_t;

typedef struct {
    sim_map_t now, durable;
    sim_change_t *changes;
    size_t count, capacity;
} sim_names_t;

void sim_names_free(sim_names_t *self);
/* NULL: none. */
sim_file_t *sim_names_find(const sim_names_t *self, const char *path);
/* `gone` goes, `set` is `file` from now on; both or one. */
void sim_names_change(sim_names_t *self, const char *gone, const char *set, sim_file_t *file);
/* What was changed in that folder is durable. */
void sim_names_sync(sim_names_t *self, const char *folder);
/* As the next start finds them; `copy` makes its file of each that is left, once for each. */
void sim_names_after(const sim_names_t *self, bool power_lost, sim_random_t *random,
                     sim_file_t *(*copy)(const sim_file_t *file, sim_random_t *random),
                     sim_names_t *out);
/* Whether `path` lies in `folder` itself; *name is what follows. */
bool sim_names_within(const char *folder, const char *path, const char **name);

#endif
