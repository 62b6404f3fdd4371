// Lets a thread give up privileges of its process that it does not need: capabilities are per
// thread.
//
// Called by workers and by the DNS server's thread before they begin their work.
#pragma once

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

namespace podlane {

/// Takes all capabilities from the calling thread for good.
inline void drop_thread_capabilities() noexcept {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const std::array<__user_cap_data_struct, 2> none{};
    static_cast<void>(::syscall(SYS_capset, &header, none.data()));
}

}  // namespace podlane
