#include "cbench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in to_sockaddr(cbench_address address) {
    struct sockaddr_in in;
    memset(&in, 0, sizeof in);
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port);
    in.sin_addr.s_addr = htonl(address.ip);
    return in;
}

static int fail(int fd) {
    int error = errno;
    close(fd);
    return -error;
}

int cbench_resolve(const char *host, uint32_t *ip) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    if (getaddrinfo(host, NULL, &hints, &list) != 0 || list == NULL) return -ENOENT;
    *ip = ntohl(((struct sockaddr_in *)list->ai_addr)->sin_addr.s_addr);
    freeaddrinfo(list);
    return 0;
}

static int bind_and_tell(int fd, cbench_address *local) {
    struct sockaddr_in in = to_sockaddr(*local);
    socklen_t length = sizeof in;
    if (bind(fd, (struct sockaddr *)&in, sizeof in) != 0) return -1;
    if (getsockname(fd, (struct sockaddr *)&in, &length) != 0) return -1;
    local->port = ntohs(in.sin_port);
    return 0;
}

int cbench_udp_open(cbench_address *local, int receive_buffer) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0) return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0) return fail(fd);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof receive_buffer) != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    return bind_and_tell(fd, local) == 0 ? fd : fail(fd);
}

int cbench_local_towards(cbench_address remote, uint32_t *ip) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = to_sockaddr(remote);
    socklen_t length = sizeof in;
    if (fd < 0) return -errno;
    if (connect(fd, (struct sockaddr *)&in, sizeof in) != 0) return fail(fd);
    if (getsockname(fd, (struct sockaddr *)&in, &length) != 0) return fail(fd);
    *ip = ntohl(in.sin_addr.s_addr);
    close(fd);
    return 0;
}

int cbench_connect(int fd, cbench_address remote) {
    struct sockaddr_in in = to_sockaddr(remote);
    return connect(fd, (struct sockaddr *)&in, sizeof in) == 0 ? 0 : -errno;
}

int cbench_send(int fd, const uint8_t *bytes, size_t length) {
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? -errno : (int)sent;
}

int cbench_send_to(int fd, const uint8_t *bytes, size_t length, cbench_address remote) {
    struct sockaddr_in in = to_sockaddr(remote);
    ssize_t sent = sendto(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&in, sizeof in);
    return sent < 0 ? -errno : (int)sent;
}

int cbench_receive(int fd, uint8_t *buffer, size_t stride, cbench_datagram *datagrams, unsigned count) {
    struct mmsghdr messages[CBENCH_BATCH_LIMIT];
    struct iovec vectors[CBENCH_BATCH_LIMIT];
    union {
        char bytes[CMSG_SPACE(sizeof(struct timespec))];
        struct cmsghdr align;
    } controls[CBENCH_BATCH_LIMIT];
    if (count > CBENCH_BATCH_LIMIT) count = CBENCH_BATCH_LIMIT;
    for (unsigned i = 0; i < count; i++) {
        vectors[i].iov_base = buffer + i * stride;
        vectors[i].iov_len = stride;
        memset(&messages[i], 0, sizeof messages[i]);
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        messages[i].msg_hdr.msg_control = controls[i].bytes;
        messages[i].msg_hdr.msg_controllen = sizeof controls[i].bytes;
    }
    int received = recvmmsg(fd, messages, count, MSG_DONTWAIT, NULL);
    if (received < 0) return -errno;
    for (int i = 0; i < received; i++) {
        datagrams[i].length = messages[i].msg_len;
        datagrams[i].received = 0;
        for (struct cmsghdr *header = CMSG_FIRSTHDR(&messages[i].msg_hdr); header != NULL;
             header = CMSG_NXTHDR(&messages[i].msg_hdr, header)) {
            if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_TIMESTAMPNS) continue;
            struct timespec time;
            memcpy(&time, CMSG_DATA(header), sizeof time);
            datagrams[i].received = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
        }
    }
    return received;
}

int cbench_tcp_connect(cbench_address remote) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in in = to_sockaddr(remote);
    if (fd < 0) return -errno;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&in, sizeof in) != 0 && errno != EINPROGRESS) return fail(fd);
    return fd;
}

int cbench_tcp_listen(cbench_address *local) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (bind_and_tell(fd, local) != 0 || listen(fd, 256) != 0) return fail(fd);
    return fd;
}

int cbench_accept(int fd) {
    int accepted = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int on = 1;
    if (accepted < 0) return -errno;
    (void)setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return accepted;
}

int cbench_read(int fd, uint8_t *buffer, size_t length) {
    ssize_t count = read(fd, buffer, length);
    return count < 0 ? -errno : (int)count;
}

void cbench_close(int fd) { close(fd); }

int cbench_poll_open(void) {
    int poll = epoll_create1(EPOLL_CLOEXEC);
    return poll < 0 ? -errno : poll;
}

int cbench_poll_set(int poll, int fd, uint32_t interest, int is_new) {
    struct epoll_event event = {.data.fd = fd};
    if (interest & CBENCH_READABLE) event.events |= EPOLLIN;
    if (interest & CBENCH_WRITABLE) event.events |= EPOLLOUT;
    return epoll_ctl(poll, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) == 0 ? 0 : -errno;
}

int cbench_poll_remove(int poll, int fd) { return epoll_ctl(poll, EPOLL_CTL_DEL, fd, NULL) == 0 ? 0 : -errno; }

int cbench_poll_wait(int poll, int *fds, uint32_t *ready, int count, int milliseconds) {
    struct epoll_event events[128];
    if (count > 128) count = 128;
    int found = epoll_wait(poll, events, count, milliseconds);
    if (found < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < found; i++) {
        fds[i] = events[i].data.fd;
        ready[i] = 0;
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) ready[i] |= CBENCH_READABLE;
        if (events[i].events & EPOLLOUT) ready[i] |= CBENCH_WRITABLE;
    }
    return found;
}

void cbench_raise_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int cbench_instructions_open(void) {
    struct perf_event_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.size = sizeof attributes;
    attributes.config = PERF_COUNT_HW_INSTRUCTIONS;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    int fd = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
    return fd < 0 ? -errno : fd;
}

uint64_t cbench_instructions_read(int fd) {
    uint64_t value = 0;
    return read(fd, &value, sizeof value) == sizeof value ? value : 0;
}
