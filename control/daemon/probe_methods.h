// The config socket's methods for `capture` and `trace`: probe.start, probe.read, probe.stop.
#pragma once

#include <cstdint>
#include <functional>

#include "control/daemon/probe_sessions.h"
#include "control/rpc/methods.h"

namespace podlane::control {

/// `sessions` must outlive `methods`. `now_ms`: a monotonic clock.
void register_probe_methods(RpcMethods& methods, ProbeSessions& sessions,
                            const std::function<uint64_t()>& now_ms);

/// Not available on the read-only socket: packets contain secrets, counters do not.
void refuse_probe_methods(RpcMethods& methods);

}  // namespace podlane::control
