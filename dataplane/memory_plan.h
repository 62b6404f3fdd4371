// How much memory the EAL and the packet pools need, by the configuration.
//
// For the runtime's start and for `podlaned --check`; changes nothing.
#pragma once

#include "dataplane/runtime.h"
#include "lib/dpdk/eal.h"
#include "lib/dpdk/mempool.h"

namespace podlane::dataplane {

/// The packet pool of the configuration, its buffers large enough for the uplinks' drivers to
/// receive each frame in one piece, if the operator asks for such frames.
[[nodiscard]] PacketPoolRequest pool_request(const RuntimeConfig& config);

/// A few frames of 64 KiB for each worker, since they are sent soon after they are read
/// (worker.cc). When these buffers run out, ordinary ones are used.
[[nodiscard]] PacketPoolRequest large_pool_request(const RuntimeConfig& config);

/// The EAL's request: memory for both pools, and the arguments of the configuration.
[[nodiscard]] EalRequest eal_request(const RuntimeConfig& config);

}  // namespace podlane::dataplane
