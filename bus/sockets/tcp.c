#include "bus/sockets/tcp.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

bool fob_tcp_sample(int fd, fob_conduct_sample_t *out) {
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_notsent_bytes) + sizeof info.tcpi_notsent_bytes)
        return false;
    *out = (fob_conduct_sample_t){.received = info.tcpi_bytes_received,
                                  .acked = info.tcpi_bytes_acked,
                                  .unsent = info.tcpi_notsent_bytes > 0 || info.tcpi_unacked > 0};
    return true;
}

uint64_t fob_tcp_unread(int fd) {
    int unread = 0;
    return ioctl(fd, FIONREAD, &unread) == 0 && unread > 0 ? (uint64_t)unread : 0;
}

void fob_tcp_peer(int fd, char *out, size_t size) {
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } peer = {0};
    socklen_t length = sizeof peer;
    char host[INET6_ADDRSTRLEN] = "";
    snprintf(out, size, "nobody");
    if (getpeername(fd, &peer.any, &length) != 0)
        return;
    if (peer.any.sa_family == AF_INET && inet_ntop(AF_INET, &peer.four.sin_addr, host, sizeof host))
        snprintf(out, size, "%s:%u", host, ntohs(peer.four.sin_port));
    else if (peer.any.sa_family == AF_INET6 &&
             inet_ntop(AF_INET6, &peer.six.sin6_addr, host, sizeof host))
        snprintf(out, size, "[%s]:%u", host, ntohs(peer.six.sin6_port));
}
