#include "bus/host/rss.h"

#include <stdio.h>
#include <unistd.h>

int64_t fob_rss(void) {
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return -1;
    long long total, resident;
    int got = fscanf(file, "%lld %lld", &total, &resident);
    fclose(file);
    return got == 2 ? resident * sysconf(_SC_PAGESIZE) : -1;
}
