// System calls and counters of the benchmarks. Functions return 0 (or a count, or a descriptor) on success and -errno on
// failure unless they say otherwise.
#ifndef CBENCH_H
#define CBENCH_H

#include <stddef.h>
#include <stdint.h>

// An IPv4 address and port, both in host order.
typedef struct {
    uint32_t ip;
    uint16_t port;
} cbench_address;

// One datagram of a batch that was received.
typedef struct {
    size_t length;
    // When the kernel took it off the wire, nanoseconds of CLOCK_REALTIME; 0 when it did not say.
    int64_t received;
} cbench_datagram;

// Datagrams that one call of cbench_receive takes.
#define CBENCH_BATCH_LIMIT 32

// What a descriptor is ready for.
#define CBENCH_READABLE 1u
#define CBENCH_WRITABLE 2u

// Resolves a host name or dotted quad.
int cbench_resolve(const char *host, uint32_t *ip);

// A non-blocking UDP socket on `local` (port 0: any), with kernel receive times. `local` gets the port that was bound.
int cbench_udp_open(cbench_address *local, int receive_buffer);

// The address from which datagrams to `remote` leave.
int cbench_local_towards(cbench_address remote, uint32_t *ip);

// Fixes a socket's remote end.
int cbench_connect(int fd, cbench_address remote);

int cbench_send(int fd, const uint8_t *bytes, size_t length);
int cbench_send_to(int fd, const uint8_t *bytes, size_t length, cbench_address remote);

// Receives up to `count` datagrams; the n-th starts at buffer + n * stride and is at most `stride` bytes long.
int cbench_receive(int fd, uint8_t *buffer, size_t stride, cbench_datagram *datagrams, unsigned count);

// A non-blocking TCP socket on its way to `remote`, or listening on `local` (which gets the port that was bound).
int cbench_tcp_connect(cbench_address remote);
int cbench_tcp_listen(cbench_address *local);
int cbench_accept(int fd);
// Bytes read; 0 at the end of the stream.
int cbench_read(int fd, uint8_t *buffer, size_t length);
void cbench_close(int fd);

// epoll(7), level-triggered.
int cbench_poll_open(void);
int cbench_poll_set(int poll, int fd, uint32_t interest, int is_new);
int cbench_poll_remove(int poll, int fd);
// Fills `fds` and `ready` with up to `count` descriptors; waits at most `milliseconds`.
int cbench_poll_wait(int poll, int *fds, uint32_t *ready, int count, int milliseconds);

// Raises the limit of open files as far as it goes.
void cbench_raise_file_limit(void);

// Calls of malloc, calloc, realloc and the aligned ones in this process so far.
uint64_t cbench_allocations(void);

// A counter of this thread's user-space instructions; -errno where the machine has none.
int cbench_instructions_open(void);
uint64_t cbench_instructions_read(int fd);

#endif
