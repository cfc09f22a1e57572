/* fuzz_config: any bytes as a configuration file, and as a group's settings, line by line. */
#include "bus/commands/config.h"
#include "bus/settings/settings.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void file(const uint8_t *data, size_t size) {
    static int fd = -1;
    static char path[64];
    char text[512] = "";
    fob_bus_options_t options = FOB_BUS_OPTIONS;
    if (fd < 0) {
        fd = memfd_create("config", 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    FUZZ_RULE(fd >= 0 && ftruncate(fd, 0) == 0);
    FUZZ_RULE(pwrite(fd, data, size, 0) == (ssize_t)size);
    fob_config_t *config = fob_config_load(path, &options, text, sizeof text);
    if (config) {
        FUZZ_RULE(!size || !memchr(data, 0, size));
        fob_settings_t settings;
        FUZZ_RULE(fob_settings_fill(&settings, &options, text, sizeof text) == FOB_OK);
        FUZZ_RULE(fob_config_disk_share(config) <= 100);
        for (size_t i = 0; i < options.group_count; i++)
            FUZZ_RULE(options.groups[i].name[0] && options.groups[i].pattern[0]);
    } else {
        FUZZ_RULE(strncmp(text, path, strlen(path)) == 0 && strlen(text) > strlen(path) + 2);
    }
    fob_config_destroy(&config);
}

static void bounds(const fob_terms_t *terms) {
    for (unsigned number = 0; number < 32; number++) {
        uint64_t least, most, value = fob_policy_get(&terms->patch.to, number);
        if (!(terms->patch.mask >> number & 1))
            continue;
        FUZZ_RULE(fob_policy_name(number));
        fob_policy_bounds(number, &least, &most);
        FUZZ_RULE((number == FOB_POLICY_max_bytes && terms->share) ||
                  (value >= least && value <= most));
    }
    FUZZ_RULE(terms->share <= 100);
}

/* What is said of a setting is read again as the same. */
static void say(const fob_terms_t *terms) {
    fob_terms_t again = {.share = 0};
    for (unsigned number = 1; number < FOB_POLICY_END; number++) {
        char value[64], problem[300];
        if (!(terms->patch.mask >> number & 1) || (number == FOB_POLICY_max_bytes && terms->share))
            continue;
        fob_terms_text(number, fob_policy_get(&terms->patch.to, number), value, sizeof value);
        FUZZ_RULE(fob_terms_read(&again, fob_policy_name(number), value, problem, sizeof problem));
        FUZZ_RULE(fob_policy_get(&again.patch.to, number) ==
                  fob_policy_get(&terms->patch.to, number));
    }
}

/* Each line is a pair. */
static void pairs(char *text) {
    fob_terms_t terms = {.share = 0};
    for (char *rest = NULL, *pair = strtok_r(text, "\n", &rest); pair;
         pair = strtok_r(NULL, "\n", &rest)) {
        char problem[300] = "";
        fob_terms_t before = terms;
        bool good = fob_terms_read_pair(&terms, pair, problem, sizeof problem);
        FUZZ_RULE(good || (problem[0] && terms.patch.mask == before.patch.mask));
        bounds(&terms);
    }
    say(&terms);
    fob_terms_settle(&terms, 1 << 30);
    bounds(&terms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    FUZZ_RULE(text);
    if (size)
        memcpy(text, data, size);
    text[size] = 0;
    file(data, size);
    pairs(text);
    free(text);
    return 0;
}
