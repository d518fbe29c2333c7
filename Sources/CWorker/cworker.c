#include "cworker.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// --- starting ---

static int make_pipe(int ends[2], int ours) {
    if (pipe2(ends, O_CLOEXEC) != 0) return -errno;
    // The flag belongs to one end only; the process reads and writes blockingly.
    if (fcntl(ends[ours], F_SETFL, O_NONBLOCK) == 0) return 0;
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    return -error;
}

static int prepare(posix_spawn_file_actions_t *files, posix_spawnattr_t *attributes, int input, int output) {
    int error = posix_spawn_file_actions_adddup2(files, input, STDIN_FILENO);
    if (!error) error = posix_spawn_file_actions_adddup2(files, output, STDOUT_FILENO);
    if (!error) error = posix_spawn_file_actions_addopen(files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (!error) error = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    if (!error) error = posix_spawnattr_setsigmask(attributes, &none);
    if (!error) error = posix_spawnattr_setsigdefault(attributes, &all);
    // A process group of its own: ^C at the relay's terminal is not meant for it.
    if (!error) error = posix_spawnattr_setpgroup(attributes, 0);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP;
    if (!error) error = posix_spawnattr_setflags(attributes, flags);
    return error;
}

int cworker_spawn(const char *program, const char *argument, cworker_process *process) {
    int to[2], from[2];
    int error = make_pipe(to, 1);
    if (error) return error;
    error = make_pipe(from, 0);
    if (error) {
        close(to[0]);
        close(to[1]);
        return error;
    }
    char *arguments[] = {(char *)program, (char *)argument, NULL};
    char libraries[4096];
    const char *path = getenv("LD_LIBRARY_PATH");
    int length = path ? snprintf(libraries, sizeof libraries, "LD_LIBRARY_PATH=%s", path) : 0;
    // A crash ends the process at once; a backtracer would need what is forbidden to it.
    char *environment[] = {"SWIFT_BACKTRACE=enable=no",
                           length > 0 && (size_t)length < sizeof libraries ? libraries : NULL, NULL};

    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    error = prepare(&files, &attributes, to[0], from[1]);
    if (!error) error = posix_spawn(&process->pid, program, &files, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    close(to[0]);
    close(from[1]);
    if (error) {
        close(to[1]);
        close(from[0]);
        return -error;
    }
    process->output = to[1];
    process->input = from[0];
    return 0;
}

// --- locking in ---

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#define ALLOW(name)                                                                                                    \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

// What memory, pipes, locks and the end of a process need; everything else fails with EPERM.
static int filter_system_calls(void) {
#ifdef ARCHITECTURE
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(read), ALLOW(write), ALLOW(brk), ALLOW(mmap), ALLOW(munmap), ALLOW(mremap), ALLOW(mprotect),
        ALLOW(madvise), ALLOW(futex), ALLOW(sched_yield), ALLOW(getpid), ALLOW(gettid), ALLOW(tgkill),
        ALLOW(rt_sigaction), ALLOW(rt_sigprocmask), ALLOW(rt_sigreturn), ALLOW(restart_syscall),
        ALLOW(clock_gettime), ALLOW(getrusage), ALLOW(prlimit64), ALLOW(getrandom), ALLOW(exit), ALLOW(exit_group),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    struct sock_fprog program = {.len = sizeof rules / sizeof rules[0], .filter = rules};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) return -errno;
#endif
    return 0;
}

static int limit(int resource, rlim_t value) {
    struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
    return setrlimit(resource, &limit) == 0 ? 0 : -errno;
}

int cworker_confine(uint64_t memory) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return -errno;
    int error = limit(RLIMIT_CORE, 0);
    if (!error) error = limit(RLIMIT_FSIZE, 0);
    if (!error) error = limit(RLIMIT_NPROC, 0);
    // Standard input, output and error are all there will ever be.
    if (!error) error = limit(RLIMIT_NOFILE, STDERR_FILENO + 1);
    if (!error) error = limit(RLIMIT_DATA, memory);
    // The libraries' code counts here, and is large.
    if (!error) error = limit(RLIMIT_AS, memory + ((rlim_t)1 << 30));
    if (error) return error;
    return filter_system_calls();
}

int cworker_allow_cpu(unsigned seconds) {
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) != 0) return -errno;
    struct rlimit limit;
    if (getrlimit(RLIMIT_CPU, &limit) != 0) return -errno;
    rlim_t wanted = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1 + seconds;
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    return setrlimit(RLIMIT_CPU, &limit) == 0 ? 0 : -errno;
}
