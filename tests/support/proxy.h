/* proxy: a TCP port that passes everything on to another one, and can cut all its connections. A
 * thread of its own. */
#ifndef FOB_TESTS_PROXY_H
#define FOB_TESTS_PROXY_H

#include <stddef.h>

typedef struct proxy proxy_t;

/* Listens on a free port of 127.0.0.1 and passes on to `to`. */
proxy_t *proxy_new(int to);
int proxy_port(const proxy_t *self);
/* Cuts every connection in mid-stream; new ones are taken at once. Returns how many it had. */
size_t proxy_cut(proxy_t *self);
/* Bytes passed on, both ways. */
unsigned long long proxy_passed(proxy_t *self);
void proxy_destroy(proxy_t **self_p);

#endif
