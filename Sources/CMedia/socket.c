#include "cmedia.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <malloc.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

// Room for one packet-info and one segment-size control message.
typedef union {
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t))];
    struct cmsghdr align;
} control_buffer;

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// An IPv4 address becomes an IPv4-mapped one for an IPv6 socket.
static void to_in6(const cmedia_address *address, struct in6_addr *result) {
    if (address->family == 6) {
        memcpy(result->s6_addr, address->ip, 16);
    } else {
        memcpy(result->s6_addr, mapped_prefix, 12);
        memcpy(result->s6_addr + 12, address->ip, 4);
    }
}

static socklen_t to_sockaddr(const cmedia_address *address, int family, struct sockaddr_storage *storage) {
    memset(storage, 0, sizeof *storage);
    if (family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)storage;
        in->sin_family = AF_INET;
        in->sin_port = htons(address->port);
        memcpy(&in->sin_addr, address->ip, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)storage;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(address->port);
    to_in6(address, &in6->sin6_addr);
    return sizeof *in6;
}

static int from_sockaddr(const struct sockaddr *sockaddr, cmedia_address *address) {
    memset(address, 0, sizeof *address);
    if (sockaddr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)sockaddr;
        address->family = 4;
        address->port = ntohs(in->sin_port);
        memcpy(address->ip, &in->sin_addr, 4);
        return 0;
    }
    if (sockaddr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sockaddr;
        address->family = 6;
        address->port = ntohs(in6->sin6_port);
        memcpy(address->ip, &in6->sin6_addr, 16);
        return 0;
    }
    return -EAFNOSUPPORT;
}

// Asks for a buffer beyond the system's limit where we may, up to the limit where we may not.
static void set_buffer(int fd, int forced, int plain, int size) {
    if (size <= 0) return;
    if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof size) == 0) return;
    (void)setsockopt(fd, SOL_SOCKET, plain, &size, sizeof size);
}

int cmedia_udp_bind(const cmedia_address *address, int dual, int receive_buffer, int send_buffer) {
    int family = address->family;
    int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (family == 6) {
        int only = dual ? 0 : 1;
        if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) != 0) goto failed;
    }
    set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, receive_buffer);
    set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, send_buffer);
    struct sockaddr_storage storage;
    socklen_t length = to_sockaddr(address, family, &storage);
    if (bind(fd, (struct sockaddr *)&storage, length) != 0) goto failed;
    return fd;
failed:;
    int error = errno;
    close(fd);
    return -error;
}

int cmedia_local_address(int fd, cmedia_address *address) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    if (getsockname(fd, (struct sockaddr *)&storage, &length) != 0) return -errno;
    return from_sockaddr((struct sockaddr *)&storage, address);
}

// Says from which of our addresses a datagram leaves, so that a multi-homed relay answers from where it was asked.
static size_t put_source(struct cmsghdr *header, int family, const cmedia_address *from) {
    if (family == 4) {
        struct in_pktinfo info;
        memset(&info, 0, sizeof info);
        memcpy(&info.ipi_spec_dst, from->ip, 4);
        header->cmsg_level = IPPROTO_IP;
        header->cmsg_type = IP_PKTINFO;
        header->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(header), &info, sizeof info);
        return CMSG_SPACE(sizeof info);
    }
    struct in6_pktinfo info;
    memset(&info, 0, sizeof info);
    to_in6(from, &info.ipi6_addr);
    header->cmsg_level = IPPROTO_IPV6;
    header->cmsg_type = IPV6_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(header), &info, sizeof info);
    return CMSG_SPACE(sizeof info);
}

int cmedia_send_segments(int fd, int family, const uint8_t *bytes, size_t length, uint16_t segment,
                         const cmedia_address *to, const cmedia_address *from) {
    struct sockaddr_storage storage;
    struct iovec vector = {.iov_base = (void *)bytes, .iov_len = length};
    control_buffer control;
    struct msghdr message = {
        .msg_name = &storage,
        .msg_namelen = to_sockaddr(to, family, &storage),
        .msg_iov = &vector,
        .msg_iovlen = 1,
    };
    size_t used = 0;
    memset(&control, 0, sizeof control);
    if (from->family != 0) used += put_source((struct cmsghdr *)control.bytes, family, from);
    if (segment != 0 && segment < length) {
        struct cmsghdr *header = (struct cmsghdr *)(control.bytes + used);
        header->cmsg_level = IPPROTO_UDP;
        header->cmsg_type = UDP_SEGMENT;
        header->cmsg_len = CMSG_LEN(sizeof segment);
        memcpy(CMSG_DATA(header), &segment, sizeof segment);
        used += CMSG_SPACE(sizeof segment);
    }
    if (used > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = used;
    }
    ssize_t sent;
    do sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

int cmedia_send_batch(int fd, int family, const uint8_t *bytes, const cmedia_datagram *datagrams, unsigned count) {
    struct mmsghdr messages[CMEDIA_BATCH_LIMIT];
    struct iovec vectors[CMEDIA_BATCH_LIMIT];
    struct sockaddr_storage names[CMEDIA_BATCH_LIMIT];
    control_buffer controls[CMEDIA_BATCH_LIMIT];
    if (count > CMEDIA_BATCH_LIMIT) count = CMEDIA_BATCH_LIMIT;
    for (unsigned i = 0; i < count; i++) {
        const cmedia_datagram *datagram = &datagrams[i];
        vectors[i].iov_base = (void *)(bytes + datagram->offset);
        vectors[i].iov_len = datagram->length;
        memset(&messages[i], 0, sizeof messages[i]);
        messages[i].msg_hdr.msg_name = &names[i];
        messages[i].msg_hdr.msg_namelen = to_sockaddr(&datagram->to, family, &names[i]);
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
        if (datagram->from.family != 0) {
            memset(&controls[i], 0, sizeof controls[i]);
            messages[i].msg_hdr.msg_controllen =
                put_source((struct cmsghdr *)controls[i].bytes, family, &datagram->from);
            messages[i].msg_hdr.msg_control = controls[i].bytes;
        }
    }
    int sent;
    do sent = sendmmsg(fd, messages, count, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

int cmedia_interfaces(cmedia_interface *list, int capacity) {
    struct ifaddrs *first = NULL;
    int count = 0;
    if (getifaddrs(&first) != 0) return -errno;
    for (struct ifaddrs *entry = first; entry != NULL && count < capacity; entry = entry->ifa_next) {
        if (entry->ifa_addr == NULL || !(entry->ifa_flags & IFF_UP)) continue;
        if (from_sockaddr(entry->ifa_addr, &list[count].address) != 0) continue;
        memset(list[count].name, 0, sizeof list[count].name);
        strncpy(list[count].name, entry->ifa_name, sizeof list[count].name - 1);
        count++;
    }
    freeifaddrs(first);
    return count;
}

static int unix_address(const char *path, struct sockaddr_un *address) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof address->sun_path) return -ENAMETOOLONG;
    strcpy(address->sun_path, path);
    return 0;
}

int cmedia_unix_listen(const char *path, mode_t mode, int backlog) {
    struct sockaddr_un address;
    int result = unix_address(path, &address);
    if (result < 0) return result;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    // bind() makes the file with the descriptor's mode less the umask: never wider than asked, and no other thread's
    // umask is touched. The chmod only gives back what the umask took away.
    if (fchmod(fd, mode) != 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    if (chmod(path, mode) != 0 || listen(fd, backlog) != 0) {
        int error = errno;
        unlink(path);
        close(fd);
        return -error;
    }
    return fd;
}

int cmedia_unix_probe(const char *path, pid_t *pid) {
    struct sockaddr_un address;
    int result = unix_address(path, &address);
    if (result < 0) return result;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    *pid = 0;
    // EAGAIN means a full backlog, which only a listening process can have.
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EAGAIN) {
        int error = errno;
        close(fd);
        return -error;
    }
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0) *pid = credentials.pid;
    close(fd);
    return 0;
}

void cmedia_return_memory(void) { malloc_trim(0); }
