#include "bus/commands/draft.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether there is nothing of that name but an empty folder. */
static bool is_free(const char *name) {
    if (rmdir(name) == 0 || errno == ENOENT)
        return true;
    return false;
}

int fob_draft_begin(const fob_cli_t *cli, fob_draft_t *self, const char *name) {
    size_t length = strlen(name);
    while (length > 1 && name[length - 1] == '/')
        length--;
    self->name = name;
    if (length == 0 || length + sizeof ".part" > sizeof self->part - 64)
        return fob_fail(cli, FOB_EXIT_USAGE, "\"%.40s\" is no name for a folder", name);
    snprintf(self->part, sizeof self->part, "%.*s.part", (int)length, name);
    if (!is_free(name))
        return fob_fail(cli, FOB_EXIT_FOLDER,
                        "%s exists, and is not an empty folder: give the name of a new one", name);
    if (mkdir(self->part, 0700) == 0)
        return FOB_EXIT_OK;
    if (errno == EEXIST)
        return fob_fail(cli, FOB_EXIT_FOLDER,
                        "%s is left of a try that was cut off, or another one is at it: remove it "
                        "first",
                        self->part);
    return fob_fail(cli, FOB_EXIT_FOLDER, "cannot make the folder %s: %s", self->part,
                    strerror(errno));
}

/* So that the name is there after a power cut. */
static void sync_parent(const char *name) {
    char parent[4096];
    snprintf(parent, sizeof parent, "%s", name);
    char *slash = strrchr(parent, '/');
    if (slash == parent)
        slash[1] = '\0';
    else if (slash != NULL)
        *slash = '\0';
    int fd = open(slash != NULL ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return; /* it has its name; only how long that would survive is not known */
    fsync(fd);
    close(fd);
}

int fob_draft_end(const fob_cli_t *cli, const fob_draft_t *self) {
    if (rename(self->part, self->name) != 0)
        return fob_fail(cli, FOB_EXIT_FOLDER, "cannot rename %s to %s: %s", self->part, self->name,
                        strerror(errno));
    sync_parent(self->part);
    return FOB_EXIT_OK;
}

void fob_draft_drop(const fob_draft_t *self) {
    DIR *dir = opendir(self->part);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir != NULL)
        closedir(dir);
    rmdir(self->part); /* what stays is told by the next try */
}
