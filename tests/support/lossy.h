/* lossy: what a bus broadcasts, with chosen messages lost on the way. It stands at 127.0.0.2, where
 * a bus with `advertise = 127.0.0.2` sends its subscribers. A thread of its own. */
#ifndef FOB_TESTS_LOSSY_H
#define FOB_TESTS_LOSSY_H

#include <stdint.h>

typedef struct lossy lossy_t;

/* For the bus whose XPUB is at 127.0.0.1:port. */
lossy_t *lossy_new(int port);
/* From now on the stored message that carries this offset is lost. One at a time. */
void lossy_lose(lossy_t *self, uint64_t offset);
/* From now on each `nth` stored message is lost; 0: none. */
void lossy_lose_each(lossy_t *self, unsigned nth);
/* How many messages were lost. */
unsigned lossy_lost(lossy_t *self);
void lossy_destroy(lossy_t **self_p);

#endif
