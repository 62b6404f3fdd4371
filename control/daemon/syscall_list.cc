#include "control/daemon/syscall_list.h"

#include <algorithm>
#include <initializer_list>

namespace podlane::control {

namespace {

/// What each thread does: wait, read the clock, get memory, receive signals, write output, end.
constexpr std::string_view kEveryThread =
    "brk clock_gettime clock_nanosleep close epoll_ctl epoll_pwait epoll_pwait2 epoll_wait "
    "exit exit_group fstat futex getcpu getpid getrandom gettid gettimeofday lseek madvise "
    "munmap nanosleep poll ppoll read readv recvfrom restart_syscall rseq rt_sigaction "
    "rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield sendto set_robust_list "
    "sigaltstack tgkill time write writev";

/// Control creates the rings.
constexpr std::string_view kWorker = "io_uring_enter";

/// Upstream servers, and rereading /etc/resolv.conf when it changes.
constexpr std::string_view kNameServer =
    "accept accept4 access bind connect eventfd2 faccessat faccessat2 fcntl getpeername "
    "getsockname getsockopt newfstatat pread64 readlink recvmmsg recvmsg sendmmsg sendmsg "
    "setsockopt shutdown stat statx timerfd_create timerfd_settime";

/// Beside every thread's calls: threads, files below /proc and /run, netlink, the shortcut's
/// program, and glibc's calls when a thread starts.
constexpr std::string_view kAttacher =
    "access arch_prctl bind dup3 faccessat faccessat2 fcntl fstatfs getsockname getsockopt "
    "mremap newfstatat prctl recvmsg sched_getparam sched_getscheduler seccomp sendmsg "
    "set_tid_address setsockopt stat statx uname";

/// Pools, hugepages on their NUMA node, and memory that must not be swapped.
constexpr std::string_view kMemory =
    "fallocate ftruncate get_mempolicy mbind memfd_create mincore mlock mlock2 mlockall "
    "move_pages mremap msync munlock munlockall set_mempolicy";

/// Control of threads and of the process itself.
constexpr std::string_view kThreads =
    "arch_prctl capget capset clock_getres get_robust_list getegid geteuid getgid getppid "
    "getpriority getrlimit getrusage getuid membarrier prctl prlimit64 rt_sigpending "
    "rt_sigsuspend rt_sigtimedwait sched_get_priority_max sched_get_priority_min "
    "sched_getparam sched_getscheduler sched_setaffinity seccomp set_tid_address setrlimit "
    "signalfd4 sysinfo times umask uname wait4";

/// Configuration, objects, the journal, sysfs and sysctls, and what libraries load.
constexpr std::string_view kFiles =
    "access chmod chown close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 "
    "fadvise64 fchmod fchmodat fchown fchownat fcntl fdatasync flock fstatfs fsync getcwd "
    "getdents64 inotify_add_watch inotify_init1 inotify_rm_watch lstat mkdir mkdirat "
    "newfstatat open openat pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 "
    "readlink readlinkat rename renameat renameat2 rmdir sendfile setxattr stat statfs statx "
    "sync_file_range unlink unlinkat utimensat";

constexpr std::string_view kWaiting =
    "epoll_create epoll_create1 eventfd eventfd2 pselect6 select timerfd_create "
    "timerfd_gettime timerfd_settime";

constexpr std::string_view kSockets =
    "accept accept4 bind connect getpeername getsockname getsockopt listen recvmmsg recvmsg "
    "sendmmsg sendmsg setsockopt shutdown";

/// ioctl: all of them, since each device's driver has its own. bpf: the XDP program that keeps
/// frames from the kernel, and its maps. io_uring: to create the workers' rings. iopl, ioperm:
/// ports of a legacy virtio NIC, for which the kernel also requires CAP_SYS_RAWIO.
constexpr std::string_view kDevices =
    "bpf io_uring_enter io_uring_register io_uring_setup ioctl ioperm iopl";

}  // namespace

std::vector<std::string_view> allowed_syscalls(ThreadKind kind) {
    std::vector<std::string_view> out;
    const auto add = [&out](std::initializer_list<std::string_view> lists) {
        for (std::string_view names : lists) {
            while (!names.empty()) {
                const size_t size = std::min(names.find(' '), names.size());
                out.push_back(names.substr(0, size));
                names.remove_prefix(std::min(size + 1, names.size()));
            }
        }
    };
    add({kEveryThread});
    switch (kind) {
        case ThreadKind::kProcess:
            add({kMemory, kThreads, kFiles, kWaiting, kSockets, kDevices});
            break;
        case ThreadKind::kWorker:
            add({kWorker});
            break;
        case ThreadKind::kNameServer:
            add({kNameServer});
            break;
        case ThreadKind::kAttacher:
            add({kAttacher});
            break;
    }
    return out;
}

}  // namespace podlane::control
