// How much memory the EAL and the packet pools are to have, by the configuration.
//
// For the runtime's start and for `podlaned --check`; touches nothing.
#pragma once

#include "dataplane/runtime.h"
#include "lib/dpdk/eal.h"
#include "lib/dpdk/mempool.h"

namespace podlane::dataplane {

/// The pool of the configuration, with buffers as the uplinks' drivers want them for what the
/// operator asks for: frames in one piece.
[[nodiscard]] PacketPoolRequest pool_request(const RuntimeConfig& config);

/// Some large frames of 64 KiB for each worker: what one reads is sent soon (worker.cc). When they
/// are used up, the usual buffers serve.
[[nodiscard]] PacketPoolRequest large_pool_request(const RuntimeConfig& config);

/// What the EAL is to reserve for both, and the arguments of the configuration.
[[nodiscard]] EalRequest eal_request(const RuntimeConfig& config);

}  // namespace podlane::dataplane
