/* replay: runs a fuzz target over files and folders of seeds, where there is no libFuzzer.
 *
 *     fuzz_event FILE-OR-FOLDER...        exit code 1: no seed, or one that cannot be read */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static int replay_file(const char *path, size_t size) {
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1); /* just that size, so that reading past it is seen */
    bool good = file && data && fread(data, 1, size, file) == size;
    if (good) {
        fprintf(stderr, "%s\n", path);
        LLVMFuzzerTestOneInput(data, size);
    } else {
        perror(path);
    }
    free(data);
    if (file)
        fclose(file);
    return good ? 1 : -1;
}

static int replay(const char *path);

static int replay_folder(const char *path) {
    DIR *folder = opendir(path);
    int seeds = 0;
    if (!folder) {
        perror(path);
        return -1;
    }
    for (struct dirent *entry = readdir(folder); entry && seeds >= 0; entry = readdir(folder)) {
        char inner[4096];
        if (entry->d_name[0] == '.')
            continue;
        int size = snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        int more = size < (int)sizeof inner ? replay(inner) : -1;
        seeds = more < 0 ? -1 : seeds + more;
    }
    closedir(folder);
    return seeds;
}

/* Returns how many seeds there were, -1: one cannot be read. */
static int replay(const char *path) {
    struct stat about;
    if (stat(path, &about) != 0) {
        perror(path);
        return -1;
    }
    return S_ISDIR(about.st_mode) ? replay_folder(path) : replay_file(path, (size_t)about.st_size);
}

int main(int argc, char **argv) {
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int seeds = replay(argv[i]);
        if (seeds < 0)
            return 1;
        total += seeds;
    }
    fprintf(stderr, "%d seeds\n", total);
    return total > 0 ? 0 : 1;
}
