/* hot_run: a hot line for a tool that counts.
 *
 *     hot_run BATCH SIZE WARM ROUNDS   warms up in hot_warm, then runs in hot_measured, which the
 *                                      tool is told to count in; tells the stages: NAME, what
 *     hot_run --built                  what the count depends on: NAME, version */
#include "hot_line.h"

#include <ftw.h>
#include <gnu/libc-version.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <zmq.h>

void hot_warm(hot_line_t *line, uint32_t rounds);
void hot_measured(hot_line_t *line, uint32_t rounds);

static void run_rounds(hot_line_t *line, uint32_t rounds) {
    for (uint32_t i = 0; i < rounds; i++)
        for (const hot_stage_t *stage = hot_stages; stage->name; stage++)
            stage->run(line);
}

__attribute__((noinline)) void hot_warm(hot_line_t *line, uint32_t rounds) {
    run_rounds(line, rounds);
}

__attribute__((noinline)) void hot_measured(hot_line_t *line, uint32_t rounds) {
    run_rounds(line, rounds);
    __asm__ volatile(""); /* it is not the same function as the one above */
}

static int built(void) {
    int major, minor, patch;
    unsigned hash = XXH_versionNumber();
    zmq_version(&major, &minor, &patch);
    printf("compiler\t" HOT_COMPILER "\nflags\t" HOT_FLAGS "\nmachine\t" HOT_MACHINE "\n");
    printf("libc\t%s\nlibzmq\t%d.%d.%d\n", gnu_get_libc_version(), major, minor, patch);
    printf("msgpack\t%s\n", MSGPACK_VERSION);
    printf("xxhash\t%u.%u.%u\n", hash / 10000, hash / 100 % 100, hash % 100);
    return 0;
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *walk) {
    (void)stat, (void)kind, (void)walk;
    return remove(path);
}

static int run(uint32_t batch, size_t size, uint32_t warm, uint32_t rounds) {
    char folder[512];
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/fob-hot-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    hot_line_t *line = hot_line_new(folder, batch, size);
    hot_warm(line, warm);
    hot_measured(line, rounds);
    hot_line_check(line);
    hot_line_destroy(&line);
    for (const hot_stage_t *stage = hot_stages; stage->name; stage++)
        if (stage->what)
            printf("%s\t%s\n", stage->name, stage->what);
    return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--built") == 0)
        return built();
    if (argc != 5) {
        fprintf(stderr, "usage: hot_run BATCH SIZE WARM ROUNDS | hot_run --built\n");
        return 64;
    }
    uint32_t at[4];
    for (int i = 0; i < 4; i++)
        at[i] = (uint32_t)strtoul(argv[i + 1], NULL, 10);
    return run(at[0], at[1], at[2], at[3]);
}
