#include "control/daemon/syscall_filter.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "control/daemon/syscall_list.h"

namespace podlane::control {
namespace {

/// In a process of its own with the filter of that kind: filters do not go away again. What the
/// body did wrong, or a signal's name.
std::string confined(ThreadKind kind, const std::function<std::string()>& body) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        std::string wrong = "not installed";
        const auto filter = SyscallFilter::of(kind);
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (filter.ok() && filter->install().ok()) wrong = body();
        const ssize_t written = write(ends[1], wrong.data(), wrong.size());
        _exit(written == static_cast<ssize_t>(wrong.size()) ? 0 : 1);
    }
    close(ends[1]);
    std::string out;
    char byte;
    while (read(ends[0], &byte, 1) == 1) out += byte;
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status)) : out;
}

/// "name " where the call was not refused by the filter.
std::string refused(const char* name, long result) {
    return result == -1 && errno == EPERM ? "" : std::string(name) + " ";
}
std::string allowed(const char* name, long result) {
    return result == -1 ? std::string("no ") + name + " " : "";
}

class Seccomp : public testing::Test {
  protected:
    void SetUp() override {
        if (!kernel_has_seccomp()) GTEST_SKIP() << "the kernel has no seccomp";
    }
};

TEST_F(Seccomp, AWorkerReadsAndWritesAndOpensNothing) {
    EXPECT_EQ(confined(ThreadKind::kWorker,
                       [] {
                           std::string wrong;
                           char byte = 0;
                           int ends[2] = {-1, -1};
                           wrong += refused("open", open("/dev/null", O_RDONLY));
                           wrong += refused("socket", socket(AF_INET, SOCK_DGRAM, 0));
                           wrong += refused("unix socket", socket(AF_UNIX, SOCK_DGRAM, 0));
                           wrong += refused("pipe", pipe(ends));
                           wrong += refused("unlink", unlink("/nowhere"));
                           wrong += refused("setns", setns(0, CLONE_NEWNET));
                           wrong += refused("bpf", syscall(SYS_bpf, 0, nullptr, 0));
                           wrong += refused("ioctl", ioctl(0, FIONREAD, &ends[0]));
                           wrong += refused("ring", syscall(SYS_io_uring_setup, 1, nullptr));
                           wrong += refused("code", mprotect(nullptr, 0, PROT_READ | PROT_EXEC));
                           wrong += allowed("write", write(STDERR_FILENO, &byte, 0));
                           wrong += allowed("data", mprotect(nullptr, 0, PROT_READ));
                           return wrong;
                       }),
              "");
}

TEST_F(Seccomp, NoKindOfThreadStartsAProgramOrLooksIntoAnother) {
    for (const ThreadKind kind : {ThreadKind::kProcess, ThreadKind::kWorker,
                                  ThreadKind::kNameServer, ThreadKind::kAttacher}) {
        EXPECT_EQ(
            confined(kind,
                     [] {
                         char* none[] = {nullptr};
                         std::string wrong;
                         wrong += refused("execve", execve("/bin/true", none, none));
                         wrong += refused("fork", syscall(SYS_fork));
                         wrong += refused("ptrace", ptrace(PTRACE_TRACEME, 0, 0, 0));
                         wrong += refused("process_vm_readv",
                                          syscall(SYS_process_vm_readv, getppid(), 0, 0, 0, 0, 0));
                         wrong += refused("kill", kill(getppid(), 0));
                         wrong += refused("mount", syscall(SYS_mount, 0, 0, 0, 0, 0));
                         wrong += refused("module", syscall(SYS_init_module, 0, 0, 0));
                         wrong += refused("keyctl", syscall(SYS_keyctl, 0, 0, 0, 0, 0));
                         wrong += refused("setuid", syscall(SYS_setuid, 1));
                         wrong += refused("user namespace", unshare(CLONE_NEWUSER));
                         wrong += refused("mount namespace", unshare(CLONE_NEWNS));
                         wrong += refused("crypto", socket(AF_ALG, SOCK_SEQPACKET, 0));
                         wrong += refused("kernel's page faults", syscall(SYS_userfaultfd, 0));
                         void* const both = mmap(nullptr, 4096, PROT_WRITE | PROT_EXEC,
                                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                         wrong += refused("code to write", both == MAP_FAILED ? -1 : 0);
                         return wrong;
                     }),
            "")
            << static_cast<int>(kind);
    }
}

TEST_F(Seccomp, TheProcessStartsThreadsOpensFilesAndSockets) {
    EXPECT_EQ(confined(ThreadKind::kProcess,
                       [] {
                           std::string wrong;
                           bool ran = false;
                           std::thread([&] { ran = true; }).join();
                           if (!ran) wrong += "no thread ";
                           wrong += allowed("open", open("/dev/null", O_RDONLY));
                           for (const int family : {AF_UNIX, AF_INET, AF_NETLINK}) {
                               wrong += allowed("socket", socket(family, SOCK_DGRAM, 0));
                           }
                           int ends[2];
                           wrong += allowed("pair", socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
                           // Refused by the kernel, as it is no namespace.
                           errno = 0;
                           if (setns(ends[0], CLONE_NEWNET) != -1 || errno == EPERM) {
                               wrong += "no setns ";
                           }
                           wrong += refused("typing", ioctl(ends[0], TIOCSTI, "x"));
                           return wrong;
                       }),
              "");
}

TEST_F(Seccomp, TheNameServersThreadReadsFilesAndHasSocketsOfIp) {
    EXPECT_EQ(confined(ThreadKind::kNameServer,
                       [] {
                           std::string wrong;
                           wrong += allowed("reading", open("/dev/null", O_RDONLY | O_CLOEXEC));
                           wrong += refused("writing", open("/dev/null", O_WRONLY));
                           wrong += refused("both", open("/dev/null", O_RDWR));
                           wrong += refused("making", open("/tmp", O_RDONLY | O_CREAT, 0600));
                           wrong += allowed("IPv4", socket(AF_INET, SOCK_DGRAM, 0));
                           wrong += refused("unix", socket(AF_UNIX, SOCK_DGRAM, 0));
                           wrong += refused("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
                           return wrong;
                       }),
              "");
}

TEST_F(Seccomp, TheProcessThatAttachesPodsHasNamespacesNetlinkAndTaps) {
    EXPECT_EQ(
        confined(ThreadKind::kAttacher,
                 [] {
                     std::string wrong;
                     bool ran = false;
                     std::thread([&] { ran = true; }).join();
                     if (!ran) wrong += "no thread ";
                     wrong += allowed("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
                     const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
                     wrong += allowed("opening", null);
                     errno = 0;
                     if (setns(null, CLONE_NEWNET) != -1 || errno == EPERM) {
                         wrong += "no setns ";
                     }
                     wrong += refused("mount namespace", setns(null, CLONE_NEWNS));
                     wrong += refused("new namespace", unshare(CLONE_NEWNET));
                     errno = 0;
                     if (ioctl(null, TUNSETPERSIST, 1) != -1 || errno == EPERM) {
                         wrong += "no TAP ";
                     }
                     int size = 0;
                     wrong += refused("ioctl", ioctl(null, FIONREAD, &size));
                     wrong += refused("making", open("/tmp/new", O_WRONLY | O_CREAT, 0600));
                     wrong += refused("cutting", open("/dev/null", O_WRONLY | O_TRUNC));
                     wrong += refused("unlink", unlink("/nowhere"));
                     wrong += refused("unix", socket(AF_UNIX, SOCK_DGRAM, 0));
                     wrong += refused("inet", socket(AF_INET, SOCK_DGRAM, 0));
                     wrong += refused("packets", socket(AF_PACKET, SOCK_RAW, 0));
                     errno = 0;
                     if (syscall(SYS_bpf, BPF_MAP_CREATE, nullptr, 0) != -1 || errno == EPERM) {
                         wrong += "no map ";
                     }
                     wrong += refused("attaching", syscall(SYS_bpf, BPF_LINK_CREATE, nullptr, 0));
                     wrong +=
                         refused("tracing", syscall(SYS_bpf, BPF_RAW_TRACEPOINT_OPEN, nullptr, 0));
                     wrong += refused("ring", syscall(SYS_io_uring_setup, 1, nullptr));
                     return wrong;
                 }),
        "");
}

TEST_F(Seccomp, AFilterCannotBeWidenedAgain) {
    EXPECT_EQ(confined(ThreadKind::kProcess,
                       [] {
                           const auto worker = SyscallFilter::of(ThreadKind::kWorker);
                           const auto process = SyscallFilter::of(ThreadKind::kProcess);
                           std::string wrong;
                           std::thread([&] {
                               if (!worker->install().ok()) wrong += "not installed ";
                               if (process->install().ok()) wrong += "again ";
                               wrong += refused("open", open("/dev/null", O_RDONLY));
                           }).join();
                           // The thread beside it is as it was.
                           wrong += allowed("open", open("/dev/null", O_RDONLY));
                           return wrong;
                       }),
              "");
}

TEST_F(Seccomp, WhatWorkersAndTheNameServerMayTheProcessMay) {
    const auto process = allowed_syscalls(ThreadKind::kProcess);
    for (const ThreadKind kind :
         {ThreadKind::kWorker, ThreadKind::kNameServer, ThreadKind::kAttacher}) {
        const auto names = allowed_syscalls(kind);
        EXPECT_LT(names.size(), process.size() / 2);
        for (const std::string_view name : names) {
            EXPECT_TRUE(std::ranges::find(process, name) != process.end()) << name;
        }
    }
}

}  // namespace
}  // namespace podlane::control
