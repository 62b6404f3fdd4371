// The lists behind syscall_filter.h: names of system calls as the kernel has them, by what they are
// for. Internal to control/daemon.
//
// Each topic of tests/system ends with a check that none was refused. The lists have the calls of
// these tests, and those that the same library functions make on other kernels and in other
// versions of glibc.
#pragma once

#include <string_view>
#include <vector>

#include "control/daemon/syscall_filter.h"

namespace podlane::control {

/// Calls that are allowed whatever their arguments.
[[nodiscard]] std::vector<std::string_view> allowed_syscalls(ThreadKind kind);

}  // namespace podlane::control
