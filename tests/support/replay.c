/* replay: runs a fuzz target over the files of a folder, without a fuzzer: what was found once is
 * tested for good. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All of a file in memory of exactly its size, so that a byte read beyond its end is seen. */
static int replay(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) {
        fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
        return 0;
    }
    long size = ftell(file);
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    rewind(file);
    int good = size >= 0 && data && fread(data, 1, (size_t)size, file) == (size_t)size;
    if (good) {
        fprintf(stderr, "%s\n", name);
        LLVMFuzzerTestOneInput(data, (size_t)size);
    }
    free(data);
    fclose(file);
    return good;
}

int main(int argc, char **argv) {
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: a folder of inputs\n");
        return 2;
    }
    int good = 1, count = 0;
    for (struct dirent *entry; (entry = readdir(folder));)
        if (entry->d_name[0] != '.') {
            good = replay(argv[1], entry->d_name) && good;
            count++;
        }
    closedir(folder);
    if (count == 0)
        fprintf(stderr, "%s is empty: nothing was tested\n", argv[1]);
    return good && count > 0 ? 0 : 1;
}
