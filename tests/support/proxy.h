/* proxy: a TCP port that passes everything on to another one, and can cut all its connections. A
 * thread of its own. */
#ifndef FOB_TESTS_PROXY_H
#define FOB_TESTS_PROXY_H

#include <stdbool.h>
#include <stddef.h>

typedef struct proxy proxy_t;

/* Listens on a free port of 127.0.0.1 and passes on to `to`. */
proxy_t *proxy_new(int to);
int proxy_port(const proxy_t *self);
/* Cuts every connection in mid-stream; new ones are taken at once. Returns how many it had. */
size_t proxy_cut(proxy_t *self);
typedef enum { PROXY_TO_BUS = 0, PROXY_FROM_BUS = 1 } proxy_way_t;
/* Holds back all that goes that way, of new connections too, or lets it go on: a network that is
 * slow, or dead in one direction, and says so to nobody. */
void proxy_hold(proxy_t *self, proxy_way_t way, bool held);
/* From now on so many bytes a second go that way at the most, of all connections together; 0: as
 * fast as they come. */
void proxy_slow(proxy_t *self, proxy_way_t way, unsigned long long rate);
/* Bytes passed on, both ways. */
unsigned long long proxy_passed(proxy_t *self);
void proxy_destroy(proxy_t **self_p);

#endif
