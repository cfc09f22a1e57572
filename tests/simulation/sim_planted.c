#include "sim_planted.h"

#include "proto/planted.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *text;
} bugs[] = {
#define BUG(name, text) {#name, text},
    FOB_PLANTED_MAP(BUG)
#undef BUG
};

void sim_planted_list(void) {
    for (size_t i = 0; i < sizeof bugs / sizeof *bugs; i++)
        printf("%s\t%s\n", bugs[i].name, bugs[i].text);
}

#ifdef FOB_PLANTED_BUGS
fob_plant_t fob_planted = FOB_PLANT_NONE;

bool sim_planted_set(const char *name) {
    for (size_t i = 0; i < sizeof bugs / sizeof *bugs; i++)
        if (strcmp(bugs[i].name, name) == 0)
            fob_planted = (fob_plant_t)(FOB_PLANT_NONE + 1 + i);
    return fob_planted != FOB_PLANT_NONE;
}
#else
bool sim_planted_set(const char *name) {
    (void)name;
    return false;
}
#endif
