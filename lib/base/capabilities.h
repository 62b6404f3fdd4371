// A thread that needs no privilege of its process gives them up: capabilities are a thread's own.
//
// Called by workers and by the DNS server's thread, each before its work.
#pragma once

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

namespace podlane {

/// Takes all capabilities from the calling thread, for good. One that has none keeps none.
inline void drop_thread_capabilities() noexcept {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    const std::array<__user_cap_data_struct, 2> none{};
    static_cast<void>(::syscall(SYS_capset, &header, none.data()));
}

}  // namespace podlane
