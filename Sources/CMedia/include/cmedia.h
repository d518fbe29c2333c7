// System calls that Swift cannot make without _GNU_SOURCE: UDP segmentation offload, vectored sends, packet info,
// interface flags, peer credentials and what glibc alone has. Functions return 0 (or a count) on success and -errno on
// failure, where they can fail.
#ifndef CMEDIA_H
#define CMEDIA_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// An IP address and port. IPv4 sits in the first four bytes of `ip`.
typedef struct {
    uint8_t ip[16];
    uint16_t port;   // host order
    uint8_t family;  // 4, 6, or 0 for "none"
} cmedia_address;

// One datagram of a batch.
typedef struct {
    cmedia_address to;
    cmedia_address from;  // source address to use; family 0 leaves the choice to the kernel
    size_t offset;        // of the first byte in the batch's buffer
    size_t length;
} cmedia_datagram;

// Datagrams that one call of cmedia_send_batch takes.
#define CMEDIA_BATCH_LIMIT 64
// Segments that one call of cmedia_send_segments takes; the kernel's limit was 64 before it became 128.
#define CMEDIA_SEGMENT_LIMIT 64

// Opens, configures and binds a non-blocking UDP socket.
//
// `dual` binds :: for both families. Returns the descriptor, or -errno.
int cmedia_udp_bind(const cmedia_address *address, int dual, int receive_buffer, int send_buffer);

// The address a socket is bound to.
int cmedia_local_address(int fd, cmedia_address *address);


// Sends `length` bytes as datagrams of `segment` bytes each (the last may be shorter) with one call.
int cmedia_send_segments(int fd, int family, const uint8_t *bytes, size_t length, uint16_t segment,
                         const cmedia_address *to, const cmedia_address *from);

// Sends up to CMEDIA_BATCH_LIMIT datagrams. Returns how many left, or -errno when the first one did not.
int cmedia_send_batch(int fd, int family, const uint8_t *bytes, const cmedia_datagram *datagrams, unsigned count);

// One address of an interface that is up.
typedef struct {
    char name[32];
    cmedia_address address;
} cmedia_interface;

// Fills `list` with addresses of interfaces that are up; returns how many, or -errno.
int cmedia_interfaces(cmedia_interface *list, int capacity);

// Binds and listens on a Unix stream socket whose file gets `mode`, whatever the umask.
//
// The mode is never wider than `mode`, not even for a moment. Returns the descriptor, or -errno.
int cmedia_unix_listen(const char *path, mode_t mode, int backlog);

// Connects to a Unix stream socket only to see whether somebody listens.
//
// Returns 0 and the listener's process id, or -errno (-ECONNREFUSED: a stale file).
int cmedia_unix_probe(const char *path, pid_t *pid);

// Gives memory that is free back to the system.
void cmedia_return_memory(void);

#endif
