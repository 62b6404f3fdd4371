// Which system calls a thread of podlaned can make: those of a list for its kind, and no others.
//
// The composition root has them made before any thread runs. The process's is inherited by all
// threads; workers and the DNS server's thread narrow it for themselves before their work. A call
// that is not on the list fails with EPERM, and the kernel's audit log has its number: what a
// library does anew in some corner is to be seen, not to end a node's network. Calls in another
// ABI than the program's own (32 bits, x32) end the process.
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

    /// For the calling thread and those that it starts, for good; on top of what it has already.
    /// After no_new_privs. Any thread.
    [[nodiscard]] Result<void> install() const;

  private:
    struct Program {
        std::vector<sock_filter> code;
        unsigned flags = 0;  ///< of seccomp(2)
    };
    std::vector<Program> programs_;  ///< in the order in which they are installed
};

}  // namespace podlane::control
