#include "bus/commands/folder.h"

#include <stdio.h>
#include <stdlib.h>

bool fob_data_folder(const char *given, char *out, size_t size) {
    const char *folder = given ? given : getenv("FOB_DATA");
    const char *home = getenv("HOME");
    int length;
    if (given && !*given) /* a script's variable that is not set: never another folder instead */
        return false;
    if (folder && *folder)
        length = snprintf(out, size, "%s", folder);
    else if (home && *home)
        length = snprintf(out, size, "%s/.local/share/fob", home);
    else
        return false;
    return length > 0 && (size_t)length < size;
}
