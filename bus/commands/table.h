/* table: figures in columns, for eyes. Main thread. */
#ifndef FOB_TABLE_H
#define FOB_TABLE_H

#include <jansson.h>
#include <stddef.h>

typedef struct {
    const char *title;
    const char *field; /* of each row's object; several, comma between, are added */
    int right;         /* figures stand right */
    int spare;         /* on a narrow screen left out where it is 0 or "-" in every row */
} fob_column_t;

/* Prints an array of objects as a table, each column as wide as it must be, the last as it is. What
 * is absent or null is "-". Characters that a terminal could obey become "?".
 *
 * `screen`: the columns of a terminal, or 0 where everything is printed whole. What does not fit
 * on it: a last column of words goes to a line of its own beneath each row; spare columns are left
 * out; words are cut, with an ellipsis, the longest first. */
void fob_table_print(const json_t *rows, const fob_column_t *columns, size_t count, size_t screen);

/* The columns of the terminal that is standard output; 0: it is none. */
size_t fob_table_screen(void);

/* A value in words into `out`: "-", 12345, 1.5, yes, text. */
void fob_table_value(const json_t *value, char *out, size_t size);

#endif
