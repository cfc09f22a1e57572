/* here: what a figure is worth nothing without: on what it was measured. */
#include "tests/bench/rig.h"
#include "tests/bench/table_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* What stands behind `key` in a file of lines; the caller's; "unknown" where it is not there. */
static char *line_of(const char *path, const char *key, const char *skip) {
    FILE *file = fopen(path, "r");
    char line[512], *found = NULL;
    while (file && !found && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        char *at = line + strlen(key);
        at += strspn(at, skip);
        at[strcspn(at, "\"\n")] = 0;
        found = strdup(at);
    }
    if (file)
        fclose(file);
    return found ? found : strdup("unknown");
}

void here_find(here_t *self) {
    char day[64];
    time_t now = time(NULL);
    struct tm date;
    struct utsname name;
    char *model = line_of("/proc/cpuinfo", "model name", "\t :");
    double memory =
        (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1024.0 * 1024 * 1024);
    strftime(day, sizeof day, "%Y-%m-%d %H:%M UTC", gmtime_r(&now, &date));
    uname(&name);
    self->date = strdup(day);
    if (asprintf(&self->machine, "%s, %ld cores, %.1f GiB", model, sysconf(_SC_NPROCESSORS_ONLN),
                 memory) < 0 ||
        asprintf(&self->kernel, "Linux %s", name.release) < 0)
        rig_die("no memory");
    self->system = line_of("/etc/os-release", "PRETTY_NAME=", "\"");
#ifdef __clang__
    self->compiler = strdup(__VERSION__);
#else
    self->compiler = strdup("gcc " __VERSION__);
#endif
    free(model);
}

void here_free(here_t *self) {
    free(self->compiler);
    free(self->kernel);
    free(self->machine);
    free(self->date);
    free(self->system);
}
