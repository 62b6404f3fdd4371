// Restricts the system calls of a podlaned thread to the list for its kind.
//
// The composition root loads the process's filter before any thread runs. All threads inherit it;
// workers and the DNS server's thread add a narrower one of their own before they start to work. A
// call that is not on the list fails with EPERM, and the kernel's audit log has its number: a new
// call in some library should be noticed, but must not end a node's network. Calls in another ABI
// than the program's own (32-bit, x32) end the process.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <vector>

#include "lib/base/result.h"

namespace podlane::control {

enum class ThreadKind : uint8_t {
    kProcess,     ///< control, the EAL's threads, and all at the start: what opens devices and pods
    kWorker,      ///< reads, writes, waits
    kNameServer,  ///< sockets of IPv4 and IPv6, and files to read
    kAttacher,    ///< all threads of the process that attaches pods: namespaces, netlink, TAPs
};

/// The kernel can filter a thread's system calls.
[[nodiscard]] bool kernel_has_seccomp() noexcept;

class SyscallFilter {
  public:
    [[nodiscard]] static Result<SyscallFilter> of(ThreadKind kind);

    /// For the calling thread and the threads that it starts, permanently; in addition to filters
    /// that it already has. After no_new_privs. Any thread.
    [[nodiscard]] Result<void> install() const;

  private:
    struct Program {
        std::vector<sock_filter> code;
        unsigned flags = 0;  ///< of seccomp(2)
    };
    std::vector<Program> programs_;  ///< in the order in which they are installed
};

}  // namespace podlane::control
