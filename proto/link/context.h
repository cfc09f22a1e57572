/* context: the one libzmq context of this process's clients, made for the first of them and ended
 * with the last. */
#ifndef FOB_CONTEXT_H
#define FOB_CONTEXT_H

/* The context, with one more holder; NULL: no memory or descriptors. Any thread. */
void *fob_context_hold(void);

/* One holder fewer; the last one waits for what lingers, and ends it. Any thread. */
void fob_context_drop(void);

#endif
